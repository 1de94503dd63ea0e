//! What can stand between a batch and the table, and how long to wait. An exception's text may quote a row, so it is
//! never shown: its code and name say enough.

use std::time::Duration;

use clickhouse::error::Error;

use crate::spool::{Rejection, SpoolError};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// ClickHouse's codes that say that these rows will never be taken: what cannot be parsed, read or converted. A missing
/// table or column is none of them, since a migration may be on its way.
const ABOUT_THE_ROWS: [u32; 10] = [
    6,   // CANNOT_PARSE_TEXT
    27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    33,  // CANNOT_READ_ALL_DATA
    38,  // CANNOT_PARSE_DATE
    41,  // CANNOT_PARSE_DATETIME
    53,  // TYPE_MISMATCH
    70,  // CANNOT_CONVERT_TYPE
    72,  // CANNOT_PARSE_NUMBER
    117, // INCORRECT_DATA
    469, // VIOLATED_CONSTRAINT
];

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
        Trouble::Passing(match &error {
            Error::BadResponse(text) => match (exception_code(text), exception_name(text)) {
                (Some(code), Some(name)) => format!("ClickHouse answered with code {code} ({name})"),
                (Some(code), None) => format!("ClickHouse answered with code {code}"),
                (None, _) => "what answered is not ClickHouse, or is in trouble".to_owned(),
            },
            Error::Network(_) => "ClickHouse cannot be reached".to_owned(),
            Error::TimedOut => "ClickHouse did not answer in time".to_owned(),
            _ => "ClickHouse's answer cannot be understood".to_owned(),
        })
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
    exception_code(text).is_some_and(|code| ABOUT_THE_ROWS.contains(&code))
}

/// What a rejection may be called in a log.
pub(super) fn kind(rejection: &Rejection) -> String {
    match rejection {
        Rejection::Data(text) => Trouble::from(Error::BadResponse(text.clone())).to_string(),
        Rejection::Unreadable(_) => "it cannot be read or encoded".to_owned(),
        miscounted @ Rejection::Miscounted { .. } => miscounted.to_string(),
    }
}

/// The number in `Code: 60. DB::Exception: ...`.
fn exception_code(text: &str) -> Option<u32> {
    let (_, behind) = text.split_once("Code: ")?;
    let digits = behind.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The name in `... (UNKNOWN_TABLE) (version ...)`.
fn exception_name(text: &str) -> Option<&str> {
    let mut words = text.rsplit('(').filter_map(|part| part.split_once(')').map(|(word, _)| word));
    words.find(|word| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
}

/// Pauses that double up to 30 s, each cut by up to a half at random, so that gateways do not come back all at once.
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Backoff(FIRST_PAUSE)
    }
}

impl Backoff {
    pub(super) fn pause(&mut self) -> Duration {
        let whole = self.0;
        self.0 = (whole * 2).min(LONGEST_PAUSE);
        let share = random() as u8;
        whole / 2 + whole * u32::from(share) / 512
    }
}

/// Random bits; where the system has none to give, the time's.
pub(super) fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64))
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
                "Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE)",
                "ClickHouse answered with code 60 (UNKNOWN_TABLE)",
            ),
            ("Code: 241", "ClickHouse answered with code 241"),
            ("502 Bad Gateway", "what answered is not ClickHouse, or is in trouble"),
        ] {
            let error = Error::BadResponse(text.into());
            assert!(!is_about_the_rows(&error));
            assert_eq!(Trouble::from(error).to_string(), shown);
        }
    }

    #[test]
    fn pauses_grow_to_a_bound() {
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..20).map(|_| backoff.pause()).collect();
        assert!(pauses[0] <= FIRST_PAUSE && pauses[0] >= FIRST_PAUSE / 2);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE));
        assert!(pauses[19] >= LONGEST_PAUSE / 2);
    }
}
