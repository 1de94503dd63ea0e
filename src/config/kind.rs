//! The kinds of values keys take: how each is read, written and described. All pure.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::problem::Origin;
use super::tree::{Node, Value};
use super::units::{parse_duration, parse_size, show_duration, show_size};
use super::{Geo, Period};

/// A kind of value.
pub(super) struct Kind<T> {
    /// Reads it, or says everything that is wrong.
    pub read: Box<Read<T>>,
    /// Writes it as TOML that reads back as the same value.
    pub show: Box<dyn Fn(&T) -> String>,
    /// What is allowed, in words.
    pub allowed: String,
}

type Read<T> = dyn Fn(&Node) -> Result<T, Vec<Wrong>>;

/// What is wrong with a value.
pub(super) struct Wrong {
    pub origin: Origin,
    pub value: String,
    pub what: String,
}

impl Wrong {
    pub(super) fn of(node: &Node, what: impl Into<String>) -> Vec<Wrong> {
        vec![Wrong { origin: node.origin.clone(), value: node.shown(), what: what.into() }]
    }
}

/// A text as TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A kind that is written as a text: `parse` says what is wrong with it.
pub(super) fn parsed<T: 'static>(
    allowed: impl Into<String>,
    parse: impl Fn(&str) -> Result<T, String> + 'static,
    show: impl Fn(&T) -> String + 'static,
) -> Kind<T> {
    let read = move |node: &Node| match node.text() {
        Some(text) => parse(text).map_err(|what| Wrong::of(node, what)),
        None => Err(Wrong::of(node, format!("is {}, not a text in quotes", node.kind()))),
    };
    Kind { read: Box::new(read), show: Box::new(move |value| quoted(&show(value))), allowed: allowed.into() }
}

/// A whole number from `least` to `most`.
pub(super) fn whole<T: TryFrom<i128> + Display + 'static>(least: i128, most: i128) -> Kind<T> {
    let read = move |node: &Node| match node.value {
        Value::Whole(number) if (least..=most).contains(&number) => {
            T::try_from(number).map_err(|_| Wrong::of(node, "is out of bounds"))
        }
        Value::Whole(number) if number < least => Err(Wrong::of(node, "is too small")),
        Value::Whole(_) => Err(Wrong::of(node, "is too large")),
        _ => Err(Wrong::of(node, format!("is {}, not a whole number", node.kind()))),
    };
    let allowed = format!("a whole number from {least} to {most}");
    Kind { read: Box::new(read), show: Box::new(|value| value.to_string()), allowed }
}

/// A number of bytes.
pub(super) fn size(least: u64, most: u64) -> Kind<u64> {
    let read = move |node: &Node| {
        let bytes = match &node.value {
            Value::Whole(number) if *number < 0 => return Err(Wrong::of(node, "is too small")),
            Value::Whole(number) => u64::try_from(*number).unwrap_or(u64::MAX),
            Value::Text(text) => parse_size(text).ok_or_else(|| Wrong::of(node, "is not a size"))?,
            _ => return Err(Wrong::of(node, format!("is {}, not a size", node.kind()))),
        };
        match bytes {
            _ if bytes < least => Err(Wrong::of(node, "is too small")),
            _ if bytes > most => Err(Wrong::of(node, "is too large")),
            _ => Ok(bytes),
        }
    };
    let bounds = format!("from {} to {}", show_size(least), show_size(most));
    let allowed = format!("bytes as a number or with a unit, such as \"64 KiB\" or \"2 GiB\", {bounds}");
    Kind { read: Box::new(read), show: Box::new(|bytes| quoted(&show_size(*bytes))), allowed }
}

/// A duration.
pub(super) fn duration(least: Duration, most: Duration) -> Kind<Duration> {
    let bounds = format!("from {} to {}", show_duration(least), show_duration(most));
    parsed(
        format!("a duration with its unit, such as \"500ms\", \"30s\" or \"5 minutes\", {bounds}"),
        move |text| match parse_duration(text) {
            None => Err("is not a duration with its unit".into()),
            Some(duration) if duration < least => Err("is too short".into()),
            Some(duration) if duration > most => Err("is too long".into()),
            Some(duration) => Ok(duration),
        },
        |duration| show_duration(*duration),
    )
}

