//! The effective configuration in words: every value with its origin, and what it amounts to. What is printed is itself a
//! configuration that means the same.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::problem::Origin;
use super::{BUILT_IN, ClickHouse, Config, Geo, LinkPosition, observe_log, windows};
use crate::consent::Mode;
use crate::upstream::settings::HostPattern;

/// One value in effect.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its whole name, such as `gateway.listen` or `cookie[0].name`.
    pub key: String,
    /// The value as TOML; absent where the key is not set and has no default.
    pub value: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// Why the key is there.
    pub why: &'static str,
    /// The section as it is shown.
    pub(super) section: String,
    /// The key within its section.
    pub(super) name: &'static str,
}

impl Setting {
    /// The value, where it is set and a text.
    pub fn text(&self) -> Option<String> {
        match json_value(self.value.as_deref()?) {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

/// A valid configuration with the origin of its values.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The configuration.
    pub config: Config,
    /// Every key there is, in the order of the file.
    pub settings: Vec<Setting>,
}

impl Explained {
    /// The values in the form of a configuration file, with where each comes from and why it is there.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for setting in &self.settings {
            if setting.section != section {
                section = &setting.section;
                let header = match section.split_once('[') {
                    Some((list, _)) => format!("[[{list}]]"),
                    None => format!("[{section}]"),
                };
                let _ = write!(text, "\n{header}\n");
            }
            // What is said once about a repeated section is not said again, and what an element leaves out is no news.
            let repeated = section.contains('[');
            if repeated && setting.value.is_none() {
                continue;
            }
            let why = if repeated && !section.ends_with("[0]") { "" } else { setting.why };
            let line = match &setting.value {
                Some(value) => format!("{} = {value}", setting.name),
                None => format!("# {} is not set", setting.name),
            };
            let origin = match &setting.origin {
                Origin::File { file, line, .. } => format!("{file}:{line}"),
                Origin::Environment { variable } => variable.to_string(),
                Origin::Default => "default".into(),
            };
            let _ = match setting.value {
                Some(_) if why.is_empty() => writeln!(text, "{line:<44} # {origin}"),
                Some(_) => writeln!(text, "{line:<44} # {origin}: {why}"),
                None => writeln!(text, "{line:<44} # {why}"),
            };
        }
        text
    }

    /// The same for machines.
    pub fn to_json(&self) -> Value {
        let setting = |setting: &Setting| {
            let mut object = match serde_json::to_value(&setting.origin) {
                Ok(Value::Object(object)) => object,
                _ => Map::new(),
            };
            object.insert("key".into(), json!(setting.key));
            object.insert("value".into(), setting.value.as_deref().map_or(Value::Null, json_value));
            Value::Object(object)
        };
        json!({
            "valid": true,
            "settings": self.settings.iter().map(setting).collect::<Vec<_>>(),
            "consequences": self.consequences(),
        })
    }

    /// What the configuration amounts to, in sentences.
    pub fn consequences(&self) -> Vec<String> {
        let config = &self.config;
        let gateway = &config.gateway;
        vec![
            connect(config),
            upstreams(config),
            match &gateway.trusted_proxies[..] {
                [] => "No trusted proxies: the address that connects is the visitor's.".into(),
                proxies if proxies.iter().any(|net| net.prefix_len() == 0) => {
                    "Every address is a trusted proxy: any visitor can claim to come from anywhere.".into()
                }
                proxies => format!("X-Forwarded-For is believed from {} only.", and(proxies)),
            },
            others(config),
            tls(config),
            asked(config),
            languages(config),
            counted(config),
            signals(config),
            match config.cookies.len() {
                0 => "No cookie is declared: every cookie but the gateway's own is removed in both directions.".into(),
                1 => "1 cookie is declared; every other cookie is removed in both directions.".into(),
                many => format!("{many} cookies are declared; every other cookie is removed in both directions."),
            },
            match config.tags.len() {
                0 => "No third-party host is declared: tags load as the site wrote them.".into(),
                1 => "1 third-party host is declared; tags from any other load as the site wrote them.".into(),
                many => {
                    format!("{many} third-party hosts are declared; tags from any other load as the site wrote them.")
                }
            },
            match &config.capture.query_keys[..] {
                [] => "Nothing of a page's query is kept.".into(),
                [key] => format!("Of a page's query only {key} is kept."),
                keys => format!("Of a page's query only {} are kept.", and(keys)),
            },
            collected(config),
            mail_opens(config),
            calls(config),
            match config.capture.path_classes.len() {
                0 => "No paths are kept as a class: every path is kept, scrubbed.".into(),
                1 => "1 kind of path is kept as a class.".into(),
                many => format!("{many} kinds of paths are kept as classes."),
            },
            format!("Rows are kept {}, then deleted.", config.retention),
            format!("Proof of each choice is kept {}, then deleted.", config.consents_retention),
            addresses(config),
            match &config.geo {
                Geo::Off => "Countries are not looked up.".into(),
                Geo::Country => "Countries are looked up in the free country database, fetched on first use.".into(),
                Geo::File(path) => format!("Places are looked up in {}.", path.display()),
            },
            clickhouse(config),
            match config.dashboard.listen {
                listen if listen.ip().is_loopback() => {
                    format!("Dashboard, health and metrics: http://{listen}/, from this machine only.")
                }
                listen => format!("Dashboard, health and metrics: http://{listen}/, from other machines too."),
            },
            observe_log::sentence(config),
            windows::sentence(&config.key_windows),
            format!("The keys lie in {}; keep a copy, apart from copies of the database.", config.key_ring.display()),
        ]
    }
}

