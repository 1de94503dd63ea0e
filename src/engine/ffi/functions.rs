//! The functions of `libchdb.so` by name and type, as its header chdb.h (26.7) declares them.

use std::ffi::{c_char, c_int, c_void};

pub(super) type RawConnection = *mut c_void;
pub(super) type RawResult = *mut c_void;
pub(super) type RawInsert = *mut c_void;

/// A statement, a format, and parameters as four arrays and their length: the shape of three functions.
pub(super) type StatementFunction = unsafe extern "C" fn(
    RawConnection,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const *const c_char,
    *const usize,
    *const *const c_char,
    *const usize,
    usize,
) -> *mut c_void;

/// `chdb_query_analysis_v1`: four 32-bit numbers.
#[repr(C)]
#[derive(Default)]
pub(super) struct Analysis {
    pub(super) struct_size: u32,
    pub(super) statement_count: u32,
    pub(super) flags: u32,
    pub(super) query_class: u32,
}

/// One struct of C function pointers, filled from the library by name.
macro_rules! functions {
    ($($field:ident: $function:ty;)*) => {
        pub(super) struct Functions { $(pub(super) $field: $function,)* }
        impl Functions {
            /// # Safety
            /// `library` must be chDB's, whose header (chdb.h 26.7) declares these functions with these types.
            pub(super) unsafe fn load(library: &libloading::Library) -> Result<Functions, libloading::Error> {
                // SAFETY: the caller promises that the symbols have the declared types; the pointers are copied out of the
                // `Symbol`s, which is sound because the library is never unloaded (see `Inner::library`).
                unsafe { Ok(Functions { $($field: *library.get(concat!(stringify!($field), "\0").as_bytes())?,)* }) }
            }
        }
    };
}

functions! {
    chdb_set_signal_handlers_enabled: unsafe extern "C" fn(c_int);
    chdb_connect: unsafe extern "C" fn(c_int, *const *const c_char) -> *mut RawConnection;
    chdb_close_conn: unsafe extern "C" fn(*mut RawConnection);
    chdb_shutdown: unsafe extern "C" fn() -> c_int;
    chdb_query_with_params_n: StatementFunction;
    chdb_stream_query_with_params_n: StatementFunction;
    chdb_stream_insert_with_params_n: StatementFunction;
    chdb_stream_fetch_result: unsafe extern "C" fn(RawConnection, RawResult) -> RawResult;
    chdb_stream_cancel_query: unsafe extern "C" fn(RawConnection, RawResult);
    chdb_destroy_query_result: unsafe extern "C" fn(RawResult);
    chdb_stream_append: unsafe extern "C" fn(RawInsert, *const c_void, usize) -> c_int;
    chdb_stream_done: unsafe extern "C" fn(RawInsert) -> RawResult;
    chdb_stream_insert_error: unsafe extern "C" fn(RawInsert) -> *const c_char;
    chdb_destroy_insert_stream: unsafe extern "C" fn(RawInsert);
    chdb_result_buffer: unsafe extern "C" fn(RawResult) -> *const c_char;
    chdb_result_length: unsafe extern "C" fn(RawResult) -> usize;
    chdb_result_error: unsafe extern "C" fn(RawResult) -> *const c_char;
    chdb_result_rows_read: unsafe extern "C" fn(RawResult) -> u64;
    chdb_result_bytes_read: unsafe extern "C" fn(RawResult) -> u64;
    chdb_result_storage_rows_read: unsafe extern "C" fn(RawResult) -> u64;
    chdb_result_storage_bytes_read: unsafe extern "C" fn(RawResult) -> u64;
    chdb_result_rows_written: unsafe extern "C" fn(RawResult) -> u64;
    chdb_result_bytes_written: unsafe extern "C" fn(RawResult) -> u64;
    chdb_classify_query_n: unsafe extern "C" fn(RawConnection, *const c_char, usize, *const c_char, usize, *mut Analysis) -> c_int;
}
