//! Openings of e-mails and telephone calls as events. Nothing of the request that brings them is looked at but whether a
//! person can have made it: no cookie, no address, no browser.

use super::Capture;
use super::calls::Call;
use super::event::{Contact, Event, Expiry, MailOpen, PhoneCall, Someone};
use crate::consent::mail::Opening;
use crate::consent::{self, Permit};
use crate::enrich::{mail, place};
use crate::keys::Keyed;
use crate::pseudonym::{RawUserAgent, SubjectId};

/// How far back a telephone system may hand calls over, in milliseconds: 400 days.
const OLDEST_MS: i64 = 400 * DAY_MS;
/// How far ahead of ours a telephone system's clock may run, in milliseconds.
const SKEW_MS: i64 = 300_000;
const DAY_MS: i64 = 86_400_000;

impl Capture {
    /// The opening of a mail; `agent` is the `User-Agent` of who fetched the picture, which is not stored.
    pub fn mail_open(&self, opening: Opening, agent: &RawUserAgent, now_ms: i64) -> Option<Event> {
        let Opening { permit, recipient, campaign } = opening;
        let open = MailOpen {
            contact: self.contact(recipient, now_ms),
            campaign: campaign.as_str().to_owned(),
            bot_reason: mail::no_reader(agent),
        };
        Event::mail_opened(&permit, open)
    }

    /// A call. Nothing where its row would have expired already.
    pub fn call(&self, permit: &Permit<consent::PhoneCall>, call: &Call, now_ms: i64) -> Option<Event> {
        let contact = self.contact(self.shared.pseudonymiser.caller(&call.from), call.at_ms.min(now_ms));
        let today = now_ms.div_euclid(DAY_MS);
        let place = place::of_number(&call.from);
        let call = PhoneCall { contact, place, duration_ms: call.duration_ms };
        (i64::from(contact.expiry.expires_at) > today).then(|| Event::called(permit, call)).flatten()
    }

    fn contact(&self, who: Keyed<SubjectId>, ts: i64) -> Contact {
        let expiry: Expiry = self.expiry(ts);
        Contact { site_id: self.shared.site_id, ts, who: Someone { id: who.value.0, key: who.key.0 }, expiry }
    }
}

/// Whether a call of this time may be handed over now: at most 400 days ago, and not in the future.
pub(super) fn is_timely(at_ms: i64, now_ms: i64) -> bool {
    (now_ms - OLDEST_MS..=now_ms + SKEW_MS).contains(&at_ms)
}

#[cfg(test)]
mod tests;
