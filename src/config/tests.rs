//! What is promised about configurations: the smallest one works, the example is true, and everything wrong is named with
//! its place.

mod import;
mod language;
mod listen;
mod routes;
mod unclosed;
mod wrong;

use std::time::Duration;

use super::known::SECTIONS;
use super::problem::Problem;
use super::*;
use crate::consent::Mode;

const MINIMAL: &str = "[gateway]\nupstream = \"http://127.0.0.1:3000\"\n";

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::from_toml(text, "consentry.toml", std::iter::empty())
}

fn read_with(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let env = env.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Config::from_toml(text, "consentry.toml", env)
}

fn problems(text: &str) -> Vec<Problem> {
    read(text).expect_err("the file is wrong").problems().to_vec()
}

/// Configurations are equal where everything they print is; nothing in them hides from `Debug`.
fn same(one: &Config, other: &Config) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

#[test]
fn two_lines_are_a_whole_configuration() {
    let config = read(MINIMAL).unwrap();
    assert_eq!(config.gateway.doors.listen, [ListenAt::Tcp("0.0.0.0:8080".parse().unwrap())]);
    assert_eq!(config.gateway.upstream.to_string(), "http://127.0.0.1:3000");
    assert_eq!(config.gateway.site_id, 1);
    assert!(config.gateway.trusted_proxies.is_empty() && (1..=256).contains(&config.gateway.workers));
    assert_eq!(config.gateway.limits.max_head_bytes, 32 << 10);
    assert_eq!(config.gateway.limits.max_body_bytes, 1 << 30);
    assert_eq!(config.gateway.limits.max_connections, 10_000);
    assert_eq!(config.gateway.limits.answer_timeout, Duration::from_secs(60));
    assert_eq!(config.gateway.limits.keep_alive, Duration::from_secs(75));
    assert_eq!(config.consent.path, "/_privacy");
    assert_eq!((config.modes.mode, config.modes.at("GB"), config.honour_dnt), (Mode::OptIn, Mode::OptIn, false));
    let said = |policy: &Policy| {
        let purposes = policy.purposes().iter();
        purposes
            .map(|purpose| (purpose.title.clone(), purpose.description.clone(), purpose.google.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(said(&config.policy), said(&Policy::default()));
    assert_eq!((config.policy.version, config.policy.choice_life), (1, 182 * 86_400));
    assert_eq!(config.retention.retention_days(), 2192);
    assert_eq!(config.consents_retention.retention_days(), 2192);
    assert_eq!(config.ip_prefixes, IpPrefixes { v4: 24, v6: 48 });
    assert_eq!(config.data_dir, PathBuf::from(DEFAULT_DATA_DIR));
    assert_eq!(config.key_ring, PathBuf::from("./consentry-data/keys.json"));
    assert_eq!(config.geo, Geo::Country);
    assert_eq!((config.spool.max_bytes, config.spool.batch_rows), (4 << 30, 10_000));
    assert!(matches!(config.clickhouse, ClickHouse::Embedded { listen: None }));
    assert_eq!(config.dashboard.listen.to_string(), "127.0.0.1:8090");
    assert_eq!(config.observe.log, tracing::Level::INFO);
}

#[test]
fn what_a_site_must_ask_for_is_not_collected_by_default_and_no_word_is_part_of_another() {
    let words: Vec<&str> = read(MINIMAL).unwrap().capture.collect.iter().map(|item| item.word()).collect();
    for asked in ["hover", "titles", "hash", "login"] {
        assert!(!words.contains(&asked), "{asked}");
        assert!(read(&format!("{MINIMAL}[capture]\ncollect = [\"{asked}\"]")).is_ok());
    }
    for word in &words {
        assert_eq!(words.iter().filter(|other| other.contains(word)).count(), 1, "{word}: the collector looks for it");
    }
}

#[test]
fn the_example_says_what_the_defaults_are() {
    assert!(same(&read(example()).unwrap(), &read(MINIMAL).unwrap()));
}

/// A `#` without a space before a key or a header is something that may be set.
#[test]
fn what_the_example_offers_may_be_set() {
    let offered = example().lines().filter_map(|line| match line.strip_prefix('#') {
        // The engine's listener excludes a server.
        Some(rest) if rest.starts_with("listen = \"127.") => None,
        Some(rest) if rest.starts_with(' ') || rest.is_empty() => None,
        Some(rest) => Some(rest),
        None => Some(line),
    });
    let text = offered.collect::<Vec<_>>().join("\n");
    let config = read(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((config.cookies.len(), config.tags.len(), config.policy.purposes().len()), (3, 2, 3));
    assert_eq!(config.gateway.workers, 4);
    assert!(matches!(config.clickhouse, ClickHouse::Server { .. }));
}

#[test]
fn the_example_names_every_key() {
    for section in SECTIONS {
        let name = section.header();
        assert!(section.name.is_empty() || example().contains(&name), "{name}");
        for key in section.keys {
            let name = format!("{} = ", key.name);
            let named = example().lines().any(|line| line.trim_start_matches('#').starts_with(&name));
            assert!(named, "{} {name}", section.name);
        }
    }
}

#[test]
fn a_full_configuration_means_what_it_says() {
    let config = read(
        r#"
        data_dir = "/srv/consentry"
        [gateway]
        listen = "[::]:80"
        upstream = "HTTPS://Site.Internal/"
        site_id = 7
        trusted_proxies = ["10.1.2.3/8", "2001:db8::1"]
        workers = 3
        [gateway.limits]
        max_head_bytes = 16384
        head_timeout = "1 minute 30 seconds"
        keep_alive = "2 minutes"
        [consent]
        policy_version = 4
        choice_days = 90
        path = "/my/privacy"
        banner_title = """
          Hello
          there"""
        [[purpose]]
        id = "analytics"
        title = "Counting"
        [[purpose]]
        id = "health"
        title = "Health"
        description = "Pages about a condition."
        [[cookie]]
        name = "_ga*"
        purpose = "analytics"
        provider = "Google"
        path = "/shop/"
        domain = ".Example.com"
        [[cookie]]
        name = "_ga"
        purpose = "necessary"
        [[cookie]]
        name = "_ga"
        purpose = "necessary"
        path = "/shop"
        [[tag]]
        host = "*.Example.com:8443"
        inline = ["t("]
        purpose = "health"
        [capture]
        query_keys = ["page", "q"]
        [retention]
        period = "48 months"
        consents = "7 years"
        [pseudonym]
        ipv4_prefix = "none"
        ipv6_prefix = 32
        [geo]
        database = "/var/lib/city.mmdb"
        [clickhouse]
        url = "http://db.internal:8123"
        password_file = "/etc/secret"
        [observe]
        log = "debug"
        "#,
    )
    .unwrap();
    let gateway = &config.gateway;
    assert_eq!(gateway.upstream.to_string(), "https://site.internal:443");
    assert_eq!(gateway.trusted_proxies, ["10.0.0.0/8".parse().unwrap(), "2001:db8::1/128".parse().unwrap()]);
    assert_eq!(gateway.limits.head_timeout, Duration::from_secs(90));
    assert_eq!(gateway.limits.keep_alive, Duration::from_secs(120));
    assert_eq!(config.consent.banner_title.as_deref(), Some("Hello there"));
    assert_eq!((config.retention.months, config.consents_retention.months), (48, 84));
    let ids: Vec<&str> = config.policy.purposes().iter().map(|purpose| purpose.id.as_str()).collect();
    assert_eq!(ids, ["necessary", "analytics", "health"]);
    assert_eq!((config.policy.version, config.policy.choice_life), (4, 90 * 86_400));
    let counting = &config.policy.purposes()[1];
    assert_eq!((counting.title.as_str(), counting.description.is_empty()), ("Counting", false));
    assert_eq!(
        (config.cookies[0].name.as_str(), config.cookies[0].prefix, config.cookies[0].purpose),
        ("_ga", true, 1)
    );
    assert_eq!((config.cookies[1].prefix, config.cookies[1].purpose), (false, 0));
    let places: Vec<_> = config.cookies.iter().map(|c| (c.path.as_deref(), c.domain.as_deref())).collect();
    assert_eq!(places, [(Some("/shop/"), Some("example.com")), (None, None), (Some("/shop"), None)]);
    assert_eq!(config.tags, [DeclaredTag { host: "*.example.com:8443".into(), inline: vec!["t(".into()], purpose: 2 }]);
    assert_eq!(config.ip_prefixes, IpPrefixes { v4: 0, v6: 32 });
    assert_eq!(config.geo, Geo::File("/var/lib/city.mmdb".into()));
    assert_eq!(config.key_ring, PathBuf::from("/srv/consentry/keys.json"));
    match config.clickhouse {
        ClickHouse::Server { url, user, password_file } => {
            assert_eq!((url.as_str(), user.as_str()), ("http://db.internal:8123", "default"));
            assert_eq!(password_file, Some("/etc/secret".into()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn listeners_may_ask_for_any_free_port() {
    let text =
        "[gateway]\nupstream = \"http://a:1\"\nlisten = \"127.0.0.1:0\"\n[dashboard]\nlisten = \"127.0.0.1:0\"\n";
    assert!(read(text).is_ok());
}

#[test]
fn the_environment_overrides_the_file() {
    let config = read_with(
        MINIMAL,
        &[
            ("CONSENTRY__DATA_DIR", "/srv/x"),
            ("CONSENTRY__GATEWAY__UPSTREAM", "http://other:80"),
            ("CONSENTRY__GATEWAY__LISTEN", "\"127.0.0.1:9\""),
            ("CONSENTRY__GATEWAY__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
            ("CONSENTRY__GATEWAY__LIMITS__MAX_HEAD_BYTES", "64 KiB"),
            ("CONSENTRY__GATEWAY__LIMITS__HEAD_TIMEOUT", "5s"),
            ("CONSENTRY__CONSENT__BANNER_TITLE", "1984"),
            ("CONSENTRY__PSEUDONYM__IPV4_PREFIX", "none"),
            ("CONSENTRY__COOKIE", "[{ name = \"sid\", purpose = \"necessary\" }]"),
            ("PATH", "/bin"),
            ("CONSENTRY_ENGINE", "/lib"),
        ],
    )
    .unwrap();
    assert_eq!(config.data_dir, PathBuf::from("/srv/x"));
    assert_eq!(config.key_ring, PathBuf::from("/srv/x/keys.json"));
    assert_eq!(config.gateway.doors.listen[0].tcp().unwrap().port(), 9);
    assert_eq!(config.gateway.upstream.to_string(), "http://other:80");
    assert_eq!(config.gateway.trusted_proxies.len(), 1);
    assert_eq!(config.gateway.limits.max_head_bytes, 64 << 10);
    assert_eq!(config.consent.banner_title.as_deref(), Some("1984"), "a number may be meant as text");
    assert_eq!(config.ip_prefixes.v4, 0);
    assert_eq!(config.cookies[0].name, "sid");
    assert!(read_with("", &[("CONSENTRY__GATEWAY__UPSTREAM", "http://a")]).is_ok(), "the file may be empty");
}

#[test]
fn a_file_from_an_editor_on_windows_is_read() {
    let config = read("\u{feff}[gateway]\r\nupstream = \"http://127.0.0.1:3000\"\r\n").unwrap();
    assert!(same(&config, &read(MINIMAL).unwrap()));
    let found = problems("\u{feff}# é\r\n[gateway]\r\nupstream = \"http://a\"\r\nx = 1\r\n");
    assert!(found[0].to_string().starts_with("consentry.toml:4:1: gateway.x"), "{found:?}");
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.toml");
    let error = Config::load(&path).expect_err("there is no file").to_string();
    assert!(error.contains("none.toml: ") && error.contains("consentry check --print-example > "), "{error}");
    let error = Config::load("-".as_ref()).expect_err("there is no such file").to_string();
    assert!(error.contains("/dev/stdin") && !error.contains("> -"), "{error}");
    std::fs::write(&path, b"[gateway]\nupstream = \"\xff\"\n").unwrap();
    let error = Config::load(&path).expect_err("it is not text").to_string();
    assert!(error.ends_with("none.toml:2:1: is not UTF-8; allowed: text in UTF-8"), "{error}");
    std::fs::write(&path, MINIMAL).unwrap();
    assert!(Config::load(&path).is_ok());
}

/// Reads what `check` printed; it must mean the same.
fn assert_prints_itself(explained: &Explained) {
    let printed = explained.to_toml();
    let again = read(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
    assert!(same(&again, &explained.config), "{printed}");
}

#[test]
fn what_is_explained_is_a_configuration_that_means_the_same() {
    let env = [("CONSENTRY__RETENTION__PERIOD".to_owned(), "90 days".to_owned())];
    let text =
        format!("{MINIMAL}[[cookie]]\nname = \"a*\"\npurpose = \"analytics\"\n[consent]\nbanner_title='\"\\'''#");
    assert!(read(&text).is_err(), "the quotes are not closed");
    let text = format!(
        "{MINIMAL}[[cookie]]\nname = \"a*\"\npurpose = \"analytics\"\n[consent]\nbanner_title = \"\\\" ' \\\\ #\"\n"
    );
    let explained = Config::explain_toml(&text, "consentry.toml", env.into_iter()).unwrap();
    assert_prints_itself(&explained);
    let of = |key: &str| {
        let setting = explained.settings.iter().find(|setting| setting.key == key).expect(key);
        (setting.value.clone().unwrap_or_default(), setting.origin.to_string())
    };
    assert_eq!(of("gateway.upstream"), ("\"http://127.0.0.1:3000\"".into(), "consentry.toml:2:12".into()));
    assert_eq!(of("retention.period"), ("\"90 days\"".into(), "CONSENTRY__RETENTION__PERIOD".into()));
    assert_eq!(of("cookie[0].name"), ("\"a*\"".into(), "consentry.toml:4:8".into()));
    assert_eq!(of("gateway.listen"), ("\"0.0.0.0:8080\"".into(), "default".into()));
    assert_eq!(of("clickhouse.url"), (String::new(), "default".into()));
    let said = explained.consequences().join("\n");
    for words in ["1 cookie is declared; every other", "kept 90 days, then deleted", "embedded", "No trusted proxies"] {
        assert!(said.contains(words), "{said}\nlacks: {words}");
    }
}

#[test]
fn openings_and_calls_are_explained_with_where_and_by_whose_leave() {
    let said = |more: &str| {
        let text = format!("{MINIMAL}{more}");
        Config::explain_toml(&text, "consentry.toml", std::iter::empty()).unwrap().consequences().join("\n")
    };
    let off = said("");
    assert!(off.contains("Openings of e-mails are not recorded.") && off.contains("calls are not imported."), "{off}");
    let on = said("[capture]\nmail_opens = true\ncalls_token_file = \"/etc/token\"\n");
    for words in
        ["(/_privacy/open.gif)", "own token", "POST /_privacy/calls", "/etc/token", "consent is not kept", "+44."]
    {
        assert!(on.contains(words), "{on}\nlacks: {words}");
    }
}

#[test]
fn the_statistics_lane_is_off_unless_it_is_switched_on_and_says_whom_it_counts() {
    let said = |lines: &str| {
        let text = format!("{MINIMAL}[consent]\n{lines}\n");
        let explained = Config::explain_toml(&text, "consentry.toml", std::iter::empty()).unwrap();
        assert_prints_itself(&explained);
        (explained.config.modes.at("GB"), explained.consequences().join("\n"))
    };
    for (lines, at_home, words) in [
        ("", Mode::OptIn, "have not chosen are not counted (mode opt-in)"),
        ("statistics_countries = [\"GB\"]", Mode::OptIn, "are not counted (mode opt-in)"),
        ("mode = \"uk-statistics\"", Mode::UkStatistics, "visitors in GB who have not chosen are counted by the hour"),
        ("mode = \"uk-statistics\"\nstatistics_countries = []", Mode::OptIn, "applies nowhere"),
        ("mode = \"uk-statistics\"\n[geo]\ndatabase = \"off\"", Mode::UkStatistics, "countries are not looked up."),
        ("honour_dnt = true", Mode::OptIn, "Sec-GPC: 1 and DNT: 1 refuse marketing"),
        ("honour_dnt = false", Mode::OptIn, "DNT is ignored"),
    ] {
        let (mode, said) = said(lines);
        assert!(mode == at_home && said.contains(words), "{lines}: {said}");
    }
    for (purposes, words) in [
        (
            "[[purpose]]\nid = \"ads\"\ntitle = \"a\"\ndescription = \"b\"\ngoogle_consent = [\"ad_storage\"]\n[[purpose]]\nid = \"marketing\"\n",
            "Sec-GPC: 1 refuses ads and marketing and objects to being counted, as long as",
        ),
        ("[[purpose]]\nid = \"analytics\"\n", "Sec-GPC: 1 objects to being counted, as long as"),
    ] {
        let (_, said) = said(&format!("honour_dnt = false\n{purposes}"));
        assert!(said.contains(words), "{said}");
    }
    for wrong in [
        "mode = \"opt-out\"",
        "statistics_countries = [\"UK\"]",
        "statistics_countries = [\"gb\"]",
        "honour_dnt = \"yes\"",
        "honour_dnt = 1",
    ] {
        let found = problems(&format!("{MINIMAL}[consent]\n{wrong}\n"));
        assert!(found.len() == 1 && found[0].key.starts_with("consent."), "{wrong}");
    }
}

#[test]
fn every_key_is_explained_once() {
    let explained = Config::explain_toml(MINIMAL, "consentry.toml", std::iter::empty()).unwrap();
    for section in SECTIONS.iter().filter(|section| !section.list) {
        for key in section.keys {
            let whole =
                if section.name.is_empty() { key.name.into() } else { format!("{}.{}", section.name, key.name) };
            let count = explained.settings.iter().filter(|setting| setting.key == whole).count();
            assert_eq!(count, 1, "{whole}");
        }
    }
}

#[test]
fn every_key_has_its_variable() {
    for section in SECTIONS.iter().filter(|section| !section.list) {
        for (variable, key) in section.variables() {
            let Some(default) = key.and_then(|key| key.default) else { continue };
            let config = read_with(MINIMAL, &[(&variable, default)]).unwrap_or_else(|error| panic!("{error}"));
            assert!(same(&config, &read(MINIMAL).unwrap()), "{variable}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", name in "[A-Z_]*", value in "\\PC*") {
        let _ = read_with(&text, &[(&format!("CONSENTRY__{name}"), &value)]);
    }

    /// Text that is nearly a configuration goes deeper than noise.
    #[test]
    fn no_configuration_of_nonsense_panics(
        lines in proptest::collection::vec((0usize..60, proptest::sample::select(VALUES)), 0..30),
    ) {
        let mut keys: Vec<String> = SECTIONS.iter().flat_map(|section| {
            section.keys.iter().map(|key| key.name.to_owned()).chain([section.header()])
        }).collect();
        keys.sort();
        let text: String = lines.iter().map(|(key, value)| match &keys[key % keys.len()] {
            header if header.starts_with('[') => format!("{header}\n"),
            key => format!("{key} = {value}\n"),
        }).collect();
        if let Err(error) = read(&text) {
            for problem in error.problems() {
                let Origin::File { line, column, .. } = problem.origin else { panic!("{problem}") };
                proptest::prop_assert!((1..=text.lines().count().max(1) + 1).contains(&line) && column > 0);
                proptest::prop_assert_eq!(problem.to_string().lines().count(), 1);
            }
        }
    }

    /// Whatever is valid can be printed and read again.
    #[test]
    fn what_is_valid_prints_itself(
        port in 1u16.., title in "\\PC{1,50}", head in 8192u64..=1_048_576, millis in 10u64..3_600_000, months in 1u16..=1200,
    ) {
        let text = format!(
            "[gateway]\nupstream = \"http://site:{port}\"\n[gateway.limits]\nmax_head_bytes = {head}\n\
             idle_timeout = \"{millis}ms\"\n[consent]\nbanner_title = {}\n[retention]\nperiod = \"{months} months\"\n",
            kind::quoted(&title),
        );
        if let Ok(explained) = Config::explain_toml(&text, "consentry.toml", std::iter::empty()) {
            assert_prints_itself(&explained);
        } else {
            proptest::prop_assert!(title.trim().is_empty(), "{title:?}");
        }
    }
}

const VALUES: &[&str] = &[
    "1",
    "0",
    "-9223372036854775808",
    "\"\"",
    "\"a\"",
    "\"/\"",
    "\"http://127.0.0.1:8080\"",
    "\"127.0.0.1:8080\"",
    "\"*\"",
    "\"analytics\"",
    "\"é€\\n\"",
    "[]",
    "[\"10.0.0.0/8\", 3]",
    "{}",
    "\"6 years\"",
    "\"99999999999999999999 years\"",
    "1e9",
    "\"country\"",
    "= =",
];

#[test]
fn a_network_of_ipv4_within_ipv6_is_the_one_that_connections_come_from() {
    let networks = "[\"::ffff:10.0.0.0/104\", \"::ffff:192.0.2.1\", \"::ffff:0:0/96\", \"2001:db8::/32\"]";
    let config = read(&format!("{MINIMAL}trusted_proxies = {networks}\nproxy_protocol_from = {networks}")).unwrap();
    let expected = ["10.0.0.0/8", "192.0.2.1/32", "0.0.0.0/0", "2001:db8::/32"].map(|net| net.parse().unwrap());
    assert_eq!(config.gateway.trusted_proxies, expected);
    assert_eq!(config.gateway.doors.proxy_protocol_from, expected);
}
