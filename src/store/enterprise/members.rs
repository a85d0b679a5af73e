//! Who acts for an enterprise: members and invitations. Every change touches the member's standing.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use crate::{
    actor::{Role, Scope},
    domain::common::{deed::Deed, lifecycle::Note},
    error::{Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, Vault, common::history, identity::actors},
};

/// A member.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its id.
    pub id: Id<kind::Member>,
    /// Of which enterprise.
    pub enterprise: Id<kind::Enterprise>,
    /// Who.
    pub person: Id<kind::Person>,
    /// The full name.
    pub full_name: String,
    /// The proved phone.
    pub phone: Option<String>,
    /// `LEGAL_REPRESENTATIVE` or `ENTERPRISE_HANDLER`.
    pub role: String,
    /// The item kinds.
    pub scope: Vec<String>,
    /// The end of the authorisation.
    pub valid_until: Option<Timestamp>,
    /// When it was ended.
    pub end_time: Option<Timestamp>,
}

/// What a member is made of.
#[derive(Debug)]
pub struct NewMember<'a> {
    /// Of which enterprise.
    pub enterprise: Id<kind::Enterprise>,
    /// Who.
    pub person: Id<kind::Person>,
    /// The full name.
    pub full_name: &'a str,
    /// The role.
    pub role: Role,
    /// The item kinds.
    pub scope: &'a [String],
    /// The end of the authorisation.
    pub valid_until: Option<Timestamp>,
}

/// Adds a member; it counts from the next call on.
pub async fn insert(tx: &mut Tx, new: NewMember<'_>) -> Result<Member> {
    let (id, now): (Id<kind::Member>, _) = (tx.cx().id(), tx.now());
    let name = tx.vault().seal("full-name", new.full_name.as_bytes(), tx.cx().ids().bytes())?;
    sqlx::query!(
        "insert into member (id, enterprise_id, person_id, full_name_sealed, role, scope,
            valid_until, create_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.uuid(),
        new.enterprise.uuid(),
        new.person.uuid(),
        name,
        new.role.wire(),
        new.scope,
        new.valid_until.map(Timestamp::to_sqlx),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("member_once", Reason::AlreadyExists)
    .on_constraint("member_one_legal_representative", Reason::AlreadyExists)?;
    tx.touch(actors::key(&new.person.to_string()));
    history::act(tx, id.subject(), Deed::Create, Note::none()).await?;
    Ok(Member {
        id,
        enterprise: new.enterprise,
        person: new.person,
        full_name: new.full_name.to_owned(),
        phone: None,
        role: new.role.wire().to_owned(),
        scope: new.scope.to_vec(),
        valid_until: new.valid_until,
        end_time: None,
    })
}

/// The members of an enterprise within the scope, present and past.
pub async fn list(
    connection: &mut PgConnection,
    vault: &Vault,
    enterprise: Id<kind::Enterprise>,
    scope: &Scope,
) -> Result<Vec<Member>> {
    let rows = sqlx::query!(
        "select member.id, person_id, member.full_name_sealed, phone_sealed, role, scope,
            valid_until, end_time
         from member
            join person on person.id = person_id
            join enterprise on enterprise.id = enterprise_id
         where enterprise_id = $1 and ($2 or enterprise_id = any($3)
            or ($4::text is not null and starts_with(unit_path, $4))
            or enterprise_id in (select served_by($5)))
         order by member.id
         limit 500",
        enterprise.uuid(),
        scope.all,
        &scope.enterprises,
        scope.unit_path,
        scope.serving
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let phone = row.phone_sealed.map(|sealed| vault.open_text("phone", &sealed));
            Ok(Member {
                id: Id::of(row.id),
                enterprise,
                person: Id::of(row.person_id),
                full_name: vault.open_text("full-name", &row.full_name_sealed)?,
                phone: phone.transpose()?,
                role: row.role,
                scope: row.scope,
                valid_until: row.valid_until.map(Into::into),
                end_time: row.end_time.map(Into::into),
            })
        })
        .collect()
}

