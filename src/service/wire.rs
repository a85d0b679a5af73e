//! What every service says the same way: opening a request, once-only writes, pages, times,
//! etags, texts. Nothing of a single noun.

use std::pin::Pin;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::Stream;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{Timestamp, civil::Date};
use prost::Message;
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::pb;
use crate::{
    context::Cx,
    domain::{
        codes::text,
        common::deed::Deed,
        duty::month::{self, local_date, shanghai},
        pass::application::NeedWindow,
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Collection, Id},
    named::{Named, Readers, Recorded},
    store::{self, Begun, Limit, Store, Tx, common::history},
};

/// The longest name of a person, in characters.
const NAME_CHARACTERS_MAX: usize = 50;

/// The items of a stream.
pub type Items<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Takes the context that the gate made, and the message.
pub fn open<T>(mut request: Request<T>) -> Result<(Cx, T), Status> {
    let cx = request.extensions_mut().remove::<Cx>();
    let cx = cx.ok_or_else(|| Status::from(Error::internal("a call came past the gate")))?;
    Ok((cx, request.into_inner()))
}

/// Wraps the answer.
pub fn close<T>(reply: Result<T>) -> Result<Response<T>, Status> {
    reply.map(Response::new).map_err(Status::from)
}

/// A request that happens once for its request id; each that has one is, by the build (`build.rs`).
pub trait Once: Message {
    /// A UUIDv4 that the client made; empty where it does not care.
    fn request_id(&self) -> &str;
}

/// Does a write once for its request id, and stores the answer with its effect; whoever repeats it is told
/// the first answer. Without a request id it happens each time.
///
/// # Errors
/// What the act fails with, and then nothing is kept; `REQUEST_ID_REUSED` where the id stands for another
/// request.
pub async fn write<R: Message + Default>(
    store: &Store,
    cx: &Cx,
    request: &impl Once,
    act: impl AsyncFnOnce(&mut Tx) -> Result<R>,
) -> Result<R> {
    write_or(store, cx, request, async |reply| Ok(reply), act).await
}

/// The same, where a repetition is told more than was stored.
pub async fn write_or<R: Message + Default>(
    store: &Store,
    cx: &Cx,
    request: &impl Once,
    again: impl AsyncFnOnce(R) -> Result<R>,
    act: impl AsyncFnOnce(&mut Tx) -> Result<R>,
) -> Result<R> {
    let mut tx = match begin(store, cx, request).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(bytes) => {
            return again(R::decode(bytes.as_slice()).map_err(Error::internal)?).await;
        }
    };
    let reply = act(&mut tx).await?;
    tx.answer(&reply.encode_to_vec())?;
    tx.commit().await?;
    Ok(reply)
}

/// Does what a write does and keeps nothing of it, neither effect nor answer: a dry run, after which the same
/// request id still stands for the write itself.
pub async fn rehearse<R: Message + Default>(
    store: &Store,
    cx: &Cx,
    request: &impl Once,
    act: impl AsyncFnOnce(&mut Tx) -> Result<R>,
) -> Result<R> {
    match begin(store, cx, request).await? {
        Begun::Fresh(mut tx) => act(&mut tx).await,
        Begun::Replay(bytes) => R::decode(bytes.as_slice()).map_err(Error::internal),
    }
}

async fn begin(store: &Store, cx: &Cx, request: &impl Once) -> Result<Begun> {
    store.limits().count(Limit::Write, &cx.actor.name()).await?;
    store.begin_once(cx, once(request.request_id(), request)?).await
}

/// The id of the resource that a request is about and says nothing else of.
pub fn named<K: Collection>(name: &str) -> Result<Id<K>> {
    Id::parse(name).map_err(|flaw| Error::field("name", flaw))
}

/// The request id, with the digest of what it stands for.
pub fn once<Q: Message>(request_id: &str, request: &Q) -> Result<Option<store::Once>> {
    if request_id.is_empty() {
        return Ok(None);
    }
    let parsed = Uuid::try_parse(request_id).ok().filter(|id| id.get_version_num() == 4);
    let request_id = parsed.ok_or_else(|| Error::field("request_id", Flaw::RequestIdMalformed))?;
    let digest = Sha256::digest(request.encode_to_vec()).to_vec();
    Ok(Some(store::Once { request_id, digest }))
}

/// `W/"7"`: weak, since computed states move without a write.
#[must_use]
pub fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// The version of an etag; empty means that the client did not say.
pub fn version(text: &str) -> Result<Option<i64>, Flaw> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix("W/\"").and_then(|rest| rest.strip_suffix('"'));
    digits.and_then(|digits| digits.parse().ok()).map(Some).ok_or(Flaw::EtagMalformed)
}

