//! The rows of the simulated years: written in bulk, read by the checks, exported for the oracle. No due
//! time is counted here.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Result;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use jingqi::surface::{
    domain::{
        complaint::rules::limit_text,
        duty::obligation::{Limits, ObligationKind, Times, Which},
    },
    store::MIGRATIONS,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

/// Who and what the rows point at.
pub struct Place {
    pub enterprise: Uuid,
    pub officer: Uuid,
}

/// The path of the one unit.
const UNIT: &str = "321300000000/";

/// Where PostgreSQL's own socket lies. Through TCP the end of each copy would wait 40 ms: two small
/// writes, of which Nagle's algorithm holds back the second until the first is acknowledged, and sqlx
/// does not switch that off.
fn socket() -> Option<PathBuf> {
    let memory = Path::new(env!("CARGO_MANIFEST_DIR")).join(".local/years/services");
    let memory = std::fs::read_to_string(memory).ok()?;
    let folder = memory.lines().find_map(|line| line.strip_prefix("socket="))?;
    Some(PathBuf::from(folder)).filter(|folder| folder.is_dir())
}

/// A connection without the time limits of a serving pool.
pub async fn open(url: &str) -> Result<(PgConnection, Place)> {
    let mut connection = PgConnection::connect(url).await?;
    // A simulation may lose what a crash takes: it is begun anew.
    run(&mut connection, "alter database jingqi set synchronous_commit = off").await?;
    let mut options: PgConnectOptions = url.parse()?;
    if let Some(folder) = socket() {
        options = options.socket(folder);
    }
    let mut connection = PgConnection::connect_with(&options).await?;
    run(&mut connection, "set work_mem = '128MB'").await?;
    MIGRATIONS.run(&mut connection).await?;
    let [unit, person, officer, enterprise] =
        [1_u128, 2, 3, 4].map(|at| Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + at));
    for text in [
        format!(
            "insert into unit (id, code, display_name, path, reach, serves, create_time)
             values ('{unit}', '321300000000', '宿迁市公安局', '{UNIT}', '{UNIT}', '{{}}', now())"
        ),
        format!(
            "insert into person (id, openid_index, create_time) values ('{person}', '\\x01', now())"
        ),
        format!(
            "insert into officer (id, police_number, full_name_sealed, unit_id, roles,
                password_hash, password_history, password_time, password_expired,
                totp_secret_sealed, totp_step, failed_attempts, create_time, version)
             values ('{officer}', '900001', '', '{unit}', '{{SYSTEM_ADMINISTRATOR}}', '', '{{}}',
                now(), false, '', 0, 0, now(), 1)"
        ),
        format!(
            "insert into enterprise (id, uscc, display_name, division_code, unit_id, unit_path,
                state, legal_representative_sealed, legal_representative_id_sealed, applicant_id,
                create_time, update_time, version)
             values ('{enterprise}', '91321300MA1ABCDE8U', '演示企业', '321300', '{unit}', '{UNIT}',
                'VERIFIED', '', '', '{person}', now(), now(), 1)"
        ),
    ] {
        run(&mut connection, &text).await?;
    }
    Ok((connection, Place { enterprise, officer }))
}

/// Runs one statement.
pub async fn run(connection: &mut PgConnection, text: &str) -> Result<u64> {
    let done = sqlx::query(AssertSqlSafe(text.to_owned())).execute(connection).await?;
    Ok(done.rows_affected())
}

/// Reads one number.
pub async fn number(connection: &mut PgConnection, text: &str) -> Result<i64> {
    let text = AssertSqlSafe(text.to_owned());
    let found: Option<i64> = sqlx::query_scalar(text).fetch_one(connection).await?;
    Ok(found.unwrap_or_default())
}

/// An obligation as its row is to be.
pub struct Row<'a> {
    pub id: Uuid,
    pub subject: Uuid,
    pub kind: ObligationKind,
    pub opened: Timestamp,
    pub limits: Limits,
    pub times: Times,
    pub extension_days: u32,
    pub paused_since: Option<Timestamp>,
    pub met: Option<Timestamp>,
    pub version: &'a str,
}

/// What is to be written in one unit of work.
#[derive(Default)]
pub struct Page {
    obligations: String,
    complaints: String,
    pauses: String,
    extensions: String,
    pub met: (Vec<Uuid>, Vec<jiff_sqlx::Timestamp>),
    pub stopped: (Vec<Uuid>, Vec<Option<jiff_sqlx::Timestamp>>),
    pub ended: (Vec<Uuid>, Vec<jiff_sqlx::Timestamp>, Vec<jiff_sqlx::Timestamp>),
    pub moved: Moved,
}

