//! What binds an officer to a report, found when it is to be assigned: units and roles are the present
//! ones. What follows from a tie is the domain's.

use jiff_sqlx::ToSqlx as _;

use super::identities;
use crate::{
    domain::conduct::{ConductReport, Ties},
    error::Result,
    id::{Id, kind},
    store::Tx,
};

/// The ties of an officer to a report.
pub async fn find(tx: &mut Tx, report: &ConductReport, officer: Id<kind::Officer>) -> Result<Ties> {
    let enterprises = identities::enterprises(tx, report.id).await?;
    let matter = report.matter.as_ref().map(|(_, id)| *id);
    let name = officer.to_string();
    let row = sqlx::query!(
        "with candidate as (
            select officer.id, roles, path, reach
            from officer join unit on unit.id = unit_id
            where officer.id = $2 and disable_time is null
         ), concerned as (
            select path from conduct.concerned where report_id = $1
         )
         select
            not exists (select from candidate
                where 'INSPECTOR' = any(roles) and not 'AUXILIARY' = any(roles)) as \"unfit!\",
            exists (select from conduct.accused
                where report_id = $1 and officer_id = $2) as \"accused!\",
            exists (select from candidate, concerned
                where starts_with(candidate.path, concerned.path)) as \"of_accused_unit!\",
            exists (select from candidate, concerned
                where 'UNIT_LEADER' = any(roles) and concerned.path <> candidate.path
                    and starts_with(concerned.path, candidate.path)) as \"leads_above!\",
            (exists (select from change where subject_id = $3 and actor = $4)
                or exists (select from complaint where id = $3
                    and ($2 in (assigner_id, handler_id, reviewer_id)
                        or $2 = any(past_handlers)))
                or exists (select from conversation where id = $3 and assignee_id = $2)
                or exists (select from message
                    where conversation_id = $3 and sender = $4)) as \"handled_matter!\",
            exists (select from conduct.interest
                where report_id = $1 and officer_id = $2) as \"declared!\",
            exists (select from liaison_binding binding
                join liaison_roster roster on roster.liaison_post_id = binding.liaison_post_id
                where roster.officer_id = $2
                    and roster.end_time is null and binding.end_time is null
                    and (binding.enterprise_id = any($5) or binding.enterprise_id in (
                        select enterprise_id from complaint where id = $3
                        union all select enterprise_id from conversation where id = $3
                        union all select enterprise_id from pass_application where id = $3))
                ) as \"liaison!\",
            exists (select from candidate, concerned
                where not (candidate.path <> concerned.path
                        and starts_with(concerned.path, candidate.path))
                    and not (candidate.path <> candidate.reach
                        and starts_with(concerned.path, candidate.reach))) as \"below!\"",
        report.id.uuid(),
        officer.uuid(),
        matter,
        name,
        &enterprises
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Ties {
        unfit: row.unfit,
        accused: row.accused,
        of_accused_unit: row.of_accused_unit,
        leads_above: row.leads_above,
        handled_matter: row.handled_matter,
        declared: row.declared,
        investigated: report.past_investigators.contains(&officer),
        assigned: report.past_assigners.contains(&officer),
        liaison: row.liaison,
        below: row.below,
    })
}

/// Whether an officer may end a report that went upward: no inspector of the inspectorate that gave it
/// away, and bound to it by nothing.
pub async fn free_above(
    tx: &mut Tx,
    report: &ConductReport,
    officer: Id<kind::Officer>,
) -> Result<bool> {
    let inside = sqlx::query_scalar!(
        "select exists (select from officer join unit on unit.id = unit_id
            join conduct.inspectorate on starts_with(unit.path, inspectorate.path)
            where officer.id = $1) as \"inside!\"",
        officer.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(!inside && find(tx, report, officer).await?.conflict().is_none())
}

/// Notes that an officer declared an interest: from now on the report is kept from the officer.
pub async fn declare(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    officer: Id<kind::Officer>,
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into conduct.interest (report_id, officer_id, create_time) values ($1, $2, $3)
         on conflict do nothing",
        report.uuid(),
        officer.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
