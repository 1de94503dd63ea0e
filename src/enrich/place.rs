//! Where an address is.

/// A place, as far as the database knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// ISO 3166-1 alpha-2, as in `GB`; empty where unknown.
    pub country: String,
    /// The region's name.
    pub region: String,
    /// The city's name.
    pub city: String,
}

/// The geo database.
pub struct Places {}
