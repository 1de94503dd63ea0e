//! `[[gateway.route]]`: which requests go to which upstreams, and how. What a route leaves out is as `[gateway.forward]` and
//! `[gateway.limits]` say.

use std::time::Duration;

use super::kind::{self, Kind, parsed, quoted};
use super::known::{Key, open};
use super::read::{Place, Reader};
use super::upstream::{self, Forward, Health, Upstreams, Word, shown};
use super::{Limits, rate, web};
use crate::upstream::settings::{Address, Balance, Bounds, HostPattern, Most, Route, Settings, TlsSettings};

/// The keys of `[[gateway.route]]`.
pub(super) const ROUTE: &[Key] = &[
    open("host", "the host it is for, or *.host for every one below; every host unless set"),
    open("path", "the path it is for, with all below it; every path unless set"),
    open("upstream", "who answers"),
    open("strip_path", "whether path is taken off before the upstream is asked; false unless set"),
    open("balance", "as in [gateway.forward]"),
    open("hash_header", "as in [gateway.forward]"),
    open("http2", "as in [gateway.forward]"),
    open("upstream_host", "as in [gateway.forward]"),
    open("keep_idle", "as in [gateway.forward]"),
    open("connect_timeout", "as in [gateway.limits]"),
    open("answer_timeout", "as in [gateway.limits]"),
    open("idle_timeout", "as in [gateway.limits]"),
    open("total_timeout", "as in [gateway.limits]"),
    open("max_body_bytes", "as in [gateway.limits]"),
    open("min_body_rate", "as in [gateway.limits], for what visitors send"),
    open("body_grace", "as in [gateway.limits], for what visitors send"),
    open("health_path", "as path in [gateway.health]; \"off\" where its upstreams are not asked"),
    open("tls_ca", "as in [gateway.forward]"),
    open("tls_name", "as in [gateway.forward]"),
    open("tls_certificate", "as in [gateway.forward]"),
    open("tls_key", "as in [gateway.forward]"),
    open("tls_verify", "as in [gateway.forward]"),
];

/// The most routes.
const MAX_ROUTES: usize = 1000;

/// Reads everything about the way to the site; `upstream` is for every host and path that no route is for, unless it is empty.
pub(super) fn settings(reader: &mut Reader<'_>, limits: &Limits, upstream: &Upstreams) -> Settings {
    let forward = upstream::forward(reader);
    let health = upstream::health(reader);
    let error_pages = upstream::error_pages(reader);
    let mut routes: Vec<Route> = Vec::new();
    if !upstream.is_empty() {
        routes.push(Route {
            host: HostPattern::Any,
            path: "/".into(),
            servers: upstream.0.clone(),
            balance: forward.balance.with(forward.hash_header.clone()),
            strip_path: false,
            told_host: forward.told_host.clone(),
            http2: forward.http2,
            tls: TlsSettings { name: forward.tls_name(&forward.told_host), ..forward.tls.clone() },
            bounds: upstream::bounds(limits),
            keep_idle: forward.keep_idle,
            probing: health.probing(None),
        });
    }
    let places = reader.items("gateway.route");
    if places.len() > MAX_ROUTES {
        let place = reader.section("gateway");
        let what = format!("has {} routes", places.len());
        reader.refuse(&place, "route", None, what, format!("at most {MAX_ROUTES}"));
    }
    for place in &places {
        let Some(route) = route(reader, place, (&forward, &health), limits) else { continue };
        let same = routes.iter().position(|other| other.host == route.host && other.path == route.path);
        if let Some(other) = same.filter(|_| !reader.any_wrong(&[&place.path("host"), &place.path("path")])) {
            refuse_double(reader, place, &route, other == 0 && !upstream.is_empty());
        }
        routes.push(route);
    }
    refuse_idle_header(reader, &forward, &routes);
    let most = Most { each: limits.max_upstream_connections, ..Most::default() };
    Settings { routes, ejection: forward.ejection, names_kept: forward.resolve_every, error_pages, most }
}

