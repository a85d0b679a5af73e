//! What nobody should read goes out of everybody's sight, and stays under lock (CO-17); answers that
//! are written once (CO-18); the lists of what is late and what is stuck (CO-20, SD-16).

use jiff::SignedDuration;
use jingqi::surface::service::pb::{
    self,
    complaint::Category,
    redact_complaint_request::{Field, Passage},
};
use sqlx::PgPool;
use tonic::{Code, Status};

use crate::{
    complaints::Service,
    conversations::{open, say},
    harness::{App, User, fields, reason, request_id, to},
    supervision::open_file,
};

const CONTENT: &str = "经办人李小明(手机13905240001)多次来电,李小明称卸货受阻。";

fn passage(field: Field, text: &str) -> Passage {
    Passage { field: field.into(), text: text.to_owned() }
}

async fn redact(by: &User, name: &str, passages: Vec<Passage>) -> Result<pb::Complaint, Status> {
    let request = pb::RedactComplaintRequest {
        name: name.to_owned(),
        passages,
        reason: "含个人信息".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    by.call(request).await
}

async fn filed(desk: &Service) -> String {
    let form = pb::Complaint {
        title: "李小明反映卸货受阻".to_owned(),
        content: CONTENT.to_owned(),
        ..desk.form()
    };
    desk.filed(&desk.boss, form).await.unwrap().name
}

async fn read(by: &User, name: &str, why: &str) -> Result<Vec<pb::ComplaintRedaction>, Status> {
    let request =
        pb::ReadRedactedComplaintRequest { name: name.to_owned(), reason: why.to_owned() };
    let reply = by.call(request).await?;
    Ok(reply.complaint_redactions)
}

async fn accesses(by: &User) -> Vec<pb::ContentAccess> {
    let request = pb::ListContentAccessesRequest::default();
    by.call(request).await.unwrap().content_accesses
}

// CO-17: the passages are gone wherever the complaint is read, and the inspectorate opens the original
// with a reason that the auditor reads.
#[sqlx::test]
async fn a_redacted_passage_is_read_by_nobody_and_kept_under_lock(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let detachment = app.unit_of("321300170000").await;
    let inspector = app.officer("300027", &detachment, &["INSPECTOR"]).await;
    let auditor = app.officer("300028", &detachment, &["AUDITOR"]).await;
    let name = filed(&desk).await;
    // The first answer to a request is kept: it must not bring the passage back.
    let accept = pb::AcceptComplaintRequest {
        name: name.clone(),
        request_id: request_id(),
        ..Default::default()
    };
    desk.assigner.call(accept.clone()).await.unwrap();
    let passages = vec![
        passage(Field::Title, "李小明"),
        passage(Field::Content, "李小明"),
        passage(Field::Content, "13905240001"),
    ];
    let redacted = redact(&desk.assigner, &name, passages).await.unwrap();
    assert_eq!(redacted.title, "■反映卸货受阻");
    assert_eq!(redacted.content, "经办人■(手机■)多次来电,■称卸货受阻。");
    open_file(&inspector, &desk.city.enterprise.to_string()).await;
    app.advance(SignedDuration::from_millis(1));
    for reader in [&desk.boss, &desk.assigner, &desk.leader, &inspector] {
        let shown = desk.get(reader, &name).await.unwrap();
        assert_eq!((&shown.title, &shown.content), (&redacted.title, &redacted.content));
        let list = reader.call(pb::ListComplaintsRequest::default()).await.unwrap().complaints;
        assert_eq!(list[0].content, redacted.content, "{}", reader.name);
    }
    let repeated = desk.assigner.call(accept).await.unwrap();
    assert_eq!((repeated.title, repeated.content), (redacted.title.clone(), redacted.content));
    // In clear it stands nowhere in the tables that lists and searches read.
    for text in ["13905240001", "李小明"] {
        let left = format!(
            "select (select count(*) from complaint where title || content || feedback like '%{text}%')
                + (select count(*) from change where public_note || internal_note like '%{text}%')
                + (select count(*) from meeting_point where title || note like '%{text}%')"
        );
        assert_eq!(app.count(&left).await, 0, "{text}");
    }
    let opened = read(&inspector, &name, "核查信访事项").await.unwrap();
    let said: Vec<_> = opened.iter().map(|it| (it.field(), it.original.as_str())).collect();
    assert_eq!(said, [(Field::Title, "李小明反映卸货受阻"), (Field::Content, CONTENT)]);
    assert_eq!(opened[0].reason, "含个人信息");
    let access = accesses(&auditor).await.remove(0);
    assert_eq!((access.action.as_str(), access.complaint), ("READ_REDACTED", name.clone()));
    assert_eq!((access.officer, access.reason.as_str()), (inspector.name.clone(), "核查信访事项"));
    // The enterprise learns that something was redacted, and not what or why.
    let changes = pb::GetComplaintRequest { name };
    let mut changes = desk.boss.call(to::ListComplaintChanges(changes)).await.unwrap();
    let last = changes.changes.pop().unwrap();
    assert_eq!((last.action.as_str(), last.internal_note.as_str()), ("REDACT", ""));
}

// CO-17: a second redaction keeps the first original; an answer is redacted too, and after the end.
#[sqlx::test]
async fn a_closed_complaint_is_redacted_a_second_time(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let detachment = app.unit_of("321300170000").await;
    let inspector = app.officer("300027", &detachment, &["INSPECTOR"]).await;
    open_file(&inspector, &desk.city.enterprise.to_string()).await;
    app.advance(SignedDuration::from_millis(1));
    let name = desk.in_call_back(&desk.one).await;
    desk.rate_last(pb::SatisfactionLevel::Satisfied, "").await;
    redact(&inspector, &name, vec![passage(Field::Feedback, "早间")]).await.unwrap();
    app.advance(SignedDuration::from_millis(1));
    let again = redact(&inspector, &name, vec![passage(Field::Feedback, "通行证")]).await.unwrap();
    assert_eq!(again.feedback, "已为贵企业增加■卸货时段,■同步更新。");
    let opened = read(&inspector, &name, "核查信访事项").await.unwrap();
    let said: Vec<_> = opened.iter().map(|it| it.original.as_str()).collect();
    assert_eq!(
        said,
        ["已为贵企业增加早间卸货时段,通行证同步更新。", "已为贵企业增加■卸货时段,通行证同步更新。"]
    );
}

// CO-17: nothing is opened without a reason, nor by anybody else, and such a try leaves no access.
#[sqlx::test]
async fn an_original_is_opened_by_the_inspectorate_alone(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = filed(&desk).await;
    redact(&desk.assigner, &name, vec![passage(Field::Content, "李小明")]).await.unwrap();
    let detachment = app.unit_of("321300170000").await;
    let inspector = app.officer("300027", &detachment, &["INSPECTOR"]).await;
    assert_eq!(fields(&read(&inspector, &name, "").await.unwrap_err()), ["reason REQUIRED"]);
    assert_eq!(fields(&read(&inspector, &name, "看看").await.unwrap_err()), ["reason TOO_SHORT"]);
    let elsewhere = app.unit_of("321322170000").await;
    let foreign = app.officer("300029", &elsewhere, &["INSPECTOR"]).await;
    for stranger in [&desk.assigner, &desk.leader, &desk.boss, &foreign] {
        let refused = read(stranger, &name, "核查信访事项").await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", stranger.name);
    }
    assert_eq!(app.count("select count(*) from content_access").await, 0);
    // Under lock in the database too, and never rewritten.
    let clear = "select count(*) from complaint_redaction
        where encode(original_sealed, 'escape') like '%13905240001%'";
    assert_eq!(app.count(clear).await, 0);
}

// CO-17: nor does it come back by the conversation that the complaint grew out of.
#[sqlx::test]
async fn a_redacted_passage_is_gone_from_the_transcript_too(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let conversation = open(&desk).await.name;
    say(&desk.talker, &conversation, "我是李小明,卸货受阻").await.unwrap();
    let request = pb::CreateRequestFromConversationRequest {
        name: conversation,
        summary: "李小明反映卸货受阻".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    desk.talker.call(request).await.unwrap();
    app.run_workers().await;
    let all = pb::ListComplaintsRequest::default();
    let name = desk.boss.call(all).await.unwrap().complaints[0].name.clone();
    let transcript = async || {
        let request = pb::GetComplaintRequest { name: name.clone() };
        let messages = desk.boss.call(to::ListComplaintTranscript(request)).await.unwrap().messages;
        messages.into_iter().map(|message| message.text).collect::<String>()
    };
    assert!(transcript().await.contains("我是李小明"));
    open_file(&desk.inspector, &desk.city.enterprise.to_string()).await;
    app.advance(SignedDuration::from_millis(1));
    redact(&desk.inspector, &name, vec![passage(Field::Content, "李小明")]).await.unwrap();
    let read = transcript().await;
    assert!(read.contains("我是■,卸货受阻") && !read.contains("李小明"), "{read}");
}

#[sqlx::test]
async fn a_wrong_redaction_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = filed(&desk).await;
    let absent = vec![passage(Field::Title, "王大勇"), passage(Field::Content, "13905240001")];
    let absent = redact(&desk.assigner, &name, absent).await.unwrap_err();
    assert_eq!(fields(&absent), ["passages[0].text UNKNOWN_VALUE"]);
    let empty = pb::RedactComplaintRequest {
        name: name.clone(),
        passages: vec![Passage::default()],
        ..Default::default()
    };
    let empty = desk.assigner.call(empty).await.unwrap_err();
    assert_eq!(
        fields(&empty),
        ["passages[0].field REQUIRED", "passages[0].text REQUIRED", "reason REQUIRED"]
    );
    let none = redact(&desk.assigner, &name, Vec::new()).await.unwrap_err();
    assert_eq!(fields(&none), ["passages REQUIRED"]);
    // The assigner of a brigade that merely handles it is not in charge.
    desk.accept(&desk.assigner, &name).await.unwrap();
    desk.assign(&desk.assigner, &name, &desk.other_unit).await.unwrap();
    let elsewhere = app.unit_of("321322170000").await;
    let helper = app.officer("300029", &elsewhere, &["ASSIGNER"]).await;
    let refused = redact(&helper, &name, vec![passage(Field::Content, "李小明")]).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let stale = pb::RedactComplaintRequest {
        name,
        passages: vec![passage(Field::Content, "李小明")],
        reason: "含个人信息".to_owned(),
        etag: "W/\"1\"".to_owned(),
        ..Default::default()
    };
    let stale = desk.assigner.call(stale).await.unwrap_err();
    assert_eq!(reason(&stale), "ETAG_STALE");
}

async fn template(
    by: &User,
    category: Category,
    title: &str,
) -> Result<pb::AnswerTemplate, Status> {
    let request = pb::CreateAnswerTemplateRequest {
        answer_template: Some(pb::AnswerTemplate {
            category: category.into(),
            title: title.to_owned(),
            text: "您反映的事项已办结,如有疑问请联系我们。".to_owned(),
            ..pb::AnswerTemplate::default()
        }),
        request_id: request_id(),
    };
    by.call(request).await
}

async fn templates(by: &User, category: Category) -> Vec<String> {
    let request = pb::ListAnswerTemplatesRequest { category: category.into() };
    let listed = by.call(request).await.unwrap();
    listed.answer_templates.into_iter().map(|template| template.title).collect()
}

// CO-18: an assigner writes an answer once, the handlers of the units below use it often.
#[sqlx::test]
async fn a_prepared_answer_is_used_by_the_units_below(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let of_all = template(&desk.assigner, Category::Help, "通用答复").await.unwrap();
    template(&desk.two, Category::Help, "宿城答复").await.unwrap();
    template(&desk.assigner, Category::Consultation, "咨询答复").await.unwrap();
    assert_eq!(templates(&desk.one, Category::Help).await, ["宿城答复", "通用答复"]);
    assert_eq!(templates(&desk.one, Category::Unspecified).await.len(), 3);
    assert_eq!(templates(&desk.other, Category::Help).await, ["通用答复"]);
    let retire = pb::RetireAnswerTemplateRequest { name: of_all.name, request_id: request_id() };
    // Not by whoever merely uses it, nor by an assigner further down.
    for stranger in [&desk.one, &desk.two] {
        let refused = stranger.call(retire.clone()).await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
    desk.assigner.call(retire).await.unwrap();
    assert_eq!(templates(&desk.other, Category::Help).await, [""; 0]);
    let refused = template(&desk.one, Category::Help, "答复").await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let bare = template(&desk.assigner, Category::Unspecified, "").await.unwrap_err();
    assert_eq!(
        fields(&bare),
        ["answer_template.category REQUIRED", "answer_template.title REQUIRED"]
    );
}

// SD-16, CO-07: the list of what is late, by level, by what is still owed, by who looks.
#[sqlx::test]
async fn what_is_late_is_listed_by_level_and_leaves_the_list_when_it_is_settled(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.file().await.name;
    let step = |level: i32| {
        format!(
            "insert into escalation (id, obligation_id, level, unit_path, due_time, create_time)
             select gen_random_uuid(), id, {level}, unit_path, due_time, now() from obligation
             where kind = 'ACCEPT_COMPLAINT'"
        )
    };
    for level in [1, 2, 3] {
        assert_eq!(app.sql(&step(level)).await, 1);
    }
    let listed = async |by: &User, level: &str, unsettled: bool| {
        let request =
            pb::ListEscalationsRequest { level: level.to_owned(), unsettled, ..Default::default() };
        by.call(request).await.unwrap().escalations.len()
    };
    assert_eq!(listed(&desk.leader, "", true).await, 3);
    assert_eq!(listed(&desk.leader, "RED", true).await, 2);
    assert_eq!(listed(&desk.leader, "CRITICISED", false).await, 0);
    assert_eq!(listed(&desk.other, "", false).await, 0, "another brigade's");
    desk.accept(&desk.assigner, &name).await.unwrap();
    assert_eq!(listed(&desk.leader, "", true).await, 0);
    assert_eq!(listed(&desk.leader, "", false).await, 3);
}
