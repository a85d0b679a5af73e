//! Enterprises: rows and their scope. No rule of what may be done.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::{
        codes::{DocumentKind, IdentityDocument},
        common::{
            follow::To,
            lifecycle::Held,
            notice::{Audience, Facts, NoticeEvent},
        },
        enterprise::{Claim, Enterprise, EnterpriseRefusal, EnterpriseState, Prepared},
    },
    error::{Reason, Result},
    id::{Id, Subject, kind},
    store::{OnConstraint as _, Tx, Vault, common::notices::Telling, rise, steps::Settled},
};

struct Row {
    id: Uuid,
    uscc: String,
    display_name: String,
    division_code: String,
    unit_id: Uuid,
    unit_path: String,
    state: EnterpriseState,
    legal_representative_sealed: Vec<u8>,
    representative_document: DocumentKind,
    licence_id: Option<Uuid>,
    applicant_id: Uuid,
    create_time: Timestamp,
    expire_time: Option<jiff_sqlx::Timestamp>,
    prepared_by: Option<Uuid>,
    prepare_time: Option<jiff_sqlx::Timestamp>,
    prepare_note: String,
    reason_code: Option<EnterpriseRefusal>,
    reason_note: String,
    version: i64,
}

fn entity(row: Row, vault: &Vault) -> Result<Enterprise> {
    let prepared = row.prepared_by.zip(row.prepare_time);
    Ok(Enterprise {
        id: Id::of(row.id),
        claim: Claim {
            uscc: row.uscc,
            display_name: row.display_name,
            division_code: row.division_code,
            unit: Id::of(row.unit_id),
            unit_path: row.unit_path,
            legal_representative: vault.open_text("full-name", &row.legal_representative_sealed)?,
            document: row.representative_document,
            licence: row.licence_id.map(Id::of),
        },
        applicant: Id::of(row.applicant_id),
        create_time: row.create_time,
        expire_time: row.expire_time.map(Into::into),
        prepared: prepared.map(|(by, time)| Prepared {
            by: Id::of(by),
            time: time.to_jiff(),
            note: row.prepare_note,
        }),
        reason: row.reason_code,
        reason_note: row.reason_note,
        version: row.version,
        held: Held::row(row.state),
    })
}

macro_rules! select {
    ($($filter:literal)+, $($argument:expr),*) => {
        sqlx::query_as!(
            Row,
            r#"select id, uscc, display_name, division_code, unit_id, unit_path, state,
                legal_representative_sealed, representative_document, licence_id, applicant_id,
                create_time, expire_time, prepared_by, prepare_time, prepare_note, reason_code,
                reason_note, version
             from enterprise "# $(+ $filter)+,
            $($argument),*
        )
    };
}

/// The enterprises within the scope: also those that its person registered, and those that its officer serves.
/// Its own arguments come first; those of `$rest` begin at `$6`.
macro_rules! seen {
    ($rest:literal, $scope:expr $(, $argument:expr)*) => {
        select!(
            "where ($1 or id = any($2) or applicant_id = $3
                or ($4::text is not null and starts_with(unit_path, $4))
                or id in (select served_by($5))) " $rest,
            $scope.all,
            &$scope.enterprises,
            $scope.person,
            $scope.unit_path,
            $scope.serving
            $(, $argument)*
        )
    };
}

/// An enterprise within the scope; who registered it may read it too.
pub async fn get(
    connection: &mut PgConnection,
    vault: &Vault,
    id: Id<kind::Enterprise>,
    scope: &Scope,
) -> Result<Enterprise> {
    let row = seen!("and id = $6", scope, id.uuid()).fetch_optional(connection).await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?, vault)
}

/// An enterprise within the scope, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::Enterprise>, scope: &Scope) -> Result<Enterprise> {
    let row = select!(
        "where id = $1 and ($2 or id = any($3)
            or ($4::text is not null and starts_with(unit_path, $4))
            or id in (select served_by($5)))
         for update",
        id.uuid(),
        scope.all,
        &scope.enterprises,
        scope.unit_path,
        scope.serving
    )
    .fetch_optional(tx.conn())
    .await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?, tx.vault())
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// One code.
    pub uscc: Option<&'a str>,
    /// One state.
    pub state: Option<&'static str>,
}

