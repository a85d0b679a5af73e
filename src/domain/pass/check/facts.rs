//! What a verdict rests on: what was observed, and what is known. Nothing is judged here.

use std::sync::Arc;

use jiff::{
    SignedDuration, Timestamp,
    civil::{DateTime, Weekday},
};

use crate::{
    domain::{
        codes::{Plate, PlateType},
        pass::{
            pass_code::{CodeFault, Freshness, PassCode},
            policy::{PassKind, PolicyVersion, VehicleFacts},
            zone::{TimeWindow, Zone},
        },
    },
    id::{Id, kind},
    named::named,
};

/// A pass that ended longer ago is not told any more: it is as if there were none.
pub const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a device or an officer saw.
#[derive(Debug, Clone)]
pub struct Observation {
    /// By what the truck was identified.
    pub source: Source,
    /// The zones that the checkpoint guards, one or more.
    pub zones: Vec<u16>,
    /// For the record; where it was not given, into the zone is assumed, and told. Both directions are
    /// judged alike: to leave out of hours is to have been inside out of hours.
    pub direction: Option<Direction>,
    /// The plate of the vehicle in front.
    pub observed_plate: Option<Plate>,
    /// The colour of that plate.
    pub observed_colour: Option<PlateColour>,
}

named! {
/// How a truck was identified, as the record of the check keeps it.
SeenBy {
    /// Its code was scanned.
    Code = "CODE", "扫码";
    /// A camera read its plate.
    PlateCamera = "PLATE_CAMERA", "号牌识别";
    /// Somebody typed its plate.
    PlateTyped = "PLATE_TYPED", "号牌录入";
    /// Somebody typed the number of its pass.
    PassNumber = "PASS_NUMBER", "通行证编号";
}
}

/// By what a truck was identified.
#[derive(Debug, Clone)]
pub enum Source {
    /// A scanned code.
    ScannedCode(CodeClaims),
    /// A scanned code that did not verify; its claims say nothing.
    FaultyCode(CodeFault),
    /// A plate, read by a camera or typed (QR-17).
    Plate(Plate),
    /// The plate of a trailer that a pass names: it leads to the pass, and so to its truck (PA-16).
    Trailer(Plate),
    /// A typed pass number.
    PassNumber(String),
}

/// What a verified code claims.
#[derive(Debug, Clone)]
pub struct CodeClaims {
    /// The pass.
    pub pass: Id<kind::TruckPass>,
    /// The plate that the code names.
    pub plate: Plate,
    /// How fresh it is.
    pub freshness: Freshness,
    /// Its first instant; none where it names one that no clock shows.
    pub not_before: Option<Timestamp>,
    /// Its end, exclusive; the same holds.
    pub expires: Option<Timestamp>,
}

impl CodeClaims {
    /// What a genuine code claims at an instant.
    ///
    /// # Errors
    /// `Malformed` where it names no plate.
    pub fn of(code: &PassCode, now: Timestamp) -> Result<Self, CodeFault> {
        let claims = code.claims();
        Ok(Self {
            pass: Id::of(claims.pass),
            plate: Plate::parse(&claims.plate).map_err(|_| CodeFault::Malformed)?,
            freshness: code.freshness(now),
            not_before: Timestamp::from_second(claims.not_before).ok(),
            expires: Timestamp::from_second(claims.expires).ok(),
        })
    }
}

named! {
/// Into the zone or out of it.
Direction {
    /// Into it.
    Inbound = "INBOUND", "驶入";
    /// Out of it.
    Outbound = "OUTBOUND", "驶出";
}
}

named! {
/// The colour of a plate.
PlateColour {
    /// 02.
    Blue = "BLUE", "蓝色";
    /// 01, 13 and 15.
    Yellow = "YELLOW", "黄色";
    /// 52.
    GradientGreen = "GRADIENT_GREEN", "渐变绿色";
    /// 51.
    YellowGreen = "YELLOW_GREEN", "黄绿双拼色";
    /// Police.
    White = "WHITE", "白色";
    /// Foreign and border vehicles.
    Black = "BLACK", "黑色";
}
}

impl PlateColour {
    /// The colour that plates of a type have; none where the type does not settle it.
    #[must_use]
    pub const fn of(plate_type: PlateType) -> Option<Self> {
        match plate_type {
            PlateType::Large | PlateType::Trailer | PlateType::LowSpeed => Some(Self::Yellow),
            PlateType::Small => Some(Self::Blue),
            PlateType::NewEnergyLarge => Some(Self::YellowGreen),
            PlateType::NewEnergySmall => Some(Self::GradientGreen),
            _ => None,
        }
    }
}

