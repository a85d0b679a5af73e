//! What each noun tells when it takes a step: called where the step is stored, so that no way past it
//! exists. Which step tells what is the domain's.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Telling, tell};
use crate::{
    actor::Role,
    domain::{
        common::{
            evaluation::EvaluationState,
            lifecycle::Change,
            notice::{Audience, Facts, NoticeEvent},
        },
        complaint::Complaint,
        duty::{escalation::Level, obligation::ObligationKind},
        enterprise::{Enterprise, contest::Contest, vehicle::Vehicle},
        identity::proposal::{Act, Proposal, ProposalState},
        pass::{Pass, application::Application},
    },
    error::Result,
    id::{Collection as _, Id, kind},
    store::{Tx, common::outbox::Topic},
};

const PASS: &str = "PASS";
const REQUEST: &str = "REQUEST";
const LIAISON: &str = "LIAISON";

/// After a step of an application.
pub async fn of_application(tx: &mut Tx, after: &Application, change: &Change) -> Result<()> {
    let Some(event) = NoticeEvent::of_application(change.action()) else { return Ok(()) };
    let telling = Telling {
        event,
        audience: Audience::Enterprise(after.enterprise, PASS),
        subject: after.id.to_string(),
        cause: format!("{}/{}", after.id, after.version),
        facts: Facts { number: after.number.clone(), ..Facts::default() },
    };
    tell(tx, &telling).await?;
    Ok(())
}

/// After a step of a pass: the enterprise, and who drives the vehicle.
pub async fn of_pass(tx: &mut Tx, after: &Pass, change: &Change) -> Result<()> {
    let Some(event) = NoticeEvent::of_pass(change.action()) else { return Ok(()) };
    let cause = format!("{}/{}", after.id, after.version);
    tell_of_pass(tx, after, event, cause, true).await
}

/// A pass ends in so many days.
pub async fn of_ending_pass(tx: &mut Tx, pass: &Pass, days: i64) -> Result<()> {
    let cause = format!("{}/ends/{days}", pass.id);
    tell_of_pass(tx, pass, NoticeEvent::PassExpiring, cause, false).await
}

