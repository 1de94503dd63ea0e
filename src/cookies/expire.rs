//! Withdrawal (C6): the cookies a browser still has of purposes that are no longer permitted are made to expire, in the one
//! answer that carries the new choice.
//!
//! A cookie expires by a line that names its place, and nothing says where a cookie lies: so lines go to every place where it
//! may lie, within a bound, and what is declared goes before what is not, however many of those there are.
//! 1. What is declared and came with this very request, at the top (`/`): for the host alone, for the domain and for each
//!    domain above.
//! 2. Where the site's answers have set what was permitted until now ([`Seen`]), and where the configuration says it lies:
//!    first what is declared as it stands, then what the site has set of which the beginning is declared.
//! 3. What is declared as it stands and did not come, for the host alone, should something in between have kept it from us.
//! 4. The folders of the page the visitor comes from or goes to: scripts set cookies there without meaning to. Folders in
//!    which browsers sent it. On safe connections what came, in a partition.
//! 5. What has no name or is not declared, and came: at the top, in the page's folders, in a partition. Part of the room waits for it.
//! 6. What came with names that are very long.
//!
//! No name is told that only other visitors' requests have taught, unless it is declared as it stands.
//!
//! What lies elsewhere stays in the browser until it is sent: [`filter_request`](super::filter_request) keeps it from the
//! site, and [`sweep`](super::sweep) makes it expire then.

mod line;

use http::HeaderValue;

use super::place::{self, folders, whole};
use super::seen::Known;
use super::{Catalogue, Seen};
use crate::consent::PurposeSet;
pub(super) use line::{Came, Lines};

/// The most lines in one answer: proxies in front bound the fields of an answer, HAProxy to 101 and Envoy to 100.
const MOST_LINES: usize = 90;
/// The most names of one kind in one request that are expired: each takes a line at least.
const MOST_NAMES: usize = MOST_LINES;
/// The most bytes the lines may take with their names and ends: proxies in front bound an answer's head, often to 8 KiB. With
/// four optional cookies it is 0.9 KiB from the preferences page and 3 KiB from a page in a folder. Below nginx, whose
/// `proxy_buffer_size` is 4 KiB on some systems, give it 8.
const MOST_BYTES: usize = 6 * 1024;
/// The most bytes of an answer's head, the lines among them. The rest to 8 KiB is for what proxies in front add.
const MOST_HEAD: usize = 7 * 1024;
/// What of the room is left to what comes after the top of what came, in hundredths: whoever makes up names that begin as
/// declared does not take it all.
const AFTER_CAME: usize = 50;
/// What is left after the top of what did not come, which is hardly ever there.
const AFTER_ABSENT: usize = 40;
/// What is left after all places that are known.
const AFTER_PLACES: usize = 30;
/// What is left to what is not declared, where any of it came, after guesses at folders.
const AFTER_FOLDERS: usize = 20;

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
    /// Bytes of the answer's head so far, such as where it leads and our own cookies. With the lines it is not to be more
    /// than 7 KiB.
    pub used: usize,
}

