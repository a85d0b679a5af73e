//! Checking devices: their enrolment codes, challenges and public keys. No private key and no code
//! lies here, and no signature is judged.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::actors;
use crate::{
    actor::Scope,
    domain::{
        common::{
            deed::Deed,
            lifecycle::{Change, Moved, Note},
        },
        identity::tenure::Tenure,
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, common::history},
};

/// A device.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its id.
    pub id: Id<kind::Device>,
    /// The checkpoint to which it is bound.
    pub checkpoint: Id<kind::Checkpoint>,
    /// Ed25519, 32 bytes.
    pub public_key: Vec<u8>,
    /// Its make.
    pub model: String,
    /// Its software.
    pub software_version: String,
    /// When it enrolled.
    pub create_time: Timestamp,
    /// When it was ended.
    pub revoke_time: Option<Timestamp>,
}

/// What a device says of itself when it enrols.
#[derive(Debug, Clone)]
pub struct NewDevice {
    /// Ed25519, 32 bytes.
    pub public_key: Vec<u8>,
    /// Its make.
    pub model: String,
    /// Its software.
    pub software_version: String,
}

struct Row {
    id: Uuid,
    checkpoint_id: Uuid,
    public_key: Vec<u8>,
    model: String,
    software_version: String,
    create_time: Timestamp,
    revoke_time: Option<jiff_sqlx::Timestamp>,
}

fn entity(row: Row) -> Device {
    Device {
        id: Id::of(row.id),
        checkpoint: Id::of(row.checkpoint_id),
        public_key: row.public_key,
        model: row.model,
        software_version: row.software_version,
        create_time: row.create_time,
        revoke_time: row.revoke_time.map(Into::into),
    }
}

/// Every column of a device, in one place; `$filter` decides which rows.
macro_rules! select {
    ($filter:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select device.id, checkpoint_id, public_key, model, software_version,
                device.create_time, revoke_time
             from device
                join checkpoint on checkpoint.id = checkpoint_id
                join unit on unit.id = checkpoint.unit_id "# + $filter
            $(, $argument)*
        )
    };
}

