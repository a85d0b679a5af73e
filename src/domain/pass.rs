//! The truck pass and its drawing: four ends kept apart as the law keeps them. No check at a
//! roadside: that is `check`.

pub mod application;
pub mod blacklist;
pub mod check;
pub mod pass_code;
pub mod policy;
pub mod qr;
pub mod zone;

use jiff::Timestamp;
use uuid::Uuid;

pub use crate::domain::pass::check::PassState;
use crate::{
    context::Cx,
    domain::{
        common::{
            deed::Deed,
            follow::{Follow, To},
            lifecycle::{Change, Held, Moved, Note, State},
            notice::NoticeEvent,
        },
        duty::month,
        pass::{
            application::{Application, Approval, NeedWindow, SourceChannel},
            policy::{Grant, Kept, PassKind, VehicleFacts},
        },
    },
    error::{Error, Flaw, Reason, Result},
    id::{Id, kind},
    named::named,
};

named! {
/// What can be done to a pass.
PassAction, readers: Readers {
    /// 暂停.
    Suspend = "SUSPEND", "暂停", Everybody;
    /// 恢复.
    Resume = "RESUME", "恢复", Everybody;
    /// 撤回: law or facts changed (行政许可法, art. 8).
    Withdraw = "WITHDRAW", "撤回", Everybody;
    /// 注销: the holder asks, or holder or vehicle is gone (art. 70).
    Cancel = "CANCEL", "注销", Everybody;
    /// 撤销: wrongly granted, or obtained by fraud (art. 69).
    Annul = "ANNUL", "撤销", Everybody;
    /// 吊销: a penalty for misuse.
    Penalise = "PENALISE", "吊销", Everybody;
    /// Another revision takes its place.
    Supersede = "SUPERSEDE", "变更换发", Everybody;
}
}

impl State for PassState {
    type Action = PassAction;
    const FIRST: Self = Self::Active;

    fn after(self, action: PassAction) -> Option<Self> {
        use PassAction::{Annul, Cancel, Penalise, Resume, Supersede, Suspend, Withdraw};
        Some(match (self, action) {
            (Self::Active, Suspend) => Self::Suspended,
            (Self::Suspended, Resume) => Self::Active,
            (Self::Active | Self::Suspended, Withdraw) => Self::Withdrawn,
            (Self::Active | Self::Suspended, Cancel) => Self::Cancelled,
            // What was wrongly granted is annulled even after another revision took its place.
            (Self::Active | Self::Suspended | Self::Superseded, Annul) => Self::Annulled,
            (Self::Active | Self::Suspended, Penalise) => Self::Penalised,
            (Self::Active, Supersede) => Self::Superseded,
            _ => return None,
        })
    }

    fn follows(action: PassAction) -> &'static [Follow] {
        const fn both(event: NoticeEvent) -> [Follow; 2] {
            [Follow::Tell(event, To::Enterprise), Follow::Tell(event, To::Drivers)]
        }
        match action {
            PassAction::Suspend => const { &both(NoticeEvent::PassSuspended) },
            PassAction::Resume => const { &both(NoticeEvent::PassResumed) },
            PassAction::Withdraw => const { &both(NoticeEvent::PassWithdrawn) },
            PassAction::Cancel => const { &both(NoticeEvent::PassCancelled) },
            PassAction::Annul => const { &both(NoticeEvent::PassAnnulled) },
            PassAction::Penalise => const { &both(NoticeEvent::PassPenalised) },
            // The revision that takes its place is told by its approval.
            PassAction::Supersede => &[],
        }
    }
}

