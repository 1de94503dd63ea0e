//! Consentry: a website-analytics and consent-aware cookie gateway.
//!
//! # One request, told as a story
//! A visitor's request arrives at [`front`], which checks it and learns who is calling. [`consent`] decides from the choice
//! cookie and the signals what is permitted. [`cookies`] takes out of the request what is not. [`upstream`] fetches the
//! answer from the site. [`cookies`] takes out of the answer what is not permitted, [`page`] puts the banner and the
//! collector into the HTML while it streams, and the visitor has the page.
//!
//! Where the decision holds a [`consent::Permit`], [`capture`] makes an event of the exchange; [`pseudonym`] has keyed or
//! cut every identifier before the event exists, so [`spool`] never sees a raw one. [`store`] ships sealed batches to
//! ClickHouse ([`engine`] where no server is configured), [`query`] asks it, [`dashboard`] shows it. Where the decision
//! gives leave to count instead, [`statistics`] counts, and keeps nothing of the exchange itself. What a visitor chose is
//! proven by [`ledger`], before the answer is sent; how often the banner was shown and what was answered, [`asked`] counts.
//!
//! # The rooms, from the top floor down
//! A room imports only from floors below its own.
//!
//! | floor | rooms |
//! |---|---|
//! | 10 | [`cli`] |
//! | 9 | [`demo`] |
//! | 8 | [`life`] |
//! | 7 | [`front`] |
//! | 6 | [`privacy`], [`dashboard`] |
//! | 5 | [`query`], [`rights`] |
//! | 4 | [`store`] |
//! | 3 | [`page`], [`cookies`], [`capture`], [`statistics`], [`asked`], [`config`], [`ledger`] |
//! | 2 | [`consent`] |
//! | 1 | [`pseudonym`], [`enrich`], [`spool`], [`upstream`], [`engine`], [`observe`] |
//! | 0 | [`keys`], [`patience`] |
#![deny(unsafe_code)]
#![warn(missing_docs)]
// What is from outside is never unwrapped, and what goes to a terminal is the command line's business alone.
#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro, clippy::todo)]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod asked;
pub mod capture;
pub mod cli;
pub mod config;
pub mod consent;
pub mod cookies;
pub mod dashboard;
pub mod demo;
pub mod engine;
pub mod enrich;
pub mod front;
pub mod keys;
pub mod ledger;
pub mod life;
pub mod observe;
pub mod page;
pub mod patience;
pub mod privacy;
pub mod pseudonym;
pub mod query;
pub mod rights;
pub mod spool;
pub mod statistics;
pub mod store;
pub mod upstream;
