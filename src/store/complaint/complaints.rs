//! Requests and complaints: rows, who of the police sees them, and their scope. No rule of what may
//! be done, and nothing is ever deleted (I17). How one begins is `filing`, what is owed on it `owing`,
//! what an evaluation leads to `consequences`: services and workers use them alike. Lists are in `lists`,
//! extensions in `extensions`, answers in `feedbacks`.

pub mod consequences;
pub mod extensions;
pub mod feedbacks;
pub mod filing;
pub mod redactions;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{complaint_policies, meetings::points};
use crate::{
    actor::{Item, Role, Scope},
    domain::{
        common::{
            follow::{Follow, To},
            lifecycle::Held,
            notice::{Audience, Facts, NoticeEvent},
            number::ComplaintNumber,
        },
        complaint::{
            Category, Channel, Complaint, ComplaintState, HandedOver, Lead, Rules, SupervisionLevel,
        },
        duty::{
            calendar::Due,
            obligation::{Limits, ObligationKind},
        },
    },
    error::{Reason, Result},
    id::{Id, Subject, kind},
    store::{
        OnConstraint as _, Tx,
        common::{
            evaluations::{self, Invitation},
            notices::{Telling, causes},
        },
        rise,
        steps::Settled,
    },
};

struct Row {
    id: Uuid,
    number: ComplaintNumber,
    enterprise_id: Uuid,
    unit_path: String,
    category: Category,
    channel: Channel,
    title: String,
    content: String,
    place: String,
    filer: String,
    collection: Option<String>,
    subject_id: Option<Uuid>,
    linked_sequences: Vec<i64>,
    state: ComplaintState,
    lead_unit_id: Option<Uuid>,
    lead_path: Option<String>,
    helper_paths: Vec<String>,
    accepter_id: Option<Uuid>,
    assigner_id: Option<Uuid>,
    handler_id: Option<Uuid>,
    reviewer_id: Option<Uuid>,
    past_handlers: Vec<Uuid>,
    round: i32,
    returns: i32,
    objected: bool,
    extension_days: i32,
    urges: i32,
    supervision_level: Option<String>,
    feedback: String,
    given_feedback: String,
    conclusion: String,
    outside_target: String,
    outside_number: String,
    merged_into_id: Option<Uuid>,
    handle_open_time: Option<jiff_sqlx::Timestamp>,
    handle_due_time: Option<jiff_sqlx::Timestamp>,
    provisional: bool,
    create_time: Timestamp,
    close_time: Option<jiff_sqlx::Timestamp>,
    version: i64,
}

fn entity(row: Row) -> Complaint {
    let time = |at: Option<jiff_sqlx::Timestamp>| at.map(Into::into);
    let lead = row.lead_unit_id.zip(row.lead_path);
    Complaint {
        id: Id::of(row.id),
        number: row.number,
        enterprise: Id::of(row.enterprise_id),
        unit_path: row.unit_path,
        category: row.category,
        channel: row.channel,
        title: row.title,
        content: row.content,
        place: row.place,
        filer: row.filer,
        origin: row.collection.zip(row.subject_id),
        linked_sequences: row.linked_sequences,
        lead: lead.map(|(unit, path)| Lead { unit: Id::of(unit), path }),
        helper_paths: row.helper_paths,
        accepter: row.accepter_id.map(Id::of),
        assigner: row.assigner_id.map(Id::of),
        handler: row.handler_id.map(Id::of),
        reviewer: row.reviewer_id.map(Id::of),
        past_handlers: row.past_handlers.into_iter().map(Id::of).collect(),
        round: row.round,
        returns: row.returns,
        objected: row.objected,
        extension_days: row.extension_days,
        urges: row.urges,
        supervision_level: row.supervision_level.as_deref().and_then(SupervisionLevel::from_wire),
        feedback: row.feedback,
        given_feedback: row.given_feedback,
        conclusion: row.conclusion,
        outside_target: row.outside_target,
        outside_number: row.outside_number,
        merged_into: row.merged_into_id.map(Id::of),
        handle_open_time: time(row.handle_open_time),
        handle_due_time: time(row.handle_due_time),
        provisional: row.provisional,
        create_time: row.create_time,
        close_time: time(row.close_time),
        version: row.version,
        held: Held::row(row.state),
    }
}

macro_rules! select {
    ($($filter:literal)+ $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select complaint.id, number, enterprise_id, unit_path, complaint.category, channel,
                title, content, place, filer, collection, subject_id, linked_sequences,
                complaint.state, lead_unit_id, lead_path, helper_paths, accepter_id, assigner_id,
                handler_id, reviewer_id, past_handlers, round, returns, objected, extension_days,
                urges, supervision_level, feedback, given_feedback, conclusion, outside_target,
                outside_number, merged_into_id, handle_open_time, handle_due_time, provisional,
                create_time, close_time, version "# $(+ $filter)+
            $(, $argument)*
        )
    };
}

