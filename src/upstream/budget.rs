//! How many requests may be sent a second time: a fifth of all, and a few at once. Where everything fails, retries would
//! double the load on what is left; with a budget they cannot.

use std::cell::Cell;

/// What a request brings in, of what a retry costs.
const EARNED: u32 = 2;
/// What a retry costs.
const COST: u32 = 10;
/// What is kept at most: ten retries.
const MOST: u32 = 10 * COST;

/// A worker's budget for one route. Counts requests, not time: a quiet site needs no clock for it.
pub(super) struct Budget(Cell<u32>);

impl Budget {
    pub(super) fn new() -> Budget {
        Budget(Cell::new(MOST))
    }

    /// A request came.
    pub(super) fn earn(&self) {
        self.0.set((self.0.get() + EARNED).min(MOST));
    }

    /// Whether one may be sent again.
    pub(super) fn spend(&self) -> bool {
        let left = self.0.get().checked_sub(COST);
        left.map(|left| self.0.set(left)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_everything_fails_a_fifth_is_tried_again_and_no_more() {
        let budget = Budget::new();
        let retried = (0..10_000).filter(|_| {
            budget.earn();
            budget.spend()
        });
        let retried = retried.count();
        assert!((2000..=2010).contains(&retried), "{retried}");
    }

    #[test]
    fn a_quiet_site_may_try_again_at_once() {
        let budget = Budget::new();
        assert!((0..10).all(|_| budget.spend()));
        assert!(!budget.spend());
        (0..5).for_each(|_| budget.earn());
        assert!(budget.spend() && !budget.spend());
    }
}
