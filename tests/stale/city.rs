//! A city to revoke in: a device, two officers, trucks with passes and their printed codes, and keys that
//! are there to be revoked. Put into the database by SQL; nothing is judged here.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use jingqi::surface::{
    clock::{Clock, Ids},
    context::Cx,
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
    store::{
        Cache, Store, Vault, World,
        common::world::{self, Key},
        identity::signing_keys,
        pass::policies,
    },
    token::Access,
};
use sqlx::{AssertSqlSafe, PgPool};
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
};
use uuid::Uuid;

/// The key of a city that lives for one run, as `JINGQI_MASTER_KEY` takes it.
pub const MASTER_KEY: &str = "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a";
const MASTER_KEY_BYTES: [u8; 32] = [0x2a; 32];

/// Somebody with a session.
#[derive(Debug, Clone)]
pub struct Caller(MetadataValue<Ascii>);

impl Caller {
    /// A request of theirs.
    pub fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.0.clone());
        request
    }
}

/// What can be revoked, and a code that counts until then.
#[derive(Debug, Clone)]
pub struct Subject {
    /// truckPasses/..., or signingKeys/...
    pub name: String,
    /// The plate of the pass.
    pub plate: String,
    /// The printed code.
    pub code: String,
}

/// Who calls, and about what.
#[derive(Debug)]
pub struct City {
    /// Checks.
    pub device: Caller,
    /// Decides about passes.
    pub chief: Caller,
    /// Decides about keys.
    pub security: Caller,
    /// The passes, then the keys.
    pub subjects: Vec<Subject>,
    /// How many of them are passes.
    passes: usize,
    next_pass: AtomicUsize,
    next_key: AtomicUsize,
}

impl City {
    /// Loads it into a migrated database.
    pub async fn load(pool: &PgPool, passes: usize, keys: usize) -> Result<Self> {
        let (ids, now) = (Ids::system(), Clock::System.now());
        let store = Store::new(pool.clone(), Cache::Absent, Vault::new(&MASTER_KEY_BYTES)?);
        let to_revoke = rules(&store.clone().before_serving(), now, &ids, keys).await?;
        let rows = Rows::new(&ids, passes);
        rows.people(pool).await?;
        rows.trucks(pool).await?;
        rows.issued(pool, now - SignedDuration::from_hours(24)).await?;
        let sessions = rows.sessions(pool).await?;

        let snapshot = World::default().look(&store).await?;
        let signs = snapshot.signing_key(Purpose::AccessToken, Suite::Intl, now)?;
        let private = world::private_key(&store, signs)?;
        let caller = |name: String, session: Uuid| -> Result<Caller> {
            let mut access = Access::new(name, session, ids.random(), now);
            // Nobody signs in again while a run goes on.
            access.exp += 86_400;
            let token = access.sign(&signs.kid_text(), &private)?;
            Ok(Caller(format!("Bearer {token}").parse()?))
        };
        let officer = |id| Id::<kind::Officer>::of(id).to_string();
        let [device, chief, security] = sessions;
        let code = |pass: usize, key: &Key| rows.code(pass, key, &store, now);
        let (mut to_revoke_keys, mut kept) = (Vec::new(), None);
        let of_codes = |key: &&Key| key.purpose.wire() == "PASS_CODE" && key.suite.wire() == "INTL";
        for key in snapshot.keys.iter().filter(of_codes) {
            if to_revoke.contains(&key.id) {
                to_revoke_keys.push(key);
            } else {
                kept = Some(key);
            }
        }
        let kept = kept.context("a key that nobody revokes")?;
        let mut subjects = Vec::with_capacity(passes + keys);
        for at in 1..=passes {
            subjects.push(code(at, kept)?);
        }
        for key in to_revoke_keys {
            // Of the one pass that nobody touches.
            subjects.push(Subject { name: key.id.to_string(), ..code(0, key)? });
        }
        Ok(Self {
            device: caller(Id::<kind::Device>::of(rows.device).to_string(), device)?,
            chief: caller(officer(rows.chief), chief)?,
            security: caller(officer(rows.security), security)?,
            subjects,
            passes,
            next_pass: AtomicUsize::new(0),
            next_key: AtomicUsize::new(passes),
        })
    }

    /// A pass that nobody has touched, while there are some.
    pub fn fresh_pass(&self) -> Option<usize> {
        let next = self.next_pass.fetch_add(1, Ordering::Relaxed);
        Some(next).filter(|next| *next < self.passes)
    }

