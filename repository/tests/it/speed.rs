//! How fast, against `cp -r` and `sync` on the same files in the same run. Run by hand:
//! `cargo nextest run -p tabularium-repository --run-ignored only speed --no-capture`.

use crate::support::*;
use bytes::Bytes;
use env::disk::{Disk, RealDisk};
use env::rt::CancellationToken;
use repository::{FileIn, Limiter, Repository, StreamOptions, TabletEntryIn, local, no_progress};
use serde_json::json;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

fn source(disk: &RealDisk, files: u64, len: usize) -> Vec<(String, u32, u64)> {
    disk.create_dir("").unwrap();
    let mut made = Vec::new();
    for number in 0..files {
        let bytes = noise(number, len);
        let name = format!("{number}-0.parquet");
        let file = disk.create(&name).unwrap();
        file.write_at(0, &bytes).unwrap();
        file.sync_data().unwrap();
        made.push((name, crc32fast::hash(&bytes), len as u64));
    }
    made
}

async fn copy(disk: &RealDisk, files: &[(String, u32, u64)], to: &std::path::Path) -> Duration {
    let begun = env::rt::time::Instant::now();
    let repository = Repository::create(local(to), "speed", 1).await.unwrap();
    let session = session(&repository).await;
    let mut writer =
        session.writer(StreamOptions::default(), Limiter::unlimited(), no_progress(), CancellationToken::new());
    writer.begin_partition(1, 1, None).unwrap();
    for (tablet, batch) in files.chunks(16).enumerate() {
        let files = batch
            .iter()
            .map(|(name, crc32, len_bytes)| {
                let (disk, path) = (disk.clone(), name.clone());
                FileIn {
                    name: name.clone(),
                    id: name.clone(),
                    len_bytes: *len_bytes,
                    crc32: *crc32,
                    open: Box::new(move || {
                        Box::pin(async move {
                            let bytes: Bytes = env::rt::blocking(move || disk.map(&path)).await?;
                            Ok(bytes)
                        })
                    }),
                }
            })
            .collect();
        writer
            .add(TabletEntryIn { tablet: tablet as u64, bucket: 0, version: 1, lineage: None, meta: json!({}), files })
            .await
            .unwrap();
    }
    writer.end_partition().await.unwrap();
    session.close().await.unwrap();
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes gigabytes and a minute; a figure, not a check"]
async fn a_backup_against_cp_and_sync() {
    let dir = tempfile::Builder::new().prefix("speed").tempdir_in("/work").unwrap();
    for (what, count, len) in [("4.3 GB in 64 files", 64, 64 << 20), ("160 MB in 10,000 files", 10_000, 16 << 10)] {
        let disk = RealDisk::new(dir.path().join(format!("source-{count}")));
        let files = source(&disk, count, len);
        Command::new("sync").status().unwrap();
        for round in 0..3 {
            let (ours, theirs) =
                (dir.path().join(format!("o{count}-{round}")), dir.path().join(format!("t{count}-{round}")));
            let ours_took = copy(&disk, &files, &ours).await;
            let begun = env::rt::time::Instant::now();
            Command::new("cp").arg("-r").arg(disk.root()).arg(&theirs).status().unwrap();
            Command::new("sync").status().unwrap();
            let theirs_took = begun.elapsed();
            let rate = |took: Duration| (count * len as u64) as f64 / 1e6 / took.as_secs_f64();
            println!(
                "{what}: {:.0} MB/s, cp and sync {:.0} MB/s: {:.2} x",
                rate(ours_took),
                rate(theirs_took),
                theirs_took.as_secs_f64() / ours_took.as_secs_f64()
            );
            std::fs::remove_dir_all(&ours).unwrap();
            std::fs::remove_dir_all(&theirs).unwrap();
        }
    }
    drop(Arc::new(dir));
}
