//! The stored choice: the signed value of the cookie `consentry`, its making and its reading (C1, C9).
//!
//! `v2~VERSION~MADE~UNTIL~RECEIPT~GRANTED~DENIED~SOURCE~MARKS~LANGUAGE~TEXT~ROW~TAG`, all of it cookie octets and under 400 bytes
//! for eight purposes:
//!
//! | field | |
//! |---|---|
//! | `VERSION` | of the policy that was asked |
//! | `MADE`, `UNTIL` | when, in milliseconds since 1970, and until when it counts, in seconds |
//! | `RECEIPT` | 16 hexadecimal digits; stands on every row that is stored under the choice |
//! | `GRANTED`, `DENIED` | purposes as `ID.WHAT`, joined with `!`; `WHAT` is the purpose's [`Fingerprint`] in base64url |
//! | `SOURCE` | a [`ChoiceSource`] |
//! | `MARKS` | `u` where the visitor said to be under 16, `g` and `d` where `Sec-GPC` or `DNT` came along; then, each behind a `.`, stamp and time of another manager's choice |
//! | `LANGUAGE`, `TEXT` | what was read: its language and the beginning of its hash |
//! | `ROW` | the first 16 bytes of the hash of the ledger's row, base64url |
//! | `TAG` | 128 bits of HMAC-SHA-256 over the host (or the shared domain) and everything before it, base64url |

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

use super::import::Manager;
use super::seal::Seal;
use super::{Fingerprint, Language, Policy, PurposeSet, Signals};

/// The cookie's name.
pub const COOKIE: &str = "consentry";
/// Its name where it belongs to one host alone and came over a safe connection: no other host can set it (RFC 6265bis §4.1.3.2).
pub const HOST_COOKIE: &str = "__Host-consentry";
/// The twin that scripts can read: what is granted and nothing else. It proves nothing and is never read here.
pub const TWIN: &str = "consentry_choice";
/// How far ahead of ours the clock of another gateway may run, in seconds.
pub(super) const SKEW: u64 = 300;
/// The longest value that is looked at, in bytes.
const MAX_VALUE: usize = 400;

/// Where a choice was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceSource {
    /// The banner.
    Banner,
    /// The preferences page.
    Preferences,
    /// The button that withdraws everything.
    Withdrawal,
    /// The page's own script, through `POST /_privacy/consent` as JSON.
    Api,
    /// Nowhere: the browser said `Sec-GPC: 1`. No choice, but an objection that is written down (C8, [`NoChoice::Objected`]).
    Gpc,
    /// Likewise `DNT: 1`.
    Dnt,
    /// The consent manager the site has already (C12).
    Import(Manager),
}

const SOURCES: [(ChoiceSource, &str); 6] = [
    (ChoiceSource::Banner, "banner"),
    (ChoiceSource::Preferences, "preferences"),
    (ChoiceSource::Withdrawal, "withdrawal"),
    (ChoiceSource::Api, "api"),
    (ChoiceSource::Gpc, "gpc"),
    (ChoiceSource::Dnt, "dnt"),
];

const IMPORT: &str = "import:";

impl ChoiceSource {
    /// The word in cookie, forms, JSON and ledger; `import:klaro` and the like where it was imported.
    pub fn word(self) -> Cow<'static, str> {
        if let ChoiceSource::Import(manager) = self {
            return format!("{IMPORT}{}", manager.word()).into();
        }
        SOURCES.iter().find(|(s, _)| *s == self).map(|(_, word)| Cow::from(*word)).expect("every source has a word")
    }

    /// The source a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        if let Some(manager) = word.strip_prefix(IMPORT) {
            return Manager::from_word(manager).map(ChoiceSource::Import);
        }
        SOURCES.iter().find(|(_, w)| *w == word).map(|(source, _)| *source)
    }
}