/// Where visitors connect without TLS, and where the site is.
fn connect(config: &Config) -> String {
    let (doors, upstream) = (&config.gateway.doors, &config.gateway.upstream);
    let spoken = if doors.h2c { " (HTTP/1.1, or HTTP/2 without TLS)" } else { "" };
    match &doors.listen[..] {
        [] => format!("Visitors connect by TLS alone; the site is fetched from {upstream}."),
        places => format!("Visitors connect to {}{spoken}; the site is fetched from {upstream}.", and(places)),
    }
}

/// Who else is believed about who calls.
fn others(config: &Config) -> String {
    let doors = &config.gateway.doors;
    let unix = match doors.trust_unix_peers {
        true => "Whoever reaches a Unix socket is a trusted proxy",
        false => "Whoever reaches a Unix socket is no trusted proxy",
    };
    let host = match doors.trust_forwarded_host {
        true => {
            " Trusted proxies say by X-Forwarded-Host which host was asked for: they must write over what a visitor sent."
        }
        false => "",
    };
    match &doors.proxy_protocol_from[..] {
        [] => format!("{unix}; no header of the PROXY protocol is read.{host}"),
        peers => format!("{unix}; a header of the PROXY protocol is required from {}.{host}", and(peers)),
    }
}

fn tls(config: &Config) -> String {
    let Some(tls) = &config.gateway.tls else {
        return "No TLS: whoever stands before the gateway must speak it.".into();
    };
    let ordered = match &tls.acme {
        Some(acme) => format!(", and one ordered from {} for {}", acme.directory, and(&acme.hosts)),
        None => String::new(),
    };
    let files = match tls.certificates.len() {
        0 => "no certificate from files".to_owned(),
        1 => "1 certificate from files".to_owned(),
        many => format!("{many} certificates from files"),
    };
    let redirect = if tls.redirect { " Who comes without TLS is sent there." } else { "" };
    format!("TLS at {} with {files}{ordered}.{redirect}", and(&tls.listen))
}

/// Where parts of the site are, and what becomes of requests that are for none of them.
fn upstreams(config: &Config) -> String {
    let site = &config.gateway.site;
    let routes = site.routes.len() - usize::from(!config.gateway.upstream.is_empty());
    let mut said = match routes {
        0 => "It has no routes: one way is for every host and path.".to_owned(),
        1 => "1 route leads elsewhere.".to_owned(),
        many => format!("{many} routes lead elsewhere."),
    };
    if !site.routes.iter().any(|route| route.host == HostPattern::Any && route.path == "/") {
        said += " What is for none of them is answered with 421.";
    }
    let mut asked_for: Vec<&str> = Vec::new();
    for probing in site.routes.iter().filter_map(|route| route.probing.as_ref()) {
        if !asked_for.contains(&probing.path.as_str()) {
            asked_for.push(&probing.path);
        }
    }
    if !asked_for.is_empty() {
        said += &format!(" Upstreams are asked for {} to see how they are", and(&asked_for));
        said += match site.routes.iter().all(|route| route.probing.is_some()) {
            true => ".",
            false => "; those of some routes are not asked.",
        };
    }
    if site.routes.iter().any(|route| route.tls.insecure) {
        said += " Certificates of upstreams are NOT checked (tls_verify = \"insecure\"): anyone in between can pose as the site.";
    }
    said
}

fn asked(config: &Config) -> String {
    let titles: Vec<&str> = config.policy.optional().map(|(_, purpose)| purpose.id.as_str()).collect();
    let days = config.policy.choice_life / 86_400;
    match (titles.is_empty(), config.policy.analytics()) {
        (true, _) => "No purpose needs a choice: visitors are asked nothing and nothing is captured.".into(),
        (_, None) => format!(
            "Visitors are asked about {}; a choice is kept {days} days. Nothing is captured: that needs the purpose \
             `analytics`.",
            and(&titles)
        ),
        _ => format!("Visitors are asked about {}; a choice is kept {days} days.", and(&titles)),
    }
}

