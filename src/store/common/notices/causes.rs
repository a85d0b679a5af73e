//! What the clock tells rather than a step, and who of the police is there to be told. What a step tells stands in
//! its drawing, and to whom with the rows of its noun.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Telling, tell};
use crate::{
    actor::{Item, Role},
    domain::{
        common::{
            evaluation::{self},
            notice::{Audience, Facts, NoticeEvent},
        },
        duty::{escalation::Level, obligation::ObligationKind},
        pass::Pass,
    },
    error::Result,
    id::{Collection as _, Id, Subject, kind},
    store::{Tx, common::outbox::Topic},
};

/// A pass ends in so many days.
pub async fn of_ending_pass(tx: &mut Tx, pass: &Pass, days: i64) -> Result<()> {
    let telling = Telling {
        event: NoticeEvent::PassExpiring,
        audience: Audience::Enterprise(pass.enterprise, Item::Pass),
        subject: pass.id.to_string(),
        cause: format!("{}/ends/{days}", pass.id),
        facts: Facts {
            number: pass.number.clone(),
            plate: pass.plate_number.clone(),
            day: Some(pass.last_valid_day()),
            ..Facts::default()
        },
    };
    tell(tx, &telling).await?;
    Ok(())
}

/// An officer who still serves.
pub async fn serving(tx: &mut Tx, officer: Option<Id<kind::Officer>>) -> Result<Option<Audience>> {
    let Some(officer) = officer else { return Ok(None) };
    let serves = sqlx::query_scalar!(
        "select exists (select from officer where id = $1 and disable_time is null
                and close_time is null) as \"is!\"",
        officer.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(serves.then_some(Audience::Officer(officer)))
}

