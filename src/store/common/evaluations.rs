//! What enterprises say of finished things: one invitation for each end, one answer, or silence.
//! No rule of what follows from an answer.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::notices::causes;
use crate::{
    actor::Scope,
    domain::common::evaluation::{
        Evaluation, EvaluationState, SILENCE, Satisfaction, Verdict, figures::Figures,
    },
    error::Result,
    id::{Id, Subject, kind},
    store::Tx,
};

/// An invitation to say how it was.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Of what.
    pub subject: Subject,
    /// Of which end of it.
    pub round: i32,
    /// Who is asked.
    pub enterprise: Id<kind::Enterprise>,
    /// The path of the unit that finished it.
    pub unit_path: String,
    /// Who finished it.
    pub officer: Option<Id<kind::Officer>>,
}

struct Row {
    id: Uuid,
    collection: String,
    subject_id: Uuid,
    round: i32,
    enterprise_id: Uuid,
    unit_path: String,
    officer_id: Option<Uuid>,
    state: EvaluationState,
    level: Option<Satisfaction>,
    solved: Option<bool>,
    comment: String,
    create_time: Timestamp,
    due_time: Timestamp,
    rate_time: Option<jiff_sqlx::Timestamp>,
}

fn entity(row: Row) -> Evaluation {
    let comment = row.comment;
    Evaluation {
        id: Id::of(row.id),
        collection: row.collection,
        subject: row.subject_id,
        round: row.round,
        enterprise: Id::of(row.enterprise_id),
        unit_path: row.unit_path,
        officer: row.officer_id.map(Id::of),
        state: row.state,
        verdict: row.level.zip(row.solved).map(|(level, solved)| Verdict {
            level,
            solved,
            comment,
        }),
        create_time: row.create_time,
        due_time: row.due_time,
        rate_time: row.rate_time.map(Into::into),
    }
}

macro_rules! select {
    ($filter:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, collection, subject_id, round, enterprise_id, unit_path, officer_id,
                state, level, solved, comment, create_time, due_time, rate_time "# + $filter
            $(, $argument)*
        )
    };
}

