//! The consent manager a site has already (C12): what its cookie says of a visitor is taken over when a page is asked for, and
//! counts from the moment the ledger has it. Anything else that is asked for meanwhile gets what both allow.

use std::sync::Arc;

use http::HeaderValue;
use http::request::Parts;

use super::choice::Made;
use super::gateway::Site;
use super::role::{self, Role, cookie_lines};
use crate::consent::import::{Import, meet};
use crate::consent::{Choice, NoChoice, Signals};
use crate::cookies::Asked;
use crate::privacy::{self, choice_act};
use crate::spool::Whose;

/// What a request carries, what the manager said included.
pub(super) struct Heard {
    /// What counts.
    pub(super) choice: Result<Choice, NoChoice>,
    /// Whether the manager's word has become a choice with this request: the answer carries its cookies.
    pub(super) is_new: bool,
    /// The stamp of what the manager said; all zero where it said nothing.
    pub(super) stamp: [u8; 6],
}

/// Hears the site's manager. `own` is the choice of our own cookie, `bucket` stands for the visitor's address.
pub(super) async fn hear(
    site: &Arc<Site>,
    import: &Import,
    parts: &Parts,
    (asked, bucket): (Asked<'_>, u64),
    own: Result<Choice, NoChoice>,
    signals: Signals,
) -> Heard {
    let said = import.read(cookie_lines(&parts.headers), asked.now_ms / 1000, site.policy.choice_life);
    let stamp = said.map(|said| said.stamp).unwrap_or_default();
    let before = own.clone();
    let shared = site.choice_cookie.is_shared();
    let met = meet(import.manager(), &site.policy, own, said, shared, asked.now_ms);
    let stands = |choice| Heard { choice, is_new: false, stamp };
    let Some(mut news) = met.news.filter(|_| Role::of(&parts.method, &parts.headers) == Role::Document) else {
        return stands(met.choice);
    };
    if site.choices.take(bucket, i64::try_from(asked.now_ms).unwrap_or(i64::MAX)).is_err() {
        return stands(met.choice);
    }
    news.signals = signals;
    let language = site.pages.language_of(&parts.headers);
    news.language = crate::consent::Language::new(language);
    let made = Made {
        site: Arc::clone(site),
        choice: news.clone(),
        action: choice_act(&site.policy, before.as_ref().ok(), &news).into(),
        forget: withdrawn(site, before.as_ref().ok(), &news),
        before,
        host: asked.host.to_owned(),
        language: language.to_owned(),
        shown: None,
    };
    match made.append().await {
        Ok(row) => {
            site.metrics.choices_recorded.count();
            news.row.copy_from_slice(&row[..16]);
            Heard { choice: Ok(news), is_new: true, stamp }
        }
        Err(error) => {
            site.metrics.choices_refused.count();
            tracing::error!(%error, "what another consent manager says could not be written into the ledger; it does not count");
            stands(met.choice)
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
pub(super) fn lines(site: &Site, visit: &super::gateway::Visit<'_>, asked: Asked<'_>) -> Vec<HeaderValue> {
    let Ok(choice) = &visit.choice else { return Vec::new() };
    let sent = || cookie_lines(&visit.parts.headers);
    let mut lines = site.choice_cookie.set(choice, sent, asked, &site.policy, &site.ring);
    let path = visit.parts.uri.path();
    let to = role::own_path(path, &site.privacy_path).is_none().then_some(path);
    lines.extend(super::choice::ended(site, visit, None, choice.granted, (to, 3000)));
    lines.extend(privacy::ended_with_analytics(&site.policy, choice, asked.https));
    lines
}
