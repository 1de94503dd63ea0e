//! The room `privacy`.
