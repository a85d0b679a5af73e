//! Those who give up: bursts of calls with a deadline of a few milliseconds, or whose stream is reset, each
//! burst after what servers knew of the caller was voided, so that they must ask PostgreSQL. And a control:
//! the same at a server that lets its work be cut, with a pool that takes back whatever comes, from a
//! PostgreSQL that is slow to answer.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use futures::{
    future::join_all,
    stream::{self, StreamExt as _},
};
use jingqi::surface::{
    config::{RemoteSettings, StoreSettings},
    parts::Parts,
    server::{self, Doors},
    service::pb::{
        self, conversation_service_client::ConversationServiceClient,
        identity_service_client::IdentityServiceClient,
    },
    store::{Store, Vault},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sqlx::{
    Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status};

use crate::{
    city::{Line, MASTER_KEY, MASTER_KEY_BYTES, Talker},
    server::channel,
    services::Services,
    way::Way,
};

/// The calls of a burst; every fourth is reset, the others have a deadline.
const BURST: usize = 12;
/// So many at once: with more, most would be given up before they have a connection.
const IN_FLIGHT: usize = 4;
/// The longest patience.
const PATIENCE_US: u64 = 6_000;
/// How long the transactions that are under way have to end by themselves.
const REST_WITHIN: Duration = Duration::from_secs(3);
/// How much later everything arrives on the control's way to PostgreSQL, there and back.
const LATER: Duration = Duration::from_millis(2);
/// So many looks in a row, 20 ms apart, must find nothing open.
const CALM_LOOKS: usize = 3;
/// How long the control is run at most: it ends with what it is to show.
const CONTROL_LASTS: Duration = Duration::from_mins(1);

/// What became of the calls that were given up.
#[derive(Debug, Default)]
pub struct Tally {
    /// By a deadline.
    pub late: AtomicUsize,
    /// By a reset.
    pub reset: AtomicUsize,
    /// Answered all the same, and with a fault of ours.
    pub internal: AtomicUsize,
}

/// What a storm left behind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Left {
    /// Calls that were given up: by a deadline, by a reset.
    pub given_up: [usize; 2],
    /// Calls of anybody that were told that the fault is ours.
    pub internal: usize,
    /// Connections that stayed inside a transaction.
    pub open: usize,
}

impl Left {
    /// Whether it is nothing.
    pub const fn nothing(self) -> bool {
        self.internal == 0 && self.open == 0
    }
}

impl Tally {
    /// What is told of it, with the connections that stayed open.
    pub fn left(&self, open: usize) -> Left {
        let of = |counted: &AtomicUsize| counted.load(Ordering::Relaxed);
        Left { given_up: [of(&self.late), of(&self.reset)], internal: of(&self.internal), open }
    }
}

/// Gives up one burst of calls after the other, at each server in turn, while it is told to go on.
pub async fn give_up(
    servers: &[SocketAddr],
    line: &Line,
    seed: u64,
    tally: &Tally,
    goes_on: impl Fn() -> bool,
) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed ^ 0x61fe);
    for at in (0..).take_while(|_| goes_on()) {
        let server = *servers.get(at % servers.len()).context("a server")?;
        burst(server, line, &mut random, tally).await?;
        sleep(Duration::from_millis(random.random_range(0..20))).await;
    }
    Ok(())
}

async fn burst(server: SocketAddr, line: &Line, random: &mut StdRng, tally: &Tally) -> Result<()> {
    let talker = line.talkers.first().context("a talker")?;
    let channel = channel(server)?;
    let identity = IdentityServiceClient::new(channel.clone());
    let conversations = ConversationServiceClient::new(channel);
    // Ends nothing: it has one session. But its standing is read anew.
    let request = talker.ask(pb::RevokeOtherSessionsRequest {});
    let _ = timeout(REST_WITHIN, identity.clone().revoke_other_sessions(request)).await;
    let calls = (0..BURST).map(|number| {
        let patience = Duration::from_micros(random.random_range(0..PATIENCE_US));
        let call = Abandoned {
            identity: identity.clone(),
            conversations: conversations.clone(),
            talker,
            line,
        };
        one(call, number, patience, tally)
    });
    let calls = stream::iter(calls.collect::<Vec<_>>());
    calls.buffer_unordered(IN_FLIGHT).collect::<()>().await;
    Ok(())
}

struct Abandoned<'a> {
    identity: IdentityServiceClient<tonic::transport::Channel>,
    conversations: ConversationServiceClient<tonic::transport::Channel>,
    talker: &'a Talker,
    line: &'a Line,
}

