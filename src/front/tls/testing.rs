//! Certificates for tests, made on the spot.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::certificates::Certificate;
use crate::config::CertificateFiles;

fn pem(hosts: &[&str], good: Option<(i64, i64)>) -> (String, String) {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(hosts).unwrap();
    if let Some((from, until)) = good {
        let since_1970 = |seconds: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds.try_into().unwrap());
        (params.not_before, params.not_after) = (since_1970(from), since_1970(until));
    }
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// One that signs itself.
pub fn certificate(hosts: &[&str]) -> Certificate {
    let (chain, key) = pem(hosts, None);
    Certificate::of(chain.as_bytes(), key.as_bytes(), Path::new("test")).unwrap()
}

/// The same as files.
pub fn write_certificate(folder: &Path, name: &str, hosts: &[&str]) -> CertificateFiles {
    write(folder, name, pem(hosts, None))
}

/// One that is good from a time until another, in seconds since 1970.
pub fn write_certificate_good(folder: &Path, name: &str, hosts: &[&str], good: (i64, i64)) -> CertificateFiles {
    write(folder, name, pem(hosts, Some(good)))
}

fn write(folder: &Path, name: &str, (chain, key): (String, String)) -> CertificateFiles {
    let files = CertificateFiles {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}-key.pem")),
    };
    fs::write(&files.certificate, chain).unwrap();
    fs::write(&files.key, key).unwrap();
    fs::set_permissions(&files.key, Permissions::from_mode(0o600)).unwrap();
    files
}
