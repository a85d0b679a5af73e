//! Where trucks were checked, for whoever is not at the roadside: what was proposed about passes that
//! one decides about, and of enterprises whose file was opened with a reason.

use sqlx::PgConnection;
use uuid::Uuid;

use super::checks::{Check, Filter};
use crate::{error::Result, id::Id};

/// Of whom a reader is told.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The units whose passes the reader decides about.
    pub reach: Option<&'a str>,
    /// The enterprises that were opened with a reason.
    pub enterprises: &'a [Uuid],
}

/// The checks that propose to end a pass within the reach, and those of the trucks of the enterprises:
/// one walk along an index for each plate. Newest first, after the cursor.
pub async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    told: Told<'_>,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Check>> {
    let rows = sqlx::query!(
        "with told as (
            (select proposed.id
             from pass_check_action done
             join pass_check proposed on proposed.id = done.pass_check_id
             join truck_pass pass on pass.id = proposed.truck_pass_id
             where done.propose_revocation and proposed.id < $1 and $2::text is not null
                and starts_with(pass.unit_path, $2)
                and ($4::uuid is null or proposed.checkpoint_id = $4)
                and ($5::text is null or proposed.plate_number = $5)
             order by proposed.id desc
             limit $6)
            union
            (select seen.id
             from (select distinct plate_number as plate from vehicle
                where enterprise_id = any($3)) own
             cross join lateral (
                select pass_check.id from pass_check
                where plate_number = own.plate and pass_check.id < $1
                    and ($4::uuid is null or checkpoint_id = $4)
                    and ($5::text is null or plate_number = $5)
                order by pass_check.id desc
                limit $6
             ) seen
             order by seen.id desc
             limit $6)
         )
         select pass_check.id, pass_check.truck_pass_id, answer, done.action as \"action?\",
            coalesce(done.note, '') as \"note!\"
         from told
         join pass_check on pass_check.id = told.id
         left join pass_check_action done on done.pass_check_id = pass_check.id
         order by pass_check.id desc
         limit $6",
        crate::store::before(after),
        told.reach,
        told.enterprises,
        filter.checkpoint,
        filter.plate_number,
        rows
    )
    .fetch_all(connection)
    .await?;
    let check = rows.into_iter().map(|row| Check {
        id: Id::of(row.id),
        pass: row.truck_pass_id.map(Id::of),
        answer: row.answer,
        action: row.action,
        action_note: row.note,
    });
    Ok(check.collect())
}
