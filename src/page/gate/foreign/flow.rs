//! Elements of HTML within SVG that end each other though no tag says so: `<p>a<p>b</div>` (13.2.6.4.7). Followed as long as
//! there were none but those of which that is simple: no formatting, which is opened again, no table and no button.

use super::{Foreign, Space};
use crate::page::gate::element::{
    BLOCKQUOTE, CENTER, DD, DIV, DL, DT, HR, Id, LI, MENU, OL, P, PRE, SPAN, UL, id, is_void,
};

const ARTICLE: Id = id(b"article");
const ASIDE: Id = id(b"aside");
const FIGCAPTION: Id = id(b"figcaption");
const FIGURE: Id = id(b"figure");
const FOOTER: Id = id(b"footer");
const HEADER: Id = id(b"header");
const MAIN: Id = id(b"main");
const NAV: Id = id(b"nav");
const SECTION: Id = id(b"section");

/// Whether such a tag ends a `<p>` around it, and its end tag all that is in the element.
fn is_block(id: Id) -> bool {
    matches!(
        id,
        ARTICLE
            | ASIDE
            | BLOCKQUOTE
            | CENTER
            | DIV
            | DL
            | FIGCAPTION
            | FIGURE
            | FOOTER
            | HEADER
            | MAIN
            | MENU
            | NAV
            | OL
            | PRE
            | SECTION
            | UL
    )
}

impl Foreign {
    /// Ends what a start tag of HTML ends, before it begins an element.
    pub(super) fn start_in_flow(&mut self, id: Id) {
        let item = matches!(id, LI | DD | DT);
        self.flows &= is_block(id) || item || matches!(id, P | SPAN) || is_void(id);
        if !self.flows {
            return;
        }
        let same = |open: Id| open == id || (id != LI && matches!(open, DD | DT));
        if item
            && let Some(at) = self.last_in_flow(|open| same(open) || !matches!(open, P | DIV | SPAN))
            && same(self.open[at].id)
        {
            self.open.truncate(at);
        }
        if is_block(id) || item || matches!(id, P | HR) {
            self.end_in_flow_at(self.last_in_flow(|open| open == P));
        }
    }

    /// Takes note of the end tag of another element of HTML than the innermost. False where it is not known what it ends.
    pub(super) fn end_in_flow(&mut self, id: Id) -> bool {
        let at = self.last_in_flow(|open| open == id);
        let known = match id {
            // Where there is none to end, it begins one, and ends that.
            P => true,
            LI => at.is_some() && at > self.last_in_flow(|open| matches!(open, OL | UL)),
            DD | DT => at.is_some(),
            _ => at.is_some() && is_block(id),
        };
        if self.flows && known {
            self.end_in_flow_at(at);
        }
        self.flows && known
    }

    /// A `<xmp>`, whose text is read apart, ends a `<p>` as well.
    pub(in crate::page::gate) fn flows_no_more(&mut self) {
        self.flows = false;
    }

    /// The innermost such element of HTML, up to where HTML began.
    fn last_in_flow(&self, is: impl Fn(Id) -> bool) -> Option<usize> {
        let within = self.open.iter().rposition(|open| open.space != Space::Html).map_or(0, |at| at + 1);
        self.open[within..].iter().rposition(|open| is(open.id)).map(|at| within + at)
    }

    fn end_in_flow_at(&mut self, at: Option<usize>) {
        self.open.truncate(at.unwrap_or(self.open.len()));
    }
}
