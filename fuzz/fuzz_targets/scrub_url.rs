//! A page's URL and a referrer: path, allowed query keys, campaign and host.
#![no_main]

use consentry::pseudonym::{RawUrl, scrub};
use consentry_fuzz::assert_clean;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|url: &str| {
    let keys = ["q".to_owned(), "page".to_owned()];
    let raw = RawUrl::new(url);
    let once = scrub::scrub_path(&raw, &keys);
    assert_clean(&once, 512);
    assert_eq!(scrub::scrub_path(&RawUrl::new(&once), &keys), once, "of {url:?}");

    for value in scrub::utm(&raw).utm {
        assert_clean(&value, 100);
    }
    if let Some(referrer) = scrub::referrer(&raw, "www.example.com") {
        assert_clean(&referrer.path, 512);
        assert_clean(&referrer.host, 253 + 20);
        assert!(!referrer.host.is_empty());
        assert_eq!(scrub::host(&referrer.host.replace(['[', ']'], "")).is_empty(), false);
    }
});
