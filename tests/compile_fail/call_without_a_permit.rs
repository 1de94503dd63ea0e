use consentry::capture::event::{Draft, Event, PhoneCall};
use consentry::consent::{MailOpening, Permit};

fn with_a_recipients(permit: &Permit<MailOpening>, call: PhoneCall) -> Option<Event> {
    Event::called(permit, call)
}

fn as_a_visit(permit: &Permit<MailOpening>, draft: Draft) -> Option<Event> {
    Event::new(permit, draft)
}

fn main() {}
