//! Assembles the server: gate, services, health, reflection, limits, graceful stop. No service's
//! own work.

mod doorway;
mod serving;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use object_store::local::LocalFileSystem;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::ServingStatus;

use crate::{
    address::Proxies,
    clock::{Clock, Ids},
    config::{RemoteSettings, StoreSettings},
    domain::common::notice::fields::Templates,
    parts::Parts,
    remote::{self, sms::Sms, webhook::Webhooks, wechat::Wechat, wecom::Wecom},
    service::{
        self,
        gate::{Gate, REQUEST_BYTES_MAX},
        pb::{
            self, calendar_service_server::CalendarServiceServer,
            centre_service_server::CentreServiceServer,
            complaint_service_server::ComplaintServiceServer,
            conduct_report_service_server::ConductReportServiceServer,
            conversation_service_server::ConversationServiceServer,
            enterprise_service_server::EnterpriseServiceServer,
            evaluation_service_server::EvaluationServiceServer,
            identity_service_server::IdentityServiceServer,
            liaison_service_server::LiaisonServiceServer,
            notice_service_server::NoticeServiceServer,
            organisation_service_server::OrganisationServiceServer,
            pass_application_service_server::PassApplicationServiceServer,
            pass_check_service_server::PassCheckServiceServer,
            proposal_service_server::ProposalServiceServer,
            truck_pass_service_server::TruckPassServiceServer,
        },
    },
    store::{self, Cache, Store, Vault, World, duty::escalations},
    web::{Front, LineLimits, Origins},
};

pub use doorway::Doorway;

/// The largest message that is sent.
const REPLY_BYTES_MAX: usize = 1024 * 1024;
/// The largest message to health and reflection, which go by the gate: four megabytes are usual.
const TOOL_BYTES_MAX: usize = 4 * 1024;
/// How often readiness is looked at.
const READINESS_INTERVAL: Duration = Duration::from_secs(1);
/// How long calls under way may take once the server was told to stop: longer than any call may, and
/// shorter than who stops it waits before killing it (`stop_grace_period`).
pub const DRAIN: Duration = Duration::from_secs(8);
/// The name under which health says whether obligations are swept (I18).
pub const SWEEP: &str = "jingqi.obligations";

/// Makes the parts from the configuration.
///
/// # Errors
/// Names the variable that is wrong.
pub fn assemble(kept: &StoreSettings, called: &RemoteSettings) -> anyhow::Result<Parts> {
    let vault = Vault::new(&kept.master_key()?)?;
    let cache = match kept.redis() {
        Some(url) => Cache::connect(url, &kept.redis_prefix)?,
        None => Cache::Absent,
    };
    let pool = store::pool(kept.database_url.reveal(), kept.connections_max)?;
    std::fs::create_dir_all(&kept.attachment_dir)?;
    let sms = (!called.sms_url.is_empty())
        .then(|| {
            let key = remote::Secret::new(called.sms_key.reveal());
            Sms::new(&called.sms_url, key, &called.sms_template, remote::Limits::default())
        })
        .transpose()?;
    let wechat = Wechat::new(
        &called.wechat_base_url,
        &called.wechat_appid,
        remote::Secret::new(called.wechat_secret.reveal()),
        remote::Limits::default(),
    )?;
    let wecom = (!called.wecom_corpid.is_empty())
        .then(|| {
            let secret = remote::Secret::new(called.wecom_secret.reveal());
            let limits = remote::Limits::default();
            Wecom::new(&called.wecom_base_url, &called.wecom_corpid, secret, limits)
        })
        .transpose()?
        .map(|wecom| match called.wecom_agent_id {
            0 => wecom,
            agent => wecom.with_agent(agent),
        });
    let templates = Templates::parse(&called.wechat_templates)
        .map_err(|wrong| anyhow::anyhow!("JINGQI_WECHAT_TEMPLATES: {wrong}"))?
        .with_page(&called.wechat_notice_page);
    let webhooks = Webhooks::new(remote::Limits::default(), called.webhook_private);
    Ok(Parts {
        wecom: wecom.map(Arc::new),
        templates: Arc::new(templates),
        webhooks: Arc::new(webhooks),
        store: Store::new(pool, cache, vault).with_limits_factor(kept.limits_factor),
        world: World::default(),
        clock: Clock::System,
        ids: Ids::system(),
        wechat: Arc::new(wechat),
        sms: sms.map(Arc::new),
        files: Arc::new(LocalFileSystem::new_with_prefix(&kept.attachment_dir)?),
    })
}

