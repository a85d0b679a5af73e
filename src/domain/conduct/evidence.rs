//! What a reporter adds to a report: pictures, of which nothing is kept but what they show.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::domain::enterprise::attachment::{ContentType, pieces::Came};

/// How many pieces a report may have.
pub const EVIDENCE_MAX: usize = 10;
/// The largest piece, as it comes.
pub const EVIDENCE_BYTES_MAX: i64 = 10 * 1024 * 1024;
/// The largest part that is sent at once, in either direction.
pub const EVIDENCE_CHUNK_BYTES_MAX: usize = 32 * 1024;
/// How long a piece may take to come; what was never closed is taken away.
pub const EVIDENCE_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// Who reads on within this time has opened it once.
pub const OPENING_LASTS: SignedDuration = SignedDuration::from_hours(1);

/// A piece of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// Its id within the report: random.
    pub id: Uuid,
    /// What it is.
    pub content_type: ContentType,
    /// How much has come; nothing any more once it is closed.
    pub received_bytes: i64,
    /// How long each part of it is but the last; absent before the first one, and once it is closed.
    pub piece_bytes: Option<i32>,
    /// How much is kept, once it is closed.
    pub kept_bytes: Option<i64>,
    /// When it was begun.
    pub create_time: Timestamp,
}

impl Evidence {
    /// What has come of it.
    #[must_use]
    pub const fn came(&self) -> Came {
        Came { bytes: self.received_bytes, piece_bytes: self.piece_bytes }
    }
}
