//! Texts as people type them, paste them and read them: which characters show, and what of a pasted
//! text was never meant. No rule of what must be said, and none of any code.

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory as Category, UnicodeGeneralCategory as _};

use crate::error::{Flaw, Result};

/// Whether a reader sees a character: not a blank, not what only directs how others are drawn, not a
/// mark that stands on another one.
#[must_use]
pub fn shows(c: char) -> bool {
    let blank = c.is_whitespace() || is_drawn_empty(c);
    let silent = matches!(
        c.general_category(),
        Category::Control | Category::Format | Category::NonspacingMark | Category::EnclosingMark
    );
    let nothing = u32::from(c) & 0xfffe == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}');
    !(blank || silent || nothing || is_ignorable(c))
}

/// How many characters of a text a reader sees: what counts where something must be said.
#[must_use]
pub fn shown(text: &str) -> usize {
    text.chars().filter(|c| shows(*c)).count()
}

/// A text that must be said: see [`maybe`].
pub fn required(value: &str, characters_max: usize) -> Result<String, Flaw> {
    match maybe(value, characters_max)? {
        said if said.is_empty() => Err(Flaw::Required),
        said => Ok(said),
    }
}

/// A text that must be said, in so many characters that show; one fault is told, not two.
pub fn at_least(value: &str, characters: usize, characters_max: usize) -> Result<String, Flaw> {
    let said = required(value, characters_max)?;
    if shown(&said) < characters { Err(Flaw::TooShort) } else { Ok(said) }
}

/// A text that may be absent, of bounded length, as it was meant: line ends of every system are line
/// breaks and tabs are blanks; what pasting hangs on and nobody sees goes. Of what shows nothing,
/// nothing is kept.
///
/// Refused are other control characters, and the one that turns letters around: nobody types it.
pub fn maybe(value: &str, characters_max: usize) -> Result<String, Flaw> {
    let mut said = String::with_capacity(value.len());
    let mut before = ' ';
    for c in value.chars() {
        match c {
            '\n' if before == '\r' => {}
            '\r' | '\n' | '\u{0b}' | '\u{0c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                said.push('\n');
            }
            '\t' => said.push(' '),
            '\u{202e}' => return Err(Flaw::TextUnsafe),
            c if c.is_control() => return Err(Flaw::TextUnsafe),
            c if is_pasted(c) => {}
            c => said.push(character(c)),
        }
        before = c;
    }
    let said = said.trim();
    if shown(said) == 0 {
        return Ok(String::new());
    }
    if said.chars().count() > characters_max {
        return Err(Flaw::TooLong);
    }
    Ok(said.to_owned())
}

/// The name of a person, so that one name is one text: [`meant`], one blank between words and none
/// between characters, one middle dot.
pub fn name(value: &str, characters_max: usize) -> Result<String, Flaw> {
    let value = required(value, characters_max.saturating_mul(4))?;
    let mut name = String::with_capacity(value.len());
    for word in meant(&value).split_whitespace() {
        // 张 三 is 张三; elsewhere a blank belongs to the name.
        let han =
            name.chars().last().is_some_and(is_han) && word.chars().next().is_some_and(is_han);
        if !name.is_empty() && !han {
            name.push(' ');
        }
        name.extend(word.chars().map(|c| if is_dot(c) { '·' } else { c }));
    }
    if name.chars().count() > characters_max { Err(Flaw::TooLong) } else { Ok(name) }
}

/// What was meant by a pasted name or code: without what nobody sees, each character in its usual form
/// (half-width digits and letters, the character instead of the radical that looks the same).
#[must_use]
pub fn meant(text: &str) -> String {
    text.chars().filter(|c| !is_ignorable(*c) && !is_format(*c)).map(character).nfkc().collect()
}

/// The ideograph that a radical stands for where Unicode gives it no equivalent: copies from documents
/// hold them in names and plates. (The rest of the radicals is mended by NFKC.)
fn character(c: char) -> char {
    const RADICALS: [(char, char); 40] = [
        ('⺁', '厂'),
        ('⺠', '民'),
        ('⺪', '疋'),
        ('⺫', '目'),
        ('⺬', '示'),
        ('⺽', '臼'),
        ('⻁', '虎'),
        ('⻄', '西'),
        ('⻅', '见'),
        ('⻆', '角'),
        ('⻉', '贝'),
        ('⻋', '车'),
        ('⻌', '辶'),
        ('⻐', '钅'),
        ('⻑', '長'),
        ('⻓', '长'),
        ('⻔', '门'),
        ('⻗', '雨'),
        ('⻘', '青'),
        ('⻙', '韦'),
        ('⻚', '页'),
        ('⻛', '风'),
        ('⻜', '飞'),
        ('⻝', '食'),
        ('⻠', '饣'),
        ('⻡', '首'),
        ('⻢', '马'),
        ('⻣', '骨'),
        ('⻤', '鬼'),
        ('⻥', '鱼'),
        ('⻦', '鸟'),
        ('⻧', '卤'),
        ('⻨', '麦'),
        ('⻩', '黄'),
        ('⻪', '黾'),
        ('⻬', '齐'),
        ('⻮', '齿'),
        ('⻰', '龙'),
        ('⻳', '龟'),
        ('⺟', '母'),
    ];
    match c {
        // The radicals of Kangxi are characters whatever else a text says.
        '\u{2f00}'..='\u{2fd5}' => std::iter::once(c).nfkc().next().unwrap_or(c),
        '\u{2e80}'..='\u{2ef3}' => {
            RADICALS.iter().find_map(|(radical, it)| (*radical == c).then_some(*it)).unwrap_or(c)
        }
        c => c,
    }
}

