//! The managers whose cookie is JSON: raw, percent-encoded, partly encoded or in base64.

mod strict;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::cookies::decoded;
use super::manager::Site;
use super::said::{Answer, Said};
use super::time;

type Fields = Map<String, Value>;

/// CookieConsent 3 writes its cookie only after a choice, with an id and two times. What it lists was accepted, the rest was
/// not. Where a category has services it is listed as soon as **one** of them is, so there the services are asked for, as
/// `category/service`; what the category as a whole means then is unknown.
pub(super) fn cookie_consent_3(value: &[u8], site: &Site<'_>) -> Option<Said> {
    let fields = object(value)?;
    let first = time::iso(text(&fields, "consentTimestamp")?)?;
    let last = time::iso(text(&fields, "lastConsentTimestamp")?)?;
    let expired = match fields.get("expirationTime") {
        Some(expires) => time::millis(expires)? <= site.now,
        None => false,
    };
    if text(&fields, "consentId")?.is_empty() || first > last || expired || !is_revision(&fields, site) {
        return None;
    }
    let mut said = Said::new(Answer::Refused, Some(last));
    let categories = texts(fields.get("categories")?)?;
    for category in &categories {
        said.note(category, Answer::Accepted);
    }
    let Some(services) = fields.get("services") else { return Some(said) };
    for (category, services) in services.as_object()? {
        let services = texts(services)?;
        if !services.is_empty() && categories.contains(&category.as_str()) {
            said.note(category, Answer::Unknown);
        }
        for service in services {
            said.note(&format!("{category}/{service}"), Answer::of(categories.contains(&category.as_str())));
        }
    }
    Some(said)
}

/// CookieConsent 2, the same without services. `level` repeats `categories`; only what both list was accepted.
pub(super) fn cookie_consent_2(value: &[u8], site: &Site<'_>) -> Option<Said> {
    let fields = object(value)?;
    let first = time::iso(text(&fields, "consent_date")?)?;
    let last = match fields.get("last_consent_update") {
        Some(last) => time::iso(last.as_str()?)?,
        None => first,
    };
    if text(&fields, "consent_uuid")?.is_empty() || first > last || !is_revision(&fields, site) {
        return None;
    }
    let mut said = Said::new(Answer::Refused, Some(last));
    let categories = texts(fields.get("categories")?)?;
    let level = fields.get("level").map_or(Some(categories.clone()), texts)?;
    for category in categories.into_iter().filter(|category| level.contains(category)) {
        said.note(category, Answer::Accepted);
    }
    Some(said)
}

/// The site's revision, 0 where it declares none, must be the one that was agreed to.
fn is_revision(fields: &Fields, site: &Site<'_>) -> bool {
    let declared = site.version.unwrap_or("0").parse().ok();
    declared.is_some() && fields.get("revision").and_then(Value::as_u64) == declared
}

/// Klaro writes its cookie when the visitor saves: every service with yes or no, and nothing else. A service without a key is
/// one the visitor was not asked about.
pub(super) fn klaro(value: &[u8], _site: &Site<'_>) -> Option<Said> {
    let mut said = Said::new(Answer::Refused, None);
    for (service, answer) in object(value)? {
        said.note(&service, Answer::of(answer.as_bool()?));
    }
    Some(said)
}

/// Didomi, by its token: purposes are listed as enabled or disabled, by the visitor; those that are not are undecided. What
/// rests on legitimate interest is listed elsewhere and is no consent.
pub(super) fn didomi(value: &[u8], _site: &Site<'_>) -> Option<Said> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let fields = strict::object(&BASE64.decode(decoded(value)?).ok()?)?;
    let updated = time::iso(text(&fields, "updated")?)?;
    if fields.get("version").is_some_and(|version| version.as_u64() != Some(2)) {
        return None;
    }
    let mut said = Said::new(Answer::Unknown, Some(updated));
    let purposes = fields.get("purposes")?.as_object()?;
    for (list, answer) in [("enabled", Answer::Accepted), ("disabled", Answer::Refused)] {
        for purpose in purposes.get(list).map_or(Some(Vec::new()), texts)? {
            said.note(purpose, answer);
        }
    }
    Some(said)
}

