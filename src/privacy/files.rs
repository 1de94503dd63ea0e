//! The scripts and style sheets a visitor's browser loads. The same bytes and the same `ETag`, a hash of them, for
//! everyone: no cache can tell two visitors apart by them (C2).

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use sha2::{Digest, Sha256};

use super::collector::CollectorOptions;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Name, type and content of each, as they stand in `static/`; the collector as `make static` builds it.
const FILES: [(&str, &str, &str); 5] = [
    ("banner.css", STYLE, include_str!("../../static/built/banner.css")),
    ("banner.js", SCRIPT, include_str!("../../static/built/banner.js")),
    ("consent-mode.js", SCRIPT, include_str!("../../static/built/consent-mode.js")),
    (COLLECTOR, SCRIPT, include_str!("../../static/built/collector.js")),
    ("privacy.css", STYLE, include_str!("../../static/privacy.css")),
];
const COLLECTOR: &str = "collector.js";

struct File {
    content_type: HeaderValue,
    etag: HeaderValue,
    content: Bytes,
}

/// All of them, with their tags.
pub(super) struct Files([(&'static str, File); FILES.len()]);

impl Files {
    pub(super) fn new(collector: &CollectorOptions) -> Files {
        Files(FILES.map(|(name, content_type, content)| {
            let content_type = HeaderValue::from_static(content_type);
            let content = match name {
                COLLECTOR => collector.put_into(content).into(),
                _ => Bytes::from_static(content.as_bytes()),
            };
            (name, File { content_type, etag: etag(&content), content })
        }))
    }

    /// Whether there is a file called `name`.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }

    /// The answer to a GET of the file called `name`.
    pub(super) fn get(&self, name: &str, request: &HeaderMap) -> Option<Response<Bytes>> {
        let (_, file) = self.0.iter().find(|(known, _)| *known == name)?;
        let fresh = request.get_all(IF_NONE_MATCH).iter().any(|tags| matches(tags.as_bytes(), file.etag.as_bytes()));
        let mut response = Response::new(if fresh { Bytes::new() } else { file.content.clone() });
        let headers = response.headers_mut();
        headers.insert(ETAG, file.etag.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
        if fresh {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            headers.insert(CONTENT_TYPE, file.content_type.clone());
        }
        Some(response)
    }
}

fn etag(content: &[u8]) -> HeaderValue {
    let mut tag = String::from("\"");
    for byte in &Sha256::digest(content)[..8] {
        write!(tag, "{byte:02x}").expect("writing to a string cannot fail");
    }
    HeaderValue::from_str(&(tag + "\"")).expect("hex digits are a header value")
}

/// Whether a value of `If-None-Match` names `etag`, compared weakly (RFC 9110 §13.1.2).
fn matches(tags: &[u8], etag: &[u8]) -> bool {
    tags.split(|b| *b == b',')
        .map(<[u8]>::trim_ascii)
        .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Item;

    #[test]
    fn a_file_the_browser_has_is_not_sent_again() {
        let files = Files::new(&CollectorOptions::default());
        let plain = files.get("banner.js", &HeaderMap::new()).unwrap();
        assert_eq!(
            (plain.status(), &plain.headers()[CONTENT_TYPE]),
            (StatusCode::OK, &HeaderValue::from_static(SCRIPT))
        );
        let tag = plain.headers()[ETAG].to_str().unwrap().to_owned();
        for value in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".into()] {
            let mut request = HeaderMap::new();
            request.insert(IF_NONE_MATCH, value.parse().unwrap());
            let answer = files.get("banner.js", &request).unwrap();
            assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{value}");
            assert!(answer.body().is_empty() && answer.headers()[ETAG] == *tag);
        }
        let mut request = HeaderMap::new();
        request.insert(IF_NONE_MATCH, HeaderValue::from_static("\"other\""));
        assert_eq!(files.get("banner.js", &request).unwrap().status(), StatusCode::OK);
    }

    #[test]
    fn rule_c2_a_tag_is_the_same_for_every_visitor() {
        let with = |options: &CollectorOptions, name| {
            Files::new(options).get(name, &HeaderMap::new()).unwrap().headers()[ETAG].clone()
        };
        let tag = |name| with(&CollectorOptions::default(), name);
        for (name, ..) in FILES {
            assert_eq!(tag(name), tag(name));
        }
        assert_ne!(tag("banner.js"), tag("banner.css"));
        let other = CollectorOptions { items: vec![Item::Clicks], downloads: vec![] };
        assert_ne!(with(&other, COLLECTOR), tag(COLLECTOR), "another configuration is another file");
        assert_eq!(with(&other, "banner.js"), tag("banner.js"));
    }
}
