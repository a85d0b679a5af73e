//! The drawing of an application, and which step an approval is.

use uuid::Uuid;

use super::{Application, ApplicationState, Decided, DecidedBy, Need, Purpose, SourceChannel};
use crate::{
    actor::{Actor, Role, Roles},
    clock::Ids,
    context::Cx,
    domain::{
        common::lifecycle::{Held, drawing},
        pass::policy::{
            CargoKind, Evaluation, Grant, Length, Outcome, PassKind, PolicyValues, Reviews, Wish,
        },
    },
    error::Reason,
    id::Id,
};

// PA-01, PA-07, PA-08: from draft to decision, with correction, refusal and withdrawal.
#[test]
fn the_drawing_of_an_application() {
    insta::assert_snapshot!(drawing::<ApplicationState>());
}

fn officer(number: u128) -> Cx {
    let actor = Actor::Officer {
        officer: Id::of(Uuid::from_u128(number)),
        session: Id::of(Uuid::nil()),
        unit: Id::of(Uuid::nil()),
        unit_path: "321300000000/".to_owned(),
        roles: Roles::of(&[Role::FirstReviewer, Role::FinalReviewer]),
        opened: Vec::new(),
    };
    let now = "2026-11-24T10:30:00+08:00".parse().unwrap();
    Cx::new(actor, now, "test", Ids::seeded(1))
}

fn draft(cx: &Cx) -> Application {
    let need = Need {
        kind: PassKind::LongTermDelivery,
        zones: vec![Uuid::nil()],
        goods: "食品".to_owned(),
        cargo: CargoKind::Product,
        reason: "配送".to_owned(),
        loading_place: String::new(),
        unloading_place: String::new(),
        route: Vec::new(),
        windows: Vec::new(),
        start: "2026-11-25".parse().unwrap(),
        months: 3,
        days: 0,
        shorten_agreed: false,
        trailer: String::new(),
        permit_number: String::new(),
    };
    Application {
        id: cx.id(),
        number: "SQSQ1".to_owned(),
        enterprise: Id::of(Uuid::nil()),
        unit_path: "321300000000/".to_owned(),
        vehicle: Id::of(Uuid::nil()),
        purpose: Purpose::New,
        previous_pass: None,
        batch: None,
        source_channel: SourceChannel::Window,
        applicant: "persons/1".to_owned(),
        filed_on_behalf: false,
        need,
        declaration_accepted: true,
        attachments: Vec::new(),
        assignee: None,
        first_reviewer: None,
        corrections: Vec::new(),
        evaluation: None,
        decision: None,
        create_time: cx.now,
        submit_time: None,
        accept_time: None,
        waits: Vec::new(),
        decide_time: None,
        version: 1,
        held: Held::default(),
    }
}

/// An application that the officer holds for the first review.
fn in_review(cx: &Cx) -> Application {
    let submitted = draft(cx).submit(cx).unwrap().unfold().0;
    submitted.accept(cx).unwrap().unfold().0.claim(cx).unwrap().unfold().0
}

fn evaluation(reviews: Reviews) -> Evaluation {
    Evaluation {
        outcome: Outcome::Grant(Grant {
            valid_from: "2026-11-25T00:00:00+08:00".parse().unwrap(),
            valid_until: "2027-02-25T00:00:00+08:00".parse().unwrap(),
            length: Length::Months(3),
            reviews,
            quota_needed: false,
            renews: Vec::new(),
        }),
        kind: PassKind::LongTermDelivery,
        findings: Vec::new(),
        class_snapshot: Vec::new(),
        policy_version: "measure-6".to_owned(),
    }
}

// PA-04, SD-10: one approval or two, as the rules ask, and the second by somebody else.
#[test]
fn an_approval_is_the_first_of_two_where_the_rules_ask_for_two() {
    let (first, second) = (officer(1), officer(2));
    let decide = |application: Application, reviews, cx: &Cx| {
        application.decide(&evaluation(reviews), Wish::default(), String::new(), cx)
    };
    let once = decide(in_review(&first), Reviews::OneStep, &first).unwrap();
    let Decided::Approved { moved, approval, .. } = once else { panic!("{once:?}") };
    let application = moved.unfold().0;
    assert_eq!(approval.application(), application.id);
    assert_eq!(application.decision.unwrap().source, DecidedBy::Officer);
    assert_eq!(application.evaluation.unwrap().outcome, "GRANT");

    let once = decide(in_review(&first), Reviews::TwoStep, &first).unwrap();
    let Decided::Forwarded(moved) = once else { panic!("{once:?}") };
    let forwarded = moved.unfold().0;
    assert_eq!(forwarded.state(), ApplicationState::FinalReview);
    assert_eq!(forwarded.evaluation, None, "nothing is decided yet");
    let again = forwarded.clone().claim(&first).unwrap_err();
    assert_eq!(again.reason(), Reason::SamePerson);
    let claimed = forwarded.claim(&second).unwrap().unfold().0;
    let twice = decide(claimed, Reviews::TwoStep, &second).unwrap();
    assert!(matches!(twice, Decided::Approved { .. }), "{twice:?}");
}

#[test]
fn who_may_not_decide_learns_nothing_of_the_verdict() {
    let refused = Evaluation { outcome: Outcome::NoPassRequired, ..evaluation(Reviews::OneStep) };
    let decide = |cx: &Cx| {
        let application = in_review(&officer(1));
        application.decide(&refused, Wish::default(), String::new(), cx).unwrap_err().reason()
    };
    assert_eq!(decide(&officer(2)), Reason::NotAssignee);
    assert_eq!(decide(&officer(1)), Reason::NoPassRequired);
}

// PA-05.
#[test]
fn the_policy_decides_where_it_permits_that() {
    let cx = officer(1);
    let submitted = || draft(&cx).submit(&cx).unwrap().unfold().0;
    let mut values = PolicyValues::measure_6();
    let one = evaluation(Reviews::OneStep);
    let not = submitted().decide_by_policy(&one, &values, &cx).unwrap();
    assert!(matches!(not, Decided::Not(_)), "off until a policy switches it on");
    values.automatic_approval.enabled = true;
    values.automatic_approval.kinds = [PassKind::LongTermDelivery].into();
    values.automatic_approval.months_max = 3;
    let decided = submitted().decide_by_policy(&one, &values, &cx).unwrap();
    let Decided::Approved { moved, .. } = decided else { panic!("{decided:?}") };
    assert_eq!(moved.peek().decision.as_ref().unwrap().source, DecidedBy::Policy);
    let two = evaluation(Reviews::TwoStep);
    let not = submitted().decide_by_policy(&two, &values, &cx).unwrap();
    assert!(matches!(not, Decided::Not(_)));
}
