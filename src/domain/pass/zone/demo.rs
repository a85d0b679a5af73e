//! Zones that stand ready: one from a public notice, one invented for demonstrations. No policy.

use super::{
    BoundaryRoad, DayType, Effect, HardBan, TimeWindow, VehicleMatcher, Zone, ZonePlan, ZoneRule,
    default_peaks,
};
use crate::domain::codes::{SizeClass, UseNature, VehicleKind};

/// The vehicles that every notice exempts and a register knows: police, fire, ambulance, rescue.
fn exempt_uses() -> Vec<UseNature> {
    vec![
        UseNature::Police,
        UseNature::FireService,
        UseNature::Ambulance,
        UseNature::EngineeringRescue,
    ]
}

/// A ban of the whole day.
fn ban(kinds: Vec<VehicleKind>, sizes: Vec<SizeClass>) -> ZoneRule {
    ZoneRule {
        matcher: VehicleMatcher {
            kinds,
            sizes,
            except_uses: exempt_uses(),
            ..VehicleMatcher::default()
        },
        windows: Vec::new(),
        season: None,
        days: Vec::new(),
        effect: Effect::Ban,
        hard: None,
    }
}

impl Zone {
    /// 洋河新区, from the notice of the traffic police of Suqian of 2023-01-31, in force from
    /// 2023-02-07 (facts.md, 1.5, S02): 24 hours for medium, heavy and low-speed trucks, trailers,
    /// farm transport and tractors. Light and mini trucks are not in the list.
    #[must_use]
    pub fn yanghe_2023() -> Self {
        let road = |name: &str, included| BoundaryRoad { name: name.to_owned(), included };
        Self {
            code: 1,
            name: "洋河新区货车禁行区域".to_owned(),
            version: 1,
            source: "宿迁市公安局交通警察支队2023年1月31日通告(2023年2月7日起施行)".to_owned(),
            plan: ZonePlan {
                boundary: vec![
                    road("金樽路", false),
                    road("南大街", true),
                    road("玉带河路", false),
                    road("洋河大道", false),
                ],
                polygon: Vec::new(),
                peaks: default_peaks(),
                rules: vec![
                    ban(
                        vec![VehicleKind::Truck, VehicleKind::Tractor],
                        vec![SizeClass::Heavy, SizeClass::Medium, SizeClass::LowSpeed],
                    ),
                    ban(
                        vec![
                            VehicleKind::SemiTrailer,
                            VehicleKind::FullTrailer,
                            VehicleKind::ThreeWheel,
                            VehicleKind::FarmTractor,
                        ],
                        Vec::new(),
                    ),
                ],
                exempt_in_words: [
                    "军车、消防车、运钞车、邮政车、救护车",
                    "电力、通信、供水、供气抢修车辆",
                    "环卫和道路养护作业车辆",
                ]
                .map(str::to_owned)
                .to_vec(),
            },
        }
    }

    /// DEMONSTRATION ONLY: no notice for the main urban area of Suqian was found (facts.md, 1.13),
    /// so these hours are invented. Never show them as a rule in force.
    #[must_use]
    pub fn main_urban_demo() -> Self {
        let mut light = ban(vec![VehicleKind::Truck], vec![SizeClass::Light, SizeClass::Mini]);
        light.windows = TimeWindow::new(6 * 60, 22 * 60).into_iter().collect();
        let mut night = ban(vec![VehicleKind::Truck], vec![SizeClass::Medium]);
        night.effect = Effect::Allow;
        night.matcher.except_uses = vec![UseNature::DangerousGoods];
        night.windows = TimeWindow::new(22 * 60, 6 * 60).into_iter().collect();
        night.days = vec![DayType::WorkingDay];
        Self {
            code: 9001,
            name: "演示区域(虚构,非现行规定)".to_owned(),
            version: 1,
            source: "演示数据,无通告依据".to_owned(),
            plan: ZonePlan {
                boundary: Vec::new(),
                polygon: Vec::new(),
                peaks: default_peaks(),
                rules: vec![
                    ban(
                        vec![VehicleKind::Truck, VehicleKind::Tractor],
                        vec![SizeClass::Heavy, SizeClass::Medium, SizeClass::LowSpeed],
                    ),
                    light,
                    night,
                ],
                exempt_in_words: Vec::new(),
            },
        }
    }

    /// DEMONSTRATION ONLY: a road that is closed to every truck for 24 hours.
    #[must_use]
    pub fn all_day_road_demo() -> Self {
        let mut rule = ban(vec![VehicleKind::Truck, VehicleKind::Tractor], Vec::new());
        rule.hard = Some(HardBan::AllDayRoad);
        let demo = Self::main_urban_demo();
        Self {
            code: 9002,
            name: "演示全天禁货道路(虚构,非现行规定)".to_owned(),
            plan: ZonePlan { rules: vec![rule], ..demo.plan },
            ..demo
        }
    }
}
