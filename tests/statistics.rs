//! L1-L4: visitors who have not chosen are counted where that was switched on and the law allows it, never fewer than ten
//! together, and who objects is not.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::gateway::{Folder, Gateway, TRUSTED_PROXY};
use crate::support::mmdb::Value::{Map, Text};
use crate::support::mmdb::Writer;
use crate::support::site::Site;
use crate::support::visitor::{AGENT, Visitor};
use crate::support::{eventually, files, holds};

const ON: &str = "[consent]\nmode = \"uk-statistics\"";

/// Of a network that the geo database below knows: in England, in France, and in no country at all.
const ENGLAND: &str = "81.2.69.142";
const FRANCE: &str = "82.3.70.143";
const NOWHERE: &str = "83.4.71.144";

fn folder(site: &Site, more: &str) -> Folder {
    let folder = Folder::new(site.address, &format!("trusted_proxies = [\"{TRUSTED_PROXY}\"]\n{more}"));
    let mut places = Writer::new(4);
    places.add("81.0.0.0", 8, &Map(vec![("country_code", Text("GB")), ("state1", Text("England"))]));
    places.add("82.0.0.0", 8, &Map(vec![("country_code", Text("FR")), ("state1", Text("Bretagne"))]));
    fs::write(folder.path().join("places.mmdb"), places.bytes("City")).expect("the folder is ours");
    let configured = folder.path().join("consentry.toml");
    let text = fs::read_to_string(&configured).expect("it was written");
    folder.write("consentry.toml", &text.replace("database = \"off\"", "database = \"./places.mmdb\""));
    folder
}

fn from(gateway: &Gateway, address: &str) -> Visitor {
    let mut visitor = Visitor::new(gateway).saying("X-Forwarded-For", address);
    visitor.from = Some(TRUSTED_PROXY.parse().expect("is an address"));
    visitor
}

/// So many visitors, each with one view of the page. Nobody is given a cookie.
fn visits(gateway: &Gateway, address: &str, field: Option<(&str, &str)>, page: &str, times: u32) {
    visits_that_are_given(gateway, address, field, page, times, &[]);
}

/// So many visitors whose browser objects, which is written down: their browser keeps that it was, and nothing else.
fn objections(gateway: &Gateway, field: (&str, &str), page: &str, times: u32) {
    visits_that_are_given(gateway, ENGLAND, Some(field), page, times, &["consentry"]);
}

fn visits_that_are_given(
    gateway: &Gateway,
    address: &str,
    field: Option<(&str, &str)>,
    page: &str,
    times: u32,
    cookies: &[&str],
) {
    for _ in 0..times {
        let mut visitor = from(gateway, address);
        if let Some((name, value)) = field {
            visitor = visitor.saying(name, value);
        }
        let answer = visitor.get(page);
        assert_eq!(answer.status, 200, "{page}");
        let names: Vec<&str> = answer.all("set-cookie").iter().filter_map(|line| line.split('=').next()).collect();
        assert_eq!(names, cookies, "{page}");
    }
}

/// Waits for a new hour where this one is nearly over: what a test counts is to be in one.
fn within_an_hour() {
    eventually("the hour is not about to end", || {
        let now = std::time::UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs();
        (now % 3600 < 3580).then_some(())
    });
}

/// Ends the gateway in order and gives the table.
fn ended(gateway: Gateway) -> (Folder, Vec<Value>) {
    let (status, folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(0), "{}", folder.log());
    let sql = "select path, referrer, device, country, region, sum(views)::UInt32 as n from consentry.statistics \
               group by all order by all";
    let rows = folder.query(sql);
    (folder, rows)
}

fn row(path: &str, referrer: &str, views: u32) -> Value {
    json!({"path": path, "referrer": referrer, "device": "desktop", "country": "GB", "region": "England", "n": views})
}

fn assert_nothing_names_a_visitor(folder: &Path) {
    let mut looked_at = 0;
    for (file, bytes) in files(folder).into_iter().filter(|(file, _)| !file.ends_with("places.mmdb")) {
        looked_at += bytes.len();
        for address in [ENGLAND, FRANCE, NOWHERE] {
            let octets = address.parse::<std::net::Ipv4Addr>().expect("is an address").to_ipv6_mapped().octets();
            assert!(!holds(&bytes, address.as_bytes()) && !holds(&bytes, &octets), "{address} in {}", file.display());
        }
        for needle in [AGENT, "AppleWebKit", "needle"] {
            assert!(!holds(&bytes, needle.as_bytes()), "{needle} in {}", file.display());
        }
    }
    assert!(looked_at > 1000);
}

