//! What is told of officers' accounts: to the officer, and to whoever looks after the security of the unit.

use super::{
    Telling,
    causes::{tell_officers, unit},
    tell,
};
use crate::{
    actor::Role,
    domain::common::notice::{Audience, Facts, NoticeEvent},
    error::{Error, Result},
    id::{Id, kind},
    store::Tx,
};

async fn telling(
    tx: &mut Tx,
    officer: Id<kind::Officer>,
    event: NoticeEvent,
) -> Result<(Telling, String)> {
    let row = sqlx::query!(
        "select police_number, path from officer join unit on unit.id = unit_id
         where officer.id = $1",
        officer.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let row = row.ok_or_else(|| Error::internal("an officer who is absent"))?;
    let telling = Telling {
        event,
        audience: Audience::Officer(officer),
        subject: officer.to_string(),
        // Each time is another one.
        cause: format!("{officer}/{}/{}", event.wire(), tx.cx().call),
        facts: Facts { number: row.police_number, ..Facts::default() },
    };
    Ok((telling, row.path))
}

/// Tells the officer; false when this call has told it before.
pub async fn tell_officer(
    tx: &mut Tx,
    officer: Id<kind::Officer>,
    event: NoticeEvent,
) -> Result<bool> {
    let (telling, _) = telling(tx, officer, event).await?;
    tell(tx, &telling).await
}

/// Tells the security administrators of the nearest unit that has any.
pub async fn tell_security(
    tx: &mut Tx,
    officer: Id<kind::Officer>,
    event: NoticeEvent,
) -> Result<()> {
    let (telling, path) = telling(tx, officer, event).await?;
    let to = unit(tx, &path, Role::SecurityAdministrator).await?;
    tell_officers(tx, telling, to).await
}
