//! What an application asks for: parsed once, then kept as JSON with the application. No rule of
//! the policy is judged here.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::{
        codes::Plate,
        duty::month,
        pass::{
            check::PassWindow,
            policy::{CargoKind, Length, PassKind},
            zone::TimeWindow,
        },
    },
    error::{Faults, Flaw},
    id::{Id, kind},
};

/// The most zones of one pass: what fits into its code.
const ZONES_MAX: usize = 4;
/// The most time windows of one pass: what fits into its code.
const WINDOWS_MAX: usize = 3;
/// The most roads of a route.
const ROADS_MAX: usize = 40;

/// A daily window on some days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedWindow {
    /// Bit 0 is Monday; none set means every day.
    pub days: u8,
    /// Minutes after midnight, inclusive.
    pub from_minute: u16,
    /// Minutes after midnight, exclusive.
    pub until_minute: u16,
}

impl NeedWindow {
    /// The window as a checkpoint judges it.
    pub fn judged(self) -> Result<PassWindow, Flaw> {
        let window = TimeWindow::new(self.from_minute, self.until_minute)?;
        Ok(PassWindow { days: self.days, window })
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The kind of pass.
    pub kind: PassKind,
    /// The zones, each once.
    pub zones: Vec<Uuid>,
    /// 货物.
    pub goods: String,
    /// What is carried, where a rule asks.
    pub cargo: CargoKind,
    /// Why the zone must be entered.
    pub reason: String,
    /// 装货地点.
    pub loading_place: String,
    /// 卸货地点.
    pub unloading_place: String,
    /// The roads, in order.
    pub route: Vec<String>,
    /// When it will be driven.
    pub windows: Vec<NeedWindow>,
    /// The first day.
    pub start: Date,
    /// Months, for long-term kinds.
    pub months: u32,
    /// Days, for the others.
    pub days: u32,
    /// It may end with the earliest material (R12).
    pub shorten_agreed: bool,
    /// The trailer that goes with the truck.
    pub trailer: String,
    /// The permit of dangerous goods or of the project.
    pub permit_number: String,
}

/// What a client sends, as it sends it.
#[derive(Debug, Clone, Default)]
pub struct NeedForm {
    /// The wire name of the kind; empty when it was not given.
    pub kind: &'static str,
    /// Resource names.
    pub zones: Vec<String>,
    /// Texts, cleaned by the caller.
    pub goods: String,
    /// `RAW_MATERIAL`, `PRODUCT`, `OTHER` or empty.
    pub cargo: String,
    /// Why.
    pub reason: String,
    /// From where.
    pub loading_place: String,
    /// To where.
    pub unloading_place: String,
    /// The roads.
    pub route: Vec<String>,
    /// Weekdays 1 to 7, from and until in minutes.
    pub windows: Vec<(Vec<i32>, i32, i32)>,
    /// `YYYY-MM-DD`.
    pub start: String,
    /// Months.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// May be shortened.
    pub shorten_agreed: bool,
    /// The second plate.
    pub trailer: String,
    /// The permit.
    pub permit_number: String,
}

impl Need {
    /// The asked length.
    #[must_use]
    pub const fn length(&self) -> Length {
        if self.kind.is_long_term() { Length::Months(self.months) } else { Length::Days(self.days) }
    }

    /// Whether the first day is past, and not the one that was asked for before.
    #[must_use]
    pub fn starts_in_past(&self, today: Date, before: Option<&Self>) -> bool {
        self.start < today && before.is_none_or(|before| before.start != self.start)
    }

