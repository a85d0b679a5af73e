//! From the facts of a plate to one judgement. Each complete set of facts is judged by the domain;
//! where the facts leave several, they must agree.
//!
//! A plate number may stand on more than one plate type, and so on more than one vehicle. A code
//! and a number name their pass and so its vehicle; a plate read by a camera does not. Then each
//! vehicle is judged. When all get the same verdict, it is told; when they differ, which vehicle
//! stands in front is not known, and the verdict is neither yes nor no (QR-16). A year without a
//! working-day calendar is treated the same way: both kinds of day must lead to one verdict.

use std::sync::Arc;

use jiff::Timestamp;

use super::ask::Ask;
use crate::{
    domain::{
        codes::Plate,
        duty::{calendar::Calendar, month},
        pass::{
            check::{
                self, CheckFacts, CheckOutcome, CodeClaims, CodeFault, Direction, Freshness,
                Judgement, Known, Observation, PassFacts, Source, Why,
            },
            pass_code::{self, PassCode},
            policy::PolicyVersion,
            zone::{DayType, Zone},
        },
    },
    error::{Reason, Result},
    id::Id,
    store::{
        common::world::Snapshot,
        pass::{
            checks::Place,
            plates::{Answered, KnownPass, KnownVehicle, PlateStanding},
        },
    },
};

const SEVERAL_VEHICLES_ZH: &str = "该号牌号码对应多辆不同号牌种类的车辆,请核对号牌颜色与行驶证";
const SEVERAL_TRUCKS_ZH: &str = "该挂车登记在多张通行证中,请按牵引车号牌查验";
const NO_CALENDAR_ZH: &str = "该年度工作日历尚未发布,无法确定当日是否为工作日";
const NO_POLICY_ZH: &str = "当前没有生效的通行证政策";
/// No zone has this code: what guards an unknown zone cannot be judged.
const UNKNOWN_ZONE: u16 = 0;

/// What is asked, and about which plate.
pub(super) struct Question {
    source: Source,
    pub(super) plate: Option<Plate>,
    kid: Option<[u8; 4]>,
    code: Option<Arc<PassCode>>,
}

impl Question {
    /// About the pass of a genuine code.
    pub(super) fn code(code: Arc<PassCode>, now: Timestamp) -> Self {
        let kid = Some(code.kid());
        let Ok(plate) = Plate::parse(&code.claims().plate) else {
            return Self::faulty(CodeFault::Malformed, kid);
        };
        let freshness = match code.freshness(now) {
            pass_code::Freshness::Fresh => Freshness::Fresh,
            pass_code::Freshness::Stale => Freshness::Stale,
            pass_code::Freshness::FromFuture => Freshness::FromFuture,
            pass_code::Freshness::Printed => Freshness::Printed,
        };
        let claims =
            CodeClaims { pass: Id::of(code.claims().pass), plate: plate.clone(), freshness };
        Self { source: Source::ScannedCode(claims), plate: Some(plate), kid, code: Some(code) }
    }

    /// About a code that says nothing.
    pub(super) const fn faulty(fault: CodeFault, kid: Option<[u8; 4]>) -> Self {
        Self { source: Source::FaultyCode(fault), plate: None, kid, code: None }
    }

    /// About a plate.
    pub(super) fn plate(plate: Plate) -> Self {
        Self { source: Source::Plate(plate.clone()), plate: Some(plate), kid: None, code: None }
    }

    /// About the truck with which a trailer goes.
    pub(super) const fn trailer(trailer: Plate, truck: Plate) -> Self {
        Self { source: Source::Trailer(trailer), plate: Some(truck), kid: None, code: None }
    }

    /// About a pass number, with its plate where there is such a pass.
    pub(super) const fn number(number: String, plate: Option<Plate>) -> Self {
        Self { source: Source::PassNumber(number), plate, kid: None, code: None }
    }
}

/// Everything that a judgement rests on.
pub(super) struct Basis<'a> {
    pub(super) ask: &'a Ask,
    pub(super) place: &'a Place,
    pub(super) snapshot: &'a Snapshot,
    pub(super) calendar: &'a Calendar,
    /// What is known of the plate; none where no plate is asked about.
    pub(super) standing: Option<&'a PlateStanding>,
    pub(super) answered: Option<Answered>,
    pub(super) question: Question,
    pub(super) now: Timestamp,
}

/// A judgement with what the answer tells beside it.
pub(super) struct Judged {
    pub(super) judgement: Judgement,
    pub(super) plate_number: String,
    pub(super) pass_number: String,
    pub(super) holder: String,
    pub(super) valid_until: Option<Timestamp>,
    pub(super) standing_version: i64,
    pub(super) kid: Option<[u8; 4]>,
    pub(super) answered: Option<Answered>,
}

