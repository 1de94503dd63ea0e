//! How the program is seen from outside: log lines for people, counters for Prometheus. Neither ever holds personal
//! data: a counter has no label that comes from a visitor, and whoever logs has only scrubbed values to log (D1).
//! Called by everyone; knows nobody.

pub mod access;
mod doors;
pub mod elsewhere;
#[cfg(test)]
mod exposition;
pub mod latency;
mod lines;
mod log;
pub mod metrics;
pub mod trace;

pub use lines::{Destination, Lines, Place};
pub use log::{init, set_level};
pub use metrics::Metrics;
