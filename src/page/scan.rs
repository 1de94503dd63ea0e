//! Finds, in an HTML document that arrives in pieces, the two places where something of ours goes: the end of the head
//! (script and style sheet) and the beginning of the body (the banner). Called by [`Inject`](super::Inject), which emits the
//! bytes; nothing is changed, copied or kept here.
//!
//! It is the tokenizer of the HTML standard (13.2.5), as far as it decides where tags, comments and raw text end, plus what
//! 13.2.6.4.1 to .6 (before `html` to after `head`) say about where a head ends that nobody closed. So `</head>` in a script,
//! comment, attribute, title or template fools nobody, and a page without `<head>` or `<body>` is served as well.
//! After the body's beginning it never looks at another byte.
//!
//! It is resumable at every byte without keeping any: only while a tag's name is unfinished (at most [`MOST_HELD`] bytes) is
//! it undecided whether something goes before that tag. Nothing grows, so nothing has to be given up; a document in which
//! no place turns up (one endless comment, say) is scanned at the speed of `memchr` and has none.
//!
//! Known limit: inside a `<template>` in the head, SVG and MathML are read as HTML. At worst the places are found late.

use memchr::{memchr, memchr2};

/// How a document is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// `text/html`
    Html,
    /// `application/xhtml+xml`: an XML parser stops at the first mistake, there is no raw text, and no tag is implied.
    Xhtml,
}

/// The most bytes before the end of what was fed that can be undecided: `</` and a name too long to be one we know.
pub const MOST_HELD: usize = 2 + LONGEST_NAME + 1;

const LONGEST_NAME: usize = 15;

/// A tag's name in lower case, packed big-endian, so that names compare as numbers.
type Name = u128;

/// Stands for every name longer than any we know.
const LONG_NAME: Name = Name::MAX;

const fn name(text: &str) -> Name {
    let bytes = text.as_bytes();
    let mut packed = 0;
    let mut i = 0;
    while i < bytes.len() {
        packed = packed << 8 | bytes[i] as Name;
        i += 1;
    }
    packed
}

macro_rules! names {
    ($($constant:ident $text:literal),* $(,)?) => { $(const $constant: Name = name($text);)* };
}
names!(
    HTML "html", HEAD "head", BODY "body", FRAMESET "frameset", BR "br",
    BASE "base", BASEFONT "basefont", BGSOUND "bgsound", LINK "link", META "meta",
    TITLE "title", TEXTAREA "textarea", STYLE "style", SCRIPT "script", NOSCRIPT "noscript", TEMPLATE "template",
    NOFRAMES "noframes", NOEMBED "noembed", XMP "xmp", IFRAME "iframe", PLAINTEXT "plaintext",
);

/// The tokenizer's states; the names are the standard's, shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the very beginning, so many bytes into a UTF-8 byte order mark.
    ByteOrderMark(u8),
    Data,
    TagOpen,
    EndTagOpen,
    TagName,
    BeforeAttribute,
    AttributeName,
    AfterAttribute,
    BeforeValue,
    DoubleQuoted,
    SingleQuoted,
    Unquoted,
    Declaration,
    DeclarationDash,
    Bogus,
    CommentStart,
    CommentStartDash,
    Comment,
    CommentDash,
    CommentEnd,
    CommentBang,
    /// Text that only the end tag called `raw` ends.
    Raw,
    RawLess,
    RawEndTagOpen,
    RawEndTagName,
    ScriptBang,
    ScriptBangDash,
    ScriptEscaped,
    ScriptEscapedDash,
    ScriptEscapedDashDash,
    ScriptEscapedLess,
    /// A name within an escaped script, after `<` or `</`, that begins or ends double escaping.
    ScriptEscapedName,
    /// `<plaintext>`, and everything after the body's beginning.
    Rest,
    /// XML: in `<![CDATA[`, so many bytes matched.
    CdataOpen(u8),
    /// XML: in a CDATA section, with so many `]` just seen.
    Cdata(u8),
    /// XML: in a processing instruction, after `?` or not.
    Instruction(bool),
    /// XML: in a declaration, within its internal subset or not, within this quote or none.
    Doctype {
        subset: bool,
        quote: u8,
    },
}

