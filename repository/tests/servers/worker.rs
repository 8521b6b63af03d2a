//! One of many processes at a repository: what it is told, what it does, and the journal in which it notes what it was
//! told by the repository. A note is one write to a file, so it outlives a process that is killed.

use crate::place::Place;
use crate::round_trip::s3_options;
use crate::support::*;
use env::rt::{CancellationToken, Duration, time};
use repository::{Error, ErrorKind, Purpose, Repository, SessionId, SnapshotSummary, SweepPlan, no_progress};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// The orders of a process that is one of these, as JSON.
pub const ORDERS: &str = "TABULARIUM_WORKER";
/// No process outlives its parent by this.
const HARD_END: Duration = Duration::from_mins(4);
/// Below so many snapshots nothing is dropped.
const SNAPSHOTS_MIN: usize = 12;
/// So many are dropped at one time.
const BURST: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Backs up one database, again and again.
    Writer,
    /// Drops snapshots of anybody.
    Dropper,
    /// Sweeps, now and then by an old plan.
    Sweeper,
    /// Reads snapshots of anybody, byte for byte.
    Reader,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Orders {
    pub place: String,
    pub role: Role,
    pub number: u64,
    pub journal: PathBuf,
    /// The first round of a writer.
    pub round: u64,
    /// The session of that round, when an earlier life of this writer opened it.
    pub resume: Option<SessionId>,
}

/// What a process notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// Is about to open this session to write this round.
    Opens { session: SessionId, round: u64 },
    /// Is about to commit.
    Commits { label: String },
    /// Was told that the snapshot exists.
    Committed { label: String },
    /// Was told that the session was ended by somebody else.
    Fenced { round: u64 },
    /// Is about to drop.
    Drops { label: String },
    /// Was told that it did.
    Dropped { label: String },
    /// Read a whole snapshot, and it was what its writer wrote.
    Read { label: String },
    /// Swept so many objects.
    Swept { objects: u64 },
}

pub struct Journal(File);

impl Journal {
    fn open(path: &Path) -> Self {
        Self(OpenOptions::new().create(true).append(true).open(path).unwrap())
    }

    fn note(&mut self, note: &Note) {
        let line = format!("{}\n", serde_json::to_string(note).unwrap());
        self.0.write_all(line.as_bytes()).unwrap();
    }

    pub fn read(path: &Path) -> Vec<Note> {
        let Ok(file) = File::open(path) else { return Vec::new() };
        BufReader::new(file).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    }
}

/// Two clusters, whose databases and tables have the same names and numbers.
fn cluster(number: u64) -> &'static str {
    if number.is_multiple_of(2) { "east" } else { "west" }
}

pub fn label(number: u64, round: u64) -> String {
    format!("w{number}-{round}")
}

/// A number that depends on all of these.
fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, part| {
        let mixed = (hash ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    })
}

/// What a writer's database holds in a round: nine files, a quarter of which are new in each round.
pub fn world_of(number: u64, round: u64) -> World {
    let lens = |tablet: u64, file: u64| match (tablet, file) {
        // Two parts, in one database in five.
        (0, 0) if number.is_multiple_of(5) => (5 << 20) + 4099,
        (_, 0) => 100_000 + tablet as usize,
        (_, 1) => 900,
        _ => 40 * file as usize,
    };
    let tablets = (0..3).map(|tablet| {
        let files = (0..3).map(|file| {
            let is_new = |round: &u64| mix(&[number, tablet, file, *round]).is_multiple_of(4);
            let since = (1..=round).rev().find(is_new).unwrap_or(0);
            (format!("{since}-{file}.parquet"), noise(mix(&[number, tablet, file, since]), lens(tablet, file)))
        });
        (1000 + tablet, files.collect())
    });
    tablets.collect()
}

/// The writer and round of a label.
pub fn of_label(label: &str) -> (u64, u64) {
    let (number, round) = label.strip_prefix('w').and_then(|rest| rest.split_once('-')).expect("a writer's label");
    (number.parse().unwrap(), round.parse().unwrap())
}

/// Holds a snapshot to be what its writer wrote.
pub async fn hold_to_its_world(repository: &Repository, summary: &SnapshotSummary) -> Result<(), Error> {
    let (number, round) = of_label(&summary.label);
    let found = restore_of(repository, summary).await?;
    assert!(found == world_of(number, round), "{} is not what was written", summary.label);
    assert_eq!(summary.cluster, cluster(number));
    Ok(())
}

/// Whether the same call may be made again.
fn passes(failed: &Error) -> bool {
    matches!(failed.kind(), ErrorKind::Unavailable | ErrorKind::Conflict | ErrorKind::Indeterminate | ErrorKind::Busy)
}

/// Calls again while the answer may be a passing one.
async fn patiently<T>(call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 0..50 {
        match call().await {
            Err(failed) if passes(&failed) => time::sleep(Duration::from_millis(20 + env::rand::below(100))).await,
            answer => return answer,
        }
    }
    call().await
}

struct Worker {
    orders: Orders,
    repository: Repository,
    journal: Journal,
    stop: CancellationToken,
}

