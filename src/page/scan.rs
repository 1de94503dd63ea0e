//! Finds, in an HTML document that arrives in pieces, the places where something of ours goes: the beginning of the head (what
//! must come before any tag of the site's), the end of the head, or
//! its `<base>` (script and style sheet), and the beginning of the body (the banner). Called by [`Inject`](super::Inject), which emits the
//! bytes; nothing is changed, copied or kept here.
//!
//! It is the tokenizer of the HTML standard (13.2.5), as far as it decides where tags, comments and raw text end, plus what
//! 13.2.6.4.1 to .6 (before `html` to after `head`) say about where a head ends that nobody closed. So `</head>` in a script,
//! comment, attribute, title or template fools nobody, and a page without `<head>` or `<body>` is served as well.
//! Where the body begins with links that skip to a part of the page, the banner goes after them: who moves by keyboard meets
//! them first, as the site meant it. After that it never looks at another byte.
//!
//! On the way it reads the language the page says it is in, from the attributes of its first `<html>`.
//!
//! It is resumable at every byte. While a tag's name is unfinished, or it is not yet clear whether the body begins with skip
//! links, it is undecided whether something goes before what was fed, at most [`MOST_HELD`] bytes. What it keeps of the
//! document is the attributes of `<html>` and the body's beginning, where a chunk ends within them, and both are bounded; so
//! nothing has to be given up, and a document in which no place turns up (one endless comment, say) is scanned at the speed of
//! `memchr` and has none.
//!
//! Known limit: inside a `<template>` in the head, SVG and MathML are read as HTML. At worst the places are found late.

pub(super) mod attributes;
pub(super) mod block;
mod comment;
mod find;
mod found;
mod language;
mod lexer;
pub(super) mod name;
pub(super) mod near;
mod place;
mod raw;
mod skip;
mod state;
mod tag;
pub(super) mod word;
mod xml;

use memchr::memchr;

use find::find_either;
pub(super) use find::{find, find_mark};
use language::Language;
pub(super) use lexer::Lexer;
use name::HTML;
pub(super) use state::State;

/// How a document is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// `text/html`
    Html,
    /// `application/xhtml+xml`: an XML parser stops at the first mistake, there is no raw text, and no tag is implied.
    Xhtml,
}

/// The most bytes before the end of what was fed that can be undecided: the body's beginning, as long as it may be all skip
/// links. Elsewhere it is `</` and a name too long to be one we know.
pub const MOST_HELD: usize = skip::MOST;

/// The scanner: feed it the document's bytes in order.
#[derive(Debug)]
pub struct Scan {
    lexer: Lexer,
    templates: u32,
    /// Where the tag that is being read began.
    tag_start: u64,
    /// Bytes that were fed before the current ones.
    fed: u64,
    first: Option<u64>,
    head: Option<u64>,
    body: Option<u64>,
    done: bool,
    utf16: bool,
    /// Whether an `<html>` was read: only the first counts.
    html_seen: bool,
    language: Option<Language>,
    /// What is kept between chunks: attributes of `<html>`, later the body's beginning.
    kept: Vec<u8>,
}

impl Scan {
    /// A scanner at the beginning of a document.
    pub fn new(markup: Markup) -> Scan {
        Scan {
            lexer: Lexer::new(markup, State::ByteOrderMark),
            templates: 0,
            tag_start: 0,
            fed: 0,
            first: None,
            head: None,
            body: None,
            done: false,
            utf16: false,
            html_seen: false,
            language: None,
            kept: Vec::new(),
        }
    }

    /// Reads on. Afterwards [`head`](Self::head), [`body`](Self::body) and [`decided`](Self::decided) are up to date.
    pub fn feed(&mut self, chunk: &[u8]) {
        if !self.done {
            self.scan(chunk);
        }
        self.fed += chunk.len() as u64;
    }

