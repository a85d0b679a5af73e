//! One-time codes that prove a phone. Phone and code lie sealed here; the worker alone opens them,
//! to send them.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use serde_json::json;
use uuid::Uuid;

use crate::{
    crypto,
    domain::codes::Phone,
    error::{Error, Result},
    id::{Id, kind},
    store::{Tx, Vault, common::outbox},
};

/// How long a code can be used.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// How often a wrong code may be tried against one that was sent.
const ATTEMPTS_MAX: i32 = 5;

/// Stores a code, and asks the worker to send it. An older code of the person for this phone no
/// longer counts. Answers with the end of its use.
pub async fn insert(tx: &mut Tx, person: Id<kind::Person>, phone: &Phone) -> Result<Timestamp> {
    let id: Id<kind::Event> = tx.cx().id();
    let expire_time = tx.now().saturating_add(LIFETIME).map_err(Error::internal)?;
    let ids = tx.cx().ids().clone();
    let code = ids.six_digits();
    let vault = tx.vault();
    let phone_index = vault.index("phone", phone.as_str());
    let phone_sealed = vault.seal("phone", phone.as_str().as_bytes(), ids.bytes())?;
    let code_index = index(vault, id.uuid(), &code);
    let code_sealed = vault.seal("phone-code", code.as_bytes(), ids.bytes())?;
    sqlx::query!(
        "insert into phone_code (id, person_id, phone_index, phone_sealed, code_index, code_sealed,
            attempts, expire_time)
         values ($1, $2, $3, $4, $5, $6, 0, $7)",
        id.uuid(),
        person.uuid(),
        phone_index,
        phone_sealed,
        code_index,
        code_sealed,
        expire_time.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    let payload = json!({ "phone_code": id.uuid() });
    outbox::emit(tx, outbox::Topic::PhoneCode, person.to_string(), payload).await?;
    Ok(expire_time)
}

/// Six digits are soon tried without a key: the index is keyed, and bound to its row.
fn index(vault: &Vault, id: Uuid, code: &str) -> Vec<u8> {
    vault.index("phone-code", &format!("{id}:{code}"))
}

/// Uses the code up, and says whether it was the right one. A wrong one counts as an attempt, so
/// the unit of work is to be committed either way.
pub async fn spend(
    tx: &mut Tx,
    person: Id<kind::Person>,
    phone: &Phone,
    code: &str,
) -> Result<bool> {
    let now = tx.now();
    let phone_index = tx.vault().index("phone", phone.as_str());
    let newest = sqlx::query!(
        "select id, code_index, attempts, use_time, expire_time
         from phone_code
         where person_id = $1 and phone_index = $2
         order by expire_time desc, id desc
         limit 1
         for update",
        person.uuid(),
        phone_index
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = newest else { return Ok(false) };
    let open =
        row.use_time.is_none() && row.attempts < ATTEMPTS_MAX && now < row.expire_time.to_jiff();
    if !open {
        return Ok(false);
    }
    let right = crypto::equal(&index(tx.vault(), row.id, code), &row.code_index);
    sqlx::query!(
        "update phone_code
         set attempts = attempts + 1, use_time = case when $2 then $3::timestamptz end
         where id = $1",
        row.id,
        right,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(right)
}
