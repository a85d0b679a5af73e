//! What gives power takes two: a proposal by one (经办), its confirmation by another (复核), and who may
//! confirm what. What is done then is not here.

use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::{
    actor::{Actor, Role, Roles},
    context::Cx,
    domain::{
        common::{
            deed::Deed,
            follow::{Follow, To},
            lifecycle::{Change, Held, Moved, Note, State},
            notice::NoticeEvent,
        },
        duty::month,
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    named::named,
};

/// A proposal that nobody decides so long is over: what was right then need not be right now.
pub const LAPSES_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The three administrators: an act of one is confirmed by one of another kind.
const ADMINISTRATORS: Roles =
    Roles::of(&[Role::SystemAdministrator, Role::SecurityAdministrator, Role::Auditor]);

named! {
/// An act that gives power.
Act {
    /// An officer gets a role, or a wider reach with one.
    GrantRole = "GRANT_ROLE", "授予角色";
    /// A lost password or phone: the way in is made anew.
    ResetCredentials = "RESET_CREDENTIALS", "重置登录凭证";
    /// A version of the pass policy.
    PublishPassPolicy = "PUBLISH_PASS_POLICY", "发布通行证政策";
    /// A version of a zone.
    PublishZone = "PUBLISH_ZONE", "发布限行区域";
    /// The places of a zone.
    SetQuota = "SET_QUOTA", "设定通行证名额";
    /// The green lane.
    SetSpecialPeriod = "SET_SPECIAL_PERIOD", "设定特殊时期";
    /// A year's working days.
    ImportCalendar = "IMPORT_CALENDAR", "发布工作日历";
    /// How complaints are handled.
    PublishComplaintPolicy = "PUBLISH_COMPLAINT_POLICY", "发布诉求办理规则";
}
}

impl Act {
    /// Who may confirm it, or decline.
    #[must_use]
    pub const fn checkers(self) -> Roles {
        match self {
            Self::GrantRole => Roles::of(&[Role::SecurityAdministrator, Role::Auditor]),
            // One of three kinds may be the one who cannot come in.
            Self::ResetCredentials => {
                Roles::of(&[Role::SystemAdministrator, Role::SecurityAdministrator, Role::Auditor])
            }
            Self::PublishPassPolicy
            | Self::PublishZone
            | Self::SetQuota
            | Self::SetSpecialPeriod => Roles::of(&[Role::FinalReviewer, Role::UnitLeader]),
            Self::ImportCalendar => Roles::of(&[Role::SystemAdministrator, Role::UnitLeader]),
            Self::PublishComplaintPolicy => Roles::of(&[Role::UnitLeader]),
        }
    }

    /// Whether the two must be administrators of different kinds.
    #[must_use]
    pub const fn of_two_kinds(self) -> bool {
        matches!(self, Self::GrantRole | Self::ResetCredentials)
    }

    /// Whether it holds for the whole city, so that only units of the city may confirm it.
    #[must_use]
    pub const fn of_the_city(self) -> bool {
        matches!(
            self,
            Self::PublishPassPolicy
                | Self::PublishZone
                | Self::SetQuota
                | Self::SetSpecialPeriod
                | Self::PublishComplaintPolicy
        )
    }

    /// The acts that somebody with these roles may confirm; the auditor sees all.
    #[must_use]
    pub fn checked_by(roles: Roles) -> Vec<Self> {
        let sees = |act: &Self| roles.has(Role::Auditor) || act.checkers().meets(roles);
        Self::ALL.iter().copied().filter(sees).collect()
    }
}

named! {
/// Where a proposal stands.
ProposalState {
    /// It waits for a second person.
    Proposed = "PROPOSED", "待复核";
    /// It was done.
    Confirmed = "CONFIRMED", "复核通过";
    /// It was not.
    Declined = "DECLINED", "复核未通过";
    /// The maker took it back.
    Withdrawn = "WITHDRAWN", "已撤回";
    /// Nobody decided in time.
    Lapsed = "LAPSED", "逾期失效";
}
}

named! {
/// What can be done to a proposal.
ProposalAction, readers: Readers {
    /// By the second person.
    Confirm = "CONFIRM", "复核通过", Everybody;
    /// By the second person.
    Decline = "DECLINE", "复核不通过", Everybody;
    /// By whoever made it.
    Withdraw = "WITHDRAW", "撤回", Everybody;
    /// By the clock.
    Lapse = "LAPSE", "逾期失效", Everybody;
}
}

impl State for ProposalState {
    type Action = ProposalAction;
    const FIRST: Self = Self::Proposed;
    const BEGINS: &'static [Follow] = &[Follow::Tell(NoticeEvent::ProposalToCheck, To::Checkers)];

    fn after(self, action: ProposalAction) -> Option<Self> {
        match (self, action) {
            (Self::Proposed, ProposalAction::Confirm) => Some(Self::Confirmed),
            (Self::Proposed, ProposalAction::Decline) => Some(Self::Declined),
            (Self::Proposed, ProposalAction::Withdraw) => Some(Self::Withdrawn),
            (Self::Proposed, ProposalAction::Lapse) => Some(Self::Lapsed),
            _ => None,
        }
    }

    fn follows(action: ProposalAction) -> &'static [Follow] {
        match action {
            ProposalAction::Confirm => &[Follow::Tell(NoticeEvent::ProposalConfirmed, To::Maker)],
            ProposalAction::Decline => &[Follow::Tell(NoticeEvent::ProposalDeclined, To::Maker)],
            ProposalAction::Lapse => &[Follow::Tell(NoticeEvent::ProposalLapsed, To::Maker)],
            // Nobody is told of an own step.
            ProposalAction::Withdraw => &[],
        }
    }
}

