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
        VisitorState { ask: decision.ask, analytics: decision.analytics.is_some() }
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
}

impl Snippets {
    pub(super) fn new(consent: &Consent) -> Snippets {
        let ready = [0, 1, 2, 3].map(|index| {
            let state = VisitorState { ask: index & 2 != 0, analytics: index & 1 != 0 };
            PageInsert { head: head(&consent.path, state, None), body_start: body_start(consent, state.ask) }
        });
        Snippets { path: consent.path.clone(), ready }
    }

    pub(super) fn for_state(&self, state: VisitorState) -> &PageInsert {
        &self.ready[usize::from(state.ask) << 1 | usize::from(state.analytics)]
    }

    pub(super) fn with_nonce(&self, state: VisitorState, nonce: &str) -> PageInsert {
        PageInsert { head: head(&self.path, state, Some(nonce)), ..self.for_state(state).clone() }
    }
}

fn head(path: &str, VisitorState { ask, analytics }: VisitorState, nonce: Option<&str>) -> Bytes {
    rendered(&Head { path, ask, analytics, nonce })
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
