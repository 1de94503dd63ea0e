//! What was seen of the site's optional cookies: the places the site's answers set them at, and the folders in which browsers
//! send them. A withdrawal needs it (C6): a cookie on a path of its own is not even sent to the page where the visitor
//! withdraws, and lines must name its place to make it expire.
//!
//! It is about the site and never about a visitor: names that are declared for an optional purpose, with domains and paths; no
//! value, nobody's address, nothing of who had what when. It is in memory only, shared by all workers, and bounded: the names
//! that are declared as they stand and 288 others, with 16 places and 16 folders each, about 2 MiB if all of those were as long
//! as they may be. A restart forgets it, and each gateway of a fleet has its own: `path` and `domain` in the configuration are
//! for what must not wait to be seen.
//!
//! What one visitor's request taught is told to others, in the lines that make their cookies expire. So requests teach no name
//! to others: one of which only the beginning is declared is told to those who have it themselves, unless the site has set
//! it, and takes no room from what the site sets or what is declared. A folder is learnt only where each part of it is a
//! plain word that scrubbing leaves alone, and one below the site's first folders only once it has come with ten
//! different pages or sets of cookies; whoever would be missed by any of that is found by
//! [`sweep`](super::sweep) on the next page they ask for there.

mod filter;

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;
use http::header::SET_COOKIE;
use http::response::Parts;

use super::Catalogue;
use super::attributes;
use super::pairs::{name, pairs};
use super::place::{self, Place};
use filter::Filter;

/// Names the site has set that are known at once, beside those that are declared as they stand.
const MOST_SET: usize = 256;
/// Names only requests have brought that are known at once.
const MOST_BROUGHT: usize = 32;
/// Places and folders that are known of a name.
const MOST_PLACES: usize = 16;
/// The longest name that is known, in bytes.
const LONGEST_NAME: usize = 128;
/// How many different pages or sets of cookies a folder within another must have come with before anyone is told of it.
const TELLABLE_AFTER: u32 = 10;

/// What was seen; one for all workers.
#[derive(Debug, Default)]
pub struct Seen {
    noticed: Filter,
    keys: RandomState,
    known: RwLock<HashMap<Box<[u8]>, Known>>,
}

/// Who vouches for a name. What is of more worth never makes room for what is of less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Voucher {
    /// Visitors, who may make up whatever begins as declared.
    #[default]
    Requests,
    /// The site, which has set it.
    Site,
    /// The configuration, which has it as it stands.
    Declared,
}

/// What is known of one name.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    voucher: Voucher,
    /// Where the site's answers set it.
    pub places: Vec<Place>,
    /// Where browsers sent it.
    folders: Vec<Folder>,
    /// Whether browsers sent it with pages that lie in no folder: then it lies at the top, at least for some.
    at_top: bool,
}

#[derive(Clone, Debug)]
struct Folder {
    /// Without a slash at its end.
    path: Box<str>,
    /// With how many different pages or sets of cookies it came.
    times: u32,
    /// Whether it came twice in one request: it lies at two places, and the folder is one of them.
    doubled: bool,
}

impl Known {
    /// Whether the site or its configuration vouches for the name, so that visitors may be told of it who do not have it.
    pub(super) fn is_the_sites(&self) -> bool {
        self.voucher > Voucher::Requests
    }

    /// Whether it is declared as it stands.
    pub(super) fn is_declared(&self) -> bool {
        self.voucher == Voucher::Declared
    }

    /// Folders the cookie may lie at beside the top, those it came with most first. Where `at_top` says that it came with
    /// the request in hand, a folder counts only where something speaks for a second one beside it.
    pub(super) fn folders(&self, at_top: bool) -> impl Iterator<Item = &str> {
        let may_be_told = |folder: &&Folder| place::depth(&folder.path) == 1 || folder.times >= TELLABLE_AFTER;
        let beside = move |folder: &&Folder| !at_top || folder.doubled || !self.at_top;
        let mut folders: Vec<&Folder> = self.folders.iter().filter(may_be_told).filter(beside).collect();
        folders.sort_by_key(|folder| (std::cmp::Reverse(folder.times), folder.path.len()));
        folders.into_iter().map(|folder| &*folder.path)
    }

    fn times(&self) -> u32 {
        self.folders.iter().fold(0, |times, folder| times.saturating_add(folder.times))
    }

    fn came_with(&mut self, path: &str, doubled: bool) {
        if let Some(folder) = self.folders.iter_mut().find(|folder| *folder.path == *path) {
            folder.times = folder.times.saturating_add(1);
            folder.doubled |= doubled;
            return;
        }
        let new = Folder { path: path.into(), times: 1, doubled };
        if self.folders.len() < MOST_PLACES {
            self.folders.push(new);
        } else if let Some(rarest) = self.folders.iter_mut().min_by_key(|folder| folder.times) {
            *rarest = new;
        }
    }
}

impl Seen {
    /// Learns from an exchange at `path`: the optional cookies that the request still carries once it was filtered
    /// (`kept`, see [`Filtered::header`](super::Filtered::header)), where the answer says that there is such a page, and the
    /// `Set-Cookie` lines that are left in the filtered answer. Both are permitted, therefore.
    ///
    /// Called for every exchange; nearly all of them end at the filter.
    pub fn learn(&self, kept: Option<&[u8]>, answer: &Parts, catalogue: &Catalogue, path: &str) {
        for line in answer.headers.get_all(SET_COOKIE) {
            self.learn_line(line.as_bytes(), catalogue, path);
        }
        if let Some(kept) = kept
            && (answer.status.is_success() || answer.status.is_redirection())
        {
            self.learn_request(kept, catalogue, path);
        }
    }