/// The scanner: feed it the document's bytes in order.
#[derive(Debug)]
pub struct Scan {
    markup: Markup,
    state: State,
    /// Name and kind of the tag that is being read.
    name: Name,
    name_len: usize,
    closing: bool,
    /// The name of the element whose raw text is being read.
    raw: Name,
    /// Script escaping: 0 none, 1 in `<!--`, 2 in `<!-- <script`.
    escaped: u8,
    templates: u32,
    /// Where the tag that is being read began.
    tag_start: u64,
    /// Bytes that were fed before the current ones.
    fed: u64,
    head: Option<u64>,
    body: Option<u64>,
    done: bool,
}

impl Scan {
    /// A scanner at the beginning of a document.
    pub fn new(markup: Markup) -> Scan {
        Scan {
            markup,
            state: State::ByteOrderMark(0),
            name: 0,
            name_len: 0,
            closing: false,
            raw: 0,
            escaped: 0,
            templates: 0,
            tag_start: 0,
            fed: 0,
            head: None,
            body: None,
            done: false,
        }
    }

    /// Where the head ends: the offset in the document before which script and style sheet go, once known.
    pub fn head(&self) -> Option<u64> {
        self.head
    }

    /// Where the body's content begins: the offset before which the banner goes, once known. Never before [`head`](Self::head).
    pub fn body(&self) -> Option<u64> {
        self.body
    }

    /// Whether there is nothing more to find.
    pub fn done(&self) -> bool {
        self.done
    }

