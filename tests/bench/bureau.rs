//! A bureau whose desk is full: units, enterprises, so many complaints with everything that belongs to
//! them, written by SQL as the store writes it, and people who look at lists. Nothing is measured here.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use jingqi::surface::{
    clock::{Clock, Ids},
    crypto::Suite,
    domain::{
        common::number::ComplaintNumber, duty::month::local_date, identity::signing_key::Purpose,
    },
    id::{Collection, Id, kind},
    parts::Parts,
    remote::{Limits, Secret, webhook::Webhooks, wechat::Wechat},
    store::{self, Cache, Store, Vault, World, common::world, identity::signing_keys},
    token::Access,
};
use object_store::local::LocalFileSystem;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
};
use uuid::Uuid;

const MASTER_KEY: [u8; 32] = [42; 32];
/// Few, so that each of them plans a statement for good (after five calls) within a run.
const CONNECTIONS_MAX: u32 = 4;
/// How many complaints are written at once.
const CHUNK: usize = 50_000;
/// From the first complaint to now.
const SPAN: SignedDuration = SignedDuration::from_hours(24 * 365 * 3);
/// What is filled here.
const TABLES: &str =
    "('complaint', 'complaint_sight', 'obligation', 'escalation', 'escalation_sight',
    'evaluation', 'meeting_point', 'meeting_point_sight', 'pass_check')";

/// Somebody who looks at a list.
#[derive(Debug, Clone)]
pub struct Reader {
    bearer: MetadataValue<Ascii>,
}

impl Reader {
    /// A request of theirs.
    pub fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }
}

/// The bureau and the parts of its server.
pub struct Bureau {
    pub parts: Parts,
    /// The legal representatives of an enterprise that files a fiftieth of everything, and of one like
    /// five thousand others.
    pub large: Reader,
    pub small: Reader,
    /// Of the whole city, of a district, of one of its brigades.
    pub city_assigner: Reader,
    pub district_assigner: Reader,
    pub handler: Reader,
    pub leader: Reader,
    /// The district, for whoever leads the city and narrows a list to it.
    pub district: String,
    /// An open complaint of the large enterprise, and of another one.
    pub of_large: String,
    pub of_small: String,
}

impl Bureau {
    /// Builds it with so many complaints.
    pub async fn build(own_url: &str, redis_url: &str, complaints: usize) -> Result<Self> {
        store::migrate(own_url).await?;
        let parts = parts(own_url, redis_url)?;
        let quiet = parts.store.clone().before_serving();
        signing_keys::ensure(&quiet, parts.clock.now(), &parts.ids).await?;
        // Without the time limits of a serving pool.
        let mut connection = PgConnection::connect(own_url).await?;
        people(&mut connection).await?;
        fill(&mut connection, complaints, parts.clock.now()).await?;
        let officer = async |number: &str| reader::<kind::Officer>(&parts, number).await;
        let (city_assigner, district_assigner) =
            (officer("000001").await?, officer("000002").await?);
        let (handler, leader) = (officer("000003").await?, officer("000004").await?);
        let (large, small) = (
            reader::<kind::Person>(&parts, "1").await?,
            reader::<kind::Person>(&parts, "2").await?,
        );
        let district =
            one(&mut connection, "select id from unit where code = '321301000000'").await?;
        let open = |enterprise: u8| {
            format!(
                "select complaint.id from complaint join enterprise on enterprise.id = enterprise_id
                 where uscc = '{enterprise:018}' and complaint.state in ('SUBMITTED', 'IN_PROGRESS')
                 order by complaint.id desc limit 1"
            )
        };
        let of_large = one(&mut connection, &open(1)).await?;
        // Not every small enterprise has an open one.
        let any = "select id from complaint where state = 'SUBMITTED' order by id desc limit 1";
        let of_small = one(&mut connection, any).await?;
        Ok(Self {
            parts,
            large,
            small,
            city_assigner,
            district_assigner,
            handler,
            leader,
            district: Id::<kind::Unit>::of(district).to_string(),
            of_large: Id::<kind::Complaint>::of(of_large).to_string(),
            of_small: Id::<kind::Complaint>::of(of_small).to_string(),
        })
    }

