//! Where a page is in SVG or MathML, in which `<style>`, `<title>` and their like are elements as any other and
//! `<![CDATA[` begins text (13.2.6, the dispatcher, and 13.2.6.5).
//!
//! Only a whole tree builder knows this for every page. This one keeps the open elements from the outermost `<svg>` or
//! `<math>` on, and says so where tags do not fit each other: then it is in doubt, and what follows is certain only as far as
//! it reads the same in HTML and in SVG. The doubt ends with the next tag after which no reading is left in which SVG goes
//! on, where there is such a tag; simpler readers of HTML than a browser, which do not follow the nesting, shall come to the
//! same. Pages without SVG and MathML pay one comparison a tag.
//!
//! Known limit: a `<b>` and its like that were left open before an `<svg>` are not opened again in an SVG's `<title>`.

mod flow;

use super::element::{
    ANNOTATION_XML, BR, DESC, FONT, FOREIGN_OBJECT, FRAMESET, Id, MALIGNMARK, MATH, MGLYPH, NOSCRIPT, P, SVG, TABLE,
    TEMPLATE, TITLE, ends_foreign, is_html_point, is_table_part, is_void,
};
use crate::page::scan::attributes::Attributes;

/// More open elements than this are not followed.
const MOST_OPEN: usize = 512;

/// How text is to be read, as far as SVG and MathML matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Html,
    Foreign,
    Doubtful,
}

/// The open elements from the outermost `<svg>` or `<math>` on; none outside.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    open: Vec<Open>,
    doubt: Option<Doubt>,
    /// Whether it is known of all HTML within them what ends what.
    flows: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    id: Id,
    space: Space,
    /// Whether it began as `<svg>` or `<math>` does.
    root: bool,
    /// Whether HTML may stand in it though it is none.
    point: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Space {
    Html,
    Svg,
    Math,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// Until the end of this element, or a tag that ends SVG.
    Until(Id),
    Lasting,
}

impl Foreign {
    /// Whether tags need not be told: there is no SVG and no MathML.
    #[inline]
    pub(super) fn is_html(&self) -> bool {
        self.open.is_empty() && self.doubt.is_none()
    }

    /// Whether nobody knows if this is SVG or MathML.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// How the text in an element is read that would begin here, were it HTML's.
    pub(super) fn reading(&self, id: Id) -> Reading {
        match self.open.last() {
            _ if self.doubt.is_some() => Reading::Doubtful,
            Some(top) if !top.takes_html(id) => Reading::Foreign,
            // A simpler reader takes the end of such an element for that of the SVG's.
            Some(_) if is_html_point(id) => Reading::Doubtful,
            // Without scripts what begins in it may go on after it, and end what is around it.
            Some(_) if id == NOSCRIPT => Reading::Doubtful,
            _ => Reading::Html,
        }
    }

    /// Whether `<![CDATA[` begins text here, and not a comment.
    pub(super) fn cdata(&self) -> Reading {
        match self.open.last() {
            _ if self.doubt.is_some() => Reading::Doubtful,
            Some(top) if top.space == Space::Html => Reading::Html,
            // Here readers differ.
            Some(top) if top.point => Reading::Doubtful,
            Some(_) => Reading::Foreign,
            None => Reading::Html,
        }
    }

    /// Whether what is in a tag matters here, and not its name alone.
    pub(super) fn needs_attributes(&self, id: Id) -> bool {
        !self.open.is_empty() && matches!(id, FONT | ANNOTATION_XML)
    }

    /// Takes note of a start tag; `attributes` is what follows its name, where they are asked for.
    pub(super) fn start(&mut self, id: Id, attributes: &[u8], self_closing: bool, certain: bool) {
        if let Some(doubt) = self.doubt {
            self.start_in_doubt(doubt, id);
            return;
        }
        let Some(top) = self.open.last().copied() else {
            // Only an `<svg>` or a `<math>` matters here. One that closes itself has no content.
            if !certain {
                self.doubt = Some(Doubt::Until(id));
            } else if !self_closing {
                self.open.push(Open::root(id));
                self.flows = true;
            }
            return;
        };
        if self.open.len() >= MOST_OPEN {
            self.doubt = Some(Doubt::Lasting);
        } else if top.takes_html(id) {
            self.start_html(id, self_closing, certain);
        } else if matches!(id, MGLYPH | MALIGNMARK) && top.point {
            self.doubt = Some(Doubt::Lasting);
        } else if ends_foreign(id) || (id == FONT && has_font_attributes(attributes)) {
            self.end_foreign();
            // The tag itself is one of HTML, then.
            if !self.open.is_empty() {
                self.start_html(id, self_closing, certain);
            }
        } else if matches!((id, top.space), (SVG, Space::Math) | (MATH, Space::Svg)) {
            // An element of the outer kind with the other's name; few readers know that.
            self.doubt = Some(Doubt::Lasting);
        } else if !self_closing {
            let point = match id {
                ANNOTATION_XML if top.space == Space::Math => match encodes_html(attributes) {
                    Some(point) => point,
                    None => return self.doubt = Some(Doubt::Lasting),
                },
                TITLE | DESC | FOREIGN_OBJECT => top.space == Space::Svg,
                ANNOTATION_XML => false,
                _ => top.space == Space::Math && is_html_point(id),
            };
            self.open.push(Open { id, space: top.space, root: matches!(id, SVG | MATH), point });
        }
    }

