//! Classes of enterprises (measure 6): each from a document, for a time. Rows and their scope; no rule of what a
//! class permits.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use crate::{
    actor::Scope,
    domain::{
        common::{deed::Deed, lifecycle::Note},
        pass::policy::EnterpriseClass,
    },
    error::{Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, common::history},
};

/// A class of an enterprise, from a document, for a time.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Its id.
    pub id: Id<kind::ClassGrant>,
    /// Whose.
    pub enterprise: Id<kind::Enterprise>,
    /// The class.
    pub class: EnterpriseClass,
    /// The document.
    pub source_document: String,
    /// From.
    pub valid_from: Timestamp,
    /// Until, exclusive; earlier where it was ended.
    pub valid_until: Timestamp,
    /// The unit of the officer who granted it.
    pub unit: Id<kind::Unit>,
}

/// The grants of an enterprise that are in force at an instant.
pub async fn at(
    connection: &mut PgConnection,
    enterprise: Id<kind::Enterprise>,
    at: Timestamp,
) -> Result<Vec<Grant>> {
    let rows = sqlx::query!(
        "select class_grant.id, class, source_document, unit_id, valid_from,
            least(valid_until, end_time) as \"valid_until!\"
         from class_grant join officer on officer.id = granted_by
         where enterprise_id = $1 and valid_from <= $2 and $2 < least(valid_until, end_time)
         order by class_grant.id",
        enterprise.uuid(),
        at.to_sqlx()
    )
    .fetch_all(connection)
    .await?;
    let grants = rows.into_iter().map(|row| Grant {
        id: Id::of(row.id),
        enterprise,
        class: row.class,
        source_document: row.source_document,
        valid_from: row.valid_from.to_jiff(),
        valid_until: row.valid_until.to_jiff(),
        unit: Id::of(row.unit_id),
    });
    Ok(grants.collect())
}

/// Stores a grant.
///
/// # Errors
/// `ALREADY_EXISTS` when the enterprise has the class in a part of the time.
pub async fn insert(tx: &mut Tx, grant: &Grant, granted_by: Id<kind::Officer>) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into class_grant (id, enterprise_id, class, source_document, valid_from,
            valid_until, granted_by, create_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        grant.id.uuid(),
        grant.enterprise.uuid(),
        grant.class.wire(),
        grant.source_document,
        grant.valid_from.to_sqlx(),
        grant.valid_until.to_sqlx(),
        granted_by.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("class_grant_once", Reason::AlreadyExists)?;
    let note = Note::public(grant.class.zh()).and_internal(&grant.source_document);
    history::act(tx, grant.id.subject(), Deed::Create, note).await
}

/// Ends a grant within the scope, now.
pub async fn end(
    tx: &mut Tx,
    id: Id<kind::ClassGrant>,
    reason: &str,
    scope: &Scope,
) -> Result<Grant> {
    let now = tx.now();
    let row = sqlx::query!(
        "update class_grant set end_time = $2
         from enterprise, officer
         where class_grant.id = $1 and end_time is null and enterprise.id = enterprise_id
            and officer.id = granted_by
            and ($3 or ($4::text is not null and starts_with(unit_path, $4)))
         returning enterprise_id, class, source_document, officer.unit_id, valid_from",
        id.uuid(),
        now.to_sqlx(),
        scope.all,
        scope.unit_path
    )
    .fetch_optional(tx.conn())
    .await?;
    let row = row.ok_or_else(|| scope.missing(id.subject()))?;
    history::act(tx, id.subject(), Deed::End, Note::internal(reason)).await?;
    Ok(Grant {
        id,
        enterprise: Id::of(row.enterprise_id),
        class: row.class,
        source_document: row.source_document,
        valid_from: row.valid_from.to_jiff(),
        valid_until: now,
        unit: Id::of(row.unit_id),
    })
}
