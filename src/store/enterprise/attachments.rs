//! Attachments: what is known of a file whose bytes are kept outside PostgreSQL.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::{Actor, Matter, Scope},
    domain::enterprise::attachment::pieces::{Came, Held},
    error::{Error, Result},
    id::{Id, kind},
    store::Tx,
};

/// A file.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Its id; the bytes lie under it.
    pub id: Id<kind::Attachment>,
    /// Whose it is; none of a licence that no claim has bound yet.
    pub enterprise: Option<Id<kind::Enterprise>>,
    /// Who brought a licence.
    pub person: Option<Id<kind::Person>>,
    /// The conversation that it belongs to; absent for a paper.
    pub conversation: Option<Id<kind::Conversation>>,
    /// What it proves.
    pub kind: String,
    /// `image/jpeg`, `image/png`, `application/pdf` or `application/ofd`.
    pub content_type: String,
    /// For people.
    pub file_name: String,
    /// How long it will be.
    pub size_bytes: i64,
    /// What it must hash to.
    pub sha256: Vec<u8>,
    /// The last day of what the paper proves.
    pub valid_until: Option<Date>,
    /// Who announced it; empty where an older version did not keep that.
    pub creator: String,
    /// How much has come.
    pub received_bytes: i64,
    /// How long each piece of it is but the last; absent before the first one, and where an older version
    /// took it, whose pieces lie each by itself.
    pub piece_bytes: Option<i32>,
    /// Whether it is closed.
    pub complete: bool,
    /// What is kept of it, once it was looked through.
    pub stored: Option<Stored>,
}

impl Attachment {
    /// What has come of it.
    #[must_use]
    pub const fn came(&self) -> Came {
        Came { bytes: self.received_bytes, piece_bytes: self.piece_bytes }
    }
}

/// What is kept of a file: without its metadata it is shorter than what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its length.
    pub bytes: i64,
    /// Its digest.
    pub sha256: Vec<u8>,
}

struct Row {
    id: Uuid,
    enterprise_id: Option<Uuid>,
    person_id: Option<Uuid>,
    conversation_id: Option<Uuid>,
    kind: String,
    content_type: String,
    file_name: String,
    size_bytes: i64,
    sha256: Vec<u8>,
    valid_until: Option<jiff_sqlx::Date>,
    creator: String,
    received_bytes: i64,
    piece_bytes: Option<i32>,
    complete: bool,
    stored_bytes: Option<i64>,
    stored_sha256: Option<Vec<u8>>,
}

fn entity(row: Row) -> Attachment {
    Attachment {
        id: Id::of(row.id),
        enterprise: row.enterprise_id.map(Id::of),
        person: row.person_id.map(Id::of),
        conversation: row.conversation_id.map(Id::of),
        kind: row.kind,
        content_type: row.content_type,
        file_name: row.file_name,
        size_bytes: row.size_bytes,
        sha256: row.sha256,
        valid_until: row.valid_until.map(Into::into),
        creator: row.creator,
        received_bytes: row.received_bytes,
        piece_bytes: row.piece_bytes,
        complete: row.complete,
        stored: row
            .stored_bytes
            .zip(row.stored_sha256)
            .map(|(bytes, sha256)| Stored { bytes, sha256 }),
    }
}

/// Who asks for a file: what the caller sees of passes and of requests, and what was opened.
#[derive(Debug, Clone)]
pub struct Sight {
    /// Resource name of the caller: who brought a file reads it.
    reader: String,
    /// Papers of applications, as their item and as the posts give them.
    papers: Scope,
    /// Whose units' open applications are the caller's duty.
    desk: Option<String>,
    /// Files of requests.
    requests: Scope,
    /// What was opened with a reason.
    opened: Scope,
}

impl Sight {
    /// What this caller sees of files.
    #[must_use]
    pub fn of(actor: &Actor) -> Self {
        let opened = matches!(actor, Actor::Officer { .. });
        let opened = if opened { actor.sight_of(Matter::Paper) } else { Scope::default() };
        Self {
            reader: actor.name(),
            papers: actor.scope_of(Matter::Paper),
            desk: actor.scope_of(Matter::Application).unit_path,
            requests: actor.scope_of(Matter::Request),
            opened,
        }
    }

