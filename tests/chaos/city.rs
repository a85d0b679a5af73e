//! A city that talks: a post with its officers, enterprises, and conversations with their people,
//! each with a session and a token. Put into the database by SQL; nothing is judged here.

use anyhow::Result;
use jingqi::surface::{
    clock::{Clock, Ids},
    crypto::Suite,
    domain::identity::signing_key::Purpose,
    id::{Id, kind},
    store::{Cache, Store, Vault, World, common::world},
    token::Access,
};
use sqlx::PgPool;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
};
use uuid::Uuid;

/// The key of a city that lives for one run, as `JINGQI_MASTER_KEY` takes it.
pub const MASTER_KEY: &str = "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a";
/// The same as bytes.
pub const MASTER_KEY_BYTES: [u8; 32] = [0x2a; 32];
/// The conversations of one enterprise, and of one officer.
const PER_ENTERPRISE: usize = 10;
const PER_OFFICER: usize = 5;

/// Who takes part in a conversation.
#[derive(Debug, Clone)]
pub struct Talker {
    bearer: MetadataValue<Ascii>,
}

impl Talker {
    /// A request of theirs.
    pub fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }
}

/// A conversation that an officer holds.
#[derive(Debug, Clone)]
pub struct Line {
    /// conversations/...
    pub name: String,
    /// The people of the enterprise, then the officer.
    pub talkers: Vec<Talker>,
}

/// Loads so many conversations, each with so many people of its enterprise, into a migrated database.
pub async fn load(pool: &PgPool, conversations: usize, people: usize) -> Result<Vec<Line>> {
    let (ids, clock) = (Ids::system(), Clock::System);
    let store = Store::new(pool.clone(), Cache::Absent, Vault::new(&MASTER_KEY_BYTES)?);
    let fresh = |count: usize| -> Vec<Uuid> {
        (0..count).map(|_| ids.next::<kind::Conversation>(clock.now()).uuid()).collect()
    };
    let rows = Rows {
        enterprises: fresh(conversations.div_ceil(PER_ENTERPRISE)),
        officers: fresh(conversations.div_ceil(PER_OFFICER)),
        conversations: fresh(conversations),
        people: fresh(conversations * people),
        name: store.vault().seal("full-name", "王小明".as_bytes(), ids.bytes())?,
        post: ids.random(),
        unit: ids.random(),
    };
    rows.desk(pool).await?;
    rows.enterprises(pool).await?;
    rows.conversations(pool, people).await?;
    let sessions = rows.sessions(pool, &fresh(rows.people.len() + rows.officers.len())).await?;

    let now = clock.now();
    let snapshot = World::default().look(&store).await?;
    let key = snapshot.signing_key(Purpose::AccessToken, Suite::Intl, now)?;
    let private = world::private_key(&store, key)?;
    let talker = |name: String, session: Uuid| -> Result<Talker> {
        let mut access = Access::new(name, session, ids.random(), now);
        // Nobody signs in again while a run goes on.
        access.exp += 86_400;
        Ok(Talker {
            bearer: format!("Bearer {}", access.sign(&key.kid_text(), &private)?).parse()?,
        })
    };
    let (of_people, of_officers) = sessions.split_at(rows.people.len());
    let officers = rows.officers.iter().zip(of_officers);
    let officers: Vec<Talker> = officers
        .map(|(id, session)| talker(Id::<kind::Officer>::of(*id).to_string(), *session))
        .collect::<Result<_>>()?;
    let mut people_of = rows.people.iter().zip(of_people);
    let mut lines = Vec::with_capacity(conversations);
    for (at, id) in rows.conversations.iter().enumerate() {
        let mut talkers = Vec::with_capacity(people + 1);
        for (person, session) in people_of.by_ref().take(people) {
            talkers.push(talker(Id::<kind::Person>::of(*person).to_string(), *session)?);
        }
        talkers.extend(officers.get(at / PER_OFFICER).cloned());
        lines.push(Line { name: Id::<kind::Conversation>::of(*id).to_string(), talkers });
    }
    Ok(lines)
}

struct Rows {
    enterprises: Vec<Uuid>,
    officers: Vec<Uuid>,
    conversations: Vec<Uuid>,
    people: Vec<Uuid>,
    name: Vec<u8>,
    post: Uuid,
    unit: Uuid,
}

