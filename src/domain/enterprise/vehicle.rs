//! A vehicle as its licence (行驶证) describes it: parsed once, with every fault told at once.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    context::Cx,
    domain::{
        codes::{
            BodyColour, Energy, Plate, PlateType, UseNature, VehicleStates, VehicleType, Vin,
            cross_check,
        },
        common::{
            deed::Deed,
            follow::{Follow, To},
            lifecycle::{Change, Moved, Note},
            notice::NoticeEvent,
        },
        enterprise::contest::VehicleRuling,
        pass::policy::Relation,
    },
    error::{Faults, Flaw},
    id::{Id, kind},
};

/// The heaviest and the longest that is believed.
const KG_MAX: i32 = 100_000;
const MM_MAX: i32 = 60_000;

/// What a client sends, as it sends it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct VehicleForm {
    /// 号牌号码.
    pub plate_number: String,
    /// 号牌种类.
    pub plate_type: String,
    /// 车辆类型.
    pub vehicle_type: String,
    /// 使用性质.
    pub use_nature: String,
    /// 能源种类.
    pub energy_type: String,
    /// 车辆识别代号.
    pub vin: String,
    /// 车身颜色.
    pub body_colour: String,
    /// Cleaned by the caller.
    pub brand_model: String,
    /// 总质量, 整备质量, 核定载质量 in kilograms.
    pub masses_kg: [i32; 3],
    /// 外廓尺寸 in millimetres.
    pub outer_mm: [i32; 3],
    /// 国四 4, 国五 5, 国六 6; 0 where it does not apply.
    pub emission_stage: i32,
    /// The wire name of the relation; anything else was not given.
    pub relation: String,
    /// Days that were read by the caller.
    pub inspection_valid_until: Option<Date>,
    /// See above.
    pub insurance_valid_until: Option<Date>,
    /// See above.
    pub scrapping_date: Option<Date>,
    /// See above.
    pub contract_valid_until: Option<Date>,
    /// See above.
    pub transport_permit_valid_until: Option<Date>,
}

/// What the licence says.
#[derive(Debug, Clone)]
pub struct Licence {
    /// 号牌号码.
    pub plate: Plate,
    /// 号牌种类.
    pub plate_type: PlateType,
    /// 车辆类型.
    pub vehicle_type: VehicleType,
    /// 使用性质.
    pub use_nature: UseNature,
    /// 能源种类.
    pub energy: Energy,
    /// 车辆识别代号.
    pub vin: Vin,
    /// 车身颜色; none where it was not given.
    pub body_colour: Option<BodyColour>,
    /// 品牌型号.
    pub brand_model: String,
    /// 总质量, 整备质量, 核定载质量 in kilograms.
    pub masses_kg: [i32; 3],
    /// 外廓尺寸 in millimetres.
    pub outer_mm: [i32; 3],
    /// 国四 4, 国五 5, 国六 6; 0 where it does not apply.
    pub emission_stage: i32,
    /// How the enterprise holds it.
    pub relation: Relation,
    /// 检验有效期止.
    pub inspection_valid_until: Date,
    /// 交强险.
    pub insurance_valid_until: Date,
    /// 强制报废期止.
    pub scrapping_date: Option<Date>,
    /// The end of the lease or contract.
    pub contract_valid_until: Option<Date>,
    /// 道路运输证.
    pub transport_permit_valid_until: Option<Date>,
}

/// A vehicle of a garage.
#[derive(Debug, Clone)]
pub struct Vehicle {
    /// Its id.
    pub id: Id<kind::Vehicle>,
    /// In whose garage it stands.
    pub enterprise: Id<kind::Enterprise>,
    /// What its licence says.
    pub licence: Licence,
    /// 机动车状态.
    pub states: VehicleStates,
    /// Whether it, or its enterprise, is on the blacklist.
    pub blacklisted: bool,
    /// Whether another enterprise says that it is theirs.
    pub contested: bool,
    /// When it left.
    pub retire_time: Option<Timestamp>,
    /// Rises with each write.
    pub version: i64,
}

impl Vehicle {
    /// An act on it that is recorded.
    pub fn acted(self, deed: Deed, note: Note, cx: &Cx) -> Moved<Self> {
        Moved::new(self, Change::stateless(deed, note, cx))
    }

    /// It comes into the garage of who contested it.
    pub fn enter(self, ruling: Option<VehicleRuling>, note: &str, cx: &Cx) -> Moved<Self> {
        self.acted(Deed::Receive, said(ruling, note), cx)
    }

    /// It leaves the garage; with a ruling an officer takes it out, and the holder is told.
    pub fn depart(mut self, ruling: Option<VehicleRuling>, note: &str, cx: &Cx) -> Moved<Self> {
        self.retire_time = Some(cx.now);
        let told = ruling.map(|_| Follow::Tell(NoticeEvent::VehicleRemoved, To::Enterprise));
        self.acted(Deed::Retire, said(ruling, note), cx).and(told)
    }

    /// A vehicle that comes into a garage.
    #[must_use]
    pub const fn received(
        id: Id<kind::Vehicle>,
        enterprise: Id<kind::Enterprise>,
        licence: Licence,
        states: VehicleStates,
    ) -> Self {
        Self {
            id,
            enterprise,
            licence,
            states,
            blacklisted: false,
            contested: false,
            retire_time: None,
            version: 1,
        }
    }
}

