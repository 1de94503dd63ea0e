use consentry::capture::event::{Draft, Event};

fn capture(draft: Draft) -> Option<Event> {
    Event::new(draft)
}

fn main() {}