/// Enterprises within the scope, newest first, after the cursor.
pub async fn list(
    connection: &mut PgConnection,
    vault: &Vault,
    filter: Filter<'_>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Enterprise>> {
    let rows = seen!(
        "and id < $6
            and ($7::text is null or uscc = $7)
            and ($8::text is null or state = $8)
         order by id desc
         limit $9",
        scope,
        crate::store::before(after),
        filter.uscc,
        filter.state,
        rows
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| entity(row, vault)).collect()
}

/// What an enterprise is called, for what the caller has read within the scope.
pub async fn display_name(
    connection: &mut PgConnection,
    id: Id<kind::Enterprise>,
) -> Result<String> {
    let name = sqlx::query_scalar!("select display_name from enterprise where id = $1", id.uuid());
    Ok(name.fetch_one(connection).await?)
}

/// The unit that serves a division with truck passes.
pub async fn serving_unit(
    connection: &mut PgConnection,
    division: &str,
) -> Result<Option<(Id<kind::Unit>, String)>> {
    let row = sqlx::query!(
        "select id, path from unit where $1 = any(serves) order by path limit 1",
        division
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (Id::of(row.id), row.path)))
}

/// The claim of the person who filed it, held until the unit of work ends.
pub async fn lock_own(
    tx: &mut Tx,
    id: Id<kind::Enterprise>,
    applicant: Id<kind::Person>,
    scope: &Scope,
) -> Result<Enterprise> {
    let row =
        select!("where id = $1 and applicant_id = $2 for update", id.uuid(), applicant.uuid())
            .fetch_optional(tx.conn())
            .await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?, tx.vault())
}

/// Every claim that waits with the code of this one, in one order, so that two verifications of rivals
/// wait for each other; held until the unit of work ends.
pub async fn lock_claims(tx: &mut Tx, id: Id<kind::Enterprise>) -> Result<Vec<Enterprise>> {
    let rows = select!(
        "where state = 'PENDING' and uscc = (select uscc from enterprise asked where asked.id = $1)
         order by id
         for update",
        id.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(|row| entity(row, tx.vault())).collect()
}

/// The claims whose time is over.
pub async fn lapsing(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Id<kind::Enterprise>>> {
    let ids = sqlx::query_scalar!(
        "select id from enterprise
         where state = 'PENDING' and expire_time <= $1
         order by expire_time
         limit $2",
        now.to_sqlx(),
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(Id::of).collect())
}

/// Who has this code: another one that was verified, and the other claims that wait.
pub async fn of_code(
    connection: &mut PgConnection,
    uscc: &str,
    but: Id<kind::Enterprise>,
) -> Result<(Option<Id<kind::Enterprise>>, Vec<Id<kind::Enterprise>>)> {
    let rows = sqlx::query!(
        "select id, state = 'PENDING' as \"waits!\" from enterprise
         where uscc = $1 and state in ('PENDING', 'VERIFIED', 'SUSPENDED') and id <> $2
         order by id
         limit 100",
        uscc,
        but.uuid()
    )
    .fetch_all(connection)
    .await?;
    let (waiting, held): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.waits);
    let holder = held.first().map(|row| Id::of(row.id));
    Ok((holder, waiting.into_iter().map(|row| Id::of(row.id)).collect()))
}

/// Stores a claim; the number of the legal representative's document is sealed with it.
///
/// # Errors
/// `ENTERPRISE_EXISTS` when the person claims this code already.
pub async fn insert(
    tx: &mut Tx,
    enterprise: &Enterprise,
    document: &IdentityDocument,
) -> Result<()> {
    let (now, ids) = (tx.now(), tx.cx().ids().clone());
    let claim = &enterprise.claim;
    let name = claim.legal_representative.as_bytes();
    let name = tx.vault().seal("full-name", name, ids.bytes())?;
    let number = tx.vault().seal("resident-id", document.as_str().as_bytes(), ids.bytes())?;
    sqlx::query!(
        "insert into enterprise (id, uscc, display_name, division_code, unit_id, unit_path, state,
            legal_representative_sealed, legal_representative_id_sealed, representative_document,
            licence_id, applicant_id, create_time, expire_time, update_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $13, $15)",
        enterprise.id.uuid(),
        claim.uscc,
        claim.display_name,
        claim.division_code,
        claim.unit.uuid(),
        claim.unit_path,
        enterprise.state().wire(),
        name,
        number,
        claim.document.wire(),
        claim.licence.map(Id::uuid),
        enterprise.applicant.uuid(),
        now.to_sqlx(),
        enterprise.expire_time.map(Timestamp::to_sqlx),
        enterprise.version
    )
    .execute(tx.conn())
    .await
    .on_constraint("enterprise_claimed_once", Reason::EnterpriseExists)?;
    Ok(())
}

