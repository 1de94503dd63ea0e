//! `libchdb.so` behind a safe face: the only file that calls C.
//!
//! The library is loaded once and never unloaded (its threads and destructors outlive any handle). One [`Engine`] holds a
//! root connection, so that background merges go on while nobody asks, and hands out a fresh [`Connection`] for each
//! request (0.3 ms), which isolates `SET`, `USE` and temporary tables. Called by [`super::run`] and [`super::serve`].
//!
//! What C asks of its callers, and how it is kept here:
//! - a result, a stream and a connection are each destroyed exactly once: each is owned by one value with a `Drop`;
//! - a connection runs one thing at a time: everything on it takes `&mut self`, and a stream borrows the connection;
//! - nothing may be open at `chdb_shutdown`: every handle holds the [`Inner`] alive and is counted.
#![allow(unsafe_code)]

mod functions;
mod output;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::exception::Exception;
pub use output::{Output, Summary};

use functions::{Analysis, Functions, RawConnection, StatementFunction};

/// Why the engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is not a library of this platform, or lacks a function.
    #[error(
        "{path} is not a usable ClickHouse library: {source}. Remove it to have it fetched again, or point CONSENTRY_ENGINE at a good one"
    )]
    Library {
        /// The file.
        path: PathBuf,
        /// The loader's words.
        source: libloading::Error,
    },
    /// The path cannot be handed to C.
    #[error("the path {0} contains a zero byte")]
    Path(PathBuf),
    /// ClickHouse said no.
    #[error(
        "ClickHouse could not open its database in {0}: another process holds it, the folder is not writable or full, or its files are damaged (ClickHouse's own words stand above, if it had any)"
    )]
    Refused(PathBuf),
}

/// A named value of a statement, `{name:Type}`; the value is TSV-escaped text as on ClickHouse's HTTP interface.
pub type Parameter = (String, String);

/// A pointer that C allows to be used from any thread, one at a time.
struct Handle<T>(NonNull<T>);
// SAFETY: chdb.h calls connecting, closing and querying thread-safe; the handles are heap objects without thread affinity,
// and `&mut self` on every method keeps two threads from using one at once.
unsafe impl<T> Send for Handle<T> {}

struct Inner {
    functions: Functions,
    /// Never dropped: ClickHouse's threads run code of the library until `chdb_shutdown`, and its destructors after it.
    library: std::mem::ManuallyDrop<libloading::Library>,
    arguments: Vec<CString>,
    /// Connecting boots or joins the one server in the library; one at a time is plenty.
    connecting: Mutex<()>,
    open: AtomicUsize,
}

/// The library with an open database. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
    root: Arc<Mutex<Option<Connection>>>,
}

impl Engine {
    /// Loads the library and opens (or makes) the database in `folder`. Takes about a second. Once in a process.
    pub fn open(library: &Path, folder: &Path) -> Result<Engine, OpenError> {
        let wrong = |source| OpenError::Library { path: library.to_owned(), source };
        // SAFETY: loading runs the library's constructors; the file is the one that was checked against its pinned hash or
        // that the operator named, and chDB is made to be loaded this way.
        let loaded = std::mem::ManuallyDrop::new(unsafe { libloading::Library::new(library) }.map_err(wrong)?);
        // SAFETY: the library is chDB's and stays loaded for the life of the process.
        let functions = unsafe { Functions::load(&loaded) }.map_err(wrong)?;

        let mut path = b"--path=".to_vec();
        path.extend_from_slice(folder.as_os_str().as_bytes());
        let path = CString::new(path).map_err(|_| OpenError::Path(folder.to_owned()))?;
        let arguments = vec![c"clickhouse".to_owned(), path];

        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        super::writes::watch(folder);
        let kept = super::sys::FaultHandlers::save();
        // SAFETY: takes a plain number, and is called before the first connect as its documentation asks.
        unsafe { (functions.chdb_set_signal_handlers_enabled)(0) };
        let inner = Arc::new(Inner {
            functions,
            library: loaded,
            arguments,
            connecting: Mutex::new(()),
            open: AtomicUsize::new(0),
        });
        let root = Connection::open(&inner);
        kept.restore();
        let root = root.map_err(|_| OpenError::Refused(folder.to_owned()))?;
        Ok(Engine { inner, root: Arc::new(Mutex::new(Some(root))) })
    }

    /// A connection of its own: database `default`, default settings.
    pub fn connect(&self) -> Result<Connection, Exception> {
        Connection::open(&self.inner)
    }

    /// How many connections are open, the root's own not counted.
    pub fn connections(&self) -> usize {
        self.inner.open.load(Ordering::Acquire).saturating_sub(1)
    }

