//! How visitors answer when they are asked: how often the banner was shown and what was answered, counted by the banner's
//! version and language and, once it is stored, by day (UTC). It tells an operator whether a banner is understood, and an
//! auditor that refusing is no harder than accepting.
//!
//! Counters and nothing else: no row of one view or one answer, no identifier, nothing of an address, an agent or a page, and
//! nothing is read from or kept on a device. So nobody can say how many *people* were asked: who goes on to five pages
//! without an answer was shown the banner five times. It shares nothing with the lanes of analytics and statistics.
//!
//! [`Asked`] counts in memory; every minute the writer in `store` takes what was counted, keeps it as a file ([`folder`]) and
//! brings it into the table `consent_statistics`. What a kill or a crash loses is that minute's counts, or, while ClickHouse
//! has been away for an hour, those of an hour at most. Called by the front door.

pub mod folder;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};

/// What stands for what is not named.
pub const OTHER: &str = "(other)";

/// The most banners (version and language) that are told apart between two takes, [`OTHER`] apart.
const MOST_BANNERS: usize = 64;
/// The longest name of a version or a language, in bytes; a longer one is [`OTHER`].
const LONGEST: usize = 40;

/// What a visitor said to the banner or on the preferences page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Everything that was asked for.
    Accepted,
    /// Nothing of it.
    Rejected,
    /// Some of it.
    Customised,
}

/// What was counted of one banner.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// The banner's version.
    pub banner_version: String,
    /// The language it was shown in.
    pub language: String,
    /// Pages that carried it.
    pub shown: u64,
    /// Answers that granted everything.
    pub accepted: u64,
    /// Answers that granted nothing.
    pub rejected: u64,
    /// Answers between.
    pub customised: u64,
}

/// The counters of one gateway, shared by its workers. Counting takes a lock that only a banner not counted since the last
/// take holds against others.
#[derive(Debug, Default)]
pub struct Asked(RwLock<Vec<Banner>>);

#[derive(Debug)]
struct Banner {
    version: Box<str>,
    language: Box<str>,
    /// Shown, accepted, rejected, customised.
    counts: [AtomicU64; 4],
}

const SHOWN: usize = 0;

impl Answer {
    fn index(self) -> usize {
        match self {
            Answer::Accepted => 1,
            Answer::Rejected => 2,
            Answer::Customised => 3,
        }
    }
}

impl Asked {
    /// Counts that a page was delivered with the banner on it. Pages that programs ask for are not to be counted: the caller
    /// knows.
    pub fn shown(&self, banner_version: &str, language: &str) {
        self.count(banner_version, language, SHOWN);
    }

    /// Counts an answer, by the banner that was answered.
    pub fn answered(&self, banner_version: &str, language: &str, answer: Answer) {
        self.count(banner_version, language, answer.index());
    }

    /// Takes what was counted since the last time.
    pub fn take(&self) -> Vec<Counts> {
        let mut banners = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *banners).into_iter().map(|banner| {
            let [shown, accepted, rejected, customised] = banner.counts.map(AtomicU64::into_inner);
            let (banner_version, language) = (banner.version.into(), banner.language.into());
            Counts { banner_version, language, shown, accepted, rejected, customised }
        });
        taken.collect()
    }

    fn count(&self, version: &str, language: &str, what: usize) {
        let [version, language] = [version, language].map(|name| if name.len() > LONGEST { OTHER } else { name });
        let known =
            |banners: &[Banner]| banners.iter().position(|b| *b.version == *version && *b.language == *language);
        {
            let banners = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(banner) = known(&banners).and_then(|at| banners.get(at)) {
                banner.counts[what].fetch_add(1, Relaxed);
                return;
            }
        }
        let mut banners = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let at = match known(&banners) {
            Some(at) => at,
            None if banners.len() >= MOST_BANNERS && (version, language) != (OTHER, OTHER) => {
                drop(banners);
                return self.count(OTHER, OTHER, what);
            }
            None => {
                let counts = Default::default();
                banners.push(Banner { version: version.into(), language: language.into(), counts });
                banners.len() - 1
            }
        };
        banners[at].counts[what].fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_is_shown_and_answered_is_counted_by_version_and_language() {
        let asked = Asked::default();
        for _ in 0..3 {
            asked.shown("1", "en-GB");
        }
        asked.shown("1", "cy");
        asked.shown("2", "cy");
        asked.answered("1", "en-GB", Answer::Accepted);
        asked.answered("1", "en-GB", Answer::Rejected);
        asked.answered("1", "en-GB", Answer::Customised);
        asked.answered("1", "en-GB", Answer::Rejected);
        let counts = |version: &str, language: &str, [shown, accepted, rejected, customised]: [u64; 4]| Counts {
            banner_version: version.into(),
            language: language.into(),
            shown,
            accepted,
            rejected,
            customised,
        };
        let expected =
            [counts("1", "en-GB", [3, 1, 2, 1]), counts("1", "cy", [1, 0, 0, 0]), counts("2", "cy", [1, 0, 0, 0])];
        assert_eq!(asked.take(), expected);
        assert_eq!(asked.take(), [], "each count is taken once");
    }

    #[test]
    fn whatever_names_come_memory_is_bounded_and_nothing_is_lost() {
        let asked = Asked::default();
        for i in 0..1000 {
            asked.shown(&i.to_string(), "en");
            asked.shown("1", &"x".repeat(i));
        }
        let taken = asked.take();
        assert!(taken.len() <= MOST_BANNERS + 1, "{}", taken.len());
        assert!(taken.iter().all(|counts| counts.language.len() <= LONGEST && counts.banner_version.len() <= LONGEST));
        assert_eq!(taken.iter().map(|counts| counts.shown).sum::<u64>(), 2000);
    }

    #[test]
    fn many_threads_lose_nothing() {
        let asked = Arc::new(Asked::default());
        let threads = [(); 4].map(|()| {
            let asked = asked.clone();
            std::thread::spawn(move || {
                let mut taken = 0;
                for i in 0..1000 {
                    asked.shown("1", ["en", "de"][i % 2]);
                    if i % 100 == 0 {
                        taken += asked.take().iter().map(|counts| counts.shown).sum::<u64>();
                    }
                }
                taken
            })
        });
        let taken: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(taken + asked.take().iter().map(|counts| counts.shown).sum::<u64>(), 4000);
    }
}
