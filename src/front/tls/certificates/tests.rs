//! Files that are new, wrong, missing, over or early, beside others that are right.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::front::tls::tend::now;
use crate::front::tls::testing::{write_certificate, write_certificate_good};

const DAY: i64 = 86_400;

/// The bytes of the certificate at a place.
fn shown(certificates: &Certificates, place: usize) -> Vec<u8> {
    certificates.table().certificates()[place].key.cert[0].to_vec()
}

/// What is wrong, and whether it was not so before.
fn wrong(looked: &Looked) -> Vec<(&str, bool)> {
    looked.wrong.iter().map(|wrong| (&*wrong.said, wrong.is_new)).collect()
}

#[test]
fn new_files_are_taken_and_wrong_ones_leave_those_of_before() {
    let dir = tempfile::tempdir().unwrap();
    let files = write_certificate(dir.path(), "one", &["a.example"]);
    let certificates = Certificates::read(std::slice::from_ref(&files)).unwrap();
    let first = shown(&certificates, 0);
    assert!(!certificates.look(now()).is_new, "nothing is new");

    fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\n").unwrap();
    let looked = certificates.look(now());
    assert!(matches!(wrong(&looked)[..], [(said, true)] if said.contains("holds no certificate")), "{looked:?}");
    assert_eq!(shown(&certificates, 0), first, "the last good one serves on");
    assert!(matches!(wrong(&certificates.look(now()))[..], [(_, false)]), "it is so still, and known");
    fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\n\n").unwrap();
    assert!(matches!(wrong(&certificates.look(now()))[..], [(_, true)]), "these are other files");

    write_certificate(dir.path(), "one", &["a.example", "b.example"]);
    assert!(certificates.look(now()).is_new);
    assert_ne!(shown(&certificates, 0), first);
    assert!(!certificates.look(now()).is_new);
}

#[test]
fn a_pair_that_is_wrong_keeps_no_other_from_being_taken() {
    let dir = tempfile::tempdir().unwrap();
    let files = ["one", "two", "three"].map(|name| write_certificate(dir.path(), name, &[&format!("{name}.example")]));
    let certificates = Certificates::read(&files).unwrap();
    let before = [0, 1, 2].map(|place| shown(&certificates, place));
    fs::remove_file(&files[0].key).unwrap();
    fs::write(&files[2].key, "").unwrap();
    write_certificate(dir.path(), "two", &["two.example", "new.example"]);
    let looked = certificates.look(now());
    let said = wrong(&looked);
    assert!(looked.is_new && said.len() == 2, "{looked:?}");
    assert!(
        said[0].0.contains("one-key.pem cannot be read") && said[1].0.contains("three-key.pem holds no"),
        "{said:?}"
    );
    assert!(certificates.table().covers(Some("new.example")), "renewed");
    assert_eq!([0, 2].map(|place| shown(&certificates, place)), [0, 2].map(|place| before[place].clone()));
    assert_ne!(shown(&certificates, 1), before[1]);
}

#[test]
fn another_list_of_files_knows_the_pairs_of_before_and_reads_new_ones_strictly() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| write_certificate(dir.path(), name, &[&format!("{name}.example")]));
    let before = Certificates::read(std::slice::from_ref(&one)).unwrap();
    let first = shown(&before, 0);
    fs::write(&one.certificate, "").unwrap();
    let both = [two.clone(), one.clone()];
    let after = Certificates::after(&both, Some(&before)).unwrap();
    assert_eq!(shown(&after, 1), first, "the last good one, in its new place");
    assert!(matches!(wrong(&after.look(now()))[..], [(said, true)] if said.contains("one.pem")));
    assert!(matches!(wrong(&Certificates::after(&both, Some(&after)).unwrap().look(now()))[..], [(_, false)]));
    let other_key = CertificateFiles { key: two.key.clone(), ..one.clone() };
    assert!(Certificates::after(&[other_key], Some(&before)).is_err(), "two files make a pair");
    assert!(Certificates::read(&both).is_err(), "a start is strict");
    fs::write(&two.certificate, "").unwrap();
    assert!(Certificates::after(&both, Some(&before)).is_err(), "a new pair must be right");
}

#[test]
fn a_certificate_that_is_over_or_early_takes_no_good_ones_place() {
    let dir = tempfile::tempdir().unwrap();
    let files = write_certificate(dir.path(), "one", &["a.example"]);
    let certificates = Certificates::read(std::slice::from_ref(&files)).unwrap();
    let first = shown(&certificates, 0);
    let now = now();
    write_certificate_good(dir.path(), "one", &["a.example"], (now - 30 * DAY, now - DAY));
    let looked = certificates.look(now);
    assert!(
        matches!(wrong(&looked)[..], [(said, true)] if said.contains("one.pem holds a certificate that was good until"))
    );
    assert!(!looked.is_new && shown(&certificates, 0) == first, "the good one serves on");

    write_certificate_good(dir.path(), "one", &["a.example"], (now + DAY, now + 30 * DAY));
    let looked = certificates.look(now);
    assert!(matches!(wrong(&looked)[..], [(said, true)] if said.contains("is good from")), "{looked:?}");
    assert_eq!(shown(&certificates, 0), first);
    assert!(certificates.look(now + 2 * DAY).is_new, "it is taken when it is good");
    let early = shown(&certificates, 0);
    assert_ne!(early, first);

    // Where neither is good, the file's word counts.
    write_certificate_good(dir.path(), "one", &["a.example"], (now - 30 * DAY, now - DAY));
    assert!(certificates.look(now + 40 * DAY).is_new);
}

#[test]
fn what_cannot_be_used_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let files = write_certificate(dir.path(), "one", &["a.example"]);
    let other = write_certificate(dir.path(), "two", &["b.example"]);
    let said = |files: &CertificateFiles| Certificates::read(std::slice::from_ref(files)).unwrap_err().to_string();
    let mixed = CertificateFiles { certificate: files.certificate.clone(), key: other.key };
    assert!(said(&mixed).contains("cannot be used with its key"), "{}", said(&mixed));
    let swapped = CertificateFiles { certificate: files.key.clone(), key: files.key.clone() };
    assert!(said(&swapped).contains("no certificate"), "{}", said(&swapped));
    fs::set_permissions(&files.key, Permissions::from_mode(0o640)).unwrap();
    assert!(said(&files).contains("mode 640") && said(&files).contains("chmod 600"), "{}", said(&files));
    fs::remove_file(&files.key).unwrap();
    assert!(said(&files).contains("cannot be read"), "{}", said(&files));
}
