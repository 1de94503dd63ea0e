//! The app's files, built into the binary from `static/dashboard/`.

use std::sync::LazyLock;

use http::StatusCode;
use http::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};

use super::answer::{Answer, answer};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! assets {
    ($($path:literal = $file:literal as $kind:expr),* $(,)?) => {
        &[$(Asset { path: $path, kind: $kind, bytes: include_bytes!(concat!("../../static/dashboard/", $file)) }),*]
    };
}

/// One file.
pub struct Asset {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

static ASSETS: &[Asset] = assets![
    "/" = "index.html" as HTML,
    "/static/dashboard.css" = "dashboard.css" as CSS,
    "/static/icon.svg" = "icon.svg" as SVG,
    "/static/app.js" = "app.js" as JS,
    "/static/api.js" = "api.js" as JS,
    "/static/card.js" = "card.js" as JS,
    "/static/chart.js" = "chart.js" as JS,
    "/static/consent.js" = "consent.js" as JS,
    "/static/dialog.js" = "dialog.js" as JS,
    "/static/element.js" = "element.js" as JS,
    "/static/explain.js" = "explain.js" as JS,
    "/static/format.js" = "format.js" as JS,
    "/static/period.js" = "period.js" as JS,
    "/static/plot.js" = "plot.js" as JS,
    "/static/totals.js" = "totals.js" as JS,
];

/// One tag for all: a new binary may carry new modules, and they only fit together.
static TAG: LazyLock<HeaderValue> = LazyLock::new(|| {
    let sum = ASSETS.iter().fold(0, |sum, asset| crc32c::crc32c_append(sum, asset.bytes));
    HeaderValue::try_from(format!("\"{}-{sum:08x}\"", env!("CARGO_PKG_VERSION"))).expect("digits are a header value")
});

/// The file at a path.
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// The file at a path as an answer: 304 where the browser has it already.
pub fn answer_for(asset: &Asset, headers: &HeaderMap) -> Answer {
    let known = headers.get(IF_NONE_MATCH).is_some_and(|tag| *tag == *TAG);
    let mut response = match known {
        true => answer(StatusCode::NOT_MODIFIED, asset.kind, ""),
        false => answer(StatusCode::OK, asset.kind, asset.bytes),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(ETAG, TAG.clone());
    response
}