    fn scan(&mut self, chunk: &[u8]) {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            // An arm that leaves `at` alone lets the next state read the same byte again ("reconsume").
            match self.lexer.state {
                State::ByteOrderMark => {
                    let first = if self.lexer.quote == 0 { byte } else { self.lexer.quote };
                    at += 1;
                    match (first, self.lexer.matched, byte) {
                        (0xEF, 0, _) | (0xEF, 1, 0xBB) | (0xFE | 0xFF, 0, _) => {
                            (self.lexer.quote, self.lexer.matched) = (first, self.lexer.matched + 1);
                        }
                        (0xEF, 2, 0xBF) => self.lexer.state = State::Data,
                        (0xFE, 1, 0xFF) | (0xFF, 1, 0xFE) => {
                            self.utf16 = true;
                            return self.finish();
                        }
                        // Not a mark after all: the page begins with text.
                        (_, 1.., _) if self.lexer.markup == Markup::Html => return self.content(0),
                        _ => (self.lexer.state, at) = (State::Data, at - 1),
                    }
                }
                State::Data => {
                    let rest = chunk.get(at..).unwrap_or_default();
                    let skipped = if self.templates > 0 || self.lexer.markup == Markup::Xhtml {
                        memchr(b'<', rest)
                    } else {
                        rest.iter().position(|&byte| !is_space(byte))
                    };
                    let Some(skipped) = skipped else { return };
                    at += skipped + 1;
                    self.tag_start = self.fed + (at - 1) as u64;
                    if rest.get(skipped) != Some(&b'<') {
                        return self.content(self.tag_start);
                    }
                    (self.lexer.name, self.lexer.name_len, self.lexer.closing) = (0, 0, false);
                    (self.lexer.matched, self.lexer.quote) = (0, 0);
                    self.lexer.state = State::TagOpen;
                }
                State::TagOpen => {
                    self.lexer.state = match byte {
                        b'!' => State::Declaration,
                        b'?' if self.lexer.markup == Markup::Xhtml => State::Instruction,
                        b'?' => State::Bogus,
                        b'/' => State::EndTagOpen,
                        _ if byte.is_ascii_alphabetic() => State::TagName,
                        _ => {
                            // A `<` that stands for itself is text.
                            self.lexer.state = State::Data;
                            if self.templates == 0 && self.lexer.markup == Markup::Html {
                                return self.content(self.tag_start);
                            }
                            continue;
                        }
                    };
                    at += usize::from(self.lexer.state != State::TagName);
                }
                State::EndTagOpen => {
                    self.lexer.closing = true;
                    self.lexer.state = match byte {
                        b'>' => State::Data,
                        _ if byte.is_ascii_alphabetic() => State::TagName,
                        _ => State::Bogus,
                    };
                    at += usize::from(self.lexer.state == State::Data);
                }
                State::TagName => {
                    at = self.read_name(chunk, at);
                    if self.done {
                        return;
                    }
                    if self.lexer.state == State::BeforeAttribute {
                        let Some(after) = self.read_tag(chunk, at) else { return };
                        at = after;
                    }
                }
                State::BeforeAttribute
                | State::AttributeName
                | State::AfterAttribute
                | State::BeforeValue
                | State::DoubleQuoted
                | State::SingleQuoted
                | State::Unquoted => {
                    let Some(after) = self.read_tag(chunk, at) else { return };
                    at = after;
                }
                State::Declaration
                | State::DeclarationDash
                | State::Bogus
                | State::CommentStart
                | State::CommentStartDash
                | State::Comment
                | State::CommentDash
                | State::CommentEnd
                | State::CommentBang => match self.lexer.step_comment(chunk, at) {
                    Some(next) => at = next,
                    None => return,
                },
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
                | State::ScriptEscapedName => match self.lexer.step_raw(chunk, at) {
                    Some(next) => at = next,
                    None => return,
                },
                State::BodyStart => return self.body_start(chunk.get(at..).unwrap_or_default()),
                State::Rest => return,
                State::CdataOpen | State::Cdata | State::Instruction | State::Doctype => {
                    match self.lexer.step_xml(chunk, at) {
                        Some(next) => at = next,
                        None => return,
                    }
                }
            }
        }
    }

    /// Reads the rest of a tag; returns what follows it, or `None` where there is nothing more to read.
    fn read_tag(&mut self, chunk: &[u8], at: usize) -> Option<usize> {
        if self.lexer.name == HTML && !self.lexer.closing && !self.html_seen {
            return self.read_html_tag(chunk, at);
        }
        let after = self.lexer.read_attributes(chunk, at)?;
        self.tag_ended(self.fed + after as u64);
        (!self.done).then_some(after)
    }
}

/// The standard's white space: tab, line feed, form feed, carriage return, space.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0C)
}

#[cfg(test)]
mod tests;
