//! What a node is told when it starts: a file, the environment, the command line, in this order; the last one wins.
//!
//! Every setting has one name, written with a dot in the file's terms (`[jobs]`, `retries = 3` is `jobs.retries`). The
//! environment has it as `TABULARIUM_JOBS_RETRIES`, the command line as `--set jobs.retries=3`. All values are text until
//! they are checked, in one place, so that an error always names the setting and where it came from.

use crate::engine::EngineOptions;
use anyhow::{Context, Result};
use bytesize::ByteSize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// How alike a name must be to be suggested: Jaro and Winkler's measure, 1 for the same.
const ALIKE: f64 = 0.8;

/// All that a node is told.
#[derive(Debug, Clone)]
pub(super) struct Config {
    /// What to log.
    pub(super) log: String,
    /// Whether as JSON.
    pub(super) log_json: bool,
    /// Where to listen for MySQL clients.
    pub(super) mysql_addr: SocketAddr,
    /// Where to listen for HTTP.
    pub(super) http_addr: SocketAddr,
    /// The certificate for TLS.
    pub(super) tls_cert: Option<PathBuf>,
    /// Its private key.
    pub(super) tls_key: Option<PathBuf>,
    /// The engine's options, the data directory among them.
    pub(super) engine: EngineOptions,
}

/// One setting.
struct Setting {
    name: &'static str,
    about: &'static str,
    set: fn(&mut Config, &str) -> Result<(), String>,
    get: fn(&Config) -> String,
}

fn parsed<T: FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_wrong| format!("\"{text}\" is no {what}"))
}

fn number(text: &str, least: u32) -> Result<u32, String> {
    match parsed::<u32>(text, "whole number")? {
        small if small < least => Err(format!("{small} is less than {least}")),
        number => Ok(number),
    }
}

fn size(text: &str, least: u64) -> Result<u64, String> {
    match parsed::<ByteSize>(text, "size; write one such as 64MiB or 2GiB")?.as_u64() {
        small if small < least => Err(format!("{} is less than {}", ByteSize(small), ByteSize(least))),
        bytes => Ok(bytes),
    }
}

/// 0 takes a limit away.
fn limit(text: &str) -> Result<Option<u64>, String> {
    size(text, 0).map(|bytes| Some(bytes).filter(|bytes| *bytes > 0))
}

fn time(text: &str) -> Result<Duration, String> {
    let example = "write one such as 30s, 15min or 24h";
    humantime::parse_duration(text.trim()).map_err(|problem| format!("\"{text}\" is no time ({problem}); {example}"))
}

fn truth(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("\"{text}\" is neither true nor false")),
    }
}

fn bytes_text(bytes: u64) -> String {
    // Exact: a unit only where it loses nothing.
    match bytes {
        0 => "0".to_owned(),
        of if of % (1 << 30) == 0 => format!("{}GiB", of >> 30),
        of if of % (1 << 20) == 0 => format!("{}MiB", of >> 20),
        of if of % (1 << 10) == 0 => format!("{}KiB", of >> 10),
        of => of.to_string(),
    }
}

