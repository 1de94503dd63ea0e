//! The decision.

use std::fmt::Write as _;

use super::{Analytics, Choice, Granted, Mode, NoChoice, Permit, Place, Policy, PurposeSet, Signals, Statistics};

/// Why the decision is what it is; the words are what machines read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The visitor has chosen.
    Choice,
    /// The visitor has said to be under 16 (C11).
    Under16,
    /// There is no choice, and this is why.
    NoChoice(NoChoice),
}

impl Reason {
    /// The reason as one word.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Choice => "choice",
            Reason::Under16 => "under-16",
            Reason::NoChoice(why) => why.word(),
        }
    }
}

/// What is permitted to one request, and why.
pub struct Decision {
    /// The purposes that are permitted; `necessary` always is.
    pub permitted: PurposeSet,
    /// What the visitor has refused, by a choice or by a signal.
    pub refused: PurposeSet,
    /// Why.
    pub reason: Reason,
    /// The purposes the visitor is still to be asked about (C7); none where everything was answered.
    pub ask: PurposeSet,
    /// Whether analytics is granted, but not what this page needs beside it (C3).
    pub held_back: bool,
    /// The signals that were considered.
    pub signals: Signals,
    /// Leave to capture, where analytics is permitted.
    pub analytics: Option<Permit<Analytics>>,
    /// Leave to count, where the legal mode gives it and the visitor does not object. Never beside the other: a view that
    /// is a row of its own is not counted too, or the difference of the two lanes would show single views of those who
    /// were not asked.
    pub statistics: Option<Permit<Statistics>>,
}

/// Decides what is permitted. `choice` is what the request carried, already checked for signature, policy and age; `at` is the
/// legal mode where the visitor is, with what the page needs beside analytics.
///
/// Without a choice nothing optional is permitted, whatever the signals say (C1, C2). A signal never grants, and an
/// explicit choice wins over it (C8). In whatever mode, signals and choice can only take the leave to count away (L4).
pub fn decide(policy: &Policy, choice: Result<Choice, NoChoice>, signals: Signals, at: impl Into<Place>) -> Decision {
    let Place { mode, needs } = at.into();
    let counted = mode == Mode::UkStatistics && !objects(policy, &choice, signals);
    let statistics = || counted.then(Permit::to_count);
    let optional = policy.all().without(policy.necessary());
    let choice = match choice {
        Ok(choice) => choice,
        Err(why) => {
            // What was written down of a signal stands until something is chosen, also where the signal is gone.
            let objects = signals.object() || matches!(why, NoChoice::Objected { .. });
            return Decision {
                permitted: policy.necessary(),
                // C8: a signal refuses advertising as long as nobody has chosen otherwise.
                refused: if objects { policy.advertising() } else { PurposeSet::default() },
                reason: Reason::NoChoice(why),
                ask: optional,
                held_back: false,
                signals,
                analytics: None,
                statistics: statistics(),
            };
        }
    };
    // C11: no choice beside it grants anything, and there is nothing to ask.
    let (granted, reason) = match choice.under_16 {
        true => (PurposeSet::default(), Reason::Under16),
        false => (choice.granted, Reason::Choice),
    };
    let permitted = granted.intersect(policy.all()).union(policy.necessary());
    let granted_analytics = policy.analytics().is_some_and(|index| permitted.contains(index));
    let held_back = granted_analytics && !needs.is_subset_of(permitted);
    let analytics = (granted_analytics && !held_back).then(|| {
        Permit::new(Granted {
            receipt: choice.receipt,
            policy_version: choice.policy_version,
            purposes: permitted,
            at_ms: choice.made_at_ms,
            until: choice.until,
        })
    });
    // A purpose that was neither granted nor denied was not asked about (C7).
    let ask =
        if choice.under_16 { PurposeSet::default() } else { optional.without(choice.granted.union(choice.denied)) };
    let refused = if choice.under_16 { optional } else { choice.denied };
    // Who did not grant what the page needs is not counted on it either.
    let statistics = if granted_analytics || !needs.is_subset_of(permitted) { None } else { statistics() };
    Decision { permitted, refused, reason, ask, held_back, signals, analytics, statistics }
}

/// Whether the request carries an objection to being counted (C8, L4): a signal; a choice that denies analytics or grants
/// nothing optional at all; a choice cookie that counts no more, since what it said may have been one.
fn objects(policy: &Policy, choice: &Result<Choice, NoChoice>, signals: Signals) -> bool {
    match choice {
        Ok(choice) => {
            let refused = policy.analytics().is_some_and(|index| choice.refused.contains(index))
                || choice.granted.intersect(policy.all()).is_subset_of(policy.necessary());
            // A choice that was not about analytics does not answer the signal.
            refused || signals.object() || choice.under_16
        }
        Err(NoChoice::Missing) => signals.object(),
        Err(_) => true,
    }
}

impl Decision {
    /// Whether the visitor is still to be asked, at least about something.
    pub fn asks(&self) -> bool {
        !self.ask.is_empty()
    }

    /// The decision for machines: each optional purpose with what became of it and why, `analytics` first, as in
    /// `analytics=denied;reason=no-choice, marketing=denied;reason=gpc`.
    pub fn explain(&self, policy: &Policy) -> String {
        let mut said = String::new();
        let analytics = policy.analytics();
        let mut purposes: Vec<_> = policy.optional().collect();
        purposes.sort_by_key(|(index, _)| Some(*index) != analytics);
        for (index, purpose) in purposes {
            let held_back = self.held_back && Some(index) == analytics;
            let outcome = if self.permitted.contains(index) && !held_back { "granted" } else { "denied" };
            let reason = if held_back { "path" } else { self.reason_for(index) };
            let comma = if said.is_empty() { "" } else { ", " };
            write!(said, "{comma}{}={outcome};reason={reason}", purpose.id).ok();
        }
        said
    }

    fn reason_for(&self, index: usize) -> &'static str {
        match self.reason {
            Reason::NoChoice(_) if self.refused.contains(index) => match self.signals {
                Signals { gpc: true, .. } => "gpc",
                Signals { dnt: true, .. } => "dnt",
                _ => "objection",
            },
            Reason::Choice if self.ask.contains(index) => "not-asked",
            reason => reason.word(),
        }
    }
}
