//! The generator: a closed loop over a few connections, the same for every service. It knows
//! nothing of what it drives.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use jingqi::surface::{
    clock::Ids,
    service::pb::{
        self, check_pass_request::Observed, pass_check::Verdict,
        pass_check_service_client::PassCheckServiceClient,
    },
};
use tokio::time::Instant;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

/// How hard it drives.
#[derive(Clone)]
pub struct Load {
    pub connections: usize,
    /// Calls under way on each connection.
    pub in_flight: usize,
    pub warm_up: Duration,
    pub measure: Duration,
}

/// What a run showed.
pub struct Measured {
    pub calls_per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Calls in all, the warm-up included.
    pub calls: u64,
}

fn request(code: &str, bearer: &MetadataValue<Ascii>) -> Request<pb::CheckPassRequest> {
    let mut request = Request::new(pb::CheckPassRequest {
        observed: Some(Observed::Code(code.to_owned())),
        request_id: Ids::system().random().to_string(),
        ..pb::CheckPassRequest::default()
    });
    request.metadata_mut().insert("authorization", bearer.clone());
    request
}

async fn connect(address: SocketAddr) -> Result<PassCheckServiceClient<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    Ok(PassCheckServiceClient::new(endpoint.connect().await?))
}

fn bearer(token: &str) -> Result<MetadataValue<Ascii>> {
    Ok(format!("Bearer {token}").parse()?)
}

/// One call.
pub async fn one(address: SocketAddr, token: &str, code: String) -> Result<pb::PassCheck> {
    let mut client = connect(address).await?;
    Ok(client.check_pass(request(&code, &bearer(token)?)).await?.into_inner())
}

impl Load {
    /// Drives a service; every answer must be a yes.
    pub async fn run(
        &self,
        address: SocketAddr,
        token: &str,
        codes: Vec<String>,
    ) -> Result<Measured> {
        let (codes, next) = (Arc::new(codes), Arc::new(AtomicUsize::new(0)));
        let bearer = bearer(token)?;
        let begin = Instant::now() + self.warm_up;
        let end = begin + self.measure;
        let mut loops = Vec::new();
        for _ in 0..self.connections {
            let client = connect(address).await?;
            for _ in 0..self.in_flight {
                let lane = Lane {
                    client: client.clone(),
                    codes: codes.clone(),
                    next: next.clone(),
                    bearer: bearer.clone(),
                    begin,
                    end,
                };
                loops.push(tokio::spawn(lane.drive()));
            }
        }
        let (mut took_us, mut calls) = (Vec::new(), 0);
        for lane in loops {
            let (of_lane, more) = lane.await??;
            took_us.extend(of_lane);
            calls += more;
        }
        took_us.sort_unstable();
        let at = |share: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "an index into the samples"
            )]
            let index = (took_us.len().saturating_sub(1) as f64 * share) as usize;
            took_us.get(index).map_or(0.0, |us| f64::from(*us) / 1_000.0)
        };
        let count = u32::try_from(took_us.len())?;
        Ok(Measured {
            calls_per_second: f64::from(count) / self.measure.as_secs_f64(),
            p50_ms: at(0.50),
            p99_ms: at(0.99),
            calls,
        })
    }
}

/// One call after the other.
struct Lane {
    client: PassCheckServiceClient<Channel>,
    codes: Arc<Vec<String>>,
    next: Arc<AtomicUsize>,
    bearer: MetadataValue<Ascii>,
    begin: Instant,
    end: Instant,
}

impl Lane {
    async fn drive(mut self) -> Result<(Vec<u32>, u64)> {
        let (mut took_us, mut calls) = (Vec::new(), 0);
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed) % self.codes.len();
            let code = self.codes.get(at).context("no codes")?;
            let request = request(code, &self.bearer);
            let began = Instant::now();
            if began >= self.end {
                return Ok((took_us, calls));
            }
            let answer = self.client.check_pass(request).await?.into_inner();
            if answer.verdict() != Verdict::Valid {
                bail!("not a yes: {answer:?}");
            }
            calls += 1;
            let done = Instant::now();
            if began >= self.begin && done <= self.end {
                took_us.push(u32::try_from(done.duration_since(began).as_micros())?);
            }
        }
    }
}