    /// What to answer for an absent file.
    #[must_use]
    pub fn missing(&self, id: Id<kind::Attachment>) -> Error {
        self.papers.missing(id.subject())
    }
}

/// Which of the rows the caller sees, in one place: what belongs to a conversation for who takes part
/// in it; else what the item of the authorisation gives, what one works on, what one's post serves,
/// and what was opened with a reason.
macro_rules! select {
    ($lock:literal, $ids:expr, $sight:expr, $now:expr) => {
        sqlx::query_as!(
            Row,
            r#"select id, enterprise_id, person_id, conversation_id, kind, content_type, file_name, size_bytes, sha256,
                valid_until, creator, received_bytes, piece_bytes,
                complete_time is not null as "complete!", stored_bytes, stored_sha256
             from attachment file
             where id = any($1) and redact_time is null and ($2 or case when conversation_id is null then
                (creator = $3 or person_id = $13 or creator = '' and (enterprise_id = any($4)
                        or $5::text is not null and exists (select from enterprise
                            where enterprise.id = file.enterprise_id
                                and starts_with(unit_path, $5)))
                    or enterprise_id = any($4) and enterprise_id = any($6))
                    and not exists (select from pass_application_attachment linked
                        where linked.attachment_id = file.id)
                    and not exists (select from complaint_attachment linked
                        where linked.attachment_id = file.id)
                or exists (select from pass_application_attachment linked
                    join pass_application filed on filed.id = linked.pass_application_id
                    where linked.attachment_id = file.id and (filed.enterprise_id = any($4)
                        or filed.applicant = $3 or filed.assignee_id = $7
                        or filed.first_reviewer_id = $7
                        or filed.state <> 'DRAFT' and (
                            filed.enterprise_id in (select served_by($8))
                            or filed.enterprise_id = any($9)
                            or $10::text is not null and starts_with(filed.unit_path, $10))
                        or filed.state in ('SUBMITTED', 'NEEDS_CORRECTION', 'ACCEPTED',
                                'FIRST_REVIEW', 'FINAL_REVIEW')
                            and $5::text is not null and starts_with(filed.unit_path, $5)))
                or $5::text is not null and (exists (select from enterprise
                        where enterprise.licence_id = file.id and starts_with(unit_path, $5))
                    or exists (select from vehicle_contest
                        join enterprise on enterprise.id = vehicle_contest.enterprise_id
                        where file.id = any(attachment_ids) and starts_with(unit_path, $5)))
                or exists (select from complaint_attachment linked
                    join complaint filed on filed.id = linked.complaint_id
                    where linked.attachment_id = file.id and (filed.enterprise_id = any($6)
                        or filed.enterprise_id = any($9)
                        or exists (select from complaint_sight
                            where complaint_id = filed.id and reach in ($11, $10))
                        or works_on($7, $12, filed.handler_id, filed.past_handlers,
                            filed.lead_unit_id, filed.helper_paths, filed.filer)))
                else exists (select from conversation
                    where conversation.id = conversation_id
                        and takes_part(conversation.id, conversation.enterprise_id,
                            liaison_post_id, $13, $7, $14)) end) "#
                + $lock,
            $ids,
            $sight.papers.all,
            $sight.reader,
            &$sight.papers.enterprises,
            $sight.desk,
            &$sight.requests.enterprises,
            $sight.papers.officer,
            $sight.papers.serving,
            &$sight.opened.enterprises,
            $sight.opened.unit_path,
            $sight.requests.unit_path,
            $sight.requests.unit,
            $sight.papers.person,
            $now.to_sqlx()
        )
    };
}

/// A file within the sight.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::Attachment>,
    sight: &Sight,
    now: Timestamp,
) -> Result<Attachment> {
    let row = select!("", &[id.uuid()], sight, now).fetch_optional(connection).await?;
    Ok(entity(row.ok_or_else(|| sight.missing(id))?))
}

