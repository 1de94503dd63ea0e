//! Openings: what counts as a recipient's consent, and that nothing else does.

use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_790_000_000;
const DAY: u64 = 86_400;

fn keyed(ring: &KeyRing, purpose: KeyPurpose, id: u128) -> Keyed<SubjectId> {
    Keyed { value: SubjectId(id), key: ring.live(purpose)[0] }
}

fn consent(ring: &KeyRing, campaign: &str) -> MailConsent {
    MailConsent {
        policy_version: 1,
        receipt: 0xfeed,
        granted_at: NOW,
        ends_at: NOW + 182 * DAY,
        recipient: keyed(ring, KeyPurpose::Mail, u128::MAX - 7),
        suppression: keyed(ring, KeyPurpose::Suppression, 9),
        campaign: Campaign::new(campaign).unwrap(),
    }
}

fn ask(token: &[u8], ring: &KeyRing, now: u64) -> Result<Opening, NoOpening> {
    opening(token, &Policy::default(), ring, now, |_| false)
}

#[test]
fn a_recipients_token_permits_the_recording_of_that_recipients_openings() {
    let ring = KeyRing::ephemeral();
    let given = consent(&ring, "spring-2026.a_b");
    let opening = ask(given.encode(&ring).as_bytes(), &ring, NOW + DAY).ok().unwrap();
    assert_eq!((opening.recipient, opening.campaign), (given.recipient, given.campaign));
    let permit = opening.permit;
    assert_eq!((permit.receipt(), permit.policy_version(), permit.granted_at_ms()), (0xfeed, 1, NOW * 1000));
    assert_eq!(permit.purposes().bits(), 0);
}

#[test]
fn rule_c1_what_is_not_a_current_token_permits_nothing() {
    let ring = KeyRing::ephemeral();
    let given = consent(&ring, "spring");
    let token = given.encode(&ring);
    let why = |token: &str, now| ask(token.as_bytes(), &ring, now).err();
    assert_eq!(why(&token, NOW), None);
    assert_eq!(why("", NOW), Some(NoOpening::Invalid));
    assert_eq!(why(&token[..token.len() - 4], NOW), Some(NoOpening::Invalid), "cut");
    assert_eq!(why(&format!("{token}="), NOW), Some(NoOpening::Invalid), "two texts of one token");
    assert_eq!(why(&token, NOW + 182 * DAY), Some(NoOpening::Expired));
    assert_eq!(why(&token, NOW + 182 * DAY - 1), None);
    assert_eq!(why(&token, NOW - SKEW - 1), Some(NoOpening::ClockSkew));
    assert_eq!(ask(token.as_bytes(), &KeyRing::ephemeral(), NOW).err(), Some(NoOpening::Invalid), "another's keys");

    let policy = Policy::default();
    let next = Policy::new(policy.purposes().to_vec(), 2, policy.choice_life).unwrap();
    assert_eq!(opening(token.as_bytes(), &next, &ring, NOW, |_| false).err(), Some(NoOpening::OldPolicy));

    let withdrawn = opening(token.as_bytes(), &policy, &ring, NOW, |entry| entry == given.suppression);
    assert_eq!(withdrawn.err(), Some(NoOpening::Withdrawn));

    for gone in [
        MailConsent { recipient: Keyed { value: SubjectId(1), key: KeyId(900) }, ..given.clone() },
        MailConsent { suppression: Keyed { value: SubjectId(1), key: KeyId(900) }, ..given },
    ] {
        assert_eq!(why(&gone.encode(&ring), NOW), Some(NoOpening::KeyDestroyed));
    }
}

#[test]
fn what_signs_a_choice_signs_no_token() {
    let ring = KeyRing::ephemeral();
    let mut bytes = BASE64URL.decode(consent(&ring, "spring").encode(&ring)).unwrap();
    let body = bytes.len() - TAG;
    let tag = ring.mac(KeyPurpose::Choice, &[&bytes[..body]]).value;
    bytes[body..].copy_from_slice(&tag[..TAG]);
    assert_eq!(ask(BASE64URL.encode(bytes).as_bytes(), &ring, NOW).err(), Some(NoOpening::Invalid));
}

#[test]
fn the_longest_token_fits_into_200_characters_of_any_url() {
    let ring = KeyRing::ephemeral();
    let token = consent(&ring, &"campaign".repeat(8)).encode(&ring);
    assert_eq!(token.len(), 186);
    assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    assert!(ask(token.as_bytes(), &ring, NOW).is_ok());
}

#[test]
fn a_campaign_names_a_mailing_and_nobody() {
    for good in ["spring", "2026-11", "News_2026-11-26.v2", "a", "black-friday-2026", "Q4.2026", "A1"] {
        assert_eq!(Campaign::new(good).map(|campaign| campaign.0), Some(good.to_owned()));
    }
    for bad in ["", "a b", "jane@example.com", "a/b", "é", "07700900123", "9434765919", &"x".repeat(65), "a\0"] {
        assert_eq!(Campaign::new(bad), None, "{bad:?}");
    }
}

proptest! {
    #[test]
    fn garbage_is_never_a_token(token in proptest::collection::vec(any::<u8>(), 0..260)) {
        prop_assert!(ask(&token, &KeyRing::ephemeral(), NOW).is_err());
        prop_assert!(ask(BASE64URL.encode(&token).as_bytes(), &KeyRing::ephemeral(), NOW).is_err());
    }

    #[test]
    fn no_changed_byte_is_accepted(at in 0usize..110, with in any::<u8>()) {
        let ring = KeyRing::ephemeral();
        let good = consent(&ring, "spring").encode(&ring).into_bytes();
        let mut bad = good.clone();
        if let Some(byte) = bad.get_mut(at) { *byte = with; }
        prop_assert!(bad == good || ask(&bad, &ring, NOW).is_err());
    }

    /// Also what is signed and does not parse.
    #[test]
    fn what_is_signed_and_no_token_permits_nothing(body in proptest::collection::vec(any::<u8>(), 0..70)) {
        let ring = KeyRing::ephemeral();
        let tag = ring.mac(KeyPurpose::MailConsent, &[&body]).value;
        let token = BASE64URL.encode([&body[..], &tag[..TAG]].concat());
        prop_assert!(ask(token.as_bytes(), &ring, NOW).is_err());
    }
}