    /// On what is measured.
    pub async fn told(&self) -> Result<String> {
        let settings: String = sqlx::query_scalar(
            "select 'PostgreSQL ' || current_setting('server_version')
                || ', shared_buffers ' || current_setting('shared_buffers')
                || '; complaints ' || (select count(*) from complaint)
                || ', sights ' || (select count(*) from complaint_sight)
                || ', obligations ' || (select count(*) from obligation)
                || ', steps of the ladder ' || (select count(*) from escalation)
                || ', evaluations ' || (select count(*) from evaluation)
                || ', points ' || (select count(*) from meeting_point)
                || ', checks ' || (select count(*) from pass_check)
                || '; ' || pg_size_pretty(pg_database_size(current_database()))",
        )
        .fetch_one(self.parts.store.pool())
        .await?;
        let profile = if cfg!(debug_assertions) { "DEBUG BUILD: no figures" } else { "release" };
        let cores = std::thread::available_parallelism()?;
        Ok(format!("{cores} cores for everything together; {profile}; {settings}"))
    }
}

/// The parts of a server on a database that is migrated.
pub fn parts(own_url: &str, redis_url: &str) -> Result<Parts> {
    let ids = Ids::system();
    let prefix = format!("jingqi-bench:{}:", ids.random());
    let pool = store::pool(own_url, CONNECTIONS_MAX)?;
    let cache = Cache::connect(redis_url, &prefix)?;
    let remote = Wechat::new("http://127.0.0.1:9", "none", Secret::new("none"), Limits::default())?;
    let store = Store::new(pool, cache, Vault::new(&MASTER_KEY)?).with_limits_factor(1_000);
    Ok(Parts {
        store,
        world: World::default(),
        clock: Clock::System,
        ids,
        wechat: Arc::new(remote),
        sms: None,
        wecom: None,
        templates: Arc::default(),
        webhooks: Arc::new(Webhooks::new(Limits::default(), false)),
        files: Arc::new(LocalFileSystem::new_with_prefix(std::env::temp_dir())?),
    })
}

async fn one(connection: &mut PgConnection, query: &str) -> Result<Uuid> {
    let query = sqlx::query_scalar(AssertSqlSafe(query.to_owned()));
    query.fetch_optional(connection).await?.context("the bureau is empty")
}

/// A session and a token of an officer, by number, or of a legal representative.
pub async fn reader<K: Collection>(parts: &Parts, number: &str) -> Result<Reader> {
    let (session, now) = (parts.ids.random(), parts.clock.now());
    let (column, found) = if K::NAME == kind::Officer::NAME {
        ("officer_id", format!("select id from officer where police_number = '{number}'"))
    } else {
        ("person_id", format!("select id from person where openid_index = '{number}'"))
    };
    let text = format!(
        "insert into session (id, {column}, generation, create_time, refresh_time, expire_time,
            client, address)
         select '{session}', id, 1, now(), now(), now() + interval '2 days', '', ''
         from ({found}) as owner
         returning {column}"
    );
    let owner: Uuid = sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(parts.store.pool()).await?;
    let snapshot = parts.world.look(&parts.store).await?;
    let key = snapshot.signing_key(Purpose::AccessToken, Suite::Intl, now)?;
    let private = world::private_key(&parts.store, key)?;
    let name = Id::<K>::of(owner).to_string();
    let mut access = Access::new(name, session, parts.ids.random(), now);
    // Nobody signs in again while a run goes on.
    access.exp += 86_400;
    let token = access.sign(&key.kid_text(), &private)?;
    Ok(Reader { bearer: format!("Bearer {token}").parse()? })
}

