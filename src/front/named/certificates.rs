//! The certificates visitors are shown: each pair of files read, and no two for one host.

use super::{Named, READABLE};
use crate::config::CertificateFiles;
use crate::front::tls::certificates::{Certificate, CertificateError};

const PAIR: &str = "a certificate in PEM with those that lead to its root, and beside it the key it was made for";

/// Reads the pairs. One that was named before keeps the certificate it has, whatever its files are like.
pub(super) fn check(named: &mut Named<'_>) {
    let (Some(tls), before) = (&named.config().gateway.tls, named.in_effect) else { return };
    let before = before.and_then(|before| before.config.gateway.tls.as_ref());
    let mut read: Vec<(bool, Certificate)> = Vec::new();
    for (index, files) in tls.certificates.iter().enumerate() {
        let is_new = before.is_none_or(|before| !before.certificates.contains(files));
        match Certificate::read(files) {
            Ok(certificate) => {
                let other = read.iter().filter(|(other_is_new, _)| is_new || *other_is_new);
                if let Some(host) = other.filter_map(|(_, other)| shared_host(&certificate, other)).next() {
                    let what = format!(
                        "{} is for {host}, as a certificate above with a key of the same kind is: it would not be shown",
                        files.certificate.display()
                    );
                    let allowed = "each host once, or once for each kind of key (such as ECDSA and RSA)";
                    named.refuse(&key_of(index, "certificate"), what, allowed);
                }
                read.push((is_new, certificate));
            }
            Err(error) if is_new => refuse(named, (index, files), &error),
            Err(_) => {}
        }
    }
}

fn refuse(named: &mut Named<'_>, (index, files): (usize, &CertificateFiles), error: &CertificateError) {
    let (key, allowed) = match error {
        CertificateError::Io { path, .. } if *path == files.key => ("key", READABLE),
        CertificateError::Io { .. } => ("certificate", READABLE),
        // It says what to do itself.
        CertificateError::Open { .. } => ("key", ""),
        CertificateError::NoKey { .. } => ("key", PAIR),
        _ => ("certificate", PAIR),
    };
    named.refuse(&key_of(index, key), error.to_string(), allowed);
}

fn key_of(index: usize, key: &str) -> String {
    format!("gateway.tls.certificate[{index}].{key}")
}

/// A host both are for; every visitor who can verify one can verify the other.
fn shared_host<'a>(one: &'a Certificate, other: &Certificate) -> Option<&'a String> {
    let kind = |certificate: &Certificate| certificate.key.key.algorithm();
    let is_same = kind(one) == kind(other);
    one.facts.hosts.iter().find(|host| is_same && other.facts.hosts.contains(host))
}
