//! The cookie `consentry_visit`, in which a visitor may write what they like.
#![no_main]

use consentry::capture::visit::Visit;
use libfuzzer_sys::fuzz_target;

const NOW_MS: i64 = 1_790_000_000_000;

fuzz_target!(|value: &[u8]| {
    if let Some(visit) = Visit::decode(value, NOW_MS) {
        assert_eq!(Visit::decode(visit.encode().as_bytes(), NOW_MS), Some(visit));
    }
});
