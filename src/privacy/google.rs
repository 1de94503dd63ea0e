//! Google Consent Mode v2 (K8): before any of Google's tags runs, the page says which of its storage types are granted. Which
//! purpose stands for which types is configuration; a type is granted where every purpose that stands for it is permitted, and
//! one that no purpose stands for is denied.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use askama::Template;
use bytes::Bytes;

use super::snippet::rendered;
use crate::consent::{Policy, PurposeSet};

/// The types there are, in the order in which they are said.
const TYPES: [&str; 7] = [
    "ad_storage",
    "ad_user_data",
    "ad_personalization",
    "analytics_storage",
    "functionality_storage",
    "personalization_storage",
    "security_storage",
];

#[derive(Template)]
#[template(path = "first.html", config = "static/privacy/askama.toml")]
struct First<'a> {
    path: &'a str,
    granted: &'a str,
    ask: bool,
    nonce: Option<&'a str>,
}

/// The snippets that come before any tag of the site's, made when they are first needed: one for each set of purposes, with
/// and without the banner.
pub(super) struct GoogleConsent(Box<[OnceLock<Bytes>; 512]>);

impl GoogleConsent {
    pub(super) fn new() -> GoogleConsent {
        GoogleConsent(Box::new([const { OnceLock::new() }; 512]))
    }

    /// For a page of a visitor who permits `permitted`.
    pub(super) fn first(
        &self,
        path: &str,
        policy: &Policy,
        permitted: PurposeSet,
        ask: bool,
        nonce: Option<&str>,
    ) -> Bytes {
        let make = |nonce| {
            let granted = types(policy, permitted).into_iter().filter_map(|(kind, is)| is.then_some(kind));
            let granted: Vec<&str> = granted.collect();
            rendered(&First { path, granted: &granted.join(" "), ask, nonce })
        };
        match (nonce, self.0.get(usize::from(permitted.bits()) << 1 | usize::from(ask))) {
            (None, Some(place)) => place.get_or_init(|| make(None)).clone(),
            (nonce, _) => make(nonce),
        }
    }
}

/// Which types are granted.
pub(super) fn types(policy: &Policy, permitted: PurposeSet) -> BTreeMap<&'static str, bool> {
    let permitted = permitted.union(policy.necessary());
    let is_granted = |kind: &&str| {
        let mut purposes = policy.purposes().iter().enumerate().filter(|(_, p)| p.google.iter().any(|of| of == kind));
        let all = purposes.clone().all(|(index, _)| permitted.contains(index));
        // Google asks for this one to be always there.
        *kind == "security_storage" || purposes.next().is_some() && all
    };
    TYPES.iter().map(|kind| (*kind, is_granted(kind))).collect()
}

/// The same as scripts are told it.
pub(super) fn state(policy: &Policy, permitted: PurposeSet) -> serde_json::Value {
    let word = |is| if is { "granted" } else { "denied" };
    types(policy, permitted).into_iter().map(|(kind, is)| (kind, word(is))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::Purpose;

    fn granted(policy: &Policy, permitted: &[usize]) -> Vec<&'static str> {
        let types = types(policy, PurposeSet::of(permitted.iter().copied()));
        TYPES.into_iter().filter(|kind| types[kind]).collect()
    }

    #[test]
    fn rule_k8_a_type_is_granted_with_its_purpose() {
        let policy = Policy::default();
        assert_eq!(granted(&policy, &[]), ["security_storage"]);
        assert_eq!(granted(&policy, &[2]), ["analytics_storage", "security_storage"]);
        assert_eq!(granted(&policy, &[1, 2, 3]), TYPES);
        assert_eq!(granted(&Policy::new(vec![], 1, 60).unwrap(), &[0]), ["security_storage"]);
    }

    #[test]
    fn rule_k8_a_type_of_two_purposes_needs_both() {
        let of = |id: &str| Purpose { id: id.into(), google: vec!["ad_storage".into()], ..Purpose::default() };
        let policy = Policy::new(vec![of("ads"), of("health")], 1, 60).unwrap();
        assert_eq!(granted(&policy, &[1]), ["security_storage"]);
        assert_eq!(granted(&policy, &[1, 2]), ["ad_storage", "security_storage"]);
    }

    #[test]
    fn the_snippet_names_what_is_granted_and_whether_tags_should_wait() {
        let (google, policy) = (GoogleConsent::new(), Policy::default());
        let first = |permitted: &[usize], ask, nonce| {
            let permitted = PurposeSet::of(permitted.iter().copied());
            String::from_utf8(google.first("/_privacy", &policy, permitted, ask, nonce).to_vec()).unwrap()
        };
        assert_eq!(
            first(&[0], true, None),
            "<script src=\"/_privacy/consent-mode.js\" data-granted=\"security_storage\" data-ask=\"\"></script>"
        );
        let all = first(&[0, 1, 2, 3], false, Some("n0nce"));
        assert!(all.contains("ad_storage") && all.contains(" nonce=\"n0nce\"") && !all.contains("data-ask"), "{all}");
        assert!(!first(&[0, 1, 2, 3], false, None).contains("nonce"));
    }
}
