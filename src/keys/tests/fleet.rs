//! Several processes and one file.

use super::*;

#[test]
fn gateways_that_share_a_file_use_the_same_days_key() {
    let place = Place::new();
    let rings: Vec<KeyRing> = (0..4).map(|_| place.open(1, START)).collect();
    for day in 1..5 {
        std::thread::scope(|threads| {
            for ring in &rings {
                threads.spawn(move || ring.tend(START + day * DAY, &DAILY).unwrap());
            }
        });
        for ring in &rings {
            ring.tend(START + day * DAY + 60, &DAILY).unwrap();
        }
        let first = rings[0].mac(KeyPurpose::Ip, &[b"a"]);
        assert!(rings.iter().all(|ring| ring.mac(KeyPurpose::Ip, &[b"a"]) == first));
    }
    let made = place.facts().iter().filter(|key| key.purpose == KeyPurpose::Ip).count();
    assert_eq!(made, 5, "one a day, whoever came first");
}

#[test]
fn gateways_that_start_together_on_no_file_agree() {
    let place = Place::new();
    let macs: Vec<_> = std::thread::scope(|threads| {
        let start = |_| threads.spawn(|| place.open(1, START).mac(KeyPurpose::Choice, &[b"a"]));
        let started: Vec<_> = (0..8).map(start).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(macs.iter().all(|mac| *mac == macs[0]));
}

#[test]
fn nobodys_change_is_lost_and_no_number_used_twice() {
    let place = Place::new();
    place.open(1, START);
    std::thread::scope(|threads| {
        for site in 1..5 {
            let file = place.file();
            threads.spawn(move || {
                for turn in 0..10 {
                    file.change(|book| {
                        book.rotate(KeyPurpose::Mail, site, START + turn);
                        true
                    })
                    .unwrap();
                }
            });
        }
    });
    let facts = place.facts();
    assert_eq!(facts.len(), KeyPurpose::ALL.len() + 40);
    let ids: std::collections::BTreeSet<KeyId> = facts.iter().map(|key| key.id).collect();
    assert_eq!(ids.len(), facts.len());
}

#[test]
fn who_holds_the_lock_for_ever_is_named() {
    let place = Place::new();
    place.open(1, START);
    let lock = fs::File::open(place.path().with_file_name("keys.json.lock")).unwrap();
    lock.lock().unwrap();
    let refused = place.file().change(|_| true).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("keys.json.lock"), "{refused}");
    // Who has nothing to change does not wait.
    place.open(1, START).tend(START, &NEVER).unwrap();
}

#[test]
fn a_ring_that_needs_nothing_is_not_written() {
    let place = Place::new();
    place.open(1, START);
    let before = fs::metadata(place.path()).unwrap().modified().unwrap();
    fs::remove_file(place.path().with_file_name("keys.json.lock")).unwrap();
    place.open(1, START + 5).tend(START + 5, &DAILY).unwrap();
    assert_eq!(fs::metadata(place.path()).unwrap().modified().unwrap(), before);
    assert!(!place.path().with_file_name("keys.json.lock").exists());
}

#[test]
fn what_is_made_while_keys_are_replaced_names_the_key_it_was_made_under() {
    let place = Place::new();
    let ring = place.open(1, START);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let made = std::thread::scope(|threads| {
        let make = || {
            let mut made = Vec::new();
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                let mac = ring.mac(KeyPurpose::Visitor, &[b"a"]);
                if made.last() != Some(&mac) {
                    made.push(mac);
                }
            }
            made
        };
        let threads: Vec<_> = (0..2).map(|_| threads.spawn(make)).collect();
        for turn in 0..20 {
            let rotated = place.file().change(|book| {
                book.rotate(KeyPurpose::Visitor, 1, START + turn);
                true
            });
            rotated.unwrap();
            ring.tend(START + turn, &NEVER).unwrap();
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(!made.is_empty());
    for mac in made {
        assert_eq!(ring.mac_under(KeyPurpose::Visitor, mac.key, &[b"a"]), Some(mac.value));
    }
}
