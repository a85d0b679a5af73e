//! The city of a test, put into the database: units, officers, an enterprise with its people and
//! vehicles, a zone, a checkpoint; and what the city brings about, up to a pass.

use jiff::civil::Date;
use jingqi::surface::{
    domain::{duty::month::local_date, pass::zone::Zone},
    id::{Id, kind},
    service::pb,
};
use uuid::Uuid;

use super::{App, User, request_id};

/// The people and things of a small city, put into the database.
pub struct City {
    pub root: Uuid,
    pub brigade_path: String,
    pub zone: Id<kind::Zone>,
    pub checkpoint: Id<kind::Checkpoint>,
    pub enterprise: Id<kind::Enterprise>,
    pub vehicle: Id<kind::Vehicle>,
    pub attachment_names: Vec<String>,
    pub boss: User,
    pub handler: User,
    pub driver: User,
    pub stranger: User,
    pub clerk: User,
    pub first: User,
    pub second: User,
    pub chief: User,
    pub patrol: User,
    pub auxiliary: User,
    pub foreign_reviewer: User,
    pub device: User,
}

pub const PLATE: &str = "苏N12345";
pub const FOREIGN_PLATE: &str = "苏N54321";

impl App {
    /// Puts a city into the database: units, officers, an enterprise above designated size with a
    /// heavy box truck, its people, a zone, a checkpoint with a device.
    pub async fn city(&self) -> City {
        let root = self.unit("321300000000", None, &[]).await;
        let detachment = self.unit("321300170000", Some(&root), &[]).await;
        let brigade = self.unit("321302170000", Some(&detachment), &["321302"]).await;
        let other = self.unit("321322170000", Some(&detachment), &["321322"]).await;
        let first = self.officer("100001", &brigade, &["FIRST_REVIEWER"]).await;
        let second = self.officer("100002", &brigade, &["FIRST_REVIEWER"]).await;
        let chief = self.officer("100003", &detachment, &["FINAL_REVIEWER"]).await;
        let clerk = self.officer("100004", &brigade, &["WINDOW_CLERK"]).await;
        let patrol = self.officer("100005", &brigade, &["CHECKPOINT_OFFICER"]).await;
        let auxiliary = self.officer("100006", &brigade, &["AUXILIARY"]).await;
        let foreign_reviewer = self.officer("100007", &other, &["FIRST_REVIEWER"]).await;
        let zone = self.zone(Zone::yanghe_2023()).await;
        let (boss, handler, driver, stranger) =
            (self.person().await, self.person().await, self.person().await, self.person().await);
        let enterprise = self.enterprise("91321300MA1ABCDE8U", "321302", &brigade, boss).await;
        self.member(enterprise, boss, "LEGAL_REPRESENTATIVE", &[]).await;
        self.member(enterprise, handler, "ENTERPRISE_HANDLER", &["PASS"]).await;
        self.grant(enterprise, "ABOVE_DESIGNATED_SIZE", Id::parse(&first.name).unwrap()).await;
        let vehicle = self.vehicle(enterprise, PLATE, "01", "H12", 18_000, 9_000).await;
        self.drives(vehicle, driver).await;
        let attachment_names = self.papers(enterprise).await;
        let checkpoint = self.checkpoint(&brigade, zone).await;
        let device = self.device(checkpoint).await;
        City {
            root: root.0,
            brigade_path: brigade.1,
            zone,
            checkpoint,
            enterprise,
            vehicle,
            attachment_names,
            boss: self.user(boss).await,
            handler: self.user(handler).await,
            driver: self.user(driver).await,
            stranger: self.user(stranger).await,
            clerk,
            first,
            second,
            chief,
            patrol,
            auxiliary,
            foreign_reviewer,
            device: self.user(device).await,
        }
    }

    fn fresh<K>(&self) -> Id<K> {
        self.parts.ids.next(self.now())
    }

    fn sealed(&self, purpose: &str, text: &str) -> Vec<u8> {
        let nonce = self.parts.ids.bytes();
        self.parts.store.vault().seal(purpose, text.as_bytes(), nonce).unwrap()
    }

    async fn put(
        &self,
        query: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
    ) {
        query.execute(self.parts.store.pool()).await.unwrap();
    }

