//! How complaints of a category are handled, as dated rows. The values where no row speaks are the
//! domain's.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use crate::{
    actor::{Role, Roles},
    domain::{
        common::{deed::Deed, lifecycle::Note},
        complaint::{
            Category, Rules,
            rules::{Needed, limit, limit_text},
        },
    },
    error::{Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, column::unreadable, common::history},
};

/// A dated version.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its id.
    pub id: Id<kind::ComplaintPolicy>,
    /// Of which category.
    pub category: Category,
    /// From when.
    pub valid_from: Timestamp,
    /// What it says.
    pub rules: Rules,
    /// By which document.
    pub source: String,
}

/// The rules in force for a category.
pub async fn in_force(
    connection: &mut PgConnection,
    category: Category,
    now: Timestamp,
) -> Result<Rules> {
    let found = list(connection, Some(category), Some(now), 1).await?;
    let found = found.into_iter().next().map(|policy| policy.rules);
    Ok(found.unwrap_or(Rules::standard(category)))
}

/// Versions, the newest first; with an instant only those that were in force then.
pub async fn list(
    connection: &mut PgConnection,
    category: Option<Category>,
    until: Option<Timestamp>,
    rows: i64,
) -> Result<Vec<Policy>> {
    let rows = sqlx::query!(
        "select id, category, valid_from, accept_limit, assign_limit, sign_limit, handle_limit,
            handle_legal_limit, handle_internal_limit, review_limit, redo_limit, extension_days_max,
            answer_characters_min, needed, intake_roles, reviewer_roles, source
         from complaint_policy
         where ($1::text is null or category = $1) and ($2::timestamptz is null or valid_from <= $2)
         order by valid_from desc, category
         limit $3",
        category.map(Category::wire),
        until.map(Timestamp::to_sqlx),
        rows
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let read = |column: &'static str, text: &str| {
            limit(text).map_err(|_| unreadable("complaint_policy", column, row.id))
        };
        let maybe = |column: &'static str, text: &str| {
            (!text.is_empty()).then(|| read(column, text)).transpose()
        };
        Ok(Policy {
            id: Id::of(row.id),
            category: row.category,
            valid_from: row.valid_from.to_jiff(),
            rules: Rules {
                accept: read("accept_limit", &row.accept_limit)?,
                assign: read("assign_limit", &row.assign_limit)?,
                sign: read("sign_limit", &row.sign_limit)?,
                handle: read("handle_limit", &row.handle_limit)?,
                handle_legal: maybe("handle_legal_limit", &row.handle_legal_limit)?,
                handle_internal: maybe("handle_internal_limit", &row.handle_internal_limit)?,
                review: read("review_limit", &row.review_limit)?,
                redo: read("redo_limit", &row.redo_limit)?,
                extension_days_max: row.extension_days_max,
                answer_characters_min: usize::try_from(row.answer_characters_min)
                    .unwrap_or_default(),
                needed: row.needed.iter().filter_map(|needed| Needed::from_wire(needed)).collect(),
                intake: roles(&row.intake_roles),
                reviewers: roles(&row.reviewer_roles),
            },
            source: row.source,
        })
    });
    rows.collect()
}

fn roles(stored: &[String]) -> Roles {
    stored.iter().filter_map(|role| Role::from_wire(role)).collect()
}

fn names(roles: Roles) -> Vec<String> {
    roles.iter().map(|role| role.wire().to_owned()).collect()
}

/// Adds a version.
///
/// # Errors
/// `ALREADY_EXISTS` when the category has one from the same instant.
pub async fn insert(tx: &mut Tx, policy: &Policy, officer: Id<kind::Officer>) -> Result<()> {
    let now = tx.now();
    let needed: Vec<String> =
        policy.rules.needed.iter().map(|needed| needed.wire().to_owned()).collect();
    sqlx::query!(
        "insert into complaint_policy (id, category, valid_from, accept_limit, assign_limit,
            sign_limit, handle_limit, review_limit, redo_limit, extension_days_max,
            answer_characters_min, source, officer_id, create_time, handle_legal_limit,
            handle_internal_limit, needed, intake_roles, reviewer_roles)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19)",
        policy.id.uuid(),
        policy.category.wire(),
        policy.valid_from.to_sqlx(),
        limit_text(policy.rules.accept),
        limit_text(policy.rules.assign),
        limit_text(policy.rules.sign),
        limit_text(policy.rules.handle),
        limit_text(policy.rules.review),
        limit_text(policy.rules.redo),
        policy.rules.extension_days_max,
        i32::try_from(policy.rules.answer_characters_min).unwrap_or(i32::MAX),
        policy.source,
        officer.uuid(),
        now.to_sqlx(),
        policy.rules.handle_legal.map(limit_text).unwrap_or_default(),
        policy.rules.handle_internal.map(limit_text).unwrap_or_default(),
        &needed,
        &names(policy.rules.intake),
        &names(policy.rules.reviewers)
    )
    .execute(tx.conn())
    .await
    .on_constraint("complaint_policy_dated", Reason::AlreadyExists)?;
    history::act(tx, policy.id.subject(), Deed::Publish, Note::internal(&policy.source)).await
}
