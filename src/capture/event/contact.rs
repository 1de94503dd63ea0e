//! Events that are no part of a visit: an opened e-mail, a telephone call. Each is made of a permit of its own lane and of
//! the few values its row has; everything a visit's rows have beside (visitor, address, browser, page) stays empty, so
//! nothing links the recipient or caller to a visit.

use super::{Draft, Event, Expiry, Place, Someone, name};
use crate::consent::{self, MailOpening, Permit};

/// What every such event has.
#[derive(Clone, Copy, Debug)]
pub struct Contact {
    /// The site.
    pub site_id: u32,
    /// When, in milliseconds since 1970.
    pub ts: i64,
    /// Who was written to or who called, keyed.
    pub who: Someone,
    /// When the row expires.
    pub expiry: Expiry,
}

/// An e-mail was opened.
#[derive(Clone, Debug)]
pub struct MailOpen {
    /// Whose, and when.
    pub contact: Contact,
    /// Which mailing.
    pub campaign: String,
    /// Why it is taken for a program's opening; empty for a person's.
    pub bot_reason: &'static str,
}

/// The published number was called.
#[derive(Clone, Debug)]
pub struct PhoneCall {
    /// Who, and when.
    pub contact: Contact,
    /// The country of the number, as far as its digits say.
    pub place: Place,
    /// How long, in milliseconds.
    pub duration_ms: u32,
}

impl Event {
    /// An opening, with the recipient's own consent. Nothing where it is of a time before that.
    pub fn mail_opened(permit: &Permit<MailOpening>, open: MailOpen) -> Option<Event> {
        let mut draft = open.contact.draft(name::MAIL_OPEN);
        draft.utm.campaign = open.campaign;
        draft.bot_reason = open.bot_reason;
        Event::under(permit.granted(), draft)
    }

    /// A call, with the caller's consent as the telephone system states it.
    pub fn called(permit: &Permit<consent::PhoneCall>, call: PhoneCall) -> Option<Event> {
        let mut draft = call.contact.draft(name::CALL);
        draft.place = call.place;
        draft.delivery.total_ms = call.duration_ms;
        Event::under(permit.granted(), draft)
    }
}

impl Contact {
    fn draft(self, name: &'static str) -> Draft {
        Draft { name: name.into(), contact: self.who, expiry: self.expiry, ..Draft::blank(self.site_id, self.ts) }
    }
}
