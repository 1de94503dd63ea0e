//! A recipient's own consent to the recording of openings: the signed token in the pixel's address.
//!
//! The token is 59 bytes and the campaign, then 128 bits of HMAC-SHA-256 over all of it, base64url: at most 186 characters.
//! It carries the recipient's pseudonym, never the address, so that the mail's HTML names nobody, and the entry that stands
//! for that recipient in the list of who has withdrawn.
//!
//! | bytes | |
//! |---|---|
//! | 1 | the format, 1 |
//! | 2 | the policy's version |
//! | 8 | the receipt |
//! | 4, 4 | granted, ends; seconds since 1970 |
//! | 4, 16 | the recipient's pseudonym: its key, then itself |
//! | 4, 16 | the recipient's suppression entry: its key, then itself |
//! | 1 to 64 | the campaign |
//!
//! All numbers are little-endian. A token counts only while both keys it names are live: one whose key was destroyed could
//! not be withdrawn from any more, since nobody can make that pseudonym again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

use super::choice::SKEW;
use super::{Granted, MailOpening, Permit, Policy, PurposeSet};
use crate::keys::{KeyId, KeyPurpose, KeyRing, Keyed};
use crate::pseudonym::{RawUrl, SubjectId, scrub};

/// The longest token, in characters.
pub const MAX_TOKEN: usize = 200;

const FORMAT: u8 = 1;
const TAG: usize = 16;

/// The name of a mailing: 1 to 64 letters, digits and `. _ -` that name no person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign(String);

impl Campaign {
    /// The longest, in bytes.
    pub const MAX: usize = 64;

    /// The campaign a text names; nothing where it has other characters, or looks like a number or token of somebody's (D3).
    pub fn new(text: &str) -> Option<Campaign> {
        let is_one = (1..=Self::MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && scrub::scrub_path(&RawUrl::new(&format!("/{text}")), &[]).strip_prefix('/') == Some(text);
        is_one.then(|| Campaign(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a recipient agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailConsent {
    /// The policy that was asked.
    pub policy_version: u16,
    /// The receipt's id.
    pub receipt: u64,
    /// When it was given, in seconds since 1970.
    pub granted_at: u64,
    /// When it ends, in seconds since 1970.
    pub ends_at: u64,
    /// Who, keyed.
    pub recipient: Keyed<SubjectId>,
    /// The entry that would stand for the recipient among those who have withdrawn.
    pub suppression: Keyed<SubjectId>,
    /// Which mailing.
    pub campaign: Campaign,
}

/// What may be kept of one opening, and the leave to keep it.
pub struct Opening {
    /// The leave.
    pub permit: Permit<MailOpening>,
    /// Whose mail, keyed.
    pub recipient: Keyed<SubjectId>,
    /// Which mailing.
    pub campaign: Campaign,
}

/// Why an opening may not be kept (C1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoOpening {
    /// The token is not one of ours, or was changed.
    Invalid,
    /// It is older than the consent.
    Expired,
    /// It was made for another policy.
    OldPolicy,
    /// It comes from the future.
    ClockSkew,
    /// A key it was made with is destroyed.
    KeyDestroyed,
    /// The recipient has withdrawn.
    Withdrawn,
}

impl MailConsent {
    /// The token.
    pub fn encode(&self, ring: &KeyRing) -> String {
        let mut bytes = Vec::with_capacity(160);
        bytes.push(FORMAT);
        bytes.extend(self.policy_version.to_le_bytes());
        bytes.extend(self.receipt.to_le_bytes());
        for time in [self.granted_at, self.ends_at] {
            bytes.extend(u32::try_from(time).unwrap_or(u32::MAX).to_le_bytes());
        }
        for who in [self.recipient, self.suppression] {
            bytes.extend(who.key.0.to_le_bytes());
            bytes.extend(who.value.0.to_le_bytes());
        }
        bytes.extend(self.campaign.0.as_bytes());
        let tag = ring.mac(KeyPurpose::MailConsent, &[&bytes]).value;
        bytes.extend(&tag[..TAG]);
        BASE64URL.encode(bytes)
    }

    /// What a token says, where it is one of ours; whether it still counts is [`opening`]'s to say.
    fn decode(token: &[u8], ring: &KeyRing) -> Option<MailConsent> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let bytes = BASE64URL.decode(token).ok()?;
        let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG)?)?;
        if !ring.verify(KeyPurpose::MailConsent, &[body], tag) {
            return None;
        }
        // From here on the token is ours; what does not parse was written by another version.
        let mut rest = body;
        let [format] = take(&mut rest)?;
        if format != FORMAT {
            return None;
        }
        let policy_version = u16::from_le_bytes(take(&mut rest)?);
        let receipt = u64::from_le_bytes(take(&mut rest)?);
        let mut time = || take(&mut rest).map(|bytes| u64::from(u32::from_le_bytes(bytes)));
        let (granted_at, ends_at) = (time()?, time()?);
        let mut who = || {
            let key = KeyId(u32::from_le_bytes(take(&mut rest)?));
            Some(Keyed { value: SubjectId(u128::from_le_bytes(take(&mut rest)?)), key })
        };
        let (recipient, suppression) = (who()?, who()?);
        let campaign = Campaign::new(std::str::from_utf8(rest).ok()?)?;
        Some(MailConsent { policy_version, receipt, granted_at, ends_at, recipient, suppression, campaign })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*first)
}

/// Decides whether an opening may be kept. `has_withdrawn` looks a suppression entry up; `now` is in seconds since 1970.
///
/// `Sec-GPC` does not come into it: the token is the recipient's own explicit choice, which wins over a signal (C8).
pub fn opening(
    token: &[u8],
    policy: &Policy,
    ring: &KeyRing,
    now: u64,
    has_withdrawn: impl FnOnce(Keyed<SubjectId>) -> bool,
) -> Result<Opening, NoOpening> {
    let consent = MailConsent::decode(token, ring).ok_or(NoOpening::Invalid)?;
    if consent.policy_version != policy.version {
        return Err(NoOpening::OldPolicy);
    }
    if consent.granted_at > now + SKEW {
        return Err(NoOpening::ClockSkew);
    }
    if now >= consent.ends_at {
        return Err(NoOpening::Expired);
    }
    let is_live = |purpose, key| ring.live(purpose).contains(&key);
    if !is_live(KeyPurpose::Mail, consent.recipient.key) || !is_live(KeyPurpose::Suppression, consent.suppression.key) {
        return Err(NoOpening::KeyDestroyed);
    }
    if has_withdrawn(consent.suppression) {
        return Err(NoOpening::Withdrawn);
    }
    // No purpose of the policy's: visitors are not asked about this, recipients are.
    let permit = Permit::new(Granted {
        receipt: consent.receipt,
        policy_version: consent.policy_version,
        purposes: PurposeSet::default(),
        at_ms: consent.granted_at.saturating_mul(1000),
        until: consent.ends_at,
    });
    Ok(Opening { permit, recipient: consent.recipient, campaign: consent.campaign })
}

#[cfg(test)]
mod tests;
