//! The hidden field `form` of our own forms: what was shown to whoever answers, signed by us. With it the ledger can say which
//! words were answered, in which language and about which purposes, and a page of another site cannot make one up.
//!
//! `f1~LANGUAGE~ABOUT~SHOWN~POLICY~` is the same for everyone who is shown the same and is rendered ahead; the last
//! [`TAIL`] bytes, the hour and a MAC over all of it and the host, are filled in as the page goes out. It names no visitor:
//! that a post comes from the site's own page is the browser's word ([`origin`](super::origin)); this is the second lock.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use sha2::{Digest, Sha256};

use crate::consent::{Policy, PurposeSet};
use crate::keys::{KeyPurpose, KeyRing};

/// The bytes at the end that are filled in as the page goes out: six hexadecimal digits of the hour, 22 of the MAC.
pub(super) const TAIL: usize = 28;
/// How long a page may lie open before it is answered, in hours: a week.
const LIFE: u64 = 7 * 24;
/// The longest language tag in it.
const MAX_LANGUAGE: usize = 35;

/// What a form showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// The language it was in.
    pub(super) language: String,
    /// The purposes it asked about.
    pub(super) about: PurposeSet,
    /// The first 16 hexadecimal digits of the hash of what was shown; all zero where nothing was kept of it.
    pub(super) text: String,
}

/// Why a form is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    /// Not one of ours, or changed, or for another host.
    #[error("The form was not made by this website. Open the privacy choices again and choose there.")]
    Forged,
    /// It has lain open for too long.
    #[error("The page was open for too long. Open the privacy choices again and choose there.")]
    Old,
    /// Something else is asked now.
    #[error("What this website asks has changed since you opened the page. Please look at it again and choose.")]
    OtherPolicy,
}

/// The part that is rendered ahead. `shown` is the SHA-256 of what is shown, with this field left empty.
pub(super) fn stem(language: &str, about: PurposeSet, shown: &[u8; 32], policy: &Policy) -> String {
    let shown = hex(&shown[..8]);
    format!("f1~{language}~{:02x}~{shown}~{}~", about.bits(), substance(policy))
}

/// The part that is filled in for a page of `host` that goes out at `now`, in seconds since 1970.
pub(super) fn tail(stem: &str, ring: &KeyRing, host: &str, now: u64) -> [u8; TAIL] {
    let hour = format!("{:06x}", (now / 3600) & 0xff_ffff);
    let tag = ring.mac(KeyPurpose::Choice, &parts(stem, host, &hour));
    let text = hour + &BASE64URL.encode(&tag.value[..16]);
    text.as_bytes().try_into().expect("six digits and 16 bytes in base64 are 28")
}

/// Reads the field of a form that was posted to `host`.
pub(super) fn read(value: &str, policy: &Policy, ring: &KeyRing, host: &str, now: u64) -> Result<Shown, FormError> {
    let cut = value.len().checked_sub(TAIL).filter(|_| value.len() < 200).ok_or(FormError::Forged)?;
    let (stem, tail) = value.split_at_checked(cut).ok_or(FormError::Forged)?;
    let (hour, tag) = tail.split_at_checked(6).ok_or(FormError::Forged)?;
    let tag = BASE64URL.decode(tag).map_err(|_| FormError::Forged)?;
    if tag.len() != 16 || !ring.verify(KeyPurpose::Choice, &parts(stem, host, hour), &tag) {
        return Err(FormError::Forged);
    }
    let made = u64::from_str_radix(hour, 16).map_err(|_| FormError::Forged)?;
    let mut fields = stem.split('~').skip(1);
    let mut next = || fields.next().ok_or(FormError::Forged);
    let (language, about, text, asked) = (next()?, next()?, next()?, next()?);
    // The hours wrap around in the year 3883. Another gateway's clock may already be in the next one.
    if (now / 3600 + 1).wrapping_sub(made) & 0xff_ffff > LIFE + 1 {
        return Err(FormError::Old);
    }
    if asked != substance(policy) {
        return Err(FormError::OtherPolicy);
    }
    let about = u8::from_str_radix(about, 16).map_err(|_| FormError::Forged)?;
    let about = PurposeSet::of((0..8).filter(|i| about >> i & 1 == 1));
    let language = language.chars().take(MAX_LANGUAGE).collect();
    Ok(Shown { language, about, text: text.to_owned() })
}

fn parts<'a>(stem: &'a str, host: &'a str, hour: &'a str) -> [&'a [u8]; 4] {
    [b"form", stem.as_bytes(), host.as_bytes(), hour.as_bytes()]
}

/// What is asked, in eight hexadecimal digits: the policy's version and what each purpose comes to.
fn substance(policy: &Policy) -> String {
    let mut hash = Sha256::new();
    hash.update(policy.version.to_le_bytes());
    for purpose in policy.purposes() {
        hash.update((purpose.id.len() as u64).to_le_bytes());
        hash.update(&purpose.id);
        hash.update(purpose.fingerprint);
    }
    hex(&hash.finalize()[..4])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::Purpose;

    const NOW: u64 = 1_790_000_000;
    const HOST: &str = "shop.example";

    fn form(policy: &Policy, ring: &KeyRing) -> String {
        let stem = stem("cy", PurposeSet::of([2]), &[0xab; 32], policy);
        let tail = tail(&stem, ring, HOST, NOW);
        stem + std::str::from_utf8(&tail).unwrap()
    }

    #[test]
    fn what_was_shown_is_read_back() {
        let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
        let shown = read(&form(&policy, &ring), &policy, &ring, HOST, NOW + 3 * 3600).unwrap();
        assert_eq!(
            (shown.language.as_str(), shown.about, shown.text.as_str()),
            ("cy", PurposeSet::of([2]), "abababababababab")
        );
    }

    #[test]
    fn a_form_is_made_by_us_for_this_host_and_not_long_ago() {
        let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
        let good = form(&policy, &ring);
        let read = |value: &str, host, now| read(value, &policy, &ring, host, now);
        assert_eq!(read(&good, "evil.example", NOW), Err(FormError::Forged));
        assert_eq!(read(&good, HOST, NOW + (LIFE + 1) * 3600), Err(FormError::Old));
        assert!(read(&good, HOST, NOW - 3600).is_ok(), "another gateway's clock");
        assert_eq!(read(&good, HOST, NOW - 7200 - NOW % 3600), Err(FormError::Old), "from the future");
        for at in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            assert!(read(std::str::from_utf8(&bad).unwrap(), HOST, NOW).is_err(), "byte {at}");
        }
        for bad in ["", "f1", "\u{fc}", &good[1..], &format!("{good}x"), &"x".repeat(300)] {
            assert_eq!(read(bad, HOST, NOW), Err(FormError::Forged), "{bad:?}");
        }
    }

    #[test]
    fn rule_c1_a_form_of_another_policy_is_no_choice() {
        let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
        let good = form(&policy, &ring);
        let mut raised = policy.clone();
        raised.version = 2;
        assert_eq!(read(&good, &raised, &ring, HOST, NOW), Err(FormError::OtherPolicy));
        let mut changed = policy.clone();
        changed.mark(2, [1, 2, 3]);
        assert_eq!(read(&good, &changed, &ring, HOST, NOW), Err(FormError::OtherPolicy));
        let mut purposes = policy.purposes().to_vec();
        purposes.push(Purpose { id: "surveys".into(), ..Purpose::default() });
        let more = Policy::new(purposes, 1, 60).unwrap();
        assert_eq!(read(&good, &more, &ring, HOST, NOW), Err(FormError::OtherPolicy));
    }
}
