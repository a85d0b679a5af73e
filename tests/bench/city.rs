//! A city to check in: a database of its own, a device with a session, a thousand trucks with
//! passes and their codes. Nothing is measured here.

use std::{sync::Arc, thread};

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use jingqi::surface::{
    clock::{Clock, Ids},
    crypto::{SigningKey, Suite},
    domain::{
        identity::signing_key::Purpose,
        pass::{
            pass_code::{self, CodeMode, PassClaims},
            policy::PolicyValues,
            zone::Zone,
        },
    },
    id::{Id, kind},
    parts::Parts,
    remote::{Limits, Secret, webhook::Webhooks, wechat::Wechat},
    store::{
        self, Cache, Store, Vault, World, common::world, identity::signing_keys, pass::policies,
    },
    token::Access,
};
use object_store::local::LocalFileSystem;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use crate::{database, load::Load};

const MASTER_KEY: [u8; 32] = [42; 32];
/// The connections that one server holds, as in the product's default.
const CONNECTIONS_MAX: u32 = 32;

/// The city and the parts of its server.
pub struct City {
    pub parts: Parts,
    pub database: String,
    device: Id<kind::Device>,
    session: Uuid,
    signer: SigningKey,
    kid: [u8; 4],
    passes: Vec<(Uuid, String)>,
}

impl City {
    /// Builds it.
    pub async fn build(url: &str, redis_url: &str, passes: usize) -> Result<Self> {
        let ids = Ids::system();
        let (own_url, database) = database::create(url).await?;
        store::migrate(&own_url).await?;
        let prefix = format!("jingqi-bench:{}:", ids.random());
        let pool = store::pool(&own_url, CONNECTIONS_MAX)?;
        let cache = Cache::connect(redis_url, &prefix)?;
        let remote =
            Wechat::new("http://127.0.0.1:9", "none", Secret::new("none"), Limits::default())?;
        let parts = Parts {
            store: Store::new(pool.clone(), cache, Vault::new(&MASTER_KEY)?),
            world: World::default(),
            clock: Clock::System,
            ids: ids.clone(),
            wechat: Arc::new(remote),
            sms: None,
            wecom: None,
            templates: Arc::default(),
            webhooks: Arc::new(Webhooks::new(Limits::default(), false)),
            files: Arc::new(LocalFileSystem::new_with_prefix(std::env::temp_dir())?),
        };
        rules(&parts).await?;
        let (device, session, passes) = people(&parts, &pool, passes).await?;
        let snapshot = parts.world.look(&parts.store).await?;
        let now = parts.clock.now();
        let key = snapshot.signing_key(Purpose::PassCode, Suite::Intl, now)?;
        let private = world::private_key(&parts.store, key)?;
        let signer = SigningKey::from_bytes(Suite::Intl, &private)?;
        let kid = key.kid;
        Ok(Self { parts, database, device, session, signer, kid, passes })
    }

    /// A token of the device, as the identity service would sign it.
    pub async fn token(&self) -> Result<String> {
        let now = self.parts.clock.now();
        let snapshot = self.parts.world.get(&self.parts.store).await?;
        let key = snapshot.signing_key(Purpose::AccessToken, Suite::Intl, now)?;
        let private = world::private_key(&self.parts.store, key)?;
        let id = self.parts.ids.random();
        let access = Access::new(self.device.to_string(), self.session, id, now);
        Ok(access.sign(&key.kid_text(), &private)?)
    }

    /// The `at`th code, signed now: no two are equal.
    pub fn code(&self, at: usize) -> Result<String> {
        let now = self.parts.clock.now();
        let round = i64::try_from(at / self.passes.len())?;
        let (pass, plate) = self.passes.get(at % self.passes.len()).context("no passes")?;
        let claims = PassClaims {
            pass: *pass,
            plate: plate.clone(),
            plate_type: "01".to_owned(),
            kind: 0,
            zones: vec![1],
            windows: Vec::new(),
            issued_at: now.as_second(),
            not_before: now.as_second() - 86_400,
            // Another end makes another code of the same pass.
            expires: now.as_second() + 86_400 + round,
        };
        Ok(pass_code::encode(&claims, CodeMode::Dynamic, self.kid, &self.signer)?)
    }

