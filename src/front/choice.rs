//! A choice becomes a fact: first the ledger's row, durable, then the answer that carries the cookie and ends whatever is no
//! longer permitted (C6). Where the ledger cannot be written nothing changes, and the visitor is told so.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, Response, StatusCode};

use super::gateway::{Gateway, Site, Visit};
use super::keep;
use super::role::{self, cookie_lines};
use crate::asked::Answer;
use crate::consent::{Choice, ChoiceSource, NoChoice, PurposeSet};
use crate::cookies::{self, Withdrawal};
use crate::ledger::{Action, Appended, Entry, LedgerError};
use crate::privacy::{Act, Pending, PrivacyRequest, came_from};
use crate::pseudonym::scrub;
use crate::spool::Whose;

/// Records a choice and answers it.
pub(super) async fn record(
    gateway: &Gateway,
    visit: &Visit<'_>,
    pending: Pending,
    request: &PrivacyRequest<'_>,
) -> Response<Bytes> {
    let site = &*gateway.site;
    if let Err(seconds) = pace(site, visit, &pending.choice) {
        let mut response = site.pages.not_recorded(&pending, request);
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        return response;
    }
    let made = Made {
        site: Arc::clone(&gateway.site),
        choice: pending.choice.clone(),
        action: pending.act.into(),
        before: visit.choice.clone(),
        host: visit.host.to_owned(),
        language: pending.language.clone(),
        shown: pending.shown.clone(),
        forget: withdrawn(gateway, visit, &pending.choice),
    };
    let row = match made.append().await {
        Ok(row) => row,
        Err(error) => {
            site.metrics.choices_refused.count();
            tracing::error!(%error, "a choice could not be written into the ledger; it does not count");
            return site.pages.not_recorded(&pending, request);
        }
    };
    site.metrics.choices_recorded.count();
    if visit.decision.asks() {
        count_answer(site, &pending);
    }
    let answer = site.pages.recorded(pending, &row, request);
    let mut response = answer.response;
    let to = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    // A choice that counts no more may have permitted anything.
    let is_known = matches!(visit.choice, Ok(_) | Err(NoChoice::Missing | NoChoice::Objected { .. }));
    let before = is_known.then_some(visit.decision.permitted);
    let used = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let ended = ended(site, visit, before, answer.chosen.granted, (to, used));
    for line in ended {
        response.headers_mut().append(SET_COOKIE, line);
    }
    response
}

/// Whose events that were captured while it was permitted, and still wait for ClickHouse, are not to get there: the visitor's,
/// where the choice takes analytics back (C6).
fn withdrawn(gateway: &Gateway, visit: &Visit<'_>, now: &Choice) -> Vec<Whose> {
    let (site, Some(permit)) = (&gateway.site, &visit.decision.analytics) else { return Vec::new() };
    let still = site.policy.analytics().is_some_and(|index| now.granted.contains(index)) && !now.under_16;
    if still {
        return Vec::new();
    }
    let receipt = visit.choice.as_ref().ok().map(|choice| Whose::Receipt(choice.receipt));
    let known = keep::known(gateway, visit, permit).into_iter();
    let visitor = known.flat_map(|known| [known.visitor].into_iter().chain(known.earlier));
    receipt.into_iter().chain(visitor.map(|keyed| Whose::Visitor(keyed.value.0))).collect()
}

/// Whether one more choice is taken from an address, or after how many seconds. A withdrawal always is.
fn pace(site: &Site, visit: &Visit<'_>, choice: &Choice) -> Result<(), u64> {
    let before = visit.choice.as_ref().map(|before| before.granted).unwrap_or_default();
    let takes_away = choice.granted.is_subset_of(before) && before != choice.granted;
    if takes_away { Ok(()) } else { site.choices.take(visit.client.ip.bucket(), keep::milliseconds(visit.now)) }
}

/// Counts how somebody who is shown the banner answers it: on it, on the page it leads to, or by the page's own script.
fn count_answer(site: &Site, pending: &Pending) {
    let granted = pending.choice.granted.intersect(pending.about);
    let answer = match () {
        () if granted.is_empty() => Answer::Rejected,
        () if granted == pending.about => Answer::Accepted,
        () => Answer::Customised,
    };
    site.asked.answered(site.pages.banner_version(), &pending.language, answer);
}

/// Keeps the banners that were rendered since the start, for single purposes (P5). Off this thread: it waits for the disk.
async fn keep_new_texts(site: &Site) {
    let texts = site.pages.take_new_texts();
    if texts.is_empty() {
        return;
    }
    let ledger = site.ledger.clone();
    let keep = move || texts.iter().try_for_each(|text| ledger.keep_text(&text.bytes).map(drop));
    if let Ok(Err(error)) = tokio::task::spawn_blocking(keep).await {
        tracing::error!(%error, "the text of a banner could not be kept");
    }
}

/// The lines that end what the browser may have kept and `granted` does not permit any more (C6). `before` is what was
/// permitted until now, where that is known; `to` is where the answer leads, if anywhere, and `used` the bytes its head has
/// already.
pub(super) fn ended(
    site: &Site,
    visit: &Visit<'_>,
    before: Option<PurposeSet>,
    granted: PurposeSet,
    (to, used): (Option<&str>, usize),
) -> Vec<HeaderValue> {
    // The site's pages a choice was made on and leads back to, as far as browser and answer tell.
    let pages: Vec<&str> = came_from(&visit.parts.headers, visit.host)
        .into_iter()
        .chain(to)
        .filter(|page| role::own_path(page, &site.privacy_path).is_none())
        .collect();
    let withdrawal = Withdrawal {
        catalogue: &site.catalogue,
        seen: &site.seen,
        permitted: granted.union(site.policy.necessary()),
        before,
        host: visit.host,
        https: visit.client.https,
        pages: &pages,
        used,
    };
    cookies::expire(cookie_lines(&visit.parts.headers), &withdrawal)
}

