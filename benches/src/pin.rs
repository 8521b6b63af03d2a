//! What a pin costs: metadata, whatever the tablets hold.

use crate::Asked;
use crate::sample::{Sample, timed};
use anyhow::{Context, Result};
use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};
use env::disk::{Disk, RealDisk};
use env::ids::{JobId, LoadId, TabletId, Version};
use std::fs;
use std::sync::Arc;
use tablet::{Column, ColumnType, KeyModel, Mutation, NewTablet, Schema, StoreOptions, TabletStore};

const TABLETS: u64 = 1_000;
const SIZES: [u64; 2] = [10_000_000, 1_000_000_000];

pub(crate) async fn run(asked: &Asked) -> Result<()> {
    println!("pin of {TABLETS} tablets, {} rounds", asked.rounds);
    println!("| bytes in the tablets | pin, ms | unpin, ms |\n|---|---|---|");
    let sizes = asked.bytes.map_or(SIZES.to_vec(), |bytes| vec![bytes]);
    for bytes in sizes {
        let dir = asked.dir.join(format!("pin-{bytes}"));
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
        }
        let store = store(&dir, bytes, TABLETS).await?;
        let (mut pinned, mut unpinned) = (Sample::default(), Sample::default());
        let tablets: Vec<(TabletId, Version)> = (0..TABLETS).map(|n| (TabletId(n), Version(2))).collect();
        for round in 0..asked.rounds {
            let job = JobId(u64::try_from(round)? + 1);
            let (done, seconds) = timed(store.pin(job, &tablets)).await;
            done?;
            pinned.push(seconds * 1e3);
            let (done, seconds) = timed(store.unpin(job)).await;
            done?;
            unpinned.push(seconds * 1e3);
        }
        println!("| {bytes} | {pinned} | {unpinned} |");
        drop(store);
        fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    Ok(())
}

/// A store whose `tablets` tablets hold about `bytes` together.
async fn store(dir: &std::path::Path, bytes: u64, tablets: u64) -> Result<TabletStore> {
    let disk = RealDisk::new(dir);
    disk.create_dir("")?;
    let store = TabletStore::open(Arc::new(disk), StoreOptions::default()).await?;
    let schema = Arc::new(Schema::new(
        KeyModel::Duplicate,
        vec![Column::new("k", ColumnType::BigInt).key(), Column::new("v", ColumnType::Varbinary(1 << 20))],
    )?);
    let new = (0..tablets).map(|n| NewTablet { tablet: TabletId(n), schema: Arc::clone(&schema) }).collect();
    store.create(new).await?;
    let rows_per_tablet = 10;
    let cell = usize::try_from(bytes / tablets / rows_per_tablet)?;
    let mut random = fastrand::Rng::with_seed(7);
    for tablet in 0..tablets {
        let values: Vec<Vec<u8>> = (0..rows_per_tablet).map(|_| (0..cell).map(|_| random.u8(..)).collect()).collect();
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..i64::try_from(rows_per_tablet)?));
        let values: ArrayRef = Arc::new(BinaryArray::from_iter_values(values));
        let batch = RecordBatch::try_new(schema.arrow(), vec![keys, values])?;
        store.prepare(LoadId(1), TabletId(tablet), Mutation::Rows(vec![batch])).await?;
    }
    let versions: Vec<(TabletId, Version)> = (0..tablets).map(|n| (TabletId(n), Version(2))).collect();
    store.publish(LoadId(1), &versions).await?;
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_tiny_run_works() {
        let dir = tempfile::tempdir().unwrap();
        let asked = Asked { bytes: Some(100_000), rounds: 1, dir: dir.path().to_owned() };
        run(&asked).await.unwrap();
    }
}
