//! What is right by itself but wrong together: a gateway that would fetch from itself, two listeners at one address, keys
//! beside the data they protect.

use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};

use super::kind::quoted;
use super::read::Reader;
use super::{ClickHouse, Config, UpstreamUrl, web};
use crate::engine::database_folder;
use crate::upstream::Address;

/// Reports what does not fit together; values that are wrong in themselves are left alone.
pub(super) fn check(config: &Config, reader: &mut Reader<'_>) {
    listeners(config, reader);
    tls(config, reader);
    upstream(config, reader);
    server(config, reader);
    key_ring(config, reader);
    calls(config, reader);
}

/// Every address this process listens at.
fn addresses(config: &Config) -> Vec<(&'static str, SocketAddr)> {
    let engine = match config.clickhouse {
        ClickHouse::Embedded { listen } => listen,
        ClickHouse::Server { .. } => None,
    };
    let plain = config.gateway.doors.listen.iter().map(|place| ("gateway", place));
    let tls = config.gateway.tls.iter().flat_map(|tls| &tls.listen).map(|place| ("gateway.tls", place));
    let visitors = plain.chain(tls).filter_map(|(section, place)| Some((section, place.tcp()?)));
    let own = [("dashboard", config.dashboard.listen)].into_iter().chain(engine.map(|listen| ("clickhouse", listen)));
    visitors.chain(own).collect()
}

fn listeners(config: &Config, reader: &mut Reader<'_>) {
    let all = addresses(config);
    for (index, (section, address)) in all.iter().enumerate() {
        for (other, taken) in all.iter().take(index) {
            let paths = [format!("{section}.listen"), format!("{other}.listen")];
            if !overlap(*address, *taken) || reader.any_wrong(&[&paths[0], &paths[1]]) {
                continue;
            }
            // The later one is reported, unless only the earlier one was written.
            let [late, early] = [section, other].map(|name| reader.section(name));
            let swap = !reader.is_written(&late, "listen") && reader.is_written(&early, "listen");
            let (place, value, beside) = if swap { (early, taken, &paths[0]) } else { (late, address, &paths[1]) };
            let what = format!("is taken by {beside}");
            let allowed = "a port of its own for each listener".into();
            reader.refuse(&place, "listen", Some(quoted(&value.to_string())), what, allowed);
        }
    }
}

/// A place without an address cannot be both plain and TLS, and an authority that asks at port 80 must find somebody there.
fn tls(config: &Config, reader: &mut Reader<'_>) {
    let Some(tls) = &config.gateway.tls else { return };
    if reader.any_wrong(&["gateway.listen", "gateway.tls"]) {
        return;
    }
    let plain = &config.gateway.doors.listen;
    if let Some(twice) = tls.listen.iter().find(|place| place.tcp().is_none() && plain.contains(place)) {
        let place = reader.section("gateway.tls");
        let allowed = "a place of its own for each listener".into();
        reader.refuse(&place, "listen", Some(quoted(&twice.to_string())), "is taken by gateway.listen".into(), allowed);
    }
    let by_file = |acme: &super::Acme| acme.challenge == super::AcmeChallenge::Http01;
    if plain.is_empty() && tls.acme.as_ref().is_some_and(by_file) {
        let place = reader.section("gateway.tls.acme");
        let what = "cannot be met: nobody listens without TLS ([gateway] listen)".into();
        reader.refuse(&place, "challenge", Some(quoted("http-01")), what, quoted("tls-alpn-01"));
    }
}

/// Whether two listeners cannot stand beside each other. Port 0 is any free one.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    one.port() != 0 && one.port() == other.port() && (a == b || a.is_unspecified() || b.is_unspecified())
}

