//! The decision.

use super::{Analytics, Choice, Mode, NoChoice, Permit, Policy, PurposeSet, Signals, Statistics};

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
    /// Leave to count, where the legal mode gives it and the visitor does not object. Never beside the other: a view that
    /// is a row of its own is not counted too, or the difference of the two lanes would show single views of those who
    /// were not asked.
    pub statistics: Option<Permit<Statistics>>,
}

/// Decides what is permitted. `choice` is what the request carried, already checked for signature, policy and age; `mode` is
/// the legal mode where the visitor is.
///
/// Without a choice nothing optional is permitted, whatever the signals say (C1, C2). A signal never grants, and an
/// explicit choice wins over it (C8). In whatever mode, signals and choice can only take the leave to count away (L4).
pub fn decide(policy: &Policy, choice: Result<Choice, NoChoice>, signals: Signals, mode: Mode) -> Decision {
    let counted = mode == Mode::UkStatistics && !objects(policy, &choice, signals);
    let statistics = || counted.then(Permit::to_count);
    let choice = match choice {
        Ok(choice) => choice,
        Err(why) => {
            return Decision {
                permitted: policy.necessary(),
                reason: Reason::NoChoice(why),
                ask: true,
                analytics: None,
                statistics: statistics(),
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
    let statistics = if analytics.is_some() { None } else { statistics() };
    Decision { permitted, reason: Reason::Choice, ask, analytics, statistics }
}

/// Whether the request carries an objection to being counted (C8, L4): a signal; a choice that denies analytics or grants
/// nothing optional at all; a choice cookie that counts no more, since what it said may have been one.
fn objects(policy: &Policy, choice: &Result<Choice, NoChoice>, signals: Signals) -> bool {
    match choice {
        Ok(choice) => {
            let refused = policy.analytics().is_some_and(|index| choice.denied.contains(index))
                || choice.granted.intersect(policy.all()).is_subset_of(policy.necessary());
            // A choice that was not about analytics does not answer the signal.
            refused || signals.object()
        }
        Err(NoChoice::Missing) => signals.object(),
        Err(NoChoice::Invalid | NoChoice::Expired | NoChoice::OldPolicy | NoChoice::ClockSkew) => true,
    }
}