    pub async fn unit(
        &self,
        code: &str,
        parent: Option<&(Uuid, String)>,
        serves: &[&str],
    ) -> (Uuid, String) {
        let id = self.fresh::<kind::Unit>().uuid();
        let above = parent.map(|(_, path)| path.clone()).unwrap_or_default();
        let path = format!("{above}{code}/");
        let query = sqlx::query(
            "insert into unit (id, code, display_name, parent_id, path, reach, serves, create_time)
             values ($1, $2, $2, $3, $4, $4, $5, now())",
        );
        let serves: Vec<String> = serves.iter().map(|&code| code.to_owned()).collect();
        self.put(
            query
                .bind(id)
                .bind(code.to_owned())
                .bind(parent.map(|unit| unit.0))
                .bind(path.clone())
                .bind(serves),
        )
        .await;
        (id, path)
    }

    pub async fn officer(&self, number: &str, unit: &(Uuid, String), roles: &[&str]) -> User {
        let id: Id<kind::Officer> = self.fresh();
        let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
        let query = sqlx::query(
            "insert into officer (id, police_number, full_name_sealed, unit_id, roles,
                password_hash, password_history, password_time, password_expired,
                totp_secret_sealed, totp_step, failed_attempts, create_time, version)
             values ($1, $2, $3, $4, $5, '', '{}', now(), false, '', 0, 0, now(), 1)",
        );
        let name = self.sealed("full-name", "张建国");
        self.put(query.bind(id.uuid()).bind(number.to_owned()).bind(name).bind(unit.0).bind(roles))
            .await;
        self.user(id).await
    }

    pub async fn person(&self) -> Id<kind::Person> {
        let id: Id<kind::Person> = self.fresh();
        let openid: [u8; 16] = self.parts.ids.bytes();
        let query = sqlx::query(
            "insert into person (id, openid_index, create_time) values ($1, $2, now())",
        );
        self.put(query.bind(id.uuid()).bind(openid.to_vec())).await;
        id
    }

    pub async fn zone(&self, zone: Zone) -> Id<kind::Zone> {
        let id: Id<kind::Zone> = self.fresh();
        let query = sqlx::query(
            "insert into zone_version (zone_id, version, code, display_name, source,
                effective_from, rules_json, create_time)
             values ($1, 1, $2, $3, $4, '2023-02-07', $5, now())",
        );
        let plan = serde_json::to_value(&zone.plan).unwrap();
        self.put(
            query
                .bind(id.uuid())
                .bind(i32::from(zone.code))
                .bind(zone.name)
                .bind(zone.source)
                .bind(plan),
        )
        .await;
        self.changed_world().await;
        id
    }

    /// Announces a change of keys, zones or policies made by the test's own statements.
    pub async fn changed_world(&self) {
        // Nobody waits for the lease of a server: `look` is at once.
        let quiet = self.parts.store.clone().before_serving();
        let mut tx = quiet.begin(&self.cx()).await.unwrap();
        tx.touch("world".to_owned());
        tx.commit().await.unwrap();
        self.look().await;
    }

    pub async fn enterprise(
        &self,
        uscc: &str,
        division: &str,
        unit: &(Uuid, String),
        applicant: Id<kind::Person>,
    ) -> Id<kind::Enterprise> {
        let id: Id<kind::Enterprise> = self.fresh();
        let query = sqlx::query(
            "insert into enterprise (id, uscc, display_name, division_code, unit_id, unit_path,
                state, legal_representative_sealed, legal_representative_id_sealed, applicant_id,
                create_time, update_time, version)
             values ($1, $2, '宿迁演示物流有限公司', $3, $4, $5, 'VERIFIED', $6, $7, $8, now(),
                now(), 1)",
        );
        let (name, resident) =
            (self.sealed("full-name", "王大勇"), self.sealed("resident-id", "321302199202290014"));
        self.put(
            query
                .bind(id.uuid())
                .bind(uscc.to_owned())
                .bind(division.to_owned())
                .bind(unit.0)
                .bind(unit.1.clone())
                .bind(name)
                .bind(resident)
                .bind(applicant.uuid()),
        )
        .await;
        id
    }

    pub async fn member(
        &self,
        enterprise: Id<kind::Enterprise>,
        person: Id<kind::Person>,
        role: &str,
        scope: &[&str],
    ) {
        let scope: Vec<String> = scope.iter().map(|&item| item.to_owned()).collect();
        let query = sqlx::query(
            "insert into member (id, enterprise_id, person_id, full_name_sealed, role, scope,
                valid_until, create_time)
             values ($1, $2, $3, $4, $5, $6, '2029-01-01', now())",
        );
        let name = self.sealed("full-name", "李小明");
        let id = self.fresh::<kind::Member>().uuid();
        self.put(
            query
                .bind(id)
                .bind(enterprise.uuid())
                .bind(person.uuid())
                .bind(name)
                .bind(role.to_owned())
                .bind(scope),
        )
        .await;
    }

    pub async fn grant(
        &self,
        enterprise: Id<kind::Enterprise>,
        class: &str,
        officer: Id<kind::Officer>,
    ) {
        let query = sqlx::query(
            "insert into class_grant (id, enterprise_id, class, source_document, valid_from,
                valid_until, granted_by, create_time)
             values ($1, $2, $3, '名录', '2026-01-01', '2028-01-01', $4, now())",
        );
        let id = self.fresh::<kind::ClassGrant>().uuid();
        self.put(
            query.bind(id).bind(enterprise.uuid()).bind(class.to_owned()).bind(officer.uuid()),
        )
        .await;
    }

    pub async fn vehicle(
        &self,
        enterprise: Id<kind::Enterprise>,
        plate: &str,
        plate_type: &str,
        vehicle_type: &str,
        gross_mass_kg: i32,
        outer_length_mm: i32,
    ) -> Id<kind::Vehicle> {
        let id: Id<kind::Vehicle> = self.fresh();
        let query = sqlx::query(
            "insert into vehicle (id, enterprise_id, plate_number, plate_type, vehicle_type,
                use_nature, energy_type, vin, body_colour, brand_model, gross_mass_kg,
                kerb_mass_kg, rated_load_kg, outer_length_mm, outer_width_mm, outer_height_mm,
                emission_stage, inspection_valid_until, insurance_valid_until, relation,
                vehicle_states, create_time, update_time, version)
             values ($1, $2, $3, $4, $5, 'F', 'B', 'LZZ1CLNBXNA000001', 'A', '', $6, 1, 1, $7,
                2500, 3500, 6, '2028-11-30', '2028-11-30', 'OWNED', 'A', now(), now(), 1)",
        );
        self.put(
            query
                .bind(id.uuid())
                .bind(enterprise.uuid())
                .bind(plate.to_owned())
                .bind(plate_type.to_owned())
                .bind(vehicle_type.to_owned())
                .bind(gross_mass_kg)
                .bind(outer_length_mm),
        )
        .await;
        id
    }

    pub async fn drives(&self, vehicle: Id<kind::Vehicle>, person: Id<kind::Person>) {
        let query = sqlx::query(
            "insert into driver (id, vehicle_id, full_name_sealed, phone_sealed, phone_index,
                person_id, create_time, claim_time)
             values ($1, $2, $3, $4, $5, $6, now(), now())",
        );
        let phone = "13905240001";
        let index = self.parts.store.vault().index("phone", phone);
        self.put(
            query
                .bind(self.fresh::<kind::Driver>().uuid())
                .bind(vehicle.uuid())
                .bind(self.sealed("full-name", "赵师傅"))
                .bind(self.sealed("phone", phone))
                .bind(index)
                .bind(person.uuid()),
        )
        .await;
    }

    /// The papers that a long-term pass needs, complete.
    pub async fn papers(&self, enterprise: Id<kind::Enterprise>) -> Vec<String> {
        let mut names = Vec::new();
        for kind in [
            "VEHICLE_LICENCE",
            "DRIVING_LICENCE",
            "INSURANCE",
            "TRANSPORT_CONTRACT",
            "DELIVERY_ORDER",
            "TRANSPORT_PERMIT",
            "PROJECT_PERMIT",
        ] {
            let id: Id<kind::Attachment> = self.fresh();
            let query = sqlx::query(
                "insert into attachment (id, enterprise_id, kind, content_type, file_name,
                    size_bytes, sha256, received_bytes, complete_time, create_time)
                 values ($1, $2, $3, 'image/png', 'paper.png', 8, '', 8, now(), now())",
            );
            self.put(query.bind(id.uuid()).bind(enterprise.uuid()).bind(kind)).await;
            names.push(id.to_string());
        }
        names
    }

    pub async fn checkpoint(
        &self,
        unit: &(Uuid, String),
        zone: Id<kind::Zone>,
    ) -> Id<kind::Checkpoint> {
        let id: Id<kind::Checkpoint> = self.fresh();
        let query = sqlx::query(
            "insert into checkpoint (id, display_name, unit_id, zone_ids, latitude, longitude,
                create_time)
             values ($1, '南大街卡口', $2, $3, 33.9, 118.3, now())",
        );
        self.put(query.bind(id.uuid()).bind(unit.0).bind(vec![zone.uuid()])).await;
        id
    }

    pub async fn device(&self, checkpoint: Id<kind::Checkpoint>) -> Id<kind::Device> {
        let id: Id<kind::Device> = self.fresh();
        let key: [u8; 32] = self.parts.ids.bytes();
        let query = sqlx::query(
            "insert into device (id, checkpoint_id, public_key, model, software_version,
                create_time)
             values ($1, $2, $3, 'test', '1', now())",
        );
        self.put(query.bind(id.uuid()).bind(checkpoint.uuid()).bind(key.to_vec())).await;
        id
    }
}

