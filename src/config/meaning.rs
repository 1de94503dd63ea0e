//! What was written becomes what it means, section by section, in the order the sections are shown.

use std::time::Duration;

use super::kind::{self, quoted};
use super::known::Section;
use super::read::{Place, Reader};
use super::{
    ClickHouse, Config, Consent, Dashboard, DeclaredCookie, DeclaredTag, Gateway, Limits, Observe, SpoolConfig,
    capture, import, language, listen, observe_log, rate, route, substance, tls, together, upstream, web, windows,
};
use crate::consent::{Mode, Modes, Policy, PolicyError, Purpose};
use crate::pseudonym::IpPrefixes;
use crate::spool::Durability;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: u64 = 86_400;

/// Builds the configuration; nothing where the upstream, which has no default, is missing or wrong. Whether it counts is
/// for the caller to see in the reader's problems.
pub(super) fn config(reader: &mut Reader<'_>) -> Option<Config> {
    let top = reader.section("");
    let data_dir = reader.get(&top, "data_dir", kind::path());
    let gateway = gateway(reader);
    let (mut policy, consent, (modes, honour_dnt)) = consent(reader);
    let import = import::import(reader, &policy);
    let mut cookies = cookies(reader, &policy);
    if let Some(import) = &import {
        import::declare_cookies(import, &mut cookies);
    }
    let tags = tags(reader, &policy);
    substance::mark(&mut policy, &cookies, &tags);

    let capture = capture::capture(reader, &policy);
    let place = reader.section("retention");
    let retention = reader.get(&place, "period", kind::period());
    let consents_retention = reader.get(&place, "consents", kind::period());
    let place = reader.section("pseudonym");
    let ip_prefixes = IpPrefixes {
        v4: reader.get(&place, "ipv4_prefix", kind::prefix(24, 16)),
        v6: reader.get(&place, "ipv6_prefix", kind::prefix(48, 32)),
    };
    let key_ring = reader.or(&place, "key_ring", kind::path(), data_dir.join(super::RING_FILE));
    let key_windows = windows::read(reader, &place);
    let place = reader.section("geo");
    let geo = reader.get(&place, "database", kind::geo());
    let place = reader.section("spool");
    let spool = SpoolConfig {
        max_bytes: reader.get(&place, "max_bytes", kind::size(64 * KIB, 16 * TIB)),
        max_age: reader.get(&place, "max_age", kind::duration(HOUR, Duration::from_secs(3660 * DAY))),
        durability: reader.get(&place, "durability", kind::word(&DURABILITIES)),
        batch_rows: reader.get(&place, "batch_rows", kind::whole(1, 1_000_000)),
        batch_age: reader.get(&place, "batch_age", kind::duration(Duration::from_millis(10), HOUR)),
    };
    let clickhouse = clickhouse(reader);
    let place = reader.section("dashboard");
    let dashboard = Dashboard { listen: reader.get(&place, "listen", kind::address()) };
    let place = reader.section("observe");
    let log = reader.get(&place, "log", kind::word(&LEVELS));
    let decision_header = reader.or(&place, "decision_header", kind::truth(), log == tracing::Level::DEBUG);
    let logs = observe_log::read(reader, &place);
    let observe = Observe { log, decision_header, logs };

    let config = Config {
        data_dir,
        gateway: gateway?,
        policy,
        consent,
        import,
        modes,
        honour_dnt,
        cookies,
        tags,
        capture,
        retention,
        consents_retention,
        ip_prefixes,
        key_ring,
        key_windows,
        geo,
        spool,
        clickhouse,
        dashboard,
        observe,
    };
    together::check(&config, reader);
    Some(config)
}

/// What an acknowledgement waits for.
const DURABILITIES: [(&str, Durability); 2] = [("write", Durability::Write), ("power", Durability::Power)];

const LEVELS: [(&str, tracing::Level); 4] = [
    ("error", tracing::Level::ERROR),
    ("warn", tracing::Level::WARN),
    ("info", tracing::Level::INFO),
    ("debug", tracing::Level::DEBUG),
];

