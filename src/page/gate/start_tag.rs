//! What is refused in one start tag, and the tag without it: an attribute that would load becomes one that says what it
//! was. Nothing is copied of a tag in which nothing is refused.

use std::borrow::Cow;

use super::address::{Address, PlainAddress, decoded, plain_address};
use super::element::{Id, SCRIPT};
use super::reader::Reader;
use super::tags::joined;
use crate::page::Markup;
use crate::page::scan::attributes::{Attribute, Attributes};

/// The attributes that hold one URL, then those that hold several with descriptors, then the one that holds a document, each
/// with what it becomes. The namespace's prefix would not survive as part of a data attribute's name.
const LOADING: [(&[u8], &str); 10] = [
    (b"src", "data-consentry-src"),
    (b"href", "data-consentry-href"),
    (b"xlink:href", "data-consentry-href"),
    (b"data", "data-consentry-data"),
    (b"poster", "data-consentry-poster"),
    (b"background", "data-consentry-background"),
    (b"code", "data-consentry-code"),
    (b"srcset", "data-consentry-srcset"),
    (b"imagesrcset", "data-consentry-imagesrcset"),
    (b"srcdoc", "data-consentry-srcdoc"),
];
const XLINK: usize = 2;
const SETS: std::ops::Range<usize> = 7..9;
const DOCUMENT: usize = 9;

/// What else we write: a script's type as it was, what is missing, and the page's [`Key`](super::Key).
const TYPE: &str = "data-consentry-type";
const PURPOSE: &str = "data-consentry-purpose";
const KEY: &str = "data-consentry-key";

/// An attribute of ours in the new tag.
struct Ours<'t> {
    name: &'static str,
    value: &'t [u8],
}

impl Reader {
    /// Takes note of where a `<base>` points. Which of several counts depends on what a browser ignores (in a template, in SVG,
    /// one that is no URL, 4.2.3), so one that points at a refused host is enough. False where two need different purposes.
    pub(super) fn takes_base(&mut self, attributes: &[u8]) -> bool {
        for href in Attributes::of(attributes).filter(|attribute| attribute.name.eq_ignore_ascii_case(b"href")) {
            let Some(purpose) = self.refused(href.value).map(str::to_owned) else { continue };
            if *self.base.get_or_insert_with(|| purpose.clone()) != purpose {
                return false;
            }
        }
        true
    }

    /// The tag without what is refused in it; `None` where nothing is. Of several attributes of a name the first counts
    /// (13.2.5.33), but those who look ahead for what to load may take another: where that is refused, only the first stays.
    /// What is called as ours was written by others, and goes: it would come to life with ours.
    pub(super) fn gated(&mut self, tag: &[u8], name: usize, id: Id, self_closing: bool) -> Option<Vec<u8>> {
        let (open, attributes) = tag.split_at(1 + name);
        let markup = self.lexer.markup;
        let mut purposes: Vec<&str> = Vec::new();
        let mut inert: [Option<&[u8]>; LOADING.len()] = [None; LOADING.len()];
        let (mut seen, mut doubled) = ([false; LOADING.len()], [false; LOADING.len()]);
        let mut kind = None;
        for attribute in Attributes::of(attributes) {
            let Some(which) = loading(attribute.name, markup) else {
                if id == SCRIPT && kind.is_none() && is_type(attribute.name) {
                    kind = Some(attribute.value);
                }
                continue;
            };
            let before = purposes.len();
            if which == DOCUMENT {
                purposes.extend(self.refused_in_document(attribute.value));
            } else if SETS.contains(&which) {
                purposes.extend(self.refused_in_set(attribute.value));
            } else {
                purposes.extend(self.refused(attribute.value));
            }
            let is_refused = purposes.len() > before;
            if std::mem::replace(&mut seen[which], true) {
                purposes.truncate(before);
                doubled[which] |= is_refused;
            } else if is_refused {
                inert[which] = Some(attribute.value);
            }
        }
        if purposes.is_empty() && doubled == [false; LOADING.len()] {
            return None;
        }
        let mut seen = [false; LOADING.len()];
        let becomes_inert = !purposes.is_empty();
        let goes = |name: &[u8]| match loading(name, markup) {
            Some(which) => (std::mem::replace(&mut seen[which], true) && doubled[which]) || inert[which].is_some(),
            None => is_called_as_ours(name) || (becomes_inert && id == SCRIPT && is_type(name)),
        };
        if !becomes_inert {
            return Some(written(open, attributes, goes, &[], self_closing));
        }
        let purposes = joined(purposes);
        let mut ours = ours_for(&inert);
        if id == SCRIPT {
            // Without `src` the text inside would run.
            ours.extend(as_text(kind));
        }
        ours.extend(self.needs(&purposes));
        Some(written(open, attributes, goes, &ours, self_closing))
    }

    /// The start tag of a script whose text does not run until `purposes` are permitted, though nothing in the tag is refused.
    pub(super) fn put_to_sleep(&self, tag: &[u8], name: usize, purposes: Vec<&str>) -> Vec<u8> {
        let (open, attributes) = tag.split_at(1 + name);
        let kind = Attributes::of(attributes).find(|attribute| is_type(attribute.name)).map(|kind| kind.value);
        let purposes = joined(purposes);
        let mut ours: Vec<Ours<'_>> = as_text(kind).collect();
        ours.extend(self.needs(&purposes));
        let goes = |name: &[u8]| is_type(name) || is_called_as_ours(name);
        // In HTML a script has its text whether a slash ends its tag or not.
        written(open, attributes, goes, &ours, false)
    }

