//! Reads a page as the tokenizer of the HTML standard does (13.2.5), with as much of its tree builder as decides how text
//! is read, and makes refused tags inert on the way. An XHTML page is read as XML, in which nothing decides that.
//!
//! It is resumable at every byte and makes the same of a page however it is cut. Between tags, in comments and in raw text
//! it goes at the speed of `memchr`; of a tag that can load nothing it finds the end. What it keeps of the page is the tag
//! that is being read, where that may have to be changed, up to [`MOST_HELD`](place::MOST_HELD) bytes, and the text of a `<noscript>`. Whatever
//! is not part of a changed tag goes out as it came, uncopied where nothing of its chunk was changed.
//!
//! It fails closed: where browsers may read on in two ways ([`Context`], [`Foreign`], [`Ahead`]), and after a tag too long to hold, the
//! rest goes through [`Disarm`]. A tag that the page's end cuts off goes: what is put into the page after the gate could end it.

mod ahead;
mod blocks;
mod place;
mod plain;
mod tag;
mod twofold;
mod usual;
mod within;

use bytes::Bytes;
use memchr::memchr;

use super::context::Context;
use super::disarm::{Disarm, RENAMED};
use super::foreign::{Foreign, Reading};
use super::inline::Script;
use super::noscript::Noscript;
use super::tags::Gating;
use crate::page::Markup;
use crate::page::scan::{Lexer, State, find, is_space};
use ahead::Ahead;
pub(super) use place::Out;
use place::Place;
use tag::Tag;

/// A page, or a piece of markup within one, that is being read.
pub(super) struct Reader {
    pub(super) gating: Gating,
    /// The purpose that relative URLs need, where a `<base href>` points at a refused host.
    pub(super) base: Option<String>,
    /// How many documents it is within.
    depth: u8,
    context: Context,
    foreign: Foreign,
    pub(super) lexer: Lexer,
    tag: Tag,
    /// The beginning of the token that is being read, where it came in earlier chunks and has not gone out.
    held: Vec<u8>,
    noscript: Option<Noscript>,
    /// The script that is being read, where its text has to be known before its start tag goes out.
    pub(super) script: Option<Script>,
    /// Set where one who looks ahead reads text, and this one markup.
    ahead: Option<Ahead>,
    /// Whether the raw text that is being read is markup to some.
    twofold: bool,
    /// Whether no letter of the page's encoding, for certain, ends with a byte that is one of ASCII by itself.
    pub(super) letters_are_whole: bool,
    /// Whether a `<` is held of which the next byte says what it is to who looks ahead.
    less: bool,
    /// Set once the page cannot be read for certain: everything goes through it from there on.
    disarm: Option<Disarm>,
}

impl Reader {
    pub(super) fn new(gating: Gating, markup: Markup) -> Reader {
        Reader {
            gating,
            base: None,
            depth: 0,
            context: Context::default(),
            foreign: Foreign::default(),
            lexer: Lexer::new(markup, State::Data),
            tag: Tag::default(),
            held: Vec::new(),
            noscript: None,
            script: None,
            ahead: None,
            twofold: false,
            letters_are_whole: false,
            less: false,
            disarm: None,
        }
    }

    /// Whether the page could not be read for certain.
    #[cfg(test)]
    pub(super) fn has_given_up(&self) -> bool {
        self.disarm.is_some()
    }