fn gateway(reader: &mut Reader<'_>) -> Option<Gateway> {
    let place = reader.section("gateway");
    let doors = listen::doors(reader, &place);
    // Where there are routes, there need not be an upstream for everything else.
    let upstream = match reader.items("gateway.route").is_empty() {
        true => reader.required(&place, "upstream", upstream::servers()),
        false => Some(reader.maybe(&place, "upstream", upstream::servers()).unwrap_or_default()),
    };
    let site_id = reader.get(&place, "site_id", kind::whole(1, i128::from(u32::MAX)));
    let trusted_proxies = reader.get(&place, "trusted_proxies", kind::list(1024, kind::network()));
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(256));
    let workers = reader.or(&place, "workers", kind::whole(1, 256), cores);
    let drain = reader.get(&place, "drain", kind::duration(Duration::ZERO, HOUR));

    let place = reader.section("gateway.limits");
    let short = Duration::from_millis(10);
    let limits = Limits {
        // hyper refuses a buffer below 8 KiB.
        max_head_bytes: reader.get(&place, "max_head_bytes", kind::size(8 * KIB, MIB)) as usize,
        max_body_bytes: reader.get(&place, "max_body_bytes", kind::size(KIB, TIB)),
        max_connections: reader.get(&place, "max_connections", kind::whole(1, 1_000_000)),
        max_upstream_connections: reader.get(&place, "max_upstream_connections", kind::whole(1, 1_000_000)),
        head_timeout: reader.get(&place, "head_timeout", kind::duration(short, HOUR)),
        keep_alive: reader.get(&place, "keep_alive", kind::duration(short, HOUR)),
        connect_timeout: reader.get(&place, "connect_timeout", kind::duration(short, HOUR)),
        answer_timeout: reader.get(&place, "answer_timeout", kind::duration(short, HOUR)),
        idle_timeout: reader.get(&place, "idle_timeout", kind::duration(short, HOUR)),
        least_rate: rate::least(reader, &place),
        visitor: listen::limits(reader, &place),
        total_timeout: reader.maybe(&place, "total_timeout", upstream::total()),
    };
    let tls = tls::tls(reader);
    if doors.listen.is_empty() && tls.is_none() && !reader.any_wrong(&["gateway.listen", "gateway.tls"]) {
        let place = reader.section("gateway");
        let allowed = "an address, or an empty list beside a listen in [gateway.tls]".into();
        reader.refuse(&place, "listen", None, "is empty: visitors could connect nowhere".into(), allowed);
    }
    let site = route::settings(reader, &limits, &upstream.clone().unwrap_or_default());
    Some(Gateway { doors, tls, upstream: upstream?, site, site_id, trusted_proxies, workers, drain, limits })
}

fn consent(reader: &mut Reader<'_>) -> (Policy, Consent, (Modes, bool)) {
    let place = reader.section("consent");
    let version = reader.get(&place, "policy_version", kind::whole(1, i128::from(u16::MAX)));
    let choice_days: u64 = reader.get(&place, "choice_days", kind::whole(1, 400));
    let mut consent = Consent {
        path: reader.get(&place, "path", web::folder()),
        banner_title: language::own(reader, &place, "banner_title", 200),
        banner_text: language::own(reader, &place, "banner_text", 2000),
        link_text: language::own(reader, &place, "link_text", 100),
        notice_url: reader.maybe(&place, "notice_url", web::link()),
        cookie_domain: reader.maybe(&place, "cookie_domain", web::domain()),
        google_consent_mode: reader.get(&place, "google_consent_mode", kind::truth()),
        choices_per_minute: reader.get(&place, "choices_per_minute", kind::whole(1, 1_000_000)),
        language: reader.get(&place, "language", language::tag()),
        languages: Vec::new(),
        purpose_texts: Vec::new(),
        link_position: reader.get(&place, "link_position", kind::word(&language::POSITIONS)),
        controller: reader.maybe(&place, "controller", kind::text(500)),
        contact: reader.maybe(&place, "contact", web::contact()),
        banner_version: reader.get(&place, "banner_version", language::banner_version()),
    };
    let without_a_choice = without_a_choice(reader, &place);
    let mut policy = purposes(reader);
    consent.languages = language::languages(reader, &place, &consent.language);
    consent.purpose_texts = language::purpose_texts(reader, &policy, &consent);
    policy.version = version;
    policy.choice_life = choice_days * DAY;
    (policy, consent, without_a_choice)
}

