//! The calls of a run, each written into the record: checks, and changes with their twins. Neither decides
//! what is right.

use std::{
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
        self,
        check_pass_request::Observed,
        organisation_service_client::OrganisationServiceClient,
        pass_check::{Outcome, Verdict},
        pass_check_service_client::PassCheckServiceClient,
        truck_pass_service_client::TruckPassServiceClient,
    },
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tonic::{Response, Status, transport::Channel};

use crate::{
    city::City,
    record::{Change, Check, Record, Told},
    server::{Server, channel},
};

/// The patience of somebody who has time.
pub const PATIENCE: Duration = Duration::from_secs(6);
/// Within which a change must be answered, whatever is broken.
const CHANGE_WITHIN: Duration = Duration::from_secs(40);
/// Connections for checks at each server.
const CHECK_CHANNELS: usize = 2;

/// What is done to a pass or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// 暂停.
    Suspend,
    /// 恢复.
    Resume,
    /// 撤回.
    Withdraw,
    /// 撤销.
    Annul,
    /// The key is withdrawn.
    RevokeKey,
}

impl Act {
    const fn makes(self) -> Told {
        if matches!(self, Self::Resume) { Told::Valid } else { Told::Void }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::Suspend => "UNDER_INVESTIGATION",
            Self::Resume => "CAUSE_REMOVED",
            Self::Withdraw => "LAW_OR_FACTS_CHANGED",
            Self::Annul => "WRONGLY_GRANTED",
            Self::RevokeKey => "泄露,须停用",
        }
    }
}

/// To whom a change is sent, and how.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// To this server first.
    pub first: usize,
    /// Its twin goes to this one.
    pub twin: usize,
    /// So much later.
    pub gap: Duration,
    /// Whoever sent the first gives it up after so long.
    pub patience: Duration,
}

/// What was called beside the record.
#[derive(Debug, Default)]
pub struct Tally {
    /// Twins that were sent.
    pub twins: AtomicUsize,
    /// Changes and checks whose caller gave up.
    pub given_up: AtomicUsize,
    /// Calls that were refused or broke off.
    pub failed: AtomicUsize,
}

/// The lines to one server.
#[derive(Clone)]
struct Lines {
    checks: Vec<PassCheckServiceClient<Channel>>,
    passes: TruckPassServiceClient<Channel>,
    keys: OrganisationServiceClient<Channel>,
}

/// Everybody who calls.
#[derive(Clone)]
pub struct Calls {
    /// About what.
    pub city: Arc<City>,
    /// Where it is written down.
    pub record: Arc<Record>,
    /// What is counted beside it.
    pub tally: Arc<Tally>,
    servers: Vec<Lines>,
}

impl Calls {
    /// To these servers.
    pub fn new(city: &Arc<City>, servers: &[Server]) -> Result<Self> {
        let lines = |server: &Server| {
            let checks = (0..CHECK_CHANNELS)
                .map(|_| Ok(PassCheckServiceClient::new(channel(server.address)?)))
                .collect::<Result<_>>()?;
            let writes = channel(server.address)?;
            let passes = TruckPassServiceClient::new(writes.clone());
            Ok(Lines { checks, passes, keys: OrganisationServiceClient::new(writes) })
        };
        Ok(Self {
            city: city.clone(),
            record: Arc::new(Record::begin(city.subjects.len())),
            tally: Arc::default(),
            servers: servers.iter().map(lines).collect::<Result<_>>()?,
        })
    }

    /// How many servers there are.
    pub const fn servers(&self) -> usize {
        self.servers.len()
    }

