//! The consent decision as every request pays for it: reading the signed cookie and deciding.

use std::hint::black_box;

use consentry::consent::{Choice, ChoiceSource, Mode, Policy, Signals, decide};
use consentry::keys::KeyRing;
use criterion::{Criterion, criterion_group, criterion_main};

const NOW: u64 = 1_790_000_000_000;

fn decision(c: &mut Criterion) {
    let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
    let cookie = Choice::new(&policy, policy.all(), ChoiceSource::Banner, NOW).encode(&policy, &ring);
    c.bench_function("decide/without a choice", |b| {
        b.iter(|| {
            let none: [&[u8]; 0] = black_box([]);
            let choice = Choice::among(none, black_box(&policy), &ring, NOW);
            black_box(decide(&policy, black_box(choice), Signals::default(), Mode::OptIn))
        });
    });
    c.bench_function("decide/with a signed choice", |b| {
        b.iter(|| {
            let choice = Choice::among(black_box([cookie.as_bytes()]), &policy, &ring, NOW + 60_000);
            let decision = decide(&policy, choice, Signals::default(), Mode::OptIn);
            assert!(decision.analytics.is_some());
            decision
        });
    });
    c.bench_function("decide/with a forged choice", |b| {
        let forged = cookie.replace("analytics", "marketing");
        b.iter(|| Choice::among(black_box([forged.as_bytes()]), &policy, &ring, NOW + 60_000).unwrap_err());
    });
}

criterion_group!(benches, decision);
criterion_main!(benches);
