//! What the command line asks for.

use std::collections::BTreeMap;
use std::time::Instant;
use tabularium_sim::plan::Plan;
use tabularium_sim::runner::{self, Ended};
use tabularium_sim::trace::Keep;
use tabularium_sim::world::Seen;
use tracing::Level;

/// What can be asked for.
pub(crate) const USAGE: &str = "usage: cargo xtask sim [--seeds N] [--from S] [--replay N] [--seed S [--trace] [--log LEVEL] [--shrink] [--plan]]

  --seeds N     run N seeds (200 when nothing is said); a failure prints the line that repeats it
  --from S      beginning with seed S (1)
  --replay N    run every N-th of them twice and compare, byte for byte (10)
  --coverage    print what was reached, and how often
  --seed S      run one seed
  --trace       print what happens in it
  --log LEVEL   how finely: info, debug, trace
  --plan        print its plan as JSON, and do not run it
  --shrink      when it fails, leave out what its failure does not need, and print what is left
  --file PATH   run the plan in a file, as --plan and --shrink print it";

struct Asked {
    seeds: u64,
    from: u64,
    replay: u64,
    coverage: bool,
    seed: Option<u64>,
    file: Option<String>,
    trace: bool,
    level: Level,
    plan: bool,
    shrink: bool,
}

fn number(word: Option<&&str>, of: &str) -> Result<u64, String> {
    let word = word.ok_or_else(|| format!("{of} needs a number"))?;
    word.parse().map_err(|_wrong| format!("{of} {word:?} is no number"))
}

fn parse(words: &[&str]) -> Result<Asked, String> {
    let mut asked = Asked {
        seeds: 200,
        from: 1,
        replay: 10,
        coverage: false,
        seed: None,
        file: None,
        trace: false,
        level: Level::INFO,
        plan: false,
        shrink: false,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--seeds" => asked.seeds = number(words.next(), word)?,
            "--from" => asked.from = number(words.next(), word)?,
            "--replay" => asked.replay = number(words.next(), word)?.max(1),
            "--coverage" => asked.coverage = true,
            "--seed" => asked.seed = Some(number(words.next(), word)?),
            "--file" => asked.file = Some(words.next().ok_or("--file needs a path")?.to_string()),
            "--trace" => asked.trace = true,
            "--plan" => asked.plan = true,
            "--shrink" => asked.shrink = true,
            "--log" => {
                let level = words.next().ok_or("--log needs a level")?;
                asked.level = level.parse().map_err(|_wrong| format!("--log {level:?} is no level"))?;
            }
            unknown => return Err(format!("no argument {unknown:?}")),
        }
    }
    Ok(asked)
}

/// Does what is asked for; whether all runs were good.
pub(crate) fn run(words: &[&str]) -> Result<bool, String> {
    let asked = parse(words)?;
    if let Some(path) = &asked.file {
        let text = std::fs::read_to_string(path).map_err(|failed| format!("cannot read {path:?}: {failed}"))?;
        let plan = serde_json::from_str(&text).map_err(|failed| format!("{path:?} is no plan: {failed}"))?;
        return one(&plan, &asked);
    }
    match asked.seed {
        Some(seed) => one(&Plan::of(seed), &asked),
        None => Ok(many(&asked)),
    }
}

fn json(plan: &Plan) -> String {
    serde_json::to_string(plan).unwrap_or_else(|failed| failed.to_string())
}

fn one(plan: &Plan, asked: &Asked) -> Result<bool, String> {
    if asked.plan {
        eprintln!("{}", json(plan));
        return Ok(true);
    }
    let keep = Keep { last: 40, print: asked.trace, level: asked.level };
    let ended = runner::run(plan, keep);
    match &ended.result {
        Ok(seen) => {
            eprintln!("seed {}: trace {:016x}, {} lines\n{seen:#?}", plan.seed, ended.hash, ended.events);
            Ok(true)
        }
        Err(wrong) => {
            if !asked.trace {
                ended.last.iter().for_each(|line| eprintln!("{line}"));
            }
            eprintln!("seed {} FAILED: {wrong}", plan.seed);
            if asked.shrink {
                let small = runner::shrink(plan, keep);
                eprintln!("what is left of the plan, for --file:\n{}", json(&small));
            }
            Ok(false)
        }
    }
}

fn add(total: &mut Seen, seen: &Seen) {
    total.virtual_ms += seen.virtual_ms;
    total.loads += seen.loads;
    total.snapshots += seen.snapshots;
    total.restores += seen.restores;
    total.reads += seen.reads;
    total.requests += seen.requests;
    total.lies += seen.lies;
    for (point, times) in &seen.points {
        *total.points.entry(point.clone()).or_default() += times;
    }
}

fn many(asked: &Asked) -> bool {
    let began = Instant::now();
    let quiet = Keep { last: 0, print: false, level: asked.level };
    let (mut total, mut failed, mut differ) = (Seen::default(), BTreeMap::new(), Vec::new());
    for seed in asked.from..asked.from.saturating_add(asked.seeds) {
        let plan = Plan::of(seed);
        let ended = runner::run(&plan, quiet);
        if seed % asked.replay == 0 {
            let again: Ended = runner::run(&plan, quiet);
            if (again.hash, again.events) != (ended.hash, ended.events) {
                eprintln!("seed {seed}: two runs differ: {:016x} and {:016x}", ended.hash, again.hash);
                differ.push(seed);
            }
        }
        match &ended.result {
            Ok(seen) => add(&mut total, seen),
            Err(wrong) => {
                eprintln!("seed {seed} FAILED: {wrong}\n  repeat it: cargo xtask sim --seed {seed} --trace");
                failed.insert(seed, wrong.clone());
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!(
        "{} seeds from {}: {} failed, {} did not replay; {:.1} virtual hours in {seconds:.1} s ({:.1} seeds a second)",
        asked.seeds,
        asked.from,
        failed.len(),
        differ.len(),
        std::time::Duration::from_millis(total.virtual_ms).as_secs_f64() / 3_600.0,
        std::time::Duration::from_secs(asked.seeds).as_secs_f64() / seconds
    );
    eprintln!(
        "{} loads, {} snapshots, {} restores, {} reads checked; {} requests to the store, {} met a lie",
        total.loads, total.snapshots, total.restores, total.reads, total.requests, total.lies
    );
    if asked.coverage {
        for (point, times) in &total.points {
            eprintln!("{times:>9}  {point}");
        }
    }
    failed.is_empty() && differ.is_empty()
}
