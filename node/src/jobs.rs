//! The BACKUP and RESTORE family: from statements to the jobs of [`snapshot`], and what SHOW tells about them.

#![expect(clippy::wildcard_enum_match_arm, reason = "called with its own statements only")]

use crate::account::{self, Access};
use crate::engine::{Engine, clock};
use crate::error::{EngineError, ErrorKind};
use crate::result::Outcome;
use crate::session::Context;
use crate::show::Grid;
use crate::sql::{
    Backup, CreateRepository, NamedObject, ObjectKind, ObjectSelection, PartitionSelection, Restore, SnapshotFilter,
    Statement,
};
use catalog::records::RepositoryRecord;
use catalog::{At, Stored, keys, names};
use env::ids::{DatabaseId, RepositoryId};
use env::rt::time::unix_millis;
use repository::{CreateOptions, Location, Properties, Repository, probe};
use snapshot::view::{BACKUP_COLUMNS, RESTORE_COLUMNS};
use snapshot::{BackupRequest, JobKind, ObjectSpec, Objects, RestoreRequest, view};

/// Executes a statement of the family.
///
/// # Errors
/// What goes to the client.
pub(crate) async fn execute(engine: &Engine, context: &Context, statement: &Statement) -> Result<Outcome, EngineError> {
    match statement {
        Statement::CreateRepository(create) => create_repository(engine, create).await?,
        Statement::DropRepository { name } => drop_repository(engine, name).await?,
        Statement::Backup(backup) => {
            let request = backup_request(engine, context, backup).await?;
            engine.jobs().submit_backup(request).await?;
        }
        Statement::Restore(restore) => {
            engine.jobs().submit_restore(restore_request(context, restore)?).await?;
        }
        Statement::CancelBackup { database, external_catalog } => {
            cancel(engine, context, database.as_deref(), *external_catalog, JobKind::Backup).await?;
        }
        Statement::CancelRestore { database, external_catalog } => {
            cancel(engine, context, database.as_deref(), *external_catalog, JobKind::Restore).await?;
        }
        other => return Err(EngineError::internal(format!("{} is no statement about snapshots", other.verb()))),
    }
    Ok(Outcome::ok())
}

fn unknown_repository(name: &str) -> EngineError {
    EngineError::general(
        ErrorKind::NotFound,
        format!("repository '{name}' does not exist; SHOW REPOSITORIES lists those that do"),
    )
}

async fn repository_record(engine: &Engine, name: &str) -> Result<Stored<RepositoryRecord>, EngineError> {
    engine.catalog().repository(name, At::Latest).await?.ok_or_else(|| unknown_repository(name))
}

async fn create_repository(engine: &Engine, create: &CreateRepository) -> Result<(), EngineError> {
    names::repository(&create.name)?;
    let exists =
        || EngineError::general(ErrorKind::AlreadyExists, format!("repository '{}' already exists", create.name));
    if engine.catalog().repository(&create.name, At::Latest).await?.is_some() {
        return Err(exists());
    }
    let trimmed = create.location.trim_end_matches('/');
    let location = if trimmed.ends_with(':') { create.location.clone() } else { trimmed.to_owned() };
    let at = Location::parse(&location)?;
    let properties = Properties::parse(&at, &create.properties)?;
    let store = engine.repositories().connect(&at, &properties)?;
    let opened = if create.read_only {
        match Repository::open(store).await {
            Ok(opened) => opened,
            Err(failed) if failed.kind() == repository::ErrorKind::NotFound => {
                return Err(EngineError::general(
                    ErrorKind::NotFound,
                    format!(
                        "there is no repository at '{location}', and a READ ONLY one is not made; check the location, or \
                         leave READ ONLY out"
                    ),
                ));
            }
            Err(failed) => return Err(at.blame(failed).into()),
        }
    } else {
        let profile = probe::probe(&store).await.map_err(|failed| at.blame(failed))?;
        let options = CreateOptions {
            name: create.name.clone(),
            now_ms: unix_millis(),
            profile: Some(profile),
            single_writer: properties.single_writer(),
        };
        Repository::create_with(store, options).await.map_err(|failed| at.blame(failed))?
    };
    let id = RepositoryId(engine.catalog().allocate(1).await?);
    let record = RepositoryRecord {
        id,
        name: create.name.clone(),
        location,
        read_only: create.read_only,
        broker: create.broker.clone(),
        properties: engine.repositories().seal(&create.properties)?,
        single_writer: opened.identity().is_single_writer(),
        created_ms: opened.identity().created_ms,
        error: None,
        retention: None,
    };
    let change = engine.catalog().change().claim_name(keys::repository_name(&create.name), id.0).create(&record);
    match change.commit().await {
        Ok(_) => Ok(()),
        Err(failed) if failed.is_conflict() => Err(exists()),
        Err(failed) => Err(failed.into()),
    }
}

