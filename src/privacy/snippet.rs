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
    /// The id that what the collector reports of it will carry, where the view was captured.
    pub id: Option<u64>,
    /// The nonce of the page's Content-Security-Policy.
    pub nonce: Option<&'a str>,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The host the request is for, as in `Host`.
    pub host: &'a str,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// Told when the banner is on the page, and in which language; nothing where nobody is to be told.
    pub asked: Option<Arc<Asked>>,
}

#[derive(Template)]
#[template(path = "head.html", config = "static/privacy/askama.toml")]
struct Head<'a> {
    path: &'a str,
    /// The ids of what is asked about, with spaces between.
    purposes: &'a str,
    analytics: bool,
    page: Option<&'a str>,
    nonce: Option<&'a str>,
}

/// The snippets of all states.
pub(super) struct Snippets {
    site: Arc<Site>,
    /// The ids of what is asked about.
    purposes: String,
    /// Heads without and with the collector.
    heads: [Bytes; 2],
    /// The head of pages whose view was captured.
    captured: CapturedHead,
    first: First,
    /// The link alone, and the question about everything.
    link: Arc<Banner>,
    whole: Arc<Banner>,
    /// Questions about a part, by the bits of their set: at most 126, since there are seven purposes to ask about.
    parts: RwLock<HashMap<u8, Arc<Banner>>>,
    /// What was shown first since the start and nobody has asked for yet.
    new_texts: Mutex<Vec<ShownText>>,
}

/// A head with a place for the page view's id.
struct CapturedHead {
    head: Bytes,
    /// Where the id's 16 digits stand.
    at: usize,
}

/// Stands where an id goes until there is one.
const NO_PAGE: &str = "________________";

impl CapturedHead {
    fn new(path: &str, purposes: &str) -> CapturedHead {
        let head = head(path, purposes, true, Some(NO_PAGE), None);
        let at = memchr::memmem::find(&head, NO_PAGE.as_bytes()).expect("the template has a place for the id");
        CapturedHead { head, at }
    }

    fn of(&self, page_view_id: u64) -> Bytes {
        let mut head = self.head.to_vec();
        head[self.at..self.at + NO_PAGE.len()].copy_from_slice(&hex(page_view_id));
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
        let heads = [false, true].map(|analytics| head(path, &purposes, analytics, None, None));
        let captured = CapturedHead::new(path, &purposes);
        let (link, _) = Banner::new(&site, PurposeSet::default());
        let (whole, shown) = Banner::new(&site, optional(&site));
        let (link, whole) = (Arc::new(link), Arc::new(whole));
        let (parts, new_texts) = (RwLock::default(), Mutex::default());
        let snippets = Snippets { site, purposes, heads, captured, first: First::new(), link, whole, parts, new_texts };
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
        let head = match (view.nonce, view.id) {
            (None, None) => self.heads[usize::from(analytics)].clone(),
            // Only visitors who permit analytics have captured views.
            (None, Some(id)) => self.captured.of(id),
            (Some(nonce), id) => {
                let id = id.map(hex);
                let id = id.as_ref().map(|id| std::str::from_utf8(id).expect("digits are ASCII"));
                head(&self.site.consent.path, &self.purposes, analytics, id, Some(nonce))
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

fn optional(site: &Site) -> PurposeSet {
    PurposeSet::of(site.policy.optional().map(|(index, _)| index))
}

fn head(path: &str, purposes: &str, analytics: bool, page: Option<&str>, nonce: Option<&str>) -> Bytes {
    rendered(&Head { path, purposes, analytics, page, nonce })
}

pub(super) fn rendered(template: &impl Template) -> Bytes {
    template.render().expect("a template writes into memory and calls nothing that can fail").into()
}
