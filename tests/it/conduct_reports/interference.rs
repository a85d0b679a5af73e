//! Who is accused learns nothing: the whole readable world of an accused officer, byte by byte, with the
//! report and without it. Two databases are made from one, one of them gets the report, and every method
//! of the descriptor set that is not known to write is asked in both, streams too: a read that is added
//! is covered by itself.

mod asking;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use jiff::SignedDuration;
use jingqi::surface::{
    id::kind::COLLECTIONS,
    service::{pb, policy},
};
use prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tonic::client::Grpc;

use self::asking::{ask, filled, methods, names, path, reads, refers, writes};
use super::{House, accept, assign, conclude, identity_by_two, listed, officer};
use crate::harness::{App, User, Wish, request_id, to};

/// The word that must not come out.
const CANARY: &str = "金丝雀举报内容";

/// Methods that write, and take no request id: because a repetition is harmless, or of no use. Whatever
/// takes one writes; everything else is a read, and asked.
const WRITES: [&str; 24] = [
    "IdentityService/SignInWithWechat",
    "IdentityService/SignInOfficer",
    "IdentityService/BeginOfficerEnrolment",
    "IdentityService/CompleteOfficerEnrolment",
    "IdentityService/EnrolDevice",
    "IdentityService/CreateDeviceChallenge",
    "IdentityService/SignInDevice",
    "IdentityService/RefreshSession",
    "IdentityService/SendPhoneCode",
    "IdentityService/VerifyPhone",
    "IdentityService/RevokeSession",
    "IdentityService/RevokeOtherSessions",
    "IdentityService/ChangePassword",
    "PassApplicationService/UploadAttachmentChunk",
    "PassApplicationService/CompleteAttachment",
    "TruckPassService/IssuePassCode",
    "LiaisonService/IssueBindingCode",
    "LiaisonService/CreateContactWay",
    "ConversationService/SendMessage",
    "ConversationService/RecallMessage",
    "ConversationService/MarkConversation",
    "ConversationService/SetPresence",
    "ConductReportService/UploadEvidenceChunk",
    "ConductReportService/CompleteEvidence",
];

/// How reads are called, so that none is listed above by mistake.
const READ_VERBS: [&str; 8] =
    ["Get", "List", "Search", "Inspect", "Export", "Read", "Find", "Watch"];

/// How many names of a collection are asked for.
const NAMES_MAX: usize = 2;

type World = BTreeMap<(String, Vec<u8>), Vec<u8>>;

/// Everything that the officer can read: each read with nothing, then with each name that was read.
/// `unfit` holds the places where names of a collection are known to be malformed.
async fn world(
    user: &User,
    roles: &[&str],
    also: &[String],
    unfit: &mut BTreeSet<String>,
) -> World {
    let roles = roles.iter().filter_map(|role| jingqi::surface::actor::Role::from_wire(role));
    let roles: jingqi::surface::actor::Roles = roles.collect();
    let mut client = Grpc::new(user.wire());
    let mut world = World::new();
    let mut known: BTreeSet<String> = also.iter().cloned().collect();
    for _ in 0..3 {
        let mut read = BTreeSet::new();
        for method in reads() {
            for (place, request) in requests(&method, roles, &known) {
                let key = (path(&method), request.encode_to_vec());
                if world.contains_key(&key) || unfit.contains(&place) {
                    continue;
                }
                let answer = ask(&mut client, &method, key.1.clone()).await;
                read.extend(names(&answer));
                // One name of a collection that does not belong there is enough.
                if String::from_utf8_lossy(&answer).contains("NAME_MALFORMED") {
                    unfit.insert(place);
                }
                world.insert(key, answer);
            }
        }
        known.extend(read);
    }
    world
}

/// The requests of a method: with nothing, and with some of the known names in each field that may
/// hold one. What is refused at the gate is refused whatever is asked.
fn requests(
    method: &MethodDescriptor,
    roles: jingqi::surface::actor::Roles,
    known: &BTreeSet<String>,
) -> Vec<(String, DynamicMessage)> {
    let permitted = match policy::access(&path(method)).unwrap().1 {
        policy::Access::Roles(permitted) => roles.meets(permitted),
        policy::Access::UnseenRoles(..) => false,
        _ => true,
    };
    let mut requests = vec![(path(method), filled(method))];
    for field in method.input().fields().filter(|field| permitted && refers(field)) {
        for collection in COLLECTIONS {
            let start = format!("{collection}/");
            let some = known.iter().filter(|name| name.starts_with(&start));
            for name in some.take(NAMES_MAX) {
                let mut request = filled(method);
                request.set_field(&field, Value::String(name.clone()));
                requests.push((format!("{} {} {collection}", path(method), field.name()), request));
            }
        }
    }
    requests
}

