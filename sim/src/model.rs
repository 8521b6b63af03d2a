//! What the tables should hold: each writer's loads in order, and what a reader may see of them. Pure.
//!
//! A writer begins a load when the one before has ended, and writes rows that nobody else writes. So whoever reads all tables at
//! one instant sees, of each writer, all loads up to some point and nothing of the later ones, whatever the tables: that is what
//! one consistent cut means. The point lies between what had ended before the read began and what had begun before it ended.

use std::collections::BTreeMap;

/// Rows of one table: id to the loads that wrote it, in order. A Primary Key table keeps the last one only.
pub type Rows = BTreeMap<i64, Vec<u64>>;

/// Rows of all tables, in the order of the tables.
pub type Content = Vec<Rows>;

/// Ids of one writer are `partition * PARTITION + writer * WRITER + n`.
pub const PARTITION: i64 = 100_000;
/// See [`PARTITION`].
pub const WRITER: i64 = 1_000;

/// Whose row an id is.
pub fn writer_of(id: i64) -> usize {
    usize::try_from((id % PARTITION) / WRITER).unwrap_or(usize::MAX)
}

/// How a load ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It has begun.
    Open,
    /// It was acknowledged.
    Done,
    /// It was refused, and has changed nothing.
    Refused,
}

/// One load.
#[derive(Debug, Clone)]
pub struct Load {
    /// Which table.
    pub table: usize,
    /// The number that its rows carry.
    pub number: u64,
    /// Its rows.
    pub ids: Vec<i64>,
    /// How it ended.
    pub fate: Fate,
}

/// Loads from one restore of the tables to the next.
#[derive(Debug, Clone, Default)]
pub struct Epoch {
    /// What the tables held when it began.
    pub base: Content,
    /// By writer.
    pub writers: Vec<Vec<Load>>,
}

/// A point in an epoch: of each writer, how many loads.
pub type Point = Vec<usize>;

/// All that happened to the tables.
#[derive(Debug, Clone)]
pub struct Model {
    /// Whether each table has a Primary Key.
    pub primary: Vec<bool>,
    /// The epochs; the last one is now.
    pub epochs: Vec<Epoch>,
}

/// What a reader may see: the epoch, and of each writer the least and the greatest number of loads.
#[derive(Debug, Clone)]
pub struct Window {
    /// The epoch.
    pub epoch: usize,
    /// Loads that had ended when the read began: all of them must be seen.
    pub least: Point,
    /// Loads that had begun when it ended: none else may be seen.
    pub most: Point,
}

impl Model {
    /// Empty tables.
    pub fn new(primary: &[bool], writers: usize) -> Self {
        let epoch = Epoch { base: vec![Rows::new(); primary.len()], writers: vec![Vec::new(); writers] };
        Self { primary: primary.to_vec(), epochs: vec![epoch] }
    }

    /// The epoch that is now.
    pub fn now(&self) -> usize {
        self.epochs.len().saturating_sub(1)
    }

    /// Loads that have ended.
    pub fn ended(&self, epoch: usize) -> Point {
        let Some(epoch) = self.epochs.get(epoch) else { return Point::new() };
        let ended = |loads: &Vec<Load>| loads.iter().take_while(|load| load.fate != Fate::Open).count();
        epoch.writers.iter().map(ended).collect()
    }

    /// Loads that have begun.
    pub fn begun(&self, epoch: usize) -> Point {
        let Some(epoch) = self.epochs.get(epoch) else { return Point::new() };
        epoch.writers.iter().map(Vec::len).collect()
    }

    /// A writer begins a load.
    pub fn begin(&mut self, writer: usize, load: Load) {
        if let Some(loads) = self.epochs.last_mut().and_then(|epoch| epoch.writers.get_mut(writer)) {
            loads.push(load);
        }
    }

    /// A writer's last load has ended.
    pub fn end(&mut self, writer: usize, fate: Fate) {
        let loads = self.epochs.last_mut().and_then(|epoch| epoch.writers.get_mut(writer));
        if let Some(load) = loads.and_then(|loads| loads.last_mut()) {
            load.fate = fate;
        }
    }

    /// The tables were replaced.
    pub fn replaced(&mut self, base: Content) {
        let writers = self.epochs.last().map_or(0, |epoch| epoch.writers.len());
        self.epochs.push(Epoch { base, writers: vec![Vec::new(); writers] });
    }

