//! Why a batch is in quarantine. The reason that stands beside it may quote a row (ClickHouse does), so what is shown of it
//! is its kind, and the number of ClickHouse's error.

use std::fmt;
use std::fs;
use std::path::Path;

/// Why a batch is in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The database will not take its rows.
    Refused {
        /// The number of ClickHouse's error, where it stands there.
        code: Option<u32>,
    },
    /// The table holds another number of its rows; the whole text, which is numbers.
    Miscounted(String),
    /// It cannot be read or encoded; the whole text, which quotes nothing.
    Unreadable(String),
    /// Something else stands there.
    Other,
}

impl Reason {
    /// Reads the file beside a batch; nothing where there is none.
    pub(super) fn read(file: &Path) -> Option<Reason> {
        Some(Reason::of(&String::from_utf8_lossy(&fs::read(file).ok()?)))
    }

    /// Understands the text of one.
    pub fn of(text: &str) -> Reason {
        let line = text.lines().next().unwrap_or_default().trim();
        let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| line.starts_with(beginning));
        if begins(&["the database refused its rows"]) {
            return Reason::Refused { code: code(line) };
        }
        if begins(&["the table holds"]) {
            return Reason::Miscounted(line.to_owned());
        }
        // As `Rejection`, `HeaderFault` and recovery word them.
        if begins(&[
            "it cannot be",
            "it is no sealed",
            "it does not begin as",
            "its format version",
            "its header is",
            "it has a column",
        ]) {
            return Reason::Unreadable(line.to_owned());
        }
        Reason::Other
    }

    /// Its kind in one word, for machines.
    pub fn word(&self) -> &'static str {
        match self {
            Reason::Refused { .. } => "refused",
            Reason::Miscounted(_) => "miscounted",
            Reason::Unreadable(_) => "unreadable",
            Reason::Other => "other",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Refused { code: Some(code) } => write!(f, "the database refused its rows (error {code})"),
            Reason::Refused { code: None } => write!(f, "the database refused its rows"),
            Reason::Miscounted(text) | Reason::Unreadable(text) => write!(f, "{text}"),
            Reason::Other => write!(f, "see the file beside it"),
        }
    }
}

/// The number in ClickHouse's `Code: 53. DB::Exception: …`.
fn code(line: &str) -> Option<u32> {
    let (_, behind) = line.split_once("Code: ")?;
    behind.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Rejection;

    #[test]
    fn each_rejection_is_known_again_and_no_value_is_shown() {
        let of = |rejection: Rejection| Reason::of(&format!("{rejection}\n"));
        let quoting = "bad response: Code: 53. DB::Exception: cannot parse 'jane'. (TYPE_MISMATCH)".to_owned();
        let refused = of(Rejection::Data(quoting));
        assert_eq!(refused, Reason::Refused { code: Some(53) });
        assert_eq!(refused.to_string(), "the database refused its rows (error 53)");
        assert_eq!(of(Rejection::Data("x".into())), Reason::Refused { code: None });
        assert!(matches!(of(Rejection::Miscounted { sent: 3, found: 2 }), Reason::Miscounted(_)));
        assert!(matches!(of(Rejection::Unreadable("row 1".into())), Reason::Unreadable(_)));
        for header in ["its header is damaged", "it does not begin as a spool segment", "its header is of batch 12"] {
            assert!(matches!(Reason::of(header), Reason::Unreadable(_)));
        }
        assert_eq!(Reason::of("jane").to_string(), "see the file beside it");
        assert_eq!(Reason::of(""), Reason::Other);
    }
}
