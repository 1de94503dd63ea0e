//! The signs of a program in a request's headers.

use http::HeaderName;
use http::header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE};

use crate::enrich::Device;
use crate::enrich::hints::HINTS;

/// What the headers of one request show. They say something of the client only where it is the client that sent them: behind
/// a proxy or a CDN some are added and some are lost, and then nothing is concluded.
///
/// | sign | since when browsers do otherwise |
/// |---|---|
/// | no `Accept-Language` | always |
/// | no `Accept`; where a page is asked for, none with `text/html` | always |
/// | no `Accept-Encoding` | always |
/// | HTTP/1.0 | always |
/// | `Sec-Fetch-*` is absent from a Chrome, Edge or Firefox over TLS | Chrome 76, Firefox 90 |
/// | `Sec-CH-UA` is absent from a Chrome or Edge over TLS | Chrome 89 |
/// | `Sec-CH-UA` from a Firefox, or from anything on iOS | never sent |
///
/// One of them can be a privacy extension, a virus scanner that reads along or a browser nobody thought of; two are a program.
/// Safari and WebViews, whose `Sec-Fetch-*` and hints came late, are not asked for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// The client's connection ends here: no trusted proxy stands in between.
    pub direct: bool,
    /// That connection is encrypted; browsers send `Sec-*` over no other (but to `localhost`).
    pub tls: bool,
    /// The request was made in HTTP/1.0.
    pub http_1_0: bool,
    /// `Accept` is there, and has `text/html` where a page is asked for.
    pub accept: bool,
    /// `Accept-Language` is there.
    pub accept_language: bool,
    /// `Accept-Encoding` is there.
    pub accept_encoding: bool,
    /// One of `Sec-Fetch-Site`, `-Mode` and `-Dest` is there.
    pub sec_fetch: bool,
    /// `Sec-CH-UA` is there.
    pub sec_ch_ua: bool,
}

/// Of which a browser sends all or none.
static FETCH: [HeaderName; 3] = [
    HeaderName::from_static("sec-fetch-mode"),
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("sec-fetch-dest"),
];

/// The version from which a Chrome, Edge or Firefox is asked for what it has sent for some versions already.
const SENDS_FETCH_METADATA: u16 = 92;

impl Headers {
    /// Reads them through a look-up of headers. `is_page` says that the request was taken for a
    /// visitor's asking for a page, not for a beacon's.
    pub fn read<'h>(
        direct: bool,
        tls: bool,
        http_1_0: bool,
        is_page: bool,
        header: impl Fn(&HeaderName) -> Option<&'h [u8]>,
    ) -> Headers {
        if !direct {
            return Headers::default();
        }
        let has = |name: &HeaderName| header(name).is_some();
        Headers {
            direct,
            tls,
            http_1_0,
            accept: header(&ACCEPT).is_some_and(|v| !is_page || memchr::memmem::find(v, b"text/html").is_some()),
            accept_language: has(&ACCEPT_LANGUAGE),
            accept_encoding: has(&ACCEPT_ENCODING),
            sec_fetch: FETCH.iter().any(has),
            sec_ch_ua: has(&HINTS[0]),
        }
    }

    /// Whether there are two signs or more.
    pub(super) fn are_a_programs(&self, device: &Device) -> bool {
        if !self.direct {
            return false;
        }
        let on_apples_engine = matches!(device.os.as_str(), "iOS" | "iPadOS");
        let is_chromium = matches!(device.browser.as_str(), "Chrome" | "Edge") && !on_apples_engine;
        let is_firefox = device.browser == "Firefox" && !on_apples_engine;
        let version = device.browser_version.split('.').next().and_then(|major| major.parse::<u16>().ok());
        let is_recent = self.tls && version.is_some_and(|version| version >= SENDS_FETCH_METADATA);
        let signs = [
            !self.accept_language,
            !self.accept,
            !self.accept_encoding,
            self.http_1_0,
            is_recent && (is_chromium || is_firefox) && !self.sec_fetch,
            is_recent && is_chromium && !self.sec_ch_ua,
            self.sec_ch_ua && (is_firefox || on_apples_engine),
        ];
        signs.into_iter().filter(|sign| *sign).count() >= 2
    }
}

#[cfg(test)]
mod tests;
