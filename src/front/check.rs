//! What hyper lets through and a gateway must refuse, before anything else looks at a request. Smuggling and cache
//! poisoning begin where two programs read one request in two ways, so everything ambiguous ends here.

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method, StatusCode, Uri, Version};

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// RFC 9112 §3.2
    #[error("a request needs exactly one valid Host header")]
    Host,
    /// RFC 9112 §3.2.2: the target's authority and `Host` differ.
    #[error("the request's target and its Host header name different hosts")]
    OtherHost,
    /// RFC 9113 §8.2: what is no field there would be one once it is written out for the site.
    #[error("a header is not as HTTP/2 wants it")]
    Field,
    /// RFC 9112 §6.1
    #[error("the length of the request's body is ambiguous")]
    Framing,
    /// RFC 9112 §6.1: a coding we do not undo.
    #[error("only the transfer coding `chunked` is known")]
    Coding,
    /// `CONNECT` and the like.
    #[error("this method is not allowed here")]
    Method,
    /// Neither a path nor `*` for `OPTIONS`.
    #[error("the request's target is not a path")]
    Target,
    /// RFC 9110 §10.1.1
    #[error("the expectation cannot be met")]
    Expectation,
    /// A target that alone is more than a head may be (RFC 9112 §3).
    #[error("the request's target is longer than this site allows")]
    TargetTooLong,
    /// More head than the configuration allows.
    #[error("the request's head is larger than this site allows")]
    HeadTooLarge,
    /// More body than the configuration allows.
    #[error("the request's body is larger than this site allows")]
    BodyTooLarge,
    /// It may have been a part of them.
    #[error("nothing is read of a connection after a request with trailers")]
    AfterTrailers,
}

impl Refusal {
    /// The status the visitor gets.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::Host
            | Refusal::OtherHost
            | Refusal::Field
            | Refusal::Framing
            | Refusal::Target
            | Refusal::AfterTrailers => StatusCode::BAD_REQUEST,
            Refusal::Coding => StatusCode::NOT_IMPLEMENTED,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Expectation => StatusCode::EXPECTATION_FAILED,
            Refusal::TargetTooLong => StatusCode::URI_TOO_LONG,
            Refusal::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    /// Whether nobody can say where the request ends, or nobody will read to its end: what follows on its connection is no
    /// request then (RFC 9112 §6.3).
    pub fn ends_connection(self) -> bool {
        matches!(self, Refusal::Framing | Refusal::Coding | Refusal::BodyTooLarge | Refusal::AfterTrailers)
    }
}

/// Bounds a request is held to.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of target and headers.
    pub head: usize,
    /// Bytes of a body whose length is announced.
    pub body: u64,
}

/// Checks a request and gives its host as sent, port included.
pub fn check<'a>(
    method: &Method,
    target: &'a Uri,
    version: Version,
    headers: &'a HeaderMap,
    bounds: Bounds,
) -> Result<&'a str, Refusal> {
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(Refusal::Method);
    }
    if target.scheme_str().is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
        return Err(Refusal::Target);
    }
    let starred = target.path() == "*";
    if !(target.path().starts_with('/') || starred && method == Method::OPTIONS) {
        return Err(Refusal::Target);
    }
    if version == Version::HTTP_2 {
        check_fields(headers)?;
    }
    let host = host(target, version, headers)?;
    check_framing(version, headers, bounds.body)?;
    if headers.get_all(EXPECT).iter().any(|v| !v.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::Expectation);
    }
    let head: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let target_len = target.path_and_query().map_or(0, |p| p.as_str().len());
    if target_len > bounds.head {
        return Err(Refusal::TargetTooLong);
    }
    if head + target_len > bounds.head {
        return Err(Refusal::HeadTooLarge);
    }
    Ok(host)
}

/// Whether a request of HTTP/2 is one at all; RFC 9113 §8.1.1: of what is malformed the stream ends, without an answer.
pub fn is_well_formed(target: &Uri, headers: &HeaderMap) -> bool {
    check_fields(headers).is_ok() && host(target, Version::HTTP_2, headers).is_ok()
}

