//! The body of `POST /_privacy/calls`, as whoever has the token may send it.
#![no_main]

use consentry::capture::calls::{self, Format};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    for format in [Format::Json, Format::Csv] {
        match calls::parse(body, format) {
            Ok(records) => assert!(records.len() <= calls::MAX_CALLS),
            // The message names a place and never the content.
            Err(error) => assert!(error.to_string().len() < 200),
        }
    }
});
