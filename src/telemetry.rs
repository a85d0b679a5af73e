//! Logs, traces and metrics: where they go. What is said stands where it happens.
//!
//! Every statement is told under the span of its call, by sqlx itself: its text, which holds no value, how many
//! rows, how long. In an exported trace always; in the log at `debug`, or where it was slow.

use anyhow::Context as _;
use opentelemetry::{global, trace::TracerProvider as _};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    trace::{SdkTracer, SdkTracerProvider},
};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, layer::SubscriberExt as _, registry::LookupSpan, util::SubscriberInitExt as _,
};

use crate::{config::TelemetrySettings, store::STATEMENTS};

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
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_filter(EnvFilter::try_new(&settings.log).context("JINGQI_LOG")?);
    let subscriber = tracing_subscriber::registry().with(lines);
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
    let traced = traced(traces.tracer("jingqi"), &settings.log)?;
    subscriber.with(traced).try_init().context("a log was started before")?;
    Ok(Flush(Some((traces, metrics))))
}

/// What a trace holds: what is logged, and every statement.
pub fn traced<S>(tracer: SdkTracer, log: &str) -> anyhow::Result<impl Layer<S> + use<S>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = EnvFilter::try_new(format!("{log},{STATEMENTS}")).context("JINGQI_LOG")?;
    Ok(tracing_opentelemetry::layer().with_tracer(tracer).with_filter(filter))
}
