//! What the operator says in languages: which there are beside the built-in ones, own words in them, and the words of the
//! site's own purposes. The built-in words themselves are the visitors' pages' business.

use toml::Value as Toml;

use super::Consent;
use super::kind::{self, Kind, Wrong, parsed, quoted};
use super::known::Section;
use super::meaning::purpose_of;
use super::read::{Place, Reader};
use super::tree::{Entry, Node, Value};
use crate::consent::Policy;

/// What the operator calls a version of the banner: as much as a row of the ledger has room for.
pub(super) fn banner_version() -> Kind<String> {
    let parse = |text: &str| match text.len() {
        0 => Err("is empty".to_owned()),
        1..=32 if text.parse::<std::net::IpAddr>().is_ok() => Err("is an address".into()),
        1..=32 if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) => Ok(text.to_owned()),
        1..=32 => Err("has other characters".into()),
        length => Err(format!("has {length} characters")),
    };
    parsed("a version of 1 to 32 letters, digits and . _ -, such as \"2026-11\"", parse, String::clone)
}

/// The languages everything is written in already; the first is what others take from where they say nothing themselves.
pub const BUILT_IN: [&str; 10] = ["en-GB", "cy", "de", "fr", "es", "it", "nl", "pl", "pt", "sv"];

/// Where the link to the choices stands (C5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkPosition {
    /// In the left corner at the bottom.
    #[default]
    Left,
    /// In the right one.
    Right,
    /// Nowhere: the site places its own on every page.
    None,
}

pub(super) const POSITIONS: [(&str, LinkPosition); 3] =
    [("left", LinkPosition::Left), ("right", LinkPosition::Right), ("none", LinkPosition::None)];

/// `[[language]]`: own words in one language. What is absent is the built-in text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnWords {
    /// The tag, as in `ar` or `pt-BR`.
    pub code: String,
    /// What its speakers call it.
    pub name: Option<String>,
    /// The banner's heading.
    pub banner_title: Option<String>,
    /// The banner's text.
    pub banner_text: Option<String>,
    /// The text of the link that stands on every page.
    pub link_text: Option<String>,
    /// The button that allows everything.
    pub accept: Option<String>,
    /// The button that refuses everything.
    pub reject: Option<String>,
    /// The link to the single choices.
    pub manage: Option<String>,
    /// The link to the privacy notice.
    pub notice: Option<String>,
    /// What is said once a choice is kept.
    pub saved: Option<String>,
    /// Any other words, by the names they have in the file of the first built-in language and in its shape.
    pub words: toml::Table,
}

/// `[[purpose_text]]`: the words of one purpose in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurposeText {
    /// Index of the purpose in the policy.
    pub purpose: usize,
    /// The language's tag.
    pub language: String,
    /// Its name.
    pub title: String,
    /// Its explanation.
    pub description: String,
}

/// A language's tag (BCP 47), as far as its form goes; case is put right.
pub(super) fn tag() -> Kind<String> {
    let parse = |text: &str| {
        let parts: Vec<&str> = text.split('-').collect();
        let well_formed = parts.iter().all(|part| (1..=8).contains(&part.len()))
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && (2..=3).contains(&parts[0].len())
            && parts[0].bytes().all(|byte| byte.is_ascii_alphabetic());
        match well_formed && text.len() <= 35 {
            true => Ok(in_usual_case(&parts)),
            false => Err("is not a language's tag".into()),
        }
    };
    parsed("a tag of BCP 47, such as \"cy\", \"pt-BR\" or \"zh-Hant\"", parse, String::clone)
}

/// Languages in small letters, countries in capitals, scripts with one capital (RFC 5646 §2.1.1).
fn in_usual_case(parts: &[&str]) -> String {
    let part = |(index, part): (usize, &&str)| match part.len() {
        2 if index > 0 => part.to_ascii_uppercase(),
        4 if index > 0 && part.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            part[..1].to_ascii_uppercase() + &part[1..].to_ascii_lowercase()
        }
        _ => part.to_ascii_lowercase(),
    };
    parts.iter().enumerate().map(part).collect::<Vec<_>>().join("-")
}

/// A text that is built in: the operator's own, or nothing where it is the built-in one.
pub(super) fn own(reader: &mut Reader<'_>, place: &Place<'_>, name: &'static str, most: usize) -> Option<String> {
    let built_in = Section::named("consent").and_then(|section| section.key(name)).and_then(|key| key.default);
    let text = reader.get(place, name, kind::text(most));
    (built_in != Some(&*quoted(&text))).then_some(text)
}

