//! Ten processes of two clusters back up ten databases to one repository at once. Beside them others drop, sweep by
//! fresh and by old plans, and read; some writers are killed and fenced, or killed and resumed, and some are fenced
//! while they are alive. What was acknowledged is there at the end, byte for byte, and nothing else is.

use crate::place::{Place, servers};
use crate::reachable::{no_garbage_and_nothing_lost, sweep};
use crate::worker::{Journal, Note, ORDERS, Orders, Role, hold_to_its_world};
use env::rt::{Duration, time};
use futures::{StreamExt, TryStreamExt};
use repository::{Repository, SessionId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const WRITERS: u64 = 10;
const SECONDS: &str = "TABULARIUM_PROCESSES_SECONDS";
/// So long a process may take to end when it is told to.
const PATIENCE: Duration = Duration::from_mins(1);
const TEST: &str = "worker::one_process_of_many";

struct Process {
    orders: Orders,
    child: Child,
}

impl Process {
    fn start(orders: Orders) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", TEST, "--nocapture", "--quiet"])
            .env(ORDERS, serde_json::to_string(&orders).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        Self { child: command.spawn().unwrap(), orders }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The session that it opened last, and the round that it was for.
    fn last_session(&self) -> Option<(SessionId, u64)> {
        Journal::read(&self.orders.journal).into_iter().rev().find_map(|note| match note {
            Note::Opens { session, round } => Some((session, round)),
            _ => None,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.kill();
        }
    }
}

struct Crowd<'a> {
    place: &'a Place,
    journals: &'a Path,
    processes: Vec<Process>,
}

impl Crowd<'_> {
    fn start(&mut self, role: Role, number: u64) {
        let orders = Orders {
            place: self.place.line(),
            role,
            number,
            journal: self.journals.join(format!("{role:?}-{number}")),
            round: 0,
            resume: None,
        };
        self.processes.push(Process::start(orders));
    }

    /// Nobody ends before it is told to.
    fn hold_all_to_run(&mut self) {
        for process in &mut self.processes {
            let ended = process.child.try_wait().unwrap();
            assert!(ended.is_none(), "{:?} {} ended: {ended:?}", process.orders.role, process.orders.number);
        }
    }

    async fn stop(&mut self) {
        for process in &mut self.processes {
            drop(process.child.stdin.take());
        }
        let begun = Instant::now();
        for process in &mut self.processes {
            let status = loop {
                if let Some(status) = process.child.try_wait().unwrap() {
                    break status;
                }
                assert!(begun.elapsed() < PATIENCE, "{:?} does not end", process.orders);
                time::sleep(Duration::from_millis(20)).await;
            };
            assert!(status.success(), "{:?} {}: {status}", process.orders.role, process.orders.number);
        }
    }

    /// Kills a writer at whatever it does. Its next life goes on with its session, or its session is fenced first.
    async fn kill_one(&mut self, number: u64, repository: &Repository, resume: bool) {
        let process = &mut self.processes[number as usize];
        process.kill();
        let mut orders = process.orders.clone();
        if let Some((session, round)) = process.last_session() {
            if resume {
                (orders.round, orders.resume) = (round, Some(session));
            } else {
                repository.fence(&session).await.unwrap();
                orders.round = round + 1;
            }
        }
        *process = Process::start(orders);
    }
}

/// What all of them together noted.
#[derive(Default)]
struct Told {
    tried: BTreeSet<String>,
    committed: BTreeSet<String>,
    drop_tried: BTreeSet<String>,
    dropped: BTreeSet<String>,
    counts: BTreeMap<&'static str, u64>,
}

fn told(journals: &Path) -> Told {
    let mut told = Told::default();
    let files: Vec<PathBuf> = std::fs::read_dir(journals).unwrap().map(|file| file.unwrap().path()).collect();
    for note in files.iter().flat_map(|file| Journal::read(file)) {
        let (what, count) = match note {
            Note::Opens { .. } => ("sessions", 1),
            Note::Commits { label } => {
                told.tried.insert(label);
                continue;
            }
            Note::Committed { label } => {
                assert!(told.tried.contains(&label) || told.committed.insert(label.clone()), "{label} twice");
                told.committed.insert(label);
                ("committed", 1)
            }
            Note::Fenced { .. } => ("fenced", 1),
            Note::Drops { label } => {
                told.drop_tried.insert(label);
                continue;
            }
            Note::Dropped { label } => {
                assert!(told.dropped.insert(label.clone()), "{label} was dropped twice");
                ("dropped", 1)
            }
            Note::Read { .. } => ("read", 1),
            Note::Swept { objects } => ("objects swept", objects),
        };
        *told.counts.entry(what).or_default() += count;
    }
    told
}

fn seconds() -> u64 {
    std::env::var(SECONDS).map_or(5, |seconds| seconds.parse().expect("a number of seconds"))
}

async fn share(place: &Place) {
    let journals = tempfile::tempdir().unwrap();
    let repository = Repository::create(place.store(), "shared", 1).await.unwrap();
    let mut crowd = Crowd { place, journals: journals.path(), processes: Vec::new() };
    for number in 0..WRITERS {
        crowd.start(Role::Writer, number);
    }
    for number in 0..3 {
        crowd.start(Role::Dropper, number);
    }
    for number in 0..2 {
        crowd.start(Role::Sweeper, number);
    }
    crowd.start(Role::Reader, 0);

    let (begun, mut turn) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(seconds()) {
        time::sleep(Duration::from_millis(700)).await;
        crowd.hold_all_to_run();
        let number = env::rand::below(WRITERS);
        match turn % 3 {
            0 => crowd.kill_one(number, &repository, false).await,
            1 => crowd.kill_one(number, &repository, true).await,
            // By mistake: it is alive.
            _ => {
                if let Some((session, _)) = crowd.processes[number as usize].last_session() {
                    repository.fence(&session).await.unwrap();
                }
            }
        }
        turn += 1;
    }
    // Two more die at the end, and nobody has fenced them yet.
    for _ in 0..2 {
        crowd.processes.remove(0).kill();
    }
    crowd.stop().await;

    let told = told(journals.path());
    let snapshots = repository.snapshots().await.unwrap();
    let there: BTreeSet<String> = snapshots.iter().map(|summary| summary.label.clone()).collect();
    let lost: Vec<&String> =
        told.committed.iter().filter(|label| !told.drop_tried.contains(*label) && !there.contains(*label)).collect();
    assert!(lost.is_empty(), "acknowledged, never dropped, and not there: {lost:?}");
    let risen: Vec<&String> = told.dropped.intersection(&there).collect();
    assert!(risen.is_empty(), "dropped, and there: {risen:?}");
    let strange: Vec<&String> = there.difference(&told.tried).collect();
    assert!(strange.is_empty(), "nobody committed these: {strange:?}");
    assert!(told.committed.len() as u64 >= WRITERS, "too little happened: {:?}", told.counts);
    assert!(told.counts.get("read").is_some_and(|read| *read > 0), "nothing was read: {:?}", told.counts);
    assert!(told.counts.get("dropped").is_some_and(|dropped| *dropped > 0), "nothing was dropped: {:?}", told.counts);

    // Before the dead are fenced nothing that anybody may need is gone.
    repository.check_log().await.unwrap();
    let read = futures::stream::iter(&snapshots).map(|summary| hold_to_its_world(&repository, summary));
    read.buffer_unordered(4).try_collect::<()>().await.unwrap();
    let dead = repository.sessions().await.unwrap();
    for session in &dead {
        repository.fence(&session.id).await.unwrap();
    }
    sweep(&repository).await;
    let store = place.store();
    no_garbage_and_nothing_lost(&*store, repository.generation().await.unwrap().0).await;
    let read = futures::stream::iter(&snapshots).map(|summary| hold_to_its_world(&repository, summary));
    read.buffer_unordered(4).try_collect::<()>().await.unwrap();
    println!(
        "{} {}: generation {}, {:?}, {} there and whole, {} sessions of the dead fenced, no garbage",
        place.name,
        place.version,
        repository.generation().await.unwrap(),
        told.counts,
        there.len(),
        dead.len(),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_processes_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    share(&Place::directory(dir.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_processes_share_a_bucket() {
    let honest = |place: &Place| place.url.starts_with("s3:") && place.is_honest();
    let Some(place) = servers("ten processes at one bucket").into_iter().find(honest) else { return };
    share(&place.below("shared")).await;
}
