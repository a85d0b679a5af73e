//! One verdict where what was seen leaves several trucks, or the day several kinds. Each complete set of
//! facts is judged by itself; then all of them must agree.
//!
//! A plate number may stand on more than one plate type, and so on more than one vehicle. A code
//! and a number name their pass and so its vehicle; a plate read by a camera does not. Then each
//! vehicle is judged. When all get the same verdict, it is told; when they differ, which vehicle
//! stands in front is not known, and the verdict is neither yes nor no (QR-16). A year without a
//! working-day calendar is treated the same way: both kinds of day must lead to one verdict.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    facts::{CheckFacts, Known, Observation, PassFacts, Source, Why},
    judge::judge,
    outcome::{CheckOutcome, Judgement},
};
use crate::domain::{
    duty::{calendar::Calendar, month},
    pass::{
        policy::{PolicyVersion, VehicleFacts},
        zone::{DayType, Zone},
    },
};

const SEVERAL_VEHICLES: &str = "该号牌号码对应多辆不同号牌种类的车辆,请核对号牌颜色与行驶证";
const SEVERAL_TRUCKS: &str = "该挂车登记在多张通行证中,请按牵引车号牌查验";
const NO_CALENDAR: &str = "该年度工作日历尚未发布,无法确定当日是否为工作日";
const NO_POLICY: &str = "当前没有生效的通行证政策";
/// No zone has this code: what guards an unknown zone cannot be judged.
const UNKNOWN_ZONE: u16 = 0;

/// A zone that a checkpoint guards, as far as it is known.
#[derive(Debug, Clone)]
pub enum Guarded {
    /// A version of it is in force.
    InForce(Arc<Zone>),
    /// Its first version is not in force yet: it bans nobody.
    NotYet,
    /// Nothing is known of it.
    Unknown,
}

impl Guarded {
    /// The codes of what a checkpoint guards now, and the zones among them that are known.
    #[must_use]
    pub fn now(all: impl IntoIterator<Item = Self>) -> (Vec<u16>, Vec<Arc<Zone>>) {
        let (mut codes, mut zones) = (Vec::new(), Vec::new());
        for guarded in all {
            match guarded {
                Self::InForce(zone) => {
                    codes.push(zone.code);
                    zones.push(zone);
                }
                Self::NotYet => {}
                Self::Unknown => codes.push(UNKNOWN_ZONE),
            }
        }
        (codes, zones)
    }
}

/// What a verdict rests on beside the truck.
#[derive(Debug, Clone)]
pub struct Ground<'a> {
    /// The zones of the checkpoint that are known.
    pub zones: Vec<Arc<Zone>>,
    /// The policy in force; none where there is none.
    pub policy: Option<Arc<PolicyVersion>>,
    /// The working-day calendar.
    pub calendar: &'a Calendar,
    /// When all of this, and what is known of the plate, was true.
    pub as_of: Timestamp,
    /// How old it may be for a yes, in seconds; none where it was read just now.
    pub age_max_seconds: Option<u32>,
}

/// Everything that is known of one plate number; nothing where no plate is asked about.
#[derive(Debug, Clone, Default)]
pub struct OfPlate {
    /// The vehicles that have it, each with a plate type of its own.
    pub vehicles: Vec<VehicleFacts>,
    /// The passes of all of them.
    pub passes: Vec<PassFacts>,
}

