//! Everything that is wrong is reported at once, with its place, its key, its value and what is allowed.

use super::*;
use crate::upstream::Address;

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
        (G, "tls = { cert = \"x\" }", &[(3, "gateway.tls.cert", "allowed: in [gateway.tls]: listen, min_version")]),
        (G, "[clickhouse]\ncluster = \"c\"", &[(4, "clickhouse.cluster", "url, user, password_file, listen")]),
        (G, "[observe]\naudit = \"x\"", &[(4, "observe.audit", "unknown key")]),
        (G, "[consent]\nadapters = []", &[(4, "consent.adapters", "unknown key")]),
        ("listen = \"1\"\n", G, &[(1, "listen", "[gateway] or in [gateway.tls] or in [clickhouse] or in [dashboard]")]),
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
        (
            G,
            "trusted_proxies = [\n\"::ffff:10.0.0.0/90\",\n\"10.0.0.0/8\",\n\"::ffff:10.0.0.0/104\"]",
            &[(4, "gateway.trusted_proxies", "write 10.0.0.0 with a length"), (6, "gateway.trusted_proxies", "twice")],
        ),
        (G, "[gateway.limits]\nmax_head_bytes = \"1 KiB\"", &[(4, "gateway.limits.max_head_bytes", "from 8 KiB")]),
        (G, "[gateway.limits]\nidle_timeout = 30", &[(4, "gateway.limits.idle_timeout", "such as \"500ms\"")]),
        (G, "[gateway.limits]\nidle_timeout = \"30\"", &[(4, "gateway.limits.idle_timeout", "with its unit")]),
        (G, "[gateway.limits]\nidle_timeout = \"2 days\"", &[(4, "gateway.limits.idle_timeout", "too long")]),
        (G, "[gateway.limits]\nmin_body_rate = 240", &[(4, "gateway.limits.min_body_rate", "such as \"240 B/s\"")]),
        (G, "[gateway.limits]\nmin_body_rate = \"240 B\"", &[(4, "gateway.limits.min_body_rate", "is not a rate")]),
        (G, "[gateway.limits]\nmin_body_rate = \"2 MiB/s\"", &[(4, "gateway.limits.min_body_rate", "is too large")]),
        (G, "[consent]\npath = \"/\"", &[(4, "consent.path", "the whole site")]),
        (G, "[consent]\npath = \"/a/\"", &[(4, "consent.path", "ends with a slash")]),
        (G, "[consent]\npath = \"a\"", &[(4, "consent.path", "begin with a slash")]),
        (G, "[consent]\npath = \"/a//b\"", &[(4, "consent.path", "empty or dotted")]),
        (G, "[consent]\npath = \"/../b\"", &[(4, "consent.path", "empty or dotted")]),
        (G, "[consent]\npath = \"/a b\"", &[(4, "consent.path", "characters")]),
        (G, "[consent]\npath = \"/é\"", &[(4, "consent.path", "characters")]),
        (G, "[consent]\nchoice_days = 401", &[(4, "consent.choice_days", "from 1 to 400")]),
        (G, "[consent]\npolicy_version = 65536", &[(4, "consent.policy_version", "from 1 to 65535")]),
        (G, "[consent]\nbanner_version = \"Spring 2026\"", &[(4, "consent.banner_version", "other characters")]),
        (G, "[consent]\nbanner_version = \"10.0.0.1\"", &[(4, "consent.banner_version", "is an address")]),
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
        (
            G,
            "[[cookie]]\nname = \"a\"\npurpose = \"analytics\"\n[[cookie]]\nname = \"a\"\npurpose = \"marketing\"\npath = \"/a\"",
            &[(7, "cookie[1].name", "\"a\" is declared for another purpose")],
        ),
        (
            G,
            "[[cookie]]\nname = \"a\"\npurpose = \"analytics\"\npath = \"shop\"\ndomain = \"https://a.org\"",
            &[(6, "cookie[0].path", "does not begin with a slash"), (7, "cookie[0].domain", "no valid host name")],
        ),
        (
            G,
            "[[cookie]]\nname = \"a\"\npurpose = \"analytics\"\npath = \"/a;b\"",
            &[(6, "cookie[0].path", "characters")],
        ),
        (G, "[[cookie]]\nname = \"*\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "every cookie")]),
        (G, "[[cookie]]\nname = \"a*b\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "star")]),
        (G, "[[cookie]]\nname = \"a b\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "characters")]),
        (G, "[[cookie]]\nname = \"consentry\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "own cookies")]),
        (G, "[[cookie]]\nname = \"consentry_x*\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "own cookies")]),
        (G, "[[cookie]]\nname = \"Consentry_x\"\npurpose = \"necessary\"", &[(4, "cookie[0].name", "own cookies")]),
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
        (G, "[retention]\nconsents = \"for ever\"", &[(4, "retention.consents", "such as \"6 years\"")]),
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
        let [Address::Tcp { host: found, port: at, .. }] = &upstream[..] else { panic!("{upstream}") };
        assert_eq!((found.as_str(), *at), (host, port), "{url}");
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
        ("http://a/shop", "strip_path"),
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
fn calls_are_kept_under_analytics_or_not_at_all() {
    let capture = "[capture]\ncalls_token_file = \"token\"\n";
    let purpose = |id: &str| format!("[[purpose]]\nid = \"{id}\"\ntitle = \"t\"\ndescription = \"d\"\n");
    let found = problems(&format!("{MINIMAL}{capture}{}", purpose("marketing")));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].to_string().starts_with("consentry.toml:4:20: capture.calls_token_file: \"token\""),
        "{}",
        found[0]
    );
    assert!(found[0].to_string().contains("without the purpose `analytics`"), "{}", found[0]);
    assert!(read(&format!("{MINIMAL}{capture}{}", purpose("analytics"))).is_ok());
    assert!(read(&format!("{MINIMAL}{capture}")).is_ok());
}

#[test]
fn a_wrong_variable_is_named_instead_of_a_line() {
    for (name, value, words) in [
        ("CONSENTRY__GATEWAY__SITE_ID", "0", "gateway.site_id: 0 is too small"),
        ("CONSENTRY__GATEWAY__SITE_ID", "", "gateway.site_id: \"\" is a text, not a whole number"),
        ("CONSENTRY__GATEWAY__LISTEN", "[1]", "gateway.listen: 1 is a whole number, not a text"),
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
fn every_key_refuses_what_it_cannot_take() {
    for section in SECTIONS {
        for key in section.keys {
            for wrong in ["1.5", "true", "-1", "1979-05-27", "\"\\u0000\"", "[[]]", "{ a = 1 }", "\"\"", "1e400", "nan"]
            {
                let takes_truth = matches!(key.default, Some("true" | "false"))
                    || ["keep_path", "decision_header", "http2", "strip_path"].contains(&key.name);
                if wrong == "true" && takes_truth {
                    continue;
                }
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
