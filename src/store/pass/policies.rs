//! Zones, policies, quotas and special periods as dated rows. What they mean stands in
//! `domain::policy` and `domain::zone`.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    clock::Ids,
    context::Cx,
    domain::{
        common::{deed::Deed, lifecycle::Note},
        duty::month,
        pass::{
            policy::{PassKind, PolicyValues},
            zone::ZonePlan,
        },
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{
        OnConstraint as _, Store, Tx,
        common::{history, world},
    },
};

/// The base policy: measure 6 of the notice of 15 June 2022.
const BASE_VERSION: &str = "2022-06";
const BASE_SOURCE: &str = "宿迁市公安局《全市公安机关助企纾困二十项措施》第6条(2022年6月15日)";

/// Puts the base policy in force where none is.
pub async fn ensure_base(store: &Store, now: Timestamp, ids: &Ids) -> Result<()> {
    let mut tx = store.begin(&Cx::job("base-policy", now, ids.clone())).await?;
    let known = sqlx::query_scalar!("select exists (select from pass_policy) as \"known!\"")
        .fetch_one(tx.conn())
        .await?;
    if known {
        return Ok(());
    }
    let from = month::start_of_day(jiff::civil::date(2022, 6, 15));
    insert_policy(&mut tx, BASE_VERSION, BASE_SOURCE, from, &PolicyValues::measure_6()).await?;
    tx.commit().await
}

/// The values of the version that is in force.
pub async fn values_at(connection: &mut PgConnection, now: Timestamp) -> Result<PolicyValues> {
    let values = sqlx::query_scalar!(
        "select values_json as \"values_json: Json<PolicyValues>\" from pass_policy
         where effective_from <= $1 order by effective_from desc limit 1",
        now.to_sqlx()
    )
    .fetch_optional(connection)
    .await?;
    values.map(|values| values.0).ok_or_else(|| Error::internal("no policy is in force"))
}

/// Puts a version of the policy in force from an instant.
pub async fn insert_policy(
    tx: &mut Tx,
    version: &str,
    source: &str,
    effective_from: Timestamp,
    values: &PolicyValues,
) -> Result<Id<kind::Policy>> {
    let id = tx.cx().id();
    insert_policy_as(tx, id, version, source, effective_from, values).await?;
    Ok(id)
}

/// The same, under the id by which it was proposed.
pub async fn insert_policy_as(
    tx: &mut Tx,
    id: Id<kind::Policy>,
    version: &str,
    source: &str,
    effective_from: Timestamp,
    values: &PolicyValues,
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into pass_policy (id, version, source, effective_from, values_json, create_time)
         values ($1, $2, $3, $4, $5, $6)",
        id.uuid(),
        version,
        source,
        effective_from.to_sqlx(),
        Json(values) as _,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("pass_policy_version_once", Reason::AlreadyExists)
    .on_constraint("pass_policy_one_at_a_time", Reason::AlreadyExists)?;
    tx.touch(world::KEY.to_owned());
    history::act(tx, id.subject(), Deed::Publish, Note::internal(source)).await
}