/// A period by the calendar.
pub(super) fn period() -> Kind<Period> {
    let allowed = "a period such as \"6 years\", \"48 months\" or \"90 days\", from 1 day to 100 years";
    parsed(allowed, |text| Period::parse(text).ok_or_else(|| "is not a period".into()), Period::to_string)
}

/// A period by the calendar, or the word for none.
pub(super) fn period_or(word: &'static str) -> Kind<Option<Period>> {
    let parse = move |text: &str| match Period::parse(text) {
        Some(period) => Ok(Some(period)),
        None if text == word => Ok(None),
        None => Err("is not a period".into()),
    };
    let allowed = format!("a period such as \"1 day\", \"2 weeks\" or \"13 months\", or \"{word}\"");
    parsed(allowed, parse, move |period| period.map_or(word.to_owned(), |period| period.to_string()))
}

/// Text for people; every run of white space counts as one space, so that it may be written over several lines.
pub(super) fn text(most: usize) -> Kind<String> {
    let parse = move |text: &str| {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match text.chars().count() {
            0 => Err("is empty".into()),
            length if length > most => Err(format!("has {length} characters")),
            _ if text.contains(char::is_control) => Err("has control characters".into()),
            _ => Ok(text),
        }
    };
    parsed(format!("a text of 1 to {most} characters"), parse, String::clone)
}

/// A file or folder; a relative one counts from the current directory.
pub(super) fn path() -> Kind<PathBuf> {
    let parse = |text: &str| match text {
        "" => Err("is empty".into()),
        _ if text.contains(char::is_control) => Err("has control characters".into()),
        _ => Ok(PathBuf::from(text)),
    };
    parsed("a path; a relative one counts from the current directory", parse, |path| path.display().to_string())
}

/// An address to listen at.
pub(super) fn address() -> Kind<SocketAddr> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            let port = text.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok());
            match port {
                Some(port) if text.starts_with("localhost:") => {
                    format!("is a name, not an address; write \"127.0.0.1:{port}\"")
                }
                Some(port) if text.starts_with([':', '*']) => {
                    format!("has no IP address; write \"0.0.0.0:{port}\" for all")
                }
                _ if text.parse::<std::net::IpAddr>().is_ok() => "has no port".into(),
                _ => "is not an address with a port".into(),
            }
        })
    };
    let allowed = "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::]:8080\"; port 0 takes any free one";
    parsed(allowed, parse, SocketAddr::to_string)
}

/// A network; a single address is one, too. One of IPv4 addresses within IPv6 (RFC 4291 §2.5.5.2) is the network of IPv4: no
/// address is ever compared in the longer form.
pub(super) fn network() -> Kind<IpNet> {
    let parse = |text: &str| {
        let net: Option<IpNet> = text.parse().ok();
        let net = net.or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
        let net = net.ok_or("is not a network")?;
        let mapped = match net {
            IpNet::V6(net) => net.addr().to_ipv4_mapped().map(|address| (address, net.prefix_len().checked_sub(96))),
            IpNet::V4(_) => None,
        };
        match mapped {
            None => Ok(net.trunc()),
            Some((address, Some(length))) => {
                IpNet::new(address.into(), length).map(|net| net.trunc()).map_err(|error| error.to_string())
            }
            Some((address, None)) => {
                Err(format!("is more than the IPv4 addresses within IPv6; write {address} with a length of its own"))
            }
        }
    };
    parsed("networks such as \"10.0.0.0/8\" or \"2001:db8::/32\", or single addresses", parse, IpNet::to_string)
}

