//! What Consentry promises, tested on the real binary against real parts: a site that records every byte it is sent, a
//! client that sees every byte of an answer, the real engine. Each module is one kind of promise; a test's name says what
//! is promised. Browsers have their own tests in `tests/browser`.
//!
//! Most tests share one gateway and keep apart by the paths they ask for; those that restart, kill or configure have their
//! own. Nothing sleeps for a fixed time, no port is fixed, and what is started ends with the tests, whatever ends them.

mod architecture;
mod asked;
mod capture;
mod cli;
mod consent;
mod contacts;
mod cookies;
mod dashboard;
mod disk;
mod durability;
mod engine;
mod keys;
mod ledger;
mod life;
mod meanwhile;
mod proxy;
mod retention;
mod spool;
mod statistics;
mod support;
mod torture;
