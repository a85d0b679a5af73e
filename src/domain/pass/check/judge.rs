//! The verdict: a pure function of what was observed, what is known, and the instant. No I/O, no
//! memory of earlier verdicts.

use jiff::{Timestamp, civil::DateTime};

use super::{
    facts::{
        CheckFacts, CodeClaims, Direction, Known, Observation, PassFacts, PassState, PlateColour,
        Source,
    },
    outcome::{CheckOutcome, Judgement, Verdict},
    pass::{self, Weighed},
};
use crate::domain::{
    codes::Plate,
    pass::{
        pass_code::{CodeFault, Freshness},
        policy::{RuleId, VehicleFacts},
        zone::{self, DayType, HardBan, Passage, Zone},
    },
};

/// Judges one truck at a checkpoint, on a day of one kind.
///
/// A forged code is a no even while the store is away; everything else needs facts, and without
/// them the verdict is [`Verdict::Undetermined`].
pub(super) fn judge(
    facts: &CheckFacts,
    seen: &Observation,
    day: DayType,
    now: Timestamp,
) -> Judgement {
    let mut answer = judged(facts, seen, day, now);
    let point = answer.outcome.point().map(str::to_owned);
    answer.rules.extend(point);
    if seen.direction.is_none() && answer.outcome != CheckOutcome::NotACode {
        answer.reasons.push(format!("未注明行驶方向,按{}查验", Direction::Inbound.zh()));
    }
    answer
}

fn judged(facts: &CheckFacts, seen: &Observation, day: DayType, now: Timestamp) -> Judgement {
    if let Source::FaultyCode(fault) = seen.source {
        let known = match facts {
            CheckFacts::Known(known) => Some(&**known),
            CheckFacts::Unavailable(_) => None,
        };
        return faulty_code(fault, known);
    }
    match facts {
        CheckFacts::Unavailable(why) => {
            let mut answer = blank(CheckOutcome::StatusUnknown, None);
            answer.reasons.push(why.zh().to_owned());
            answer
        }
        CheckFacts::Known(known) => Case::new(known, seen, day, now).decide(),
    }
}

/// An answer that names its versions and gives the sentence of its outcome.
fn blank(outcome: CheckOutcome, known: Option<&Known>) -> Judgement {
    Judgement {
        verdict: outcome.verdict(),
        outcome,
        reasons: vec![outcome.zh().to_owned()],
        compare: Vec::new(),
        pass: None,
        rules: Vec::new(),
        policy_version: known.map(|known| known.policy.version.clone()).unwrap_or_default(),
        zone_versions: known.map(zone_versions).unwrap_or_default(),
        as_of: known.map(|known| known.as_of),
    }
}

fn zone_versions(known: &Known) -> Vec<String> {
    known.zones.iter().map(|zone| format!("{}:{}", zone.code, zone.version)).collect()
}

/// A code that did not verify: its claims say nothing, so no pass is looked for.
fn faulty_code(fault: CodeFault, known: Option<&Known>) -> Judgement {
    let (outcome, more) = match fault {
        CodeFault::KeyUnknown => (CheckOutcome::KeyUnknown, None),
        CodeFault::Foreign => (CheckOutcome::NotACode, Some("所扫内容不是货车通行码")),
        CodeFault::Malformed => (CheckOutcome::NotACode, Some("通行码不完整或已损坏")),
        CodeFault::SignatureWrong => (CheckOutcome::SignatureInvalid, None),
        CodeFault::KeyInvented => (CheckOutcome::SignatureInvalid, Some("签名密钥从未启用")),
        CodeFault::KeyRevoked => (CheckOutcome::KeyWithdrawn, None),
    };
    let mut answer = blank(outcome, known);
    answer.reasons.extend(more.map(str::to_owned));
    answer
}

/// One truck at one checkpoint.
struct Case<'a> {
    known: &'a Known,
    seen: &'a Observation,
    day: DayType,
    now: Timestamp,
    local: DateTime,
    rules: Vec<String>,
}

