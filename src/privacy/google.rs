//! Google Consent Mode v2 (K8): before any of Google's tags runs, the page says which of its storage types are granted. Which
//! purpose stands for which types is configuration; a type is granted where every purpose that stands for it is permitted, and
//! one that no purpose stands for is denied.

use std::collections::BTreeMap;

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

/// Those that are, by name.
pub(super) fn granted(policy: &Policy, permitted: PurposeSet) -> Vec<&'static str> {
    let types = types(policy, permitted);
    TYPES.into_iter().filter(|kind| types.get(kind).is_some_and(|is| *is)).collect()
}

/// All of them as scripts are told it.
pub(super) fn state(policy: &Policy, permitted: PurposeSet) -> serde_json::Value {
    let word = |is| if is { "granted" } else { "denied" };
    types(policy, permitted).into_iter().map(|(kind, is)| (kind, word(is))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::Purpose;

    fn granted(policy: &Policy, permitted: &[usize]) -> Vec<&'static str> {
        super::granted(policy, PurposeSet::of(permitted.iter().copied()))
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
}
