//! The next sequence of a read-aloud number. How a number is written stands in `domain::number`.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;

use crate::{
    error::{Error, Result},
    store::Tx,
};

/// The next sequence of the prefix on the day, from 1. Two units of work never get the same one.
pub async fn next(tx: &mut Tx, prefix: &str, day: Date) -> Result<u32> {
    let next = sqlx::query_scalar!(
        "insert into number_sequence (prefix, day, next) values ($1, $2, 2)
         on conflict (prefix, day) do update set next = number_sequence.next + 1
         returning next - 1 as \"sequence!\"",
        prefix,
        day.to_sqlx()
    )
    .fetch_one(tx.conn())
    .await?;
    u32::try_from(next).map_err(Error::internal)
}
