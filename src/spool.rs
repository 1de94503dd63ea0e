//! The crash-safe queue on disk between capture and ClickHouse.

pub mod record;