    /// Closes the database: closing the last connection writes and releases everything. Then asks ClickHouse's threads to
    /// end, which version 26.7 refuses once a MergeTree table was open, although nothing is. Nothing can be opened again in
    /// this process.
    pub fn shutdown(&self) -> Closed {
        drop(self.root.lock().unwrap_or_else(PoisonError::into_inner).take());
        if self.inner.open.load(Ordering::Acquire) > 0 {
            return Closed::No;
        }
        // SAFETY: no arguments; safe from any thread, and no handle is open.
        match unsafe { (self.inner.functions.chdb_shutdown)() } {
            0 => Closed::Whole,
            _ => Closed::ThreadsLeft,
        }
    }
}

/// How far [`Engine::shutdown`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Nothing of ClickHouse is left.
    Whole,
    /// The database is closed; idle threads are left, under which the library's destructors must not run.
    ThreadsLeft,
    /// A connection is still in use; the database recovers what it was doing at its next start.
    No,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("library", &self.inner.library)
            .field("connections", &self.connections())
            .finish()
    }
}

/// What a statement would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is one statement, and leaves no trace.
    Reads,
    /// It is several, or one that changes something: data, the session, other people's statements.
    Changes,
    /// It could not be parsed.
    Unknown,
}

/// One session: its settings, its current database, one statement at a time.
pub struct Connection {
    raw: Handle<RawConnection>,
    inner: Arc<Inner>,
}

impl Connection {
    fn open(inner: &Arc<Inner>) -> Result<Connection, Exception> {
        let arguments: Vec<*const c_char> = inner.arguments.iter().map(|argument| argument.as_ptr()).collect();
        let count = c_int::try_from(arguments.len()).expect("two arguments");
        let _one_at_a_time = inner.connecting.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: `arguments` holds `count` pointers to zero-terminated strings that live in `inner`.
        let raw = unsafe { (inner.functions.chdb_connect)(count, arguments.as_ptr()) };
        let raw = NonNull::new(raw).ok_or_else(|| {
            Exception::new(210, "NETWORK_ERROR", "The embedded engine is closing or could not be opened")
        })?;
        inner.open.fetch_add(1, Ordering::AcqRel);
        Ok(Connection { raw: Handle(raw), inner: Arc::clone(inner) })
    }

    fn handle(&self) -> RawConnection {
        // SAFETY: `chdb_connect` returned a pointer to a connection handle; it is valid until `chdb_close_conn` in `Drop`.
        unsafe { *self.raw.0.as_ptr() }
    }

    fn call(&self, function: StatementFunction, sql: &[u8], format: &str, parameters: &[Parameter]) -> *mut c_void {
        let names: Vec<*const c_char> = parameters.iter().map(|(name, _)| name.as_ptr().cast()).collect();
        let name_lengths: Vec<usize> = parameters.iter().map(|(name, _)| name.len()).collect();
        let values: Vec<*const c_char> = parameters.iter().map(|(_, value)| value.as_ptr().cast()).collect();
        let value_lengths: Vec<usize> = parameters.iter().map(|(_, value)| value.len()).collect();
        // SAFETY: the connection is open; every pointer is valid for the length given with it during the call, the four
        // arrays have as many elements as the last argument says, and C copies what it keeps.
        unsafe {
            function(
                self.handle(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                names.as_ptr(),
                name_lengths.as_ptr(),
                values.as_ptr(),
                value_lengths.as_ptr(),
                parameters.len(),
            )
        }
    }

    /// What ClickHouse's own parser says about a statement, without running it.
    pub fn effect(&mut self, sql: &[u8]) -> Effect {
        let size = u32::try_from(size_of::<Analysis>()).expect("16 bytes");
        let mut analysis = Analysis { struct_size: size, ..Analysis::default() };
        // SAFETY: the connection is open, the pointer is valid for the length, no database is named, and C writes no more
        // than the size that `analysis` names.
        let state = unsafe {
            (self.inner.functions.chdb_classify_query_n)(
                self.handle(),
                sql.as_ptr().cast(),
                sql.len(),
                std::ptr::null(),
                0,
                &mut analysis,
            )
        };
        match (state, analysis.query_class, analysis.statement_count) {
            (0, 0, 1) => Effect::Reads,
            (0, 4, _) => Effect::Unknown,
            _ => Effect::Changes,
        }
    }

    /// Runs any statement and holds its whole result. `format` counts where the statement names none.
    pub fn query(&mut self, sql: &[u8], format: &str, parameters: &[Parameter]) -> Result<Output, Exception> {
        let raw = self.call(self.inner.functions.chdb_query_with_params_n, sql, format, parameters);
        Output::take(raw, &self.inner)
    }

    /// Begins a `SELECT` whose result comes in pieces. Each piece is a whole document of its format.
    pub fn stream(&mut self, sql: &[u8], format: &str, parameters: &[Parameter]) -> Result<Stream<'_>, Exception> {
        let raw = self.call(self.inner.functions.chdb_stream_query_with_params_n, sql, format, parameters);
        let started = Output::take(raw, &self.inner)?;
        Ok(Stream { started, connection: self, running: true })
    }

