//! Requests and complaints (measure 19): the closed loop from the filing to the evaluation, then each
//! refusal. And the people of the service desk.

use jiff::{SignedDuration, Timestamp};
use jingqi::{
    id::{Id, kind},
    service::pb::{
        self, SatisfactionLevel as Level,
        complaint::{Channel, State},
        get_service_figures_request::Grouping,
    },
};
use sqlx::PgPool;
use tonic::{Code, Response, Status};

use crate::harness::{App, City, User, fields, reason, request_id};

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

pub type Answer = Result<pb::Complaint, Status>;

fn opened(answer: Result<Response<pb::Complaint>, Status>) -> Answer {
    answer.map(Response::into_inner)
}

pub fn step(name: &str, note: &str) -> pb::MoveComplaintRequest {
    pb::MoveComplaintRequest {
        name: name.to_owned(),
        note: note.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as every message has it")]
pub fn time(at: &str) -> Option<prost_types::Timestamp> {
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
        opened(by.complaints().file_complaint(request).await)
    }

    pub async fn accept(&self, by: &User, name: &str) -> Answer {
        let request = pb::AcceptComplaintRequest { name: name.to_owned(), ..Default::default() };
        opened(by.complaints().accept_complaint(request).await)
    }

    pub async fn assign(&self, by: &User, name: &str, unit: &str) -> Answer {
        let request = pb::AssignComplaintRequest {
            name: name.to_owned(),
            lead_unit: unit.to_owned(),
            note: "请先与企业联系".to_owned(),
            ..Default::default()
        };
        opened(by.complaints().assign_complaint(request).await)
    }

    pub async fn sign(&self, by: &User, name: &str) -> Answer {
        opened(by.complaints().sign_complaint(step(name, "")).await)
    }

    pub async fn give_back(&self, by: &User, name: &str) -> Answer {
        let request = pb::ReturnComplaintRequest {
            name: name.to_owned(),
            reason: "不属本单位职责".to_owned(),
            basis: "职责清单第3项".to_owned(),
            ..Default::default()
        };
        opened(by.complaints().return_complaint(request).await)
    }

    pub async fn answer(&self, by: &User, name: &str) -> Answer {
        let request = pb::SubmitComplaintFeedbackRequest {
            name: name.to_owned(),
            feedback: "已为贵企业增加早间卸货时段,通行证同步更新。".to_owned(),
            note: "已电话确认".to_owned(),
            ..Default::default()
        };
        opened(by.complaints().submit_complaint_feedback(request).await)
    }

    pub async fn review(&self, by: &User, name: &str, approved: bool) -> Answer {
        let request = pb::ReviewComplaintFeedbackRequest {
            name: name.to_owned(),
            approved,
            note: if approved { String::new() } else { "请补充联系结果".to_owned() },
            etag: self.get(by, name).await?.etag,
            request_id: request_id(),
        };
        opened(by.complaints().review_complaint_feedback(request).await)
    }

    pub async fn extend(&self, by: &User, name: &str, days: i32) -> Answer {
        let request = pb::RequestComplaintExtensionRequest {
            name: name.to_owned(),
            days,
            reason: "需要会同城管现场踏勘".to_owned(),
            basis: "办理规则第12条".to_owned(),
            request_id: request_id(),
        };
        opened(by.complaints().request_complaint_extension(request).await)
    }

    pub async fn decide(&self, by: &User, name: &str, approved: bool) -> Answer {
        let request = pb::DecideComplaintExtensionRequest {
            name: name.to_owned(),
            approved,
            note: if approved { String::new() } else { "理由不充分".to_owned() },
            request_id: request_id(),
            etag: self.get(by, name).await?.etag,
        };
        opened(by.complaints().decide_complaint_extension(request).await)
    }

    pub async fn decline(&self, by: &User, name: &str, note: &str) -> Answer {
        let etag = self.get(by, name).await?.etag;
        let request = pb::MoveComplaintRequest { etag, ..step(name, note) };
        opened(by.complaints().decline_complaint(request).await)
    }

    pub async fn conclude(&self, by: &User, name: &str, note: &str) -> Answer {
        let etag = self.get(by, name).await?.etag;
        let request = pb::MoveComplaintRequest { etag, ..step(name, note) };
        opened(by.complaints().conclude_complaint(request).await)
    }

    pub async fn supervise(&self, by: &User, name: &str, level: &str, until: &str) -> Answer {
        let request = pb::SuperviseComplaintRequest {
            name: name.to_owned(),
            level: level.to_owned(),
            due_time: time(until),
            note: "列入局督办".to_owned(),
            request_id: request_id(),
        };
        opened(by.complaints().supervise_complaint(request).await)
    }

    pub async fn get(&self, by: &User, name: &str) -> Answer {
        let request = pb::GetComplaintRequest { name: name.to_owned() };
        opened(by.complaints().get_complaint(request).await)
    }

    /// What the enterprise was asked and has not answered.
    pub async fn asked(&self, by: &User) -> Vec<pb::ServiceEvaluation> {
        let request = pb::ListEvaluationsRequest {
            state: pb::service_evaluation::State::Invited.into(),
            ..Default::default()
        };
        by.evaluations().list_evaluations(request).await.unwrap().into_inner().evaluations
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
        by.evaluations().submit_evaluation(request).await.map(Response::into_inner)
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

pub async fn changes(by: &User, name: &str) -> Vec<pb::Change> {
    let request = pb::GetComplaintRequest { name: name.to_owned() };
    let listed = by.complaints().list_complaint_changes(request).await.unwrap();
    listed.into_inner().changes
}

pub async fn listed(by: &User, request: pb::ListComplaintsRequest) -> Vec<pb::Complaint> {
    by.complaints().list_complaints(request).await.unwrap().into_inner().complaints
}

/// Kinds and due times of what is owed now, in Beijing time.
pub async fn owed(app: &App) -> Vec<(String, String)> {
    sqlx::query_as(
        "select kind, to_char(due_time at time zone 'Asia/Shanghai', 'MM-DD HH24:MI') from obligation
         where meet_time is null and void_time is null order by kind",
    )
    .fetch_all(app.parts.store.pool())
    .await
    .unwrap()
}

pub fn owes(kind: &str, due: &str) -> (String, String) {
    (kind.to_owned(), due.to_owned())
}

// CO-09, CO-12, CO-16, CO-19: 受理、交办、承办、反馈、评价, with who owes what until when.
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
    desk.one.complaints().note_complaint(step(&name, "企业负责人态度焦急")).await.unwrap();
    let read = changes(&desk.boss, &name).await;
    let actions: Vec<_> = read.iter().map(|change| change.action.as_str()).collect();
    assert_eq!(actions, ["FILE", "ACCEPT", "ASSIGN", "SIGN"]);
    assert!(read.iter().all(|change| change.internal_note.is_empty()));
    assert!(read.iter().all(|change| !change.actor.contains("officers/")));
    let inside = changes(&desk.assigner, &name).await;
    assert_eq!(inside[4].internal_note, "企业负责人态度焦急");
    assert_eq!(inside[2].internal_note, "请先与企业联系");
}

// CO-11, CO-13: whoever is not satisfied is handled again by somebody else, twice; then a leader
// explains in writing.
#[sqlx::test]
async fn who_is_not_satisfied_is_handled_again_by_another_officer_and_then_escalated(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_call_back(&desk.one).await;
    let asked = desk.asked(&desk.boss).await.remove(0);
    // A bad level needs its reason.
    let mute = desk.rate(&desk.boss, &asked.name, Level::Dissatisfied, "").await.unwrap_err();
    assert_eq!(fields(&mute), ["comment REQUIRED"]);
    app.advance(SignedDuration::from_hours(24));
    desk.rate_last(Level::Dissatisfied, "时段仍然不够").await;
    let again = desk.get(&desk.assigner, &name).await.unwrap();
    assert_eq!((again.state(), again.round, again.handler.as_str()), (State::Reopened, 1, ""));
    // Five working days anew, Wednesday to Wednesday.
    assert_eq!(again.handle_due_time, time("2026-12-03T00:00:00+08:00"));
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    let same = desk.sign(&desk.one, &name).await.unwrap_err();
    assert_eq!(reason(&same), "SAME_PERSON");
    desk.sign(&desk.two, &name).await.unwrap();
    desk.answer(&desk.two, &name).await.unwrap();
    desk.review(&desk.assigner, &name, true).await.unwrap();
    desk.rate_last(Level::VeryDissatisfied, "答非所问").await;
    desk.again(&desk.three, &name).await;
    // The third time it is not handled again.
    desk.rate_last(Level::Dissatisfied, "仍未解决").await;
    let escalated = desk.get(&desk.leader, &name).await.unwrap();
    assert_eq!((escalated.state(), escalated.round), (State::Escalated, 2));
    assert_eq!(escalated.supervision_level, "JOINT_MEETING");
    let refused = desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap_err();
    assert_eq!(reason(&refused), "TRANSITION_ILLEGAL");
    let bare = desk.leader.complaints().conclude_complaint(step(&name, "")).await.unwrap_err();
    assert_eq!(fields(&bare), ["etag REQUIRED", "note REQUIRED"]);
    let end = "联席会议决定:增设卸货专用时段,已书面答复企业。";
    desk.conclude(&desk.leader, &name, end).await.unwrap();
    let closed = desk.get(&desk.boss, &name).await.unwrap();
    assert_eq!(closed.state(), State::Closed);
    assert!(closed.conclusion.starts_with("联席会议决定"));
    assert_eq!(owed(&app).await, []);
}

// CO-12: silence ends as UNRATED, and is no satisfaction in the figures.
#[sqlx::test]
async fn silence_closes_as_unrated_and_never_counts_as_satisfied(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_call_back(&desk.one).await;
    app.advance(SignedDuration::from_hours(24 * 7 - 1));
    app.run_workers().await;
    assert_eq!(desk.get(&desk.boss, &name).await.unwrap().state(), State::CallBack);
    app.advance(SignedDuration::from_hours(1));
    app.run_workers().await;
    app.run_workers().await;
    assert_eq!(desk.get(&desk.boss, &name).await.unwrap().state(), State::Closed);
    assert_eq!(changes(&desk.boss, &name).await.last().unwrap().reason, "UNRATED");
    let unrated = "select count(*) from evaluation where state = 'UNRATED' and level is null";
    assert_eq!(app.count(unrated).await, 1);
    // Too late.
    let all = desk
        .boss
        .evaluations()
        .list_evaluations(pb::ListEvaluationsRequest::default())
        .await
        .unwrap();
    let asked = all.into_inner().evaluations.remove(0);
    let late = desk.rate(&desk.boss, &asked.name, Level::Satisfied, "").await.unwrap_err();
    assert_eq!(reason(&late), "NOTHING_TO_RATE");
}

#[sqlx::test]
async fn only_the_enterprise_rates_its_own_and_only_once(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_call_back(&desk.one).await;
    let asked = desk.asked(&desk.boss).await.remove(0);
    for stranger in [&desk.rival, &desk.one, &desk.assigner, &desk.city.handler] {
        let refused = desk.rate(stranger, &asked.name, Level::Satisfied, "").await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", stranger.name);
    }
    desk.rate(&desk.boss, &asked.name, Level::Satisfied, "").await.unwrap();
    let twice = desk.rate(&desk.boss, &asked.name, Level::Dissatisfied, "改主意").await;
    assert_eq!(reason(&twice.unwrap_err()), "NOTHING_TO_RATE");
    assert_eq!(desk.get(&desk.boss, &name).await.unwrap().state(), State::Closed);
}

// I19: whoever handles neither judges, nor assigns, nor extends, nor closes what is his own.
#[sqlx::test]
async fn a_handler_decides_nothing_about_his_own(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    // An officer who may do both by role, in the unit that leads and is in charge of its place.
    let name = desk.in_progress(&desk.two).await;
    desk.extend(&desk.two, &name, 3).await.unwrap();
    let own = desk.decide(&desk.two, &name, true).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    desk.answer(&desk.two, &name).await.unwrap();
    let own = desk.review(&desk.two, &name, true).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    // And not after it was taken from him either.
    desk.review(&desk.assigner, &name, true).await.unwrap();
    desk.rate_last(Level::Dissatisfied, "没有回复").await;
    let own = desk.assign(&desk.two, &name, &desk.lead_unit).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    // Who assigns does not sign.
    let another = desk.file().await.name;
    desk.accept(&desk.two, &another).await.unwrap();
    desk.assign(&desk.two, &another, &desk.lead_unit).await.unwrap();
    assert_eq!(reason(&desk.sign(&desk.two, &another).await.unwrap_err()), "SAME_PERSON");
    // Only who holds it answers; only the unit that leads signs.
    let refused = desk.sign(&desk.other, &another).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    desk.sign(&desk.one, &another).await.unwrap();
    assert_eq!(reason(&desk.answer(&desk.three, &another).await.unwrap_err()), "NOT_ASSIGNEE");
}

// CO-05, CO-09, T18: only a return stops the time; after two returns the assigner decides.
#[sqlx::test]
async fn a_return_with_reason_and_basis_stops_the_time_at_most_twice(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.file().await.name;
    desk.accept(&desk.assigner, &name).await.unwrap();
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    let bare = pb::ReturnComplaintRequest { name: name.clone(), ..Default::default() };
    let bare = desk.one.complaints().return_complaint(bare).await.unwrap_err();
    assert_eq!(fields(&bare), ["basis REQUIRED", "reason REQUIRED"]);
    desk.give_back(&desk.one, &name).await.unwrap();
    // Tuesday to Thursday: two working days.
    app.clock.set("2026-11-26T09:00:00+08:00".parse().unwrap());
    let assigned = desk.assign(&desk.assigner, &name, &desk.other_unit).await.unwrap();
    assert_eq!(assigned.handle_due_time, time("2026-12-04T00:00:00+08:00"));
    let moved =
        "select count(*) from obligation_move where cause = 'PAUSE' and limit_moved = 'PROMISED'";
    assert_eq!(app.count(moved).await, 1);
    // The handler of the first unit still sees how it ends, and does not sign.
    assert_eq!(desk.sign(&desk.one, &name).await.unwrap_err().code(), Code::PermissionDenied);
    desk.give_back(&desk.other, &name).await.unwrap();
    // An answer that is refused starts no new time, a day later either.
    let assigned = desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    assert_eq!(reason(&desk.give_back(&desk.one, &name).await.unwrap_err()), "RETURNS_SPENT");
    desk.sign(&desk.one, &name).await.unwrap();
    desk.answer(&desk.one, &name).await.unwrap();
    app.clock.set("2026-11-27T09:00:00+08:00".parse().unwrap());
    let refused = desk.review(&desk.assigner, &name, false).await.unwrap();
    assert_eq!(refused.state(), State::InProgress);
    assert_eq!(refused.handle_due_time, assigned.handle_due_time);
    assert_eq!(owed(&app).await, [owes("HANDLE_COMPLAINT", "12-04 00:00")]);
}

#[sqlx::test]
async fn an_extension_is_asked_in_time_once_and_within_the_total(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    assert_eq!(reason(&desk.extend(&desk.three, &name, 3).await.unwrap_err()), "NOT_ASSIGNEE");
    for days in [0, 6, 21] {
        let refused = desk.extend(&desk.one, &name, days).await.unwrap_err();
        assert_eq!(fields(&refused), ["days OUT_OF_RANGE"], "{days}");
    }
    desk.extend(&desk.one, &name, 3).await.unwrap();
    let twice = desk.extend(&desk.one, &name, 2).await.unwrap_err();
    assert_eq!(reason(&twice), "EXTENSION_SPENT");
    // Refused, it may be asked for again; the due time stays.
    let refused = desk.decide(&desk.assigner, &name, false).await.unwrap();
    assert_eq!(refused.handle_due_time, time("2026-12-02T00:00:00+08:00"));
    desk.extend(&desk.one, &name, 3).await.unwrap();
    let granted = desk.decide(&desk.assigner, &name, true).await.unwrap();
    assert_eq!(granted.handle_due_time, time("2026-12-05T00:00:00+08:00"));
    assert_eq!(granted.extensions.len(), 2);
    assert_eq!(reason(&desk.extend(&desk.one, &name, 1).await.unwrap_err()), "EXTENSION_SPENT");
    // Another one, a day before the end: too late.
    let late = desk.in_progress(&desk.one).await;
    app.clock.set("2026-12-01T10:00:00+08:00".parse().unwrap());
    assert_eq!(reason(&desk.extend(&desk.one, &late, 2).await.unwrap_err()), "EXTENSION_TOO_LATE");
}

// CO-10: refused with a reason, objected to once.
#[sqlx::test]
async fn a_refusal_has_a_reason_and_may_be_objected_to_once(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.file().await.name;
    let bare = desk.assigner.complaints().decline_complaint(step(&name, "")).await.unwrap_err();
    assert_eq!(fields(&bare), ["etag REQUIRED", "note REQUIRED"]);
    let why = "属市场监管职责,请拨打12345";
    desk.decline(&desk.assigner, &name, why).await.unwrap();
    let read = desk.get(&desk.boss, &name).await.unwrap();
    assert_eq!((read.state(), read.conclusion.as_str()), (State::NotAccepted, why));
    let foreign = desk.rival.complaints().object_to_decline(step(&name, "异议")).await;
    assert_eq!(foreign.unwrap_err().code(), Code::PermissionDenied);
    let objection = step(&name, "通行时段由公安交管部门管理");
    let again = desk.boss.complaints().object_to_decline(objection).await.unwrap().into_inner();
    assert_eq!((again.state(), again.close_time), (State::Submitted, None));
    assert_eq!(owed(&app).await, [owes("ACCEPT_COMPLAINT", "11-26 00:00")]);
    desk.decline(&desk.assigner, &name, why).await.unwrap();
    let spent = desk.boss.complaints().object_to_decline(step(&name, "再异议")).await;
    assert_eq!(reason(&spent.unwrap_err()), "OBJECTION_SPENT");
}

// CO-20: without its number there it stands in the list of the stuck.
#[sqlx::test]
async fn a_transfer_without_a_number_is_in_the_list_of_the_stuck(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.file().await.name;
    let request = |target: &str, number: &str, note: &str| pb::TransferComplaintRequest {
        name: name.clone(),
        target: target.to_owned(),
        outside_number: number.to_owned(),
        note: note.to_owned(),
        ..Default::default()
    };
    let mut client = desk.assigner.complaints();
    let bare = client.transfer_complaint(request("", "", "")).await.unwrap_err();
    assert_eq!(fields(&bare), ["note REQUIRED", "target REQUIRED"]);
    client.transfer_complaint(request("12345", "", "属城管职责,已转12345")).await.unwrap();
    let stuck = client.list_stuck_transfers(pb::ListStuckTransfersRequest::default()).await;
    assert_eq!(stuck.unwrap().into_inner().complaints[0].name, name);
    client.record_transfer_number(request("", "SQ12345-778", "")).await.unwrap();
    let stuck = client.list_stuck_transfers(pb::ListStuckTransfersRequest::default()).await;
    assert!(stuck.unwrap().into_inner().complaints.is_empty());
    let read = desk.get(&desk.boss, &name).await.unwrap();
    assert_eq!(
        (read.state(), read.outside_number.as_str()),
        (State::TransferredOut, "SQ12345-778")
    );
    let twice = client.record_transfer_number(request("", "another", "")).await.unwrap_err();
    assert_eq!(reason(&twice), "TRANSITION_ILLEGAL");
    assert_eq!(owed(&app).await, []);
}

// CO-14.
#[sqlx::test]
async fn a_duplicate_is_found_and_merged_into_an_open_one_of_the_same_enterprise(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let (first, second) = (desk.file().await, desk.file().await);
    let foreign = pb::Complaint { enterprise: desk.rival_enterprise.clone(), ..desk.form() };
    let foreign = desk.filed(&desk.rival, foreign).await.unwrap();
    let request = pb::GetComplaintRequest { name: second.name.clone() };
    let similar = desk.assigner.complaints().list_similar_complaints(request).await.unwrap();
    let similar: Vec<_> =
        similar.into_inner().complaints.into_iter().map(|found| found.name).collect();
    assert_eq!(similar, std::slice::from_ref(&first.name));
    let merge = |into: &str| pb::MergeComplaintRequest {
        name: second.name.clone(),
        into: into.to_owned(),
        ..Default::default()
    };
    let mut client = desk.assigner.complaints();
    for wrong in [&foreign.name, &second.name] {
        let refused = client.merge_complaint(merge(wrong)).await.unwrap_err();
        assert_eq!(reason(&refused), "MERGE_IMPOSSIBLE", "{wrong}");
    }
    let merged = client.merge_complaint(merge(&first.name)).await.unwrap().into_inner();
    assert_eq!((merged.state(), &merged.merged_into), (State::Merged, &first.name));
    let third = desk.file().await;
    desk.boss.complaints().withdraw_complaint(step(&first.name, "已自行解决")).await.unwrap();
    let closed =
        pb::MergeComplaintRequest { name: third.name, into: first.name, ..Default::default() };
    let refused = client.merge_complaint(closed).await.unwrap_err();
    assert_eq!(reason(&refused), "MERGE_IMPOSSIBLE");
}

#[sqlx::test]
async fn a_supervised_one_has_a_day_and_an_urged_one_a_count(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    desk.boss.complaints().urge_complaint(step(&name, "请尽快")).await.unwrap();
    let urged = desk.get(&desk.boss, &name).await.unwrap();
    assert_eq!(urged.urges, 1);
    let foreign = desk.rival.complaints().urge_complaint(step(&name, "")).await.unwrap_err();
    assert_eq!(foreign.code(), Code::PermissionDenied);
    for at in ["2026-11-01T00:00:00+08:00", "2027-03-01T00:00:00+08:00"] {
        let wrong = desk.supervise(&desk.leader, &name, "CITY", at).await.unwrap_err();
        assert_eq!(fields(&wrong), ["due_time OUT_OF_RANGE", "level UNKNOWN_VALUE"], "{at}");
    }
    desk.supervise(&desk.leader, &name, "LISTED", "2026-11-27T18:00:00+08:00").await.unwrap();
    let all = [owes("HANDLE_COMPLAINT", "12-02 00:00"), owes("SUPERVISE_COMPLAINT", "11-27 18:00")];
    assert_eq!(owed(&app).await, all);
    // The enterprise is not told of it.
    assert_eq!(desk.get(&desk.boss, &name).await.unwrap().supervision_level, "");
    assert_eq!(desk.get(&desk.one, &name).await.unwrap().supervision_level, "LISTED");
}

// CO-19, CO-14, SD-17: every fault at once, and every channel.
#[sqlx::test]
async fn whoever_files_is_told_every_fault_at_once(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let empty = desk.filed(&desk.boss, pb::Complaint::default()).await.unwrap_err();
    let all = [
        "complaint.category REQUIRED",
        "complaint.content REQUIRED",
        "complaint.enterprise REQUIRED",
        "complaint.title REQUIRED",
    ];
    assert_eq!(fields(&empty), all);
    let form = || desk.form();
    let clerk = &desk.city.clerk;
    let mute = desk.filed(clerk, form()).await.unwrap_err();
    assert_eq!(fields(&mute), ["complaint.channel REQUIRED"]);
    for channel in [Channel::Window, Channel::Phone] {
        let form = pb::Complaint { channel: channel.into(), ..form() };
        assert_eq!(desk.filed(clerk, form).await.unwrap().channel(), channel);
    }
    let unnumbered = pb::Complaint { channel: Channel::TransferredIn.into(), ..form() };
    let unnumbered = desk.filed(clerk, unnumbered).await.unwrap_err();
    assert_eq!(fields(&unnumbered), ["complaint.outside_number REQUIRED"]);
    for channel in [Channel::Chat, Channel::Evaluation, Channel::Phone] {
        let form = pb::Complaint { channel: channel.into(), ..form() };
        let refused = desk.filed(&desk.boss, form).await.unwrap_err();
        assert_eq!(fields(&refused), ["complaint.channel UNKNOWN_VALUE"]);
    }
    // Another enterprise's, and one in whose matters the handler has no part, look like absent ones.
    for stranger in [&desk.rival, &desk.city.handler, &desk.city.stranger] {
        let refused = desk.filed(stranger, form()).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", stranger.name);
    }
    // A handler who is authorised for requests files, and rates, too.
    let clerk = app.person().await;
    app.member(desk.city.enterprise, clerk, "ENTERPRISE_HANDLER", &["REQUEST"]).await;
    desk.filed(&app.user(clerk).await, form()).await.unwrap();
    let paper = pb::Complaint { attachments: desk.city.attachment_names[..2].to_vec(), ..form() };
    let filed = desk.filed(&desk.boss, paper).await.unwrap();
    assert_eq!(filed.attachments.len(), 2);
    let absent = Id::<kind::Attachment>::of(uuid::Uuid::from_u128(7)).to_string();
    let wrong = pb::Complaint { attachments: vec![absent], ..form() };
    let wrong = desk.filed(&desk.boss, wrong).await.unwrap_err();
    assert_eq!(fields(&wrong), ["complaint.attachments[0] UNKNOWN_VALUE"]);
}

#[sqlx::test]
async fn a_request_id_files_once_and_a_stale_etag_changes_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let request =
        pb::FileComplaintRequest { complaint: Some(desk.form()), request_id: request_id() };
    let mut client = desk.boss.complaints();
    let first = client.file_complaint(request.clone()).await.unwrap().into_inner();
    let again = client.file_complaint(request).await.unwrap().into_inner();
    assert_eq!(first, again);
    assert_eq!(app.count("select count(*) from complaint").await, 1);
    desk.accept(&desk.assigner, &first.name).await.unwrap();
    let stale = pb::AssignComplaintRequest {
        name: first.name.clone(),
        lead_unit: desk.lead_unit.clone(),
        etag: first.etag,
        ..Default::default()
    };
    let stale = desk.assigner.complaints().assign_complaint(stale).await.unwrap_err();
    assert_eq!(reason(&stale), "ETAG_STALE");
    assert_eq!(desk.get(&desk.boss, &first.name).await.unwrap().state(), State::Accepted);
}

// I17: what is filed is in the list of its scope until it is closed, and in nobody else's.
#[sqlx::test]
async fn a_list_shows_what_is_in_scope_by_state_and_category(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    desk.file().await;
    let foreign = pb::Complaint { enterprise: desk.rival_enterprise.clone(), ..desk.form() };
    desk.filed(&desk.rival, foreign).await.unwrap();
    let all = pb::ListComplaintsRequest::default;
    let counts = [
        (&desk.boss, 2),
        (&desk.rival, 1),
        (&desk.assigner, 3),
        (&desk.one, 2),
        (&desk.other, 1),
        (&desk.leader, 3),
    ];
    for (reader, expected) in counts {
        assert_eq!(listed(reader, all()).await.len(), expected, "{}", reader.name);
    }
    let by_state = pb::ListComplaintsRequest { state: State::InProgress.into(), ..all() };
    for reader in [&desk.boss, &desk.assigner, &desk.one] {
        let found = listed(reader, by_state.clone()).await;
        assert_eq!(found.iter().map(|found| &found.name).collect::<Vec<_>>(), [&name]);
    }
    let category = pb::complaint::Category::Urgent.into();
    let none = pb::ListComplaintsRequest { category, ..all() };
    assert!(listed(&desk.assigner, none).await.is_empty());
    let absent = desk.get(&desk.rival, &name).await.unwrap_err();
    let nowhere = Id::<kind::Complaint>::of(uuid::Uuid::from_u128(1)).to_string();
    let nowhere = desk.get(&desk.rival, &nowhere).await.unwrap_err();
    assert_eq!((absent.code(), absent.message()), (nowhere.code(), nowhere.message()));
}

// CO-01: limits, lengths and extension of a category are dated rows with a source.
#[sqlx::test]
async fn a_policy_of_a_category_counts_from_its_day(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let policy = pb::ComplaintPolicy {
        category: pb::complaint::Category::Help.into(),
        valid_from: time("2026-11-25T00:00:00+08:00"),
        handle_limit: "WORKING_DAYS:3".to_owned(),
        answer_characters_min: Some(30),
        needed: vec!["PLACE".to_owned()],
        reviewer_roles: vec!["UNIT_LEADER".to_owned()],
        source: "宿公通〔2026〕12号".to_owned(),
        ..Default::default()
    };
    let publish = |policy: pb::ComplaintPolicy| pb::PublishComplaintPolicyRequest {
        complaint_policy: Some(policy),
        request_id: request_id(),
    };
    let mut client = desk.leader.complaints();
    let wrong = pb::ComplaintPolicy {
        valid_from: time("2026-11-01T00:00:00+08:00"),
        handle_limit: "FORTNIGHTS:1".to_owned(),
        accept_limit: "WORKING_DAYS:0".to_owned(),
        extension_days_max: Some(40),
        needed: vec!["MOOD".to_owned()],
        intake_roles: vec!["HANDLER".to_owned()],
        ..Default::default()
    };
    let refused = client.publish_complaint_policy(publish(wrong)).await.unwrap_err();
    let all = [
        "complaint_policy.accept_limit OUT_OF_RANGE",
        "complaint_policy.category REQUIRED",
        "complaint_policy.extension_days_max OUT_OF_RANGE",
        "complaint_policy.handle_limit UNKNOWN_VALUE",
        "complaint_policy.intake_roles[0] UNKNOWN_VALUE",
        "complaint_policy.needed[0] UNKNOWN_VALUE",
        "complaint_policy.source REQUIRED",
        "complaint_policy.valid_from OUT_OF_RANGE",
    ];
    assert_eq!(fields(&refused), all);
    client.publish_complaint_policy(publish(policy.clone())).await.unwrap();
    let twice = client.publish_complaint_policy(publish(policy)).await.unwrap_err();
    assert_eq!(reason(&twice), "ALREADY_EXISTS");
    let name = desk.file().await.name;
    let before = desk.accept(&desk.assigner, &name).await.unwrap();
    assert_eq!(before.handle_due_time, time("2026-12-02T00:00:00+08:00"));
    app.clock.set("2026-11-25T09:00:00+08:00".parse().unwrap());
    // From its day on the place is needed, and a leader judges the answer.
    let bare = desk.filed(&desk.boss, desk.form()).await.unwrap_err();
    assert_eq!(fields(&bare), ["complaint.place REQUIRED"]);
    let placed = pb::Complaint { place: "厂区东门".to_owned(), ..desk.form() };
    let name = desk.filed(&desk.boss, placed).await.unwrap().name;
    let after = desk.accept(&desk.assigner, &name).await.unwrap();
    assert_eq!(after.handle_due_time, time("2026-12-01T00:00:00+08:00"));
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    desk.sign(&desk.one, &name).await.unwrap();
    let short = desk.answer(&desk.one, &name).await.unwrap_err();
    assert_eq!(fields(&short), ["feedback TOO_SHORT"]);
    let feedback = pb::SubmitComplaintFeedbackRequest {
        name: name.clone(),
        feedback: "已为贵企业增加早间卸货时段,通行证同步更新,请按新时段装卸货物。".to_owned(),
        ..Default::default()
    };
    desk.one.complaints().submit_complaint_feedback(feedback).await.unwrap();
    let refused = desk.review(&desk.assigner, &name, true).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    desk.review(&desk.leader, &name, true).await.unwrap();
}

// Measure 19: every finished thing of any service is evaluated; a bad one becomes a complaint that
// whoever finished it may not handle.
#[sqlx::test]
async fn a_decision_that_is_rated_badly_becomes_a_complaint_for_somebody_else(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let pass = desk.city.pass(&app).await;
    let asked = desk.asked(&desk.boss).await.remove(0);
    assert_eq!(asked.subject, pass.pass_application);
    desk.rate(&desk.boss, &asked.name, Level::VeryDissatisfied, "时段比申请的短").await.unwrap();
    let complaint = listed(&desk.assigner, pb::ListComplaintsRequest::default()).await.remove(0);
    assert_eq!((complaint.channel(), complaint.state()), (Channel::Evaluation, State::Submitted));
    assert_eq!(complaint.origin, pass.pass_application);
    assert_eq!(complaint.content, "时段比申请的短");
    // The reviewer who decided, made a handler of the brigade, may not sign.
    app.sql("update officer set roles = roles || '{HANDLER}' where police_number = '100001'").await;
    app.sql(&format!(
        "insert into standing (key, version) values ('actor:{}', 1)
         on conflict (key) do update set version = standing.version + 1",
        desk.city.first.name
    ))
    .await;
    let first = app.user(Id::<kind::Officer>::parse(&desk.city.first.name).unwrap()).await;
    desk.accept(&desk.assigner, &complaint.name).await.unwrap();
    desk.assign(&desk.assigner, &complaint.name, &desk.lead_unit).await.unwrap();
    assert_eq!(reason(&desk.sign(&first, &complaint.name).await.unwrap_err()), "SAME_PERSON");
    desk.sign(&desk.one, &complaint.name).await.unwrap();
}

// CO-21: figures by unit, category and month, as an answer and as a table; one and two are hidden.
#[sqlx::test]
async fn the_figures_of_the_desk_hide_numbers_under_three(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    for level in [Level::Satisfied, Level::VerySatisfied, Level::BasicallySatisfied] {
        desk.in_call_back(&desk.one).await;
        desk.rate_last(level, "").await;
    }
    // One is answered late, one not at all.
    let late = desk.in_progress(&desk.one).await;
    desk.in_progress(&desk.one).await;
    app.clock.set("2026-12-03T10:00:00+08:00".parse().unwrap());
    desk.answer(&desk.one, &late).await.unwrap();
    let request = |grouping: Grouping| pb::GetServiceFiguresRequest {
        from_time: time("2026-11-01T00:00:00+08:00"),
        until_time: time("2026-12-01T00:00:00+08:00"),
        grouping: grouping.into(),
    };
    let mut client = desk.leader.evaluations();
    for grouping in [Grouping::Unit, Grouping::Category, Grouping::Month] {
        let figures = client.get_service_figures(request(grouping)).await.unwrap().into_inner();
        let [row] = figures.rows.as_slice() else { panic!("{figures:?}") };
        let shown = [&row.filed, &row.answered, &row.on_time, &row.rated, &row.satisfied]
            .map(|count| count.map(|count| (count.value, count.hidden)).unwrap());
        assert_eq!(shown, [(5, false), (4, false), (3, false), (3, false), (3, false)]);
    }
    let export = client.export_service_figures(request(Grouping::Month)).await.unwrap();
    let table = "\u{feff}分组,受理,办结反馈,按期反馈,一次办结,已评价,满意,实际解决\r
\"2026-11\",5,4,3,4,3,3,3\r\n";
    assert_eq!(export.into_inner().csv, table);
    // Only two of December: hidden.
    desk.file().await;
    desk.file().await;
    let december = pb::GetServiceFiguresRequest {
        from_time: time("2026-12-01T00:00:00+08:00"),
        until_time: time("2027-01-01T00:00:00+08:00"),
        ..request(Grouping::Category)
    };
    let figures = client.get_service_figures(december).await.unwrap().into_inner();
    let filed = figures.rows[0].filed.unwrap();
    assert_eq!((filed.value, filed.hidden), (0, true));
    let wrong = pb::GetServiceFiguresRequest::default();
    let wrong = client.get_service_figures(wrong).await.unwrap_err();
    let all = ["from_time REQUIRED", "grouping REQUIRED", "until_time REQUIRED"];
    assert_eq!(fields(&wrong), all);
}

// CO-21: the service desk as the bureau reads it, from the demo city: late, second handlings, silence.
#[sqlx::test]
async fn the_demo_city_has_figures_of_three_months(pool: PgPool) {
    let app = App::start(pool).await;
    jingqi::sandbox::city::load(&app.parts).await.unwrap();
    let director: uuid::Uuid =
        sqlx::query_scalar("select id from officer where police_number = '100017'")
            .fetch_one(app.parts.store.pool())
            .await
            .unwrap();
    let director = app.user(Id::<kind::Officer>::of(director)).await;
    app.run_workers().await;
    let request = pb::GetServiceFiguresRequest {
        from_time: time("2026-08-01T00:00:00+08:00"),
        until_time: time("2026-12-01T00:00:00+08:00"),
        grouping: Grouping::Category.into(),
    };
    let export = director.evaluations().export_service_figures(request).await.unwrap();
    insta::assert_snapshot!(
        export.into_inner().csv.trim_start_matches('\u{feff}').replace('\r', "")
    );
    // Loading it again changes nothing.
    assert!(!jingqi::sandbox::city::load(&app.parts).await.unwrap());
}