async fn drop_repository(engine: &Engine, name: &str) -> Result<(), EngineError> {
    for _ in 0..20 {
        let record = repository_record(engine, name).await?;
        if let Some(job) = engine.jobs().uses_repository(record.id).await? {
            return Err(EngineError::general(
                ErrorKind::Busy,
                format!("repository '{name}' is used by job {job}; wait for it or cancel it"),
            ));
        }
        let change = engine.catalog().change().delete(&record).release_name(keys::repository_name(name));
        match change.commit().await {
            Ok(_) => {
                engine.repositories().forget(record.id).await;
                return Ok(());
            }
            Err(failed) if failed.is_conflict() => {}
            Err(failed) => return Err(failed.into()),
        }
    }
    Err(EngineError::general(ErrorKind::Busy, format!("repository '{name}' changes all the time; try again")))
}

fn kind_word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Table => "tables",
        ObjectKind::View => "views",
        ObjectKind::MaterializedView => "materialized views",
        ObjectKind::Function => "functions",
    }
}

/// A table that a statement names.
fn spec(statement: &str, named: &NamedObject) -> Result<ObjectSpec, EngineError> {
    let NamedObject { kind, name, partitions, alias } = named;
    if *kind != ObjectKind::Table {
        return Err(EngineError::unsupported(format!(
            "'{name}': {statement} of {} is not supported yet",
            kind_word(*kind)
        )));
    }
    let partitions = match partitions {
        None => None,
        Some(PartitionSelection { temporary: true, names }) => {
            return Err(EngineError::unsupported(format!(
                "temporary partitions ({}) of table '{name}': {statement} does not support them",
                names.join(", ")
            )));
        }
        Some(PartitionSelection { temporary: false, names }) => Some(names.clone()),
    };
    Ok(ObjectSpec { table: name.clone(), partitions, alias: alias.clone() })
}

/// The objects of an ON or an EXCLUDE clause.
fn objects(
    statement: &str,
    selected: Option<&[ObjectSelection]>,
    excluded: Option<&[NamedObject]>,
) -> Result<Objects, EngineError> {
    if let Some(excluded) = excluded {
        return Ok(Objects::Except(excluded.iter().map(|named| spec(statement, named)).collect::<Result<_, _>>()?));
    }
    let Some(selected) = selected else { return Ok(Objects::All) };
    let mut all = false;
    let mut specs = Vec::new();
    for item in selected {
        match item {
            ObjectSelection::All(ObjectKind::Table) => all = true,
            ObjectSelection::All(kind) => {
                return Err(EngineError::unsupported(format!(
                    "{statement} of {} is not supported yet; there are none",
                    kind_word(*kind)
                )));
            }
            ObjectSelection::Named(named) => specs.push(spec(statement, named)?),
        }
    }
    Ok(if all { Objects::AllWith(specs) } else { Objects::Listed(specs) })
}

async fn database_id(
    engine: &Engine,
    context: &Context,
    named: Option<&str>,
) -> Result<(String, DatabaseId), EngineError> {
    let name = named.or(context.database.as_deref()).ok_or_else(EngineError::no_database)?;
    let found = engine.jobs().database(name).await?.ok_or_else(|| EngineError::unknown_database(name))?;
    Ok((name.to_owned(), found))
}

fn no_catalogs(statement: &str) -> EngineError {
    EngineError::unsupported(format!("{statement} of external catalogs is not supported; there are none"))
}

/// A BACKUP as the jobs take it.
///
/// # Errors
/// What can be seen to be wrong in the statement; 1049.
pub(crate) async fn backup_request(
    engine: &Engine,
    context: &Context,
    backup: &Backup,
) -> Result<BackupRequest, EngineError> {
    if backup.catalogs.is_some() {
        return Err(no_catalogs("BACKUP"));
    }
    let name = backup.database.as_deref().or(context.database.as_deref()).ok_or_else(EngineError::no_database)?;
    let database = engine.ddl().database(name).await?;
    let objects = objects("BACKUP", backup.objects.as_deref(), backup.excluded.as_deref())?;
    if let Some(spec) = snapshot::request::named(&objects).iter().find(|spec| spec.alias.is_some()) {
        return Err(EngineError::invalid(format!(
            "table '{}': an alias cannot be set in BACKUP; RESTORE takes AS",
            spec.table
        )));
    }
    Ok(BackupRequest {
        database: database.id,
        label: backup.label.clone(),
        repository: backup.repository.clone(),
        objects,
        properties: backup.properties.clone(),
        user: context.user.clone(),
    })
}