/// What a visitor chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The policy that was asked.
    pub policy_version: u16,
    /// When, in milliseconds since 1970.
    pub made_at_ms: u64,
    /// Until when it counts, in seconds since 1970.
    pub until: u64,
    /// The receipt's id.
    pub receipt: u64,
    /// What was granted, as far as the purposes are still what they were.
    pub granted: PurposeSet,
    /// What was refused, as far as the purposes are still what they were.
    pub denied: PurposeSet,
    /// What was refused, whether or not the purposes have changed since: a refusal may have been an objection (L4).
    pub refused: PurposeSet,
    /// Where it was made.
    pub source: ChoiceSource,
    /// Whether the visitor said to be under 16 (C11).
    pub under_16: bool,
    /// The signals that came along (C8).
    pub signals: Signals,
    /// What another consent manager said at that time ([`super::import`]); all zero where none was asked.
    pub stamp: [u8; 6],
    /// When the manager said so, by its own word, in seconds since 1970.
    pub said_at: Option<u64>,
    /// In which language it was asked.
    pub language: Language,
    /// The first bytes of the hash of what was asked; all zero where it is not known.
    pub text: [u8; 8],
    /// The first bytes of the hash of the ledger's row.
    pub row: [u8; 16],
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
    /// A later choice has taken its place: it is a copy.
    Replaced,
    /// The visitor has chosen nothing, but their browser objected, and that has a row in the ledger (C8, P1).
    Objected {
        /// The row's receipt.
        receipt: u64,
    },
}

impl NoChoice {
    /// The reason as one word.
    pub fn word(self) -> &'static str {
        match self {
            NoChoice::Missing | NoChoice::Objected { .. } => "no-choice",
            NoChoice::Invalid => "invalid-choice",
            NoChoice::Expired => "expired-choice",
            NoChoice::OldPolicy => "old-policy",
            NoChoice::ClockSkew => "clock-skew",
            NoChoice::Replaced => "replaced-choice",
        }
    }
}

impl Choice {
    /// A new choice of `granted` out of everything that is asked; the rest is refused. `now_ms` is in milliseconds since 1970.
    pub fn new(policy: &Policy, granted: PurposeSet, source: ChoiceSource, now_ms: u64) -> Choice {
        let granted = granted.intersect(policy.all()).union(policy.necessary());
        let denied = policy.all().without(granted);
        let mut receipt = [0u8; 8];
        getrandom::fill(&mut receipt).expect("the system has a random number generator");
        Choice {
            policy_version: policy.version,
            made_at_ms: now_ms,
            until: (now_ms / 1000).saturating_add(policy.choice_life),
            receipt: u64::from_le_bytes(receipt),
            granted,
            denied,
            refused: denied,
            source,
            under_16: false,
            signals: Signals::default(),
            stamp: [0; 6],
            said_at: None,
            language: Language::default(),
            text: [0; 8],
            row: [0; 16],
        }
    }

    /// When it was made, in seconds since 1970.
    pub fn made_at(&self) -> u64 {
        self.made_at_ms / 1000
    }