/// The exact request that was proposed; it may hold personal data, and is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Asked(pub Vec<u8>);

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asked({} bytes)", self.0.len())
    }
}

/// What somebody wants done that takes a second person.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Which act.
    pub act: Act,
    /// What it is about: a resource name.
    pub subject: String,
    /// The unit in whose subtree it is confirmed.
    pub unit_path: String,
    /// The exact request, as it will be carried out.
    pub request: Vec<u8>,
    /// What the second person is shown, line by line.
    pub shown: Vec<String>,
    /// Why.
    pub reason: String,
}

/// A proposal.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Its id.
    pub id: Id<kind::Proposal>,
    /// Which act.
    pub act: Act,
    /// What it is about: a resource name.
    pub subject: String,
    /// The unit in whose subtree it is confirmed.
    pub unit_path: String,
    /// The exact request.
    pub request: Asked,
    /// What the second person is shown.
    pub shown: Vec<String>,
    /// Why it was proposed.
    pub reason: String,
    /// Who proposed it.
    pub maker: Id<kind::Officer>,
    /// What the maker was then.
    pub maker_roles: Roles,
    /// Who confirmed or declined it.
    pub checker: Option<Id<kind::Officer>>,
    /// What was said to it.
    pub checker_note: String,
    /// Why it takes effect before the next day.
    pub at_once_reason: String,
    /// When it takes effect, once confirmed; absent where it is at once.
    pub effective_time: Option<Timestamp>,
    /// When it was proposed.
    pub create_time: Timestamp,
    /// Until when it waits.
    pub lapse_time: Timestamp,
    /// When it was decided, taken back, or lapsed.
    pub decide_time: Option<Timestamp>,
    /// Rises with each step.
    pub version: i64,
    /// The stored state.
    pub held: Held<ProposalState>,
}

/// The rule of four eyes: who confirms neither proposed it, nor is what it is about.
pub fn four_eyes(
    maker: Id<kind::Officer>,
    subject: &str,
    checker: Id<kind::Officer>,
) -> Result<()> {
    if checker == maker || subject == checker.to_string() {
        return Err(Error::new(Reason::SamePerson));
    }
    Ok(())
}

/// Whether a unit is one of the city rather than of a part of it: its code begins with the six digits of
/// the division of the unit at the head of its path.
#[must_use]
pub fn is_of_the_city(unit_path: &str) -> bool {
    let mut codes = unit_path.split_terminator('/');
    let root = codes.next();
    let own = codes.next_back().or(root);
    let division = |code: &str| code.get(..6).map(str::to_owned);
    root.and_then(division).is_some_and(|city| own.and_then(division) == Some(city))
}

/// The day after an instant, from its beginning in Asia/Shanghai: before it nothing takes effect that was
/// confirmed then.
#[must_use]
pub fn next_day(now: Timestamp) -> Timestamp {
    month::start_of_day(month::local_date(now).tomorrow().unwrap_or(Date::MAX))
}

