//! System variables: what clients ask for and set. Few of them change anything here; they are kept so that what a client
//! sets it also reads.

use repository::Rates;
use snapshot::request::{MAX_BYTES, MAX_REQUESTS};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The variables that there are, with their values when nobody has set them.
const DEFAULTS: &[(&str, &str)] = &[
    ("auto_increment_increment", "1"),
    ("auto_increment_offset", "1"),
    ("autocommit", "1"),
    ("backup_max_bytes_per_second", "0"),
    ("backup_max_requests_per_second", "0"),
    ("big_tables", "0"),
    ("bulk_insert_buffer_size", "8388608"),
    ("character_set_client", "utf8mb4"),
    ("character_set_connection", "utf8mb4"),
    ("character_set_database", "utf8mb4"),
    ("character_set_filesystem", "binary"),
    ("character_set_results", "utf8mb4"),
    ("character_set_server", "utf8mb4"),
    ("character_set_system", "utf8mb4"),
    ("collation_connection", "utf8mb4_bin"),
    ("collation_database", "utf8mb4_bin"),
    ("collation_server", "utf8mb4_bin"),
    ("connect_timeout", "10"),
    ("default_storage_engine", "OLAP"),
    ("default_week_format", "0"),
    ("div_precision_increment", "4"),
    ("error_count", "0"),
    ("event_scheduler", "OFF"),
    ("exec_mem_limit", "2147483648"),
    ("foreign_key_checks", "1"),
    ("group_concat_max_len", "1024"),
    ("have_openssl", "DISABLED"),
    ("have_query_cache", "NO"),
    ("have_ssl", "DISABLED"),
    ("hostname", "localhost"),
    ("init_connect", ""),
    ("insert_max_filter_ratio", "0"),
    ("innodb_lock_wait_timeout", "50"),
    ("interactive_timeout", "28800"),
    ("language", "/usr/share/mysql/english/"),
    ("lc_messages", "en_US"),
    ("lc_time_names", "en_US"),
    ("license", "Apache License 2.0"),
    ("local_infile", "0"),
    ("lock_wait_timeout", "31536000"),
    ("lower_case_file_system", "OFF"),
    ("lower_case_table_names", "0"),
    ("max_allowed_packet", "67108864"),
    ("max_connections", "1024"),
    ("max_execution_time", "0"),
    ("max_sort_length", "1024"),
    ("net_buffer_length", "16384"),
    ("net_read_timeout", "60"),
    ("net_write_timeout", "60"),
    ("new_planner_optimize_timeout", "3000"),
    ("optimizer_switch", ""),
    ("parallel_fragment_exec_instance_num", "1"),
    ("performance_schema", "0"),
    ("pipeline_dop", "0"),
    ("port", "9030"),
    ("profiling", "0"),
    ("protocol_version", "10"),
    ("query_cache_limit", "1048576"),
    ("query_cache_size", "0"),
    ("query_cache_type", "0"),
    ("query_timeout", "300"),
    ("resource_group", ""),
    ("session_track_gtids", "OFF"),
    ("session_track_schema", "ON"),
    ("session_track_system_variables", "time_zone,autocommit,character_set_client"),
    ("sql_auto_is_null", "0"),
    ("sql_big_selects", "1"),
    ("sql_buffer_result", "0"),
    ("sql_log_bin", "1"),
    ("sql_mode", "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES"),
    ("sql_notes", "1"),
    ("sql_quote_show_create", "1"),
    ("sql_require_primary_key", "0"),
    ("sql_safe_updates", "0"),
    ("sql_select_limit", "18446744073709551615"),
    ("sql_warnings", "0"),
    ("ssl_ca", ""),
    ("storage_engine", "OLAP"),
    ("system_time_zone", "UTC"),
    ("table_type", "OLAP"),
    ("time_zone", "+00:00"),
    ("transaction_isolation", "READ-COMMITTED"),
    ("transaction_read_only", "0"),
    ("tx_isolation", "READ-COMMITTED"),
    ("tx_read_only", "0"),
    ("tx_visible_wait_timeout", "60"),
    ("unique_checks", "1"),
    ("version", super::VERSION),
    ("version_comment", "Tabularium"),
    ("version_compile_machine", std::env::consts::ARCH),
    ("version_compile_os", std::env::consts::OS),
    ("wait_timeout", "28800"),
    ("warning_count", "0"),
];

