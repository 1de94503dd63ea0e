//! What may be said of ClickHouse's refusals in a log: an exception's code and name, never its text, which may quote a row
//! or a visitor's address. Called by whoever logs an error of the connection.

use clickhouse::error::Error;

/// An error of the connection without anything that came from the rows.
pub fn in_short(error: &Error) -> String {
    match error {
        Error::BadResponse(text) => match (code(text), name(text)) {
            (Some(code), Some(name)) => format!("ClickHouse answered with code {code} ({name})"),
            (Some(code), None) => format!("ClickHouse answered with code {code}"),
            (None, _) => "what answered is not ClickHouse, or is in trouble".to_owned(),
        },
        Error::Network(_) => "ClickHouse cannot be reached".to_owned(),
        Error::TimedOut => "ClickHouse did not answer in time".to_owned(),
        _ => "ClickHouse's answer cannot be understood".to_owned(),
    }
}

/// The number in `Code: 60. DB::Exception: ...`.
pub fn code(text: &str) -> Option<u32> {
    let (_, behind) = text.split_once("Code: ")?;
    let digits = behind.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The name in `... (UNKNOWN_TABLE) (version ...)`.
fn name(text: &str) -> Option<&str> {
    let mut words = text.rsplit('(').filter_map(|part| part.split_once(')').map(|(word, _)| word));
    words.find(|word| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
}
