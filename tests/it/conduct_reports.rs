//! Reports on police units and officers (12389), filed with a name and without: the way of each to its
//! finding. What a filing may be stands in `filing`, who is kept away in `conflicts`, clocks and ends in
//! `course`, that nobody else learns of one in `interference`, that nothing is kept of who called in
//! `traces`, what a reporter adds in `evidence`, and what follows a finding in `review`.

mod conflicts;
mod course;
mod evidence;
mod filing;
mod interference;
mod opening;
mod review;
mod traces;

use jiff::SignedDuration;
use jingqi::surface::service::pb::{
    self, ConductReport,
    conduct_report::{Finding, State},
    conduct_report_duty::Kind,
};
use sqlx::PgPool;
use tonic::Status;

use crate::{
    harness::{App, User, fields, reason, request_id, to},
    liaison::Desk,
};

type Unit = (uuid::Uuid, String);

/// The inspectorate of a city, with a desk of the direct line below it.
pub struct House {
    pub desk: Desk,
    pub root: Unit,
    pub brigade: Unit,
    pub detachment: Unit,
    /// The inspectorate (督察支队).
    pub inspectorate: Unit,
    /// Takes reports in.
    pub intake: User,
    /// Investigates.
    pub sleuth: User,
    /// Could investigate instead.
    pub second: User,
    /// Of the bureau's discipline group, above the inspectorate.
    pub discipline: User,
    pub auditor: User,
}

async fn unit(app: &App, code: &str) -> Unit {
    sqlx::query_as("select id, path from unit where code = $1")
        .bind(code.to_owned())
        .fetch_one(app.parts.store.pool())
        .await
        .unwrap()
}

impl App {
    /// Puts a desk and an inspectorate into a city.
    pub async fn house(&self) -> House {
        let desk = Box::pin(self.desk()).await;
        let root = unit(self, "321300000000").await;
        let (detachment, brigade) =
            (unit(self, "321300170000").await, unit(self, "321302170000").await);
        let inspectorate = self.unit("321300130000", Some(&root), &[]).await;
        self.sql("update unit set reach = '321300000000/' where code = '321300130000'").await;
        let technical = self.unit("321300220000", Some(&root), &[]).await;
        let intake = self.officer("300001", &inspectorate, &["INSPECTOR"]).await;
        let sleuth = self.officer("300002", &inspectorate, &["INSPECTOR"]).await;
        let second = self.officer("300003", &inspectorate, &["INSPECTOR"]).await;
        let discipline = self.officer("300004", &root, &["INSPECTOR"]).await;
        let auditor = self.officer("300005", &technical, &["AUDITOR"]).await;
        House {
            desk,
            root,
            brigade,
            detachment,
            inspectorate,
            intake,
            sleuth,
            second,
            discipline,
            auditor,
        }
    }

    async fn word(&self, text: &str) -> String {
        let text = sqlx::AssertSqlSafe(text.to_owned());
        sqlx::query_scalar(text).fetch_one(self.parts.store.pool()).await.unwrap()
    }
}

pub fn officer(user: &User) -> pb::Accused {
    pb::Accused { officer: user.name.clone(), ..Default::default() }
}

pub fn words(text: &str) -> pb::Accused {
    pb::Accused { text: text.to_owned(), ..Default::default() }
}

pub fn whole(unit: &Unit) -> pb::Accused {
    pb::Accused { unit: format!("units/{}", unit.0), ..Default::default() }
}

pub const CONTENT: &str = "当事民警收受礼品后放行超载货车";

pub fn anonymous(accused: Vec<pb::Accused>) -> pb::FileAnonymousConductReportRequest {
    pb::FileAnonymousConductReportRequest {
        accused,
        content: CONTENT.to_owned(),
        matter: String::new(),
        request_id: request_id(),
    }
}

fn named(accused: Vec<pb::Accused>) -> pb::FileConductReportRequest {
    pb::FileConductReportRequest {
        accused,
        content: CONTENT.to_owned(),
        full_name: "李小明".to_owned(),
        phone: "13905240077".to_owned(),
        request_id: request_id(),
        ..Default::default()
    }
}

pub async fn file(app: &App, accused: Vec<pb::Accused>) -> pb::FiledConductReport {
    let request = anonymous(accused);
    app.anonymous().call(request).await.unwrap()
}

async fn file_named(user: &User, accused: Vec<pb::Accused>) -> pb::FiledConductReport {
    user.call(named(accused)).await.unwrap()
}

pub async fn read(
    app: &App,
    filed: &pb::FiledConductReport,
) -> Result<pb::ConductReportStatus, Status> {
    let request = pb::ReadConductReportRequest {
        query_code: filed.query_code.clone(),
        secret: filed.secret.clone(),
    };
    app.anonymous().call(request).await
}

pub async fn listed(user: &User) -> Vec<ConductReport> {
    let request = pb::ListConductReportsRequest::default();
    user.call(request).await.unwrap().conduct_reports
}

