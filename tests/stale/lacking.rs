//! A server that lacks one part of the protocol: what a control asks. It is this program, started again
//! with `serve`, so that it can be stopped like a server of the product.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Result, bail};
use clap::Parser;
use jingqi::surface::{
    config::{RemoteSettings, StoreSettings},
    parts::Parts,
    server::{self, Doors},
    store::{Cache, Store, Vault, cache::Without},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The word by which this program is such a server.
pub const SERVE: &str = "serve";

/// Its settings: those of the product, and what it lacks.
#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    kept: StoreSettings,
    #[command(flatten)]
    called: RemoteSettings,
    #[arg(long, env = "JINGQI_LISTEN")]
    listen: SocketAddr,
    #[arg(long)]
    without: String,
    serve: PathBuf,
}

fn without(part: &str) -> Result<Without> {
    let mut without = Without::default();
    let taken_out = match part {
        "settled-answers" => &mut without.settled_answers,
        "calm" => &mut without.calm,
        "identity" => &mut without.identity,
        "own-mark" => &mut without.own_mark,
        other => bail!("the protocol has no such part: {other}"),
    };
    *taken_out = true;
    Ok(without)
}

/// Serves until it is killed.
pub async fn serve() -> Result<()> {
    let Settings { kept, called, listen, without: part, .. } = Settings::parse();
    let url = kept.redis().unwrap_or_default();
    let cache = Cache::connect_without(url, &kept.redis_prefix, without(&part)?)?;
    let parts = server::assemble(&kept, &called)?;
    let vault = Vault::new(&kept.master_key()?)?;
    let store = Store::new(parts.store.pool().clone(), cache, vault);
    let parts = Parts { store: store.with_limits_factor(kept.limits_factor), ..parts };
    let listener = TcpListener::bind(listen).await?;
    server::run(parts, Doors::new(listener), CancellationToken::new()).await
}
