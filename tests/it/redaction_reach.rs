//! Redaction reaches every text that a person wrote about a complaint, wherever it stands, and its
//! pictures (CO-17).

use jiff::SignedDuration;
use jingqi::surface::service::pb::{
    self, SatisfactionLevel as Level,
    redact_complaint_request::{Field, Passage},
};
use sqlx::PgPool;
use tonic::Code;

use crate::{
    attachments::{announce, announced, complete, pictures, read, upload},
    complaints::{Service, step},
    harness::{App, User, request_id, to},
    supervision::open_file,
};

/// Whom nobody should read of.
const NAME: &str = "王小明";

/// What a person writes about a complaint, and as which field it is redacted where it stands.
const REWRITTEN: &[&str] = &[
    "complaint.title",
    "complaint.content",
    "complaint.place",
    "complaint.feedback",
    "complaint.given_feedback",
    "complaint.conclusion",
    "complaint.outside_target",
    "complaint.outside_number",
    "complaint_extension.reason",
    "complaint_extension.basis",
    "complaint_extension.note",
    "complaint_feedback.feedback",
    "complaint_feedback.review_note",
    "evaluation.comment",
    "meeting_point.title",
    "meeting_point.note",
    "meeting_point.decision",
    "meeting_point.outcome",
];
/// What is written once for ever, and shown without what was taken out.
const SHOWN_WITHOUT: &[&str] = &["change.public_note", "change.internal_note", "message.body"];
/// What goes with its file, which nobody opens any more.
const WITH_ITS_FILE: &[&str] = &["attachment.file_name"];
/// Why something was done under lock: read by those alone who open it there.
const UNDER_LOCK: &[&str] =
    &["complaint_redaction.reason", "content_access.reason", "content_access.query"];
/// Names of columns that hold codes, names of resources, paths and days.
const CODES: &[&str] = &[
    "content_type",
    "kind",
    "action",
    "actor",
    "collection",
    "from_state",
    "to_state",
    "method",
    "category",
    "channel",
    "filer",
    "helper_paths",
    "lead_path",
    "number",
    "state",
    "supervision_level",
    "unit_path",
    "field",
    "reach",
    "level",
    "owing_path",
    "detail",
    "sender",
    "creator",
    "subject",
    "calendar_version",
    "internal_limit_text",
    "legal_limit_text",
    "limit_text",
    "cause",
    "limit_moved",
];

// A column that is added is a text that redaction reaches, or is none.
#[sqlx::test]
async fn every_text_of_a_complaint_is_reached_by_redaction(pool: PgPool) {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select table_name::text, column_name::text from information_schema.columns
         where table_schema = 'public' and (data_type in ('text', 'jsonb') or udt_name = '_text')
            and table_name not in ('complaint_policy')
            and table_name in (
                select table_name from information_schema.columns
                where table_schema = 'public' and column_name in
                    ('complaint_id', 'subject_id', 'attachment_id', 'obligation_id')
                union all
                select table_name from information_schema.tables
                where table_schema = 'public'
                    and (table_name like 'complaint%' or table_name = 'attachment'))
         order by 1, 2",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let known = [REWRITTEN, SHOWN_WITHOUT, WITH_ITS_FILE, UNDER_LOCK].concat();
    for (table, column) in &columns {
        let name = format!("{table}.{column}");
        // A coded reason of a step is none of a person's.
        let coded = CODES.contains(&column.as_str()) || name == "change.reason";
        assert_ne!(known.contains(&name.as_str()), coded, "is {name} what a person wrote?");
    }
    let stands = |name: &&&str| columns.iter().any(|(table, it)| format!("{table}.{it}") == **name);
    assert_eq!(known.iter().filter(|name| !stands(name)).count(), 0);
}

/// Where the name stands in clear.
async fn places(app: &App) -> Vec<String> {
    let columns: Vec<String> = sqlx::query_scalar(
        "select table_name || '.' || column_name from information_schema.columns
         where table_schema = 'public' and (data_type in ('text', 'jsonb') or udt_name = '_text')
         order by 1",
    )
    .fetch_all(app.parts.store.pool())
    .await
    .unwrap();
    let mut found = Vec::new();
    for column in columns {
        let (table, name) = column.split_once('.').unwrap();
        let text = format!("select count(*) from {table} where {name}::text like '%{NAME}%'");
        if app.count(&text).await > 0 {
            found.push(column);
        }
    }
    found
}

