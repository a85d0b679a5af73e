//! The rule table of measure 6 (facts.md, 3.3), from top to bottom: first what blocks, then the
//! limits. No length is computed here; that is `length`.

use jiff::Timestamp;

use super::{
    evaluation::{CorrectionNeed, Evaluation, Finding, Grant, Outcome, Reviews},
    inputs::{ActivePass, ClassGrant, Inputs, Length},
    length,
    values::{PolicyValues, PolicyVersion},
    vocabulary::{CargoKind, PassKind, RefusalReason, Relation, RuleId},
};
use crate::domain::{codes::VehicleState, duty::month};

/// Judges a wish by a policy version at an instant. Pure: the same inputs give the same verdict,
/// so the early warning and the decision cannot differ.
pub fn evaluate(inputs: &Inputs, version: &PolicyVersion, now: Timestamp) -> Evaluation {
    let mut bench = Bench::new(inputs, &version.values, now);
    bench.vehicle_and_blacklist();
    let vehicle_blocked = !bench.refusals.is_empty();
    bench.enterprise();
    bench.kind();
    bench.material();
    bench.green_lane();
    bench.duplicates();
    bench.quota();
    let no_ban = bench.no_ban();

    let outcome = if !vehicle_blocked && no_ban { Outcome::NoPassRequired } else { bench.limits() };
    bench.findings.sort_by_key(|finding| finding.rule);
    Evaluation {
        outcome,
        kind: inputs.ask.kind,
        findings: bench.findings,
        class_snapshot: bench.grants.into_iter().cloned().collect(),
        policy_version: version.version.clone(),
    }
}

/// The desk on which one wish is judged.
pub(super) struct Bench<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) values: &'a PolicyValues,
    pub(super) now: Timestamp,
    /// R15: the grants in force now.
    pub(super) grants: Vec<&'a ClassGrant>,
    pub(super) findings: Vec<Finding>,
    pub(super) refusals: Vec<RefusalReason>,
    pub(super) corrections: Vec<CorrectionNeed>,
    /// R16: the passes that this one continues.
    renewed: Vec<&'a ActivePass>,
}

impl<'a> Bench<'a> {
    fn new(inputs: &'a Inputs, values: &'a PolicyValues, now: Timestamp) -> Self {
        let grants: Vec<_> =
            inputs.enterprise.grants.iter().filter(|grant| grant.holds_at(now)).collect();
        Self {
            inputs,
            values,
            now,
            grants,
            findings: Vec::new(),
            refusals: Vec::new(),
            corrections: Vec::new(),
            renewed: Vec::new(),
        }
    }

