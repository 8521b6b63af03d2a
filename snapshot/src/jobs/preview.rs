//! What a BACKUP, a RESTORE or a DROP SNAPSHOT would do. Nothing is changed by asking.

use super::Jobs;
use super::submit::{BackupGround, RestoreGround};
use super::upkeep::DropRequest;
use crate::agent::tablet_entry;
use crate::error::{Error, ErrorKind, Result, explain};
use crate::inventory;
use crate::maintenance;
use crate::plan::{DraftTable, TableAtCut};
use crate::request::{BackupRequest, RestoreRequest, backup_properties, restore_properties};
use catalog::At;
use catalog::names;
use catalog::records::{PartitionEntry, TableRecord};
use env::ids::{TabletId, Version};
use env::rt::CancellationToken;
use repository::{OpenFile, SendPreview, TableBases, TableSought, TabletEntryIn};
use std::collections::BTreeSet;

/// Requests that a job makes whatever its size: its session, root page, commit.
const REQUESTS_OF_A_JOB: u64 = 6;

/// What would become of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewAction {
    /// A table is taken into the snapshot.
    Backup,
    /// A database or table is made.
    Create,
    /// Partitions of a table are replaced or added.
    Overwrite,
    /// A snapshot goes, or a table that the snapshot does not have.
    Drop,
    /// The statement would be refused.
    Conflict,
    /// All of it.
    Total,
}

impl PreviewAction {
    /// As EXPLAIN shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "BACKUP",
            Self::Create => "CREATE",
            Self::Overwrite => "OVERWRITE",
            Self::Drop => "DROP",
            Self::Conflict => "CONFLICT",
            Self::Total => "TOTAL",
        }
    }
}

/// How much of something there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Partitions.
    pub partitions: u64,
    /// Tablets.
    pub tablets: u64,
    /// Files in them, one replica.
    pub files: u64,
    /// Bytes in those files.
    pub bytes: u64,
    /// Files that would be sent or fetched.
    pub transfer_files: u64,
    /// Bytes in those; of a DROP, bytes that would be given back.
    pub transfer_bytes: u64,
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.partitions = self.partitions.saturating_add(other.partitions);
        self.tablets = self.tablets.saturating_add(other.tablets);
        self.files = self.files.saturating_add(other.files);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.transfer_files = self.transfer_files.saturating_add(other.transfer_files);
        self.transfer_bytes = self.transfer_bytes.saturating_add(other.transfer_bytes);
    }
}

/// One line of a preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewLine {
    /// Name of a table, database or snapshot.
    pub object: String,
    /// What would become of it.
    pub action: PreviewAction,
    /// How much that is; nothing where it does not apply.
    pub amount: Option<Amount>,
    /// In words.
    pub detail: String,
}

/// What would be in the way. `NotFound` and failures of the outside are no plan at all.
fn conflicts(failed: Error) -> Result<Vec<PreviewLine>> {
    let line =
        |detail: String| PreviewLine { object: String::new(), action: PreviewAction::Conflict, amount: None, detail };
    if let Error::Plan(conflicts) = &failed {
        return Ok(conflicts.list().iter().map(|conflict| line(conflict.to_string())).collect());
    }
    match failed.kind() {
        ErrorKind::AlreadyExists | ErrorKind::Busy | ErrorKind::Denied | ErrorKind::Full => {
            Ok(vec![line(explain(&failed))])
        }
        ErrorKind::Invalid
        | ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::Fenced
        | ErrorKind::Unavailable
        | ErrorKind::Indeterminate
        | ErrorKind::Corrupt
        | ErrorKind::Cancelled
        | ErrorKind::TimedOut
        | ErrorKind::Unsupported
        | ErrorKind::Internal => Err(failed),
    }
}

fn total(lines: &[PreviewLine], detail: String) -> PreviewLine {
    let mut amount = Amount::default();
    lines.iter().filter_map(|line| line.amount).for_each(|of| amount.add(of));
    PreviewLine { object: String::new(), action: PreviewAction::Total, amount: Some(amount), detail }
}