/// `Set-Cookie` lines that expire every cookie the browser may still have (`lines`: all `Cookie` headers) and may not keep.
/// Never one for a name that is permitted.
pub fn expire<'a>(lines: impl IntoIterator<Item = &'a [u8]>, of: &Withdrawal<'_>) -> Vec<HeaderValue> {
    let came = Came::read(lines, of.catalogue, of.permitted, MOST_NAMES);
    let has = |name: &[u8]| came.declared.contains(&name) || came.begun.contains(&name);
    // What only visitors' requests have brought is told to those who have it.
    let known = of.seen.known(|name| of.withdraws(name));
    let (known, mut learnt): (Vec<_>, Vec<_>) =
        known.into_iter().partition(|(name, known)| known.is_declared() || has(name));
    learnt.retain(|(_, known)| known.is_the_sites());
    let may_be_there = |name: &&[u8]| of.withdraws(name) && !of.catalogue.is_ours(name) && !has(name);
    let absent: Vec<&[u8]> = of.catalogue.exact().filter(may_be_there).collect();
    // What may lie in a folder, each once.
    let the_sites = came.declared.iter().copied().filter(|name| !of.catalogue.is_ours(name));
    let names = the_sites.chain(absent.iter().copied()).chain(came.begun.iter().copied());
    let names: Vec<&[u8]> = names.chain(learnt.iter().map(|(name, _)| &**name)).collect();

    let domains = place::domains(of.host);
    let mut expired = Lines::new(MOST_LINES, MOST_BYTES.min(MOST_HEAD.saturating_sub(of.used)));
    expired.hold_back(AFTER_CAME);
    expired.add_at_top(&came.declared, &domains);
    expired.add_at_top(&came.begun, &domains);
    expired.hold_back(0);
    of.set_by_the_site(&known, &domains, &mut expired);
    of.declared(&[], &domains, &mut expired);
    expired.hold_back(AFTER_PLACES);
    of.declared(&names, &domains, &mut expired);
    expired.add_at_top(&came.declared, &domains);
    expired.hold_back(AFTER_ABSENT);
    expired.add_at_top(&absent, &[None]);
    expired.hold_back(AFTER_PLACES);
    of.set_by_the_site(&learnt, &domains, &mut expired);
    expired.hold_back(if came.undeclared.len() + came.nameless.len() > 0 { AFTER_FOLDERS } else { 0 });
    for domain in &domains {
        of.in_pages(&names, *domain, &mut expired);
        of.in_folders(&known, has, *domain, &mut expired);
        of.in_folders(&learnt, has, *domain, &mut expired);
    }
    of.in_a_partition(&came.declared, &mut expired);
    of.in_a_partition(&came.begun, &mut expired);
    expired.add_at_top(&names, &domains);
    expired.hold_back(0);
    expired.add_at_top(&came.nameless, &domains);
    expired.add_at_top(&came.undeclared, &domains);
    for domain in &domains {
        of.in_pages(&came.nameless, *domain, &mut expired);
        of.in_pages(&came.undeclared, *domain, &mut expired);
    }
    of.in_a_partition(&came.undeclared, &mut expired);
    expired.add_at_top(&came.long, &domains);
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

    /// The folders of the pages around, for every name.
    fn in_pages(&self, names: &[&[u8]], domain: Option<&str>, expired: &mut Lines) {
        for page in self.pages {
            for path in folders(page).flat_map(both).chain(whole(page).map(str::to_owned)) {
                names.iter().for_each(|name| expired.add(name, &path, domain, false));
            }
        }
    }

    /// The folders a name came from; `has` says which came now. The likeliest of every name before the next of any, so that
    /// whoever sends one with pages all over the site does not hide where another lies.
    fn in_folders(
        &self,
        known: &[(Box<[u8]>, Known)],
        has: impl Fn(&[u8]) -> bool,
        domain: Option<&str>,
        expired: &mut Lines,
    ) {
        let folders: Vec<(&[u8], Vec<&str>)> =
            known.iter().map(|(name, known)| (&**name, known.folders(has(name)).collect())).collect();
        let most = folders.iter().map(|(_, folders)| folders.len()).max().unwrap_or_default();
        for rank in 0..most {
            if expired.is_full() {
                return;
            }
            for (name, folder) in folders.iter().filter_map(|(name, folders)| Some((name, folders.get(rank)?))) {
                both(folder).iter().for_each(|path| expired.add(name, path, domain, false));
            }
        }
    }

    /// At the top of a partition, which only safe connections have.
    fn in_a_partition(&self, names: &[&[u8]], expired: &mut Lines) {
        if self.https {
            names.iter().for_each(|name| expired.add(name, "/", None, true));
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

    /// The places the configuration names. A beginning of a name stands for the names that begin so, of those in hand.
    fn declared(&self, names: &[&[u8]], domains: &[Option<&str>], expired: &mut Lines) {
        for declared in self.catalogue.places() {
            let path = declared.path.as_deref().unwrap_or("/");
            let mut expire = |name: &[u8]| match &declared.domain {
                Some(domain) if domains.contains(&Some(domain)) => expired.add(name, path, Some(domain), false),
                Some(_) => {}
                None => domains.iter().for_each(|domain| expired.add(name, path, *domain, false)),
            };
            match declared.prefix {
                true => names.iter().copied().filter(|name| name.starts_with(&declared.name)).for_each(expire),
                false if self.withdraws(&declared.name) => expire(&declared.name),
                false => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