/// The judgement while nothing can be known; a damaged code is a no even then.
pub(super) fn away(source: &Source, direction: Option<Direction>) -> Judged {
    let plate_number = match source {
        Source::Plate(plate) | Source::Trailer(plate) => plate.as_str().to_owned(),
        _ => String::new(),
    };
    let seen = Observation {
        source: source.clone(),
        zones: Vec::new(),
        direction,
        observed_plate: None,
        observed_colour: None,
        day_type: DayType::WorkingDay,
    };
    // Nothing that depends on the instant is judged without facts.
    let judgement =
        check::judge(&CheckFacts::Unavailable(Why::StoreAway), &seen, Timestamp::UNIX_EPOCH);
    Judged {
        judgement,
        plate_number,
        pass_number: String::new(),
        holder: String::new(),
        valid_until: None,
        standing_version: 0,
        kid: None,
        answered: None,
    }
}

impl Basis<'_> {
    /// Judges every set of facts on every kind of day that this day may be.
    pub(super) fn judge(self) -> Result<Judged> {
        let policy = match self.snapshot.policy(self.now) {
            Ok(policy) => policy.clone(),
            Err(error) if error.reason() == Reason::PolicyMissing => {
                return Ok(self.judged(undecided(NO_POLICY_ZH)));
            }
            Err(error) => return Err(error),
        };
        let (codes, zones) = self.zones();
        let known = self.known(&policy, &zones)?;
        let today = month::local_date(self.now);
        let day_types: &[DayType] = match self.calendar.is_working_day(today) {
            Ok(true) => &[DayType::WorkingDay],
            Ok(false) => &[DayType::RestDay],
            Err(_) => &[DayType::WorkingDay, DayType::RestDay],
        };
        let mut of_vehicles = Vec::with_capacity(known.len());
        for known in known {
            let facts = CheckFacts::Known(Box::new(known));
            let of_days = day_types
                .iter()
                .map(|day_type| check::judge(&facts, &self.seen(&codes, *day_type), self.now));
            of_vehicles.push(agreed(of_days.collect(), NO_CALENDAR_ZH));
        }
        Ok(self.judged(agreed(of_vehicles, SEVERAL_VEHICLES_ZH)))
    }

    fn seen(&self, codes: &[u16], day_type: DayType) -> Observation {
        let direction = super::direction(self.ask);
        Observation {
            source: self.question.source.clone(),
            zones: codes.to_vec(),
            direction,
            observed_plate: self.ask.observed_plate.clone(),
            observed_colour: None,
            day_type,
        }
    }

    /// The zones that the checkpoint guards now. A zone whose first version is not in force yet
    /// bans nobody.
    fn zones(&self) -> (Vec<u16>, Vec<Arc<Zone>>) {
        let mut codes = Vec::with_capacity(self.place.zone_ids.len());
        let mut zones = Vec::with_capacity(self.place.zone_ids.len());
        for id in &self.place.zone_ids {
            if let Some(version) = self.snapshot.zone(Id::of(*id), self.now) {
                codes.push(version.zone.code);
                zones.push(version.zone.clone());
            } else if !self.snapshot.zones.iter().any(|zone| zone.id.uuid() == *id) {
                codes.push(UNKNOWN_ZONE);
            }
        }
        (codes, zones)
    }

    /// Every set of facts that the plate may stand for.
    fn known(&self, policy: &Arc<PolicyVersion>, zones: &[Arc<Zone>]) -> Result<Vec<Known>> {
        let known = |vehicle, passes| Known {
            vehicle,
            passes,
            zones: zones.to_vec(),
            policy: policy.clone(),
            as_of: self.now,
            age_max_seconds: None,
        };
        let (Some(standing), Some(plate)) = (self.standing, &self.question.plate) else {
            return Ok(vec![known(None, Vec::new())]);
        };
        let vehicles: Vec<Option<&KnownVehicle>> = match self.named(standing) {
            // The pass names its vehicle.
            Some(pass) => {
                let of_pass = |vehicle: &&KnownVehicle| vehicle.plate_type == pass.plate_type;
                vec![standing.vehicles.iter().find(of_pass)]
            }
            None if standing.vehicles.is_empty() => vec![None],
            None => standing.vehicles.iter().map(Some).collect(),
        };
        let facts = |vehicle: Option<&KnownVehicle>| {
            let passes = standing
                .passes
                .iter()
                .filter(|pass| vehicle.is_none_or(|vehicle| vehicle.plate_type == pass.plate_type));
            let passes = passes.map(|pass| self.pass(pass, plate)).collect::<Result<_>>()?;
            let vehicle = vehicle.map(|vehicle| vehicle.facts(plate, self.now)).transpose()?;
            Ok(known(vehicle, passes))
        };
        vehicles.into_iter().map(facts).collect()
    }

    /// The pass that a code or a number names.
    fn named<'b>(&self, standing: &'b PlateStanding) -> Option<&'b KnownPass> {
        standing.passes.iter().find(|pass| match &self.question.source {
            Source::ScannedCode(claims) => claims.pass.uuid() == pass.id,
            Source::PassNumber(number) => *number == pass.number,
            Source::Plate(_) | Source::Trailer(_) | Source::FaultyCode(_) => false,
        })
    }

    /// A pass counts within its own time and within the time that its code claims (QR-08).
    fn pass(&self, pass: &KnownPass, plate: &Plate) -> Result<PassFacts> {
        let code = |id| {
            let zone = self.snapshot.zones.iter().find(|zone| zone.id.uuid() == id)?;
            Some(zone.zone.code)
        };
        let mut facts = pass.facts(plate, code)?;
        if let Some(code) = &self.question.code
            && code.claims().pass == pass.id
        {
            let instant = |seconds| Timestamp::from_second(seconds).ok();
            if let Some(from) = instant(code.claims().not_before) {
                facts.valid_from = facts.valid_from.max(from);
            }
            if let Some(until) = instant(code.claims().expires) {
                facts.valid_until = facts.valid_until.min(until);
            }
        }
        Ok(facts)
    }

    /// What the answer tells beside the judgement.
    fn judged(self, judgement: Judgement) -> Judged {
        let passes = self.standing.map(|standing| standing.passes.as_slice()).unwrap_or_default();
        let pass =
            judgement.pass.and_then(|judged| passes.iter().find(|pass| pass.id == judged.uuid()));
        let only_vehicle = match self.standing.map(|standing| standing.vehicles.as_slice()) {
            Some([vehicle]) => Some(vehicle),
            _ => None,
        };
        let holder = pass.map(|pass| &pass.holder).or(only_vehicle.map(|vehicle| &vehicle.holder));
        let plate = self.question.plate.as_ref().or(self.ask.observed_plate.as_ref());
        Judged {
            plate_number: plate.map(|plate| plate.as_str().to_owned()).unwrap_or_default(),
            pass_number: pass.map(|pass| pass.number.clone()).unwrap_or_default(),
            holder: holder.cloned().unwrap_or_default(),
            valid_until: pass.map(|pass| pass.valid_until),
            standing_version: self.standing.map_or(0, |standing| standing.version),
            kid: self.question.kid,
            answered: self.answered,
            judgement,
        }
    }
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

