//! Proposals: rows, their scope, and who is told of a step. No rule of who may confirm.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::{Role, Roles, Scope},
    domain::{
        common::{
            follow::To,
            lifecycle::Held,
            notice::{Audience, Facts, NoticeEvent},
        },
        identity::proposal::{Act, Asked, Proposal, ProposalState},
    },
    error::{Error, Reason, Result},
    id::{Id, Subject, kind},
    store::{
        OnConstraint as _, Tx, Vault,
        common::notices::{Telling, causes},
        rise,
        steps::Settled,
    },
};

const PURPOSE: &str = "proposal";

struct Row {
    id: Uuid,
    act: Act,
    subject: String,
    unit_path: String,
    request_sealed: Vec<u8>,
    request_digest: Vec<u8>,
    shown: Vec<String>,
    reason: String,
    state: ProposalState,
    maker_id: Uuid,
    maker_roles: Vec<String>,
    checker_id: Option<Uuid>,
    checker_note: String,
    at_once_reason: String,
    effective_time: Option<jiff_sqlx::Timestamp>,
    create_time: Timestamp,
    lapse_time: Timestamp,
    decide_time: Option<jiff_sqlx::Timestamp>,
    version: i64,
}

fn entity(row: Row, vault: &Vault) -> Result<Proposal> {
    let request = vault.open(PURPOSE, &row.request_sealed)?;
    // What is carried out is what was proposed, to the byte.
    if digest(&request) != row.request_digest {
        return Err(Error::internal("a proposal is not what was proposed"));
    }
    Ok(Proposal {
        id: Id::of(row.id),
        act: row.act,
        subject: row.subject,
        unit_path: row.unit_path,
        request: Asked(request),
        shown: row.shown,
        reason: row.reason,
        maker: Id::of(row.maker_id),
        maker_roles: row.maker_roles.iter().filter_map(|role| Role::from_wire(role)).collect(),
        checker: row.checker_id.map(Id::of),
        checker_note: row.checker_note,
        at_once_reason: row.at_once_reason,
        effective_time: row.effective_time.map(Into::into),
        create_time: row.create_time,
        lapse_time: row.lapse_time,
        decide_time: row.decide_time.map(Into::into),
        version: row.version,
        held: Held::row(row.state),
    })
}

macro_rules! select {
    ($($filter:literal)+ $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, act, subject, unit_path, request_sealed, request_digest, shown, reason,
                state, maker_id, maker_roles, checker_id, checker_note, at_once_reason,
                effective_time, create_time, lapse_time, decide_time, version
             from proposal "# $(+ $filter)+
            $(, $argument)*
        )
    };
}

/// The proposal, where it is one's own or of a unit in reach.
macro_rules! seen {
    ($lock:literal, $id:expr, $scope:expr) => {
        select!(
            "where id = $1 and ($2 or maker_id = $3
                or ($4::text is not null and starts_with(unit_path, $4))) " $lock,
            $id.uuid(),
            $scope.all,
            $scope.officer,
            $scope.unit_path
        )
    };
}

/// The digest by which a request is known.
#[must_use]
pub fn digest(request: &[u8]) -> Vec<u8> {
    Sha256::digest(request).to_vec()
}

fn names(roles: Roles) -> Vec<String> {
    roles.iter().map(|role| role.wire().to_owned()).collect()
}

/// Stores a new proposal, and tells whoever may confirm it.
///
/// # Errors
/// `PROPOSAL_PENDING` where the same act on the same thing waits already.
pub async fn insert(tx: &mut Tx, proposal: &Proposal) -> Result<()> {
    let nonce = tx.cx().ids().bytes();
    let sealed = tx.vault().seal(PURPOSE, &proposal.request.0, nonce)?;
    sqlx::query!(
        "insert into proposal (id, act, subject, unit_path, request_sealed, request_digest, shown,
            reason, state, maker_id, maker_roles, checker_note, at_once_reason, create_time,
            lapse_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', '', $12, $13, 1)",
        proposal.id.uuid(),
        proposal.act.wire(),
        proposal.subject,
        proposal.unit_path,
        sealed,
        digest(&proposal.request.0),
        &proposal.shown,
        proposal.reason,
        proposal.state().wire(),
        proposal.maker.uuid(),
        &names(proposal.maker_roles),
        proposal.create_time.to_sqlx(),
        proposal.lapse_time.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("proposal_open_once", Reason::ProposalPending)?;
    Ok(())
}

/// A proposal within the scope: one's own, or of a unit in reach. Whether such acts are shown to the
/// caller at all is the domain's.
pub async fn get(
    connection: &mut PgConnection,
    vault: &Vault,
    id: Id<kind::Proposal>,
    scope: &Scope,
) -> Result<Proposal> {
    let row = seen!("", id, scope).fetch_optional(connection).await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?, vault)
}

/// The same, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::Proposal>, scope: &Scope) -> Result<Proposal> {
    let row = seen!("for update", id, scope).fetch_optional(tx.conn()).await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?, tx.vault())
}

/// One's own proposals, and those of these acts in reach, newest first.
pub async fn list(
    connection: &mut PgConnection,
    vault: &Vault,
    acts: &[Act],
    state: Option<&str>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Proposal>> {
    let acts: Vec<String> = acts.iter().map(|act| act.wire().to_owned()).collect();
    let rows = select!(
        "where id < $1 and (maker_id = $2 or (act = any($3)
                and ($4::text is not null and starts_with(unit_path, $4))))
            and ($5::text is null or state = $5)
         order by id desc
         limit $6",
        crate::store::before(after),
        scope.officer,
        &acts,
        scope.unit_path,
        state,
        rows
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| entity(row, vault)).collect()
}

/// Those that waited until now, the oldest first.
pub async fn overdue(
    connection: &mut PgConnection,
    now: Timestamp,
    rows: i64,
) -> Result<Vec<Id<kind::Proposal>>> {
    let found = sqlx::query_scalar!(
        "select id from proposal where state = 'PROPOSED' and lapse_time <= $1
         order by lapse_time limit $2",
        now.to_sqlx(),
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(Id::of).collect())
}

impl Settled for Proposal {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let updated = sqlx::query!(
            "update proposal set state = $3, checker_id = $4, checker_note = $5, at_once_reason = $6,
                effective_time = $7, decide_time = $8, version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            self.state().wire(),
            self.checker.map(Id::uuid),
            self.checker_note,
            self.at_once_reason,
            self.effective_time.map(Timestamp::to_sqlx),
            self.decide_time.map(Timestamp::to_sqlx)
        )
        .execute(tx.conn())
        .await
        .on_constraint("proposal_four_eyes", Reason::SamePerson)
        .on_constraint("proposal_not_oneself", Reason::SamePerson)?;
        rise(&mut self.version, &updated)?;
        Ok(self)
    }

    async fn told(&self, tx: &mut Tx, event: NoticeEvent, to: To) -> Result<Vec<Telling>> {
        let mut audiences = Vec::new();
        match to {
            // In the nearest unit of each such role.
            To::Checkers => {
                for role in self.act.checkers().iter() {
                    audiences.extend(causes::unit(tx, &self.unit_path, role).await?);
                }
            }
            To::Officer => {
                audiences.extend(Id::parse(&self.subject).ok().map(Audience::Officer));
            }
            _ => audiences.push(Audience::Officer(self.maker)),
        }
        let telling =
            |whom| Telling::of_step(self.id.subject(), self.version, event, whom, Facts::default());
        Ok(audiences.into_iter().map(telling).collect())
    }
}
