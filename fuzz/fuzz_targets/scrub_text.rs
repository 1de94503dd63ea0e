//! Free text, and all that is made of it: search terms, titles, labels, names of events, properties. The first byte is the
//! length that is kept.
#![no_main]

use consentry::pseudonym::scrub::{self, Labels};
use consentry_fuzz::assert_clean;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str)| {
    let (max_len, text) = (usize::from(input.0), input.1);
    let settled = |once: String, max_len: usize, again: &dyn Fn(&str) -> String| {
        assert_clean(&once, max_len);
        assert_eq!(again(&once), once, "of {text:?}");
    };
    settled(scrub::scrub_text(text, max_len), max_len, &|once| scrub::scrub_text(once, max_len));
    settled(scrub::search_term(text), 100, &scrub::search_term);
    settled(scrub::title(text), 200, &scrub::title);
    if let Some(name) = scrub::event_name(text) {
        settled(name, 64, &|once| scrub::event_name(once).expect("is a name"));
    }
    for (free_text, max_len) in [(false, 100), (true, 300)] {
        if let Ok((_, value)) = scrub::property("key", text, free_text) {
            settled(value, max_len, &|once| scrub::property("key", once, free_text).expect("is a value").1);
        }
    }
    if let Ok((key, _)) = scrub::property(text, "", false) {
        assert_clean(&key, 40);
    }
    let keyed = |bytes: &[u8]| {
        assert_clean(std::str::from_utf8(bytes).expect("is text"), 300);
        u64::from(max_len as u8) << 40
    };
    assert_clean(&Labels::default().label(text, &keyed).to_string(), 13);
});
