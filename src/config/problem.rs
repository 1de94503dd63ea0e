//! What is wrong with a configuration, and where. A value that may hold a secret is never repeated in full: what stands
//! before an `@` or after a `?` is left out.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "origin")]
pub enum Origin {
    /// The configuration file.
    File {
        /// Its name as it was given.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Character within the line, from 1.
        column: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// Nobody said anything else.
    Default,
}

impl Origin {
    /// The beginning of a file: where something is missing that has no place yet.
    pub(super) fn start_of(file: &str) -> Origin {
        Origin::File { file: file.to_owned(), line: 1, column: 1 }
    }

    /// In the order a reader meets them: down the file, then the environment.
    pub(super) fn order(&self) -> (u8, usize, usize) {
        match self {
            Origin::File { line, column, .. } => (0, *line, *column),
            Origin::Environment { .. } => (1, 0, 0),
            Origin::Default => (2, 0, 0),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Origin::Environment { variable } => f.write_str(variable),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where.
    #[serde(flatten)]
    pub origin: Origin,
    /// The key, such as `gateway.listen` or `cookie[0].name`; empty where the text is not TOML.
    pub key: String,
    /// The value, as far as it may be shown; absent where the key itself is wrong or missing.
    pub value: Option<String>,
    /// What is wrong with it; reads on from the value.
    pub what: String,
    /// What would be right.
    pub allowed: String,
}

impl Problem {
    /// Sorts `problems` the way a reader meets them.
    pub fn sort(problems: &mut [Problem]) {
        problems.sort_by_key(|problem| problem.origin.order());
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        if let Some(value) = &self.value {
            write!(f, "{value} ")?;
        }
        f.write_str(&self.what)?;
        if !self.allowed.is_empty() {
            write!(f, "; allowed: {}", self.allowed)?;
        }
        Ok(())
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{path}: {source}{}", advice(.path, .source))]
    Unreadable {
        /// The file as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The content is wrong: one line for each problem.
    #[error("{}", lines(.0))]
    Wrong(Vec<Problem>),
}

impl ConfigError {
    /// The single problems, where the file could be read.
    pub fn problems(&self) -> &[Problem] {
        match self {
            ConfigError::Unreadable { .. } => &[],
            ConfigError::Wrong(problems) => problems,
        }
    }
}

/// A missing file can be written; what else stops reading says itself what to do.
fn advice(path: &Path, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound if path == Path::new("-") => {
            "; a configuration is read from a file: name its path, or /dev/stdin for standard input".to_owned()
        }
        io::ErrorKind::NotFound => format!("; write one with: consentry check --print-example > {}", path.display()),
        _ => String::new(),
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// A text from outside as it may stand in a message: quoted, short, without what could be a password.
pub(super) fn shown_text(text: &str) -> String {
    let after_user = match text.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => text.to_owned(),
    };
    let mut shown = match after_user.split_once('?') {
        Some((before, _)) if text.contains("://") => format!("{before}?…"),
        _ => after_user,
    };
    if shown.chars().count() > 60 {
        shown = shown.chars().take(60).chain(['…']).collect();
    }
    format!("{shown:?}")
}
