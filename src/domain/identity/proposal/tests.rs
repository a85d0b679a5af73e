//! The drawing of a proposal, and who may be the second person.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Act, Draft, Proposal, ProposalState, effective, is_of_the_city, next_day};
use crate::{
    actor::{Actor, Role, Roles},
    clock::Ids,
    context::Cx,
    domain::common::lifecycle::drawing,
    error::Reason,
    id::Id,
};

const BUREAU: &str = "321300000000/";

fn officer(number: u128, roles: &[Role], unit_path: &str, now: Timestamp) -> Cx {
    let actor = Actor::Officer {
        officer: Id::of(Uuid::from_u128(number)),
        session: Id::of(Uuid::nil()),
        unit: Id::of(Uuid::nil()),
        unit_path: unit_path.to_owned(),
        roles: Roles::of(roles),
        opened: Vec::new(),
    };
    Cx::new(actor, now, "test", Ids::seeded(1))
}

fn now() -> Timestamp {
    "2026-11-24T10:30:00+08:00".parse().unwrap()
}

fn proposal(act: Act, maker: &[Role], subject: &str) -> Proposal {
    let draft = Draft {
        act,
        subject: subject.to_owned(),
        unit_path: BUREAU.to_owned(),
        request: vec![1],
        shown: Vec::new(),
        reason: "新任命".to_owned(),
    };
    draft.propose(&officer(1, maker, BUREAU, now())).unwrap().unfold().0
}

fn refused(proposal: &Proposal, by: &Cx) -> Option<Reason> {
    proposal.clone().confirm(String::new(), by).map(drop).err().map(|error| error.reason())
}

#[test]
fn the_drawing_of_a_proposal() {
    insta::assert_snapshot!(drawing::<ProposalState>(), @r"
    --> PROPOSED | tell CHECKERS PROPOSAL_TO_CHECK
    PROPOSED --CONFIRM--> CONFIRMED | tell MAKER PROPOSAL_CONFIRMED
    PROPOSED --DECLINE--> DECLINED | tell MAKER PROPOSAL_DECLINED
    PROPOSED --WITHDRAW--> WITHDRAWN
    PROPOSED --LAPSE--> LAPSED | tell MAKER PROPOSAL_LAPSED
    ");
}

#[test]
fn an_administrators_act_is_confirmed_by_one_of_another_kind() {
    let asked = proposal(Act::GrantRole, &[Role::SystemAdministrator], "officers/x");
    let by = |role| officer(2, &[role], BUREAU, now());
    for kind in [Role::SecurityAdministrator, Role::Auditor] {
        assert_eq!(refused(&asked, &by(kind)), None, "{kind:?}");
    }
    for other in [Role::SystemAdministrator, Role::FinalReviewer, Role::UnitLeader] {
        assert_eq!(refused(&asked, &by(other)), Some(Reason::Denied), "{other:?}");
    }
    let reset = proposal(Act::ResetCredentials, &[Role::SecurityAdministrator], "officers/x");
    assert_eq!(refused(&reset, &by(Role::SecurityAdministrator)), Some(Reason::SameKind));
    assert_eq!(refused(&reset, &by(Role::SystemAdministrator)), None);
}

#[test]
fn nobody_confirms_what_is_ones_own_or_about_oneself() {
    let role = &[Role::SecurityAdministrator];
    let oneself = Id::<crate::id::kind::Officer>::of(Uuid::from_u128(2)).to_string();
    let about = proposal(Act::GrantRole, &[Role::SystemAdministrator], &oneself);
    assert_eq!(refused(&about, &officer(2, role, BUREAU, now())), Some(Reason::SamePerson));
    let own = proposal(Act::PublishZone, &[Role::FinalReviewer], "zones/x");
    let maker = officer(1, &[Role::FinalReviewer], BUREAU, now());
    assert_eq!(refused(&own, &maker), Some(Reason::SamePerson));
}

#[test]
fn what_holds_for_the_city_is_confirmed_in_a_unit_of_the_city() {
    let asked = proposal(Act::PublishPassPolicy, &[Role::FinalReviewer], "passPolicies/x");
    let by = |path| officer(2, &[Role::UnitLeader], path, now());
    assert_eq!(refused(&asked, &by(BUREAU)), None);
    assert_eq!(refused(&asked, &by("321300000000/321300170000/")), None);
    let brigade = "321300000000/321300170000/321302170000/";
    assert!(!is_of_the_city(brigade));
    assert_eq!(refused(&asked, &by(brigade)), Some(Reason::Denied));
}

#[test]
fn a_decided_or_a_late_proposal_is_not_confirmed() {
    let asked = proposal(Act::SetQuota, &[Role::FinalReviewer], "zones/x");
    let week = SignedDuration::from_hours(7 * 24);
    let late = officer(2, &[Role::FinalReviewer], BUREAU, now() + week);
    assert_eq!(refused(&asked, &late), Some(Reason::ProposalLapsed));
    let other = officer(2, &[Role::FinalReviewer], BUREAU, now());
    let (declined, _) = asked.clone().decline("不合适".to_owned(), &other).unwrap().unfold();
    assert_eq!(refused(&declined, &other), Some(Reason::TransitionIllegal));
    assert!(asked.withdraw(&other).is_err(), "only the maker takes it back");
}

#[test]
fn nothing_takes_effect_before_the_next_day_unless_a_leader_says_why() {
    let (now, tomorrow) = (now(), "2026-11-25T00:00:00+08:00".parse().unwrap());
    let (reviewer, leader) = (Roles::of(&[Role::FinalReviewer]), Roles::of(&[Role::UnitLeader]));
    assert_eq!(next_day(now), tomorrow);
    assert_eq!(effective(None, "", reviewer, now).unwrap(), tomorrow);
    assert_eq!(effective(Some(tomorrow), "", reviewer, now).unwrap(), tomorrow);
    let soon = now + SignedDuration::from_secs(1);
    for (reason, roles) in [("", reviewer), ("", leader), ("暴雪应急", reviewer)] {
        let early = effective(Some(soon), reason, roles, now).unwrap_err();
        assert_eq!(early.reason(), Reason::TakesEffectTooSoon);
    }
    assert_eq!(effective(Some(soon), "暴雪应急", leader, now).unwrap(), soon);
    assert_eq!(effective(None, "暴雪应急", leader, now).unwrap(), now);
    assert_eq!(effective(Some(Timestamp::MIN), "暴雪应急", leader, now).unwrap(), now);
    assert_eq!(next_day(Timestamp::MAX), next_day(Timestamp::MAX));
}