named! {
/// Why a pass was suspended, resumed or ended (facts.md, 1.8).
PassRevocationReason {
    /// 死亡事故.
    FatalAccident = "FATAL_ACCIDENT", "发生死亡交通事故";
    /// 违停三次以上.
    RepeatedIllegalParking = "REPEATED_ILLEGAL_PARKING", "城区违法停车三次以上";
    /// 超载、超速、违法载人、疲劳驾驶.
    DangerousDriving = "DANGEROUS_DRIVING", "超载、超速、违法载人或疲劳驾驶";
    /// 违法十次以上.
    ManyViolations = "MANY_VIOLATIONS", "交通违法十次以上";
    /// 逾期未检验.
    InspectionOverdue = "INSPECTION_OVERDUE", "车辆逾期未检验";
    /// 伪造、变造.
    ForgedOrAltered = "FORGED_OR_ALTERED", "使用伪造、变造的通行证";
    /// 使用其他车辆的通行证.
    OtherVehiclesPass = "OTHER_VEHICLES_PASS", "使用其他车辆的通行证";
    /// 转借、冒用.
    LentOrMisused = "LENT_OR_MISUSED", "转借、冒用通行证";
    /// 未按核准的货物、线路、区域、时段.
    OtherThanApproved = "OTHER_THAN_APPROVED", "未按核准的货物、线路、区域或时段通行";
    /// 提供虚假信息.
    FalseInformation = "FALSE_INFORMATION", "以虚假材料取得";
    /// 违法或错误发放.
    WronglyGranted = "WRONGLY_GRANTED", "违法或错误发放";
    /// 法律、政策或客观情况变化.
    LawOrFactsChanged = "LAW_OR_FACTS_CHANGED", "法律、政策或客观情况发生重大变化";
    /// 持证人申请.
    HolderRequest = "HOLDER_REQUEST", "持证人申请";
    /// 车辆转让、报废.
    VehicleGone = "VEHICLE_GONE", "车辆转让、报废或退出车队";
    /// 企业终止.
    EnterpriseClosed = "ENTERPRISE_CLOSED", "企业依法终止";
    /// 调查期间.
    UnderInvestigation = "UNDER_INVESTIGATION", "正在调查";
    /// 企业资格暂停.
    EnterpriseSuspended = "ENTERPRISE_SUSPENDED", "企业资格暂停";
    /// 原因消除.
    CauseRemoved = "CAUSE_REMOVED", "原因已消除";
}
}

impl PassState {
    /// What whoever checked a pass says of it: that it should end. It changes nothing.
    ///
    /// # Errors
    /// `TRANSITION_ILLEGAL` when it has ended.
    pub fn propose_revocation(self, note: Note, cx: &Cx) -> Result<Change> {
        match self {
            Self::Active | Self::Suspended => {
                Ok(Change::remark(self, Deed::ProposeRevocation, note, cx))
            }
            _ => Err(self.refuses(Deed::ProposeRevocation)),
        }
    }
}

impl PassRevocationReason {
    /// Whether the law knows this reason for the action.
    #[must_use]
    pub const fn fits(self, action: PassAction) -> bool {
        match action {
            PassAction::Suspend => matches!(
                self,
                Self::FatalAccident
                    | Self::RepeatedIllegalParking
                    | Self::DangerousDriving
                    | Self::ManyViolations
                    | Self::InspectionOverdue
                    | Self::UnderInvestigation
                    | Self::EnterpriseSuspended
            ),
            PassAction::Resume => matches!(self, Self::CauseRemoved),
            PassAction::Withdraw => matches!(self, Self::LawOrFactsChanged),
            PassAction::Cancel => {
                matches!(self, Self::HolderRequest | Self::VehicleGone | Self::EnterpriseClosed)
            }
            PassAction::Annul => matches!(self, Self::FalseInformation | Self::WronglyGranted),
            PassAction::Penalise => matches!(
                self,
                Self::FatalAccident
                    | Self::RepeatedIllegalParking
                    | Self::DangerousDriving
                    | Self::ManyViolations
                    | Self::ForgedOrAltered
                    | Self::OtherVehiclesPass
                    | Self::LentOrMisused
                    | Self::OtherThanApproved
            ),
            PassAction::Supersede => false,
        }
    }
}

/// What a pass is called whose time is over: no row says so.
const EXPIRED: &str = "EXPIRED";

/// What a person sees of a pass at an instant: begin and end are computed, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Not begun.
    PendingStart,
    /// Begun, not ended, in force.
    Active,
    /// Suspended, not ended.
    Suspended,
    /// The time is over.
    Expired,
    /// Ended before its time, or replaced.
    Ended(PassState),
}

