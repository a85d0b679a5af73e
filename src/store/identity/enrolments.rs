//! How an officer comes to proofs of the own: a code that goes to the phone, once, and what is made with it.
//! Of the code only a keyed index is kept here. No password is judged.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    actors,
    officer_messages::{self, Message},
    officers,
    sessions::{self, EndReason, Owner},
};
use crate::{
    crypto,
    domain::{
        codes::Phone,
        common::{
            deed::Deed,
            lifecycle::{Change, Note},
            notice::NoticeEvent,
        },
        identity::{
            officer::{ENROLMENT_LIFETIME, PASSWORDS_REMEMBERED},
            tenure::Tenure,
        },
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{
        Tx, Vault,
        common::{history, notices::accounts},
    },
};

/// The characters of a code: none that is mistaken for another; five bits each.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// As it stands in the message: three groups of four, sixty bits. No number of tries that a source is
/// permitted finds it, so that no stranger can use it up, either.
const GROUPS: usize = 3;
const GROUP: usize = 4;

/// An enrolment that can be begun or completed.
pub struct Enrolment {
    id: Uuid,
    /// Whose it is.
    pub officer: Id<kind::Officer>,
    /// The secret that the last beginning showed, raw.
    pub totp_secret: Option<Zeroizing<Vec<u8>>>,
    /// Until when it can be completed.
    pub expire_time: Timestamp,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Enrolment({})", self.officer)
    }
}

fn index(vault: &Vault, id: Uuid, code: &str) -> Vec<u8> {
    vault.index("officer-code", &format!("{id}:{code}"))
}

/// Draws a code and lets it be sent to the phone; an older one is void. Says until when it counts.
pub async fn issue(tx: &mut Tx, officer: Id<kind::Officer>, phone: &Phone) -> Result<Timestamp> {
    let (id, now): (Id<kind::Event>, _) = (tx.cx().id(), tx.now());
    end(tx, officer).await?;
    let bytes: [u8; GROUPS * GROUP] = tx.cx().ids().bytes();
    let drawn = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 31)));
    let code: Zeroizing<Vec<u8>> = Zeroizing::new(drawn.copied().collect());
    let groups = code.chunks(GROUP).map(String::from_utf8_lossy);
    let shown = groups.collect::<Vec<_>>().join("-");
    let expire_time = now.saturating_add(ENROLMENT_LIFETIME).map_err(Error::internal)?;
    let index = index(tx.vault(), id.uuid(), &shown.replace('-', ""));
    sqlx::query!(
        "insert into officer_enrolment (id, officer_id, code_index, create_time, expire_time)
         values ($1, $2, $3, $4, $5)",
        id.uuid(),
        officer.uuid(),
        index,
        now.to_sqlx(),
        expire_time.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    officer_messages::send(tx, officer, phone, &Message::Code(shown, expire_time)).await?;
    let note = Note::internal(phone.mask());
    let change = Change::remark(Tenure::Active, Deed::SendEnrolmentCode, note, tx.cx());
    history::write(tx, officer.subject(), &change).await?;
    Ok(expire_time)
}

/// Voids the open code of an officer, should there be one.
async fn end(tx: &mut Tx, officer: Id<kind::Officer>) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update officer_enrolment set end_time = $2, totp_secret_sealed = null
         where officer_id = $1 and use_time is null and end_time is null",
        officer.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    officer_messages::wipe_codes(tx, officer).await
}

/// The enrolment of a police number, where this is its code, held until the unit of work ends. An unknown
/// number, a wrong code and one that is used or out of time look alike.
pub async fn lock(tx: &mut Tx, police_number: &str, code: &str) -> Result<Enrolment> {
    let now = tx.now();
    let row = sqlx::query!(
        "select officer_enrolment.id, officer_id, code_index, officer_enrolment.totp_secret_sealed,
            expire_time
         from officer_enrolment join officer on officer.id = officer_id
         where police_number = $1 and officer_enrolment.use_time is null and end_time is null
            and expire_time > $2
            and disable_time is null and close_time is null
         for update of officer, officer_enrolment",
        police_number,
        now.to_sqlx()
    )
    .fetch_optional(tx.conn())
    .await?;
    let refused = || Error::new(Reason::OneTimeCodeInvalid);
    let row = row.ok_or_else(refused)?;
    if !crypto::equal(&index(tx.vault(), row.id, code), &row.code_index) {
        return Err(refused());
    }
    let secret = row.totp_secret_sealed.map(|sealed| tx.vault().open("totp-secret", &sealed));
    Ok(Enrolment {
        id: row.id,
        officer: Id::of(row.officer_id),
        totp_secret: secret.transpose()?.map(Zeroizing::new),
        expire_time: row.expire_time.to_jiff(),
    })
}