    /// Bytes of the document up to here are decided: no place that is found later lies before this offset.
    pub fn decided(&self) -> u64 {
        match self.state {
            State::ByteOrderMark(_) => 0,
            State::TagOpen | State::EndTagOpen | State::TagName if !self.done && self.name != LONG_NAME => {
                self.tag_start
            }
            _ => self.fed,
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
            match self.state {
                State::ByteOrderMark(matched) => match (matched, byte) {
                    (0, 0xEF) | (1, 0xBB) => {
                        self.state = State::ByteOrderMark(matched + 1);
                        at += 1;
                    }
                    (2, 0xBF) => {
                        self.state = State::Data;
                        at += 1;
                    }
                    (0, _) => self.state = State::Data,
                    // Not a mark after all: the page begins with text.
                    _ if self.markup == Markup::Html => return self.content(0),
                    _ => self.state = State::Data,
                },
                State::Data => {
                    if self.templates > 0 || self.markup == Markup::Xhtml {
                        let Some(found) = find(chunk, at, b'<') else { return };
                        at = found;
                    } else if is_space(byte) {
                        at += 1;
                        continue;
                    } else if byte != b'<' {
                        return self.content(self.fed + at as u64);
                    }
                    self.tag_start = self.fed + at as u64;
                    (self.name, self.name_len, self.closing) = (0, 0, false);
                    self.state = State::TagOpen;
                    at += 1;
                }
                State::TagOpen => {
                    self.state = match byte {
                        b'!' => State::Declaration,
                        b'?' if self.markup == Markup::Xhtml => State::Instruction(false),
                        b'?' => State::Bogus,
                        b'/' => State::EndTagOpen,
                        _ if byte.is_ascii_alphabetic() => State::TagName,
                        _ => {
                            // A `<` that stands for itself is text.
                            self.state = State::Data;
                            if self.templates == 0 && self.markup == Markup::Html {
                                return self.content(self.tag_start);
                            }
                            continue;
                        }
                    };
                    at += usize::from(self.state != State::TagName);
                }
                State::EndTagOpen => {
                    self.closing = true;
                    self.state = match byte {
                        b'>' => State::Data,
                        _ if byte.is_ascii_alphabetic() => State::TagName,
                        _ => State::Bogus,
                    };
                    at += usize::from(self.state == State::Data);
                }
                State::TagName => {
                    if is_space(byte) || byte == b'/' || byte == b'>' {
                        if self.name != LONG_NAME {
                            self.tag_named();
                        }
                        self.state = State::BeforeAttribute;
                        if self.done {
                            return;
                        }
                        continue;
                    }
                    at += 1;
                    if self.push_name(byte) {
                        self.tag_named();
                        if self.done {
                            return;
                        }
                    }
                }
                State::BeforeAttribute => {
                    at += 1;
                    if byte == b'>' {
                        self.tag_ended(self.fed + at as u64);
                        if self.done {
                            return;
                        }
                    } else if !is_space(byte) && byte != b'/' {
                        self.state = State::AttributeName;
                    }
                }
                State::AttributeName => match byte {
                    b'>' | b'/' => self.state = State::BeforeAttribute,
                    _ => {
                        at += 1;
                        if byte == b'=' {
                            self.state = State::BeforeValue;
                        } else if is_space(byte) {
                            self.state = State::AfterAttribute;
                        }
                    }
                },
                State::AfterAttribute => {
                    self.state = match byte {
                        b'=' => State::BeforeValue,
                        _ if is_space(byte) => State::AfterAttribute,
                        _ => State::BeforeAttribute,
                    };
                    at += usize::from(self.state != State::BeforeAttribute);
                }
                State::BeforeValue => match byte {
                    b'"' => (self.state, at) = (State::DoubleQuoted, at + 1),
                    b'\'' => (self.state, at) = (State::SingleQuoted, at + 1),
                    b'>' => self.state = State::BeforeAttribute,
                    _ if is_space(byte) => at += 1,
                    _ => self.state = State::Unquoted,
                },
                State::DoubleQuoted | State::SingleQuoted => {
                    let quote = if self.state == State::DoubleQuoted { b'"' } else { b'\'' };
                    let Some(found) = find(chunk, at, quote) else { return };
                    (self.state, at) = (State::BeforeAttribute, found + 1);
                }
                State::Unquoted => {
                    if is_space(byte) || byte == b'>' {
                        self.state = State::BeforeAttribute;
                    } else {
                        at += 1;
                    }
                }
                State::Declaration => {
                    self.state = match (byte, self.markup) {
                        (b'-', _) => State::DeclarationDash,
                        (b'[', Markup::Xhtml) => State::CdataOpen(0),
                        (_, Markup::Xhtml) => State::Doctype { subset: false, quote: 0 },
                        _ => State::Bogus,
                    };
                    at += usize::from(matches!(self.state, State::DeclarationDash | State::CdataOpen(_)));
                }
                State::DeclarationDash => {
                    self.state = match (byte, self.markup) {
                        (b'-', Markup::Html) => State::CommentStart,
                        (b'-', Markup::Xhtml) => State::Comment,
                        _ => State::Bogus,
                    };
                    at += usize::from(self.state != State::Bogus);
                }
                State::Bogus => {
                    let Some(found) = find(chunk, at, b'>') else { return };
                    (self.state, at) = (State::Data, found + 1);
                }
                State::CommentStart | State::CommentStartDash => {
                    self.state = match (byte, self.state) {
                        (b'>', _) => State::Data,
                        (b'-', State::CommentStart) => State::CommentStartDash,
                        (b'-', _) => State::CommentEnd,
                        _ => State::Comment,
                    };
                    at += usize::from(self.state != State::Comment);
                }
                State::Comment => {
                    let Some(found) = find(chunk, at, b'-') else { return };
                    (self.state, at) = (State::CommentDash, found + 1);
                }
                State::CommentDash => {
                    self.state = if byte == b'-' { State::CommentEnd } else { State::Comment };
                    at += 1;
                }
                State::CommentEnd => {
                    self.state = match byte {
                        b'>' => State::Data,
                        b'-' => State::CommentEnd,
                        b'!' if self.markup == Markup::Html => State::CommentBang,
                        _ => State::Comment,
                    };
                    at += 1;
                }
                State::CommentBang => {
                    self.state = match byte {
                        b'>' => State::Data,
                        b'-' => State::CommentDash,
                        _ => State::Comment,
                    };
                    at += 1;
                }
                State::Raw => {
                    let Some(found) = find(chunk, at, b'<') else { return };
                    (self.state, at) = (State::RawLess, found + 1);
                }
                State::RawLess => {
                    self.state = match byte {
                        b'/' => State::RawEndTagOpen,
                        b'!' if self.raw == SCRIPT => State::ScriptBang,
                        _ => State::Raw,
                    };
                    at += usize::from(self.state != State::Raw);
                }
                State::RawEndTagOpen => {
                    (self.name, self.name_len) = (0, 0);
                    self.state = if byte.is_ascii_alphabetic() { State::RawEndTagName } else { self.raw_text() };
                }
                State::RawEndTagName => {
                    if byte.is_ascii_alphabetic() {
                        self.push_name(byte);
                        at += 1;
                    } else if self.name == self.raw && (is_space(byte) || byte == b'/' || byte == b'>') {
                        (self.closing, self.state) = (true, State::BeforeAttribute);
                    } else {
                        self.state = self.raw_text();
                    }
                }
                State::ScriptBang | State::ScriptBangDash => {
                    self.state = match (byte, self.state) {
                        (b'-', State::ScriptBang) => State::ScriptBangDash,
                        (b'-', _) => {
                            self.escaped = 1;
                            State::ScriptEscapedDashDash
                        }
                        _ => State::Raw,
                    };
                    at += usize::from(self.state != State::Raw);
                }
                State::ScriptEscaped => {
                    let rest = chunk.get(at..).unwrap_or_default();
                    let Some(found) = memchr2(b'-', b'<', rest) else { return };
                    let dash = rest.get(found) == Some(&b'-');
                    self.state = if dash { State::ScriptEscapedDash } else { State::ScriptEscapedLess };
                    at += found + 1;
                }
                State::ScriptEscapedDash | State::ScriptEscapedDashDash => {
                    self.state = match (byte, self.state) {
                        (b'-', _) => State::ScriptEscapedDashDash,
                        (b'<', _) => State::ScriptEscapedLess,
                        (b'>', State::ScriptEscapedDashDash) => {
                            self.escaped = 0;
                            State::Raw
                        }
                        _ => State::ScriptEscaped,
                    };
                    at += 1;
                }
                State::ScriptEscapedLess => {
                    (self.name, self.name_len) = (0, 0);
                    self.state = match byte {
                        b'/' if self.escaped == 1 => State::RawEndTagOpen,
                        b'/' => State::ScriptEscapedName,
                        _ if self.escaped == 1 && byte.is_ascii_alphabetic() => State::ScriptEscapedName,
                        _ => State::ScriptEscaped,
                    };
                    at += usize::from(byte == b'/');
                }
                State::ScriptEscapedName => {
                    if byte.is_ascii_alphabetic() {
                        self.push_name(byte);
                        at += 1;
                        continue;
                    }
                    if self.name == SCRIPT && (is_space(byte) || byte == b'/' || byte == b'>') {
                        self.escaped = 3 - self.escaped;
                        at += 1;
                    }
                    self.state = State::ScriptEscaped;
                }
                State::Rest => return,
                State::CdataOpen(matched) => {
                    self.state = match b"CDATA[".get(usize::from(matched)) {
                        Some(&expected) if expected == byte && matched == 5 => State::Cdata(0),
                        Some(&expected) if expected == byte => State::CdataOpen(matched + 1),
                        _ => State::Bogus,
                    };
                    at += usize::from(self.state != State::Bogus);
                }
                State::Cdata(brackets) => {
                    if brackets == 0 {
                        let Some(found) = find(chunk, at, b']') else { return };
                        at = found;
                    }
                    self.state = match chunk.get(at) {
                        Some(b']') => State::Cdata((brackets + 1).min(2)),
                        Some(b'>') if brackets == 2 => State::Data,
                        _ => State::Cdata(0),
                    };
                    at += 1;
                }
                State::Instruction(question) => {
                    self.state = match byte {
                        b'>' if question => State::Data,
                        _ => State::Instruction(byte == b'?'),
                    };
                    at += 1;
                }
                State::Doctype { subset, quote } => {
                    self.state = match byte {
                        _ if quote != 0 => State::Doctype { subset, quote: if byte == quote { 0 } else { quote } },
                        b'"' | b'\'' => State::Doctype { subset, quote: byte },
                        b'[' => State::Doctype { subset: true, quote },
                        b']' => State::Doctype { subset: false, quote },
                        b'>' if !subset => State::Data,
                        _ => self.state,
                    };
                    at += 1;
                }
            }
        }
    }

