//! The stored choice: the signed value of the cookie `consentry`, its making and its reading (C1, C9).
//!
//! `v1~VERSION~UNIX_SECONDS~RECEIPT~GRANTED~DENIED~SOURCE~TAG`: purposes by id, joined with `!`; the receipt in 16 hex digits;
//! the tag 128 bits of HMAC-SHA-256 over everything before it, base64url. All of it are cookie octets, under 400 bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

use super::{Policy, PurposeSet};
use crate::keys::{KeyPurpose, KeyRing};

/// The cookie's name.
pub const COOKIE: &str = "consentry";

/// How far ahead of ours the clock of another gateway may run, in seconds.
pub(super) const SKEW: u64 = 300;

/// Where a choice was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceSource {
    /// The banner.
    Banner,
    /// The preferences page.
    Preferences,
    /// The page's own script, through `POST /_privacy/consent` as JSON.
    Api,
}

const SOURCES: [(ChoiceSource, &str); 3] =
    [(ChoiceSource::Banner, "banner"), (ChoiceSource::Preferences, "preferences"), (ChoiceSource::Api, "api")];

impl ChoiceSource {
    /// The word in cookie, forms and JSON.
    pub fn word(self) -> &'static str {
        SOURCES.iter().find(|(s, _)| *s == self).map(|(_, word)| *word).expect("every source has a word")
    }

    /// The source a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        SOURCES.iter().find(|(_, w)| *w == word).map(|(source, _)| *source)
    }
}

/// What a visitor chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The policy that was asked.
    pub policy_version: u16,
    /// When, in seconds since 1970.
    pub made_at: u64,
    /// The receipt's id.
    pub receipt: u64,
    /// What was granted.
    pub granted: PurposeSet,
    /// What was refused.
    pub denied: PurposeSet,
    /// Where it was made.
    pub source: ChoiceSource,
}

/// Why a request carries no choice that counts (C1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChoice {
    /// There is no such cookie.
    Missing,
    /// The value is not one of ours, or was changed.
    Invalid,
    /// It is older than a choice is kept.
    Expired,
    /// It was made for another policy.
    OldPolicy,
    /// It comes from the future.
    ClockSkew,
}

impl NoChoice {
    /// The reason as one word.
    pub fn word(self) -> &'static str {
        match self {
            NoChoice::Missing => "no-choice",
            NoChoice::Invalid => "invalid-choice",
            NoChoice::Expired => "expired-choice",
            NoChoice::OldPolicy => "old-policy",
            NoChoice::ClockSkew => "clock-skew",
        }
    }
}

impl Choice {
    /// A new choice of `granted` out of everything that is asked; the rest is refused.
    pub fn new(policy: &Policy, granted: PurposeSet, source: ChoiceSource, now: u64) -> Choice {
        let granted = granted.intersect(policy.all()).union(policy.necessary());
        let denied = PurposeSet::of((0..policy.purposes().len()).filter(|&i| !granted.contains(i)));
        let mut receipt = [0u8; 8];
        getrandom::fill(&mut receipt).expect("the system has a random number generator");
        let receipt = u64::from_le_bytes(receipt);
        Choice { policy_version: policy.version, made_at: now, receipt, granted, denied, source }
    }

    /// The cookie's value.
    pub fn encode(&self, policy: &Policy, ring: &KeyRing) -> String {
        let ids = |set: PurposeSet| {
            let ids: Vec<&str> =
                policy.optional().filter(|(i, _)| set.contains(*i)).map(|(_, p)| p.id.as_str()).collect();
            ids.join("!")
        };
        let body = format!(
            "v1~{}~{}~{:016x}~{}~{}~{}",
            self.policy_version,
            self.made_at,
            self.receipt,
            ids(self.granted),
            ids(self.denied),
            self.source.word()
        );
        let tag = ring.mac(KeyPurpose::Choice, &[body.as_bytes()]);
        format!("{body}~{}", BASE64URL.encode(&tag.value[..16]))
    }

    /// Reads one cookie value.
    pub fn decode(value: &[u8], policy: &Policy, ring: &KeyRing, now: u64) -> Result<Choice, NoChoice> {
        let value = std::str::from_utf8(value).ok().filter(|v| v.len() <= 400).ok_or(NoChoice::Invalid)?;
        let (body, tag) = value.rsplit_once('~').ok_or(NoChoice::Invalid)?;
        let tag = BASE64URL.decode(tag).map_err(|_| NoChoice::Invalid)?;
        if tag.len() != 16 || !ring.verify(KeyPurpose::Choice, &[body.as_bytes()], &tag) {
            return Err(NoChoice::Invalid);
        }
        // From here on the value is ours; what does not parse was written by another version.
        let mut fields = body.split('~');
        let mut next = || fields.next().ok_or(NoChoice::Invalid);
        if next()? != "v1" {
            return Err(NoChoice::Invalid);
        }
        let policy_version = next()?.parse().map_err(|_| NoChoice::Invalid)?;
        let made_at: u64 = next()?.parse().map_err(|_| NoChoice::Invalid)?;
        let receipt = u64::from_str_radix(next()?, 16).map_err(|_| NoChoice::Invalid)?;
        let mut set = || Ok(PurposeSet::of(next()?.split('!').filter_map(|id| policy.index(id))));
        // What is necessary needs no words in the cookie.
        let (granted, denied) = (set()?.union(policy.necessary()), set()?);
        let source = ChoiceSource::from_word(next()?).ok_or(NoChoice::Invalid)?;
        if policy_version != policy.version {
            return Err(NoChoice::OldPolicy);
        }
        if made_at > now + SKEW {
            return Err(NoChoice::ClockSkew);
        }
        if now.saturating_sub(made_at) >= policy.choice_life {
            return Err(NoChoice::Expired);
        }
        Ok(Choice { policy_version, made_at, receipt, granted, denied, source })
    }

    /// The choice among all cookies called [`COOKIE`] in a request: a browser may send several, from parent domains or
    /// paths. The one made last counts, of two made in one second the
    /// one that grants less, so that a leftover can never undo a withdrawal.
    pub fn among<'a>(
        values: impl IntoIterator<Item = &'a [u8]>,
        policy: &Policy,
        ring: &KeyRing,
        now: u64,
    ) -> Result<Choice, NoChoice> {
        let mut best: Result<Choice, NoChoice> = Err(NoChoice::Missing);
        for value in values {
            let found = Choice::decode(value, policy, ring, now);
            let better = match (&best, &found) {
                (Err(NoChoice::Missing), _) | (Err(_), Ok(_)) => true,
                (Ok(old), Ok(new)) if new.made_at == old.made_at => new.granted.is_subset_of(old.granted),
                (Ok(old), Ok(new)) => new.made_at > old.made_at,
                _ => false,
            };
            if better {
                best = found;
            }
        }
        best
    }
}