    /// The cookie's value.
    pub fn encode<'a>(&self, policy: &Policy, seal: impl Into<Seal<'a>>) -> String {
        let mut value = String::with_capacity(MAX_VALUE);
        let put = &mut value;
        write!(put, "v2~{}~{}~{}~{:016x}~", self.policy_version, self.made_at_ms, self.until, self.receipt).ok();
        purposes(put, policy, self.granted);
        put.push('~');
        purposes(put, policy, self.denied);
        write!(put, "~{}~", self.source.word()).ok();
        let marks = [(self.under_16, 'u'), (self.signals.gpc, 'g'), (self.signals.dnt, 'd')];
        put.extend(marks.into_iter().filter_map(|(is_set, mark)| is_set.then_some(mark)));
        if self.stamp != [0; 6] {
            put.push('.');
            BASE64URL.encode_string(self.stamp, put);
        }
        if let Some(at) = self.said_at {
            write!(put, ".{at}").ok();
        }
        write!(put, "~{}~{:016x}~", self.language.as_str(), u64::from_be_bytes(self.text)).ok();
        BASE64URL.encode_string(self.row, put);
        let tag = seal.into().tag(&value);
        value.push('~');
        BASE64URL.encode_string(&tag[..16], &mut value);
        value
    }

    /// The value of the twin: the purposes that are granted, or `none`.
    pub fn twin(&self, policy: &Policy) -> String {
        let granted = policy.optional().filter(|(i, _)| self.granted.contains(*i)).map(|(_, purpose)| &*purpose.id);
        let granted: Vec<&str> = granted.collect();
        if granted.is_empty() { "none".to_owned() } else { granted.join("!") }
    }

    /// The objection that a signal is where nothing was chosen (C8): it refuses advertising, and grants and answers nothing.
    pub fn objection(policy: &Policy, signals: Signals, now_ms: u64) -> Choice {
        let source = if signals.gpc { ChoiceSource::Gpc } else { ChoiceSource::Dnt };
        let (nothing, refused) = (Choice::new(policy, PurposeSet::default(), source, now_ms), policy.advertising());
        Choice { denied: refused, refused, signals, ..nothing }
    }

    /// Reads one cookie value.
    pub fn decode<'a>(
        value: &[u8],
        policy: &Policy,
        seal: impl Into<Seal<'a>>,
        now_ms: u64,
    ) -> Result<Choice, NoChoice> {
        let seal = seal.into();
        let choice = seal.once(value, || verified(value, policy, seal)).ok_or(NoChoice::Invalid)?;
        // Who has said to be under 16 is that under another policy and by another clock too (C11).
        if choice.policy_version != policy.version && !choice.under_16 {
            return Err(NoChoice::OldPolicy);
        }
        if choice.made_at_ms > now_ms.saturating_add(SKEW * 1000) && !choice.under_16 {
            return Err(NoChoice::ClockSkew);
        }
        let now = now_ms / 1000;
        if now >= choice.until || now.saturating_sub(choice.made_at()) >= policy.choice_life {
            return Err(NoChoice::Expired);
        }
        match choice.source {
            ChoiceSource::Gpc | ChoiceSource::Dnt => Err(NoChoice::Objected { receipt: choice.receipt }),
            _ => Ok(choice),
        }
    }

    /// The choice among all cookies of one name in a request: a browser may send several, from parent domains or paths, and
    /// another host of the domain may have planted one. The one made last counts, as far as all the others grant it too: a
    /// leftover never undoes a withdrawal, and what is planted can take away and never grant.
    pub fn among<'a, 's>(
        values: impl IntoIterator<Item = &'a [u8]>,
        policy: &Policy,
        seal: impl Into<Seal<'s>>,
        now_ms: u64,
    ) -> Result<Choice, NoChoice> {
        let seal = seal.into();
        let mut best: Result<Choice, NoChoice> = Err(NoChoice::Missing);
        for value in values {
            best = match (best, Choice::decode(value, policy, seal, now_ms)) {
                (Err(NoChoice::Missing), found) => found,
                (Err(_), Ok(found)) => Ok(found),
                (Ok(old), Ok(new)) if new.made_at_ms > old.made_at_ms => Ok(new.held_to(&old)),
                (Ok(old), Ok(new)) => Ok(old.held_to(&new)),
                // An objection that is written down is known beside whatever else cannot be read.
                (Err(_), objected @ Err(NoChoice::Objected { .. })) => objected,
                (best, Err(_)) => best,
            };
        }
        best
    }

    /// The same, without what `other` does not grant.
    fn held_to(self, other: &Choice) -> Choice {
        let under_16 = self.under_16 || other.under_16;
        let granted = if under_16 { PurposeSet::default() } else { self.granted.intersect(other.granted) };
        let refused = self.refused.union(other.refused);
        Choice { granted, refused, under_16, ..self }
    }

    /// The choice of a request that may carry both names, where only [`HOST_COOKIE`] is trusted to grant: `hosted` is what that
    /// one says, `plain` what [`COOKIE`] says. Another host under the same domain can set the latter, so it may take away,
    /// never add; alone, it leaves open what it grants, and beside one that does not count it is still a declaration of being
    /// under 16 (C11).
    pub fn of_host_only(hosted: Result<Choice, NoChoice>, plain: Result<Choice, NoChoice>) -> Result<Choice, NoChoice> {
        match (hosted, plain) {
            (Ok(hosted), Ok(plain)) if plain.made_at_ms > hosted.made_at_ms => {
                let denied = hosted.denied.union(hosted.granted.intersect(plain.denied));
                Ok(Choice { denied, ..hosted }.held_to(&plain))
            }
            (Ok(hosted), _) => Ok(hosted),
            (Err(why), Ok(plain)) if plain.under_16 || matches!(why, NoChoice::Missing | NoChoice::Objected { .. }) => {
                Ok(Choice { granted: PurposeSet::default(), ..plain })
            }
            (Err(NoChoice::Missing), Err(why)) | (Err(why), _) => Err(why),
        }
    }
}

