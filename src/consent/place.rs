//! What of a request's place bears on the decision: the law where the visitor is, and what the page is about.

use super::{Mode, PurposeSet};

/// Where a request is: in which country's law, and at which of the site's pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The legal mode in the visitor's country (C10).
    pub mode: Mode,
    /// What must be granted beside analytics for the page to be captured, such as a purpose of its own for pages about health
    /// conditions (C3).
    pub needs: PurposeSet,
}

impl From<Mode> for Place {
    fn from(mode: Mode) -> Place {
        Place { mode, needs: PurposeSet::default() }
    }
}
