//! Requests and complaints (measure 19): the people of the service desk, and the closed loop from the
//! filing to the evaluation. Each step with its refusals stands in `filing`, `handling` and `rating`.

mod fairness;
mod figures;
mod filing;
mod handling;
mod rating;

use jiff::Timestamp;
use jingqi::surface::{
    id::{Id, kind},
    service::pb::{
        self, SatisfactionLevel as Level,
        complaint::{Channel, State},
    },
};
use sqlx::PgPool;
use tonic::Status;

use crate::harness::{App, City, User, request_id, to};

/// The people of the service desk, around a city.
pub struct Service {
    pub city: City,
    /// 交办, of the detachment: in charge of the enterprises of every brigade.
    pub assigner: User,
    pub second_assigner: User,
    /// 承办, two officers of the brigade that leads.
    pub one: User,
    pub two: User,
    pub three: User,
    /// Of another brigade.
    pub other: User,
    pub leader: User,
    /// Of the legal representative's enterprise, and of another one.
    pub boss: User,
    pub rival: User,
    pub rival_enterprise: String,
    pub lead_unit: String,
    pub other_unit: String,
}

impl App {
    /// Puts a service desk into a city.
    pub async fn service(&self) -> Service {
        let city = self.city().await;
        let detachment = self.unit_of("321300170000").await;
        let brigade = self.unit_of("321302170000").await;
        let other = self.unit_of("321322170000").await;
        let rival = self.person().await;
        let rival_enterprise = self.enterprise("91321302MA1XQ0000N", "321322", &other, rival).await;
        self.member(rival_enterprise, rival, "LEGAL_REPRESENTATIVE", &[]).await;
        Service {
            assigner: self.officer("300001", &detachment, &["ASSIGNER"]).await,
            second_assigner: self.officer("300002", &detachment, &["ASSIGNER", "HANDLER"]).await,
            one: self.officer("300003", &brigade, &["HANDLER"]).await,
            two: self.officer("300004", &brigade, &["HANDLER", "ASSIGNER"]).await,
            three: self.officer("300005", &brigade, &["HANDLER"]).await,
            other: self.officer("300006", &other, &["HANDLER"]).await,
            leader: self.officer("300007", &detachment, &["UNIT_LEADER"]).await,
            boss: city.boss.clone(),
            rival: self.user(rival).await,
            rival_enterprise: rival_enterprise.to_string(),
            lead_unit: Id::<kind::Unit>::of(brigade.0).to_string(),
            other_unit: Id::<kind::Unit>::of(other.0).to_string(),
            city,
        }
    }

    pub async fn unit_of(&self, code: &str) -> (uuid::Uuid, String) {
        sqlx::query_as("select id, path from unit where code = $1")
            .bind(code.to_owned())
            .fetch_one(self.parts.store.pool())
            .await
            .unwrap()
    }
}

type Answer = Result<pb::Complaint, Status>;

