//! The file: the first version's means what it meant, and whatever else lies there is refused and kept.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::*;

/// As the first version wrote it.
const FIRST: &str = r#"{
  "keys": [
    { "id": 1, "purpose": "choice", "created": 1700000000, "secret": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=" },
    { "id": 2, "purpose": "visitor", "created": 1700000000, "secret": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=" },
    { "id": 3, "purpose": "ip", "created": 1700000000, "secret": "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=" }
  ]
}"#;

fn first_version_mac(secret: u8, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(&[secret; 32]).unwrap();
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[test]
fn choices_and_pseudonyms_of_the_first_version_stay_what_they_are() {
    let place = Place::new();
    place.write(FIRST);
    let message: [&[u8]; 2] = [&[1, 0, 0, 0], b"token"];
    for site in [1, 2] {
        let ring = place.open(site, START);
        for (secret, purpose) in [(1, KeyPurpose::Choice), (2, KeyPurpose::Visitor), (3, KeyPurpose::Ip)] {
            let made = ring.mac(purpose, &message);
            assert_eq!((made.value, made.key), (first_version_mac(secret, &message), KeyId(secret.into())));
        }
        assert!(ring.mac(KeyPurpose::Login, &message).key > KeyId(3), "what is new has keys of its own");
    }
    let text = place.text();
    assert!(text.contains("\"version\": 2"), "the file is brought up to date");
    // Rotated at one site, such a key is replaced at every site; it could not be destroyed otherwise.
    let (one, two) = (place.open(1, START), place.open(2, START));
    one.tend(START, &DAILY).unwrap();
    two.tend(START, &DAILY).unwrap();
    let keys = [&one, &two].map(|ring| ring.mac(KeyPurpose::Ip, &message).key);
    assert!(keys[0] != keys[1] && keys.iter().all(|key| *key > KeyId(3)));
    assert!(one.verify(KeyPurpose::Ip, &message, &first_version_mac(3, &message)));
    assert_eq!(one.mac(KeyPurpose::Visitor, &message).key, KeyId(2));
    two.tend(START + DAY, &DAILY).unwrap();
    assert!(!two.verify(KeyPurpose::Ip, &message, &first_version_mac(3, &message)));
}

#[test]
fn a_ring_of_before_receipts_gets_their_key_and_keeps_the_others() {
    let place = Place::new();
    let choice = place.open(1, START).mac(KeyPurpose::Choice, &[b"yes"]);
    let mut book: serde_json::Value = serde_json::from_str(&place.text()).unwrap();
    let keys = book["keys"].as_array_mut().unwrap();
    keys.retain(|key| key["purpose"] != "receipt");
    let before = keys.len();
    place.write(&book.to_string());
    let ring = place.open(1, START + 1);
    assert_eq!(ring.mac(KeyPurpose::Choice, &[b"yes"]), choice);
    let receipt = ring.mac(KeyPurpose::Receipt, &[b"ed25519"]);
    assert_eq!((place.facts().len(), receipt.key), (before + 1, KeyId(before as u32 + 1)));
    assert_eq!(place.open(1, START + 2).mac(KeyPurpose::Receipt, &[b"ed25519"]), receipt);
}

#[test]
fn what_cannot_be_a_ring_says_why_and_shows_no_secret() {
    let place = Place::new();
    let secret = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let key = |id: u32, more: &str| format!(r#"{{"id":{id},"purpose":"ip","site":1,"created":1{more}}}"#);
    let live = |id: u32| key(id, &format!(r#","secret":"{secret}""#));
    let book = |keys: &[String]| format!(r#"{{"version":2,"keys":[{}]}}"#, keys.join(","));
    for (text, reason) in [
        (String::new(), "ends too early"),
        ("[]".into(), "does not read as a key ring"),
        ("keys".into(), "not JSON"),
        (r#"{"version":3,"keys":[]}"#.into(), "version 3"),
        (book(&[live(1), live(1)]), "key 1 is there twice"),
        (book(&[live(0)]), "number 0"),
        (book(&[live(u32::MAX)]), "leaves no number"),
        (book(&[key(1, "")]), "key 1 has no secret"),
        (book(&[key(1, r#","secret":"c2hvcnQ=""#)]), "not 32 bytes in base64"),
        (book(&[key(1, &format!(r#","secret":"{secret}AAAA""#))]), "not 32 bytes in base64"),
        (book(&[key(1, r#","destroyed":2"#)]), "half destroyed"),
        (book(&[key(1, &format!(r#","destroyed":2,"why":"window","secret":"{secret}""#))]), "has a secret"),
        (book(&[key(1, &format!(r#","unheard":"{secret}""#))]), "does not read"),
        (book(&[live(1).replace("\"ip\"", &format!("\"{secret}\""))]), "does not read"),
        (book(&[live(1).replace("\"site\":1", &format!("\"site\":\"{secret}\""))]), "does not read"),
    ] {
        place.write(&text);
        let error =
            KeyRing::open_or_create(&place.path(), 1, 1).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(reason) && error.contains("keys.json"), "{text}: {error}");
        assert!(!error.contains(secret), "{error}");
        assert_eq!(place.text(), text, "it is kept");
    }
    fs::write(place.path(), [0xff, 0xfe]).unwrap();
    assert!(matches!(KeyRing::open_or_create(&place.path(), 1, 1), Err(KeyError::Damaged { .. })));
}

/// A book that has lived: some keys retired, some destroyed, perhaps begun in the first version.
fn lived(turns: &[(u8, u8)]) -> Book {
    let mut book = Book::default();
    if turns.len() % 2 == 1 {
        book = super::super::stored::read(FIRST).map(|read| read.book).unwrap_or_else(|reason| panic!("{reason}"));
    }
    book.settle(1, START);
    for (turn, (purpose, what)) in turns.iter().enumerate() {
        let now = START + turn as u64;
        let purpose = KeyPurpose::ALL[usize::from(*purpose) % KeyPurpose::ALL.len()];
        let site = u32::from(*what % 3) + 1;
        book.settle(site, now);
        match what % 4 {
            0 => drop(book.destroy(KeyId(u32::from(*what)), Why::Command, now)),
            1 => drop(book.tend(site, now + u64::from(*what) * DAY, &DAILY)),
            _ => book.rotate(purpose, site, now),
        }
    }
    book
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_never_panics_and_never_loses_the_file(bytes: Vec<u8>, cut in 0usize..2000, flip in 0usize..2000, with: u8) {
        let mut text = FIRST.as_bytes().to_vec();
        if let Some(byte) = text.get_mut(flip) {
            *byte = with;
        }
        let cut = FIRST.as_bytes()[..cut.min(FIRST.len())].to_vec();
        for bytes in [bytes, text, cut] {
            let place = Place::new();
            place.write("");
            fs::write(place.path(), &bytes).unwrap();
            if KeyRing::open_or_create(&place.path(), 1, START).is_err() {
                assert_eq!(fs::read(place.path()).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn a_book_reads_back_as_it_was_written(turns: Vec<(u8, u8)>) {
        let book = lived(&turns);
        let text = super::super::stored::write(&book);
        let read = super::super::stored::read(&text).unwrap_or_else(|reason| panic!("{reason}"));
        assert!(!read.is_old && read.book.facts().eq(book.facts()));
        for (one, other) in read.book.entries().iter().zip(book.entries()) {
            assert_eq!(one.secret.as_ref().map(|s| s.bytes()), other.secret.as_ref().map(|s| s.bytes()));
            assert_eq!(one.secret.is_none(), one.facts.state() == State::Destroyed);
        }
        assert_eq!(*super::super::stored::write(&read.book), *text);
    }

    #[test]
    fn every_site_always_has_one_key_in_use_for_each_purpose(turns: Vec<(u8, u8)>) {
        let book = lived(&turns);
        for site in book.sites() {
            for purpose in KeyPurpose::ALL {
                let active = book.facts().filter(|key| {
                    key.serves(site) && key.purpose == purpose && key.state() == State::Active
                });
                assert_eq!(active.count(), 1, "{purpose} at {site}");
            }
        }
    }
}