/// A pass.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Its id: what a code and a revocation name.
    pub id: Id<kind::TruckPass>,
    /// The number that people read aloud.
    pub number: String,
    /// The holder.
    pub enterprise: Id<kind::Enterprise>,
    /// The path of the unit that serves the holder.
    pub unit_path: String,
    /// The vehicle.
    pub vehicle: Id<kind::Vehicle>,
    /// Its plate.
    pub plate_number: String,
    /// Its plate type.
    pub plate_type: String,
    /// The approval that it comes from.
    pub application: Id<kind::PassApplication>,
    /// The pass that it continues or replaces.
    pub previous: Option<Id<kind::TruckPass>>,
    /// Counts from 1.
    pub revision: i32,
    /// The kind.
    pub kind: PassKind,
    /// The zones.
    pub zones: Vec<Uuid>,
    /// When it may be used.
    pub windows: Vec<NeedWindow>,
    /// The roads.
    pub route: Vec<String>,
    /// The goods.
    pub goods: String,
    /// The second plate.
    pub trailer: String,
    /// The first instant.
    pub valid_from: Timestamp,
    /// The end, exclusive.
    pub valid_until: Timestamp,
    /// The coded reason of the present state.
    pub reason: Option<PassRevocationReason>,
    /// The facts of the present state.
    pub reason_note: String,
    /// The channel.
    pub source_channel: SourceChannel,
    /// The rules and inputs that granted it (R15).
    pub evaluation: Kept,
    /// When it was issued.
    pub create_time: Timestamp,
    /// Rises with each write.
    pub version: i64,
    /// The stored state.
    pub held: Held<PassState>,
}

impl Pass {
    /// The pass that an application leads to, as it was granted.
    #[must_use]
    pub fn of(
        application: &Application,
        grant: &Grant,
        vehicle: &VehicleFacts,
        number: String,
        revision: i32,
        cx: &Cx,
    ) -> Self {
        let need = &application.need;
        Self {
            id: cx.id(),
            number,
            enterprise: application.enterprise,
            unit_path: application.unit_path.clone(),
            vehicle: application.vehicle,
            plate_number: vehicle.plate.as_str().to_owned(),
            plate_type: vehicle.plate_type.code().to_owned(),
            application: application.id,
            previous: application.previous_pass.or_else(|| grant.renews.first().copied()),
            revision,
            kind: need.kind,
            zones: need.zones.clone(),
            windows: need.windows.clone(),
            route: need.route.clone(),
            goods: need.goods.clone(),
            trailer: need.trailer.clone(),
            valid_from: grant.valid_from,
            valid_until: grant.valid_until,
            reason: None,
            reason_note: String::new(),
            source_channel: application.source_channel,
            evaluation: application.evaluation.clone().unwrap_or_default(),
            create_time: cx.now,
            version: 1,
            held: Held::default(),
        }
    }

    /// The stored state.
    #[must_use]
    pub const fn state(&self) -> PassState {
        self.held.state()
    }

    /// Issues it: only an approval can (I6).
    pub fn issue(mut self, approval: &Approval, cx: &Cx) -> Result<Moved<Self>> {
        if approval.application() != self.application {
            return Err(Error::internal("an approval of another application"));
        }
        let (held, change) =
            Change::begin(PassState::Active, Deed::Issue, Note::public("核发通行证"), cx);
        self.held = held;
        Ok(Moved::new(self, change))
    }

    /// What a person sees at an instant.
    #[must_use]
    pub fn shown_at(&self, now: Timestamp) -> Shown {
        match self.state() {
            PassState::Active | PassState::Suspended if self.valid_until <= now => Shown::Expired,
            PassState::Active if now < self.valid_from => Shown::PendingStart,
            PassState::Active => Shown::Active,
            PassState::Suspended => Shown::Suspended,
            ended => Shown::Ended(ended),
        }
    }

    /// Refuses a code of what is neither in force nor will be.
    ///
    /// # Errors
    /// `TRANSITION_ILLEGAL`.
    pub fn refuse_code(&self, now: Timestamp) -> Result<()> {
        let state = match self.shown_at(now) {
            Shown::Active | Shown::PendingStart => return Ok(()),
            Shown::Suspended => PassState::Suspended.wire(),
            Shown::Expired => EXPIRED,
            Shown::Ended(state) => state.wire(),
        };
        let error = Error::new(Reason::TransitionIllegal);
        Err(error.fact("state", state).fact("action", "ISSUE_CODE"))
    }

