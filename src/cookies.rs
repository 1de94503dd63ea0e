//! Cookies of purposes that are not permitted reach neither the site nor the visitor's browser (K1-K3).
//!
//! Called by the front door: [`filter_request`] before the upstream sees a request, [`filter_response`] before the visitor
//! sees an answer, [`Seen::learn`] in between, [`expire`] when a choice withdraws something and [`sweep`] for what escaped
//! that, [`Ours`] and [`read`] to find our own cookies and [`set`] to make them.
//!
//! Works on the bytes of the headers: what stays, stays byte for byte. Never decides what is permitted (that is
//! [`consent`](crate::consent)), never shows or logs a value, and makes of every doubt a "not permitted": a cookie without
//! a declaration, without a name, or not in the form `name=value` goes. Nothing is allocated unless something has to be
//! rewritten.

mod attributes;
mod catalogue;
mod chosen;
mod expire;
mod ours;
mod own;
mod pairs;
mod place;
mod request;
mod response;
mod seen;
mod sweep;

pub use catalogue::{Catalogue, VISIT, VISITOR};
pub use chosen::{Asked, ChoiceCookie, Signed};
pub use expire::{Withdrawal, expire};
pub use ours::Ours;
pub use own::set;
pub use pairs::read;
pub use request::{Filtered, filter_request};
pub use response::filter_response;
pub use seen::Seen;
pub use sweep::sweep;
