//! A node's share of a BACKUP: pinned files into the job's session.

use super::JobContext;
use super::worker::Product;
use crate::coordinator::page_record;
use crate::error::{Error, Result};
use crate::live::Meter;
use crate::source::{SourceFile, SourceImage};
use catalog::records::TableRecord;
use catalog::records::job::JobRecord;
use catalog::records::task::{PartitionShare, TaskRecord, UploadedPartition};
use catalog::{At, keys};
use env::ids::{TableId, TabletId};
use env::rt::CancellationToken;
use repository::{FileIn, OpenFile, PartitionPages, Session, TableBases, TableSought, TabletEntryIn};
use std::sync::Arc;

pub(super) async fn upload(
    context: &JobContext,
    job: &JobRecord,
    task: &TaskRecord,
    meter: &Arc<Meter>,
    stop: &CancellationToken,
) -> Result<Product> {
    let session = context.session(job).await?;
    let counted = Arc::clone(meter);
    let progress: repository::Progress = Arc::new(move |bytes| counted.add_bytes(bytes));
    let stream = context.node.shared.options.stream;
    let mut writer = session.writer(stream, context.limiter(job), progress, stop.clone());
    let mut bases: Option<(u64, Option<TableBases>)> = None;
    let mut product = Product::default();
    for share in task.shares() {
        let of_table = match &bases {
            Some((table, found)) if *table == share.table => found.as_ref(),
            Some(_) | None => {
                let found = earlier_copies(context, session, job, share.table).await?;
                bases.insert((share.table, found)).1.as_ref()
            }
        };
        let of_partition = of_table.map(|table| table.partition(share.source, &share.name));
        writer.begin_partition(share.table, share.source, of_partition)?;
        for (bucket, tablet) in &share.tablets {
            let entry = entry(context, share, *bucket, *tablet)?;
            let files = entry.files.len() as u64;
            writer.add(entry).await?;
            meter.add_files(files);
            meter.add_tablets(1);
        }
        let pages = writer.end_partition().await?;
        product.uploaded.push(uploaded(share, &pages)?);
    }
    Ok(product)
}

/// What the repository has of a table already; none when the table is gone from the catalog, with its name.
async fn earlier_copies(
    context: &JobContext,
    session: &Session,
    job: &JobRecord,
    table: u64,
) -> Result<Option<TableBases>> {
    let shared = &context.node.shared;
    let key = keys::table(job.database, TableId(table));
    let Some(record) = shared.catalog.get::<TableRecord>(&key, At::Latest).await? else { return Ok(None) };
    let sought = TableSought { cluster: &shared.cluster, id: table, database: &job.database_name, name: &record.name };
    Ok(Some(session.bases(&sought).await?))
}

fn entry(context: &JobContext, share: &PartitionShare, bucket: u32, tablet: TabletId) -> Result<TabletEntryIn> {
    let image = context.node.source.image(context.job, tablet)?;
    if image.version != share.version {
        let (expected, found) = (format!("version {}", share.version), format!("version {}", image.version));
        return Err(Error::corrupt(format!("the pin of tablet {tablet}"), expected, found));
    }
    Ok(tablet_entry(tablet, bucket, image, |name| {
        let (source, owner, name) = (Arc::clone(&context.node.source), context.job, name.to_owned());
        Box::new(move || Box::pin(async move { Ok(source.open(owner, tablet, &name).await?) }))
    }))
}

/// An image as the repository takes it; `open` gives what opens the file of a name.
pub(crate) fn tablet_entry(
    tablet: TabletId,
    bucket: u32,
    image: SourceImage,
    open: impl Fn(&str) -> OpenFile,
) -> TabletEntryIn {
    let SourceImage { version, lineage, meta, files } = image;
    let file = |SourceFile { name, identity, len_bytes, crc32 }| {
        let open = open(&name);
        FileIn { name, id: identity, len_bytes, crc32, open }
    };
    let files = files.into_iter().map(file).collect();
    TabletEntryIn { tablet: tablet.0, bucket, version: version.0, lineage, meta, files }
}

fn uploaded(share: &PartitionShare, pages: &PartitionPages) -> Result<UploadedPartition> {
    Ok(UploadedPartition {
        partition: share.partition,
        pages: pages.pages.iter().map(page_record).collect::<Result<_>>()?,
        tablets: pages.tablets,
        files: pages.files,
        bytes: pages.bytes,
        bytes_sent: pages.bytes_sent,
    })
}