    pub(super) fn find(
        &mut self,
        rule: RuleId,
        inputs: Vec<(&'static str, String)>,
        text: impl Into<String>,
    ) {
        self.findings.push(Finding { rule, inputs, text: text.into() });
    }

    fn refuse(&mut self, reason: RefusalReason) {
        if !self.refusals.contains(&reason) {
            self.refusals.push(reason);
        }
    }

    pub(super) fn correct(
        &mut self,
        reason: RefusalReason,
        field: &'static str,
        text: impl Into<String>,
    ) {
        self.corrections.push(CorrectionNeed { reason, field, text: text.into() });
    }

    /// Whether the vehicle is new energy and drives deliveries (R06).
    pub(super) fn is_new_energy_delivery(&self) -> bool {
        self.inputs.vehicle.is_new_energy()
            && !self.is_dangerous()
            && matches!(
                self.inputs.ask.kind,
                PassKind::NewEnergyDelivery
                    | PassKind::LongTermDelivery
                    | PassKind::LivelihoodSupply
                    | PassKind::ShortTerm
                    | PassKind::Temporary
            )
    }

    /// R02: the kind or the registration says dangerous goods.
    pub(super) fn is_dangerous(&self) -> bool {
        self.inputs.ask.kind == PassKind::DangerousGoods
            || self.inputs.vehicle.carries_dangerous_goods()
    }

    /// R01, first half: vehicle states and blacklist.
    fn vehicle_and_blacklist(&mut self) {
        let vehicle = &self.inputs.vehicle;
        let mut blocking = self.values.blocking(&vehicle.states);
        if self.values.unhandled_violation_blocks {
            blocking.extend(
                vehicle.states.iter().filter(|state| *state == VehicleState::UnhandledViolation),
            );
        }
        for state in blocking {
            let reason = refusal_of(state);
            self.refuse(reason);
            self.find(
                RuleId::R01,
                vec![("vehicle_state", state.code().to_owned())],
                format!("机动车状态为“{}”:{}", state.zh(), reason.zh()),
            );
        }
        let today = month::local_date(self.now);
        if let Some(scrapping) = self.inputs.papers.scrapping_date.filter(|date| *date < today) {
            self.refuse(RefusalReason::VehicleScrappedOrDue);
            self.find(
                RuleId::R01,
                vec![("scrapping_date", scrapping.to_string())],
                "已过强制报废期止日期",
            );
        }
        if vehicle.blacklisted || self.inputs.enterprise.blacklisted {
            self.refuse(RefusalReason::Blacklisted);
            self.find(
                RuleId::R01,
                vec![
                    ("vehicle_blacklisted", vehicle.blacklisted.to_string()),
                    ("enterprise_blacklisted", self.inputs.enterprise.blacklisted.to_string()),
                ],
                RefusalReason::Blacklisted.zh(),
            );
        }
        if let (Some(min), Some(stage)) =
            (self.values.emission_stage_min, self.inputs.papers.emission_stage)
            && stage < min
        {
            self.refuse(RefusalReason::EmissionStageTooLow);
            self.find(
                RuleId::R01,
                vec![("emission_stage", stage.to_string()), ("min", min.to_string())],
                RefusalReason::EmissionStageTooLow.zh(),
            );
        }
    }

    /// Only a verified enterprise that is not suspended gets a pass.
    fn enterprise(&mut self) {
        let enterprise = &self.inputs.enterprise;
        if !enterprise.verified || enterprise.suspended {
            self.refuse(RefusalReason::EnterpriseNotVerified);
            self.find(
                RuleId::R01,
                vec![
                    ("verified", enterprise.verified.to_string()),
                    ("suspended", enterprise.suspended.to_string()),
                ],
                RefusalReason::EnterpriseNotVerified.zh(),
            );
        }
    }

    /// Whether the kind fits vehicle, route and need (R02, R06, R09).
    fn kind(&mut self) {
        let ask = &self.inputs.ask;
        if self.is_dangerous() {
            self.dangerous_goods();
        }
        if ask.kind == PassKind::NewEnergyDelivery && !self.inputs.vehicle.is_new_energy() {
            self.refuse(RefusalReason::WrongPassKind);
            self.find(
                RuleId::R06,
                vec![("plate_type", self.inputs.vehicle.plate_type.code().to_owned())],
                "号牌种类不是51或52,不能办理新能源配送通行证",
            );
        }
        if ask.kind == PassKind::Engineering && !ask.has_permit_number {
            self.correct(
                RefusalReason::MaterialIncomplete,
                "need.permit_number",
                "工程车辆须填写工程许可(处置核准或备案)编号",
            );
        }
        if ask.route_on_all_day_road {
            self.refuse(RefusalReason::RouteNotAllowed);
            self.find(
                RuleId::R09,
                vec![("route_on_all_day_road", "true".to_owned())],
                RefusalReason::RouteNotAllowed.zh(),
            );
        }
    }

    /// R02: own kind, fixed route and time, permit number.
    fn dangerous_goods(&mut self) {
        let (ask, vehicle) = (&self.inputs.ask, &self.inputs.vehicle);
        self.find(
            RuleId::R02,
            vec![
                ("pass_kind", ask.kind.wire().to_owned()),
                ("use_nature", vehicle.use_nature.code().to_owned()),
                ("months_max", self.values.months_dangerous_goods_max.to_string()),
            ],
            format!(
                "危险货物运输须固定线路、时段并持许可,最长{}个月,不适用平峰放行",
                self.values.months_dangerous_goods_max
            ),
        );
        // S10: a truck for dangerous goods needs its own kind, and the kind such a truck.
        if ask.kind != PassKind::DangerousGoods || !vehicle.carries_dangerous_goods() {
            self.refuse(RefusalReason::WrongPassKind);
        }
        for (given, field, text) in [
            (ask.has_route, "need.route", "危险货物运输须填写固定线路"),
            (ask.has_time_windows, "need.time_windows", "危险货物运输须填写固定时段"),
            (ask.has_permit_number, "need.permit_number", "危险货物运输须填写许可编号"),
        ] {
            if !given {
                self.correct(RefusalReason::MaterialIncomplete, field, text);
            }
        }
    }

    /// R01, second half: the papers, with the electronic licences of measure 9.
    fn material(&mut self) {
        let ask = &self.inputs.ask;
        let needed = self.values.attachments.iter().filter(|rule| rule.kind == ask.kind);
        for choice in needed.flat_map(|rule| &rule.required) {
            let present = choice.iter().any(|paper| {
                ask.attachments.contains(paper)
                    || (ask.e_licences.contains(paper)
                        && self.values.waivable_by_e_licence.contains(paper))
            });
            if !present {
                let names: Vec<_> = choice.iter().map(|paper| paper.zh()).collect();
                self.correct(
                    RefusalReason::MaterialIncomplete,
                    "attachments",
                    format!("缺少材料:{}", names.join("或")),
                );
            }
        }
        let papers = &self.inputs.papers;
        if papers.relation != Relation::Owned && papers.contract_valid_until.is_none() {
            self.correct(
                RefusalReason::MaterialIncomplete,
                "vehicle.contract_valid_until",
                format!("{}车辆须填写合同期止日期", papers.relation.zh()),
            );
        }
        let missing: Vec<_> = self
            .corrections
            .iter()
            .filter(|need| need.reason == RefusalReason::MaterialIncomplete)
            .map(|need| need.text.clone())
            .collect();
        if !missing.is_empty() {
            let count = missing.len().to_string();
            self.find(RuleId::R01, vec![("missing", count)], missing.join(";"));
        }
    }

    /// R11: only in a special period, and only for the goods of enterprises.
    fn green_lane(&mut self) {
        let ask = &self.inputs.ask;
        if ask.kind != PassKind::GreenLane {
            return;
        }
        let active = self.inputs.standing.special_period_active;
        if !active {
            self.refuse(RefusalReason::SpecialPeriodInactive);
        }
        let goods_fit = matches!(ask.cargo, CargoKind::RawMaterial | CargoKind::Product);
        if !goods_fit {
            self.refuse(RefusalReason::WrongPassKind);
        }
        if !ask.has_route {
            self.correct(RefusalReason::MaterialIncomplete, "need.route", "绿色通道须填写指定线路");
        }
        let text = match (active, goods_fit) {
            (false, _) => RefusalReason::SpecialPeriodInactive.zh().to_owned(),
            (true, false) => "绿色通道只用于企业生产原料和产品运输".to_owned(),
            (true, true) => {
                format!("单次通行,{}小时内按指定线路由专人引导", self.values.hours_green_lane)
            }
        };
        let inputs = vec![
            ("special_period_active", active.to_string()),
            ("cargo", ask.cargo.wire().to_owned()),
        ];
        self.find(RuleId::R11, inputs, text);
    }

    /// R16: one long-term pass for a plate and a zone; a renewal from some days before its end.
    fn duplicates(&mut self) {
        let inputs = self.inputs;
        let ask = &inputs.ask;
        if !ask.kind.is_long_term() {
            return;
        }
        for pass in &inputs.standing.active_passes {
            let asked = ask.zones.iter().any(|zone| zone.zone == pass.zone);
            if !asked || pass.valid_until <= self.now || ask.replaces == Some(pass.id) {
                continue;
            }
            let opens = length::renewal_opens(pass.valid_until, self.values.renewal_window_days);
            let told = vec![
                ("pass", pass.id.to_string()),
                ("valid_until", pass.valid_until.to_string()),
                ("renewal_from", opens.to_string()),
            ];
            if month::local_date(self.now) < opens {
                self.refuse(RefusalReason::DuplicateActivePass);
                let text = format!("该区域已有有效通行证,{opens}起可申请续期");
                self.find(RuleId::R16, told, text);
            } else {
                self.renewed.push(pass);
                self.find(RuleId::R16, told, "续期:新证自原证到期时起生效");
            }
        }
    }

    /// Quotas concern neither new-energy deliveries (R06) nor the green lane.
    fn quota_needed(&self) -> bool {
        self.inputs.standing.quota_free.is_some()
            && !self.is_new_energy_delivery()
            && self.inputs.ask.kind != PassKind::GreenLane
    }

    fn quota(&mut self) {
        if self.quota_needed() && self.inputs.standing.quota_free == Some(0) {
            self.refuse(RefusalReason::QuotaExhausted);
            self.find(
                RuleId::R06,
                vec![("quota_free", "0".to_owned()), ("new_energy_delivery", "false".to_owned())],
                RefusalReason::QuotaExhausted.zh(),
            );
        }
    }

    /// R17: no asked zone ever bans this vehicle.
    fn no_ban(&mut self) -> bool {
        let ask = &self.inputs.ask;
        let free: Vec<_> =
            ask.zones.iter().filter(|zone| !zone.bans_vehicle).map(|z| z.name.clone()).collect();
        if free.is_empty() {
            return false;
        }
        let all = free.len() == ask.zones.len();
        let vehicle_type = self.inputs.vehicle.vehicle_type.as_str().to_owned();
        let names = free.join("、");
        let inputs = vec![("vehicle_type", vehicle_type), ("zones", names.clone())];
        self.find(RuleId::R17, inputs, format!("{names}不限制该类车辆,无需办理通行证"));
        all
    }

    /// The rest of the table: how long, and who reviews.
    fn limits(&mut self) -> Outcome {
        let plan = length::plan(self, length::latest_end(&self.renewed));
        if !self.refusals.is_empty() {
            // Everything is told at once: what is missing stands beside what refuses.
            for need in std::mem::take(&mut self.corrections) {
                self.refuse(need.reason);
            }
            return Outcome::Refuse(std::mem::take(&mut self.refusals));
        }
        let Some(plan) = plan.filter(|_| self.corrections.is_empty()) else {
            return Outcome::Correct(std::mem::take(&mut self.corrections));
        };
        let grant = Grant {
            valid_from: plan.valid_from,
            valid_until: plan.valid_until,
            length: plan.length,
            reviews: self.reviews(plan.length),
            quota_needed: self.quota_needed(),
            renews: self.renewed.iter().map(|pass| pass.id).collect(),
        };
        match plan.why_less {
            None => Outcome::Grant(grant),
            Some(why) => Outcome::Offer(grant, why),
        }
    }

    /// Facts.md, 1.7: a final review for long grants, dangerous goods, engineering, several
    /// districts, and temporary passes beyond what one level may grant.
    fn reviews(&self, length: Length) -> Reviews {
        let long = match length {
            Length::Months(months) => months > self.values.final_review_above_months,
            Length::Days(days) => {
                self.inputs.ask.kind == PassKind::Temporary && days > self.values.days_temporary_max
            }
            Length::Hours(_) => false,
        };
        if long
            || self.inputs.ask.cross_district
            || self.values.final_review_kinds.contains(&self.inputs.ask.kind)
        {
            Reviews::TwoStep
        } else {
            Reviews::OneStep
        }
    }
}

/// The reason that a blocking vehicle state stands for (facts.md, 1.8 and 2.5).
fn refusal_of(state: VehicleState) -> RefusalReason {
    match state {
        VehicleState::Stolen => RefusalReason::VehicleStolen,
        VehicleState::Deregistered => RefusalReason::VehicleDeregistered,
        VehicleState::UnhandledViolation => RefusalReason::UnhandledViolations,
        VehicleState::SealedUp | VehicleState::Impounded => RefusalReason::VehicleImpounded,
        VehicleState::Scrapped => RefusalReason::VehicleScrappedOrDue,
        VehicleState::HitAndRun => RefusalReason::HitAndRunPending,
        VehicleState::InspectionOverdue => RefusalReason::VehicleOverdueInspection,
        _ => RefusalReason::VehicleStateAbnormal,
    }
}
