//! Withdrawal (C6): the cookies a browser still has of purposes that are no longer permitted are made to expire, in the one
//! answer that carries the new choice.
//!
//! A cookie expires by a line that names its place, and nothing says where a cookie lies: so lines go to every place where it
//! may lie, the likeliest first, within a bound.
//! 1. What came with this very request lies at the top (`/`): for the host alone, for the domain and for each domain above.
//! 2. Where the site's answers have set what was permitted until now ([`Seen`]), and where the configuration says it lies.
//! 3. The folders of the page the visitor comes from or goes to: scripts set cookies there without meaning to.
//! 4. Folders in which browsers sent it.
//! 5. What is declared by name, at the top, should something in between have kept it from us; and on safe connections
//!    what came with the request, in a partition.
//!
//! What lies elsewhere stays in the browser until it is sent: [`filter_request`](super::filter_request) keeps it from the
//! site, and [`sweep`](super::sweep) makes it expire then.

mod line;

use std::collections::HashSet;

use http::HeaderValue;

use super::place::{self, folders, whole};
use super::seen::Known;
use super::{Catalogue, Seen};
use crate::consent::PurposeSet;
pub(super) use line::{Lines, forbidden};

/// The most names of one request that are expired in one answer.
const MOST_NAMES: usize = 40;
/// The most lines in one answer.
const MOST_LINES: usize = 90;
/// The most bytes they may take with their names and ends: proxies in front bound an answer's head, often to 8 KiB. With four
/// optional cookies it is 0.9 KiB from the preferences page and 3 KiB from a page in a folder. Below nginx, whose
/// `proxy_buffer_size` is 4 KiB on some systems, give it 8.
const MOST_BYTES: usize = 6 * 1024;

/// What is withdrawn, where, and what is known of it.
pub struct Withdrawal<'w> {
    /// The declared cookies.
    pub catalogue: &'w Catalogue,
    /// What was seen of them.
    pub seen: &'w Seen,
    /// What is permitted from now on, `necessary` among it.
    pub permitted: PurposeSet,
    /// What was permitted until now; `None` where that is not known, as with a choice that counts no more. What was not
    /// permitted either cannot have been set, so that a first refusal has next to nothing to expire.
    pub before: Option<PurposeSet>,
    /// The request's host, with or without port.
    pub host: &'w str,
    /// Whether the visitor came over TLS.
    pub https: bool,
    /// Paths of the site's pages the visitor comes from or goes to.
    pub pages: &'w [&'w str],
}

/// `Set-Cookie` lines that expire every cookie the browser may still have (`lines`: all `Cookie` headers) and may not keep.
/// Never one for a name that is permitted.
pub fn expire<'a>(lines: impl IntoIterator<Item = &'a [u8]>, of: &Withdrawal<'_>) -> Vec<HeaderValue> {
    let sent = forbidden(lines, of.catalogue, of.permitted, MOST_NAMES);
    let domains = place::domains(of.host);
    let mut expired = Lines::new(MOST_LINES, MOST_BYTES);
    for domain in &domains {
        sent.iter().for_each(|name| expired.add(name, "/", *domain, false));
    }
    let known = of.seen.known(|name| of.withdraws(name));
    of.set_by_the_site(&known, &domains, &mut expired);
    of.declared(&sent, &known, &domains, &mut expired);
    // What may lie in a folder, each once: what was let through, what is declared, what came.
    let declared = of.catalogue.exact().filter(|name| of.withdraws(name) && !of.catalogue.is_ours(name));
    let came = sent.iter().copied().filter(|name| !of.catalogue.is_ours(name));
    let mut names: Vec<&[u8]> = known.iter().map(|(name, _)| &**name).chain(declared).chain(came).collect();
    let mut once = HashSet::new();
    names.retain(|name| once.insert(*name));
    for domain in &domains {
        of.in_folders(&names, &sent, &known, *domain, &mut expired);
    }
    if of.https {
        sent.iter().for_each(|name| expired.add(name, "/", None, true));
    }
    for domain in &domains {
        names.iter().for_each(|name| expired.add(name, "/", *domain, false));
    }
    expired.done()
}

/// A folder as the path of a cookie: without a slash at its end, as a path that nobody named has it, and with one.
pub(super) fn both(folder: &str) -> [String; 2] {
    [folder.to_owned(), format!("{folder}/")]
}

impl Withdrawal<'_> {
    /// Whether a cookie called so may not stay, and may have been set until now.
    fn withdraws(&self, name: &[u8]) -> bool {
        let until_now = self.before.is_none_or(|before| self.catalogue.permits(name, before));
        until_now && !self.catalogue.permits(name, self.permitted)
    }

    /// The folders of the pages around, for every name, and those a name came from. Stops when there is no room left.
    fn in_folders(
        &self,
        names: &[&[u8]],
        sent: &[&[u8]],
        known: &[(Box<[u8]>, Known)],
        domain: Option<&str>,
        expired: &mut Lines,
    ) {
        for page in self.pages {
            for path in folders(page).flat_map(both).chain(whole(page).map(str::to_owned)) {
                names.iter().for_each(|name| expired.add(name, &path, domain, false));
            }
        }
        for (name, known) in known {
            if expired.is_full() {
                return;
            }
            for path in known.folders(sent.contains(&&**name)).flat_map(both) {
                expired.add(name, &path, domain, false);
            }
        }
    }

    /// The very places the site's answers have set.
    fn set_by_the_site(&self, known: &[(Box<[u8]>, Known)], domains: &[Option<&str>], expired: &mut Lines) {
        for (name, known) in known {
            let here = known.places.iter().filter(|place| domains.contains(&place.domain.as_deref()));
            for place in here.filter(|place| !place.partitioned || self.https) {
                expired.add(name, &place.path, place.domain.as_deref(), place.partitioned);
            }
        }
    }

    /// The places the configuration names. A beginning of a name stands for the names that are known by it.
    fn declared(&self, sent: &[&[u8]], known: &[(Box<[u8]>, Known)], domains: &[Option<&str>], expired: &mut Lines) {
        let names = || known.iter().map(|(name, _)| &**name).chain(sent.iter().copied());
        for declared in self.catalogue.places() {
            let path = declared.path.as_deref().unwrap_or("/");
            let mut expire = |name: &[u8]| match &declared.domain {
                Some(domain) if domains.contains(&Some(domain)) => expired.add(name, path, Some(domain), false),
                Some(_) => {}
                None => domains.iter().for_each(|domain| expired.add(name, path, *domain, false)),
            };
            match declared.prefix {
                true => names().filter(|name| name.starts_with(&declared.name)).for_each(expire),
                false if self.withdraws(&declared.name) => expire(&declared.name),
                false => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
