//! What the gateway must know of its own certificates: the hosts they are for and until when they are good (RFC 5280 §4.1).
//! Reads DER and checks nothing beyond its form: whether a certificate is believed is for visitors to judge.

/// What stands in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The hosts of its `subjectAltName`, in small letters; one may begin with `*.`.
    pub hosts: Vec<String>,
    /// From when it is good, in seconds since 1970.
    pub not_before: i64,
    /// Until when it is good, in seconds since 1970.
    pub not_after: i64,
}

impl Facts {
    /// Whether it is good at a time, in seconds since 1970.
    pub fn is_good(&self, now: i64) -> bool {
        (self.not_before..self.not_after).contains(&now)
    }
}

/// A time in seconds since 1970 as people write it.
pub fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

const SEQUENCE: u8 = 0x30;
const OBJECT_ID: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]` before the version, `[3]` before the extensions.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// `dNSName` in a GeneralName.
const DNS_NAME: u8 = 0x82;
/// 2.5.29.17
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

/// Reads a certificate; nothing where it is none.
pub fn read(certificate: &[u8]) -> Option<Facts> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (tag, validity, mut rest) = element(rest)?;
    if tag != SEQUENCE {
        return None;
    }
    let (not_before, after) = time(validity)?;
    let (not_after, _) = time(after)?;
    let mut hosts = Vec::new();
    while let Some((tag, value, after)) = element(rest) {
        if tag == EXTENSIONS {
            hosts = alternative_names(element(value)?.1);
        }
        rest = after;
    }
    Some(Facts { hosts, not_before, not_after })
}

/// Tag, value and what stands behind it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        ..=0x7f => (usize::from(first), rest),
        // No certificate has four gigabytes.
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// A time, and what stands behind it (RFC 5280 §4.1.2.5: always in UTC, always with seconds).
fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    let (tag, value, rest) = element(der)?;
    let text = std::str::from_utf8(value).ok()?.strip_suffix('Z')?;
    let text = match tag {
        // Two digits: from 1950 to 2049.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i8>().ok();
    let date = jiff::civil::Date::new(text.get(..4)?.parse().ok()?, part(4, 6)?, part(6, 8)?).ok()?;
    let time = jiff::civil::Time::new(part(8, 10)?, part(10, 12)?, part(12, 14)?, 0).ok()?;
    let seconds = date.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some((seconds, rest))
}

fn alternative_names(mut extensions: &[u8]) -> Vec<String> {
    let mut hosts = Vec::new();
    while let Some((_, extension, after)) = element(extensions) {
        extensions = after;
        let Some((OBJECT_ID, id, mut rest)) = element(extension) else { continue };
        if id != SUBJECT_ALT_NAME {
            continue;
        }
        // Whether it is critical may stand before the value.
        while let Some((tag, value, after)) = element(rest) {
            rest = after;
            let Some((_, mut names, _)) = element(value).filter(|_| tag == OCTET_STRING) else { continue };
            while let Some((tag, name, after)) = element(names) {
                names = after;
                match std::str::from_utf8(name) {
                    Ok(name) if tag == DNS_NAME && !name.is_empty() => hosts.push(name.to_ascii_lowercase()),
                    _ => {}
                }
            }
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn certificate(hosts: &[&str], until: i32) -> Vec<u8> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.subject_alt_names.push(SanType::IpAddress("127.0.0.1".parse().unwrap()));
        params.not_before = date_time_ymd(2026, 1, 2);
        params.not_after = date_time_ymd(until, 3, 4);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn hosts_and_times_of_a_certificate_are_read() {
        let facts = read(&certificate(&["www.Example.org", "*.example.net"], 2030)).unwrap();
        assert_eq!(facts.hosts, ["www.example.org", "*.example.net"]);
        assert_eq!((facts.not_before, facts.not_after), (1_767_312_000, 1_898_812_800));
        // From 2050 on a year has four digits.
        assert_eq!(read(&certificate(&["a.example"], 2055)).unwrap().not_after, 2_687_731_200);
    }

    proptest::proptest! {
        #[test]
        fn what_is_no_certificate_harms_nobody(bytes: Vec<u8>, cut in 0usize..500, at in 0usize..500, to: u8) {
            let _ = read(&bytes);
            let mut good = certificate(&["a.example"], 2030);
            let end = good.len();
            good[at % end] = to;
            let _ = read(&good[..end - cut.min(end)]);
        }
    }
}
