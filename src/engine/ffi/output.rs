//! A result of the library: owned bytes and figures.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;
use std::sync::Arc;

use super::functions::RawResult;
use super::{Handle, Inner, no_handle};
use crate::engine::exception::Exception;

/// A result: its bytes, and what it took.
pub struct Output {
    pub(super) raw: Handle<c_void>,
    inner: Arc<Inner>,
}

impl Output {
    pub(super) fn take(raw: RawResult, inner: &Arc<Inner>) -> Result<Output, Exception> {
        let raw = NonNull::new(raw).ok_or_else(no_handle)?;
        let output = Output { raw: Handle(raw), inner: Arc::clone(inner) };
        // SAFETY: the handle is live; the text it returns is zero-terminated and lives as long as the handle.
        let error = unsafe { (inner.functions.chdb_result_error)(raw.as_ptr()) };
        if error.is_null() {
            return Ok(output);
        }
        // SAFETY: not null, zero-terminated, and `output` is still alive.
        Err(Exception::from_text(unsafe { CStr::from_ptr(error) }))
    }

    /// The bytes of the result.
    pub fn bytes(&self) -> &[u8] {
        let raw = self.raw.0.as_ptr();
        // SAFETY: the handle is live; buffer and length describe one allocation that C neither moves nor changes until the
        // handle is destroyed, which needs `self`.
        unsafe {
            let buffer = (self.inner.functions.chdb_result_buffer)(raw);
            let length = (self.inner.functions.chdb_result_length)(raw);
            if buffer.is_null() || length == 0 { &[] } else { std::slice::from_raw_parts(buffer.cast(), length) }
        }
    }

    /// What the statement read, wrote and returned.
    pub fn summary(&self) -> Summary {
        let raw = self.raw.0.as_ptr();
        let functions = &self.inner.functions;
        // SAFETY: the handle is live; each call only reads a number of it.
        unsafe {
            Summary {
                read_rows: (functions.chdb_result_storage_rows_read)(raw),
                read_bytes: (functions.chdb_result_storage_bytes_read)(raw),
                written_rows: (functions.chdb_result_rows_written)(raw),
                written_bytes: (functions.chdb_result_bytes_written)(raw),
                result_rows: (functions.chdb_result_rows_read)(raw),
                result_bytes: (functions.chdb_result_bytes_read)(raw),
            }
        }
    }
}

impl AsRef<[u8]> for Output {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // SAFETY: the handle came from the library and is destroyed here once.
        unsafe { (self.inner.functions.chdb_destroy_query_result)(self.raw.0.as_ptr()) }
    }
}

/// The figures of `X-ClickHouse-Summary`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows read from storage.
    pub read_rows: u64,
    /// Bytes read from storage.
    pub read_bytes: u64,
    /// Rows written, into materialised views too.
    pub written_rows: u64,
    /// Bytes written, into materialised views too.
    pub written_bytes: u64,
    /// Rows in the result.
    pub result_rows: u64,
    /// Bytes in the result, in memory.
    pub result_bytes: u64,
}