async fn one(call: Abandoned<'_>, number: usize, patience: Duration, tally: &Tally) {
    let answer = if number.is_multiple_of(4) {
        tally.reset.fetch_add(1, Ordering::Relaxed);
        let Ok(answer) = timeout(patience, call.answer(number, None)).await else { return };
        answer
    } else {
        tally.late.fetch_add(1, Ordering::Relaxed);
        call.answer(number, Some(patience)).await
    };
    let internal = answer.is_err_and(|status| status.code() == Code::Internal);
    tally.internal.fetch_add(usize::from(internal), Ordering::Relaxed);
}

impl Abandoned<'_> {
    /// A look at the account, at the conversation, or a write.
    async fn answer(mut self, number: usize, within: Option<Duration>) -> Result<(), Status> {
        fn due<T>(mut request: Request<T>, within: Option<Duration>) -> Request<T> {
            if let Some(within) = within {
                request.set_timeout(within);
            }
            request
        }
        match number % 3 {
            0 => {
                let request = due(self.talker.ask(pb::GetAccountRequest {}), within);
                self.identity.get_account(request).await.map(drop)
            }
            1 => {
                let name = self.line.name.clone();
                let request = self.talker.ask(pb::GetConversationRequest { name });
                self.conversations.get_conversation(due(request, within)).await.map(drop)
            }
            _ => {
                let request = due(self.talker.ask(pb::RevokeOtherSessionsRequest {}), within);
                self.identity.revoke_other_sessions(request).await.map(drop)
            }
        }
    }
}

/// How many connections stay inside a transaction when everybody has come to rest: what was sent may not have
/// arrived, so that one look is none.
pub async fn left_open(database_url: &str) -> Result<usize> {
    let mut connection = PgConnection::connect(database_url).await?;
    let (until, mut calm) = (Instant::now() + REST_WITHIN, 0);
    loop {
        let open: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and state like 'idle in transaction%'",
        )
        .fetch_one(&mut connection)
        .await?;
        calm = if open == 0 { calm + 1 } else { 0 };
        if calm == CALM_LOOKS || Instant::now() > until {
            return Ok(usize::try_from(open)?);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// The settings of the control's server.
#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    kept: StoreSettings,
    #[command(flatten)]
    called: RemoteSettings,
}

/// The same storm at a server without the mends: what it leaves.
pub async fn without_the_mends(
    services: &Services,
    folder: &Path,
    lines: &[Line],
    seed: u64,
) -> Result<Left> {
    let attachments = folder.join("attachments");
    let settings = Settings::try_parse_from([
        "control",
        "--database-url",
        &services.database_url,
        // Each call asks PostgreSQL.
        "--redis-url",
        "",
        "--master-key",
        MASTER_KEY,
        "--limits-factor",
        "1000",
        "--attachment-dir",
        &attachments.to_string_lossy(),
    ])?;
    let parts = server::assemble(&settings.kept, &settings.called)?;
    // What is cut while it waits for an answer is so cut for certain, however quick the machine is.
    let direct: PgConnectOptions = services.database_url.parse()?;
    let way = Way::slow((Ipv4Addr::LOCALHOST, direct.get_port()).into(), LATER).await?;
    let (by_name, _) = services.database_url.split_once('?').context("a database by its socket")?;
    let slow = by_name.replace("@localhost/", &format!("@{}/", way.address));
    ensure!(slow.contains(&way.address.to_string()), "the control's database has another address");
    let pool = PgPoolOptions::new().max_connections(8).connect(&slow).await?;
    // A connection that is still being made when its call is given up is nobody's yet.
    for connection in join_all((0..8).map(|_| pool.acquire())).await {
        drop(connection?);
    }
    let cache = parts.store.cache().clone();
    let store = Store::new(pool.clone(), cache, Vault::new(&MASTER_KEY_BYTES)?);
    let parts = Parts { store: store.with_limits_factor(1_000).droppable(), ..parts };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let served = tokio::spawn(server::run(parts, Doors::new(listener), stop.clone()));
    let (tally, until) = (Tally::default(), Instant::now() + CONTROL_LASTS);
    let (mut random, mut open) = (StdRng::seed_from_u64(seed), 0);
    for line in lines.iter().cycle() {
        burst(address, line, &mut random, &tally).await?;
        // Whoever comes next may end it, or be harmed by it: so each burst is looked at by itself.
        open = open.max(left_open(&services.database_url).await?);
        if open > 0 || Instant::now() > until {
            break;
        }
    }
    stop.cancel();
    served.await??;
    pool.close().await;
    Ok(tally.left(open))
}