/// Asks, once for each end.
pub async fn invite(tx: &mut Tx, invitation: &Invitation) -> Result<()> {
    let id: Id<kind::Evaluation> = tx.cx().id();
    let now = tx.now();
    let due = now.saturating_add(SILENCE).unwrap_or(now);
    sqlx::query!(
        "insert into evaluation (id, collection, subject_id, round, enterprise_id, unit_path,
            officer_id, state, create_time, due_time)
         values ($1, $2, $3, $4, $5, $6, $7, 'INVITED', $8, $9)
         on conflict (collection, subject_id, round) do nothing",
        id.uuid(),
        invitation.subject.collection,
        invitation.subject.uuid,
        invitation.round,
        invitation.enterprise.uuid(),
        invitation.unit_path,
        invitation.officer.map(Id::uuid),
        now.to_sqlx(),
        due.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Asks by itself when a step has finished something: whoever took the step is the one who may not
/// handle what is complained about.
pub async fn invite_after(
    tx: &mut Tx,
    subject: Subject,
    enterprise: Id<kind::Enterprise>,
    unit_path: &str,
) -> Result<()> {
    let invitation = Invitation {
        subject,
        round: 0,
        enterprise,
        unit_path: unit_path.to_owned(),
        officer: tx.cx().actor.officer().ok(),
    };
    invite(tx, &invitation).await
}

/// An evaluation of the enterprises or units in reach, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::Evaluation>, scope: &Scope) -> Result<Evaluation> {
    let row = select!(
        "from evaluation where id = $1 and ($2 or enterprise_id = any($3)) for update",
        id.uuid(),
        scope.all,
        &scope.enterprises
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// The evaluation of one end of a subject that the caller has read within the scope.
pub async fn of(
    connection: &mut PgConnection,
    subject: Subject,
    round: i32,
) -> Result<Option<Evaluation>> {
    let row = select!(
        "from evaluation where collection = $1 and subject_id = $2 and round = $3",
        subject.collection,
        subject.uuid,
        round
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(entity))
}

/// Evaluations that enterprises were asked for, each about things of the collections that stand
/// beside it, newest first.
pub async fn list(
    connection: &mut PgConnection,
    state: Option<&str>,
    asked: &[(Uuid, &str)],
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Evaluation>> {
    let before = crate::store::before(after);
    let enterprises: Vec<Uuid> = asked.iter().map(|(enterprise, _)| *enterprise).collect();
    let collections: Vec<String> = asked.iter().map(|(_, name)| (*name).to_owned()).collect();
    // One walk along an index for each pair, by its state where one is asked for.
    let rows = match state {
        Some(state) => {
            select!(
                "from unnest($1::uuid[], $5::text[]) as own (enterprise, item)
                 cross join lateral (
                    select * from evaluation
                    where enterprise_id = enterprise and evaluation.collection = item
                        and evaluation.state = $2 and id < $3
                    order by id desc
                    limit $4
                 ) as evaluation
                 order by id desc
                 limit $4",
                &enterprises,
                state,
                before,
                rows,
                &collections
            )
            .fetch_all(connection)
            .await?
        }
        None => {
            select!(
                "from unnest($1::uuid[], $4::text[]) as own (enterprise, item)
                 cross join lateral (
                    select * from evaluation
                    where enterprise_id = enterprise and evaluation.collection = item and id < $2
                    order by id desc
                    limit $3
                 ) as evaluation
                 order by id desc
                 limit $3",
                &enterprises,
                before,
                rows,
                &collections
            )
            .fetch_all(connection)
            .await?
        }
    };
    Ok(rows.into_iter().map(entity).collect())
}

/// Answers, once. False when it was answered before, or silence has closed it.
pub async fn answer(tx: &mut Tx, id: Id<kind::Evaluation>, verdict: &Verdict) -> Result<bool> {
    let now = tx.now();
    let answered = sqlx::query!(
        "update evaluation set state = 'RATED', level = $2, solved = $3, comment = $4,
            rate_time = $5
         where id = $1 and state = 'INVITED'",
        id.uuid(),
        verdict.level.wire(),
        verdict.solved,
        verdict.comment,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(answered.rows_affected() == 1)
}

/// Closes a silent one as unrated. False when somebody answered meanwhile.
pub async fn close_unrated(tx: &mut Tx, id: Id<kind::Evaluation>) -> Result<bool> {
    let closed = sqlx::query!(
        "update evaluation set state = 'UNRATED' where id = $1 and state = 'INVITED'",
        id.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(closed.rows_affected() == 1)
}

/// Those whose time to answer has passed, the oldest first.
pub async fn silent(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Evaluation>> {
    let rows = select!(
        "from evaluation where state = 'INVITED' and due_time <= $1 order by due_time limit $2",
        now.to_sqlx(),
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Conversations whose close nobody rated since before the instant, and that were not asked again.
pub async fn unasked(
    connection: &mut PgConnection,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<Evaluation>> {
    let rows = select!(
        "from evaluation where state = 'INVITED' and remind_time is null and create_time < $1
            and collection = 'conversations'
         order by create_time
         limit $2",
        before.to_sqlx(),
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Evaluations of everything but conversations that nobody answered since before the instant, and
/// that were not asked for again: a conversation says so itself.
pub async fn unasked_elsewhere(
    connection: &mut PgConnection,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<Id<kind::Evaluation>>> {
    let ids = sqlx::query_scalar!(
        "select id from evaluation
         where state = 'INVITED' and remind_time is null and create_time < $1
            and collection <> 'conversations'
         order by create_time
         limit $2",
        before.to_sqlx(),
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(Id::of).collect())
}

/// Notes that it was asked for again. False when somebody else did.
pub async fn reminded(tx: &mut Tx, id: Id<kind::Evaluation>) -> Result<bool> {
    let now = tx.now();
    let reminded = sqlx::query!(
        "update evaluation set remind_time = $2
         where id = $1 and remind_time is null and state = 'INVITED'",
        id.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    if reminded.rows_affected() == 0 {
        return Ok(false);
    }
    causes::of_reminder(tx, id).await?;
    Ok(true)
}

/// By what figures are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// The unit that leads.
    Unit,
    /// The category.
    Category,
    /// The month of the filing, in Beijing time.
    Month,
}

/// The figures of complaints that were filed in a time, within the scope; whole, and not as they may be
/// told.
pub async fn figures(
    connection: &mut PgConnection,
    grouping: Grouping,
    from: Timestamp,
    until: Timestamp,
    scope: &Scope,
) -> Result<Vec<Figures>> {
    let grouping = match grouping {
        Grouping::Unit => "unit",
        Grouping::Category => "category",
        Grouping::Month => "month",
    };
    // By the path of a unit and not by its name, which another one may have too.
    let rows = sqlx::query!(
        "select unit.id as \"unit_id?\", coalesce(unit.display_name, counted.key) as \"name!\",
            filed as \"filed!\", answered as \"answered!\", on_time as \"on_time!\",
            first_time as \"first_time!\", rated as \"rated!\", satisfied as \"satisfied!\",
            solved as \"solved!\"
         from (
            select case $1 when 'unit' then coalesce(lead_path, unit_path)
                    when 'category' then category
                    else to_char(create_time at time zone 'Asia/Shanghai', 'YYYY-MM') end as key,
                count(*) as filed,
                count(*) filter (where owed.met) as answered,
                count(*) filter (where owed.met and not owed.late) as on_time,
                count(*) filter (where owed.met and round = 0) as first_time,
                count(said.level) as rated,
                count(*) filter (where said.level in ('VERY_SATISFIED', 'SATISFIED',
                    'BASICALLY_SATISFIED')) as satisfied,
                count(*) filter (where said.solved) as solved
             from complaint
             left join lateral (
                select bool_and(meet_time is not null) as met,
                    bool_or(breach_time is not null) as late
                from obligation
                where subject_id = complaint.id and kind = 'HANDLE_COMPLAINT' and void_time is null
             ) owed on true
             left join lateral (
                select level, solved from evaluation
                -- The last that was said: silence afterwards does not take it back.
                where subject_id = complaint.id and collection = 'complaints' and level is not null
                order by evaluation.round desc limit 1
             ) said on true
             where create_time >= $2 and create_time < $3
                and $4::text is not null and starts_with(coalesce(lead_path, unit_path), $4)
             group by 1
         ) as counted
         left join unit on $1 = 'unit' and unit.path = counted.key
         order by 2, counted.key",
        grouping,
        from.to_sqlx(),
        until.to_sqlx(),
        scope.unit_path
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter().map(|row| Figures {
        unit: row.unit_id.map(Id::of),
        group: row.name,
        filed: row.filed,
        answered: row.answered,
        on_time: row.on_time,
        first_time: row.first_time,
        rated: row.rated,
        satisfied: row.satisfied,
        solved: row.solved,
    });
    Ok(rows.collect())
}
