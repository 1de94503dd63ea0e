//! A connection is opened for one name and asked for others: browsers do so where the certificate covers them, too (RFC 9113
//! §9.1.1). What another certificate would have answered for is misdirected (RFC 9110 §15.5.20). Where no certificate is
//! chosen by name there is nothing to be checked.

use std::sync::Arc;

use super::certificates::Certificates;

/// The name a connection was opened for, where a certificate was chosen by it.
pub struct Opened {
    name: String,
    certificates: Arc<Certificates>,
}

impl Opened {
    /// For a visitor who named a host (SNI); nothing where none was named, or there is one certificate for all.
    pub fn of(certificates: &Arc<Certificates>, name: Option<&str>) -> Option<Opened> {
        let is_chosen = certificates.table().certificates().len() > 1;
        let name = name.filter(|_| is_chosen)?.to_ascii_lowercase();
        Some(Opened { name, certificates: certificates.clone() })
    }

    /// Whether a request for `host`, with its port or without, should have come over another connection.
    pub fn is_misdirected(&self, host: &str) -> bool {
        let name = name_of(host);
        // As nearly all are.
        if name.eq_ignore_ascii_case(&self.name) {
            return false;
        }
        // The certificates may be others by now: those that are answer.
        let table = self.certificates.table();
        table.covers(Some(name)) && !table.covers_both(&self.name, name)
    }
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    let end = match host.strip_prefix('[') {
        Some(_) => host.find(']').map(|end| end + 1),
        None => host.find(':'),
    };
    host.get(..end.unwrap_or(host.len())).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CertificateFiles;
    use crate::front::tls::testing::write_certificate;

    fn opened(all: &[&[&str]], name: Option<&str>) -> Option<Opened> {
        let dir = tempfile::tempdir().unwrap();
        let write = |(number, hosts): (usize, &&[&str])| write_certificate(dir.path(), &number.to_string(), hosts);
        let files: Vec<CertificateFiles> = all.iter().enumerate().map(write).collect();
        Opened::of(&Arc::new(Certificates::read(&files).unwrap()), name)
    }

    #[test]
    fn what_another_certificate_would_answer_for_is_misdirected_and_nothing_else() {
        const ALL: &[&[&str]] = &[&["a.example", "www.a.example"], &["*.b.example"], &["x.b.example", "c.example"]];
        for (name, host, misdirected) in [
            ("a.example", "A.Example", false),
            ("a.example", "a.example:8443", false),
            ("A.Example", "www.a.example", false),
            ("a.example", "y.b.example", true),
            ("a.example", "c.example:443", true),
            ("x.b.example", "c.example.", false),
            ("y.b.example", "z.b.example", false),
            ("y.b.example", "c.example", true),
            ("x.b.example", "y.b.example", true),
            // The star's certificate covers it, whichever it would be shown by itself.
            ("y.b.example", "x.b.example", false),
            // Nobody's: no other connection would lead there.
            ("a.example", "elsewhere.example", false),
            ("a.example", "[::1]:8443", false),
            ("a.example", "", false),
        ] {
            let opened = opened(ALL, Some(name)).unwrap();
            assert_eq!(opened.is_misdirected(host), misdirected, "{name} asked for {host}");
        }
    }

    #[test]
    fn where_no_certificate_was_chosen_by_name_nothing_is_checked() {
        assert!(opened(&[&["a.example"], &["b.example"]], None).is_none());
        assert!(opened(&[&["a.example"]], Some("a.example")).is_none());
    }
}
