//! The values of the cookies `consentry` in a request, one on each line, as anybody may write them: nobody who does not have
//! the key makes a choice of them, changes one, or undoes a later refusal.
#![no_main]

use std::sync::LazyLock;

use consentry::consent::{Choice, ChoiceSource, Policy, PurposeSet};
use consentry::keys::KeyRing;
use libfuzzer_sys::fuzz_target;

/// Milliseconds since 1970.
const NOW: u64 = 1_790_000_000_000;

static RING: LazyLock<KeyRing> = LazyLock::new(KeyRing::ephemeral);
static POLICY: LazyLock<Policy> = LazyLock::new(Policy::default);
static ACCEPTED: LazyLock<String> =
    LazyLock::new(|| Choice::new(&POLICY, POLICY.all(), ChoiceSource::Banner, NOW - 60_000).encode(&POLICY, &*RING));
static REFUSED: LazyLock<String> = LazyLock::new(|| {
    Choice::new(&POLICY, PurposeSet::default(), ChoiceSource::Preferences, NOW).encode(&POLICY, &*RING)
});

fuzz_target!(|bytes: &[u8]| {
    let lines = || bytes.split(|byte| *byte == b'\n');
    assert!(Choice::among(lines(), &POLICY, &*RING, NOW).is_err(), "made without the key");

    // The same bytes as changes to a real one: a place and what is put there.
    let mut changed = ACCEPTED.clone().into_bytes();
    for change in bytes.chunks_exact(2) {
        let place = usize::from(change[0]) % changed.len();
        changed[place] = change[1];
    }
    let read = Choice::among([&changed[..]], &POLICY, &*RING, NOW);
    assert_eq!(read.is_ok(), changed == ACCEPTED.as_bytes());

    let beside = lines().chain([&changed[..], REFUSED.as_bytes(), ACCEPTED.as_bytes()]);
    let chosen = Choice::among(beside, &POLICY, &*RING, NOW).expect("one of them is real");
    assert_eq!(chosen.granted, POLICY.necessary(), "the refusal came last");
});