/// Stores that a code admits one device to a checkpoint until the instant; of the code only its
/// index is kept.
pub async fn insert_enrolment(
    tx: &mut Tx,
    code: &str,
    checkpoint: Id<kind::Checkpoint>,
    expire_time: Timestamp,
) -> Result<()> {
    let index = tx.vault().index("enrolment", code);
    sqlx::query!(
        "insert into device_enrolment (code_index, checkpoint_id, expire_time)
         values ($1, $2, $3)",
        index,
        checkpoint.uuid(),
        expire_time.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    let note = Note::internal(expire_time.to_string());
    let change = Change::remark(Tenure::Active, Deed::IssueEnrolment, note, tx.cx());
    history::write(tx, checkpoint.subject(), &change).await
}

/// Uses the code up for the device. The same device may ask again with it: the answer was lost.
///
/// # Errors
/// `ONE_TIME_CODE_INVALID` when the code is unknown, used by another device or out of time;
/// `ALREADY_EXISTS` when the key is another device's.
pub async fn enrol(tx: &mut Tx, code: &str, new: NewDevice) -> Result<Device> {
    let now = tx.now();
    let index = tx.vault().index("enrolment", code);
    let enrolment = sqlx::query!(
        "select checkpoint_id, device_id, expire_time
         from device_enrolment
         where code_index = $1
         for update",
        index
    )
    .fetch_optional(tx.conn())
    .await?;
    let refused = || Error::new(Reason::OneTimeCodeInvalid);
    let enrolment = enrolment.ok_or_else(refused)?;
    if enrolment.expire_time.to_jiff() <= now {
        return Err(refused());
    }
    if let Some(device) = enrolment.device_id {
        let enrolled = find(tx.conn(), Id::of(device)).await?;
        let same = enrolled.filter(|device| device.public_key == new.public_key);
        return same.ok_or_else(refused);
    }
    let id: Id<kind::Device> = tx.cx().id();
    sqlx::query!(
        "insert into device (id, checkpoint_id, public_key, model, software_version, create_time)
         values ($1, $2, $3, $4, $5, $6)",
        id.uuid(),
        enrolment.checkpoint_id,
        new.public_key,
        new.model,
        new.software_version,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("device_key_once", Reason::AlreadyExists)?;
    sqlx::query!(
        "update device_enrolment set device_id = $2 where code_index = $1",
        index,
        id.uuid()
    )
    .execute(tx.conn())
    .await?;
    let (_, change) = Change::begin(Tenure::Active, Deed::Enrol, Note::none(), tx.cx());
    history::write(tx, id.subject(), &change).await?;
    tx.touch(actors::key(&id.to_string()));
    let device = find(tx.conn(), id).await?;
    device.ok_or_else(|| Error::internal("a device that was just stored is absent"))
}

/// A device that counts, before it is known who asks: sign-in and the device's own account.
pub async fn find(connection: &mut PgConnection, id: Id<kind::Device>) -> Result<Option<Device>> {
    let row = select!("where device.id = $1 and revoke_time is null", id.uuid());
    Ok(row.fetch_optional(connection).await?.map(entity))
}

/// The same, held until the unit of work ends.
pub async fn find_locked(tx: &mut Tx, id: Id<kind::Device>) -> Result<Option<Device>> {
    let row =
        select!("where device.id = $1 and revoke_time is null for update of device", id.uuid());
    Ok(row.fetch_optional(tx.conn()).await?.map(entity))
}

/// Stores a challenge of the device, and forgets those that ran out.
pub async fn insert_challenge(
    tx: &mut Tx,
    device: Id<kind::Device>,
    challenge: &[u8],
    expire_time: Timestamp,
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "delete from device_challenge where device_id = $1 and expire_time <= $2",
        device.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "insert into device_challenge (challenge, device_id, expire_time) values ($1, $2, $3)",
        challenge,
        device.uuid(),
        expire_time.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Uses a challenge up, and says whether it was the device's and in time.
pub async fn spend_challenge(
    tx: &mut Tx,
    device: Id<kind::Device>,
    challenge: &[u8],
) -> Result<bool> {
    let now = tx.now();
    let expire_time = sqlx::query_scalar!(
        "delete from device_challenge where challenge = $1 and device_id = $2
         returning expire_time",
        challenge,
        device.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(expire_time.is_some_and(|until| now < until.to_jiff()))
}

/// Notes the software that a device runs.
pub async fn save_software(tx: &mut Tx, id: Id<kind::Device>, version: &str) -> Result<()> {
    sqlx::query!(
        "update device set software_version = $2 where id = $1 and software_version <> $2",
        id.uuid(),
        version
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A device within the scope, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::Device>, scope: &Scope) -> Result<Device> {
    let row = select!(
        "where device.id = $1 and ($2 or ($3::text is not null and starts_with(path, $3)))
         for update of device",
        id.uuid(),
        scope.all,
        scope.unit_path
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(entity).ok_or_else(|| scope.missing(id.subject()))
}

/// The devices within the scope, newest first, after the cursor.
pub async fn list(
    connection: &mut PgConnection,
    checkpoint: Option<Id<kind::Checkpoint>>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Device>> {
    let rows = select!(
        "where device.id < $1 and ($2 or ($3::text is not null and starts_with(path, $3)))
            and ($4::uuid is null or checkpoint_id = $4)
         order by device.id desc
         limit $5",
        crate::store::before(after),
        scope.all,
        scope.unit_path,
        checkpoint.map(Id::uuid),
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Stores the end of a device that this unit of work holds.
pub async fn save(tx: &mut Tx, moved: Moved<Device>) -> Result<Device> {
    let (device, change) = moved.open();
    sqlx::query!(
        "update device set revoke_time = $2 where id = $1",
        device.id.uuid(),
        change.time().to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    history::write(tx, device.id.subject(), &change).await?;
    tx.touch(actors::key(&device.id.to_string()));
    Ok(Device { revoke_time: Some(change.time()), ..device })
}
