//! How a real bureau begins: from an empty database to two administrators whom nobody can stand in for.

use jingqi::surface::{
    error::Reason,
    service::{
        identity::organisation::founding::{Founder, Founding, found},
        pb,
    },
};
use sqlx::PgPool;

use crate::{
    credentials::{code, enrol},
    harness::{App, reason, request_id},
    identity::signed_in,
};

const PHONES: [&str; 2] = ["13905240001", "13905240002"];
const PASSWORD: &str = "Kiefer7!Wolke";

fn founder(police_number: &str, full_name: &str, phone: &str) -> Founder {
    Founder {
        police_number: police_number.to_owned(),
        full_name: full_name.to_owned(),
        phone: phone.to_owned(),
    }
}

fn founding() -> Founding {
    Founding {
        code: "321300000000".to_owned(),
        display_name: "宿迁市公安局".to_owned(),
        system_administrator: founder("200001", "张伟", PHONES[0]),
        security_administrator: founder("200002", "李娜", PHONES[1]),
    }
}

// ID-04: nobody begins alone. Each has proofs that the operator never saw, and power needs both.
#[sqlx::test]
async fn a_bureau_begins_with_two_administrators_who_enrol_by_their_phones(pool: PgPool) {
    let app = App::start(pool).await;
    found(&app.parts, founding()).await.unwrap();
    let (system, _) = enrol(&app, "200001", &code(&app, PHONES[0]).await, PASSWORD).await;
    let (security, _) = enrol(&app, "200002", &code(&app, PHONES[1]).await, PASSWORD).await;
    let (system, security) = (signed_in(&app, &system), signed_in(&app, &security));
    let units = system.call(pb::ListUnitsRequest {}).await.unwrap();
    let unit = units.units[0].name.clone();
    let create = pb::CreateOfficerRequest {
        officer: Some(pb::Officer {
            police_number: "200003".to_owned(),
            unit,
            roles: vec!["AUDITOR".to_owned()],
            ..Default::default()
        }),
        full_name: "王芳".to_owned(),
        phone: "13905240003".to_owned(),
        reason: "审计管理员到任".to_owned(),
        request_id: request_id(),
    };
    let made = system.call(create).await.unwrap().officer.unwrap();
    assert_eq!(made.roles, [] as [String; 0], "one administrator gives no power");
    let list = pb::ListProposalsRequest::default();
    let waiting = security.call(list).await.unwrap().proposals;
    assert_eq!(waiting.len(), 1);
    let confirm = pb::ConfirmProposalRequest {
        name: waiting[0].name.clone(),
        etag: waiting[0].etag.clone(),
        request_id: request_id(),
        ..Default::default()
    };
    security.call(confirm).await.unwrap();
    let list = pb::ListOfficersRequest::default();
    let officers = system.call(list).await.unwrap().officers;
    let auditor = officers.iter().find(|officer| officer.police_number == "200003").unwrap();
    assert_eq!(auditor.roles, ["AUDITOR"]);
}

#[sqlx::test]
async fn a_bureau_begins_once_and_never_with_one_person_twice(pool: PgPool) {
    let app = App::start(pool).await;
    let alone = Founding {
        code: "3213".to_owned(),
        security_administrator: founder("200001", "", PHONES[0]),
        ..founding()
    };
    let refused = found(&app.parts, alone).await.unwrap_err();
    let fields: Vec<_> = refused.fields().iter().map(|it| it.path.clone()).collect();
    assert_eq!(fields, ["code", "security_administrator.full_name"]);
    let twice =
        Founding { security_administrator: founder("200001", "张伟", PHONES[0]), ..founding() };
    let refused = found(&app.parts, twice).await.unwrap_err();
    let fields: Vec<_> = refused.fields().iter().map(|it| it.path.clone()).collect();
    assert_eq!(fields, ["security_administrator.police_number", "security_administrator.phone"]);
    assert_eq!(app.count("select count(*) from officer").await, 0, "nothing is left behind");
    found(&app.parts, founding()).await.unwrap();
    assert_eq!(found(&app.parts, founding()).await.unwrap_err().reason(), Reason::AlreadyExists);
    assert_eq!(app.count("select count(*) from officer").await, 2);
    // Nobody comes in by a number alone.
    let guess = pb::BeginOfficerEnrolmentRequest {
        police_number: "200001".to_owned(),
        enrolment_code: "AAAA-AAAA-AAAA".to_owned(),
    };
    let refused = app.anonymous().call(guess).await.unwrap_err();
    assert_eq!(reason(&refused), "ONE_TIME_CODE_INVALID");
}
