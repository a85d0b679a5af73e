//! How long a pass may be: class, kind, material, renewal (R03 to R06, R10 to R16). Nothing that
//! refuses; what hinders here can be corrected.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};

use super::{
    evaluate::Bench,
    inputs::{ActivePass, Length},
    vocabulary::{EnterpriseClass, PassKind, RefusalReason, Relation, RuleId},
};
use crate::domain::duty::month;

/// A period that the rules permit.
pub(super) struct Plan {
    pub(super) valid_from: Timestamp,
    pub(super) valid_until: Timestamp,
    pub(super) length: Length,
    /// Set where it is less than asked.
    pub(super) why_less: Option<String>,
}

/// The first day on which a renewal may be filed.
pub(super) fn renewal_opens(valid_until: Timestamp, window_days: u32) -> Date {
    month::days_before(month::local_date(valid_until), window_days)
}

/// The end of the passes that are renewed: the new start.
pub(super) fn latest_end(renewed: &[&ActivePass]) -> Option<Timestamp> {
    renewed.iter().map(|pass| pass.valid_until).max()
}

/// The period, or none where something must be corrected first.
pub(super) fn plan(bench: &mut Bench<'_>, renewed_until: Option<Timestamp>) -> Option<Plan> {
    if bench.inputs.ask.kind == PassKind::GreenLane {
        return trip(bench);
    }
    let (length, why_less) = permitted(bench)?;
    let start = start(bench, renewed_until);
    let first_day = month::local_date(start);
    let end = month::start_of_day(match length {
        Length::Months(months) => month::end_after_months(first_day, months),
        Length::Days(days) => month::add_days(first_day, days),
        Length::Hours(_) => first_day,
    });
    note_classes(bench, end);
    let end_by_material = within_material(bench, start, end)?;
    let length = if end_by_material == end { length } else { cut(start, end_by_material) };
    Some(Plan { valid_from: start, valid_until: end_by_material, length, why_less })
}

/// R11: a single trip, from the asked day or from now.
fn trip(bench: &mut Bench<'_>) -> Option<Plan> {
    let hours = bench.values.hours_green_lane;
    let from = month::start_of_day(bench.inputs.ask.start).max(bench.now);
    // A duration holds any number of hours, a span does not.
    let trip = SignedDuration::from_hours(i64::from(hours));
    let asked = from.saturating_add(trip).unwrap_or(from);
    let until = within_material(bench, from, asked)?;
    let hours = until.duration_since(from).as_hours();
    let length = Length::Hours(u32::try_from(hours).unwrap_or(0));
    Some(Plan { valid_from: from, valid_until: until, length, why_less: None })
}

/// When the pass begins: on the asked day, today where that day is past, or where the renewed
/// pass ends (R16).
fn start(bench: &mut Bench<'_>, renewed_until: Option<Timestamp>) -> Timestamp {
    let asked = month::start_of_day(bench.inputs.ask.start);
    // The review takes days; the applicant does not lose them.
    let today = month::start_of_day(month::local_date(bench.now));
    renewed_until.map_or(asked.max(today), |end| end.max(asked))
}

/// The permitted length, and why it is less than asked.
fn permitted(bench: &mut Bench<'_>) -> Option<(Length, Option<String>)> {
    let ask = &bench.inputs.ask;
    let kind = ask.kind;
    let asked = match (ask.length, kind.is_long_term()) {
        (Length::Months(asked), true) | (Length::Days(asked), false) if asked > 0 => asked,
        _ => {
            let (field, unit) =
                if kind.is_long_term() { ("need.months", "月") } else { ("need.days", "天") };
            bench.correct(
                RefusalReason::MaterialIncomplete,
                field,
                format!("{}的期限须按{unit}填写,且大于零", kind.zh()),
            );
            return None;
        }
    };
    if kind.is_long_term() {
        let max = months_max(bench);
        let why = (asked > max).then(|| format!("申请{asked}个月,按现行政策最长{max}个月"));
        Some((Length::Months(asked.min(max)), why))
    } else {
        let (max, upper) = match kind {
            PassKind::Temporary => {
                (bench.values.days_temporary_upper_level_max, bench.values.days_temporary_max)
            }
            _ => (bench.values.days_short_term_max, bench.values.days_short_term_max),
        };
        let told = vec![("asked_days", asked.to_string()), ("max_days", max.to_string())];
        let text = if asked > upper {
            format!("{}最长{max}天,超过{upper}天由上一级审批", kind.zh())
        } else {
            format!("{}最长{max}天", kind.zh())
        };
        bench.find(RuleId::R10, told, text);
        let why = (asked > max).then(|| format!("申请{asked}天,{}最长{max}天", kind.zh()));
        Some((Length::Days(asked.min(max)), why))
    }
}