/// The way without a pass, over all zones of the checkpoint.
struct Way<'a> {
    strictest: Passage<'a>,
    /// The zones that ban the vehicle now.
    banned: Vec<u16>,
    /// Set where no pass opens it: a control, a limit of mass or height.
    shut: Option<HardBan>,
}

impl<'a> Case<'a> {
    fn new(known: &'a Known, seen: &'a Observation, day: DayType, now: Timestamp) -> Self {
        Self { known, seen, day, now, local: zone::local_datetime(now), rules: Vec::new() }
    }

    fn decide(mut self) -> Judgement {
        let Some(zones) = self.zones() else {
            return self.unknown("缺少该卡口所在区域的限行数据", None);
        };
        if let Source::ScannedCode(CodeClaims { freshness: Freshness::FromFuture, .. }) =
            &self.seen.source
        {
            return self.unknown("通行码签发时间晚于本机时间,请校准设备时钟后重新扫码", None);
        }
        let Some(vehicle) = &self.known.vehicle else {
            return self.without_vehicle();
        };
        let way = self.way(&zones, vehicle);
        let weighed = self.weighed(&way.banned);
        let mut faults = self.code_faults(weighed.as_ref());
        faults.extend(self.vehicle_faults(vehicle));
        let pass_faults = match &weighed {
            Some(weighed) => weighed.faults.clone(),
            None => vec![CheckOutcome::NotFound],
        };
        let open = way.strictest.is_open();
        if let Some(hard) = way.shut {
            // No pass opens it, and measure 6 does not either (R09).
            let outcome = faults.first().copied().unwrap_or(CheckOutcome::OutOfArea);
            let mut reasons = sentences(&faults, weighed.as_ref());
            reasons.push(format!("{},通行证不适用", hard.zh()));
            return self.answer(outcome, reasons, weighed.as_ref());
        }
        if faults.is_empty() && pass_faults.is_empty() {
            return self.answer(CheckOutcome::Valid, Vec::new(), weighed.as_ref());
        }
        if faults.is_empty() && open {
            let outcome = match way.strictest {
                Passage::Exempt => CheckOutcome::Exempt,
                _ => CheckOutcome::NoPassRequired,
            };
            return self.answer(outcome, Vec::new(), weighed.as_ref());
        }
        // A pass is at fault only where one is needed.
        if !open {
            faults.extend(pass_faults);
            let mut told = Vec::new();
            faults.retain(|fault| {
                !told.contains(fault) && {
                    told.push(*fault);
                    true
                }
            });
        }
        let outcome = faults.first().copied().unwrap_or(CheckOutcome::NotFound);
        let (outcome, peak) = match (outcome, &way.strictest) {
            // R08: an exempt vehicle without a pass came at the wrong hour.
            (CheckOutcome::NotFound, Passage::Banned { because: Some(RuleId::R08), .. }) => {
                (CheckOutcome::OutOfTimeWindow, true)
            }
            _ => (outcome, false),
        };
        let mut reasons = sentences(&faults, weighed.as_ref());
        if peak {
            reasons.push("早晚高峰时段,新能源轻微型厢式货车也须持证通行".to_owned());
        }
        self.answer(outcome, reasons, weighed.as_ref())
    }

