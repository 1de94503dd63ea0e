//! What all workers of a gateway share for capturing, made once of the configuration.

use std::sync::Arc;

use super::visit::{Rules, Signed, Visits};
use super::{Pace, Repeats};
use crate::config::{Config, Item, Period};
use crate::enrich::{BotNetworks, Places, Spammers};
use crate::keys::KeyRing;
use crate::pseudonym::Pseudonymiser;
use crate::pseudonym::scrub::{Labels, PathClasses};

/// What all workers of a gateway share for capturing.
pub struct Shared {
    /// Makes pseudonyms.
    pub pseudonymiser: Pseudonymiser,
    /// The geo database.
    pub places: Places,
    /// The visits that are going on.
    pub visits: Visits,
    /// Signs them.
    pub signed: Signed,
    /// Events that came already.
    pub repeats: Repeats,
    /// Calls that were imported already.
    pub calls: Repeats,
    /// The country calling code of national numbers in imported calls.
    pub calling_code: u16,
    /// How many beacons an address may send.
    pub pace: Pace,
    /// The number of the site in the tables.
    pub site_id: u32,
    /// Query keys whose values are kept in paths.
    pub query_keys: Vec<String>,
    /// Query keys that hold what was searched for.
    pub search_keys: Vec<String>,
    /// What collectors may report.
    pub collect: Vec<Item>,
    /// Whether the site's answers say who is logged in.
    pub login_from_site: bool,
    /// Labels that are kept as they are.
    pub labels: Labels,
    /// Properties that may be free text.
    pub free_text: Vec<String>,
    /// Paths that are kept as a class.
    pub path_classes: PathClasses,
    /// Networks that no person visits from.
    pub bot_networks: BotNetworks,
    /// Whether the headers of a request are judged too.
    pub bot_headers: bool,
    /// Referrers that are dropped.
    pub spammers: Spammers,
    /// How long rows are kept.
    pub retention: Period,
}

impl Shared {
    /// As it is configured.
    pub fn new(config: &Config, ring: Arc<KeyRing>, places: Places) -> Shared {
        let capture = &config.capture;
        Shared {
            pseudonymiser: Pseudonymiser::new(ring.clone(), config.ip_prefixes, config.gateway.site_id),
            places,
            visits: Visits::new(Rules {
                timeout: capture.visit_timeout,
                campaign: capture.new_visit_on_campaign,
                referrer: capture.new_visit_on_referrer,
            }),
            signed: Signed::new(ring),
            repeats: Repeats::default(),
            calls: Repeats::default(),
            calling_code: capture.calling_code,
            pace: Pace::new(capture.beacons_per_minute),
            site_id: config.gateway.site_id,
            query_keys: capture.query_keys.clone(),
            search_keys: capture.search_keys.clone(),
            collect: capture.collect.clone(),
            login_from_site: capture.login_header.is_some(),
            labels: Labels::new(&capture.click_labels),
            free_text: capture.free_text.clone(),
            path_classes: PathClasses::new(capture.path_classes.clone()).expect("the configuration was checked"),
            bot_networks: BotNetworks::new(capture.bot_networks.clone()),
            bot_headers: capture.bot_headers,
            spammers: Spammers::new(capture.spam_referrers.clone()),
            retention: config.retention,
        }
    }
}
