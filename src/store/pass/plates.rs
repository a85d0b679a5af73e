//! What a check must know of a plate: its vehicles, its passes, the blacklist. Read from the cache
//! under the plate, or from PostgreSQL. Facts alone: no verdict is ever kept, and none is made here.
//!
//! Whoever changes any of it touches `plate:NUMBER`, so that it counts from the next check on, on
//! every server (I1).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use moka::sync::Cache as Memo;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{
    domain::{
        codes::{Energy, Plate, PlateType, UseNature, VehicleStates, VehicleType, mask},
        pass::{
            application::NeedWindow,
            check::{FORGOTTEN_AFTER, PassFacts, PassState},
            policy::{PassKind, VehicleFacts},
        },
    },
    error::{Flaw, Result},
    id::Id,
    store::{
        Store,
        cache::{Looked, Mark, seal},
        column::unreadable,
    },
};

/// The facts in the cache count only with our seal.
const SEAL_PURPOSE: &str = "plate-standing";
/// The most trucks that are judged for one trailer.
const TRUCKS_MAX: i64 = 5;
/// Pass numbers that are remembered with their plates.
const NUMBERS_REMEMBERED: u64 = 20_000;
/// Plates whose reading is under way, or was a moment ago.
const TURNS_REMEMBERED: u64 = 20_000;

/// What is known of a plate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlateStanding {
    /// The plate, as it is stored.
    pub plate_number: String,
    /// Rises with every change of these facts.
    pub version: i64,
    /// The vehicles of the plate: more than one where the number exists in several plate types.
    pub vehicles: Vec<KnownVehicle>,
    /// Its passes, those in force first; 50 at most.
    pub passes: Vec<KnownPass>,
}

/// A vehicle of the plate, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownVehicle {
    /// 号牌种类.
    pub plate_type: String,
    vehicle_type: String,
    use_nature: String,
    energy_type: String,
    vehicle_states: String,
    /// The enterprise, masked.
    pub holder: String,
    /// When the vehicle or its enterprise is on the blacklist: from, and until where it ends.
    bans: Vec<(Timestamp, Option<Timestamp>)>,
}

/// A pass of the plate, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownPass {
    /// The pass.
    pub id: Uuid,
    /// Its number.
    pub number: String,
    /// 号牌种类 of its vehicle.
    pub plate_type: String,
    state: PassState,
    kind: PassKind,
    /// The first instant.
    pub valid_from: Timestamp,
    /// The end, exclusive.
    pub valid_until: Timestamp,
    zone_ids: Vec<Uuid>,
    windows: Vec<NeedWindow>,
    trailer: String,
    route: Vec<String>,
    goods: String,
    /// The enterprise, masked.
    pub holder: String,
}

impl KnownVehicle {
    /// The facts at an instant: the blacklist has begins and ends.
    pub fn facts(&self, plate: &Plate, now: Timestamp) -> Result<VehicleFacts> {
        let blacklisted =
            self.bans.iter().any(|(from, until)| *from <= now && until.is_none_or(|end| now < end));
        let not = |column| move |_| unreadable("vehicle", column, "a plate that was asked");
        Ok(VehicleFacts {
            plate: plate.clone(),
            plate_type: PlateType::parse(&self.plate_type).map_err(not("plate_type"))?,
            vehicle_type: VehicleType::parse(&self.vehicle_type).map_err(not("vehicle_type"))?,
            energy: Energy::parse(&self.energy_type).map_err(not("energy_type"))?,
            use_nature: UseNature::parse(&self.use_nature).map_err(not("use_nature"))?,
            states: VehicleStates::parse(&self.vehicle_states).map_err(not("vehicle_states"))?,
            blacklisted,
        })
    }
}

impl KnownPass {
    /// The facts; a zone whose code is not known opens nothing.
    pub fn facts(&self, plate: &Plate, code: impl Fn(Uuid) -> Option<u16>) -> Result<PassFacts> {
        let not = |column| move |_| unreadable("truck_pass", column, self.id);
        let windows = self.windows.iter().map(|window| window.judged());
        let trailer_plate = match self.trailer.as_str() {
            "" => None,
            trailer => Some(Plate::parse(trailer).map_err(not("trailer_plate_number"))?),
        };
        Ok(PassFacts {
            id: Id::of(self.id),
            number: self.number.clone(),
            state: self.state,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            zones: self.zone_ids.iter().filter_map(|zone| code(*zone)).collect(),
            windows: windows.collect::<Result<_, Flaw>>().map_err(not("time_windows"))?,
            plate: plate.clone(),
            plate_type: PlateType::parse(&self.plate_type).map_err(not("plate_type"))?,
            trailer_plate,
            kind: self.kind,
            route: self.route.join("、"),
            goods: self.goods.clone(),
        })
    }
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The cache.
    Redis,
    /// The truth.
    Postgresql,
}

