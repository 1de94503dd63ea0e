//! What is around every page of ours: its language, the way to the others, and who answers for it.

use std::time::Duration;

use super::language::{Language, Languages, Said, dir};
use super::words::Words;
use crate::config::Consent;

/// The page around the content.
pub(super) struct Frame<'a> {
    /// The folder of the visitor's endpoints.
    pub path: &'a str,
    pub lang: &'a str,
    pub dir: &'static str,
    /// What links and forms of the page carry on, so that the language that was asked for stays: `?lang=cy`, or nothing.
    pub query: String,
    /// All languages; none where the address cannot be asked for again.
    pub others: Vec<Other<'a>>,
}

/// A language to change to.
pub(super) struct Other<'a> {
    pub code: &'a str,
    pub name: &'a str,
    pub dir: &'static str,
    pub here: bool,
}

impl<'a> Frame<'a> {
    /// Around a page in `language`; `asked` is whether the address says so.
    pub(super) fn new(consent: &'a Consent, language: &'a Language, asked: bool) -> Frame<'a> {
        let query = if asked { format!("?lang={}", language.code) } else { String::new() };
        Frame { path: &consent.path, lang: &language.code, dir: language.dir(), query, others: Vec::new() }
    }

    /// The same with the way to the other languages.
    pub(super) fn with_languages(self, languages: &'a Languages) -> Frame<'a> {
        let other = |language: &'a Language| Other {
            code: &language.code,
            name: &language.words.name,
            dir: dir(&language.code),
            here: language.code == self.lang,
        };
        Frame { others: languages.of_pages().map(other).collect(), ..self }
    }
}

/// What a page leads to, and who answers for it.
pub(super) struct More<'a> {
    /// The site's own notice, which goes before ours.
    pub notice_url: Option<&'a str>,
    pub controller: Option<Said>,
    pub contact: Option<Contact<'a>>,
}

/// Where to turn with questions.
pub(super) struct Contact<'a> {
    pub href: String,
    pub text: &'a str,
}

impl<'a> More<'a> {
    pub(super) fn new(consent: &'a Consent, language: &Language, languages: &Languages) -> More<'a> {
        let contact = consent.contact.as_deref().map(|text| Contact {
            href: if text.contains('/') { text.to_owned() } else { format!("mailto:{text}") },
            text,
        });
        More {
            notice_url: consent.notice_url.as_deref(),
            controller: consent.controller.as_ref().map(|text| Said::by_operator(text, language, languages)),
            contact,
        }
    }

    /// Whom to write to.
    pub(super) fn write<'w>(&self, words: &'w Words) -> &'w str {
        if self.contact.is_some() { &words.write_contact } else { &words.write_website }
    }
}

/// What else the gateway does, so that pages say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Serves {
    /// Whether visits may be counted without a choice somewhere (L2).
    pub statistics: bool,
}

/// How long the gateway's own cookies of the analytics purpose live, for visitors to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnCookieLives {
    /// `consentry_visitor`
    pub visitor: Duration,
    /// `consentry_visit`
    pub visit: Duration,
}
