//! Routes and the way to upstreams: what is written means what it says, and what nobody could understand is refused.

use super::*;
use crate::upstream::Address;
use crate::upstream::settings::{Balance, HashBy, HostPattern, Route};

fn tcp(tls: bool, host: &str, port: u16) -> Address {
    Address::Tcp { tls, host: host.into(), port }
}

#[test]
fn one_upstream_is_one_route_for_everything() {
    let site = read(MINIMAL).unwrap().gateway.site;
    let [Route { host: HostPattern::Any, path, servers, balance: Balance::LeastConnections, .. }] = &site.routes[..]
    else {
        panic!("{site:?}")
    };
    assert_eq!((path.as_str(), &servers[..]), ("/", &[tcp(false, "127.0.0.1", 3000)][..]));
    assert_eq!((site.names_kept, site.ejection.failures), (Duration::from_secs(5), 3));
    assert_eq!(site.routes[0].keep_idle, Duration::from_secs(12));
    assert!(site.routes[0].probing.is_none() && site.error_pages.is_empty());
}

#[test]
fn routes_say_what_differs_and_the_rest_is_as_above() {
    let config = read(
        r#"
        [gateway]
        upstream = ["http://10.0.0.1", "unix:/run/site.sock"]
        [gateway.limits]
        answer_timeout = "7s"
        total_timeout = "1h"
        min_body_rate = "1 KiB/s"
        [gateway.forward]
        balance = "hash"
        hash_header = "X-Tenant"
        tls_ca = "ca.pem"
        keep_idle = "4s"
        [gateway.health]
        path = "/up?deep=1"
        status = 204
        [gateway.error_pages]
        503 = "busy.html"
        [[gateway.route]]
        host = "*.Example.COM"
        path = "/api"
        upstream = "https://10.0.0.2"
        strip_path = true
        http2 = true
        balance = "least-connections"
        idle_timeout = "1s"
        keep_idle = "0s"
        max_body_bytes = "5 GiB"
        min_body_rate = "0 B/s"
        tls_name = "api.internal"
        upstream_host = "api.example"
        [[gateway.route]]
        path = "/files"
        upstream_host = "files.example"
        upstream = "http://10.0.0.3"
        health_path = "/other"
        [[gateway.route]]
        path = "/calls"
        upstream = "http://10.0.0.4"
        health_path = "off"
        "#,
    )
    .unwrap();
    let site = &config.gateway.site;
    let [all, api, files, calls] = &site.routes[..] else { panic!("{site:?}") };
    assert_eq!(all.servers, [tcp(false, "10.0.0.1", 80), Address::Unix("/run/site.sock".into())]);
    let by_tenant = Balance::Hash(HashBy::Header("x-tenant".parse().unwrap()));
    assert_eq!((&all.balance, &files.balance, &api.balance), (&by_tenant, &by_tenant, &Balance::LeastConnections));
    assert_eq!(api.host, HostPattern::Below("example.com".into()));
    assert_eq!((api.strip_path, api.http2, files.strip_path, files.http2), (true, true, false, false));
    assert_eq!((api.tls.name.as_deref(), api.tls.ca.clone()), (Some("api.internal"), Some("ca.pem".into())));
    let told = |route: &Route| (route.told_host.clone(), route.tls.name.clone());
    assert_eq!(told(all), (None, None));
    assert_eq!(told(api), (Some("api.example".into()), Some("api.internal".into())));
    assert_eq!(told(files), (Some("files.example".into()), Some("files.example".into())));
    assert_eq!((api.bounds.answer, api.bounds.idle), (Duration::from_secs(7), Duration::from_secs(1)));
    let keeps = [all, api, files].map(|route| route.keep_idle.as_secs());
    assert_eq!(keeps, [4, 0, 4]);
    assert_eq!(files.bounds.total, Some(Duration::from_secs(3600)));
    assert_eq!((api.bounds.max_request_body, files.bounds.max_request_body), (5 << 30, 1 << 30));
    let rate = |route: &Route| (route.bounds.least_rate.bytes_per_second, route.bounds.least_rate.grace.as_secs());
    assert_eq!((rate(all), rate(api), rate(files)), ((1024, 20), (0, 20), (1024, 20)));
    let asked = |route: &Route| {
        let probing = route.probing.as_ref()?;
        Some((probing.path.clone(), probing.status?.as_u16()))
    };
    let (usual, other) = (Some(("/up?deep=1".into(), 204)), Some(("/other".into(), 204)));
    assert_eq!([all, api, files, calls].map(asked), [usual.clone(), usual, other, None]);
    assert_eq!(site.error_pages, [(http::StatusCode::SERVICE_UNAVAILABLE, "busy.html".into())]);
}

#[test]
fn what_upstreams_are_asked_for_is_explained() {
    let said = |more: &str| {
        let text = format!("{MINIMAL}{more}");
        Config::explain_toml(&text, "consentry.toml", std::iter::empty()).unwrap().consequences().join("\n")
    };
    let route =
        |path: &str| format!("[[gateway.route]]\npath = \"/a\"\nupstream = \"http://b\"\nhealth_path = \"{path}\"\n");
    assert!(!said("").contains("to see how they are"));
    let health = "[gateway.health]\npath = \"/up\"\n";
    for (more, words) in [
        (health.to_owned(), "are asked for /up to see how they are."),
        (format!("{health}{}", route("/b")), "are asked for /up and /b to see how they are."),
        (format!("{health}{}", route("off")), "for /up to see how they are; those of some routes are not asked."),
        (route("/b"), "are asked for /b to see how they are; those of some routes are not asked."),
    ] {
        assert!(said(&more).contains(words), "{more}: {}", said(&more));
    }
}