    /// Reads on; what is certain goes out, uncopied where `chunk` is all of `whole` and long pieces of it stay as they are.
    pub(super) fn read(&mut self, chunk: &[u8], whole: Option<&Bytes>, out: &mut Out) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let end = self.ahead.as_mut().and_then(|ahead| ahead.end(rest));
            let piece = &rest[..end.unwrap_or(rest.len())];
            let read = self.read_piece(piece, whole.filter(|whole| whole.len() == piece.len()), out);
            rest = &rest[read..];
            if end.is_some() {
                self.ahead_ended(out);
            }
        }
    }

    /// Reads on up to where one who looks ahead begins to read text; returns how far that is.
    fn read_piece(&mut self, chunk: &[u8], whole: Option<&Bytes>, out: &mut Out) -> usize {
        let mut place = Place { chunk, whole, at: 0, start: 0, gone: 0, out };
        let looked_ahead = self.ahead.is_some();
        if self.disarm.is_none() {
            self.read_chunk(&mut place);
        }
        if let Some(disarm) = &mut self.disarm {
            disarm.feed(&chunk[place.gone..], &mut place.out.open);
            return chunk.len();
        }
        let read = if self.ahead.is_some() == looked_ahead { chunk.len() } else { place.at };
        let end = if self.is_holding() { place.start } else { read };
        place.emit(end);
        self.held.extend_from_slice(&chunk[end..read]);
        read
    }

    /// Whether the token that is being read may not go out yet.
    pub(super) fn is_holding(&self) -> bool {
        match self.lexer.state {
            State::TagOpen | State::EndTagOpen | State::TagName => true,
            State::RawLess | State::RawEndTagOpen | State::RawEndTagName => self.twofold,
            State::Cdata => self.less,
            _ => self.is_in_attributes() && self.tag.kept,
        }
    }

    /// Whether a tag is being read, after its name.
    fn is_in_attributes(&self) -> bool {
        matches!(
            self.lexer.state,
            State::BeforeAttribute
                | State::AttributeName
                | State::AfterAttribute
                | State::BeforeValue
                | State::DoubleQuoted
                | State::SingleQuoted
                | State::Unquoted
        )
    }

    fn read_chunk(&mut self, place: &mut Place<'_, '_>) {
        let chunk = place.chunk;
        let looked_ahead = self.ahead.is_some();
        while let Some(&byte) = chunk.get(place.at) {
            // An arm that leaves `at` alone lets the next state read the same byte again ("reconsume").
            let state = self.lexer.state;
            match state {
                State::Data if self.is_calm() => {
                    place.at = self.skip_plain(chunk, place.at);
                    if self.lexer.state == State::Data && place.at < chunk.len() {
                        self.token_begins(place);
                    }
                }
                State::Data => {
                    let Some(found) = memchr(b'<', &chunk[place.at..]) else { break };
                    place.at += found;
                    self.token_begins(place);
                }
                State::TagOpen => {
                    self.lexer.state = match byte {
                        _ if byte.is_ascii_alphabetic() => State::TagName,
                        b'/' => State::EndTagOpen,
                        b'!' => State::Declaration,
                        b'?' if self.lexer.markup == Markup::Xhtml => State::Instruction,
                        b'?' => State::Bogus,
                        _ => State::Data,
                    };
                    place.at += usize::from(!matches!(self.lexer.state, State::TagName | State::Data));
                    if !self.is_holding() {
                        self.release(place);
                    }
                }
                State::EndTagOpen => {
                    self.lexer.closing = true;
                    self.lexer.state = match byte {
                        _ if byte.is_ascii_alphabetic() => State::TagName,
                        b'>' => State::Data,
                        _ => State::Bogus,
                    };
                    place.at += usize::from(self.lexer.state == State::Data);
                    if self.lexer.state != State::TagName {
                        self.release(place);
                    }
                }
                State::TagName => {
                    let rest = &chunk[place.at..];
                    let ends = |&byte: &u8| is_space(byte) || byte == b'/' || byte == b'>';
                    let Some(length) = rest.iter().position(ends) else {
                        return self.check_length(place, chunk.len());
                    };
                    place.at += length;
                    self.name_ended(place);
                }
                State::BeforeAttribute
                | State::AttributeName
                | State::AfterAttribute
                | State::BeforeValue
                | State::DoubleQuoted
                | State::SingleQuoted
                | State::Unquoted => {
                    let Some(end) = self.lexer.read_attributes(chunk, place.at) else {
                        self.tag.slash = chunk.last() == Some(&b'/');
                        return self.check_length(place, if self.tag.kept { chunk.len() } else { 0 });
                    };
                    place.at = end;
                    self.tag_ended(place);
                }
                State::Declaration if byte == b'[' && self.foreign.cdata() != Reading::Html => {
                    self.lexer.state = State::CdataOpen;
                    place.at += 1;
                }
                State::Declaration
                | State::DeclarationDash
                | State::Bogus
                | State::CommentStart
                | State::CommentStartDash
                | State::Comment
                | State::CommentDash
                | State::CommentEnd
                | State::CommentBang => match self.lexer.step_comment(chunk, place.at) {
                    Some(next) => place.at = next,
                    None => break,
                },
                State::CdataOpen | State::Cdata | State::Instruction | State::Doctype => {
                    let (from, in_text) = (place.at, state == State::Cdata);
                    let next = self.lexer.step_xml(chunk, from);
                    // One who looks ahead takes the beginning of such text for a comment, and the rest for markup.
                    if in_text && self.lexer.markup == Markup::Html && self.ahead.is_none() {
                        self.look_for_tags(place, from..next.unwrap_or(chunk.len()));
                        if self.disarm.is_some() {
                            return;
                        }
                    }
                    // What a document says of its own elements and entities may be tags and addresses.
                    if self.lexer.state == State::Doctype && self.lexer.matched == 1 {
                        place.emit(from + 1);
                        self.give_up();
                        return;
                    }
                    if self.lexer.state == State::Instruction && self.names_style_sheet(byte) {
                        place.emit(from + 1);
                        place.out.open.extend_from_slice(RENAMED);
                    }
                    match next {
                        Some(next) => place.at = next,
                        None => break,
                    }
                    // The first `]` of the end may be the second byte of a letter, and the text goes on.
                    let ended = in_text && self.lexer.state == State::Data;
                    if ended && !self.lexer.quote.is_ascii() && !self.letters_are_whole {
                        place.emit(place.at);
                        self.give_up();
                    }
                    if self.lexer.state == State::Cdata && self.foreign.cdata() == Reading::Doubtful {
                        place.emit(place.at);
                        self.give_up();
                    }
                }
                // Each `<` counts, and not only what may end the text.
                State::Raw if self.twofold => {
                    let Some(less) = find(chunk, place.at, b'<') else { break };
                    self.lexer.state = State::RawLess;
                    place.at = less + 1;
                    self.look_at_less(place, state);
                }
                State::Raw
                | State::RawLess
                | State::RawEndTagOpen
                | State::RawEndTagName
                | State::ScriptBang
                | State::ScriptBangDash
                | State::ScriptEscaped
                | State::ScriptEscapedDash
                | State::ScriptEscapedDashDash
                | State::ScriptEscapedLess
                | State::ScriptEscapedName => match self.lexer.step_raw(chunk, place.at) {
                    Some(next) => {
                        place.at = next;
                        if self.twofold {
                            self.look_at_less(place, state);
                        }
                        if self.lexer.state == State::BeforeAttribute {
                            self.raw_text_ended(place);
                        }
                    }
                    None => break,
                },
                State::ByteOrderMark | State::BodyStart | State::Rest => break,
            }
            if self.disarm.is_some() || self.ahead.is_some() != looked_ahead {
                return;
            }
        }
        if let Some(noscript) = &mut self.noscript {
            noscript.push(&chunk[place.gone..], &mut place.out.open);
            place.gone = chunk.len();
        }
        if let Some(script) = self.script.take() {
            self.push_script(script, &chunk[place.gone..], &mut place.out.open);
            place.gone = chunk.len();
        }
    }

    /// Whether a processing instruction's name is `xml-` up to this byte: such a one loads a style sheet (`xml-stylesheet`).
    fn names_style_sheet(&mut self, byte: u8) -> bool {
        let seen = &mut self.lexer.quote;
        *seen = if b"xml-".get(usize::from(*seen)) == Some(&byte) { *seen + 1 } else { u8::MAX };
        *seen == 4
    }

    /// A `<` stands here.
    #[inline]
    fn token_begins(&mut self, place: &mut Place<'_, '_>) {
        place.start = place.at;
        place.at += 1;
        self.lexer.state = State::TagOpen;
        (self.lexer.closing, self.lexer.matched, self.lexer.quote) = (false, 0, 0);
    }

    /// The end tag of raw text has been read up to its name.
    fn raw_text_ended(&mut self, place: &mut Place<'_, '_>) {
        (self.tag.counts, self.tag.kept) = (false, false);
        if let Some(script) = self.script.take() {
            self.end_script(script, Some(&place.chunk[place.gone..place.at]), &mut place.out.open);
            place.gone = place.at;
        }
        let Some(mut noscript) = self.noscript.take() else { return };
        noscript.push(&place.chunk[place.gone..place.at], &mut place.out.open);
        place.gone = place.at;
        if !noscript.end(true, |text| self.closed_fragment(text), &mut place.out.open) {
            self.give_up();
        }
    }

    /// The page has ended; gives out the rest.
    pub(super) fn finish(&mut self, out: &mut Out) {
        let out = &mut out.open;
        if let Some(noscript) = self.noscript.take() {
            noscript.end(false, |text| self.fragment(text), out);
        }
        if let Some(script) = self.script.take() {
            self.end_script(script, None, out);
        }
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            let cut_off = self.is_holding() && self.is_in_attributes();
            // A browser drops such a tag, too.
            if !cut_off {
                out.extend_from_slice(&held);
            }
        }
        if let Some(disarm) = &mut self.disarm {
            disarm.finish(out);
        }
    }

    /// Gives up here, in whatever is being read.
    pub(super) fn abandon(&mut self, out: &mut Out) {
        if self.disarm.is_some() {
            return;
        }
        if let Some(noscript) = self.noscript.take() {
            noscript.end(false, |text| self.fragment(text), &mut out.open);
        }
        if let Some(script) = self.script.take() {
            self.end_script(script, None, &mut out.open);
        }
        let held = std::mem::take(&mut self.held);
        self.give_up().feed(&held, &mut out.open);
    }

    /// From here on everything is disarmed.
    fn give_up(&mut self) -> &mut Disarm {
        tracing::warn!(
            "a page could not be read for certain; every tag that loads something in its rest was made inert"
        );
        self.disarm.insert(Disarm::new(self.lexer.markup))
    }
}
