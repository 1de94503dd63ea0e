//! The request's direction (K3): the upstream sees permitted cookies only, and never ours.

use std::borrow::Cow;
use std::ops::Range;

use super::Catalogue;
use super::pairs::{name, pairs, trim};
use crate::consent::PurposeSet;

/// What is left of a request's cookies.
#[derive(Debug, PartialEq, Eq)]
pub struct Filtered<'a> {
    /// The one `Cookie` header the upstream gets for all that came, or `None` where nothing is left of them.
    pub header: Option<Cow<'a, [u8]>>,
    /// How many cookies went. Our own, which are never the site's, are not counted.
    pub removed: u64,
}

/// Filters the values of all `Cookie` headers of a request.
///
/// Removed is every cookie that is not permitted (K1), our own ones, and whatever is not `name=value`; the rest keeps its
/// order and its bytes. Several lines become one, joined with `; ` (RFC 9113 §8.2.3). Borrowed where what is left lies in
/// one piece in one line, which is the case whenever nothing had to go.
pub fn filter_request<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
    catalogue: &Catalogue,
    permitted: PurposeSet,
) -> Filtered<'a> {
    let mut kept: Option<Cow<'a, [u8]>> = None;
    let mut removed = 0;
    for line in lines {
        // Neighbours that stay are kept in one run, with the separators they came with.
        let mut run: Option<Range<usize>> = None;
        // Most lines hold none, and nothing hides in those.
        let has_comma = memchr::memchr(b',', line).is_some();
        for (start, pair) in pairs(line) {
            let end = start + pair.len();
            let name = name(pair);
            let is_ours = name.is_some_and(|name| catalogue.is_ours(name));
            run = match (!is_ours && may_pass(name, has_comma.then_some(pair), catalogue, permitted), run) {
                (true, Some(run)) => Some(run.start..end),
                (true, None) => Some(start..end),
                (false, run) => {
                    removed += u64::from(!is_ours && !trim(pair).is_empty());
                    keep(&mut kept, line, run);
                    None
                }
            };
        }
        keep(&mut kept, line, run);
    }
    Filtered { header: kept, removed }
}

/// Whether a pair that is not ours may pass; `hiding` is the pair where it could hide something.
fn may_pass(name: Option<&[u8]>, hiding: Option<&[u8]>, catalogue: &Catalogue, permitted: PurposeSet) -> bool {
    name.is_some_and(|name| catalogue.permits(name, permitted))
        && hiding.is_none_or(|pair| !catalogue.hides_forbidden(pair, permitted))
}

fn keep<'a>(kept: &mut Option<Cow<'a, [u8]>>, line: &'a [u8], run: Option<Range<usize>>) {
    let Some(run) = run.and_then(|run| line.get(run)) else { return };
    match kept {
        // The space after the separator that went is no part of the cookie.
        None => *kept = Some(Cow::Borrowed(run.trim_ascii_start())),
        Some(kept) => {
            let kept = kept.to_mut();
            kept.extend_from_slice(b"; ");
            kept.extend_from_slice(run.trim_ascii_start());
        }
    }
}

#[cfg(test)]
mod tests;
