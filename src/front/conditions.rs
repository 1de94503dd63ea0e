//! Conditions and ranges of a request that says nothing of itself: a program that downloads, a cache, a network that delivers.
//! Its answer may be a page, which is made anew for each visitor and so is never told of by `304 Not Modified` or sent in
//! parts; and it may be anything else, which would be fetched again and again without.
//!
//! What may be a page is asked for whole. A condition is passed on only where the very validator it names was seen on an answer
//! to this target that was no page: then a 304 speaks of that. A range is passed on, and where a part of a page comes back, or
//! anything that cannot be told from one, the whole is asked for in its place. A page's own validators never leave the gateway.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use foldhash::quality::RandomState;
use http::header::{
    CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body::Body;

use super::gateway::Gateway;
use super::role::{self, Role};
use super::turn::RequestBody;
use crate::page::ContentType;
use crate::upstream::{Forward, Overrides, UpstreamBody, UpstreamError};

/// Validators that are remembered; of two that fall together the later one is.
const REMEMBERED: usize = 16 << 10;

/// Validators seen on answers that were no pages, over all workers: nothing but hashes under a key of this process.
pub struct Plain {
    key: RandomState,
    seen: Box<[AtomicU64]>,
}

impl Default for Plain {
    fn default() -> Self {
        Plain { key: RandomState::default(), seen: (0..REMEMBERED).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Plain {
    /// What stands for a validator of `target` at `host`.
    fn hash(&self, host: &str, target: &str, name: &HeaderName, validator: &[u8]) -> u64 {
        let mut hasher = self.key.build_hasher();
        for part in [host.as_bytes(), target.as_bytes(), name.as_str().as_bytes(), validator] {
            part.hash(&mut hasher);
        }
        // 0 stands for nothing.
        hasher.finish().max(1)
    }

    fn place(&self, hash: u64) -> Option<&AtomicU64> {
        self.seen.get(hash as usize % self.seen.len())
    }

    /// Remembers the validators of an answer to `target`, unless it is a page or may be one.
    pub(super) fn learn(&self, host: &str, parts: &Parts, head: &http::response::Parts) {
        if head.status != StatusCode::OK || !is_plain(&head.headers) {
            return;
        }
        for name in [ETAG, LAST_MODIFIED] {
            let Some(validator) = head.headers.get(&name) else { continue };
            let hash = self.hash(host, target(parts), &name, strong(validator.as_bytes()));
            if let Some(place) = self.place(hash) {
                place.store(hash, Relaxed);
            }
        }
    }

    /// Whether all that the conditions name was seen on something that was no page.
    fn knows_all(&self, host: &str, parts: &Parts) -> bool {
        let conditions = [(IF_NONE_MATCH, ETAG), (IF_MODIFIED_SINCE, LAST_MODIFIED)];
        conditions.iter().all(|(condition, name)| {
            parts.headers.get_all(condition).iter().flat_map(|line| validators(condition, line)).all(|validator| {
                let hash = self.hash(host, target(parts), name, strong(validator));
                self.place(hash).is_some_and(|place| place.load(Relaxed) == hash)
            })
        })
    }
}

fn target(parts: &Parts) -> &str {
    parts.uri.path_and_query().map_or("/", |target| target.as_str())
}

/// Each of a list of entity tags, or the one date. A tag that holds a comma falls apart into what nobody has seen.
fn validators<'a>(condition: &HeaderName, line: &'a HeaderValue) -> impl Iterator<Item = &'a [u8]> {
    let is_list = *condition == IF_NONE_MATCH;
    line.as_bytes().split(move |byte| is_list && *byte == b',').map(<[u8]>::trim_ascii)
}

/// RFC 9110 §13.1.2: tags are compared weakly here.
fn strong(validator: &[u8]) -> &[u8] {
    validator.strip_prefix(b"W/").unwrap_or(validator)
}

/// Whether an answer is certainly no page, nor parts of one in some order.
fn is_plain(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(CONTENT_TYPE);
    let is_multipart =
        |kind: &HeaderValue| kind.as_bytes().get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/"));
    kinds.iter().count() == 1 && ContentType::of(headers) == ContentType::Other && !kinds.iter().any(is_multipart)
}

/// What a request that says nothing of itself wants less than the whole of.
pub(super) struct Asked {
    conditions: bool,
    range: bool,
}

impl Asked {
    /// Nothing where the request says what it is for, or wants the whole.
    pub(super) fn of(role: Role, parts: &Parts, body: &RequestBody) -> Option<Asked> {
        if role != Role::Document {
            return None;
        }
        let has = |name: &HeaderName| parts.headers.contains_key(name);
        let asked = Asked { conditions: has(&IF_NONE_MATCH) || has(&IF_MODIFIED_SINCE), range: has(&RANGE) };
        let wants_less = (asked.conditions || asked.range)
            && matches!(parts.method, Method::GET | Method::HEAD)
            && body.is_end_stream()
            && role::says_nothing(&parts.headers);
        wants_less.then_some(asked)
    }

    /// The site's answer, and what it turned out to be for.
    pub(super) async fn send(
        self,
        gateway: &Gateway,
        parts: &Parts,
        forward: Forward<'_>,
        host: &str,
    ) -> (Role, Result<Response<UpstreamBody>, UpstreamError>) {
        let ask = |whole| {
            let forward = Forward { overrides: Overrides { identity: true, whole }, ..forward };
            gateway.upstream.send(parts, forward, None::<RequestBody>)
        };
        if gateway.site.plain.knows_all(host, parts) {
            let answer = ask(false).await;
            match answer.as_ref().map_or(Some(Role::Document), |answer| self.understood(answer)) {
                Some(role) => return (role, answer),
                // The first answer goes unread, and with it its connection.
                None => drop(answer),
            }
        }
        (Role::Document, ask(true).await)
    }

    /// What an answer to less than the whole is for; nothing where it might be a part of a page, or word of one.
    fn understood(&self, answer: &Response<UpstreamBody>) -> Option<Role> {
        let headers = answer.headers();
        match answer.status() {
            StatusCode::NOT_MODIFIED => {
                (self.conditions && ContentType::of(headers).markup().is_none()).then_some(Role::Other)
            }
            StatusCode::PARTIAL_CONTENT => (self.range && is_plain(headers)).then_some(Role::Other),
            _ => Some(Role::Document),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, conditions: &[(HeaderName, &str)]) -> Parts {
        let mut request = http::Request::get(target);
        for (name, value) in conditions {
            request = request.header(name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn answer(fields: &[(HeaderName, &str)]) -> http::response::Parts {
        let mut answer = Response::builder();
        for (name, value) in fields {
            answer = answer.header(name, *value);
        }
        answer.body(()).unwrap().into_parts().0
    }

    const DATE: &str = "Fri, 27 Nov 2026 03:00:00 GMT";

    #[test]
    fn only_what_was_seen_on_something_else_than_a_page_may_be_a_condition() {
        let plain = Plain::default();
        let style = answer(&[(CONTENT_TYPE, "text/css"), (ETAG, "W/\"1\""), (LAST_MODIFIED, DATE)]);
        plain.learn("a.example", &request("/a?v=1", &[]), &style);
        for (host, target, conditions, known) in [
            ("a.example", "/a?v=1", &[(IF_NONE_MATCH, "\"1\"")][..], true),
            ("a.example", "/a?v=1", &[(IF_NONE_MATCH, "W/\"1\""), (IF_MODIFIED_SINCE, DATE)], true),
            ("a.example", "/a?v=1", &[(IF_MODIFIED_SINCE, DATE)], true),
            ("a.example", "/a?v=1", &[(IF_NONE_MATCH, "\"1\", \"1\"")], true),
            ("a.example", "/a?v=1", &[(IF_NONE_MATCH, "\"1\", \"2\"")], false),
            ("a.example", "/a?v=1", &[(IF_NONE_MATCH, "\"1\""), (IF_NONE_MATCH, "\"2\"")], false),
            ("a.example", "/a?v=1", &[(IF_NONE_MATCH, "\"1\""), (IF_MODIFIED_SINCE, "yesterday")], false),
            ("a.example", "/a?v=1", &[(IF_NONE_MATCH, "*")], false),
            ("a.example", "/a?v=1", &[(IF_NONE_MATCH, "")], false),
            ("a.example", "/a?v=1", &[(IF_MODIFIED_SINCE, "\"1\"")], false),
            ("a.example", "/a", &[(IF_NONE_MATCH, "\"1\"")], false),
            ("b.example", "/a?v=1", &[(IF_NONE_MATCH, "\"1\"")], false),
            // A range alone names none.
            ("b.example", "/b", &[(RANGE, "bytes=0-1")], true),
        ] {
            assert_eq!(plain.knows_all(host, &request(target, conditions)), known, "{host} {target} {conditions:?}");
        }
    }

    #[test]
    fn nothing_is_learnt_of_a_page_or_of_what_may_be_one() {
        let plain = Plain::default();
        let mut failed = answer(&[(CONTENT_TYPE, "text/css"), (ETAG, "\"1\"")]);
        failed.status = StatusCode::NOT_FOUND;
        let pages = [
            answer(&[(CONTENT_TYPE, "text/html; charset=utf-8"), (ETAG, "\"1\"")]),
            answer(&[(CONTENT_TYPE, "Application/XHTML+xml"), (ETAG, "\"1\"")]),
            answer(&[(CONTENT_TYPE, "text/css"), (CONTENT_TYPE, "text/html"), (ETAG, "\"1\"")]),
            answer(&[(CONTENT_TYPE, "Multipart/byteranges; boundary=x"), (ETAG, "\"1\"")]),
            answer(&[(ETAG, "\"1\"")]),
            failed,
        ];
        for page in pages {
            plain.learn("a.example", &request("/a", &[]), &page);
            assert!(!plain.knows_all("a.example", &request("/a", &[(IF_NONE_MATCH, "\"1\"")])), "{page:?}");
        }
    }
}