impl Rows {
    /// The unit, its post, the officers on its roster.
    async fn desk(&self, pool: &PgPool) -> Result<()> {
        sqlx::query(
            "insert into unit (id, code, display_name, path, reach, serves, create_time)
             values ($1, '321300', '宿迁市公安局', '321300/', '321300/', '{}', now())",
        )
        .bind(self.unit)
        .execute(pool)
        .await?;
        // On duty round the clock, on every day of the week.
        sqlx::query(
            r#"insert into liaison_post (id, unit_id, unit_path, display_name, mode, duty_hours,
                capacity_max, districts, industries, create_time, update_time, version)
             values ($1, $2, '321300/', '警务专员岗', 'STATIONED',
                '[{"days": 127, "from_minute": 0, "until_minute": 1440}]', 1000, '{}', '{}', now(),
                now(), 1)"#,
        )
        .bind(self.post)
        .bind(self.unit)
        .execute(pool)
        .await?;
        sqlx::query(
            "with new as (
                insert into officer (id, police_number, full_name_sealed, unit_id, roles,
                    password_hash, password_history, password_time, password_expired,
                    totp_secret_sealed, totp_step, failed_attempts, create_time, version)
                select id, lpad(place::text, 6, '0'), $2, $3, '{LIAISON_OFFICER}', '', '{}', now(),
                    false, '', 0, 0, now(), 1
                from unnest($1::uuid[]) with ordinality as t (id, place)
                returning id
             ), seated as (
                insert into liaison_roster (id, liaison_post_id, officer_id, create_time)
                select gen_random_uuid(), $4, id, now() from new
             )
             insert into presence (officer_id, present, update_time)
             select id, true, now() from new",
        )
        .bind(&self.officers)
        .bind(&self.name)
        .bind(self.unit)
        .bind(self.post)
        .execute(pool)
        .await?;
        Ok(())
    }

    /// People, and the enterprises that the post serves.
    async fn enterprises(&self, pool: &PgPool) -> Result<()> {
        sqlx::query(
            "insert into person (id, openid_index, create_time)
             select id, uuid_send(id), now() from unnest($1::uuid[]) as t (id)",
        )
        .bind(&self.people)
        .execute(pool)
        .await?;
        sqlx::query(
            "with new as (
                insert into enterprise (id, uscc, display_name, division_code, unit_id, unit_path,
                    state, legal_representative_sealed, legal_representative_id_sealed,
                    applicant_id, create_time, update_time, version)
                select id, lpad(place::text, 18, '0'), '宿迁演示物流有限公司', '321302', $2,
                    '321300/', 'VERIFIED', '', '', $3, now(), now(), 1
                from unnest($1::uuid[]) with ordinality as t (id, place)
                returning id
             )
             insert into liaison_binding (id, enterprise_id, liaison_post_id, source, create_time)
             select gen_random_uuid(), id, $4, 'GRANT', now() from new",
        )
        .bind(&self.enterprises)
        .bind(self.unit)
        .bind(self.people.first())
        .bind(self.post)
        .execute(pool)
        .await?;
        Ok(())
    }

    /// The conversations, each held by an officer, and their people.
    async fn conversations(&self, pool: &PgPool, people: usize) -> Result<()> {
        sqlx::query(
            "insert into conversation (id, enterprise_id, liaison_post_id, unit_path, title, state,
                assignee_id, claim_time, queue_time, last_sequence, chain, round, access_version,
                create_time, update_time, version)
             select id, ($2::uuid[])[(place - 1) / $3 + 1], $4, '321300/', '咨询', 'CLAIMED',
                ($5::uuid[])[(place - 1) / $6 + 1], now(), now(), 0, decode(repeat('00', 32), 'hex'),
                0, 1, now(), now(), 1
             from unnest($1::uuid[]) with ordinality as t (id, place)",
        )
        .bind(&self.conversations)
        .bind(&self.enterprises)
        .bind(i64::try_from(PER_ENTERPRISE)?)
        .bind(self.post)
        .bind(&self.officers)
        .bind(i64::try_from(PER_OFFICER)?)
        .execute(pool)
        .await?;
        sqlx::query(
            "with taking_part as (
                insert into conversation_member (conversation_id, person_id, join_time)
                select ($2::uuid[])[(place - 1) / $3 + 1], id, now()
                from unnest($1::uuid[]) with ordinality as t (id, place)
                returning conversation_id, person_id
             )
             insert into member (id, enterprise_id, person_id, full_name_sealed, role, scope,
                valid_until, create_time)
             select gen_random_uuid(), enterprise_id, person_id, $4, 'ENTERPRISE_HANDLER',
                '{LIAISON}', now() + interval '1 year', now()
             from taking_part join conversation on conversation.id = conversation_id",
        )
        .bind(&self.people)
        .bind(&self.conversations)
        .bind(i64::try_from(people)?)
        .bind(&self.name)
        .execute(pool)
        .await?;
        Ok(())
    }

    /// A session for everybody: the people first, then the officers.
    async fn sessions(&self, pool: &PgPool, sessions: &[Uuid]) -> Result<Vec<Uuid>> {
        let (of_people, of_officers) = sessions.split_at(self.people.len());
        sqlx::query(
            "insert into session (id, person_id, officer_id, generation, create_time, refresh_time,
                expire_time, client, address)
             select session, person, officer, 1, now(), now(), now() + interval '2 days', '', ''
             from (
                select session, person, null::uuid from unnest($1::uuid[], $2::uuid[])
                    as t (session, person)
                union all
                select session, null, officer from unnest($3::uuid[], $4::uuid[])
                    as t (session, officer)
             ) as t (session, person, officer)",
        )
        .bind(of_people)
        .bind(&self.people)
        .bind(of_officers)
        .bind(&self.officers)
        .execute(pool)
        .await?;
        Ok(sessions.to_vec())
    }
}
