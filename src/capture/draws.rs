//! Random numbers of a worker, drawn from the system by the page: a call for each would cost a page view a system call.

use std::cell::RefCell;

/// How many numbers are drawn at once.
const AT_ONCE: usize = 64;

/// Numbers that were drawn and given to nobody yet.
#[derive(Default)]
pub(crate) struct Draws(RefCell<Vec<u64>>);

impl Draws {
    /// A number that nobody can foretell; never 0.
    pub(crate) fn next(&self) -> u64 {
        let mut drawn = self.0.borrow_mut();
        if drawn.is_empty() {
            let mut bytes = [[0; 8]; AT_ONCE];
            getrandom::fill(bytes.as_flattened_mut()).expect("the system has a random number generator");
            drawn.extend(bytes.map(u64::from_le_bytes));
        }
        drawn.pop().unwrap_or_default().max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_number_comes_twice() {
        let draws = Draws::default();
        let all: HashSet<u64> = (0..AT_ONCE * 4).map(|_| draws.next()).collect();
        assert_eq!(all.len(), AT_ONCE * 4);
        assert!(!all.contains(&0));
    }
}
