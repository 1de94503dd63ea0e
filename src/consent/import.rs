//! Consent managers a site already has (C12): what a visitor told one of them counts as if they had told us. An [`Import`] is
//! the site's manager and what its categories mean; [`Import::read`] makes of a request's `Cookie` headers what was granted
//! and denied, and when.
//!
//! A cookie that page scripts and visitors can write is believed only as far as it can be understood: a grant needs the
//! manager's own field that says that **the visitor acted**, the version the site declares, and an age within the site's
//! period. Of what is unparsable, oversized, contradictory, from the future, too old or of another version nothing counts (C1).
//! Every format is read as its manager writes it: split at `;` alone, percent-decoded at most once, `+` a space only where
//! the manager writes forms. What is kept in the browser's local storage alone is never seen.
//!
//! Called by the front door in the place of the banner's own choice. Pure: the time is an argument.

mod cookiebot;
mod cookies;
mod entries;
mod json;
mod manager;
mod meet;
mod onetrust;
mod said;
mod tcf;
#[cfg(test)]
mod tests;
mod time;

use sha2::{Digest as _, Sha256};

use self::cookies::Cookies;
pub use self::manager::Manager;
use self::manager::{Read, Site};
pub use self::meet::{Met, meet};
use self::said::{Answer, Said};
use super::choice::SKEW;
use super::{Policy, PurposeSet};

/// The most categories a mapping may have.
pub const MAX_CATEGORIES: usize = 64;

/// A site's consent manager and what its categories mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    manager: Manager,
    cookie: Option<String>,
    version: Option<String>,
    categories: Vec<(String, usize)>,
}

/// What a manager's cookie says of the version that was agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// A whole number.
    Whole,
    /// Any text.
    Text,
}