/// Civic Cookie Control: `interactedWith` says whether the visitor did anything, and only `accepted` is a yes: `legitimate
/// interest` is what holds without one. Its version is the date of the site's statement.
pub(super) fn civic(value: &[u8], site: &Site<'_>) -> Option<Said> {
    let fields = object(value)?;
    let at = time::millis(fields.get("consentDate")?)?;
    let expired = match fields.get("consentExpiry") {
        Some(days) => at.saturating_add(days.as_u64()?.saturating_mul(86_400)) <= site.now,
        None => false,
    };
    let statement = fields.get("statement").and_then(|statement| statement.get("updated")).and_then(Value::as_str);
    let other_version = site.version.is_some_and(|declared| statement != Some(declared));
    if !is_true(&fields, "interactedWith") || expired || other_version {
        return None;
    }
    let mut said = Said::new(Answer::Unknown, Some(at));
    for (category, answer) in fields.get("optionalCookies")?.as_object()? {
        said.note(category, Answer::of(answer.as_str()? == "accepted"));
    }
    Some(said)
}

/// NHS.UK: the cookie is there before any choice, and with its banner switched off it says yes to everything; `consented` is
/// what the visitor did. Versions count upwards.
pub(super) fn nhs_uk(value: &[u8], site: &Site<'_>) -> Option<Said> {
    let fields = object(value)?;
    let declared = site.version.map_or(Some(0), |declared| declared.parse().ok())?;
    if !is_true(&fields, "consented") || fields.get("version")?.as_u64()? < declared {
        return None;
    }
    let at = match fields.get("consentedAt") {
        Some(Value::String(at)) => Some(time::iso(at)?),
        Some(at) => Some(time::millis(at)?),
        None => None,
    };
    Some(truths(&fields, at))
}

/// Axeptio: each vendor with yes or no, once the visitor has `$$completed` the dialogue. Its version is the name or the
/// identifier of the site's set of cookies.
pub(super) fn axeptio(value: &[u8], site: &Site<'_>) -> Option<Said> {
    let fields = object(value)?;
    let version = fields.get("$$cookiesVersion");
    let says = |declared: &str| {
        let named = |key| version.and_then(|version| version.get(key)).and_then(Value::as_str) == Some(declared);
        named("name") || named("identifier")
    };
    if !is_true(&fields, "$$completed") || !site.version.is_none_or(says) {
        return None;
    }
    let at = time::iso(text(&fields, "$$date")?)?;
    Some(truths(&fields, Some(at)))
}

/// Zaraz: each purpose with yes or no, and nothing else.
pub(super) fn zaraz(value: &[u8], _site: &Site<'_>) -> Option<Said> {
    let mut said = Said::new(Answer::Unknown, None);
    for (purpose, answer) in object(value)? {
        said.note(&purpose, Answer::of(answer.as_bool()?));
    }
    Some(said)
}

/// The object in a value. Raw JSON is taken as it is; what is none is percent-decoded first. Some libraries leave the braces
/// raw and encode what is between.
fn object(value: &[u8]) -> Option<Fields> {
    strict::object(value).or_else(|| strict::object(decoded(value)?.as_bytes()))
}

fn text<'f>(fields: &'f Fields, key: &str) -> Option<&'f str> {
    fields.get(key)?.as_str()
}

fn is_true(fields: &Fields, key: &str) -> bool {
    fields.get(key) == Some(&Value::Bool(true))
}

fn texts(list: &Value) -> Option<Vec<&str>> {
    list.as_array()?.iter().map(Value::as_str).collect()
}

/// Every field that is true or false, as an answer.
fn truths(fields: &Fields, at: Option<u64>) -> Said {
    let mut said = Said::new(Answer::Unknown, at);
    for (category, answer) in fields {
        if let Some(answer) = answer.as_bool() {
            said.note(category, Answer::of(answer));
        }
    }
    said
}
