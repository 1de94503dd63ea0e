//! The shipper.
