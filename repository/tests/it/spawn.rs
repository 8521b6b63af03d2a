//! Every call can be part of a task that is spawned: this compiles.

use env::rt::CancellationToken;
use futures::TryStreamExt;
use repository::{
    ChunkSink, FileEntry, Limiter, PartitionManifest, Purpose, Repository, Session, SnapshotReader, SnapshotRoot,
    SnapshotSummary, StreamOptions, SweepPlan, TableManifest, TableRef, TableSought, TabletEntryIn, TabletWriter,
    no_progress,
};

fn spawned<T: Send + 'static>(_: impl Future<Output = T> + Send + 'static) {}

fn all(
    repository: Repository,
    session: Session,
    mut writer: TabletWriter,
    reader: SnapshotReader,
    sink: Box<dyn ChunkSink>,
    plan: SweepPlan,
    pieces: (SnapshotSummary, SnapshotRoot, TableManifest, TableRef, PartitionManifest, TabletEntryIn, FileEntry),
) {
    spawned(async move {
        let (summary, root, table, table_ref, partition, tablet, file) = pieces;
        repository.snapshots().await?;
        repository.snapshot("x", None).await?;
        repository.reader(&summary).await?;
        let id = repository.new_session_id().await?;
        repository.open_session(&id, Purpose::Backup, "x", 1).await?;
        repository.drop_snapshot("x", None).await?;
        repository.fence(&id).await?;
        repository.sweep_plan(&no_progress()).await?;
        repository.sweep(&plan, &no_progress()).await?;
        repository.check_log().await?;
        let sought = TableSought { cluster: "x", id: 1, database: "d", name: "t" };
        session.base(&sought).await?;
        let bases = session.bases(&sought).await?.partition(1, "p");
        session.put_table(&table).await?;
        session.put_root(&root).await?;
        session.commit(summary).await?;
        session.abort().await?;
        writer.begin_partition(1, 1, Some(bases))?;
        writer.add(tablet).await?;
        writer.end_partition().await?;
        reader.table(&table_ref).await?;
        reader.tablets(&partition).try_next().await?;
        reader
            .fetch(
                &file,
                &*sink,
                StreamOptions::default(),
                &Limiter::unlimited(),
                &no_progress(),
                &CancellationToken::new(),
            )
            .await?;
        let options = repository::verify::Options::default();
        repository.verify(&options, &no_progress(), &CancellationToken::new()).await?;
        Ok::<(), repository::Error>(())
    });
}

#[test]
fn every_call_can_be_spawned() {
    // To name it is to have it checked.
    assert!(std::mem::size_of_val(&all) == 0);
}