/// A list of values that are all different.
pub(super) fn list<T: PartialEq + 'static>(most: usize, of: Kind<T>) -> Kind<Vec<T>> {
    let (read_one, show_one) = (of.read, of.show);
    let read = move |node: &Node| {
        let Value::List(items) = &node.value else {
            return Err(Wrong::of(node, format!("is {}, not a list in brackets", node.kind())));
        };
        if items.len() > most {
            return Err(Wrong::of(node, format!("has {} elements", items.len())));
        }
        let (mut values, mut wrong) = (Vec::new(), Vec::new());
        for item in items {
            match read_one(item) {
                Ok(value) if values.contains(&value) => wrong.extend(Wrong::of(item, "is there twice")),
                Ok(value) => values.push(value),
                Err(these) => wrong.extend(these),
            }
        }
        if wrong.is_empty() { Ok(values) } else { Err(wrong) }
    };
    let show = move |values: &Vec<T>| format!("[{}]", values.iter().map(&show_one).collect::<Vec<_>>().join(", "));
    let allowed = format!("a list of at most {most} {}", of.allowed);
    Kind { read: Box::new(read), show: Box::new(show), allowed }
}

/// How many bits of an address are kept: one of two widths, or none.
pub(super) fn prefix(wide: u8, narrow: u8) -> Kind<u8> {
    let read = move |node: &Node| match &node.value {
        Value::Whole(0) => Ok(0),
        Value::Whole(bits) if *bits == i128::from(wide) => Ok(wide),
        Value::Whole(bits) if *bits == i128::from(narrow) => Ok(narrow),
        Value::Text(text) if text == "none" => Ok(0),
        Value::Whole(bits) if *bits > i128::from(wide) => Err(Wrong::of(node, "keeps more than may be kept (D1)")),
        _ => Err(Wrong::of(node, "is not one of the prefixes")),
    };
    let show = |bits: &u8| if *bits == 0 { quoted("none") } else { bits.to_string() };
    Kind { read: Box::new(read), show: Box::new(show), allowed: format!("{wide}, {narrow}, 0 or \"none\"") }
}

/// Yes or no.
pub(super) fn truth() -> Kind<bool> {
    let read = |node: &Node| match node.value {
        Value::Truth(truth) => Ok(truth),
        _ => Err(Wrong::of(node, format!("is {}, not true or false", node.kind()))),
    };
    Kind { read: Box::new(read), show: Box::new(|truth| truth.to_string()), allowed: "true or false".into() }
}

/// One of a few words.
pub(super) fn word<T: Copy + PartialEq + 'static>(words: &'static [(&'static str, T)]) -> Kind<T> {
    let list: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let parse = move |text: &str| {
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| "is none of the words".into())
    };
    let show = move |value: &T| {
        let found = words.iter().find(|(_, other)| other == value);
        found.map(|(word, _)| (*word).to_owned()).unwrap_or_default()
    };
    parsed(list.join(", "), parse, show)
}

/// One of a few words, as a text.
pub(super) fn words(words: &'static [&'static str]) -> Kind<String> {
    let allowed = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    let parse = move |text: &str| match words.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err("is none of the words".into()),
    };
    parsed(allowed, parse, String::clone)
}

/// A country by its two capital letters.
pub(super) fn country() -> Kind<String> {
    let parse = |text: &str| match text {
        "UK" => Err("is not the United Kingdom's code; write \"GB\"".into()),
        _ if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(text.to_owned()),
        _ => Err("is not a country's code".into()),
    };
    parsed("countries by their codes of ISO 3166-1, such as \"GB\"", parse, String::clone)
}

/// The geo database. A file is recognised by its ending or by a slash, so that a mistyped word is not taken for one.
pub(super) fn geo() -> Kind<Geo> {
    let parse = |text: &str| match text {
        "country" => Ok(Geo::Country),
        "off" => Ok(Geo::Off),
        _ if text.contains(char::is_control) => Err("has control characters".into()),
        _ if text.contains('/') || text.ends_with(".mmdb") => Ok(Geo::File(text.into())),
        _ => Err("is neither a known word nor a file".into()),
    };
    let show = |geo: &Geo| match geo {
        Geo::Country => "country".to_owned(),
        Geo::Off => "off".to_owned(),
        Geo::File(path) => path.display().to_string(),
    };
    parsed("\"country\", \"off\" or the path of a file that ends in .mmdb", parse, show)
}
