use consentry::capture::event::{Draft, Event};

fn capture(draft: Draft) -> Event {
    Event { draft, consent_version: 1, consent_purposes: 5, consent_ref: 0 }
}

fn main() {}