/// A complaint that went all the way, with the name wherever somebody could write it.
async fn spoken_of(app: &App, desk: &Service) -> (String, String, pb::SubmitEvaluationRequest) {
    let (picture, _) = pictures();
    let paper = pb::Attachment {
        conversation: String::new(),
        enterprise: desk.city.enterprise.to_string(),
        kind: "VEHICLE_LICENCE".to_owned(),
        file_name: format!("{NAME}.png"),
        ..announced("", "image/png", &picture)
    };
    let file = announce(&desk.boss, paper).await.unwrap().name;
    upload(&desk.boss, &file, &picture).await.unwrap();
    complete(&desk.boss, &file).await.unwrap();
    let form = pb::Complaint {
        title: format!("{NAME}反映卸货受阻"),
        content: format!("{NAME}多次来电,称卸货受阻。"),
        place: format!("{NAME}家门口"),
        attachments: vec![file.clone()],
        ..desk.form()
    };
    let name = desk.filed(&desk.boss, form).await.unwrap().name;
    desk.accept(&desk.assigner, &name).await.unwrap();
    let assign = pb::AssignComplaintRequest {
        name: name.clone(),
        lead_unit: desk.lead_unit.clone(),
        note: format!("请联系{NAME}"),
        ..Default::default()
    };
    desk.assigner.call(assign).await.unwrap();
    desk.sign(&desk.one, &name).await.unwrap();
    let ask = pb::RequestComplaintExtensionRequest {
        name: name.clone(),
        days: 2,
        reason: format!("{NAME}外出"),
        basis: format!("{NAME}的说明"),
        request_id: request_id(),
    };
    desk.one.call(ask).await.unwrap();
    let decide = pb::DecideComplaintExtensionRequest {
        name: name.clone(),
        note: format!("{NAME}可电话联系"),
        etag: desk.get(&desk.assigner, &name).await.unwrap().etag,
        ..Default::default()
    };
    desk.assigner.call(decide).await.unwrap();
    let answer = pb::SubmitComplaintFeedbackRequest {
        name: name.clone(),
        feedback: format!("{NAME}反映的卸货时段已调整,通行证同步更新,请查收。"),
        note: format!("已与{NAME}电话确认"),
        ..Default::default()
    };
    desk.one.call(answer.clone()).await.unwrap();
    let rated = argued_over(app, desk, &name, answer).await;
    (name, file, rated)
}

/// Its answer is sent back, given, found wanting, and concluded.
async fn argued_over(
    app: &App,
    desk: &Service,
    name: &str,
    answer: pb::SubmitComplaintFeedbackRequest,
) -> pb::SubmitEvaluationRequest {
    let review = pb::ReviewComplaintFeedbackRequest {
        name: name.to_owned(),
        note: format!("请补充{NAME}的意见"),
        etag: desk.get(&desk.assigner, name).await.unwrap().etag,
        ..Default::default()
    };
    desk.assigner.call(review).await.unwrap();
    desk.one.call(answer).await.unwrap();
    desk.review(&desk.assigner, name, true).await.unwrap();
    let asked = desk.asked(&desk.boss).await.remove(0);
    let rated = pb::SubmitEvaluationRequest {
        name: asked.name,
        level: Level::Dissatisfied.into(),
        comment: format!("{NAME}仍未答复"),
        request_id: request_id(),
        ..Default::default()
    };
    desk.boss.call(rated.clone()).await.unwrap();
    for handler in [&desk.two, &desk.three] {
        desk.again(handler, name).await;
        desk.rate_last(Level::Dissatisfied, &format!("{NAME}仍未解决")).await;
    }
    desk.assigner.call(to::NoteComplaint(step(name, &format!("{NAME}来访")))).await.unwrap();
    let said = format!("'{NAME}'");
    let point =
        format!("update meeting_point set note = {said}, decision = {said}, outcome = {said}");
    assert_eq!(app.sql(&point).await, 1);
    desk.conclude(&desk.leader, name, &format!("已向{NAME}书面说明")).await.unwrap();
    let outside = format!(
        "update complaint set outside_target = {said}, outside_number = {said}, feedback = {said},
            given_feedback = {said}"
    );
    assert_eq!(app.sql(&outside).await, 1);
    rated
}

