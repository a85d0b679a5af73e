//! Applications for truck passes: rows, papers, the review queue. No rule of what may be done.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::policies;
use crate::{
    actor::{Item, Scope},
    domain::{
        common::{
            follow::To,
            lifecycle::Held,
            notice::{Audience, Facts, NoticeEvent},
        },
        duty::obligation::{Limits, ObligationKind, acceptance_limits},
        pass::{
            application::{
                Application, ApplicationState, Correction, Decision, Need, Purpose, SourceChannel,
                Wait,
            },
            policy::Kept,
        },
    },
    error::{Reason, Result},
    id::{Id, Subject, kind},
    store::{OnConstraint as _, Tx, common::notices::Telling, rise, steps::Settled},
};

/// The constraint behind I12: the same need of the same vehicle is open once.
const ONCE_OPEN: &str = "pass_application_once_open";

struct Row {
    id: Uuid,
    number: String,
    enterprise_id: Uuid,
    unit_path: String,
    vehicle_id: Uuid,
    purpose: Purpose,
    previous_pass_id: Option<Uuid>,
    batch_id: Option<Uuid>,
    source_channel: SourceChannel,
    applicant: String,
    filed_on_behalf: bool,
    need: Json<Need>,
    declaration_accepted: bool,
    state: ApplicationState,
    assignee_id: Option<Uuid>,
    first_reviewer_id: Option<Uuid>,
    corrections: Json<Vec<Correction>>,
    evaluation: Option<Json<Kept>>,
    decision: Option<Json<Decision>>,
    create_time: Timestamp,
    submit_time: Option<jiff_sqlx::Timestamp>,
    accept_time: Option<jiff_sqlx::Timestamp>,
    pauses: Json<Vec<Wait>>,
    decide_time: Option<jiff_sqlx::Timestamp>,
    version: i64,
    attachments: Vec<Uuid>,
}

fn entity(row: Row) -> Application {
    let at = |time: Option<jiff_sqlx::Timestamp>| time.map(Into::into);
    Application {
        id: Id::of(row.id),
        number: row.number,
        enterprise: Id::of(row.enterprise_id),
        unit_path: row.unit_path,
        vehicle: Id::of(row.vehicle_id),
        purpose: row.purpose,
        previous_pass: row.previous_pass_id.map(Id::of),
        batch: row.batch_id.map(Id::of),
        source_channel: row.source_channel,
        applicant: row.applicant,
        filed_on_behalf: row.filed_on_behalf,
        need: row.need.0,
        declaration_accepted: row.declaration_accepted,
        attachments: row.attachments.into_iter().map(Id::of).collect(),
        assignee: row.assignee_id.map(Id::of),
        first_reviewer: row.first_reviewer_id.map(Id::of),
        corrections: row.corrections.0,
        evaluation: row.evaluation.map(|kept| kept.0),
        decision: row.decision.map(|decision| decision.0),
        create_time: row.create_time,
        submit_time: at(row.submit_time),
        accept_time: at(row.accept_time),
        waits: row.pauses.0,
        decide_time: at(row.decide_time),
        version: row.version,
        held: Held::row(row.state),
    }
}

/// Every column of an application, in one place; `$filter` decides which rows.
macro_rules! select {
    ($($filter:literal)+ $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, number, enterprise_id, unit_path, vehicle_id, purpose, previous_pass_id,
                batch_id, source_channel, applicant, filed_on_behalf,
                need as "need: Json<Need>", declaration_accepted, state, assignee_id,
                first_reviewer_id, corrections as "corrections: Json<Vec<Correction>>",
                evaluation as "evaluation: Json<Kept>",
                decision as "decision: Json<Decision>",
                create_time, submit_time, accept_time, pauses as "pauses: Json<Vec<Wait>>",
                decide_time, version,
                array(select attachment_id from pass_application_attachment
                    where pass_application_id = pass_application.id
                    order by attachment_id) as "attachments!"
             from pass_application "# $(+ $filter)+
            $(, $argument)*
        )
    };
}

/// The applications within the scope; a draft is its applicant's and its enterprise's alone. Its own arguments
/// come first; those of `$rest` begin at `$6`.
macro_rules! seen {
    ($rest:literal, $scope:expr $(, $argument:expr)*) => {
        select!(
            "where ($1 or enterprise_id = any($2)
                or ($3::text is not null and starts_with(unit_path, $3) and state <> 'DRAFT'
                    or applicant = $4)
                or (state <> 'DRAFT' and enterprise_id in (select served_by($5)))) " $rest,
            $scope.all,
            &$scope.enterprises,
            $scope.unit_path,
            $scope.applicant(),
            $scope.serving
            $(, $argument)*
        )
    };
}

