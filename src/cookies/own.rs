//! Our own cookies: what every one of them is set with, so that none forgets a part of it.

use http::HeaderValue;

/// The longest life, in seconds; what is more is no number to some browsers, which keep none longer than 400 days anyway.
const LONGEST: u64 = i64::MAX as u64;

/// The `Set-Cookie` line of a cookie of ours that lives for `seconds`; 0 ends it. For this host and the whole site, out of
/// reach of scripts, never sent along with a post from another site, and over safe connections only where the visitor has one.
///
/// `value` must be of cookie octets (RFC 6265 §4.1.1), as everything is that this program encodes.
pub fn set(name: &'static str, value: String, seconds: u64, https: bool) -> HeaderValue {
    line(Own { name, value, seconds, https, domain: None, readable: false })
}

/// What a cookie of ours is set with.
pub(super) struct Own<'a> {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) seconds: u64,
    pub(super) https: bool,
    /// The domain whose hosts share it; nothing for this host alone.
    pub(super) domain: Option<&'a str>,
    /// Whether scripts may read it.
    pub(super) readable: bool,
}

pub(super) fn line(own: Own<'_>) -> HeaderValue {
    // Written out, since every beacon is answered with two of them (RFC 6265 §4.1.1).
    let domain = own.domain.map_or(0, str::len);
    let mut line = String::with_capacity(own.name.len() + own.value.len() + domain + 96);
    line.push_str(own.name);
    line.push('=');
    line.push_str(&own.value);
    line.push_str(if own.readable { "" } else { "; HttpOnly" });
    line.push_str("; SameSite=Lax");
    line.push_str(if own.https { "; Secure" } else { "" });
    line.push_str("; Path=/");
    if let Some(domain) = own.domain {
        line.push_str("; Domain=");
        line.push_str(domain);
    }
    line.push_str("; Max-Age=");
    line.push_str(itoa::Buffer::new().format(own.seconds.min(LONGEST)));
    HeaderValue::try_from(line).expect("our cookies are of cookie octets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cookie_of_ours_is_out_of_reach_of_scripts_and_of_other_sites() {
        let line = set("consentry", "v1~x".to_owned(), 60, true);
        assert_eq!(line, "consentry=v1~x; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60");
        assert_eq!(set("a", String::new(), 0, false), "a=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
        assert!(set("a", String::new(), u64::MAX, false).to_str().is_ok(), "the longest life is no overflow");
    }
}