/// Every `[[language]]`. `default` is `[consent] language`, which must be built in or one of these.
pub(super) fn languages(reader: &mut Reader<'_>, consent: &Place<'_>, default: &str) -> Vec<OwnWords> {
    let mut languages: Vec<OwnWords> = Vec::new();
    for place in &reader.items("language") {
        let code = reader.required(place, "code", tag());
        let more = reader.maybe(place, "words", words());
        let mut text = |name: &'static str, most: usize| reader.maybe(place, name, kind::text(most));
        let words = OwnWords {
            code: String::new(),
            words: more.unwrap_or_default(),
            name: text("name", 60),
            banner_title: text("banner_title", 200),
            banner_text: text("banner_text", 2000),
            link_text: text("link_text", 100),
            accept: text("accept", 60),
            reject: text("reject", 60),
            manage: text("manage", 60),
            notice: text("notice", 100),
            saved: text("saved", 100),
        };
        let Some(code) = code else { continue };
        if languages.iter().any(|other| other.code == code) {
            reader.refuse(place, "code", Some(quoted(&code)), "is there twice".into(), "each language once".into());
        }
        languages.push(OwnWords { code, ..words });
    }
    if !is_known(default, &languages) && !reader.any_wrong(&["consent.language", "language"]) {
        let what = "is neither built in nor given in a [[language]]".into();
        reader.refuse(consent, "language", Some(quoted(default)), what, known(&languages));
    }
    languages
}

/// Every `[[purpose_text]]`.
pub(super) fn purpose_texts(reader: &mut Reader<'_>, policy: &Policy, consent: &Consent) -> Vec<PurposeText> {
    let mut texts: Vec<PurposeText> = Vec::new();
    for place in &reader.items("purpose_text") {
        let purpose = purpose_of(reader, place, policy);
        let language = reader.required(place, "language", tag());
        let title = reader.required(place, "title", kind::text(100));
        let description = reader.required(place, "description", kind::text(1000));
        let (Some(purpose), Some(language)) = (purpose, language) else { continue };
        let shown = Some(quoted(&language));
        if language == consent.language {
            let what = "is the default language, whose words stand in [[purpose]]".into();
            reader.refuse(place, "language", shown, what, "any other language".into());
        } else if !is_known(&language, &consent.languages) && !reader.any_wrong(&["language"]) {
            let what = "is neither built in nor given in a [[language]]".into();
            reader.refuse(place, "language", shown, what, known(&consent.languages));
        } else if texts.iter().any(|other| other.purpose == purpose && other.language == language) {
            let what = "is there twice for this purpose".into();
            reader.refuse(place, "language", shown, what, "each language once for each purpose".into());
        }
        let (title, description) = (title.unwrap_or_default(), description.unwrap_or_default());
        texts.push(PurposeText { purpose, language, title, description });
    }
    texts
}

/// The names every language's words have, and the shape they are in.
const NAMES: &str = include_str!("../../static/privacy/words/en-GB.toml");

/// A table of words, with those names and in that shape, as many of them as one likes.
fn words() -> Kind<toml::Table> {
    let read = |node: &Node| {
        let names = NAMES.parse().map(Toml::Table).expect("the built-in words are TOML");
        let mut wrong = Vec::new();
        match words_like(node, &names, &mut wrong) {
            Some(Toml::Table(words)) if wrong.is_empty() => Ok(words),
            _ => Err(wrong),
        }
    };
    let show = |words: &toml::Table| Toml::Table(words.clone()).to_string();
    let allowed = "a table of words with the names and places ({n}) of static/privacy/words/en-GB.toml".into();
    Kind { read: Box::new(read), show: Box::new(show), allowed }
}

/// `node` as words in the shape of `model`; reports what has another shape.
fn words_like(node: &Node, model: &Toml, wrong: &mut Vec<Wrong>) -> Option<Toml> {
    match (&node.value, model) {
        (Value::Text(text), Toml::String(model)) => {
            let unknown = places(text).find(|place| !places(model).any(|known| known == *place));
            match unknown {
                Some(place) => wrong.extend(Wrong::of(node, format!("has a place {{{place}}} that is not filled"))),
                None if text.trim().is_empty() => wrong.extend(Wrong::of(node, "is empty")),
                None => return Some(Toml::String(text.clone())),
            }
        }
        (Value::List(items), Toml::Array(models)) if items.len() == models.len() => {
            let items = items.iter().zip(models).map(|(item, model)| words_like(item, model, wrong));
            return items.collect::<Option<Vec<_>>>().map(Toml::Array);
        }
        (Value::Table(table), Toml::Table(models)) => {
            let mut words = toml::Table::new();
            for (name, Entry { node, .. }) in table {
                // A language counts in as many forms as it has.
                let form = || models.get("other").filter(|_| FORMS.contains(&&**name));
                match models.get(name).or_else(form) {
                    Some(model) => words.extend(words_like(node, model, wrong).map(|word| (name.clone(), word))),
                    None => wrong.extend(Wrong::of(node, format!("is for `{name}`, which is no word's name"))),
                }
            }
            return Some(Toml::Table(words));
        }
        (_, model) => {
            let (is, not) = (node.kind(), model.type_str());
            wrong.extend(Wrong::of(node, format!("is {is}, not as the English one ({not})")));
        }
    }
    None
}

const FORMS: [&str; 5] = ["zero", "one", "two", "few", "many"];

/// The names in braces in a text.
fn places(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

fn is_known(code: &str, languages: &[OwnWords]) -> bool {
    BUILT_IN.contains(&code) || languages.iter().any(|language| language.code == code)
}

fn known(languages: &[OwnWords]) -> String {
    let own = languages.iter().map(|language| &*language.code).filter(|code| !BUILT_IN.contains(code));
    BUILT_IN.into_iter().chain(own).collect::<Vec<_>>().join(", ")
}
