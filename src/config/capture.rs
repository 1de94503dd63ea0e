//! `[capture]` and `[[path_class]]`: what is captured of visitors who allow it, and how much of it is kept.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::kind::{self, quoted};
use super::meaning::purpose_of;
use super::read::Reader;
use super::web;
use crate::consent::Policy;
use crate::pseudonym::scrub::{PathClass, PathClasses};

/// `[capture]`
#[derive(Clone, Debug)]
pub struct Capture {
    /// Query keys whose (scrubbed) values are kept in `path`; default none.
    pub query_keys: Vec<String>,
    /// Query keys that hold what a visitor searched for on the site; default none.
    pub search_keys: Vec<String>,
    /// What the collector reports beyond a page's being there.
    pub collect: Vec<Item>,
    /// File endings that make a link a download, in small letters, without their dot.
    pub download_endings: Vec<String>,
    /// The header of the site's answers that names who is logged in; taken out of the answer. Default none.
    pub login_header: Option<http::HeaderName>,
    /// Texts of links and buttons that are kept as they are; any other is kept as a hash. Default none.
    pub click_labels: Vec<String>,
    /// Custom properties whose values may be free text; default none.
    pub free_text: Vec<String>,
    /// A visit ends after this much inactivity; default 30 minutes.
    pub visit_timeout: Duration,
    /// Whether another campaign than the one that brought the visitor begins a new visit; default yes.
    pub new_visit_on_campaign: bool,
    /// Whether another site that sends the visitor begins a new visit; default no.
    pub new_visit_on_referrer: bool,
    /// Beacons one address may send in a minute; default 6000.
    pub beacons_per_minute: u32,
    /// Networks that no person visits from; default none.
    pub bot_networks: Vec<IpNet>,
    /// Whether the headers of a request are judged too, to tell programs that pose as a browser; default no.
    pub bot_headers: bool,
    /// Hosts of spam referrers beside the built-in ones; default none.
    pub spam_referrers: Vec<String>,
    /// Whether openings of e-mails are recorded; default no.
    pub mail_opens: bool,
    /// The file with the token of the telephone system; calls are imported where it is set.
    pub calls_token_file: Option<PathBuf>,
    /// The country calling code of national numbers in imported calls; default 44.
    pub calling_code: u16,
    /// Paths that are kept as a class; the first that fits decides.
    pub path_classes: Vec<PathClass>,
}

/// Something the collector reports; the words are the configuration's and the collector's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Time zone, languages, screen, viewport, connection.
    Device,
    /// Names of plug-ins.
    Plugins,
    /// Navigation timing.
    Timings,
    /// Web vitals.
    Vitals,
    /// Visible time, scroll depth, how a page was left.
    Engagement,
    /// Clicks on links, buttons and marked elements.
    Clicks,
    /// Clicks on files.
    Downloads,
    /// Clicks on links to other sites.
    Outbound,
    /// Forms sent; never their values.
    Forms,
    /// Clicks on telephone numbers and e-mail addresses.
    Contacts,
    /// Failed sub-resources and script errors.
    Errors,
    /// Dwelling on links and marked elements.
    Hover,
    /// Titles of pages.
    Titles,
    /// Routes in the fragment, of single-page sites that have them there.
    Hash,
    /// The login an attribute of the page names.
    Login,
}

const ITEMS: [(&str, Item); 15] = [
    ("device", Item::Device),
    ("plugins", Item::Plugins),
    ("timings", Item::Timings),
    ("vitals", Item::Vitals),
    ("engagement", Item::Engagement),
    ("clicks", Item::Clicks),
    ("downloads", Item::Downloads),
    ("outbound", Item::Outbound),
    ("forms", Item::Forms),
    ("contacts", Item::Contacts),
    ("errors", Item::Errors),
    ("hover", Item::Hover),
    ("titles", Item::Titles),
    ("hash", Item::Hash),
    ("login", Item::Login),
];

impl Item {
    /// All of them; an item's place is its bit in what the collector is told.
    pub const ALL: [Item; ITEMS.len()] = {
        let mut all = [Item::Device; ITEMS.len()];
        let mut place = 0;
        while place < all.len() {
            all[place] = ITEMS[place].1;
            place += 1;
        }
        all
    };

    /// The word for it.
    pub fn word(self) -> &'static str {
        ITEMS[self as usize].0
    }
}