/// Puts a version of a zone in force from an instant.
#[expect(clippy::too_many_arguments, reason = "a row, each column by its name")]
pub async fn insert_zone(
    tx: &mut Tx,
    id: Id<kind::Zone>,
    version: i32,
    code: u16,
    name: &str,
    source: &str,
    effective_from: Timestamp,
    plan: &ZonePlan,
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into zone_version (zone_id, version, code, display_name, source, effective_from,
            rules_json, create_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.uuid(),
        version,
        i32::from(code),
        name,
        source,
        effective_from.to_sqlx(),
        Json(plan) as _,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("zone_version_code_once", Reason::AlreadyExists)
    .on_constraint("zone_version_pkey", Reason::AlreadyExists)?;
    tx.touch(world::KEY.to_owned());
    let note = Note::internal(format!("第{version}版:{source}"));
    history::act(tx, id.subject(), Deed::Publish, note).await
}

/// Takes a place in each quota of the zones for a pass that begins at the instant.
///
/// # Errors
/// `QUOTA_EXHAUSTED` when one of them has none left; the unit of work then ends.
pub async fn take(
    tx: &mut Tx,
    zones: &[Uuid],
    pass_kind: PassKind,
    begins: Timestamp,
    pass: Id<kind::TruckPass>,
) -> Result<()> {
    // In the order of the ids, so that two approvals never wait for each other in a ring.
    let quotas = sqlx::query_scalar!(
        "select id from quota
         where zone_id = any($1) and pass_kind = $2 and period_start <= $3 and $3 < period_end
         order by id
         for update",
        zones,
        pass_kind.wire(),
        begins.to_sqlx()
    )
    .fetch_all(tx.conn())
    .await?;
    for quota in quotas {
        let taken =
            sqlx::query!("update quota set used = used + 1 where id = $1 and used < places", quota)
                .execute(tx.conn())
                .await?;
        if taken.rows_affected() == 0 {
            return Err(
                Error::new(Reason::QuotaExhausted).fact("quota", Id::<kind::Quota>::of(quota))
            );
        }
        sqlx::query!(
            "insert into quota_use (quota_id, truck_pass_id) values ($1, $2)",
            quota,
            pass.uuid()
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Gives the places of a pass back, once.
pub async fn release(tx: &mut Tx, pass: Id<kind::TruckPass>) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "with released as (
            update quota_use set release_time = $2
            where truck_pass_id = $1 and release_time is null
            returning quota_id
         )
         update quota set used = used - 1 where id in (select quota_id from released)",
        pass.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The free places of the scarcest quota; none where no quota is set.
pub async fn free(
    connection: &mut PgConnection,
    zones: &[Uuid],
    pass_kind: PassKind,
    begins: Timestamp,
) -> Result<Option<u32>> {
    let free = sqlx::query_scalar!(
        "select min(places - used) from quota
         where zone_id = any($1) and pass_kind = $2 and period_start <= $3 and $3 < period_end",
        zones,
        pass_kind.wire(),
        begins.to_sqlx()
    )
    .fetch_one(connection)
    .await?;
    free.map(u32::try_from).transpose().map_err(Error::internal)
}

/// The newest version of a zone by its code, and the zone; none where the code is new.
pub async fn zone_by_code(
    connection: &mut PgConnection,
    code: u16,
) -> Result<Option<(Id<kind::Zone>, i32)>> {
    let row = sqlx::query!(
        "select zone_id, max(version) as \"version!\" from zone_version
         where code = $1
         group by zone_id",
        i32::from(code)
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (Id::of(row.zone_id), row.version)))
}

/// A number of places.
#[derive(Debug, Clone)]
pub struct Places {
    /// Its id.
    pub id: Id<kind::Quota>,
    /// For which zone.
    pub zone: Id<kind::Zone>,
    /// For which kind.
    pub pass_kind: PassKind,
    /// From.
    pub period_start: Timestamp,
    /// Until, exclusive.
    pub period_end: Timestamp,
    /// How many.
    pub places: i32,
    /// How many are taken.
    pub used: i32,
}

/// Sets the places of a zone, kind and period.
///
/// # Errors
/// `QUOTA_EXHAUSTED` when fewer than are taken; `ALREADY_EXISTS` when another period overlaps.
pub async fn set_places(tx: &mut Tx, wanted: Places) -> Result<Places> {
    let row = sqlx::query!(
        "update quota set places = $5
         where zone_id = $1 and pass_kind = $2 and period_start = $3 and period_end = $4
         returning id, used",
        wanted.zone.uuid(),
        wanted.pass_kind.wire(),
        wanted.period_start.to_sqlx(),
        wanted.period_end.to_sqlx(),
        wanted.places
    )
    .fetch_optional(tx.conn())
    .await
    .on_constraint("quota_never_oversold", Reason::QuotaExhausted)?;
    let note = Note::internal(wanted.places.to_string());
    if let Some(row) = row {
        let id = Id::<kind::Quota>::of(row.id);
        history::act(tx, id.subject(), Deed::Update, note).await?;
        return Ok(Places { id, used: row.used, ..wanted });
    }
    sqlx::query!(
        "insert into quota (id, zone_id, pass_kind, period_start, period_end, places, used)
         values ($1, $2, $3, $4, $5, $6, 0)",
        wanted.id.uuid(),
        wanted.zone.uuid(),
        wanted.pass_kind.wire(),
        wanted.period_start.to_sqlx(),
        wanted.period_end.to_sqlx(),
        wanted.places
    )
    .execute(tx.conn())
    .await
    .on_constraint("quota_no_overlap", Reason::AlreadyExists)?;
    history::act(tx, wanted.id.subject(), Deed::Create, note).await?;
    Ok(wanted)
}

/// The places of a zone, or of all.
pub async fn list_places(connection: &mut PgConnection, zone: Option<Uuid>) -> Result<Vec<Places>> {
    let rows = sqlx::query!(
        "select id, zone_id, pass_kind, period_start, period_end, places, used
         from quota
         where $1::uuid is null or zone_id = $1
         order by period_start desc, id
         limit 500",
        zone
    )
    .fetch_all(connection)
    .await?;
    let places = rows.into_iter().map(|row| Places {
        id: Id::of(row.id),
        zone: Id::of(row.zone_id),
        pass_kind: row.pass_kind,
        period_start: row.period_start.to_jiff(),
        period_end: row.period_end.to_jiff(),
        places: row.places,
        used: row.used,
    });
    Ok(places.collect())
}

/// Opens a special period, or changes its end.
pub async fn set_period(
    tx: &mut Tx,
    id: Id<kind::SpecialPeriod>,
    source: &str,
    valid_from: Timestamp,
    valid_until: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "insert into special_period (id, source, valid_from, valid_until)
         values ($1, $2, $3, $4)
         on conflict (id) do update set source = $2, valid_from = $3, valid_until = $4",
        id.uuid(),
        source,
        valid_from.to_sqlx(),
        valid_until.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    tx.touch(world::KEY.to_owned());
    let note = Note::internal(format!("{valid_from}/{valid_until} {source}"));
    history::act(tx, id.subject(), Deed::Update, note).await
}