/// R02 to R06 and R13: the longest maximum that applies.
fn months_max(bench: &mut Bench<'_>) -> u32 {
    if bench.is_dangerous() {
        return bench.values.months_dangerous_goods_max;
    }
    let values = bench.values;
    let relation = bench.inputs.papers.relation;
    let mut candidates = vec![(RuleId::R03, values.months_general_max)];
    for grant in bench.grants.clone() {
        let (rule, months, applies) = match grant.class {
            EnterpriseClass::AboveDesignatedSize => (
                RuleId::R04,
                values.months_above_designated_size_max,
                // Measure 6 says "规模以上企业货车": its own trucks, owned or leased.
                relation != Relation::Contracted,
            ),
            // Measure 6 says "重点企业运输车辆": contract carriers too.
            EnterpriseClass::KeyEnterprise => (RuleId::R05, values.months_key_enterprise_max, true),
            _ => continue,
        };
        let told = vec![
            ("class_grant", grant.id.to_string()),
            ("relation", relation.wire().to_owned()),
            ("months_max", months.to_string()),
        ];
        if applies {
            candidates.push((rule, months));
            bench.find(rule, told, format!("{}:最长{months}个月", grant.class.zh()));
        } else {
            let text = format!("{}:合同承运车辆不适用", grant.class.zh());
            bench.find(rule, told, text);
        }
    }
    if candidates.len() == 1 {
        let months = values.months_general_max;
        bench.find(
            RuleId::R03,
            vec![("months_max", months.to_string())],
            format!("一般企业或个人:最长{months}个月"),
        );
    }
    if candidates.len() > 2 {
        let names: Vec<_> = candidates.iter().skip(1).map(|(rule, _)| rule.wire()).collect();
        bench.find(RuleId::R13, vec![("rules", names.join(","))], "同时符合多个类别,取最长期限");
    }
    let by_class = candidates.iter().map(|(_, months)| *months).max().unwrap_or(1);
    new_energy_max(bench, by_class)
}

/// R06: the class value, at least one month; a policy may set more.
fn new_energy_max(bench: &mut Bench<'_>, by_class: u32) -> u32 {
    if !bench.is_new_energy_delivery() {
        return by_class;
    }
    let max = by_class.max(1).max(bench.values.months_new_energy_max.unwrap_or(1));
    let vehicle = &bench.inputs.vehicle;
    let told = vec![
        ("plate_type", vehicle.plate_type.code().to_owned()),
        ("energy", vehicle.energy.code().to_owned()),
        ("months_max", max.to_string()),
    ];
    bench.find(RuleId::R06, told, "新能源配送车辆:不占名额,不限企业类别");
    max
}

/// R14 and R15: what the pass keeps of the classes.
fn note_classes(bench: &mut Bench<'_>, end: Timestamp) {
    for grant in bench.grants.clone() {
        if grant.valid_until < end {
            bench.find(
                RuleId::R14,
                vec![
                    ("class_grant", grant.id.to_string()),
                    ("valid_until", grant.valid_until.to_string()),
                ],
                "企业类别在通行证到期前失效:通行证仍有效至到期日,续期按新类别",
            );
        }
    }
    let grants: Vec<_> = bench.grants.iter().map(|grant| grant.id.to_string()).collect();
    let classes: Vec<_> = bench.grants.iter().map(|grant| grant.class.zh()).collect();
    let text = if classes.is_empty() {
        "决定时无有效企业类别认定".to_owned()
    } else {
        format!("决定时的企业类别:{}", classes.join("、"))
    };
    let told = vec![("at", bench.now.to_string()), ("class_grants", grants.join(","))];
    bench.find(RuleId::R15, told, text);
}

/// R12: the end within the material; none where the applicant must choose.
fn within_material(bench: &mut Bench<'_>, start: Timestamp, end: Timestamp) -> Option<Timestamp> {
    let papers = &bench.inputs.papers;
    let limits = [
        ("vehicle.inspection_valid_until", "检验有效期", Some(papers.inspection_valid_until)),
        ("vehicle.insurance_valid_until", "交强险有效期", Some(papers.insurance_valid_until)),
        ("vehicle.scrapping_date", "强制报废期", papers.scrapping_date),
        ("vehicle.contract_valid_until", "合同期", papers.contract_valid_until),
        (
            "vehicle.transport_permit_valid_until",
            "道路运输证有效期",
            papers.transport_permit_valid_until,
        ),
    ];
    let mut earliest = end;
    let mut shorter = false;
    let mut usable = true;
    for (field, name, last_day) in limits {
        let Some(last_day) = last_day else { continue };
        // A paper holds through its last day, and the end of a pass is exclusive.
        let paper_end = month::start_of_day(last_day.saturating_add(1.day()));
        if paper_end >= end {
            continue;
        }
        shorter = true;
        earliest = earliest.min(paper_end);
        // Nothing can be shortened to a paper that ends before the pass begins.
        let ended = paper_end <= start;
        usable &= !ended;
        let told = vec![("paper", field.to_owned()), ("last_day", last_day.to_string())];
        let text = format!("{name}至{last_day},早于通行证结束日期");
        bench.find(RuleId::R12, told, text.clone());
        if ended || !bench.inputs.ask.shorten_agreed {
            let text = format!("{text},请更新材料或同意缩短有效期");
            bench.correct(RefusalReason::MaterialExpiresBeforePass, field, text);
        }
    }
    (!shorter || (usable && bench.inputs.ask.shorten_agreed)).then_some(earliest)
}

/// The length of a period that a paper cut: whole months where it is, days otherwise.
fn cut(start: Timestamp, end: Timestamp) -> Length {
    let (first, last) = (month::local_date(start), month::local_date(end));
    (1..=12).find(|months| month::end_after_months(first, *months) == last).map_or_else(
        || Length::Days(u32::try_from((last - first).get_days()).unwrap_or(0)),
        Length::Months,
    )
}
