//! Who may call what: the table against the descriptor set, and every method by every role.

use std::{collections::BTreeSet, fmt::Write as _};

use jingqi::surface::{
    actor::{Role, Roles},
    service::{
        pb,
        policy::{Access, POLICY, permits},
    },
};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use sqlx::PgPool;
use tonic::{Code, client::Grpc};

use crate::harness::{App, User, reason};

fn methods() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(pb::DESCRIPTORS).unwrap();
    pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

fn name(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().name(), method.name())
}

/// Calls a method with an empty message, as bytes: no generated client is needed.
#[expect(clippy::disallowed_methods, reason = "a success as a status, to compare it")]
async fn call(user: &User, method: &str) -> tonic::Status {
    let mut client = Grpc::new(user.wire());
    client.ready().await.unwrap();
    let path = format!("/jingqi.v1.{method}").parse().unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    match client.unary(tonic::Request::new(()), path, codec).await {
        Ok(_) => tonic::Status::new(Code::Ok, ""),
        Err(status) => status,
    }
}

/// By which door a call comes.
#[derive(Clone, Copy)]
enum Door<'a> {
    Grpc,
    Json(&'a reqwest::Client),
}

/// Calls a method with an empty message by a door: the code and the reason.
async fn tried(door: Door<'_>, user: &User, method: &str) -> (String, String) {
    let Door::Json(client) = door else {
        let status = call(user, method).await;
        return (format!("{:?}", status.code()), reason(&status));
    };
    let streams = ["WatchMessages", "ExportConversation"].iter().any(|it| method.ends_with(it));
    let (essence, body) = if streams {
        ("application/connect+json", b"\0\0\0\0\x02{}".to_vec())
    } else {
        ("application/json", b"{}".to_vec())
    };
    let mut request = client
        .post(format!("http://{}/jingqi.v1.{method}", user.address))
        .header("content-type", essence)
        .body(body);
    if let Some(token) = &user.token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.unwrap();
    let taken = answer.status().is_success() && !streams;
    let text = answer.bytes().await.unwrap();
    if taken {
        return ("Ok".to_owned(), String::new());
    }
    let text = if streams { text.get(5..).unwrap_or_default() } else { &text };
    let end: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    let error = if streams { &end["error"] } else { &end };
    let code = error["code"].as_str().unwrap_or("ok").split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    let mut details = error["details"].as_array().into_iter().flatten();
    let reason = details.find_map(|it| it["debug"]["reason"].as_str());
    (code.collect(), reason.unwrap_or_default().to_owned())
}

// ID-04: POLICY and the API are the same list.
#[test]
fn the_policy_names_every_method_and_no_other() {
    let api: BTreeSet<_> = methods().iter().map(name).collect();
    let policy: BTreeSet<_> = POLICY.iter().map(|(method, _)| (*method).to_owned()).collect();
    assert_eq!(policy, api);
    assert_eq!(POLICY.len(), policy.len(), "a method stands twice in POLICY");
}

// The whole table for a reviewer to read: a change of rights shows in the diff.
#[test]
fn the_policy_of_every_method() {
    let mut table = String::new();
    for (method, access) in POLICY {
        let who = match access {
            Access::Public => "anybody".to_owned(),
            Access::SignedIn => "signed in".to_owned(),
            Access::Roles(roles) => roles.iter().map(Role::wire).collect::<Vec<_>>().join(" "),
            Access::Unseen(an_hour) => format!("anybody, unseen, {an_hour} an hour"),
            Access::UnseenRoles(roles, an_hour) => {
                let roles = roles.iter().map(Role::wire).collect::<Vec<_>>().join(" ");
                format!("{roles}, unseen, {an_hour} an hour")
            }
        };
        writeln!(table, "{method}: {who}").unwrap();
    }
    insta::assert_snapshot!(table);
}

// D10: an auxiliary scans and records, and decides nothing.
#[test]
fn an_auxiliary_may_only_scan_and_record() {
    let auxiliary = Roles::of(&[Role::Auxiliary]);
    let mut may: Vec<_> = POLICY
        .iter()
        .filter(|(_, access)| matches!(access, Access::Roles(roles) if roles.meets(auxiliary)))
        .map(|(method, _)| *method)
        .collect();
    may.sort_unstable();
    assert_eq!(
        may,
        [
            "IdentityService/ChangePassword",
            "PassCheckService/CheckPass",
            "PassCheckService/GetPassKeyList",
            "PassCheckService/RecordCheckAction",
        ]
    );
}

