//! The benchmark of the desks' lists: a million complaints, two million checks, and the first page of each list
//! with each filter and for each role, by gRPC. Goal: 10 ms. Never a timed test.
//!
//! ```sh
//! deploy/services start bench && eval "$(deploy/services env bench)"
//! cargo bench --bench desk                            # --complaints 300000 for a smaller bureau
//! deploy/services stop bench --purge
//! ```
//!
//! A database of its own is made on the server that is named, and dropped again.

#![expect(clippy::print_stdout, reason = "a program of its own: it prints its table")]

mod bureau;
mod database;
mod serving;

use std::{env, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use jingqi::surface::{
    id::kind,
    service::pb::{
        self, centre_service_client::CentreServiceClient, complaint::Category, complaint::State,
        complaint_service_client::ComplaintServiceClient,
        evaluation_service_client::EvaluationServiceClient,
        pass_check_service_client::PassCheckServiceClient,
    },
};
use tokio::{runtime::Runtime, time::Instant};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use crate::{
    bureau::{Bureau, Reader, reader},
    serving::serve,
};

/// Calls of each list, one after the other, and those before that are not measured.
const CALLS: usize = 100;
const WARM_UP: usize = 12;
/// Calls of the figures.
const FIGURES_CALLS: usize = 5;
/// How many pages of a hundred lie before the deep one.
const DEEP_PAGES: usize = 100;
const GOAL_MS: f64 = 10.0;

/// A list that somebody asks for.
enum Ask {
    Complaints(pb::ListComplaintsRequest),
    Similar(String),
    Stuck(pb::ListStuckTransfersRequest),
    Escalations(pb::ListEscalationsRequest),
    Evaluations(pb::ListEvaluationsRequest),
    Points(pb::ListMeetingPointsRequest),
    Figures(pb::GetServiceFiguresRequest),
    Checks(pb::ListPassChecksRequest),
}

struct Question<'a> {
    who: &'static str,
    what: String,
    by: &'a Reader,
    ask: Ask,
}

struct Answered {
    entries: usize,
    median_ms: f64,
    worst_ms: f64,
}

fn main() -> Result<()> {
    // `cargo test --benches` only looks whether it runs.
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let mut arguments = env::args().skip_while(|argument| argument != "--complaints");
    let complaints = match arguments.nth(1) {
        Some(text) => text.parse().context("--complaints needs a number")?,
        None => 1_000_000,
    };
    let database_url = env::var("DATABASE_URL").context("DATABASE_URL")?;
    let redis_url = env::var("REDIS_URL").context("REDIS_URL")?;
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    // Server and reader share the cores, never a scheduler.
    let (serving, driving) = (runtime()?, runtime()?);
    let (own_url, database) = driving.block_on(database::create(&database_url))?;
    let measured = look(&own_url, &redis_url, complaints, &serving, &driving);
    serving.shutdown_timeout(Duration::from_secs(2));
    driving.block_on(database::remove(&database_url, &database))?;
    measured
}

/// Builds the bureau, serves it, and looks at its lists.
fn look(
    own_url: &str,
    redis_url: &str,
    complaints: usize,
    serving: &Runtime,
    driving: &Runtime,
) -> Result<()> {
    let began = Instant::now();
    let bureau = serving.block_on(Bureau::build(own_url, redis_url, complaints))?;
    println!("{}", serving.block_on(bureau.told())?);
    println!("filled within {:.0} s\n", began.elapsed().as_secs_f64());
    let stop = CancellationToken::new();
    let address = serve(serving, &bureau.parts, &stop)?;
    let measured = driving.block_on(measure(&bureau, address));
    stop.cancel();
    measured
}

