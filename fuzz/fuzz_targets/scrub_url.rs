//! A URL as a page's, a referrer's, a link's: path, allowed query keys, campaign, host and class.
#![no_main]

use std::sync::LazyLock;

use consentry::pseudonym::RawUrl;
use consentry::pseudonym::scrub::{self, PathClass, PathClasses};
use consentry_fuzz::assert_clean;
use libfuzzer_sys::fuzz_target;

static CLASSES: LazyLock<PathClasses> = LazyLock::new(|| {
    let class = |pattern: &str, keep_path| PathClass { pattern: pattern.into(), class: "health".into(), keep_path, needs: None };
    PathClasses::new(vec![class("/conditions/*", false), class("/u/*/q/**", true), class("/a", false)])
        .expect("are patterns")
});

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
    }
    if let Some((host, path)) = scrub::script_source(&raw) {
        assert_clean(&path, 512);
        assert_clean(&host, 253 + 20);
    }
    assert_clean(&scrub::host(url), 253 + 20);

    let class = CLASSES.classify(url);
    if let Some(found) = &class {
        assert_clean(&found.shown_path, 512);
    }
    // A page is of the same class whether it is asked before or after the path is scrubbed, unless scrubbing cut it or what it replaced.
    if once.len() < 400 && !once.contains('[') {
        assert_eq!(CLASSES.classify(&once), class, "of {url:?}");
    }
});