async fn redact(
    by: &User,
    name: &str,
    passages: Vec<Passage>,
) -> Result<pb::Complaint, tonic::Status> {
    let request = pb::RedactComplaintRequest {
        name: name.to_owned(),
        passages,
        reason: "含个人信息".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    by.call(request).await
}

fn passage(field: Field, text: &str) -> Passage {
    Passage { field: field.into(), text: text.to_owned() }
}

#[sqlx::test]
async fn a_name_that_was_taken_out_stands_nowhere(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let detachment = app.unit_of("321300170000").await;
    let inspector = app.officer("300027", &detachment, &["INSPECTOR"]).await;
    let (name, file, rated) = spoken_of(&app, &desk).await;
    let before = places(&app).await;
    for column in REWRITTEN.iter().filter(|it| **it != "meeting_point.title") {
        assert!(before.contains(&(*column).to_owned()), "{column} was not spoken in: {before:?}");
    }
    assert!(!read(&desk.assigner, &file).await.unwrap().is_empty());
    let passages = vec![passage(Field::Place, NAME), passage(Field::File, &file)];
    redact(&desk.assigner, &name, passages).await.unwrap();
    // The history stays as it was written, and is shown without.
    let history = ["attachment.file_name", "change.internal_note", "change.public_note"];
    assert_eq!(places(&app).await, history);
    open_file(&inspector, &desk.city.enterprise.to_string()).await;
    app.advance(SignedDuration::from_millis(1));
    for reader in [&desk.boss, &desk.assigner, &desk.leader, &desk.one, &inspector] {
        let whole = desk.get(reader, &name).await.unwrap();
        assert_eq!(whole.place, "■家门口");
        assert_eq!(whole.attachments, [""; 0]);
        let request = pb::GetComplaintRequest { name: name.clone() };
        let changes = reader.call(to::ListComplaintChanges(request)).await.unwrap();
        let said = format!("{whole:?} {changes:?}");
        assert!(!said.contains(NAME) && said.contains('■'), "{}: {said}", reader.name);
        let refused = read(reader, &file).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", reader.name);
    }
    let points = pb::ListMeetingPointsRequest::default();
    let points = desk.leader.call(points).await.unwrap();
    let point = points.meeting_points[0].name.clone();
    let request = pb::ListMeetingPointChangesRequest { name: point };
    let changes = desk.leader.call(request).await.unwrap();
    assert!(!format!("{points:?} {changes:?}").contains(NAME));
    let evaluations = pb::ListEvaluationsRequest::default();
    let evaluations = desk.boss.call(evaluations).await.unwrap();
    assert!(!format!("{evaluations:?}").contains(NAME));
    // Nor does a stored answer bring it back.
    let repeated = desk.boss.call(rated).await.unwrap();
    assert_eq!(repeated.comment, "■仍未答复");
    // Under lock stands what each text said.
    let request =
        pb::ReadRedactedComplaintRequest { name, reason: "核查信访事项".to_owned() };
    let opened = inspector.call(request).await.unwrap().complaint_redactions;
    for (field, original) in [
        (Field::Title, format!("{NAME}反映卸货受阻")),
        (Field::Place, format!("{NAME}家门口")),
        (Field::Conclusion, format!("已向{NAME}书面说明")),
        (Field::Note, format!("{NAME}来访")),
        (Field::Note, format!("{NAME}外出")),
        (Field::Comment, format!("{NAME}仍未答复")),
        (Field::File, file),
    ] {
        let stands = opened.iter().any(|it| it.field() == field && it.original == original);
        assert!(stands, "{field:?} {original}: {opened:?}");
    }
}

// What stands only beside the complaint is redacted where it was found; a single character spoils no
// other word.
#[sqlx::test]
async fn a_passage_is_named_where_it_was_found(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_call_back(&desk.one).await;
    desk.rate_last(Level::Satisfied, "谢谢小李").await;
    let absent = redact(&desk.assigner, &name, vec![passage(Field::Title, "小李")]).await;
    assert_eq!(crate::harness::fields(&absent.unwrap_err()), ["passages[0].text UNKNOWN_VALUE"]);
    redact(&desk.assigner, &name, vec![passage(Field::Comment, "小李")]).await.unwrap();
    let spoken = "select count(*) from evaluation where comment = '谢谢■'";
    assert_eq!(app.count(spoken).await, 1);
    redact(&desk.assigner, &name, vec![passage(Field::Note, "话")]).await.unwrap();
    let whole = desk.get(&desk.assigner, &name).await.unwrap();
    assert!(whole.title.contains("卸货"), "{}", whole.title);
    let request = pb::GetComplaintRequest { name };
    let changes = desk.assigner.call(to::ListComplaintChanges(request)).await.unwrap();
    let said = format!("{changes:?}");
    assert!(said.contains("已电■确认") && !said.contains("电话"), "{said}");
}
