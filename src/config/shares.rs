//! How the descriptors that the system grants are shared out: each visitor needs one, an exchange with the site another, and some
//! are kept for what must work when those are used up: choices on their way to the disk, the queue, the dashboard, the database.

use super::Gateway;
use crate::upstream::Most;

/// Kept for the ledger, the queue, logs, the dashboard, the database and what the program itself has open.
const OURS: u64 = 256;
/// Of each worker: its listeners, its timer and what wakes it.
const WORKERS: u64 = 8;

/// How many connections there may be at once, over all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Of visitors.
    pub visitors: usize,
    /// Of one address.
    pub per_address: usize,
    /// To all upstreams together.
    pub upstreams: usize,
    /// Whether there are as many as are configured.
    enough: bool,
}

impl Shares {
    /// Where `descriptors` may be open. What is not kept is for visitors by two thirds, since most of them wait between two
    /// requests and need no upstream meanwhile; where that is less than is configured, no address has so many
    /// connections that it could take more than half of either.
    pub fn of(gateway: &Gateway, descriptors: u64) -> Shares {
        let wanted = gateway.limits.max_connections;
        let kept = OURS + WORKERS * gateway.workers as u64;
        // Where there are hardly any, half of them must do.
        let left = usize::try_from(descriptors.saturating_sub(kept).max(descriptors / 2)).unwrap_or(usize::MAX);
        let visitors = wanted.min((left - left / 3).max(1));
        let enough = visitors == wanted;
        let upstreams = left.saturating_sub(visitors).max(1);
        let bound = gateway.limits.visitor.max_connections_per_address;
        let per_address = if enough { bound } else { bound.min((visitors.min(upstreams) / 2).max(1)) };
        Shares { visitors, per_address, upstreams, enough }
    }

    /// The bounds for connections to upstreams, beside those that are configured. Of what they allow no address takes more than
    /// half, however many exchanges go over its connections; the upstream side counts them.
    pub fn most(&self, configured: Most) -> Most {
        let all = self.upstreams.min(configured.all);
        Most { each: configured.each.min(all), all }
    }

    /// What to tell the operator where there are fewer descriptors than what is configured needs.
    pub fn shortfall(&self) -> Option<String> {
        (!self.enough).then(|| {
            format!(
                "the system grants too few descriptors for max_connections: {} visitors are let in at once, {} of one address, \
                 and {} connections go to upstreams; raise the limit of open files (ulimit -n, LimitNOFILE=)",
                self.visitors, self.per_address, self.upstreams
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn shares(limits: &str, descriptors: u64) -> Shares {
        let text = format!("[gateway]\nupstream = \"http://127.0.0.1:1\"\nworkers = 2\n[gateway.limits]\n{limits}");
        let config = Config::from_toml(&text, "a.toml", std::iter::empty()).unwrap();
        Shares::of(&config.gateway, descriptors)
    }

    #[test]
    fn visitors_upstreams_and_what_is_ours_fit_into_what_the_system_grants() {
        for descriptors in [600, 1024, 4096, 20_000, 1 << 20] {
            let shares = shares("", descriptors);
            assert!((shares.visitors + shares.upstreams) as u64 + OURS < descriptors, "{descriptors}: {shares:?}");
            assert_eq!(shares.shortfall().is_some(), shares.visitors < 10_000);
        }
        let few = shares("", 1024);
        assert_eq!((few.visitors, few.per_address, few.upstreams), (502, 125, 250));
        let many = shares("", 20_000);
        assert_eq!((many.visitors, many.per_address, many.shortfall()), (10_000, 1_000, None));
        let most = many.most(Most { each: 10_000, all: usize::MAX });
        assert_eq!((most.each, most.all), (9_728, 9_728));
        assert!(shares("max_connections = 300", 1024).shortfall().is_none());
        let hardly_any = shares("", 20);
        assert!(hardly_any.visitors >= 1 && hardly_any.per_address >= 1 && hardly_any.upstreams >= 1);
    }
}
