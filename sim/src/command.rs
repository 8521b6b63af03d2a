//! What the command line asks for.

mod boundaries;
mod canaries;
mod coverage;
mod kept;
mod many;

use tabularium_sim::plan::Plan;
use tabularium_sim::runner::{self, Run, Work};
use tabularium_sim::shrink;
use tabularium_sim::trace::Keep;
use tracing::Level;

/// What can be asked for.
pub(crate) const USAGE: &str = "usage: cargo xtask sim [what] [how]

what (with nothing said: the kept plans, --boundaries, then --seeds 60)
  --seeds N     N seeds, each twice: both runs must be the same, byte for byte
  --seed S      one seed
  --file PATH   the plan in a file, as --plan and --shrink print it
  --boundaries  one backup and one restore, with a power cut at each write, sync and change of a name
  --canaries    each deliberate bug must be found within its number of seeds

how
  --from S      beginning with seed S (1)
  --once        each seed once, which takes half the time
  --coverage    print what was reached, and how often
  --trace       print what happens
  --log LEVEL   how finely: info, debug, trace
  --plan        print the plan as JSON, and do not run it
  --canary NAME with that deliberate bug
  --shrink      when it fails, leave out what its failure does not need, and print what is left";

/// Lines of a trace that are kept to compare two runs.
const LINES_MAX: usize = 1_000_000;

/// Seeds of a run without arguments.
const SEEDS: u64 = 60;

#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
struct Asked {
    seeds: Option<u64>,
    from: u64,
    once: bool,
    coverage: bool,
    seed: Option<u64>,
    file: Option<String>,
    boundaries: bool,
    canaries: bool,
    canary: Option<env::canary::Canary>,
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
        seeds: None,
        from: 1,
        once: false,
        coverage: false,
        seed: None,
        file: None,
        boundaries: false,
        canaries: false,
        canary: None,
        trace: false,
        level: Level::INFO,
        plan: false,
        shrink: false,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--seeds" => asked.seeds = Some(number(words.next(), word)?),
            "--from" => asked.from = number(words.next(), word)?,
            "--once" => asked.once = true,
            "--coverage" => asked.coverage = true,
            "--seed" => asked.seed = Some(number(words.next(), word)?),
            "--file" => asked.file = Some(words.next().ok_or("--file needs a path")?.to_string()),
            "--boundaries" => asked.boundaries = true,
            "--canaries" => asked.canaries = true,
            "--canary" => {
                let name = words.next().ok_or("--canary needs a name")?;
                let known = env::canary::Canary::ALL.into_iter().find(|canary| format!("{canary:?}") == *name);
                asked.canary =
                    Some(known.ok_or_else(|| format!("no canary {name:?}: {:?}", env::canary::Canary::ALL))?);
            }
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

/// The commit that is run, as the caller says; a seed means something there only.
fn commit() -> String {
    std::env::var("TABULARIUM_COMMIT").unwrap_or_else(|_unset| "unknown".to_owned())
}

/// Does what is asked for; whether all runs were good.
pub(crate) fn run(words: &[&str]) -> Result<bool, String> {
    let asked = parse(words)?;
    runner::quiet();
    if let Some(path) = &asked.file {
        let text = std::fs::read_to_string(path).map_err(|failed| format!("cannot read {path:?}: {failed}"))?;
        let plan = serde_json::from_str(&text).map_err(|failed| format!("{path:?} is no plan: {failed}"))?;
        return Ok(one(&plan, &asked));
    }
    if let Some(seed) = asked.seed {
        return Ok(one(&Plan::of(seed), &asked));
    }
    let all = asked.seeds.is_none() && !asked.boundaries && !asked.canaries;
    let mut good = true;
    if asked.canaries {
        good &= canaries::run();
    }
    if all {
        good &= kept::run()?;
    }
    if asked.boundaries || all {
        good &= boundaries::run();
    }
    if let Some(seeds) = asked.seeds.or(all.then_some(SEEDS)) {
        good &= many::run(&asked, seeds);
    }
    Ok(good)
}

fn json(plan: &Plan) -> String {
    serde_json::to_string(plan).unwrap_or_else(|failed| failed.to_string())
}

fn one(plan: &Plan, asked: &Asked) -> bool {
    if asked.plan {
        eprintln!("{}", json(plan));
        return true;
    }
    let keep = Keep { last: LINES_MAX, print: asked.trace, level: asked.level };
    let run = Run { work: Work::Plan(Box::new(plan.clone())), canary: asked.canary, keep };
    let ended = runner::run(&run);
    let again = runner::run(&Run { keep: Keep { print: false, ..keep }, ..run.clone() });
    let same = (again.hash, again.events) == (ended.hash, ended.events);
    if !same {
        let lines = ended.last.iter().zip(&again.last);
        let first = lines.into_iter().find(|(one, other)| one != other);
        let (one, other) = first.unzip();
        eprintln!(
            "two runs differ, first here:\n  {}\n  {}",
            one.map_or("", |line| line),
            other.map_or("", |line| line)
        );
    }
    match &ended.result {
        Ok(seen) => {
            eprintln!("seed {}: trace {:016x}, {} lines\n{seen:#?}", plan.seed, ended.hash, ended.events);
            same
        }
        Err(wrong) => {
            if !asked.trace {
                let last = ended.last.iter().skip(ended.last.len().saturating_sub(40));
                last.for_each(|line| eprintln!("{line}"));
            }
            failed(plan.seed, wrong);
            if asked.shrink {
                let (small, tries) = shrink::shrink(plan, &run, wrong);
                eprintln!("after {tries} runs this is left of the plan, for --file:\n{}", json(&small));
            }
            false
        }
    }
}

fn failed(seed: u64, wrong: &str) {
    eprintln!("seed {seed} FAILED at commit {}: {wrong}\n  repeat it: cargo xtask sim --seed {seed} --trace", commit());
}
