//! What is put into the site's pages: the head's links and scripts, the banner, the link to the preferences page. The usual of
//! it is rendered once at the start, a question about a part of the purposes when it is first put; a page view copies bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use askama::Template;
use bytes::Bytes;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use super::banner::{Banner, Outgoing, ShownText, Site};
use super::first::First;
use crate::asked::Asked;
use crate::consent::{Decision, PurposeSet};
use crate::page::Insert;
use crate::page::gate::Key;

/// What decides which snippet a page gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitorState {
    /// The purposes the visitor is still to be asked about; empty where there is nothing to ask.
    pub ask: PurposeSet,
    /// Analytics is permitted.
    pub analytics: bool,
    /// The purposes that are permitted.
    pub permitted: PurposeSet,
}

impl From<&Decision> for VisitorState {
    fn from(decision: &Decision) -> Self {
        VisitorState { ask: decision.ask, analytics: decision.analytics.is_some(), permitted: decision.permitted }
    }
}

/// A page of the site that is on its way to a visitor.
pub struct PageView<'a> {
    /// The visitor's state.
    pub state: VisitorState,
    /// The twin of the choice that counts for it, where there is one.
    pub twin: Option<&'a str>,
    /// The id that what the collector reports of it will carry, where the view was captured.
    pub id: Option<u64>,
    /// What tells our script which elements the gate made inert, where the page goes through it.
    pub key: Option<Key>,
    /// The nonce of the page's Content-Security-Policy.
    pub nonce: Option<&'a str>,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The host the request is for, as in `Host`.
    pub host: &'a str,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// Whether it answers what must not be sent a second time: another method than `GET`.
    pub is_posted: bool,
    /// Told when the banner is on the page, and in which language; nothing where nobody is to be told.
    pub asked: Option<Arc<Asked>>,
}

#[derive(Template)]
#[template(path = "head.html", config = "static/privacy/askama.toml")]
struct Head<'a> {
    path: &'a str,
    /// What our script is told of this page: the choice that counted when it was made, and that it was posted for.
    told: &'a str,
    /// The ids of what is asked about, with spaces between.
    purposes: &'a str,
    key: Option<&'a str>,
    analytics: bool,
    page: Option<&'a str>,
    nonce: Option<&'a str>,
}

/// The snippets of all states.
pub(super) struct Snippets {
    site: Arc<Site>,
    /// The ids of what is asked about.
    purposes: String,
    /// Heads without and with the collector, and of pages whose view was captured; each without and with a key. Those
    /// with a nonce are rendered.
    heads: [[PlacedHead; 2]; 3],
    first: First,
    /// The link alone, and the question about everything.
    link: Arc<Banner>,
    whole: Arc<Banner>,
    /// Questions about a part, by the bits of their set: at most 126, since there are seven purposes to ask about.
    parts: RwLock<HashMap<u8, Arc<Banner>>>,
    /// What was shown first since the start and nobody has asked for yet.
    new_texts: Mutex<Vec<ShownText>>,
}

/// A head with places for what each page has of its own.
struct PlacedHead {
    head: Bytes,
    /// Where the 16 digits of the page's key stand, and those of the page view's id, if they do.
    key_at: Option<usize>,
    page_at: Option<usize>,
    /// Where what is told goes in.
    told_at: usize,
}

/// Stand where a key and an id go until there is one.
const NO_KEY: &str = "................";
const NO_PAGE: &str = "________________";
/// Stands before what is told of a page.
const BEFORE_TOLD: &str = " data-consentry-banner=\"\"";

impl PlacedHead {
    fn new(path: &str, purposes: &str, analytics: bool, has_page: bool, has_key: bool) -> PlacedHead {
        let (key, page) = (has_key.then_some(NO_KEY), has_page.then_some(NO_PAGE));
        let head = rendered(&Head { path, told: "", purposes, key, analytics, page, nonce: None });
        let place = |text: &str| memchr::memmem::find(&head, text.as_bytes()).expect("the template has a place for it");
        let told_at = place(BEFORE_TOLD) + BEFORE_TOLD.len();
        PlacedHead { key_at: key.map(place), page_at: page.map(place), told_at, head }
    }

    fn of(&self, key: Option<&[u8; Key::LEN]>, page: Option<&[u8; 16]>, told: &str) -> Bytes {
        if self.key_at.is_none() && self.page_at.is_none() && told.is_empty() {
            return self.head.clone();
        }
        let mut head = Vec::with_capacity(self.head.len() + told.len());
        head.extend_from_slice(&self.head);
        for (at, digits) in [(self.key_at, key), (self.page_at, page)] {
            if let (Some(at), Some(digits)) = (at, digits) {
                head[at..at + digits.len()].copy_from_slice(digits);
            }
        }
        head.splice(self.told_at..self.told_at, told.bytes());
        head.into()
    }
}

