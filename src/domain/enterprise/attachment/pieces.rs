//! The pieces in which a file comes: of one size, all but the last, and one after the other. So their number
//! is bounded, and each has its place in one file. And how much may be under way and be kept. No bytes here.

use crate::error::{Flaw, Reason};

/// The largest piece, in either direction.
pub const PIECE_BYTES_MAX: usize = 32 * 1024;
/// The smallest piece that is not the last.
pub const PIECE_BYTES_MIN: i64 = 4 * 1024;
/// A file whose length is known may always come in so many pieces, however small.
const PIECES_ALWAYS: i64 = 8;

const MIB: i64 = 1024 * 1024;
/// Bytes that were announced by one account and are not whole yet.
pub const UNDER_WAY_OF_PERSON_MAX: i64 = 64 * MIB;
/// The same for all who act for one enterprise.
pub const UNDER_WAY_OF_ENTERPRISE_MAX: i64 = 256 * MIB;
/// Bytes that one person may bring in all. Officers bring for many, and are bounded by the enterprises.
pub const KEPT_OF_PERSON_MAX: i64 = 4 * 1024 * MIB;
/// Bytes of one enterprise in all.
pub const KEPT_OF_ENTERPRISE_MAX: i64 = 16 * 1024 * MIB;

/// What has come of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Came {
    /// How much.
    pub bytes: i64,
    /// How long each piece is but the last, from the first one on.
    pub piece_bytes: Option<i32>,
}

/// What becomes of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// It came before: a repetition, whose content is judged at the end with everything.
    Before,
    /// It is the next one; this has come with it.
    Next(Came),
}

impl Came {
    /// Judges a piece, of a file of this length where that is known, and never longer than the most.
    ///
    /// # Errors
    /// The field, and what is wrong with it.
    pub fn take(
        self,
        offset: i64,
        length: i64,
        size: Option<i64>,
        most: i64,
    ) -> Result<Piece, (&'static str, Flaw)> {
        if offset < 0 {
            return Err(("offset", Flaw::OutOfRange));
        }
        let end = offset.saturating_add(length);
        // Without a size of its pieces what has come was taken by an older version: it comes again.
        let came = self.piece_bytes.map_or(0, |_| self.bytes);
        if self.piece_bytes.is_some() && end <= came {
            return Ok(Piece::Before);
        }
        if offset != came || end > size.unwrap_or(most).min(most) {
            return Err(("offset", Flaw::OutOfRange));
        }
        let piece = self.piece_bytes.map_or(length, i64::from);
        let least = size.map_or(PIECE_BYTES_MIN, |size| {
            PIECE_BYTES_MIN.min(size.saturating_add(PIECES_ALWAYS - 1) / PIECES_ALWAYS)
        });
        // A short piece was the last one; of a file of known length it ends it.
        let others_fit = came == 0 || (piece >= least && came.checked_rem(piece) == Some(0));
        let last = size.is_none_or(|size| end == size);
        let fits = length <= piece && (last || (length == piece && piece >= least));
        if !(others_fit && fits) {
            return Err(("data", Flaw::PieceUneven));
        }
        let piece_bytes = i32::try_from(piece).map_err(|_| ("data", Flaw::TooLong))?;
        Ok(Piece::Next(Self { bytes: end, piece_bytes: Some(piece_bytes) }))
    }
}

/// What somebody has under way, and has brought in all, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Announced and not whole yet.
    pub under_way: i64,
    /// Announced in all.
    pub kept: i64,
}

