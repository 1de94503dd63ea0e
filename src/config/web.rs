//! The kinds of values that follow the web's own grammars: URLs, hosts, cookie names, paths.

use std::fmt;
use std::net::IpAddr;

use super::UpstreamUrl;
use super::kind::{Kind, parsed};

impl fmt::Display for UpstreamUrl {
    /// As it would be written in a configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

/// The address of a server over HTTP, without a path; `no_path` says why there is none.
pub(super) fn server(no_path: &'static str) -> Kind<UpstreamUrl> {
    let allowed =
        "http:// or https://, a host and a port where it is not the scheme's own, such as \"http://127.0.0.1:3000\"";
    parsed(allowed, move |text| parse_server(text, no_path), UpstreamUrl::to_string)
}

pub(super) fn parse_server(text: &str, no_path: &str) -> Result<UpstreamUrl, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("does not begin with http:// or https://".into());
    };
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return Err("is neither http:// nor https://".into()),
    };
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("holds a user or password, which has no place in an address".into());
    }
    match after {
        "" | "/" => {}
        _ if after.starts_with('/') && !after.contains(['?', '#']) => {
            return Err(format!("has a path, which is not supported: {no_path}"));
        }
        _ => return Err("has more than a scheme, a host and a port".into()),
    }
    let (host, port) = split_port(authority)?;
    let port = port.unwrap_or(if tls { 443 } else { 80 });
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => {
            v6.parse::<std::net::Ipv6Addr>().map_err(|_| "has no valid IPv6 address in its brackets")?.to_string()
        }
        None => parse_host(host)?,
    };
    Ok(UpstreamUrl { tls, host, port })
}

/// Takes `host:port` apart; the port is not 0.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), String> {
    let Some((host, port)) = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')) else {
        return Ok((authority, None));
    };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(port) if digits && port != 0 => Ok((host, Some(port))),
        _ => Err("has a port that is not a number from 1 to 65535".into()),
    }
}

/// A host name or IPv4 address, in lower case.
pub(super) fn parse_host(host: &str) -> Result<String, String> {
    if host.is_empty() {
        return Err("has no host".into());
    }
    if !host.is_ascii() {
        return Err("has letters beyond ASCII in its host; write the xn-- form".into());
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if host.len() > 253 || !name.split('.').all(label) {
        return Err("has no valid host name".into());
    }
    // Some resolvers read `127.1` and `2130706433` as addresses; what looks like one must be a whole one.
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) && host.parse::<IpAddr>().is_err() {
        return Err("has neither a host name nor a whole IPv4 address".into());
    }
    Ok(host.to_ascii_lowercase())
}

/// The host of third-party resources: `host`, `host:port`, `*.host`.
pub(super) fn tag_host() -> Kind<String> {
    let parse = |text: &str| {
        if text.contains('/') || text.contains('@') {
            return Err("is more than a host".into());
        }
        let (host, port) = split_port(text)?;
        let (star, name) = match host.strip_prefix("*.") {
            Some(name) => ("*.", name),
            None => ("", host),
        };
        if name.contains('*') {
            return Err("has a star elsewhere than in a leading `*.`".to_owned());
        }
        let host = format!("{star}{}", parse_host(name)?);
        Ok(port.map_or(host.clone(), |port| format!("{host}:{port}")))
    };
    let allowed =
        "a host such as \"www.example.com\" or \"cdn.example.com:8443\", or \"*.example.com\" for every host below";
    parsed(allowed, parse, String::clone)
}

/// A host's name alone, without port and stars.
pub(super) fn plain_host() -> Kind<String> {
    parsed("hosts such as \"www.example.com\"", parse_host, String::clone)
}

/// A domain that cookies can be set for.
pub(super) fn domain() -> Kind<String> {
    let parse = |text: &str| {
        let domain = parse_host(text.strip_prefix('.').unwrap_or(text))?;
        match domain.parse::<IpAddr>() {
            Ok(_) => Err("is an address, and a cookie of one cannot be shared".into()),
            Err(_) if domain != "localhost" && !domain.contains('.') => {
                Err("is a whole top-level domain, for which browsers set no cookie".into())
            }
            Err(_) => Ok(domain),
        }
    };
    parsed("a domain such as \"example.com\", without scheme and port", parse, String::clone)
}