/// How long a visitor waits for the disk. A row that comes later than that was not answered as one; it counts from then on as
/// far as it takes something away.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a choice does not count.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRecorded {
    /// The ledger says so.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The ledger says nothing.
    #[error("the ledger's disk does not answer")]
    Slow,
}

impl From<Act> for Action {
    fn from(act: Act) -> Action {
        match act {
            Act::Accept => Action::Accept,
            Act::Refuse => Action::Refuse,
            Act::Change => Action::Change,
            Act::Withdrawal => Action::Withdrawal,
        }
    }
}

/// A choice on its way into the ledger, or an objection. It goes its way to the end, whether or not somebody still waits for
/// it: a visitor who closes the page has chosen all the same.
pub(super) struct Made {
    pub(super) site: Arc<Site>,
    pub(super) choice: Choice,
    pub(super) action: Action,
    /// What counted until now.
    pub(super) before: Result<Choice, NoChoice>,
    pub(super) host: String,
    /// The language it was asked in.
    pub(super) language: String,
    /// The beginning of the hash of what was shown, where a form of ours said so.
    pub(super) shown: Option<String>,
    /// Whose events that wait for ClickHouse are not to get there, once it counts.
    pub(super) forget: Vec<Whose>,
}

impl Made {
    /// Appends its row, and before it the objection that a signal was, where there was no choice yet (C8): both facts are
    /// told. The answer is the hash of the row, which is durable then.
    pub(super) async fn append(self) -> Result<[u8; 32], NotRecorded> {
        let metrics = self.site.metrics.clone();
        let appended = tokio::spawn(self.append_all());
        let Ok(appended) = tokio::time::timeout(PATIENCE, appended).await else {
            metrics.ledger_failing.set(1);
            return Err(NotRecorded::Slow);
        };
        appended.map_err(|_| NotRecorded::Ledger(LedgerError::Closed))?.map_err(NotRecorded::Ledger)
    }

    async fn append_all(self) -> Result<[u8; 32], LedgerError> {
        keep_new_texts(&self.site).await;
        let previous = match &self.before {
            Ok(choice) => Some(choice.receipt),
            Err(NoChoice::Objected { receipt }) => Some(*receipt),
            Err(_) if self.choice.signals.object() && self.action != Action::Objection => {
                let objection = Choice::objection(&self.site.policy, self.choice.signals, self.choice.made_at_ms);
                self.row(Entry { action: Action::Objection, ..self.entry(&objection) }).await?;
                Some(objection.receipt)
            }
            Err(_) => None,
        };
        let entry = Entry { previous, action: self.action, ..self.entry(&self.choice) };
        let Appended { hash, at_ms, .. } = self.row(entry.clone()).await?;
        let entry = Entry { at_ms, ..entry };
        // From now on a copy of the earlier choice counts nothing, and what was captured until now does not get further (C6).
        self.before.iter().for_each(|choice| self.site.replaced.add(choice.receipt, &entry, &hash));
        let now_ms = UNIX_EPOCH.elapsed().map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        if let Err(error) = self.site.spool.forget(&self.forget, now_ms).await {
            tracing::error!(%error, "what waits of a visitor who withdrew is left out until a restart, and then no longer");
        }
        Ok(hash)
    }

    /// Appends one row, and notes whether the disk took it.
    async fn row(&self, entry: Entry) -> Result<Appended, LedgerError> {
        let (appended, failing) = (self.site.ledger.append(entry).await, &self.site.metrics.ledger_failing);
        match &appended {
            Ok(_) => failing.set(0),
            Err(LedgerError::NotWritten(_)) => failing.set(1),
            // It says nothing of the disk.
            Err(_) => {}
        }
        appended
    }

    fn entry(&self, choice: &Choice) -> Entry {
        let site = &*self.site;
        let ids = |set: PurposeSet| {
            let purposes = site.policy.optional().filter(|(index, _)| set.contains(*index));
            purposes.map(|(_, purpose)| purpose.id.clone()).collect()
        };
        let of_banner = choice.source == ChoiceSource::Banner;
        let shown = self.shown.as_deref().filter(|_| of_banner).and_then(|prefix| site.ledger.text_by_prefix(prefix));
        Entry {
            receipt: choice.receipt,
            previous: None,
            at_ms: i64::try_from(choice.made_at_ms).unwrap_or(i64::MAX),
            action: Action::Accept,
            policy_version: choice.policy_version,
            text_hash: site.pages.text_hash(&self.language),
            banner_version: if of_banner { site.pages.banner_version().to_owned() } else { String::new() },
            banner_hash: shown.unwrap_or_default(),
            granted: ids(choice.granted),
            denied: ids(choice.denied),
            source: choice.source.word().into_owned(),
            language: self.language.clone(),
            host: scrub::host(&self.host),
            gpc: choice.signals.gpc,
            dnt: choice.signals.dnt,
            under_16: choice.under_16,
        }
    }
}
