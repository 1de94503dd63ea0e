//! Certificates for tests, made on the spot.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair};

use super::certificates::Certificate;
use crate::config::CertificateFiles;

fn pem(hosts: &[&str]) -> (String, String) {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(hosts).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// One that signs itself.
pub fn certificate(hosts: &[&str]) -> Certificate {
    let (chain, key) = pem(hosts);
    Certificate::of(chain.as_bytes(), key.as_bytes(), Path::new("test")).unwrap()
}

/// The same as files.
pub fn write_certificate(folder: &Path, name: &str, hosts: &[&str]) -> CertificateFiles {
    let (chain, key) = pem(hosts);
    let files = CertificateFiles {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}-key.pem")),
    };
    fs::write(&files.certificate, chain).unwrap();
    fs::write(&files.key, key).unwrap();
    fs::set_permissions(&files.key, Permissions::from_mode(0o600)).unwrap();
    files
}
