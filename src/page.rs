//! The room `page`.
