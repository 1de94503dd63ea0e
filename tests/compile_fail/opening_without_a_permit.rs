use consentry::capture::event::{Event, MailOpen};
use consentry::consent::{Analytics, Permit};

fn without(open: MailOpen) -> Option<Event> {
    Event::mail_opened(open)
}

fn with_a_visitors(permit: &Permit<Analytics>, open: MailOpen) -> Option<Event> {
    Event::mail_opened(permit, open)
}

fn main() {}
