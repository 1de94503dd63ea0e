//! Who may speak to the dashboard at all: the name it is called by, and the page a changing request comes from.

use http::header::{HOST, HeaderMap, ORIGIN};

/// Whether a listener on loopback may answer to this `Host`: only to loopback's own names. A page elsewhere that
/// points its name at 127.0.0.1 (DNS rebinding) still sends its own name.
pub fn is_local_host(host: Option<&[u8]>) -> bool {
    let Some(host) = host.and_then(|host| std::str::from_utf8(host).ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]"
}

/// Whether a request that changes something comes from our own page, or from no page at all. Every browser of today
/// sends `Sec-Fetch-Site`, and each one sends `Origin` with a POST; a program that sends neither holds no one else's
/// cookie.
pub fn is_same_origin(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let origin = origin.as_bytes();
    let authority = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    authority.is_some() && authority == headers.get(HOST).map(|host| host.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_loopbacks_own_names_reach_a_loopback_listener() {
        for host in ["localhost", "LOCALHOST:8090", "127.0.0.1", "127.0.0.1:8090", "[::1]", "[::1]:8090"] {
            assert!(is_local_host(Some(host.as_bytes())), "{host}");
        }
        for host in
            ["", "evil.example", "localhost.evil.example", "evil.example:8090", "127.0.0.1.nip.io", "::1", "127.0.0.2"]
        {
            assert!(!is_local_host(Some(host.as_bytes())), "{host}");
        }
        assert!(!is_local_host(None) && !is_local_host(Some(b"\xff")));
    }

    #[test]
    fn another_origin_changes_nothing() {
        let same = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_same_origin(&headers)
        };
        assert!(same(&[("host", "localhost:8090")]), "a program without a page");
        assert!(same(&[("host", "localhost:8090"), ("origin", "http://localhost:8090")]));
        assert!(same(&[("host", "a.example"), ("origin", "https://a.example")]));
        assert!(same(&[("host", "inner"), ("origin", "https://a.example"), ("sec-fetch-site", "same-origin")]));
        assert!(
            !same(&[("host", "localhost:8090"), ("origin", "http://localhost:8080")]),
            "another port is another origin"
        );
        assert!(!same(&[("host", "localhost:8090"), ("sec-fetch-site", "same-site")]));
        assert!(!same(&[("host", "localhost:8090"), ("origin", "null")]));
        assert!(!same(&[("origin", "http://")]));
    }
}
