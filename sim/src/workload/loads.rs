//! Clients that load: each writes rows of its own into all tables in turn, one load at a time, with labels, so that a load
//! whose answer was lost is asked for again and takes effect once.

use crate::machine::Lost;
use crate::model::{Fate, Load, PARTITION, WRITER};
use crate::workload::may_pass;
use crate::world::{DATABASE, World};
use env::rt::Duration;
use env::rt::time::sleep;
use node::error::{EngineError, ErrorKind};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What a writer will write; depends on the plan alone.
fn next(dice: &mut fastrand::Rng, world: &World, writer: usize, number: u64) -> (Load, String) {
    let shape = &world.plan.shape;
    let table = dice.usize(0..shape.tables.len().max(1));
    let own = i64::try_from(writer).unwrap_or(0) * WRITER;
    let mut ids = BTreeSet::new();
    for _ in 0..dice.usize(1..=shape.rows.max(1)) {
        ids.insert(i64::from(dice.u32(0..shape.partitions)) * PARTITION + own + dice.i64(0..60));
    }
    let mut text = format!("INSERT INTO t{table} WITH LABEL w{writer}_{number} VALUES ");
    for (at, id) in ids.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        let note = "x".repeat(dice.usize(0..120));
        // Writing to a string cannot fail.
        write!(text, "{comma}({id}, {number}, '{note}')").unwrap_or_default();
    }
    (Load { table, number, ids: ids.into_iter().collect(), fate: Fate::Open }, text)
}

/// The engine says that a load with this label was acknowledged, or is still under way.
fn of_label(failed: &EngineError) -> Option<bool> {
    if failed.kind != ErrorKind::AlreadyExists || !failed.message.starts_with("label '") {
        return None;
    }
    Some(failed.message.contains("has committed"))
}

/// Loads until the time is over.
pub async fn write(world: World, writer: usize) {
    let mut dice = fastrand::Rng::with_seed(world.plan.seed ^ (writer as u64 + 1).wrapping_mul(0x1234_5678_9abc_def1));
    let mut number = 0;
    while world.goes_on() {
        sleep(Duration::from_millis(dice.u64(0..=world.plan.shape.pause_ms))).await;
        number += 1;
        let unchanged = world.tables.read().await;
        let (load, text) = next(&mut dice, &world, writer, number);
        world.model.lock().begin(writer, load);
        let fate = settle(&world, &text).await;
        world.model.lock().end(writer, fate);
        if fate == Fate::Done {
            world.seen.lock().loads += 1;
        }
        drop(unchanged);
    }
}

/// A few loads by the first writer, one after the other.
pub async fn some(world: &World, loads: u64) {
    let done = world.seen.lock().loads;
    let mut dice = fastrand::Rng::with_seed(world.plan.seed ^ done.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for number in done + 1..=done + loads {
        let (load, text) = next(&mut dice, world, 0, number);
        world.model.lock().begin(0, load);
        let fate = settle(world, &text).await;
        world.model.lock().end(0, fate);
        world.seen.lock().loads += 1;
    }
}

/// Asks for a load until its fate is known.
async fn settle(world: &World, text: &str) -> Fate {
    loop {
        match world.machine.sql(Some(DATABASE), text.to_owned()).await {
            Ok(Ok(_)) => return Fate::Done,
            Ok(Err(failed)) => match of_label(&failed) {
                Some(true) => return Fate::Done,
                Some(false) => {}
                None if may_pass(&failed) => tracing::debug!(error = %failed, "a load is asked for again"),
                None if world.plan.hurts_disk() => tracing::debug!(error = %failed, "a load failed with its disk"),
                None => std::panic::panic_any(format!("a load was refused: {failed} ({:?})", failed.kind)),
            },
            Err(Lost) => {}
        }
        sleep(Duration::from_millis(200)).await;
    }
}
