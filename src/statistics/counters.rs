//! One hour's counters, bounded in memory whatever visitors send: words are kept once and cells know them by number, so a
//! view that is like another costs some look-ups and no memory.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::minimum::MINIMUM;

/// What stands for everything that is not named.
pub const OTHER: &str = "(other)";

/// Classes of pages that are named for one hour: those seen most.
pub const PATHS: usize = 200;

/// The most cells of one hour; what would be one more is counted as [`OTHER`] of its country. About 50 bytes each.
const CELLS: usize = 10_000;

/// The most words of each dimension that are told apart while an hour is counted: classes of pages, referring hosts,
/// classes of devices, countries, regions. More than are named in the end, so that it is not the first who come.
const WORDS: [usize; 5] = [10 * PATHS, 1000, 16, 256, 1000];

/// What one view is counted under. An empty word is "none" or "not known".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words<'w> {
    /// The class of the page.
    pub path: &'w str,
    /// The host of another site that led here.
    pub referrer: &'w str,
    /// The class of device.
    pub device: &'w str,
    /// ISO 3166-1 alpha-2.
    pub country: &'w str,
    /// The region's name.
    pub region: &'w str,
}

/// What a stored counter is of: [`Words`] that stand for themselves. The order is the one in which they are shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs, reason = "as in Words")]
pub struct Cell {
    pub path: String,
    pub referrer: String,
    pub device: String,
    pub country: String,
    pub region: String,
}

/// A cell by its words' numbers.
type Numbers = [u16; 5];

/// The number of the empty word.
const NONE: u16 = 0;
/// The number of [`OTHER`].
const REST: u16 = 1;

/// The counters of one hour.
#[derive(Debug)]
pub struct Counters {
    hour: u32,
    words: [HashMap<Box<str>, u16>; 5],
    cells: HashMap<Numbers, u64>,
}

impl Counters {
    /// Nothing counted yet in the hour that begins at `hour`, in seconds since 1970.
    pub fn new(hour: u32) -> Counters {
        Counters { hour, words: Default::default(), cells: HashMap::new() }
    }

    /// Those of another hour. Classes of pages that were seen often in this one have their places in it, so that nobody can
    /// take them all away with addresses that were made up.
    pub fn next(&self, hour: u32) -> Counters {
        let mut next = Counters::new(hour);
        let views = self.views_by_path();
        for (word, number) in &self.words[0] {
            if views.get(number).is_some_and(|views| *views >= MINIMUM) {
                next.number(0, word);
            }
        }
        next
    }

    /// The beginning of the hour, in seconds since 1970.
    pub fn hour(&self) -> u32 {
        self.hour
    }

    /// Counts one view.
    pub fn count(&mut self, words: &Words<'_>) {
        let words = [words.path, words.referrer, words.device, words.country, words.region];
        let mut cell = [NONE; 5];
        for (dimension, word) in words.into_iter().enumerate() {
            cell[dimension] = self.number(dimension, word);
        }
        if self.cells.len() >= CELLS && !self.cells.contains_key(&cell) {
            // As many more at most as there are countries.
            cell = [REST, REST, REST, cell[3], REST];
        }
        *self.cells.entry(cell).or_default() += 1;
    }

    /// How many views each cell had. Classes of pages beyond the 200 seen most are [`OTHER`].
    pub fn cells(&self) -> BTreeMap<Cell, u64> {
        let mut by_views: Vec<(u64, u16)> =
            self.views_by_path().into_iter().filter(|(path, _)| *path > REST).map(|(path, n)| (n, path)).collect();
        by_views.sort_unstable_by_key(|(views, path)| (std::cmp::Reverse(*views), *path));
        let unnamed: HashSet<u16> = by_views.into_iter().skip(PATHS).map(|(_, path)| path).collect();
        let words: [HashMap<u16, &str>; 5] =
            std::array::from_fn(|of| self.words[of].iter().map(|(word, number)| (*number, &**word)).collect());
        let word = |cell: &Numbers, of: usize| match cell[of] {
            NONE => String::new(),
            path if of == 0 && unnamed.contains(&path) => OTHER.to_owned(),
            number => words[of].get(&number).copied().unwrap_or(OTHER).to_owned(),
        };
        let mut cells = BTreeMap::new();
        for (numbers, views) in &self.cells {
            let [path, referrer, device, country, region] = std::array::from_fn(|of| word(numbers, of));
            *cells.entry(Cell { path, referrer, device, country, region }).or_default() += views;
        }
        cells
    }