/// Reads both sections.
pub(super) fn capture(reader: &mut Reader<'_>, policy: &Policy) -> Capture {
    let path_classes = path_classes(reader, policy);
    let place = reader.section("capture");
    Capture {
        query_keys: reader.get(&place, "query_keys", kind::list(64, web::query_key())),
        search_keys: reader.get(&place, "search_keys", kind::list(16, web::query_key())),
        collect: reader.get(&place, "collect", kind::list(ITEMS.len(), kind::word(&ITEMS))),
        download_endings: reader.get(&place, "download_endings", kind::list(64, ending())),
        login_header: reader.maybe(&place, "login_header", header_name()),
        click_labels: reader.get(&place, "click_labels", kind::list(256, kind::text(80))),
        free_text: reader.get(&place, "free_text", kind::list(64, property_key())),
        visit_timeout: reader.get(
            &place,
            "visit_timeout",
            kind::duration(Duration::from_secs(1), Duration::from_secs(86_400)),
        ),
        new_visit_on_campaign: reader.get(&place, "new_visit_on_campaign", kind::truth()),
        new_visit_on_referrer: reader.get(&place, "new_visit_on_referrer", kind::truth()),
        beacons_per_minute: reader.get(&place, "beacons_per_minute", kind::whole(1, 1_000_000)),
        bot_networks: reader.get(&place, "bot_networks", kind::list(10_000, kind::network())),
        bot_headers: reader.get(&place, "bot_headers", kind::truth()),
        spam_referrers: reader.get(&place, "spam_referrers", kind::list(10_000, web::plain_host())),
        mail_opens: reader.get(&place, "mail_opens", kind::truth()),
        calls_token_file: reader.maybe(&place, "calls_token_file", kind::path()),
        calling_code: reader.get(&place, "calling_code", kind::whole(1, 999)),
        path_classes,
    }
}

/// `[[path_class]]`: paths that say more of a person than of a page, such as health conditions.
fn path_classes(reader: &mut Reader<'_>, policy: &Policy) -> Vec<PathClass> {
    let mut classes: Vec<PathClass> = Vec::new();
    for place in &reader.items("path_class") {
        let pattern = reader.required(place, "pattern", kind::text(512));
        let class = reader.required(place, "class", kind::text(40));
        let keep_path = reader.or(place, "keep_path", kind::truth(), false);
        let needs = match reader.is_written(place, "purpose") {
            true => purpose_of(reader, place, policy),
            false => {
                reader.maybe(place, "purpose", kind::text(100));
                None
            }
        };
        let (Some(pattern), Some(class)) = (pattern, class) else { continue };
        let shown = Some(quoted(&pattern));
        let declared = PathClass { pattern, class, keep_path, needs };
        if let Err(error) = PathClasses::new(vec![declared.clone()]) {
            let allowed = "a path such as \"/conditions/*\" and a class of small letters and hyphens".into();
            reader.refuse(place, "pattern", shown, error.to_string(), allowed);
        } else if classes.iter().any(|other| other.pattern == declared.pattern) {
            reader.refuse(place, "pattern", shown, "is declared twice".into(), "each pattern once".into());
        } else {
            classes.push(declared);
        }
    }
    classes
}

fn ending() -> kind::Kind<String> {
    let parse = |text: &str| {
        let bare = text.strip_prefix('.').unwrap_or(text);
        let fits = (1..=10).contains(&bare.len()) && bare.bytes().all(|b| b.is_ascii_alphanumeric());
        if fits { Ok(bare.to_ascii_lowercase()) } else { Err("is no file ending".into()) }
    };
    kind::parsed("file endings such as \"pdf\"", parse, String::clone)
}

/// What browsers and caches need of an answer, none of which says who is logged in.
const NEEDED: [&str; 16] = [
    "set-cookie",
    "location",
    "content-type",
    "content-length",
    "content-encoding",
    "content-disposition",
    "content-range",
    "content-security-policy",
    "transfer-encoding",
    "connection",
    "upgrade",
    "cache-control",
    "vary",
    "etag",
    "date",
    "server",
];

fn header_name() -> kind::Kind<http::HeaderName> {
    let parse = |text: &str| match text.parse::<http::HeaderName>() {
        Ok(name) if NEEDED.contains(&name.as_str()) => Err("is a header that visitors need".to_owned()),
        Ok(name) => Ok(name),
        Err(_) => Err("is no header's name".into()),
    };
    kind::parsed("a header of the site's own, such as \"X-User-Id\"", parse, |name| name.as_str().to_owned())
}

fn property_key() -> kind::Kind<String> {
    let parse = |text: &str| {
        let fits = (1..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if fits { Ok(text.to_owned()) } else { Err("is no property's key".into()) }
    };
    kind::parsed("keys of 1 to 40 letters, digits and _ . -, beginning with a letter", parse, String::clone)
}