/// Everything that is asked, in the order of the table.
async fn questions<'a>(
    bureau: &'a Bureau,
    patrols: &'a [(&'static str, Reader); 2],
    channel: &Channel,
) -> Result<Vec<Question<'a>>> {
    let mut all = Vec::new();
    let readers = [
        ("large enterprise", &bureau.large),
        ("small enterprise", &bureau.small),
        ("assigner of the city", &bureau.city_assigner),
        ("assigner of a district", &bureau.district_assigner),
        ("handler's brigade", &bureau.handler),
    ];
    for (who, by) in readers {
        let mut add = |what: &str, ask| all.push(Question { who, what: what.to_owned(), by, ask });
        for (what, request) in complaint_lists() {
            add(&format!("ListComplaints {what}"), Ask::Complaints(request));
        }
    }
    let deep = deep_page(bureau, channel).await?;
    let (who, by) = ("assigner of the city", &bureau.city_assigner);
    all.push(Question { who, what: "ListComplaints page 101".to_owned(), by, ask: deep });
    for (who, name) in
        [("of the large enterprise", &bureau.of_large), ("of a small one", &bureau.of_small)]
    {
        let (what, by) = ("ListSimilarComplaints".to_owned(), &bureau.city_assigner);
        all.push(Question { who, what, by, ask: Ask::Similar(name.clone()) });
    }
    let police = [
        ("assigner of the city", &bureau.city_assigner),
        ("assigner of a district", &bureau.district_assigner),
    ];
    for (who, by) in police {
        let what = "ListStuckTransfers".to_owned();
        let ask = Ask::Stuck(pb::ListStuckTransfersRequest::default());
        all.push(Question { who, what, by, ask });
    }
    for (who, by) in police.into_iter().chain([("handler's brigade", &bureau.handler)]) {
        all.extend(of_police(bureau, who, by));
    }
    for (who, by) in [("large enterprise", &bureau.large), ("small enterprise", &bureau.small)] {
        all.extend(of_enterprise(who, by));
    }
    for (who, by) in patrols {
        let ask = Ask::Checks(pb::ListPassChecksRequest::default());
        all.push(Question { who, what: "ListPassChecks".to_owned(), by, ask });
    }
    let (who, by) = ("leader of the city", &bureau.leader);
    let until = bureau.parts.clock.now().as_second() - 30 * 86_400;
    let stamp = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let figures = pb::GetServiceFiguresRequest {
        from_time: stamp(until - 30 * 86_400),
        until_time: stamp(until),
        grouping: pb::get_service_figures_request::Grouping::Unit.into(),
    };
    let what = "GetServiceFigures of a month, by unit".to_owned();
    all.push(Question { who, what, by, ask: Ask::Figures(figures) });
    Ok(all)
}

fn complaint_lists() -> Vec<(&'static str, pb::ListComplaintsRequest)> {
    let narrowed = |state: State, category: Category| pb::ListComplaintsRequest {
        state: state.into(),
        category: category.into(),
        ..pb::ListComplaintsRequest::default()
    };
    let (any_state, any_category) = (State::Unspecified, Category::Unspecified);
    vec![
        ("", narrowed(any_state, any_category)),
        ("common state", narrowed(State::Closed, any_category)),
        ("rare state", narrowed(State::Escalated, any_category)),
        ("common category", narrowed(any_state, Category::Consultation)),
        ("rare category", narrowed(any_state, Category::Urgent)),
        ("common state, rare category", narrowed(State::Closed, Category::Urgent)),
        ("rare state, common category", narrowed(State::Submitted, Category::Consultation)),
        ("rare state, rare category", narrowed(State::Returned, Category::Urgent)),
    ]
}

fn of_police<'a>(bureau: &Bureau, who: &'static str, by: &'a Reader) -> Vec<Question<'a>> {
    let mut all = Vec::new();
    for (level, unsettled) in [
        ("", false),
        ("", true),
        ("RED", false),
        ("RED", true),
        ("CRITICISED", false),
        ("CRITICISED", true),
    ] {
        let level_told = if level.is_empty() { "all levels" } else { level };
        let told = if unsettled { ", unsettled" } else { "" };
        let ask = Ask::Escalations(pb::ListEscalationsRequest {
            level: level.to_owned(),
            unsettled,
            ..Default::default()
        });
        all.push(Question { who, what: format!("ListEscalations {level_told}{told}"), by, ask });
    }
    let mut lists = vec![
        ("", pb::ListMeetingPointsRequest::default()),
        ("open", pb::ListMeetingPointsRequest { open: true, ..Default::default() }),
    ];
    if who.ends_with("city") {
        let unit = bureau.district.clone();
        lists.push(("of a unit", pb::ListMeetingPointsRequest { unit, ..Default::default() }));
    }
    for (what, request) in lists {
        let what = format!("ListMeetingPoints {what}");
        all.push(Question { who, what, by, ask: Ask::Points(request) });
    }
    all
}

fn of_enterprise<'a>(who: &'static str, by: &'a Reader) -> Vec<Question<'a>> {
    use pb::service_evaluation::State as Said;
    let mut all = Vec::new();
    for (what, state) in [
        ("", Said::Unspecified),
        ("invited", Said::Invited),
        ("rated", Said::Rated),
        ("unrated", Said::Unrated),
    ] {
        let request = pb::ListEvaluationsRequest { state: state.into(), ..Default::default() };
        let what = format!("ListEvaluations {what}");
        all.push(Question { who, what, by, ask: Ask::Evaluations(request) });
    }
    let ask = Ask::Points(pb::ListMeetingPointsRequest::default());
    all.push(Question { who, what: "ListMeetingPoints".to_owned(), by, ask });
    all
}

