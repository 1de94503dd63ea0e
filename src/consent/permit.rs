//! The permit: proof, in the type system, that the decision allowed something for this one request.

use super::PurposeSet;

/// The lane of consented clickstream rows (L1).
pub enum Analytics {}

/// The lane of counters without rows and without identifiers (L2).
pub enum Statistics {}

/// The lane of openings of e-mails, each by its recipient's own token.
pub enum MailOpening {}

/// The lane of imported telephone calls, each by its caller's consent as the telephone system states it.
pub enum PhoneCall {}

/// What a permit of a lane rests on. There are these lanes and nobody can add one.
pub trait Lane: sealed::Lane {}

impl Lane for Analytics {}
impl Lane for Statistics {}
impl Lane for MailOpening {}
impl Lane for PhoneCall {}

mod sealed {
    /// What the permit carries: the consent it rests on, or nothing where it rests on no consent.
    pub trait Lane {
        type Ground;
    }

    impl Lane for super::Analytics {
        type Ground = super::Granted;
    }

    impl Lane for super::Statistics {
        type Ground = ();
    }

    impl Lane for super::MailOpening {
        type Ground = super::Granted;
    }

    impl Lane for super::PhoneCall {
        type Ground = super::Granted;
    }
}

/// Somebody's own choice, as far as a row has to name it.
pub struct Granted {
    /// The receipt of the choice; stands on every stored row.
    pub receipt: u64,
    /// The version of the policy that was agreed to.
    pub policy_version: u16,
    /// Everything that is permitted.
    pub purposes: PurposeSet,
    /// When, in milliseconds since 1970. Nothing of a time before may be captured (C2).
    pub at_ms: u64,
    /// Until when, in seconds since 1970.
    pub until: u64,
}

/// Leave to do what `L` stands for, for the request it was made for. Only this room makes one: [`decide`](super::decide) for
/// a visitor, [`mail::opening`](super::mail::opening) and [`call::stated`](super::call::stated) for those who are none. It
/// cannot be cloned, serialised or kept. One lane's is of no use in another, and one to count names nobody and no choice (L3).
pub struct Permit<L: Lane> {
    ground: L::Ground,
}

impl<L: Lane + sealed::Lane<Ground = Granted>> Permit<L> {
    pub(super) fn new(granted: Granted) -> Self {
        Permit { ground: granted }
    }

    /// What the permit rests on.
    pub fn granted(&self) -> &Granted {
        &self.ground
    }

    /// The receipt of the choice that permits; stands on every stored row.
    pub fn receipt(&self) -> u64 {
        self.ground.receipt
    }

    /// The version of the policy the visitor agreed to.
    pub fn policy_version(&self) -> u16 {
        self.ground.policy_version
    }

    /// Everything that is permitted to this request.
    pub fn purposes(&self) -> PurposeSet {
        self.ground.purposes
    }

    /// When the visitor granted it, in milliseconds since 1970. Nothing of a time before may be captured (C2).
    pub fn granted_at_ms(&self) -> u64 {
        self.ground.at_ms
    }

    /// Until when it is granted, in seconds since 1970.
    pub fn until(&self) -> u64 {
        self.ground.until
    }
}

impl Permit<Statistics> {
    pub(super) fn to_count() -> Self {
        Permit { ground: () }
    }
}