impl Draft {
    /// Proposes it, in the name of the officer who asks.
    pub fn propose(self, cx: &Cx) -> Result<Moved<Proposal>> {
        let maker = cx.actor.officer()?;
        let note = Note::internal(&self.reason);
        let (held, change) = Change::begin(ProposalState::Proposed, Deed::Propose, note, cx);
        let lapse_time = cx.now.saturating_add(LAPSES_AFTER).unwrap_or(Timestamp::MAX);
        let proposal = Proposal {
            id: cx.id(),
            act: self.act,
            subject: self.subject,
            unit_path: self.unit_path,
            request: Asked(self.request),
            shown: self.shown,
            reason: self.reason,
            maker,
            maker_roles: cx.actor.roles(),
            checker: None,
            checker_note: String::new(),
            at_once_reason: String::new(),
            effective_time: None,
            create_time: cx.now,
            lapse_time,
            decide_time: None,
            version: 1,
            held,
        };
        Ok(Moved::new(proposal, change))
    }
}

impl Proposal {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> ProposalState {
        self.held.state()
    }

    /// Whether the actor may see it: who made it, and whoever may confirm such an act.
    #[must_use]
    pub fn shows_to(&self, actor: &Actor) -> bool {
        let made = actor.officer().is_ok_and(|officer| officer == self.maker);
        made || Act::checked_by(actor.roles()).contains(&self.act)
    }

    /// Refuses whoever may not be the second person of this proposal, as the roles are now.
    fn checked_by(&self, cx: &Cx) -> Result<Id<kind::Officer>> {
        let Actor::Officer { officer, roles, unit_path, .. } = &cx.actor else {
            return Err(Error::new(Reason::Denied));
        };
        if !self.act.checkers().meets(*roles)
            || (self.act.of_the_city() && !is_of_the_city(unit_path))
        {
            return Err(Error::new(Reason::Denied).fact("act", self.act.wire()));
        }
        four_eyes(self.maker, &self.subject, *officer)?;
        let kinds = |roles: Roles| roles.iter().filter(|role| ADMINISTRATORS.has(*role));
        if self.act.of_two_kinds() && kinds(self.maker_roles).any(|kind| roles.has(kind)) {
            return Err(Error::new(Reason::SameKind));
        }
        Ok(*officer)
    }

    /// The second person decides.
    fn decide(mut self, action: ProposalAction, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let checker = self.checked_by(cx)?;
        if self.state() == ProposalState::Proposed && cx.now >= self.lapse_time {
            return Err(Error::new(Reason::ProposalLapsed));
        }
        let (held, change) = self.state().advance(action, Note::internal(&*note), cx)?;
        self.held = held;
        self.checker = Some(checker);
        self.checker_note = note;
        self.decide_time = Some(cx.now);
        Ok(Moved::new(self, change))
    }

    /// Confirmed: what was asked for is done in the same unit of work. An officer whom it is about is told; a
    /// reset tells more, and by every way, where it is carried out.
    pub fn confirm(self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let concerned = (self.act != Act::ResetCredentials)
            .then_some(Follow::Tell(NoticeEvent::AccountChanged, To::Officer));
        Ok(self.decide(ProposalAction::Confirm, note, cx)?.and(concerned))
    }

    /// Declined: nothing is done.
    pub fn decline(self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        self.decide(ProposalAction::Decline, note, cx)
    }

    /// Taken back by whoever made it.
    pub fn withdraw(mut self, cx: &Cx) -> Result<Moved<Self>> {
        if cx.actor.officer()? != self.maker {
            return Err(Error::new(Reason::Denied));
        }
        let (held, change) = self.state().advance(ProposalAction::Withdraw, Note::none(), cx)?;
        self.held = held;
        self.decide_time = Some(cx.now);
        Ok(Moved::new(self, change))
    }

    /// Over by the clock.
    pub fn lapse(mut self, cx: &Cx) -> Result<Moved<Self>> {
        let (held, change) = self.state().advance(ProposalAction::Lapse, Note::none(), cx)?;
        self.held = held;
        self.decide_time = Some(cx.now);
        Ok(Moved::new(self, change))
    }
}

/// When what is confirmed now takes effect: as it was asked for, not before the next day, unless a leader
/// says why.
///
/// # Errors
/// `TAKES_EFFECT_TOO_SOON` where it would and nobody said why.
pub fn effective(
    asked: Option<Timestamp>,
    at_once_reason: &str,
    roles: Roles,
    now: Timestamp,
) -> Result<Timestamp> {
    let earliest = next_day(now);
    if let Some(asked) = asked.filter(|asked| *asked >= earliest) {
        return Ok(asked);
    }
    if !at_once_reason.is_empty() && roles.has(Role::UnitLeader) {
        return Ok(asked.unwrap_or(now).max(now));
    }
    match asked {
        // No instant was asked for: the first that is permitted.
        None => Ok(earliest),
        Some(_) => Err(Error::new(Reason::TakesEffectTooSoon).fact("earliest", earliest)),
    }
}

#[cfg(test)]
mod tests;
