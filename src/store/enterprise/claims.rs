//! What a claim of an enterprise needs beside its own row: who claims, the licence, and what its
//! reviewer reads whole.

use sqlx::PgConnection;

use crate::{
    domain::{
        common::{
            deed::Deed,
            lifecycle::{Change, Note},
        },
        enterprise::{EnterpriseState, attachment},
    },
    error::{Error, Flaw, Reason, Result},
    id::{Id, kind},
    store::{Tx, Vault, common::history},
};

/// Who claims.
#[derive(Debug, Clone, Copy)]
pub struct Claimer {
    /// Whether the person has proved a phone.
    pub proved: bool,
    /// How many claims of the person wait.
    pub claims: i64,
}

/// What is known of who claims; the person is held until the unit of work ends, so that two claims at
/// once are counted one after the other.
pub async fn claimer(tx: &mut Tx, person: Id<kind::Person>) -> Result<Claimer> {
    let proved = sqlx::query_scalar!(
        "select phone_index is not null as \"proved!\" from person where id = $1 for update",
        person.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    let claims = sqlx::query_scalar!(
        "select count(*) as \"count!\" from enterprise where applicant_id = $1 and state = 'PENDING'",
        person.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Claimer { proved, claims })
}

/// Binds the licence that the person brought to the claim.
///
/// # Errors
/// Another's licence and one that is absent look alike; an own one that has not come whole is told.
pub async fn bind_licence(
    tx: &mut Tx,
    licence: Id<kind::Attachment>,
    person: Id<kind::Person>,
    enterprise: Id<kind::Enterprise>,
) -> Result<()> {
    let bound = sqlx::query_scalar!(
        "update attachment set enterprise_id = $3
         where id = $1 and person_id = $2 and kind = $4
            and (enterprise_id is null or enterprise_id = $3)
         returning complete_time is not null as \"complete!\"",
        licence.uuid(),
        person.uuid(),
        enterprise.uuid(),
        attachment::LICENCE
    )
    .fetch_optional(tx.conn())
    .await?;
    match bound {
        Some(true) => Ok(()),
        Some(false) => Err(Error::new(Reason::AttachmentIncomplete)),
        None => Err(Error::field("licence", Flaw::UnknownValue)),
    }
}

/// What stands sealed beside a claim.
pub struct Sealed {
    /// The number of the legal representative's document.
    pub document_number: String,
    /// The proved phone of who claims; empty where it was proved by somebody else since.
    pub phone: String,
}

/// Opens what stands sealed beside a claim that the caller has read within the scope.
pub async fn sealed(
    connection: &mut PgConnection,
    vault: &Vault,
    enterprise: Id<kind::Enterprise>,
) -> Result<Sealed> {
    let row = sqlx::query!(
        "select legal_representative_id_sealed, phone_sealed
         from enterprise join person on person.id = applicant_id
         where enterprise.id = $1",
        enterprise.uuid()
    )
    .fetch_one(connection)
    .await?;
    let phone = row.phone_sealed.map(|sealed| vault.open_text("phone", &sealed)).transpose()?;
    Ok(Sealed {
        document_number: vault.open_text("resident-id", &row.legal_representative_id_sealed)?,
        phone: phone.unwrap_or_default(),
    })
}

/// Records that a claim was read whole, and why, before it is shown.
pub async fn record_reading(
    tx: &mut Tx,
    enterprise: Id<kind::Enterprise>,
    state: EnterpriseState,
    reason: String,
) -> Result<()> {
    let change = Change::remark(state, Deed::ReadClaim, Note::internal(reason), tx.cx());
    history::write(tx, enterprise.subject(), &change).await
}

/// The full name of an officer: who is called like the legal representative does not verify.
pub async fn officer_name(tx: &mut Tx, officer: Id<kind::Officer>) -> Result<String> {
    let name =
        sqlx::query_scalar!("select full_name_sealed from officer where id = $1", officer.uuid())
            .fetch_one(tx.conn())
            .await?;
    tx.vault().open_text("full-name", &name)
}
