//! What the visitor allows. [`decide`] is **the** decision: a pure function of the declared purposes, the stored choice (its
//! signature and age judged before, by [`Choice::among`]), the signals of the request and the legal [`Mode`] where the
//! visitor is. It alone makes a visitor's [`Permit`], and everything that reads a visitor's data takes one by reference, so
//! a capture without consent does not compile. Openings of e-mails and telephone calls are nobody's visit: [`mail`] and
//! [`call`] decide on those, each with a permit of its own lane. Where the site has a consent manager already, [`import`]
//! reads what the visitor told it.
//!
//! Called by the front door for every request. Never does I/O, never looks at a clock, never guesses: what cannot be
//! understood is "no choice yet", which permits nothing optional (C1).

pub mod call;
pub mod choice;
mod decide;
pub mod import;
mod language;
pub mod mail;
mod mode;
mod permit;
mod place;
mod purpose;
mod seal;
mod signals;

pub use choice::{Choice, ChoiceSource, NoChoice};
pub use decide::{Decision, Reason, decide};
pub use language::Language;
pub use mode::{Mode, Modes};
pub use permit::{Analytics, Granted, MailOpening, Permit, PhoneCall, Statistics};
pub use place::Place;
pub use purpose::{Fingerprint, Policy, PolicyError, Purpose, PurposeSet};
pub use seal::Seal;
pub use signals::Signals;

#[cfg(test)]
mod tests;
