//! The state a connection is brought into before its statement runs.

use std::fmt::Write as _;

use super::{Access, Job};
use crate::engine::exception::Exception;
use crate::engine::ffi::Connection;

/// The most a result may hold in memory where its format cannot be sent in pieces; a request may set its own.
const MAX_DOCUMENT_BYTES: u64 = 512 << 20;

/// Brings the connection into the state the request asks for: settings, database, and last what it may not do.
pub(super) fn prepare(connection: &mut Connection, job: &Job, document: bool) -> Result<(), Exception> {
    let mut set = format!("set log_comment = '{}'", job.mark);
    // The gateway's batches wait for their acknowledgement; collecting small inserts first would only delay it.
    set.push_str(", async_insert = 0");
    if document {
        let _ = write!(set, ", max_result_bytes = {MAX_DOCUMENT_BYTES}");
    }
    for (name, value) in &job.settings {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.') {
            return Err(Exception::new(
                115,
                "UNKNOWN_SETTING",
                &format!("Unknown setting '{}'", name.escape_default()),
            ));
        }
        let _ = write!(set, ", `{name}` = '{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
    }
    connection.query(set.as_bytes(), "Null", &[])?;
    if let Some(database) = &job.database {
        let quoted = database.replace('\\', "\\\\").replace('`', "\\`");
        connection.query(format!("use `{quoted}`").as_bytes(), "Null", &[])?;
    }
    let readonly = match job.access {
        Access::Full => return Ok(()),
        Access::Read => "set readonly = 2",
        Access::ReadTables => "set readonly = 1",
    };
    // A client may ask for less itself; then it cannot be set again, and need not be.
    match connection.query(readonly.as_bytes(), "Null", &[]) {
        Err(exception) if exception.code != 164 => Err(exception),
        Err(_) if !job.settings.iter().any(|(name, value)| name == "readonly" && value == "1") => Err(Exception::new(
            164,
            "READONLY",
            "This interface reads only, and the request asks for another `readonly`",
        )),
        _ => Ok(()),
    }
}
