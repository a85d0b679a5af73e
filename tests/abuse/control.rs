//! The same services without the limits that the product sets: tonic's own server as it comes, a gate that
//! knows of no connection, and a line that may be as long as it likes. What the attacks do to it shows that
//! they can. It listens where the product would, and never outside of this run.

use std::{env, time::Duration};

use anyhow::Result;
use clap::Parser;
use jingqi::surface::{
    address::Proxies,
    config::{RemoteSettings, StoreSettings},
    server::{self, Doors},
    service::{
        gate::Gate,
        pass::passes::Passes,
        pb::{self, truck_pass_service_server::TruckPassServiceServer},
    },
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport::Server};

/// The word by which this program is told to be the control.
pub const CONTROL: &str = "serve-without-limits";

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    kept: StoreSettings,
    #[command(flatten)]
    called: RemoteSettings,
}

/// Serves until it is killed.
pub async fn serve() -> Result<()> {
    let settings = Settings::parse_from(["control"]);
    let parts = server::assemble(&settings.kept, &settings.called)?;
    // The product's own server, for its line and what runs beside; nobody knows its other door.
    let mut doors = Doors::new(TcpListener::bind("127.0.0.1:0").await?);
    doors.web = Some(TcpListener::bind(env::var("JINGQI_WEB_LISTEN")?).await?);
    doors.doorway.connections_per_address_max = usize::MAX;
    doors.doorway.unproven_per_address_max = usize::MAX;
    doors.doorway.preface_within = Duration::from_hours(1);
    doors.line.frame_bytes_max = usize::MAX >> 1;
    doors.line.unproven_frames_max = u32::MAX;
    doors.line.head_within = Duration::from_hours(1);
    let beside = tokio::spawn(server::run(parts.clone(), doors, CancellationToken::new()));
    parts.world.look(&parts.store).await?;

    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
        .build_v1()?;
    let passes = TruckPassServiceServer::new(Passes::new(&parts));
    let routes = Routes::new(health_service).add_service(reflection).add_service(passes);
    let address = env::var("JINGQI_LISTEN")?.parse()?;
    Server::builder()
        .layer(Gate::new(&parts, Proxies::default()))
        .add_routes(routes)
        .serve(address)
        .await?;
    beside.await?
}
