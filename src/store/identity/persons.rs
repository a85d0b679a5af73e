//! Natural persons who signed in with WeChat. Names and phones lie sealed here, and leave masked.

use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use super::actors;
use crate::{
    domain::{
        codes::{Phone, mask},
        common::{deed::Deed, lifecycle::Note},
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{Tx, Vault, common::history},
};

/// A person as the account shows it.
#[derive(Debug, Clone)]
pub struct Person {
    /// The masked name; empty while none is known.
    pub display_name: String,
    /// The masked phone; empty while none is proved.
    pub phone: String,
}

/// The person whom WeChat knows by this openid, made at the first sign-in; the row is held until
/// the unit of work ends.
pub async fn sign_in(tx: &mut Tx, openid: &str) -> Result<Id<kind::Person>> {
    let (id, now): (Id<kind::Person>, _) = (tx.cx().id(), tx.now());
    let index = tx.vault().index("openid", openid);
    // Only to the openid itself can WeChat deliver a message.
    let sealed = tx.vault().seal("openid", openid.as_bytes(), tx.cx().ids().bytes())?;
    // The update holds and returns the row that is there already.
    let id = sqlx::query_scalar!(
        "insert into person (id, openid_index, openid_sealed, create_time)
         values ($1, $2, $3, $4)
         on conflict (openid_index) do update set
            openid_sealed = coalesce(person.openid_sealed, excluded.openid_sealed)
         returning id",
        id.uuid(),
        index,
        sealed,
        now.to_sqlx()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Id::of(id))
}

/// The person itself: nobody else reads it.
pub async fn get(
    connection: &mut PgConnection,
    vault: &Vault,
    id: Id<kind::Person>,
) -> Result<Person> {
    let row =
        sqlx::query!("select full_name_sealed, phone_sealed from person where id = $1", id.uuid())
            .fetch_optional(connection)
            .await?;
    let row = row.ok_or_else(|| Error::new(Reason::Denied).fact("resource", id))?;
    let open = |purpose: &str, sealed: Option<Vec<u8>>| {
        sealed.map(|sealed| vault.open_text(purpose, &sealed)).transpose()
    };
    Ok(Person {
        display_name: open("full-name", row.full_name_sealed)?
            .map(|name| mask::name(&name))
            .unwrap_or_default(),
        phone: open("phone", row.phone_sealed)?
            .map(|phone| mask::phone(&phone))
            .unwrap_or_default(),
    })
}

/// Writes the phone that the person proved. A number belongs to who proved it last: numbers are
/// given to other people, and invitations find people by their number.
pub async fn save_phone(tx: &mut Tx, id: Id<kind::Person>, phone: &Phone) -> Result<()> {
    let index = tx.vault().index("phone", phone.as_str());
    let sealed = tx.vault().seal("phone", phone.as_str().as_bytes(), tx.cx().ids().bytes())?;
    let former = sqlx::query_scalar!(
        "update person set phone_sealed = null, phone_index = null
         where phone_index = $2 and id <> $1
         returning id",
        id.uuid(),
        index
    )
    .fetch_all(tx.conn())
    .await?;
    for former in former {
        let former = Id::<kind::Person>::of(former);
        tx.touch(actors::key(&former.to_string()));
        history::act(tx, former.subject(), Deed::SetPhone, Note::none()).await?;
    }
    sqlx::query!(
        "update person set phone_sealed = $2, phone_index = $3 where id = $1",
        id.uuid(),
        sealed,
        index
    )
    .execute(tx.conn())
    .await?;
    tx.touch(actors::key(&id.to_string()));
    history::act(tx, id.subject(), Deed::SetPhone, Note::internal(phone.mask())).await
}