/// Stores what was edited of a claim, before the step is saved.
///
/// # Errors
/// `ENTERPRISE_EXISTS` when the person claims this code already.
pub async fn rewrite(
    tx: &mut Tx,
    enterprise: &Enterprise,
    document: &IdentityDocument,
) -> Result<()> {
    let ids = tx.cx().ids().clone();
    let claim = &enterprise.claim;
    let name = claim.legal_representative.as_bytes();
    let name = tx.vault().seal("full-name", name, ids.bytes())?;
    let number = tx.vault().seal("resident-id", document.as_str().as_bytes(), ids.bytes())?;
    sqlx::query!(
        "update enterprise
         set uscc = $2, display_name = $3, division_code = $4, unit_id = $5, unit_path = $6,
            legal_representative_sealed = $7, legal_representative_id_sealed = $8,
            representative_document = $9, licence_id = $10
         where id = $1",
        enterprise.id.uuid(),
        claim.uscc,
        claim.display_name,
        claim.division_code,
        claim.unit.uuid(),
        claim.unit_path,
        name,
        number,
        claim.document.wire(),
        claim.licence.map(Id::uuid)
    )
    .execute(tx.conn())
    .await
    .on_constraint("enterprise_claimed_once", Reason::EnterpriseExists)?;
    Ok(())
}

impl Settled for Enterprise {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    // `ENTERPRISE_EXISTS` when it would be verified beside another one of the same code.
    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let now = tx.now();
        let prepared = self.prepared.as_ref();
        let updated = sqlx::query!(
            "update enterprise
             set state = $3, update_time = $4, expire_time = $5, prepared_by = $6, prepare_time = $7,
                prepare_note = $8, reason_code = $9, reason_note = $10, version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            self.state().wire(),
            now.to_sqlx(),
            self.expire_time.map(Timestamp::to_sqlx),
            prepared.map(|it| it.by.uuid()),
            prepared.map(|it| it.time.to_sqlx()) as _,
            prepared.map(|it| it.note.clone()).unwrap_or_default(),
            self.reason.map(EnterpriseRefusal::wire),
            self.reason_note
        )
        .execute(tx.conn())
        .await
        .on_constraint("enterprise_verified_once", Reason::EnterpriseExists)?;
        rise(&mut self.version, &updated)?;
        Ok(self)
    }

    /// Who claimed it, and who acts for it still.
    async fn told(&self, tx: &mut Tx, event: NoticeEvent, _: To) -> Result<Vec<Telling>> {
        let people = sqlx::query_scalar!(
            "select person_id as \"person_id!\" from member
             where enterprise_id = $1 and end_time is null
             union select $2",
            self.id.uuid(),
            self.applicant.uuid()
        )
        .fetch_all(tx.conn())
        .await?;
        let telling = |person| {
            let whom = Audience::Person(Id::of(person));
            Telling::of_step(self.id.subject(), self.version, event, whom, Facts::default())
        };
        Ok(people.into_iter().map(telling).collect())
    }
}
