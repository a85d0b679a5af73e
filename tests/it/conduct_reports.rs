//! Reports on police units and officers (12389): filed with a name and without, looked into by who may,
//! and known to nobody else. That nobody else learns of one stands in `interference`, that nothing is
//! kept of who called in `traces`, what a reporter
//! adds in `evidence`, and what follows a finding in `review`.

mod evidence;
mod interference;
mod opening;
mod review;
mod traces;

use jiff::SignedDuration;
use jingqi::surface::service::pb::{
    self, ConductReport, conduct_report::Finding, conduct_report::State, conduct_report_duty::Kind,
    conduct_report_duty::Standing,
};
use sqlx::PgPool;
use tonic::{Code, Status};

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

// CO-22: a wrong code and a wrong secret look the same, and are counted.
#[sqlx::test]
async fn a_wrong_code_and_a_wrong_secret_get_the_same_answer(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let other = file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let with = |code: &str, secret: &str| pb::FiledConductReport {
        query_code: code.to_owned(),
        secret: secret.to_owned(),
        accept_due_time: None,
    };
    let mut answers = Vec::new();
    for (code, secret) in [
        (filed.query_code.as_str(), other.secret.as_str()),
        (other.query_code.as_str(), filed.secret.as_str()),
        ("0000-0000-0000-0000", filed.secret.as_str()),
        (filed.query_code.as_str(), "0000-0000-0000-0000"),
        ("", ""),
        ("警", filed.secret.as_str()),
    ] {
        let refused = read(&app, &with(code, secret)).await.unwrap_err();
        answers.push((refused.code(), refused.message().to_owned(), refused.details().to_vec()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].0, Code::PermissionDenied);
    // Guessing ends soon, whoever guesses.
    let mut last = String::new();
    for _ in 0..61 {
        last = reason(&read(&app, &with(&filed.query_code, &other.secret)).await.unwrap_err());
    }
    assert_eq!(last, "RATE_LIMITED");
    assert!(read(&app, &other).await.is_ok(), "another code is not touched");
}

// CO-22, I11: a repetition gets the same code, and no row says who sent it.
#[sqlx::test]
async fn a_filing_that_is_repeated_is_one_report(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let request = anonymous(vec![officer(&house.desk.city.patrol)]);
    let nobody = app.anonymous();
    let first = nobody.call(request.clone()).await.unwrap();
    let second = nobody.call(request.clone()).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(app.count("select count(*) from conduct.report").await, 1);
    let changed = pb::FileAnonymousConductReportRequest {
        content: "别的内容".to_owned(),
        ..request.clone()
    };
    let reused = nobody.call(changed).await.unwrap_err();
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
    let rows = "select string_agg(t::text, '') from conduct.filing t";
    assert!(!app.word(rows).await.contains(&request.request_id));
    assert_eq!(app.count("select count(*) from idempotency where actor = 'anonymous'").await, 0);
    app.advance(SignedDuration::from_hours(25));
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from conduct.filing").await, 0);
}

// CO-22: all faults at once, and no oracle of who is an officer.
#[sqlx::test]
async fn a_filing_with_faults_is_told_all_of_them(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let wrong = pb::FileAnonymousConductReportRequest {
        accused: vec![pb::Accused::default(), pb::Accused { unit: "1".to_owned(), ..words("x") }],
        content: "长".repeat(1_501),
        matter: "vehicles/1".to_owned(),
        request_id: "1".to_owned(),
    };
    let refused = app.anonymous().call(wrong).await;
    assert_eq!(
        fields(&refused.unwrap_err()),
        [
            "accused[0] REQUIRED",
            "accused[1].unit NAME_MALFORMED",
            "content TOO_LONG",
            "matter NAME_MALFORMED",
            "request_id REQUEST_ID_MALFORMED",
        ]
    );
    let nobody = pb::FileAnonymousConductReportRequest { accused: vec![], ..anonymous(vec![]) };
    let refused = app.anonymous().call(nobody).await;
    assert_eq!(fields(&refused.unwrap_err()), ["accused REQUIRED"]);
    let wrong = pb::FileConductReportRequest {
        full_name: String::new(),
        phone: "12".to_owned(),
        ..named(vec![words("某民警")])
    };
    let refused = house.desk.boss.call(wrong).await.unwrap_err();
    assert_eq!(fields(&refused), ["full_name REQUIRED", "phone PHONE_MALFORMED"]);
    let unsigned = app.anonymous().call(named(vec![words("某")])).await;
    assert_eq!(reason(&unsigned.unwrap_err()), "TOKEN_MISSING");
    // A number that somebody has and one that nobody has are answered alike.
    for number in ["100005", "999999"] {
        let meant = pb::Accused { police_number: number.to_owned(), ..Default::default() };
        file(&app, vec![meant]).await;
    }
    assert_eq!(listed(&house.intake).await.len(), 2);
    // So many an hour from one address, of which nothing is stored.
    let mut last = None;
    for _ in 0..31 {
        let request = anonymous(vec![words("某民警")]);
        last = app.anonymous().call(request).await.err();
    }
    assert_eq!(reason(&last.unwrap()), "RATE_LIMITED");
}

// CO-15: each conflict, found at the running server.
#[sqlx::test]
async fn who_has_a_conflict_does_not_investigate(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let (desk, city) = (&house.desk, &house.desk.city);
    let conversation = crate::conversations::open(desk).await.name;
    // An inspector who took part in the original matter, and one who leads above.
    let wrote = app.officer("400001", &house.inspectorate, &["INSPECTOR"]).await;
    app.sql(&format!(
        "update conversation set state = 'CLAIMED', assignee_id = '{}'",
        &wrote.name["officers/".len()..]
    ))
    .await;
    let chief = app.officer("400002", &house.detachment, &["INSPECTOR", "UNIT_LEADER"]).await;
    let above = app.officer("400003", &house.detachment, &["INSPECTOR"]).await;
    let aside = app.unit("321300200000", Some(&house.root), &[]).await;
    let aside = app.officer("400004", &aside, &["INSPECTOR"]).await;
    let liaison = app.officer("400005", &house.inspectorate, &["INSPECTOR"]).await;
    app.sql(&format!(
        "insert into liaison_roster (id, liaison_post_id, officer_id, create_time)
         select gen_random_uuid(), id, '{}', now() from liaison_post limit 1",
        &liaison.name["officers/".len()..]
    ))
    .await;
    let mut request = named(vec![officer(&city.patrol)]);
    request.matter = conversation;
    desk.talker.call(request).await.unwrap();
    let report = accept(&house.intake, &listed(&house.intake).await[0]).await;
    for (refused, why) in [
        (&city.patrol, "the accused, and no inspector"),
        (&desk.inspector, "of the accused unit"),
        (&city.first, "no inspector"),
        (&wrote, "handled the original matter"),
        (&chief, "leads above the accused unit"),
        (&aside, "stands beside it"),
        (&liaison, "serves the reporter's enterprise"),
    ] {
        let error = assign(&house.intake, &report, refused).await.unwrap_err();
        assert_eq!(reason(&error), "CONFLICT_OF_INTEREST", "{why}");
        assert!(!format!("{error:?}").contains("LIAISON"), "which tie it is stays untold");
    }
    let oneself = assign(&house.intake, &report, &house.intake).await.unwrap_err();
    assert_eq!(reason(&oneself), "SAME_PERSON");
    // A level above is enough.
    assign(&house.intake, &report, &above).await.unwrap();
    let release = step(&report, "另行指定");
    let own = above.call(to::ReleaseConductReport(release.clone())).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    house.intake.call(to::ReleaseConductReport(release)).await.unwrap();
    let again = assign(&house.intake, &report, &above).await.unwrap_err();
    assert_eq!(reason(&again), "CONFLICT_OF_INTEREST", "who gave it back");
    // Who declares an interest sees it no more.
    assign(&house.intake, &report, &house.sleuth).await.unwrap();
    sign(&house.sleuth, &report).await;
    let interest = step(&report, "");
    house.sleuth.call(to::DeclareConductReportInterest(interest)).await.unwrap();
    assert_eq!(listed(&house.sleuth).await, []);
    let back = got(&house.intake, &report.name).await.unwrap();
    assert_eq!((back.state(), back.investigator.as_str()), (State::Accepted, ""));
    let again = assign(&house.intake, &report, &house.sleuth).await.unwrap_err();
    assert_eq!(reason(&again), "CONFLICT_OF_INTEREST");
    assign(&house.intake, &report, &house.second).await.unwrap();
}

// CO-15: nobody buries a report by sending it upward and ending it there.
#[sqlx::test]
async fn who_sends_a_report_upward_does_not_end_it_there(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let report = listed(&house.intake).await.remove(0);
    let up = step(&report, "案情重大");
    house.intake.call(to::TransferConductReportUpward(up)).await.unwrap();
    assert_eq!(reason(&conclude(&house.intake, &report).await.unwrap_err()), "SAME_PERSON");
    // Nor does a colleague of the inspectorate.
    let inside = conclude(&house.second, &report).await.unwrap_err();
    assert_eq!(reason(&inside), "CONFLICT_OF_INTEREST");
    conclude(&house.discipline, &report).await.unwrap();
}

// CO-15: whoever is meant by a name, a number or a unit, the report is kept from each; and the number
// stays as it was written.
#[sqlx::test]
async fn everybody_who_may_be_meant_is_kept_away_and_the_number_is_kept(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let (one, other) = (&house.sleuth, &house.second);
    let number: String =
        sqlx::query_scalar("select police_number from officer where id = $1::uuid")
            .bind(other.name.trim_start_matches("officers/").parse::<uuid::Uuid>().unwrap())
            .fetch_one(app.parts.store.pool())
            .await
            .unwrap();
    let accused = pb::Accused {
        text: "胖胖的民警".to_owned(),
        officer: one.name.clone(),
        police_number: number.clone(),
        ..pb::Accused::default()
    };
    file(&app, vec![accused]).await;
    for barred in [one, other] {
        assert_eq!(listed(barred).await, [], "{}", barred.name);
    }
    let report = listed(&house.discipline).await.remove(0);
    let read = got(&house.discipline, &report.name).await.unwrap();
    let officers: Vec<_> = read.accused.iter().map(|it| it.officer.as_str()).collect();
    assert!(officers.contains(&one.name.as_str()) && officers.contains(&other.name.as_str()));
    assert!(read.accused.iter().all(|it| it.text == format!("胖胖的民警(警号{number})")));
}

// CO-15: the inspectorate decides nothing about its own.
#[sqlx::test]
async fn a_report_on_the_inspectorate_goes_upward_by_itself(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file(&app, vec![officer(&house.sleuth)]).await;
    for barred in [&house.intake, &house.sleuth, &house.second, &house.desk.inspector] {
        assert_eq!(listed(barred).await, [], "{}", barred.name);
    }
    let report = listed(&house.discipline).await.remove(0);
    assert_eq!(report.state(), State::TransferredUp);
    assert_eq!(read(&app, &filed).await.unwrap().state(), State::TransferredUp);
    let refused = assign(&house.discipline, &report, &house.second).await.unwrap_err();
    assert_eq!(reason(&refused), "CONFLICT_OF_INTEREST");
    conclude(&house.discipline, &report).await.unwrap();
    // Found out only at the intake: it leaves at once, and who found it out sees it no more.
    file(&app, vec![words("督察支队某人")]).await;
    let report = listed(&house.intake).await.remove(0);
    let entry = got(&house.intake, &report.name).await.unwrap().accused[0].id.clone();
    let gone = name_accused(&house.intake, &report, &entry, officer(&house.second)).await.unwrap();
    assert_eq!((gone.content.as_str(), gone.state()), ("", State::Unspecified));
    assert_eq!(got(&house.intake, &report.name).await.unwrap_err().code(), Code::PermissionDenied);
    let up = got(&house.discipline, &report.name).await.unwrap();
    assert_eq!(up.state(), State::TransferredUp);
    // The head of the tree: nobody in the city has it.
    file(&app, vec![officer(&house.discipline)]).await;
    assert_eq!(listed(&house.intake).await, []);
    assert_eq!(listed(&house.discipline).await.len(), 2);
}

// CO-15, I20: a personnel change counts from the next read on.
#[sqlx::test]
async fn who_moves_into_the_accused_unit_sees_the_report_no_more(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let report = in_progress(&house, &listed(&house.intake).await[0]).await;
    let (sleuth, brigade) = (&house.sleuth.name["officers/".len()..], house.brigade.0);
    app.sql(&format!("update officer set unit_id = '{brigade}' where id = '{sleuth}'")).await;
    assert_eq!(listed(&house.sleuth).await, []);
    let refused = conclude(&house.sleuth, &report).await.unwrap_err();
    let absent = format!("conductReports/{}", uuid::Uuid::nil());
    let nothing = got(&house.sleuth, &absent).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (nothing.code(), reason(&nothing)));
    // The intake takes it back.
    house.intake.call(to::ReleaseConductReport(step(&report, "调离"))).await.unwrap();
    assign(&house.intake, &report, &house.second).await.unwrap();
    // The accused moves: the old unit and the new one are both kept away.
    let patrol = &house.desk.city.patrol.name["officers/".len()..];
    let detachment = house.detachment.0;
    app.sql(&format!("update officer set unit_id = '{detachment}' where id = '{patrol}'")).await;
    let there = app.officer("400009", &house.detachment, &["INSPECTOR"]).await;
    for barred in [&there, &house.desk.inspector] {
        assert_eq!(listed(barred).await, [], "{}", barred.name);
    }
}