fn time_text(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

fn usize_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// A setting that is a size in bytes, at least so large.
macro_rules! size {
    ($name:literal, $about:literal, $least:expr, $($field:ident).+, usize) => {
        Setting {
            name: $name,
            about: $about,
            set: |config, text| { config.$($field).+ = usize_of(size(text, $least)?); Ok(()) },
            get: |config| bytes_text(config.$($field).+ as u64),
        }
    };
    ($name:literal, $about:literal, $least:expr, $($field:ident).+) => {
        Setting {
            name: $name,
            about: $about,
            set: |config, text| { config.$($field).+ = size(text, $least)?; Ok(()) },
            get: |config| bytes_text(config.$($field).+),
        }
    };
}

/// A setting that is a time.
macro_rules! time {
    ($name:literal, $about:literal, $($field:ident).+) => {
        Setting {
            name: $name,
            about: $about,
            set: |config, text| { config.$($field).+ = time(text)?; Ok(()) },
            get: |config| time_text(config.$($field).+),
        }
    };
}

/// A setting that is a file; none when it is empty.
macro_rules! file {
    ($name:literal, $about:literal, $field:ident) => {
        Setting {
            name: $name,
            about: $about,
            set: |config, text| {
                config.$field = Some(PathBuf::from(text)).filter(|_| !text.is_empty());
                Ok(())
            },
            get: |config| config.$field.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
        }
    };
}

/// A setting that is a number, at least 1.
macro_rules! count {
    ($name:literal, $about:literal, $($field:ident).+) => {
        Setting {
            name: $name,
            about: $about,
            set: |config, text| { config.$($field).+ = number(text, 1)? as usize; Ok(()) },
            get: |config| config.$($field).+.to_string(),
        }
    };
}

/// Every setting, in the order in which they are shown.
const SETTINGS: &[Setting] = &[
    Setting {
        name: "data_dir",
        about: "data directory; made when it does not exist; one process at a time",
        set: |config, text| {
            config.engine.data_dir = PathBuf::from(text);
            Ok(())
        },
        get: |config| config.engine.data_dir.display().to_string(),
    },
    Setting {
        name: "mysql_addr",
        about: "where to listen for MySQL clients",
        set: |config, text| {
            config.mysql_addr = parsed(text, "address; write one such as 127.0.0.1:9030")?;
            Ok(())
        },
        get: |config| config.mysql_addr.to_string(),
    },
    Setting {
        name: "http_addr",
        about: "where to listen for HTTP: stream load, health, metrics",
        set: |config, text| {
            config.http_addr = parsed(text, "address; write one such as 127.0.0.1:8030")?;
            Ok(())
        },
        get: |config| config.http_addr.to_string(),
    },
    file!("tls_cert", "the server's certificate, a PEM file; with it, TLS on both ports", tls_cert),
    file!("tls_key", "the certificate's private key, a PEM file", tls_key),
    Setting {
        name: "log",
        about: "what to log: a level, or pairs such as snapshot=debug,warn",
        set: |config, text| {
            tracing_subscriber::EnvFilter::try_new(text)
                .map_err(|problem| format!("\"{text}\" is no filter: {problem}"))?;
            text.clone_into(&mut config.log);
            Ok(())
        },
        get: |config| config.log.clone(),
    },
    Setting {
        name: "log_json",
        about: "one JSON object a line",
        set: |config, text| {
            config.log_json = truth(text)?;
            Ok(())
        },
        get: |config| config.log_json.to_string(),
    },
    size!("query.memory", "memory of all queries together", 16 << 20, engine.query_memory_bytes, usize),
    size!("query.spill", "disk for what of queries does not fit into it", 0, engine.query_spill_bytes),
    size!(
        "load.buffer",
        "rows of a load held in memory before they are written",
        1 << 20,
        engine.load_buffer_bytes,
        usize
    ),
    Setting {
        name: "recycle_bin.keep",
        about: "how long the recycle bin keeps what was dropped or replaced",
        set: |config, text| {
            config.engine.trash_keep = time(text)?;
            config.engine.jobs.trash_keep = config.engine.trash_keep;
            Ok(())
        },
        get: |config| time_text(config.engine.trash_keep),
    },
    time!("catalog.history_keep", "how long old states of the catalog can be read", engine.history_keep),
    time!("compaction.every", "how often compaction and reclaiming look for work", engine.tidy_every),
    count!("jobs.tasks_at_once", "tasks of BACKUP and RESTORE at one time", engine.jobs.tasks_at_once),
    count!("jobs.files_at_once", "files that a download task fetches at one time", engine.jobs.files_at_once),
    count!("jobs.parts_in_flight", "parts that a task sends or fetches at one time", engine.jobs.stream.in_flight),
    size!("jobs.part_size", "length of a part of a large file", 5 << 20, engine.jobs.stream.part_bytes),
    size!("jobs.small_file", "files up to this length share objects", 0, engine.jobs.stream.small_bytes),
    size!("jobs.pack_size", "length of an object that small files share", 1 << 20, engine.jobs.stream.pack_bytes),
    Setting {
        name: "jobs.retries",
        about: "how often in a row a task is tried again without any progress",
        set: |config, text| {
            config.engine.jobs.retries = number(text, 0)?;
            Ok(())
        },
        get: |config| config.engine.jobs.retries.to_string(),
    },
    time!("jobs.retry_pause", "first pause before that; it doubles", engine.jobs.retry_pause),
    time!("jobs.retry_pause_max", "longest such pause", engine.jobs.retry_pause_max),
    time!("jobs.history_keep", "how long ended jobs are kept", engine.jobs.history_keep),
    time!(
        "jobs.repository_patience",
        "how long a repository is asked what became of a job",
        engine.jobs.repository_patience
    ),
    time!("jobs.sweep_every", "how often repositories are looked after", engine.jobs.sweep_every),
    Setting {
        name: "jobs.max_bytes_per_second",
        about: "how fast all jobs together may talk to repositories; 0 is no limit. SET GLOBAL goes before it",
        set: |config, text| {
            config.engine.jobs.node_rates.bytes_per_second = limit(text)?;
            Ok(())
        },
        get: |config| bytes_text(config.engine.jobs.node_rates.bytes_per_second.unwrap_or(0)),
    },
    Setting {
        name: "jobs.max_requests_per_second",
        about: "the same for requests",
        set: |config, text| {
            let requests = u64::from(number(text, 0)?);
            config.engine.jobs.node_rates.requests_per_second = Some(requests).filter(|requests| *requests > 0);
            Ok(())
        },
        get: |config| config.engine.jobs.node_rates.requests_per_second.unwrap_or(0).to_string(),
    },
];

impl Setting {
    fn variable(&self) -> String {
        format!("TABULARIUM_{}", self.name.replace('.', "_").to_uppercase())
    }
}

/// Where values come from.
#[derive(Debug, Default)]
pub(super) struct Sources<'a> {
    /// The configuration file.
    pub(super) file: Option<&'a Path>,
    /// `name=value`, as `--set` has them.
    pub(super) set: &'a [String],
    /// What flags of their own say, by the setting's name.
    pub(super) flags: Vec<(&'static str, String)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log: "warn".to_owned(),
            log_json: false,
            mysql_addr: SocketAddr::from(([127, 0, 0, 1], 9030)),
            http_addr: SocketAddr::from(([127, 0, 0, 1], 8030)),
            tls_cert: None,
            tls_key: None,
            engine: EngineOptions::new(""),
        }
    }
}