    /// One writer's rows when an epoch begins.
    fn base_of(epoch: &Epoch, writer: usize) -> Content {
        let own = |rows: &Rows| {
            let own = rows.iter().filter(|(id, _)| writer_of(**id) == writer);
            own.map(|(id, by)| (*id, by.clone())).collect()
        };
        epoch.base.iter().map(own).collect()
    }

    /// Adds what a load does.
    fn load(&self, content: &mut Content, load: &Load) {
        let (Some(rows), Some(primary)) = (content.get_mut(load.table), self.primary.get(load.table)) else { return };
        if load.fate == Fate::Refused {
            return;
        }
        for id in &load.ids {
            let by = rows.entry(*id).or_default();
            if *primary {
                by.clear();
            }
            by.push(load.number);
            by.sort_unstable();
        }
    }

    /// One writer's rows after its first `count` loads in an epoch.
    fn rows_of(&self, epoch: &Epoch, writer: usize, count: usize) -> Content {
        let mut content = Self::base_of(epoch, writer);
        let loads = epoch.writers.get(writer).map(Vec::as_slice).unwrap_or_default();
        loads.iter().take(count).for_each(|load| self.load(&mut content, load));
        content
    }

    /// Whether some point from `least` to `most` loads of a writer gives these rows.
    fn fits(&self, epoch: &Epoch, writer: usize, (least, most): (usize, usize), seen: &Content) -> bool {
        let mut content = Self::base_of(epoch, writer);
        let loads = epoch.writers.get(writer).map(Vec::as_slice).unwrap_or_default();
        let mut loads = loads.iter();
        for count in 0..=most {
            if count >= least && content == *seen {
                return true;
            }
            let Some(load) = loads.next() else { return false };
            self.load(&mut content, load);
        }
        false
    }

    /// Checks that what was seen is what a window allows.
    ///
    /// # Errors
    /// What is wrong with which writer's rows.
    pub fn explain(&self, seen: &Content, window: &Window) -> Result<(), String> {
        let Some(epoch) = self.epochs.get(window.epoch) else { return Err("no such epoch".to_owned()) };
        for writer in 0..epoch.writers.len() {
            let of_writer: Content = seen
                .iter()
                .map(|rows| {
                    let own = rows.iter().filter(|(id, _)| writer_of(**id) == writer);
                    own.map(|(id, by)| (*id, by.clone())).collect()
                })
                .collect();
            let least = window.least.get(writer).copied().unwrap_or(0);
            let most = window.most.get(writer).copied().unwrap_or(0);
            if !self.fits(epoch, writer, (least, most), &of_writer) {
                return Err(self.differs(epoch, writer, least, most, &of_writer));
            }
        }
        let stranger = seen.iter().flat_map(|rows| rows.keys()).find(|id| writer_of(**id) >= epoch.writers.len());
        stranger.map_or(Ok(()), |id| Err(format!("row {id} is nobody's")))
    }

    /// The same, where the tables may have been replaced since the window was opened.
    ///
    /// # Errors
    /// As [`Model::explain`], for the window's own epoch.
    pub fn explain_since(&self, seen: &Content, window: &Window) -> Result<(), String> {
        self.explain(seen, window).or_else(|wrong| {
            let later = (window.epoch + 1..=self.now()).any(|epoch| {
                let window = Window { epoch, least: vec![0; window.least.len()], most: self.begun(epoch) };
                self.explain(seen, &window).is_ok()
            });
            if later { Ok(()) } else { Err(wrong) }
        })
    }

    fn differs(&self, epoch: &Epoch, writer: usize, least: usize, most: usize, seen: &Content) -> String {
        let closest = self.rows_of(epoch, writer, most);
        let mut lines =
            vec![format!("writer {writer}: no point from {least} to {most} explains what is there; at {most}:")];
        for (table, (wanted, found)) in closest.iter().zip(seen).enumerate() {
            for (id, by) in wanted {
                if found.get(id) != Some(by) {
                    lines.push(format!("  table {table} row {id}: expected {by:?}, found {:?}", found.get(id)));
                }
            }
            for id in found.keys().filter(|id| !wanted.contains_key(id)) {
                lines.push(format!("  table {table} row {id}: not expected, found {:?}", found.get(id)));
            }
        }
        lines.truncate(12);
        lines.join("\n")
    }
}