    fn views_by_path(&self) -> HashMap<u16, u64> {
        let mut views = HashMap::new();
        for ([path, ..], n) in &self.cells {
            *views.entry(*path).or_default() += n;
        }
        views
    }

    /// A word's number. [`REST`] where there is no room for one more.
    fn number(&mut self, dimension: usize, word: &str) -> u16 {
        let known = &mut self.words[dimension];
        match known.get(word) {
            _ if word.is_empty() => NONE,
            Some(number) => *number,
            None if word == OTHER || known.len() >= WORDS[dimension] => REST,
            None => {
                let number = REST + 1 + known.len() as u16;
                known.insert(word.into(), number);
                number
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Words<'static> = Words { path: "/", referrer: "", device: "desktop", country: "GB", region: "" };

    fn all(counters: &Counters) -> u64 {
        counters.cells().values().sum()
    }

    #[test]
    fn like_views_are_one_cell() {
        let mut counters = Counters::new(7200);
        for _ in 0..3 {
            counters.count(&HOME);
        }
        counters.count(&Words { device: "mobile", ..HOME });
        let cells = counters.cells();
        let found: Vec<(&str, &str, u64)> =
            cells.iter().map(|(cell, views)| (&*cell.path, &*cell.device, *views)).collect();
        assert_eq!(found, [("/", "desktop", 3), ("/", "mobile", 1)]);
        assert_eq!(counters.hour(), 7200);
    }

    #[test]
    fn what_visitors_make_up_takes_bounded_memory_and_no_view_is_lost() {
        let mut counters = Counters::new(0);
        for i in 0..30_000u32 {
            let (path, referrer, region) =
                (format!("/{i}"), format!("h{}.example", i % 5000), format!("r{}", i % 3001));
            counters.count(&Words { path: &path, referrer: &referrer, region: &region, ..HOME });
        }
        assert!(counters.cells.len() <= CELLS + 256 && counters.words.iter().all(|words| words.len() <= 2000));
        assert_eq!(all(&counters), 30_000);
        let cells = counters.cells();
        let mut paths: Vec<&str> = cells.keys().map(|cell| cell.path.as_str()).collect();
        paths.dedup();
        assert!(paths.len() <= PATHS + 1 && paths.contains(&OTHER), "{}", paths.len());
    }

    #[test]
    fn the_classes_seen_most_are_named_whoever_came_first() {
        let mut counters = Counters::new(0);
        for i in 0..1000 {
            counters.count(&Words { path: &format!("/made-up-{i}"), ..HOME });
        }
        for _ in 0..2 {
            counters.count(&Words { path: "/pricing", ..HOME });
        }
        let cells = counters.cells();
        assert!(cells.keys().any(|cell| cell.path == "/pricing"));
        assert_eq!(all(&counters), 1002);
    }

    #[test]
    fn a_class_that_was_seen_often_keeps_its_place_in_the_next_hour() {
        let mut counters = Counters::new(0);
        for _ in 0..MINIMUM {
            counters.count(&Words { path: "/pricing", ..HOME });
        }
        counters.count(&Words { path: "/once", ..HOME });
        let mut next = counters.next(3600);
        assert!(next.cells().is_empty() && next.hour() == 3600);
        assert!(next.words[0].contains_key("/pricing") && !next.words[0].contains_key("/once"));
        for i in 0..5000 {
            next.count(&Words { path: &format!("/made-up-{i}"), ..HOME });
        }
        for _ in 0..20 {
            next.count(&Words { path: "/pricing", ..HOME });
        }
        assert!(next.cells().keys().any(|cell| cell.path == "/pricing"));
    }
}