/// The complaint, where it is within the scope or somebody of it works on it.
macro_rules! seen {
    ($lock:literal, $id:expr, $scope:expr) => {
        select!(
            "from complaint
             where id = $1 and ($2 or enterprise_id = any($3) or exists (
                    select from complaint_sight where reach = $4 and complaint_id = complaint.id)
                or works_on($5, $6, handler_id, past_handlers, lead_unit_id, helper_paths, filer)) " $lock,
            $id.uuid(),
            $scope.all,
            &$scope.enterprises,
            $scope.unit_path,
            $scope.officer,
            $scope.unit
        )
    };
}

// Below the macro, which it uses.
mod lists;

pub use lists::{Filter, list, similar, stuck};

/// A complaint within the scope.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::Complaint>,
    scope: &Scope,
) -> Result<Complaint> {
    let row = seen!("", id, scope).fetch_optional(connection).await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// A complaint within the scope, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::Complaint>, scope: &Scope) -> Result<Complaint> {
    let row = seen!("for update", id, scope).fetch_optional(tx.conn()).await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
}

impl Settled for Complaint {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let now = tx.now();
        let sql = |time: Option<Timestamp>| time.map(Timestamp::to_sqlx);
        let past: Vec<Uuid> = self.past_handlers.iter().map(|officer| officer.uuid()).collect();
        let lead = self.lead.as_ref();
        let updated = sqlx::query!(
            "update complaint set category = $3, state = $4, lead_unit_id = $5, lead_path = $6,
                helper_paths = $7, assigner_id = $8, handler_id = $9, reviewer_id = $10,
                past_handlers = $11, round = $12, returns = $13, objected = $14,
                extension_days = $15, urges = $16, supervision_level = $17, feedback = $18,
                conclusion = $19, outside_target = $20, outside_number = $21, merged_into_id = $22,
                handle_open_time = $23, handle_due_time = $24, provisional = $25, close_time = $26,
                update_time = $27, accepter_id = $28, given_feedback = $29, version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            self.category.wire(),
            self.state().wire(),
            lead.map(|lead| lead.unit.uuid()),
            lead.map(|lead| lead.path.as_str()),
            &self.helper_paths,
            self.assigner.map(Id::uuid),
            self.handler.map(Id::uuid),
            self.reviewer.map(Id::uuid),
            &past,
            self.round,
            self.returns,
            self.objected,
            self.extension_days,
            self.urges,
            self.supervision_level.map(SupervisionLevel::wire),
            self.feedback,
            self.conclusion,
            self.outside_target,
            self.outside_number,
            self.merged_into.map(Id::uuid),
            sql(self.handle_open_time),
            sql(self.handle_due_time),
            self.provisional,
            sql(self.close_time),
            now.to_sqlx(),
            self.accepter.map(Id::uuid),
            self.given_feedback
        )
        .execute(tx.conn())
        .await?;
        rise(&mut self.version, &updated)?;
        see(tx, &self).await?;
        Ok(self)
    }

    // Number and state alone, never what it is about (I20).
    async fn told(&self, tx: &mut Tx, event: NoticeEvent, to: To) -> Result<Vec<Telling>> {
        let facts = Facts { number: self.number.to_string(), ..Facts::default() };
        let Some(audience) = audience(tx, self, to).await? else { return Ok(Vec::new()) };
        Ok(vec![Telling::of_step(self.id.subject(), self.version, event, audience, facts)])
    }

    async fn limits(&self, tx: &mut Tx, kind: ObligationKind) -> Result<Option<Limits>> {
        let rules = rules(tx, self).await?;
        Self::limits(self, kind, &rules).map(Some)
    }

    fn owing_unit(&self, kind: ObligationKind) -> String {
        Self::owing_unit(self, kind).to_owned()
    }

    fn owed_until(&mut self, kind: ObligationKind, due: Due) {
        if kind == ObligationKind::HandleComplaint {
            Self::owed_until(self, due);
        }
    }

    async fn beside(&self, tx: &mut Tx, follow: Follow) -> Result<()> {
        match follow {
            Follow::Lapse(note) => extensions::lapse(tx, self.id, note).await,
            // The call-back that follows every answer by itself.
            Follow::Invite => evaluations::invite(tx, &self.call_back()).await,
            Follow::Refer => points::wait(tx, self).await,
            Follow::Recall => points::concluded(tx, self).await,
            _ => Ok(()),
        }
    }
}

