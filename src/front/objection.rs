//! A browser that sends a signal and whose visitor has chosen nothing objects (C8). The first page it asks for writes that into
//! the ledger (P1), and the choice's cookie keeps that it was written: it is no choice, so everything is still asked.
//!
//! The row is written while the site is asked and the page hardly waits for it. Where it cannot be written, is late, or the
//! browser keeps no cookies, the signal counts all the same, and the next page tries again.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::choice::Made;
use super::gateway::{Gateway, Site, Visit};
use super::keep;
use super::role::{Role, cookie_lines};
use crate::capture;
use crate::consent::{Choice, Language, NoChoice};
use crate::cookies::Asked;
use crate::ledger::Action;

/// How long a page waits for the disk, counted from when the site is asked.
const PATIENCE: Duration = Duration::from_millis(250);
/// How old a request may be whose answer carries the cookie: the visitor may have chosen meanwhile, on another page.
pub(super) const FRESH: Duration = Duration::from_secs(1);

/// An objection that has no row yet.
pub(super) struct Objection<'a> {
    site: &'a Arc<Site>,
    objection: Choice,
    /// What counted until now: nothing.
    before: Result<Choice, NoChoice>,
    cookies: Vec<&'a [u8]>,
    asked: Asked<'a>,
    language: &'a str,
}

/// The objection a request makes, where it is a visitor's first. None where nothing is asked that could be objected to, a program
/// asks or nobody looks, or more of them come from one address than are taken.
pub(super) fn of<'a>(gateway: &'a Gateway, visit: &Visit<'a>) -> Option<Objection<'a>> {
    let (site, signals, headers) = (&gateway.site, visit.decision.signals, &visit.parts.headers);
    let is_first = match visit.choice {
        Err(NoChoice::Missing | NoChoice::Invalid | NoChoice::Expired | NoChoice::OldPolicy) => true,
        Ok(_) | Err(NoChoice::ClockSkew | NoChoice::Replaced | NoChoice::Objected { .. }) => false,
    };
    let is_looked_at = || {
        Role::of(&visit.parts.method, headers) == Role::Document
            && visit.parts.method != http::Method::HEAD
            && !capture::is_ahead(headers)
    };
    if !signals.object() || !is_first || site.policy.all() == site.policy.necessary() || !is_looked_at() {
        return None;
    }
    if keep::is_bot(gateway, headers)
        || site.objections.take(visit.client.ip.bucket(), keep::milliseconds(visit.now)).is_err()
    {
        return None;
    }
    let asked = visit.asked();
    Some(Objection {
        site,
        objection: Choice::objection(&site.policy, signals, asked.now_ms),
        before: visit.choice.clone(),
        cookies: cookie_lines(headers).collect(),
        asked,
        language: site.pages.language_of(headers),
    })
}

impl Objection<'_> {
    /// Writes the row; gives the lines that keep that it is written, or none where it is not.
    pub(super) async fn write(self) -> Vec<HeaderValue> {
        let Objection { site, objection, before, cookies, asked, language } = self;
        let made = Made {
            site: Arc::clone(site),
            choice: objection.clone(),
            action: Action::Objection,
            before,
            host: asked.host.to_owned(),
            language: language.to_owned(),
            shown: None,
            forget: Vec::new(),
        };
        match tokio::time::timeout(PATIENCE, made.append()).await {
            Ok(Ok(row)) => {
                site.metrics.objections_recorded.count();
                let mut kept = Choice { language: Language::new(language), ..objection };
                kept.row.copy_from_slice(&row[..16]);
                site.choice_cookie.set(&kept, || cookies.iter().copied(), asked, &site.policy, &site.ring)
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "an objection could not be written into the ledger; it counts all the same");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!("an objection was not written into the ledger in time; it counts all the same");
                Vec::new()
            }
        }
    }
}