    /// What says which purposes are missing.
    fn needs<'t>(&'t self, purposes: &'t str) -> impl Iterator<Item = Ours<'t>> {
        let key = self.gating.key().map(|key| Ours { name: KEY, value: key.digits() });
        std::iter::once(Ours { name: PURPOSE, value: purposes.as_bytes() }).chain(key)
    }

    /// The purpose the host of a URL would need and does not have.
    fn refused(&self, value: &[u8]) -> Option<&str> {
        match plain_address(value) {
            Some(PlainAddress::Relative) if self.base.is_none() => None,
            Some(PlainAddress::Host { name, port }) => self.gating.refused_host(name, port),
            _ => self.refused_address(&Address::of_attribute(value)),
        }
    }

    fn refused_address(&self, address: &Address) -> Option<&str> {
        match address {
            Address::Relative => self.base.as_deref(),
            _ => self.gating.refused(address),
        }
    }

    /// The same for the first such URL of a `srcset`. Descriptors look like relative URLs, which does no harm. After one no space
    /// has to stand between its comma and the next URL (4.8.4.3.11).
    fn refused_in_set(&self, value: &[u8]) -> Option<&str> {
        let text = String::from_utf8_lossy(value);
        let is_utf8 = matches!(text, Cow::Borrowed(_));
        let text = decoded(&text);
        text.split(|c: char| c.is_ascii_whitespace()).find_map(|word| match plain_address(word.as_bytes()) {
            // Nearly all are paths on the page's own host, or widths.
            Some(PlainAddress::Relative) if self.base.is_none() && !word.contains(',') => None,
            _ => Address::in_word(word, b",", is_utf8).find_map(|address| self.refused_address(&address)),
        })
    }

    /// The same for a document in an attribute (`srcdoc`). It is not taken apart: where it holds anything refused, it needs
    /// every purpose that is refused.
    fn refused_in_document(&self, value: &[u8]) -> Vec<&str> {
        let value = String::from_utf8_lossy(value);
        let document: Cow<'_, str> = decoded(&value);
        match self.document(document.as_bytes()) {
            Some(gated) if gated == document.as_bytes() => Vec::new(),
            Some(_) | None => self.gating.all_refused(),
        }
    }
}

/// Which of the loading attributes has this name. In XML any prefix may stand for XLink.
fn loading(name: &[u8], markup: Markup) -> Option<usize> {
    if markup == Markup::Xhtml && name.ends_with(b":href") {
        return Some(XLINK);
    }
    if !(3..=11).contains(&name.len()) {
        return None;
    }
    LOADING.iter().position(|(known, _)| name.eq_ignore_ascii_case(known))
}

fn is_type(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"type")
}

/// Whether an attribute has a name that we write, in whatever case: whoever wrote it, of several a browser takes the first.
fn is_called_as_ours(name: &[u8]) -> bool {
    let ours = LOADING.iter().map(|(_, ours)| *ours).chain([TYPE, PURPOSE, KEY]);
    ours.into_iter().any(|ours| name.eq_ignore_ascii_case(ours.as_bytes()))
}

/// What makes a script's text be nothing but text, and says of what kind it was.
fn as_text(kind: Option<&[u8]>) -> impl Iterator<Item = Ours<'_>> {
    let was = kind.map(|kind| Ours { name: TYPE, value: kind });
    was.into_iter().chain([Ours { name: "type", value: b"text/plain" }])
}

/// What becomes of the loading attributes that are `inert`, with their values.
fn ours_for<'t>(inert: &[Option<&'t [u8]>; LOADING.len()]) -> Vec<Ours<'t>> {
    let mut all: Vec<Ours<'t>> = Vec::with_capacity(4);
    for ((_, name), value) in LOADING.iter().zip(inert) {
        let Some(value) = *value else { continue };
        match all.iter_mut().find(|ours| ours.name == *name) {
            Some(ours) => ours.value = value,
            None => all.push(Ours { name, value }),
        }
    }
    all
}

/// The tag that begins with `open`, without the attributes of which each `goes`, with `ours` at the end.
fn written(
    open: &[u8],
    attributes: &[u8],
    mut goes: impl FnMut(&[u8]) -> bool,
    ours: &[Ours<'_>],
    self_closing: bool,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(open.len() + attributes.len() + MOST_ADDED);
    out.extend_from_slice(open);
    for Attribute { whole, .. } in Attributes::of(attributes).filter(|attribute| !goes(attribute.name)) {
        out.push(b' ');
        out.extend_from_slice(whole);
    }
    for ours in ours {
        out.push(b' ');
        write(&mut out, ours.name.as_bytes(), ours.value);
    }
    // With a space, or the slash would belong to a value without quotes.
    out.extend_from_slice(if self_closing { b" />" } else { b">" });
    out
}

/// So many bytes ours take, but in rare tags.
const MOST_ADDED: usize = 200;

/// Writes an attribute.
fn write(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b"=\"");
    for (at, piece) in value.split(|&byte| byte == b'"').enumerate() {
        if at > 0 {
            out.extend_from_slice(b"&quot;");
        }
        out.extend_from_slice(piece);
    }
    out.push(b'"');
}
