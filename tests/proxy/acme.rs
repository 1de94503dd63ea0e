//! Certificates that are ordered and renewed by themselves, from an authority that checks everything.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::support::authority::Authority;
use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway, Nobody, folder_without_database};
use crate::support::http::{Connection, exchange};
use crate::support::site::Site;
use crate::support::tls::connect;

const GIVEN: &str = "consentry_acme_certificates_total";
const FAILING: &str = "consentry_acme_failing";

fn folder(site: &Site, authority: &Authority, challenge: &str, hosts: &str) -> (Folder, Nobody) {
    let more = format!(
        "[gateway.tls]\nlisten = \"127.0.0.1:0\"\nredirect = true\n[gateway.tls.acme]\ndirectory = \"{}\"\n\
         contact = [\"webmaster@example.org\"]\nhosts = {hosts}\nchallenge = \"{challenge}\"\ndirectory_ca = \"authority.pem\"\n",
        authority.directory()
    );
    let (folder, nobody) = folder_without_database(site.address, &more);
    authority.configure(folder.path());
    (folder, nobody)
}

/// The serial and all of the certificate a host is shown, once one is.
fn shown(gateway: &Gateway, authority: &Authority, host: &str) -> Option<Vec<u8>> {
    let stream = connect(&authority.root.http1(), gateway.tls?, host).ok()?;
    Some(stream.conn.peer_certificates()?.first()?.to_vec())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_certificate_is_ordered_kept_and_used_again() {
    let (site, authority) = (Site::start(), Authority::start());
    let (folder, _nobody) = folder(&site, &authority, "http-01", "[\"www.example.org\", \"example.org\"]");
    let gateway = folder.serve();
    assert!(shown(&gateway, &authority, "www.example.org").is_none());
    authority.looks_at(&gateway);
    let first = eventually("a certificate", || shown(&gateway, &authority, "www.example.org"));
    assert_eq!(shown(&gateway, &authority, "example.org").as_ref(), Some(&first), "it is for both");
    assert_eq!(authority.state().seen, ["http-01 www.example.org true", "http-01 example.org true"]);
    eventually("it is counted", || (gateway.metric(GIVEN) == 1).then_some(()));
    let acme = gateway.folder.data().join("acme");
    assert_eq!(mode(&acme), 0o700);
    for file in ["account.json", "certificate.pem"] {
        assert_eq!(mode(&acme.join(file)), 0o600, "{file}");
    }
    // Once it is over the file is gone, and the address is the site's, by the way of TLS.
    let ask = "GET /.well-known/acme-challenge/token-0-0 HTTP/1.1\r\nHost: www.example.org\r\n\r\n";
    assert_eq!(exchange(gateway.address, ask).status, 308);
    let stream = connect(&authority.root.http1(), gateway.tls.unwrap(), "www.example.org").unwrap();
    assert_eq!(Connection::over(stream).send(ask).answer().status, 200);
    assert_eq!(site.requests("/.well-known/acme-challenge/token-0-0").len(), 1);

    let (_, folder) = gateway.end("TERM");
    let gateway = folder.serve();
    assert_eq!(shown(&gateway, &authority, "www.example.org"), Some(first), "from its file, at once");
    assert_eq!(authority.orders(), 1);
}

#[test]
fn a_challenge_within_tls_is_met_and_shown_to_nobody_else() {
    let (site, authority) = (Site::start(), Authority::start());
    let (folder, _nobody) = folder(&site, &authority, "tls-alpn-01", "[\"www.example.org\"]");
    let gateway = folder.serve();
    authority.looks_at(&gateway);
    eventually("a certificate", || shown(&gateway, &authority, "www.example.org"));
    assert_eq!(authority.state().seen, ["tls-alpn-01 www.example.org true"]);
    let challenger = authority.root.client(tokio_rustls::rustls::ALL_VERSIONS, &["acme-tls/1"]);
    assert!(connect(&challenger, gateway.tls.unwrap(), "www.example.org").is_err());
}

#[test]
fn a_certificate_is_renewed_in_time_and_the_last_good_one_stays_where_that_fails() {
    let (site, authority) = (Site::start(), Authority::start());
    authority.state().life = Duration::from_secs(12);
    let (folder, _nobody) = folder(&site, &authority, "http-01", "[\"www.example.org\"]");
    let gateway = folder.serve();
    authority.looks_at(&gateway);
    let first = eventually("a certificate", || shown(&gateway, &authority, "www.example.org"));
    // The next one lives long enough to be looked at.
    authority.state().life = Duration::from_secs(60);
    let second = eventually("another", || shown(&gateway, &authority, "www.example.org").filter(|now| *now != first));
    assert_eq!(authority.orders(), 2);
    eventually("it is counted", || (gateway.metric(GIVEN) == 2).then_some(()));

    // A gateway that starts when its certificate is due orders at once; this time in vain.
    authority.state().blind = true;
    let (_, folder) = gateway.end("TERM");
    let stored = folder.data().join("acme/certificate.pem");
    let gateway =
        folder.with("CONSENTRY__GATEWAY__TLS__ACME__HOSTS", "[\"www.example.org\", \"new.example.org\"]").serve();
    authority.looks_at(&gateway);
    eventually("the alarm", || (gateway.metric(FAILING) == 1).then_some(()));
    assert_eq!(shown(&gateway, &authority, "www.example.org"), Some(second));
    assert!(stored.exists());
    let log = gateway.folder.log();
    assert!(log.contains("could not see that") && log.contains("it was not there"), "{log}");
    assert!(!log.contains("webmaster@example.org"), "{log}");
}

#[test]
fn wrong_nonces_are_tried_again_and_a_busy_authority_is_left_alone_as_long_as_it_says() {
    let (site, authority) = (Site::start(), Authority::start());
    {
        let mut state = authority.state();
        (state.wrong_nonces, state.busy) = (2, 2);
    }
    let (folder, _nobody) = folder(&site, &authority, "http-01", "[\"www.example.org\"]");
    let gateway = folder.serve();
    authority.looks_at(&gateway);
    eventually("a certificate", || shown(&gateway, &authority, "www.example.org"));
    eventually("the alarm has ended", || (gateway.metric(FAILING) == 0).then_some(()));
    let log = gateway.folder.log();
    assert!(log.contains("it is tried again in 1 s"), "{log}");
    let state = authority.state();
    assert_eq!((state.wrong_nonces, state.busy), (0, 0));
}

#[test]
fn an_authority_that_is_away_keeps_nobody_from_the_site() {
    let (site, authority) = (Site::start(), Authority::start());
    let (folder, _nobody) = folder(&site, &authority, "http-01", "[\"www.example.org\"]");
    let away = Nobody::new();
    let directory = format!("https://{}/directory", away.address);
    let gateway = folder.with("CONSENTRY__GATEWAY__TLS__ACME__DIRECTORY", &directory).serve();
    eventually("the alarm", || (gateway.metric(FAILING) == 1).then_some(()));
    let ask = "GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n";
    assert_eq!(exchange(gateway.address, ask).status, 308);
    assert_eq!(Arc::strong_count(&authority), 2, "nobody has asked the other one");
}