/// What pasting hangs on: characters without a form of their own. Joiners stay, since emoji and names
/// are written with them, and so do the few that are drawn.
fn is_pasted(c: char) -> bool {
    is_format(c) && !matches!(c, '\u{200c}' | '\u{200d}' | '\u{e0020}'..='\u{e007f}')
}

/// A format character (Cf), but those that are drawn with the number that they stand before.
fn is_format(c: char) -> bool {
    c.general_category() == Category::Format
        && !matches!(
            c,
            '\u{600}'
                ..='\u{605}'
                    | '\u{6dd}'
                    | '\u{70f}'
                    | '\u{890}'
                    | '\u{891}'
                    | '\u{8e2}'
                    | '\u{110bd}'
                    | '\u{110cd}'
        )
}

/// `Default_Ignorable_Code_Point`: what a reader is shown nothing of.
const fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Symbols and letters whose form is an empty space.
const fn is_drawn_empty(c: char) -> bool {
    matches!(c, '\u{2800}' | '\u{fffc}' | '\u{1d159}' | '\u{13441}' | '\u{13442}')
}

/// What is typed for the dot within a name or a plate.
#[must_use]
pub const fn is_dot(c: char) -> bool {
    matches!(c, '•' | '‧' | '∙' | '⋅' | '・')
}

/// What is typed, or made by a text program, for the dash between the groups of a number.
#[must_use]
pub const fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}')
}

const fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{at_least, maybe, meant, name, required, shown, shows};
    use crate::error::Flaw;

    /// What nobody sees: zero width, fillers, the empty pattern of Braille, marks on nothing.
    const UNSEEN: &str = "\u{200b}\u{3164}\u{2800}\u{2060}\u{feff}\u{ad}\u{200d}\u{115f}\u{1160}\
        \u{ffa0}\u{180e}\u{fe0f}\u{e0001}\u{e0100}\u{301}\u{20dd}\u{3000}\u{a0}\u{202d}\u{2069}\u{fffc}";

    #[test]
    fn only_what_a_reader_sees_is_counted() {
        assert_eq!(shown(UNSEEN), 0);
        for c in UNSEEN.chars() {
            let many = c.to_string().repeat(60);
            assert_eq!(required(&many, 500), Err(Flaw::Required), "{:04x}", u32::from(c));
            assert_eq!(maybe(&many, 500), Ok(String::new()), "{:04x}", u32::from(c));
            assert_eq!(at_least(&format!("好{many}"), 4, 500), Err(Flaw::TooShort));
        }
        for c in "好aé1。■😀ᠠ가\u{e000}\u{31350}".chars() {
            assert!(shows(c), "{c}");
        }
        // A letter under a heap of marks is one letter.
        assert_eq!(shown(&format!("a{}", "\u{301}".repeat(40))), 1);
        assert_eq!(shown("👨‍👩‍👧"), 3);
    }

    #[test]
    fn a_pasted_text_is_kept_as_it_was_meant() {
        for (pasted, said) in [
            (" 装货 ", "装货"),
            ("一\r\n二\r三\n四", "一\n二\n三\n四"),
            ("一\u{2028}二\u{85}三", "一\n二\n三"),
            ("车号\t苏N12345", "车号 苏N12345"),
            ("\u{feff}\u{202d}13905240001\u{202c}", "13905240001"),
            ("找\u{2066}李明\u{2069}", "找李明"),
            ("软\u{ad}换\u{200b}行", "软换行"),
            // An emoji of three people, a form of a character, a flag: they stay.
            ("👨‍👩‍👧", "👨‍👩‍👧"),
            ("葛\u{e0100}", "葛\u{e0100}"),
            ("⻢师傅,⼯地", "马师傅,工地"),
            ("（全角）１", "（全角）１"),
        ] {
            assert_eq!(required(pasted, 20).as_deref(), Ok(said), "{pasted:?}");
        }
        assert_eq!(maybe("一\u{7}", 9), Err(Flaw::TextUnsafe));
        assert_eq!(maybe("a\u{0}b", 9), Err(Flaw::TextUnsafe));
        assert_eq!(maybe("\u{202e}abc", 9), Err(Flaw::TextUnsafe));
        assert_eq!(maybe("12345", 4), Err(Flaw::TooLong));
        assert_eq!(maybe("1\u{200b}2\u{200b}3\u{200b}4", 4), Ok("1234".to_owned()));
    }

    #[test]
    fn one_name_is_one_text() {
        for (typed, said) in [
            ("张三", "张三"),
            (" 张　三 ", "张三"),
            ("张\u{200b}三\u{feff}", "张三"),
            ("⻢⻰", "马龙"),
            ("⾼⼭", "高山"),
            ("买买提•艾力", "买买提·艾力"),
            ("买买提・艾力", "买买提·艾力"),
            ("John  Smith", "John Smith"),
            ("Ｊｏｈｎ", "John"),
            ("José María", "José María"),
        ] {
            assert_eq!(name(typed, 50).as_deref(), Ok(said), "{typed:?}");
        }
        assert_eq!(name("\u{3164}\u{2800}", 50), Err(Flaw::Required));
        assert_eq!(name("\u{202e}张三", 50), Err(Flaw::TextUnsafe));
        assert_eq!(name("张三丰", 2), Err(Flaw::TooLong));
    }

    proptest! {
        #[test]
        fn what_was_read_once_reads_the_same_again(text in any::<String>()) {
            if let Ok(said) = maybe(&text, 10_000) {
                prop_assert_eq!(maybe(&said, 10_000), Ok(said.clone()));
                prop_assert_eq!(said.is_empty(), shown(&said) == 0);
            }
            if let Ok(said) = name(&text, 10_000) {
                prop_assert!(shown(&said) > 0);
            }
            let once = meant(&text);
            prop_assert_eq!(meant(&once), once);
        }
    }
}
