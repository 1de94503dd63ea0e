//! `[observe]`: what is written of single requests, and what the site is told of traces.

use std::path::PathBuf;

use super::Config;
use super::kind::{self, Kind, parsed, quoted};
use super::read::{Place, Reader};
use crate::observe::Destination;
use crate::pseudonym::IpPrefixes;

/// What is written of single requests, and what the site is told of traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// Where the access log goes; default nowhere.
    pub access: Option<Destination>,
    /// The security log's file, without the day it is of; default none.
    pub security: Option<PathBuf>,
    /// Days after which a day of the security log is deleted; default 7.
    pub security_days: u16,
    /// Whether the site is given a `traceparent` where the request brings none; default no.
    pub traceparent: bool,
    /// Whether a trace that is begun here is marked to be recorded; default yes.
    pub trace_sampled: bool,
}

/// Reads the keys.
pub(super) fn read(reader: &mut Reader<'_>, place: &Place<'_>) -> Logs {
    let logs = Logs {
        access: reader.get(place, "access_log", access_log()),
        security: reader.maybe(place, "security_log", kind::path()),
        security_days: reader.get(place, "security_log_days", kind::whole(1, 90)),
        traceparent: reader.get(place, "traceparent", kind::truth()),
        trace_sampled: reader.get(place, "trace_sampled", kind::truth()),
    };
    if let (Some(Destination::File(access)), Some(security)) = (&logs.access, &logs.security)
        && access == security
    {
        let shown = Some(quoted(&security.display().to_string()));
        let what = "is the access log's file too; the two are kept for different periods".into();
        reader.refuse(place, "security_log", shown, what, "a file of its own".into());
    }
    logs
}

/// A file is recognised by a slash or a dot, so that a mistyped word is not taken for one.
fn access_log() -> Kind<Option<Destination>> {
    let parse = |text: &str| match text {
        "off" => Ok(None),
        "stdout" => Ok(Some(Destination::Stdout)),
        _ if text.contains(char::is_control) => Err("has control characters".into()),
        _ if text.ends_with('/') => Err("is a folder".into()),
        _ if text.contains(['/', '.']) => Ok(Some(Destination::File(text.into()))),
        _ => Err("is neither a known word nor a file".into()),
    };
    let show = |log: &Option<Destination>| match log {
        None => "off".to_owned(),
        Some(Destination::Stdout) => "stdout".to_owned(),
        Some(Destination::File(path)) => path.display().to_string(),
    };
    parsed("\"off\", \"stdout\" or the path of a file", parse, show)
}

/// What is written of requests, in words.
pub(super) fn sentence(config: &Config) -> String {
    let logs = &config.observe.logs;
    let access = match &logs.access {
        None => "No log of single requests is written".to_owned(),
        Some(Destination::Stdout) => "Each request is a line on stdout, without personal data".to_owned(),
        Some(Destination::File(path)) => format!("Each request is a line in {}, without personal data", path.display()),
    };
    let IpPrefixes { v4, v6 } = config.ip_prefixes;
    match &logs.security {
        None => format!("{access}."),
        Some(path) => format!(
            "{access}; refused ones are in {} with {v4} bits of an IPv4 or {v6} of an IPv6 address, for {} days.",
            path.display(),
            logs.security_days
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigError;

    fn read(observe: &str) -> Result<Config, ConfigError> {
        let text = format!("[gateway]\nupstream = \"http://127.0.0.1:3000\"\n[observe]\n{observe}");
        Config::from_toml(&text, "consentry.toml", std::iter::empty())
    }

    #[test]
    fn nothing_is_written_of_single_requests_unless_asked_for() {
        let config = read("").unwrap();
        let logs = &config.observe.logs;
        assert_eq!((&logs.access, &logs.security, logs.traceparent), (&None, &None, false));
        assert_eq!(sentence(&config), "No log of single requests is written.");
        assert_eq!(config.gateway.drain.as_secs(), 10);
    }

    #[test]
    fn logs_are_named_by_where_they_go() {
        let config = read("access_log = \"stdout\"\nsecurity_log = \"/var/log/refused\"").unwrap();
        assert_eq!(config.observe.logs.access, Some(Destination::Stdout));
        assert!(sentence(&config).ends_with(
            "refused ones are in /var/log/refused with 24 bits of an IPv4 or 48 of an IPv6 address, for 7 days."
        ));
        let config = read("access_log = \"access.log\"").unwrap();
        assert_eq!(config.observe.logs.access, Some(Destination::File("access.log".into())));
    }

    #[test]
    fn a_wrong_log_is_named_with_what_is_allowed() {
        for (wrong, said) in [
            ("access_log = \"stdoutt\"", "is neither a known word nor a file"),
            ("access_log = true", "not a text in quotes"),
            ("access_log = \"logs/\"", "is a folder"),
            ("security_log_days = 91", "is too large"),
            ("access_log = \"a.log\"\nsecurity_log = \"a.log\"", "is the access log's file too"),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }
}