/// A RESTORE as the jobs take it.
///
/// # Errors
/// What can be seen to be wrong in the statement.
pub(crate) fn restore_request(context: &Context, restore: &Restore) -> Result<RestoreRequest, EngineError> {
    if restore.catalogs.is_some() {
        return Err(no_catalogs("RESTORE"));
    }
    Ok(RestoreRequest {
        target_database: restore.target_database.clone(),
        snapshot_database: restore.snapshot_database.clone(),
        label: restore.label.clone(),
        repository: restore.repository.clone(),
        objects: objects("RESTORE", restore.objects.as_deref(), restore.excluded.as_deref())?,
        properties: restore.properties.clone(),
        user: context.user.clone(),
    })
}

async fn cancel(
    engine: &Engine,
    context: &Context,
    database: Option<&str>,
    external_catalog: bool,
    kind: JobKind,
) -> Result<(), EngineError> {
    if external_catalog {
        return Err(no_catalogs(if kind == JobKind::Backup { "CANCEL BACKUP" } else { "CANCEL RESTORE" }));
    }
    let (_, id) = database_id(engine, context, database).await?;
    Ok(engine.jobs().cancel(id, kind).await?)
}

/// `SHOW BACKUP`, `SHOW RESTORE`: the last job of the kind. A BACKUP is shown to whoever may back up all of its tables.
pub(crate) async fn last(engine: &Engine, access: &Access, database: &str, kind: JobKind) -> Result<Grid, EngineError> {
    let found = engine.jobs().database(database).await?.ok_or_else(|| EngineError::unknown_database(database))?;
    let mut grid = match kind {
        JobKind::Backup => Grid::new(BACKUP_COLUMNS),
        JobKind::Restore => Grid::new(RESTORE_COLUMNS),
    };
    if kind == JobKind::Backup && !account::may_export_last(engine, access, database).await? {
        return Ok(grid);
    }
    if let Some(job) = engine.jobs().last(found, kind).await? {
        fill(&mut grid, job.columns());
    }
    Ok(grid)
}

fn fill(grid: &mut Grid, row: view::Row) {
    let (columns, cells): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    grid.columns = columns.into_iter().map(str::to_owned).collect();
    grid.rows.push(cells);
}

/// What SHOW REPOSITORIES says beside a repository: the last failure, and what its users must know.
fn note(repository: &RepositoryRecord) -> Option<String> {
    let alone = "single writer: its store has no create-if-absent, so nobody but this cluster may write there";
    match (&repository.error, repository.single_writer) {
        (error, false) => error.clone(),
        (None, true) => Some(alone.to_owned()),
        (Some(error), true) => Some(format!("{error}; {alone}")),
    }
}

/// `SHOW REPOSITORIES`
pub(crate) async fn repositories(engine: &Engine) -> Result<Grid, EngineError> {
    let mut grid = Grid::new(["RepoId", "RepoName", "CreateTime", "IsReadOnly", "Location", "Broker", "ErrMsg"]);
    for repository in engine.catalog().repositories(At::Latest).await? {
        grid.rows.push(vec![
            Some(repository.id.to_string()),
            Some(repository.name.clone()),
            Some(clock::text(repository.created_ms)),
            Some(repository.read_only.to_string()),
            Some(repository.location.clone()),
            Some(repository.broker.clone().unwrap_or_default()),
            note(&repository),
        ]);
    }
    Ok(grid)
}

/// `SHOW SNAPSHOT`
pub(crate) async fn snapshots(engine: &Engine, name: &str, filter: &SnapshotFilter) -> Result<Grid, EngineError> {
    let record = repository_record(engine, name).await?;
    let opened = engine.repositories().open(&record).await?;
    let labels = match filter {
        SnapshotFilter::All => None,
        SnapshotFilter::Label(label) => Some(vec![label.clone()]),
        SnapshotFilter::Labels(labels) => Some(labels.clone()),
        SnapshotFilter::LabelAt { label, timestamp } => {
            let mut grid = Grid::new(["Snapshot", "Timestamp", "Database", "Details", "Status"]);
            let usage = engine.jobs().known_usage(&record).await;
            fill(&mut grid, view::detailed_snapshot(&opened, label, timestamp, usage.as_deref()).await);
            return Ok(grid);
        }
    };
    let all = opened.snapshots().await?;
    let mut grid = Grid::new(["Snapshot", "Timestamp", "Status"]);
    for row in view::brief_snapshots(&all, labels.as_deref()) {
        fill(&mut grid, row);
    }
    Ok(grid)
}
