//! Counts of what happened, in the text form that Prometheus reads.
//!
//! Owns the counters that the doors themselves increment. What else there is to tell (jobs, tablets, disks) comes from
//! [`Gauges`] when it is asked for.

use crate::stream_load::{StreamLoadResult, StreamLoadStatus};
use async_trait::async_trait;
use env::rt::Duration;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name, with its unit at the end, such as `tabularium_backup_sent_bytes_total`.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// Whether it only grows.
    pub kind: SampleKind,
    /// What distinguishes this value from others of the metric.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// Whether a metric only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleKind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl SampleKind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// Values that are looked up when they are asked for.
#[async_trait]
pub trait Gauges: Send + Sync + 'static {
    /// The values of now. Those of one metric stand together.
    async fn samples(&self) -> Vec<Sample>;
}

/// Upper bounds of the histograms' buckets in milliseconds.
const BOUNDS_MS: [u64; 12] = [1, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 60_000, 300_000, 3_600_000];

#[derive(Debug, Default)]
struct Histogram {
    /// Observations at or below each bound, not added up.
    buckets: [AtomicU64; BOUNDS_MS.len()],
    count: AtomicU64,
    sum_micros: AtomicU64,
}

impl Histogram {
    fn observe(&self, took: Duration) {
        let millis = took.as_micros().div_ceil(1_000);
        let bucket = BOUNDS_MS.iter().position(|bound| millis <= u128::from(*bound));
        if let Some(bucket) = bucket.and_then(|index| self.buckets.get(index)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// The doors' counters.
#[derive(Debug, Default)]
pub struct Metrics {
    connections: AtomicU64,
    connections_refused: AtomicU64,
    queries: AtomicU64,
    queries_failed: AtomicU64,
    query_time: Histogram,
    loads_succeeded: AtomicU64,
    loads_failed: AtomicU64,
    load_rows: AtomicU64,
    load_bytes: AtomicU64,
    load_time: Histogram,
}

impl Metrics {
    pub(crate) fn connection_opened(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_refused(&self) {
        self.connections_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A text that was not a statement.
    pub(crate) fn query_failed(&self) {
        self.queries.fetch_add(1, Ordering::Relaxed);
        self.queries_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn query_done(&self, took: Duration, succeeded: bool) {
        self.queries.fetch_add(1, Ordering::Relaxed);
        if !succeeded {
            self.queries_failed.fetch_add(1, Ordering::Relaxed);
        }
        self.query_time.observe(took);
    }

    pub(crate) fn load_done(&self, took: Duration, result: &StreamLoadResult) {
        match result.status {
            StreamLoadStatus::Success | StreamLoadStatus::PublishTimeout => {
                self.loads_succeeded.fetch_add(1, Ordering::Relaxed);
                self.load_rows.fetch_add(result.loaded_rows, Ordering::Relaxed);
                self.load_bytes.fetch_add(result.bytes, Ordering::Relaxed);
            }
            StreamLoadStatus::Fail | StreamLoadStatus::LabelAlreadyExists { .. } => {
                self.loads_failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.load_time.observe(took);
    }

    /// Statements since the start.
    pub(crate) fn queries(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }

    /// All counters, and `samples`, as text.
    pub fn render(&self, samples: &[Sample]) -> String {
        let mut text = Text(String::new());
        text.counter("tabularium_connections_total", "MySQL connections taken.", &self.connections);
        text.counter(
            "tabularium_connections_refused_total",
            "MySQL connections that were not let in.",
            &self.connections_refused,
        );
        text.counter("tabularium_queries_total", "SQL statements.", &self.queries);
        text.counter("tabularium_queries_failed_total", "SQL statements that ended in an error.", &self.queries_failed);
        text.histogram("tabularium_query_seconds", "Time of a SQL statement.", &self.query_time);
        text.head("tabularium_stream_loads_total", "Stream loads by result.", SampleKind::Counter);
        text.value("tabularium_stream_loads_total", &[("status", "success")], &count(&self.loads_succeeded));
        text.value("tabularium_stream_loads_total", &[("status", "fail")], &count(&self.loads_failed));
        text.counter("tabularium_stream_load_rows_total", "Rows loaded by stream loads.", &self.load_rows);
        text.counter("tabularium_stream_load_bytes_total", "Bytes loaded by stream loads.", &self.load_bytes);
        text.histogram("tabularium_stream_load_seconds", "Time of a stream load.", &self.load_time);
        let mut last = "";
        for sample in samples {
            if sample.name != last {
                text.head(sample.name, sample.help, sample.kind);
                last = sample.name;
            }
            let labels: Vec<(&str, &str)> = sample.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
            text.value(sample.name, &labels, &sample.value.to_string());
        }
        text.0
    }
}

fn count(counter: &AtomicU64) -> String {
    counter.load(Ordering::Relaxed).to_string()
}

struct Text(String);

impl Text {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        if self.0.write_fmt(line).is_ok() {
            self.0.push('\n');
        }
    }

    fn head(&mut self, name: &str, help: &str, kind: SampleKind) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {}", kind.name()));
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        if labels.is_empty() {
            return self.line(format_args!("{name} {value}"));
        }
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        self.line(format_args!("{name}{{{}}} {value}", labels.join(",")));
    }

    fn counter(&mut self, name: &str, help: &str, counter: &AtomicU64) {
        self.head(name, help, SampleKind::Counter);
        self.value(name, &[], &count(counter));
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} histogram"));
        let bucket = format!("{name}_bucket");
        let mut below = 0;
        for (bound_ms, observed) in BOUNDS_MS.iter().zip(&histogram.buckets) {
            below += observed.load(Ordering::Relaxed);
            let bound = Duration::from_millis(*bound_ms).as_secs_f64().to_string();
            self.value(&bucket, &[("le", &bound)], &below.to_string());
        }
        let all = histogram.count.load(Ordering::Relaxed);
        // An observation may be counted between the two looks; buckets never exceed the whole.
        self.value(&bucket, &[("le", "+Inf")], &all.max(below).to_string());
        let sum = Duration::from_micros(histogram.sum_micros.load(Ordering::Relaxed)).as_secs_f64();
        self.value(&format!("{name}_sum"), &[], &sum.to_string());
        self.value(&format!("{name}_count"), &[], &all.max(below).to_string());
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests;