/// Where a server listens, and to whom.
pub struct Doors {
    /// Where everything is served.
    pub grpc: TcpListener,
    /// Where the same is served again, if anywhere: at an address for a network of its own.
    pub web: Option<TcpListener>,
    /// Who may come in, at each of them.
    pub doorway: Doorway,
    /// Whose word on who called is taken; nobody's, unless they are named.
    pub proxies: Proxies,
    /// What one line may take.
    pub line: LineLimits,
    /// The pages of other origins that may call.
    pub origins: Origins,
    /// Whether tools may ask what services there are.
    pub reflection: bool,
    /// How long calls under way may take once the server was told to stop.
    pub drain: Duration,
}

impl Doors {
    /// One address, with the limits of the product.
    #[must_use]
    pub fn new(grpc: TcpListener) -> Self {
        Self {
            grpc,
            web: None,
            doorway: Doorway::default(),
            proxies: Proxies::default(),
            line: LineLimits::default(),
            origins: Origins::default(),
            reflection: true,
            drain: DRAIN,
        }
    }
}

/// Serves until it is told to stop; calls under way are answered first, within [`Doors::drain`]: a
/// stranger who holds a stream open must not keep a server from ending.
pub async fn run(parts: Parts, doors: Doors, stop: CancellationToken) -> anyhow::Result<()> {
    let drain = doors.drain;
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        served = serve(parts, doors, stop.clone()) => served,
        () = overdue => {
            tracing::warn!("calls under way were cut");
            Ok(())
        }
    }
}

async fn serve(parts: Parts, doors: Doors, stop: CancellationToken) -> anyhow::Result<()> {
    // Connects now, so that the first call does not wait for it; away is an answer too.
    parts.store.cache().answers().await;
    let lease = parts.world.clone().keep(parts.store.clone(), stop.clone());
    let lease = tokio::spawn(lease);
    let wakeups = parts.store.wakeups().clone().keep(parts.store.clone(), stop.clone());
    let wakeups = tokio::spawn(wakeups);
    let (health, health_service) = tonic_health::server::health_reporter();
    for named in ["", SWEEP] {
        health.set_service_status(named, ServingStatus::NotServing).await;
    }
    let ready = Arc::new(AtomicBool::new(false));
    let readiness = watch_readiness(parts.clone(), health, ready.clone(), stop.clone());
    let readiness = tokio::spawn(readiness);

    // One gate for all doors and tongues: a call is the same call, whatever brought it.
    let gate = Gate::new(&parts, doors.proxies.clone());
    let health_service = health_service.max_decoding_message_size(TOOL_BYTES_MAX);
    let routes = add_services(Routes::new(health_service), &parts);
    let routes = if doors.reflection { add_reflection(routes)? } else { routes };
    let front = Front::new(&gate, routes.prepare(), doors.line, doors.origins, ready, stop.clone());
    let open = |listener| {
        let guests = doors.doorway.open(listener, doors.proxies.clone(), stop.clone());
        serving::serve(front.clone(), guests, stop.clone())
    };
    let web = doors.web.map(|listener| tokio::spawn(open(listener)));
    open(doors.grpc).await;
    stop.cancel();
    if let Some(web) = web {
        web.await?;
    }
    front.closed().await;
    lease.await?;
    wakeups.await?;
    readiness.await?;
    Ok(())
}

/// The older protocol too: Python's client knows no other.
fn add_reflection(routes: Routes) -> anyhow::Result<Routes> {
    let reflected = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let older = reflected().build_v1alpha()?.max_decoding_message_size(TOOL_BYTES_MAX);
    let newer = reflected().build_v1()?.max_decoding_message_size(TOOL_BYTES_MAX);
    Ok(routes.add_service(newer).add_service(older))
}

