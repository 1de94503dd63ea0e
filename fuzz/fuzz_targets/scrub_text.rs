//! Free text: the first byte is the length that is kept.
#![no_main]

use consentry::pseudonym::scrub;
use consentry_fuzz::assert_clean;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str)| {
    let (max_len, text) = (usize::from(input.0), input.1);
    let once = scrub::scrub_text(text, max_len);
    assert_clean(&once, max_len);
    assert_eq!(scrub::scrub_text(&once, max_len), once, "of {text:?}");
});
