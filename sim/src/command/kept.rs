//! Plans that once failed, kept with the names of what they showed: they must not fail again.

use super::commit;
use std::path::Path;
use tabularium_sim::plan::Plan;
use tabularium_sim::runner::{self, Run, Work};
use tabularium_sim::trace::Keep;
use tracing::Level;

fn read(path: &Path) -> Result<Plan, String> {
    let text = std::fs::read_to_string(path).map_err(|failed| failed.to_string())?;
    serde_json::from_str(&text).map_err(|failed| failed.to_string())
}

pub(super) fn run() -> Result<bool, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kept");
    let listed = std::fs::read_dir(&folder).map_err(|failed| format!("cannot list {}: {failed}", folder.display()))?;
    let mut paths: Vec<_> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let work = |path: &std::path::PathBuf| -> Result<(), String> {
        let plan = read(path)?;
        let keep = Keep { last: 0, print: false, level: Level::INFO };
        runner::run(&Run { work: Work::Plan(Box::new(plan)), canary: None, keep }).result.map(drop)
    };
    let mut bad = 0;
    runner::each(&paths, work, |path, ended| {
        if let Err(wrong) = ended {
            bad += 1;
            let (path, commit) = (path.display(), commit());
            eprintln!("{path} FAILED at commit {commit}: {wrong}\n  repeat it: cargo xtask sim --file {path} --trace");
        }
        true
    });
    eprintln!("kept plans: {} run, {bad} failed", paths.len());
    Ok(bad == 0)
}