/// A city bureau, eight districts with four brigades each, 5,000 enterprises, and who looks at lists.
async fn people(connection: &mut PgConnection) -> Result<()> {
    let statements = [
        "insert into unit (id, code, display_name, path, reach, serves, create_time)
         values (gen_random_uuid(), '321300000000', '市局', '321300000000/', '321300000000/', '{}', now())",
        "insert into unit (id, code, display_name, parent_id, path, reach, serves, create_time)
         select gen_random_uuid(), named.code, '分局' || district, top.id, path || named.code || '/',
            path || named.code || '/', '{}', now()
         from unit as top, generate_series(1, 8) as district,
            lateral (select '3213' || lpad(district::text, 2, '0') || '000000' as code) as named",
        "insert into unit (id, code, display_name, parent_id, path, reach, serves, create_time)
         select gen_random_uuid(), named.code, above.display_name || '大队' || brigade, above.id,
            above.path || named.code || '/', above.path || named.code || '/', '{}', now()
         from unit as above, generate_series(1, 4) as brigade,
            lateral (select left(above.code, 6) || lpad(brigade::text, 6, '0') as code) as named
         where above.parent_id is not null",
        "insert into person (id, openid_index, create_time)
         values (gen_random_uuid(), '1', now()), (gen_random_uuid(), '2', now())",
        "insert into officer (id, police_number, full_name_sealed, unit_id, roles, password_hash,
            password_history, password_time, password_expired, totp_secret_sealed, totp_step,
            failed_attempts, create_time, version)
         select gen_random_uuid(), number, '', unit.id, array[role], '', '{}', now(), false, '', 0, 0,
            now(), 1
         from (values ('000001', '321300000000', 'ASSIGNER'), ('000002', '321301000000', 'ASSIGNER'),
            ('000003', '321301000001', 'HANDLER'), ('000004', '321300000000', 'UNIT_LEADER'),
            ('000005', '321301000001', 'CHECKPOINT_OFFICER'), ('000006', '321302000001', 'CHECKPOINT_OFFICER'))
            as wanted (number, code, role)
         join unit using (code)",
        "insert into enterprise (id, uscc, display_name, division_code, unit_id, unit_path, state,
            legal_representative_sealed, legal_representative_id_sealed, applicant_id, create_time,
            update_time, version)
         select gen_random_uuid(), lpad(place::text, 18, '0'), '宿迁演示企业' || place, '321302',
            brigade.id, brigade.path, 'VERIFIED', '', '', person.id, now(), now(), 1
         from generate_series(1, 5000) as place
         join (select id, path, row_number() over (order by path) - 1 as seat from unit
            where code !~ '00000$') as brigade on brigade.seat = place % 32
         cross join (select id from person where openid_index = '1') as person",
        "insert into member (id, enterprise_id, person_id, full_name_sealed, role, scope, create_time)
         select gen_random_uuid(), enterprise.id, person.id, '', 'LEGAL_REPRESENTATIVE', '{}', now()
         from enterprise join person on uscc = lpad(convert_from(openid_index, 'UTF8'), 18, '0')",
    ];
    for statement in statements {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Writes the complaints, then everything that belongs to them; indexes are built when all is there.
async fn fill(connection: &mut PgConnection, complaints: usize, now: Timestamp) -> Result<()> {
    let indexes: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(format!(
        "select indexname::text, indexdef from pg_indexes
         where tablename in {TABLES}
            and not exists (select from pg_constraint where conname = indexname)"
    )))
    .fetch_all(&mut *connection)
    .await?;
    for (name, _) in &indexes {
        let text = format!("drop index {name}");
        sqlx::query(AssertSqlSafe(text)).execute(&mut *connection).await?;
    }
    sqlx::query("set synchronous_commit = off").execute(&mut *connection).await?;
    sqlx::raw_sql(TOOLS).execute(&mut *connection).await?;
    let total = i64::try_from(complaints)?;
    let begin = now - SPAN;
    let step_ms = SPAN.as_millis() / i128::from(total.max(1));
    for from in (0..complaints).step_by(CHUNK) {
        let until = (from + CHUNK).min(complaints);
        let numbers = (from..until).map(|place| -> Result<String> {
            let past =
                SignedDuration::from_millis(i64::try_from(step_ms * i128::try_from(place)?)?);
            let sequence = u32::try_from(place % 900_000)? + 1;
            Ok(ComplaintNumber::new(local_date(begin + past), sequence)?.to_string())
        });
        sqlx::query(COMPLAINTS)
            .bind(numbers.collect::<Result<Vec<_>>>()?)
            .bind(i64::try_from(from)?)
            .bind(begin.as_millisecond())
            .bind(i64::try_from(step_ms)?)
            .execute(&mut *connection)
            .await?;
    }
    // The few small ones first, so that what follows can join.
    for statement in BELONGINGS {
        sqlx::query(*statement).execute(&mut *connection).await?;
    }
    sqlx::query(CHECKPOINTS).execute(&mut *connection).await?;
    sqlx::query(CHECKS).bind(2 * total).execute(&mut *connection).await?;
    for (_, definition) in indexes {
        sqlx::query(AssertSqlSafe(definition)).execute(&mut *connection).await?;
    }
    sqlx::query("vacuum analyze").execute(&mut *connection).await?;
    Ok(())
}

