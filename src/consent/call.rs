//! A caller's consent, as the telephone system states it with each call it hands over. The gateway cannot ask a caller: the
//! telephone system must, and says so in the record, with `true` or the receipt of a choice.

use super::{Granted, Permit, PhoneCall, Policy, PurposeSet};

/// Leave to keep a call of the time `at`, in seconds since 1970, for which `consent` is stated: `true`, or a receipt's 16
/// hexadecimal digits. Nothing where anything else is, or where the site's policy has no analytics.
pub fn stated(consent: &str, policy: &Policy, at: u64) -> Option<Permit<PhoneCall>> {
    let receipt = match consent.trim() {
        "true" => 0,
        receipt if receipt.len() == 16 && receipt.bytes().all(|b| b.is_ascii_hexdigit()) => {
            u64::from_str_radix(receipt, 16).ok()?
        }
        _ => return None,
    };
    let purposes = PurposeSet::of([policy.analytics()?]).union(policy.necessary());
    let (policy_version, at_ms) = (policy.version, at.saturating_mul(1000));
    Some(Permit::new(Granted { receipt, policy_version, purposes, at_ms, until: at }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_c1_only_true_or_a_receipt_is_consent() {
        let policy = Policy::default();
        let receipt = |consent: &str| stated(consent, &policy, 1_790_000_000).map(|permit| permit.receipt());
        assert_eq!(receipt("true"), Some(0));
        assert_eq!(receipt(" 00ff00ff00ff00fe "), Some(0x00ff_00ff_00ff_00fe));
        for none in
            ["", "false", "True", "TRUE", "yes", "1", "null", "00ff00ff00ff00f", "+0ff00ff00ff00ff", "00ff00ff00ff00fg"]
        {
            assert_eq!(receipt(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_site_that_asks_nobody_for_analytics_keeps_no_call() {
        let policy = Policy::new(Vec::new(), 1, 86_400).unwrap();
        assert!(stated("true", &policy, 1).is_none());
    }
}
