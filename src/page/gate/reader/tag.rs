//! Tags: which of them have to be looked into, and what each changes in how the page is read on.

use super::Reader;
use super::ahead::Ahead;
use super::place::Place;
use crate::page::Markup;
use crate::page::gate::element::{self, Id};
use crate::page::gate::foreign::Reading;
use crate::page::gate::inline::Script;
use crate::page::gate::noscript::Noscript;
use crate::page::scan::State;

/// The tag that is being read.
#[derive(Debug, Default)]
pub(super) struct Tag {
    pub(super) id: Id,
    /// The length of its name.
    name: usize,
    /// Whether anything is to be done at its end.
    pub(super) counts: bool,
    /// Whether it is held until then.
    pub(super) kept: bool,
    /// Whether the last chunk ended with `/`.
    pub(super) slash: bool,
}

/// What becomes of a start tag.
enum Verdict {
    Stays,
    Becomes(Vec<u8>),
    /// It is held until the text of its element is known.
    Waits,
    /// Browsers may read on in two ways.
    Ambiguous,
}

/// The number of an element's name; in XML that is without its prefix.
fn id_of(markup: Markup, name: &[u8]) -> Id {
    let local = match markup {
        Markup::Html => name,
        Markup::Xhtml => name.rsplit(|&byte| byte == b':').next().unwrap_or(name),
    };
    element::id(local)
}

impl Reader {
    /// The name of a tag is whole: is there anything to be done about the tag?
    #[inline]
    pub(super) fn name_ended(&mut self, place: &mut Place<'_, '_>) {
        self.lexer.state = State::BeforeAttribute;
        let closing = self.lexer.closing;
        (self.tag.kept, self.tag.counts, self.tag.slash) = (false, false, false);
        let calm = self.foreign.is_html();
        let before = 1 + usize::from(closing);
        if self.held.is_empty() {
            let name = &place.chunk[place.start + before..place.at];
            (self.tag.id, self.tag.name) = (id_of(self.lexer.markup, name), name.len());
        } else {
            self.hold(place);
            let name = &self.held[before..];
            (self.tag.id, self.tag.name) = (id_of(self.lexer.markup, name), name.len());
        }
        let id = self.tag.id;
        self.tag.kept = !closing && (element::matters(id) || self.foreign.needs_attributes(id));
        self.tag.counts =
            self.tag.kept || !calm || matches!(id, element::SELECT | element::TEMPLATE | element::SVG | element::MATH);
        if !self.tag.kept {
            self.check_length(place, place.at);
            self.release(place);
        }
    }

    /// A tag is whole.
    #[inline]
    pub(super) fn tag_ended(&mut self, place: &mut Place<'_, '_>) {
        let slash = place.at.checked_sub(2).map_or(self.tag.slash, |before| place.chunk[before] == b'/');
        let self_closing = slash && self.lexer.state == State::BeforeAttribute;
        self.lexer.state = State::Data;
        if self.tag.counts {
            if self.lexer.closing {
                self.context.end(self.tag.id);
                self.foreign.end(self.tag.id);
            } else if self.tag.kept {
                self.kept_tag_ended(place, self_closing);
            } else if self.lexer.markup == Markup::Html {
                self.foreign.start(self.tag.id, b"", self_closing, self.context.is_certain());
            }
        }
    }

    fn kept_tag_ended(&mut self, place: &mut Place<'_, '_>, self_closing: bool) {
        self.check_length(place, place.at);
        if self.disarm.is_some() {
            return;
        }
        let was_held = !self.held.is_empty();
        if was_held {
            self.hold(place);
        }
        let held = std::mem::take(&mut self.held);
        let tag = if was_held { &held[..] } else { &place.chunk[place.start..place.at] };
        match self.start_tag(tag, self_closing) {
            Verdict::Stays if was_held => {
                place.out.open.extend_from_slice(tag);
            }
            Verdict::Stays => {}
            Verdict::Becomes(changed) => {
                place.emit(place.start);
                place.out.open.extend_from_slice(&changed);
                place.gone = place.at;
            }
            Verdict::Waits => {
                place.emit(place.start);
                self.script = Some(Script::new(tag, self.tag.name));
                place.gone = place.at;
            }
            Verdict::Ambiguous => {
                place.emit(place.start);
                self.give_up().feed(tag, &mut place.out.open);
                place.gone = place.at;
            }
        }
        if self.noscript.is_some() {
            place.emit(place.at);
        }
    }

    /// Looks into a start tag that is there as a whole.
    fn start_tag(&mut self, tag: &[u8], self_closing: bool) -> Verdict {
        let id = self.tag.id;
        let attributes = &tag[1 + self.tag.name..];
        let matters = element::matters(id);
        let reading = match self.lexer.markup {
            // To XML there is no raw text, and no place where a tag is ignored.
            Markup::Xhtml => Reading::Foreign,
            Markup::Html if matters && !self.context.start(id) => Reading::Doubtful,
            Markup::Html if element::is_raw_text(id) => self.foreign.reading(id),
            Markup::Html => Reading::Foreign,
        };
        match reading {
            Reading::Doubtful if self_closing || !self.may_be_read_twofold(id) => return Verdict::Ambiguous,
            // Whoever reads its text as markup comes to the same, as long as no tag may begin in it.
            Reading::Doubtful => {
                self.lexer.enter_raw(id);
                self.twofold = true;
            }
            Reading::Html if id == element::PLAINTEXT => self.lexer.state = State::Rest,
            Reading::Html => {
                self.lexer.enter_raw(id);
                match id {
                    element::NOSCRIPT => self.noscript = Some(Noscript::default()),
                    element::XMP => self.foreign.flows_no_more(),
                    _ => {}
                }
            }
            Reading::Foreign if self.lexer.markup == Markup::Html && !self.foreign.is_html() => {
                self.foreign.start(id, attributes, self_closing, self.context.is_certain());
                if element::is_raw_text(id) && self.ahead.is_none() {
                    self.ahead = Some(Ahead::new(id));
                }
            }
            Reading::Foreign => {}
        }
        if !matters {
            return Verdict::Stays;
        }
        // One of a refused host goes itself, for it counts for what stands before it, too; what needs it is refused with it.
        if id == element::BASE && !self.takes_base(attributes) {
            return Verdict::Ambiguous;
        }
        match self.gated(tag, self.tag.name, id, self_closing) {
            Some(changed) => Verdict::Becomes(changed),
            None if id != element::SCRIPT || !self.may_run_inline(attributes) => Verdict::Stays,
            // Where it cannot be said for certain where the text ends, it sleeps.
            None if self.twofold => {
                Verdict::Becomes(self.put_to_sleep(tag, self.tag.name, self.gating.refused_inline(None)))
            }
            None if self.lexer.state == State::Raw => Verdict::Waits,
            // In SVG, and in XML.
            None => Verdict::Stays,
        }
    }

    /// Whether the text of such an element, which some read as text and others as markup, changes nothing to either where
    /// there is no `<` in it. The text of a `<noscript>` is read for itself, and that of a `<plaintext>` has no end; who does not
    /// follow the nesting of SVG may go on elsewhere after such an element in it.
    fn may_be_read_twofold(&self, id: Id) -> bool {
        let nested = !self.foreign.is_html() && !self.foreign.is_in_doubt();
        !nested && !matches!(id, element::NOSCRIPT | element::PLAINTEXT)
    }
}
