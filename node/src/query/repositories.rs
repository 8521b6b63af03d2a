//! The tables of `information_schema` about repositories: what only the repositories themselves can tell.

use super::information_schema::{NO_NUMBER, NO_TEXT, Table, Value, number, text};
use crate::account::Access;
use crate::error::EngineError;
use crate::privilege::{Object, Privilege};
use catalog::records::RetentionRecord;
use env::rt::Duration;
use snapshot::view::time_text;
use snapshot::{Jobs, RepositoryOverview, SessionStanding, SnapshotFacts, SnapshotOverview};

/// Their names.
const TABLES: [&str; 6] =
    ["backup_jobs", "repositories", "repository_sessions", "restore_jobs", "snapshots", "verify_findings"];

/// One of the tables; `None` when it is none of these.
///
/// # Errors
/// 1227 without REPOSITORY on SYSTEM; what the catalog says. A repository that does not answer is told in its row.
pub(super) async fn table(jobs: &Jobs, access: &Access, name: &str) -> Result<Option<Table>, EngineError> {
    if !TABLES.contains(&name) {
        return Ok(None);
    }
    access.require(Privilege::Repository, &Object::System)?;
    Ok(Some(match name {
        "repositories" => repositories(jobs).await?,
        "repository_sessions" => sessions(jobs).await?,
        "snapshots" => snapshots(jobs).await?,
        "verify_findings" => findings(jobs).await?,
        other => return super::job_tables::table(jobs, access, other).await,
    }))
}

pub(super) fn time(unix_ms: Option<u64>) -> Value {
    Value::Text(time_text(unix_ms))
}

pub(super) fn optional_number(value: Option<u64>) -> Value {
    value.map_or(NO_NUMBER, number)
}

pub(super) fn yes_no(yes: bool) -> Value {
    text(if yes { "YES" } else { "NO" })
}