/// An application within the scope.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::PassApplication>,
    scope: &Scope,
) -> Result<Application> {
    let row = seen!("and id = $6", scope, id.uuid()).fetch_optional(connection).await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// An application within the scope, held until the unit of work ends.
pub async fn lock(
    tx: &mut Tx,
    id: Id<kind::PassApplication>,
    scope: &Scope,
) -> Result<Application> {
    let row = select!(
        "where id = $1 and ($2 or enterprise_id = any($3)
            or ($4::text is not null and starts_with(unit_path, $4) and state <> 'DRAFT'
                or applicant = $5))
         for update",
        id.uuid(),
        scope.all,
        &scope.enterprises,
        scope.unit_path,
        scope.applicant()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// One enterprise.
    pub enterprise: Option<Uuid>,
    /// One vehicle.
    pub vehicle: Option<Uuid>,
    /// One state.
    pub state: Option<&'static str>,
}

/// Applications within the scope, newest first, after the cursor.
pub async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Application>> {
    let rows = seen!(
        "and id < $6
            and ($7::uuid is null or enterprise_id = $7)
            and ($8::uuid is null or vehicle_id = $8)
            and ($9::text is null or state = $9)
         order by id desc
         limit $10",
        scope,
        crate::store::before(after),
        filter.enterprise,
        filter.vehicle,
        filter.state,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Which part of the review queue.
#[derive(Debug, Clone, Copy, Default)]
pub struct Queue {
    /// Only those nobody holds.
    pub unassigned: bool,
    /// Only those of this officer.
    pub of: Option<Uuid>,
    /// The last one of the page before.
    pub after: Option<Uuid>,
}

/// The review queue within the scope, by the first submission, oldest first.
pub async fn queue(
    connection: &mut PgConnection,
    queue: Queue,
    scope: &Scope,
    rows: i64,
) -> Result<Vec<Application>> {
    let rows = select!(
        "where state in ('SUBMITTED', 'ACCEPTED', 'FIRST_REVIEW', 'FINAL_REVIEW')
            and ($1 or ($2::text is not null and starts_with(unit_path, $2)))
            and (not $3 or assignee_id is null)
            and ($4::uuid is null or assignee_id = $4)
            and ($5::uuid is null or (submit_time, id) >
                (select later.submit_time, later.id from pass_application later where later.id = $5))
         order by submit_time, id
         limit $6",
        scope.all,
        scope.unit_path,
        queue.unassigned,
        queue.of,
        queue.after,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// The applications whose correction has been awaited since before the instant.
pub async fn waiting_since(
    connection: &mut PgConnection,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<Id<kind::PassApplication>>> {
    let ids = sqlx::query_scalar!(
        "select id from pass_application
         where state = 'NEEDS_CORRECTION' and pause_time < $1
         order by pause_time
         limit $2",
        before.to_sqlx(),
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(Id::of).collect())
}

/// Stores a new draft.
pub async fn insert(tx: &mut Tx, application: &Application) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into pass_application (id, number, enterprise_id, unit_path, vehicle_id, purpose,
            previous_pass_id, batch_id, source_channel, applicant, filed_on_behalf, need,
            declaration_accepted, state, corrections, pauses, create_time, update_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '[]', '[]', $15, $15,
            $16)",
        application.id.uuid(),
        application.number,
        application.enterprise.uuid(),
        application.unit_path,
        application.vehicle.uuid(),
        application.purpose.wire(),
        application.previous_pass.map(Id::uuid),
        application.batch.map(Id::uuid),
        application.source_channel.wire(),
        application.applicant,
        application.filed_on_behalf,
        Json(&application.need) as _,
        application.declaration_accepted,
        application.state().wire(),
        now.to_sqlx(),
        application.version
    )
    .execute(tx.conn())
    .await?;
    attach(tx, application).await?;
    Ok(())
}

impl Settled for Application {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let now = tx.now();
        let pause = self.waits.last().filter(|wait| wait.until.is_none());
        let updated = sqlx::query!(
            "update pass_application
             set need = $3, declaration_accepted = $4, state = $5, assignee_id = $6,
                first_reviewer_id = $7, corrections = $8, evaluation = $9, decision = $10,
                submit_time = $11, accept_time = $12, pause_time = $13, pauses = $14,
                decide_time = $15, update_time = $16, version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            Json(&self.need) as _,
            self.declaration_accepted,
            self.state().wire(),
            self.assignee.map(Id::uuid),
            self.first_reviewer.map(Id::uuid),
            Json(&self.corrections) as _,
            self.evaluation.as_ref().map(Json) as _,
            self.decision.as_ref().map(Json) as _,
            self.submit_time.map(Timestamp::to_sqlx),
            self.accept_time.map(Timestamp::to_sqlx),
            pause.map(|wait| wait.from.to_sqlx()),
            Json(&self.waits) as _,
            self.decide_time.map(Timestamp::to_sqlx),
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await
        .on_constraint(ONCE_OPEN, Reason::AlreadyExists)?;
        rise(&mut self.version, &updated)?;
        attach(tx, &self).await?;
        Ok(self)
    }

    async fn told(&self, _: &mut Tx, event: NoticeEvent, _: To) -> Result<Vec<Telling>> {
        let facts = Facts { number: self.number.clone(), ..Facts::default() };
        let whom = Audience::Enterprise(self.enterprise, Item::Pass);
        Ok(vec![Telling::of_step(self.id.subject(), self.version, event, whom, facts)])
    }

    async fn limits(&self, tx: &mut Tx, kind: ObligationKind) -> Result<Option<Limits>> {
        if kind == ObligationKind::AcceptPassApplication {
            return Ok(self.accept_time.is_none().then(acceptance_limits));
        }
        // The limits that the policy in force promises; they stay those of this application.
        let now = tx.now();
        let values = policies::values_at(tx.conn(), now).await?;
        Ok(Some(self.decision_limits(&values)))
    }

    fn owing_unit(&self, _: ObligationKind) -> String {
        self.unit_path.clone()
    }

    fn asks(&self) -> Option<(Id<kind::Enterprise>, &str)> {
        Some((self.enterprise, &self.unit_path))
    }
}

/// Ends what is asked for a vehicle that leaves its garage: drafts, and what waits for a decision. An
/// approval under way is waited for, so that what it issued is seen after this.
pub async fn end_of_vehicle(tx: &mut Tx, vehicle: Id<kind::Vehicle>, note: &str) -> Result<()> {
    let rows = select!(
        "where vehicle_id = $1 and state in ('DRAFT', 'SUBMITTED', 'NEEDS_CORRECTION', 'ACCEPTED',
            'FIRST_REVIEW', 'FINAL_REVIEW')
         order by id
         for update",
        vehicle.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let cx = tx.cx().clone();
    for row in rows {
        let moved = entity(row).withdraw(note.to_owned(), &cx)?;
        tx.settle_now(moved).await?;
    }
    Ok(())
}

/// Binds the papers. The foreign key refuses the papers of another enterprise.
async fn attach(tx: &mut Tx, application: &Application) -> Result<()> {
    let papers: Vec<Uuid> = application.attachments.iter().map(|paper| paper.uuid()).collect();
    sqlx::query!(
        "delete from pass_application_attachment
         where pass_application_id = $1 and not attachment_id = any($2)",
        application.id.uuid(),
        &papers
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "insert into pass_application_attachment (pass_application_id, enterprise_id, attachment_id)
         select $1, $2, attachment_id from unnest($3::uuid[]) as attachment_id
         on conflict do nothing",
        application.id.uuid(),
        application.enterprise.uuid(),
        &papers
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The pass that an application led to.
pub async fn pass_of(
    connection: &mut PgConnection,
    id: Id<kind::PassApplication>,
) -> Result<Option<Id<kind::TruckPass>>> {
    let pass =
        sqlx::query_scalar!("select id from truck_pass where pass_application_id = $1", id.uuid())
            .fetch_optional(connection)
            .await?;
    Ok(pass.map(Id::of))
}

/// The open application that asks for the same thing, should there be one (I12).
pub async fn same_open(
    connection: &mut PgConnection,
    application: &Application,
) -> Result<Option<String>> {
    let number = sqlx::query_scalar!(
        "select number from pass_application
         where vehicle_id = $1 and purpose = $2 and md5(need::text) = md5($3::jsonb::text)
            and state in ('SUBMITTED', 'NEEDS_CORRECTION', 'ACCEPTED', 'FIRST_REVIEW', 'FINAL_REVIEW')
            and id <> $4",
        application.vehicle.uuid(),
        application.purpose.wire(),
        Json(&application.need) as _,
        application.id.uuid()
    )
    .fetch_optional(connection)
    .await?;
    Ok(number)
}

/// Stores a fleet application.
pub async fn insert_batch(
    tx: &mut Tx,
    id: Id<kind::PassApplicationBatch>,
    enterprise: Id<kind::Enterprise>,
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into pass_application_batch (id, enterprise_id, create_time) values ($1, $2, $3)",
        id.uuid(),
        enterprise.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says to which fleet application it belongs.
pub async fn bind_to_batch(
    tx: &mut Tx,
    id: Id<kind::PassApplication>,
    batch: Id<kind::PassApplicationBatch>,
) -> Result<()> {
    sqlx::query!(
        "update pass_application set batch_id = $2 where id = $1",
        id.uuid(),
        batch.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