    /// Reads what a client sent, and notes every fault of it but a first day that is past:
    /// [`Need::starts_in_past`] says that, since a correction may keep the day it had.
    pub fn parse(form: NeedForm, today: Date, faults: &mut Faults) -> Option<Self> {
        let kind = PassKind::from_wire(form.kind);
        faults.check(kind.is_some(), "need.pass_kind", Flaw::Required);
        let cargo = if form.cargo.is_empty() {
            Some(CargoKind::Other)
        } else {
            CargoKind::from_wire(&form.cargo)
        };
        faults.check(cargo.is_some(), "need.cargo_kind", Flaw::UnknownValue);
        let zones = zones(&form.zones, faults);
        let windows = windows(&form.windows, faults);
        let start = start(&form.start, today, faults);
        let trailer = trailer(&form.trailer, faults);
        faults.check(form.route.len() <= ROADS_MAX, "need.route", Flaw::TooMany);
        let (months, days) = length(kind, form.months, form.days, faults);
        Some(Self {
            kind: kind?,
            zones,
            goods: form.goods,
            cargo: cargo?,
            reason: form.reason,
            loading_place: form.loading_place,
            unloading_place: form.unloading_place,
            route: form.route,
            windows,
            start: start?,
            months,
            days,
            shorten_agreed: form.shorten_agreed,
            trailer,
            permit_number: form.permit_number,
        })
    }
}

fn zones(names: &[String], faults: &mut Faults) -> Vec<Uuid> {
    faults.check(!names.is_empty(), "need.zones", Flaw::Required);
    faults.check(names.len() <= ZONES_MAX, "need.zones", Flaw::TooMany);
    let mut zones = Vec::new();
    for (at, name) in names.iter().enumerate().take(ZONES_MAX) {
        let path = format!("need.zones[{at}]");
        if let Some(zone) = faults.take(&*path, Id::<kind::Zone>::parse(name)) {
            faults.check(!zones.contains(&zone.uuid()), path, Flaw::Duplicate);
            zones.push(zone.uuid());
        }
    }
    zones
}

fn windows(windows: &[(Vec<i32>, i32, i32)], faults: &mut Faults) -> Vec<NeedWindow> {
    faults.check(!windows.is_empty(), "need.time_windows", Flaw::Required);
    faults.check(windows.len() <= WINDOWS_MAX, "need.time_windows", Flaw::TooMany);
    let mut read = Vec::new();
    for (at, (weekdays, from, until)) in windows.iter().enumerate().take(WINDOWS_MAX) {
        let mut days = 0_u8;
        let mut known = true;
        for weekday in weekdays {
            match u8::try_from(*weekday) {
                Ok(day @ 1..=7) => days |= 1 << (day - 1),
                _ => known = false,
            }
        }
        let minutes = u16::try_from(*from).ok().zip(u16::try_from(*until).ok());
        let window = minutes
            .filter(|_| known)
            .map(|(from_minute, until_minute)| NeedWindow { days, from_minute, until_minute })
            .filter(|window| window.judged().is_ok());
        match window {
            Some(window) => read.push(window),
            None => faults.add(format!("need.time_windows[{at}]"), Flaw::TimeWindowInvalid),
        }
    }
    read
}

/// A pass is applied for at most three months ahead.
fn start(text: &str, today: Date, faults: &mut Faults) -> Option<Date> {
    let path = "need.start_date";
    if text.is_empty() {
        faults.add(path, Flaw::Required);
        return None;
    }
    let start = faults.take(path, month::day(text))?;
    let latest = month::add_months_clamped(today, 3);
    faults.check(start <= latest, path, Flaw::TooFarAhead);
    Some(start)
}

fn trailer(text: &str, faults: &mut Faults) -> String {
    if text.is_empty() {
        return String::new();
    }
    let path = "need.trailer_plate_number";
    let plate = faults.take(path, Plate::parse(text));
    let Some(plate) = plate else { return String::new() };
    if let Err(flaw) = plate.accepted_as_trailer() {
        faults.add(path, flaw);
    }
    plate.as_str().to_owned()
}

fn length(kind: Option<PassKind>, months: i32, days: i32, faults: &mut Faults) -> (u32, u32) {
    let Some(kind) = kind else { return (0, 0) };
    // The green lane has its own length.
    if kind == PassKind::GreenLane {
        return (0, 0);
    }
    let (path, asked, other_path, other) = if kind.is_long_term() {
        ("need.months", months, "need.days", days)
    } else {
        ("need.days", days, "need.months", months)
    };
    faults.check(other == 0, other_path, Flaw::NotAllowed);
    let asked = match u32::try_from(asked) {
        Ok(0) => {
            faults.add(path, Flaw::Required);
            0
        }
        Ok(asked @ 1..=36) => asked,
        _ => {
            faults.add(path, Flaw::OutOfRange);
            0
        }
    };
    if kind.is_long_term() { (asked, 0) } else { (0, asked) }
}