fn upstream(config: &Config, reader: &mut Reader<'_>) {
    let servers: Vec<UpstreamUrl> = config.gateway.upstream.iter().filter_map(over_tcp).collect();
    let routes = config.gateway.site.routes.iter().skip(usize::from(!config.gateway.upstream.is_empty()));
    let places = reader.items("gateway.route");
    for (section, listen) in addresses(config) {
        let path = format!("{section}.listen");
        // Only where every route was read do they stand in the order of their places.
        let sound = !reader.any_wrong(&["gateway.route", &path]);
        for (route, place) in routes.clone().zip(&places).filter(|_| sound) {
            for server in route.servers.iter().filter_map(over_tcp).filter(|server| reaches(server, listen)) {
                let what = format!("is this process itself ({path})");
                let allowed = "the address of the site".into();
                reader.refuse(place, "upstream", Some(quoted(&server.to_string())), what, allowed);
            }
        }
        let Some(upstream) = servers.iter().find(|server| reaches(server, listen)) else { continue };
        if reader.any_wrong(&["gateway.upstream", &path]) {
            continue;
        }
        let what = match section {
            "gateway" | "gateway.tls" => {
                format!("is the gateway's own address ({path}): it would fetch from itself without end")
            }
            "dashboard" => format!("is the dashboard ({path}), which visitors must not reach"),
            _ => format!("is the embedded ClickHouse ({path}), which visitors must not reach"),
        };
        let place = reader.section("gateway");
        let allowed = "the address of the site".into();
        reader.refuse(&place, "upstream", Some(quoted(&upstream.to_string())), what, allowed);
    }
}

fn over_tcp(address: &Address) -> Option<UpstreamUrl> {
    match address {
        Address::Tcp { tls, host, port } => Some(UpstreamUrl { tls: *tls, host: host.clone(), port: *port }),
        Address::Unix(_) => None,
    }
}

/// A server that is really one of our own listeners.
fn server(config: &Config, reader: &mut Reader<'_>) {
    let ClickHouse::Server { url, .. } = &config.clickhouse else { return };
    let Ok(parts) = web::parse_server(url, "") else { return };
    for (section, listen) in addresses(config) {
        let path = format!("{section}.listen");
        if reaches(&parts, listen) && !reader.any_wrong(&["clickhouse.url", &path]) {
            let place = reader.section("clickhouse");
            let what = format!("is this process itself ({path})");
            reader.refuse(&place, "url", Some(quoted(url)), what, "the address of the ClickHouse server".into());
        }
    }
}

/// Whether connecting to the upstream would end at `listen`, as far as can be told without asking a name server.
fn reaches(upstream: &UpstreamUrl, listen: SocketAddr) -> bool {
    if upstream.port != listen.port() {
        return false;
    }
    let name = upstream.host.trim_end_matches('.');
    let listen = listen.ip().to_canonical();
    if name == "localhost" || name.ends_with(".localhost") {
        return listen.is_loopback() || listen.is_unspecified();
    }
    let Ok(host) = name.parse::<IpAddr>().map(|host| host.to_canonical()) else { return false };
    // Connecting to 0.0.0.0 or :: arrives at this machine.
    let here = host.is_loopback() || host.is_unspecified();
    host == listen || (here && listen.is_unspecified()) || (host.is_unspecified() && listen.is_loopback())
}

/// D2: a copy of the database's folder must not bring the keys along.
fn key_ring(config: &Config, reader: &mut Reader<'_>) {
    if reader.any_wrong(&["data_dir", "pseudonym.key_ring"]) {
        return;
    }
    let folder = database_folder(&config.data_dir);
    if plain(&config.key_ring).starts_with(plain(&folder)) {
        let what = format!("lies in the database's folder {}", folder.display());
        let place = reader.section("pseudonym");
        let shown = Some(quoted(&config.key_ring.display().to_string()));
        reader.refuse(&place, "key_ring", shown, what, "a file outside the database's folder".into());
    }
}

/// A call is kept under the purpose `analytics`, as far as the caller consents.
fn calls(config: &Config, reader: &mut Reader<'_>) {
    let Some(file) = &config.capture.calls_token_file else { return };
    if config.policy.analytics().is_none() && !reader.any_wrong(&["capture.calls_token_file", "purpose"]) {
        let place = reader.section("capture");
        let shown = Some(quoted(&file.display().to_string()));
        let what = "cannot be: no call may be kept without the purpose `analytics`".to_owned();
        reader.refuse(
            &place,
            "calls_token_file",
            shown,
            what,
            "a [[purpose]] with id = \"analytics\" beside it".into(),
        );
    }
}

/// The path from the root, without `.` and `..`, by its letters alone: the folders need not exist yet.
fn plain(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    whole.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
        plain
    })
}