    /// What is known of every name that `wanted` asks for: what is declared as it stands comes first, what only requests
    /// have brought last.
    pub(super) fn known(&self, wanted: impl Fn(&[u8]) -> bool) -> Vec<(Box<[u8]>, Known)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> =
            known.iter().filter(|(name, _)| wanted(name)).map(|(name, known)| (name.clone(), known.clone())).collect();
        found.sort_by(|(one, known), (other, also)| also.voucher.cmp(&known.voucher).then_with(|| one.cmp(other)));
        found
    }

    fn learn_line(&self, line: &[u8], catalogue: &Catalogue, path: &str) {
        let Some((name, place)) = attributes::read(line, path) else { return };
        if !is_learnable(name, catalogue) {
            return;
        }
        let told = [place.path.as_bytes(), place.domain.as_deref().unwrap_or_default().as_bytes()];
        let hash = [name, told[0], told[1], &[u8::from(place.partitioned)]].map(|part| self.keys.hash_one(part));
        // An order of its own for each part: the same text as path and as domain is not the same place.
        let hash = hash.iter().fold(1, |sum: u64, part| sum.rotate_left(17) ^ part);
        if !self.noticed.is_new(hash) || !place.path.split_at(1).1.is_empty() && !is_tellable(&place.path) {
            return;
        }
        self.change(name, voucher(name, catalogue, Voucher::Site), |known| {
            if known.places.len() < MOST_PLACES && !known.places.contains(&place) {
                known.places.push(place);
            }
        });
    }

    fn learn_request(&self, kept: &[u8], catalogue: &Catalogue, path: &str) {
        let names = || pairs(kept).filter_map(|(_, pair)| name(pair));
        let sum = names().fold(0u64, |sum, name| sum.wrapping_add(self.keys.hash_one(name)));
        if !self.noticed.is_new(sum ^ self.keys.hash_one(path.as_bytes()).rotate_left(1)) {
            return;
        }
        let folders: Vec<&str> = place::folders(path).filter(|folder| place::is_tellable(folder)).collect();
        let at_top = place::default_path(path) == "/";
        if folders.is_empty() && !at_top {
            return;
        }
        let mut learnt: Vec<&[u8]> = Vec::new();
        for name in names().filter(|name| is_learnable(name, catalogue)) {
            let voucher = voucher(name, catalogue, Voucher::Requests);
            if voucher == Voucher::Requests && !is_plain(name) {
                continue;
            }
            if learnt.contains(&name) {
                continue;
            }
            learnt.push(name);
            let doubled = names().filter(|other| *other == name).count() > 1;
            self.change(name, voucher, |known| {
                known.at_top |= at_top;
                folders.iter().for_each(|folder| known.came_with(folder, doubled));
            });
        }
    }

    /// Changes what is known of a name, if there is room for it.
    fn change(&self, name: &[u8], voucher: Voucher, change: impl FnOnce(&mut Known)) {
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let is_more = all.get(name).is_none_or(|known| known.voucher < voucher);
        if is_more && !make_room(&mut all, voucher) {
            return;
        }
        let known = all.entry(name.into()).or_default();
        known.voucher = known.voucher.max(voucher);
        change(known);
    }
}

/// Whether there is room for one more name of that kind. Of those that only requests have brought the rarest goes.
fn make_room(all: &mut HashMap<Box<[u8]>, Known>, voucher: Voucher) -> bool {
    let of_the_kind = all.iter().filter(|(_, known)| known.voucher == voucher);
    match voucher {
        // The catalogue is their bound.
        Voucher::Declared => true,
        Voucher::Site => of_the_kind.count() < MOST_SET,
        Voucher::Requests if of_the_kind.clone().count() < MOST_BROUGHT => true,
        Voucher::Requests => {
            let rarest = of_the_kind.min_by_key(|(_, known)| known.times()).filter(|(_, known)| known.times() <= 1);
            let rarest = rarest.map(|(name, _)| name.clone());
            rarest.is_some_and(|name| all.remove(&name).is_some())
        }
    }
}

/// Who vouches for a name: the configuration, where it has it as it stands, or else the `other` it came from.
fn voucher(name: &[u8], catalogue: &Catalogue, other: Voucher) -> Voucher {
    if catalogue.is_exact(name) { Voucher::Declared } else { other }
}

/// Whether a name is of the characters that names are made of where nobody means anything else by it.
fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// Whether a name is one of the site's optional ones, and one that every visitor may be told of: it is declared as it
/// stands, or what follows the declared beginning is nobody's.
fn is_learnable(name: &[u8], catalogue: &Catalogue) -> bool {
    let optional = catalogue.purpose(name).is_some_and(|purpose| purpose != 0);
    optional
        && name.len() <= LONGEST_NAME
        && !catalogue.is_ours(name)
        && (catalogue.is_exact(name) || std::str::from_utf8(name).is_ok_and(place::is_tellable_name))
}

/// With or without a slash at its end.
fn is_tellable(path: &str) -> bool {
    place::is_tellable(path.strip_suffix('/').unwrap_or(path))
}

#[cfg(test)]
mod tests;