impl Config {
    /// Reads all sources and checks every value.
    ///
    /// # Errors
    /// Every setting that is unknown or has a wrong value, each with where it came from; a file that cannot be read.
    pub(super) fn read(sources: &Sources<'_>, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut config = Self::default();
        let mut problems = Vec::new();
        if let Some(file) = sources.file {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read the configuration file {}", file.display()))?;
            let table: toml::Table =
                text.parse().with_context(|| format!("the configuration file {} is not TOML", file.display()))?;
            let mut values = BTreeMap::new();
            flatten(&table, "", &mut values);
            for (name, value) in values {
                config.apply(&name, &value, &format!("{}", file.display()), &mut problems);
            }
        }
        for setting in SETTINGS {
            let variable = setting.variable();
            if let Some(value) = environment(&variable) {
                config.apply(setting.name, &value, &format!("environment variable {variable}"), &mut problems);
            }
        }
        for assignment in sources.set {
            match assignment.split_once('=') {
                Some((name, value)) => config.apply(name.trim(), value, "--set", &mut problems),
                None => problems.push(format!("--set {assignment}: write name=value")),
            }
        }
        for (name, value) in &sources.flags {
            config.apply(name, value, &format!("--{}", name.replace('_', "-")), &mut problems);
        }
        if config.engine.data_dir.as_os_str().is_empty() {
            problems.push(
                "data_dir is not set: write --data-dir DIR, TABULARIUM_DATA_DIR or data_dir in the file".to_owned(),
            );
        }
        if config.engine.jobs.retry_pause > config.engine.jobs.retry_pause_max {
            problems.push("jobs.retry_pause is longer than jobs.retry_pause_max".to_owned());
        }
        if problems.is_empty() { Ok(config) } else { Err(super::Usage(problems.join("\n  ")).into()) }
    }

    fn apply(&mut self, name: &str, value: &str, from: &str, problems: &mut Vec<String>) {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
            problems.push(format!("{from}: there is no setting {name}{}", near(name)));
            return;
        };
        if let Err(problem) = (setting.set)(self, value) {
            problems.push(format!("{from}: {name}: {problem}"));
        }
    }

    /// All settings as a configuration file, each with what it means.
    pub(super) fn to_file(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for setting in SETTINGS {
            let (of, key) = setting.name.split_once('.').unwrap_or(("", setting.name));
            if of != section {
                section = of;
                // Writing to a text cannot fail.
                let _infallible = write!(text, "\n[{section}]\n");
            }
            let value = toml::Value::String((setting.get)(self));
            let _infallible = write!(text, "# {}\n{key} = {value}\n", setting.about);
        }
        text
    }
}

