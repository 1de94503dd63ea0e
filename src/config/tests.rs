//! What is promised about configurations: the smallest one works, the example is true, and everything wrong is named with
//! its place.

use std::time::Duration;

use super::known::SECTIONS;
use super::problem::Problem;
use super::*;

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
    assert_eq!(config.gateway.upstream, UpstreamUrl { tls: false, host: "127.0.0.1".into(), port: 3000 });
    assert_eq!(config.gateway.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(config.gateway.site_id, 1);
    assert!(config.gateway.trusted_proxies.is_empty() && (1..=256).contains(&config.gateway.workers));
    assert_eq!(config.gateway.limits.max_head_bytes, 32 << 10);
    assert_eq!(config.gateway.limits.max_body_bytes, 1 << 30);
    assert_eq!(config.gateway.limits.max_connections, 10_000);
    assert_eq!(config.gateway.limits.answer_timeout, Duration::from_secs(60));
    assert_eq!(config.consent.path, "/_privacy");
    assert_eq!(config.policy.purposes(), Policy::default().purposes());
    assert_eq!((config.policy.version, config.policy.choice_life), (1, 182 * 86_400));
    assert_eq!(config.retention.retention_days(), 2192);
    assert_eq!(config.ip_prefixes, IpPrefixes { v4: 24, v6: 48 });
    assert_eq!(config.key_ring, PathBuf::from("./consentry-data/keys.json"));
    assert_eq!(config.geo, Geo::Country);
    assert_eq!((config.spool.max_bytes, config.spool.batch_rows), (4 << 30, 10_000));
    assert!(matches!(config.clickhouse, ClickHouse::Embedded { listen: None }));
    assert_eq!(config.dashboard.listen.to_string(), "127.0.0.1:8090");
    assert_eq!(config.observe.log, tracing::Level::INFO);
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
        Some(rest) if rest.starts_with("listen = ") => None,
        Some(rest) if rest.starts_with(' ') || rest.is_empty() => None,
        Some(rest) => Some(rest),
        None => Some(line),
    });
    let text = offered.collect::<Vec<_>>().join("\n");
    let config = read(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((config.cookies.len(), config.tags.len(), config.policy.purposes().len()), (2, 2, 3));
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
        [[cookie]]
        name = "_ga"
        purpose = "necessary"
        [[tag]]
        host = "*.Example.com:8443"
        purpose = "health"
        [capture]
        query_keys = ["page", "q"]
        [retention]
        period = "48 months"
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
    assert_eq!(gateway.upstream, UpstreamUrl { tls: true, host: "site.internal".into(), port: 443 });
    assert_eq!(gateway.trusted_proxies, ["10.0.0.0/8".parse().unwrap(), "2001:db8::1/128".parse().unwrap()]);
    assert_eq!(gateway.limits.head_timeout, Duration::from_secs(90));
    assert_eq!(config.consent.banner_title, "Hello there");
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
    assert_eq!(config.tags, [DeclaredTag { host: "*.example.com:8443".into(), purpose: 2 }]);
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

/// Each: a file, and for each of its problems the line, the key and words of the message.
#[test]
fn everything_wrong_is_named_with_line_key_and_what_is_allowed() {
    type Expected = &'static [(usize, &'static str, &'static str)];
    const G: &str = "[gateway]\nupstream = \"http://127.0.0.1:3000\"\n";
    let cases: &[(&str, &str, Expected)] = &[
        ("", "", &[(1, "gateway.upstream", "is missing")]),
        ("", "[gateway]\n", &[(1, "gateway.upstream", "is missing")]),
        ("", "# c\n\n[gateway]\nworkers = 1", &[(3, "gateway.upstream", "is missing")]),
        ("", "[gateway\nupstream = 3", &[(1, "", "is not TOML")]),
        (
            "",
            "[gateway]\nupstream = \"x\nlisten = = 3\n",
            &[(2, "gateway.upstream", "is not TOML"), (3, "gateway.listen", "is not TOML")],
        ),
        (G, "upstream = \"http://127.0.0.1:3001\"", &[(3, "gateway.upstream", "duplicate key")]),
        (G, "[gateway]\nworkers = 2", &[(3, "", "duplicate key")]),
        (G, "upsteam = 1", &[(3, "gateway.upsteam", "unknown key (did you mean `upstream`?)")]),
        (G, "max-body-bytes = 1", &[(3, "gateway.max-body-bytes", "unknown key")]),
        (G, "max_body_bytes = 1", &[(3, "gateway.max_body_bytes", "[gateway.limits]")]),
        (G, "[gatway.limits]\nx = 1", &[(3, "gatway", "did you mean `gateway`?")]),
        (G, "[gateway.limit]\nx = 1", &[(3, "gateway.limit", "did you mean `limits`?")]),
        (G, "tls = { cert = \"x\" }", &[(3, "gateway.tls", "allowed: in [gateway]: listen, upstream")]),
        (G, "[clickhouse]\ncluster = \"c\"", &[(4, "clickhouse.cluster", "url, user, password_file, listen")]),
        (G, "[observe]\naccess_log = \"x\"", &[(4, "observe.access_log", "unknown key")]),
        (G, "[consent]\nadapters = []", &[(4, "consent.adapters", "unknown key")]),
        ("listen = \"1\"\n", G, &[(1, "listen", "[gateway] or in [clickhouse] or in [dashboard]")]),
        ("gateway = 3", "", &[(1, "gateway", "not a section")]),
        ("[[gateway]]", "", &[(1, "gateway", "is written as a list")]),
        (G, "[cookie]\nname = \"a\"", &[(3, "cookie", "[[cookie]], as often as needed")]),
        (G, "listen = \"localhost:80\"", &[(3, "gateway.listen", "write \"127.0.0.1:80\"")]),
        (G, "listen = \":80\"", &[(3, "gateway.listen", "write \"0.0.0.0:80\"")]),
        (G, "listen = \"127.0.0.1\"", &[(3, "gateway.listen", "\"127.0.0.1\" has no port")]),
        (G, "listen = 8080", &[(3, "gateway.listen", "8080 is a whole number, not a text")]),
        (G, "site_id = 0", &[(3, "gateway.site_id", "0 is too small; allowed: a whole number from 1 to 4294967295")]),
        (G, "site_id = 99999999999999999999", &[(3, "gateway.site_id", "is too large")]),
        (G, "site_id = \"1\"", &[(3, "gateway.site_id", "not a whole number")]),
        (G, "site_id = 1.5", &[(3, "gateway.site_id", "1.5 is a number with a fraction")]),
        (G, "workers = 257", &[(3, "gateway.workers", "from 1 to 256")]),
        (G, "trusted_proxies = \"10.0.0.0/8\"", &[(3, "gateway.trusted_proxies", "not a list")]),
        (
            G,
            "trusted_proxies = [\n\"10.0.0.0/8\",\n\"10.0.0.0/33\",\n\"10.9.9.9/8\"]",
            &[(5, "gateway.trusted_proxies", "is not a network"), (6, "gateway.trusted_proxies", "twice")],
        ),
        (G, "[gateway.limits]\nmax_head_bytes = \"1 KiB\"", &[(4, "gateway.limits.max_head_bytes", "from 8 KiB")]),
        (G, "[gateway.limits]\nidle_timeout = 30", &[(4, "gateway.limits.idle_timeout", "such as \"500ms\"")]),
        (G, "[gateway.limits]\nidle_timeout = \"30\"", &[(4, "gateway.limits.idle_timeout", "with its unit")]),
        (G, "[gateway.limits]\nidle_timeout = \"2 days\"", &[(4, "gateway.limits.idle_timeout", "too long")]),
        (G, "[consent]\npath = \"/\"", &[(4, "consent.path", "the whole site")]),
        (G, "[consent]\npath = \"/a/\"", &[(4, "consent.path", "ends with a slash")]),
        (G, "[consent]\npath = \"a\"", &[(4, "consent.path", "begin with a slash")]),
        (G, "[consent]\npath = \"/a//b\"", &[(4, "consent.path", "empty or dotted")]),
        (G, "[consent]\npath = \"/../b\"", &[(4, "consent.path", "empty or dotted")]),
        (G, "[consent]\npath = \"/a b\"", &[(4, "consent.path", "characters")]),
        (G, "[consent]\npath = \"/é\"", &[(4, "consent.path", "characters")]),
        (G, "[consent]\nchoice_days = 401", &[(4, "consent.choice_days", "from 1 to 400")]),
        (G, "[consent]\npolicy_version = 65536", &[(4, "consent.policy_version", "from 1 to 65535")]),
        (G, "[consent]\nbanner_title = \"  \"", &[(4, "consent.banner_title", "is empty")]),
        (G, "[consent]\nnotice_url = \"javascript:alert(1)\"", &[(4, "consent.notice_url", "a URL with http")]),
        (G, "[consent]\nnotice_url = \"//evil.example\"", &[(4, "consent.notice_url", "neither")]),
        (G, "[[purpose]]\nid = \"Health\"\ntitle = \"t\"\ndescription = \"d\"", &[(4, "purpose[0].id", "a-z")]),
        (
            G,
            "[[purpose]]\nid = \"health\"",
            &[(3, "purpose[0].title", "is missing"), (3, "purpose[0].description", "is missing")],
        ),
        (G, "[[purpose]]\nid=\"analytics\"\n[[purpose]]\nid=\"analytics\"", &[(6, "purpose[1].id", "twice")]),
        (G, "[[cookie]]\npurpose = \"analytics\"", &[(3, "cookie[0].name", "is missing")]),
        (G, "[[cookie]]\nname = \"a\"", &[(3, "cookie[0].purpose", "is missing")]),
        (
            G,
            "[[cookie]]\nname = \"a\"\npurpose = \"ads\"",
            &[(5, "cookie[0].purpose", "allowed: necessary, preferences, analytics, marketing")],
        ),
        (
            G,
            "[[cookie]]\nname = \"a\"\npurpose = \"analytics\"\n[[cookie]]\nname = \"a\"\npurpose = \"marketing\"",
            &[(7, "cookie[1].name", "\"a\" is declared twice")],
        ),
        (G, "[[cookie]]\nname = \"*\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "every cookie")]),
        (G, "[[cookie]]\nname = \"a*b\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "star")]),
        (G, "[[cookie]]\nname = \"a b\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "characters")]),
        (G, "[[cookie]]\nname = \"consentry\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "own cookies")]),
        (G, "[[cookie]]\nname = \"consentry_x*\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "own cookies")]),
        (G, "[[cookie]]\nname = \"con*\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "own cookies")]),
        (G, "[[cookie]]\nname = \"__Host-consentry\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "own")]),
        (
            G,
            "[[tag]]\nhost = \"https://a.example/\"\npurpose = \"marketing\"",
            &[(4, "tag[0].host", "more than a host")],
        ),
        (G, "[[tag]]\nhost = \"a.*.example\"\npurpose = \"marketing\"", &[(4, "tag[0].host", "star")]),
        (G, "[[tag]]\nhost = \"a.example:0\"\npurpose = \"marketing\"", &[(4, "tag[0].host", "port")]),
        (G, "[[tag]]\nhost = \"bücher.example\"\npurpose = \"marketing\"", &[(4, "tag[0].host", "xn--")]),
        (
            G,
            "[capture]\nquery_keys = [\"a=b\", \"c\", \"c\"]",
            &[(4, "capture.query_keys", "more than the name"), (4, "capture.query_keys", "twice")],
        ),
        (G, "[retention]\nperiod = \"six years\"", &[(4, "retention.period", "such as \"6 years\"")]),
        (G, "[retention]\nperiod = \"0 days\"", &[(4, "retention.period", "from 1 day")]),
        (G, "[pseudonym]\nipv4_prefix = 32", &[(4, "pseudonym.ipv4_prefix", "24, 16, 0 or \"none\"")]),
        (G, "[pseudonym]\nipv6_prefix = 64", &[(4, "pseudonym.ipv6_prefix", "48, 32, 0 or \"none\"")]),
        (
            G,
            "[pseudonym]\nkey_ring = \"consentry-data/../consentry-data/clickhouse/keys.json\"",
            &[(4, "pseudonym.key_ring", "database's folder")],
        ),
        (G, "[geo]\ndatabase = \"contry\"", &[(4, "geo.database", "\"country\", \"off\" or the path")]),
        (G, "[spool]\nmax_bytes = \"4 gigs\"", &[(4, "spool.max_bytes", "is not a size")]),
        (G, "[spool]\nbatch_rows = 0", &[(4, "spool.batch_rows", "too small")]),
        (
            G,
            "[clickhouse]\nurl = \"http://db:8123\"\nlisten = \"127.0.0.1:8123\"",
            &[(5, "clickhouse.listen", "either url")],
        ),
        (G, "[clickhouse]\nlisten = \"0.0.0.0:8123\"", &[(4, "clickhouse.listen", "loopback")]),
        (G, "[clickhouse]\nuser = \"a\"", &[(4, "clickhouse.user", "no url is set")]),
        (G, "[clickhouse]\nurl = \"http://127.0.0.1:8090\"", &[(4, "clickhouse.url", "is this process itself")]),
        (G, "[clickhouse]\nurl = \"tcp://db:9000\"", &[(4, "clickhouse.url", "neither http:// nor https://")]),
        (G, "[dashboard]\nlisten = \"127.0.0.1:8080\"", &[(4, "dashboard.listen", "is taken by gateway.listen")]),
        (G, "listen = \"127.0.0.1:8090\"", &[(3, "gateway.listen", "is taken by dashboard.listen")]),
        (G, "[clickhouse]\nlisten = \"127.0.0.1:8090\"", &[(4, "clickhouse.listen", "taken by dashboard.listen")]),
        (G, "[observe]\nlog = \"loud\"", &[(4, "observe.log", "\"error\", \"warn\", \"info\", \"debug\"")]),
        ("data_dir = \"\"\n", G, &[(1, "data_dir", "is empty")]),
    ];
    for (before, after, expected) in cases {
        let text = format!("{before}{after}");
        let found = problems(&text);
        assert_eq!(found.len(), expected.len(), "{text}\n{found:#?}");
        for (problem, (line, key, words)) in found.iter().zip(*expected) {
            let message = problem.to_string();
            assert!(matches!(&problem.origin, Origin::File { line: found, .. } if found == line), "{text}\n{message}");
            assert_eq!(problem.key, *key, "{text}\n{message}");
            assert!(message.contains(words), "{text}\n{message}\nlacks: {words}");
            assert!(message.starts_with(&format!("consentry.toml:{line}:")), "{message}");
        }
    }
}

#[test]
fn an_upstream_is_a_scheme_a_host_and_a_port() {
    let with = |url: &str| read(&format!("[gateway]\nupstream = {}\n", kind::quoted(url)));
    for (url, host, port) in [
        ("http://site.example", "site.example", 80),
        ("https://site.example/", "site.example", 443),
        ("http://[::1]:3000", "::1", 3000),
        ("http://[0:0:0:0:0:0:0:1]:3000", "::1", 3000),
        ("http://my_site:3000", "my_site", 3000),
        ("http://127.0.0.1:8081", "127.0.0.1", 8081),
    ] {
        let upstream = with(url).unwrap().gateway.upstream;
        assert_eq!((upstream.host.as_str(), upstream.port), (host, port), "{url}");
        assert_eq!(with(&upstream.to_string()).unwrap().gateway.upstream, upstream, "{upstream}");
    }
    for (url, words) in [
        ("", "does not begin with"),
        ("127.0.0.1:3000", "does not begin with"),
        ("ftp://a", "neither"),
        ("http://", "no host"),
        ("http://:3000", "no host"),
        ("http://a:", "port"),
        ("http://a:0", "port"),
        ("http://a:65536", "port"),
        ("http://a:+80", "port"),
        ("http://[::1", "host"),
        ("http://::1:3000", "host"),
        ("http://[zz]:3000", "IPv6"),
        ("http://a/shop", "route prefixes"),
        ("http://a/?x=1", "more than"),
        ("http://a#x", "more than"),
        ("http://a\\b", "more than"),
        ("http://u:p@a", "user or password"),
        ("http://a b", "host name"),
        ("http://a..b", "host name"),
        ("http://127.1:80", "whole IPv4 address"),
        ("http://2130706433", "whole IPv4 address"),
        ("http://bücher.example", "xn--"),
        ("http://127.0.0.1:8080", "fetch from itself"),
        ("http://localhost:8080", "fetch from itself"),
        ("http://[::1]:8080", "fetch from itself"),
        ("http://[::ffff:127.0.0.1]:8080", "fetch from itself"),
        ("http://0.0.0.0:8080", "fetch from itself"),
        ("http://localhost:8090", "the dashboard"),
    ] {
        let error = with(url).expect_err(url);
        assert_eq!(error.problems().len(), 1, "{url}: {error}");
        assert!(error.to_string().contains(words), "{url}: {error}");
        assert!(error.to_string().contains("gateway.upstream: "), "{url}: {error}");
    }
    let elsewhere = "[gateway]\nlisten = \"127.0.0.1:8080\"\nupstream = \"http://10.0.0.1:8080\"\n";
    assert!(read(elsewhere).is_ok(), "the same port of another machine is another site");
}

#[test]
fn listeners_may_ask_for_any_free_port() {
    let text =
        "[gateway]\nupstream = \"http://a:1\"\nlisten = \"127.0.0.1:0\"\n[dashboard]\nlisten = \"127.0.0.1:0\"\n";
    assert!(read(text).is_ok());
}

#[test]
fn more_purposes_than_bits_are_refused() {
    let purpose = |n: usize| format!("[[purpose]]\nid = \"p{n}\"\ntitle = \"t\"\ndescription = \"d\"\n");
    let seven: String = (0..7).map(purpose).collect();
    assert!(read(&format!("{MINIMAL}{seven}")).is_ok());
    let eight: String = (0..8).map(purpose).collect();
    let found = problems(&format!("{MINIMAL}{eight}"));
    assert!(found[0].to_string().starts_with("consentry.toml:3:"), "{found:?}");
    assert!(found[0].to_string().contains("at most 8 purposes, `necessary` included"), "{found:?}");
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
    assert_eq!(config.gateway.upstream.host, "other");
    assert_eq!(config.gateway.listen.port(), 9);
    assert_eq!(config.gateway.trusted_proxies.len(), 1);
    assert_eq!(config.gateway.limits.max_head_bytes, 64 << 10);
    assert_eq!(config.consent.banner_title, "1984", "a number may be meant as text");
    assert_eq!(config.ip_prefixes.v4, 0);
    assert_eq!(config.cookies[0].name, "sid");
    assert!(read_with("", &[("CONSENTRY__GATEWAY__UPSTREAM", "http://a")]).is_ok(), "the file may be empty");
}

#[test]
fn a_wrong_variable_is_named_instead_of_a_line() {
    for (name, value, words) in [
        ("CONSENTRY__GATEWAY__SITE_ID", "0", "gateway.site_id: 0 is too small"),
        ("CONSENTRY__GATEWAY__SITE_ID", "", "gateway.site_id: \"\" is a text, not a whole number"),
        ("CONSENTRY__GATEWAY__LISTEN", "[1]", "gateway.listen: […] is not an address"),
        ("CONSENTRY__GATEWAY__LISTN", "x", "did you mean CONSENTRY__GATEWAY__LISTEN?"),
        ("CONSENTRY__GATEWAY", "{}", "allowed: CONSENTRY__GATEWAY__LISTEN, "),
        ("CONSENTRY__", "", "CONSENTRY__SECTION__KEY"),
        ("CONSENTRY__gateway__listen", "127.0.0.1:1", "did you mean CONSENTRY__GATEWAY__LISTEN?"),
        ("CONSENTRY__COOKIE", "sid", "cookie: \"sid\" is a text, not a section; allowed: a list of tables in TOML"),
        ("CONSENTRY__COOKIE", "[{ name = \"sid\" }]", "cookie[0].purpose: is missing"),
        ("CONSENTRY__COOKIE", "[{ nam = 1 }]", "cookie[0].nam: unknown key (did you mean `name`?)"),
        ("CONSENTRY__COOKIE__NAME", "sid", "unknown variable"),
    ] {
        let error = read_with(MINIMAL, &[(name, value)]).expect_err(name).to_string();
        assert!(error.lines().all(|line| line.starts_with(&format!("{name}: "))), "{error}");
        assert!(error.contains(words), "{error}\nlacks: {words}");
    }
    let bare = problems("[gateway]\nupstream = \"http://a\"\n[clickhouse]\npassword = hunter2\nhunter2 = = 1\nhunter2");
    assert!(bare.len() == 3 && !format!("{bare:?}").contains("hunter2"), "{bare:?}");
    let both = read_with("[gateway]\nx = 1\n[", &[("CONSENTRY__Y", "1")]).expect_err("both are wrong").to_string();
    assert!(both.contains("is not TOML") && both.contains("CONSENTRY__Y: unknown"), "{both}");
}

#[test]
fn a_password_in_the_wrong_place_is_not_repeated() {
    let text = "[gateway]\nupstream = \"http://admin:hunter2@a\"\n[consent]\nnotice_url = \"hunter2@x y\"\n[clickhouse]\n\
                password = \"hunter2\"\nurl = \"http://db:8123/?user=a&password=hunter2\"\n";
    let env = [("CONSENTRY__CLICKHOUSE__PASSWORD", "hunter2"), ("CONSENTRY__DASHBOARD__LISTEN", "hunter2@b")];
    let error = read_with(text, &env).expect_err("all of it is wrong");
    let said = format!("{error}\n{error:?}\n{}", serde_json::to_string(error.problems()).unwrap());
    assert_eq!(error.problems().len(), 6, "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert!(said.contains("file of its own, named by password_file"), "{said}");
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
fn every_key_refuses_what_it_cannot_take() {
    for section in SECTIONS {
        for key in section.keys {
            for wrong in ["1.5", "true", "-1", "1979-05-27", "\"\\u0000\"", "[[]]", "{ a = 1 }", "\"\"", "1e400", "nan"]
            {
                let header = if section.name.is_empty() { String::new() } else { section.header() };
                let text = format!("{header}\n{} = {wrong}\n", key.name);
                let found = problems(&text);
                let at_key = |problem: &Problem| {
                    problem.key.ends_with(key.name)
                        && !problem.allowed.is_empty()
                        && problem.to_string().starts_with("consentry.toml:2:")
                };
                assert!(found.iter().any(at_key), "{text}\n{found:?}");
            }
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