/// A cookie's name, and whether it is only the beginning of one.
pub(super) fn cookie_name() -> Kind<(String, bool)> {
    let parse = |text: &str| {
        let (name, prefix) = match text.strip_suffix('*') {
            Some(name) => (name, true),
            None => (text, false),
        };
        // RFC 6265 §4.1.1: a name is a token. The star is one of its characters, but is ours to give a meaning.
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte);
        match name {
            "" if prefix => Err("would declare every cookie there is".into()),
            "" => Err("is empty".into()),
            _ if name.contains('*') => Err("has a star elsewhere than at its end".into()),
            _ if !name.bytes().all(token) => Err("has characters that a cookie's name cannot have".into()),
            _ if name.len() > 128 => Err("is longer than 128 characters".into()),
            _ if is_ours(name) => Err("is kept for the gateway's own cookies, which need no declaration".into()),
            _ if prefix && "consentry".starts_with(name) => Err("would take in the gateway's own cookies".into()),
            _ => Ok((name.to_owned(), prefix)),
        }
    };
    let show = |(name, prefix): &(String, bool)| if *prefix { format!("{name}*") } else { name.clone() };
    parsed(
        "a cookie's name such as \"_ga\", or its beginning and a star such as \"_ga_*\", none of it consentry*",
        parse,
        show,
    )
}

/// The path a cookie is set for.
pub(super) fn cookie_path() -> Kind<String> {
    let parse = |text: &str| match text {
        _ if !text.starts_with('/') => Err("does not begin with a slash".into()),
        _ if text.len() > 256 => Err("is longer than 256 characters".into()),
        _ if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';') => {
            Err("has characters that a cookie's path cannot have".into())
        }
        _ => Ok(text.to_owned()),
    };
    parsed(
        "a path such as \"/shop\", written as the cookie has it: with or without a slash at its end",
        parse,
        String::clone,
    )
}

/// The domain a cookie is set for. A dot before it means nothing (RFC 6265 §5.2.3).
pub(super) fn cookie_domain() -> Kind<String> {
    let parse = |text: &str| parse_host(text.strip_prefix('.').unwrap_or(text));
    parsed("a domain such as \"example.com\"", parse, String::clone)
}

/// Whatever the letters' case, as browsers compare the prefixes and the filters our name.
fn is_ours(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let bare = name.strip_prefix("__host-").or_else(|| name.strip_prefix("__secure-")).unwrap_or(&name);
    bare.starts_with("consentry")
}

/// The folder of the visitor's endpoints.
pub(super) fn folder() -> Kind<String> {
    let parse = |text: &str| {
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
        match text {
            _ if !text.starts_with('/') => Err("does not begin with a slash"),
            "/" => Err("would take the whole site"),
            _ if text.ends_with('/') => Err("ends with a slash"),
            _ if text.len() > 64 => Err("is longer than 64 characters"),
            _ if !text.bytes().all(safe) => Err("has characters other than letters, digits and - _ . ~ /"),
            _ if text[1..].split('/').any(|part| matches!(part, "" | "." | "..")) => Err("has an empty or dotted part"),
            _ => Ok(text.to_owned()),
        }
        .map_err(str::to_owned)
    };
    parsed("a path such as \"/_privacy\": a leading slash, none at its end", parse, String::clone)
}

/// Where somebody can be reached: a mail address, or a link.
pub(super) fn contact() -> Kind<String> {
    let parse = |text: &str| {
        if !text.contains('@') || text.contains('/') {
            return parse_link(text).map_err(|_| "is neither a mail address nor a link".into());
        }
        let bad = |c: char| c.is_whitespace() || c.is_control() || "\"'<>\\`{}|^?&#%:,;()[]".contains(c);
        match text.split_once('@') {
            _ if text.len() > 254 || text.contains(bad) => Err("is no mail address".into()),
            Some((name, host)) if !name.is_empty() && host.contains('.') && parse_host(host).is_ok() => {
                Ok(text.to_owned())
            }
            _ => Err("is no mail address".into()),
        }
    };
    let allowed =
        "a mail address such as \"privacy@example.org\", a URL with http:// or https://, or a path on the site";
    parsed(allowed, parse, String::clone)
}

/// A link: a whole URL, or a path on the site.
pub(super) fn link() -> Kind<String> {
    parsed("a URL with http:// or https://, or a path that begins with one slash", parse_link, String::clone)
}

fn parse_link(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let on_site = text.starts_with('/') && !text.starts_with("//") && !text.starts_with("/\\");
    let bad = |c: char| c.is_whitespace() || c.is_control() || "\"'<>\\`{}|^".contains(c);
    if text.len() > 2048 {
        Err("is longer than 2048 characters".into())
    } else if text.contains(bad) {
        Err("has characters that must be percent-encoded".into())
    } else if on_site || rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':'])) {
        Ok(text.to_owned())
    } else {
        Err("is neither a whole URL nor a path on the site".into())
    }
}

/// One key of a URL's query.
pub(super) fn query_key() -> Kind<String> {
    let parse = |text: &str| {
        let bad = |c: char| c.is_whitespace() || c.is_control() || "&=#?".contains(c);
        match text.chars().count() {
            0 => Err("is empty".into()),
            length if length > 64 => Err(format!("has {length} characters")),
            _ if text.contains(bad) => Err("is more than the name of a query key".into()),
            _ => Ok(text.to_owned()),
        }
    };
    parsed("names of query keys such as \"page\", of 1 to 64 characters", parse, String::clone)
}