async fn tell_of_pass(
    tx: &mut Tx,
    pass: &Pass,
    event: NoticeEvent,
    cause: String,
    drivers: bool,
) -> Result<()> {
    let day = (event == NoticeEvent::PassExpiring).then(|| pass.last_valid_day());
    let mut telling = Telling {
        event,
        audience: Audience::Enterprise(pass.enterprise, PASS),
        subject: pass.id.to_string(),
        cause,
        facts: Facts {
            number: pass.number.clone(),
            plate: pass.plate_number.clone(),
            day,
            ..Facts::default()
        },
    };
    tell(tx, &telling).await?;
    if !drivers {
        return Ok(());
    }
    let people = sqlx::query_scalar!(
        "select distinct person_id as \"person_id!\" from driver
         where vehicle_id = $1 and end_time is null and person_id is not null
            and not exists (
                select from member
                where enterprise_id = $2 and member.person_id = driver.person_id
                    and end_time is null)",
        pass.vehicle.uuid(),
        pass.enterprise.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    for person in people {
        telling.audience = Audience::Person(Id::of(person));
        tell(tx, &telling).await?;
    }
    Ok(())
}

/// After a step of an enterprise: who claimed it, and who acts for it still.
pub async fn of_enterprise(tx: &mut Tx, after: &Enterprise, change: &Change) -> Result<()> {
    let Some(event) = NoticeEvent::of_enterprise(change.action()) else { return Ok(()) };
    let people = sqlx::query_scalar!(
        "select person_id as \"person_id!\" from member
         where enterprise_id = $1 and end_time is null
         union select $2",
        after.id.uuid(),
        after.applicant.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    for person in people {
        let telling = Telling {
            event,
            audience: Audience::Person(Id::of(person)),
            subject: after.id.to_string(),
            cause: format!("{}/{}", after.id, after.version),
            facts: Facts::default(),
        };
        tell(tx, &telling).await?;
    }
    Ok(())
}

/// The holder is told that another enterprise, which is not named, says that the vehicle is theirs; or
/// that an officer took it out of the garage.
pub async fn of_vehicle(
    tx: &mut Tx,
    vehicle: &Vehicle,
    event: NoticeEvent,
    cause: String,
) -> Result<()> {
    let telling = Telling {
        event,
        audience: Audience::Enterprise(vehicle.enterprise, PASS),
        subject: vehicle.id.to_string(),
        cause,
        facts: Facts { plate: vehicle.licence.plate.as_str().to_owned(), ..Facts::default() },
    };
    tell(tx, &telling).await?;
    Ok(())
}

/// Who filed a contest is told what became of it.
pub async fn of_contest(tx: &mut Tx, after: &Contest, event: NoticeEvent) -> Result<()> {
    let telling = Telling {
        event,
        audience: Audience::Enterprise(after.enterprise, PASS),
        subject: after.id.to_string(),
        cause: format!("{}/{}", after.id, after.version),
        facts: Facts { plate: after.plate_number.clone(), ..Facts::default() },
    };
    tell(tx, &telling).await?;
    Ok(())
}

/// After a step of a complaint: number and state alone, never what it is about (I20).
pub async fn of_complaint(tx: &mut Tx, after: &Complaint, change: &Change) -> Result<()> {
    let mut telling = Telling {
        event: NoticeEvent::ComplaintClosed,
        audience: Audience::Enterprise(after.enterprise, REQUEST),
        subject: after.id.to_string(),
        cause: format!("{}/{}", after.id, after.version),
        facts: Facts { number: after.number.to_string(), ..Facts::default() },
    };
    if let Some(event) = NoticeEvent::of_complaint(change.action()) {
        telling.event = event;
        tell(tx, &telling).await?;
    }
    if let Some(event) = NoticeEvent::of_task(change.action()) {
        telling.event = event;
        let lead = after.lead.as_ref().map_or(after.unit_path.as_str(), |lead| &lead.path);
        let held = serving(tx, after.handler).await?;
        let to = match event {
            NoticeEvent::TaskAssigned => unit(tx, lead, Role::Handler).await?,
            NoticeEvent::TaskToAccept => unit(tx, &after.unit_path, Role::Assigner).await?,
            // Whoever handles it; where nobody does, nobody waits for it.
            NoticeEvent::TaskRejected | NoticeEvent::TaskExtension | NoticeEvent::TaskWithdrawn => {
                let Some(handler) = held else { return Ok(()) };
                Some(handler)
            }
            NoticeEvent::TaskReturned | NoticeEvent::TaskToReview | NoticeEvent::TaskToAssign => {
                // Whoever assigned it decides; with nobody there, a colleague.
                match serving(tx, after.assigner).await? {
                    Some(assigner) => Some(assigner),
                    None => unit(tx, &after.unit_path, Role::Assigner).await?,
                }
            }
            _ if held.is_some() => held,
            NoticeEvent::TaskSupervised => unit(tx, lead, Role::UnitLeader).await?,
            // Nobody handles it yet: who owes the next step.
            _ if after.lead.is_some() => unit(tx, lead, Role::Handler).await?,
            _ => unit(tx, &after.unit_path, Role::Assigner).await?,
        };
        tell_officers(tx, telling, to).await?;
    }
    Ok(())
}

/// After a step of a proposal: first whoever may confirm it, in the nearest unit of each such role; then
/// whoever made it; and the officer whom it is about.
pub async fn of_proposal(tx: &mut Tx, after: &Proposal) -> Result<()> {
    let mut telling = Telling {
        event: NoticeEvent::ProposalToCheck,
        audience: Audience::Officer(after.maker),
        subject: after.id.to_string(),
        cause: format!("{}/{}", after.id, after.version),
        facts: Facts::default(),
    };
    if after.state() == ProposalState::Proposed {
        for role in after.act.checkers().iter() {
            let Some(audience) = unit(tx, &after.unit_path, role).await? else { continue };
            telling.audience = audience;
            tell(tx, &telling).await?;
        }
        return Ok(());
    }
    if let Some(event) = NoticeEvent::of_proposal(after.state()) {
        telling.event = event;
        tell(tx, &telling).await?;
    }
    // A reset tells more, and by every way: where it is carried out.
    if after.state() == ProposalState::Confirmed
        && after.act != Act::ResetCredentials
        && let Ok(officer) = Id::<kind::Officer>::parse(&after.subject)
    {
        telling.event = NoticeEvent::AccountChanged;
        telling.audience = Audience::Officer(officer);
        tell(tx, &telling).await?;
    }
    Ok(())
}

/// An officer who still serves.
async fn serving(tx: &mut Tx, officer: Option<Id<kind::Officer>>) -> Result<Option<Audience>> {
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
pub(super) async fn unit(tx: &mut Tx, path: &str, role: Role) -> Result<Option<Audience>> {
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
        now.to_sqlx() as _,
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
        number: number.unwrap_or_default(),
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
pub async fn of_reminder(tx: &mut Tx, evaluation: Id<kind::Evaluation>) -> Result<()> {
    let asked = sqlx::query!(
        "select enterprise_id, collection, subject_id, state from evaluation where id = $1",
        evaluation.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    let state = EvaluationState::from_wire(&asked.state);
    let Some(event) = state.and_then(NoticeEvent::of_evaluation) else { return Ok(()) };
    let item = match asked.collection.as_str() {
        kind::Conversation::NAME => LIAISON,
        kind::PassApplication::NAME => PASS,
        _ => REQUEST,
    };
    let telling = Telling {
        event,
        audience: Audience::Enterprise(Id::of(asked.enterprise_id), item),
        subject: format!("{}/{}", asked.collection, asked.subject_id),
        cause: format!("{evaluation}/reminder"),
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
        from.to_sqlx() as _,
        until.to_sqlx() as _
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
        "select until_time as \"until_time: jiff_sqlx::Timestamp\" from notice_progress
         where job = $1",
        job
    )
    .fetch_optional(connection)
    .await?;
    Ok(until.map(jiff_sqlx::Timestamp::to_jiff))
}

/// Notes how far a job has looked; never back.
pub async fn progressed(tx: &mut Tx, job: &str, until: Timestamp) -> Result<()> {
    sqlx::query!(
        "insert into notice_progress (job, until_time) values ($1, $2)
         on conflict (job) do update set
            until_time = greatest(notice_progress.until_time, excluded.until_time)",
        job,
        until.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
