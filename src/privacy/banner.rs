//! The banner and the link to the choices, in every language: rendered once for what a visitor is asked about, and put into
//! pages as bytes. The variants of one question are equally long, so that the length of a page is known before its language.
//!
//! What was shown can be told from its hash (P5): that of the markup with the field `form` left empty.

use askama::Template;
use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

use super::form::{self, TAIL};
use super::language::{self, Language, Languages, Said};
use super::snippet::rendered;
use super::words::Words;
use crate::asked::Asked;
use crate::config::{Consent, LinkPosition};
use crate::consent::{Policy, PurposeSet};
use crate::keys::KeyRing;
use crate::page::BodyStart;

#[derive(Template)]
#[template(path = "body_start.html", config = "static/privacy/askama.toml")]
struct Markup<'a> {
    path: &'a str,
    lang: &'a str,
    /// What the links to our pages carry: the language, unless it is the site's usual one.
    query: &'a str,
    dir: &'a str,
    w: &'a Words,
    ask: bool,
    title: &'a str,
    /// The text up to the purposes' names, and what follows them.
    before: &'a str,
    purposes: Vec<&'a Said>,
    comma: &'static str,
    after: &'a str,
    reject: &'a str,
    accept: &'a str,
    notice_url: Option<&'a str>,
    position: Option<&'static str>,
    form: &'a str,
}

/// A text that is shown to visitors, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownText {
    /// `banner`, `preferences` or `notice`.
    pub kind: &'static str,
    /// The language it is in.
    pub language: String,
    /// The SHA-256 of `bytes`.
    pub hash: [u8; 32],
    /// The markup as it was sent, with the field `form` left empty.
    pub bytes: Bytes,
}

impl ShownText {
    pub(super) fn new(kind: &'static str, language: &str, bytes: Bytes) -> ShownText {
        ShownText { kind, language: language.to_owned(), hash: Sha256::digest(&bytes).into(), bytes }
    }
}

/// What is the same for all banners of a site.
pub(super) struct Site {
    pub policy: Policy,
    pub consent: Consent,
    pub languages: Languages,
    pub ring: Arc<KeyRing>,
}

/// What is asked of visitors in one state, in every language.
pub(super) struct Banner {
    variants: Vec<Variant>,
    /// The length of each.
    length: usize,
}

/// It in one language.
struct Variant {
    bytes: Bytes,
    /// What stands in its form before the tail, and where the tail goes; nothing where there is no form.
    form: Option<(String, usize)>,
}

/// Stands where the form's tail goes until a page goes out.
const NO_TAIL: &str = "____________________________";

impl Banner {
    /// For visitors who are asked about `asked`; where that is nothing, it is the link alone. Also tells what it shows.
    pub(super) fn new(site: &Site, asked: PurposeSet) -> (Banner, Vec<ShownText>) {
        let (mut variants, mut shown) = (Vec::new(), Vec::new());
        for language in site.languages.iter() {
            let plain = markup(site, language, asked, "");
            let text = ShownText::new("banner", &language.code, plain.clone());
            if asked.bits() == 0 {
                variants.push((plain, None));
                continue;
            }
            let stem = form::stem(&language.code, asked, &text.hash, &site.policy);
            let bytes = markup(site, language, asked, &format!("{stem}{NO_TAIL}"));
            let at = memchr::memmem::find(&bytes, NO_TAIL.as_bytes()).expect("the template has a place for it");
            variants.push((bytes, Some((stem, at))));
            shown.push(text);
        }
        let length = variants.iter().map(|(bytes, _)| bytes.len()).max().unwrap_or_default();
        let padded = |(bytes, form)| Variant { bytes: padded(bytes, length), form };
        (Banner { variants: variants.into_iter().map(padded).collect(), length }, shown)
    }
}

/// Makes markup as long as the longest of its question. The spaces stand within the last end tag, where white space is nothing:
/// of text between elements a page would have a node, which frameworks that know every node of theirs (React, where it has the
/// whole document) take for a mistake of the page.
fn padded(markup: Bytes, length: usize) -> Bytes {
    let Some(last) = markup.strip_suffix(b">") else { return markup };
    let mut bytes = last.to_vec();
    // A link that is nowhere has no end tag, in any language, and needs no spaces.
    bytes.resize(length - 1, b' ');
    bytes.push(b'>');
    bytes.into()
}

fn markup(site: &Site, language: &Language, asked: PurposeSet, form: &str) -> Bytes {
    let Site { policy, consent, languages, .. } = site;
    let words = &language.words;
    let everything = PurposeSet::of(policy.optional().map(|(index, _)| index)).is_subset_of(asked);
    let (title, text) = match everything {
        true => (&words.banner_title, &words.banner_text),
        false => (&words.changed_title, &words.changed_text),
    };
    let (before, after) = text.split_once("{purposes}").unwrap_or((text, ""));
    let purposes = language::purposes(policy, consent, language, languages);
    let named = purposes.iter().enumerate().filter(|(index, _)| asked.contains(*index) && text.contains("{purposes}"));
    let query = match language.code == languages.default().code {
        true => String::new(),
        false => format!("?lang={}", language.code),
    };
    rendered(&Markup {
        path: &consent.path,
        lang: &language.code,
        query: &query,
        dir: language.dir(),
        w: words,
        ask: asked.bits() != 0,
        title,
        before,
        purposes: named.map(|(_, purpose)| &purpose.title).collect(),
        comma: language.comma(),
        after,
        reject: if everything { &words.reject } else { &words.reject_these },
        accept: if everything { &words.accept } else { &words.accept_these },
        notice_url: consent.notice_url.as_deref(),
        position: match consent.link_position {
            LinkPosition::Left => Some("left"),
            LinkPosition::Right => Some("right"),
            // The site has a link of its own; ours only says that a choice was saved, where there is one to make.
            LinkPosition::None => (asked.bits() != 0).then_some("none"),
        },
        form,
    })
}

/// A banner on its way into a page.
pub(super) struct Outgoing {
    pub site: Arc<Site>,
    pub banner: Arc<Banner>,
    /// The request's `Accept-Language`, for pages that do not say in which language they are.
    pub accepted: Vec<HeaderValue>,
    /// The host the page is for, where there is a form to be signed.
    pub host: String,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// Told that the banner was shown, and in which language; nothing where nobody is to be told.
    pub asked: Option<Arc<Asked>>,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("length", &self.banner.length).finish_non_exhaustive()
    }
}

impl BodyStart for Outgoing {
    fn len(&self) -> usize {
        self.banner.length
    }

    fn in_language(&self, page: Option<&str>) -> Bytes {
        let languages = &self.site.languages;
        let index = page.and_then(|tag| languages.find(tag)).unwrap_or_else(|| languages.accepted(&self.accepted));
        if let Some(asked) = &self.asked {
            asked.shown(&self.site.consent.banner_version, &languages.get(index).code);
        }
        let variant = self.banner.variants.get(index).expect("there is one for each language");
        let Some((stem, at)) = &variant.form else { return variant.bytes.clone() };
        let mut bytes = variant.bytes.to_vec();
        bytes[*at..at + TAIL].copy_from_slice(&form::tail(stem, &self.site.ring, &self.host, self.now));
        bytes.into()
    }
}