impl Jobs {
    /// What a BACKUP would take and send: a line for each table and one for all; or a line for each thing that is in the
    /// way.
    ///
    /// # Errors
    /// What [`submit_backup`](Jobs::submit_backup) says of statements that make no sense; what the repository says.
    pub async fn preview_backup(&self, request: &BackupRequest, stop: &CancellationToken) -> Result<Vec<PreviewLine>> {
        backup_properties(&request.properties, self.shared.options.timeout_s_min)?;
        names::snapshot_label(&request.label)?;
        let ground = match self.backup_ground(request).await {
            Ok(ground) => ground,
            Err(failed) => return conflicts(failed),
        };
        let BackupGround { database, tables, open, at, .. } = ground;
        let tables = inventory::at_cut(self.catalog(), tables, at).await?;
        let mut sending = open.send_preview(self.shared.options.stream, stop).await?;
        let (mut lines, mut lengths, mut pages, mut unknown) = (Vec::new(), Vec::new(), 0, 0);
        for table in &tables {
            let TableRecord { id, name, .. } = &table.record;
            let sought = TableSought { cluster: &self.shared.cluster, id: id.0, database: &database.name, name };
            let bases = sending.bases(&sought).await?;
            let of_table = self.preview_table(table, &bases, &mut sending, stop).await?;
            lengths.extend(of_table.lengths);
            pages += of_table.amount.partitions + 1;
            unknown += of_table.unknown;
            lines.push(PreviewLine {
                object: name.clone(),
                action: PreviewAction::Backup,
                amount: Some(of_table.amount),
                detail: shared_text(of_table.amount, of_table.unknown),
            });
        }
        let requests = sending.requests(&lengths) + pages + REQUESTS_OF_A_JOB;
        let detail = match unknown {
            0 => format!("about {requests} requests"),
            _ => format!("about {requests} requests; {unknown} tablets are on other nodes and not counted"),
        };
        lines.push(total(&lines, detail));
        Ok(lines)
    }

    async fn preview_table(
        &self,
        table: &TableAtCut,
        bases: &TableBases,
        sending: &mut SendPreview,
        stop: &CancellationToken,
    ) -> Result<OfTable> {
        let mut found = OfTable::default();
        for (entry, (partition, tablets)) in table.record.partitions.iter().zip(&table.partitions) {
            found.amount.partitions += 1;
            sending.begin_partition(Some(bases.partition(partition.id.0, &entry.name)));
            for tablet in tablets {
                if stop.is_cancelled() {
                    return Err(Error::Stopped);
                }
                found.amount.tablets += 1;
                let Some(seen) = self.peek(tablet.id, tablet.bucket, partition.visible_version)? else {
                    found.unknown += 1;
                    continue;
                };
                found.amount.files += seen.files.len() as u64;
                found.amount.bytes += seen.files.iter().map(|file| file.len_bytes).sum::<u64>();
                let lengths = sending.unsent(seen).await?;
                found.amount.transfer_files += lengths.len() as u64;
                found.amount.transfer_bytes += lengths.iter().sum::<u64>();
                found.lengths.extend(lengths);
            }
        }
        Ok(found)
    }

    /// A tablet as a backup would hand it to the repository, but for its bytes.
    fn peek(&self, tablet: TabletId, bucket: u32, version: Version) -> Result<Option<TabletEntryIn>> {
        let Some(image) = self.shared.source.peek(tablet, version)? else { return Ok(None) };
        let unopened = |_: &str| -> OpenFile { Box::new(|| Box::pin(async { Err("a preview opens no file".into()) })) };
        Ok(Some(tablet_entry(tablet, bucket, image, unopened)))
    }

    /// What a RESTORE would make, replace and fetch: a line for each table and one for all; or a line for each thing that
    /// is in the way.
    ///
    /// # Errors
    /// What [`submit_restore`](Jobs::submit_restore) says of statements that make no sense; what the repository says.
    pub async fn preview_restore(&self, request: &RestoreRequest) -> Result<Vec<PreviewLine>> {
        let properties = restore_properties(&request.properties, self.shared.options.timeout_s_min)?;
        let repository = self.named_repository(&request.repository).await?;
        let ground = match self.restore_ground(&repository, request, &properties).await {
            Ok(ground) => ground,
            Err(failed) => return conflicts(failed),
        };
        let RestoreGround { target, database, draft, .. } = ground;
        let mut lines = Vec::new();
        if database.is_none() {
            lines.push(PreviewLine {
                object: target,
                action: PreviewAction::Create,
                amount: None,
                detail: "the database, with its tables".to_owned(),
            });
        }
        let mut requests = REQUESTS_OF_A_JOB;
        for table in &draft.tables {
            let local = match (table.existing, &database) {
                (Some(_), Some(database)) => self.catalog().table(database.id, &table.name, At::Latest).await?,
                (Some(_) | None, _) => None,
            };
            let mut amount = Amount { partitions: table.partitions.len() as u64, ..Amount::default() };
            for partition in &table.partitions {
                amount.tablets += u64::from(partition.entry.buckets);
                amount.files += partition.files;
                amount.bytes += partition.bytes;
            }
            let replicas = u64::from(draft.replication_num);
            amount.transfer_files = amount.files.saturating_mul(replicas);
            amount.transfer_bytes = amount.bytes.saturating_mul(replicas);
            requests += amount.transfer_files + amount.partitions;
            let action = if table.existing.is_some() { PreviewAction::Overwrite } else { PreviewAction::Create };
            let detail = local.map_or_else(|| "a new table".to_owned(), |local| overwritten_text(table, &local));
            lines.push(PreviewLine { object: table.name.clone(), action, amount: Some(amount), detail });
        }
        for table in &draft.drops {
            let detail = "the snapshot does not have it: it goes to the recycle bin".to_owned();
            lines.push(PreviewLine { object: table.name.clone(), action: PreviewAction::Drop, amount: None, detail });
        }
        lines.push(total(&lines, format!("at most {requests} requests; what is replaced goes to the recycle bin")));
        Ok(lines)
    }

