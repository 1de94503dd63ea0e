//! Log lines on standard error: time, level, message; without colour, on a terminal as in a file.

use std::io::stderr;
use std::sync::OnceLock;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;

/// Sets up logging for the whole program, at `level` and above. Later calls change nothing.
///
/// Libraries are heard from warnings up, whatever the level: what they write in detail may hold what a visitor sent, and
/// no type of ours keeps it out (D1).
pub fn init(level: Level) {
    let lines = tracing_subscriber::fmt()
        .compact()
        // What is heard is decided below, and may change.
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .with_target(level >= Level::DEBUG)
        .with_writer(stderr)
        // It would say so on standard error, and panic: where a terminal was closed the program ends in order all the same.
        .log_internal_errors(false)
        .finish();
    let (heard, handle) = reload::Layer::new(heard(level));
    // A second subscriber is refused: the first, in a test or a host program, stays.
    if tracing::subscriber::set_global_default(lines.with(heard)).is_ok() {
        let set = move |level| {
            // Fails only where the subscriber is gone, and then nobody hears anything.
            let _ = handle.reload(self::heard(level));
        };
        let _ = SET.set(Box::new(set));
    }
}

/// Changes what is heard.
type Set = Box<dyn Fn(Level) + Send + Sync>;

static SET: OnceLock<Set> = OnceLock::new();

/// From now on, log lines of `level` and above.
pub fn set_level(level: Level) {
    if let Some(set) = SET.get() {
        set(level);
    }
}

fn heard(level: Level) -> Targets {
    // What h2 warns of is what a visitor sends: whoever wanted to could fill the log.
    let of_visitors = ("h2", Level::ERROR);
    Targets::new().with_default(level.min(Level::WARN)).with_targets([of_visitors, (env!("CARGO_PKG_NAME"), level)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_d1_libraries_say_nothing_in_detail() {
        for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
            let heard = heard(level);
            assert!(heard.would_enable("consentry::store", &level));
            assert!(!heard.would_enable("hyper::proto", &Level::INFO), "at {level}");
            assert_eq!(heard.would_enable("hyper::proto", &Level::WARN), level >= Level::WARN);
            assert!(!heard.would_enable("h2::proto", &Level::WARN), "at {level}");
        }
        assert!(!heard(Level::INFO).would_enable("consentry", &Level::DEBUG));
    }
}