impl City {
    /// A need that the rules grant: the long-term pass of the heavy box truck.
    pub fn need(&self, app: &App) -> pb::PassNeed {
        let day: Date = local_date(app.now());
        pb::PassNeed {
            pass_kind: pb::PassKind::LongTermDelivery.into(),
            zones: vec![self.zone.to_string()],
            goods: "白酒包装材料".to_owned(),
            reason: "向洋河酒厂送货".to_owned(),
            loading_place: "宿城区".to_owned(),
            unloading_place: "洋河新区".to_owned(),
            route: vec!["洋河大道".to_owned(), "南大街".to_owned()],
            time_windows: vec![pb::TimeWindow {
                weekdays: vec![],
                from_minute: 9 * 60,
                until_minute: 17 * 60,
            }],
            start_date: day.to_string(),
            months: 6,
            ..pb::PassNeed::default()
        }
    }

    /// A request for it.
    pub fn create(&self, app: &App) -> pb::CreatePassApplicationRequest {
        pb::CreatePassApplicationRequest {
            pass_application: Some(pb::PassApplication {
                enterprise: self.enterprise.to_string(),
                vehicle: self.vehicle.to_string(),
                need: Some(self.need(app)),
                declaration_accepted: true,
                attachments: self.attachment_names.clone(),
                ..pb::PassApplication::default()
            }),
            request_id: request_id(),
            ..pb::CreatePassApplicationRequest::default()
        }
    }