/// Due times that move: a column each.
#[derive(Default)]
pub struct Moved {
    pub ids: Vec<Uuid>,
    pub subjects: Vec<Uuid>,
    pub due: Vec<jiff_sqlx::Timestamp>,
    pub amber: Vec<jiff_sqlx::Timestamp>,
    pub legal: Vec<Option<jiff_sqlx::Timestamp>>,
    pub internal: Vec<Option<jiff_sqlx::Timestamp>>,
    pub provisional: Vec<bool>,
    pub extension_days: Vec<i32>,
}

/// A field of COPY's text format.
fn field(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "\\N".to_owned(), |value| value.to_string())
}

/// To what it belongs.
const fn collection(kind: ObligationKind) -> &'static str {
    match kind {
        ObligationKind::DecidePassApplication => "passApplications",
        ObligationKind::ConfirmCentreBooking => "centreBookings",
        _ => "complaints",
    }
}

impl Page {
    /// A new obligation.
    pub fn open(&mut self, row: &Row<'_>) {
        let limit = |which| row.limits.get(which).map(limit_text).unwrap_or_default();
        let late = row.met.filter(|&met| row.times.due <= met).map(|_| row.times.due);
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.obligations,
            "{}\t{}\t{}\t{}\t{UNIT}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            row.id,
            collection(row.kind),
            row.subject,
            row.kind.wire(),
            row.opened,
            row.times.due,
            row.times.amber,
            row.times.amber,
            row.version,
            limit(Which::Promised),
            row.times.provisional,
            limit(Which::Legal),
            field(row.times.legal),
            limit(Which::Internal),
            field(row.times.internal),
            row.extension_days,
            field(row.paused_since),
            field(row.met),
            field(late),
        );
    }

    /// The complaint whose handling is owed.
    pub fn complain(&mut self, row: &Row<'_>, place: &Place, category: &str, number: u64) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.complaints,
            "{}\tY{number:09}\t{}\t{UNIT}\t{category}\tMINI_PROGRAM\t诉求\t诉求\tx\tIN_PROGRESS\t{}\t{}\t{}\t{}\t{}\t1",
            row.subject,
            place.enterprise,
            row.opened,
            row.times.due,
            row.times.provisional,
            row.opened,
            row.opened,
        );
    }

    /// A pause; its end where it has one.
    pub fn pause(&mut self, obligation: Uuid, from: Timestamp, until: Option<Timestamp>) {
        let _ = writeln!(self.pauses, "{obligation}\t{from}\t{}", field(until));
    }

    /// An extension that was granted.
    pub fn extend(&mut self, id: Uuid, subject: Uuid, days: u32, at: Timestamp, place: &Place) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.extensions,
            "{id}\t{subject}\t0\t{days}\t-\t-\tAPPROVED\t{}\t{at}\t{at}",
            place.officer
        );
    }

    /// Writes everything at once.
    #[expect(
        clippy::disallowed_methods,
        reason = "nobody drops it, and the connection is no pool's"
    )]
    pub async fn write(
        self,
        connection: &mut PgConnection,
        version: &str,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = connection.begin().await?;
        for (into, text) in [
            ("complaint (id, number, enterprise_id, unit_path, category, channel, title, content,
                filer, state, handle_open_time, handle_due_time, provisional, create_time,
                update_time, version)", self.complaints),
            ("obligation (id, collection, subject_id, kind, unit_path, open_time, due_time,
                amber_time, sweep_time, calendar_version, limit_text, provisional,
                legal_limit_text, legal_due_time, internal_limit_text, internal_due_time,
                extension_days, pause_time, meet_time, breach_time)", self.obligations),
            ("obligation_pause (obligation_id, begin_time, end_time)", self.pauses),
            ("complaint_extension (id, complaint_id, round, days, reason, basis, state, officer_id,
                create_time, decide_time)", self.extensions),
        ] {
            if text.is_empty() {
                continue;
            }
            let mut copy = tx.copy_in_raw(&format!("copy {into} from stdin")).await?;
            copy.send(text.as_bytes()).await?;
            copy.finish().await?;
        }
        if !self.met.0.is_empty() {
            sqlx::query(
                "update obligation set meet_time = new.time, breach_time = coalesce(breach_time,
                    case when due_time <= new.time then due_time end)
                 from unnest($1::uuid[], $2::timestamptz[]) as new (id, time)
                 where obligation.id = new.id",
            )
            .bind(self.met.0)
            .bind(self.met.1)
            .execute(&mut *tx)
            .await?;
        }
        if !self.stopped.0.is_empty() {
            // The last one counts, where there are several.
            let last: HashMap<_, _> = self.stopped.0.into_iter().zip(self.stopped.1).collect();
            let (ids, times): (Vec<_>, Vec<_>) = last.into_iter().unzip();
            sqlx::query(
                "update obligation set pause_time = new.time
                 from unnest($1::uuid[], $2::timestamptz[]) as new (id, time)
                 where obligation.id = new.id",
            )
            .bind(ids)
            .bind(times)
            .execute(&mut *tx)
            .await?;
        }
        if !self.ended.0.is_empty() {
            sqlx::query(
                "update obligation_pause set end_time = new.until
                 from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[])
                    as new (id, since, until)
                 where obligation_id = new.id and begin_time = new.since",
            )
            .bind(self.ended.0)
            .bind(self.ended.1)
            .bind(self.ended.2)
            .execute(&mut *tx)
            .await?;
        }
        self.moved.write(&mut tx, version, now).await?;
        Ok(tx.commit().await?)
    }
}

