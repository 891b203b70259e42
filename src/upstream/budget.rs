//! How many requests may be sent again: few of many, so that servers in trouble do not get more to do. Knows no requests.

use std::cell::Cell;

/// What one more request earns.
const EARNED: u32 = 1;
/// What it costs to send one again: so one of five is.
const COST: u32 = 5;
/// What there is at first, and at most: enough for ten.
const MOST: u32 = 10 * COST;

/// What is left to be spent.
#[derive(Debug)]
pub(super) struct Budget(Cell<u32>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MOST))
    }
}

impl Budget {
    /// A request was sent.
    pub(super) fn earn(&self) {
        let Self(left) = self;
        left.set(MOST.min(left.get() + EARNED));
    }

    /// Whether one may be sent again, which is then spent.
    pub(super) fn spend(&self) -> bool {
        let Self(left) = self;
        let rest = left.get().checked_sub(COST);
        left.set(rest.unwrap_or(left.get()));
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_once_and_then_one_of_five() {
        let budget = Budget::default();
        budget.earn();
        let spent = |tries: usize| (0..tries).filter(|_| budget.spend()).count();
        assert_eq!(spent(100), 10);
        (0..20).for_each(|_| budget.earn());
        assert_eq!(spent(100), 4);
        (0..10_000).for_each(|_| budget.earn());
        assert_eq!(spent(100), 10);
    }
}
