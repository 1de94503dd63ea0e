//! Events that are no part of a visit: an opened e-mail, a telephone call. Each is made of a permit of its own lane and of
//! the few values its row has; everything a visit's rows have beside (visitor, address, browser, page) stays empty, so
//! nothing links the recipient or caller to a visit.

use super::{Channel, Custom, Delivery, Device, Draft, Event, Expiry, IpPseudonym, Place, Reading, Someone};
use super::{Stated, Subject, Timing, Utm, VisitStep, VisitorId, name};
use crate::consent::{self, MailOpening, Permit};
use crate::keys::KeyId;

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
        Draft {
            site_id: self.site_id,
            ts: self.ts,
            name: name.into(),
            visitor: VisitorId(0),
            visitor_key: 0,
            login: Someone::default(),
            contact: self.who,
            step: VisitStep::default(),
            page_view_id: 0,
            hostname: String::new(),
            path: String::new(),
            path_class: String::new(),
            title: String::new(),
            search_term: String::new(),
            navigation: "",
            referrer: String::new(),
            channel: Channel { source: String::new(), channel: "" },
            utm: Utm::default(),
            place: Place::default(),
            ip: IpPseudonym { net: std::net::Ipv6Addr::UNSPECIFIED, tag: 0, key: KeyId(0) },
            device: Device::default(),
            bot_reason: "",
            stated: Stated::default(),
            delivery: Delivery::default(),
            timing: Timing::default(),
            reading: Reading::default(),
            subject: Subject::default(),
            custom: Custom::default(),
            expiry: self.expiry,
        }
    }
}
