//! The token in the address of a mail's picture, as anybody may make one up.
#![no_main]

use std::sync::LazyLock;

use consentry::consent::{Policy, mail};
use consentry::keys::KeyRing;
use libfuzzer_sys::fuzz_target;

static RING: LazyLock<KeyRing> = LazyLock::new(KeyRing::ephemeral);
static POLICY: LazyLock<Policy> = LazyLock::new(Policy::default);

fuzz_target!(|token: &[u8]| {
    assert!(mail::opening(token, &POLICY, &RING, 1_790_000_000, |_| false).is_err());
});
