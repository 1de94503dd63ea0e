//! What the notice is made of beside purposes and cookies: what this gateway is set up to write down, and for how long.

use crate::config::{Config, Geo, Item, KeyWindow, KeyWindows, Period};

/// What is captured and how long it is kept, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeFacts {
    /// What the collector reports.
    pub collect: Vec<Item>,
    /// Whether what is searched for on the site is kept.
    pub searches: bool,
    /// Whether the site's answers say who is logged in.
    pub logins: bool,
    /// What is looked up of an address.
    pub located: Located,
    /// Whether the network of an address is kept.
    pub networks: bool,
    /// How long the keys of the pseudonyms are used.
    pub keys: KeyWindows,
    /// How long rows are kept.
    pub retention: Period,
    /// How long the proof of a choice is kept.
    pub proofs: Period,
    /// Whether openings of e-mails are recorded.
    pub mail_opens: bool,
    /// Whether telephone calls are imported.
    pub calls: bool,
}

/// How near a visitor's place is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Located {
    /// Not at all.
    Nowhere,
    /// The country.
    Country,
    /// As near as the operator's own file says.
    Place,
}

impl NoticeFacts {
    /// As it is configured.
    pub fn of(config: &Config) -> NoticeFacts {
        let capture = &config.capture;
        NoticeFacts {
            collect: capture.collect.clone(),
            searches: !capture.search_keys.is_empty(),
            logins: capture.login_header.is_some(),
            located: match config.geo {
                Geo::Off => Located::Nowhere,
                Geo::Country => Located::Country,
                Geo::File(_) => Located::Place,
            },
            networks: (config.ip_prefixes.v4, config.ip_prefixes.v6) != (0, 0),
            keys: config.key_windows.clone(),
            retention: config.retention,
            proofs: config.consents_retention,
            mail_opens: capture.mail_opens,
            calls: capture.calls_token_file.is_some(),
        }
    }
}

/// A collector that reports nothing, and nothing switched on.
impl Default for NoticeFacts {
    fn default() -> Self {
        let (six_years, ever) = (Period { months: 72, days: 0 }, KeyWindow { rotate: None, keep: None });
        NoticeFacts {
            collect: Vec::new(),
            searches: false,
            logins: false,
            located: Located::Nowhere,
            networks: true,
            keys: KeyWindows { ip: ever, visitor: ever, login: ever, call: ever, mail: ever },
            retention: six_years,
            proofs: six_years,
            mail_opens: false,
            calls: false,
        }
    }
}