const MODES: [(&str, Mode); 2] = [("opt-in", Mode::OptIn), ("uk-statistics", Mode::UkStatistics)];

/// The legal mode, and the signal beside GPC that is honoured in it.
fn without_a_choice(reader: &mut Reader<'_>, place: &Place<'_>) -> (Modes, bool) {
    let modes = Modes {
        mode: reader.get(place, "mode", kind::word(&MODES)),
        countries: reader.get(place, "statistics_countries", kind::list(250, kind::country())),
    };
    (modes, reader.get(place, "honour_dnt", kind::truth()))
}

/// The declared purposes, or the four every site knows.
fn purposes(reader: &mut Reader<'_>) -> Policy {
    let known = Policy::default();
    let builtin = |id: &str| known.purposes().iter().find(|purpose| purpose.id == id);
    let places = reader.items("purpose");
    if places.is_empty() {
        let section = Section::named("purpose").expect("is a known section");
        for (index, purpose) in known.purposes().iter().enumerate() {
            let shown = format!("purpose[{index}]");
            reader.note_default(section, &shown, "id", quoted(&purpose.id));
            reader.note_default(section, &shown, "title", quoted(&purpose.title));
            reader.note_default(section, &shown, "description", quoted(&purpose.description));
        }
        return known;
    }
    let mut purposes: Vec<Purpose> = Vec::new();
    let allowed = "an id of 1 to 24 of a-z, 0-9, _ and -, beginning with a letter";
    for place in &places {
        let id = reader.required(place, "id", kind::text(100));
        let known = id.as_deref().and_then(builtin);
        let mut text = |name: &'static str, most: usize, known: Option<&String>| match known {
            Some(known) => Some(reader.or(place, name, kind::text(most), known.clone())),
            None => reader.required(place, name, kind::text(most)),
        };
        let title = text("title", 100, known.map(|purpose| &purpose.title));
        let description = text("description", 1000, known.map(|purpose| &purpose.description));
        let legal_basis = reader.maybe(place, "legal_basis", kind::text(200));
        let usual = known.map(|purpose| purpose.google.clone()).unwrap_or_default();
        let google = reader.or(place, "google_consent", kind::list(7, kind::words(&GOOGLE_CONSENT)), usual);
        let Some(id) = id else { continue };
        let twice = purposes.iter().any(|purpose| purpose.id == id);
        // A missing text is reported above; the id is known all the same, for the cookies that name it.
        let (title, description) = (title.unwrap_or_default(), description.unwrap_or_default());
        let purpose = Purpose { id, title, description, legal_basis, google, ..Purpose::default() };
        let shown = Some(quoted(&purpose.id));
        if Policy::new(vec![purpose.clone()], 1, 1).is_err() {
            reader.refuse(place, "id", shown, "is no purpose's id".into(), allowed.into());
        } else if twice {
            reader.refuse(place, "id", shown, "is declared twice".into(), "each purpose once".into());
        } else {
            purposes.push(purpose);
        }
    }
    match Policy::new(purposes, 1, 1) {
        Ok(policy) => policy,
        Err(error) => {
            let place = reader.section("purpose");
            let allowed = match error {
                PolicyError::TooMany(_) => "at most 8 purposes, `necessary` included",
                _ => allowed,
            };
            reader.refuse(&place, "id", None, error.to_string(), allowed.into());
            known
        }
    }
}

/// The storage types of Google Consent Mode v2.
const GOOGLE_CONSENT: [&str; 7] = [
    "ad_storage",
    "ad_user_data",
    "ad_personalization",
    "analytics_storage",
    "functionality_storage",
    "personalization_storage",
    "security_storage",
];

/// The index of the purpose an element names.
pub(super) fn purpose_of(reader: &mut Reader<'_>, place: &Place<'_>, policy: &Policy) -> Option<usize> {
    let id = reader.required(place, "purpose", kind::text(100))?;
    let index = policy.index(&id);
    // Where the purposes themselves are wrong, the one that is missing here may be among them.
    if index.is_none() && !reader.any_wrong(&["purpose"]) {
        let ids: Vec<&str> = policy.purposes().iter().map(|purpose| purpose.id.as_str()).collect();
        reader.refuse(place, "purpose", Some(quoted(&id)), "is not a declared purpose".into(), ids.join(", "));
    }
    index
}