    /// Begins an `INSERT` (without `FORMAT` and without data) whose rows come in pieces of `format`.
    pub fn insert(&mut self, sql: &[u8], format: &str, parameters: &[Parameter]) -> Result<Insert<'_>, Exception> {
        let raw = self.call(self.inner.functions.chdb_stream_insert_with_params_n, sql, format, parameters);
        let raw = NonNull::new(raw).ok_or_else(no_handle)?;
        let insert = Insert { raw: Handle(raw), inner: Arc::clone(&self.inner), connection: PhantomData };
        match insert.failure() {
            Some(exception) => Err(exception),
            None => Ok(insert),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `chdb_connect` and is closed here once; streams and inserts borrow the connection
        // and so are gone.
        unsafe { (self.inner.functions.chdb_close_conn)(self.raw.0.as_ptr()) };
        self.inner.open.fetch_sub(1, Ordering::AcqRel);
    }
}

fn no_handle() -> Exception {
    Exception::new(1001, "STD_EXCEPTION", "The engine returned no handle")
}

/// A `SELECT` under way. Dropping it before its end cancels it.
pub struct Stream<'c> {
    started: Output,
    connection: &'c mut Connection,
    running: bool,
}

impl Stream<'_> {
    /// The next piece, or `None` after the last.
    pub fn fetch(&mut self) -> Result<Option<Output>, Exception> {
        if !self.running {
            return Ok(None);
        }
        let functions = &self.connection.inner.functions;
        // SAFETY: both handles are live and belong together; `&mut self` serialises fetches.
        let raw =
            unsafe { (functions.chdb_stream_fetch_result)(self.connection.handle(), self.started.raw.0.as_ptr()) };
        let piece = Output::take(raw, &self.connection.inner);
        self.running = matches!(&piece, Ok(piece) if !piece.bytes().is_empty());
        piece.map(|piece| self.running.then_some(piece))
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if self.running {
            let functions = &self.connection.inner.functions;
            // SAFETY: both handles are live; `started` is destroyed after this by its own `Drop`.
            unsafe { (functions.chdb_stream_cancel_query)(self.connection.handle(), self.started.raw.0.as_ptr()) }
        }
    }
}

/// An `INSERT` under way. Dropping it before [`finish`](Insert::finish) cancels it; blocks that were already written stay.
pub struct Insert<'c> {
    raw: Handle<c_void>,
    inner: Arc<Inner>,
    connection: PhantomData<&'c mut Connection>,
}

impl Insert<'_> {
    fn failure(&self) -> Option<Exception> {
        // SAFETY: the handle is live; the text is zero-terminated and lives as long as the handle.
        let error = unsafe { (self.inner.functions.chdb_stream_insert_error)(self.raw.0.as_ptr()) };
        // SAFETY: not null, zero-terminated, and the handle is still alive.
        (!error.is_null()).then(|| Exception::from_text(unsafe { CStr::from_ptr(error) }))
    }

    /// Hands over the next bytes; waits where ClickHouse is behind. On an error the insert is over.
    pub fn append(&mut self, data: &[u8]) -> Result<(), Exception> {
        if data.is_empty() {
            return Ok(());
        }
        // SAFETY: the handle is live, the pointer is valid for the length, and C copies the bytes.
        let state =
            unsafe { (self.inner.functions.chdb_stream_append)(self.raw.0.as_ptr(), data.as_ptr().cast(), data.len()) };
        if state == 0 {
            return Ok(());
        }
        // The reason is told by the end of the stream.
        match self.done() {
            Err(exception) => Err(exception),
            Ok(_) => Err(Exception::new(1001, "STD_EXCEPTION", "The engine took no more data for the insert")),
        }
    }

    fn done(&mut self) -> Result<Output, Exception> {
        // SAFETY: the handle is live; asking twice is answered with an error, not with undefined behaviour.
        let raw = unsafe { (self.inner.functions.chdb_stream_done)(self.raw.0.as_ptr()) };
        Output::take(raw, &self.inner)
    }

    /// Ends the data and commits.
    pub fn finish(mut self) -> Result<Summary, Exception> {
        self.done().map(|output| output.summary())
    }
}

impl Drop for Insert<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle came from the library and is destroyed here once; C cancels first what was not finished. The
        // connection it belongs to is borrowed for as long, so it is still open.
        unsafe { (self.inner.functions.chdb_destroy_insert_stream)(self.raw.0.as_ptr()) }
    }
}