    /// The zones of the checkpoint; none where the data of one is missing. A checkpoint without a
    /// zone is a gap in the data and not an open road.
    fn zones(&self) -> Option<Vec<&'a Zone>> {
        let known = self.known;
        let zones: Option<Vec<_>> = self
            .seen
            .zones
            .iter()
            .map(|code| known.zones.iter().map(|zone| &**zone).find(|zone| zone.code == *code))
            .collect();
        zones.filter(|zones| !zones.is_empty())
    }

    /// Undecidable, with the reason why.
    fn unknown(&self, why: &str, pass: Option<&PassFacts>) -> Judgement {
        let mut answer = blank(CheckOutcome::StatusUnknown, Some(self.known));
        answer.reasons.push(why.to_owned());
        answer.pass = pass.map(|pass| pass.id);
        answer
    }

    /// A vehicle in no garage has no pass. A pass without its vehicle is a gap in the data, and
    /// only what the pass itself forbids can be told.
    fn without_vehicle(self) -> Judgement {
        let weighed = self.weighed(&self.seen.zones);
        let mut faults = self.code_faults(weighed.as_ref());
        if weighed.is_none() && faults.is_empty() {
            let reasons = vec![
                CheckOutcome::NotFound.zh().to_owned(),
                "车辆未在本系统登记,请核对行驶证判断是否属于限行车型".to_owned(),
            ];
            return self.answer(CheckOutcome::NotFound, reasons, None);
        }
        if let Some(weighed) = &weighed {
            // Whether a zone bans an unknown vehicle cannot be said, so the area is left out.
            faults.extend(
                weighed.faults.iter().copied().filter(|fault| *fault != CheckOutcome::OutOfArea),
            );
        }
        match faults.first().copied() {
            Some(outcome) => {
                let reasons = sentences(&faults, weighed.as_ref());
                self.answer(outcome, reasons, weighed.as_ref())
            }
            None => self.unknown("缺少车辆资料,状态无法核实", weighed.map(|weighed| weighed.pass)),
        }
    }

    /// The strictest zone wins; every zone that bans needs to be covered.
    fn way(&mut self, zones: &[&'a Zone], vehicle: &VehicleFacts) -> Way<'a> {
        let values = &self.known.policy.values;
        let passages: Vec<_> = zones
            .iter()
            .map(|zone| (zone.code, zone.passage(vehicle, values, self.local, self.day)))
            .collect();
        for (_, passage) in &passages {
            let rule = match passage {
                Passage::NotSubject => Some(RuleId::R17),
                Passage::Exempt => Some(RuleId::R07),
                Passage::Banned { rule, .. } if rule.hard.is_some() => Some(RuleId::R09),
                Passage::Banned { because, .. } => *because,
                Passage::NotNow => None,
            };
            self.rules.extend(rule.map(|rule| rule.wire().to_owned()));
        }
        self.rules.extend(zones.iter().zip(&passages).filter_map(|(zone, (code, passage))| {
            match passage {
                // The rule that bans, by its place in the plan of the zone, from 1.
                Passage::Banned { rule, .. } => {
                    let at = zone.plan.rules.iter().position(|it| std::ptr::eq(it, *rule))?;
                    Some(format!("ZONE-{code}-{}", at.saturating_add(1)))
                }
                Passage::NotNow => Some(format!("ZONE-{code}")),
                Passage::NotSubject | Passage::Exempt => None,
            }
        }));
        self.rules.sort_unstable();
        self.rules.dedup();
        let banned =
            passages.iter().filter(|(_, passage)| !passage.is_open()).map(|(code, _)| *code);
        let banned = banned.collect();
        let shut = passages.iter().find_map(|(_, passage)| match passage {
            Passage::Banned { rule, .. } => rule.hard.filter(|hard| !hard.opens_for_pass()),
            _ => None,
        });
        let strictest = zone::strictest(passages.into_iter().map(|(_, passage)| passage))
            .unwrap_or(Passage::NotNow);
        Way { strictest, banned, shut }
    }

    /// The pass to judge: the one that the code or the number names, or the best of the plate.
    fn weighed(&self, banned: &[u16]) -> Option<Weighed<'a>> {
        let passes = &self.known.passes;
        match &self.seen.source {
            Source::ScannedCode(claims) => passes
                .iter()
                .find(|pass| pass.id == claims.pass)
                .map(|pass| pass::weigh(pass, banned, self.now, self.local)),
            Source::PassNumber(number) => passes
                .iter()
                .find(|pass| pass.number == *number)
                .map(|pass| pass::weigh(pass, banned, self.now, self.local)),
            Source::Plate(plate) => pass::best(
                passes.iter().filter(|pass| pass.plate == *plate),
                banned,
                self.now,
                self.local,
            ),
            Source::Trailer(trailer) => pass::best(
                passes.iter().filter(|pass| pass.trailer_plate.as_ref() == Some(trailer)),
                banned,
                self.now,
                self.local,
            ),
            Source::FaultyCode(_) => None,
        }
    }

    /// The trailer that the pass names, where it is what was seen: it is part of what may pass, and the
    /// officer compares the truck.
    fn trailer_seen(&self, weighed: Option<&Weighed<'_>>) -> Option<&Plate> {
        let seen = match &self.seen.source {
            Source::Trailer(trailer) => trailer,
            _ => self.seen.observed_plate.as_ref()?,
        };
        weighed.and_then(|weighed| weighed.pass.trailer_plate.as_ref()).filter(|it| *it == seen)?;
        Some(seen)
    }

    /// Facts.md, 1.11, points 1 and 2: genuine and fresh, and of the vehicle in front. These stand
    /// even where no pass is needed: they are signs of misuse.
    fn code_faults(&self, weighed: Option<&Weighed<'_>>) -> Vec<CheckOutcome> {
        let mut faults = Vec::new();
        if let Source::ScannedCode(claims) = &self.seen.source {
            // A code signed by us without a row of ours is an alarm, even where no pass is needed.
            if weighed.is_none() {
                faults.push(CheckOutcome::NotFound);
            }
            if claims.freshness == Freshness::Stale {
                faults.push(CheckOutcome::CodeStale);
            }
            let of_pass = weighed.is_none_or(|weighed| weighed.pass.plate == claims.plate);
            let of_vehicle =
                self.known.vehicle.as_ref().is_none_or(|vehicle| vehicle.plate == claims.plate);
            if !of_pass || !of_vehicle {
                faults.push(CheckOutcome::PlateMismatch);
            }
        }
        let named = match &self.seen.source {
            Source::ScannedCode(claims) => Some(&claims.plate),
            Source::Plate(plate) => Some(plate),
            Source::PassNumber(_) | Source::Trailer(_) => {
                weighed.map(|weighed| &weighed.pass.plate)
            }
            Source::FaultyCode(_) => None,
        };
        let vehicle = self.known.vehicle.as_ref();
        let other =
            |seen: &Plate, named: &Plate| named != seen && self.trailer_seen(weighed) != Some(seen);
        let plate_differs = matches!((named, &self.seen.observed_plate),
            (Some(named), Some(seen)) if other(seen, named))
            || matches!((named, vehicle), (Some(named), Some(known)) if *named != known.plate);
        let expected = vehicle.and_then(|vehicle| PlateColour::of(vehicle.plate_type));
        // The colour that was seen is then the trailer's.
        let colour_differs = matches!((expected, self.seen.observed_colour),
            (Some(expected), Some(seen)) if expected != seen)
            && self.trailer_seen(weighed).is_none();
        if (plate_differs || colour_differs) && !faults.contains(&CheckOutcome::PlateMismatch) {
            faults.push(CheckOutcome::PlateMismatch);
        }
        faults
    }

    /// Point 7: blacklist and vehicle state stop a truck whatever it shows.
    fn vehicle_faults(&mut self, vehicle: &VehicleFacts) -> Vec<CheckOutcome> {
        let mut faults = Vec::new();
        if vehicle.blacklisted {
            faults.push(CheckOutcome::Blacklisted);
        }
        if !self.known.policy.values.blocking(&vehicle.states).is_empty() {
            faults.push(CheckOutcome::VehicleAbnormal);
        }
        if !faults.is_empty() {
            self.rules.insert(0, RuleId::R01.wire().to_owned());
        }
        faults
    }

    /// The answer, with what the officer compares; a yes on old facts becomes undecidable.
    fn answer(
        self,
        outcome: CheckOutcome,
        reasons: Vec<String>,
        weighed: Option<&Weighed<'_>>,
    ) -> Judgement {
        let mut answer = blank(outcome, Some(self.known));
        if !reasons.is_empty() {
            answer.reasons = reasons;
        }
        if let (Some(trailer), Some(weighed)) = (self.trailer_seen(weighed), weighed) {
            let truck = &weighed.pass.plate;
            answer.reasons.push(format!("{trailer}为该证所载挂车,请核对牵引车号牌{truck}"));
        }
        if outcome.verdict() == Verdict::Valid {
            answer.reasons.extend(self.remarks(outcome, weighed));
        } else {
            answer.reasons.extend(self.states());
            answer.reasons.extend(self.other_pass(weighed));
        }
        answer.compare = compare(self.known.vehicle.as_ref(), weighed.map(|weighed| weighed.pass));
        answer.pass = weighed.map(|weighed| weighed.pass.id);
        answer.rules.clone_from(&self.rules);
        if answer.verdict == Verdict::Valid && self.is_too_old() {
            answer.verdict = Verdict::Undetermined;
            answer.outcome = CheckOutcome::StatusUnknown;
            answer.reasons.insert(0, "核验数据已超过允许的时限,请联网同步后再查".to_owned());
        }
        answer
    }

    /// Whether the facts are older than a yes may rest on.
    fn is_too_old(&self) -> bool {
        self.known
            .age_max_seconds
            .is_some_and(|max| self.now.duration_since(self.known.as_of).as_secs() > i64::from(max))
    }

    /// The blocking states, each with its name.
    fn states(&self) -> Option<String> {
        let vehicle = self.known.vehicle.as_ref()?;
        let states: Vec<_> = self
            .known
            .policy
            .values
            .blocking(&vehicle.states)
            .iter()
            .map(|state| state.zh())
            .collect();
        (!states.is_empty()).then(|| format!("车辆状态:{}", states.join("、")))
    }

    /// What an officer should know beside a yes.
    fn remarks(&self, outcome: CheckOutcome, weighed: Option<&Weighed<'_>>) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Source::ScannedCode(claims) = &self.seen.source
            && claims.freshness == Freshness::Printed
        {
            remarks.push("静态码:未能证明为实时出示,请核对号牌、车辆与证件".to_owned());
        }
        if outcome != CheckOutcome::Valid
            && let Some(weighed) = weighed
            && !weighed.faults.is_empty()
        {
            let faults: Vec<_> = weighed.faults.iter().map(|fault| fault.zh()).collect();
            remarks.push(format!("所持通行证另有情况:{}", faults.join("、")));
        }
        remarks
    }

    /// Another pass of the vehicle that is in order: the officer may look it up by plate.
    fn other_pass(&self, weighed: Option<&Weighed<'_>>) -> Option<String> {
        let weighed = weighed?;
        let best = pass::best(
            self.known
                .passes
                .iter()
                .filter(|pass| pass.plate == weighed.pass.plate && pass.id != weighed.pass.id),
            &self.seen.zones,
            self.now,
            self.local,
        )?;
        best.faults.is_empty().then(|| format!("该车另有通行证{},请按号牌查验", best.pass.number))
    }
}