/// Whether there is room for one more file.
///
/// # Errors
/// What is full.
pub fn room(size: i64, person: Held, of_person: bool, enterprise: Held) -> Result<(), Reason> {
    let over = |held: i64, most: i64| held.saturating_add(size) > most;
    if over(person.under_way, UNDER_WAY_OF_PERSON_MAX)
        || over(enterprise.under_way, UNDER_WAY_OF_ENTERPRISE_MAX)
    {
        return Err(Reason::AttachmentsUnderWay);
    }
    if (of_person && over(person.kept, KEPT_OF_PERSON_MAX))
        || over(enterprise.kept, KEPT_OF_ENTERPRISE_MAX)
    {
        return Err(Reason::AttachmentSpaceFull);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Came, Held, KEPT_OF_PERSON_MAX, Piece, UNDER_WAY_OF_PERSON_MAX, room};
    use crate::error::{Flaw, Reason};

    const MOST: i64 = 10 * 1024 * 1024;

    /// How many pieces of these lengths are taken, and what refuses the next one.
    fn taken(pieces: &[i64], size: Option<i64>) -> (usize, Option<&'static str>) {
        let mut came = Came { bytes: 0, piece_bytes: None };
        for (at, &length) in pieces.iter().enumerate() {
            let offset = came.bytes;
            match came.take(offset, length, size, MOST) {
                Ok(Piece::Next(next)) => came = next,
                Ok(Piece::Before) => panic!("a new piece"),
                Err((field, _)) => return (at, Some(field)),
            }
        }
        (pieces.len(), None)
    }

    #[test]
    fn pieces_have_one_size_all_but_the_last() {
        let all = |count| (count, None);
        let data = |count| (count, Some("data"));
        assert_eq!(taken(&[5_000, 5_000, 2_000], Some(12_000)), all(3));
        assert_eq!(taken(&[32_768, 32_768], Some(65_536)), all(2));
        assert_eq!(taken(&[7], Some(7)), all(1));
        assert_eq!(taken(&[9, 3], Some(12)), all(2), "a small file in few pieces");
        assert_eq!(taken(&[1, 1], Some(100_000)), data(0));
        assert_eq!(taken(&[5_000, 4_999], Some(12_000)), data(1));
        assert_eq!(taken(&[5_000, 5_001], Some(12_000)), data(1));
        assert_eq!(taken(&[5_000, 7_001], Some(12_000)), (1, Some("offset")));
        // Where nobody said how long it is, a short piece is the last one.
        assert_eq!(taken(&[20_000, 20_000, 3], None), all(3));
        assert_eq!(taken(&[20_000, 3, 1], None), data(2));
        assert_eq!(taken(&[1, 1], None), data(1));
    }

    #[test]
    fn a_repetition_is_harmless_and_a_gap_is_none() {
        let came = Came { bytes: 10_000, piece_bytes: Some(5_000) };
        let take = |offset| came.take(offset, 5_000, Some(20_000), MOST);
        assert_eq!(take(0), Ok(Piece::Before));
        assert_eq!(take(5_000), Ok(Piece::Before));
        assert!(matches!(take(10_000), Ok(Piece::Next(_))));
        for offset in [-1, 9_999, 10_001, 15_000, i64::MAX] {
            assert_eq!(take(offset), Err(("offset", Flaw::OutOfRange)), "{offset}");
        }
        // What an older version took comes again, from its beginning.
        let older = Came { bytes: 10_000, piece_bytes: None };
        assert!(matches!(older.take(0, 5_000, Some(20_000), MOST), Ok(Piece::Next(_))));
        let on = older.take(10_000, 5_000, Some(20_000), MOST);
        assert_eq!(on, Err(("offset", Flaw::OutOfRange)));
    }

    #[test]
    fn what_is_under_way_and_what_is_kept_has_an_end() {
        let none = Held::default();
        let held = |under_way, kept| Held { under_way, kept };
        assert_eq!(room(1, none, true, none), Ok(()));
        let way = UNDER_WAY_OF_PERSON_MAX;
        assert_eq!(room(1, held(way - 1, 0), true, none), Ok(()));
        assert_eq!(room(1, held(way, 0), true, none), Err(Reason::AttachmentsUnderWay));
        assert_eq!(room(1, none, true, held(4 * way, 0)), Err(Reason::AttachmentsUnderWay));
        let kept = KEPT_OF_PERSON_MAX;
        assert_eq!(room(1, held(0, kept), true, none), Err(Reason::AttachmentSpaceFull));
        assert_eq!(room(1, held(0, kept), false, none), Ok(()), "an officer brings for many");
        assert_eq!(room(1, none, false, held(0, 4 * kept)), Err(Reason::AttachmentSpaceFull));
    }
}
