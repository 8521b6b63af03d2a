//! What a run did, as lines and as one number: every event of our own crates with its virtual time. Two runs of a seed must
//! end with the same number.

use env::rt::time::Instant;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::{Dispatch, Event, Level, Metadata, span};

/// Whose events count.
const OURS: [&str; 7] = ["env", "catalog", "tablet", "repository", "snapshot", "node", "tabularium_sim"];

/// How a trace is kept.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// The last lines that are kept for a report.
    pub last: usize,
    /// Whether each line is printed when it comes.
    pub print: bool,
    /// The finest level that counts.
    pub level: Level,
}

#[derive(Debug)]
struct State {
    hash: u64,
    events: u64,
    lines: VecDeque<String>,
    keep: Keep,
    began: Option<Instant>,
}

/// A trace; clones share it.
#[derive(Debug, Clone)]
pub struct Trace(Arc<Mutex<State>>);

impl Trace {
    /// An empty one.
    pub fn new(keep: Keep) -> Self {
        // FNV-1a: all that is asked of it is to be the same for the same text.
        let state = State { hash: 0xcbf2_9ce4_8422_2325, events: 0, lines: VecDeque::new(), keep, began: None };
        Self(Arc::new(Mutex::new(state)))
    }

    /// What collects it.
    pub fn dispatch(&self) -> Dispatch {
        Dispatch::new(Collector(self.clone()))
    }

    /// One number for all of it.
    pub fn hash(&self) -> u64 {
        self.0.lock().hash
    }

    /// How many lines there were.
    pub fn events(&self) -> u64 {
        self.0.lock().events
    }

    /// The last lines.
    pub fn last(&self) -> Vec<String> {
        self.0.lock().lines.iter().cloned().collect()
    }
}

struct Collector(Trace);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let name = field.name();
        // Writing to a string cannot fail.
        let written =
            if name == "message" { write!(self.0, " {value:?}") } else { write!(self.0, " {name}={value:?}") };
        written.unwrap_or_default();
    }
}

impl tracing::Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let root = metadata.target().split("::").next().unwrap_or_default();
        OURS.contains(&root) && *metadata.level() <= self.0.0.lock().keep.level
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    #[expect(clippy::print_stderr, reason = "that is what --trace is for")]
    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        event.record(&mut Fields(&mut line));
        let mut state = self.0.0.lock();
        let now = Instant::now();
        let began = *state.began.get_or_insert(now);
        let metadata = event.metadata();
        let line = format!(
            "{:>10.3} {:>5} {}{line}",
            now.duration_since(began).as_secs_f64(),
            metadata.level(),
            metadata.target()
        );
        for byte in line.bytes() {
            state.hash = (state.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        state.events += 1;
        if state.keep.print {
            eprintln!("{line}");
        }
        if state.keep.last > 0 {
            if state.lines.len() == state.keep.last {
                state.lines.pop_front();
            }
            state.lines.push_back(line);
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