    /// What a DROP SNAPSHOT would give back; or why it would be refused.
    ///
    /// # Errors
    /// `NotFound` for repository and label; what the repository says.
    pub async fn preview_drop(&self, request: &DropRequest, stop: &CancellationToken) -> Result<Vec<PreviewLine>> {
        let record = self.named_repository(&request.repository).await?;
        let summary = match maintenance::droppable(&self.shared, &record, &request.label, request.force).await {
            Ok(summary) => summary,
            Err(failed) => return conflicts(failed),
        };
        let usage = maintenance::open(&self.shared, &record, stop).await?.usage(stop).await?;
        let freed = usage.freed_by(&[&request.label]);
        let amount = Amount {
            partitions: 0,
            tablets: summary.tablets,
            files: summary.files,
            bytes: summary.bytes,
            transfer_files: 0,
            transfer_bytes: freed,
        };
        let others = usage.snapshots.len().saturating_sub(1);
        let detail = format!(
            "{freed} bytes come back with the next sweep; the rest is shared with {others} other snapshots or with open \
             sessions"
        );
        Ok(vec![PreviewLine {
            object: request.label.clone(),
            action: PreviewAction::Drop,
            amount: Some(amount),
            detail,
        }])
    }
}

/// What was found of one table of a BACKUP.
#[derive(Debug, Default)]
struct OfTable {
    amount: Amount,
    /// Of the files that would be sent.
    lengths: Vec<u64>,
    /// Tablets that this node does not have.
    unknown: u64,
}

fn shared_text(amount: Amount, unknown: u64) -> String {
    let shared = amount.bytes.saturating_sub(amount.transfer_bytes);
    match (amount.transfer_bytes, unknown) {
        (0, 0) => "the repository has all of it".to_owned(),
        (_, 0) => format!("the repository has {shared} bytes of it"),
        (..) => format!("the repository has {shared} bytes of it; {unknown} tablets are on other nodes"),
    }
}

/// What becomes of an existing table's partitions.
fn overwritten_text(table: &DraftTable, local: &TableRecord) -> String {
    let taken: BTreeSet<_> = table.partitions.iter().filter_map(|partition| partition.replaces).collect();
    let names = |names: Vec<&str>| names.join(", ");
    let replaces: Vec<&str> =
        local.partitions.iter().filter(|entry| taken.contains(&entry.id)).map(|entry| entry.name.as_str()).collect();
    let rest = || local.partitions.iter().filter(|entry| !taken.contains(&entry.id));
    let cleaned = |entry: &&PartitionEntry| table.cleaned.contains(&entry.id);
    let removes: Vec<&str> = rest().filter(cleaned).map(|entry| entry.name.as_str()).collect();
    let keeps: Vec<&str> = rest().filter(|entry| !cleaned(entry)).map(|entry| entry.name.as_str()).collect();
    let adds: Vec<&str> = table
        .partitions
        .iter()
        .filter(|partition| partition.replaces.is_none())
        .map(|partition| partition.entry.name.as_str())
        .collect();
    [("replaces", replaces), ("adds", adds), ("removes", removes), ("keeps", keeps)]
        .into_iter()
        .filter(|(_, some)| !some.is_empty())
        .map(|(word, some)| format!("{word} {}", names(some)))
        .collect::<Vec<_>>()
        .join("; ")
}