/// The officers with the role, of the nearest unit that has any and sees the path.
pub async fn unit(tx: &mut Tx, path: &str, role: Role) -> Result<Option<Audience>> {
    let unit = sqlx::query_scalar!(
        "select unit.id from unit
         where starts_with($1, reach) and exists (
            select from officer
            where unit_id = unit.id and disable_time is null and close_time is null
                and $2 = any (roles))
         order by length(reach) desc, length(path) desc, unit.id
         limit 1",
        path,
        role.wire()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(unit.map(|unit| Audience::Unit(Id::of(unit), role)))
}

/// Notes that there is nobody to tell: the matter stays in the lists of whoever comes.
pub fn nobody(subject: Subject) {
    tracing::warn!(subject = %subject, "nobody has the role that is to be told");
}

/// Tells officers, should there be any.
pub(super) async fn tell_officers(
    tx: &mut Tx,
    telling: Telling,
    to: Option<Audience>,
) -> Result<()> {
    let Some(audience) = to else {
        tracing::warn!(subject = telling.subject, "nobody has the role that is to be told");
        return Ok(());
    };
    tell(tx, &Telling { audience, ..telling }).await?;
    Ok(())
}

/// Notes that steps of the ladder are to be told: one statement for all of a sweep, which must not
/// wait for who is told.
pub async fn escalated(tx: &mut Tx, steps: &[(Uuid, Level)]) -> Result<()> {
    let ids: Vec<Uuid> = steps.iter().map(|_| tx.cx().id::<kind::Event>().uuid()).collect();
    let obligations: Vec<Uuid> = steps.iter().map(|(obligation, _)| *obligation).collect();
    let levels: Vec<String> = steps.iter().map(|(_, level)| level.wire().to_owned()).collect();
    let now = tx.now();
    sqlx::query!(
        "insert into event (id, topic, subject, payload, create_time, attempts, next_attempt_time)
         select id, $5, 'obligations/' || obligation,
            jsonb_build_object('obligation', obligation, 'level', level), $4, 0, $4
         from unnest($1::uuid[], $2::uuid[], $3::text[]) as step (id, obligation, level)",
        &ids,
        &obligations,
        &levels,
        now.to_sqlx(),
        Topic::Escalation.wire()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// With a step of the ladder: first the holder is reminded, then the leader is told (CO-08).
pub async fn of_escalation(tx: &mut Tx, obligation: Uuid, level: Level) -> Result<()> {
    let owed = sqlx::query!(
        "select collection, subject_id, kind, unit_path from obligation where id = $1",
        obligation
    )
    .fetch_one(tx.conn())
    .await?;
    let found = owing(tx, &owed.collection, owed.subject_id, &owed.kind).await?;
    let to = match (level, serving(tx, found.holder).await?) {
        (Level::Amber, Some(holder)) => Some(holder),
        (Level::Amber, None) => {
            let mut to = None;
            for &role in found.roles {
                if to.is_none() {
                    to = unit(tx, &owed.unit_path, role).await?;
                }
            }
            to
        }
        _ => unit(tx, &owed.unit_path, Role::UnitLeader).await?,
    };
    let telling = Telling {
        event: NoticeEvent::of_level(level),
        audience: Audience::Officer(Id::of(Uuid::nil())),
        subject: format!("{}/{}", owed.collection, owed.subject_id),
        cause: format!("obligations/{obligation}/{}", level.wire()),
        facts: Facts { number: found.number, ..Facts::default() },
    };
    tell_officers(tx, telling, to).await
}

/// Who owes something: whoever holds it, else the first of the roles that a unit near it has.
struct Owing {
    number: String,
    holder: Option<Id<kind::Officer>>,
    roles: &'static [Role],
}

async fn owing(tx: &mut Tx, collection: &str, subject: Uuid, owed: &str) -> Result<Owing> {
    let owed = ObligationKind::from_wire(owed);
    if collection == kind::PassApplication::NAME {
        let held = sqlx::query!(
            "select number, assignee_id, state = 'FINAL_REVIEW' as \"final_review!\"
             from pass_application where id = $1",
            subject
        )
        .fetch_optional(tx.conn())
        .await?;
        let last = held.as_ref().is_some_and(|row| row.final_review);
        let (number, holder) = held.map(|row| (row.number, row.assignee_id)).unzip();
        return Ok(Owing {
            number: number.unwrap_or_default(),
            holder: holder.flatten().map(Id::of),
            roles: match owed {
                Some(ObligationKind::AcceptPassApplication) => {
                    &[Role::WindowClerk, Role::FirstReviewer, Role::FinalReviewer]
                }
                _ if last => &[Role::FinalReviewer],
                _ => &[Role::FirstReviewer, Role::FinalReviewer],
            },
        });
    }
    if collection != kind::Complaint::NAME {
        return Ok(Owing { number: String::new(), holder: None, roles: &[Role::LiaisonOfficer] });
    }
    let held = sqlx::query!("select number, handler_id from complaint where id = $1", subject)
        .fetch_optional(tx.conn())
        .await?;
    let (number, handler) = held.map(|row| (row.number, row.handler_id)).unzip();
    let handling = owed == Some(ObligationKind::HandleComplaint);
    Ok(Owing {
        number: number.map(|number| number.to_string()).unwrap_or_default(),
        holder: handler.flatten().filter(|_| handling).map(Id::of),
        roles: match owed {
            Some(ObligationKind::HandleComplaint | ObligationKind::SignComplaint) => {
                &[Role::Handler]
            }
            Some(ObligationKind::SuperviseComplaint) => &[Role::UnitLeader],
            _ => &[Role::Assigner],
        },
    })
}

/// Another system takes nothing any more: told to the officer who set it.
pub async fn of_ended_webhook(
    tx: &mut Tx,
    webhook: Id<kind::Webhook>,
    officer: Option<Id<kind::Officer>>,
) -> Result<()> {
    let telling = Telling {
        event: NoticeEvent::WebhookEnded,
        audience: Audience::Officer(Id::of(Uuid::nil())),
        subject: webhook.to_string(),
        cause: format!("{webhook}/ended"),
        facts: Facts::default(),
    };
    let to = serving(tx, officer).await?;
    tell_officers(tx, telling, to).await
}

/// An evaluation still waits.
pub async fn of_reminder(tx: &mut Tx, id: Id<kind::Evaluation>) -> Result<()> {
    let asked = sqlx::query!(
        "select enterprise_id, collection, subject_id, state from evaluation where id = $1",
        id.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    let Some(event) = NoticeEvent::of_evaluation(asked.state) else { return Ok(()) };
    let item = evaluation::item(&asked.collection);
    let telling = Telling {
        event,
        audience: Audience::Enterprise(Id::of(asked.enterprise_id), item),
        subject: format!("{}/{}", asked.collection, asked.subject_id),
        cause: format!("{id}/reminder"),
        facts: Facts::default(),
    };
    tell(tx, &telling).await?;
    Ok(())
}

/// Somebody has a message that no device of theirs has received (CH-08): told once until they have
/// read up to it.
pub async fn of_message(tx: &mut Tx, unseen: &Unseen) -> Result<()> {
    let first = sqlx::query!(
        "insert into message_notice (conversation_id, reader, sequence) values ($1, $2, $3)
         on conflict (conversation_id, reader) do update set sequence = excluded.sequence
            where message_notice.sequence <= $4 and message_notice.sequence < excluded.sequence",
        unseen.conversation,
        unseen.reader,
        unseen.sequence,
        unseen.delivered
    )
    .execute(tx.conn())
    .await?;
    let reader = crate::domain::common::notice::uuid_of(&unseen.reader);
    let Some(reader) = reader.filter(|_| first.rows_affected() == 1) else { return Ok(()) };
    let telling = Telling {
        event: NoticeEvent::MessageReceived,
        audience: if unseen.reader.starts_with("officers/") {
            Audience::Officer(Id::of(reader))
        } else {
            Audience::Person(Id::of(reader))
        },
        subject: Id::<kind::Conversation>::of(unseen.conversation).to_string(),
        cause: format!("conversations/{}/{}", unseen.conversation, unseen.sequence),
        facts: Facts::default(),
    };
    tell(tx, &telling).await?;
    Ok(())
}

/// A reader who lacks messages.
#[derive(Debug, Clone)]
pub struct Unseen {
    /// Of which conversation.
    pub conversation: Uuid,
    /// persons/... or officers/...
    pub reader: String,
    /// The newest message of somebody else that was sent in the time.
    pub sequence: i64,
    /// Up to which message the reader's devices have received.
    pub delivered: i64,
}

/// Who lacks a message of the time: people who take part, and the officer who holds the conversation,
/// or while nobody does, the whole roster.
pub async fn unseen(
    connection: &mut PgConnection,
    (from, until): (Timestamp, Timestamp),
) -> Result<Vec<Unseen>> {
    let rows = sqlx::query!(
        "with news as (
            select conversation_id, sender, max(sequence) as sequence from message
            where create_time > $1 and create_time <= $2
                and kind not in ('SYSTEM_NOTICE', 'RECALL') and recall_time is null
            group by conversation_id, sender
         ), reader as (
            select conversation_id, 'persons/' || person_id as name
            from conversation_member
            where leave_time is null and conversation_id in (select conversation_id from news)
            union
            select conversation.id, 'officers/' || officer_id
            from conversation
            join liaison_roster on liaison_roster.liaison_post_id = conversation.liaison_post_id
            where end_time is null and (assignee_id is null or assignee_id = officer_id)
                and conversation.id in (select conversation_id from news)
         )
         select news.conversation_id, name as \"name!\", max(news.sequence) as \"sequence!\",
            coalesce(max(delivered_sequence), 0) as \"delivered!\"
         from news
         join reader on reader.conversation_id = news.conversation_id and name <> sender
         join conversation on conversation.id = news.conversation_id
         left join conversation_mark mark
            on mark.conversation_id = news.conversation_id and mark.reader = name
         where takes_part(conversation.id, enterprise_id, liaison_post_id,
            case when name like 'persons/%' then substr(name, 9)::uuid end,
            case when name like 'officers/%' then substr(name, 10)::uuid end, $2)
         group by news.conversation_id, name
         having coalesce(max(delivered_sequence), 0) < max(news.sequence)",
        from.to_sqlx(),
        until.to_sqlx()
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter().map(|row| Unseen {
        conversation: row.conversation_id,
        reader: row.name,
        sequence: row.sequence,
        delivered: row.delivered,
    });
    Ok(rows.collect())
}

/// How far a job has looked; absent before its first look.
pub async fn progress(connection: &mut PgConnection, job: &str) -> Result<Option<Timestamp>> {
    let until = sqlx::query_scalar!(
        "select until_time from notice_progress
         where job = $1",
        job
    )
    .fetch_optional(connection)
    .await?;
    Ok(until.map(Into::into))
}

/// Notes how far a job has looked; never back.
pub async fn progressed(tx: &mut Tx, job: &str, until: Timestamp) -> Result<()> {
    sqlx::query!(
        "insert into notice_progress (job, until_time) values ($1, $2)
         on conflict (job) do update set
            until_time = greatest(notice_progress.until_time, excluded.until_time)",
        job,
        until.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
