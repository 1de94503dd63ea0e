//! The head of a request as the site sees it: written anew, field by field, straight from hyper's map into bytes.
//!
//! What belongs to the visitor's connection ends here (RFC 9110 §7.6.1), what a visitor could forge about itself is left
//! out, and what the gateway knows is added last. Nothing is edited in the map: skipping is cheaper than removing.
//! This is one of the places that open a [`RawIp`]: the site is told who calls, as any reverse proxy tells it.

use std::net::{IpAddr, Ipv4Addr};

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, HeaderMap, TE, UPGRADE};
use http::request::Parts;
use http::{Method, Version};
use http_body::Body;

use super::UpstreamError;
use super::head::tokens;
use super::request_id::RequestId;
use crate::pseudonym::RawIp;

/// What the caller knows about a request beyond its head.
#[derive(Clone, Copy)]
pub struct Forward<'a> {
    /// Who calls, after trusted proxies have been looked through.
    pub client: &'a RawIp,
    /// Whether that is one visitor's address, which has its share of the ways to the site and no more.
    pub has_share: bool,
    /// The trusted proxies the request came through, the visitor's side first; they follow `client` in `X-Forwarded-For`.
    pub trusted_proxies: &'a [IpAddr],
    /// Whether a trusted proxy had a hand in the request's fields.
    pub by_proxy: bool,
    /// How the visitor speaks to the first trusted proxy, or to the gateway.
    pub scheme: Scheme,
    /// The host the request names, already checked: routes are chosen by it, and it becomes `Host`, unless the route has another.
    pub host: &'a [u8],
    /// The host the visitor asked for, already checked; becomes `X-Forwarded-Host`.
    pub asked_host: &'a [u8],
    /// The cookies the site may see, in one value; the request's own `Cookie` lines are never copied.
    pub cookie: Option<&'a [u8]>,
    /// What is asked otherwise than the visitor asked.
    pub overrides: Overrides,
    /// What this request is called; a visitor's own name for it is never copied.
    pub request_id: &'a RequestId,
    /// Whether the caller can tunnel: a WebSocket is asked for only then, else the request goes on without `Upgrade`.
    pub websocket: bool,
}

/// The scheme the visitor used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// As it stands in `X-Forwarded-Proto`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// What is asked otherwise than the visitor asked, so that the answer can be rewritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Ask for an uncompressed answer.
    pub identity: bool,
    /// Ask for the whole answer: no conditions, no ranges.
    pub whole: bool,
}

/// How the site learns where the request's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestFraming {
    /// No body, and a method that expects none.
    None,
    Length(u64),
    Chunked,
}

impl RequestFraming {
    /// From the body itself, never from what the visitor's head claims.
    pub(super) fn of<B: Body<Data = Bytes>>(method: &Method, body: Option<&B>) -> Self {
        match body {
            Some(body) => body.size_hint().exact().map_or(RequestFraming::Chunked, RequestFraming::Length),
            // RFC 9110 §8.6: a method that gives meaning to a body says so when there is none.
            None if matches!(*method, Method::POST | Method::PUT | Method::PATCH) => RequestFraming::Length(0),
            None => RequestFraming::None,
        }
    }
}

/// Whether the request is a WebSocket's opening handshake (RFC 6455 §4.1). Other protocols are not tunnelled: through an
/// `h2c` tunnel a visitor would reach the site past every filter.
pub(super) fn asks_for_websocket(parts: &Parts, framing: RequestFraming) -> bool {
    // The rarest first: almost every request ends here with one look.
    parts.headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && parts.headers.get_all(UPGRADE).iter().count() == 1
        && parts.method == Method::GET
        && parts.version == Version::HTTP_11
        && framing == RequestFraming::None
        && connection_options(&parts.headers).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
}

