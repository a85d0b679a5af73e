//! Which files belong to a complaint. The bytes, and who may read them, are the attachments' own.

use sqlx::PgConnection;

use crate::{
    error::{Faults, Flaw, Result},
    id::{Id, kind},
    store::{Tx, enterprise::attachments},
};

/// Binds files to a complaint: complete ones of the same enterprise, which belong to no conversation.
///
/// # Errors
/// `REQUEST_INVALID` on each that is not.
pub async fn link(
    tx: &mut Tx,
    complaint: Id<kind::Complaint>,
    enterprise: Id<kind::Enterprise>,
    files: &[Id<kind::Attachment>],
    sight: &attachments::Sight,
) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    // A file that the caller may not read is absent: nobody reads it by filing with it.
    let ids: Vec<_> = files.iter().map(|file| file.uuid()).collect();
    let seen = attachments::seen(tx.conn(), &ids, sight, now).await?;
    let linked =
        sqlx::query_scalar!(
        "insert into complaint_attachment (complaint_id, enterprise_id, attachment_id, create_time)
         select $1, $2, id, $4 from attachment
         where id = any($3) and id = any($5) and enterprise_id = $2 and conversation_id is null
            and complete_time is not null
         returning attachment_id", complaint.uuid(), enterprise.uuid(), &ids,
        jiff_sqlx::ToSqlx::to_sqlx(now), &seen
    )
        .fetch_all(tx.conn())
        .await?;
    let mut faults = Faults::new();
    for (at, id) in ids.iter().enumerate() {
        faults.check(
            linked.contains(id),
            format!("complaint.attachments[{at}]"),
            Flaw::UnknownValue,
        );
    }
    faults.done()
}

/// The files of a complaint that the caller has read within the scope, but for what was redacted.
pub async fn list(
    connection: &mut PgConnection,
    complaint: Id<kind::Complaint>,
) -> Result<Vec<Id<kind::Attachment>>> {
    let ids = sqlx::query_scalar!(
        "select attachment_id from complaint_attachment
         join attachment on attachment.id = attachment_id
         where complaint_id = $1 and redact_time is null
         order by attachment_id",
        complaint.uuid()
    )
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(Id::of).collect())
}
