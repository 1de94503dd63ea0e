//! What is put into the site's pages: the head's links and scripts, the banner, the link to the preferences page. All
//! of it is rendered once at the start for each of the four states a visitor can be in; a page view copies `Bytes`.

use askama::Template;
use bytes::Bytes;

use crate::config::Consent;
use crate::consent::Decision;

/// What decides which snippet a page gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitorState {
    /// The visitor is still to be asked, at least about something.
    pub ask: bool,
    /// Analytics is permitted.
    pub analytics: bool,
}

impl From<&Decision> for VisitorState {
    fn from(decision: &Decision) -> Self {
        VisitorState { ask: decision.asks(), analytics: decision.analytics.is_some() }
    }
}

/// Markup for one page, in two places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageInsert {
    /// For the head, before the site's own scripts.
    pub head: Bytes,
    /// For directly after the body's start tag.
    pub body_start: Bytes,
}

#[derive(Template)]
#[template(path = "head.html", config = "static/privacy/askama.toml")]
struct Head<'a> {
    path: &'a str,
    ask: bool,
    analytics: bool,
    page: Option<&'a str>,
    nonce: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "body_start.html", config = "static/privacy/askama.toml")]
struct BodyStart<'a> {
    path: &'a str,
    ask: bool,
    title: &'a str,
    text: &'a str,
    notice_url: Option<&'a str>,
    link_text: &'a str,
}

/// The snippets of all states.
pub(super) struct Snippets {
    path: String,
    ready: [PageInsert; 4],
    /// Heads of pages whose view was captured, without and with the banner.
    captured: [CapturedHead; 2],
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
    fn new(path: &str, ask: bool) -> CapturedHead {
        let head = head(path, VisitorState { ask, analytics: true }, Some(NO_PAGE), None);
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
    pub(super) fn new(consent: &Consent) -> Snippets {
        let ready = [0, 1, 2, 3].map(|index| {
            let state = VisitorState { ask: index & 2 != 0, analytics: index & 1 != 0 };
            PageInsert { head: head(&consent.path, state, None, None), body_start: body_start(consent, state.ask) }
        });
        let captured = [false, true].map(|ask| CapturedHead::new(&consent.path, ask));
        Snippets { path: consent.path.clone(), ready, captured }
    }

    pub(super) fn for_state(&self, state: VisitorState) -> &PageInsert {
        &self.ready[usize::from(state.ask) << 1 | usize::from(state.analytics)]
    }

    /// For a page whose view was captured, which only visitors who permit analytics have.
    pub(super) fn for_page(&self, state: VisitorState, page_view_id: u64) -> PageInsert {
        let head = self.captured[usize::from(state.ask)].of(page_view_id);
        PageInsert { head, body_start: self.for_state(state).body_start.clone() }
    }

    pub(super) fn with_nonce(&self, state: VisitorState, page_view_id: Option<u64>, nonce: &str) -> PageInsert {
        let page = page_view_id.map(hex);
        let page = page.as_ref().map(|page| std::str::from_utf8(page).expect("digits are ASCII"));
        PageInsert { head: head(&self.path, state, page, Some(nonce)), ..self.for_state(state).clone() }
    }
}

fn head(path: &str, VisitorState { ask, analytics }: VisitorState, page: Option<&str>, nonce: Option<&str>) -> Bytes {
    rendered(&Head { path, ask, analytics, page, nonce })
}

fn body_start(consent: &Consent, ask: bool) -> Bytes {
    rendered(&BodyStart {
        path: &consent.path,
        ask,
        title: &consent.banner_title,
        text: &consent.banner_text,
        notice_url: consent.notice_url.as_deref(),
        link_text: &consent.link_text,
    })
}

pub(super) fn rendered(template: &impl Template) -> Bytes {
    template.render().expect("a template writes into memory and calls nothing that can fail").into()
}