async fn got(user: &User, name: &str) -> Result<ConductReport, Status> {
    let request = pb::GetConductReportRequest { name: name.to_owned() };
    user.call(to::GetConductReport(request)).await
}

pub fn step(report: &ConductReport, note: &str) -> pb::MoveConductReportRequest {
    pb::MoveConductReportRequest {
        name: report.name.clone(),
        note: note.to_owned(),
        etag: String::new(),
        request_id: request_id(),
    }
}

async fn accept(user: &User, report: &ConductReport) -> ConductReport {
    user.call(to::AcceptConductReport(step(report, ""))).await.unwrap()
}

async fn assign(user: &User, report: &ConductReport, to: &User) -> Result<ConductReport, Status> {
    let request = pb::AssignConductReportRequest {
        name: report.name.clone(),
        investigator: to.name.clone(),
        etag: String::new(),
        request_id: request_id(),
    };
    user.call(request).await
}

async fn sign(user: &User, report: &ConductReport) -> ConductReport {
    user.call(to::SignConductReport(step(report, ""))).await.unwrap()
}

async fn conclude(user: &User, report: &ConductReport) -> Result<ConductReport, Status> {
    let request = pb::ConcludeConductReportRequest {
        name: report.name.clone(),
        finding: Finding::PartlySubstantiated.into(),
        result: "已责令整改并给予批评教育".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    };
    user.call(request).await
}

async fn in_progress(house: &House, report: &ConductReport) -> ConductReport {
    accept(&house.intake, report).await;
    assign(&house.intake, report, &house.sleuth).await.unwrap();
    sign(&house.sleuth, report).await
}

async fn name_accused(
    user: &User,
    report: &ConductReport,
    id: &str,
    meant: pb::Accused,
) -> Result<ConductReport, Status> {
    let request = pb::NameAccusedRequest {
        name: report.name.clone(),
        accused: Some(pb::Accused { id: id.to_owned(), ..meant }),
        etag: String::new(),
        request_id: request_id(),
    };
    user.call(request).await
}

async fn identity(user: &User, name: &str, why: &str) -> Result<pb::ReporterIdentity, Status> {
    let request = pb::OpenReporterIdentityRequest { name: name.to_owned(), reason: why.to_owned() };
    user.call(request).await
}

async fn decide(
    user: &User,
    name: &str,
    request: &str,
    approved: bool,
) -> Result<ConductReport, Status> {
    let request = pb::DecideIdentityOpeningRequest {
        name: name.to_owned(),
        identity_request: request.to_owned(),
        approved,
        note: "已核对".to_owned(),
        request_id: request_id(),
    };
    user.call(request).await
}

/// Two inspectors open a name: the first asks, the second confirms, the first looks.
async fn identity_by_two(first: &User, second: &User, name: &str) -> pb::ReporterIdentity {
    let asked = identity(first, name, "需当面核实线索").await.unwrap();
    decide(second, name, &asked.waiting_request, true).await.unwrap();
    identity(first, name, "需当面核实线索").await.unwrap()
}

fn duty(report: &ConductReport, kind: Kind) -> &pb::ConductReportDuty {
    report.duties.iter().rev().find(|duty| duty.kind() == kind).unwrap()
}

// CO-22, CO-15: from filing to the finding, without a name.
#[sqlx::test]
async fn an_anonymous_report_is_followed_by_its_code_alone(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file(&app, vec![words("南大街卡口一名高个民警")]).await;
    // Fifteen days after the 24th of November.
    assert_eq!(filed.accept_due_time.unwrap().seconds, 1_796_832_000);
    let report = listed(&house.intake).await.remove(0);
    assert_eq!((report.state(), report.real_name), (State::Submitted, false));
    accept(&house.intake, &report).await;
    // Nobody is free of conflict with somebody unknown.
    let early = assign(&house.intake, &report, &house.sleuth).await.unwrap_err();
    assert_eq!(reason(&early), "ACCUSED_UNKNOWN");
    let known = got(&house.intake, &report.name).await.unwrap();
    let meant = pb::Accused { police_number: "100005".to_owned(), ..Default::default() };
    let entry = known.accused[0].id.clone();
    let known = name_accused(&house.intake, &report, &entry, meant).await.unwrap();
    assert_eq!(known.accused[0].officer, house.desk.city.patrol.name);
    assert_eq!(known.accused[0].text, "南大街卡口一名高个民警");
    // Who is named is not named away again.
    let another = officer(&house.desk.city.first);
    let again = name_accused(&house.intake, &report, &entry, another).await.unwrap_err();
    assert_eq!(fields(&again), ["accused.id UNKNOWN_VALUE"]);
    assign(&house.intake, &report, &house.sleuth).await.unwrap();
    sign(&house.sleuth, &report).await;
    // The thread, both ways; a repetition is written once.
    let answer = pb::AnswerReporterRequest {
        name: report.name.clone(),
        text: "请说明具体日期".to_owned(),
        request_id: request_id(),
    };
    house.sleuth.call(answer).await.unwrap();
    let write = pb::WriteToInspectorateRequest {
        query_code: filed.query_code.to_lowercase(),
        secret: filed.secret.replace('-', ""),
        text: "上月十五日夜间".to_owned(),
        request_id: request_id(),
    };
    for _ in 0..2 {
        app.anonymous().call(write.clone()).await.unwrap();
    }
    let status = read(&app, &filed).await.unwrap();
    let said: Vec<_> =
        status.messages.iter().map(|it| (it.from_reporter, it.text.as_str())).collect();
    assert_eq!(said, [(false, "请说明具体日期"), (true, "上月十五日夜间")]);
    assert_eq!(status.state(), State::InProgress);
    let seen = got(&house.sleuth, &report.name).await.unwrap();
    assert_eq!((seen.messages.len(), seen.content.as_str()), (2, CONTENT));
    conclude(&house.sleuth, &report).await.unwrap();
    // The finding is owed to a reporter with a name (facts.md, 4.5).
    let status = read(&app, &filed).await.unwrap();
    assert_eq!(
        (status.state(), status.finding(), status.result.as_str()),
        (State::Concluded, Finding::Unspecified, "")
    );
    let late = pb::WriteToInspectorateRequest { request_id: request_id(), ..write };
    let late = app.anonymous().call(late).await.unwrap_err();
    assert_eq!(reason(&late), "TRANSITION_ILLEGAL");
    // Who filed is nobody, in the history too.
    let changes = pb::GetConductReportRequest { name: report.name };
    let changes = house.intake.call(to::ListConductReportChanges(changes)).await.unwrap();
    let steps = changes.changes;
    let actions: Vec<_> = steps.iter().map(|it| it.action.as_str()).collect();
    assert_eq!(actions, ["FILE", "ACCEPT", "NAME_ACCUSED", "ASSIGN", "SIGN", "CONCLUDE"]);
    assert_eq!((steps[0].actor.as_str(), &steps[1].actor), ("anonymous", &house.intake.name));
}

