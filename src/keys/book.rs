//! The records of the ring: which keys there are and were, and what is due. Pure: time is an argument, and where the book is
//! kept is the file's business.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::{KeyId, KeyPurpose};

/// Seconds in a day.
const DAY: u64 = 86_400;

/// 256 random bits, wiped when they are let go. In a box, so that moving it leaves no copy behind.
pub(super) struct Secret(Box<[u8; 32]>);

impl Secret {
    /// A new one from the system's generator.
    fn random() -> Secret {
        Secret::filled(|bytes| getrandom::fill(bytes).expect("the system has a random number generator"))
    }

    /// One that is written into its place.
    pub(super) fn filled(fill: impl FnOnce(&mut [u8; 32])) -> Secret {
        let mut secret = Secret(Box::new([0; 32]));
        fill(&mut secret.0);
        secret
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Why a key was destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// The time in which its pseudonyms may be linked was over.
    Window,
    /// Somebody asked for it.
    Command,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Window => "its window was over",
            Why::Command => "by command",
        })
    }
}

/// The end of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destruction {
    /// Seconds since 1970.
    pub at: u64,
    /// On what ground.
    pub why: Why,
}

/// What is known of a key, but not the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Its number.
    pub id: KeyId,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// The site it is for; keys of the first file format are for every site that has no newer one.
    pub site: Option<u32>,
    /// Seconds since 1970.
    pub created: u64,
    /// When a newer one took its place, in seconds since 1970.
    pub retired: Option<u64>,
    /// When and why its secret was destroyed.
    pub destroyed: Option<Destruction>,
}

impl KeyFacts {
    /// Where in its life the key is.
    pub fn state(&self) -> State {
        match (self.destroyed, self.retired) {
            (Some(_), _) => State::Destroyed,
            (None, Some(_)) => State::Retired,
            (None, None) => State::Active,
        }
    }

    /// Whether it is used by `site`.
    pub fn serves(&self, site: u32) -> bool {
        self.site.is_none_or(|own| own == site)
    }
}

/// Where in its life a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// New MACs are made under it.
    Active,
    /// What was made under it is still verified and found.
    Retired,
    /// Its secret is gone.
    Destroyed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Active => "active",
            State::Retired => "retired",
            State::Destroyed => "destroyed",
        })
    }
}

/// How long keys are used and kept, by whole UTC days; days are counted from 1970.
pub trait Windows {
    /// The day on which a key that was made on `created` is replaced; nothing where it never is.
    fn replaced_on(&self, purpose: KeyPurpose, created: u16) -> Option<u16>;
    /// The day on which a key that was retired on `retired` is destroyed; nothing where it never is.
    fn destroyed_on(&self, purpose: KeyPurpose, retired: u16) -> Option<u16>;
}

/// Why a key is not destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDestroyed {
    /// There is none with this number.
    #[error("there is no key {0} in this ring; consentry keys list shows those there are")]
    Unknown(KeyId),
    /// It is gone already.
    #[error("key {0} is destroyed already")]
    Already(KeyId),
}

/// A record, and the secret as long as there is one.
pub(super) struct Entry {
    pub(super) facts: KeyFacts,
    pub(super) secret: Option<Secret>,
}

/// All records of a ring.
#[derive(Default)]
pub struct Book {
    entries: Vec<Entry>,
}

