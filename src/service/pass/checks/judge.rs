//! From the facts of a plate, as they are stored, to one judgement by the rules. None of the rules is here.

use jiff::Timestamp;
use uuid::Uuid;

use super::ask::Ask;
use crate::{
    domain::{
        codes::Plate,
        pass::{
            check::{
                CodeClaims, Direction, Ground, Guarded, Judgement, Observation, OfPlate, Source,
                Why, judge_blind, judge_plate, judge_trucks,
            },
            pass_code::{CodeFault, PassCode},
        },
    },
    error::{Reason, Result},
    id::Id,
    store::{
        common::world::Snapshot,
        pass::{
            checks::Place,
            plates::{Answered, PlateStanding},
        },
    },
};

/// What is asked, and about which plate.
pub(super) struct Question {
    source: Source,
    pub(super) plate: Option<Plate>,
    kid: Option<[u8; 4]>,
}

impl Question {
    /// About the pass of a genuine code.
    pub(super) fn code(code: &PassCode, now: Timestamp) -> Self {
        let kid = Some(code.kid());
        match CodeClaims::of(code, now) {
            Ok(claims) => {
                Self { plate: Some(claims.plate.clone()), source: Source::ScannedCode(claims), kid }
            }
            Err(fault) => Self::faulty(fault, kid),
        }
    }

    /// About a code that says nothing.
    pub(super) const fn faulty(fault: CodeFault, kid: Option<[u8; 4]>) -> Self {
        Self { source: Source::FaultyCode(fault), plate: None, kid }
    }

    /// About a plate.
    pub(super) fn plate(plate: Plate) -> Self {
        Self { source: Source::Plate(plate.clone()), plate: Some(plate), kid: None }
    }

    /// About the truck with which a trailer goes.
    pub(super) const fn trailer(trailer: Plate, truck: Plate) -> Self {
        Self { source: Source::Trailer(trailer), plate: Some(truck), kid: None }
    }

    /// About a pass number, with its plate where there is such a pass.
    pub(super) const fn number(number: String, plate: Option<Plate>) -> Self {
        Self { source: Source::PassNumber(number), plate, kid: None }
    }
}

/// Everything that a judgement rests on.
pub(super) struct Basis<'a> {
    pub(super) ask: &'a Ask,
    pub(super) place: &'a Place,
    pub(super) snapshot: &'a Snapshot,
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
    };
    Judged {
        judgement: judge_blind(Why::StoreAway, &seen),
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
    /// Judges what the plate may stand for, here and now.
    pub(super) fn judge(self) -> Result<Judged> {
        let policy = match self.snapshot.policy(self.now) {
            Ok(policy) => Some(policy.clone()),
            Err(error) if error.reason() == Reason::PolicyMissing => None,
            Err(error) => return Err(error),
        };
        let guarded = self.place.zone_ids.iter().map(|id| self.guarded(*id));
        let (codes, zones) = Guarded::now(guarded);
        let ground = Ground {
            zones,
            policy,
            calendar: &self.snapshot.calendar,
            as_of: self.now,
            age_max_seconds: None,
        };
        let seen = Observation {
            source: self.question.source.clone(),
            zones: codes,
            direction: super::direction(self.ask),
            observed_plate: self.ask.observed_plate.clone(),
            observed_colour: None,
        };
        let judgement = judge_plate(&ground, self.of_plate()?, &seen, self.now);
        Ok(self.judged(judgement))
    }

    /// A zone of the checkpoint.
    fn guarded(&self, id: Uuid) -> Guarded {
        match self.snapshot.zone(Id::of(id), self.now) {
            Some(version) => Guarded::InForce(version.zone.clone()),
            None if self.snapshot.zones.iter().any(|zone| zone.id.uuid() == id) => Guarded::NotYet,
            None => Guarded::Unknown,
        }
    }

    /// What is stored of the plate.
    fn of_plate(&self) -> Result<OfPlate> {
        let (Some(standing), Some(plate)) = (self.standing, &self.question.plate) else {
            return Ok(OfPlate::default());
        };
        let code = |id| {
            let zone = self.snapshot.zones.iter().find(|zone| zone.id.uuid() == id)?;
            Some(zone.zone.code)
        };
        let vehicles = standing.vehicles.iter().map(|vehicle| vehicle.facts(plate, self.now));
        let passes = standing.passes.iter().map(|pass| pass.facts(plate, code));
        Ok(OfPlate {
            vehicles: vehicles.collect::<Result<_>>()?,
            passes: passes.collect::<Result<_>>()?,
        })
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

/// The one of several trucks with which a trailer goes: what is told beside the judgement is told of one
/// truck alone.
pub(super) fn one_of(mut judged: Vec<Judged>) -> Judged {
    if judged.len() > 1 {
        let all = judged.iter().map(|one| one.judgement.clone()).collect();
        let judgement = judge_trucks(all);
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
