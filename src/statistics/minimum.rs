//! Fewer than 10 views are never stored under what they have in common (L2).
//!
//! A cell of 10 or more is kept as it is. What is in smaller ones is put together with its like by leaving out one
//! dimension after the other, the one that tells most of a person first: region, referring host, class of device, class of
//! page. What has come to 10 on the way is kept there, with [`OTHER`] for what was left out. The country is never left out:
//! what has not come to 10 in its country is not stored.
//!
//! Can a small cell be told from those that are shown? Not by subtraction: no sum over them is stored, neither of an hour
//! nor of a page, so there is nothing to subtract from; what was suppressed is counted in the metrics for the process as a
//! whole. A view that is a row of the analytics lane is not counted here, so the rows cannot be subtracted either. A
//! merged cell is of at least two, each below 10, and how many they were is not told. The parts of an hour (a restart,
//! another gateway) are each held to the minimum for themselves. What remains is what no threshold prevents: who makes
//! nine views of a rare kind themselves learns from a tenth that there was another.

use std::collections::BTreeMap;

use super::counters::{Cell, OTHER};

/// The fewest views that are stored together.
pub const MINIMUM: u64 = 10;

/// What is left of one hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Cells and their views, each [`MINIMUM`] or more.
    pub cells: BTreeMap<Cell, u64>,
    /// Views that are in none of them.
    pub suppressed: u64,
}

/// The dimensions in the order in which they are left out.
const LEAVE_OUT: [fn(&mut Cell) -> &mut String; 4] =
    [|cell| &mut cell.region, |cell| &mut cell.referrer, |cell| &mut cell.device, |cell| &mut cell.path];