// I26: none of the three administrators does business, nor the work of another.
#[test]
fn the_three_administrators_are_kept_apart_from_business() {
    for administrator in [Role::SystemAdministrator, Role::SecurityAdministrator, Role::Auditor] {
        for (method, access) in POLICY {
            let Access::Roles(roles) = access else { continue };
            if !roles.has(administrator) {
                continue;
            }
            let service = method.split('/').next().unwrap();
            // The auditor reads what others did, never what it was about.
            let reads_accesses = administrator == Role::Auditor
                && ["ListContentAccesses", "ListIdentityOpenings"]
                    .iter()
                    .any(|it| method.ends_with(it));
            // The calendar is a setting of the system, and no case of anybody.
            let own =
                ["OrganisationService", "IdentityService", "CalendarService", "ProposalService"];
            // What waits for them, and what was done to their own account.
            let told = service == "NoticeService" && method.contains("Notice");
            // That something is not delivered is the system's; what it says is shown to nobody there.
            let delivers = administrator == Role::SystemAdministrator
                && (method.contains("DeadLetter") || method.contains("Webhook"));
            // The own inbox, in which nothing stands but what the administrator is told as such.
            let own_inbox = administrator == Role::SystemAdministrator
                && ["Notices", "NoticesRead", "NoticeCounts", "NoticePreferences"]
                    .iter()
                    .any(|it| method.ends_with(it));
            assert!(
                own.contains(&service) || reads_accesses || delivers || own_inbox || told,
                "{} may call {method}",
                administrator.wire()
            );
        }
    }
}

// ID-04, I22: every method by every role at the running server. A denied cell answers DENIED
// whatever the message, a permitted one passes the gate and fails later, on the empty message.
#[sqlx::test]
async fn every_method_is_tried_by_every_role(pool: PgPool) {
    by_every_role(pool, Door::Grpc).await;
}

// The same table, by plain JSON.
#[sqlx::test]
async fn every_method_is_tried_by_every_role_in_json(pool: PgPool) {
    by_every_role(pool, Door::Json(&reqwest::Client::new())).await;
}

async fn by_every_role(pool: PgPool, door: Door<'_>) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let unit = (city.root, "321300000000/".to_owned());
    let inspector = app.officer("200001", &unit, &["INSPECTOR"]).await;
    let system = app.officer("200002", &unit, &["SYSTEM_ADMINISTRATOR"]).await;
    let security = app.officer("200003", &unit, &["SECURITY_ADMINISTRATOR"]).await;
    let auditor = app.officer("200004", &unit, &["AUDITOR"]).await;
    let liaison = app.officer("200005", &unit, &["LIAISON_OFFICER"]).await;
    let leader = app.officer("200006", &unit, &["UNIT_LEADER"]).await;
    let users: Vec<(&User, Roles)> = vec![
        (&city.stranger, Roles::of(&[Role::Person])),
        (&city.driver, Roles::of(&[Role::Person, Role::Driver])),
        (&city.handler, Roles::of(&[Role::Person, Role::EnterpriseHandler])),
        (&city.boss, Roles::of(&[Role::Person, Role::LegalRepresentative])),
        (&city.clerk, Roles::of(&[Role::WindowClerk])),
        (&city.first, Roles::of(&[Role::FirstReviewer])),
        (&city.chief, Roles::of(&[Role::FinalReviewer])),
        (&city.patrol, Roles::of(&[Role::CheckpointOfficer])),
        (&city.auxiliary, Roles::of(&[Role::Auxiliary])),
        (&liaison, Roles::of(&[Role::LiaisonOfficer])),
        (&leader, Roles::of(&[Role::UnitLeader])),
        (&inspector, Roles::of(&[Role::Inspector])),
        (&system, Roles::of(&[Role::SystemAdministrator])),
        (&security, Roles::of(&[Role::SecurityAdministrator])),
        (&auditor, Roles::of(&[Role::Auditor])),
        (&city.device, Roles::of(&[Role::Device])),
    ];
    let mut cells = 0;
    for (method, access) in POLICY {
        let (_, anonymous) = tried(door, &app.anonymous(), method).await;
        let open = matches!(access, Access::Public | Access::Unseen(_));
        assert_eq!(anonymous == "TOKEN_MISSING", !open, "{method} by nobody");
        for (user, roles) in &users {
            // Calls that end the caller's own sessions come last, in their own tests.
            if method.ends_with("RevokeOtherSessions") {
                continue;
            }
            let permitted = match access {
                Access::Public | Access::SignedIn | Access::Unseen(_) => true,
                Access::Roles(permitted) | Access::UnseenRoles(permitted, _) => {
                    roles.meets(*permitted)
                }
            };
            let (code, reason) = tried(door, user, method).await;
            // The gate's refusal has no facts; a room's own refusal names the resource.
            let refused = code == "PermissionDenied";
            assert!(permitted || refused, "{method} by {}: {code} {reason}", user.name);
            assert_ne!(code, "Internal", "{method} by {}", user.name);
            assert_ne!(code, "Unknown", "{method} by {}", user.name);
            cells += 1;
        }
    }
    assert_eq!(cells, (POLICY.len() - 1) * users.len());
    // The table itself agrees with what the server did for an actor.
    assert!(!permits(Access::SignedIn, &jingqi::surface::actor::Actor::Anonymous));
}

#[sqlx::test]
async fn a_method_that_does_not_exist_is_refused_like_a_forbidden_one(pool: PgPool) {
    let app = App::start(pool).await;
    let status = call(&app.anonymous(), "TruckPassService/DeleteTruckPass").await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "DENIED"));
}