/// To whom a step of it is told; nobody where there is none.
async fn audience(tx: &mut Tx, of: &Complaint, to: To) -> Result<Option<Audience>> {
    let lead = of.lead.as_ref().map_or(of.unit_path.as_str(), |lead| &lead.path);
    let named = match to {
        To::Assigner => causes::serving(tx, of.assigner).await?,
        To::Handler | To::HandlerOrLeader | To::Owing => causes::serving(tx, of.handler).await?,
        _ => None,
    };
    let (path, role) = match to {
        _ if named.is_some() => return Ok(named),
        // Where nobody handles it, nobody waits for this.
        To::Handler => return Ok(None),
        To::Lead => (lead, Role::Handler),
        To::HandlerOrLeader => (lead, Role::UnitLeader),
        To::Owing if of.lead.is_some() => (lead, Role::Handler),
        To::Desk | To::Assigner | To::Owing => (of.unit_path.as_str(), Role::Assigner),
        _ => return Ok(Some(Audience::Enterprise(of.enterprise, Item::Request))),
    };
    let found = causes::unit(tx, path, role).await?;
    if found.is_none() {
        causes::nobody(of.id.subject());
    }
    Ok(found)
}

impl Complaint {
    fn call_back(&self) -> Invitation {
        let lead = self.lead.as_ref().map_or(&self.unit_path, |lead| &lead.path);
        Invitation {
            subject: self.id.subject(),
            round: self.round,
            enterprise: self.enterprise,
            unit_path: lead.clone(),
            officer: self.handler,
        }
    }
}

/// The rules in force for the complaint's category.
pub async fn rules(tx: &mut Tx, complaint: &Complaint) -> Result<Rules> {
    let now = tx.now();
    complaint_policies::in_force(tx.conn(), complaint.category, now).await
}

/// Writes the row of a new complaint. False when one of this id was stored before: it is made from an event that
/// may be delivered twice.
async fn insert(tx: &mut Tx, complaint: &Complaint) -> Result<bool> {
    let now = tx.now();
    let (collection, subject) = complaint.origin.clone().unzip();
    let past: Vec<Uuid> = complaint.past_handlers.iter().map(|officer| officer.uuid()).collect();
    let inserted = sqlx::query!(
        "insert into complaint (id, number, enterprise_id, unit_path, category, channel, title,
            content, filer, collection, subject_id, state, past_handlers, outside_number,
            linked_sequences, place, create_time, update_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17, 1)
         on conflict (id) do nothing",
        complaint.id.uuid(),
        complaint.number.as_str(),
        complaint.enterprise.uuid(),
        complaint.unit_path,
        complaint.category.wire(),
        complaint.channel.wire(),
        complaint.title,
        complaint.content,
        complaint.filer,
        collection,
        subject,
        complaint.state().wire(),
        &past,
        complaint.outside_number,
        &complaint.linked_sequences,
        complaint.place,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("complaint_number_once", Reason::Conflict)?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    see(tx, complaint).await?;
    Ok(true)
}

/// Reads the summary that stands in a conversation under the sequence.
pub async fn handed_over(
    tx: &mut Tx,
    conversation: Id<kind::Conversation>,
    sequence: i64,
    sequences: Vec<i64>,
) -> Result<HandedOver> {
    let row = sqlx::query!(
        "select enterprise_id, unit_path, body from conversation
         join message on conversation_id = conversation.id
         where conversation.id = $1 and sequence = $2",
        conversation.uuid(),
        sequence
    )
    .fetch_one(tx.conn())
    .await?;
    // The notice begins with what it is; the summary follows the colon.
    let summary = row.body.split_once(':').map_or(row.body.as_str(), |(_, summary)| summary);
    Ok(HandedOver {
        conversation,
        enterprise: Id::of(row.enterprise_id),
        unit_path: row.unit_path,
        summary: summary.to_owned(),
        sequences,
    })
}

/// Whether a complaint of this id was filed: the unit of work that files waits for its twin.
pub async fn exists(tx: &mut Tx, id: Id<kind::Complaint>) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        "select exists (select from complaint where id = $1) as \"exists!\"",
        id.uuid()
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Lets every unit above the units concerned see the complaint as it is now. A unit that was
/// concerned once stays able to see how it ended.
async fn see(tx: &mut Tx, complaint: &Complaint) -> Result<()> {
    let lead = complaint.lead.iter().map(|lead| lead.path.as_str());
    let helpers = complaint.helper_paths.iter().map(String::as_str);
    let paths = std::iter::once(complaint.unit_path.as_str()).chain(lead).chain(helpers);
    let mut reaches: Vec<String> = paths.flat_map(reaches).collect();
    reaches.sort_unstable();
    reaches.dedup();
    sqlx::query!(
        "insert into complaint_sight (reach, complaint_id, state, category)
         select reach, $2, $3, $4 from unnest($1::text[]) as reach
         on conflict (reach, complaint_id) do nothing",
        &reaches,
        complaint.id.uuid(),
        complaint.state().wire(),
        complaint.category.wire()
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "update complaint_sight set state = $2, category = $3
         where complaint_id = $1 and (state <> $2 or category <> $3)",
        complaint.id.uuid(),
        complaint.state().wire(),
        complaint.category.wire()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The paths of a unit and of every unit above it.
fn reaches(path: &str) -> impl Iterator<Item = String> + '_ {
    path.match_indices('/').filter_map(|(at, _)| path.get(..=at).map(str::to_owned))
}