impl Answered {
    /// The name on the wire.
    #[must_use]
    pub const fn wire(self) -> &'static str {
        match self {
            Self::Redis => "REDIS",
            Self::Postgresql => "POSTGRESQL",
        }
    }
}

/// The reading of one plate: those who arrive before a reading begins share it. Nobody shares one
/// that had begun before: it may have missed what was committed in between (I1).
#[derive(Debug, Default)]
struct Turn {
    tickets: AtomicU64,
    last: Mutex<Option<(u64, Arc<PlateStanding>)>>,
}

/// What one server needs to read plates.
#[derive(Debug, Clone)]
pub struct Plates {
    store: Store,
    turns: Memo<String, Arc<Turn>>,
    numbers: Memo<String, Plate>,
}

impl Plates {
    /// Reads from this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let turns = Memo::builder()
            .max_capacity(TURNS_REMEMBERED)
            .time_to_live(Duration::from_secs(10))
            .build();
        Self { store, turns, numbers: Memo::new(NUMBERS_REMEMBERED) }
    }

    /// What is known of the plate: from the cache where it may be trusted, else from PostgreSQL.
    /// The mark is sixteen fresh random bytes.
    pub async fn standing(
        &self,
        plate_number: &str,
        now: Timestamp,
        mark: [u8; 16],
    ) -> Result<(Arc<PlateStanding>, Answered)> {
        let key = format!("plate:{plate_number}");
        let mark = match self.store.cache().get(&key, mark).await {
            Looked::Hit(entry) => match self.open(plate_number, &entry) {
                Some(standing) => return Ok((Arc::new(standing), Answered::Redis)),
                // Not ours, damaged, or of another version of the program: PostgreSQL knows.
                None => None,
            },
            Looked::Miss(mark) => Some(mark),
            Looked::Away => None,
        };
        let standing = self.read(plate_number, &key, now).await?;
        if let Some(mark) = mark {
            self.fill(mark, &standing).await?;
        }
        Ok((standing, Answered::Postgresql))
    }

    /// Reads PostgreSQL; callers who miss the same plate at the same time share a reading (I30).
    async fn read(
        &self,
        plate_number: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Arc<PlateStanding>> {
        let turn = self.turns.get_with_by_ref(plate_number, Arc::default);
        let ticket = turn.tickets.fetch_add(1, Ordering::SeqCst);
        let mut last = turn.last.lock().await;
        if let Some((began, standing)) = &*last
            && ticket < *began
        {
            return Ok(standing.clone());
        }
        let began = turn.tickets.load(Ordering::SeqCst);
        let standing = Arc::new(load(&self.store, plate_number, key, now).await?);
        *last = Some((began, standing.clone()));
        Ok(standing)
    }

    /// The plate of a pass number: both never change, so it is remembered.
    pub async fn plate_of_number(&self, number: &str) -> Result<Option<Plate>> {
        if let Some(plate) = self.numbers.get(number) {
            return Ok(Some(plate));
        }
        let mut connection = self.store.read().await?;
        let plate = sqlx::query_scalar!(
            r#"select plate_number as "plate_number: Plate" from truck_pass where number = $1"#,
            number
        )
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(plate) = &plate {
            self.numbers.insert(number.to_owned(), plate.clone());
        }
        Ok(plate)
    }

    /// The plates of the trucks whose passes name a trailer, those in force first; from PostgreSQL each
    /// time, since nothing voids what would be remembered of it (I1).
    pub async fn trucks_of(&self, trailer: &str, now: Timestamp) -> Result<Vec<Plate>> {
        let ended_after = now.saturating_sub(FORGOTTEN_AFTER).unwrap_or(now);
        let mut connection = self.store.read().await?;
        let trucks = sqlx::query!(
            "select plate_number as \"plate_number: Plate\",
                bool_or(state = 'ACTIVE' and valid_from <= $3 and valid_until > $3) as \"in_force!\"
             from truck_pass
             where trailer_plate_number = $1 and trailer_plate_number <> '' and valid_until > $2
             group by plate_number
             order by 2 desc, max(valid_until) desc, plate_number
             limit $4",
            trailer,
            ended_after.to_sqlx(),
            now.to_sqlx(),
            TRUCKS_MAX
        )
        .fetch_all(&mut *connection)
        .await?;
        // With which truck it went before says nothing while it goes with one.
        let any = trucks.iter().any(|truck| truck.in_force);
        let told = trucks.into_iter().filter(|truck| truck.in_force || !any);
        Ok(told.map(|truck| truck.plate_number).collect())
    }

    async fn fill(&self, mark: Mark, standing: &PlateStanding) -> Result<()> {
        let entry = seal::close(self.store.vault(), SEAL_PURPOSE, standing)?;
        self.store.cache().fill(mark, standing.version, &entry).await;
        Ok(())
    }

    /// Opens an entry, where it is of this plate.
    fn open(&self, plate_number: &str, entry: &[u8]) -> Option<PlateStanding> {
        let standing: PlateStanding = seal::open(self.store.vault(), SEAL_PURPOSE, entry)?;
        (standing.plate_number == plate_number).then_some(standing)
    }
}