/// The one host of the request: `Host`, which an absolute target must agree with (RFC 9112 §3.2.2).
fn host<'a>(target: &'a Uri, version: Version, headers: &'a HeaderMap) -> Result<&'a str, Refusal> {
    let mut named = headers.get_all(HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(only), None) => only.to_str().map_err(|_| Refusal::Host)?,
        // RFC 9113 §8.3.1: `:authority` has taken the place of `Host`.
        (None, _) if version == Version::HTTP_2 => target.authority().ok_or(Refusal::Host)?.as_str(),
        (None, _) if version <= Version::HTTP_10 => target.authority().map_or("localhost", |a| a.as_str()),
        _ => return Err(Refusal::Host),
    };
    if !is_host(host) {
        return Err(Refusal::Host);
    }
    // RFC 9113 §8.3.1: who carries a request of HTTP/1.1 over HTTP/2 may leave out `:authority`.
    match target.authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => Err(Refusal::OtherHost),
        _ => Ok(host),
    }
}

/// RFC 3986 §3.2.2 without user information and escapes: a name, an IPv4 address or a bracketed IPv6 address, and a port.
pub(super) fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, tail)) if address.parse::<std::net::Ipv6Addr>().is_ok() => match tail.strip_prefix(':') {
                Some(port) => ("v6", port),
                None if tail.is_empty() => ("v6", ""),
                None => return false,
            },
            _ => return false,
        },
        None => host.split_once(':').unwrap_or((host, "")),
    };
    let name_fits = !name.is_empty()
        && name.len() <= 255
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    let port_fits = port.is_empty() || port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    name_fits && port_fits
}

/// RFC 9113 §8.2.1 and §8.2.2: no padding around a value, and no field that belongs to a connection of HTTP/1.1.
fn check_fields(headers: &HeaderMap) -> Result<(), Refusal> {
    let padded = |value: &[u8]| matches!(value, [b' ' | b'\t', ..] | [.., b' ' | b'\t']);
    if headers.values().any(|value| padded(value.as_bytes())) {
        return Err(Refusal::Field);
    }
    let of_the_connection = [CONNECTION, TRANSFER_ENCODING, UPGRADE];
    let named = ["keep-alive", "proxy-connection"];
    if of_the_connection.iter().any(|name| headers.contains_key(name))
        || named.iter().any(|name| headers.contains_key(*name))
        || headers.get_all(TE).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"trailers"))
    {
        return Err(Refusal::Field);
    }
    Ok(())
}

