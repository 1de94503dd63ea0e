//! How the program is seen from outside: log lines for people, counters for Prometheus. Neither ever holds personal
//! data: a counter has no label that comes from a visitor, and whoever logs has only scrubbed values to log (D1).
//! Called by everyone; knows nobody.

mod lines;
mod log;
pub mod metrics;

pub use lines::Destination;
pub use log::{init, set_level};
pub use metrics::Metrics;
