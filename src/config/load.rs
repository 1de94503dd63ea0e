//! From the file and the environment to a valid [`Config`]: the only place that looks at either.

use std::path::Path;

use super::explain::Explained;
use super::problem::{ConfigError, Origin, Problem};
use super::read::Reader;
use super::tree::{Mistake, Table};
use super::{Config, meaning, names, tree};

impl Config {
    /// Reads the file at `path` with the environment's variables `CONSENTRY__SECTION__KEY` laid over it.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        Config::load_explained(path).map(|explained| explained.config)
    }

    /// The same, with every value's origin.
    pub fn load_explained(path: &Path) -> Result<Explained, ConfigError> {
        let bytes = std::fs::read(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let file = path.display().to_string();
        match std::str::from_utf8(&bytes) {
            Ok(text) => read(text, &file, environment()),
            Err(error) => {
                let line = 1 + bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count();
                let origin = Origin::File { file, line, column: 1 };
                let (what, allowed) = ("is not UTF-8".into(), "text in UTF-8".into());
                Err(ConfigError::Wrong(vec![Problem { origin, key: String::new(), value: None, what, allowed }]))
            }
        }
    }

    /// Reads `text` as [`load_explained`](Config::load_explained) reads a file, naming it `file_name` in messages.
    pub fn explain_with_environment(text: &str, file_name: &str) -> Result<Explained, ConfigError> {
        read(text, file_name, environment())
    }

    /// Reads `text`, naming it `file_name` in messages, with the variables in `env` laid over it.
    pub fn from_toml(
        text: &str,
        file_name: &str,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        Config::explain_toml(text, file_name, env).map(|explained| explained.config)
    }

    /// The same, with every value's origin.
    pub fn explain_toml(
        text: &str,
        file_name: &str,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Explained, ConfigError> {
        read(text, file_name, env.map(|(name, value)| (name, Some(value))))
    }
}

/// This process's variables. A name that is not UTF-8 is not one of ours; a value that is not is reported.
fn environment() -> impl Iterator<Item = (String, Option<String>)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok())))
}

fn read(
    text: &str,
    file: &str,
    variables: impl Iterator<Item = (String, Option<String>)>,
) -> Result<Explained, ConfigError> {
    let mut problems = Vec::new();
    let mut root = match tree::parse(text, file) {
        Ok(root) => root,
        Err(mistakes) => {
            let syntax = mistakes.into_iter().map(|Mistake { problem, key_line }| {
                let key = names::key_on_line(text, key_line).unwrap_or_default();
                Problem { key, ..problem }
            });
            // What else is wrong cannot be known, but the variables can be checked at once.
            names::overlay(&mut Table::new(), variables, &mut problems);
            return Err(ConfigError::Wrong(syntax.chain(problems).collect()));
        }
    };
    names::overlay(&mut root, variables, &mut problems);
    names::check(&root, &mut problems);
    let mut reader = Reader::new(&root, file, problems);
    let config = meaning::config(&mut reader);
    let Reader { mut problems, settings, .. } = reader;
    match config {
        Some(config) if problems.is_empty() => Ok(Explained { config, settings }),
        _ => {
            Problem::sort(&mut problems);
            Err(ConfigError::Wrong(problems))
        }
    }
}