    /// Checks a code; `None` where nothing was answered in time.
    pub async fn check(
        &self,
        server: usize,
        subject: usize,
        patience: Duration,
    ) -> Result<Option<Check>> {
        let lines = self.servers.get(server).context("a server")?;
        let code = self.city.subjects.get(subject).context("a code")?.code.clone();
        let mut client = lines.checks.get(subject % CHECK_CHANNELS).context("a line")?.clone();
        let request = self.city.device.ask(pb::CheckPassRequest {
            observed: Some(Observed::Code(code)),
            request_id: Ids::system().random().to_string(),
            ..pb::CheckPassRequest::default()
        });
        let began = self.record.now();
        let answer = match timeout(patience, client.check_pass(request)).await {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(_)) => {
                self.tally.failed.fetch_add(1, Ordering::Relaxed);
                return Ok(None);
            }
            Err(_) => {
                self.tally.given_up.fetch_add(1, Ordering::Relaxed);
                return Ok(None);
            }
        };
        let ended = self.record.now();
        let cached = answer.data_as_of.as_ref().is_some_and(|data| data.source == "REDIS");
        let check = Check { subject, server, told: told(&answer), cached, began, ended };
        self.record.checked(check);
        Ok(Some(check))
    }

    /// Makes a change and sends it twice, by one request id; answers with the etag when either is
    /// answered, and asks again until then.
    pub async fn change(&self, subject: usize, act: Act, etag: &str, plan: Plan) -> Result<String> {
        let name = self.city.subjects.get(subject).context("a subject")?.name.clone();
        let asked = Asked { act, name, etag: etag.to_owned(), id: Ids::system().random() };
        let sent = self.record.now();
        let note = |answered, by_twin| {
            self.record.changed(subject, Change { makes: act.makes(), sent, answered, by_twin })
        };
        let mut copies = JoinSet::new();
        copies.spawn(self.copy(&asked, plan.first, Duration::ZERO, plan.patience)?);
        copies.spawn(self.copy(&asked, plan.twin, plan.gap, PATIENCE)?);
        self.tally.twins.fetch_add(1, Ordering::Relaxed);
        let until = Instant::now() + CHANGE_WITHIN;
        let mut next = plan.twin;
        let mut failed = None;
        loop {
            match copies.join_next().await {
                Some(ended) => match ended? {
                    (Ok(etag), wait) => {
                        note(Some(self.record.now()), !wait.is_zero())?;
                        // Whoever is still under way comes too late, and may.
                        copies.detach_all();
                        return Ok(etag);
                    }
                    (Err(status), _) => failed = Some(status),
                },
                None if Instant::now() > until => {
                    note(None, false)?;
                    bail!("{act:?} of {} was never answered: {failed:?}", asked.name);
                }
                None => {
                    sleep(Duration::from_millis(20)).await;
                    next = (next + 1) % self.servers.len();
                    copies.spawn(self.copy(&asked, next, Duration::ZERO, PATIENCE)?);
                }
            }
        }
    }

    /// One sending of a change, after a wait, and given up after a while.
    fn copy(
        &self,
        asked: &Asked,
        server: usize,
        wait: Duration,
        patience: Duration,
    ) -> Result<impl Future<Output = (Result<String, Option<Status>>, Duration)> + Send + 'static>
    {
        let lines = self.servers.get(server).context("a server")?.clone();
        let (asked, city, tally) = (asked.clone(), self.city.clone(), self.tally.clone());
        Ok(async move {
            sleep(wait).await;
            let counted = |count: &AtomicUsize| count.fetch_add(1, Ordering::Relaxed);
            let told = match timeout(patience, asked.send(lines, &city)).await {
                Ok(Ok(etag)) => Ok(etag),
                Ok(Err(status)) => {
                    counted(&tally.failed);
                    Err(Some(status))
                }
                Err(_) => {
                    counted(&tally.given_up);
                    Err(None)
                }
            };
            (told, wait)
        })
    }
}

/// A change as it is asked for.
#[derive(Clone)]
struct Asked {
    act: Act,
    name: String,
    etag: String,
    id: uuid::Uuid,
}

impl Asked {
    async fn send(self, mut lines: Lines, city: &City) -> Result<String, Status> {
        let (name, request_id) = (self.name, self.id.to_string());
        let reason = self.act.reason().to_owned();
        if self.act == Act::RevokeKey {
            let request = pb::RevokeSigningKeyRequest { name, reason, request_id };
            lines.keys.revoke_signing_key(city.security.ask(request)).await?;
            return Ok(String::new());
        }
        let request = city.chief.ask(pb::EndTruckPassRequest {
            name,
            reason_code: reason,
            note: "依据调查结果".to_owned(),
            etag: self.etag,
            request_id,
        });
        let answer = match self.act {
            Act::Suspend => lines.passes.suspend_truck_pass(request).await,
            Act::Resume => lines.passes.resume_truck_pass(request).await,
            Act::Withdraw => lines.passes.withdraw_truck_pass(request).await,
            Act::Annul | Act::RevokeKey => lines.passes.annul_truck_pass(request).await,
        };
        Ok(answer.map(Response::into_inner)?.etag)
    }
}

fn told(answer: &pb::PassCheck) -> Told {
    match (answer.verdict(), answer.outcome()) {
        (Verdict::Valid, _) => Told::Valid,
        (_, Outcome::Suspended | Outcome::Revoked | Outcome::KeyWithdrawn) => Told::Void,
        _ => Told::Neither,
    }
}