/// A time-ordered id; a number that looks random and never changes, from 0 to 9999.
const TOOLS: &str = "
    create function pg_temp.timed(ms bigint, salt text) returns uuid language sql immutable as $$
        select (lpad(to_hex(ms), 12, '0') || '7' || left(md5(salt), 3) || '8'
            || substr(md5(salt), 4, 15))::uuid
    $$;
    create function pg_temp.dice(place bigint, salt integer) returns integer language sql immutable as $$
        select abs(hashint8(place * 31 + salt)) % 10000
    $$;
    create temporary table firm as
        select id, unit_path, row_number() over (order by uscc) as seat from enterprise;
    create index on firm (seat);
    create temporary table brigade as
        select id, path, row_number() over (order by path) - 1 as seat from unit
        where code !~ '00000$'";

/// A checkpoint of each of two brigades.
const CHECKPOINTS: &str = "
    insert into checkpoint (id, display_name, unit_id, zone_ids, latitude, longitude, create_time)
    select gen_random_uuid(), code, id, '{}', 33.9, 118.3, now() from unit
    where code in ('321301000001', '321302000001')";

/// Two checks for each complaint, all at the first of the two.
const CHECKS: &str = "
    insert into pass_check (id, actor, request_id, digest, checkpoint_id, check_time, direction, source,
        plate_number, verdict, outcome, answer, latitude, longitude)
    select pg_temp.timed(1700000000000 + place, 'check' || place), 'devices/1', gen_random_uuid(), '',
        checkpoint.id, now(), 'INBOUND', 'CODE', '苏N12345', 'VALID', 'PASS_VALID', '', 33.9, 118.3
    from checkpoint join unit on unit.id = unit_id and code = '321301000001',
        generate_series(1, $1) as place";

