//! The languages there are, and which of them a visitor reads: the page's own, else the first one the browser asks for, else
//! the default one.

use http::HeaderValue;

use super::words::Words;
use crate::config::{BUILT_IN, Consent, OwnWords};
use crate::consent::{Policy, Purpose, Signals};

/// The most ranges of an `Accept-Language` that are looked at; browsers send a handful.
const MOST_RANGES: usize = 20;

/// A language and all its words.
pub(super) struct Language {
    /// Its tag.
    pub code: String,
    /// Its tag in small letters, by which it is found.
    lower: String,
    pub words: Words,
    /// Whether pages can be in it; else theirs are in the first one, since the operator gave words for the banner alone.
    whole: bool,
}

/// All languages of a site.
pub(super) struct Languages {
    all: Vec<Language>,
    default: usize,
}

impl Language {
    /// Which way it is written.
    pub(super) fn dir(&self) -> &'static str {
        dir(&self.code)
    }

    /// What stands between the parts of a list.
    pub(super) fn comma(&self) -> &'static str {
        match self.code.split('-').next().unwrap_or_default() {
            "ar" | "fa" | "ur" | "ps" | "sd" | "ug" => "، ",
            "zh" | "ja" => "、",
            _ => ", ",
        }
    }
}

/// Which way a language is written.
pub(super) fn dir(code: &str) -> &'static str {
    let written = code.split('-').nth(1).filter(|part| part.len() == 4);
    match (code.split('-').next().unwrap_or_default(), written) {
        (_, Some("Arab" | "Hebr" | "Thaa" | "Syrc" | "Nkoo" | "Adlm")) => "rtl",
        (_, Some(_)) => "ltr",
        ("ar" | "he" | "fa" | "ur" | "ps" | "sd" | "ug" | "yi" | "dv", None) => "rtl",
        _ => "ltr",
    }
}

impl Languages {
    pub(super) fn new(consent: &Consent) -> Languages {
        let own = |code: &str| consent.languages.iter().find(|own| own.code == code);
        let beside = consent.languages.iter().map(|own| &*own.code).filter(|code| !BUILT_IN.contains(code));
        let all: Vec<Language> =
            BUILT_IN.into_iter().chain(beside).map(|code| made(code, own(code), consent)).collect();
        let default = all.iter().position(|language| language.code == consent.language).unwrap_or(0);
        Languages { all, default }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Language> {
        self.all.iter()
    }

    pub(super) fn get(&self, index: usize) -> &Language {
        self.all.get(index).unwrap_or(&self.all[0])
    }

    /// The language in which the operator's own texts are.
    pub(super) fn default(&self) -> &Language {
        self.get(self.default)
    }

    /// The languages pages can be in.
    pub(super) fn of_pages(&self) -> impl Iterator<Item = &Language> {
        self.all.iter().filter(|language| language.whole)
    }

    /// The language a tag stands for (RFC 4647 §3.4): the tag as it is, then without its last parts one by one, then
    /// any of the same first part.
    pub(super) fn find(&self, tag: &str) -> Option<usize> {
        let tag = tag.trim().to_ascii_lowercase();
        let exact = |tag: &str| self.all.iter().position(|language| language.lower == tag);
        let mut part = &*tag;
        loop {
            if let Some(found) = exact(part) {
                return Some(found);
            }
            match part.rsplit_once('-') {
                Some((shorter, _)) => part = shorter,
                None => break,
            }
        }
        self.all.iter().position(|language| language.lower.split('-').next() == Some(part))
    }

    /// What a browser asks for with `Accept-Language` (RFC 9110 §12.5.4), else the default.
    pub(super) fn accepted<'a>(&self, headers: impl IntoIterator<Item = &'a HeaderValue>) -> usize {
        let lines = headers.into_iter().filter_map(|value| value.to_str().ok());
        let ranges = lines.flat_map(|line| line.split(',')).take(MOST_RANGES).filter_map(range);
        let mut best: Option<(u16, usize)> = None;
        for (tag, weight) in ranges {
            let found = if tag == "*" { Some(self.default) } else { self.find(tag) };
            if let Some(found) = found.filter(|_| weight > best.map_or(0, |(weight, _)| weight)) {
                best = Some((weight, found));
            }
        }
        best.map_or(self.default, |(_, found)| found)
    }

    /// The language of one of our own pages, and whether the address says so: `lang` in the query, where it is a language
    /// pages can be in; else what the browser asks for.
    pub(super) fn of_page<'a>(
        &self,
        query: Option<&str>,
        headers: impl IntoIterator<Item = &'a HeaderValue>,
    ) -> (&Language, bool) {
        let asked = query.unwrap_or_default().split('&').find_map(|field| field.strip_prefix("lang="));
        let asked = asked.and_then(|tag| self.all.iter().find(|language| language.lower == tag.to_ascii_lowercase()));
        match asked.filter(|language| language.whole) {
            Some(language) => (language, true),
            None => {
                let accepted = self.get(self.accepted(headers));
                (if accepted.whole { accepted } else { self.get(0) }, false)
            }
        }
    }
}