impl Licence {
    /// Reads a form, and notes every fault of it.
    pub fn parse(form: VehicleForm, faults: &mut Faults) -> Option<Self> {
        let path = |field: &str| format!("vehicle.{field}");
        let plate = faults.take(path("plate_number"), required(&form.plate_number, Plate::parse));
        let plate_type =
            faults.take(path("plate_type"), required(&form.plate_type, PlateType::parse));
        let vehicle_type =
            faults.take(path("vehicle_type"), required(&form.vehicle_type, VehicleType::parse));
        let use_nature =
            faults.take(path("use_nature"), required(&form.use_nature, UseNature::parse));
        let energy = faults.take(path("energy_type"), required(&form.energy_type, Energy::parse));
        let vin = faults.take(path("vin"), required(&form.vin, Vin::parse));
        let body_colour = if form.body_colour.is_empty() {
            None
        } else {
            faults.take(path("body_colour"), BodyColour::parse(&form.body_colour))
        };
        measures(&form, faults);
        let relation = Relation::from_wire(&form.relation);
        faults.check(relation.is_some(), path("relation"), Flaw::Required);
        let held_by_contract = relation.is_some_and(|relation| relation != Relation::Owned);
        let contract = !held_by_contract || form.contract_valid_until.is_some();
        faults.check(contract, path("contract_valid_until"), Flaw::Required);
        plates(plate.as_ref(), plate_type, vehicle_type.as_ref(), &form, faults);
        Some(Self {
            plate: plate?,
            plate_type: plate_type?,
            vehicle_type: vehicle_type?,
            use_nature: use_nature?,
            energy: energy?,
            vin: vin?,
            body_colour,
            brand_model: form.brand_model,
            masses_kg: form.masses_kg,
            outer_mm: form.outer_mm,
            emission_stage: form.emission_stage,
            relation: relation?,
            inspection_valid_until: form.inspection_valid_until?,
            insurance_valid_until: form.insurance_valid_until?,
            scrapping_date: form.scrapping_date,
            contract_valid_until: form.contract_valid_until,
            transport_permit_valid_until: form.transport_permit_valid_until,
        })
    }

    /// What is unusual and does not refuse.
    #[must_use]
    pub fn warnings(&self) -> Vec<Flaw> {
        self.plate.warning().into_iter().chain(self.vin.warning()).collect()
    }
}

fn said(ruling: Option<VehicleRuling>, note: &str) -> Note {
    Note { reason: ruling.map(VehicleRuling::wire), ..Note::public(note) }
}

fn required<T>(text: &str, parse: impl Fn(&str) -> Result<T, Flaw>) -> Result<T, Flaw> {
    if text.trim().is_empty() { Err(Flaw::Required) } else { parse(text) }
}

fn measures(form: &VehicleForm, faults: &mut Faults) {
    let [gross, kerb, load] = form.masses_kg;
    let needed = |value: i32, max: i32| (1..=max).contains(&value);
    faults.check(needed(gross, KG_MAX), "vehicle.gross_mass_kg", Flaw::OutOfRange);
    faults.check((0..=gross.max(0)).contains(&kerb), "vehicle.kerb_mass_kg", Flaw::OutOfRange);
    faults.check((0..=KG_MAX).contains(&load), "vehicle.rated_load_kg", Flaw::OutOfRange);
    let names = ["outer_length_mm", "outer_width_mm", "outer_height_mm"];
    for (name, value) in names.into_iter().zip(form.outer_mm) {
        faults.check(needed(value, MM_MAX), format!("vehicle.{name}"), Flaw::OutOfRange);
    }
    let stage = (0..=9).contains(&form.emission_stage);
    faults.check(stage, "vehicle.emission_stage", Flaw::OutOfRange);
}

/// What plate, plate type, vehicle type and size say of each other.
fn plates(
    plate: Option<&Plate>,
    plate_type: Option<PlateType>,
    vehicle_type: Option<&VehicleType>,
    form: &VehicleForm,
    faults: &mut Faults,
) {
    if let (Some(plate), Some(plate_type)) = (plate, plate_type) {
        let accepted = if plate_type == PlateType::Trailer {
            plate.accepted_as_trailer()
        } else {
            plate.accepted_as_tractor()
        };
        if let Err(flaw) = accepted {
            let text = format!("{}不能办理货车通行证", plate.class().zh());
            faults.add_told("vehicle.plate_number", flaw, text);
        } else {
            let fits = plate_type.fits(plate);
            faults.check(fits, "vehicle.plate_type", Flaw::PlateTypeMismatch);
        }
    }
    let [gross, ..] = form.masses_kg;
    let [length, ..] = form.outer_mm;
    let sizes = u32::try_from(gross).ok().zip(u32::try_from(length).ok());
    if let (Some(plate_type), Some(vehicle_type), Some((gross, length))) =
        (plate_type, vehicle_type, sizes.filter(|(gross, length)| *gross > 0 && *length > 0))
    {
        for flaw in cross_check(plate_type, vehicle_type, gross, length) {
            let field = match flaw {
                Flaw::PlateSizeMismatch => "vehicle.plate_type",
                _ => "vehicle.vehicle_type",
            };
            faults.add(field, flaw);
        }
    }
}