/// One in fifty is of the large enterprise. Nine in ten are ended; what is open is spread over time.
const COMPLAINTS: &str = "
    insert into complaint (id, number, enterprise_id, unit_path, category, channel, title, content,
        filer, state, lead_unit_id, lead_path, round, feedback, outside_target, outside_number,
        handle_open_time, handle_due_time, create_time, close_time, update_time, version)
    select pg_temp.timed(ms, place::text), number, firm.id, firm.unit_path,
        case when d2 < 4000 then 'CONSULTATION' when d2 < 7000 then 'HELP' when d2 < 9000 then 'COMPLAINT'
            when d2 < 9900 then 'SUGGESTION' else 'URGENT' end,
        'MINI_PROGRAM', '卸货时段与早高峰冲突' || place % 997,
        '厂区卸货只能在早上七点,请协调通行时段。第' || place || '件', 'persons/bench', state,
        lead.id, lead.path, case when state in ('ESCALATED', 'REOPENED') or d1 < 50 then 2 else 0 end,
        '已为贵企业增加早间卸货时段。', case state when 'TRANSFERRED_OUT' then '12345' else '' end,
        case when state = 'TRANSFERRED_OUT' and d3 >= 150 then 'N' || place else '' end,
        at + interval '1 hour', at + interval '5 days', at,
        case when state in ('CLOSED', 'MERGED', 'WITHDRAWN', 'NOT_ACCEPTED', 'TRANSFERRED_OUT')
            then at + interval '4 days' end, at + interval '4 days', 9
    from (
        select number, place + $2 as place, $3 + (place + $2) * $4 as ms,
            to_timestamp(($3 + (place + $2) * $4) / 1000.0) as at,
            pg_temp.dice(place + $2, 1) as d1, pg_temp.dice(place + $2, 2) as d2,
            pg_temp.dice(place + $2, 3) as d3, pg_temp.dice(place + $2, 4) as d4
        from (select number, ordinality - 1 as place
            from unnest($1::text[]) with ordinality as t (number, ordinality)) as numbered
    ) as rolled
    cross join lateral (select case
        when d1 < 8800 then 'CLOSED' when d1 < 9000 then 'WITHDRAWN' when d1 < 9200 then 'MERGED'
        when d1 < 9500 then 'TRANSFERRED_OUT' when d1 < 9700 then 'NOT_ACCEPTED'
        when d1 < 9820 then 'IN_PROGRESS' when d1 < 9880 then 'CALL_BACK' when d1 < 9910 then 'SUBMITTED'
        when d1 < 9940 then 'ASSIGNED' when d1 < 9960 then 'ACCEPTED' when d1 < 9980 then 'FEEDBACK_SUBMITTED'
        when d1 < 9990 then 'REOPENED' when d1 < 9995 then 'RETURNED' else 'ESCALATED' end as state) as drawn
    join firm on firm.seat = case when d4 < 200 then 1 else 2 + (hashint8(place) & 2147483647) % 4999 end
    left join brigade lead on state not in ('SUBMITTED', 'ACCEPTED', 'NOT_ACCEPTED', 'TRANSFERRED_OUT')
        and lead.seat = case when d3 < 7000 then (firm.seat % 32) else d4 % 32 end";

