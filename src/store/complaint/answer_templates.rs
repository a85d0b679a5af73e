//! Answers to complaints that are written once and used often, per category (CO-18).

use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::{
        common::{deed::Deed, lifecycle::Note},
        complaint::Category,
    },
    error::Result,
    id::{Id, kind},
    store::{Tx, common::history},
};

/// More than these are not listed.
const LIST_MAX: i64 = 200;

/// An answer.
#[derive(Debug, Clone)]
pub struct AnswerTemplate {
    /// Its id.
    pub id: Id<kind::AnswerTemplate>,
    /// The writer's unit; those below it use it too.
    pub unit: Id<kind::Unit>,
    /// The path of the unit.
    pub unit_path: String,
    /// For which complaints.
    pub category: Category,
    /// How officers find it.
    pub title: String,
    /// What it says.
    pub text: String,
}

struct Row {
    id: Uuid,
    unit_id: Uuid,
    unit_path: String,
    category: Category,
    title: String,
    body: String,
}

fn entity(row: Row) -> AnswerTemplate {
    AnswerTemplate {
        id: Id::of(row.id),
        unit: Id::of(row.unit_id),
        unit_path: row.unit_path,
        category: row.category,
        title: row.title,
        text: row.body,
    }
}

/// Stores a template of the officer's own unit.
pub async fn insert(
    tx: &mut Tx,
    template: &AnswerTemplate,
    officer: Id<kind::Officer>,
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into answer_template (id, unit_id, unit_path, category, title, body, officer_id,
            create_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        template.id.uuid(),
        template.unit.uuid(),
        template.unit_path,
        template.category.wire(),
        template.title,
        template.text,
        officer.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    history::act(tx, template.id.subject(), Deed::Create, Note::none()).await
}

/// The templates of a unit, and of those above it, by title.
pub async fn list(
    connection: &mut PgConnection,
    unit: Id<kind::Unit>,
    category: Option<Category>,
) -> Result<Vec<AnswerTemplate>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, unit_id, unit_path, category, title, body
         from answer_template
         where retire_time is null and ($2::text is null or category = $2)
            and unit_path in (select reaches(path) from unit where unit.id = $1)
         order by title, id
         limit $3",
        unit.uuid(),
        category.map(Category::wire),
        LIST_MAX
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Retires a template of the units in reach.
pub async fn retire(
    tx: &mut Tx,
    id: Id<kind::AnswerTemplate>,
    scope: &Scope,
) -> Result<AnswerTemplate> {
    let now = tx.now();
    let row = sqlx::query_as!(
        Row,
        "update answer_template set retire_time = $2
         where id = $1 and retire_time is null
            and $3::text is not null and starts_with(unit_path, $3)
         returning id, unit_id, unit_path, category, title, body",
        id.uuid(),
        now.to_sqlx(),
        scope.unit_path
    )
    .fetch_optional(tx.conn())
    .await?;
    let template = entity(row.ok_or_else(|| scope.missing(id.subject()))?);
    history::act(tx, id.subject(), Deed::Retire, Note::none()).await?;
    Ok(template)
}
