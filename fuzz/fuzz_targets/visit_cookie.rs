//! The cookie `consentry_visit`, in which a visitor may write what they like: nothing of it is ever a visit, since only the
//! gateway can sign one.
#![no_main]

use std::sync::{Arc, LazyLock};

use consentry::capture::visit::Signed;
use consentry::keys::KeyRing;
use consentry::pseudonym::VisitorId;
use libfuzzer_sys::fuzz_target;

const NOW_MS: i64 = 1_790_000_000_000;
static SIGNED: LazyLock<Signed> = LazyLock::new(|| Signed::new(Arc::new(KeyRing::ephemeral())));

fuzz_target!(|value: &[u8]| assert_eq!(SIGNED.decode(VisitorId(1), value, NOW_MS), None));