pub fn step(name: &str, note: &str) -> pb::MoveComplaintRequest {
    pb::MoveComplaintRequest {
        name: name.to_owned(),
        note: note.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as every message has it")]
fn time(at: &str) -> Option<prost_types::Timestamp> {
    let at: Timestamp = at.parse().unwrap();
    Some(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 })
}

/// The steps of the loop, each as one call.
impl Service {
    pub fn form(&self) -> pb::Complaint {
        pb::Complaint {
            enterprise: self.city.enterprise.to_string(),
            category: pb::complaint::Category::Help.into(),
            title: "卸货时段与早高峰冲突".to_owned(),
            content: "厂区卸货只能在早上七点,请协调通行时段。".to_owned(),
            ..pb::Complaint::default()
        }
    }

    pub async fn file(&self) -> pb::Complaint {
        self.filed(&self.boss, self.form()).await.unwrap()
    }

    pub async fn filed(&self, by: &User, form: pb::Complaint) -> Answer {
        let request = pb::FileComplaintRequest { complaint: Some(form), request_id: request_id() };
        by.call(request).await
    }

    pub async fn accept(&self, by: &User, name: &str) -> Answer {
        let request = pb::AcceptComplaintRequest { name: name.to_owned(), ..Default::default() };
        by.call(request).await
    }

    pub async fn assign(&self, by: &User, name: &str, unit: &str) -> Answer {
        let request = pb::AssignComplaintRequest {
            name: name.to_owned(),
            lead_unit: unit.to_owned(),
            note: "请先与企业联系".to_owned(),
            ..Default::default()
        };
        by.call(request).await
    }

    pub async fn sign(&self, by: &User, name: &str) -> Answer {
        by.call(to::SignComplaint(step(name, ""))).await
    }

    pub async fn give_back(&self, by: &User, name: &str) -> Answer {
        let request = pb::ReturnComplaintRequest {
            name: name.to_owned(),
            reason: "不属本单位职责".to_owned(),
            basis: "职责清单第3项".to_owned(),
            ..Default::default()
        };
        by.call(request).await
    }

    pub async fn answer(&self, by: &User, name: &str) -> Answer {
        let request = pb::SubmitComplaintFeedbackRequest {
            name: name.to_owned(),
            feedback: "已为贵企业增加早间卸货时段,通行证同步更新。".to_owned(),
            note: "已电话确认".to_owned(),
            ..Default::default()
        };
        by.call(request).await
    }

    pub async fn review(&self, by: &User, name: &str, approved: bool) -> Answer {
        let request = pb::ReviewComplaintFeedbackRequest {
            name: name.to_owned(),
            approved,
            note: if approved { String::new() } else { "请补充联系结果".to_owned() },
            etag: self.get(by, name).await?.etag,
            request_id: request_id(),
        };
        by.call(request).await
    }

    pub async fn extend(&self, by: &User, name: &str, days: i32) -> Answer {
        let request = pb::RequestComplaintExtensionRequest {
            name: name.to_owned(),
            days,
            reason: "需要会同城管现场踏勘".to_owned(),
            basis: "办理规则第12条".to_owned(),
            request_id: request_id(),
        };
        by.call(request).await
    }

    pub async fn decide(&self, by: &User, name: &str, approved: bool) -> Answer {
        let request = pb::DecideComplaintExtensionRequest {
            name: name.to_owned(),
            approved,
            note: if approved { String::new() } else { "理由不充分".to_owned() },
            request_id: request_id(),
            etag: self.get(by, name).await?.etag,
        };
        by.call(request).await
    }

    pub async fn decline(&self, by: &User, name: &str, note: &str) -> Answer {
        let etag = self.get(by, name).await?.etag;
        let request = pb::MoveComplaintRequest { etag, ..step(name, note) };
        by.call(to::DeclineComplaint(request)).await
    }

    pub async fn conclude(&self, by: &User, name: &str, note: &str) -> Answer {
        let etag = self.get(by, name).await?.etag;
        let request = pb::MoveComplaintRequest { etag, ..step(name, note) };
        by.call(to::ConcludeComplaint(request)).await
    }

    pub async fn supervise(&self, by: &User, name: &str, level: &str, until: &str) -> Answer {
        let request = pb::SuperviseComplaintRequest {
            name: name.to_owned(),
            level: level.to_owned(),
            due_time: time(until),
            note: "列入局督办".to_owned(),
            request_id: request_id(),
        };
        by.call(request).await
    }

    pub async fn get(&self, by: &User, name: &str) -> Answer {
        let request = pb::GetComplaintRequest { name: name.to_owned() };
        by.call(to::GetComplaint(request)).await
    }

    /// What the enterprise was asked and has not answered.
    pub async fn asked(&self, by: &User) -> Vec<pb::ServiceEvaluation> {
        let request = pb::ListEvaluationsRequest {
            state: pb::service_evaluation::State::Invited.into(),
            ..Default::default()
        };
        by.call(request).await.unwrap().evaluations
    }

    pub async fn rate(
        &self,
        by: &User,
        name: &str,
        level: Level,
        comment: &str,
    ) -> Result<pb::ServiceEvaluation, Status> {
        let request = pb::SubmitEvaluationRequest {
            name: name.to_owned(),
            level: level.into(),
            solved: !comment.is_empty() || level != Level::VeryDissatisfied,
            comment: comment.to_owned(),
            request_id: request_id(),
        };
        by.call(request).await
    }

    /// Rates the one thing that the enterprise was asked about.
    pub async fn rate_last(&self, level: Level, comment: &str) -> pb::ServiceEvaluation {
        let asked = self.asked(&self.boss).await;
        self.rate(&self.boss, &asked[0].name, level, comment).await.unwrap()
    }

    /// Files one and lets `handler` hold it.
    pub async fn in_progress(&self, handler: &User) -> String {
        let name = self.file().await.name;
        self.accept(&self.assigner, &name).await.unwrap();
        self.assign(&self.assigner, &name, &self.lead_unit).await.unwrap();
        self.sign(handler, &name).await.unwrap();
        name
    }

    /// Files one and answers it: the enterprise is asked.
    pub async fn in_call_back(&self, handler: &User) -> String {
        let name = self.in_progress(handler).await;
        self.answer(handler, &name).await.unwrap();
        self.review(&self.assigner, &name, true).await.unwrap();
        name
    }

    /// Handles a reopened one once more.
    pub async fn again(&self, handler: &User, name: &str) {
        self.assign(&self.assigner, name, &self.lead_unit).await.unwrap();
        self.sign(handler, name).await.unwrap();
        self.answer(handler, name).await.unwrap();
        self.review(&self.assigner, name, true).await.unwrap();
    }
}

async fn changes(by: &User, name: &str) -> Vec<pb::Change> {
    let request = pb::GetComplaintRequest { name: name.to_owned() };
    by.call(to::ListComplaintChanges(request)).await.unwrap().changes
}

async fn listed(by: &User, request: pb::ListComplaintsRequest) -> Vec<pb::Complaint> {
    by.call(request).await.unwrap().complaints
}

/// Kinds and due times of what is owed now, in Beijing time.
async fn owed(app: &App) -> Vec<(String, String)> {
    sqlx::query_as(
        "select kind, to_char(due_time at time zone 'Asia/Shanghai', 'MM-DD HH24:MI') from obligation
         where meet_time is null and void_time is null order by kind",
    )
    .fetch_all(app.parts.store.pool())
    .await
    .unwrap()
}

fn owes(kind: &str, due: &str) -> (String, String) {
    (kind.to_owned(), due.to_owned())
}

// CO-09, CO-12, CO-16, CO-19: 受理、交办、承办、反馈、评价, with who owes what until when.
// MS-19: measure 19 (评价闭环), whole.
#[sqlx::test]
async fn a_request_goes_round_the_loop_and_is_closed_by_its_evaluation(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    // Tuesday, 10:30.
    let filed = desk.file().await;
    assert!(filed.number.starts_with("SQSQ20261124"), "{}", filed.number);
    assert_eq!((filed.state(), filed.channel()), (State::Submitted, Channel::MiniProgram));
    assert_eq!(owed(&app).await, [owes("ACCEPT_COMPLAINT", "11-26 00:00")]);
    let accepted = desk.accept(&desk.assigner, &filed.name).await.unwrap();
    assert_eq!(accepted.handle_due_time, time("2026-12-02T00:00:00+08:00"));
    let all = [owes("ASSIGN_COMPLAINT", "11-26 00:00"), owes("HANDLE_COMPLAINT", "12-02 00:00")];
    assert_eq!(owed(&app).await, all);
    desk.assign(&desk.assigner, &filed.name, &desk.lead_unit).await.unwrap();
    // Four working hours from 10:30: one and a half before noon, two and a half after 13:30.
    let all = [owes("HANDLE_COMPLAINT", "12-02 00:00"), owes("SIGN_COMPLAINT", "11-24 16:00")];
    assert_eq!(owed(&app).await, all);
    let signed = desk.sign(&desk.one, &filed.name).await.unwrap();
    assert_eq!((signed.state(), &signed.handler), (State::InProgress, &desk.one.name));
    let answered = desk.answer(&desk.one, &filed.name).await.unwrap();
    assert_eq!(answered.state(), State::FeedbackSubmitted);
    assert_eq!(owed(&app).await, [owes("REVIEW_FEEDBACK", "11-26 00:00")]);
    // Officers read what is owed and what was, with the three limits of the handling.
    let mut owed_now = desk.get(&desk.assigner, &filed.name).await.unwrap().obligations;
    owed_now.sort_by(|a, b| a.kind.cmp(&b.kind));
    let standings: Vec<_> =
        owed_now.iter().map(|owed| (owed.kind.as_str(), owed.standing.as_str())).collect();
    let all = [
        ("ACCEPT_COMPLAINT", "MET"),
        ("ASSIGN_COMPLAINT", "MET"),
        ("HANDLE_COMPLAINT", "MET"),
        ("REVIEW_FEEDBACK", "ON_TIME"),
        ("SIGN_COMPLAINT", "MET"),
    ];
    assert_eq!(standings, all);
    assert_eq!(owed_now[2].internal_due_time, time("2026-12-01T00:00:00+08:00"));
    // Sixty days end on a Saturday, and so on the next Monday.
    assert_eq!(owed_now[2].legal_due_time, time("2027-01-26T00:00:00+08:00"));
    assert!(desk.get(&desk.boss, &filed.name).await.unwrap().obligations.is_empty());
    // The enterprise reads the answer when it was approved, and not who handles it.
    let early = desk.get(&desk.boss, &filed.name).await.unwrap();
    assert_eq!((early.feedback.as_str(), early.handler.as_str()), ("", ""));
    desk.review(&desk.assigner, &filed.name, true).await.unwrap();
    let given = desk.get(&desk.boss, &filed.name).await.unwrap();
    assert_eq!(given.state(), State::CallBack);
    assert!(given.feedback.starts_with("已为贵企业"));
    let asked = desk.asked(&desk.boss).await;
    assert_eq!(asked[0].subject, filed.name);
    desk.rate_last(Level::Satisfied, "").await;
    let closed = desk.get(&desk.boss, &filed.name).await.unwrap();
    assert_eq!(closed.state(), State::Closed);
    assert!(closed.close_time.is_some());
    assert_eq!(owed(&app).await, []);
    assert_eq!(app.count("select count(*) from obligation where breach_time is not null").await, 0);
}

// CO-16: the timeline of the enterprise is apart from what officers say among themselves.
#[sqlx::test]
async fn the_enterprise_reads_the_timeline_and_no_internal_note(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    desk.one.call(to::NoteComplaint(step(&name, "企业负责人态度焦急"))).await.unwrap();
    let read = changes(&desk.boss, &name).await;
    let actions: Vec<_> = read.iter().map(|change| change.action.as_str()).collect();
    assert_eq!(actions, ["FILE", "ACCEPT", "ASSIGN", "SIGN"]);
    assert!(read.iter().all(|change| change.internal_note.is_empty()));
    assert!(read.iter().all(|change| !change.actor.contains("officers/")));
    let inside = changes(&desk.assigner, &name).await;
    assert_eq!(inside[4].internal_note, "企业负责人态度焦急");
    assert_eq!(inside[2].internal_note, "请先与企业联系");
}
