//! What gives power takes two: proposed by one, confirmed by another, and done only then.

mod rules;

use jiff::SignedDuration;
use jingqi::surface::service::pb;
use sqlx::PgPool;
use tonic::Status;

use crate::harness::{App, City, User, fact, fields, reason, request_id};

/// The administrators and leaders of a city.
struct Bureau {
    city: City,
    unit: String,
    root: (uuid::Uuid, String),
    system: User,
    other_system: User,
    security: User,
    auditor: User,
    director: User,
    other_chief: User,
}

impl App {
    async fn bureau(&self) -> Bureau {
        let city = self.city().await;
        let root = (city.root, "321300000000/".to_owned());
        let detachment = self.unit_of("321300170000").await;
        Bureau {
            unit: format!("units/{}", city.root),
            system: self.officer("200001", &root, &["SYSTEM_ADMINISTRATOR"]).await,
            other_system: self.officer("200002", &root, &["SYSTEM_ADMINISTRATOR"]).await,
            security: self.officer("200003", &root, &["SECURITY_ADMINISTRATOR"]).await,
            auditor: self.officer("200004", &root, &["AUDITOR"]).await,
            director: self.officer("200005", &root, &["UNIT_LEADER"]).await,
            other_chief: self.officer("200006", &detachment, &["FINAL_REVIEWER"]).await,
            city,
            root,
        }
    }
}

impl User {
    async fn proposal(&self, name: &str) -> Result<pb::Proposal, Status> {
        let request = pb::GetProposalRequest { name: name.to_owned() };
        self.call(request).await
    }

    /// Looks at a proposal and confirms it.
    async fn confirm(&self, name: &str, at_once_reason: &str) -> Result<pb::Proposal, Status> {
        let etag = match self.proposal(name).await {
            Ok(seen) => seen.etag,
            // Whoever is not shown it tries all the same.
            Err(_) => "W/\"1\"".to_owned(),
        };
        let request = pb::ConfirmProposalRequest {
            name: name.to_owned(),
            at_once_reason: at_once_reason.to_owned(),
            etag,
            request_id: request_id(),
            ..Default::default()
        };
        self.call(request).await
    }

    async fn list(&self, state: pb::proposal::State) -> Vec<String> {
        let request = pb::ListProposalsRequest { state: state.into(), ..Default::default() };
        let listed = self.call(request).await.unwrap();
        listed.proposals.into_iter().map(|proposal| proposal.name).collect()
    }

    async fn told(&self) -> Vec<String> {
        let listed = self.call(pb::ListNoticesRequest::default()).await;
        listed.unwrap().notices.into_iter().map(|notice| notice.event).collect()
    }
}

impl Bureau {
    async fn create(&self, by: &User, roles: &[&str]) -> Result<pb::Officer, Status> {
        self.create_for(by, "654321", roles, "新任命").await
    }

    async fn create_for(
        &self,
        by: &User,
        number: &str,
        roles: &[&str],
        reason: &str,
    ) -> Result<pb::Officer, Status> {
        let request = pb::CreateOfficerRequest {
            officer: Some(pb::Officer {
                police_number: number.to_owned(),
                unit: self.unit.clone(),
                roles: roles.iter().map(|&role| role.to_owned()).collect(),
                ..Default::default()
            }),
            full_name: "韩新民".to_owned(),
            phone: "13905240009".to_owned(),
            reason: reason.to_owned(),
            request_id: request_id(),
        };
        let made = by.call(request).await?;
        Ok(made.officer.unwrap())
    }

    async fn update(&self, officer: &pb::Officer, roles: &[&str]) -> Result<pb::Officer, Status> {
        let request = pb::UpdateOfficerRequest {
            officer: Some(pb::Officer {
                roles: roles.iter().map(|&role| role.to_owned()).collect(),
                ..officer.clone()
            }),
            reason: "调整分工".to_owned(),
            request_id: request_id(),
        };
        self.system.call(request).await
    }

