//! The shapes that other crates build against until the bodies are in.
#![allow(missing_docs, clippy::all, clippy::pedantic, unused_variables, clippy::missing_errors_doc, clippy::allow_attributes_without_reason, clippy::allow_attributes)]
use crate::*;
use futures::stream::BoxStream;
use object_store::ObjectStore;
use std::path::Path;
use std::sync::Arc;
use env::rt::CancellationToken;
use env::disk::Disk;

fn later<T>() -> Result<T> { Err(Error::Internal("not built yet".into())) }

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity { pub id: String, pub name: String, pub created_ms: u64, pub features: Vec<String> }
#[derive(Debug, Clone)]
pub struct Repository;
impl Repository {
    pub async fn create(store: Arc<dyn ObjectStore>, name: &str, now_ms: u64) -> Result<Self> { later() }
    pub async fn open(store: Arc<dyn ObjectStore>) -> Result<Self> { later() }
    pub fn identity(&self) -> &Identity { static I: std::sync::OnceLock<Identity> = std::sync::OnceLock::new(); I.get_or_init(|| Identity { id: String::new(), name: String::new(), created_ms: 0, features: vec![] }) }
    pub async fn snapshots(&self) -> Result<Vec<SnapshotSummary>> { later() }
    pub async fn snapshot(&self, label: &str, timestamp: Option<&str>) -> Result<Option<SnapshotSummary>> { later() }
    pub async fn reader(&self, summary: &SnapshotSummary) -> Result<SnapshotReader> { later() }
    /// A fresh id; write it down before opening it.
    pub async fn new_session_id(&self) -> Result<SessionId> { later() }
    pub async fn open_session(&self, id: &SessionId, purpose: Purpose, owner: &str, now_ms: u64) -> Result<Session> { later() }
    pub async fn drop_snapshot(&self, label: &str, timestamp: Option<&str>) -> Result<Generation> { later() }
    pub async fn fence(&self, session: &SessionId) -> Result<()> { later() }
    pub async fn sessions(&self) -> Result<Vec<OpenSession>> { later() }
    pub async fn sweep_plan(&self) -> Result<SweepPlan> { later() }
    pub async fn sweep(&self, plan: SweepPlan) -> Result<Swept> { later() }
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession { pub id: SessionId, pub generation: Generation, pub purpose: Purpose }
#[derive(Debug)]
pub struct SweepPlan;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept { pub objects: u64, pub bytes: u64 }
#[derive(Debug, Clone)]
pub struct Session;
impl Session {
    pub fn id(&self) -> &SessionId { unimplemented!() }
    pub fn generation(&self) -> Generation { Generation(0) }
    pub async fn base(&self, cluster: &str, table: u64) -> Result<Option<TableManifest>> { later() }
    pub fn writer(&self, options: StreamOptions, progress: Progress, stop: CancellationToken) -> TabletWriter { TabletWriter }
    pub async fn put_table(&self, table: &TableManifest) -> Result<TableRef> { later() }
    pub async fn put_root(&self, root: &SnapshotRoot) -> Result<PageRef> { later() }
    pub async fn commit(&self, summary: SnapshotSummary) -> Result<Generation> { later() }
    /// Closes the session and removes what it uploaded.
    pub async fn abort(&self) -> Result<()> { later() }
    /// Closes a session that only read.
    pub async fn close(&self) -> Result<()> { later() }
}
pub struct TabletEntryIn { pub tablet: u64, pub bucket: u32, pub version: u64, pub meta: serde_json::Value, pub files: Vec<FileIn> }
pub struct FileIn { pub name: String, pub id: String, pub len_bytes: u64, pub crc32: u32, pub open: OpenFile }
#[derive(Debug)]
pub struct TabletWriter;
impl TabletWriter {
    pub async fn begin_partition(&mut self, table: u64, partition: u64, base: Option<&PartitionManifest>) -> Result<()> { later() }
    pub async fn add(&mut self, tablet: TabletEntryIn) -> Result<()> { later() }
    pub async fn end_partition(&mut self) -> Result<PartitionPages> { later() }
}
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PartitionPages { pub table: u64, pub partition: u64, pub pages: Vec<PageRef>, pub tablets: u64, pub files: u64, pub bytes: u64, pub bytes_sent: u64 }
#[derive(Debug, Clone)]
pub struct SnapshotReader;
impl SnapshotReader {
    pub fn root(&self) -> &SnapshotRoot { unimplemented!() }
    pub async fn table(&self, table: &TableRef) -> Result<TableManifest> { later() }
    pub fn tablets(&self, partition: &PartitionManifest) -> BoxStream<'static, Result<TabletEntry>> { unimplemented!() }
    pub async fn fetch(&self, file: &FileEntry, sink: &dyn ChunkSink, options: StreamOptions, progress: &Progress, stop: &CancellationToken) -> Result<()> { later() }
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location { Local(std::path::PathBuf), Memory(String) }
impl Location { pub fn parse(url: &str) -> Result<Self> { later() } }
pub fn connect(location: &Location, disk: impl FnOnce(&Path) -> Arc<dyn Disk>) -> Result<Arc<dyn ObjectStore>> { later() }
pub fn local(dir: &Path) -> Arc<dyn ObjectStore> { unimplemented!() }