    /// Files, submits and accepts an application, and lets the first reviewer claim it.
    pub async fn in_review(&self, app: &App) -> pb::PassApplication {
        self.in_review_of(self.create(app)).await
    }

    pub async fn in_review_of(
        &self,
        request: pb::CreatePassApplicationRequest,
    ) -> pb::PassApplication {
        let name = self.handler.call(request).await.unwrap().name;
        let submit = pb::SubmitPassApplicationRequest { name: name.clone(), ..Default::default() };
        self.handler.call(submit).await.unwrap();
        let accept = pb::AcceptPassApplicationRequest { name: name.clone(), ..Default::default() };
        self.first.call(accept).await.unwrap();
        let claim = pb::ClaimPassApplicationRequest { name, ..Default::default() };
        self.first.call(claim).await.unwrap()
    }

    /// Brings a pass about.
    pub async fn pass(&self, app: &App) -> pb::TruckPass {
        self.pass_of(self.create(app)).await
    }

    pub async fn pass_of(&self, request: pb::CreatePassApplicationRequest) -> pb::TruckPass {
        let application = self.in_review_of(request).await;
        let approve = pb::ApprovePassApplicationRequest {
            name: application.name,
            etag: application.etag,
            ..Default::default()
        };
        let name = self.first.call(approve).await.unwrap().truck_pass;
        let get = pb::GetTruckPassRequest { name };
        self.handler.call(get).await.unwrap()
    }
}