    async fn officer(&self, name: &str) -> pb::Officer {
        let all = pb::ListOfficersRequest { page_size: 100, ..Default::default() };
        let listed = self.security.call(all).await.unwrap();
        listed.officers.into_iter().find(|officer| officer.name == name).unwrap()
    }
}

// The journey: one administrator proposes, nothing is given, another of another kind looks, and confirms.
#[sqlx::test]
async fn an_inspector_is_made_by_two_administrators_of_different_kinds(pool: PgPool) {
    let app = App::start(pool).await;
    let bureau = app.bureau().await;
    let made = bureau.create(&bureau.system, &["INSPECTOR"]).await.unwrap();
    assert_eq!(made.roles, Vec::<String>::new(), "one administrator alone gives nothing");
    assert_ne!(made.proposal, "");
    assert_eq!(bureau.officer(&made.name).await.roles, Vec::<String>::new());
    // Whoever may confirm it is told, and sees what it is about; the digest names the exact request.
    // Besides, that an account was made.
    assert!(bureau.security.told().await.contains(&"PROPOSAL_TO_CHECK".to_owned()));
    let waiting = pb::proposal::State::Proposed;
    assert_eq!(bureau.security.list(waiting).await, std::slice::from_ref(&made.proposal));
    let seen = bureau.security.proposal(&made.proposal).await.unwrap();
    assert_eq!((seen.act.as_str(), seen.act_text.as_str()), ("GRANT_ROLE", "授予角色"));
    assert_eq!(seen.subject, made.name);
    assert_eq!(seen.maker, bureau.system.name);
    assert!(seen.shown.contains(&"授予角色:督察".to_owned()), "{:?}", seen.shown);
    assert_eq!(seen.request_digest.len(), 64);
    assert_eq!(seen.changes.len(), 1);
    let done = bureau.security.confirm(&made.proposal, "").await.unwrap();
    assert_eq!(done.state(), pb::proposal::State::Confirmed);
    assert_eq!(done.checker, bureau.security.name);
    let officer = bureau.officer(&made.name).await;
    assert_eq!(officer.roles, ["INSPECTOR"]);
    // Both, and the officer, are told of the outcome; the history names both.
    assert_eq!(bureau.system.told().await, ["PROPOSAL_CONFIRMED"]);
    let newcomer = app.user(
        jingqi::surface::id::Id::<jingqi::surface::id::kind::Officer>::parse(&made.name).unwrap(),
    );
    assert_eq!(newcomer.await.told().await, ["ACCOUNT_CHANGED"]);
    let history = bureau.auditor.proposal(&made.proposal).await.unwrap().changes;
    let steps: Vec<_> = history.iter().map(|it| (it.action.as_str(), it.actor.as_str())).collect();
    let expected = [("PROPOSE", &bureau.system), ("CONFIRM", &bureau.security)];
    assert_eq!(steps, expected.map(|(action, by)| (action, by.name.as_str())));
    // Taking it away takes one.
    let less = bureau.update(&officer, &["CHECKPOINT_OFFICER"]).await.unwrap();
    assert_eq!((less.roles, less.proposal.as_str()), (vec!["CHECKPOINT_OFFICER".to_owned()], ""));
    app.run_workers().await;
}