/// What a value says, whenever that was, if it carries our tag.
fn verified(value: &[u8], policy: &Policy, seal: Seal<'_>) -> Option<Choice> {
    let value = std::str::from_utf8(value).ok().filter(|value| value.len() <= MAX_VALUE)?;
    let (body, tag) = value.rsplit_once('~')?;
    let tag: [u8; 16] = bytes(tag)?;
    // What is ours and does not parse was written by another version.
    seal.is_on(body, &tag).then(|| signed(body, policy)).flatten()
}

/// What a body says that carries our tag.
fn signed(body: &str, policy: &Policy) -> Option<Choice> {
    let mut fields = body.split('~');
    let mut next = || fields.next();
    if next()? != "v2" {
        return None;
    }
    let policy_version = next()?.parse().ok()?;
    let made_at_ms = next()?.parse().ok()?;
    let until = next()?.parse().ok()?;
    let receipt = u64::from_str_radix(next()?, 16).ok()?;
    let granted = Named::of(next()?, policy).unchanged;
    let denied = Named::of(next()?, policy);
    let source = ChoiceSource::from_word(next()?)?;
    let mut marks = next()?.split('.');
    let (marks, stamp, said_at) = (marks.next()?, marks.next(), marks.next());
    Some(Choice {
        policy_version,
        made_at_ms,
        until,
        receipt,
        // What is necessary needs no words in the cookie.
        granted: granted.union(policy.necessary()),
        denied: denied.unchanged,
        refused: denied.all,
        source,
        under_16: marks.contains('u'),
        signals: Signals { gpc: marks.contains('g'), dnt: marks.contains('d') },
        stamp: stamp.map_or(Some([0; 6]), bytes)?,
        said_at: said_at.map(str::parse).transpose().ok()?,
        language: Language::new(next()?),
        text: u64::from_str_radix(next()?, 16).ok()?.to_be_bytes(),
        row: bytes(next()?)?,
    })
}

/// Purposes by name.
#[derive(Clone, Copy, Default)]
struct Named {
    /// All that are still declared.
    all: PurposeSet,
    /// Those that still come to what they came to (C7).
    unchanged: PurposeSet,
}

impl Named {
    fn of(list: &str, policy: &Policy) -> Named {
        let mut named = Named::default();
        for entry in list.split('!') {
            let Some((id, what)) = entry.rsplit_once('.') else { continue };
            let Some(index) = policy.index(id) else { continue };
            let set = PurposeSet::of([index]);
            named.all = named.all.union(set);
            let fingerprint: Option<Fingerprint> = bytes(what);
            if fingerprint == policy.purposes().get(index).map(|purpose| purpose.fingerprint) {
                named.unchanged = named.unchanged.union(set);
            }
        }
        named
    }
}

fn purposes(out: &mut String, policy: &Policy, set: PurposeSet) {
    for (n, (_, purpose)) in policy.optional().filter(|(i, _)| set.contains(*i)).enumerate() {
        if n > 0 {
            out.push('!');
        }
        out.push_str(&purpose.id);
        out.push('.');
        BASE64URL.encode_string(purpose.fingerprint, out);
    }
}

/// Exactly `N` bytes in base64url.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    // The decoder asks for room in whole groups of three.
    let mut room = [0; 24];
    let length = BASE64URL.decode_slice(text, &mut room).ok()?;
    (length == N).then(|| room.get(..N)?.try_into().ok()).flatten()
}
