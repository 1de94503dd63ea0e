//! W3C Trace Context: what a request brings is passed on as it is where it is well-formed, and dropped where it is not, so that
//! no two programs read it in two ways. Where asked for, a request without a trace begins one, of random numbers that stand
//! for nobody. None of it is ever kept.

use http::{HeaderMap, HeaderName, HeaderValue};

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The most members of a `tracestate` (§3.3.1.1).
const MEMBERS: usize = 32;
/// A `tracestate` that is longer, in bytes, is dropped; §3.3.1.5 asks for 512 at least.
const LONGEST_STATE: usize = 8192;

/// Puts a request's trace in order. Where it brings none and `begin` says so, it begins one, marked to be recorded or not.
pub fn tend(headers: &mut HeaderMap, begin: Option<bool>) {
    if begin.is_none() && !headers.contains_key(&TRACEPARENT) && !headers.contains_key(&TRACESTATE) {
        return;
    }
    let mut parents = headers.get_all(&TRACEPARENT).iter();
    let is_good = match (parents.next(), parents.next()) {
        (Some(parent), None) => is_traceparent(parent.as_bytes()),
        _ => false,
    };
    if !is_good {
        headers.remove(&TRACEPARENT);
        // Without its parent it says nothing.
        headers.remove(&TRACESTATE);
        if let Some(sampled) = begin {
            headers.insert(TRACEPARENT.clone(), new(sampled));
        }
        return;
    }
    if headers.contains_key(&TRACESTATE)
        && !is_tracestate(headers.get_all(&TRACESTATE).iter().map(HeaderValue::as_bytes))
    {
        headers.remove(&TRACESTATE);
    }
}

/// A trace that begins here.
fn new(sampled: bool) -> HeaderValue {
    let mut random = [0; 24];
    getrandom::fill(&mut random).expect("the system has a random number generator");
    // All zeros are no id.
    random[15] |= u8::from(random[..16] == [0; 16]);
    random[23] |= u8::from(random[16..] == [0; 8]);
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let value = format!("00-{}-{}-0{}", &hex[..32], &hex[32..], u8::from(sampled));
    HeaderValue::try_from(value).expect("digits and hyphens are a header value")
}

/// §3.2: `version-traceid-parentid-flags`, in small hexadecimal digits. A later version may have more behind it.
fn is_traceparent(value: &[u8]) -> bool {
    let is_hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_id = |part: &[u8]| is_hex(part) && part.iter().any(|b| *b != b'0');
    let Some((known, more)) = value.split_at_checked(55) else { return false };
    let hyphens = known[2] == b'-' && known[35] == b'-' && known[52] == b'-';
    let version = &known[..2];
    hyphens
        && is_hex(version)
        && version != b"ff"
        && is_id(&known[3..35])
        && is_id(&known[36..52])
        && is_hex(&known[53..])
        && (more.is_empty() || version != b"00" && more[0] == b'-')
}

/// §3.3: members `key=value`, by commas, over one or several lines.
fn is_tracestate<'v>(lines: impl Iterator<Item = &'v [u8]>) -> bool {
    let (mut members, mut length) = (0, 0);
    for line in lines {
        length += line.len();
        for member in line.split(|b| *b == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty()) {
            members += 1;
            if !is_member(member) {
                return false;
            }
        }
    }
    members <= MEMBERS && length <= LONGEST_STATE
}

fn is_member(member: &[u8]) -> bool {
    let Some(equals) = member.iter().position(|b| *b == b'=') else { return false };
    let (key, value) = (&member[..equals], &member[equals + 1..]);
    let key_byte = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    let value_byte = |b: &u8| matches!(b, 0x20..=0x7e) && !matches!(b, b',' | b'=');
    (1..=256).contains(&key.len())
        && key[0].is_ascii_alphanumeric()
        && key.iter().all(key_byte)
        && key.iter().filter(|b| **b == b'@').count() <= 1
        && (1..=256).contains(&value.len())
        && value.iter().all(value_byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn tended(headers: &[(&'static str, &str)], begin: Option<bool>) -> Vec<(String, String)> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        tend(&mut map, begin);
        map.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn a_good_trace_is_passed_on_untouched() {
        let later = format!("01-{}-ff-more", &GOOD[3..52]);
        for parent in [GOOD, &later, &GOOD.replace("-01", "-ff")] {
            let sent = [
                ("traceparent", parent),
                ("tracestate", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
                ("tracestate", "a@b=c d"),
            ];
            let expected = sent.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(tended(&sent, Some(true)), expected, "{parent}");
        }
    }

    #[test]
    fn a_malformed_trace_is_dropped() {
        for parent in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}-x"),
            &format!("{GOOD}0"),
            &GOOD.to_uppercase(),
            &GOOD.replacen("00", "ff", 1),
            &GOOD.replacen("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32), 1),
            &GOOD.replacen("00f067aa0ba902b7", &"0".repeat(16), 1),
            &GOOD.replacen('-', "_", 1),
        ] {
            assert!(tended(&[("traceparent", parent), ("tracestate", "a=b")], None).is_empty(), "{parent}");
        }
        assert!(tended(&[("traceparent", GOOD), ("traceparent", GOOD)], None).is_empty(), "two are none");
        assert!(tended(&[("tracestate", "a=b")], None).is_empty(), "a state of nothing");
        let many = (0..33).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        for state in ["nothing", "A=b", "a=b=c", "a@b@c=d", "=x", "a=", &many] {
            assert_eq!(tended(&[("traceparent", GOOD), ("tracestate", state)], None).len(), 1, "{state}");
        }
    }

    #[test]
    fn a_trace_is_begun_where_asked_for_and_only_where_there_is_none() {
        assert!(tended(&[], None).is_empty());
        for (sampled, flags) in [(true, "-01"), (false, "-00")] {
            let (one, other) = (tended(&[], Some(sampled)), tended(&[("traceparent", "x")], Some(sampled)));
            assert!(is_traceparent(one[0].1.as_bytes()) && one[0].1.ends_with(flags), "{one:?}");
            assert_ne!(one, other, "they are random");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(parent: Vec<u8>, state: Vec<u8>) {
            let _ = (is_traceparent(&parent), is_tracestate([&state[..]].into_iter()));
        }
    }
}
