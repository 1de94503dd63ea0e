//! `Native` columns.