/// Does what the environment says; without orders this process is an ordinary test process.
pub async fn work() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    // The parent holds the other end of standard input: when it closes that, or dies, this process ends.
    std::thread::spawn(move || {
        let mut nothing = Vec::new();
        let _eof = std::io::stdin().lock().read_to_end(&mut nothing);
        stopper.cancel();
        std::thread::sleep(HARD_END);
        std::process::exit(3);
    });
    let place = Place::parse(&orders.place);
    let repository = patiently(async || Repository::open(place.store()).await).await.unwrap();
    let mut worker = Worker { journal: Journal::open(&orders.journal), orders, repository, stop };
    match worker.orders.role {
        Role::Writer => worker.write().await,
        Role::Dropper => worker.drop_some().await,
        Role::Sweeper => worker.sweep().await,
        Role::Reader => worker.read().await,
    }
}

impl Worker {
    fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    async fn pause(&self, most_ms: u64) {
        let pause = time::sleep(Duration::from_millis(1 + env::rand::below(most_ms)));
        env::select! { () = self.stop.cancelled() => {}, () = pause => {} }
    }

    async fn write(&mut self) {
        let mut round = self.orders.round;
        while !self.stopped() {
            let id = match self.orders.resume.take() {
                Some(id) => id,
                None => patiently(async || self.repository.new_session_id().await).await.unwrap(),
            };
            self.journal.note(&Note::Opens { session: id.clone(), round });
            if let Err(failed) = self.back_up(&id, round).await {
                // Who is fenced loses its work, in whatever way it notices; nobody else may fail.
                let sessions = patiently(async || self.repository.sessions().await).await.unwrap();
                assert!(
                    sessions.iter().all(|open| open.id != id),
                    "writer {} failed and its session {id} is open: {failed:?}",
                    self.orders.number
                );
                self.journal.note(&Note::Fenced { round });
            }
            round += 1;
            // Slow enough for the droppers to keep up.
            self.pause(400).await;
        }
    }

    async fn back_up(&mut self, id: &SessionId, round: u64) -> Result<(), Error> {
        let (number, label) = (self.orders.number, label(self.orders.number, round));
        let open = async || self.repository.open_session(id, Purpose::Backup, "writer", 1).await;
        let session = match patiently(open).await {
            Ok(session) => session,
            // An earlier life did, and was not told.
            Err(Error::AlreadyCommitted(summary)) if summary.label == label => {
                self.journal.note(&Note::Committed { label });
                return Ok(());
            }
            Err(failed) => return Err(failed),
        };
        let database = Database { cluster: cluster(number), name: "shop", created_ms: round, options: s3_options() };
        let world = world_of(number, round);
        let tables = [(number / 2, "events", &world)];
        let upload = async || upload_of(&database, &session, &label, &tables, &CancellationToken::new()).await;
        let summary = patiently(upload).await?.summary;
        self.journal.note(&Note::Commits { label: label.clone() });
        patiently(async || session.commit(summary.clone()).await).await?;
        self.journal.note(&Note::Committed { label });
        Ok(())
    }

    async fn drop_some(&mut self) {
        while !self.stopped() {
            let mut snapshots = patiently(async || self.repository.snapshots().await).await.unwrap();
            let mut labels = Vec::new();
            while snapshots.len() > SNAPSHOTS_MIN && labels.len() < BURST {
                let chosen = env::rand::below(snapshots.len() as u64) as usize;
                labels.push(snapshots.swap_remove(chosen).label);
            }
            for label in &labels {
                self.journal.note(&Note::Drops { label: label.clone() });
            }
            let repository = &self.repository;
            let drop_one = async |label: String| {
                let dropped = patiently(async || repository.drop_snapshot(&label, None).await).await;
                (label, dropped)
            };
            for (label, dropped) in futures::future::join_all(labels.into_iter().map(drop_one)).await {
                match dropped {
                    Ok(_) => self.journal.note(&Note::Dropped { label }),
                    // Another dropper did.
                    Err(Error::NotFound(_)) => {}
                    Err(failed) => panic!("{label} cannot be dropped: {failed:?}"),
                }
            }
            self.pause(40).await;
        }
    }

    async fn sweep(&mut self) {
        let mut old: Vec<SweepPlan> = Vec::new();
        while !self.stopped() {
            let plan = patiently(async || self.repository.sweep_plan(&no_progress()).await).await.unwrap();
            old.push(plan);
            // A plan may be as old as it likes; now and then none of them is carried out.
            if env::rand::below(4) > 0 {
                let plan = old.swap_remove(env::rand::below(old.len() as u64) as usize);
                let swept = patiently(async || self.repository.sweep(&plan, &no_progress()).await).await.unwrap();
                self.journal.note(&Note::Swept { objects: swept.objects });
            }
            self.pause(100).await;
        }
    }

    async fn read(&mut self) {
        while !self.stopped() {
            let snapshots = patiently(async || self.repository.snapshots().await).await.unwrap();
            if !snapshots.is_empty() {
                let wanted = &snapshots[env::rand::below(snapshots.len() as u64) as usize];
                let id = patiently(async || self.repository.new_session_id().await).await.unwrap();
                let open = async || self.repository.open_session(&id, Purpose::Restore, "reader", 1).await;
                let session = patiently(open).await.unwrap();
                // There before the session was opened and after it: so it was there when it was opened, and is kept.
                let find = async || self.repository.snapshot(&wanted.label, None).await;
                if patiently(find).await.unwrap().as_ref() == Some(wanted) {
                    let read = async || hold_to_its_world(&self.repository, wanted).await;
                    patiently(read)
                        .await
                        .unwrap_or_else(|failed| panic!("{} cannot be read: {failed:?}", wanted.label));
                    self.journal.note(&Note::Read { label: wanted.label.clone() });
                }
                patiently(async || session.close().await).await.unwrap();
            }
            self.pause(100).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_of_many() {
    work().await;
}
