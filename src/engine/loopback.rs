//! Who is answered on TCP: requests that name loopback as their host and come from no other site's page. Without this, any
//! web page could have a browser on this machine ask the engine (DNS rebinding, cross-site requests). Pure. Called by
//! [`super::serve`].

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue};

/// Why a request is not answered, or `None`.
pub fn refusal(headers: &HeaderMap) -> Option<&'static str> {
    let text = |value: Option<&HeaderValue>| value.map(|value| value.to_str().unwrap_or("?").to_owned());
    let mut hosts = headers.get_all(HOST).iter();
    let host = text(hosts.next()).unwrap_or_default();
    if hosts.next().is_some() || !is_loopback_host(&host) {
        return Some("The embedded engine answers only to localhost, 127.0.0.1 or [::1].\n");
    }
    let own_origin = format!("http://{host}");
    if text(headers.get(ORIGIN)).is_some_and(|origin| !origin.eq_ignore_ascii_case(&own_origin)) {
        return Some("The embedded engine does not answer to pages of other sites.\n");
    }
    match text(headers.get("sec-fetch-site")).as_deref() {
        None | Some("none" | "same-origin") => None,
        Some(_) => Some("The embedded engine does not answer to pages of other sites.\n"),
    }
}

/// `localhost`, `127.x.y.z` or `[::1]`, with or without a port.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => {
            if port.parse::<u16>().is_err() {
                return false;
            }
            name
        }
        _ => host,
    };
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_rebound_name_and_another_sites_page_are_refused_on_tcp() {
        assert!(refusal(&headers(&[("host", "127.0.0.1:8123")])).is_none());
        assert!(refusal(&headers(&[("host", "localhost:8123"), ("origin", "http://localhost:8123")])).is_none());
        assert!(refusal(&headers(&[("host", "[::1]:8123"), ("sec-fetch-site", "none")])).is_none());
        assert!(refusal(&headers(&[])).is_some());
        assert!(refusal(&headers(&[("host", "evil.example:8123")])).is_some());
        assert!(refusal(&headers(&[("host", "127.0.0.1.evil.example")])).is_some());
        assert!(refusal(&headers(&[("host", "localhost:8123"), ("origin", "http://localhost:3000")])).is_some());
        assert!(refusal(&headers(&[("host", "localhost:8123"), ("origin", "null")])).is_some());
        assert!(refusal(&headers(&[("host", "localhost:8123"), ("sec-fetch-site", "same-site")])).is_some());
    }

    proptest! {
        #[test]
        fn only_loopback_names_pass(host in "[a-z0-9.:\\[\\]]{0,30}") {
            if is_loopback_host(&host) {
                prop_assert!(host.starts_with("localhost") || host.starts_with("127.") || host.starts_with("[::1") || host.contains("::"));
            }
        }
    }
}