/// A file within the sight, held until the unit of work ends: two uploads never interleave.
pub async fn lock(tx: &mut Tx, id: Id<kind::Attachment>, sight: &Sight) -> Result<Attachment> {
    let now = tx.now();
    let row = select!("for update", &[id.uuid()], sight, now).fetch_optional(tx.conn()).await?;
    Ok(entity(row.ok_or_else(|| sight.missing(id))?))
}

/// Which of these the caller sees.
pub async fn seen(
    connection: &mut PgConnection,
    ids: &[Uuid],
    sight: &Sight,
    now: Timestamp,
) -> Result<Vec<Uuid>> {
    let rows = select!("", ids, sight, now).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Announces a file.
pub async fn insert(tx: &mut Tx, file: &Attachment) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into attachment (id, enterprise_id, kind, content_type, file_name, size_bytes,
            sha256, valid_until, received_bytes, create_time, conversation_id, creator, person_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11, $12)",
        file.id.uuid(),
        file.enterprise.map(Id::uuid),
        file.kind,
        file.content_type,
        file.file_name,
        file.size_bytes,
        file.sha256,
        file.valid_until.map(Date::to_sqlx),
        now.to_sqlx(),
        file.conversation.map(Id::uuid),
        file.creator,
        file.person.map(Id::uuid)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says how much has come.
pub async fn received(tx: &mut Tx, id: Id<kind::Attachment>, came: Came) -> Result<()> {
    sqlx::query!(
        "update attachment set received_bytes = $2, piece_bytes = $3 where id = $1",
        id.uuid(),
        came.bytes,
        came.piece_bytes
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What an enterprise and whoever announces a file hold already. Until the unit of work ends nobody else
/// announces one for the enterprise. What was begun before the instant is not under way any more.
pub async fn held(
    tx: &mut Tx,
    enterprise: Option<Id<kind::Enterprise>>,
    creator: &str,
    since: Timestamp,
) -> Result<(Held, Held)> {
    // What belongs to no enterprise yet is counted of whoever brings it.
    let whose = enterprise.map_or_else(|| creator.to_owned(), |id| id.uuid().to_string());
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('attachment ' || $1::text, 0))",
        whose
    )
    .execute(tx.conn())
    .await?;
    let own = sqlx::query_as!(
        Held,
        r#"select coalesce(sum(size_bytes), 0)::bigint as "kept!",
            coalesce(sum(size_bytes) filter (
                where complete_time is null and create_time > $2), 0)::bigint as "under_way!"
         from attachment where creator = $1 and creator <> ''"#,
        creator,
        since.to_sqlx()
    )
    .fetch_one(tx.conn())
    .await?;
    let all = sqlx::query_as!(
        Held,
        r#"select coalesce(sum(size_bytes), 0)::bigint as "kept!",
            coalesce(sum(size_bytes) filter (
                where complete_time is null and create_time > $2), 0)::bigint as "under_way!"
         from attachment where enterprise_id = $1"#,
        enterprise.map(Id::uuid),
        since.to_sqlx()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((own, all))
}

/// Takes a file off the books that nobody uses, with the places that drafts had for it. False where
/// something refers to it after all; the unit of work is over then.
pub async fn forget(tx: &mut Tx, id: Uuid) -> Result<bool> {
    sqlx::query!(
        "delete from pass_application_attachment using pass_application
         where attachment_id = $1 and pass_application.id = pass_application_id
            and pass_application.state = 'DRAFT'",
        id
    )
    .execute(tx.conn())
    .await?;
    let deleted = sqlx::query!("delete from attachment where id = $1", id).execute(tx.conn()).await;
    match deleted {
        Ok(deleted) => Ok(deleted.rows_affected() > 0),
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Ok(false),
        Err(error) => Err(Error::from(error)),
    }
}

/// Closes a file, with what is kept of it.
pub async fn complete(tx: &mut Tx, id: Id<kind::Attachment>, stored: &Stored) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update attachment set complete_time = $2, stored_bytes = $3, stored_sha256 = $4
         where id = $1 and complete_time is null",
        id.uuid(),
        now.to_sqlx(),
        stored.bytes,
        stored.sha256
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
