//! From a repository's record to the repository.

use crate::error::Result;
use async_trait::async_trait;
use catalog::records::RepositoryRecord;
use env::disk::Disk;
use env::ids::RepositoryId;
use env::rt;
use object_store::ObjectStore;
use parking_lot::Mutex;
use repository::{Keyring, Location, Properties, Repository};
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

    /// Properties as a record may keep them: with secrets sealed.
    ///
    /// # Errors
    /// `Denied` when there is no key to seal with, or it cannot be made.
    fn seal(&self, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>>;

    /// The store that a record speaks of, whether or not a repository can be opened there.
    ///
    /// # Errors
    /// What is wrong with the properties; `Denied` when their secrets cannot be unsealed; what the storage says.
    fn store(&self, record: &RepositoryRecord) -> Result<Arc<dyn ObjectStore>>;

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

/// Repositories by their records; each is opened once, and again when its record says something else.
pub struct Connections {
    disk: Box<DiskAt>,
    keyring: Keyring,
    open: Mutex<BTreeMap<RepositoryId, Slot>>,
}

/// One record's repository. A lock of its own: a store that does not answer keeps nobody from another.
type Slot = Arc<rt::sync::Mutex<Option<Opened>>>;

struct Opened {
    location: String,
    properties: BTreeMap<String, String>,
    repository: Repository,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    /// No repository is open yet. `disk` gives the disk of a local directory. Without a keyring, secrets can only be given
    /// by where they stand.
    pub fn new(disk: impl Fn(&Path) -> Arc<dyn Disk> + Send + Sync + 'static) -> Self {
        Self { disk: Box::new(disk), keyring: Keyring::none(), open: Mutex::default() }
    }

    /// With a key to seal secrets.
    #[must_use]
    pub fn with_keyring(self, keyring: Keyring) -> Self {
        Self { keyring, ..self }
    }
}

#[async_trait]
impl Repositories for Connections {
    fn connect(&self, location: &Location, properties: &Properties) -> Result<Arc<dyn ObjectStore>> {
        Ok(repository::connect(location, properties, |dir| (self.disk)(dir))?)
    }

    fn seal(&self, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
        Ok(self.keyring.seal(given)?)
    }

    fn store(&self, record: &RepositoryRecord) -> Result<Arc<dyn ObjectStore>> {
        let location = Location::parse(&record.location)?;
        let properties = Properties::parse(&location, &self.keyring.unseal(&record.properties)?)?;
        self.connect(&location, &properties)
    }

    async fn open(&self, record: &RepositoryRecord) -> Result<Repository> {
        let slot = Slot::clone(self.open.lock().entry(record.id).or_default());
        let mut slot = slot.lock().await;
        if let Some(opened) = &*slot
            && (&opened.location, &opened.properties) == (&record.location, &record.properties)
        {
            return Ok(opened.repository.clone());
        }
        let location = Location::parse(&record.location)?;
        let repository = Repository::open(self.store(record)?).await.map_err(|failed| location.blame(failed))?;
        *slot = Some(Opened {
            location: record.location.clone(),
            properties: record.properties.clone(),
            repository: repository.clone(),
        });
        Ok(repository)
    }

    async fn forget(&self, id: RepositoryId) {
        self.open.lock().remove(&id);
    }
}
