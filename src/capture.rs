//! From an exchange or a beacon, with a permit, to an event. Nothing here runs without a [`Permit`](crate::consent::Permit);
//! identifiers come in keyed or cut by [`pseudonym`](crate::pseudonym), text comes in scrubbed, and what goes out is the
//! compact record the spool keeps. Called by the front door; does no I/O and reads no clock.

pub mod event;