    /// Whether it holds its zones: no second long-term pass beside it (R16).
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.kind.is_long_term() && matches!(self.state(), PassState::Active | PassState::Suspended)
    }

    /// Suspends, resumes or ends it, with the reason that the law knows for the action.
    pub fn act(
        mut self,
        action: PassAction,
        reason: PassRevocationReason,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        if !reason.fits(action) {
            return Err(Error::field("reason_code", Flaw::NotAllowed));
        }
        let over = self.shown_at(cx.now) == Shown::Expired;
        if over && matches!(action, PassAction::Suspend | PassAction::Resume | PassAction::Cancel) {
            return Err(Error::new(Reason::TransitionIllegal)
                .fact("state", EXPIRED)
                .fact("action", action.wire()));
        }
        let said = Note::public(note.clone()).reason(reason.wire());
        let (held, change) = self.state().advance(action, said, cx)?;
        self.held = held;
        self.reason = Some(reason);
        self.reason_note = note;
        Ok(Moved::new(self, change))
    }

    /// Gives its place to a new revision.
    pub fn supersede(mut self, by: &str, cx: &Cx) -> Result<Moved<Self>> {
        let note = Note::public(format!("变更后由{by}替代"));
        let (held, change) = self.state().advance(PassAction::Supersede, note, cx)?;
        self.held = held;
        Ok(Moved::new(self, change))
    }

    /// The last day on which it is valid: what people are shown.
    #[must_use]
    pub fn last_valid_day(&self) -> jiff::civil::Date {
        month::last_valid_day(self.valid_until)
    }
}

#[cfg(test)]
mod tests {
    use super::{PassAction, PassRevocationReason, PassState};
    use crate::domain::common::lifecycle::{State, drawing};

    // PA-09, PA-10, PA-21: the four ends of the law, and a revision that another one replaced.
    #[test]
    fn the_drawing_of_a_pass() {
        insta::assert_snapshot!(drawing::<PassState>(), @r"
        ACTIVE --SUSPEND--> SUSPENDED | tell ENTERPRISE PASS_SUSPENDED, tell DRIVERS PASS_SUSPENDED
        ACTIVE --WITHDRAW--> WITHDRAWN | tell ENTERPRISE PASS_WITHDRAWN, tell DRIVERS PASS_WITHDRAWN
        ACTIVE --CANCEL--> CANCELLED | tell ENTERPRISE PASS_CANCELLED, tell DRIVERS PASS_CANCELLED
        ACTIVE --ANNUL--> ANNULLED | tell ENTERPRISE PASS_ANNULLED, tell DRIVERS PASS_ANNULLED
        ACTIVE --PENALISE--> PENALISED | tell ENTERPRISE PASS_PENALISED, tell DRIVERS PASS_PENALISED
        ACTIVE --SUPERSEDE--> SUPERSEDED
        SUSPENDED --RESUME--> ACTIVE | tell ENTERPRISE PASS_RESUMED, tell DRIVERS PASS_RESUMED
        SUSPENDED --WITHDRAW--> WITHDRAWN | tell ENTERPRISE PASS_WITHDRAWN, tell DRIVERS PASS_WITHDRAWN
        SUSPENDED --CANCEL--> CANCELLED | tell ENTERPRISE PASS_CANCELLED, tell DRIVERS PASS_CANCELLED
        SUSPENDED --ANNUL--> ANNULLED | tell ENTERPRISE PASS_ANNULLED, tell DRIVERS PASS_ANNULLED
        SUSPENDED --PENALISE--> PENALISED | tell ENTERPRISE PASS_PENALISED, tell DRIVERS PASS_PENALISED
        SUPERSEDED --ANNUL--> ANNULLED | tell ENTERPRISE PASS_ANNULLED, tell DRIVERS PASS_ANNULLED
        ");
    }

    #[test]
    fn no_end_leads_back() {
        for state in PassState::ALL {
            if matches!(state, PassState::Active | PassState::Suspended) {
                continue;
            }
            for action in PassAction::ALL {
                let next = state.after(*action);
                assert!(next.is_none_or(|next| next == PassState::Annulled), "{state:?}");
            }
        }
    }

    #[test]
    fn every_action_of_an_officer_has_a_reason_and_every_reason_an_action() {
        for action in PassAction::ALL.iter().filter(|it| **it != PassAction::Supersede) {
            assert!(PassRevocationReason::ALL.iter().any(|reason| reason.fits(*action)));
        }
        for reason in PassRevocationReason::ALL {
            assert!(PassAction::ALL.iter().any(|action| reason.fits(*action)), "{reason:?}");
        }
    }
}