/// Nested tables as names with dots; values as text.
fn flatten(table: &toml::Table, prefix: &str, values: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(inner, &name, values),
            toml::Value::String(text) => drop(values.insert(name, text.clone())),
            other @ (toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)) => drop(values.insert(name, other.to_string())),
        }
    }
}

fn near(name: &str) -> String {
    let alike = |setting: &&Setting| strsim::jaro_winkler(setting.name, name);
    let best = SETTINGS.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    match best.filter(|setting| alike(setting) >= ALIKE) {
        Some(setting) => format!("; did you mean {}?", setting.name),
        None => "; --print-config shows those that there are".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn nothing(_name: &str) -> Option<String> {
        None
    }

    fn read(file: Option<&str>, environment: &[(&str, &str)], set: &[&str], data_dir: Option<&str>) -> Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tabularium.toml");
        if let Some(text) = file {
            std::fs::write(&path, text).unwrap();
        }
        let set: Vec<String> = set.iter().map(|text| (*text).to_owned()).collect();
        let flags = data_dir.map(|dir| ("data_dir", dir.to_owned())).into_iter().collect();
        let sources = Sources { file: file.map(|_| path.as_path()), set: &set, flags };
        let found = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::read(&sources, found)
    }

    #[test]
    fn the_last_source_wins() {
        let file = "data_dir = '/a'\nlog = 'info'\n[jobs]\nretries = 3\ntasks_at_once = 2\n[query]\nmemory = '2GiB'\n";
        let environment = [("TABULARIUM_JOBS_RETRIES", "4"), ("TABULARIUM_DATA_DIR", "/b")];
        let config = read(Some(file), &environment, &["jobs.retries=5"], Some("/c")).unwrap();
        assert_eq!(config.engine.data_dir, Path::new("/c"));
        assert_eq!((config.engine.jobs.retries, config.engine.jobs.tasks_at_once), (5, 2));
        assert_eq!(config.engine.query_memory_bytes, 2 << 30);
        assert_eq!((config.log.as_str(), config.log_json), ("info", false));
        assert_eq!(config.mysql_addr.to_string(), "127.0.0.1:9030");
    }

    #[test]
    fn every_problem_is_told_with_its_setting_and_its_source() {
        let file = "datadir = '/a'\nmysql_addr = 'here'\n[jobs]\nretries = -1\n[query]\nmemory = '2 apples'\n[recycle_bin]\nkeep = 5\n";
        let told = read(Some(file), &[("TABULARIUM_LOG_JSON", "perhaps")], &["x", "jobs.part_size=1KiB"], None);
        let told = told.unwrap_err().to_string();
        for part in [
            "there is no setting datadir; did you mean data_dir?",
            "mysql_addr: \"here\" is no address",
            "jobs.retries: \"-1\" is no whole number",
            "query.memory: \"2 apples\" is no size; write one such as 64MiB or 2GiB",
            "recycle_bin.keep: \"5\" is no time",
            "environment variable TABULARIUM_LOG_JSON: log_json: \"perhaps\" is neither true nor false",
            "--set x: write name=value",
            "--set: jobs.part_size: 1.0 KiB is less than 5.0 MiB",
            "data_dir is not set",
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
        assert!(read(Some("= nonsense"), &[], &[], Some("/d")).unwrap_err().to_string().contains("is not TOML"));
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let set =
            ["jobs.max_bytes_per_second=123456789", "recycle_bin.keep=36h", "query.spill=0", "log=snapshot=debug,warn"];
        let config = read(None, &[], &set, Some("/d")).unwrap();
        assert_eq!(config.engine.jobs.trash_keep, config.engine.trash_keep);
        let printed = config.to_file();
        let again = read(Some(&printed), &[], &[], None).unwrap();
        assert_eq!(again.to_file(), printed);
        assert_eq!(again.engine.jobs.node_rates.bytes_per_second, Some(123_456_789));
        for setting in SETTINGS {
            let (_, key) = setting.name.split_once('.').unwrap_or(("", setting.name));
            assert!(printed.contains(&format!("\n{key} = ")), "{}", setting.name);
        }
        // The defaults are those of the engine.
        let plain =
            Config::read(&Sources { flags: vec![("data_dir", "/d".into())], ..Sources::default() }, nothing).unwrap();
        assert_eq!(plain.engine.jobs.retries, snapshot::Options::default().retries);
    }
}
