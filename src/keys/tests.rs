//! What is promised about the ring: a file that is the owner's alone and is never lost, keys by purpose and site, and that
//! what is destroyed is gone.

mod destruction;
mod fleet;
mod memory;
mod stored;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

const DAY: u64 = 86_400;
/// 1 January 2026, midnight.
const START: u64 = 1_767_225_600;

/// Addresses and, where asked, visitors get new keys by whole days.
struct Days {
    ip: Option<u16>,
    visitor: Option<u16>,
}

const DAILY: Days = Days { ip: Some(1), visitor: None };
const NEVER: Days = Days { ip: None, visitor: None };

impl Days {
    fn after(&self, purpose: KeyPurpose, day: u16) -> Option<u16> {
        let days = match purpose {
            KeyPurpose::Ip => self.ip,
            KeyPurpose::Visitor => self.visitor,
            _ => None,
        };
        days.map(|days| day + days)
    }
}

impl Windows for Days {
    fn replaced_on(&self, purpose: KeyPurpose, created: u16) -> Option<u16> {
        self.after(purpose, created)
    }

    fn destroyed_on(&self, purpose: KeyPurpose, retired: u16) -> Option<u16> {
        self.after(purpose, retired)
    }
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("made").join("keys.json")
    }

    fn open(&self, site: u32, now: u64) -> KeyRing {
        KeyRing::open_or_create(&self.path(), site, now).unwrap_or_else(|error| panic!("{error}"))
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn write(&self, text: &str) {
        private_file::write(&self.path(), text).unwrap();
    }

    fn file(&self) -> RingFile {
        RingFile::at(&self.path())
    }

    fn facts(&self) -> Vec<KeyFacts> {
        self.file().read().unwrap().facts().copied().collect()
    }
}

#[test]
fn a_ring_survives_a_restart_and_refuses_prying_eyes() {
    let place = Place::new();
    let first = place.open(1, 1).mac(KeyPurpose::Visitor, &[b"a"]);
    let again = place.open(1, 2);
    assert_eq!(first, again.mac(KeyPurpose::Visitor, &[b"a"]));
    assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
    for name in fs::read_dir(place.path().parent().unwrap()).unwrap() {
        assert_eq!(name.unwrap().metadata().unwrap().permissions().mode() & 0o077, 0);
    }

    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o640)).unwrap();
    let refused = KeyRing::open_or_create(&place.path(), 1, 3);
    assert!(matches!(refused, Err(KeyError::Open { mode: 0o640, .. })));
    assert!(matches!(again.tend(3, &NEVER), Err(KeyError::Open { mode: 0o640, .. })));
    assert_eq!(first, again.mac(KeyPurpose::Visitor, &[b"a"]), "who has the keys goes on with them");
}

#[test]
fn purposes_and_sites_have_keys_of_their_own() {
    let place = Place::new();
    let rings = [place.open(1, 1), place.open(2, 1), place.open(1, 2)];
    let mut seen = std::collections::HashSet::new();
    for ring in &rings[..2] {
        for purpose in KeyPurpose::ALL {
            let made = ring.mac(purpose, &[b"a"]);
            assert!(seen.insert(made.value) && seen.insert([made.key.0 as u8; 32]), "{purpose}");
            assert_eq!(KeyPurpose::from_word(purpose.word()), Some(purpose));
            assert_eq!(KeyPurpose::ALL[purpose as usize], purpose);
            assert_eq!(serde_json::to_value(purpose).unwrap(), purpose.word());
        }
    }
    assert_eq!(rings[0].mac(KeyPurpose::Ip, &[b"a"]), rings[2].mac(KeyPurpose::Ip, &[b"a"]));
    assert_eq!(place.facts().len(), 2 * KeyPurpose::ALL.len());
    // One site's key is nothing to the other.
    let other = rings[1].live(KeyPurpose::Ip)[0];
    assert_eq!(rings[0].mac_under(KeyPurpose::Ip, other, &[b"a"]), None);
    let own = rings[0].live(KeyPurpose::Ip)[0];
    assert_eq!(rings[0].mac_under(KeyPurpose::Visitor, own, &[b"a"]), None);
    assert_eq!(rings[0].mac_under(KeyPurpose::Ip, own, &[b"a"]), Some(rings[0].mac(KeyPurpose::Ip, &[b"a"]).value));
}

