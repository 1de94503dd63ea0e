//! Referrers that are advertised by sending them to sites: nobody clicked there, a program called with a made-up `Referer` so
//! that whoever reads the statistics looks who it is.
//!
//! Dropping such a referrer means two things, and both are the caller's: the event keeps no referrer (host and path are
//! emptied before the channel is told, so that it is `direct`), and it is marked as a bot's with [`REASON`]. The row is kept
//! apart with those of other bots and is in no number of visitors.

use std::sync::LazyLock;

use super::hosts::{Set, suffixes};

/// The stored reason of a bot that is known by its referrer.
pub const REASON: &str = "referrer-spam";

const TEXT: &str = include_str!("spammers.txt");

static KNOWN: LazyLock<Set<&'static str>> =
    LazyLock::new(|| TEXT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect());

/// Whether the referring host, in small letters, or one above it is in the built-in list.
pub fn is_spam(referrer_host: &str) -> bool {
    suffixes(referrer_host).any(|host| KNOWN.contains(host))
}

/// The built-in list and the hosts that an operator adds to it.
#[derive(Clone, Debug, Default)]
pub struct Spammers {
    extra: Set<String>,
}

impl Spammers {
    /// With more hosts, each of which stands for those below it too. What is written around a host is forgiven: capitals,
    /// blanks, `www.`, a dot at its beginning or end, `*.`.
    pub fn new(extra: Vec<String>) -> Spammers {
        let host = |written: String| {
            let written = written.trim().trim_end_matches('.').to_ascii_lowercase();
            let written = written.trim_start_matches("*.").trim_start_matches('.');
            written.strip_prefix("www.").unwrap_or(written).to_owned()
        };
        Spammers { extra: extra.into_iter().map(host).filter(|host| !host.is_empty()).collect() }
    }

    /// Whether the referring host, in small letters, or one above it is in either list.
    pub fn has(&self, referrer_host: &str) -> bool {
        is_spam(referrer_host)
            || !self.extra.is_empty() && suffixes(referrer_host).any(|host| self.extra.contains(host))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn advertised_hosts_and_those_below_them_are_spam() {
        for host in ["semalt.com", "semalt.semalt.com", "www.darodar.com", "buttons-for-website.com"] {
            assert!(is_spam(host), "{host}");
        }
        for host in ["", ".", "com", "notsemalt.com", "semalt.com.example.org", "www.google.com", "example.com"] {
            assert!(!is_spam(host), "{host}");
        }
    }

    #[test]
    fn an_operator_adds_hosts_of_their_own() {
        let spammers = Spammers::new(vec![" WWW.Annoying.Example. ".into(), "*.pest.example".into(), String::new()]);
        for host in ["annoying.example", "a.annoying.example", "pest.example", "x.pest.example", "semalt.com"] {
            assert!(spammers.has(host), "{host}");
        }
        for host in ["", "example", "fine.example", "notannoying.example"] {
            assert!(!spammers.has(host), "{host}");
        }
        assert!(!Spammers::default().has("annoying.example"));
    }

    #[test]
    fn the_list_is_of_hosts_and_has_no_one_everybody_knows() {
        assert!(KNOWN.len() > 1500, "{}", KNOWN.len());
        for host in KNOWN.iter() {
            let is_host = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
            assert!(host.contains('.') && host.bytes().all(is_host), "{host:?}");
            assert_eq!(super::super::sources::at_host(host), None, "{host} is a known source");
        }
    }

    proptest! {
        #[test]
        fn any_host_is_looked_up(above in "([a-z0-9-]{1,9}[.]){0,4}", host in "[a-zé.-]{0,40}") {
            let (listed, unknown) = (format!("{above}semalt.com"), format!("{host}.example"));
            prop_assert!(is_spam(&listed) && !is_spam(&unknown));
            prop_assert!(Spammers::new(vec![host]).has("semalt.com"));
        }
    }
}
