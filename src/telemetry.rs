//! Logs, traces and metrics: where they go. What is said stands where it happens.

use anyhow::Context as _;
use opentelemetry::{global, trace::TracerProvider as _};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::TelemetrySettings;

/// Keeps the exporters; flushes what waits when it is dropped.
#[must_use = "dropping it ends the export"]
pub struct Flush(Option<(SdkTracerProvider, SdkMeterProvider)>);

impl Drop for Flush {
    fn drop(&mut self) {
        if let Some((traces, metrics)) = self.0.take() {
            // Nobody is left to tell of a failure.
            let _ = traces.shutdown();
            let _ = metrics.shutdown();
        }
    }
}

/// Starts the log as JSON lines, and the export where a collector is named. Telemetry drops what
/// it cannot send: it is never an audit, and never in the way.
pub fn start(settings: &TelemetrySettings) -> anyhow::Result<Flush> {
    let filter = EnvFilter::try_new(&settings.log).context("JINGQI_LOG")?;
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr);
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    if settings.otlp_endpoint.is_empty() {
        subscriber.try_init().context("a log was started before")?;
        return Ok(Flush(None));
    }
    let resource = Resource::builder().with_service_name("jingqi").build();
    let spans = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&settings.otlp_endpoint)
        .build()
        .context("JINGQI_OTLP_ENDPOINT")?;
    let traces = SdkTracerProvider::builder()
        .with_batch_exporter(spans)
        .with_resource(resource.clone())
        .build();
    let metrics = opentelemetry_otlp::MetricExporter::builder()
        .with_tonic()
        .with_endpoint(&settings.otlp_endpoint)
        .build()
        .context("JINGQI_OTLP_ENDPOINT")?;
    let metrics =
        SdkMeterProvider::builder().with_periodic_exporter(metrics).with_resource(resource).build();
    global::set_meter_provider(metrics.clone());
    let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer("jingqi"));
    subscriber.with(layer).try_init().context("a log was started before")?;
    Ok(Flush(Some((traces, metrics))))
}
