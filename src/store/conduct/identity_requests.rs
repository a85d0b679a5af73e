//! Requests to be told who a reporter is. Whether one may be confirmed is the domain's.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{PURPOSE, sealed};
use crate::{
    domain::{
        conduct::IdentityRequest,
        identity::proposal::{LAPSES_AFTER, ProposalState},
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, Vault},
};

/// Notes the request.
///
/// # Errors
/// `PROPOSAL_PENDING` when the inspector's own waits already.
pub async fn ask(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    maker: Id<kind::Officer>,
    reason: &str,
) -> Result<Uuid> {
    let (id, now, sealed) = (tx.cx().ids().random(), tx.now(), sealed(tx, reason)?);
    let lapse_time = now.saturating_add(LAPSES_AFTER).unwrap_or(Timestamp::MAX);
    sqlx::query!(
        "insert into conduct.identity_request (id, report_id, maker_id, reason_sealed, state,
            create_time, lapse_time)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id,
        report.uuid(),
        maker.uuid(),
        sealed,
        ProposalState::Proposed.wire(),
        now.to_sqlx(),
        lapse_time.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("identity_request_open_once", Reason::ProposalPending)?;
    Ok(id)
}

/// The requests of a report, the newest first. The caller has read the report.
pub async fn list(
    connection: &mut PgConnection,
    vault: &Vault,
    report: Id<kind::ConductReport>,
) -> Result<Vec<IdentityRequest>> {
    let rows = sqlx::query!(
        "select id, maker_id, reason_sealed, state, checker_id, create_time, lapse_time,
            show_time is not null as \"shown!\"
         from conduct.identity_request
         where report_id = $1
         order by create_time desc, id
         limit 100",
        report.uuid()
    )
    .fetch_all(connection)
    .await?;
    let requests = rows.into_iter().map(|row| {
        Ok(IdentityRequest {
            id: row.id,
            maker: Id::of(row.maker_id),
            reason: vault.open_text(PURPOSE, &row.reason_sealed)?,
            state: row.state,
            checker: row.checker_id.map(Id::of),
            create_time: row.create_time.to_jiff(),
            lapse_time: row.lapse_time.to_jiff(),
            shown: row.shown,
        })
    });
    requests.collect()
}

/// Stores a decision.
///
/// # Errors
/// `SAME_PERSON` for who asked.
pub async fn decide(
    tx: &mut Tx,
    request: Uuid,
    checker: Id<kind::Officer>,
    state: ProposalState,
) -> Result<()> {
    let now = tx.now();
    let decided = sqlx::query!(
        "update conduct.identity_request set state = $2, checker_id = $3, decide_time = $4
         where id = $1 and state = 'PROPOSED'",
        request,
        state.wire(),
        checker.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("identity_request_four_eyes", Reason::SamePerson)?;
    if decided.rows_affected() == 0 { Err(Error::new(Reason::Conflict)) } else { Ok(()) }
}

/// Notes that it was looked at: nobody looks twice.
pub async fn show(tx: &mut Tx, request: Uuid) -> Result<()> {
    let now = tx.now();
    let shown = sqlx::query!(
        "update conduct.identity_request set show_time = $2
         where id = $1 and state = 'CONFIRMED' and show_time is null",
        request,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    if shown.rows_affected() == 0 { Err(Error::new(Reason::Conflict)) } else { Ok(()) }
}

/// Ends what waited in vain.
pub async fn lapse(connection: &mut PgConnection, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "update conduct.identity_request
         set state = 'LAPSED', decide_time = $1
         where lapse_time <= $1 and state = 'PROPOSED'",
        now.to_sqlx()
    )
    .execute(connection)
    .await?;
    Ok(())
}