/// Two servers on two databases that are equal to the byte.
struct Twins {
    without: App,
    with: App,
    pools: [PgPool; 2],
    copy: String,
    /// Learned from one officer, so that the next is not asked for the same nonsense.
    unfit: Mutex<BTreeSet<String>>,
}

impl Twins {
    /// Copies the database of a world; the server that made it is stopped.
    async fn of(made: App) -> Self {
        let pool = made.parts.store.pool().clone();
        made.stop();
        drop(made);
        pool.close().await;
        let options = (*pool.connect_options()).clone();
        let original = options.get_database().unwrap().to_owned();
        // A name of its own: a longer one than 63 characters would be cut, to the original's.
        let copy =
            format!("_jingqi_twin_{}", jingqi::surface::clock::Ids::system().random().simple());
        let keeper = PgPoolOptions::new().max_connections(1);
        let keeper = keeper.connect_with(options.clone().database("postgres")).await.unwrap();
        let end =
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1";
        sqlx::query(end).bind(&original).execute(&keeper).await.unwrap();
        for text in [
            format!("drop database if exists \"{copy}\" with (force)"),
            format!("create database \"{copy}\" template \"{original}\""),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(text)).execute(&keeper).await.unwrap();
        }
        keeper.close().await;
        let open = |name: &str| {
            let options = options.clone().database(name);
            PgPoolOptions::new().max_connections(8).connect_lazy_with(options)
        };
        let pools = [open(&original), open(&copy)];
        let wish = Wish { twin: Some(77), ..Wish::default() };
        let without = App::wished(pools[0].clone(), wish).await;
        let with = App::wished(pools[1].clone(), wish).await;
        Self { without, with, pools, copy, unfit: Mutex::default() }
    }

    /// The readable worlds of an officer, without the report and with it.
    async fn worlds(&self, user: &User, roles: &[&str], secret: &[String]) -> (World, World) {
        let mut known = self.unfit.lock().unwrap().clone();
        let mut same = known.clone();
        let without = world(&user.at(self.without.address), roles, secret, &mut same).await;
        let with = world(&user.at(self.with.address), roles, secret, &mut known).await;
        self.unfit.lock().unwrap().extend(known);
        (without, with)
    }

    /// The readable worlds of an officer are the same, and hold nothing of the report.
    async fn equal(&self, user: &User, roles: &[&str], secret: &[String]) {
        let (without, with) = self.worlds(user, roles, secret).await;
        assert!(
            without.values().filter(|answer| !answer.starts_with(b"PermissionDenied")).count() > 5
        );
        for (asked, answer) in &with {
            let text = String::from_utf8_lossy(answer);
            let request = String::from_utf8_lossy(&asked.1);
            let said = format!("{} of {request} by {roles:?}: {text}", asked.0);
            assert_eq!(without.get(asked), Some(answer), "{said}");
            assert!(!text.contains(CANARY), "{} by {roles:?}", asked.0);
        }
        assert_eq!(without.len(), with.len());
    }

    async fn end(self) {
        self.without.stop();
        self.with.stop();
        let options = (*self.pools[0].connect_options()).clone();
        for pool in &self.pools {
            pool.close().await;
        }
        let keeper = PgPoolOptions::new().max_connections(1);
        let keeper = keeper.connect_with(options.database("postgres")).await.unwrap();
        let text = format!("drop database if exists \"{}\" with (force)", self.copy);
        sqlx::query(sqlx::AssertSqlSafe(text)).execute(&keeper).await.unwrap();
    }
}

