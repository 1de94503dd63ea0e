//! `consentry check`: says whether a configuration is right, what is in effect and what it amounts to. Opens the files that it
//! names as a start would; starts nothing and writes nothing.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::config::{self, Config, ConfigError, Explained, Shares};
use crate::engine::limits;
use crate::front::named;

/// Explain the effective configuration, or say what is wrong with it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  consentry check --print-example > consentry.toml
  consentry check --config consentry.toml
  CONSENTRY__GATEWAY__LISTEN=127.0.0.1:8081 consentry check --json

The files that the configuration names are opened as `consentry serve` would open them: run it as that user.

Exit code: 0 where the configuration is valid, 2 where it is not.")]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    pub config: PathBuf,
    /// Print JSON for machines
    #[arg(long)]
    pub json: bool,
    /// Print a whole configuration with every key explained, and check nothing
    #[arg(long, conflicts_with_all = ["config", "json"])]
    pub print_example: bool,
}

/// Runs it: results go to stdout, what is wrong to stderr.
pub fn run(args: &Args) -> ExitCode {
    let (out, code) = match args.print_example {
        true => (config::example().to_owned(), 0),
        false => match load(&args.config) {
            Ok(explained) if args.json => (format!("{:#}\n", explained.to_json()), 0),
            Ok(explained) => (explanation(&explained, &args.config), 0),
            Err(error) => {
                // The terminal being gone is no reason to end in another way.
                let _ = writeln!(io::stderr(), "{}", complaint(&error));
                let json = || format!("{:#}\n", as_json(&error));
                (if args.json { json() } else { String::new() }, 2)
            }
        },
    };
    match io::stdout().write_all(out.as_bytes()) {
        // A reader such as `head` that has seen enough is content.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(1),
        _ => ExitCode::from(code),
    }
}

/// What a start would load, and open.
pub fn load(path: &Path) -> Result<Explained, ConfigError> {
    let explained = Config::load_explained(path)?;
    named::check(&explained, None)?;
    Ok(explained)
}

/// What a person reads about a wrong configuration: one line for each problem, and how many there are.
pub fn complaint(error: &ConfigError) -> String {
    let explained = "every key is explained by: consentry check --print-example";
    match error.problems().len() {
        0 => error.to_string(),
        1 => format!("{error}\n1 problem; {explained}"),
        many => format!("{error}\n{many} problems; {explained}"),
    }
}

fn explanation(explained: &config::Explained, path: &Path) -> String {
    let mut text = format!("# {} is valid. In effect are:\n\n{}", path.display(), explained.to_toml());
    text.push_str("\n# What this means\n");
    for sentence in explained.consequences() {
        text.push_str(&format!("# - {sentence}\n"));
    }
    if let Some(shortfall) = Shares::of(&explained.config.gateway, limits::descriptors()).shortfall() {
        text.push_str(&format!("# - Here and now {shortfall}.\n"));
    }
    text
}

fn as_json(error: &ConfigError) -> serde_json::Value {
    match error.problems() {
        [] => json!({ "valid": false, "error": error.to_string() }),
        problems => json!({ "valid": false, "problems": problems }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_file_is_a_line_for_each_problem_and_json_for_machines() {
        let text = "[gateway]\nupstream = \"http://a\"\nupsteam = 1\nsite_id = 0\n";
        let error = Config::from_toml(text, "a.toml", std::iter::empty()).expect_err("two things are wrong");
        let said = complaint(&error);
        assert!(
            said.starts_with("a.toml:3:1: gateway.upsteam: unknown key (did you mean `upstream`?); allowed: "),
            "{said}"
        );
        assert!(said.lines().last().is_some_and(|last| last.starts_with("2 problems; ")), "{said}");
        let json = as_json(&error);
        assert_eq!((&json["valid"], &json["problems"][1]["line"]), (&json!(false), &json!(4)));
        assert_eq!(json["problems"][1]["key"], "gateway.site_id");
        assert_eq!(json["problems"][1]["value"], "0");
    }

    #[test]
    fn machines_read_every_value_with_its_origin() {
        let text = "[gateway]\nupstream = \"http://a\"\n";
        let env = [("CONSENTRY__GATEWAY__SITE_ID".to_owned(), "7".to_owned())];
        let json = Config::explain_toml(text, "a.toml", env.into_iter()).unwrap().to_json();
        let of = |key: &str| json["settings"].as_array().unwrap().iter().find(|s| s["key"] == key).unwrap().clone();
        assert_eq!(of("gateway.upstream")["line"], 2);
        assert_eq!(of("gateway.site_id")["value"], 7);
        assert_eq!(of("gateway.site_id")["variable"], "CONSENTRY__GATEWAY__SITE_ID");
        assert_eq!(of("gateway.trusted_proxies")["value"], json!([]));
        assert_eq!(of("gateway.trusted_proxies")["origin"], "default");
        assert_eq!(of("clickhouse.url")["value"], serde_json::Value::Null);
        assert!(json["consequences"].as_array().is_some_and(|sentences| sentences.len() > 5));
    }

    #[test]
    fn what_a_person_reads_is_a_configuration_itself() {
        let text = "[gateway]\nupstream = \"http://a\"\n";
        let explained = Config::explain_toml(text, "a.toml", std::iter::empty()).unwrap();
        let printed = explanation(&explained, Path::new("a.toml"));
        assert!(printed.contains("# a.toml:2: the site behind the gateway"), "{printed}");
        assert!(Config::from_toml(&printed, "printed", std::iter::empty()).is_ok(), "{printed}");
    }
}
