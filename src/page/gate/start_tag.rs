//! What is refused in one start tag, and the tag without it: an attribute that would load becomes one that says what it
//! was. Nothing is copied of a tag in which nothing is refused.

use std::borrow::Cow;

use super::address::{Address, decoded};
use super::element::{BASE, Id, SCRIPT};
use super::reader::Reader;
use crate::page::scan::attributes::{Attribute, Attributes};

/// The attributes that hold one URL, then those that hold several with descriptors, then the one that holds a document, each
/// with what it becomes. The namespace's prefix would not survive as part of a data attribute's name.
const LOADING: [(&[u8], &str); 9] = [
    (b"src", "data-consentry-src"),
    (b"href", "data-consentry-href"),
    (b"xlink:href", "data-consentry-href"),
    (b"data", "data-consentry-data"),
    (b"poster", "data-consentry-poster"),
    (b"background", "data-consentry-background"),
    (b"srcset", "data-consentry-srcset"),
    (b"imagesrcset", "data-consentry-imagesrcset"),
    (b"srcdoc", "data-consentry-srcdoc"),
];
const SETS: std::ops::Range<usize> = 6..8;
const DOCUMENT: usize = 8;

/// An attribute of the new tag: as it stands in the page, or with a value of ours.
struct Kept<'t> {
    name: &'t [u8],
    value: &'t [u8],
    whole: Option<&'t [u8]>,
}

impl Reader {
    /// The tag without what is refused in it; `None` where nothing is. Of several attributes of a name the first counts
    /// (13.2.5.33).
    pub(super) fn gated(&mut self, tag: &[u8], name: usize, id: Id, self_closing: bool) -> Option<Vec<u8>> {
        let attributes = || Attributes::of(&tag[1 + name..]);
        if id == BASE {
            let href = attributes().find(|attribute| attribute.name.eq_ignore_ascii_case(b"href"));
            if let (Some(href), None) = (href, &self.base) {
                self.base = Some(Address::of_attribute(&String::from_utf8_lossy(href.value)));
            }
            return None;
        }
        let mut purposes: Vec<String> = Vec::new();
        let mut inert: [Option<&[u8]>; LOADING.len()] = [None; LOADING.len()];
        let mut seen = [false; LOADING.len()];
        for attribute in attributes() {
            let Some(which) = loading(&attribute) else { continue };
            if std::mem::replace(&mut seen[which], true) {
                continue;
            }
            let before = purposes.len();
            if which == DOCUMENT {
                purposes.extend(self.refused_in_document(attribute.value));
            } else if SETS.contains(&which) {
                purposes.extend(self.refused_in_set(attribute.value));
            } else {
                purposes.extend(self.refused(attribute.value));
            }
            if purposes.len() > before {
                inert[which] = Some(attribute.value);
            }
        }
        if purposes.is_empty() {
            return None;
        }
        purposes.sort();
        purposes.dedup();
        let purposes = purposes.join(" ");
        let mut kept: Vec<Kept<'_>> =
            attributes().map(|Attribute { name, value, whole }| Kept { name, value, whole: Some(whole) }).collect();
        for ((refused, becomes), value) in LOADING.iter().zip(inert) {
            if let Some(value) = value {
                kept.retain(|attribute| !attribute.name.eq_ignore_ascii_case(refused));
                set(&mut kept, becomes, value);
            }
        }
        if id == SCRIPT {
            // Without `src` the text inside would run.
            if let Some(kind) = kept.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(b"type")) {
                let kind = kind.value;
                set(&mut kept, "data-consentry-type", kind);
                kept.retain(|attribute| !attribute.name.eq_ignore_ascii_case(b"type"));
            }
            set(&mut kept, "type", b"text/plain");
        }
        set(&mut kept, "data-consentry-purpose", purposes.as_bytes());
        Some(written(&tag[..1 + name], &kept, self_closing))
    }

    /// The purpose the host of a URL would need and does not have.
    fn refused(&self, value: &[u8]) -> Option<String> {
        // Nearly every URL: a path of the site's, whatever follows.
        let plain = matches!(value, [b'/', second, ..] if second.is_ascii_alphanumeric());
        if plain && self.base.is_none() {
            return None;
        }
        self.refused_address(Address::of_attribute(&String::from_utf8_lossy(value)))
    }

    fn refused_address(&self, address: Address) -> Option<String> {
        let address = match address {
            Address::Relative => self.base.as_ref()?,
            ref address => address,
        };
        match address {
            Address::Host(host) => self.gating.refused(host).map(str::to_owned),
            _ => None,
        }
    }

    /// The same for the first such URL of a `srcset`. Descriptors look like relative URLs, which does no harm.
    fn refused_in_set(&self, value: &[u8]) -> Option<String> {
        let value = String::from_utf8_lossy(value);
        let value = decoded(&value);
        let urls = value.split(|c: char| c.is_ascii_whitespace()).map(|word| word.trim_matches(','));
        urls.filter(|url| !url.is_empty()).find_map(|url| self.refused(url.as_bytes()))
    }

    /// The same for a document in an attribute (`srcdoc`). It is not taken apart: where it holds anything refused, it needs
    /// every purpose that is refused.
    fn refused_in_document(&self, value: &[u8]) -> Vec<String> {
        let value = String::from_utf8_lossy(value);
        let document: Cow<'_, str> = decoded(&value);
        match self.fragment(document.as_bytes()) {
            Some(gated) if gated == document.as_bytes() => Vec::new(),
            Some(_) | None => self.gating.all_refused(),
        }
    }
}

/// Which of the loading attributes this is.
fn loading(attribute: &Attribute<'_>) -> Option<usize> {
    if !(3..=11).contains(&attribute.name.len()) {
        return None;
    }
    LOADING.iter().position(|(name, _)| attribute.name.eq_ignore_ascii_case(name))
}

/// Gives the first attribute of that name a value of ours, or adds it.
fn set<'t>(kept: &mut Vec<Kept<'t>>, name: &'t str, value: &'t [u8]) {
    match kept.iter_mut().find(|attribute| attribute.name.eq_ignore_ascii_case(name.as_bytes())) {
        Some(attribute) => (attribute.value, attribute.whole) = (value, None),
        None => kept.push(Kept { name: name.as_bytes(), value, whole: None }),
    }
}

fn written(open: &[u8], kept: &[Kept<'_>], self_closing: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(open.len() + kept.iter().map(Kept::length).sum::<usize>() + 16);
    out.extend_from_slice(open);
    for attribute in kept {
        out.push(b' ');
        match attribute.whole {
            Some(whole) => out.extend_from_slice(whole),
            None => {
                out.extend_from_slice(attribute.name);
                out.extend_from_slice(b"=\"");
                for (at, piece) in attribute.value.split(|&byte| byte == b'"').enumerate() {
                    if at > 0 {
                        out.extend_from_slice(b"&quot;");
                    }
                    out.extend_from_slice(piece);
                }
                out.push(b'"');
            }
        }
    }
    // With a space, or the slash would belong to a value without quotes.
    out.extend_from_slice(if self_closing { b" />" } else { b">" });
    out
}

impl Kept<'_> {
    fn length(&self) -> usize {
        4 + self.whole.map_or(self.name.len() + self.value.len(), <[u8]>::len)
    }
}