/// In which languages they are asked, and how they come to the choices.
fn languages(config: &Config) -> String {
    let consent = &config.consent;
    let own = consent.languages.iter().map(|own| &*own.code).filter(|code| !BUILT_IN.contains(code));
    let codes: Vec<&str> = BUILT_IN.into_iter().chain(own).collect();
    let link = match consent.link_position {
        LinkPosition::Left | LinkPosition::Right => "",
        LinkPosition::None => {
            " No link to the choices is put into pages: the site must have its own on every page (data-consentry-choices)."
        }
    };
    format!(
        "They read {}, by the page's language; the texts written here are in {}.{link}",
        and(&codes),
        consent.language
    )
}

/// What is captured of a page beside its being viewed.
fn collected(config: &Config) -> String {
    let capture = &config.capture;
    let mut items: Vec<&str> = capture.collect.iter().map(|item| item.word()).collect();
    let beside =
        [(!capture.search_keys.is_empty(), "site search"), (capture.login_header.is_some(), "login (from a header)")];
    items.extend(beside.iter().filter(|(on, _)| *on).map(|(_, what)| *what));
    match items.is_empty() {
        true => "Of visitors who allow analytics page views are captured, and nothing beside.".into(),
        false => format!("Of visitors who allow analytics these are captured beside page views: {}.", and(&items)),
    }
}

/// The statistics lane (L2).
fn counted(config: &Config) -> String {
    match (config.modes.mode, &config.modes.countries[..], &config.geo) {
        (Mode::OptIn, ..) => "Visitors who have not chosen are not counted (mode opt-in).".into(),
        (Mode::UkStatistics, [], _) => {
            "Nobody is counted without a choice: statistics_countries is empty, so mode uk-statistics applies nowhere."
                .into()
        }
        (Mode::UkStatistics, _, Geo::Off) => {
            "Nobody is counted without a choice: mode uk-statistics needs the visitor's country, and countries are not \
             looked up."
                .into()
        }
        (Mode::UkStatistics, countries, _) => format!(
            "Page views of visitors in {} who have not chosen are counted by the hour, never fewer than 10 together, \
             without cookies or identifiers, unless they object; the site's privacy notice must say so. Everywhere else, \
             and where the country is unknown, they are not counted.",
            and(countries)
        ),
    }
}

fn mail_opens(config: &Config) -> String {
    match config.capture.mail_opens {
        false => "Openings of e-mails are not recorded.".into(),
        true => format!(
            "Openings of e-mails are recorded ({}/open.gif), each with its recipient's own token: consentry mail token.",
            config.consent.path
        ),
    }
}

fn signals(config: &Config) -> String {
    let advertising = config.policy.advertising();
    let refused = config.policy.optional().filter(|(index, _)| advertising.contains(*index));
    let refused = and(&refused.map(|(_, purpose)| &purpose.id).collect::<Vec<_>>());
    let until = "to being counted, as long as there is no choice";
    match (config.honour_dnt, refused.is_empty()) {
        (true, true) => format!("Sec-GPC: 1 and DNT: 1 object {until}."),
        (true, false) => format!("Sec-GPC: 1 and DNT: 1 refuse {refused} and object {until}."),
        (false, true) => format!("Sec-GPC: 1 objects {until}; DNT is ignored."),
        (false, false) => format!("Sec-GPC: 1 refuses {refused} and objects {until}; DNT is ignored."),
    }
}

fn calls(config: &Config) -> String {
    match &config.capture.calls_token_file {
        None => "Telephone calls are not imported.".into(),
        Some(file) => format!(
            "Telephone calls are imported (POST {}/calls) with the token in {}; a call whose record does not state the \
             caller's consent is not kept. Numbers without a country are of +{}.",
            config.consent.path,
            file.display(),
            config.capture.calling_code
        ),
    }
}

fn addresses(config: &Config) -> String {
    let part = |bits: u8, kind: &str| match bits {
        0 => format!("nothing of an {kind} address"),
        _ => format!("the first {bits} bits of an {kind} address"),
    };
    format!("Stored are {} and {}.", part(config.ip_prefixes.v4, "IPv4"), part(config.ip_prefixes.v6, "IPv6"))
}

fn clickhouse(config: &Config) -> String {
    match &config.clickhouse {
        ClickHouse::Embedded { listen: None } => "ClickHouse: embedded, reached by a Unix socket.".into(),
        ClickHouse::Embedded { listen: Some(listen) } => {
            format!("ClickHouse: embedded, reached by a Unix socket and at http://{listen}/.")
        }
        ClickHouse::Server { url, user, password_file } => {
            let password = match password_file {
                Some(path) => format!("the password in {}", path.display()),
                None => "no password".into(),
            };
            format!("ClickHouse: the server at {url}, as user {user} with {password}.")
        }
    }
}

/// `a`, `a and b`, `a, b and c`.
fn and(parts: &[impl ToString]) -> String {
    let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// A TOML value as JSON.
fn json_value(toml: &str) -> Value {
    let value = toml::from_str::<Map<String, Value>>(&format!("value = {toml}"));
    value.ok().and_then(|mut table| table.remove("value")).unwrap_or_else(|| json!(toml))
}