    /// A key that nobody has touched, while there are some.
    pub fn fresh_key(&self) -> Option<usize> {
        let next = self.next_key.fetch_add(1, Ordering::Relaxed);
        Some(next).filter(|next| *next < self.subjects.len())
    }
}

/// Keys, policy; and so many keys more, which sign nothing but one code each.
async fn rules(
    store: &Store,
    now: Timestamp,
    ids: &Ids,
    keys: usize,
) -> Result<Vec<Id<kind::SigningKey>>> {
    signing_keys::ensure(store, now, ids).await?;
    let cx = Cx::job("stale", now, ids.clone());
    let mut tx = store.begin(&cx).await?;
    let from: Timestamp = "2022-06-15T00:00:00+08:00".parse()?;
    policies::insert_policy(&mut tx, "2022-06", "measure 6", from, &PolicyValues::measure_6())
        .await?;
    let mut made = Vec::with_capacity(keys);
    for _ in 0..keys {
        made.push(signing_keys::insert(&mut tx, Purpose::PassCode, Suite::Intl, now).await?.id);
    }
    tx.commit().await?;
    Ok(made)
}

struct Rows {
    unit: Uuid,
    person: Uuid,
    enterprise: Uuid,
    checkpoint: Uuid,
    zone: Uuid,
    device: Uuid,
    chief: Uuid,
    security: Uuid,
    trucks: Vec<Uuid>,
    passes: Vec<Uuid>,
    plates: Vec<String>,
}

impl Rows {
    /// One pass more than is asked for: the codes of keys are its.
    fn new(ids: &Ids, passes: usize) -> Self {
        let fresh = || (0..=passes).map(|_| ids.random()).collect();
        Self {
            unit: ids.random(),
            person: ids.random(),
            enterprise: ids.random(),
            checkpoint: ids.random(),
            zone: ids.random(),
            device: ids.random(),
            chief: ids.random(),
            security: ids.random(),
            trucks: fresh(),
            passes: fresh(),
            plates: (0..=passes).map(|at| format!("苏N{:05}", 10_000 + at)).collect(),
        }
    }

    fn code(&self, at: usize, key: &Key, store: &Store, now: Timestamp) -> Result<Subject> {
        let pass = *self.passes.get(at).context("a pass")?;
        let plate = self.plates.get(at).context("a plate")?.clone();
        let signer = SigningKey::from_bytes(Suite::Intl, &world::private_key(store, key)?)?;
        let claims = PassClaims {
            pass,
            plate: plate.clone(),
            plate_type: "01".to_owned(),
            kind: 0,
            zones: vec![1],
            windows: Vec::new(),
            issued_at: now.as_second(),
            not_before: now.as_second() - 86_400,
            expires: now.as_second() + 7 * 86_400,
        };
        let code = pass_code::encode(&claims, CodeMode::Printed, key.kid, &signer)?;
        Ok(Subject { name: Id::<kind::TruckPass>::of(pass).to_string(), plate, code })
    }

