//! What a trace tells of statements: which, how many rows, how long, under the span of the call. Never a value.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use jingqi::surface::{service::pb, store, telemetry};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use sqlx::PgPool;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::harness::{App, PLATE};

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<SpanData>>>);

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Collector {
    /// What is exported at this level of the log goes here from now on, as long as the guard lives.
    fn listen(&self, log: &str) -> tracing::subscriber::DefaultGuard {
        let traces = SdkTracerProvider::builder().with_simple_exporter(self.clone()).build();
        let traced = telemetry::traced(traces.tracer("test"), log).unwrap();
        tracing::subscriber::set_default(tracing_subscriber::registry().with(traced))
    }

    /// What is told under the spans of a method.
    fn told(&self, method: &str) -> Vec<String> {
        let spans = self.0.lock().unwrap();
        let of_method = spans.iter().filter(|span| span.name == method);
        let told = of_method.flat_map(|span| span.events.iter()).map(|event| {
            let facts = event.attributes.iter().map(|fact| format!("{}={}", fact.key, fact.value));
            facts.collect::<Vec<_>>().join(" ")
        });
        told.collect()
    }

    /// The statements among it.
    fn statements(&self, method: &str) -> Vec<String> {
        let told = self.told(method).into_iter();
        told.filter(|told| told.contains("target=sqlx::query")).collect()
    }
}

#[sqlx::test]
async fn a_trace_tells_each_statement_with_rows_and_time_and_without_a_value(pool: PgPool) {
    let collector = Collector::default();
    let _heard = collector.listen("info");
    let app = App::start(pool).await;
    let city = app.city().await;
    let owner = city.enterprise.uuid().to_string();
    let list = pb::ListVehiclesRequest {
        enterprise: city.enterprise.to_string(),
        plate_number: PLATE.to_owned(),
        ..pb::ListVehiclesRequest::default()
    };
    city.boss.enterprises().list_vehicles(list).await.unwrap();
    let statements = collector.statements("EnterpriseService/ListVehicles");
    let listed = statements.iter().find(|told| told.contains("from vehicle"));
    let listed = listed.unwrap_or_else(|| panic!("{statements:?}"));
    for fact in ["summary=select id, enterprise_id, ", "rows_returned=", "elapsed_secs="] {
        assert!(listed.contains(fact), "{fact} is not in {listed}");
    }
    assert!(statements.iter().all(|told| !told.contains(PLATE)), "{statements:?}");
    assert!(statements.iter().all(|told| !told.contains(&owner)), "{statements:?}");
}

#[sqlx::test]
async fn a_slow_statement_is_a_warning(_: PgPool) {
    let collector = Collector::default();
    let _heard = collector.listen("warn");
    let pool = store::pool(&std::env::var("DATABASE_URL").unwrap(), 1).unwrap();
    let span = tracing::error_span!("slow");
    let slow = sqlx::query("select count(*) from generate_series(1, 5000000)").execute(&pool);
    tracing::Instrument::instrument(slow, span).await.unwrap();
    let told = collector.statements("slow");
    let warned = told.iter().filter(|told| told.contains("level=WARN"));
    assert_eq!(warned.count(), 1, "{told:?}");
}

#[sqlx::test]
async fn a_column_that_holds_something_else_is_told_without_what_it_holds(pool: PgPool) {
    let collector = Collector::default();
    let app = App::start(pool.clone()).await;
    let city = app.city().await;
    let spoil = "alter table enterprise drop constraint enterprise_state_known;
        update enterprise set state = 'ELSEWHERE'";
    sqlx::raw_sql(spoil).execute(&pool).await.unwrap();
    let _heard = collector.listen("info");
    let get = pb::GetEnterpriseRequest { name: city.enterprise.to_string() };
    let refused = city.boss.enterprises().get_enterprise(get).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Internal);
    let told = collector.told("EnterpriseService/GetEnterprise");
    let failed =
        told.iter().filter(|told| told.contains("no jingqi::domain::enterprise::EnterpriseState"));
    assert_eq!(failed.count(), 1, "{told:?}");
    assert!(told.iter().all(|told| !told.contains("ELSEWHERE")), "{told:?}");
}
