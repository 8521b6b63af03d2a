//! Submitting: every check first, then one transaction.

use super::Jobs;
use crate::error::{Error, Result};
use crate::inventory::{self, RestoreWish};
use crate::journal::running_name;
use crate::plan::{self, Draft};
use crate::request::{BackupRequest, RestoreProperties, RestoreRequest, backup_properties, restore_properties};
use crate::view::timestamp_text;
use catalog::records::job::{
    BackupState, JobCounts, JobRecord, JobStatus, JobTimes, JobWork, RestoreSpec, RestoreState,
};
use catalog::records::{DatabaseRecord, RepositoryRecord, TableRecord};
use catalog::{At, Change, Stored, keys, names};
use env::canary::{self, Canary};
use env::ids::{DatabaseId, JobId};
use env::rt::time::unix_millis;
use repository::SnapshotSummary;

/// How often a submission begins anew because something that it looked at changed in between.
const ATTEMPTS: u32 = 8;

/// What a BACKUP that may begin is about.
pub(super) struct BackupGround {
    pub(super) repository: Stored<RepositoryRecord>,
    pub(super) database: Stored<DatabaseRecord>,
    pub(super) tables: Vec<TableRecord>,
    pub(super) open: repository::Repository,
    /// The revision at which all of it was read.
    pub(super) at: At,
}

/// What a RESTORE that may begin is about.
pub(super) struct RestoreGround {
    pub(super) summary: SnapshotSummary,
    /// The target database, and its record when it exists.
    pub(super) target: String,
    pub(super) database: Option<Stored<DatabaseRecord>>,
    pub(super) draft: Draft,
}

impl Jobs {
    /// Checks a BACKUP and journals it as PENDING; the work begins at once, elsewhere.
    ///
    /// # Errors
    /// `Invalid` for properties, label, names of tables and partitions, all problems at once; `NotFound` for database or
    /// repository; `Denied` for a repository that is read only; `AlreadyExists` when the label is taken; `Busy` when a
    /// job of the database runs; what the repository says.
    pub async fn submit_backup(&self, request: BackupRequest) -> Result<JobId> {
        let properties = backup_properties(&request.properties, self.shared.options.timeout_s_min)?;
        names::snapshot_label(&request.label)?;
        let mut failed = Error::Internal("no attempt was made".to_owned());
        for _ in 0..ATTEMPTS {
            let BackupGround { repository, database, tables, .. } = self.backup_ground(&request).await?;
            let now_ms = unix_millis();
            let job = JobRecord {
                id: JobId(self.catalog().allocate(1).await?),
                database: database.id,
                database_name: database.name.clone(),
                label: request.label.clone(),
                timestamp: timestamp_text(now_ms),
                repository: repository.id,
                repository_name: repository.name.clone(),
                user: request.user.clone(),
                created_ms: now_ms,
                timeout_s: properties.timeout_s,
                limits: properties.limits,
                ttl_ms: properties.ttl_ms,
                objects_text: plan::backup_objects_text(&database.name, &tables, &request.objects),
                objects: request.objects.clone(),
                times: JobTimes::default(),
                counts: JobCounts { tables: tables.len() as u64, ..JobCounts::default() },
                ending: None,
                errors: Vec::new(),
                status: JobStatus::ok(),
                work: JobWork::Backup { progress: BackupState::Pending { attempt: 0 } },
            };
            let change = self.catalog().change().unchanged(&repository).unchanged(&database);
            match self.accept(change, &job).await {
                Ok(()) => return Ok(job.id),
                Err(conflict) if conflict.kind() == crate::ErrorKind::Conflict => failed = conflict,
                Err(other) => return Err(other),
            }
        }
        Err(failed)
    }

    /// Checks a RESTORE and journals it as PENDING; the work begins at once, elsewhere. Nothing else is changed: no
    /// database is made before everything is there.
    ///
    /// # Errors
    /// `Invalid` for properties and for whatever does not go together with the snapshot or the target, all at once;
    /// `NotFound` for repository and snapshot; `Busy` when a job of the target database runs; what the repository says.
    pub async fn submit_restore(&self, request: RestoreRequest) -> Result<JobId> {
        let properties = restore_properties(&request.properties, self.shared.options.timeout_s_min)?;
        let mut failed = Error::Internal("no attempt was made".to_owned());
        for _ in 0..ATTEMPTS {
            let repository = self.named_repository(&request.repository).await?;
            let desk = self.shared.desks.of(repository.id);
            // From here until the job is on record the snapshot is not dropped.
            let _kept = desk.drops.read().await;
            let RestoreGround { summary, target, database, draft } =
                self.restore_ground(&repository, &request, &properties).await?;
            let counts = draft.counts;
            let database_id = match &database {
                Some(database) => database.id,
                None => DatabaseId(self.catalog().allocate(1).await?),
            };
            let now_ms = unix_millis();
            let job = JobRecord {
                id: JobId(self.catalog().allocate(1).await?),
                database: database_id,
                database_name: target.clone(),
                label: request.label.clone(),
                timestamp: summary.timestamp.clone(),
                repository: repository.id,
                repository_name: repository.name.clone(),
                user: request.user.clone(),
                created_ms: now_ms,
                timeout_s: properties.timeout_s,
                limits: properties.limits,
                ttl_ms: None,
                objects: request.objects.clone(),
                objects_text: plan::restore_objects_text(&plan::assign(draft, database_id, 0, now_ms)),
                times: JobTimes::default(),
                counts,
                ending: None,
                errors: Vec::new(),
                status: JobStatus::ok(),
                work: JobWork::Restore {
                    spec: RestoreSpec {
                        snapshot_database: summary.database.clone(),
                        replication_num: properties.replication_num,
                        allow_load: properties.allow_load,
                        creates_database: database.is_none(),
                        clean: properties.clean,
                    },
                    progress: RestoreState::Pending { plan: None },
                },
            };
            let change = self.catalog().change().unchanged(&repository);
            let change = match &database {
                Some(database) => change.unchanged(database),
                None => change.absent_key(keys::database_name(&target)).claim_name(running_name(&target), job.id.0),
            };
            match self.accept(change, &job).await {
                Ok(()) => return Ok(job.id),
                Err(conflict) if conflict.kind() == crate::ErrorKind::Conflict => failed = conflict,
                Err(other) => return Err(other),
            }
        }
        Err(failed)
    }

