//! The receipt page (P4): what a visitor chose, when, where and in answer to what, with the signed file to keep. The file's
//! content is the ledger's.

use askama::Template;
use bytes::Bytes;
use http::header::CONTENT_DISPOSITION;
use http::{HeaderValue, Response, StatusCode};

use super::answer;
use super::banner::Site;
use super::frame::{Frame, More};
use super::language::{self, Language, Said};
use super::preferences::Standing;
use super::snippet::rendered;
use super::words::{Words, iso};

/// What a receipt says beside the choice itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReceiptFacts {
    /// The language the question was in, where that is known.
    pub language: Option<String>,
    /// The policy's version.
    pub policy_version: u16,
    /// The banner's version, where it was the banner that was answered.
    pub banner_version: Option<String>,
    /// The hashes of the texts that were shown, in hexadecimal digits.
    pub text_hashes: Vec<String>,
}

#[derive(Template)]
#[template(path = "receipt.html", config = "static/privacy/askama.toml")]
struct Receipt<'a> {
    frame: Frame<'a>,
    w: &'a Words,
    more: More<'a>,
    receipt: &'a str,
    host: &'a str,
    made_at: String,
    made_on: String,
    kept_until: String,
    allowed: Vec<Said>,
    refused: Vec<Said>,
    comma: &'static str,
    under_16: bool,
    source: String,
    language: Option<(&'a str, &'a str)>,
    policy_version: u16,
    banner_version: Option<&'a str>,
    text_hashes: &'a [String],
    /// Where the public keys are.
    keys: String,
    check_before: &'a str,
    check_after: &'a str,
}

/// Renders the page in `language`; `asked` is whether the address says which language it is.
pub(super) fn page(
    site: &Site,
    (language, asked): (&Language, bool),
    host: &str,
    standing: &Standing,
    facts: &ReceiptFacts,
) -> Bytes {
    let words = &language.words;
    let said = language::purposes(&site.policy, &site.consent, language, &site.languages);
    let titles = |of: crate::consent::PurposeSet| {
        let named = said.iter().enumerate().filter(move |(index, _)| of.contains(*index));
        named.map(|(_, purpose)| purpose.title.clone()).collect::<Vec<_>>()
    };
    let (check_before, check_after) = words.check_text.split_once("{keys}").unwrap_or((&words.check_text, ""));
    let shown_in = facts.language.as_deref().and_then(|code| {
        site.languages.iter().find(|known| known.code == code).map(|known| (&*known.code, &*known.words.name))
    });
    rendered(&Receipt {
        frame: Frame::new(&site.consent, language, asked).with_languages(&site.languages),
        w: words,
        more: More::new(&site.consent, language, &site.languages),
        receipt: &standing.receipt,
        host,
        made_at: iso(standing.made_at_ms / 1000),
        made_on: words.date_time(standing.made_at_ms / 1000),
        kept_until: words.date(standing.kept_until),
        allowed: titles(standing.granted.union(site.policy.necessary())),
        refused: titles(standing.denied),
        comma: language.comma(),
        under_16: standing.under_16,
        source: source(words, &standing.source.word()),
        language: shown_in,
        policy_version: facts.policy_version,
        banner_version: facts.banner_version.as_deref(),
        text_hashes: &facts.text_hashes,
        keys: format!("{}/keys.json", site.consent.path),
        check_before,
        check_after,
    })
}

/// Where a choice was made, in words; a word that is not known stands for itself.
fn source(words: &Words, word: &str) -> String {
    let said = match word {
        "banner" => &words.source_banner,
        "preferences" => &words.source_preferences,
        "withdrawal" => &words.source_withdrawal,
        "api" => &words.source_api,
        "gpc" | "dnt" => &words.source_signal,
        _ => {
            return match word.strip_prefix("import:") {
                Some(name) => format!("{} ({name})", words.source_import),
                None => word.to_owned(),
            };
        }
    };
    said.clone()
}

/// The signed receipt as a file to keep; `receipt` is its number.
pub(super) fn file(receipt: &str, value: &serde_json::Value) -> Response<Bytes> {
    let mut response = answer::json(StatusCode::OK, value);
    let name: String = receipt.chars().filter(char::is_ascii_alphanumeric).collect();
    let disposition = format!("attachment; filename=\"consent-receipt-{name}.json\"");
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    }
    response
}