/// A language's words with the operator's own laid over them.
fn made(code: &str, own: Option<&OwnWords>, consent: &Consent) -> Language {
    let primary = |code: &str| code.split('-').next().unwrap_or_default().to_ascii_lowercase();
    // A language of which we know another kind is nearer to that than to English.
    let built_in = BUILT_IN.into_iter().find(|known| *known == code);
    let near = built_in.or_else(|| BUILT_IN.into_iter().find(|known| primary(known) == primary(code)));
    let none = toml::Table::new();
    let more = own.map_or(&none, |own| &own.words);
    let mut words = Words::of(near.unwrap_or(BUILT_IN[0]), more);
    if near.is_none() {
        words.name = code.to_owned();
    }
    let mut take = |own: &Option<String>, word: fn(&mut Words) -> &mut String| {
        if let Some(own) = own {
            *word(&mut words) = own.clone();
        }
    };
    if code == consent.language {
        take(&consent.banner_title, |words| &mut words.banner_title);
        take(&consent.banner_text, |words| &mut words.banner_text);
        take(&consent.link_text, |words| &mut words.link_text);
    }
    if let Some(own) = own {
        take(&own.name, |words| &mut words.name);
        take(&own.banner_title, |words| &mut words.banner_title);
        take(&own.banner_text, |words| &mut words.banner_text);
        take(&own.link_text, |words| &mut words.link_text);
        take(&own.accept, |words| &mut words.accept);
        take(&own.reject, |words| &mut words.reject);
        take(&own.manage, |words| &mut words.manage);
        take(&own.notice, |words| &mut words.notice);
        take(&own.saved, |words| &mut words.saved);
    }
    let whole = near.is_some() || !more.is_empty();
    Language { code: code.to_owned(), lower: code.to_ascii_lowercase(), words, whole }
}

/// A range of `Accept-Language` and its weight in thousandths; nothing where it is none, or is refused with `q=0`.
fn range(part: &str) -> Option<(&str, u16)> {
    let (tag, parameters) = part.split_once(';').unwrap_or((part, "q=1"));
    let weight = parameters.trim().strip_prefix("q=").or_else(|| parameters.trim().strip_prefix("Q="))?;
    let weight: f32 = weight.trim().parse().ok()?;
    ((0.001..=1.0).contains(&weight)).then_some((tag.trim(), (weight * 1000.0).round() as u16))
}

/// A text for visitors and the language it is in, where that is not the page's: the operator's own words are in one only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub text: String,
    other: Option<String>,
}

impl Said {
    /// In the language of the page.
    pub(super) fn here(text: impl Into<String>) -> Said {
        Said { text: text.into(), other: None }
    }

    /// In the operator's language.
    pub(super) fn by_operator(text: impl Into<String>, language: &Language, languages: &Languages) -> Said {
        let theirs = languages.default();
        Said { text: text.into(), other: (theirs.code != language.code).then(|| theirs.code.clone()) }
    }

    /// The attributes of the element it stands in, with a space before; a tag has nothing that must be escaped.
    pub(super) fn attributes(&self) -> String {
        match &self.other {
            Some(code) => format!(" lang=\"{code}\" dir=\"{}\"", dir(code)),
            None => String::new(),
        }
    }
}

/// A purpose's words in one language.
#[derive(Clone, Debug)]
pub(super) struct PurposeSaid {
    pub title: Said,
    pub description: Said,
    pub basis: Said,
}

/// The words of every purpose: the operator's for this language; ours, where the operator left them as they were; else the
/// operator's own.
pub(super) fn purposes(
    policy: &Policy,
    consent: &Consent,
    language: &Language,
    languages: &Languages,
) -> Vec<PurposeSaid> {
    let english = &languages.get(0).words.purposes;
    let said = |(index, purpose): (usize, &Purpose)| {
        let own = consent.purpose_texts.iter().find(|own| own.purpose == index && own.language == language.code);
        let (ours, theirs) = (language.words.purposes.get(&purpose.id), english.get(&purpose.id));
        let choose = |own: Option<&String>, written: &str, ours: Option<&String>, english: Option<&String>| match own {
            Some(own) => Said::here(own),
            None if english.is_some_and(|english| english == written) => {
                Said::here(ours.map_or(written, String::as_str))
            }
            None => Said::by_operator(written, language, languages),
        };
        let necessary = policy.necessary().contains(index);
        PurposeSaid {
            title: choose(
                own.map(|own| &own.title),
                &purpose.title,
                ours.map(|ours| &ours.title),
                theirs.map(|theirs| &theirs.title),
            ),
            description: choose(
                own.map(|own| &own.description),
                &purpose.description,
                ours.map(|ours| &ours.description),
                theirs.map(|theirs| &theirs.description),
            ),
            basis: match &purpose.legal_basis {
                Some(basis) => Said::by_operator(basis, language, languages),
                None if necessary => Said::here(&language.words.basis_necessary),
                None => Said::here(&language.words.basis_consent),
            },
        }
    };
    policy.purposes().iter().enumerate().map(said).collect()
}

/// What browsers call the signals that were sent; nothing where none was.
pub(super) fn signals_sent(signals: Signals) -> Option<&'static str> {
    match (signals.gpc, signals.dnt) {
        (true, true) => Some("Global Privacy Control, Do Not Track"),
        (true, false) => Some("Global Privacy Control"),
        (false, true) => Some("Do Not Track"),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests;