/// Writes the request line and all fields. `stripped` is the beginning of the path the site does not see; the path begins
/// with it.
pub(super) fn write_head(
    out: &mut BytesMut,
    parts: &Parts,
    forward: &Forward<'_>,
    framing: RequestFraming,
    websocket: bool,
    stripped: &str,
) -> Result<(), UpstreamError> {
    write_request_line(out, parts, stripped.len())?;
    write_field(out, b"host", forward.host)?;
    copy_fields(out, &parts.headers, forward);

    if forward.overrides.identity {
        out.extend_from_slice(b"accept-encoding: identity\r\n");
    }
    if let Some(cookie) = forward.cookie.filter(|cookie| !cookie.is_empty()) {
        write_field(out, b"cookie", cookie)?;
    }
    match framing {
        RequestFraming::None => {}
        RequestFraming::Length(length) => {
            out.extend_from_slice(b"content-length: ");
            write_decimal(out, length);
            out.extend_from_slice(b"\r\n");
        }
        RequestFraming::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    if websocket {
        out.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n");
    } else if asks_for_trailers(&parts.headers) {
        out.extend_from_slice(b"connection: te\r\nte: trailers\r\n");
    }

    out.extend_from_slice(b"x-forwarded-for: ");
    write_addresses(out, forward);
    out.extend_from_slice(match forward.scheme {
        Scheme::Http => b"\r\nx-forwarded-proto: http\r\n",
        Scheme::Https => b"\r\nx-forwarded-proto: https\r\n",
    });
    write_field(out, b"x-forwarded-host", forward.asked_host)?;
    if !stripped.is_empty() {
        out.extend_from_slice(b"x-forwarded-prefix: ");
        out.extend_from_slice(stripped.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"x-request-id: ");
    out.extend_from_slice(forward.request_id.as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
    Ok(())
}

/// Who calls, and the trusted proxies in between.
pub(super) fn write_addresses(out: &mut BytesMut, forward: &Forward<'_>) {
    write_address(out, forward.client.open());
    for proxy in forward.trusted_proxies {
        out.extend_from_slice(b", ");
        write_address(out, *proxy);
    }
}

/// Method and origin-form target (RFC 9112 §3.2.1); the path's bytes stay as they came.
fn write_request_line(out: &mut BytesMut, parts: &Parts, stripped: usize) -> Result<(), UpstreamError> {
    let target = target(parts, stripped)?;
    out.extend_from_slice(parts.method.as_str().as_bytes());
    // What is left of `/shop?a` without `/shop` is `/?a`.
    out.extend_from_slice(if target.starts_with(['/', '*']) { b" " } else { b" /" });
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    Ok(())
}

/// The target as far as the site sees it: a path, a query alone, nothing at all, or a star.
pub(super) fn target(parts: &Parts, stripped: usize) -> Result<&str, UpstreamError> {
    if parts.method == Method::CONNECT {
        return Err(UpstreamError::Unforwardable("CONNECT is not for a site"));
    }
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let target = target.get(stripped..).unwrap_or(target);
    let rooted = target.starts_with('/') || (target == "*" && parts.method == Method::OPTIONS);
    // `http` has parsed the target; this is the last place that could stop a second request line.
    if !target.bytes().all(|byte| byte > b' ' && byte != 0x7f)
        || !(rooted || target.starts_with('?') || target.is_empty())
    {
        return Err(UpstreamError::Unforwardable("its target is not a path"));
    }
    Ok(target)
}

/// Copies what is the site's to see, in order and byte for byte.
fn copy_fields(out: &mut BytesMut, headers: &HeaderMap, forward: &Forward<'_>) {
    let passed_on = PassedOn::of(headers, forward);
    for (name, value) in headers {
        let name = name.as_str();
        if !passed_on.lets(name) {
            continue;
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// Which of a visitor's fields are the site's to see.
pub(super) struct PassedOn<'a> {
    nominated: Vec<&'a [u8]>,
    overrides: Overrides,
    /// Whether somebody who may say who calls had a hand in them.
    by_proxy: bool,
}

impl<'a> PassedOn<'a> {
    pub(super) fn of(headers: &'a HeaderMap, forward: &Forward<'_>) -> Self {
        // Without `keep-alive`, which every browser sends and which never passes anyway, the list is almost always empty.
        let nominated =
            connection_options(headers).filter(|option| !option.eq_ignore_ascii_case(b"keep-alive")).collect();
        PassedOn { nominated, overrides: forward.overrides, by_proxy: forward.by_proxy }
    }

    #[inline]
    pub(super) fn lets(&self, name: &str) -> bool {
        // C8: the signal reaches the site even where somebody calls it hop-by-hop.
        (is_passed_on(name, self.overrides) || self.by_proxy && name == "x-forwarded-port")
            && (self.by_proxy || !names_client(name))
            && !(self.nominated.iter().any(|option| option.eq_ignore_ascii_case(name.as_bytes())) && name != "sec-gpc")
    }
}

/// Whether a field of the visitor's is copied; `name` is in lower case, as `http` keeps it.
fn is_passed_on(name: &str, overrides: Overrides) -> bool {
    match name {
        // Written by us, from what we know.
        "host" | "cookie" | "content-length" => false,
        // Ours and the visitor's connection, not the site's (RFC 9110 §7.6.1); `Expect` has been answered by hyper.
        "connection"
        | "keep-alive"
        | "proxy-connection"
        | "proxy-authenticate"
        | "proxy-authorization"
        | "te"
        | "trailer"
        | "transfer-encoding"
        | "upgrade"
        | "expect" => false,
        // What the gateway vouches for. `Proxy` becomes the variable HTTP_PROXY in CGI.
        "forwarded" | "x-real-ip" | "x-request-id" | "proxy" => false,
        "accept-encoding" => !overrides.identity,
        "if-none-match" | "if-modified-since" | "if-range" | "range" => !overrides.whole,
        // CGI and its heirs cannot tell `a_b` from `a-b`: an underscore would pass for a field we filter.
        _ => !name.starts_with("x-forwarded-") && !name.as_bytes().contains(&b'_'),
    }
}

/// Whether a field says who calls, as CDNs and load balancers write it and sites behind them believe it. Through a trusted proxy
/// it may be the proxy's; from a visitor it is forged.
///
/// Asked of every field of every request, so the last letter decides for nearly all of those that browsers send.
#[inline]
fn names_client(name: &str) -> bool {
    match name.as_bytes().last() {
        Some(b'p') => matches!(
            name,
            "client-ip"
                | "true-client-ip"
                | "x-client-ip"
                | "x-real-client-ip"
                | "x-cluster-client-ip"
                | "cf-connecting-ip"
                | "x-akamai-client-ip"
                | "x-sucuri-clientip"
                | "do-connecting-ip"
                | "fastly-client-ip"
                | "fly-client-ip"
                | "incap-client-ip"
                | "proxy-client-ip"
                | "wl-proxy-client-ip"
                | "x-nf-client-connection-ip"
                | "x-original-client-ip"
                | "x-originating-ip"
                | "x-remote-ip"
                | "x-proxyuser-ip"
                | "x-appengine-user-ip"
                | "x-azure-clientip"
                | "x-azure-socketip"
                | "x-cdn-src-ip"
                | "cdn-src-ip"
                | "ali-cdn-real-ip"
        ),
        Some(b'r') => matches!(
            name,
            "forwarded-for"
                | "x-forwarder-for"
                | "x-original-forwarded-for"
                | "x-vercel-forwarded-for"
                | "x-originally-forwarded-for"
                | "x-remote-addr"
                | "remote-addr"
        ),
        Some(b's') => matches!(name, "cloudfront-viewer-address" | "x-envoy-external-address" | "x-client-address"),
        Some(b'd') => name == "x-forwarded",
        Some(b'4' | b'6') => matches!(name, "cf-connecting-ipv6" | "cf-pseudo-ipv4"),
        _ => false,
    }
}

/// The options of all `Connection` lines.
fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(CONNECTION).iter().flat_map(|line| tokens(line.as_bytes()))
}

/// gRPC needs the site to know; of a list with weights only this word means anything to us.
pub(super) fn asks_for_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(TE)
        .iter()
        .flat_map(|line| tokens(line.as_bytes()))
        .any(|option| option.eq_ignore_ascii_case(b"trailers"))
}

/// A field whose value is the caller's.
fn write_field(out: &mut BytesMut, name: &[u8], value: &[u8]) -> Result<(), UpstreamError> {
    if !value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f)) {
        return Err(UpstreamError::Unforwardable("a field holds a control character"));
    }
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn write_address(out: &mut BytesMut, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => write_ipv4(out, v4),
        IpAddr::V6(v6) => out.extend_from_slice(v6.to_string().as_bytes()),
    }
}

fn write_ipv4(out: &mut BytesMut, address: Ipv4Addr) {
    let (mut text, mut length) = ([b'.'; 15], 0);
    for (place, octet) in address.octets().into_iter().enumerate() {
        length += usize::from(place > 0);
        for (unit, is_there) in [(100, octet >= 100), (10, octet >= 10), (1, true)] {
            if is_there {
                text[length] = b'0' + octet / unit % 10;
                length += 1;
            }
        }
    }
    out.extend_from_slice(&text[..length]);
}

fn write_decimal(out: &mut BytesMut, mut number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

#[cfg(test)]
mod tests;