/// Why a manager cannot be believed as it was declared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// There is nothing to believe it about.
    #[error("no category of {0} is mapped to a purpose")]
    NoCategories(&'static str),
    /// More than fit.
    #[error("{0} categories are mapped; at most {MAX_CATEGORIES} are possible")]
    TooMany(usize),
    /// It has no such category.
    #[error("`{0}` is no category of {1}")]
    Category(String, &'static str),
    /// The purpose needs no choice.
    #[error("category `{0}` is mapped to `necessary`, which needs no choice")]
    Necessary(String),
    /// The purpose is not declared.
    #[error("category `{0}` is mapped to a purpose that is not declared")]
    NoPurpose(String),
    /// Its cookie holds no version.
    #[error("the cookie of {0} does not say which version was agreed to")]
    NoVersion(&'static str),
    /// The version cannot stand in its cookie.
    #[error("`{0}` is no version of {1}")]
    BadVersion(String, &'static str),
    /// No cookie can be called so.
    #[error("`{0}` is no cookie's name")]
    BadCookie(String),
}

/// What a visitor told the manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The purposes all of whose categories were accepted.
    pub granted: PurposeSet,
    /// The purposes one of whose categories was refused. One in neither set was not answered.
    pub denied: PurposeSet,
    /// When, in seconds since 1970 by the visitor's clock; absent where the manager does not say.
    pub at: Option<u64>,
    /// Changes when any of these or the manager does: 48 bits of their SHA-256.
    pub stamp: [u8; 6],
}

impl Import {
    /// Believes `manager` about `categories`, each with the index of its purpose in `policy`. A purpose is granted when all of
    /// its categories are. `cookie` is the name the site gave the cookie, where it is not the manager's own; `version` the one
    /// the site asks for now, where the manager has one.
    pub fn new(
        manager: Manager,
        cookie: Option<String>,
        version: Option<String>,
        categories: Vec<(String, usize)>,
        policy: &Policy,
    ) -> Result<Import, ImportError> {
        if let Some(version) = &version {
            let right = match manager.version().ok_or(ImportError::NoVersion(manager.word()))? {
                Version::Whole => entries::whole(version).is_some_and(|number| number.to_string() == *version),
                Version::Text => (1..=200).contains(&version.len()),
            };
            if !right {
                return Err(ImportError::BadVersion(version.clone(), manager.word()));
            }
        }
        let is_name =
            |name: &str| !name.is_empty() && !name.bytes().any(|b| b"=; \t".contains(&b) || b.is_ascii_control());
        if let Some(name) = cookie.as_ref().filter(|name| !is_name(name)) {
            return Err(ImportError::BadCookie(name.clone()));
        }
        match categories.len() {
            0 => return Err(ImportError::NoCategories(manager.word())),
            1..=MAX_CATEGORIES => {}
            many => return Err(ImportError::TooMany(many)),
        }
        for (category, purpose) in &categories {
            manager.check_category(category)?;
            match *purpose {
                0 => return Err(ImportError::Necessary(category.clone())),
                index if index >= policy.purposes().len() => return Err(ImportError::NoPurpose(category.clone())),
                _ => {}
            }
        }
        Ok(Import { manager, cookie, version, categories })
    }

    /// The categories `manager` usually has, as far as their purposes are declared.
    pub fn usual(manager: Manager, policy: &Policy) -> Vec<(String, usize)> {
        let declared = |(category, purpose): &(&str, &str)| Some(((*category).to_owned(), policy.index(purpose)?));
        manager.usual().iter().filter_map(declared).collect()
    }

    /// The manager.
    pub fn manager(&self) -> Manager {
        self.manager
    }

    /// The cookies its choice is in. The site must declare them, or they are removed like any other.
    pub fn cookies(&self) -> impl Iterator<Item = &str> {
        let own = self.cookie.is_none().then(|| self.manager.cookies().iter().copied());
        let closed = (self.manager == Manager::OneTrust).then_some(onetrust::CLOSED);
        self.cookie.as_deref().into_iter().chain(own.into_iter().flatten()).chain(closed)
    }

    /// The mapping: category or service, and the index of its purpose.
    pub fn categories(&self) -> &[(String, usize)] {
        &self.categories
    }

    /// What the visitor told the manager, by the values of all `Cookie` headers of a request. Nothing where they told it
    /// nothing about what is mapped, or nothing that counts. `life` is how long a choice counts, in seconds; where the manager
    /// writes no time, the life it gave its cookie decides.
    ///
    /// Where the browser sends several cookies of one name, what one of them denies is denied, and if one of them does not
    /// count, none does.
    pub fn read<'a>(&self, cookie_lines: impl IntoIterator<Item = &'a [u8]>, now: u64, life: u64) -> Option<Imported> {
        let cookies = Cookies::of(cookie_lines, |name| self.is_asked(name))?;
        let (mut granted, mut denied) = (PurposeSet::of(1..8), PurposeSet::default());
        let mut at = None;
        for said in self.said(&cookies, now)? {
            let counts = |at: u64| at <= now.saturating_add(SKEW) && now.saturating_sub(at) < life;
            if !said.at.is_none_or(counts) {
                return None;
            }
            at = at.max(said.at);
            let (yes, no) = self.purposes(&said);
            (granted, denied) = (granted.intersect(yes), denied.union(no));
        }
        if granted.union(denied) == PurposeSet::default() {
            return None;
        }
        Some(Imported { granted, denied, at, stamp: self.stamp(granted, denied, at) })
    }

    /// The SHA-256 of the manager's cookies as the browser sent them, `name=value` joined by `; `: what the proof of an imported
    /// choice rests on, without the ids that are in it. Nothing where [`read`](Import::read) would not look at them.
    pub fn evidence<'a>(&self, cookie_lines: impl IntoIterator<Item = &'a [u8]>) -> Option<[u8; 32]> {
        let cookies = Cookies::of(cookie_lines, |name| self.is_asked(name))?;
        let sent: Vec<Vec<u8>> = cookies.pairs().map(|(name, value)| [name, b"=", value].concat()).collect();
        (!sent.is_empty()).then(|| Sha256::digest(sent.join(&b"; "[..])).into())
    }

    /// Whether a cookie is one that is read.
    fn is_asked(&self, name: &[u8]) -> bool {
        match self.manager.reader() {
            Read::Complianz => self.cookies().any(|own| name.starts_with(own.as_bytes())),
            _ => self.cookies().any(|own| name == own.as_bytes()),
        }
    }

    /// What each of the cookies says, at least one; nothing where one of them cannot be understood.
    fn said(&self, cookies: &Cookies<'_>, now: u64) -> Option<Vec<Said>> {
        let site = Site { version: self.version.as_deref(), now };
        let read: &dyn Fn(&[u8]) -> Option<Said> = match self.manager.reader() {
            Read::Value(read) => &move |value| read(value, &site),
            Read::OneTrust => &|value| onetrust::read(value, cookies),
            Read::Complianz => return Some(vec![entries::complianz(cookies, self.cookies().next()?, &site)?]),
        };
        let mut said = Vec::new();
        for name in self.cookies().filter(|name| *name != onetrust::CLOSED) {
            for value in cookies.all(name.as_bytes())? {
                said.push(read(value)?);
            }
        }
        (!said.is_empty()).then_some(said)
    }

    /// What is granted and denied by one cookie.
    fn purposes(&self, said: &Said) -> (PurposeSet, PurposeSet) {
        let with = |wanted: Answer| {
            let those = self.categories.iter().filter(move |(category, _)| said.answer(category) == wanted);
            PurposeSet::of(those.map(|(_, purpose)| *purpose))
        };
        let denied = with(Answer::Refused);
        let undecided = with(Answer::Unknown).union(denied);
        let granted = PurposeSet::of(
            (1..8).filter(|&index| with(Answer::Accepted).contains(index) && !undecided.contains(index)),
        );
        (granted, denied)
    }

    fn stamp(&self, granted: PurposeSet, denied: PurposeSet, at: Option<u64>) -> [u8; 6] {
        let mut hash = Sha256::new();
        hash.update(self.manager.word());
        hash.update([0, granted.bits(), denied.bits(), u8::from(at.is_some())]);
        hash.update(at.unwrap_or_default().to_le_bytes());
        let mut stamp = [0; 6];
        stamp.copy_from_slice(&hash.finalize()[..6]);
        stamp
    }
}
