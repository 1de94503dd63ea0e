//! What a purpose comes to, apart from its wording: the cookies that are set for it, by whom and for how long, the hosts that are
//! loaded for it, and its ground of law. When that changes, visitors are asked again about this purpose alone (C7).

use sha2::{Digest, Sha256};

use super::{DeclaredCookie, DeclaredTag};
use crate::consent::{Fingerprint, Policy};

/// Marks each purpose of `policy` with what it comes to.
pub(super) fn mark(policy: &mut Policy, cookies: &[DeclaredCookie], tags: &[DeclaredTag]) {
    for index in 0..policy.purposes().len() {
        let fingerprint = fingerprint(policy, index, cookies, tags);
        policy.mark(index, fingerprint);
    }
}

fn fingerprint(policy: &Policy, index: usize, cookies: &[DeclaredCookie], tags: &[DeclaredTag]) -> Fingerprint {
    let purpose = &policy.purposes()[index];
    // The order in which they are declared is no change.
    let mut lines: Vec<Vec<&str>> = Vec::new();
    for cookie in cookies.iter().filter(|cookie| cookie.purpose == index) {
        let kind = if cookie.prefix { "cookies" } else { "cookie" };
        lines.push(vec![
            kind,
            &cookie.name,
            cookie.provider.as_deref().unwrap_or_default(),
            cookie.period.as_deref().unwrap_or_default(),
        ]);
    }
    lines.extend(tags.iter().filter(|tag| tag.purpose == index).map(|tag| vec!["tag", &*tag.host]));
    lines.sort();
    lines.push(vec!["purpose", &purpose.id, purpose.legal_basis.as_deref().unwrap_or_default()]);
    let mut hash = Sha256::new();
    for line in lines {
        hash.update((line.len() as u64).to_le_bytes());
        for text in line {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
    }
    let digest = hash.finalize();
    [digest[0], digest[1], digest[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(name: &str, purpose: usize) -> DeclaredCookie {
        let (name, provider) = (name.to_owned(), Some("Example".to_owned()));
        let period = Some("1 year".into());
        DeclaredCookie { name, prefix: false, purpose, provider, period, description: None, path: None, domain: None }
    }

    fn marks(cookies: &[DeclaredCookie], tags: &[DeclaredTag]) -> Vec<Fingerprint> {
        let mut policy = Policy::default();
        mark(&mut policy, cookies, tags);
        policy.purposes().iter().map(|purpose| purpose.fingerprint).collect()
    }

    #[test]
    fn rule_c7_a_changed_provider_or_cookie_is_a_change_of_its_purpose_alone() {
        let (ga, ads) = (cookie("_ga", 2), cookie("_ads", 3));
        let tag = DeclaredTag { host: "www.example.com".into(), inline: Vec::new(), purpose: 3 };
        let before = marks(&[ga.clone(), ads.clone()], std::slice::from_ref(&tag));
        assert_eq!(before, marks(&[ads.clone(), ga.clone()], std::slice::from_ref(&tag)), "the order is no change");
        let worded = DeclaredCookie { description: Some("Counts".into()), ..ga.clone() };
        assert_eq!(before, marks(&[worded, ads.clone()], std::slice::from_ref(&tag)), "a description is wording");
        for changed in [
            DeclaredCookie { name: "_gb".into(), ..ga.clone() },
            DeclaredCookie { prefix: true, ..ga.clone() },
            DeclaredCookie { provider: Some("Other".into()), ..ga.clone() },
            DeclaredCookie { period: Some("2 years".into()), ..ga.clone() },
        ] {
            let after = marks(&[changed, ads.clone()], std::slice::from_ref(&tag));
            assert_ne!(before[2], after[2]);
            assert_eq!((before[1], before[3]), (after[1], after[3]));
        }
        let without_tag = marks(&[ga, ads], &[]);
        assert_ne!(before[3], without_tag[3]);
        assert_eq!(before[2], without_tag[2]);
    }

    #[test]
    fn rule_c7_another_ground_of_law_is_a_change_and_another_title_is_none() {
        let mark_of = |purpose: crate::consent::Purpose| {
            let mut policy = Policy::new(vec![purpose], 1, 60).unwrap();
            mark(&mut policy, &[], &[]);
            policy.purposes()[1].fingerprint
        };
        let health = crate::consent::Purpose { id: "health".into(), title: "Health".into(), ..Default::default() };
        let worded = crate::consent::Purpose { title: "Your health".into(), ..health.clone() };
        let explicit = crate::consent::Purpose { legal_basis: Some("Explicit consent".into()), ..health.clone() };
        assert_eq!(mark_of(health.clone()), mark_of(worded));
        assert_ne!(mark_of(health), mark_of(explicit));
    }
}
