//! What of a configuration may change while the gateway runs. Pure: compares what was read with what is in effect.
//!
//! Listed is what may change; all else may not, so that a key nobody thought of is refused by its name and is never taken
//! over by half.

use std::path::{Path, PathBuf};

use super::DEFAULT_DATA_DIR;
use super::explain::{Explained, Setting};
use super::known::VARIABLES;

/// Keys, and beginnings of keys, that take effect at once.
const AT_ONCE: [&str; 28] = [
    "gateway.upstream",
    "gateway.route[",
    "gateway.forward.",
    "gateway.health.",
    "gateway.error_pages.",
    "gateway.trusted_proxies",
    "gateway.trust_unix_peers",
    "gateway.trust_forwarded_host",
    "gateway.forwarded_header",
    "gateway.proxy_protocol_from",
    "gateway.h2c",
    "gateway.drain",
    "gateway.limits.",
    "gateway.tls.",
    "gateway.tls.certificate[",
    "gateway.tls.acme.",
    "consent.",
    "import[",
    "purpose[",
    "language[",
    "purpose_text[",
    "cookie[",
    "tag[",
    "capture.",
    "path_class[",
    "pseudonym.",
    "geo.",
    "observe.",
];

/// Keys among them that need a new start.
const NOT_AT_ONCE: [&str; 2] = ["gateway.tls.listen", "pseudonym.key_ring"];

/// Beginnings of keys that what is captured hangs on.
const CAPTURING: [&str; 4] = ["capture.", "path_class[", "pseudonym.", "geo."];

/// What differs between two configurations, by the names of the keys, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    keys: Vec<String>,
}

impl Changes {
    /// From what is in effect to what was read.
    pub fn between(old: &Explained, new: &Explained) -> Changes {
        let value = |settings: &[Setting], key: &str| {
            settings.iter().find(|setting| setting.key == key).and_then(|setting| setting.value.clone())
        };
        let mut keys: Vec<String> = Vec::new();
        for setting in new.settings.iter().chain(&old.settings) {
            let differs = || value(&old.settings, &setting.key) != value(&new.settings, &setting.key);
            if !keys.contains(&setting.key) && differs() {
                keys.push(setting.key.clone());
            }
        }
        Changes { keys }
    }

    /// All of them.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Those that cannot change while the gateway runs.
    pub fn need_a_start(&self) -> Vec<&str> {
        let at_once = |key: &str| {
            AT_ONCE.iter().any(|known| if is_whole(known) { key == *known } else { key.starts_with(known) })
                && !NOT_AT_ONCE.contains(&key)
        };
        self.keys.iter().map(String::as_str).filter(|key| !at_once(key)).collect()
    }

    /// Whether what is captured hangs on any of them.
    pub fn touch_capturing(&self) -> bool {
        self.keys.iter().any(|key| CAPTURING.iter().any(|begins| key.starts_with(begins)))
    }
}

/// Where the data lives by the words of a file that may be wrong in everything else, or by the environment.
pub fn data_dir_as_written(file: &Path) -> PathBuf {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let top = text.lines().take_while(|line| !line.trim_start().starts_with('['));
    let written = top.filter(|line| line.trim_start().starts_with("data_dir")).find_map(|line| {
        let mut table = line.parse::<toml::Table>().ok()?;
        table.remove("data_dir")?.as_str().map(PathBuf::from)
    });
    let variable = std::env::var_os(format!("{VARIABLES}DATA_DIR")).map(PathBuf::from);
    variable.or(written).unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR))
}

fn is_whole(known: &str) -> bool {
    !known.ends_with(['.', '['])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const MINIMAL: &str = "[gateway]\nupstream = \"http://127.0.0.1:3000\"\n";

    fn changes(old: &str, new: &str) -> Changes {
        let read = |text: &str| {
            let text = format!("{MINIMAL}{text}");
            Config::explain_toml(&text, "consentry.toml", std::iter::empty()).unwrap()
        };
        Changes::between(&read(old), &read(new))
    }

    #[test]
    fn what_changed_is_known_by_its_key() {
        assert_eq!(changes("", ""), Changes::default());
        let changed = changes("", "drain = \"3s\"\n[consent]\nbanner_title = \"Hello\"");
        assert_eq!(changed.keys(), ["gateway.drain", "consent.banner_title"]);
        assert!(changed.need_a_start().is_empty() && !changed.touch_capturing());
        let cookie = "[[cookie]]\nname = \"a\"\npurpose = \"analytics\"";
        assert_eq!(changes(cookie, "").keys().len(), 2);
        assert!(changes(cookie, "").need_a_start().is_empty());
        assert!(changes("", "[geo]\ndatabase = \"off\"").touch_capturing());
    }

    #[test]
    fn a_wrong_file_still_says_where_the_data_lives() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wrong.toml");
        std::fs::write(&file, "# data_dir = \"no\"\ndata_dir = \"/srv/data\" # here\n[gateway\nup = = 1").unwrap();
        assert_eq!(data_dir_as_written(&file), PathBuf::from("/srv/data"));
        std::fs::write(&file, "[gateway]\ndata_dir = \"no\"").unwrap();
        assert_eq!(data_dir_as_written(&file), PathBuf::from(DEFAULT_DATA_DIR));
    }

    #[test]
    fn what_needs_a_start_is_named_and_so_is_what_nobody_thought_of() {
        for (new, key) in [
            ("listen = \"127.0.0.1:1\"", "gateway.listen"),
            (
                "[gateway.tls]\nlisten = \"127.0.0.1:2\"\n[[gateway.tls.certificate]]\ncertificate = \"c\"\nkey = \"k\"",
                "gateway.tls.listen",
            ),
            ("site_id = 2", "gateway.site_id"),
            ("workers = 200", "gateway.workers"),
            ("[retention]\nperiod = \"1 year\"", "retention.period"),
            ("[pseudonym]\nkey_ring = \"elsewhere.json\"", "pseudonym.key_ring"),
            ("[spool]\nmax_bytes = \"1 GiB\"", "spool.max_bytes"),
            ("[clickhouse]\nlisten = \"127.0.0.1:8123\"", "clickhouse.listen"),
            ("[dashboard]\nlisten = \"127.0.0.1:8091\"", "dashboard.listen"),
        ] {
            assert_eq!(changes("", new).need_a_start(), [key]);
        }
    }
}
