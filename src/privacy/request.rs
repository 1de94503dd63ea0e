//! A request to one of the endpoints, and in which form it wants its answer.

use http::header::ACCEPT;
use http::{HeaderMap, Method};

use super::Recording;
use crate::consent::{Choice, Signals};

/// A request to one of the endpoints, its body read.
pub struct PrivacyRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path below the visitor's folder, with its slash: `/`, `/consent`; empty for the folder without a slash.
    pub path: &'a str,
    /// The query, without its question mark.
    pub query: Option<&'a str>,
    /// The headers as they came.
    pub headers: &'a HeaderMap,
    /// The body; the front door reads no more than [`MAX_BODY`](super::MAX_BODY) and one byte.
    pub body: &'a [u8],
    /// The host the request is for, as in `Host`.
    pub host: &'a str,
    /// Whether the visitor came over TLS.
    pub https: bool,
    /// The choice that counts, if there is one.
    pub choice: Option<&'a Choice>,
    /// What the headers say on the visitor's behalf, as far as the site honours it.
    pub signals: Signals,
    /// The stamp of what another consent manager says; all zero where none is asked, or it says nothing.
    pub stamp: [u8; 6],
    /// Under what the visitor's rows are written; asked for `/data` only.
    pub recording: Recording,
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
}

impl PrivacyRequest<'_> {
    /// Whether this format of a page is asked for: with `format` in the query, else by its media type and not as a page.
    pub(super) fn wants(&self, format: &str, media_type: &str) -> bool {
        let asked = self.query.unwrap_or_default().split('&').find_map(|field| field.strip_prefix("format="));
        asked.map_or_else(|| accepts_only(self.headers, media_type), |asked| asked == format)
    }
}

/// Whether a client asks for JSON and not for a page.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    accepts_only(headers, "application/json")
}

fn accepts_only(headers: &HeaderMap, media_type: &str) -> bool {
    let names = |what: &str| {
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains(what))
    };
    names(media_type) && !names("text/html")
}