    /// Adds a byte to the tag's name. True when the name has just become longer than any we know.
    fn push_name(&mut self, byte: u8) -> bool {
        if self.name_len < LONGEST_NAME {
            self.name = self.name << 8 | Name::from(byte.to_ascii_lowercase());
            self.name_len += 1;
            return false;
        }
        let first = self.name != LONG_NAME;
        self.name = LONG_NAME;
        first
    }

    /// The state in which the raw text around a tag that was none goes on.
    fn raw_text(&self) -> State {
        if self.escaped > 0 { State::ScriptEscaped } else { State::Raw }
    }

    /// Content that belongs to the body begins at `offset`, so the head has ended too.
    fn content(&mut self, offset: u64) {
        self.head.get_or_insert(offset);
        self.body = Some(offset);
        self.finish();
    }

    fn finish(&mut self) {
        (self.done, self.state) = (true, State::Rest);
    }

    /// The name of a tag in data is known: what does it say about the head?
    fn tag_named(&mut self) {
        match (self.markup, self.closing, self.name) {
            (_, true, HEAD) | (_, false, BODY) if self.templates == 0 => {
                self.head.get_or_insert(self.tag_start);
            }
            (_, false, FRAMESET) if self.templates == 0 => {
                // A frameset has no body; content of ours before it would take its place (13.2.6.4.6).
                self.head.get_or_insert(self.tag_start);
                self.finish();
            }
            (Markup::Xhtml, ..) => {}
            _ if self.templates > 0 => {}
            (_, false, HTML | HEAD | BASE | BASEFONT | BGSOUND | LINK | META | TITLE | STYLE) => {}
            (_, false, SCRIPT | NOSCRIPT | NOFRAMES | TEMPLATE) => {}
            (_, false, _) | (_, true, HTML | BODY | BR) => self.content(self.tag_start),
            // Every other end tag is ignored there.
            (_, true, _) => {}
        }
    }

    /// A tag has ended; the document goes on at `offset`.
    fn tag_ended(&mut self, offset: u64) {
        self.state = State::Data;
        match (self.markup, self.closing, self.name) {
            (_, false, BODY) if self.templates == 0 => {
                self.body = Some(offset);
                self.finish();
            }
            (Markup::Xhtml, ..) => {}
            (_, false, TEMPLATE) => self.templates = self.templates.saturating_add(1),
            (_, true, TEMPLATE) => self.templates = self.templates.saturating_sub(1),
            (_, false, PLAINTEXT) => self.state = State::Rest,
            (_, false, TITLE | TEXTAREA | STYLE | SCRIPT | NOSCRIPT | NOFRAMES | NOEMBED | XMP | IFRAME) => {
                (self.raw, self.escaped, self.state) = (self.name, 0, State::Raw);
            }
            _ => {}
        }
    }
}

/// The standard's white space: tab, line feed, form feed, carriage return, space.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0C)
}

fn find(chunk: &[u8], from: usize, needle: u8) -> Option<usize> {
    memchr(needle, chunk.get(from..)?).map(|found| from + found)
}

#[cfg(test)]
mod tests;
