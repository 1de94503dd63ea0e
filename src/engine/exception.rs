//! What ClickHouse says when it refuses or fails, and the HTTP status that goes with it.

use std::ffi::CStr;

use http::StatusCode;

/// ClickHouse refused or failed: its own text, as in `Code: 60. DB::Exception: ... (UNKNOWN_TABLE)`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Exception {
    /// ClickHouse's number for the kind of failure; 1001 (`STD_EXCEPTION`) where the text has none.
    pub code: u32,
    /// The whole text.
    pub message: String,
}

impl Exception {
    /// An exception raised on our side of the library, in ClickHouse's words.
    pub fn new(code: u32, name: &str, text: &str) -> Exception {
        Exception { code, message: format!("Code: {code}. DB::Exception: {text} ({name})") }
    }

    /// From the library's words.
    pub fn from_text(text: &CStr) -> Exception {
        let message = text.to_string_lossy().into_owned();
        let code = message
            .strip_prefix("Code: ")
            .and_then(|rest| rest.split('.').next())
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(1001);
        Exception { code, message }
    }

    /// As ClickHouse's `exceptionCodeToHTTPStatus`.
    pub fn status(&self) -> StatusCode {
        match self.code {
            // Parsing, types and arguments.
            6 | 15 | 25 | 26 | 27 | 36 | 38 | 41 | 43 | 44 | 53 | 62 | 70 | 72 | 89 | 117 | 167 | 168 | 271 | 376
            | 441 | 456 | 457 => StatusCode::BAD_REQUEST,
            // Unknown table, function, identifier, type, storage, database, setting, format and the like.
            46 | 47 | 50 | 52 | 56 | 60 | 63 | 73 | 78 | 81 | 115 | 336 => StatusCode::NOT_FOUND,
            192 | 193 | 497 | 511 | 516 => StatusCode::FORBIDDEN,
            159 => StatusCode::REQUEST_TIMEOUT,
            581 => StatusCode::PAYLOAD_TOO_LARGE,
            48 => StatusCode::NOT_IMPLEMENTED,
            202 | 209 | 439 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
