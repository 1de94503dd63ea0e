//! The permit: proof, in the type system, that the decision allowed something for this one request.

use std::marker::PhantomData;

use super::PurposeSet;

/// The lane of consented clickstream rows (L1).
pub enum Analytics {}

/// The lane of openings of e-mails, each by its recipient's own token.
pub enum MailOpening {}

/// The lane of imported telephone calls, each by its caller's consent as the telephone system states it.
pub enum PhoneCall {}

/// Leave to do what `Lane` stands for, for the request it was made for. Only this room makes one: [`decide`](super::decide)
/// for analytics, [`mail::opening`](super::mail::opening) and [`call::stated`](super::call::stated) for the others. It
/// cannot be cloned, serialised or kept, and one lane's is worth nothing in another.
pub struct Permit<Lane> {
    receipt: u64,
    policy_version: u16,
    purposes: PurposeSet,
    granted_at: u64,
    lane: PhantomData<Lane>,
}

impl<Lane> Permit<Lane> {
    pub(super) fn new(receipt: u64, policy_version: u16, purposes: PurposeSet, granted_at: u64) -> Self {
        Permit { receipt, policy_version, purposes, granted_at, lane: PhantomData }
    }

    /// The receipt of the choice that permits; stands on every stored row.
    pub fn receipt(&self) -> u64 {
        self.receipt
    }

    /// The version of the policy the visitor agreed to.
    pub fn policy_version(&self) -> u16 {
        self.policy_version
    }

    /// Everything that is permitted to this request.
    pub fn purposes(&self) -> PurposeSet {
        self.purposes
    }

    /// When the visitor granted it, in seconds since 1970. Nothing of a time before may be captured (C2).
    pub fn granted_at(&self) -> u64 {
        self.granted_at
    }
}