impl Book {
    pub(super) fn of(entries: Vec<Entry>) -> Book {
        Book { entries }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is known of every key, in the order in which they were made.
    pub fn facts(&self) -> impl Iterator<Item = &KeyFacts> {
        self.entries.iter().map(|entry| &entry.facts)
    }

    /// The key under which `site` makes new MACs.
    pub fn active(&self, purpose: KeyPurpose, site: u32) -> Option<&KeyFacts> {
        let serves = |key: &&KeyFacts| key.purpose == purpose && key.serves(site) && key.state() == State::Active;
        self.facts().filter(serves).max_by_key(|key| key.id)
    }

    /// The sites that have keys of their own.
    pub fn sites(&self) -> BTreeSet<u32> {
        self.facts().filter_map(|key| key.site).collect()
    }

    /// Gives `site` the keys it lacks; says whether it lacked any.
    pub fn settle(&mut self, site: u32, now: u64) -> bool {
        let lacking: Vec<_> = KeyPurpose::ALL.into_iter().filter(|p| self.active(*p, site).is_none()).collect();
        for purpose in &lacking {
            self.make(*purpose, Some(site), now);
        }
        !lacking.is_empty()
    }

    /// A new key for `purpose` at `site`; the one before it is retired. A key that serves every site is replaced at every
    /// site, or it would still be used at some of them.
    pub fn rotate(&mut self, purpose: KeyPurpose, site: u32, now: u64) {
        let old: Vec<KeyFacts> = self
            .facts()
            .filter(|key| key.purpose == purpose && key.serves(site) && key.state() == State::Active)
            .copied()
            .collect();
        for entry in &mut self.entries {
            if old.iter().any(|key| key.id == entry.facts.id) {
                entry.facts.retired = Some(now);
            }
        }
        self.make(purpose, Some(site), now);
        if old.iter().any(|key| key.site.is_none()) {
            for other in self.sites() {
                if self.active(purpose, other).is_none() {
                    self.make(purpose, Some(other), now);
                }
            }
        }
    }

    /// Destroys a key's secret. Where it was active, a new one takes its place at once.
    pub fn destroy(&mut self, id: KeyId, why: Why, now: u64) -> Result<KeyFacts, NotDestroyed> {
        let entry = self.entries.iter_mut().find(|entry| entry.facts.id == id).ok_or(NotDestroyed::Unknown(id))?;
        let before = entry.facts;
        if before.state() == State::Destroyed {
            return Err(NotDestroyed::Already(id));
        }
        entry.secret = None;
        entry.facts.retired.get_or_insert(now);
        entry.facts.destroyed = Some(Destruction { at: now, why });
        let after = entry.facts;
        let left_without = match before.site {
            Some(site) => BTreeSet::from([site]),
            None => self.sites(),
        };
        for site in left_without {
            if self.active(before.purpose, site).is_none() {
                self.make(before.purpose, Some(site), now);
            }
        }
        Ok(after)
    }

    /// Gives `site` what it lacks, replaces what is due and destroys what is over; says whether anything was. Other sites'
    /// keys are their own gateways' to tend, since their windows are not known here.
    pub fn tend(&mut self, site: u32, now: u64, windows: &dyn Windows) -> bool {
        let today = day(now);
        let mut changed = self.settle(site, now);
        for purpose in KeyPurpose::ALL {
            let Some(key) = self.active(purpose, site) else { continue };
            let due = windows.replaced_on(purpose, day(key.created)).is_some_and(|on| on <= today)
                // The clock was wrong when it was made; its day would be long in coming.
                || (key.created > now + DAY && windows.replaced_on(purpose, today).is_some());
            if due {
                self.rotate(purpose, site, now);
                changed = true;
            }
        }
        for entry in &mut self.entries {
            let facts = &mut entry.facts;
            if facts.state() != State::Retired || !facts.serves(site) {
                continue;
            }
            let Some(retired) = facts.retired.as_mut() else { continue };
            if *retired > now + DAY {
                *retired = now;
                changed = true;
            }
            if windows.destroyed_on(facts.purpose, day(*retired)).is_some_and(|on| on <= today) {
                entry.secret = None;
                facts.destroyed = Some(Destruction { at: now, why: Why::Window });
                changed = true;
            }
        }
        changed
    }

    fn make(&mut self, purpose: KeyPurpose, site: Option<u32>, now: u64) {
        let newest = self.facts().map(|key| key.id.0).max().unwrap_or(0);
        let id = KeyId(newest.checked_add(1).expect("four thousand million keys are not made in the life of a ring"));
        let facts = KeyFacts { id, purpose, site, created: now, retired: None, destroyed: None };
        self.entries.push(Entry { facts, secret: Some(Secret::random()) });
    }
}

/// The UTC day of a time.
fn day(seconds: u64) -> u16 {
    u16::try_from(seconds / DAY).unwrap_or(u16::MAX)
}