/// A world in which there is something to read: a pass, a complaint, a conversation, a check.
async fn lived_in(app: &App) -> (House, BTreeMap<&'static str, User>) {
    let house = Box::pin(app.house()).await;
    let (desk, city) = (&house.desk, &house.desk.city);
    Box::pin(city.pass(app)).await;
    let conversation = crate::conversations::open(desk).await;
    crate::conversations::claim(&desk.ann, &conversation.name).await.unwrap();
    crate::conversations::say(&desk.ann, &conversation.name, "货车通行证已办好").await.unwrap();
    let file = pb::FileComplaintRequest {
        complaint: Some(pb::Complaint {
            enterprise: city.enterprise.to_string(),
            category: pb::complaint::Category::Complaint.into(),
            title: "卡口货车排队".to_owned(),
            content: "早上排队时间过长".to_owned(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let mut complaints =
        pb::complaint_service_client::ComplaintServiceClient::new(city.boss.wire());
    Box::pin(complaints.file_complaint(file)).await.unwrap();
    app.run_workers().await;
    let technical: super::Unit = super::unit(app, "321300220000").await;
    let mut users = BTreeMap::new();
    for (number, role) in [
        ("500001", "SYSTEM_ADMINISTRATOR"),
        ("500002", "SECURITY_ADMINISTRATOR"),
        ("500003", "AUDITOR"),
    ] {
        users.insert(role, app.officer(number, &technical, &[role]).await);
    }
    for (number, role) in [("500004", "ASSIGNER"), ("500005", "HANDLER")] {
        users.insert(role, app.officer(number, &house.brigade, &[role]).await);
    }
    users.insert("LIAISON_OFFICER", desk.ann.clone());
    users.insert("UNIT_LEADER", desk.leader.clone());
    users.insert("INSPECTOR", desk.inspector.clone());
    users.insert("FIRST_REVIEWER", city.first.clone());
    users.insert("WINDOW_CLERK", city.clerk.clone());
    users.insert("CHECKPOINT_OFFICER", city.patrol.clone());
    users.insert("FINAL_REVIEWER", city.chief.clone());
    users.insert("AUXILIARY", city.auxiliary.clone());
    (house, users)
}

/// Files at another server, whose ids are its own: with random ids nothing shifts.
async fn reported(
    twins: &Twins,
    reporter: &User,
    accused: Vec<pb::Accused>,
) -> (std::net::SocketAddr, pb::FiledConductReport) {
    let aside = twins.with.another().await;
    let mut request = super::named(accused);
    CANARY.clone_into(&mut request.content);
    let filed = reporter.at(aside).call(request).await.unwrap();
    (aside, filed)
}

/// What is said of one report and what is said of all of them is the same, for every officer.
async fn the_sets_agree(app: &App) {
    let pairs = "from conduct.report, officer join unit on unit.id = officer.unit_id";
    let sees = "conduct.sees(officer.id, unit.reach, report.id)";
    let barred = "conduct.barred(officer.id, report.id)";
    let seen = "report.id in (select conduct.seen_by(officer.id, unit.reach))";
    let kept = "report.id in (select conduct.kept_from(officer.id))";
    for (one, all) in [(sees, seen), (barred, kept)] {
        let count = format!("select count(*) {pairs} where ({one}) <> ({all})");
        assert_eq!(app.count(&count).await, 0, "{all}");
        for wanted in ["", "not"] {
            let count = format!("select count(*) {pairs} where {wanted} ({one})");
            assert!(app.count(&count).await > 0, "{wanted} {one}");
        }
    }
}

// I20: whatever is added to the API is asked, unless it says itself that it writes.
#[test]
fn every_method_that_is_not_known_to_write_is_asked() {
    let known: BTreeMap<_, _> = methods().into_iter().map(|it| (path(&it), it)).collect();
    for name in WRITES {
        let method = known.get(name).unwrap_or_else(|| panic!("{name} is not in the API"));
        assert!(method.input().get_field_by_name("request_id").is_none(), "{name} says so itself");
    }
    for (name, method) in &known {
        let reads = READ_VERBS.iter().any(|verb| method.name().starts_with(verb));
        assert!(!reads || !writes(method), "{name} is called a read, and would not be asked");
        assert!(!method.is_client_streaming(), "{name} is asked in no way that is known here");
    }
    let streams: Vec<_> =
        reads().iter().filter(|method| method.is_server_streaming()).map(path).collect();
    assert_eq!(
        streams,
        ["ConversationService/WatchMessages", "ConversationService/ExportConversation"]
    );
}

/// Looks into a report up to an answer to its reporter, and opens what there is of the one against the
/// auditor: the name and a picture.
async fn investigated(
    report: &pb::ConductReport,
    intake: &User,
    [sleuth, second]: [&User; 2],
    auditor: &User,
) {
    accept(intake, report).await;
    assign(intake, report, sleuth).await.unwrap();
    sleuth.call(to::SignConductReport(super::step(report, ""))).await.unwrap();
    let answer = pb::AnswerReporterRequest {
        name: report.name.clone(),
        text: CANARY.to_owned(),
        request_id: request_id(),
    };
    sleuth.call(answer).await.unwrap();
    let details = pb::GetConductReportRequest { name: report.name.clone() };
    let details = sleuth.call(to::GetConductReport(details)).await.unwrap();
    if details.accused.iter().any(|it| it.officer == auditor.name) {
        identity_by_two(sleuth, second, &report.name).await;
        let picture = &details.evidence[0].id;
        super::evidence::open(sleuth, &report.name, picture).await.unwrap();
    }
}

// CO-15, I20: whoever is accused, in whatever office, reads the same bytes, before and after the reports
// were investigated, and when they are late.
#[sqlx::test]
async fn the_world_of_the_accused_is_the_same_with_the_report_and_without(pool: PgPool) {
    let app = App::start(pool).await;
    let (house, users) = Box::pin(lived_in(&app)).await;
    // Every office that an officer can have: what none of them may ask, no officer reads.
    let persons = ["PERSON", "DRIVER", "ENTERPRISE_HANDLER", "LEGAL_REPRESENTATIVE", "DEVICE"];
    let offices = jingqi::surface::actor::Role::ALL.iter().map(|role| role.wire());
    for office in offices.filter(|office| !persons.contains(office)) {
        assert!(users.contains_key(office), "nobody is {office}");
    }
    let twins = Twins::of(app).await;
    let accused = |roles: &[&str]| roles.iter().map(|role| officer(&users[role])).collect();
    // The brigade: its inspector would see the report within reach, were the unit not accused.
    let mut brigade: Vec<_> = accused(&["LIAISON_OFFICER", "UNIT_LEADER", "ASSIGNER", "HANDLER"]);
    brigade.push(super::whole(&house.brigade));
    let (aside, filed) = reported(&twins, &house.desk.boss, brigade).await;
    // The administrators: the auditor would read who opened the reporter's name.
    let technical = accused(&["AUDITOR", "SYSTEM_ADMINISTRATOR", "SECURITY_ADMINISTRATOR"]);
    let (_, other) = reported(&twins, &house.desk.boss, technical).await;
    let (intake, sleuth) = (house.intake.at(aside), house.sleuth.at(aside));
    let second = house.second.at(aside);
    let reports = listed(&intake).await;
    let secret: Vec<_> = reports.iter().map(|report| report.name.clone()).collect();
    assert_eq!(secret.len(), 2);
    for (role, user) in &users {
        twins.equal(user, &[role], &secret).await;
    }
    // With pictures, through their whole life, past every limit, and through a review.
    let nobody = twins.with.anonymous().at(aside);
    for filed in [&filed, &other] {
        let picture = super::evidence::small();
        super::evidence::bring(&nobody, filed, "image/jpeg", &picture).await.unwrap();
    }
    for report in &reports {
        investigated(report, &intake, [&sleuth, &second], &users["AUDITOR"]).await;
    }
    let request = pb::ListIdentityOpeningsRequest::default();
    let openings = house.auditor.at(aside).call(request).await.unwrap();
    assert_eq!(openings.identity_openings.len(), 0, "of the accused unit, too");
    assert_eq!(twins.with.count("select count(*) from conduct.opening").await, 2);
    the_sets_agree(&twins.with).await;
    for app in [&twins.without, &twins.with] {
        app.advance(SignedDuration::from_hours(24 * 90));
        // What is late elsewhere is late in both.
        app.run_workers_aside().await;
    }
    assert!(twins.with.count("select count(*) from conduct.escalation").await > 0);
    for report in &reports {
        conclude(&sleuth, report).await.unwrap();
    }
    for filed in [filed, other] {
        let asked = pb::RequestConductReportReviewRequest {
            query_code: filed.query_code,
            secret: filed.secret,
            reason: CANARY.to_owned(),
            request_id: request_id(),
        };
        nobody.call(asked).await.unwrap();
    }
    for role in ["INSPECTOR", "AUDITOR"] {
        twins.equal(&users[role], &[role], &secret).await;
    }
    // The control: an inspector who is not accused does read them. Last, since each opening is kept.
    let (without, with) = twins.worlds(&house.intake, &["INSPECTOR"], &secret).await;
    assert_ne!(without, with);
    twins.end().await;
}

// CO-15, I20: and if the inspectorate itself is accused.
#[sqlx::test]
async fn the_world_of_an_accused_inspectorate_is_the_same(pool: PgPool) {
    let app = App::start(pool).await;
    let (house, _) = Box::pin(lived_in(&app)).await;
    let twins = Twins::of(app).await;
    let (aside, _) = reported(&twins, &house.desk.boss, vec![officer(&house.sleuth)]).await;
    let report = listed(&house.discipline.at(aside)).await.remove(0);
    for user in [&house.sleuth, &house.intake] {
        twins.equal(user, &["INSPECTOR"], std::slice::from_ref(&report.name)).await;
    }
    twins.end().await;
}
