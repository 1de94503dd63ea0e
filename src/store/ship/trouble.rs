//! What can stand between a batch and the table.

use clickhouse::error::Error;

use crate::spool::{Rejection, SpoolError};
use crate::store::exception;

/// ClickHouse's codes that say that these rows will never be taken: what cannot be parsed, read or converted. A missing
/// column is none of them, since a migration may be on its way.
const ABOUT_THE_ROWS: [u32; 12] = [
    6,   // CANNOT_PARSE_TEXT
    27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    33,  // CANNOT_READ_ALL_DATA
    38,  // CANNOT_PARSE_DATE
    41,  // CANNOT_PARSE_DATETIME
    53,  // TYPE_MISMATCH
    70,  // CANNOT_CONVERT_TYPE
    72,  // CANNOT_PARSE_NUMBER
    117, // INCORRECT_DATA
    131, // TOO_LARGE_STRING_SIZE
    469, // VIOLATED_CONSTRAINT
    UNKNOWN_TABLE,
];
/// Before this is believed the table is asked, so it is another table that is missing: one a view of somebody's writes to.
/// Whether all rows go there or some is nothing that halves of the batch could tell.
const UNKNOWN_TABLE: u32 = 60;

/// Why an attempt did not bring a batch into the table.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// To be tried again, for ever.
    #[error("{0}")]
    Passing(String),
    /// An earlier attempt is not over yet.
    #[error("an earlier attempt is still running in the server")]
    StillRunning,
    /// Its file cannot be read.
    #[error("{0}")]
    Spool(String),
    /// Never to be tried again.
    #[error("{0}")]
    Final(#[from] Rejection),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Passing(exception::in_short(&error))
    }
}

impl From<SpoolError> for Trouble {
    fn from(error: SpoolError) -> Self {
        match error {
            SpoolError::Unreadable { fault, .. } => Rejection::Unreadable(fault).into(),
            other => Trouble::Spool(other.to_string()),
        }
    }
}

/// Whether the error is about the rows, not about the moment.
pub(super) fn is_about_the_rows(error: &Error) -> bool {
    let Error::BadResponse(text) = error else { return false };
    exception::code(text).is_some_and(|code| ABOUT_THE_ROWS.contains(&code))
}

/// Whether some rows of a rejected batch may be good: then its halves are tried.
pub(super) fn may_hold_good_rows(rejection: &Rejection) -> bool {
    match rejection {
        Rejection::Data(text) => exception::code(text) != Some(UNKNOWN_TABLE),
        Rejection::Unreadable(_) => true,
        Rejection::Miscounted { .. } => false,
    }
}

/// What a rejection may be called in a log.
pub(super) fn kind(rejection: &Rejection) -> String {
    match rejection {
        Rejection::Data(text) => Trouble::from(Error::BadResponse(text.clone())).to_string(),
        Rejection::Unreadable(_) => "it cannot be read or encoded".to_owned(),
        miscounted @ Rejection::Miscounted { .. } => miscounted.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_read_and_nothing_else_is_shown() {
        let text = "Code: 53. DB::Exception: Cannot convert 'secret@example.com' (in row 3). (TYPE_MISMATCH) (version 26.7.2.1)";
        let error = Error::BadResponse(text.into());
        assert!(is_about_the_rows(&error));
        assert_eq!(Trouble::from(error).to_string(), "ClickHouse answered with code 53 (TYPE_MISMATCH)");
        assert_eq!(
            kind(&Rejection::Data(format!("bad response: {text}"))),
            "ClickHouse answered with code 53 (TYPE_MISMATCH)"
        );
        for (text, shown) in [
            (
                "Code: 16. DB::Exception: There is no column x. (NO_SUCH_COLUMN_IN_TABLE)",
                "ClickHouse answered with code 16 (NO_SUCH_COLUMN_IN_TABLE)",
            ),
            ("Code: 241", "ClickHouse answered with code 241"),
            ("502 Bad Gateway", "what answered is not ClickHouse, or is in trouble"),
        ] {
            let error = Error::BadResponse(text.into());
            assert!(!is_about_the_rows(&error));
            assert_eq!(Trouble::from(error).to_string(), shown);
        }
    }
}