fn cookies(reader: &mut Reader<'_>, policy: &Policy) -> Vec<DeclaredCookie> {
    let mut cookies: Vec<DeclaredCookie> = Vec::new();
    for place in &reader.items("cookie") {
        let name = reader.required(place, "name", web::cookie_name());
        let purpose = purpose_of(reader, place, policy);
        let provider = reader.maybe(place, "provider", kind::text(200));
        let period = reader.maybe(place, "period", kind::text(100));
        let description = reader.maybe(place, "description", kind::text(1000));
        let path = reader.maybe(place, "path", web::cookie_path());
        let domain = reader.maybe(place, "domain", web::cookie_domain());
        let Some((name, prefix)) = name else { continue };
        let shown = || Some(quoted(&format!("{name}{}", if prefix { "*" } else { "" })));
        let mut namesakes = cookies.iter().filter(|other| other.name == name && other.prefix == prefix);
        if namesakes.clone().any(|other| other.path == path && other.domain == domain) {
            reader.refuse(place, "name", shown(), "is declared twice".into(), "each cookie once".into());
        } else if purpose.is_some_and(|purpose| namesakes.any(|other| other.purpose != purpose)) {
            // A request says nothing of path and domain, so one name cannot be permitted here and not there.
            let what = "is declared for another purpose, and a request does not say which of the two it carries";
            reader.refuse(place, "name", shown(), what.into(), "one purpose for each name".into());
        }
        // A wrong purpose is reported; the name still counts for the search for duplicates.
        cookies.push(DeclaredCookie {
            name,
            prefix,
            purpose: purpose.unwrap_or_default(),
            provider,
            period,
            description,
            path,
            domain,
        });
    }
    cookies
}

fn tags(reader: &mut Reader<'_>, policy: &Policy) -> Vec<DeclaredTag> {
    let mut tags: Vec<DeclaredTag> = Vec::new();
    for place in &reader.items("tag") {
        let host = reader.required(place, "host", web::tag_host());
        let inline = reader.get(place, "inline", kind::list(32, kind::text(200)));
        let purpose = purpose_of(reader, place, policy);
        let Some(host) = host else { continue };
        if tags.iter().any(|other| other.host == host) {
            let allowed = "each host once".into();
            reader.refuse(place, "host", Some(quoted(&host)), "is declared twice".into(), allowed);
        }
        tags.push(DeclaredTag { host, inline, purpose: purpose.unwrap_or_default() });
    }
    tags
}

fn clickhouse(reader: &mut Reader<'_>) -> ClickHouse {
    let place = reader.section("clickhouse");
    let has_url = reader.is_written(&place, "url");
    let url = reader.maybe(&place, "url", web::server("ClickHouse must answer at /"));
    let user = match has_url {
        true => Some(reader.or(&place, "user", kind::text(128), "default".into())),
        false => reader.maybe(&place, "user", kind::text(128)),
    };
    let password_file = reader.maybe(&place, "password_file", kind::path());
    let listen = reader.maybe(&place, "listen", kind::address());
    if has_url && let Some(listen) = listen {
        let what = "is for the embedded engine, but a url is set";
        let allowed = "either url (a server) or listen (the embedded engine)";
        reader.refuse(&place, "listen", Some(quoted(&listen.to_string())), what.into(), allowed.into());
    }
    if let Some(listen) = listen.filter(|listen| !listen.ip().to_canonical().is_loopback()) {
        let what = "is not on loopback, and the embedded engine asks nobody for a password";
        let allowed = "an address on loopback, such as \"127.0.0.1:8123\"";
        reader.refuse(&place, "listen", Some(quoted(&listen.to_string())), what.into(), allowed.into());
    }
    for name in ["user", "password_file"] {
        if !has_url && reader.is_written(&place, name) {
            let what = "is for a server, but no url is set".into();
            reader.refuse(&place, name, None, what, "only together with url".into());
        }
    }
    match (url, user) {
        (Some(url), Some(user)) => ClickHouse::Server { url: url.to_string(), user, password_file },
        _ => ClickHouse::Embedded { listen },
    }
}