impl OfPlate {
    /// Every vehicle that may stand in front, with the passes that are then its own.
    fn readings(mut self, source: &Source) -> Vec<(Option<VehicleFacts>, Vec<PassFacts>)> {
        if let Source::ScannedCode(claims) = source {
            self.passes.iter_mut().filter(|pass| pass.id == claims.pass).for_each(|pass| {
                pass.within(claims);
            });
        }
        let named = self.passes.iter().find(|pass| match source {
            Source::ScannedCode(claims) => claims.pass == pass.id,
            Source::PassNumber(number) => *number == pass.number,
            Source::Plate(_) | Source::Trailer(_) | Source::FaultyCode(_) => false,
        });
        let vehicles: Vec<Option<VehicleFacts>> = match named.map(|pass| pass.plate_type) {
            // The pass names its vehicle.
            Some(plate_type) => {
                vec![self.vehicles.into_iter().find(|vehicle| vehicle.plate_type == plate_type)]
            }
            None if self.vehicles.is_empty() => vec![None],
            None => self.vehicles.into_iter().map(Some).collect(),
        };
        let passes = self.passes;
        let own = |vehicle: &Option<VehicleFacts>| {
            let of = |pass: &&PassFacts| {
                vehicle.as_ref().is_none_or(|vehicle| vehicle.plate_type == pass.plate_type)
            };
            passes.iter().filter(of).cloned().collect()
        };
        vehicles
            .into_iter()
            .map(|vehicle| (own(&vehicle), vehicle))
            .map(|(of, it)| (it, of))
            .collect()
    }
}

/// Judges what may stand in front, on every kind of day that this day may be.
pub fn judge_plate(
    ground: &Ground<'_>,
    known: OfPlate,
    seen: &Observation,
    now: Timestamp,
) -> Judgement {
    let Some(policy) = &ground.policy else { return undecided(NO_POLICY) };
    let days: &[DayType] = match ground.calendar.is_working_day(month::local_date(now)) {
        Ok(true) => &[DayType::WorkingDay],
        Ok(false) => &[DayType::RestDay],
        Err(_) => &[DayType::WorkingDay, DayType::RestDay],
    };
    let of_vehicle = |(vehicle, passes)| {
        let facts = CheckFacts::Known(Box::new(Known {
            vehicle,
            passes,
            zones: ground.zones.clone(),
            policy: policy.clone(),
            as_of: ground.as_of,
            age_max_seconds: ground.age_max_seconds,
        }));
        let of_days = days.iter().map(|day| judge(&facts, seen, *day, now));
        agreed(of_days.collect(), NO_CALENDAR)
    };
    let of_vehicles = known.readings(&seen.source).into_iter().map(of_vehicle).collect();
    agreed(of_vehicles, SEVERAL_VEHICLES)
}

/// The one judgement of a trailer that goes with several trucks.
pub fn judge_trucks(of_trucks: Vec<Judgement>) -> Judgement {
    agreed(of_trucks, SEVERAL_TRUCKS)
}

/// The judgement while nothing can be known; a damaged code is a no even then.
pub fn judge_blind(why: Why, seen: &Observation) -> Judgement {
    // Nothing that depends on the day or the instant is judged without facts.
    judge(&CheckFacts::Unavailable(why), seen, DayType::WorkingDay, Timestamp::UNIX_EPOCH)
}

/// Neither yes nor no, and why.
fn undecided(why: &str) -> Judgement {
    let outcome = CheckOutcome::StatusUnknown;
    Judgement {
        verdict: outcome.verdict(),
        outcome,
        reasons: vec![outcome.zh().to_owned(), why.to_owned()],
        compare: Vec::new(),
        pass: None,
        rules: Vec::new(),
        policy_version: String::new(),
        zone_versions: Vec::new(),
        as_of: None,
    }
}

/// The one judgement of several: where the verdicts agree, the one whose outcome stands first in
/// the catalogue, so that the order never matters; where they differ, none. What is to be compared is told
/// of all, always: which of them stands in front, the officer alone can see.
fn agreed(mut judgements: Vec<Judgement>, why: &str) -> Judgement {
    judgements.sort_by_key(|judgement| {
        let at = CheckOutcome::ALL.iter().position(|outcome| *outcome == judgement.outcome);
        (at, judgement.pass)
    });
    let mut rest = judgements.into_iter();
    let Some(mut first) = rest.next() else { return undecided(why) };
    let others: Vec<_> = rest.collect();
    let same = others.iter().all(|other| other.verdict == first.verdict);
    for other in others {
        merge(&mut first.compare, other.compare);
        merge(&mut first.rules, other.rules);
    }
    if same {
        return first;
    }
    Judgement {
        compare: first.compare,
        rules: first.rules,
        policy_version: first.policy_version,
        zone_versions: first.zone_versions,
        as_of: first.as_of,
        ..undecided(why)
    }
}