fn add_services(routes: Routes, parts: &Parts) -> Routes {
    macro_rules! limited {
        ($server:ident, $room:expr) => {
            $server::new($room)
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(REPLY_BYTES_MAX)
        };
    }
    routes
        .add_service(limited!(IdentityServiceServer, service::identity::Identity::new(parts)))
        .add_service(limited!(
            OrganisationServiceServer,
            service::identity::organisation::Organisation::new(parts)
        ))
        .add_service(limited!(
            EnterpriseServiceServer,
            service::enterprise::enterprises::Enterprises::new(parts)
        ))
        .add_service(limited!(
            PassApplicationServiceServer,
            service::pass::applications::Applications::new(parts)
        ))
        .add_service(limited!(TruckPassServiceServer, service::pass::passes::Passes::new(parts)))
        .add_service(limited!(PassCheckServiceServer, service::pass::checks::Checks::new(parts)))
        .add_service(limited!(
            CalendarServiceServer,
            service::duty::calendars::Calendars::new(parts)
        ))
        .add_service(limited!(CentreServiceServer, service::liaison::centre::Centre::new(parts)))
        .add_service(limited!(LiaisonServiceServer, service::liaison::Liaison::new(parts)))
        .add_service(limited!(
            ConversationServiceServer,
            service::liaison::conversations::Conversations::new(parts)
        ))
        .add_service(limited!(NoticeServiceServer, service::common::notices::Notices::new(parts)))
        .add_service(limited!(
            ComplaintServiceServer,
            service::complaint::complaints::Complaints::new(parts)
        ))
        .add_service(limited!(
            ConductReportServiceServer,
            service::conduct::ConductReports::new(parts)
        ))
        .add_service(limited!(
            ProposalServiceServer,
            service::identity::proposals::Proposals::new(parts)
        ))
        .add_service(limited!(
            EvaluationServiceServer,
            service::common::evaluations::Evaluations::new(parts)
        ))
}

/// Ready while PostgreSQL answers and its clock agrees with ours: Redis may be away, the product then
/// runs slower. Whether anybody sweeps is told apart: no server serves better when one that can be
/// reached is taken away.
async fn watch_readiness(
    parts: Parts,
    mut health: tonic_health::server::HealthReporter,
    told: Arc<AtomicBool>,
    stop: CancellationToken,
) {
    let (mut ready, mut swept) = (false, None);
    loop {
        let answers = parts.store.ping().await.is_ok() && parts.world.agrees(&parts.clock).is_ok();
        let beats = answers && sweep_beats(&parts).await.unwrap_or(false);
        if swept != Some(beats) {
            let status = if beats { ServingStatus::Serving } else { ServingStatus::NotServing };
            health.set_service_status(SWEEP, status).await;
            if !beats {
                tracing::error!("nobody sweeps the obligations: what is late stays unseen");
            }
            swept = Some(beats);
        }
        if answers != ready {
            let status = if answers { ServingStatus::Serving } else { ServingStatus::NotServing };
            health.set_service_status("", status).await;
            tracing::info!(ready = answers, "readiness changed");
            ready = answers;
            told.store(ready, Ordering::Relaxed);
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(READINESS_INTERVAL) => {}
        }
    }
    told.store(false, Ordering::Relaxed);
    for named in [SWEEP, ""] {
        health.set_service_status(named, ServingStatus::NotServing).await;
        // Whoever watches is told, and its stream ends.
        health.clear_service_status(named).await;
    }
}

/// Whether the last good sweep is young enough.
async fn sweep_beats(parts: &Parts) -> crate::error::Result<bool> {
    let mut connection = parts.store.read().await?;
    let beat = escalations::last_beat(&mut connection, escalations::SWEEP).await?;
    Ok(beat.is_some_and(|beat| beat.duration_until(parts.clock.now()) <= escalations::SWEPT_WITHIN))
}