    /// A start tag of HTML, in a place for HTML within SVG or MathML.
    fn start_html(&mut self, id: Id, self_closing: bool, certain: bool) {
        let run = self.open.iter().rev().take_while(|open| open.space == Space::Html);
        let leaves = id == FRAMESET
            || is_html_point(id)
            || (is_table_part(id) && !run.into_iter().any(|open| matches!(open.id, TABLE | TEMPLATE)));
        let root = matches!(id, SVG | MATH);
        if leaves || (root && !certain) {
            self.doubt = Some(Doubt::Lasting);
        } else if root {
            if !self_closing {
                self.open.push(Open::root(id));
            }
        } else {
            self.start_in_flow(id);
            if !is_void(id) {
                self.open.push(Open { id, space: Space::Html, root: false, point: false });
            }
        }
    }

    fn start_in_doubt(&mut self, doubt: Doubt, id: Id) {
        match doubt {
            Doubt::Until(_) if ends_foreign(id) => self.doubt = None,
            Doubt::Until(_) if matches!(id, SVG | MATH | FRAMESET) || is_html_point(id) => {
                self.doubt = Some(Doubt::Lasting);
            }
            _ => {}
        }
    }

    /// Takes note of an end tag.
    pub(super) fn end(&mut self, id: Id) {
        match self.doubt {
            Some(Doubt::Until(root)) if id == root || matches!(id, P | BR) => self.doubt = None,
            Some(_) => {}
            None => self.end_certain(id),
        }
    }

    fn end_certain(&mut self, id: Id) {
        let Some(top) = self.open.last() else { return };
        if top.space == Space::Html {
            // In HTML it may end what is around it, or nothing, which mostly only a tree builder knows.
            if top.id == id {
                self.open.pop();
            } else if id != BR && !self.end_in_flow(id) {
                self.doubt = Some(Doubt::Lasting);
            }
            return;
        }
        if matches!(id, P | BR) {
            if !top.point {
                self.end_foreign();
            }
            return;
        }
        let foreign = self.open.iter().rev().take_while(|open| open.space != Space::Html).count();
        let within = self.open.len() - foreign;
        match self.open.iter().rposition(|open| open.id == id && open.space != Space::Html) {
            Some(at) if at >= within => {
                let plain = self.open[at + 1..].iter().all(|open| !open.root && !open.point);
                self.open.truncate(at);
                if !plain {
                    self.doubt = Some(Doubt::Lasting);
                }
            }
            // It may end an element of HTML around the SVG, and the SVG with it.
            _ => self.lose_count(),
        }
        if self.doubt.is_some() {
            self.open.clear();
        }
    }

    /// Ends all SVG and MathML up to where HTML may stand.
    fn end_foreign(&mut self) {
        let html = self.open.iter().rposition(|open| open.space == Space::Html || open.point);
        let stays = html.map_or(0, |at| at + 1);
        let roots = self.open[stays..].iter().filter(|open| open.root).count();
        // Of several a simpler reader ends but one.
        if roots > 1 {
            self.doubt = Some(Doubt::Lasting);
        }
        self.open.truncate(stays);
    }

    fn lose_count(&mut self) {
        let roots = self.open.iter().filter(|open| open.root).count();
        let root = self.open.iter().find(|open| open.root).map(|open| open.id);
        self.doubt = Some(match root {
            Some(root) if roots == 1 && self.open.iter().all(|open| !open.point) => Doubt::Until(root),
            _ => Doubt::Lasting,
        });
        self.open.clear();
    }
}

impl Open {
    fn root(id: Id) -> Open {
        Open { id, space: if id == SVG { Space::Svg } else { Space::Math }, root: true, point: false }
    }

    /// Whether a start tag in this element is read as HTML's.
    fn takes_html(&self, id: Id) -> bool {
        match (self.space, self.point) {
            (Space::Html, _) => true,
            (Space::Math, true) => self.id == ANNOTATION_XML || !matches!(id, MGLYPH | MALIGNMARK),
            (_, point) => point || (self.id == ANNOTATION_XML && self.space == Space::Math && id == SVG),
        }
    }
}

fn has_font_attributes(attributes: &[u8]) -> bool {
    let named = |name: &[u8]| [&b"color"[..], b"size", b"face"].iter().any(|known| name.eq_ignore_ascii_case(known));
    Attributes::of(attributes).any(|attribute| named(attribute.name))
}

/// Whether an `<annotation-xml>` says that HTML is in it; `None` where it says so in a way that readers may not agree on.
fn encodes_html(attributes: &[u8]) -> Option<bool> {
    let mut said = Attributes::of(attributes).filter(|attribute| attribute.name.eq_ignore_ascii_case(b"encoding"));
    let Some(first) = said.next() else { return Some(false) };
    let known: [&[u8]; 2] = [b"text/html", b"application/xhtml+xml"];
    let plain = said.next().is_none() && !first.value.contains(&b'&');
    plain.then(|| known.iter().any(|known| first.value.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests;