    /// Checks a BACKUP.
    pub(super) async fn backup_ground(&self, request: &BackupRequest) -> Result<BackupGround> {
        let repository = self.named_repository(&request.repository).await?;
        if repository.read_only {
            return Err(Error::ReadOnly(request.repository.clone()));
        }
        let at = self.catalog().pin(At::Latest).await?;
        let database = self.catalog().get::<DatabaseRecord>(&keys::database(request.database), at).await?;
        let database = database.ok_or_else(|| Error::UnknownDatabase(request.database.to_string()))?;
        self.refuse_running(Some(database.id), &database.name).await?;
        let tables = inventory::selected(self.catalog(), database.id, &database.name, &request.objects, at).await?;
        let open = self.shared.repositories.open(&repository).await?;
        if open.snapshot(&request.label, None).await?.is_some() {
            return Err(Error::LabelTaken { label: request.label.clone(), repository: request.repository.clone() });
        }
        Ok(BackupGround { repository, database, tables, open, at })
    }

    /// Checks a RESTORE.
    pub(super) async fn restore_ground(
        &self,
        repository: &RepositoryRecord,
        request: &RestoreRequest,
        properties: &RestoreProperties,
    ) -> Result<RestoreGround> {
        let open = self.shared.repositories.open(repository).await?;
        let Some(summary) = open.snapshot(&request.label, Some(&properties.timestamp)).await? else {
            return Err(self.unknown_snapshot(&open, request, properties.timestamp.clone()).await);
        };
        if let Some(asked) = &request.snapshot_database
            && *asked != summary.database
        {
            let (label, found) = (request.label.clone(), summary.database.clone());
            return Err(Error::OtherDatabase { label, asked: asked.clone(), found });
        }
        let target = request.target_database.as_ref().unwrap_or(&summary.database).clone();
        names::database(&target)?;
        let at = self.catalog().pin(At::Latest).await?;
        let database = self.catalog().database(&target, at).await?;
        self.refuse_running(database.as_ref().map(|database| database.id), &target).await?;
        let reader = open.reader(&summary).await?;
        let wish = RestoreWish {
            label: &request.label,
            objects: &request.objects,
            database: database.as_ref().map(|database| database.id),
            replication_num: properties.replication_num.unwrap_or(self.shared.options.replication_num),
            nodes: inventory::nodes(self.catalog(), self.shared.node).await?.len(),
            clean: properties.clean,
        };
        let draft = inventory::draft(self.catalog(), &reader, wish, at).await?;
        Ok(RestoreGround { summary, target, database, draft })
    }

    async fn accept(&self, change: Change, job: &JobRecord) -> Result<()> {
        let change = if canary::sings(Canary::ManyJobs) {
            change
        } else {
            change.claim_name(keys::running(job.database), job.id.0)
        };
        change.create(job).commit().await?;
        tracing::info!(job = %job.id, kind = %job.kind(), label = job.label, database = job.database_name, "job accepted");
        Ok(())
    }

    pub(super) async fn named_repository(&self, name: &str) -> Result<Stored<RepositoryRecord>> {
        let found = self.catalog().repository(name, At::Latest).await?;
        found.ok_or_else(|| Error::UnknownRepository(name.to_owned()))
    }

    async fn unknown_snapshot(
        &self,
        repository: &repository::Repository,
        request: &RestoreRequest,
        timestamp: String,
    ) -> Error {
        let others = match repository.snapshots().await {
            Ok(snapshots) => snapshots,
            Err(failed) => return failed.into(),
        };
        let others = others.into_iter().filter(|other| other.label == request.label).map(|other| other.timestamp);
        Error::UnknownSnapshot {
            label: request.label.clone(),
            timestamp,
            repository: request.repository.clone(),
            others: others.collect(),
        }
    }
}
