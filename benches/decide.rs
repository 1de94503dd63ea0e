//! The consent decision as every request pays for it: finding the choice among a request's cookies, reading it, deciding.

use std::hint::black_box;

use consentry::consent::import::{Import, Manager};
use consentry::consent::{Choice, ChoiceSource, Mode, Policy, Purpose, Seal, Signals, decide};
use consentry::cookies::{Asked, ChoiceCookie, Ours, Signed};
use consentry::keys::{KeyRing, Remembered};
use criterion::{Criterion, criterion_group, criterion_main};

/// Milliseconds since 1970.
const NOW: u64 = 1_790_000_000_000;

/// What stands beside the choice in a `Cookie` header.
const OTHERS: &str = "session=0123456789abcdef0123456789abcdef; _ga=GA1.1.1234567890.1760000000; lang=en-GB; theme=dark; \
     consentry_visitor=AAAAAAAAAAAAAAAAAAAAAA; consentry_visit=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn decision(c: &mut Criterion) {
    let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
    let long = |i| Purpose { id: format!("purpose-of-{i}"), ..Purpose::default() };
    let eight = Policy::new((0..7).map(long).collect(), 1, policy.choice_life).expect("seven purposes fit");
    let asked = Asked { host: "www.example.org", https: true, now_ms: NOW + 60_000 };
    let header = |policy: &Policy| {
        let choice = Choice::new(policy, policy.all(), ChoiceSource::Banner, NOW);
        format!(
            "{OTHERS}; __Host-consentry={}; consentry_choice={}",
            choice.encode(policy, Seal::new(&ring, "www.example.org")),
            choice.twin(policy)
        )
    };
    let cookie = ChoiceCookie::default();
    let run = |policy: &Policy, header: &str| {
        let choice = cookie.read(&Ours::of([black_box(header.as_bytes())]), asked, policy, &ring);
        decide(policy, black_box(choice), Signals::default(), Mode::OptIn)
    };
    c.bench_function("decide/without cookies", |b| b.iter(|| run(&policy, "")));
    c.bench_function("decide/without a choice", |b| b.iter(|| run(&policy, OTHERS)));
    let chosen = header(&policy);
    assert!(run(&policy, &chosen).analytics.is_some());
    c.bench_function("decide/with a signed choice", |b| b.iter(|| run(&policy, &chosen)));
    let of_eight = header(&eight);
    let remembered = Remembered::default();
    c.bench_function("decide/with a signed choice that was verified before", |b| {
        b.iter(|| {
            let signed = Signed { ring: &ring, remembered: Some(&remembered) };
            let choice = cookie.read(&Ours::of([black_box(chosen.as_bytes())]), asked, &policy, signed);
            decide(&policy, black_box(choice), Signals::default(), Mode::OptIn)
        });
    });
    c.bench_function("decide/with a signed choice of eight purposes", |b| b.iter(|| run(&eight, &of_eight)));
    let forged = chosen.replace("analytics.", "marketing.");
    assert!(run(&policy, &forged).analytics.is_none());
    c.bench_function("decide/with a forged choice", |b| b.iter(|| run(&policy, &forged)));

    let categories = Import::usual(Manager::CookieConsent3, &policy);
    let import = Import::new(Manager::CookieConsent3, None, None, categories, &policy).expect("has usual categories");
    let manager = format!(
        "{OTHERS}; cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%2C%22analytics%22%5D%2C%22revision%22%3A0%2C%22data%22%3Anull%2C\
         %22consentTimestamp%22%3A%222026-09-20T10%3A00%3A00.000Z%22%2C%22consentId%22%3A%2201234567-89ab-4def-8123-456789abcdef%22%2C\
         %22services%22%3A%7B%22necessary%22%3A%5B%5D%2C%22analytics%22%3A%5B%5D%7D%2C%22languageCode%22%3A%22en%22%2C\
         %22lastConsentTimestamp%22%3A%222026-09-20T10%3A00%3A00.000Z%22%2C%22expirationTime%22%3A1805000000000%7D"
    );
    c.bench_function("decide/another manager's cookie beside", |b| {
        b.iter(|| import.read([black_box(manager.as_bytes())], NOW / 1000, policy.choice_life));
    });
}

criterion_group!(benches, decision);
criterion_main!(benches);