/// Refuses a write on an older version than the stored one.
pub fn fresh(expected: Option<i64>, stored: i64) -> Result<()> {
    match expected {
        Some(expected) if expected != stored => Err(Error::new(Reason::EtagStale)),
        _ => Ok(()),
    }
}

/// A closed list of the API; each one is, by the build (`build.rs`).
pub trait Enumerated: Default + Into<i32> {
    /// The entry of a name.
    fn entry(name: &str) -> Option<Self>;
}

/// An entry of a closed list of the rules, as a field of a message holds it. The API has every name that the
/// rules have (`tests/it/drawings.rs`), so that none is ever answered as unspecified.
#[must_use]
pub fn enumerated<E: Enumerated>(entry: impl Named) -> i32 {
    let found = E::entry(entry.wire());
    debug_assert!(found.is_some(), "the API has no {}", entry.wire());
    found.unwrap_or_default().into()
}

/// An instant on the wire.
#[must_use]
pub fn time(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

/// An optional instant on the wire.
#[must_use]
pub fn time_of(at: Option<Timestamp>) -> Option<prost_types::Timestamp> {
    at.map(time)
}

/// The years in which anything here happens; beyond them lies a slip of the keyboard, or worse.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2199;

/// An instant from the wire.
pub fn instant(at: Option<prost_types::Timestamp>) -> Result<Timestamp, Flaw> {
    let at = at.ok_or(Flaw::Required)?;
    let read = Timestamp::new(at.seconds, at.nanos).map_err(|_| Flaw::DateInvalid)?;
    if !YEARS.contains(&local_date(read).year()) {
        return Err(Flaw::DateInvalid);
    }
    // PostgreSQL stores microseconds; what is stored must equal what is answered.
    Timestamp::from_microsecond(read.as_microsecond()).map_err(|_| Flaw::DateInvalid)
}

/// An instant for a person of the city: `2026-11-25 00:00`.
#[must_use]
pub fn local(at: Timestamp) -> String {
    at.to_zoned(shanghai()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A day from the wire, `YYYY-MM-DD`.
pub fn day(text: &str) -> Result<Date, Flaw> {
    if text.is_empty() {
        return Err(Flaw::Required);
    }
    month::day(text).ok().filter(|day| YEARS.contains(&day.year())).ok_or(Flaw::DateInvalid)
}

/// An optional day from the wire.
pub fn day_maybe(text: &str) -> Result<Option<Date>, Flaw> {
    if text.is_empty() { Ok(None) } else { day(text).map(Some) }
}

/// A text that a person writes and must say something with: see [`text::required`].
pub fn text(value: &str, characters_max: usize) -> Result<String, Flaw> {
    text::required(value, characters_max)
}

/// The same where it may be absent: see [`text::maybe`].
pub fn text_maybe(value: &str, characters_max: usize) -> Result<String, Flaw> {
    text::maybe(value, characters_max)
}

/// The name of a person: see [`text::name`].
pub fn name(value: &str) -> Result<String, Flaw> {
    text::name(value, NAME_CHARACTERS_MAX)
}

/// Which part of a list is asked for. Lists run newest first.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// How many entries; one more is read to know whether there is a next page.
    pub size: i64,
    /// The last id of the page before.
    pub after: Option<Uuid>,
    arguments: [u8; 16],
    key: [u8; 32],
}

/// A request for a part of a list; each that has size and token is, by the build (`build.rs`).
pub trait Paged {
    /// How many entries are wanted; 0 is the default.
    fn page_size(&self) -> i32;

    /// Where the page before ended; empty at the beginning.
    fn page_token(&self) -> &str;
}

impl Page {
    /// Reads size and token; the token is bound to the other arguments of the call.
    pub fn of(store: &Store, request: &impl Paged, arguments: &[&str]) -> Result<Self> {
        let key = store.vault().key("page-token");
        Self::parse(key, request.page_size(), request.page_token(), arguments)
    }

    fn parse(key: [u8; 32], size: i32, token: &str, arguments: &[&str]) -> Result<Self> {
        let mut faults = Faults::new();
        faults.check(size >= 0, "page_size", Flaw::OutOfRange);
        faults.done()?;
        let size = if size == 0 { 20 } else { i64::from(size.min(100)) };
        let arguments = digest(arguments);
        let after = if token.is_empty() {
            None
        } else {
            Some(
                unseal(&key, token, arguments)
                    .ok_or_else(|| Error::new(Reason::PageTokenInvalid))?,
            )
        };
        Ok(Self { size, after, arguments, key })
    }

    /// How many rows to read.
    #[must_use]
    pub const fn rows(&self) -> i64 {
        self.size.saturating_add(1)
    }

    /// Cuts the row too many off, and makes the token of the next page from the last one kept.
    pub fn cut<T>(&self, rows: &mut Vec<T>, id: impl Fn(&T) -> Uuid) -> String {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last().map(|last| seal(&self.key, id(last), self.arguments)).unwrap_or_default()
    }
}

fn digest(arguments: &[&str]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for argument in arguments {
        hash.update(u64::try_from(argument.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(argument.as_bytes());
    }
    first_16(&hash.finalize())
}

fn first_16(bytes: &[u8]) -> [u8; 16] {
    bytes.first_chunk().copied().unwrap_or_default()
}

fn tag(key: &[u8], id: Uuid, arguments: [u8; 16]) -> [u8; 16] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(id.as_bytes());
    mac.update(&arguments);
    first_16(&mac.finalize().into_bytes())
}

fn seal(key: &[u8], id: Uuid, arguments: [u8; 16]) -> String {
    let token = [id.into_bytes(), arguments, tag(key, id, arguments)].concat();
    URL_SAFE_NO_PAD.encode(token)
}

fn unseal(key: &[u8], token: &str, arguments: [u8; 16]) -> Option<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok().filter(|bytes| bytes.len() == 48)?;
    let id = Uuid::from_bytes(*bytes.first_chunk()?);
    (seal(key, id, arguments) == token).then_some(id)
}

/// A daily window on some days of the week.
#[must_use]
pub fn window(window: NeedWindow) -> pb::TimeWindow {
    let weekdays = (1..=7).filter(|day| window.days & (1 << (day - 1)) != 0).collect();
    pb::TimeWindow {
        weekdays,
        from_minute: i32::from(window.from_minute),
        until_minute: i32::from(window.until_minute),
    }
}

/// The steps of a subject as this reader may see them: an enterprise reads neither internal notes, nor who of
/// the police acted, nor what the police settle among themselves. `A` is what can be done to the subject.
#[must_use]
pub fn changes<A: Recorded>(written: Vec<history::Written>, officer: bool) -> Vec<pb::Change> {
    let shown =
        |step: &history::Written| officer || readers::<A>(&step.action) == Readers::Everybody;
    let seen = |step: history::Written| pb::Change {
        from_state: step.from_state,
        to_state: step.to_state,
        action: step.action,
        actor: if officer || !step.actor.starts_with("officers/") {
            step.actor
        } else {
            "police".to_owned()
        },
        create_time: Some(time(step.time)),
        public_note: step.public_note,
        internal_note: if officer { step.internal_note } else { String::new() },
        reason: step.reason.unwrap_or_default(),
    };
    written.into_iter().filter(shown).map(seen).collect()
}

/// Who may read of an action that was written; of one that nobody knows any more, the police.
fn readers<A: Recorded>(action: &str) -> Readers {
    let step = A::from_wire(action).map(Recorded::readers);
    step.or_else(|| Deed::from_wire(action).map(Recorded::readers)).unwrap_or(Readers::Police)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Page, etag, version};
    use crate::error::{Flaw, Reason};

    fn key(of: u8) -> [u8; 32] {
        [of; 32]
    }

    #[test]
    fn a_page_token_is_bound_to_its_arguments_and_cannot_be_altered() {
        let page = Page::parse(key(b'k'), 1, "", &["a"]).unwrap();
        let mut rows = vec![Uuid::from_u128(1), Uuid::from_u128(2)];
        let token = page.cut(&mut rows, |id| *id);
        assert_eq!(rows, [Uuid::from_u128(1)]);
        assert_eq!(
            Page::parse(key(b'k'), 1, &token, &["a"]).unwrap().after,
            Some(Uuid::from_u128(1))
        );
        for (key, token, argument) in [
            (b'k', token.clone(), "b"),
            (b'y', token.clone(), "a"),
            (b'k', token.replacen('A', "B", 1), "a"),
            (b'k', format!("{token}A"), "a"),
            (b'k', "nonsense".to_owned(), "a"),
        ] {
            let error = Page::parse(self::key(key), 1, &token, &[argument]).unwrap_err();
            assert_eq!(error.reason(), Reason::PageTokenInvalid);
        }
    }

    #[test]
    fn an_etag_reads_back() {
        assert_eq!(version(&etag(7)), Ok(Some(7)));
        assert_eq!(version(""), Ok(None));
        assert_eq!(version("7"), Err(Flaw::EtagMalformed));
    }
}