/// One statement, and so one snapshot: facts and version belong together.
async fn load(
    store: &Store,
    plate_number: &str,
    key: &str,
    now: Timestamp,
) -> Result<PlateStanding> {
    let ended_after = now.saturating_sub(FORGOTTEN_AFTER).unwrap_or(now);
    let mut connection = store.read().await?;
    let row = sqlx::query!(
        r#"select
            coalesce((select version from standing where key = $2), 0) as "version!",
            coalesce((
                select jsonb_agg(jsonb_build_object(
                    'plate_type', vehicle.plate_type,
                    'vehicle_type', vehicle.vehicle_type,
                    'use_nature', vehicle.use_nature,
                    'energy_type', vehicle.energy_type,
                    'vehicle_states', vehicle.vehicle_states,
                    'holder', enterprise.display_name,
                    'bans', coalesce((
                        select jsonb_agg(jsonb_build_array(valid_from, valid_until))
                        from blacklist_entry
                        where lift_time is null
                            and (vehicle_id = vehicle.id
                                or blacklist_entry.enterprise_id = vehicle.enterprise_id)
                    ), '[]')
                ) order by vehicle.plate_type)
                from vehicle join enterprise on enterprise.id = vehicle.enterprise_id
                where vehicle.plate_number = $1 and vehicle.retire_time is null
            ), '[]') as "vehicles!: Json<Vec<KnownVehicle>>",
            coalesce((
                select jsonb_agg(jsonb_build_object(
                    'id', pass.id,
                    'number', pass.number,
                    'plate_type', pass.plate_type,
                    'state', pass.state,
                    'kind', pass.pass_kind,
                    'valid_from', pass.valid_from,
                    'valid_until', pass.valid_until,
                    'zone_ids', to_jsonb(pass.zone_ids),
                    'windows', pass.time_windows,
                    'trailer', pass.trailer_plate_number,
                    'route', to_jsonb(pass.route),
                    'goods', pass.goods,
                    'holder', enterprise.display_name
                ) order by pass.in_force desc, pass.valid_until desc, pass.id)
                from (
                    select *, state in ('ACTIVE', 'SUSPENDED') as in_force
                    from truck_pass
                    where plate_number = $1 and valid_until > $3
                    order by in_force desc, valid_until desc, id
                    limit 50
                ) as pass
                join enterprise on enterprise.id = pass.enterprise_id
            ), '[]') as "passes!: Json<Vec<KnownPass>>""#,
        plate_number,
        key,
        ended_after.to_sqlx()
    )
    .fetch_one(&mut *connection)
    .await?;
    let (mut vehicles, mut passes) = (row.vehicles.0, row.passes.0);
    let of_passes = passes.iter_mut().map(|pass| &mut pass.holder);
    for holder in vehicles.iter_mut().map(|vehicle| &mut vehicle.holder).chain(of_passes) {
        *holder = mask::enterprise(holder);
    }
    let (plate_number, version) = (plate_number.to_owned(), row.version);
    Ok(PlateStanding { plate_number, version, vehicles, passes })
}
