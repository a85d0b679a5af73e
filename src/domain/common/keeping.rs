//! How long what is kept beside the nouns may stay (facts.md, 6.5). Who takes it away is a worker.

use jiff::SignedDuration;

const DAY: i64 = 24;
/// I11: a repetition may come late; afterwards the answer is gone.
pub const ANSWERS: SignedDuration = SignedDuration::from_hours(30 * DAY);
/// Delivered events serve no purpose after that.
pub const EVENTS: SignedDuration = SignedDuration::from_hours(30 * DAY);
/// Codes and challenges, once they are out of time.
pub const CODES: SignedDuration = SignedDuration::from_hours(DAY);
/// Never less than three years.
const THREE_YEARS: SignedDuration = SignedDuration::from_hours((3 * 365 + 1) * DAY);
/// What people were told, with its pushes: as long as what they write to each other (facts.md, 6.5:
/// chat). What led to it stays with its subject.
pub const NOTICES: SignedDuration = THREE_YEARS;
/// What other systems were told, with the log of the attempts: an access log, by the law six months at
/// least (Cybersecurity Law, article 21), kept as the others are (facts.md, 6.5).
pub const WEBHOOK_LOG: SignedDuration = THREE_YEARS;
/// Files that were never sent with anything (facts.md, 6.5: drafts).
pub const UNUSED_FILES: SignedDuration = SignedDuration::from_hours(30 * DAY);
/// Files that were never whole: nobody goes on with them (the same as with evidence).
pub const BROKEN_FILES: SignedDuration = SignedDuration::from_hours(DAY);
