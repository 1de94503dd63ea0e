//! When a certificate is ordered. Pure but for chance.

use std::time::Duration;

use crate::front::tls::x509::Facts;

/// How long after a first failure it is tried again: an authority counts failures by the hour.
const FIRST: Duration = Duration::from_secs(120);
/// At most, after many.
const LAST: Duration = Duration::from_secs(12 * 3600);

/// A number from 0 to 1, so that many gateways do not all come at once.
pub(super) fn chance() -> f64 {
    let mut bytes = [0; 4];
    // Without chance it is the middle.
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

/// When a certificate is renewed: after two thirds of its life, a little earlier by chance.
pub(super) fn renewal(facts: &Facts, chance: f64) -> i64 {
    let life = facts.not_after.saturating_sub(facts.not_before).max(0) as f64;
    facts.not_before + (life * (2.0 / 3.0 - chance / 30.0)) as i64
}

/// How long to wait after the failure number `failures`, from 0: twice as long each time, between three and five quarters
/// of it by chance.
pub(super) fn pause(failures: u32, chance: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.min(20)).min(LAST);
    doubled.mul_f64(0.75 + chance / 2.0)
}

/// Whether a certificate is for all of these hosts.
pub(super) fn covers(facts: &Facts, hosts: &[String]) -> bool {
    hosts.iter().all(|host| facts.hosts.contains(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(hosts: &[&str]) -> Facts {
        Facts {
            hosts: hosts.iter().map(|h| (*h).to_owned()).collect(),
            not_before: 1000,
            not_after: 1000 + 90 * 86_400,
        }
    }

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life() {
        let facts = facts(&["a.example"]);
        assert_eq!(renewal(&facts, 0.0), 1000 + 60 * 86_400);
        assert_eq!(renewal(&facts, 1.0), 1000 + 57 * 86_400);
        assert!((0..100).map(|_| chance()).all(|chance| (0.0..=1.0).contains(&chance)));
    }

    #[test]
    fn failures_make_it_wait_longer_and_never_for_ever() {
        let minutes = |failures| pause(failures, 0.5).as_secs() / 60;
        assert_eq!([0, 1, 2, 3, 4].map(minutes), [2, 4, 8, 16, 32]);
        assert_eq!(minutes(u32::MAX), 12 * 60);
        assert_eq!((pause(0, 0.0).as_secs(), pause(0, 1.0).as_secs()), (90, 150));
    }

    #[test]
    fn another_host_needs_another_certificate() {
        let hosts = |hosts: &[&str]| hosts.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>();
        let facts = facts(&["a.example", "b.example"]);
        assert!(covers(&facts, &hosts(&["b.example"])) && !covers(&facts, &hosts(&["a.example", "c.example"])));
    }
}