    /// Signs many codes, on all cores.
    pub fn codes(&self, count: usize, cores: usize) -> Result<Vec<String>> {
        let share = count.div_ceil(cores);
        thread::scope(|scope| {
            let parts: Vec<_> = (0..cores)
                .map(|core| {
                    let range = core * share..((core + 1) * share).min(count);
                    scope.spawn(move || range.map(|at| self.code(at)).collect::<Result<Vec<_>>>())
                })
                .collect();
            let mut codes = Vec::with_capacity(count);
            for part in parts {
                codes.extend(part.join().map_err(|_| anyhow::anyhow!("a signer panicked"))??);
            }
            Ok(codes)
        })
    }

    /// How many checks are in the record.
    pub async fn recorded(&self) -> Result<i64> {
        Ok(sqlx::query_scalar("select count(*) from pass_check where verdict = 'VALID'")
            .fetch_one(self.parts.store.pool())
            .await?)
    }

    /// On what the figures were measured.
    pub async fn settings(&self, cores: usize, load: &Load, runs: usize) -> Result<String> {
        let postgresql: String = sqlx::query_scalar(
            "select current_setting('server_version') || ', fsync ' || current_setting('fsync')
                || ', synchronous_commit ' || current_setting('synchronous_commit')
                || ', full_page_writes ' || current_setting('full_page_writes')",
        )
        .fetch_one(self.parts.store.pool())
        .await?;
        let profile = if cfg!(debug_assertions) { "DEBUG BUILD: no figures" } else { "release" };
        Ok(format!(
            "{cores} cores for generator, server, PostgreSQL and Redis together; {profile}; \
             PostgreSQL {postgresql}; {} connections with {} calls in flight each; \
             {} s after {} s of warm-up, {runs} interleaved runs; {} passes\n",
            load.connections,
            load.in_flight,
            load.measure.as_secs(),
            load.warm_up.as_secs(),
            self.passes.len(),
        ))
    }
}

/// Keys, policy, zone.
async fn rules(parts: &Parts) -> Result<()> {
    let now = parts.clock.now();
    let quiet = parts.store.clone().before_serving();
    signing_keys::ensure(&quiet, now, &parts.ids).await?;
    let cx = jingqi::surface::context::Cx::job("bench", now, parts.ids.clone());
    let mut tx = quiet.begin(&cx).await?;
    let from: Timestamp = "2022-06-15T00:00:00+08:00".parse()?;
    policies::insert_policy(&mut tx, "2022-06", "measure 6", from, &PolicyValues::measure_6())
        .await?;
    tx.commit().await?;
    Ok(())
}

type People = (Id<kind::Device>, Uuid, Vec<(Uuid, String)>);

/// A unit, a checkpoint, a device with a session, an enterprise, its trucks and their passes.
async fn people(parts: &Parts, pool: &PgPool, passes: usize) -> Result<People> {
    let id = || parts.ids.random();
    let (unit, person, enterprise, checkpoint, zone) = (id(), id(), id(), id(), id());
    let (device, session) = (id(), id());
    let plan = serde_json::to_value(Zone::yanghe_2023().plan)?;
    let statements = [
        format!(
            "insert into unit (id, code, display_name, path, reach, serves, create_time)
             values ('{unit}', '321300', 'bench', '321300/', '321300/', '{{}}', now())"
        ),
        format!("insert into person (id, openid_index, create_time) values ('{person}', '', now())"),
        format!(
            "insert into enterprise (id, uscc, display_name, division_code, unit_id, unit_path,
                state, legal_representative_sealed, legal_representative_id_sealed, applicant_id,
                create_time, update_time, version)
             values ('{enterprise}', '91321300MA1ABCDE8U', '宿迁演示物流有限公司', '321302', '{unit}',
                '321300/', 'VERIFIED', '', '', '{person}', now(), now(), 1)"
        ),
        format!(
            "insert into zone_version (zone_id, version, code, display_name, source,
                effective_from, rules_json, create_time)
             values ('{zone}', 1, 1, 'bench', 'bench', '2023-02-07', '{plan}', now())"
        ),
        format!(
            "insert into checkpoint (id, display_name, unit_id, zone_ids, latitude, longitude,
                create_time)
             values ('{checkpoint}', 'bench', '{unit}', '{{{zone}}}', 33.9, 118.3, now())"
        ),
        format!(
            "insert into device (id, checkpoint_id, public_key, model, software_version,
                create_time)
             values ('{device}', '{checkpoint}', '', 'bench', '1', now())"
        ),
        format!(
            "insert into session (id, device_id, generation, create_time, refresh_time,
                expire_time, client, address)
             values ('{session}', '{device}', 1, now(), now(), now() + interval '1 day', '', '')"
        ),
    ];
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(pool).await?;
    }
    let passes = trucks(parts, pool, passes, (enterprise, zone)).await?;
    Ok((Id::of(device), session, passes))
}