impl Moved {
    /// As `store::obligations::move_due` does for one.
    async fn write(
        self,
        connection: &mut PgConnection,
        version: &str,
        now: Timestamp,
    ) -> Result<()> {
        if self.ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update complaint set handle_due_time = new.due, provisional = new.provisional
             from unnest($1::uuid[], $2::timestamptz[], $3::bool[]) as new (id, due, provisional)
             where complaint.id = new.id",
        )
        .bind(&self.subjects)
        .bind(&self.due)
        .bind(&self.provisional)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "update obligation set due_time = new.due, amber_time = new.amber,
                legal_due_time = new.legal, internal_due_time = new.internal,
                provisional = new.provisional, extension_days = new.days, calendar_version = $8,
                sweep_time = case level when 0 then new.amber when 1 then new.due else $9 end
             from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[],
                $5::timestamptz[], $6::bool[], $7::integer[])
                as new (id, due, amber, legal, internal, provisional, days)
             where obligation.id = new.id",
        )
        .bind(self.ids)
        .bind(self.due)
        .bind(self.amber)
        .bind(self.legal)
        .bind(self.internal)
        .bind(self.provisional)
        .bind(self.extension_days)
        .bind(version)
        .bind(jiff_sqlx::ToSqlx::to_sqlx(now))
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Writes what happened, and what the rows hold, for the oracle.
pub async fn export(connection: &mut PgConnection, folder: &Path) -> Result<()> {
    let micro = |time: &str| format!("(extract(epoch from {time}) * 1000000)::bigint");
    let obligations = format!(
        "select obligation.id, kind, {open}, limit_text, legal_limit_text, internal_limit_text,
            {due}, {amber}, coalesce({legal}::text, ''), coalesce({internal}::text, ''),
            provisional, coalesce({meet}::text, ''), coalesce(pauses, ''),
            coalesce(extension, ''), coalesce(steps, '')
         from obligation
         left join (
            select obligation_id, string_agg({begin} || ':' || coalesce({end}::text, ''), ';'
                order by begin_time) as pauses
            from obligation_pause group by obligation_id
         ) as paused on paused.obligation_id = obligation.id
         left join (
            select complaint_id, {decide} || ':' || days as extension from complaint_extension
         ) as extended on complaint_id = subject_id and kind = 'HANDLE_COMPLAINT'
         left join (
            select obligation_id, string_agg(level || ':' || {step} || ':' || {taken}, ';') as steps
            from escalation group by obligation_id
         ) as climbed on climbed.obligation_id = obligation.id",
        open = micro("open_time"),
        due = micro("due_time"),
        amber = micro("amber_time"),
        legal = micro("legal_due_time"),
        internal = micro("internal_due_time"),
        meet = micro("meet_time"),
        begin = micro("begin_time"),
        end = micro("end_time"),
        decide = micro("decide_time"),
        step = micro("due_time"),
        taken = micro("create_time"),
    );
    copy_out(connection, &obligations, &folder.join("obligations.tsv")).await?;
    let notices = format!(
        "select {}, year, array_to_string(holidays_first, ';'), array_to_string(holidays_last, ';'),
            array_to_string(makeup_days, ';')
         from calendar_year order by create_time",
        micro("create_time")
    );
    copy_out(connection, &notices, &folder.join("notices.tsv")).await
}

async fn copy_out(connection: &mut PgConnection, select: &str, path: &Path) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let text = format!("copy ({select}) to stdout");
    let mut rows = connection.copy_out_raw(&text).await?;
    while let Some(bytes) = rows.try_next().await? {
        file.write_all(&bytes)?;
    }
    Ok(file.flush()?)
}