// CO-15, I19: due, amber and late are computed, and the ladder is climbed in this schema alone.
#[sqlx::test]
async fn what_is_late_shows_in_the_inspectorates_own_list(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let standing = async |app: &App| {
        app.run_workers().await;
        let report = listed(&house.intake).await.remove(0);
        let duty = duty(&report, Kind::Accept).clone();
        (duty.standing(), duty.level)
    };
    assert_eq!(standing(&app).await, (Standing::OnTime, String::new()));
    app.clock.set("2026-12-07T12:00:00+08:00".parse().unwrap());
    assert_eq!(standing(&app).await, (Standing::Amber, "AMBER".to_owned()));
    app.clock.set("2026-12-10T00:00:00+08:00".parse().unwrap());
    assert_eq!(standing(&app).await, (Standing::Late, "RED".to_owned()));
    app.clock.set("2026-12-17T00:00:00+08:00".parse().unwrap());
    assert_eq!(standing(&app).await, (Standing::Late, "CRITICISED".to_owned()));
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from conduct.escalation").await, 4, "each once");
    for table in ["obligation", "escalation", "event"] {
        let others = format!("select count(*) from {table} where {table}::text like '%onduct%'");
        assert_eq!(app.count(&others).await, 0, "{table}");
    }
    let report = accept(&house.intake, &listed(&house.intake).await[0]).await;
    assert_eq!(duty(&report, Kind::Accept).standing(), Standing::MetLate);
}

