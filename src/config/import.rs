//! `[consent.import]` and `[[import]]`: the consent manager a site has already, and what its categories mean.

use super::DeclaredCookie;
use super::kind::{self, Kind, parsed, quoted};
use super::read::{Place, Reader};
use super::tree::Value;
use super::{meaning, web};
use crate::consent::Policy;
use crate::consent::import::{Import, ImportError, Manager};

/// Declares the manager's cookies as necessary where the site has not declared them itself: without them it would ask again
/// on every page.
pub(super) fn declare_cookies(import: &Import, cookies: &mut Vec<DeclaredCookie>) {
    let prefix = import.manager() == Manager::Complianz;
    for name in import.cookies() {
        let is_declared = |cookie: &DeclaredCookie| match cookie.prefix {
            true => name.starts_with(&cookie.name),
            false => cookie.name == name,
        };
        if !cookies.iter().any(is_declared) {
            cookies.push(DeclaredCookie { name: name.to_owned(), prefix, ..DeclaredCookie::default() });
        }
    }
}

/// Reads both; nothing where no manager is named. Whether the result counts is for the caller to see in the reader's problems.
pub(super) fn import(reader: &mut Reader<'_>, policy: &Policy) -> Option<Import> {
    let place = reader.section("consent.import");
    let manager = reader.maybe(&place, "manager", manager());
    let cookie = reader.maybe(&place, "cookie", cookie());
    let version = reader.maybe(&place, "version", version());
    let items = reader.items("import");
    let mapped = categories(reader, &items, policy);
    let Some(manager) = manager else {
        if !reader.any_wrong(&["consent.import"]) {
            without_a_manager(reader, &place, items.first());
        }
        return None;
    };
    let categories = if items.is_empty() { Import::usual(manager, policy) } else { mapped };
    if items.is_empty() && categories.is_empty() && reader.any_wrong(&["purpose"]) {
        return None;
    }
    if !items.is_empty() && reader.any_wrong(&["import"]) {
        return None;
    }
    let index = |category: &str| categories.iter().position(|(other, _)| other == category);
    Import::new(manager, cookie, version, categories.clone(), policy)
        .map_err(|error| refuse(reader, &place, manager, &error, |category| items.get(index(category)?)))
        .ok()
}

fn without_a_manager(reader: &mut Reader<'_>, place: &Place<'_>, item: Option<&Place<'_>>) {
    let keys = ["cookie", "version"].into_iter().filter(|key| reader.is_written(place, key)).map(|key| (place, key));
    let keys: Vec<_> = keys.chain(item.map(|item| (item, "category"))).collect();
    for (place, key) in keys {
        let what = "is for a consent manager, but none is named";
        reader.refuse(place, key, None, what.into(), "only together with manager in [consent.import]".into());
    }
}

/// The mapping as far as it is right.
fn categories(reader: &mut Reader<'_>, items: &[Place<'_>], policy: &Policy) -> Vec<(String, usize)> {
    let mut categories: Vec<(String, usize)> = Vec::new();
    for place in items {
        let category = reader.required(place, "category", kind::text(128));
        let purpose = meaning::purpose_of(reader, place, policy);
        let (Some(category), Some(purpose)) = (category, purpose) else { continue };
        if purpose == 0 {
            let ids: Vec<&str> = policy.optional().map(|(_, purpose)| purpose.id.as_str()).collect();
            let what = "needs no choice, so none is imported for it".into();
            reader.refuse(place, "purpose", Some(quoted("necessary")), what, ids.join(", "));
        } else if categories.contains(&(category.clone(), purpose)) {
            let what = "is mapped to this purpose twice".into();
            reader.refuse(place, "category", Some(quoted(&category)), what, "each once for each purpose".into());
        } else {
            categories.push((category, purpose));
        }
    }
    categories
}

/// Reports what only shows when all of it is put together, at the key that is to be changed.
fn refuse<'p>(
    reader: &mut Reader<'_>,
    place: &'p Place<'p>,
    manager: Manager,
    error: &ImportError,
    item: impl Fn(&str) -> Option<&'p Place<'p>>,
) {
    let word = Some(quoted(manager.word()));
    let mut at = |key: &str, value: Option<String>, what: &str, allowed: String| {
        reader.refuse(place, key, value, what.into(), allowed);
    };
    match error {
        ImportError::NoCategories(_) => {
            let allowed = match manager.usual() {
                [] => "an [[import]] with category and purpose for each of its categories or services".into(),
                usual => {
                    let purposes: Vec<&str> = usual.iter().map(|(_, purpose)| *purpose).collect();
                    format!("an [[import]] with category and purpose, or one of the purposes {}", purposes.join(", "))
                }
            };
            at("manager", word, "has no category that is mapped to a declared purpose", allowed);
        }
        ImportError::NoVersion(_) => {
            let with: Vec<&str> = Manager::ALL.into_iter().filter(|m| m.has_version()).map(Manager::word).collect();
            let allowed = format!("no version, or one of the managers {}", with.join(", "));
            at("version", None, "is set, but this manager's cookie does not say which was agreed to", allowed);
        }
        ImportError::BadVersion(version, _) => {
            at("version", Some(quoted(version)), "is no version of this manager", "a whole number such as 2".into());
        }
        ImportError::BadCookie(name) => at("cookie", Some(quoted(name)), "is no cookie's name", cookie().allowed),
        ImportError::Category(category, _) => {
            let allowed = match manager {
                Manager::Tcf => "the number of a purpose of the framework, from 1 to 24",
                _ => "a text of 1 to 128 characters",
            };
            let place = item(category).unwrap_or(place);
            let what = "is no category of this manager".into();
            reader.refuse(place, "category", Some(quoted(category)), what, allowed.into());
        }
        ImportError::TooMany(_) | ImportError::Necessary(_) | ImportError::NoPurpose(_) => {
            let allowed =
                format!("at most {} [[import]], each with a declared purpose", crate::consent::import::MAX_CATEGORIES);
            at("manager", word, &format!("cannot be believed: {error}"), allowed);
        }
    }
}

fn manager() -> Kind<Manager> {
    let words: Vec<String> = Manager::ALL.into_iter().map(|manager| format!("\"{}\"", manager.word())).collect();
    let parse = |text: &str| Manager::from_word(text).ok_or_else(|| "is none of the words".into());
    parsed(words.join(", "), parse, |manager| manager.word().to_owned())
}

/// A cookie's name, and no beginning of one.
fn cookie() -> Kind<String> {
    let name = web::cookie_name();
    Kind {
        read: Box::new(move |node| match (name.read)(node)? {
            (name, false) => Ok(name),
            (_, true) => Err(kind::Wrong::of(node, "is only the beginning of a name")),
        }),
        show: Box::new(|name| quoted(name)),
        allowed: "a cookie's name such as \"cc_cookie\", without a star, none of it consentry*".into(),
    }
}

/// A version, as a number or a text.
fn version() -> Kind<String> {
    let text = kind::text(200);
    let number = kind::whole::<u64>(0, i128::from(u32::MAX));
    Kind {
        read: Box::new(move |node| match node.value {
            Value::Whole(_) => Ok((number.read)(node)?.to_string()),
            _ => (text.read)(node),
        }),
        show: Box::new(|version| quoted(version)),
        allowed: "a whole number such as 2, or a text where the manager's versions are texts".into(),
    }
}
