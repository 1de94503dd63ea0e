//! A line of the access log, and one of the security log: JSON, with nothing in it that a visitor could have written (D1). A
//! method is one of the known ones, a host is one by its letters, a path is the class that scrubbing gives.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::latency::Route;

/// A host that is no host's name by its letters, or could be a number of somebody.
const OTHER: &str = "(other)";
/// A host's longest label, in letters, and its longest run of digits.
const LABEL: usize = 40;
const DIGITS: usize = 4;

/// One request, once its answer has ended.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it came, in milliseconds since 1970.
    pub time_ms: i64,
    /// What it is called in the log, in the request to the site and on error pages: random, or a listed proxy's word of
    /// letters, digits, `-`, `_` and `.`.
    pub id: String,
    /// Its method, if it is a known one.
    pub method: &'static str,
    /// The site's host, by [`host`].
    pub host: String,
    /// What it is about.
    pub route: Route,
    /// The class of its path, as scrubbing gives it.
    pub path: String,
    /// What the visitor allows: `none` where there is no choice, `refused`, `some` or `all`.
    pub consent: &'static str,
    /// The answer's status.
    pub status: u16,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// How the answer ended: `complete`, `aborted` (the visitor went away) or `broken` (the site did).
    pub end: &'static str,
    /// Microseconds of the gateway's own work until the answer's head.
    pub head_us: u64,
    /// Microseconds until the site's answer began; nothing where it was not asked.
    pub upstream_us: Option<u64>,
    /// Microseconds from the answer's head to its end.
    pub body_us: u64,
}

impl Line {
    /// As one line of JSON. Durations are in milliseconds.
    pub fn json(&self) -> String {
        let mut out = String::with_capacity(320);
        let total = self.head_us + self.upstream_us.unwrap_or_default() + self.body_us;
        let put = write!(
            out,
            "{{\"time\":\"{}\",\"id\":\"{}\",\"method\":\"{}\",\"host\":{},\"route\":\"{}\",\"path\":{},\
             \"consent\":\"{}\",\"status\":{},\"bytes\":{},\"end\":\"{}\",\"head_ms\":{},\"upstream_ms\":{},\
             \"body_ms\":{},\"total_ms\":{}}}",
            time(self.time_ms),
            self.id,
            self.method,
            quoted(&self.host),
            self.route.word(),
            quoted(&self.path),
            self.consent,
            self.status,
            self.bytes,
            self.end,
            milliseconds(self.head_us),
            self.upstream_us.map_or("null".to_owned(), milliseconds),
            milliseconds(self.body_us),
            milliseconds(total),
        );
        put.expect("a string takes every line");
        out
    }
}

/// A request that was refused.
#[derive(Clone, Debug)]
pub struct Refused<'r> {
    /// When it came, in milliseconds since 1970.
    pub time_ms: i64,
    /// Its method, if it is a known one; nothing where a connection was closed without a word.
    pub method: Option<&'static str>,
    /// The answer's status, where there is one.
    pub status: Option<u16>,
    /// Why, as a word.
    pub reason: &'r str,
    /// The network it came from; never the address.
    pub network: &'r str,
}

impl Refused<'_> {
    /// As one line of JSON.
    pub fn json(&self) -> String {
        format!(
            "{{\"time\":\"{}\",\"method\":{},\"status\":{},\"reason\":{},\"network\":{}}}",
            time(self.time_ms),
            self.method.map_or("null".to_owned(), quoted),
            self.status.map_or("null".to_owned(), |status| status.to_string()),
            quoted(self.reason),
            quoted(self.network)
        )
    }
}

/// A method by its name, or that it is none of the known ones.
pub fn method(name: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == name).unwrap_or("other")
}

/// A host as it may be written down, of what scrubbing has left of its name: visitors can send any.
pub fn host(scrubbed: &str) -> String {
    let is_plain = |label: &str| {
        let mut run = 0;
        label.len() <= LABEL
            && label.bytes().all(|b| {
                run = if b.is_ascii_digit() { run + 1 } else { 0 };
                run <= DIGITS && (b.is_ascii_alphanumeric() || b"-[]".contains(&b))
            })
    };
    match scrubbed.len() {
        1..=253 if scrubbed.split('.').all(is_plain) => scrubbed.to_owned(),
        _ => OTHER.to_owned(),
    }
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |time| format!("{time:.3}"))
}

fn milliseconds(us: u64) -> String {
    format!("{}.{:03}", us / 1000, us % 1000)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line() -> Line {
        Line {
            time_ms: 1_795_737_600_123,
            id: "0000000000000007".into(),
            method: "GET",
            host: "shop.example".into(),
            route: Route::Page,
            path: "/pricing".into(),
            consent: "all",
            status: 200,
            bytes: 5123,
            end: "complete",
            head_us: 41,
            upstream_us: Some(12_300),
            body_us: 900,
        }
    }

    #[test]
    fn a_line_is_json_with_durations_in_milliseconds() {
        assert_eq!(
            line().json(),
            "{\"time\":\"2026-11-27T00:00:00.123Z\",\"id\":\"0000000000000007\",\"method\":\"GET\",\
             \"host\":\"shop.example\",\"route\":\"page\",\"path\":\"/pricing\",\"consent\":\"all\",\"status\":200,\
             \"bytes\":5123,\"end\":\"complete\",\"head_ms\":0.041,\"upstream_ms\":12.300,\"body_ms\":0.900,\
             \"total_ms\":13.241}"
        );
        let own = Line { upstream_us: None, path: "a\"b\n".into(), ..line() }.json();
        let own: serde_json::Value = serde_json::from_str(&own).unwrap();
        assert_eq!((&own["upstream_ms"], &own["path"]), (&serde_json::Value::Null, &"a\"b\n".into()));
        let refused =
            Refused { time_ms: 0, method: Some("GET"), status: Some(400), reason: "host", network: "203.0.113.0" };
        assert_eq!(
            refused.json(),
            "{\"time\":\"1970-01-01T00:00:00.000Z\",\"method\":\"GET\",\"status\":400,\"reason\":\"host\",\
             \"network\":\"203.0.113.0\"}"
        );
        let closed = Refused { method: None, status: None, ..refused };
        assert!(closed.json().contains("\"method\":null,\"status\":null"), "{}", closed.json());
    }

    #[test]
    fn rule_d1_what_a_visitor_makes_up_is_not_written_down() {
        assert_eq!(method("GET"), "GET");
        assert_eq!(method("JANE"), "other");
        for (sent, written) in [
            ("shop.example", "shop.example"),
            ("[address]", "[address]"),
            ("ec2-[address].compute.example", "ec2-[address].compute.example"),
            ("9434765919.example.com", OTHER),
            ("jane@example.com", OTHER),
            ("", OTHER),
            (&format!("{}.example", "a".repeat(41)), OTHER),
        ] {
            assert_eq!(host(sent), written, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn every_host_makes_a_line_of_json(sent in "\\PC{0,60}") {
            let line = Line { host: host(&sent), ..line() };
            let read: serde_json::Value = serde_json::from_str(&line.json()).unwrap();
            prop_assert!(!line.json().contains('\n'));
            let host = read["host"].as_str().unwrap();
            prop_assert!(host == OTHER || host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.[]".contains(&b)));
        }
    }
}
