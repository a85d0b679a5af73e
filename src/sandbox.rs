//! The stand-in for systems outside ours (`jingqi sandbox`): the same paths, with rules that remember.
//! No code of the product, and no clock: time comes through the closure that the caller gives.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, body::Bytes, extract::DefaultBodyLimit, http::StatusCode, routing::get};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;

pub mod city;
mod past;
pub mod sms;
pub mod tour;
pub mod webhook;
pub mod wechat;
pub mod wecom;

#[cfg(test)]
mod tests;

/// Tells the sandbox the present instant.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// No request to the sandbox is longer, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// How many delivered messages each post box remembers.
const MESSAGES_MAX: usize = 10_000;

/// A sandbox that has seen nobody yet.
pub fn router(clock: Now) -> Router {
    Router::new()
        .route("/livez", get(async || "ok"))
        .merge(wechat::router(Arc::clone(&clock)))
        .merge(wecom::router(Arc::clone(&clock)))
        .merge(webhook::router(Arc::clone(&clock)))
        .merge(sms::router(clock))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// Serves the sandbox until `stop` is over and the open requests are answered.
/// Fails when the address cannot be bound.
pub async fn serve(
    listen: SocketAddr,
    clock: Now,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    tracing::info!(address = %listener.local_addr()?, "the sandbox listens");
    axum::serve(listener, router(clock)).with_graceful_shutdown(stop).await
}

/// Reads a request of the sandbox's own paths, which refuse with plain HTTP.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, (StatusCode, String)> {
    serde_json::from_slice(body).map_err(|cause| (StatusCode::BAD_REQUEST, cause.to_string()))
}