#[test]
fn parts_cannot_be_shifted_into_each_other() {
    let ring = KeyRing::ephemeral();
    assert_ne!(ring.mac(KeyPurpose::Ip, &[b"ab", b"c"]), ring.mac(KeyPurpose::Ip, &[b"a", b"bc"]));
}

#[test]
fn a_tag_is_verified_under_every_key_that_is_not_destroyed() {
    let place = Place::new();
    let ring = place.open(1, START);
    let mut tags = vec![ring.mac(KeyPurpose::Choice, &[b"yes"])];
    for minute in 1..3 {
        place
            .file()
            .change(|book| {
                book.rotate(KeyPurpose::Choice, 1, START + minute);
                true
            })
            .unwrap();
        assert_eq!(ring.tend(START + minute, &NEVER).unwrap().len(), 2, "one is made and one retired");
        tags.push(ring.mac(KeyPurpose::Choice, &[b"yes"]));
    }
    let newest_first: Vec<KeyId> = tags.iter().rev().map(|tag| tag.key).collect();
    assert_eq!(ring.live(KeyPurpose::Choice), newest_first);
    for tag in &tags {
        assert!(ring.verify(KeyPurpose::Choice, &[b"yes"], &tag.value));
        assert!(ring.verify(KeyPurpose::Choice, &[b"yes"], &tag.value[..16]));
        assert!(!ring.verify(KeyPurpose::Choice, &[b"yes"], &tag.value[..15]), "too short to say anything");
        assert!(!ring.verify(KeyPurpose::Choice, &[b"no"], &tag.value));
        assert!(!ring.verify(KeyPurpose::Visit, &[b"yes"], &tag.value));
    }
    place.file().change(|book| book.destroy(tags[0].key, Why::Command, START + 9).is_ok()).unwrap();
    let changes = ring.tend(START + 9, &NEVER).unwrap();
    assert_eq!(
        changes.iter().map(|change| (change.key.id, change.what)).collect::<Vec<_>>(),
        [(tags[0].key, What::Destroyed)]
    );
    assert!(!ring.verify(KeyPurpose::Choice, &[b"yes"], &tags[0].value));
    assert!(ring.verify(KeyPurpose::Choice, &[b"yes"], &tags[1].value));
}

#[test]
fn a_key_in_use_that_is_destroyed_is_replaced_at_once() {
    let place = Place::new();
    let ring = place.open(1, START);
    let before = ring.mac(KeyPurpose::Login, &[b"jane"]);
    place.file().change(|book| book.destroy(before.key, Why::Command, START).is_ok()).unwrap();
    ring.tend(START, &NEVER).unwrap();
    let after = ring.mac(KeyPurpose::Login, &[b"jane"]);
    assert!(after.key > before.key && after.value != before.value);
    let mut book = place.file().read().unwrap();
    assert_eq!(book.destroy(before.key, Why::Command, START).err(), Some(NotDestroyed::Already(before.key)));
    assert_eq!(book.destroy(KeyId(99), Why::Command, START).err(), Some(NotDestroyed::Unknown(KeyId(99))));
}

#[test]
fn a_damaged_ring_is_named_and_kept() {
    let place = Place::new();
    let ring = place.open(1, 1);
    place.write("{");
    let refused = KeyRing::open_or_create(&place.path(), 1, 3);
    assert!(matches!(refused, Err(KeyError::Damaged { .. })));
    assert!(matches!(ring.tend(3, &DAILY), Err(KeyError::Damaged { .. })));
    assert_eq!(place.text(), "{");
    fs::remove_file(place.path()).unwrap();
    assert!(matches!(ring.tend(3, &DAILY), Err(KeyError::Missing { .. })));
    assert!(!place.path().exists(), "new keys would be others, so none are made behind anybody's back");
}

#[test]
fn keys_are_wiped_when_they_are_let_go() {
    fn wipes<T: zeroize::ZeroizeOnDrop>() {}
    // The states a key is expanded into; an HMAC is two of them.
    wipes::<sha2::block_api::Sha256VarCore>();
}