// CO-15: once, at most thirty days, by another than who asked, counted from the same beginning.
#[sqlx::test]
async fn the_time_is_extended_once(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let report = in_progress(&house, &listed(&house.intake).await[0]).await;
    let before = duty(&report, Kind::Handle).due_time.unwrap().seconds;
    let ask = |days| pb::RequestConductReportExtensionRequest {
        name: report.name.clone(),
        days,
        reason: "需跨市取证".to_owned(),
        request_id: request_id(),
    };
    let decide = |approved| pb::DecideConductReportExtensionRequest {
        name: report.name.clone(),
        approved,
        note: String::new(),
        request_id: request_id(),
    };
    for days in [0, 31] {
        let refused = house.sleuth.call(ask(days)).await;
        assert_eq!(fields(&refused.unwrap_err()), ["days OUT_OF_RANGE"]);
    }
    let foreign = house.second.call(ask(30)).await;
    assert_eq!(reason(&foreign.unwrap_err()), "NOT_ASSIGNEE");
    let early = house.intake.call(decide(true)).await;
    assert_eq!(reason(&early.unwrap_err()), "TRANSITION_ILLEGAL");
    let asked = house.sleuth.call(ask(30)).await.unwrap();
    assert_eq!(asked.extension_days_requested, 30);
    let twice = house.sleuth.call(ask(5)).await;
    assert_eq!(reason(&twice.unwrap_err()), "EXTENSION_SPENT");
    let own = house.sleuth.call(decide(true)).await;
    assert_eq!(reason(&own.unwrap_err()), "SAME_PERSON");
    let longer = house.intake.call(decide(true)).await.unwrap();
    let after = duty(&longer, Kind::Handle).due_time.unwrap().seconds;
    // Sixty days end on Saturday the 23rd of January, so on Monday the 25th; ninety on Monday the 22nd.
    assert_eq!((longer.extension_days, (after - before) / 86_400), (30, 28));
    let spent = house.sleuth.call(ask(1)).await;
    assert_eq!(reason(&spent.unwrap_err()), "EXTENSION_SPENT");
}