/// Keeps the secret that a beginning shows; an older one counts no more.
pub async fn begin(tx: &mut Tx, enrolment: &Enrolment, totp_secret: &[u8]) -> Result<()> {
    let nonce = tx.cx().ids().bytes();
    let sealed = tx.vault().seal("totp-secret", totp_secret, nonce)?;
    sqlx::query!(
        "update officer_enrolment set totp_secret_sealed = $2 where id = $1",
        enrolment.id,
        sealed
    )
    .execute(tx.conn())
    .await?;
    let change = Change::remark(Tenure::Active, Deed::BeginEnrolment, Note::none(), tx.cx());
    history::write(tx, enrolment.officer.subject(), &change).await
}

/// Spends the code: from now on the officer enters with this password and the secret that was shown.
pub async fn complete(
    tx: &mut Tx,
    enrolment: &Enrolment,
    password_hash: &str,
    totp_step: i64,
) -> Result<()> {
    let (now, officer) = (tx.now(), enrolment.officer);
    sqlx::query!(
        "update officer
         set password_hash = $2, password_time = $3, password_expired = false, totp_step = $4,
            totp_secret_sealed = (select totp_secret_sealed from officer_enrolment where id = $5),
            failed_attempts = 0, locked_until = null, use_time = $3, unused_tell_time = null
         where id = $1",
        officer.uuid(),
        password_hash,
        now.to_sqlx(),
        totp_step,
        enrolment.id
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "update officer_enrolment set use_time = $2, totp_secret_sealed = null where id = $1",
        enrolment.id,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    sessions::end_others(tx, Owner::Officer(officer), None, EndReason::CredentialsReset).await?;
    let change = Change::remark(Tenure::Active, Deed::Enrol, Note::none(), tx.cx());
    history::write(tx, officer.subject(), &change).await?;
    tx.touch(actors::key(&officer.to_string()));
    tell(tx, officer, NoticeEvent::AccountEnrolled).await
}

/// Makes the way in anew: nothing that the officer had counts any more, a closed account is open again, and
/// a code goes to the phone, which may be another one. The phone before is told, too.
pub async fn reset(
    tx: &mut Tx,
    officer: Id<kind::Officer>,
    phone: Option<&Phone>,
) -> Result<Timestamp> {
    let now = tx.now();
    let before = officers::phone(tx, officer).await?;
    let phone = phone.cloned().or_else(|| before.clone());
    let phone = phone.ok_or_else(|| Error::new(Reason::PhoneMissing))?;
    sqlx::query!(
        "update officer
         set password_history = (array_prepend(password_hash, password_history))[:$3],
            password_hash = '', totp_secret_sealed = '', password_expired = false,
            failed_attempts = 0, locked_until = null, lifts = lifts + 1,
            close_time = null, use_time = $2, unused_tell_time = null
         where id = $1",
        officer.uuid(),
        now.to_sqlx(),
        i32::try_from(PASSWORDS_REMEMBERED).unwrap_or(i32::MAX)
    )
    .execute(tx.conn())
    .await?;
    if before.as_ref() != Some(&phone) {
        officers::save_phone(tx, officer, &phone).await?;
    }
    sessions::end_others(tx, Owner::Officer(officer), None, EndReason::CredentialsReset).await?;
    let change = Change::remark(Tenure::Active, Deed::ResetCredentials, Note::none(), tx.cx());
    history::write(tx, officer.subject(), &change).await?;
    tx.touch(actors::key(&officer.to_string()));
    accounts::tell_officer(tx, officer, NoticeEvent::AccountReset).await?;
    // Who had the phone changed might not be its owner; the present one is told by the code itself.
    if let Some(before) = before.filter(|before| *before != phone) {
        let told = Message::Told(NoticeEvent::AccountReset);
        officer_messages::send(tx, officer, &before, &told).await?;
    }
    issue(tx, officer, &phone).await
}

/// Tells an officer what happens to the account, in the inbox and by message to the phone, whatever way the
/// officer wants for notices.
pub async fn tell(tx: &mut Tx, officer: Id<kind::Officer>, event: NoticeEvent) -> Result<()> {
    if !accounts::tell_officer(tx, officer, event).await? {
        return Ok(());
    }
    if let Some(phone) = officers::phone(tx, officer).await? {
        officer_messages::send(tx, officer, &phone, &Message::Told(event)).await?;
    }
    Ok(())
}
