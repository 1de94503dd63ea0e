//! The response's direction (K2): the visitor's browser gets permitted cookies only.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, SET_COOKIE};

use super::Catalogue;
use super::pairs::name;
use crate::consent::PurposeSet;

const SET_COOKIE2: HeaderName = HeaderName::from_static("set-cookie2");

/// Removes from the upstream's answer every `Set-Cookie` that is not permitted (K1), cannot be read, or would set a cookie of
/// ours, and every `Set-Cookie2`. The rest keeps its order and its bytes. Returns how many lines went.
pub fn filter_response(headers: &mut HeaderMap, catalogue: &Catalogue, permitted: PurposeSet) -> usize {
    let may_pass = |line: &HeaderValue| may_pass(line.as_bytes(), catalogue, permitted);
    let mut removed = 0;
    if headers.contains_key(SET_COOKIE2) {
        removed += headers.get_all(SET_COOKIE2).iter().count();
        headers.remove(SET_COOKIE2);
    }
    let forbidden = headers.get_all(SET_COOKIE).iter().filter(|line| !may_pass(line)).count();
    if forbidden > 0 {
        let kept: Vec<HeaderValue> =
            headers.get_all(SET_COOKIE).iter().filter(|line| may_pass(line)).cloned().collect();
        headers.remove(SET_COOKIE);
        for line in kept {
            headers.append(SET_COOKIE, line);
        }
    }
    removed + forbidden
}

fn may_pass(line: &[u8], catalogue: &Catalogue, permitted: PurposeSet) -> bool {
    // A browser reads the pair up to the first `;` (RFC 6265 §5.2); an `=` further on is not the pair's.
    let pair = line.split(|&byte| byte == b';').next().unwrap_or_default();
    let Some(name) = name(pair) else { return false };
    catalogue.permits(name, permitted) && !catalogue.is_ours(name) && !catalogue.hides_forbidden(line, permitted)
}

#[cfg(test)]
mod tests;