/// RFC 9112 §6: one length, or `chunked` and nothing else.
fn check_framing(version: Version, headers: &HeaderMap, max_body: u64) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if codings.next().is_some() || headers.contains_key(CONTENT_LENGTH) || version <= Version::HTTP_10 {
            return Err(Refusal::Framing);
        }
        if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::Coding);
        }
    }
    for length in headers.get_all(CONTENT_LENGTH) {
        let length = length.to_str().ok().and_then(|v| v.parse::<u64>().ok()).ok_or(Refusal::Framing)?;
        if length > max_body {
            return Err(Refusal::BodyTooLarge);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<String, Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let (method, target) = (method.parse().unwrap(), target.parse().unwrap());
        check(&method, &target, Version::HTTP_11, &map, Bounds { head: 1000, body: 100 }).map(str::to_owned)
    }

    #[test]
    fn an_ambiguous_request_is_refused() {
        type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)], Refusal);
        const HOST: (&str, &str) = ("host", "example.org");
        let table: &[Row] = &[
            ("GET", "/", &[], Refusal::Host),
            ("GET", "/", &[HOST, HOST], Refusal::Host),
            ("GET", "/", &[("host", "")], Refusal::Host),
            ("GET", "/", &[("host", "a b/c")], Refusal::Host),
            ("GET", "/", &[("host", "user@example.org")], Refusal::Host),
            ("GET", "/", &[("host", "[::1")], Refusal::Host),
            ("GET", "/", &[("host", "[::1]x")], Refusal::Host),
            ("GET", "/", &[("host", "a:80:80")], Refusal::Host),
            ("GET", "/", &[("host", "a:65536")], Refusal::Host),
            ("GET", "/", &[("host", "a:+80")], Refusal::Host),
            ("GET", "http://evil.example/", &[HOST], Refusal::OtherHost),
            ("GET", "ftp://example.org/", &[HOST], Refusal::Target),
            ("CONNECT", "example.org:443", &[HOST], Refusal::Method),
            ("TRACE", "/", &[HOST], Refusal::Method),
            ("GET", "*", &[HOST], Refusal::Target),
            ("POST", "/", &[HOST, ("transfer-encoding", "chunked"), ("content-length", "3")], Refusal::Framing),
            (
                "POST",
                "/",
                &[HOST, ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                Refusal::Framing,
            ),
            ("POST", "/", &[HOST, ("transfer-encoding", "gzip, chunked")], Refusal::Coding),
            ("POST", "/", &[HOST, ("content-length", "101")], Refusal::BodyTooLarge),
            ("POST", "/", &[HOST, ("expect", "200-ok")], Refusal::Expectation),
            ("POST", "/", &[HOST, ("expect", "100-continue"), ("expect", "200-ok")], Refusal::Expectation),
        ];
        for (method, target, headers, refusal) in table {
            assert_eq!(verdict(method, target, headers), Err(*refusal), "{method} {target} {headers:?}");
        }
        let long = "x".repeat(1000);
        assert_eq!(verdict("GET", "/", &[HOST, ("a", &long)]), Err(Refusal::HeadTooLarge));
        assert_eq!(verdict("GET", &format!("/{long}"), &[HOST]), Err(Refusal::TargetTooLong));
    }

    #[test]
    fn what_http2_lets_through_and_the_site_would_read_in_another_way_is_refused() {
        let verdict = |target: &str, headers: &[(&str, &[u8])]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                let value = http::HeaderValue::from_bytes(value).unwrap();
                map.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
            }
            let target: Uri = target.parse().unwrap();
            let checked = check(&Method::GET, &target, Version::HTTP_2, &map, Bounds { head: 1000, body: 100 });
            assert_eq!(checked.is_ok(), is_well_formed(&target, &map));
            checked.map(str::to_owned)
        };
        const GOOD: &str = "https://a.example/";
        assert_eq!(verdict(GOOD, &[]).as_deref(), Ok("a.example"));
        assert_eq!(verdict(GOOD, &[("host", b"a.example"), ("te", b"trailers")]).as_deref(), Ok("a.example"));
        assert_eq!(verdict("/", &[("host", b"a.example")]).as_deref(), Ok("a.example"));
        assert_eq!(verdict("/", &[]), Err(Refusal::Host));
        assert_eq!(verdict("/", &[("host", b"a.example"), ("host", b"a.example")]), Err(Refusal::Host));
        assert_eq!(verdict("/", &[("host", b"user@a.example")]), Err(Refusal::Host));
        assert_eq!(verdict(GOOD, &[("host", b"b.example")]), Err(Refusal::OtherHost));
        assert_eq!(verdict(GOOD, &[("host", b"a.example"), ("host", b"a.example")]), Err(Refusal::Host));
        assert_eq!(verdict("https://user@a.example/", &[]), Err(Refusal::Host));
        let wrong: &[(&str, &[u8])] = &[
            ("x", b" padded"),
            ("x", b"padded\t"),
            ("connection", b"close"),
            ("keep-alive", b"1"),
            ("proxy-connection", b"close"),
            ("transfer-encoding", b"chunked"),
            ("upgrade", b"websocket"),
            ("te", b"gzip"),
        ];
        for field in wrong {
            assert_eq!(verdict(GOOD, &[*field]), Err(Refusal::Field), "{field:?}");
        }
    }

    #[test]
    fn an_ordinary_request_names_its_host() {
        for host in ["example.org", "example.org:8080", "[::1]:8080", "127.0.0.1", "a_b.example"] {
            assert_eq!(verdict("GET", "/a?b", &[("host", host)]).as_deref(), Ok(host));
        }
        assert!(verdict("GET", "http://example.org/", &[("host", "Example.org")]).is_ok());
        assert!(verdict("OPTIONS", "*", &[("host", "example.org")]).is_ok());
        assert!(verdict("POST", "/", &[("host", "h"), ("transfer-encoding", "Chunked")]).is_ok());
        assert!(verdict("POST", "/", &[("host", "h"), ("content-length", "100"), ("expect", "100-continue")]).is_ok());
    }
}
