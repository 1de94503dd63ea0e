//! Which certificate a visitor is shown. Pure: a host and what the visitor can verify in, a certificate out.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_rustls::rustls::SignatureScheme;
use tokio_rustls::rustls::sign::CertifiedKey;

use super::certificates::Certificate;

/// The certificates by the hosts they cover.
#[derive(Debug)]
pub struct Table {
    all: Vec<Arc<Certificate>>,
    /// By host, or by `*.` and what follows its first label.
    by_host: HashMap<String, Vec<usize>>,
}

impl Table {
    /// In their order: the first is for visitors who name no host.
    pub fn new(all: Vec<Arc<Certificate>>) -> Table {
        let mut by_host: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, certificate) in all.iter().enumerate() {
            for host in &certificate.facts.hosts {
                by_host.entry(host.clone()).or_default().push(index);
            }
        }
        Table { all, by_host }
    }

    /// All of them.
    pub fn certificates(&self) -> &[Arc<Certificate>] {
        &self.all
    }

    /// Whether a visitor who names `host` can be shown a certificate. Who names none is shown the first there is.
    pub fn covers(&self, host: Option<&str>) -> bool {
        match host {
            Some(host) => !self.of(host).is_empty(),
            None => !self.all.is_empty(),
        }
    }

    /// Whether a certificate that is shown for `shown` covers `other` too; a star covers what has one of its own, too.
    pub fn covers_both(&self, shown: &str, other: &str) -> bool {
        let covering: Vec<usize> =
            keys(other).iter().filter_map(|key| self.by_host.get(key)).flatten().copied().collect();
        self.of(shown).iter().any(|index| covering.contains(index))
    }

    /// The certificate for a host; of several the first the visitor can verify. RFC 6066 §3: an unknown host gets none.
    pub fn choose(&self, host: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let candidates: Vec<&Arc<Certificate>> = match host {
            Some(host) => self.of(host).iter().filter_map(|index| self.all.get(*index)).collect(),
            None => self.all.iter().collect(),
        };
        let fits = |certificate: &&&Arc<Certificate>| certificate.key.key.choose_scheme(schemes).is_some();
        candidates.iter().find(fits).or(candidates.first()).map(|certificate| certificate.key.clone())
    }

    /// Those that cover a host. A star stands for one label (RFC 9525 §6.3).
    fn of(&self, host: &str) -> &[usize] {
        let [exact, starred] = keys(host);
        self.by_host.get(&exact).or_else(|| self.by_host.get(&starred)).map_or(&[], Vec::as_slice)
    }
}

/// A host as it stands in the table, and the star that covers it.
fn keys(host: &str) -> [String; 2] {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let starred = host.split_once('.').map(|(_, rest)| format!("*.{rest}")).unwrap_or_default();
    [host, starred]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::tls::testing::certificate;

    const ECDSA: &[SignatureScheme] = &[SignatureScheme::ECDSA_NISTP256_SHA256];

    #[test]
    fn a_visitor_is_shown_the_certificate_of_the_host_and_no_other() {
        let table = Table::new(
            [&["a.example", "www.a.example"][..], &["*.b.example"], &["x.b.example"]]
                .map(|hosts| Arc::new(certificate(hosts)))
                .to_vec(),
        );
        let index = |host: Option<&str>| {
            let chosen = table.choose(host, ECDSA)?;
            table.certificates().iter().position(|certificate| Arc::ptr_eq(&certificate.key, &chosen))
        };
        for (host, expected) in [
            (Some("a.example"), Some(0)),
            (Some("WWW.A.Example."), Some(0)),
            (Some("y.b.example"), Some(1)),
            (Some("x.b.example"), Some(2)),
            (Some("b.example"), None),
            (Some("z.y.b.example"), None),
            (Some("*.b.example"), Some(1)),
            (Some("c.example"), None),
            (None, Some(0)),
        ] {
            assert_eq!(index(host), expected, "{host:?}");
            assert_eq!(table.covers(host), expected.is_some(), "{host:?}");
        }
        assert!(!Table::new(Vec::new()).covers(None));
    }
}