/// The trucks of an enterprise, with a pass for a zone each.
async fn trucks(
    parts: &Parts,
    pool: &PgPool,
    passes: usize,
    (enterprise, zone): (Uuid, Uuid),
) -> Result<Vec<(Uuid, String)>> {
    let id = || parts.ids.random();
    let plates: Vec<String> = (0..passes).map(|at| format!("苏N{:05}", 10_000 + at)).collect();
    let trucks: Vec<Uuid> = plates.iter().map(|_| id()).collect();
    let issued: Vec<Uuid> = plates.iter().map(|_| id()).collect();
    sqlx::query(
        "insert into vehicle (id, enterprise_id, plate_number, plate_type, vehicle_type,
            use_nature, energy_type, vin, body_colour, brand_model, gross_mass_kg, kerb_mass_kg,
            rated_load_kg, outer_length_mm, outer_width_mm, outer_height_mm, emission_stage,
            inspection_valid_until, insurance_valid_until, relation, vehicle_states, create_time,
            update_time, version)
         select truck, $3, plate, '01', 'H12', 'F', 'B', 'LZZ1CLNBXNA000001', 'A', '', 18000, 1, 1,
            9000, 2500, 3500, 6, '2099-01-01', '2099-01-01', 'OWNED', 'A', now(), now(), 1
         from unnest($1::uuid[], $2::text[]) as t (truck, plate)",
    )
    .bind(&trucks)
    .bind(&plates)
    .bind(enterprise)
    .execute(pool)
    .await?;
    sqlx::query(
        "insert into pass_application (id, number, enterprise_id, unit_path, vehicle_id, purpose,
            source_channel, applicant, filed_on_behalf, need, declaration_accepted, state,
            corrections, create_time, update_time, pauses, version)
         select pass, pass::text, $3, '321300/', truck, 'NEW', 'MINI_PROGRAM', '', false, '{}',
            true, 'APPROVED', '[]', now(), now(), '[]', 1
         from unnest($1::uuid[], $2::uuid[]) as t (pass, truck)",
    )
    .bind(&issued)
    .bind(&trucks)
    .bind(enterprise)
    .execute(pool)
    .await?;
    let day = SignedDuration::from_hours(24);
    let from = parts.clock.now() - day;
    sqlx::query(
        "insert into truck_pass (id, number, enterprise_id, unit_path, vehicle_id, plate_number,
            plate_type, pass_application_id, revision, pass_kind, zone_ids, time_windows, route,
            goods, trailer_plate_number, valid_from, valid_until, state, reason_note,
            source_channel, evaluation, create_time, update_time, version)
         select pass, pass::text, $4, '321300/', truck, plate, '01', pass, 1, 'LONG_TERM_DELIVERY',
            array[$5], '[]', '{洋河大道,南大街}', '白酒包装材料', '', $6::text::timestamptz,
            $6::text::timestamptz + interval '180 days', 'ACTIVE', '', 'MINI_PROGRAM', '{}', now(),
            now(), 1
         from unnest($1::uuid[], $2::uuid[], $3::text[]) as t (pass, truck, plate)",
    )
    .bind(&issued)
    .bind(&trucks)
    .bind(&plates)
    .bind(enterprise)
    .bind(zone)
    .bind(from.to_string())
    .execute(pool)
    .await?;
    Ok(issued.into_iter().zip(plates).collect())
}