    /// A unit with its officers, an enterprise, a zone, a checkpoint with its device.
    async fn people(&self, pool: &PgPool) -> Result<()> {
        let Self { unit, person, enterprise, checkpoint, zone, device, .. } = self;
        let plan = serde_json::to_value(Zone::yanghe_2023().plan)?;
        let officer = |id: Uuid, number: &str, role: &str| {
            format!(
                "insert into officer (id, police_number, full_name_sealed, unit_id, roles,
                    password_hash, password_history, password_time, password_expired,
                    totp_secret_sealed, totp_step, failed_attempts, create_time, version)
                 values ('{id}', '{number}', '', '{unit}', '{{{role}}}', '', '{{}}', now(), false,
                    '', 0, 0, now(), 1)"
            )
        };
        let statements = [
            format!(
                "insert into unit (id, code, display_name, path, reach, serves, create_time)
                 values ('{unit}', '321300', '宿迁市公安局', '321300/', '321300/', '{{}}', now())"
            ),
            officer(self.chief, "200001", "FINAL_REVIEWER"),
            officer(self.security, "200002", "SECURITY_ADMINISTRATOR"),
            format!(
                "insert into person (id, openid_index, create_time) values ('{person}', '', now())"
            ),
            format!(
                "insert into enterprise (id, uscc, display_name, division_code, unit_id, unit_path,
                    state, legal_representative_sealed, legal_representative_id_sealed,
                    applicant_id, create_time, update_time, version)
                 values ('{enterprise}', '91321300MA1ABCDE8U', '宿迁演示物流有限公司', '321302',
                    '{unit}', '321300/', 'VERIFIED', '', '', '{person}', now(), now(), 1)"
            ),
            format!(
                "insert into zone_version (zone_id, version, code, display_name, source,
                    effective_from, rules_json, create_time)
                 values ('{zone}', 1, 1, '洋河', 'stale', '2023-02-07', '{plan}', now())"
            ),
            format!(
                "insert into checkpoint (id, display_name, unit_id, zone_ids, latitude, longitude,
                    create_time)
                 values ('{checkpoint}', '洋河', '{unit}', '{{{zone}}}', 33.9, 118.3, now())"
            ),
            format!(
                "insert into device (id, checkpoint_id, public_key, model, software_version,
                    create_time)
                 values ('{device}', '{checkpoint}', '', 'stale', '1', now())"
            ),
        ];
        for statement in statements {
            sqlx::query(AssertSqlSafe(statement)).execute(pool).await?;
        }
        Ok(())
    }

    async fn trucks(&self, pool: &PgPool) -> Result<()> {
        sqlx::query(
            "insert into vehicle (id, enterprise_id, plate_number, plate_type, vehicle_type,
                use_nature, energy_type, vin, body_colour, brand_model, gross_mass_kg,
                kerb_mass_kg, rated_load_kg, outer_length_mm, outer_width_mm, outer_height_mm,
                emission_stage, inspection_valid_until, insurance_valid_until, relation,
                vehicle_states, create_time, update_time, version)
             select truck, $3, plate, '01', 'H12', 'F', 'B', 'LZZ1CLNBXNA000001', 'A', '', 18000, 1,
                1, 9000, 2500, 3500, 6, '2099-01-01', '2099-01-01', 'OWNED', 'A', now(), now(), 1
             from unnest($1::uuid[], $2::text[]) as t (truck, plate)",
        )
        .bind(&self.trucks)
        .bind(&self.plates)
        .bind(self.enterprise)
        .execute(pool)
        .await?;
        sqlx::query(
            "insert into pass_application (id, number, enterprise_id, unit_path, vehicle_id,
                purpose, source_channel, applicant, filed_on_behalf, need, declaration_accepted,
                state, corrections, create_time, update_time, pauses, version)
             select pass, pass::text, $3, '321300/', truck, 'NEW', 'MINI_PROGRAM', '', false, '{}',
                true, 'APPROVED', '[]', now(), now(), '[]', 1
             from unnest($1::uuid[], $2::uuid[]) as t (pass, truck)",
        )
        .bind(&self.passes)
        .bind(&self.trucks)
        .bind(self.enterprise)
        .execute(pool)
        .await?;
        Ok(())
    }

    async fn issued(&self, pool: &PgPool, from: Timestamp) -> Result<()> {
        sqlx::query(
            "insert into truck_pass (id, number, enterprise_id, unit_path, vehicle_id,
                plate_number, plate_type, pass_application_id, revision, pass_kind, zone_ids,
                time_windows, route, goods, trailer_plate_number, valid_from, valid_until, state,
                reason_note, source_channel, evaluation, create_time, update_time, version)
             select pass, pass::text, $4, '321300/', truck, plate, '01', pass, 1,
                'LONG_TERM_DELIVERY', array[$5], '[]', '{洋河大道,南大街}', '白酒包装材料', '',
                $6::text::timestamptz, $6::text::timestamptz + interval '180 days', 'ACTIVE', '',
                'MINI_PROGRAM', '{}', now(), now(), 1
             from unnest($1::uuid[], $2::uuid[], $3::text[]) as t (pass, truck, plate)",
        )
        .bind(&self.passes)
        .bind(&self.trucks)
        .bind(&self.plates)
        .bind(self.enterprise)
        .bind(self.zone)
        .bind(from.to_string())
        .execute(pool)
        .await?;
        Ok(())
    }

    /// A session of the device, the chief and the security administrator.
    async fn sessions(&self, pool: &PgPool) -> Result<[Uuid; 3]> {
        let sessions = [(); 3].map(|()| Ids::system().random());
        sqlx::query(
            "insert into session (id, device_id, officer_id, generation, create_time, refresh_time,
                expire_time, client, address)
             select session, device, officer, 1, now(), now(), now() + interval '2 days', '', ''
             from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as t (session, device, officer)",
        )
        .bind(&sessions[..])
        .bind(&[Some(self.device), None, None][..])
        .bind(&[None, Some(self.chief), Some(self.security)][..])
        .execute(pool)
        .await?;
        Ok(sessions)
    }
}