/// An id as it stands in pages and beacons.
fn hex(id: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|i| DIGITS[(id >> (60 - 4 * i)) as usize & 15])
}

impl Snippets {
    pub(super) fn new(site: Arc<Site>) -> (Snippets, Vec<ShownText>) {
        let path = &site.consent.path;
        let optional_ids: Vec<&str> = site.policy.optional().map(|(_, purpose)| &*purpose.id).collect();
        let purposes = optional_ids.join(" ");
        let heads = [(false, false), (true, false), (true, true)].map(|(analytics, has_page)| {
            [false, true].map(|has_key| PlacedHead::new(path, &purposes, analytics, has_page, has_key))
        });
        let (link, _) = Banner::new(&site, PurposeSet::default());
        let (whole, shown) = Banner::new(&site, optional(&site));
        let (link, whole) = (Arc::new(link), Arc::new(whole));
        let (parts, new_texts) = (RwLock::default(), Mutex::default());
        let snippets = Snippets { site, purposes, heads, first: First::new(), link, whole, parts, new_texts };
        (snippets, shown)
    }

    /// What goes into one page.
    pub(super) fn insert(&self, view: &PageView<'_>) -> Insert {
        let optional = optional(&self.site);
        let asked = view.state.ask.intersect(optional);
        let (ask, analytics) = (asked.bits() != 0, view.state.analytics);
        let banner = match () {
            () if !ask => self.link.clone(),
            () if asked == optional => self.whole.clone(),
            () => self.part(asked),
        };
        let (key, id) = (view.key.as_ref().map(Key::digits), view.id.map(hex));
        let told = told(view);
        let head = match view.nonce {
            None => {
                // Only visitors who permit analytics have captured views.
                let kind = if id.is_some() { 2 } else { usize::from(analytics) };
                self.heads[kind][usize::from(key.is_some())].of(key, id.as_ref(), &told)
            }
            Some(_) => {
                let text = |digits| std::str::from_utf8(digits).expect("digits are ASCII");
                rendered(&Head {
                    path: &self.site.consent.path,
                    told: &told,
                    purposes: &self.purposes,
                    key: key.map(|key| text(key)),
                    analytics,
                    page: id.as_ref().map(|id| text(id)),
                    nonce: view.nonce,
                })
            }
        };
        let body_start = Outgoing {
            site: self.site.clone(),
            banner,
            accepted: view.headers.get_all(ACCEPT_LANGUAGE).iter().cloned().collect(),
            host: if ask { view.host.to_owned() } else { String::new() },
            now: view.now,
            asked: view.asked.clone().filter(|_| ask),
        };
        let Site { consent, policy, .. } = &*self.site;
        let first = self.first.of(consent, policy, view.state.permitted, ask, view.nonce);
        Insert { first, head, body_start: Box::new(body_start) }
    }

    /// What was shown for the first time since this was last asked.
    pub(super) fn take_new_texts(&self) -> Vec<ShownText> {
        std::mem::take(&mut *self.new_texts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The question about a part of the purposes, rendered when it is first put.
    fn part(&self, asked: PurposeSet) -> Arc<Banner> {
        if let Some(known) = self.parts.read().unwrap_or_else(PoisonError::into_inner).get(&asked.bits()) {
            return known.clone();
        }
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let (banner, shown) = Banner::new(&self.site, asked);
            self.new_texts.lock().unwrap_or_else(PoisonError::into_inner).extend(shown);
            Arc::new(banner)
        };
        parts.entry(asked.bits()).or_insert_with(make).clone()
    }
}

/// What our script is told of a page, as attributes. The ids in a twin are letters and digits, with `_`, `-` and `!`.
fn told(view: &PageView<'_>) -> String {
    let mut told = String::new();
    if let Some(twin) = view.twin {
        told.extend([" data-consentry-choice=\"", twin, "\""]);
    }
    if view.is_posted {
        told.push_str(" data-consentry-posted=\"\"");
    }
    told
}

fn optional(site: &Site) -> PurposeSet {
    PurposeSet::of(site.policy.optional().map(|(index, _)| index))
}

pub(super) fn rendered(template: &impl Template) -> Bytes {
    template.render().expect("a template writes into memory and calls nothing that can fail").into()
}