// CO-15: the name is apart, opened with a reason, and each opening is told to the auditor.
#[sqlx::test]
async fn a_reporter_with_a_name_reads_the_result_and_the_name_stays_sealed(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file_named(&house.desk.boss, vec![officer(&house.desk.city.patrol)]).await;
    let report = in_progress(&house, &listed(&house.intake).await[0]).await;
    assert!(report.real_name);
    let shown = format!("{:?}", got(&house.sleuth, &report.name).await.unwrap());
    for told in ["李小明", "13905240077", house.desk.boss.name.as_str()] {
        assert!(!shown.contains(told), "{told}");
    }
    let stored = "select string_agg(t::text, '') from conduct.report t";
    assert!(!app.word(stored).await.contains(&house.desk.boss.name["persons/".len()..]));
    let short = identity(&house.sleuth, &report.name, "看看").await.unwrap_err();
    assert_eq!(fields(&short), ["reason TOO_SHORT"]);
    let openings = "select count(*) from conduct.opening";
    assert_eq!(app.count(openings).await, 0, "a refusal opens nothing");
    let who = identity_by_two(&house.sleuth, &house.second, &report.name).await;
    assert_eq!(
        (who.person.as_str(), who.full_name.as_str(), who.phone.as_str()),
        (house.desk.boss.name.as_str(), "李小明", "13905240077")
    );
    let request = pb::ListIdentityOpeningsRequest::default();
    let told = house.auditor.call(request).await.unwrap().identity_openings;
    assert_eq!((told.len(), &told[0].officer), (1, &house.sleuth.name));
    assert_eq!(told[0].checker, house.second.name);
    assert_eq!(told[0].reason, "需当面核实线索");
    assert!(!format!("{told:?}").contains(&report.name));
    let rewritten = sqlx::query("delete from conduct.opening").execute(app.parts.store.pool());
    assert!(rewritten.await.unwrap_err().to_string().contains("never rewritten"));
    for _ in 2..10 {
        identity(&house.sleuth, &report.name, "需当面核实线索").await.unwrap();
    }
    let often = identity(&house.sleuth, &report.name, "需当面核实线索").await.unwrap_err();
    assert_eq!(reason(&often), "RATE_LIMITED");
    conclude(&house.sleuth, &report).await.unwrap();
    let status = read(&app, &filed).await.unwrap();
    assert_eq!(
        (status.finding(), status.result.as_str()),
        (Finding::PartlySubstantiated, "已责令整改并给予批评教育")
    );
    // facts.md, 6.5: three years after the end the name is destroyed, the report is not.
    app.advance(SignedDuration::from_hours(24 * (3 * 365 + 2)));
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from conduct.identity").await, 0);
    assert_eq!(app.count("select count(*) from conduct.report").await, 1);
}

// CO-15: an anonymous report has no name to open.
#[sqlx::test]
async fn nobody_opens_a_name_that_was_not_given(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let report = listed(&house.intake).await.remove(0);
    let refused = identity(&house.intake, &report.name, "需当面核实线索").await.unwrap_err();
    assert_eq!(reason(&refused), "NOT_FOUND");
    assert_eq!(app.count("select count(*) from conduct.opening").await, 0);
}
