//! The decision.

use super::{Analytics, Choice, NoChoice, Permit, Policy, PurposeSet, Signals};

/// Why the decision is what it is; the words are what machines read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The visitor has chosen.
    Choice,
    /// There is no choice, and this is why.
    NoChoice(NoChoice),
}

impl Reason {
    /// The reason as one word.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Choice => "choice",
            Reason::NoChoice(why) => why.word(),
        }
    }
}

/// What is permitted to one request, and why.
pub struct Decision {
    /// The purposes that are permitted; `necessary` always is.
    pub permitted: PurposeSet,
    /// Why.
    pub reason: Reason,
    /// Whether the visitor is still to be asked.
    pub ask: bool,
    /// Leave to capture, where analytics is permitted.
    pub analytics: Option<Permit<Analytics>>,
}

/// Decides what is permitted. `choice` is what the request carried, already checked for signature, policy and age.
///
/// Without a choice nothing optional is permitted, whatever the signals say (C1, C2). A signal never grants, and an
/// explicit choice wins over it (C8), so with opt-in as the only mode it changes nothing that a choice does not.
pub fn decide(policy: &Policy, choice: Result<Choice, NoChoice>, _signals: Signals) -> Decision {
    let choice = match choice {
        Ok(choice) => choice,
        Err(why) => {
            return Decision {
                permitted: policy.necessary(),
                reason: Reason::NoChoice(why),
                ask: true,
                analytics: None,
            };
        }
    };
    let permitted = choice.granted.intersect(policy.all()).union(policy.necessary());
    let analytics = policy
        .analytics()
        .filter(|&index| permitted.contains(index))
        .map(|_| Permit::new(choice.receipt, choice.policy_version, permitted, choice.made_at));
    // A purpose that was neither granted nor denied was not asked about (C7).
    let ask = !policy.all().is_subset_of(choice.granted.union(choice.denied).union(policy.necessary()));
    Decision { permitted, reason: Reason::Choice, ask, analytics }
}
