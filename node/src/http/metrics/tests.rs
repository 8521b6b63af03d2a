use super::*;

#[test]
fn counters_and_buckets_are_what_prometheus_reads() {
    let metrics = Metrics::default();
    metrics.connection_opened();
    metrics.query_done(Duration::from_millis(3), true);
    metrics.query_done(Duration::from_secs(2), false);
    metrics.query_failed();
    let mut loaded = StreamLoadResult::failed("l", "OK");
    loaded.status = StreamLoadStatus::Success;
    loaded.loaded_rows = 10;
    loaded.bytes = 100;
    metrics.load_done(Duration::from_hours(2), &loaded);
    let jobs = |state: &str, value| Sample {
        name: "tabularium_jobs",
        help: "Jobs by state.",
        kind: SampleKind::Gauge,
        labels: vec![("state", state.to_owned())],
        value,
    };
    let text = metrics.render(&[jobs("UPLOADING", 1.0), jobs("odd\"one\\\n", 2.5)]);
    for line in [
        "tabularium_connections_total 1",
        "tabularium_queries_total 3",
        "tabularium_queries_failed_total 2",
        "# TYPE tabularium_query_seconds histogram",
        "tabularium_query_seconds_bucket{le=\"0.001\"} 0",
        "tabularium_query_seconds_bucket{le=\"0.005\"} 1",
        "tabularium_query_seconds_bucket{le=\"5\"} 2",
        "tabularium_query_seconds_bucket{le=\"+Inf\"} 2",
        "tabularium_query_seconds_sum 2.003",
        "tabularium_query_seconds_count 2",
        "tabularium_stream_loads_total{status=\"success\"} 1",
        "tabularium_stream_load_rows_total 10",
        "tabularium_stream_load_seconds_bucket{le=\"3600\"} 0",
        "tabularium_stream_load_seconds_bucket{le=\"+Inf\"} 1",
        "# TYPE tabularium_jobs gauge",
        "tabularium_jobs{state=\"UPLOADING\"} 1",
        "tabularium_jobs{state=\"odd\\\"one\\\\\\n\"} 2.5",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
    }
    assert_eq!(text.matches("# TYPE tabularium_jobs ").count(), 1, "a metric's head stands once");
}