/// Every fault as a sentence, a revoked pass with the way in which it ended.
fn sentences(faults: &[CheckOutcome], weighed: Option<&Weighed<'_>>) -> Vec<String> {
    faults
        .iter()
        .map(|fault| match (fault, weighed) {
            (CheckOutcome::Revoked, Some(weighed)) if weighed.pass.state != PassState::Active => {
                format!("{}({})", fault.zh(), weighed.pass.state.zh())
            }
            _ => fault.zh().to_owned(),
        })
        .collect()
}

/// QR-14: what the officer compares with the vehicle in front.
fn compare(vehicle: Option<&VehicleFacts>, pass: Option<&PassFacts>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(plate) = vehicle.map(|vehicle| &vehicle.plate).or(pass.map(|pass| &pass.plate)) {
        lines.push(format!("号牌:{plate}"));
    }
    if let Some(vehicle) = vehicle {
        if let Some(colour) = PlateColour::of(vehicle.plate_type) {
            lines.push(format!("号牌颜色:{}", colour.zh()));
        }
        let code = &vehicle.vehicle_type;
        let name = code.zh().unwrap_or_else(|| code.kind().zh().to_owned());
        lines.push(format!("车辆类型:{name}({code})"));
    }
    if let Some(pass) = pass {
        lines.push(format!("通行证种类:{}", pass.kind.zh()));
        if let Some(trailer) = &pass.trailer_plate {
            lines.push(format!("挂车号牌:{trailer}"));
        }
        for (name, text) in [("货物", &pass.goods), ("线路", &pass.route)] {
            if !text.is_empty() {
                lines.push(format!("{name}:{text}"));
            }
        }
    }
    lines
}
