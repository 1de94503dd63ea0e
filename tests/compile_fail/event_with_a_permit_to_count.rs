use consentry::capture::event::{Draft, Event};
use consentry::consent::{Permit, Statistics};

fn capture(permit: &Permit<Statistics>, draft: Draft) -> Option<Event> {
    Event::new(permit, draft)
}

fn main() {}