/// Those that cannot be set.
const READ_ONLY: [&str; 13] = [
    "character_set_system",
    "error_count",
    "have_openssl",
    "have_ssl",
    "hostname",
    "license",
    "lower_case_table_names",
    "port",
    "protocol_version",
    "system_time_zone",
    "version",
    "version_comment",
    "warning_count",
];

/// Those that are the node's and not a session's, with the names that the jobs know them by. They outlive the process.
const OF_NODE: [(&str, &str); 2] =
    [("backup_max_bytes_per_second", MAX_BYTES), ("backup_max_requests_per_second", MAX_REQUESTS)];

/// What the jobs call a variable of the node; `None` for one of a session.
pub(crate) fn node_limit(name: &str) -> Option<&'static str> {
    OF_NODE.iter().find(|(known, _)| *known == name).map(|(_, limit)| *limit)
}

/// Those that have two names.
const TWINS: [(&str, &str); 3] = [
    ("transaction_isolation", "tx_isolation"),
    ("transaction_read_only", "tx_read_only"),
    ("default_storage_engine", "storage_engine"),
];

/// Whether a variable can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settable {
    Yes,
    ReadOnly,
    Unknown,
}

/// Variables that differ from their defaults.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

fn default(name: &str) -> Option<&'static str> {
    DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

impl Variables {
    /// The value of a variable of any capitals; `None` when there is no such variable.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        self.0.get(&name).cloned().or_else(|| default(&name).map(str::to_owned))
    }

    /// Whether a variable can be set; `name` in lower case.
    pub(crate) fn settable(name: &str) -> Settable {
        if READ_ONLY.contains(&name) {
            Settable::ReadOnly
        } else if default(name).is_some() {
            Settable::Yes
        } else {
            Settable::Unknown
        }
    }

    /// Sets a variable; `None` sets it back.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) {
        let twin = TWINS.iter().find_map(|(a, b)| match name {
            name if name == *a => Some(*b),
            name if name == *b => Some(*a),
            _ => None,
        });
        for name in std::iter::once(name).chain(twin) {
            match value {
                Some(value) => drop(self.0.insert(name.to_owned(), canonical(name, value))),
                None => drop(self.0.remove(name)),
            }
        }
    }

    /// Takes over what holds for the node now.
    pub(crate) fn follow_node(variables: &mut Arc<Self>, limits: Rates) {
        for ((name, _), rate) in OF_NODE.iter().zip([limits.bytes_per_second, limits.requests_per_second]) {
            let value = rate.unwrap_or(0).to_string();
            if variables.get(name).as_ref() != Some(&value) {
                Arc::make_mut(variables).0.insert((*name).to_owned(), value);
            }
        }
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        DEFAULTS
            .iter()
            .map(|(name, value)| {
                ((*name).to_owned(), self.0.get(*name).cloned().unwrap_or_else(|| (*value).to_owned()))
            })
            .collect()
    }
}

/// ON and OFF of variables that are 1 or 0 by default.
fn canonical(name: &str, value: &str) -> String {
    let switch = matches!(default(name), Some("0" | "1"));
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" if switch => "1".to_owned(),
        "off" | "false" if switch => "0".to_owned(),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_found_in_any_capitals() {
        assert!(READ_ONLY.iter().all(|name| default(name).is_some()));
        assert_eq!(Variables::default().get("Lower_Case_Table_Names").as_deref(), Some("0"));
        assert_eq!(Variables::default().get("nope"), None);
    }

    #[test]
    fn switches_and_twins_are_kept_in_step() {
        let mut variables = Variables::default();
        variables.set("autocommit", Some("OFF"));
        assert_eq!(variables.get("autocommit").as_deref(), Some("0"));
        variables.set("tx_isolation", Some("SERIALIZABLE"));
        assert_eq!(variables.get("transaction_isolation").as_deref(), Some("SERIALIZABLE"));
        variables.set("tx_isolation", None);
        assert_eq!(variables.get("transaction_isolation").as_deref(), Some("READ-COMMITTED"));
    }
}
