//! The connections that are open: who, doing what, and how to stop them.

use crate::account::Identity;
use crate::error::{EngineError, ErrorKind, codes};
use crate::sql::without_secrets;
use env::rt::CancellationToken;
use env::rt::time::Instant;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What KILL ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillTarget {
    /// The statement that is running, if any.
    Query,
    /// The connection, and with it the statement.
    Connection,
}

/// One line of SHOW PROCESSLIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionView {
    /// The connection's number, as KILL takes it.
    pub id: u32,
    /// Who logged in; empty while nobody has.
    pub user: String,
    /// The account that they logged in to.
    pub identity: Option<Identity>,
    /// The client's address.
    pub host: String,
    /// The database in use.
    pub database: Option<String>,
    /// `Connect`, `Sleep` or `Query`.
    pub command: &'static str,
    /// Seconds in this state.
    pub seconds: u64,
    /// The statement that is running.
    pub statement: Option<String>,
}

/// The open connections of a server; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    last_id: u32,
    entries: BTreeMap<u32, Entry>,
}

#[derive(Debug)]
struct Entry {
    identity: Option<Identity>,
    host: String,
    database: Option<String>,
    since: Instant,
    kill: CancellationToken,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    statement: String,
    stop: CancellationToken,
}

impl Connections {
    /// Registers a connection, unless there are `max` of them. It is open until the result is dropped.
    pub(crate) fn open(&self, host: String, kill: CancellationToken, max: usize) -> Option<Registered> {
        let mut open = self.0.lock();
        if open.entries.len() >= max {
            return None;
        }
        // Numbers come around after four billion connections; those still in use are passed over.
        let id = loop {
            open.last_id = open.last_id.wrapping_add(1);
            if open.last_id != 0 && !open.entries.contains_key(&open.last_id) {
                break open.last_id;
            }
        };
        let entry =
            Entry { identity: None, host, database: None, since: Instant::now(), kill: kill.clone(), running: None };
        open.entries.insert(id, entry);
        Some(Registered { connections: self.clone(), id, kill })
    }

    /// How many connections are open.
    pub fn count(&self) -> usize {
        self.0.lock().entries.len()
    }

    /// How many statements are running.
    pub fn running(&self) -> usize {
        self.0.lock().entries.values().filter(|entry| entry.running.is_some()).count()
    }

    /// All connections, by number.
    pub fn list(&self) -> Vec<ConnectionView> {
        let open = self.0.lock();
        let view = |(id, entry): (&u32, &Entry)| ConnectionView {
            id: *id,
            user: entry.identity.as_ref().map(|identity| identity.name.clone()).unwrap_or_default(),
            identity: entry.identity.clone(),
            host: entry.host.clone(),
            database: entry.database.clone(),
            command: match (&entry.identity, &entry.running) {
                (None, _) => "Connect",
                (Some(_), None) => "Sleep",
                (Some(_), Some(_)) => "Query",
            },
            seconds: entry.since.elapsed().as_secs(),
            statement: entry.running.as_ref().map(|running| running.statement.clone()),
        };
        open.entries.iter().map(view).collect()
    }

    /// Stops the statement or the connection `id`: one of `owner`, or anybody's when there is none.
    ///
    /// # Errors
    /// 1094 when there is no such connection, 1095 when it is another account's.
    pub fn kill(&self, id: u64, target: KillTarget, owner: Option<&Identity>) -> Result<(), EngineError> {
        let open = self.0.lock();
        let entry = u32::try_from(id).ok().and_then(|id| open.entries.get(&id)).ok_or_else(|| {
            EngineError::new(codes::NO_SUCH_THREAD, ErrorKind::NotFound, format!("Unknown thread id: {id}"))
        })?;
        if owner.is_some() && entry.identity.as_ref() != owner {
            let message =
                format!("You are not owner of thread {id}; OPERATE on SYSTEM is needed to end those of others");
            return Err(EngineError::new(codes::KILL_DENIED, ErrorKind::Denied, message));
        }
        match target {
            KillTarget::Connection => entry.kill.cancel(),
            KillTarget::Query => {
                if let Some(running) = &entry.running {
                    running.stop.cancel();
                }
            }
        }
        Ok(())
    }
}

/// A connection's own place in the register.
#[derive(Debug)]
pub(crate) struct Registered {
    connections: Connections,
    id: u32,
    kill: CancellationToken,
}

impl Registered {
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Cancelled when the connection is to end at once.
    pub(crate) fn kill(&self) -> &CancellationToken {
        &self.kill
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    fn update(&self, update: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.connections.0.lock().entries.get_mut(&self.id) {
            update(entry);
        }
    }

    pub(crate) fn logged_in(&self, identity: &Identity) {
        self.update(|entry| {
            entry.identity = Some(identity.clone());
            entry.since = Instant::now();
        });
    }

    pub(crate) fn uses(&self, database: Option<&str>) {
        self.update(|entry| entry.database = database.map(str::to_owned));
    }

    /// A statement begins; the token says when it is to stop.
    pub(crate) fn begin(&self, statement: &str) -> CancellationToken {
        const SHOWN_CHARS_MAX: usize = 1_000;
        let stop = self.kill.child_token();
        let shown: String = statement.chars().take(SHOWN_CHARS_MAX).collect();
        let running = Running { statement: without_secrets(&shown).into_owned(), stop: stop.clone() };
        self.update(|entry| {
            entry.running = Some(running);
            entry.since = Instant::now();
        });
        stop
    }

    pub(crate) fn end(&self) {
        self.update(|entry| {
            entry.running = None;
            entry.since = Instant::now();
        });
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.connections.0.lock().entries.remove(&self.id);
    }
}
