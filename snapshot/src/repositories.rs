//! From a repository's record to the repository.

use crate::error::Result;
use async_trait::async_trait;
use catalog::records::RepositoryRecord;
use env::disk::Disk;
use env::ids::RepositoryId;
use env::rt;
use object_store::ObjectStore;
use repository::{Location, Properties, Repository};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Opens repositories by their records.
#[async_trait]
pub trait Repositories: fmt::Debug + Send + Sync + 'static {
    /// The store at a location, whether or not a repository is there.
    ///
    /// # Errors
    /// What is wrong with the properties; what the storage says.
    fn connect(&self, location: &Location, properties: &Properties) -> Result<Arc<dyn ObjectStore>>;

    /// The repository that a record speaks of.
    ///
    /// # Errors
    /// What the storage says; `NotFound` when there is no repository at that place.
    async fn open(&self, record: &RepositoryRecord) -> Result<Repository>;

    /// Forgets what is known about a repository, so that the next [`open`](Repositories::open) looks at the storage again.
    async fn forget(&self, id: RepositoryId);
}

/// Makes the disk of a directory.
pub type DiskAt = dyn Fn(&Path) -> Arc<dyn Disk> + Send + Sync;

/// Repositories by their locations; each is opened once.
pub struct Connections {
    disk: Box<DiskAt>,
    open: rt::sync::Mutex<BTreeMap<RepositoryId, (String, Repository)>>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    /// No repository is open yet. `disk` gives the disk of a local directory.
    pub fn new(disk: impl Fn(&Path) -> Arc<dyn Disk> + Send + Sync + 'static) -> Self {
        Self { disk: Box::new(disk), open: rt::sync::Mutex::new(BTreeMap::new()) }
    }
}

#[async_trait]
impl Repositories for Connections {
    fn connect(&self, location: &Location, properties: &Properties) -> Result<Arc<dyn ObjectStore>> {
        Ok(repository::connect(location, properties, |dir| (self.disk)(dir))?)
    }

    async fn open(&self, record: &RepositoryRecord) -> Result<Repository> {
        let mut open = self.open.lock().await;
        if let Some((location, repository)) = open.get(&record.id)
            && *location == record.location
        {
            return Ok(repository.clone());
        }
        let location = Location::parse(&record.location)?;
        let properties = Properties::parse(&location, &record.properties)?;
        let store = self.connect(&location, &properties)?;
        let repository = Repository::open(store).await?;
        open.insert(record.id, (record.location.clone(), repository.clone()));
        Ok(repository)
    }

    async fn forget(&self, id: RepositoryId) {
        self.open.lock().await.remove(&id);
    }
}
