//! The product as it is measured: served on a port of its own.

use std::net::SocketAddr;

use anyhow::Result;
use jingqi::surface::{
    parts::Parts,
    server::{self, Doors},
};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;

/// Serves these parts until it is told to stop, and says where.
pub fn serve(runtime: &Runtime, parts: &Parts, stop: &CancellationToken) -> Result<SocketAddr> {
    let (parts, stop) = (parts.clone(), stop.clone());
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        parts.world.look(&parts.store).await?;
        let mut doors = Doors { reflection: false, ..Doors::new(listener) };
        // The generator makes its connections before its first call.
        doors.doorway.unproven_per_address_max = doors.doorway.connections_per_address_max;
        tokio::spawn(server::run(parts, doors, stop));
        Ok(address)
    })
}
