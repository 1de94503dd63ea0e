//! D1: what names a person is never written, wherever one looks.

use crate::support::gateway::{TRUSTED_PROXY, shared, without_database};
use crate::support::site::{Behaviour, Site};
use crate::support::visitor::{AGENT, Visitor};
use crate::support::{files, holds};

#[test]
fn rule_d1_no_address_agent_or_query_is_in_any_file() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::new(gateway)
        .saying("X-Forwarded-For", "198.51.233.177")
        .saying("Referer", "https://search.example/find?q=refneedle77&who=jane.needle@mail.example");
    visitor.from = Some(TRUSTED_PROXY.parse().expect("is an address"));
    visitor.choose("accept");
    let page = visitor.get(
        "/disk/page/jane.needle@mail.example?q=queryneedle42&token=deadbeefdeadbeefdeadbeefdeadbeef&tel=07700900123",
    );
    assert_eq!(page.status, 200);
    assert_eq!(visitor.beacon("/disk/beacon?q=queryneedle42#fragmentneedle").status, 204);
    // An error of the site and a request that is refused leave nothing in the log either.
    visitor.fetch("POST", "/_privacy/consent?q=queryneedle42");
    let rows = gateway.rows(
        2,
        "select path, referrer, toString(ip_net) as net from consentry.events where startsWith(path, '/disk/')",
    );
    assert!(rows.iter().all(|row| row["net"] == "::ffff:198.51.233.0"), "{rows:?}");

    let token = visitor.cookies["consentry_visitor"].clone();
    let octets = std::net::Ipv4Addr::new(198, 51, 233, 177).octets();
    let mapped = std::net::Ipv4Addr::from(octets).to_ipv6_mapped().octets();
    let needles: [&[u8]; 11] = [
        b"198.51.233.177",
        &mapped,
        AGENT.as_bytes(),
        b"AppleWebKit",
        b"queryneedle42",
        b"refneedle77",
        b"fragmentneedle",
        b"jane.needle",
        b"deadbeefdeadbeef",
        b"07700900123",
        token.as_bytes(),
    ];
    let mut looked_at = 0;
    // The log beside the data too.
    for (file, bytes) in files(gateway.folder.path()) {
        looked_at += bytes.len();
        for needle in needles {
            assert!(!holds(&bytes, needle), "{} in {}", String::from_utf8_lossy(needle), file.display());
        }
    }
    assert!(looked_at > 1000);
    // Columns on disk are compressed, so the table is asked too, value by value.
    for row in gateway.query("select * from consentry.events where startsWith(path, '/disk/')") {
        let row = row.to_string();
        for needle in ["198.51.233.177", "AppleWebKit", "needle", "deadbeef", "07700900123", token.as_str()] {
            assert!(!row.contains(needle), "{needle} in {row}");
        }
    }
}

/// The queue is not compressed, and the site's own error is logged: nothing could hide there.
#[test]
fn rule_d1_nor_is_it_in_the_queue_or_the_log_while_both_databases_and_site_are_away() {
    let site = Site::start();
    let more = format!("trusted_proxies = [\"{TRUSTED_PROXY}\"]\n[observe]\nlog = \"debug\"");
    let (gateway, _nobody) = without_database(site.address, &more);
    let mut visitor = Visitor::new(&gateway).saying("X-Forwarded-For", "198.51.233.177");
    visitor.from = Some(TRUSTED_PROXY.parse().expect("is an address"));
    visitor.choose("accept");
    site.on("/disk/closes", Behaviour::AnswersAndCloses(Vec::new()));
    assert_eq!(visitor.get("/disk/closes?q=queryneedle42").status, 502);
    assert_eq!(visitor.get("/disk/page/jane.needle@mail.example?q=queryneedle42").status, 200);
    assert_eq!(visitor.beacon("/disk/beacon?q=queryneedle42").status, 204);
    visitor.post("/_privacy/events", "application/json", b"{\"v\":1,\"events\":[\"bodyneedle\"]}");
    visitor.post("/_privacy/consent", "application/json", b"{\"choice\":\"bodyneedle\"}");
    let written = files(gateway.folder.path());
    let holding = |needle: &[u8]| written.iter().find(|(_, bytes)| holds(bytes, needle)).map(|(file, _)| file.clone());
    assert!(holding(b"/disk/beacon").is_some(), "what is kept is found");
    let mapped = std::net::Ipv4Addr::new(198, 51, 233, 177).to_ipv6_mapped().octets();
    let token = visitor.cookies["consentry_visitor"].as_bytes();
    for needle in
        [b"198.51.233.177", &mapped[..], b"AppleWebKit", b"queryneedle42", b"jane.needle", b"bodyneedle", token]
    {
        assert_eq!(holding(needle), None, "{}", String::from_utf8_lossy(needle));
    }
}

#[test]
fn the_data_folder_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (gateway, _) = shared();
    let mode = |name: &str| {
        let found =
            std::fs::metadata(gateway.folder.data().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        found.permissions().mode() & 0o777
    };
    assert_eq!((mode(""), mode("keys.json"), mode("dashboard-password")), (0o700, 0o600, 0o600));
    assert_eq!((mode("spool"), mode("engine")), (0o700, 0o700));
}