/// Ends an open membership of the caller's enterprises, at once; who represents one stays.
pub async fn end(tx: &mut Tx, id: Id<kind::Member>, scope: &Scope) -> Result<Member> {
    let now = tx.now();
    let row = sqlx::query!(
        "update member set end_time = $2
         where id = $1 and end_time is null and enterprise_id = any($3)
            and role = 'ENTERPRISE_HANDLER'
         returning enterprise_id, person_id, full_name_sealed, role, scope, valid_until",
        id.uuid(),
        now.to_sqlx(),
        &scope.enterprises
    )
    .fetch_optional(tx.conn())
    .await?;
    let row = row.ok_or_else(|| scope.missing(id.subject()))?;
    let person: Id<kind::Person> = Id::of(row.person_id);
    tx.touch(actors::key(&person.to_string()));
    history::act(tx, id.subject(), Deed::End, Note::none()).await?;
    Ok(Member {
        id,
        enterprise: Id::of(row.enterprise_id),
        person,
        full_name: tx.vault().open_text("full-name", &row.full_name_sealed)?,
        phone: None,
        role: row.role,
        scope: row.scope,
        valid_until: row.valid_until.map(Into::into),
        end_time: Some(now),
    })
}

/// Ends every membership of an enterprise whose verification was annulled, and its invitations.
pub async fn end_of_enterprise(tx: &mut Tx, enterprise: Id<kind::Enterprise>) -> Result<()> {
    let now = tx.now();
    let members = sqlx::query!(
        "update member set end_time = $2 where enterprise_id = $1 and end_time is null
         returning id, person_id",
        enterprise.uuid(),
        now.to_sqlx()
    )
    .fetch_all(tx.conn())
    .await?;
    for member in members {
        tx.touch(actors::key(&Id::<kind::Person>::of(member.person_id).to_string()));
        let id = Id::<kind::Member>::of(member.id);
        history::act(tx, id.subject(), Deed::End, Note::none()).await?;
    }
    let invitations = sqlx::query_scalar!(
        "update invitation set expire_time = $2
         where enterprise_id = $1 and accept_time is null and expire_time > $2
         returning id",
        enterprise.uuid(),
        now.to_sqlx()
    )
    .fetch_all(tx.conn())
    .await?;
    for invitation in invitations {
        let id = Id::<kind::Invitation>::of(invitation);
        history::act(tx, id.subject(), Deed::End, Note::none()).await?;
    }
    Ok(())
}

/// An invitation.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Its id.
    pub id: Id<kind::Invitation>,
    /// Of which enterprise.
    pub enterprise: Id<kind::Enterprise>,
    /// Whom.
    pub full_name: String,
    /// By which phone.
    pub phone: String,
    /// The item kinds.
    pub scope: Vec<String>,
    /// The end of the authorisation.
    pub valid_until: Timestamp,
    /// The end of the invitation.
    pub expire_time: Timestamp,
}

/// Stores an invitation.
pub async fn invite(tx: &mut Tx, invitation: &Invitation) -> Result<()> {
    let (now, ids) = (tx.now(), tx.cx().ids().clone());
    let phone = tx.vault().seal("phone", invitation.phone.as_bytes(), ids.bytes())?;
    let name = tx.vault().seal("full-name", invitation.full_name.as_bytes(), ids.bytes())?;
    let index = tx.vault().index("phone", &invitation.phone);
    sqlx::query!(
        "insert into invitation (id, enterprise_id, phone_sealed, phone_index, full_name_sealed,
            scope, valid_until, expire_time, create_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        invitation.id.uuid(),
        invitation.enterprise.uuid(),
        phone,
        index,
        name,
        &invitation.scope,
        invitation.valid_until.to_sqlx(),
        invitation.expire_time.to_sqlx(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    history::act(tx, invitation.id.subject(), Deed::Create, Note::none()).await
}

/// Accepts an open invitation to the person's proved phone; to anybody else it is absent.
pub async fn accept(
    tx: &mut Tx,
    id: Id<kind::Invitation>,
    person: Id<kind::Person>,
    scope: &Scope,
) -> Result<Invitation> {
    let now = tx.now();
    let row = sqlx::query!(
        "update invitation set accept_time = $2
         where id = $1 and accept_time is null and expire_time > $2 and valid_until > $2
            and phone_index = (select phone_index from person where person.id = $3)
         returning enterprise_id, phone_sealed, full_name_sealed, scope, valid_until, expire_time",
        id.uuid(),
        now.to_sqlx(),
        person.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let row = row.ok_or_else(|| scope.missing(id.subject()))?;
    history::act(tx, id.subject(), Deed::Join, Note::none()).await?;
    Ok(Invitation {
        id,
        enterprise: Id::of(row.enterprise_id),
        full_name: tx.vault().open_text("full-name", &row.full_name_sealed)?,
        phone: tx.vault().open_text("phone", &row.phone_sealed)?,
        scope: row.scope,
        valid_until: row.valid_until.to_jiff(),
        expire_time: row.expire_time.to_jiff(),
    })
}