/// The one of several trucks with which a trailer goes: what is told beside the judgement is told of one
/// truck alone.
pub(super) fn one_of(mut judged: Vec<Judged>) -> Judged {
    if judged.len() > 1 {
        let all = judged.iter().map(|one| one.judgement.clone()).collect();
        let judgement = agreed(all, SEVERAL_TRUCKS_ZH);
        let told = judged.iter().position(|one| one.judgement.pass == judgement.pass);
        let mut one = judged.swap_remove(told.unwrap_or(0));
        if judgement.pass.is_none() {
            one = Judged {
                pass_number: String::new(),
                holder: String::new(),
                valid_until: None,
                ..one
            };
        }
        return Judged { judgement, ..one };
    }
    judged.pop().unwrap_or_else(|| away(&Source::PassNumber(String::new()), None))
}

/// The one judgement of several: where the verdicts agree, the one whose outcome stands first in
/// the catalogue, so that the order never matters; where they differ, none. What is to be compared is told
/// of all, always: which of them stands in front, the officer alone can see.
fn agreed(judgements: Vec<Judgement>, why: &str) -> Judgement {
    let place = |judgement: &Judgement| {
        let at = CheckOutcome::ALL.iter().position(|outcome| *outcome == judgement.outcome);
        (at, judgement.pass)
    };
    let mut judgements = judgements;
    judgements.sort_by_key(place);
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
    use super::{agreed, undecided};
    use crate::domain::pass::check::{CheckOutcome, Judgement};

    fn judged(outcome: CheckOutcome, compare: &str) -> Judgement {
        Judgement {
            verdict: outcome.verdict(),
            outcome,
            compare: vec![compare.to_owned()],
            ..undecided("")
        }
    }

    // QR-16, QR-17: two vehicles of one plate number, in whatever order the rows come.
    #[test]
    fn verdicts_that_differ_are_neither_yes_nor_no() {
        let (yes, no) = (CheckOutcome::Valid, CheckOutcome::NotFound);
        for turn in [[yes, no], [no, yes]] {
            let several = turn.iter().map(|outcome| judged(*outcome, outcome.wire())).collect();
            let told = agreed(several, "why");
            assert_eq!(
                (told.verdict, told.outcome),
                (CheckOutcome::StatusUnknown.verdict(), CheckOutcome::StatusUnknown)
            );
            assert_eq!(told.compare, ["VALID", "NOT_FOUND"]);
            assert!(told.reasons.contains(&"why".to_owned()));
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
}
