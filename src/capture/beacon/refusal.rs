//! Why a beacon is refused. Neither code nor message holds any of its content.

use super::{MAX_EVENTS, MAX_PROPERTIES};
use crate::pseudonym::scrub::PropertyError;

/// Why a beacon is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeaconError {
    /// Not JSON, or not of the form of a beacon.
    #[error("the body is not a beacon: see line {line}, column {column}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// Lists in lists in lists.
    #[error("the body is not a beacon: it is nested more deeply than any beacon")]
    TooDeep,
    /// Another format.
    #[error("beacon format {0} is not known; this gateway takes 1")]
    Version(u32),
    /// Too many events.
    #[error("a beacon holds at most {MAX_EVENTS} events, not {0}")]
    TooMany(usize),
    /// A field is of another type than it should be.
    #[error("event {0} of the beacon lacks `n` or `u`, or has a field of another type than it should be")]
    Field(usize),
    /// No event has such a name.
    #[error(
        "event {0} of the beacon has a name that no event may have: 1 to 64 letters, digits, spaces and _ . : - that name nobody"
    )]
    Name(usize),
    /// Not a path of this site.
    #[error("event {0} of the beacon has a `u` that does not begin with `/`")]
    NotAPath(usize),
    /// An id that is none.
    #[error("event {0} of the beacon has an `i` or `p` that is not 16 hexadecimal digits")]
    Id(usize),
    /// Too many properties.
    #[error("event {0} of the beacon has more than {MAX_PROPERTIES} properties")]
    TooManyProperties(usize),
    /// A property that is not kept.
    #[error("event {0} of the beacon has a property that is not kept: {1}")]
    Property(usize, PropertyError),
    /// A property that is a list or an object.
    #[error("event {0} of the beacon has a property that is not a text, a number or a truth value")]
    PropertyType(usize),
}

impl BeaconError {
    /// The reason as one word.
    pub fn code(&self) -> &'static str {
        match self {
            BeaconError::Malformed { .. } => "malformed",
            BeaconError::TooDeep => "too-deep",
            BeaconError::Version(_) => "version",
            BeaconError::TooMany(_) => "too-many-events",
            BeaconError::Field(_) => "field",
            BeaconError::Name(_) => "name",
            BeaconError::NotAPath(_) => "not-a-path",
            BeaconError::Id(_) => "id",
            BeaconError::TooManyProperties(_) => "too-many-properties",
            BeaconError::Property(..) | BeaconError::PropertyType(_) => "property",
        }
    }
}