#[test]
fn with_routes_alone_other_hosts_have_none() {
    let config = read("[[gateway.route]]\nhost = \"a.test\"\nupstream = \"http://10.0.0.1\"").unwrap();
    assert_eq!((config.gateway.site.routes.len(), config.gateway.upstream.len()), (1, 0));
    assert_eq!(config.gateway.upstream.to_string(), "the upstreams of its routes");
}

#[test]
fn what_could_be_understood_in_two_ways_is_refused() {
    let route = |keys: &str| format!("{MINIMAL}[[gateway.route]]\n{keys}\n");
    let to = "upstream = \"http://10.0.0.9\"";
    let twice = |one: &str, other: &str| route(&format!("{one}\n{to}\n[[gateway.route]]\n{other}\n{to}"));
    for (text, key, words) in [
        (route(to), "gateway.route[0].path", "is for every host and path, as [gateway] upstream is"),
        (twice("path = \"/a\"", "path = \"/a\""), "gateway.route[1].path", "the same as in a route above"),
        (twice("host = \"a.test\"", "host = \"A.test.\""), "gateway.route[1].host", "the same as in a route above"),
        (route("path = \"/a\""), "gateway.route[0].upstream", "is missing"),
        (route(&format!("host = \"a:80\"\n{to}")), "gateway.route[0].host", "has a port"),
        (route(&format!("host = \"*\"\n{to}")), "gateway.route[0].host", "no valid host name"),
        (route(&format!("host = \"*.*.a\"\n{to}")), "gateway.route[0].host", "has a star elsewhere"),
        (route(&format!("path = \"a\"\n{to}")), "gateway.route[0].path", "slash"),
        (route(&format!("path = \"/a/\"\n{to}")), "gateway.route[0].path", "ends with a slash"),
        (route(&format!("path = \"/a/../b\"\n{to}")), "gateway.route[0].path", "dotted part"),
        (route(&format!("path = \"/api/*\"\n{to}")), "gateway.route[0].path", "write \"/api\""),
        (route(&format!("path = \"/*\"\n{to}")), "gateway.route[0].path", "write \"/\""),
        (
            route(&format!("path = \"/a*/b\"\n{to}")),
            "gateway.route[0].path",
            "a path with all below is meant without one",
        ),
        (route(&format!("path = \"/a b\"\n{to}")), "gateway.route[0].path", "percent-encoded"),
        (route(&format!("host = \"a\"\nstrip_path = true\n{to}")), "gateway.route[0].strip_path", "no path"),
        (route(&format!("host = \"a\"\nhash_header = \"x\"\n{to}")), "gateway.route[0].hash_header", "hash"),
        (route(&format!("host = \"a\"\ntls_name = \"x\"\n{to}")), "gateway.route[0].tls_name", "speaks TLS"),
        (
            route("host = \"a\"\nupstream = \"https://a\"\ntls_key = \"k\""),
            "gateway.route[0].tls_key",
            "without tls_certificate",
        ),
        (route("host = \"a\"\nupstream = \"http://127.0.0.1:8080\""), "gateway.route[0].upstream", "this process"),
        (route("host = \"a\"\nupstream = \"unix:run/a\""), "gateway.route[0].upstream", "no whole path"),
        (route("host = \"a\"\nupstream = []"), "gateway.route[0].upstream", "is empty"),
        (
            route("host = \"a\"\nupstream = [\"http://a\", \"http://a:80\"]"),
            "gateway.route[0].upstream",
            "is there twice",
        ),
        (
            format!("{MINIMAL}[gateway.forward]\nhash_header = \"x\"\n[[gateway.route]]\nhost = \"a\"\n{to}"),
            "gateway.forward.hash_header",
            "balance = \"hash\", here or in a route",
        ),
        (format!("{MINIMAL}[gateway.forward]\ntls_verify = false"), "gateway.forward.tls_verify", "not a text"),
        (format!("{MINIMAL}[gateway.health]\npath = \"up\""), "gateway.health.path", "slash"),
        (route(&format!("host = \"a\"\nhealth_path = \"no\"\n{to}")), "gateway.route[0].health_path", "slash"),
        (format!("{MINIMAL}[gateway.error_pages]\n500 = \"a\""), "gateway.error_pages.500", "unknown key"),
    ] {
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].key, key, "{text}");
        assert!(found[0].to_string().contains(words), "{text}: {}", found[0]);
    }
}

#[test]
fn a_header_in_forward_may_be_for_a_route_that_goes_by_it() {
    let text = format!(
        "{MINIMAL}[gateway.forward]\nhash_header = \"x\"\n[[gateway.route]]\nhost = \"a\"\nupstream = \"http://b\"\nbalance = \"hash\"\n"
    );
    assert!(read(&text).is_ok());
}
