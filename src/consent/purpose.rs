//! The purposes a site declares and sets of them (C3).

/// One purpose, as the banner and the preferences page show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purpose {
    /// Short name in configuration, cookie and forms: lower-case letters, digits, `_` and `-`.
    pub id: String,
    /// What visitors read as its name.
    pub title: String,
    /// What visitors read as its explanation.
    pub description: String,
    /// On what ground of law, in the operator's words; nothing for the usual: consent, or none needed.
    pub legal_basis: Option<String>,
    /// The storage types of Google Consent Mode it stands for (K8), such as `ad_storage`.
    pub google: Vec<String>,
    /// What it comes to: who does what with which cookies. A choice of another one counts no more for this purpose (C7).
    pub fingerprint: Fingerprint,
}

/// What a purpose comes to, in 24 bits: enough to see that it has changed, for it is compared with what it was and with nothing
/// else.
pub type Fingerprint = [u8; 3];

/// The storage types of Google Consent Mode that are for advertising.
const ADVERTISING: [&str; 3] = ["ad_storage", "ad_user_data", "ad_personalization"];

/// A set of the policy's purposes: bit `n` is the purpose at index `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurposeSet(u8);

impl PurposeSet {
    /// The set of the purposes at `indices`.
    pub fn of(indices: impl IntoIterator<Item = usize>) -> Self {
        PurposeSet(indices.into_iter().fold(0, |bits, i| bits | bit(i)))
    }

    /// Whether the purpose at `index` is in the set.
    pub fn contains(self, index: usize) -> bool {
        self.0 & bit(index) != 0
    }

    /// What is in both.
    pub fn intersect(self, other: PurposeSet) -> PurposeSet {
        PurposeSet(self.0 & other.0)
    }

    /// What is in either.
    pub fn union(self, other: PurposeSet) -> PurposeSet {
        PurposeSet(self.0 | other.0)
    }

    /// What is in this set and not in `other`.
    pub fn without(self, other: PurposeSet) -> PurposeSet {
        PurposeSet(self.0 & !other.0)
    }

    /// Whether nothing is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether everything in this set is in `other` too.
    pub fn is_subset_of(self, other: PurposeSet) -> bool {
        self.0 & !other.0 == 0
    }

    /// The set as it is stored in `events.consent_purposes`.
    pub fn bits(self) -> u8 {
        self.0
    }
}

fn bit(index: usize) -> u8 {
    1u8.checked_shl(index as u32).unwrap_or(0)
}

/// The site's declared purposes and the rules of a choice. Index 0 is always `necessary`, which needs no choice.
#[derive(Clone, Debug)]
pub struct Policy {
    purposes: Vec<Purpose>,
    analytics: Option<usize>,
    /// Raised by the operator when what is asked has changed; an older choice then counts no more (C1).
    pub version: u16,
    /// How long a choice is kept, acceptance and refusal alike, in seconds (C7).
    pub choice_life: u64,
}

/// Why a list of purposes cannot be a policy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The id cannot stand in a cookie or a form field.
    #[error("purpose id `{0}` must be 1 to 24 of a-z, 0-9, `_`, `-`, beginning with a letter")]
    BadId(String),
    /// Two purposes share an id.
    #[error("purpose `{0}` is declared twice")]
    Twice(String),
    /// More than fit.
    #[error("{0} purposes are declared; at most 8 are possible, `necessary` included")]
    TooMany(usize),
}

impl Policy {
    /// A policy asking for `optional` purposes; `necessary` is put before them unless it is there.
    pub fn new(mut purposes: Vec<Purpose>, version: u16, choice_life: u64) -> Result<Policy, PolicyError> {
        match purposes.iter().position(|p| p.id == "necessary") {
            Some(at) => purposes[..=at].rotate_right(1),
            None => purposes.insert(0, builtin("necessary").expect("is built in")),
        }
        for (i, purpose) in purposes.iter().enumerate() {
            if !is_id(&purpose.id) {
                return Err(PolicyError::BadId(purpose.id.clone()));
            }
            if purposes[..i].iter().any(|p| p.id == purpose.id) {
                return Err(PolicyError::Twice(purpose.id.clone()));
            }
        }
        if purposes.len() > 8 {
            return Err(PolicyError::TooMany(purposes.len()));
        }
        let analytics = purposes.iter().position(|p| p.id == "analytics");
        Ok(Policy { purposes, analytics, version, choice_life })
    }

    /// Says what the purpose at `index` comes to.
    pub fn mark(&mut self, index: usize, fingerprint: Fingerprint) {
        if let Some(purpose) = self.purposes.get_mut(index) {
            purpose.fingerprint = fingerprint;
        }
    }

    /// Every purpose, `necessary` first; a purpose's index is its bit in a [`PurposeSet`].
    pub fn purposes(&self) -> &[Purpose] {
        &self.purposes
    }

    /// The purposes a visitor is asked about, with their indices.
    pub fn optional(&self) -> impl Iterator<Item = (usize, &Purpose)> {
        self.purposes.iter().enumerate().skip(1)
    }

    /// The index of the purpose called `id`.
    pub fn index(&self, id: &str) -> Option<usize> {
        self.purposes.iter().position(|p| p.id == id)
    }

    /// Where `analytics` stands, if the site asks for it.
    pub fn analytics(&self) -> Option<usize> {
        self.analytics
    }

    /// Whatever stands for advertising, by its name or by its storage types: what a signal refuses (C8).
    pub fn advertising(&self) -> PurposeSet {
        let stands = |purpose: &Purpose| {
            purpose.id == "marketing" || purpose.google.iter().any(|kind| ADVERTISING.contains(&kind.as_str()))
        };
        PurposeSet::of(self.optional().filter(|(_, purpose)| stands(purpose)).map(|(index, _)| index))
    }

    /// What needs no choice.
    pub fn necessary(&self) -> PurposeSet {
        PurposeSet::of([0])
    }

    /// Everything that is declared.
    pub fn all(&self) -> PurposeSet {
        PurposeSet::of(0..self.purposes.len())
    }
}

impl Default for Policy {
    /// `necessary`, `preferences`, `analytics` and `marketing`; a choice is kept for 182 days (C7).
    fn default() -> Self {
        let purposes =
            ["necessary", "preferences", "analytics", "marketing"].map(|id| builtin(id).expect("is built in"));
        Policy::new(purposes.into(), 1, 182 * 86_400).expect("the built-in purposes are a policy")
    }
}

/// The texts of the purposes every site knows.
pub(crate) fn builtin(id: &str) -> Option<Purpose> {
    let (title, description) = match id {
        "necessary" => ("Necessary", "Makes the site work and keeps it safe. Always on."),
        "preferences" => ("Preferences", "Remembers settings you have chosen, such as your language."),
        "analytics" => ("Analytics", "Shows us which pages are used and how, so that we can improve them."),
        "marketing" => ("Marketing", "Lets us and our partners show you advertising that fits your interests."),
        _ => return None,
    };
    let google: &[&str] = match id {
        "necessary" => &["security_storage"],
        "preferences" => &["functionality_storage", "personalization_storage"],
        "analytics" => &["analytics_storage"],
        _ => &ADVERTISING,
    };
    let google = google.iter().map(|kind| (*kind).to_owned()).collect();
    Some(Purpose { id: id.into(), title: title.into(), description: description.into(), google, ..Purpose::default() })
}

fn is_id(id: &str) -> bool {
    (1..=24).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}
