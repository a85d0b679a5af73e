//! A database of its own for a run, on the server that is named: made, and dropped again.

use anyhow::{Context as _, Result};
use jingqi::surface::clock::Ids;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Makes one; its address and its name.
pub async fn create(url: &str) -> Result<(String, String)> {
    let database = format!("jingqi_bench_{}", Ids::system().random().simple());
    let mut admin = PgConnection::connect(url).await?;
    let text = format!("create database {database}");
    sqlx::query(AssertSqlSafe(text)).execute(&mut admin).await?;
    Ok((with_database(url, &database)?, database))
}

/// Removes it.
pub async fn remove(url: &str, database: &str) -> Result<()> {
    let mut admin = PgConnection::connect(url).await?;
    let text = format!("drop database if exists {database} with (force)");
    sqlx::query(AssertSqlSafe(text)).execute(&mut admin).await?;
    Ok(())
}

/// The address of another database on the same server.
fn with_database(url: &str, database: &str) -> Result<String> {
    let (head, query) =
        url.split_once('?').map_or((url, None), |(head, query)| (head, Some(query)));
    let (server, _) = head.rsplit_once('/').context("DATABASE_URL names no database")?;
    Ok(query.map_or(format!("{server}/{database}"), |query| format!("{server}/{database}?{query}")))
}