// Seen: one administrator alone became INSPECTOR and read what was reported.
#[sqlx::test]
async fn no_power_is_given_by_one_alone_whatever_the_way(pool: PgPool) {
    let app = App::start(pool).await;
    let bureau = app.bureau().await;
    for (at, role) in [
        "INSPECTOR",
        "AUDITOR",
        "SECURITY_ADMINISTRATOR",
        "SYSTEM_ADMINISTRATOR",
        "FINAL_REVIEWER",
        "UNIT_LEADER",
    ]
    .into_iter()
    .enumerate()
    {
        let number = format!("65430{at}");
        let made = bureau.create_for(&bureau.system, &number, &[role], "新任命").await.unwrap();
        assert!(made.roles.is_empty(), "{role}");
        let id = jingqi::surface::id::Id::<jingqi::surface::id::kind::Officer>::parse(&made.name)
            .unwrap();
        let newcomer = app.user(id).await;
        for who in [&bureau.system, &bureau.other_system, &bureau.director, &newcomer] {
            let refused = who.confirm(&made.proposal, "").await.unwrap_err();
            assert_eq!(reason(&refused), "DENIED", "{role} by {}", who.name);
        }
        assert!(bureau.officer(&made.name).await.roles.is_empty(), "{role}");
    }
    // An officer who is given a second, harmless role keeps it while the first one waits.
    let both = ["FINAL_REVIEWER", "FIRST_REVIEWER"];
    let made = bureau.create(&bureau.system, &both).await.unwrap();
    assert_eq!(made.roles, ["FIRST_REVIEWER"]);
    // Nor does an update or a move give any.
    let listed = bureau.officer(&made.name).await;
    let again = bureau.update(&listed, &both).await.unwrap_err();
    assert_eq!(reason(&again), "PROPOSAL_PENDING");
    bureau.security.confirm(&made.proposal, "").await.unwrap();
    let chief = bureau.officer(&made.name).await;
    assert_eq!(chief.roles, ["FIRST_REVIEWER", "FINAL_REVIEWER"]);
    let elsewhere = app.unit("321300190000", Some(&bureau.root), &[]).await;
    let moved = pb::Officer { unit: format!("units/{}", elsewhere.0), ..chief.clone() };
    let moved = bureau.update(&moved, &both).await.unwrap();
    assert_eq!(moved.unit, chief.unit, "a move with such a role waits");
    bureau.auditor.confirm(&moved.proposal, "").await.unwrap();
    assert_eq!(bureau.officer(&made.name).await.unit, format!("units/{}", elsewhere.0));
}

// Seen: eight conflicting roles on one officer were taken.
#[sqlx::test]
async fn roles_that_exclude_each_other_are_refused_by_both_names(pool: PgPool) {
    let app = App::start(pool).await;
    let bureau = app.bureau().await;
    let eight = [
        "INSPECTOR",
        "AUDITOR",
        "SECURITY_ADMINISTRATOR",
        "SYSTEM_ADMINISTRATOR",
        "FINAL_REVIEWER",
        "HANDLER",
        "AUXILIARY",
        "UNIT_LEADER",
    ];
    let refused = bureau.create(&bureau.system, &eight).await.unwrap_err();
    let told = tonic_types::StatusExt::get_error_details(&refused);
    let told = told.bad_request().unwrap().field_violations.clone();
    assert!(told.len() > 20, "each pair: {told:?}");
    assert!(told.iter().all(|fault| fault.reason == "ROLES_EXCLUDE"));
    let named = "终审民警与督察不能由同一人担任";
    assert!(told.iter().any(|fault| fault.description == named), "{told:?}");
    // What the officer has become meanwhile counts at the confirmation.
    let made = bureau.create(&bureau.system, &["INSPECTOR"]).await.unwrap();
    let listed = bureau.officer(&made.name).await;
    bureau.update(&listed, &["HANDLER"]).await.unwrap();
    let late = bureau.security.confirm(&made.proposal, "").await.unwrap_err();
    assert_eq!(fields(&late), ["roles ROLES_EXCLUDE"]);
    let seen = bureau.security.proposal(&made.proposal).await.unwrap();
    assert_eq!(seen.state(), pb::proposal::State::Proposed, "nothing of it was done");
}

