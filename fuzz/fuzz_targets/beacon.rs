//! The body of `POST /_privacy/events`, as anybody may send it.
#![no_main]

use consentry::capture::beacon;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    match beacon::parse(body) {
        Ok(events) => assert!(events.len() <= beacon::MAX_EVENTS),
        // The message names a place and never the content.
        Err(error) => assert!(error.to_string().len() < 200),
    }
});
