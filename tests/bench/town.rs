//! What every measurement of the direct line needs: the database with its people, servers, clients,
//! percentiles. Nothing is measured here.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use jingqi::surface::{
    clock::Ids,
    service::pb::{self, conversation_service_client::ConversationServiceClient},
    store,
};
use sqlx::PgPool;
use tonic::transport::Channel;

use crate::{
    Settings,
    city::{self, Line},
    server::{self, Server},
};

/// How long a server may take until it serves.
const READY_WITHIN: std::time::Duration = std::time::Duration::from_secs(30);

/// A client of the service.
pub type Client = ConversationServiceClient<Channel>;

/// A database, its people, and a folder.
pub struct Town {
    /// The conversations.
    pub lines: Vec<Line>,
    /// The database.
    pub pool: PgPool,
    url: String,
    redis_url: String,
    folder: PathBuf,
}

impl Drop for Town {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Town {
    /// Migrates the database and loads the conversations, each with one person and an officer.
    pub async fn build(url: String, redis_url: String, conversations: usize) -> Result<Self> {
        let name = format!("jingqi-bench-{}", Ids::system().random().simple());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder)?;
        let migrated =
            server::command(&url, "", &folder).arg("migrate").output().await.context("migrate")?;
        let told = String::from_utf8_lossy(&migrated.stderr);
        anyhow::ensure!(migrated.status.success(), "migrate: {}", told.trim());
        let pool = store::pool(&url, 4)?;
        let lines = city::load(&pool, conversations, 1).await?;
        sqlx::query("analyze").execute(&pool).await?;
        Ok(Self { lines, pool, url, redis_url, folder })
    }

    /// The address of the database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A fresh server, ready.
    pub async fn server(&self, with_redis: bool) -> Result<Server> {
        let redis_url = if with_redis { self.redis_url.as_str() } else { "" };
        let mut command = server::command(&self.url, redis_url, &self.folder);
        command.env("JINGQI_REDIS_PREFIX", format!("{}:", self.folder.display()));
        if let Ok(connections) = std::env::var("BENCH_CONNECTIONS") {
            command.env("JINGQI_CONNECTIONS_MAX", connections);
        }
        // The server of the tests may be one that loses; the table says so.
        command.env("JINGQI_ALLOW_LOSS", "true");
        let mut server = Server::start(command, self.folder.join("serve.log"))?;
        server.ready(READY_WITHIN).await?;
        Ok(server)
    }

    /// A client with a connection of its own.
    pub fn client(server: &Server) -> Result<Client> {
        Ok(ConversationServiceClient::new(server::channel(server.address)?))
    }

    /// On what is measured.
    pub async fn told(&self, settings: &Settings) -> Result<String> {
        let postgresql: String = sqlx::query_scalar(
            "select current_setting('server_version') || ', fsync ' || current_setting('fsync')
                || ', synchronous_commit ' || current_setting('synchronous_commit')
                || ', full_page_writes ' || current_setting('full_page_writes')",
        )
        .fetch_one(&self.pool)
        .await?;
        let cores = std::thread::available_parallelism()?;
        let profile = if cfg!(debug_assertions) { "DEBUG BUILD: no figures" } else { "release" };
        let connections = std::env::var("BENCH_CONNECTIONS");
        let connections = connections.as_deref().unwrap_or("as many as by default");
        Ok(format!(
            "{cores} cores for generator, servers, PostgreSQL and Redis together; {profile}; \
             PostgreSQL {postgresql}; {connections} connections of a server to it; {} s a run, {} runs; {} \
             conversations; closed loop with {} calls in flight, open loop at {}/s",
            settings.measure.as_secs(),
            settings.runs,
            settings.conversations,
            settings.in_flight,
            settings.rate,
        ))
    }
}

/// A message.
pub fn said(line: &Line, text: String) -> pb::SendMessageRequest {
    pb::SendMessageRequest {
        conversation: line.name.clone(),
        client_message_id: Ids::system().random().to_string(),
        kind: pb::MessageKind::Text.into(),
        text,
        warnings_accepted: true,
        ..pb::SendMessageRequest::default()
    }
}

/// The value below which the share of the samples lies, in milliseconds.
pub fn percentile_ms(sorted_us: &[u32], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into the samples"
    )]
    let index = (sorted_us.len().saturating_sub(1) as f64 * share) as usize;
    sorted_us.get(index).map_or(0.0, |us| f64::from(*us) / 1_000.0)
}