/// Turns a hundred pages of a hundred.
async fn deep_page(bureau: &Bureau, channel: &Channel) -> Result<Ask> {
    let mut client = ComplaintServiceClient::new(channel.clone());
    let mut request = pb::ListComplaintsRequest { page_size: 100, ..Default::default() };
    for _ in 0..DEEP_PAGES {
        let asked = bureau.city_assigner.ask(request.clone());
        let reply = client.list_complaints(asked).await?.into_inner();
        if reply.next_page_token.is_empty() {
            break;
        }
        request.page_token = reply.next_page_token;
    }
    request.page_size = 20;
    Ok(Ask::Complaints(request))
}

async fn measure(bureau: &Bureau, address: SocketAddr) -> Result<()> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    let channel = endpoint.connect().await?;
    println!(
        "| list | who asks | entries | median ms | worst ms | ≤ {GOAL_MS} ms |\n|---|---|---|---|---|---|"
    );
    let mut missed = 0;
    let patrols = [
        ("officer of a checkpoint", reader::<kind::Officer>(&bureau.parts, "000005").await?),
        ("officer of one without checks", reader::<kind::Officer>(&bureau.parts, "000006").await?),
    ];
    for question in questions(bureau, &patrols, &channel).await? {
        let answered = answer(&channel, &question).await?;
        let goal = match question.ask {
            Ask::Figures(_) => "",
            _ if answered.median_ms <= GOAL_MS => "yes",
            _ => "NO",
        };
        missed += usize::from(goal == "NO");
        println!(
            "| {} | {} | {} | {:.2} | {:.2} | {goal} |",
            question.what.trim_end(),
            question.who,
            answered.entries,
            answered.median_ms,
            answered.worst_ms,
        );
    }
    println!("\n{missed} lists miss the goal; medians of {CALLS} calls each.");
    Ok(())
}

async fn answer(channel: &Channel, question: &Question<'_>) -> Result<Answered> {
    let (calls, warm_up) = match question.ask {
        Ask::Figures(_) => (FIGURES_CALLS, 0),
        _ => (CALLS, WARM_UP),
    };
    let (mut entries, mut took_ms) = (0, Vec::with_capacity(calls));
    for call in 0..calls + warm_up {
        let began = Instant::now();
        entries = ask(channel, question).await?;
        if call >= warm_up {
            took_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    took_ms.sort_by(f64::total_cmp);
    let median_ms = took_ms.get(took_ms.len() / 2).copied().unwrap_or_default();
    Ok(Answered { entries, median_ms, worst_ms: took_ms.last().copied().unwrap_or_default() })
}

async fn ask(channel: &Channel, question: &Question<'_>) -> Result<usize> {
    let mut complaints = ComplaintServiceClient::new(channel.clone());
    let mut evaluations = EvaluationServiceClient::new(channel.clone());
    let mut centre = CentreServiceClient::new(channel.clone());
    let mut checks = PassCheckServiceClient::new(channel.clone());
    let by = question.by;
    Ok(match &question.ask {
        Ask::Complaints(request) => {
            let reply = complaints.list_complaints(by.ask(request.clone())).await?;
            reply.into_inner().complaints.len()
        }
        Ask::Similar(name) => {
            let request = by.ask(pb::GetComplaintRequest { name: name.clone() });
            complaints.list_similar_complaints(request).await?.into_inner().complaints.len()
        }
        Ask::Stuck(request) => {
            let reply = complaints.list_stuck_transfers(by.ask(request.clone())).await?;
            reply.into_inner().complaints.len()
        }
        Ask::Escalations(request) => {
            let reply = complaints.list_escalations(by.ask(request.clone())).await?;
            reply.into_inner().escalations.len()
        }
        Ask::Evaluations(request) => {
            let reply = evaluations.list_evaluations(by.ask(request.clone())).await?;
            reply.into_inner().evaluations.len()
        }
        Ask::Points(request) => {
            let reply = centre.list_meeting_points(by.ask(request.clone())).await?;
            reply.into_inner().meeting_points.len()
        }
        Ask::Checks(request) => {
            let reply = checks.list_pass_checks(by.ask(request.clone())).await?;
            reply.into_inner().pass_checks.len()
        }
        Ask::Figures(request) => {
            evaluations.get_service_figures(by.ask(*request)).await?.into_inner().rows.len()
        }
    })
}
