//! Lists of complaints: each a walk along an index, however many there are (SD-16).

use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Row, entity};
use crate::{actor::Scope, domain::complaint::Complaint, error::Result, store::before};

/// What a list is narrowed to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// Only in this state.
    pub state: Option<&'a str>,
    /// Only of this category.
    pub category: Option<&'a str>,
}

/// Complaints within the scope, newest first: one walk along an index, for the police along the
/// sights of the unit. The walk is bounded before anything is joined, or PostgreSQL may walk along
/// the complaints instead, past all those that come before the page.
pub async fn list(
    connection: &mut PgConnection,
    filter: Filter<'_>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Complaint>> {
    let before = before(after);
    if let Some(reach) = &scope.unit_path {
        return list_seen(connection, filter, reach, before, rows).await;
    }
    let mut found = list_own(connection, filter, &scope.enterprises, before, rows).await?;
    // What an officer works on, and what was opened with a reason, in one list.
    found.extend(list_worked_on(connection, filter, scope, before, rows).await?);
    found.sort_unstable_by_key(|complaint| std::cmp::Reverse(complaint.id.uuid()));
    found.dedup_by_key(|complaint| complaint.id);
    found.truncate(usize::try_from(rows).unwrap_or(usize::MAX));
    Ok(found)
}

/// Complaints that an officer works on, along the sights of the officer's unit.
async fn list_worked_on(
    connection: &mut PgConnection,
    filter: Filter<'_>,
    scope: &Scope,
    before: Uuid,
    rows: i64,
) -> Result<Vec<Complaint>> {
    let Some(reach) = &scope.reach else { return Ok(Vec::new()) };
    let rows = select!(
        "from complaint_sight join complaint on complaint.id = complaint_id
         where reach = $1 and complaint_id < $2
            and ($3::text is null or complaint_sight.state = $3)
            and ($4::text is null or complaint_sight.category = $4)
            and works_on($5, $6, handler_id, past_handlers, lead_unit_id, helper_paths, filer)
         order by complaint_id desc limit $7",
        reach,
        before,
        filter.state,
        filter.category,
        scope.officer,
        scope.unit,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

async fn list_seen(
    connection: &mut PgConnection,
    filter: Filter<'_>,
    reach: &str,
    before: Uuid,
    rows: i64,
) -> Result<Vec<Complaint>> {
    let rows = match (filter.state, filter.category) {
        (Some(state), Some(category)) => {
            return list_seen_by_both(connection, (state, category), reach, before, rows).await;
        }
        (Some(state), None) => {
            select!(
                "from (
                    select complaint_id from complaint_sight
                    where reach = $1 and complaint_sight.state = $2 and complaint_id < $3
                    order by complaint_id desc limit $4
                 ) as seen join complaint on complaint.id = complaint_id
                 order by complaint_id desc",
                reach,
                state,
                before,
                rows
            )
            .fetch_all(connection)
            .await?
        }
        (None, Some(category)) => {
            select!(
                "from (
                    select complaint_id from complaint_sight
                    where reach = $1 and complaint_sight.category = $2
                        and complaint_id < $3
                    order by complaint_id desc limit $4
                 ) as seen join complaint on complaint.id = complaint_id
                 order by complaint_id desc",
                reach,
                category,
                before,
                rows
            )
            .fetch_all(connection)
            .await?
        }
        (None, None) => {
            select!(
                "from (
                    select complaint_id from complaint_sight
                    where reach = $1 and complaint_id < $2
                    order by complaint_id desc limit $3
                 ) as seen join complaint on complaint.id = complaint_id
                 order by complaint_id desc",
                reach,
                before,
                rows
            )
            .fetch_all(connection)
            .await?
        }
    };
    Ok(rows.into_iter().map(entity).collect())
}

async fn list_seen_by_both(
    connection: &mut PgConnection,
    (state, category): (&str, &str),
    reach: &str,
    before: Uuid,
    rows: i64,
) -> Result<Vec<Complaint>> {
    let rows = select!(
        "from (
            select complaint_id from complaint_sight
            where reach = $1 and complaint_sight.state = $2
                and complaint_sight.category = $3 and complaint_id < $4
            order by complaint_id desc limit $5
         ) as seen join complaint on complaint.id = complaint_id
         order by complaint_id desc",
        reach,
        state,
        category,
        before,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Complaints of enterprises, one walk along an index for each of them.
async fn list_own(
    connection: &mut PgConnection,
    filter: Filter<'_>,
    enterprises: &[Uuid],
    before: Uuid,
    rows: i64,
) -> Result<Vec<Complaint>> {
    let rows = match (filter.state, filter.category) {
        (Some(state), category) => {
            select!(
                "from unnest($1::uuid[]) as own (enterprise) cross join lateral (
                    select * from complaint
                    where enterprise_id = enterprise and complaint.state = $2 and id < $3
                        and ($4::text is null or complaint.category = $4)
                    order by id desc limit $5
                 ) as complaint
                 order by complaint.id desc limit $5",
                enterprises,
                state,
                before,
                category,
                rows
            )
            .fetch_all(connection)
            .await?
        }
        (None, Some(category)) => {
            select!(
                "from unnest($1::uuid[]) as own (enterprise) cross join lateral (
                    select * from complaint
                    where enterprise_id = enterprise and complaint.category = $2 and id < $3
                    order by id desc limit $4
                 ) as complaint
                 order by complaint.id desc limit $4",
                enterprises,
                category,
                before,
                rows
            )
            .fetch_all(connection)
            .await?
        }
        (None, None) => {
            select!(
                "from unnest($1::uuid[]) as own (enterprise) cross join lateral (
                    select * from complaint
                    where enterprise_id = enterprise and id < $2
                    order by id desc limit $3
                 ) as complaint
                 order by complaint.id desc limit $3",
                enterprises,
                before,
                rows
            )
            .fetch_all(connection)
            .await?
        }
    };
    Ok(rows.into_iter().map(entity).collect())
}

/// Open complaints within the scope, of the same enterprise, with nearly the same title: what may be a duplicate (CO-14).
pub async fn similar(
    connection: &mut PgConnection,
    to: &Complaint,
    scope: &Scope,
) -> Result<Vec<Complaint>> {
    let rows = select!(
        "from complaint
         where enterprise_id = $1 and id <> $2
            and complaint.state in ('SUBMITTED', 'ACCEPTED', 'ASSIGNED', 'RETURNED', 'IN_PROGRESS')
            and (title = $3 or content = $4 or (complaint.category = $5 and create_time > $6))
            and ($7 or enterprise_id = any($8) or exists (
                select from complaint_sight where reach = $9 and complaint_id = complaint.id))
         order by id desc limit 5",
        to.enterprise.uuid(),
        to.id.uuid(),
        to.title,
        to.content,
        to.category.wire(),
        (to.create_time - jiff::SignedDuration::from_hours(24 * 7)).to_sqlx(),
        scope.all,
        &scope.enterprises,
        scope.unit_path
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Transferred ones that have no number of the other system: the list of the stuck (CO-20).
pub async fn stuck(
    connection: &mut PgConnection,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Complaint>> {
    let rows = select!(
        "from complaint
         where complaint.state = 'TRANSFERRED_OUT' and outside_number = '' and id < $1
            and $2::text is not null and starts_with(unit_path, $2)
         order by id desc limit $3",
        before(after),
        scope.unit_path,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}