/// What is known; or that it could not be asked.
#[derive(Debug, Clone)]
pub enum CheckFacts {
    /// The answer of the store or of a snapshot.
    Known(Box<Known>),
    /// Nothing can be known now.
    Unavailable(Why),
}

named! {
/// Why nothing can be known.
Why {
    /// The store could not be asked.
    StoreAway = "STORE_AWAY", "数据库暂时无法访问";
    /// The device never had a snapshot.
    NoSnapshot = "NO_SNAPSHOT", "本机尚未同步通行证数据";
}
}

/// What is known of a truck at an instant.
#[derive(Debug, Clone)]
pub struct Known {
    /// The vehicle; none where it is in no garage.
    pub vehicle: Option<VehicleFacts>,
    /// Every pass that may matter: of the plate, and the one that the code or number names.
    pub passes: Vec<PassFacts>,
    /// The zones of the checkpoint.
    pub zones: Vec<Arc<Zone>>,
    /// The policy in force.
    pub policy: Arc<PolicyVersion>,
    /// When these facts were true.
    pub as_of: Timestamp,
    /// How old they may be for a yes, in seconds; none where they were read just now.
    pub age_max_seconds: Option<u32>,
}

/// What is known of a pass.
#[derive(Debug, Clone)]
pub struct PassFacts {
    /// The pass.
    pub id: Id<kind::TruckPass>,
    /// Its number.
    pub number: String,
    /// The stored state; begin and end are judged by the instant.
    pub state: PassState,
    /// The first instant.
    pub valid_from: Timestamp,
    /// The end, exclusive.
    pub valid_until: Timestamp,
    /// The codes of its zones.
    pub zones: Vec<u16>,
    /// When it may be used; empty: at any time.
    pub windows: Vec<PassWindow>,
    /// Its plate.
    pub plate: Plate,
    /// The type of that plate: with it the plate names one vehicle.
    pub plate_type: PlateType,
    /// The plate of the trailer that goes with it (PA-16).
    pub trailer_plate: Option<Plate>,
    /// Its kind.
    pub kind: PassKind,
    /// The roads, for the officer.
    pub route: String,
    /// The goods, for the officer.
    pub goods: String,
}

impl PassFacts {
    /// A pass counts within its own time and within the time that its code claims (QR-08).
    pub(super) fn within(&mut self, claims: &CodeClaims) {
        if let Some(from) = claims.not_before {
            self.valid_from = self.valid_from.max(from);
        }
        if let Some(until) = claims.expires {
            self.valid_until = self.valid_until.min(until);
        }
    }
}

named! {
/// The stored states of a pass; `PENDING_START` and `EXPIRED` are computed from the instant.
PassState {
    /// In force, if begun and not ended.
    Active = "ACTIVE", "有效";
    /// 暂停.
    Suspended = "SUSPENDED", "已暂停";
    /// 撤回: law or facts changed.
    Withdrawn = "WITHDRAWN", "已撤回";
    /// 注销.
    Cancelled = "CANCELLED", "已注销";
    /// 撤销: wrongly granted or obtained by fraud.
    Annulled = "ANNULLED", "已撤销";
    /// 吊销: a penalty.
    Penalised = "PENALISED", "已吊销";
    /// Renewed or amended: another pass stands in its place.
    Superseded = "SUPERSEDED", "已由新证替代";
}
}

/// When a pass may be used: a window on some days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassWindow {
    /// Bit 0 is Monday, bit 6 Sunday; none set means every day.
    pub days: u8,
    /// The window; its part after midnight belongs to the day on which it began.
    pub window: TimeWindow,
}

impl PassWindow {
    /// Whether a local time lies in it.
    #[must_use]
    pub fn contains(self, local: DateTime) -> bool {
        if !self.window.contains(local.time()) {
            return false;
        }
        let today = local.date().weekday();
        let began = if self.window.contains_after_midnight(local.time()) {
            today.previous()
        } else {
            today
        };
        self.names(began)
    }

    /// Whether it names a day of the week.
    fn names(self, day: Weekday) -> bool {
        self.days == 0 || self.days & (1 << day.to_monday_zero_offset().unsigned_abs()) != 0
    }
}
