//! The room `cookies`.