fn merge(into: &mut Vec<String>, from: Vec<String>) {
    for line in from {
        if !into.contains(&line) {
            into.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::ToSpan as _;

    use super::{
        super::{
            CheckOutcome, CodeClaims, Judgement, Source, Verdict, Why,
            tests::{known, now, pass, plate, seen, vehicle},
        },
        Ground, Guarded, OfPlate, agreed, judge_blind, judge_plate, judge_trucks, undecided,
    };
    use crate::domain::{
        codes::PlateType,
        duty::calendar::Calendar,
        pass::{
            pass_code::{CodeFault, Freshness},
            zone::{DayType, Zone},
        },
    };

    fn judged(outcome: CheckOutcome, compare: &str) -> Judgement {
        Judgement {
            verdict: outcome.verdict(),
            outcome,
            compare: vec![compare.to_owned()],
            ..undecided("")
        }
    }

    fn ground(calendar: &Calendar) -> Ground<'_> {
        let all = known(vehicle("H12", "01"), Vec::new());
        let policy = Some(all.policy);
        Ground { zones: all.zones, policy, calendar, as_of: now(), age_max_seconds: None }
    }

    // QR-16, QR-17: two vehicles of one plate number, in whatever order the rows come.
    #[test]
    fn verdicts_that_differ_are_neither_yes_nor_no() {
        let (yes, no) = (CheckOutcome::Valid, CheckOutcome::NotFound);
        for turn in [[yes, no], [no, yes]] {
            let several = turn.iter().map(|outcome| judged(*outcome, outcome.wire())).collect();
            let told = judge_trucks(several);
            assert_eq!(
                (told.verdict, told.outcome),
                (CheckOutcome::StatusUnknown.verdict(), CheckOutcome::StatusUnknown)
            );
            assert_eq!(told.compare, ["VALID", "NOT_FOUND"]);
            assert!(told.reasons.contains(&super::SEVERAL_TRUCKS.to_owned()));
        }
    }

    #[test]
    fn verdicts_that_agree_are_told_whatever_their_order() {
        let (one, other) = (CheckOutcome::Expired, CheckOutcome::NotFound);
        for turn in [[one, other], [other, one]] {
            let several = turn.iter().map(|outcome| judged(*outcome, outcome.wire())).collect();
            let told = agreed(several, "why");
            assert_eq!(told.outcome, CheckOutcome::NotFound);
            // Both stand there, whether or not the verdict is the same.
            assert_eq!(told.compare, ["NOT_FOUND", "EXPIRED"]);
        }
    }

    // QR-16: one number on two plate types, of which one alone has a pass.
    #[test]
    fn a_plate_of_two_vehicles_is_judged_as_both() {
        let calendar = Calendar::published();
        let two = [vehicle("H12", "01"), vehicle("H12", "02")];
        let passes = vec![pass(1)];
        let by_plate = seen(Source::Plate(plate("苏N12345")));
        for turn in [[0, 1], [1, 0]] {
            let vehicles = turn.map(|at: usize| two[at].clone()).to_vec();
            let of = OfPlate { vehicles, passes: passes.clone() };
            let told = judge_plate(&ground(&calendar), of.clone(), &by_plate, now());
            assert_eq!(told.verdict, Verdict::Undetermined);
            assert!(told.reasons.contains(&super::SEVERAL_VEHICLES.to_owned()));
            // A number names its pass, and the pass its vehicle.
            let by_number = seen(Source::PassNumber("SQHC1".to_owned()));
            let told = judge_plate(&ground(&calendar), of, &by_number, now());
            assert_eq!(told.outcome, CheckOutcome::Valid);
        }
        // Where both have one, both may pass.
        let mut second = pass(2);
        second.plate_type = PlateType::parse("02").unwrap();
        let of = OfPlate { vehicles: two.to_vec(), passes: vec![pass(1), second] };
        let told = judge_plate(&ground(&calendar), of, &by_plate, now());
        assert_eq!(told.outcome, CheckOutcome::Valid);
        assert!(told.compare.len() > 3, "both are to be compared: {:?}", told.compare);
    }

    // QR-16: without a calendar both kinds of day must lead to one verdict.
    #[test]
    fn a_day_of_unknown_kind_is_judged_as_both() {
        let (published, none) = (Calendar::published(), Calendar::new([]));
        let mut restful = ground(&published);
        let plan = &mut Arc::make_mut(&mut restful.zones[0]).plan;
        plan.rules.iter_mut().for_each(|rule| rule.days = vec![DayType::WorkingDay]);
        let of = || OfPlate { vehicles: vec![vehicle("H12", "01")], passes: Vec::new() };
        let by_plate = seen(Source::Plate(plate("苏N12345")));
        let told = judge_plate(&restful, of(), &by_plate, now());
        assert_eq!(told.verdict, Verdict::Invalid, "a Wednesday");
        let unknown = Ground { calendar: &none, ..restful };
        let told = judge_plate(&unknown, of(), &by_plate, now());
        assert_eq!(told.verdict, Verdict::Undetermined);
        assert!(told.reasons.contains(&super::NO_CALENDAR.to_owned()));
    }

    // QR-08: a pass counts within its own time and within that of its code.
    #[test]
    fn a_code_narrows_the_time_of_its_pass() {
        let calendar = Calendar::published();
        for (hours, outcome) in [((-1, 1), CheckOutcome::Valid), ((-2, -1), CheckOutcome::Expired)]
        {
            let code = CodeClaims {
                pass: pass(1).id,
                plate: plate("苏N12345"),
                freshness: Freshness::Fresh,
                not_before: Some(now() + hours.0.hours()),
                expires: Some(now() + hours.1.hours()),
            };
            let of = OfPlate { vehicles: vec![vehicle("H12", "01")], passes: vec![pass(1)] };
            let by_code = seen(Source::ScannedCode(code));
            assert_eq!(judge_plate(&ground(&calendar), of, &by_code, now()).outcome, outcome);
        }
    }

    // QR-16: what is missing is never read as yes and never as no; a forgery is a no all the same.
    #[test]
    fn without_policy_or_facts_nothing_is_decided() {
        let calendar = Calendar::published();
        let no_policy = Ground { policy: None, ..ground(&calendar) };
        let by_plate = seen(Source::Plate(plate("苏N12345")));
        let told = judge_plate(&no_policy, OfPlate::default(), &by_plate, now());
        assert_eq!(told.verdict, Verdict::Undetermined);
        assert_eq!(judge_blind(Why::StoreAway, &by_plate).verdict, Verdict::Undetermined);
        let forged = seen(Source::FaultyCode(CodeFault::SignatureWrong));
        assert_eq!(judge_blind(Why::StoreAway, &forged).verdict, Verdict::Invalid);
    }

    #[test]
    fn a_zone_that_has_not_begun_bans_nobody_and_an_unknown_one_cannot_be_judged() {
        let zone = Arc::new(Zone::main_urban_demo());
        let (codes, zones) =
            Guarded::now([Guarded::InForce(zone), Guarded::NotYet, Guarded::Unknown]);
        assert_eq!((codes, zones.len()), (vec![9001, super::UNKNOWN_ZONE], 1));
    }

    // I1: a yes that could not be written down is none; a no stays a no.
    #[test]
    fn a_yes_without_a_record_is_undecidable() {
        let yes = judged(CheckOutcome::Valid, "").unrecorded();
        assert_eq!(yes.outcome, CheckOutcome::StatusUnknown);
        let no = judged(CheckOutcome::Expired, "").unrecorded();
        assert_eq!(no.outcome, CheckOutcome::Expired);
        assert_eq!(yes.reasons.last(), no.reasons.last());
    }
}
