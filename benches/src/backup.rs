//! A local backup against `cp -r` and `sync`.

use crate::Asked;
use crate::files::{self, Segment};
use crate::sample::{MemoryWatch, Sample, timed};
use anyhow::{Context, Result};
use env::disk::{Disk, RealDisk};
use env::rt::{CancellationToken, time};
use repository::{
    FileIn, Limiter, OpenFile, PartitionManifest, Purpose, Repository, SnapshotRoot, SnapshotSummary, StreamOptions,
    TableManifest, TabletEntryIn, no_progress,
};
use std::fs;
use std::path::Path;
use std::sync::Arc;

const DEFAULT_BYTES: u64 = 4 << 30;

pub(crate) async fn run(asked: &Asked) -> Result<()> {
    let bytes = asked.bytes.unwrap_or(DEFAULT_BYTES);
    let dir = &asked.dir;
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    let source = dir.join("source");
    let segments = files::make(&source, bytes)?;
    println!("{bytes} bytes in {} files, page cache warm, synced, {} rounds", segments.len(), asked.rounds);
    let (mut peer, mut ours, mut ratio) = (Sample::default(), Sample::default(), Sample::default());
    let mut most_memory = 0;
    for round in 0..asked.rounds {
        let (copy, repository) = (dir.join("copy"), dir.join("repository"));
        // Whoever goes first in a round meets an idle device: take turns.
        let (mut cp_seconds, mut our_seconds) = (0.0, 0.0);
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                cp_seconds = timed(async { files::copy_and_sync(&source, &copy) }).await.1;
            } else {
                let watch = MemoryWatch::start();
                let (done, seconds) = timed(backup(&source, &repository, &segments)).await;
                done?;
                most_memory = most_memory.max(watch.finish());
                our_seconds = seconds;
            }
        }
        check(&repository, bytes).await?;
        let megabytes = bytes as f64 / 1e6;
        peer.push(megabytes / cp_seconds);
        ours.push(megabytes / our_seconds);
        ratio.push(cp_seconds / our_seconds);
        files::set_aside(&copy, &dir.join("trash"))?;
        files::set_aside(&repository, &dir.join("trash"))?;
    }
    println!("cp -r, sync   {peer} MB/s");
    println!("backup        {ours} MB/s, CRC-32 of every byte, most memory beyond the maps {} MiB", most_memory >> 20);
    println!("ratio         {ratio} x");
    fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))
}

/// What a storage node's share of a BACKUP does, without the job around it: one session, one snapshot.
pub(crate) async fn backup(source: &Path, to: &Path, segments: &[Segment]) -> Result<()> {
    fs::create_dir_all(to)?;
    let now = time::unix_millis();
    let repository = Repository::create(repository::local(to), "bench", now).await?;
    let id = repository.new_session_id().await?;
    let session = repository.open_session(&id, Purpose::Backup, "bench", now).await?;
    let mut writer =
        session.writer(StreamOptions::default(), Limiter::unlimited(), no_progress(), CancellationToken::new());
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(source));
    writer.begin_partition(1, 1, None)?;
    for (number, segment) in (0_u32..).zip(segments) {
        let open: OpenFile = {
            let (disk, name) = (Arc::clone(&disk), segment.name.clone());
            Box::new(move || {
                Box::pin(async move { env::rt::blocking(move || disk.map(&name)).await.map_err(Into::into) })
            })
        };
        let file = FileIn {
            name: segment.name.clone(),
            id: segment.name.clone(),
            len_bytes: segment.len_bytes,
            crc32: segment.crc32,
            open,
        };
        let tablet = u64::from(number);
        writer
            .add(TabletEntryIn {
                tablet,
                bucket: number,
                version: 1,
                lineage: None,
                meta: serde_json::Value::Null,
                files: vec![file],
            })
            .await?;
    }
    let pages = writer.end_partition().await?;
    let buckets = u32::try_from(segments.len())?;
    let table = session
        .put_table(&TableManifest {
            id: 1,
            name: "t".to_owned(),
            schema: serde_json::Value::Null,
            partitions: vec![PartitionManifest {
                id: 1,
                name: "t".to_owned(),
                version: 1,
                bounds: serde_json::Value::Null,
                buckets,
                tablets: pages.tablets,
                files: pages.files,
                bytes: pages.bytes,
                pages: pages.pages.clone(),
            }],
        })
        .await?;
    let (label, timestamp) = ("bench".to_owned(), "2026-01-01-00-00-00-000".to_owned());
    let root = session
        .put_root(&SnapshotRoot {
            label: label.clone(),
            timestamp: timestamp.clone(),
            cluster: "bench".to_owned(),
            database_id: 1,
            database: "d".to_owned(),
            cut_revision: 1,
            created_ms: now,
            tables: vec![table],
        })
        .await?;
    session
        .commit(SnapshotSummary {
            label,
            timestamp,
            database: "d".to_owned(),
            cluster: "bench".to_owned(),
            created_ms: now,
            finished_ms: time::unix_millis(),
            tables: 1,
            tablets: pages.tablets,
            files: pages.files,
            bytes: pages.bytes,
            bytes_sent: pages.bytes_sent,
            root,
            session: id,
            expires_ms: None,
            hold: None,
        })
        .await?;
    Ok(())
}

/// The snapshot is there and holds what was given.
async fn check(repository: &Path, bytes: u64) -> Result<()> {
    let repository = Repository::open(repository::local(repository)).await?;
    let snapshots = repository.snapshots().await?;
    anyhow::ensure!(
        snapshots.iter().map(|snapshot| snapshot.bytes).eq([bytes]),
        "the snapshot is not whole: {snapshots:?}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_tiny_run_works() {
        let dir = tempfile::tempdir().unwrap();
        let asked = Asked { bytes: Some(3 << 20), rounds: 2, dir: dir.path().join("bench") };
        run(&asked).await.unwrap();
        assert!(!asked.dir.exists());
    }
}