/// As it is written in ALTER REPOSITORY.
fn retention_text(retention: RetentionRecord) -> String {
    let RetentionRecord { keep_last, keep_within_ms, min } = retention;
    let within = keep_within_ms.map(|ms| humantime::format_duration(Duration::from_millis(ms)));
    let clauses = [
        keep_last.map(|last| format!("KEEP LAST {last}")),
        within.map(|within| format!("KEEP WITHIN '{within}'")),
        Some(format!("MIN {min}")),
    ];
    clauses.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

async fn repositories(jobs: &Jobs) -> Result<Table, EngineError> {
    let columns = vec![
        "repository",
        "location",
        "read_only",
        "created",
        "generation",
        "snapshots",
        "held_snapshots",
        "open_sessions",
        "retention",
        "last_sweep",
        "last_sweep_bytes",
        "swept_bytes",
        "garbage_bytes",
        "expired_snapshots",
        "upkeep_failures",
        "last_error",
        "status",
    ];
    let mut rows = Vec::new();
    for RepositoryOverview { record, upkeep, now } in jobs.repository_overviews().await? {
        let upkeep = upkeep.as_ref();
        let of_now = |pick: fn(&snapshot::RepositoryNow) -> u64| optional_number(now.as_ref().ok().map(pick));
        let of_upkeep = |pick: fn(&catalog::records::UpkeepRecord) -> u64| optional_number(upkeep.map(pick));
        rows.push(vec![
            text(&record.name),
            text(&record.location),
            yes_no(record.read_only),
            time(Some(record.created_ms)),
            of_now(|now| now.generation),
            of_now(|now| now.snapshots),
            of_now(|now| now.held),
            of_now(|now| now.sessions),
            record.retention.map_or(NO_TEXT, |retention| text(retention_text(retention))),
            time(upkeep.and_then(|upkeep| upkeep.swept_ms)),
            of_upkeep(|upkeep| upkeep.swept_bytes),
            of_upkeep(|upkeep| upkeep.swept_total_bytes),
            of_upkeep(|upkeep| upkeep.garbage_bytes),
            of_upkeep(|upkeep| upkeep.expired_total),
            of_upkeep(|upkeep| upkeep.failed_total),
            Value::Text(upkeep.and_then(|upkeep| upkeep.error.clone())),
            text(now.as_ref().map_or_else(|why| format!("ERROR: {why}"), |_| "OK".to_owned())),
        ]);
    }
    Ok((columns, rows))
}

async fn sessions(jobs: &Jobs) -> Result<Table, EngineError> {
    let columns =
        vec!["repository", "session", "purpose", "owner", "opened", "generation", "commits_since", "job", "standing"];
    let row = |session: snapshot::SessionOverview| {
        let (job, standing) = match session.standing {
            SessionStanding::Running(job) => (number(job.0), "RUNNING"),
            SessionStanding::Ending(job) => (number(job.0), "ENDING"),
            SessionStanding::Foreign => (NO_NUMBER, "FOREIGN"),
        };
        vec![
            text(session.repository),
            text(session.info.id.to_string()),
            text(session.info.purpose.to_string()),
            text(session.info.owner),
            time(Some(session.info.opened_ms)),
            number(session.info.generation.0),
            number(session.info.commits_since),
            job,
            text(standing),
        ]
    };
    Ok((columns, jobs.session_overviews().await?.into_iter().map(row).collect()))
}

async fn snapshots(jobs: &Jobs) -> Result<Table, EngineError> {
    let columns = vec![
        "repository",
        "label",
        "timestamp",
        "database",
        "cluster",
        "created",
        "finished",
        "tables",
        "tablets",
        "files",
        "bytes",
        "sent",
        "stored",
        "unique_bytes",
        "shared_bytes",
        "freed_if_dropped",
        "held",
        "hold_reason",
        "expires",
        "last_verified",
        "last_verify_level",
        "verdict",
        "last_proven",
        "status",
    ];
    let rows = jobs.snapshot_overviews().await?.into_iter().map(|SnapshotOverview { repository, snapshot }| {
        let facts = match snapshot {
            Ok(facts) => facts,
            Err(why) => {
                let mut row = vec![text(repository)];
                row.extend(columns.iter().skip(1).map(|column| match *column {
                    "tables" | "tablets" | "files" | "bytes" | "sent" | "stored" | "unique_bytes" | "shared_bytes"
                    | "freed_if_dropped" => NO_NUMBER,
                    "status" => text(format!("ERROR: {why}")),
                    _ => NO_TEXT,
                }));
                return row;
            }
        };
        snapshot_row(repository, facts)
    });
    let rows = rows.collect();
    Ok((columns, rows))
}

fn snapshot_row(repository: String, facts: SnapshotFacts) -> Vec<Value> {
    let SnapshotFacts { summary, usage, proof } = facts;
    let cost = |pick: fn(&repository::SnapshotUsage) -> u64| optional_number(usage.as_ref().ok().map(pick));
    let of_proof = |pick: fn(&catalog::records::ProofRecord) -> String| Value::Text(proof.as_ref().map(pick));
    vec![
        text(repository),
        text(summary.label),
        text(summary.timestamp),
        text(summary.database),
        text(summary.cluster),
        time(Some(summary.created_ms)),
        time(Some(summary.finished_ms)),
        number(summary.tables),
        number(summary.tablets),
        number(summary.files),
        number(summary.bytes),
        number(summary.bytes_sent),
        cost(|usage| usage.stored_bytes),
        cost(|usage| usage.unique_bytes),
        cost(|usage| usage.shared_bytes),
        // A held one cannot be dropped, and gives as much when it can.
        cost(|usage| usage.unique_bytes),
        yes_no(summary.hold.is_some()),
        Value::Text(summary.hold.map(|hold| hold.reason)),
        time(summary.expires_ms),
        time(proof.as_ref().map(|proof| proof.verified_ms)),
        of_proof(|proof| proof.level.clone()),
        of_proof(|proof| proof.verdict.clone()),
        time(proof.as_ref().and_then(|proof| proof.proven_ms)),
        text(usage.as_ref().map_or_else(|why| format!("ERROR: its costs are not known: {why}"), |_| "OK".to_owned())),
    ]
}

async fn findings(jobs: &Jobs) -> Result<Table, EngineError> {
    let columns = vec![
        "job",
        "repository",
        "kind",
        "severity",
        "object",
        "byte_offset",
        "file",
        "expected",
        "found",
        "snapshots",
        "snapshots_total",
        "tables",
        "tables_total",
        "advice",
    ];
    let mut rows = Vec::new();
    for job in jobs.verifiers(None).await? {
        for finding in jobs.findings(job.id).await? {
            rows.push(vec![
                number(job.id.0),
                text(&job.repository_name),
                text(finding.kind),
                text(finding.severity),
                text(finding.object),
                number(finding.offset),
                Value::Text(finding.file),
                text(finding.expected),
                text(finding.found),
                text(finding.snapshots.join(", ")),
                number(finding.snapshots_total),
                text(finding.tables.join(", ")),
                number(finding.tables_total),
                text(finding.advice),
            ]);
        }
    }
    Ok((columns, rows))
}
