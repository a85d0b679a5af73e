//! How entries and fences look in Redis, and the scripts that read and write them in one step. Who runs them, and
//! when, is not known here.

/// An entry is `E`, eight bytes of version, the facts. A fence is `F`, eight bytes of the least
/// version that may be filled, then nothing, or sixteen bytes of a reader's mark and eight of when it was
/// left, in milliseconds of Redis's clock.
pub(super) const ENTRY: u8 = b'E';
pub(super) const FENCE: u8 = b'F';
pub(super) const HEADER: usize = 9;

/// How a script reads the version of what stands under a key; `nil` where that is not ours. Versions
/// are compared as numbers alone: Lua compares strings by the locale that Redis was started in, and
/// in most of them bytes have another order. A number of Lua is exact up to 2^53 changes of one key.
pub(super) const VERSION: &str = r"
local function number(text, at)
  local high, low = struct.unpack('>I4I4', text, at)
  return high * 4294967296 + low
end
local function version(found)
  local kind = found and string.sub(found, 1, 1)
  if #(found or '') < 9 or (kind ~= 'E' and kind ~= 'F') then return nil end
  return number(found, 2)
end
local function header(kind, decimal)
  local whole = tonumber(decimal)
  local low = whole % 4294967296
  return kind .. struct.pack('>I4I4', (whole - low) / 4294967296, low)
end
";

/// Leaves a reader's mark where there is none, or an old one. Answers with the entry, where one stands
/// now; with `M` where the mark was left; with nothing where another's mark is young.
pub(super) const MARK: &str = r"
local found = redis.call('GET', KEYS[1])
if found and string.sub(found, 1, 1) == 'E' then return found end
if found and not version(found) then return '' end
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
if #(found or '') == 33 then
  local age = now - number(found, 26)
  if 0 <= age and age < tonumber(ARGV[2]) then return '' end
end
local least = found and string.sub(found, 1, 9) or header('F', '0')
redis.call('SET', KEYS[1], least .. ARGV[1] .. string.sub(header('F', now), 2), 'PX', ARGV[3])
return 'M'
";

/// Puts an entry in place of a fence that permits it and bears the reader's own mark.
pub(super) const FILL: &str = r"
local found = redis.call('GET', KEYS[1])
local known, filled = version(found), tonumber(ARGV[1])
if not known or string.sub(found, 1, 1) ~= 'F' then return 0 end
if string.sub(found, 10, 25) ~= ARGV[2] and ARGV[5] ~= '1' then return 0 end
if known > filled then return 0 end
redis.call('SET', KEYS[1], header('E', ARGV[1]) .. ARGV[3], 'PX', ARGV[4])
return 1
";

/// Voids every entry and fence of an older version, and whatever is not ours.
pub(super) const RAISE: &str = r"
for i, key in ipairs(KEYS) do
  local known = version(redis.call('GET', key))
  if not known or known < tonumber(ARGV[i]) then
    redis.call('SET', key, header('F', ARGV[i]), 'PX', ARGV[#KEYS + 1])
  end
end
return 1
";

/// Counts one more. The end of the window is set whenever there is none: a count whose end got lost
/// would lock somebody out for good.
pub(super) const COUNT: &str = r"
local count = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
";

/// Counts an attempt that may fail, and answers with the wait in milliseconds: 0 where it may be made. The
/// wait begins with the last attempt that counted.
pub(super) const ATTEMPT: &str = r"
local found = redis.call('GET', KEYS[1]) or ''
local count, last = string.match(found, '^(%d+) (%d+)$')
count, last = tonumber(count or 0), tonumber(last or 0)
local now, lock = tonumber(ARGV[1]), tonumber(ARGV[2])
if now - last >= lock then count = 0 end
if count >= tonumber(ARGV[3]) then return last + lock - now end
redis.call('SET', KEYS[1], (count + 1) .. ' ' .. ARGV[1], 'PX', ARGV[2])
return 0
";

#[cfg(test)]
mod tests {
    use super::{FILL, MARK, RAISE};

    // Lua compares strings by Redis's locale: 13 then comes after 14. The order of versions must not
    // depend on where Redis was started, so every comparison is one of numbers.
    #[test]
    fn the_scripts_compare_numbers_alone() {
        let number = |side: &str| {
            let side = side.trim_end_matches(')');
            ["known", "filled", "age", "tonumber(ARGV[2]", "tonumber(ARGV[i]"].contains(&side)
                || side.parse::<u64>().is_ok()
        };
        let mut compared = 0;
        for line in FILL.lines().chain(RAISE.lines()).chain(MARK.lines()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            for sides in words.windows(3) {
                if let [left, "<" | "<=" | ">" | ">=", right] = sides {
                    assert!(number(left) && number(right), "{line}");
                    compared += 1;
                }
            }
        }
        let signs = [FILL, RAISE, MARK].map(|script| script.matches(['<', '>']).count());
        assert_eq!(compared, signs.iter().sum::<usize>());
    }
}