fn route(
    reader: &mut Reader<'_>,
    place: &Place<'_>,
    (forward, health): (&Forward, &Health),
    limits: &Limits,
) -> Option<Route> {
    let host = reader.maybe(place, "host", host());
    let path = reader.maybe(place, "path", path());
    let servers = reader.required(place, "upstream", upstream::servers());
    let strip_path = reader.or(place, "strip_path", kind::truth(), false);
    let balance = reader.or(place, "balance", kind::word(&upstream::BALANCES), forward.balance);
    let hash_header = reader.maybe(place, "hash_header", upstream::header());
    let http2 = reader.or(place, "http2", kind::truth(), forward.http2);
    let told_host = reader.maybe(place, "upstream_host", web::plain_host()).or_else(|| forward.told_host.clone());
    let keep_idle = reader.or(place, "keep_idle", upstream::keep_idle(), forward.keep_idle);
    let usual = upstream::bounds(limits);
    let time = || kind::duration(Duration::from_millis(10), Duration::from_secs(3600));
    let bounds = Bounds {
        connect: reader.or(place, "connect_timeout", time(), usual.connect),
        answer: reader.or(place, "answer_timeout", time(), usual.answer),
        idle: reader.or(place, "idle_timeout", time(), usual.idle),
        total: reader.maybe(place, "total_timeout", upstream::total()).or(usual.total),
        max_request_body: reader.or(place, "max_body_bytes", kind::size(1 << 10, 1 << 40), usual.max_request_body),
        least_rate: rate::of_route(reader, place, usual.least_rate),
    };
    let health_path = reader.maybe(place, "health_path", upstream::health_path());
    let tls = TlsSettings {
        ca: reader.maybe(place, "tls_ca", kind::path()).or_else(|| forward.tls.ca.clone()),
        name: reader.maybe(place, "tls_name", web::plain_host()).or_else(|| forward.tls_name(&told_host)),
        client: upstream::client(reader, place, forward.tls.client.as_ref()),
        insecure: reader.or(place, "tls_verify", kind::word(&upstream::VERIFY), forward.tls.insecure),
    };

    if hash_header.is_some() && balance == Word::LeastConnections {
        let what = "is for balance = \"hash\"".to_owned();
        reader.refuse(place, "hash_header", None, what, "only together with balance = \"hash\"".into());
    }
    if strip_path && path.as_deref().is_none_or(|path| path == "/") && !reader.any_wrong(&[&place.path("path")]) {
        let what = "has no path to take off".to_owned();
        reader.refuse(place, "strip_path", None, what, "only together with a path such as \"/shop\"".into());
    }
    let servers = servers?;
    let has_tls = servers.iter().any(|server| matches!(server, Address::Tcp { tls: true, .. }));
    for name in ["tls_ca", "tls_name", "tls_certificate", "tls_key", "tls_verify"] {
        if !has_tls && reader.is_written(place, name) {
            let what = "is for an upstream that speaks TLS, but none does".to_owned();
            reader.refuse(place, name, None, what, "only together with an https:// upstream".into());
        }
    }
    Some(Route {
        host: host.unwrap_or(HostPattern::Any),
        path: path.unwrap_or_else(|| "/".into()),
        servers: servers.0,
        balance: balance.with(hash_header.or_else(|| forward.hash_header.clone())),
        strip_path,
        told_host,
        http2,
        tls,
        bounds,
        keep_idle,
        probing: health.probing(health_path),
    })
}

/// A header that decides where nothing is decided by it: somebody who wrote it expects visitors to stay where they were.
fn refuse_idle_header(reader: &mut Reader<'_>, forward: &Forward, routes: &[Route]) {
    let is_used = routes.iter().any(|route| matches!(route.balance, Balance::Hash(_)));
    if forward.hash_header.is_some() && !is_used && !reader.any_wrong(&["gateway.forward", "gateway.route"]) {
        let place = reader.section("gateway.forward");
        let what = "is for balance = \"hash\", and neither it nor a route has that".to_owned();
        reader.refuse(
            &place,
            "hash_header",
            None,
            what,
            "only together with balance = \"hash\", here or in a route".into(),
        );
    }
}

/// Two routes for the same requests: nobody could say which one counts.
fn refuse_double(reader: &mut Reader<'_>, place: &Place<'_>, route: &Route, with_default: bool) {
    let (name, value) = match route.host {
        HostPattern::Any => ("path", shown(&route.path)),
        _ => ("host", shown(&host_text(&route.host))),
    };
    let (what, allowed) = match with_default {
        true => (
            "is for every host and path, as [gateway] upstream is",
            "a host or a path, or no [gateway] upstream beside it",
        ),
        false => ("is together with its path the same as in a route above", "each pair of host and path once"),
    };
    reader.refuse(place, name, value, what.into(), allowed.into());
}

fn host_text(host: &HostPattern) -> String {
    match host {
        HostPattern::Any => "*".into(),
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Below(name) => format!("*.{name}"),
    }
}

fn host() -> Kind<HostPattern> {
    let plain = |text: &str| web::parse_host(text).map(|name| name.trim_end_matches('.').to_owned());
    let parse = move |text: &str| match text.strip_prefix("*.") {
        Some(name) if name.contains('*') => Err("has a star elsewhere than in a leading `*.`".into()),
        Some(name) => Ok(HostPattern::Below(plain(name)?)),
        None if text.contains(':') => Err("has a port or a scheme; routes are told apart by host alone".into()),
        None => Ok(HostPattern::Exact(plain(text)?)),
    };
    parsed("a host such as \"shop.example.com\", or \"*.example.com\" for every host below", parse, host_text)
}

/// What is wrong with a path that has a star, which in other programs stands for all that is below.
fn star(text: &str) -> String {
    let before = text.strip_suffix('*').map(|before| before.trim_end_matches('*'));
    match before.filter(|before| before.ends_with('/') && !before.contains('*')) {
        Some("/") => "has a star; every path is meant without one: write \"/\"".into(),
        Some(before) => {
            let path = quoted(before.trim_end_matches('/'));
            format!("has a star; the path with all below is meant without one: write {path}")
        }
        None => "has a star, which stands for nothing here: a path with all below is meant without one".into(),
    }
}

fn path() -> Kind<String> {
    let parse = |text: &str| {
        let bad = |byte: u8| !byte.is_ascii_graphic() || b"?#\\\"<>".contains(&byte);
        let dotted = |part: &str| matches!(part, "" | "." | "..");
        if text.contains('*') {
            return Err(star(text));
        }
        match text {
            "/" => Ok(text.to_owned()),
            _ if !text.starts_with('/') => Err("does not begin with a slash"),
            _ if text.ends_with('/') => Err("ends with a slash"),
            _ if text.len() > 256 => Err("is longer than 256 characters"),
            _ if text.bytes().any(bad) => Err("has characters that must be percent-encoded"),
            _ if text[1..].split('/').any(dotted) => Err("has an empty or dotted part"),
            _ => Ok(text.to_owned()),
        }
        .map_err(str::to_owned)
    };
    parsed("a path such as \"/shop\": a leading slash, none at its end", parse, String::clone)
}
