//! What one cookie of a manager says, in the manager's own words.

use std::collections::HashMap;

/// Categories or services with their answers, and when they were given.
pub(super) struct Said {
    answers: HashMap<String, Answer>,
    /// What a category means that is not mentioned.
    absent: Answer,
    /// When, in seconds since 1970; absent where the manager does not say.
    pub at: Option<u64>,
}

/// What a visitor said to one category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Yes, of their own accord.
    Accepted,
    /// No.
    Refused,
    /// Nothing yet, or nothing that can be understood.
    Unknown,
}

impl Answer {
    pub fn of(accepted: bool) -> Answer {
        if accepted { Answer::Accepted } else { Answer::Refused }
    }
}

impl Said {
    /// A choice made `at`, in a format in which a category that is not mentioned is `absent`.
    pub fn new(absent: Answer, at: Option<u64>) -> Said {
        Said { answers: HashMap::new(), absent, at }
    }

    /// Notes an answer. Of two to one category that do not agree, the one that grants less counts.
    pub fn note(&mut self, category: &str, answer: Answer) {
        match self.answers.get_mut(category) {
            Some(before) if *before == answer => {}
            Some(before) if *before == Answer::Refused || answer == Answer::Refused => *before = Answer::Refused,
            Some(before) => *before = Answer::Unknown,
            None => {
                self.answers.insert(category.to_owned(), answer);
            }
        }
    }

    /// The answer to `category`.
    pub fn answer(&self, category: &str) -> Answer {
        self.answers.get(category).copied().unwrap_or(self.absent)
    }
}
