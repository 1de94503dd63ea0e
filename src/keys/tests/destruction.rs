//! D2: what is destroyed cannot be made again by anybody, with the file, the process and the database in hand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;

/// The secret of a key as the file has it.
fn secret(place: &Place, key: KeyId) -> Option<String> {
    let file: serde_json::Value = serde_json::from_str(&place.text()).unwrap();
    let keys = file["keys"].as_array().unwrap();
    let found = keys.iter().find(|stored| stored["id"] == key.0).expect("the record stays");
    found["secret"].as_str().map(str::to_owned)
}

#[test]
fn rule_d2_yesterdays_ip_tags_cannot_be_recomputed_after_destruction() {
    let place = Place::new();
    let ring = place.open(7, START + DAY / 2);
    ring.tend(START + DAY / 2, &DAILY).unwrap();
    let address: [&[u8]; 2] = [&7u32.to_le_bytes(), &[203, 0, 113, 77]];
    let first = ring.mac(KeyPurpose::Ip, &address);
    let stolen = secret(&place, first.key).expect("it is in use");

    // The last second of the day is still that day's.
    assert_eq!(ring.tend(START + DAY - 1, &DAILY).unwrap(), []);
    assert_eq!(ring.mac(KeyPurpose::Ip, &address), first);

    // Midnight: a new key; the old one is still there, for one day.
    ring.tend(START + DAY, &DAILY).unwrap();
    let second = ring.mac(KeyPurpose::Ip, &address);
    assert!(second.key != first.key && second.value != first.value);
    assert_eq!(ring.mac_under(KeyPurpose::Ip, first.key, &address), Some(first.value));
    ring.tend(START + 2 * DAY - 1, &DAILY).unwrap();
    assert_eq!(ring.live(KeyPurpose::Ip), [second.key, first.key]);

    // And gone.
    let changes = ring.tend(START + 2 * DAY, &DAILY).unwrap();
    assert!(changes.iter().any(|change| change.key.id == first.key && change.what == What::Destroyed));
    let reopened = place.open(7, START + 2 * DAY);
    for ring in [&ring, &reopened] {
        assert_eq!(ring.mac_under(KeyPurpose::Ip, first.key, &address), None);
        assert!(!ring.verify(KeyPurpose::Ip, &address, &first.value));
        let live = ring.live(KeyPurpose::Ip);
        assert_eq!(live.len(), 2);
        for key in live {
            assert_ne!(ring.mac_under(KeyPurpose::Ip, key, &address), Some(first.value));
        }
    }
    assert_eq!(secret(&place, first.key), None);
    assert!(secret(&place, second.key).is_some());
    for entry in fs::read_dir(place.path().parent().unwrap()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(memchr::memmem::find(&bytes, stolen.as_bytes()).is_none());
        assert!(memchr::memmem::find(&bytes, &BASE64.decode(&stolen).unwrap()).is_none());
    }

    // That it existed and when and why it went stays said.
    let facts = place.facts();
    let record = facts.iter().find(|key| key.id == first.key).expect("the record stays");
    assert_eq!((record.created, record.retired), (START + DAY / 2, Some(START + DAY)));
    assert_eq!(record.destroyed, Some(Destruction { at: START + 2 * DAY, why: Why::Window }));
    // What never rotates has not.
    assert!(facts.iter().all(|key| key.purpose == KeyPurpose::Ip || key.state() == State::Active));
}

#[test]
fn a_ring_that_slept_for_days_goes_on_with_todays_key() {
    let place = Place::new();
    let first = place.open(1, START).live(KeyPurpose::Ip)[0];
    let ring = place.open(1, START + 30 * DAY);
    ring.tend(START + 30 * DAY, &DAILY).unwrap();
    assert_eq!(ring.live(KeyPurpose::Ip).len(), 2);
    ring.tend(START + 31 * DAY, &DAILY).unwrap();
    assert_eq!(ring.live(KeyPurpose::Ip).len(), 2);
    assert!(!ring.live(KeyPurpose::Ip).contains(&first));
}

#[test]
fn a_clock_that_was_wrong_for_a_while_does_not_stop_the_days() {
    let place = Place::new();
    let ring = place.open(1, START);
    // Half a century ahead for an hour, then put right.
    ring.tend(START + 18_000 * DAY, &DAILY).unwrap();
    let ahead = ring.live(KeyPurpose::Ip);
    assert_eq!(ahead.len(), 2);
    ring.tend(START + 60, &DAILY).unwrap();
    let right = ring.live(KeyPurpose::Ip);
    assert!(right[0] > ahead[0], "a key of the future is replaced");
    ring.tend(START + DAY, &DAILY).unwrap();
    ring.tend(START + 2 * DAY, &DAILY).unwrap();
    ring.tend(START + 3 * DAY, &DAILY).unwrap();
    assert!(ring.live(KeyPurpose::Ip).iter().all(|key| !ahead.contains(key)), "and destroyed in its turn");
    // Behind for a while: nothing happens before its time.
    let now = ring.live(KeyPurpose::Ip);
    ring.tend(START, &Days { ip: Some(30), visitor: None }).unwrap();
    assert!(ring.live(KeyPurpose::Ip)[0] >= now[0]);
}

#[test]
fn a_period_that_was_shortened_takes_nothing_back_at_once() {
    let place = Place::new();
    let ring = place.open(1, START);
    let old = ring.live(KeyPurpose::Visitor)[0];
    // After a year of `never`, 30 days are configured.
    let monthly = Days { ip: Some(1), visitor: Some(30) };
    ring.tend(START + 365 * DAY, &monthly).unwrap();
    assert_eq!(ring.live(KeyPurpose::Visitor).last(), Some(&old), "who was captured can still be found");
    ring.tend(START + 394 * DAY, &monthly).unwrap();
    assert!(ring.live(KeyPurpose::Visitor).contains(&old));
    ring.tend(START + 395 * DAY, &monthly).unwrap();
    assert!(!ring.live(KeyPurpose::Visitor).contains(&old));
}
