//! The consent manager a site has already (C12): what its cookie says of a visitor is taken over when a page is asked for, and
//! counts from the moment the ledger has it. Anything else that is asked for meanwhile gets what both allow.

use std::sync::Arc;

use http::HeaderValue;

use super::choice::Made;
use super::gateway::{Gateway, Site, Visit};
use super::keep;
use super::role::{self, Role, cookie_lines};
use crate::consent::import::{Import, meet};
use crate::consent::{self, Choice, Language, PurposeSet};
use crate::privacy::{self, choice_act};
use crate::spool::Whose;

/// Hears the site's manager: from here on what both say counts. Gives whether its word has become a choice with this request, whose
/// cookies the answer carries then.
pub(super) async fn hear(gateway: &Gateway, import: &Import, visit: &mut Visit<'_>) -> bool {
    let (site, signals) = (&*gateway.site, visit.decision.signals);
    let (parts, asked) = (visit.parts, visit.asked());
    let said = import.read(cookie_lines(&parts.headers), asked.now_ms / 1000, site.policy.choice_life);
    visit.stamp = said.map(|said| said.stamp).unwrap_or_default();
    let own = visit.choice.clone();
    let met = meet(import.manager(), &site.policy, own, said, site.choice_cookie.is_shared(), asked.now_ms);
    let news = met.news.filter(|_| Role::of(&parts.method, &parts.headers) == Role::Document);
    let taken = match news {
        Some(news) => take_over(&gateway.site, visit, Choice { signals, ..news }).await,
        None => None,
    };
    let is_new = taken.is_some();
    visit.choice = taken.map_or(met.choice, Ok);
    let place = keep::place(gateway, parts, &visit.client);
    visit.decision = consent::decide(&site.policy, visit.choice.clone(), signals, place);
    // The site asks itself.
    visit.decision.ask = PurposeSet::default();
    is_new
}

/// Writes what the manager said into the ledger; nothing where that does not take it, or too much comes from one address.
async fn take_over(site: &Arc<Site>, visit: &Visit<'_>, mut news: Choice) -> Option<Choice> {
    if site.choices.take(visit.client.ip.bucket(), keep::milliseconds(visit.now)).is_err() {
        return None;
    }
    let before = visit.choice.clone();
    let language = site.pages.language_of(&visit.parts.headers);
    news.language = Language::new(language);
    let made = Made {
        site: Arc::clone(site),
        choice: news.clone(),
        action: choice_act(&site.policy, before.as_ref().ok(), &news).into(),
        forget: withdrawn(site, before.as_ref().ok(), &news),
        before,
        host: visit.host.to_owned(),
        language: language.to_owned(),
        shown: None,
    };
    match made.append().await {
        Ok(row) => {
            site.metrics.choices_recorded.count();
            news.row.copy_from_slice(&row[..16]);
            Some(news)
        }
        Err(error) => {
            site.metrics.choices_refused.count();
            tracing::error!(%error, "what another consent manager says could not be written into the ledger; it does not count");
            None
        }
    }
}

/// The earlier choice says whose events that wait are not to get further, where analytics is taken back (C6).
fn withdrawn(site: &Site, before: Option<&Choice>, news: &Choice) -> Vec<Whose> {
    let (Some(before), Some(analytics)) = (before, site.policy.analytics()) else { return Vec::new() };
    let is_taken_back = before.granted.contains(analytics) && !news.granted.contains(analytics);
    is_taken_back.then_some(Whose::Receipt(before.receipt)).into_iter().collect()
}

/// The lines by which a choice that is new becomes the browser's, and what it no longer permits ends.
pub(super) fn lines(site: &Site, visit: &Visit<'_>) -> Vec<HeaderValue> {
    let Ok(choice) = &visit.choice else { return Vec::new() };
    let asked = visit.asked();
    let sent = || cookie_lines(&visit.parts.headers);
    let mut lines = site.choice_cookie.set(choice, sent, asked, &site.policy, &site.ring);
    let path = visit.parts.uri.path();
    let to = role::own_path(path, &site.privacy_path).is_none().then_some(path);
    lines.extend(super::choice::ended(site, visit, None, choice.granted, (to, 3000)));
    lines.extend(privacy::ended_with_analytics(&site.policy, choice, asked.https));
    lines
}