/// Sights, obligations, steps of the ladder, evaluations, points: as the store writes them.
const BELONGINGS: &[&str] = &[
    "insert into complaint_sight (reach, complaint_id, state, category)
     select distinct reach, id, state, category
     from complaint cross join lateral (
        select reaches(unit_path) as reach union select reaches(lead_path)
     ) as seen",
    "insert into obligation (id, collection, subject_id, kind, unit_path, open_time, due_time,
        amber_time, calendar_version, limit_text, meet_time, void_time, breach_time, level)
     select gen_random_uuid(), 'complaints', complaint.id, owed.kind, coalesce(lead_path, unit_path),
        create_time, due, create_time + (due - create_time) * 3 / 4, 'bench', 'WORKING_DAYS:5',
        case when met and late < 3 then create_time + (due - create_time) / 2
            when met then due + late * interval '1 hour' end,
        case when not met and close_time is not null then close_time end,
        case when late >= 3 then due end, least(late, 4)
     from complaint
     cross join lateral (values ('ACCEPT_COMPLAINT', 1), ('ASSIGN_COMPLAINT', 2), ('SIGN_COMPLAINT', 3),
        ('HANDLE_COMPLAINT', 4), ('REVIEW_FEEDBACK', 5)) as owed (kind, rank)
     cross join lateral (select create_time + rank * interval '1 day' as due,
        owed.rank < case state when 'SUBMITTED' then 1 when 'ACCEPTED' then 2 when 'NOT_ACCEPTED' then 2
            when 'TRANSFERRED_OUT' then 2 when 'ASSIGNED' then 3 when 'RETURNED' then 3
            when 'IN_PROGRESS' then 4 when 'REOPENED' then 4 when 'FEEDBACK_SUBMITTED' then 5 else 6 end
            as met,
        case when rank <> 4 then 0 when hash < 50 then 5 when hash < 200 then 4 when hash < 600 then 3
            when hash < 2500 then 2 else 0 end as late
        from (select abs(hashint8(extract(epoch from create_time)::bigint)) % 10000 as hash) as rolled
     ) as counted
     where state not in ('MERGED', 'WITHDRAWN') and (met or owed.rank <= case state
        when 'SUBMITTED' then 1 when 'ACCEPTED' then 2 when 'NOT_ACCEPTED' then 1
        when 'TRANSFERRED_OUT' then 1 when 'FEEDBACK_SUBMITTED' then 5 else 4 end)",
    "insert into escalation (id, obligation_id, level, unit_path, due_time, create_time)
     select pg_temp.timed((extract(epoch from due_time) * 1000)::bigint + rung.rank * 86400000,
            obligation.id::text || rung.rank),
        obligation.id, rung.rank, unit_path, due_time + rung.rank * interval '1 day',
        due_time + rung.rank * interval '1 day'
     from obligation cross join generate_series(1, 4) as rung (rank)
     where level > 0 and rung.rank < level + 1 and (level < 4 or rung.rank < 4
        or breach_time is not null)",
    "insert into evaluation (id, collection, subject_id, round, enterprise_id, unit_path, state, level,
        solved, comment, create_time, due_time, rate_time)
     select pg_temp.timed((extract(epoch from update_time) * 1000)::bigint, id::text), 'complaints', id,
        round, enterprise_id, coalesce(lead_path, unit_path), said.state,
        case when said.state = 'RATED' then (array['VERY_SATISFIED', 'SATISFIED', 'BASICALLY_SATISFIED',
            'DISSATISFIED'])[1 + hash % 4] end,
        case when said.state = 'RATED' then hash % 5 > 0 end, '', update_time,
        update_time + interval '7 days',
        case when said.state = 'RATED' then update_time + interval '1 day' end
     from complaint
     cross join lateral (select abs(hashint8(extract(epoch from create_time)::bigint)) as hash) as rolled
     cross join lateral (select case when complaint.state = 'CALL_BACK' then 'INVITED'
        when hash % 10 < 6 then 'RATED' else 'UNRATED' end as state) as said
     where complaint.state in ('CLOSED', 'CALL_BACK', 'ESCALATED', 'REOPENED')",
    "insert into joint_meeting (id, unit_id, unit_path, title, place, meet_time, unit_ids, unit_paths,
        enterprise_ids, minutes, state, create_time, close_time, update_time, version)
     select pg_temp.timed((extract(epoch from now() - month * interval '1 month') * 1000)::bigint, code),
        id, path, '警企联席会议', '警企服务中心', now() - month * interval '1 month', '{}', '{}', '{}', '',
        'CLOSED', now() - month * interval '1 month', now() - month * interval '1 month',
        now() - month * interval '1 month', 2
     from unit cross join generate_series(1, 12) as month where parent_id is not null and code ~ '000000$'",
    "insert into meeting_point (id, joint_meeting_id, collection, subject_id, enterprise_id, unit_path,
        title, note, state, decision, owing_unit_id, owing_path, due_day, outcome, place, create_time,
        update_time, version)
     select point, case when drawn.state = 'WAITING' then null else joint_meeting.id end, 'complaints',
        complaint.id, enterprise_id, complaint.unit_path, '提级诉求' || number, '', drawn.state, '',
        case when drawn.state <> 'WAITING' then brigade.id end,
        case when drawn.state <> 'WAITING' then brigade.path end,
        case when drawn.state <> 'WAITING' then complaint.update_time::date end,
        case when drawn.state = 'SETTLED' then '已落实' else '' end,
        case when drawn.state = 'SETTLED' then point else ('8' || substr(point::text, 2))::uuid end,
        complaint.update_time, complaint.update_time, 4
     from complaint
     cross join lateral (select pg_temp.timed((extract(epoch from update_time) * 1000)::bigint,
        'point' || id) as point) as named
     cross join lateral (select case when complaint.state <> 'ESCALATED' then 'SETTLED'
        when right(complaint.id::text, 1) < '8' then 'WAITING' else 'DECIDED' end as state) as drawn
     join brigade on brigade.path = complaint.unit_path
     join lateral (select id from joint_meeting
        where starts_with(complaint.unit_path, joint_meeting.unit_path) order by id limit 1)
        as joint_meeting on true
     where round = 2 and complaint.state in ('CLOSED', 'ESCALATED')",
    "insert into meeting_point_sight (meeting_point_id, reach, place)
     select id, reaches(unit_path), place from meeting_point",
];