/// Keeps what may be stored.
pub fn keep(cells: BTreeMap<Cell, u64>) -> Kept {
    let (mut kept, mut small): (BTreeMap<Cell, u64>, _) = cells.into_iter().partition(|(_, views)| *views >= MINIMUM);
    for dimension in LEAVE_OUT {
        let mut merged: BTreeMap<Cell, u64> = BTreeMap::new();
        for (mut cell, views) in small {
            OTHER.clone_into(dimension(&mut cell));
            *merged.entry(cell).or_default() += views;
        }
        small = BTreeMap::new();
        for (cell, views) in merged {
            // One of that name may be large enough already: a word that was beyond the hour's bound is OTHER too.
            match kept.get_mut(&cell) {
                Some(large) => *large += views,
                None if views >= MINIMUM => drop(kept.insert(cell, views)),
                None => drop(small.insert(cell, views)),
            }
        }
    }
    Kept { cells: kept, suppressed: small.values().sum() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cell(words: [&str; 5]) -> Cell {
        let [path, referrer, device, country, region] = words.map(str::to_owned);
        Cell { path, referrer, device, country, region }
    }

    fn kept(cells: &[([&str; 5], u64)]) -> (Vec<([String; 5], u64)>, u64) {
        let kept = keep(cells.iter().map(|(words, views)| (cell(*words), *views)).collect());
        let words = |cell: Cell| [cell.path, cell.referrer, cell.device, cell.country, cell.region];
        (kept.cells.into_iter().map(|(cell, views)| (words(cell), views)).collect(), kept.suppressed)
    }

    #[test]
    fn dimensions_are_left_out_in_the_documented_order() {
        let o = OTHER;
        for (cells, expected, suppressed) in [
            (vec![(["/", "a", "d", "GB", "Kent"], 10)], vec![(["/", "a", "d", "GB", "Kent"], 10)], 0),
            (vec![(["/", "a", "d", "GB", "Kent"], 9)], vec![], 9),
            (
                vec![(["/", "a", "d", "GB", "Kent"], 9), (["/", "a", "d", "GB", ""], 1)],
                vec![(["/", "a", "d", "GB", o], 10)],
                0,
            ),
            (
                vec![(["/", "a", "d", "GB", "Kent"], 5), (["/", "b", "d", "GB", "Kent"], 5)],
                vec![(["/", o, "d", "GB", o], 10)],
                0,
            ),
            (
                vec![(["/", "a", "d", "GB", "Kent"], 5), (["/", "a", "m", "GB", "Kent"], 5)],
                vec![(["/", o, o, "GB", o], 10)],
                0,
            ),
            (
                vec![(["/", "a", "d", "GB", "Kent"], 5), (["/x", "a", "d", "GB", "Kent"], 5)],
                vec![([o, o, o, "GB", o], 10)],
                0,
            ),
            (vec![(["/", "a", "d", "GB", "Kent"], 5), (["/", "a", "d", "IM", "Kent"], 5)], vec![], 10),
            // What is large stays apart from what is small.
            (
                vec![(["/", "a", "d", "GB", "Kent"], 50), (["/", "a", "d", "GB", "Bath"], 9)],
                vec![(["/", "a", "d", "GB", "Kent"], 50)],
                9,
            ),
            // A word beyond the hour's bound is the same word.
            (
                vec![(["/", "a", "d", "GB", o], 12), (["/", "a", "d", "GB", "Bath"], 2)],
                vec![(["/", "a", "d", "GB", o], 14)],
                0,
            ),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(words, n)| (words.map(str::to_owned), n)).collect();
            assert_eq!(kept(&cells), (expected, suppressed), "{cells:?}");
        }
    }

    fn covers(row: &Cell, cell: &Cell) -> bool {
        let is = |row: &str, cell: &str| row == OTHER || row == cell;
        is(&row.path, &cell.path)
            && is(&row.referrer, &cell.referrer)
            && is(&row.device, &cell.device)
            && is(&row.region, &cell.region)
            && row.country == cell.country
    }

    fn cells() -> impl Strategy<Value = BTreeMap<Cell, u64>> {
        let words = |words: &'static [&'static str]| proptest::sample::select(words);
        let cell = (
            words(&["/", "/a", "/b/*", OTHER]),
            words(&["", "x.example", OTHER]),
            words(&["desktop", "mobile"]),
            words(&["GB", "IM"]),
            words(&["", "Kent", "Bath", OTHER]),
        )
            .prop_map(|(path, referrer, device, country, region)| {
                self::cell([path, referrer, device, country, region])
            });
        proptest::collection::btree_map(cell, prop_oneof![4 => 1u64..10, 1 => 10u64..40], 0..60)
    }

    proptest! {
        #[test]
        fn rule_l2_no_cell_below_ten_is_stored_and_no_view_is_invented(cells in cells()) {
            let truth: u64 = cells.values().sum();
            let kept = keep(cells.clone());
            prop_assert!(kept.cells.values().all(|views| *views >= MINIMUM));
            prop_assert_eq!(kept.cells.values().sum::<u64>() + kept.suppressed, truth);
            for (row, views) in &kept.cells {
                let own = cells.get(row).copied().filter(|views| *views >= MINIMUM).unwrap_or(0);
                let small: Vec<u64> =
                    cells.iter().filter(|(cell, n)| covers(row, cell) && **n < MINIMUM).map(|(_, n)| *n).collect();
                // No more than was there, and where there is no large cell beneath, at least two small ones are.
                prop_assert!(*views <= own + small.iter().sum::<u64>());
                prop_assert!(own > 0 || small.len() >= 2);
            }
        }

        /// A large cell is stored as it is, whatever small ones are about, so it says nothing of them.
        #[test]
        fn rule_l2_a_large_cell_does_not_depend_on_the_small_ones(cells in cells()) {
            let large: BTreeMap<Cell, u64> =
                cells.clone().into_iter().filter(|(_, views)| *views >= MINIMUM).collect();
            let kept = keep(cells);
            for (cell, views) in large {
                let named = ![&cell.path, &cell.referrer, &cell.device, &cell.region].contains(&&OTHER.to_owned());
                prop_assert!(!named || kept.cells[&cell] == views);
            }
        }

        /// Of any country, what is suppressed is less than the minimum: nothing is left out that could have been stored.
        #[test]
        fn what_is_suppressed_is_as_little_as_may_be(cells in cells()) {
            let countries = 2;
            prop_assert!(keep(cells).suppressed <= countries * (MINIMUM - 1));
        }
    }
}
