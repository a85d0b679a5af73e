//! The guided tour: the whole story of a truck pass, told in Chinese against a running server. It
//! uses only what any client has: the API, and the stand-in for WeChat.

mod complaint;
mod line;
mod people;
mod story;

use anyhow::Context as _;
use tonic::transport::{Channel, Endpoint};

use crate::clock::{Clock, Ids};

/// Where the tour plays.
#[derive(Debug, Clone, clap::Args)]
pub struct TourSettings {
    /// The server
    #[arg(long, env = "JINGQI_LISTEN", default_value = "127.0.0.1:50051")]
    pub server: String,

    /// The stand-in for WeChat
    #[arg(long, env = "JINGQI_WECHAT_BASE_URL", default_value = "http://127.0.0.1:50080")]
    pub sandbox: String,

    /// Does not wait until a code is stale (a minute and a half)
    #[arg(long)]
    pub no_wait: bool,
}

/// What every scene needs.
struct Stage {
    channel: Channel,
    sandbox: String,
    http: reqwest::Client,
    clock: Clock,
    ids: Ids,
    no_wait: bool,
}

/// Plays it.
///
/// # Errors
/// When the server cannot be reached, or a scene ends otherwise than it should.
pub async fn run(settings: TourSettings) -> anyhow::Result<()> {
    story::tell(&stage(settings).await?).await
}

/// Plays the direct line of an enterprise.
///
/// # Errors
/// When the server cannot be reached, or a scene ends otherwise than it should.
pub async fn run_liaison(settings: TourSettings) -> anyhow::Result<()> {
    line::tell(&stage(settings).await?).await
}

/// Plays the closed loop of a complaint.
///
/// # Errors
/// When the server cannot be reached, or a scene ends otherwise than it should.
pub async fn run_complaint(settings: TourSettings) -> anyhow::Result<()> {
    complaint::tell(&stage(settings).await?).await
}

async fn stage(settings: TourSettings) -> anyhow::Result<Stage> {
    let endpoint = Endpoint::from_shared(format!("http://{}", settings.server))?;
    let channel = endpoint
        .connect()
        .await
        .with_context(|| format!("连接不上服务器 {},请先运行 deploy/up", settings.server))?;
    Ok(Stage {
        channel,
        sandbox: settings.sandbox,
        http: reqwest::Client::new(),
        clock: Clock::System,
        ids: Ids::system(),
        no_wait: settings.no_wait,
    })
}

/// A scene's title.
fn scene(number: u8, title: &str) {
    say(&format!("\n━━ {number}. {title} ━━"));
}

/// A line of the story.
#[expect(clippy::print_stdout, reason = "the tour talks to a person at a terminal")]
fn say(line: &str) {
    println!("{line}");
}
