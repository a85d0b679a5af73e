//! Which enterprise is served by which post: rows and their scope. No rule of who may bind.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::{
        common::{deed::Deed, lifecycle::Note},
        enterprise::EnterpriseState,
        liaison::BindingSource,
    },
    error::{Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, before, common::history},
};

/// An enterprise and the post that serves it.
#[derive(Debug, Clone)]
pub struct Binding {
    /// Its id.
    pub id: Id<kind::LiaisonBinding>,
    /// The enterprise.
    pub enterprise: Id<kind::Enterprise>,
    /// The post.
    pub post: Id<kind::LiaisonPost>,
    /// How it came about.
    pub source: BindingSource,
    /// When.
    pub create_time: Timestamp,
    /// When it ended.
    pub end_time: Option<Timestamp>,
}

/// Binds an enterprise to a post.
///
/// # Errors
/// `ALREADY_EXISTS` while a binding stands; `BINDING_CODE_INVALID` when the code served before.
pub async fn bind(tx: &mut Tx, binding: &Binding, code: Option<Uuid>) -> Result<()> {
    sqlx::query!(
        "insert into liaison_binding (id, enterprise_id, liaison_post_id, source, code_id,
            create_time)
         values ($1, $2, $3, $4, $5, $6)",
        binding.id.uuid(),
        binding.enterprise.uuid(),
        binding.post.uuid(),
        binding.source.wire(),
        code,
        binding.create_time.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("liaison_binding_once", Reason::AlreadyExists)
    .on_constraint("liaison_binding_code_once", Reason::BindingCodeInvalid)?;
    let note = Note::internal(binding.source.zh());
    history::act(tx, binding.id.subject(), Deed::Create, note).await
}

/// Whether an enterprise is bound to a post.
pub async fn bound(
    tx: &mut Tx,
    enterprise: Id<kind::Enterprise>,
    post: Id<kind::LiaisonPost>,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        "select exists (select from liaison_binding
            where enterprise_id = $1 and liaison_post_id = $2 and end_time is null) as \"is!\"",
        enterprise.uuid(),
        post.uuid()
    )
    .fetch_one(tx.conn())
    .await?)
}

struct BindingRow {
    id: Uuid,
    enterprise_id: Uuid,
    liaison_post_id: Uuid,
    source: BindingSource,
    create_time: Timestamp,
    end_time: Option<jiff_sqlx::Timestamp>,
}

fn binding(row: &BindingRow) -> Binding {
    Binding {
        id: Id::of(row.id),
        enterprise: Id::of(row.enterprise_id),
        post: Id::of(row.liaison_post_id),
        source: row.source,
        create_time: row.create_time,
        end_time: row.end_time.map(Into::into),
    }
}

/// Ends a binding within the scope. The history stays; a new conversation needs a new binding.
pub async fn unbind(
    tx: &mut Tx,
    id: Id<kind::LiaisonBinding>,
    reason: &str,
    scope: &Scope,
) -> Result<Binding> {
    let now = tx.now();
    let row = sqlx::query_as!(
        BindingRow,
        "update liaison_binding set end_time = $2
         where id = $1 and end_time is null and (enterprise_id = any($3)
            or ($4::text is not null and exists (select from liaison_post
                where liaison_post.id = liaison_post_id and starts_with(unit_path, $4))))
         returning id, enterprise_id, liaison_post_id, source, create_time, end_time",
        id.uuid(),
        now.to_sqlx(),
        &scope.enterprises,
        scope.unit_path
    )
    .fetch_optional(tx.conn())
    .await?;
    let ended = binding(&row.ok_or_else(|| scope.missing(id.subject()))?);
    history::act(tx, id.subject(), Deed::End, Note::public(reason)).await?;
    Ok(ended)
}

/// Bindings within the scope, newest first.
pub async fn list(
    connection: &mut PgConnection,
    enterprise: Option<Uuid>,
    post: Option<Uuid>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Binding>> {
    let rows = sqlx::query_as!(
        BindingRow,
        "select id, enterprise_id, liaison_post_id, source, create_time, end_time
         from liaison_binding
         where id < $1 and (enterprise_id = any($2)
                or ($3::text is not null and exists (select from liaison_post
                    where liaison_post.id = liaison_post_id and starts_with(unit_path, $3))))
            and ($4::uuid is null or enterprise_id = $4)
            and ($5::uuid is null or liaison_post_id = $5)
         order by id desc
         limit $6",
        before(after),
        &scope.enterprises,
        scope.unit_path,
        enterprise,
        post,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(binding).collect())
}

/// What decides which posts serve an enterprise.
#[derive(Debug, Clone)]
pub struct Whereabouts {
    /// Its division.
    pub division: String,
    /// Its industry.
    pub industry: String,
    /// Where it stands.
    pub state: EnterpriseState,
}

/// Where an enterprise is, and where it stands.
pub async fn whereabouts(
    tx: &mut Tx,
    enterprise: Id<kind::Enterprise>,
) -> Result<Option<Whereabouts>> {
    let row = sqlx::query!(
        "select division_code, industry, state from enterprise where id = $1",
        enterprise.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Whereabouts {
        division: row.division_code,
        industry: row.industry,
        state: row.state,
    }))
}