#[test]
fn rule_l2_nothing_is_counted_unless_it_is_switched_on() {
    let site = Site::start();
    let gateway = folder(&site, "").serve();
    visits(&gateway, ENGLAND, None, "/off", 12);
    let (folder, rows) = ended(gateway);
    assert!(rows.is_empty(), "{rows:?}");
    assert!(!folder.data().join("statistics").exists());
}

#[test]
fn rule_l4_who_has_not_chosen_is_counted_and_who_objects_is_not() {
    let site = Site::start();
    within_an_hour();
    let gateway = folder(&site, ON).serve();
    let needle = Some(("Referer", "https://search.example/find?q=needle&who=jane.needle@mail.example"));
    visits(&gateway, ENGLAND, needle, "/guides/jane.needle@mail.example?q=needle", 11);
    visits(&gateway, ENGLAND, None, "/few", 9);
    objections(&gateway, ("Sec-GPC", "1"), "/gpc", 12);
    visits(&gateway, ENGLAND, Some(("Sec-GPC", "0")), "/no-gpc", 10);
    visits(&gateway, ENGLAND, Some(("DNT", "1")), "/dnt", 10);
    visits(&gateway, FRANCE, None, "/abroad", 12);
    visits(&gateway, NOWHERE, None, "/nowhere", 12);
    visits(&gateway, ENGLAND, Some(("Sec-Purpose", "prefetch")), "/ahead", 12);
    visits(&gateway, ENGLAND, Some(("Cookie", "consentry=garbage")), "/unreadable", 12);

    // One visitor after another, before and after they choose.
    for choice in ["reject", "accept"] {
        let page = format!("/then-{choice}");
        for _ in 0..12 {
            let mut visitor = from(&gateway, ENGLAND);
            visitor.get(&page);
            visitor.choose(choice);
            visitor.get(&page);
            visitor.fetch("GET", "/data.json");
        }
    }
    let metrics = crate::dashboard::get(&gateway, "/metrics").text();
    assert!(metrics.contains("\nconsentry_statistics_counted_total 64\n"), "{metrics}");
    let (folder, rows) = ended(gateway);
    assert_eq!(
        rows,
        [
            row("/dnt", "", 10),
            row("/guides/*", "search.example", 11),
            row("/no-gpc", "", 10),
            row("/then-accept", "", 12),
            row("/then-reject", "", 12),
        ]
    );
    // L1: only who accepted is a row, and only from then on.
    let events = folder.query("select path, count()::UInt32 as n from consentry.events group by all order by all");
    assert_eq!(events, [json!({"path": "/then-accept", "n": 12})]);
    assert_nothing_names_a_visitor(folder.path());
}

#[test]
fn rule_c8_do_not_track_is_an_objection_where_it_is_honoured() {
    let site = Site::start();
    within_an_hour();
    let gateway = folder(&site, &format!("{ON}\nhonour_dnt = true")).serve();
    objections(&gateway, ("DNT", "1"), "/dnt", 12);
    visits(&gateway, ENGLAND, Some(("DNT", "0")), "/no-dnt", 12);
    assert_eq!(ended(gateway).1, [row("/no-dnt", "", 12)]);
}

#[test]
fn a_crash_costs_the_open_hour_and_the_next_start_says_so() {
    let site = Site::start();
    within_an_hour();
    let gateway = folder(&site, ON).serve();
    visits(&gateway, ENGLAND, None, "/lost", 12);
    eventually("the hour is marked", || gateway.folder.data().join("statistics/open").is_file().then_some(()));
    let (_, folder) = gateway.end("KILL");
    assert!(!folder.log().contains("did not end in order"));
    let gateway = folder.serve();
    visits(&gateway, ENGLAND, None, "/kept", 12);
    let (folder, rows) = ended(gateway);
    assert_eq!(rows, [row("/kept", "", 12)]);
    let log = folder.log();
    assert!(log.contains("did not end in order") && log.contains(":00 UTC"), "{log}");
    let gateway = folder.serve();
    visits(&gateway, ENGLAND, None, "/kept", 12);
    let (folder, rows) = ended(gateway);
    assert_eq!(rows, [row("/kept", "", 24)], "parts of an hour add up");
    assert_eq!(folder.log().matches("did not end in order").count(), 1);
}
