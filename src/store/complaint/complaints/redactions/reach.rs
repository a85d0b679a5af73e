//! What was written about a complaint outside of its own row: looked through and redacted like the
//! complaint itself. What is written once for ever, the history and the messages of a conversation, stays
//! as it is under lock, and is shown without what was taken out.

use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::complaint::{Channel, Complaint, Field, Original, Passage, Said, going_from, without},
    error::Result,
    id::{Collection as _, Id, kind},
    store::Tx,
};

/// The conversation that a complaint grew out of, and the messages that were handed over.
fn handed_over(complaint: &Complaint) -> (Option<Uuid>, &[i64]) {
    let origin = complaint.origin.as_ref().filter(|(of, _)| of == kind::Conversation::NAME);
    (origin.map(|(_, conversation)| *conversation), &complaint.linked_sequences)
}

/// What it was rated badly for, where that made it.
fn rated(complaint: &Complaint) -> Option<Uuid> {
    let origin = complaint.origin.as_ref().filter(|_| complaint.channel == Channel::Evaluation);
    origin.map(|(_, subject)| *subject)
}

/// Everything that somebody wrote about a complaint elsewhere, and its files. A paper that also proves
/// something for a pass is not the complaint's alone, and none of them.
pub async fn elsewhere(connection: &mut PgConnection, complaint: &Complaint) -> Result<Vec<Said>> {
    let (conversation, sequences) = handed_over(complaint);
    let rows = sqlx::query!(
        "with point as (
            select id, title, note, decision, outcome from meeting_point
            where collection = 'complaints' and subject_id = $1
         ), message as (
            select body, attachment_id from message
            where conversation_id = $3 and sequence = any($4)
         )
         select 'NOTE' as \"field!: Field\", text as \"text!\" from (
            select unnest(array[public_note, internal_note]) as text from change
            where subject_id = $1 or subject_id in (select id from point)
            union
            select unnest(array[reason, basis, note]) from complaint_extension
            where complaint_id = $1
            union
            select review_note from complaint_feedback where complaint_id = $1
            union
            select unnest(array[title, note, decision, outcome]) from point
         ) noted
         union all
         select 'FEEDBACK', feedback from complaint_feedback where complaint_id = $1
         union all
         select 'COMMENT', comment from evaluation
         where (collection = 'complaints' and subject_id = $1) or subject_id = $2
         union all
         select 'MESSAGE', body from message
         union all
         select 'FILE', 'attachments/' || id from (
            select attachment_id as id from complaint_attachment where complaint_id = $1
            union
            select attachment_id from message where attachment_id is not null
         ) file
         where not exists (select from pass_application_attachment where attachment_id = id)",
        complaint.id.uuid(),
        rated(complaint),
        conversation,
        sequences
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| Said { field: row.field, text: row.text }).collect())
}

/// Takes passages out of everything that was written elsewhere; what it said before.
pub(super) async fn redact(
    tx: &mut Tx,
    complaint: &Complaint,
    passages: &[Passage],
) -> Result<Vec<Original>> {
    let mut originals = Vec::new();
    for said in elsewhere(tx.conn(), complaint).await? {
        let going = going_from(passages, said.field);
        let goes = match said.field {
            Field::File => going.contains(&said.text),
            _ => without(&said.text, &going) != said.text,
        };
        if goes {
            originals.push(Original { field: said.field, text: said.text, passages: going });
        }
    }
    let id = complaint.id.uuid();
    let noted = going_from(passages, Field::Note);
    let answered = going_from(passages, Field::Feedback);
    feedbacks(tx, id, &answered, &noted).await?;
    extensions(tx, id, &noted).await?;
    points(tx, id, &noted).await?;
    comments(tx, complaint, &going_from(passages, Field::Comment)).await?;
    let files = originals.iter().filter(|original| original.field == Field::File);
    let files: Vec<Uuid> = files
        .filter_map(|file| Id::<kind::Attachment>::parse(&file.text).ok().map(Id::uuid))
        .collect();
    let now = tx.now();
    sqlx::query!(
        "update attachment set redact_time = $2 where id = any($1) and redact_time is null",
        &files,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(originals)
}

async fn feedbacks(tx: &mut Tx, of: Uuid, answered: &[String], noted: &[String]) -> Result<()> {
    let rows = sqlx::query!(
        "select id, feedback, review_note from complaint_feedback where complaint_id = $1
         for update",
        of
    )
    .fetch_all(tx.conn())
    .await?;
    for row in rows {
        sqlx::query!(
            "update complaint_feedback set feedback = $2, review_note = $3
             where id = $1 and (feedback, review_note) is distinct from ($2, $3)",
            row.id,
            without(&row.feedback, answered),
            without(&row.review_note, noted)
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

async fn extensions(tx: &mut Tx, of: Uuid, noted: &[String]) -> Result<()> {
    let rows = sqlx::query!(
        "select id, reason, basis, note from complaint_extension where complaint_id = $1
         for update",
        of
    )
    .fetch_all(tx.conn())
    .await?;
    for row in rows {
        sqlx::query!(
            "update complaint_extension set reason = $2, basis = $3, note = $4
             where id = $1 and (reason, basis, note) is distinct from ($2, $3, $4)",
            row.id,
            without(&row.reason, noted),
            without(&row.basis, noted),
            without(&row.note, noted)
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

async fn points(tx: &mut Tx, of: Uuid, noted: &[String]) -> Result<()> {
    let rows = sqlx::query!(
        "select id, title, note, decision, outcome from meeting_point
         where collection = 'complaints' and subject_id = $1 order by id for update",
        of
    )
    .fetch_all(tx.conn())
    .await?;
    let now = tx.now();
    for row in rows {
        sqlx::query!(
            "update meeting_point set title = $2, note = $3, decision = $4, outcome = $5,
                update_time = $6, version = version + 1
             where id = $1
                and (title, note, decision, outcome) is distinct from ($2, $3, $4, $5)",
            row.id,
            without(&row.title, noted),
            without(&row.note, noted),
            without(&row.decision, noted),
            without(&row.outcome, noted),
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

async fn comments(tx: &mut Tx, of: &Complaint, going: &[String]) -> Result<()> {
    let rows = sqlx::query!(
        "select id, comment from evaluation
         where (collection = 'complaints' and subject_id = $1) or subject_id = $2
         order by id for update",
        of.id.uuid(),
        rated(of)
    )
    .fetch_all(tx.conn())
    .await?;
    for row in rows {
        sqlx::query!(
            "update evaluation set comment = $2 where id = $1 and comment <> $2",
            row.id,
            without(&row.comment, going)
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}
