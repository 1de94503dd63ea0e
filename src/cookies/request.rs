//! The request's direction (K3): the upstream sees permitted cookies only, and never ours.

use std::borrow::Cow;
use std::ops::Range;

use super::Catalogue;
use super::pairs::{name, pairs};
use crate::consent::PurposeSet;

/// The one `Cookie` header the upstream gets for the values of all that came, or `None` where nothing is left of them.
///
/// Removed is every cookie that is not permitted (K1), our own ones, and whatever is not `name=value`; the rest keeps its
/// order and its bytes. Several lines become one, joined with `; ` (RFC 9113 §8.2.3). Borrowed where what is left lies in
/// one piece in one line, which is the case whenever nothing had to go.
pub fn filter_request<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
    catalogue: &Catalogue,
    permitted: PurposeSet,
) -> Option<Cow<'a, [u8]>> {
    let mut kept: Option<Cow<'a, [u8]>> = None;
    for line in lines {
        // Neighbours that stay are kept in one run, with the separators they came with.
        let mut run: Option<Range<usize>> = None;
        for (start, pair) in pairs(line) {
            let end = start + pair.len();
            run = match (may_pass(pair, catalogue, permitted), run) {
                (true, Some(run)) => Some(run.start..end),
                (true, None) => Some(start..end),
                (false, run) => {
                    keep(&mut kept, line, run);
                    None
                }
            };
        }
        keep(&mut kept, line, run);
    }
    kept
}

/// Whether a pair may pass. Nothing between two semicolons is nothing, and passes only along with its neighbours.
fn may_pass(pair: &[u8], catalogue: &Catalogue, permitted: PurposeSet) -> bool {
    let Some(name) = name(pair) else { return false };
    catalogue.permits(name, permitted) && !catalogue.is_ours(name) && !catalogue.hides_forbidden(pair, permitted)
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