// CO-15, CO-10: refused or handed on, the reporter reads why.
#[sqlx::test]
async fn a_report_that_is_not_taken_in_says_why(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let report = listed(&house.intake).await.remove(0);
    let silent = house.intake.call(to::DeclineConductReport(step(&report, ""))).await;
    assert_eq!(fields(&silent.unwrap_err()), ["note REQUIRED"]);
    house.intake.call(to::DeclineConductReport(step(&report, "已进入诉讼程序"))).await.unwrap();
    let status = read(&app, &filed).await.unwrap();
    assert_eq!((status.state(), status.result.as_str()), (State::NotAccepted, "已进入诉讼程序"));
    assert_eq!(status.due_time, None);
    app.advance(SignedDuration::from_secs(1));
    let filed = file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let report = listed(&house.intake).await.remove(0);
    let request = step(&report, "请拨打110报案");
    house.intake.call(to::TransferConductReport(request)).await.unwrap();
    let status = read(&app, &filed).await.unwrap();
    assert_eq!((status.state(), status.result.as_str()), (State::TransferredOut, "请拨打110报案"));
    let again = house.intake.call(to::AcceptConductReport(step(&report, ""))).await;
    assert_eq!(reason(&again.unwrap_err()), "TRANSITION_ILLEGAL");
    let stale = pb::MoveConductReportRequest { etag: "W/\"1\"".to_owned(), ..step(&report, "x") };
    let stale = house.intake.call(to::TransferConductReportUpward(stale)).await;
    assert_eq!(reason(&stale.unwrap_err()), "ETAG_STALE");
}

// CO-15: pages run newest first over random ids, and each page token is of its own list.
#[sqlx::test]
async fn a_long_list_is_read_in_pages(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    for _ in 0..5 {
        file(&app, vec![officer(&house.desk.city.patrol)]).await;
        app.advance(SignedDuration::from_secs(1));
    }
    let mut request = pb::ListConductReportsRequest { page_size: 2, ..Default::default() };
    let mut times = Vec::new();
    loop {
        let page = house.intake.call(request.clone()).await.unwrap();
        times.extend(page.conduct_reports.iter().map(|it| it.create_time.unwrap().seconds));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(times.len(), 5);
    assert!(times.is_sorted_by(|one, other| one > other));
}
