//! The yearly notices that an administrator entered, and the calendar in force: theirs and those of the
//! program itself. A row never changes; what a calendar means is the domain's.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use crate::{
    domain::duty::calendar::{Calendar, CalendarYear},
    error::{Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, common::world},
};

/// A notice as it was entered.
#[derive(Debug, Clone)]
pub struct Entered {
    /// What it says.
    pub notice: CalendarYear,
    /// Who entered it; absent for a notice that is built in.
    pub officer: Option<Id<kind::Officer>>,
    /// When.
    pub create_time: Option<Timestamp>,
}

/// Every version of every year, the newest first; those that are built in are version 1 of theirs.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<Entered>> {
    let rows = sqlx::query!(
        "select year, version, holidays_first as \"holidays_first: Vec<jiff_sqlx::Date>\",
            holidays_last as \"holidays_last: Vec<jiff_sqlx::Date>\",
            makeup_days as \"makeup_days: Vec<jiff_sqlx::Date>\", source, officer_id, create_time
         from calendar_year
         order by year desc, version desc"
    )
    .fetch_all(connection)
    .await?;
    let mut entered = Vec::with_capacity(rows.len());
    for row in rows {
        let days = |days: Vec<jiff_sqlx::Date>| -> Vec<Date> {
            days.into_iter().map(Into::into).collect()
        };
        let holidays = days(row.holidays_first).into_iter().zip(days(row.holidays_last));
        let year = i16::try_from(row.year).unwrap_or_default();
        let version = u32::try_from(row.version).unwrap_or_default();
        let makeup_days = days(row.makeup_days);
        match CalendarYear::new(year, version, holidays.collect(), makeup_days, row.source) {
            Ok(notice) => entered.push(Entered {
                notice,
                officer: Some(Id::of(row.officer_id)),
                create_time: Some(row.create_time.to_jiff()),
            }),
            // A row that somebody spoiled makes its year provisional, and stops no server.
            Err(error) => tracing::error!(year, version, %error, "an unreadable notice"),
        }
    }
    let published = Calendar::published();
    let built_in = published.years().iter().cloned().map(|notice| Entered {
        notice,
        officer: None,
        create_time: None,
    });
    entered.extend(built_in);
    entered.sort_by_key(|one| std::cmp::Reverse((one.notice.year(), one.notice.version())));
    Ok(entered)
}

/// The calendar of all notices, of each year the newest version.
pub async fn in_force(connection: &mut PgConnection) -> Result<Calendar> {
    Ok(Calendar::new(list(connection).await?.into_iter().map(|entered| entered.notice)))
}

/// Enters a notice. It counts on every server when the unit of work has ended.
///
/// # Errors
/// `CONFLICT` when somebody entered the same version at the same time.
pub async fn insert(tx: &mut Tx, notice: &CalendarYear, officer: Id<kind::Officer>) -> Result<()> {
    let now = tx.now();
    let sql = |days: &mut dyn Iterator<Item = Date>| -> Vec<jiff_sqlx::Date> {
        days.map(Date::to_sqlx).collect()
    };
    sqlx::query!(
        "insert into calendar_year (year, version, holidays_first, holidays_last, makeup_days,
            source, officer_id, create_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        i32::from(notice.year()),
        i32::try_from(notice.version()).unwrap_or_default(),
        sql(&mut notice.holidays().iter().map(|&(first, _)| first)) as _,
        sql(&mut notice.holidays().iter().map(|&(_, last)| last)) as _,
        sql(&mut notice.makeup_days().iter().copied()) as _,
        notice.source(),
        officer.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("calendar_year_pkey", Reason::Conflict)?;
    tx.touch(world::KEY.to_owned());
    Ok(())
}
