//! What a person can ask for, and what must be remembered of it. So far: who has withdrawn from the recording of e-mail
//! openings ([`Withdrawn`]). Called by the front door, which looks people up, and by the command line, which enters them.
//!
//! What is remembered is an entry under a key of its own (R4), which names nobody and links to no table.

mod withdrawn;

pub use withdrawn::{FILE, Watch, Withdrawn, WithdrawnError};