#[sqlx::test]
async fn a_proposal_says_why_and_is_declined_withdrawn_or_lapses(pool: PgPool) {
    let app = App::start(pool).await;
    let bureau = app.bureau().await;
    let silent = bureau.create_for(&bureau.system, "654320", &["AUDITOR"], " ").await.unwrap_err();
    assert_eq!(fields(&silent), ["reason REQUIRED"]);
    let made = bureau.create(&bureau.system, &["AUDITOR"]).await.unwrap();
    let etag = bureau.security.proposal(&made.proposal).await.unwrap().etag;
    let decline = |note: &str, etag: &str| pb::DeclineProposalRequest {
        name: made.proposal.clone(),
        note: note.to_owned(),
        etag: etag.to_owned(),
        request_id: request_id(),
    };
    let wrong = bureau.security.call(decline("", "")).await.unwrap_err();
    assert_eq!(fields(&wrong), ["etag REQUIRED", "note REQUIRED"]);
    let stale = bureau.security.call(decline("岗位已满", "W/\"9\"")).await.unwrap_err();
    assert_eq!(reason(&stale), "ETAG_STALE");
    bureau.security.call(decline("岗位已满", &etag)).await.unwrap();
    assert_eq!(bureau.system.told().await, ["PROPOSAL_DECLINED"]);
    assert!(bureau.officer(&made.name).await.roles.is_empty());
    let over = bureau.auditor.confirm(&made.proposal, "").await.unwrap_err();
    assert_eq!(reason(&over), "TRANSITION_ILLEGAL");
    // The maker alone takes it back.
    let listed = bureau.officer(&made.name).await;
    let second = bureau.update(&listed, &["AUDITOR"]).await.unwrap();
    let withdraw = |by: &User| {
        let request = pb::WithdrawProposalRequest {
            name: second.proposal.clone(),
            etag: "W/\"1\"".to_owned(),
            request_id: request_id(),
        };
        let by = by.clone();
        async move { by.call(request).await }
    };
    assert_eq!(reason(&withdraw(&bureau.security).await.unwrap_err()), "DENIED");
    withdraw(&bureau.system).await.unwrap();
    // Nobody decides: it lapses, and whoever comes late is told so before the clock is.
    let listed = bureau.officer(&made.name).await;
    let third = bureau.update(&listed, &["AUDITOR"]).await.unwrap();
    app.advance(SignedDuration::from_hours(7 * 24));
    let late = bureau.security.confirm(&third.proposal, "").await.unwrap_err();
    assert_eq!(reason(&late), "PROPOSAL_LAPSED");
    app.run_workers().await;
    let lapsed = bureau.system.proposal(&third.proposal).await.unwrap();
    assert_eq!(lapsed.state(), pb::proposal::State::Lapsed);
    assert_eq!(bureau.system.told().await[0], "PROPOSAL_LAPSED");
}

// What the program forgets, the database refuses.
#[sqlx::test]
async fn four_eyes_and_the_exact_request_stand_in_the_database(pool: PgPool) {
    let app = App::start(pool).await;
    let bureau = app.bureau().await;
    let made = bureau.create(&bureau.system, &["INSPECTOR"]).await.unwrap();
    for alteration in [
        "checker_id = maker_id, state = 'CONFIRMED', decide_time = now()",
        "checker_id = split_part(subject, '/', 2)::uuid, state = 'CONFIRMED', decide_time = now()",
        "request_digest = '\\x00'",
        "subject = 'officers/x'",
        "shown = '{}'",
    ] {
        let text = sqlx::AssertSqlSafe(format!("update proposal set {alteration}"));
        let refused = sqlx::query(text).execute(app.parts.store.pool()).await;
        assert!(refused.is_err(), "{alteration}");
    }
    // A request that somebody altered is not carried out.
    app.sql("update proposal set request_sealed = request_sealed || '\\x00'").await;
    let refused = bureau.security.confirm(&made.proposal, "").await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Internal);
    assert!(bureau.officer(&made.name).await.roles.is_empty());
    assert_eq!(fact(&refused, "act"), "");
    assert_eq!(bureau.director.list(pb::proposal::State::Proposed).await, Vec::<String>::new());
}
