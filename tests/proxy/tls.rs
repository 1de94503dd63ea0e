//! TLS to visitors.

use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ALL_VERSIONS, AlertDescription, Error, HandshakeKind};

use crate::support::gateway::{Gateway, Nobody, TRUSTED_PROXY, folder_without_database};
use crate::support::http::{Connection, exchange};
use crate::support::site::Site;
use crate::support::tls::{Root, connect, open};
use crate::support::{PATIENCE, eventually};

/// A gateway with a certificate for `www.example.org` and one for `*.example.net`.
fn start(site: &Site, root: &Root, in_gateway: &str, in_tls: &str) -> (Gateway, Nobody) {
    let more = format!(
        "{in_gateway}\n[gateway.tls]\nlisten = \"127.0.0.1:0\"\nlook_every = \"100ms\"\n{in_tls}\n\
         [[gateway.tls.certificate]]\ncertificate = \"one.pem\"\nkey = \"one-key.pem\"\n\
         [[gateway.tls.certificate]]\ncertificate = \"two.pem\"\nkey = \"two-key.pem\"\n"
    );
    let (folder, nobody) = folder_without_database(site.address, &more);
    root.write(folder.path(), "one", &["www.example.org", "127.0.0.1"]);
    root.write(folder.path(), "two", &["*.example.net"]);
    (folder.serve(), nobody)
}

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0\r\n\r\n")
}

/// The alert a handshake ended with.
fn alert(result: std::io::Result<impl Sized>) -> Option<AlertDescription> {
    let error = result.err()?;
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

#[test]
fn a_page_comes_by_tls_and_everyone_is_told_so() {
    let (site, root) = (Site::start(), Root::new());
    let (gateway, _nobody) = start(&site, &root, "", "hsts = \"365 days\"");
    site.answers("/own", "HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 0\r\n\r\n");
    let mut connection = open(&root, &gateway, "www.example.org");
    for path in ["/tls/one", "/tls/two"] {
        let answer = connection.send(get(path, "www.example.org")).answer();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.field("strict-transport-security"), Some("max-age=31536000"));
        let request = site.request(path);
        assert_eq!(request.all("x-forwarded-proto"), ["https"]);
        assert_eq!(request.all("x-forwarded-for"), ["127.0.0.1"]);
    }
    let own = connection.send(get("/own", "www.example.org")).answer();
    assert_eq!(own.field("strict-transport-security"), Some("max-age=1"), "the site's own word counts");
    let chosen = connection
        .send(
            "POST /_privacy/consent HTTP/1.1\r\nHost: www.example.org\r\nOrigin: https://www.example.org\r\n\
             Sec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{\"choice\":\"reject\"}",
        )
        .answer();
    let cookies = chosen.all("set-cookie").join("\n");
    assert!(cookies.contains("__Host-consentry=") && cookies.contains("Secure"), "{}\n{}", chosen.head, chosen.text());
    let plain = exchange(gateway.address, get("/tls/plain", "www.example.org"));
    assert_eq!(plain.all("strict-transport-security"), [""; 0]);
    assert_eq!(site.request("/tls/plain").all("x-forwarded-proto"), ["http"]);
    assert!(gateway.metric("consentry_tls_handshakes_total") >= 1);
}

#[test]
fn each_host_has_its_certificate_and_an_unknown_one_none() {
    let (site, root) = (Site::start(), Root::new());
    let (gateway, _nobody) = start(&site, &root, "", "");
    let address = gateway.tls.unwrap();
    let client = root.http1();
    for name in ["www.example.org", "a.example.net", "B.example.net"] {
        assert!(connect(&client, address, name).is_ok(), "{name}");
    }
    // Who names no host is shown the first.
    assert!(connect(&client, address, "127.0.0.1").is_ok());
    for name in ["example.net", "x.y.example.net", "elsewhere.example"] {
        assert_eq!(alert(connect(&client, address, name)), Some(AlertDescription::UnrecognisedName), "{name}");
    }
    let comes_to = |name: &str, count: u64| eventually(name, || (gateway.metric(name) == count).then_some(()));
    comes_to("consentry_tls_unknown_hosts_total", 3);
    let no_protocol = root.client(ALL_VERSIONS, &["spdy/3"]);
    let refused = alert(connect(&no_protocol, address, "www.example.org"));
    assert_eq!(refused, Some(AlertDescription::NoApplicationProtocol));
    comes_to("consentry_tls_handshakes_failed_total", 1);
    let ends = gateway.metric("consentry_tls_certificate_expiry_seconds{certificate=\"1\",host=\"*.example.net\"}");
    assert!(ends > 1_900_000_000);
}

#[test]
fn a_host_another_certificate_is_for_needs_a_connection_of_its_own() {
    let (site, root) = (Site::start(), Root::new());
    let (gateway, _nobody) = start(&site, &root, "", "");
    let mut connection = open(&root, &gateway, "www.example.org");
    let misdirected = connection.send(get("/other", "a.example.net:8443")).answer();
    assert_eq!((misdirected.status, misdirected.field("cache-control")), (421, Some("no-store")));
    // It is good for its own host, however that is written, and for one no certificate is for.
    for host in ["www.example.org", "WWW.Example.org:8443", "elsewhere.example"] {
        assert_eq!(connection.send(get("/own", host)).answer().status, 200, "{host}");
    }
    // One certificate for both (RFC 9113 §9.1.1).
    let mut connection = open(&root, &gateway, "a.example.net");
    assert_eq!(connection.send(get("/both", "b.example.net")).answer().status, 200);
    assert_eq!(connection.send(get("/other", "www.example.org")).answer().status, 421);
    // Who named no host was shown the first, and no certificate was chosen.
    let mut nameless = open(&root, &gateway, "127.0.0.1");
    assert_eq!(nameless.send(get("/nameless", "a.example.net")).answer().status, 200);
    assert!(site.requests("/other").is_empty());
    assert_eq!(gateway.metric("consentry_requests_misdirected_total"), 2);

    // A trusted proxy names to us whom it likes.
    let (gateway, _nobody) = start(&site, &root, "trusted_proxies = [\"127.0.0.1\"]", "");
    let mut proxy = open(&root, &gateway, "www.example.org");
    assert_eq!(proxy.send(get("/proxy", "a.example.net")).answer().status, 200);
}

#[test]
fn versions_below_the_configured_one_are_refused() {
    let (site, root) = (Site::start(), Root::new());
    let old = root.client(&[&TLS12], &["http/1.1"]);
    let (gateway, _nobody) = start(&site, &root, "", "");
    assert!(connect(&old, gateway.tls.unwrap(), "www.example.org").is_ok());
    let (gateway, _nobody) = start(&site, &root, "", "min_version = \"1.3\"");
    let refused = alert(connect(&old, gateway.tls.unwrap(), "www.example.org"));
    assert_eq!(refused, Some(AlertDescription::ProtocolVersion));
    assert!(connect(&root.client(&[&TLS13], &[]), gateway.tls.unwrap(), "www.example.org").is_ok());
}

#[test]
fn a_session_is_resumed_whichever_worker_answers() {
    let (site, root) = (Site::start(), Root::new());
    let (gateway, _nobody) = start(&site, &root, "workers = 4", "");
    for version in [&TLS12, &TLS13] {
        let client = root.client(&[version], &["http/1.1"]);
        let mut kinds = Vec::new();
        for _ in 0..8 {
            let stream = connect(&client, gateway.tls.unwrap(), "www.example.org").unwrap();
            kinds.push(stream.conn.handshake_kind());
            // Tickets come with the first answer.
            let mut connection = Connection::over(stream);
            assert_eq!(connection.send(get("/resumed", "www.example.org")).answer().status, 200);
        }
        assert_ne!(kinds[0], Some(HandshakeKind::Resumed));
        assert!(kinds[1..].iter().all(|kind| *kind == Some(HandshakeKind::Resumed)), "{kinds:?}");
    }
}

#[test]
fn new_certificates_are_taken_while_visitors_are_served_and_wrong_ones_are_not() {
    let (site, root) = (Site::start(), Root::new());
    let (gateway, _nobody) = start(&site, &root, "", "");
    let address = gateway.tls.unwrap();
    let mut before = open(&root, &gateway, "www.example.org");
    assert!(connect(&root.http1(), address, "new.example").is_err());
    root.write(gateway.folder.path(), "two", &["new.example"]);
    eventually("the new certificate is shown", || connect(&root.http1(), address, "new.example").ok());
    assert!(connect(&root.http1(), address, "a.example.net").is_err());
    assert_eq!(before.send(get("/reload/before", "www.example.org")).answer().status, 200);

    let failing = || gateway.metric("consentry_tls_certificates_failing");
    assert_eq!(failing(), 0);
    for spoil in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        fs::write(gateway.folder.path().join("one.pem"), spoil).unwrap();
        eventually("the alarm", || (failing() == 1).then_some(()));
        assert!(connect(&root.http1(), address, "www.example.org").is_ok(), "the last good one serves on");
    }
    assert!(gateway.folder.log().contains("one.pem holds no certificate"), "{}", gateway.folder.log());
    root.write(gateway.folder.path(), "one", &["www.example.org"]);
    eventually("the alarm ends", || (failing() == 0).then_some(()));
    assert!(gateway.metric("consentry_tls_certificates_reloaded_total") >= 2);
}

#[test]
fn a_pair_that_is_wrong_keeps_no_other_from_being_renewed_by_itself_or_by_a_reload() {
    let (site, root) = (Site::start(), Root::new());
    let (gateway, _nobody) = start(&site, &root, "drain = \"9s\"", "");
    let (address, folder) = (gateway.tls.unwrap(), gateway.folder.path().to_owned());
    let shows = |name: &str| connect(&root.http1(), address, name).ok();
    fs::remove_file(folder.join("one-key.pem")).unwrap();
    root.write(&folder, "two", &["new.example"]);
    eventually("the other is renewed", || shows("new.example"));
    assert!(shows("www.example.org").is_some(), "the last good one serves on");
    eventually("one fails", || (gateway.metric("consentry_tls_certificates_failing") == 1).then_some(()));
    let text = fs::read_to_string(folder.join("consentry.toml")).unwrap();
    let reload = |text: &str| {
        gateway.folder.write("consentry.toml", text);
        let output = gateway.folder.run(&["reload"]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    // Whatever else has changed, TLS among it.
    for (changed, host) in
        [(text.replace("\"9s\"", "\"8s\""), "newer.example"), (text.replace("\"100ms\"", "\"24h\""), "newest.example")]
    {
        root.write(&folder, "two", &[host]);
        let (code, said) = reload(&changed);
        assert!(code == Some(0) && said.starts_with("in effect now: ") && said.contains("one-key.pem"), "{said}");
        assert!(shows(host).is_some() && shows("www.example.org").is_some(), "{host}");
        assert_eq!(gateway.metric("consentry_tls_certificates_failing"), 1);
    }
    let log = gateway.folder.log();
    assert_eq!(log.matches("cannot be taken from its files").count(), 1, "said once: {log}");

    // A pair that is new must be right.
    let new = "[[gateway.tls.certificate]]\ncertificate = \"three.pem\"\nkey = \"three-key.pem\"\n";
    let (code, said) = reload(&format!("{text}{new}"));
    assert!(code == Some(2) && said.contains("gateway.tls.certificate[2].certificate: three.pem cannot"), "{said}");
    let (code, said) = reload(&text);
    assert_eq!(code, Some(0), "{said}");
    root.write(&folder, "one", &["www.example.org"]);
    eventually("all is right", || (gateway.metric("consentry_tls_certificates_failing") == 0).then_some(()));
}

#[test]
fn a_certificate_that_is_over_takes_no_good_ones_place_and_one_that_is_early_is_told_of_at_a_start() {
    let (site, root) = (Site::start(), Root::new());
    let (gateway, _nobody) = start(&site, &root, "", "");
    let folder = gateway.folder.path();
    let now = std::time::SystemTime::now();
    let day = Duration::from_secs(86_400);
    root.write_good(folder, "one", &["www.example.org"], (now - 30 * day, now - day));
    let failing = || gateway.metric("consentry_tls_certificates_failing");
    eventually("the alarm", || (failing() == 1).then_some(()));
    assert!(connect(&root.http1(), gateway.tls.unwrap(), "www.example.org").is_ok(), "the good one serves on");
    root.write_good(folder, "one", &["www.example.org"], (now + day, now + 30 * day));
    eventually("it is said", || gateway.folder.log().contains("holds a certificate that is good from").then_some(()));
    assert!(connect(&root.http1(), gateway.tls.unwrap(), "www.example.org").is_ok());
    assert_eq!(failing(), 1);
    let (_, folder) = gateway.end("TERM");
    let gateway = folder.serve();
    let log = gateway.folder.log();
    assert!(log.contains("a certificate is not good yet") && log.contains("www.example.org"), "{log}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let (site, root) = (Site::start(), Root::new());
    let certificate = root.write(std::env::temp_dir().as_path(), "unused", &["a.example"]).replace("unused", "one");
    let more = format!("[gateway.tls]\nlisten = \"127.0.0.1:0\"\n{certificate}");
    let (folder, _nobody) = folder_without_database(site.address, &more);
    root.write(folder.path(), "one", &["a.example"]);
    fs::set_permissions(folder.path().join("one-key.pem"), Permissions::from_mode(0o644)).unwrap();
    let output = folder.run(&["serve"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("mode 644") && said.contains("chmod 600"), "{said}");
    assert!(said.starts_with("consentry.toml:") && said.contains("gateway.tls.certificate[0].key"), "{said}");
}

#[test]
fn a_visitor_who_does_not_shake_hands_is_let_go() {
    let (site, root) = (Site::start(), Root::new());
    let (gateway, _nobody) = start(&site, &root, "", "handshake_timeout = \"300ms\"");
    let began = Instant::now();
    for begin in [&b""[..], b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(gateway.tls.unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        std::io::Write::write_all(&mut stream, begin).unwrap();
        let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
    }
    assert!(began.elapsed() < Duration::from_secs(10));
    let failed = "consentry_tls_handshakes_failed_total";
    eventually(failed, || (gateway.metric(failed) == 3).then_some(()));
}

#[test]
fn whoever_comes_without_tls_is_sent_to_it() {
    let (site, root) = (Site::start(), Root::new());
    let trusted = format!("trusted_proxies = [\"{TRUSTED_PROXY}\"]");
    let (gateway, _nobody) = start(&site, &root, &trusted, "redirect = true\npublic_port = 8443");
    let ask = |method: &str, target: &str| {
        format!("{method} {target} HTTP/1.1\r\nHost: www.example.org:8080\r\nContent-Length: 0\r\n\r\n")
    };
    for method in ["GET", "POST", "HEAD"] {
        let answer = exchange(gateway.address, ask(method, "/away?x=1"));
        assert_eq!(answer.status, 308);
        assert_eq!(answer.field("location"), Some("https://www.example.org:8443/away?x=1"));
    }
    // What is no clear request is sent nowhere.
    assert_eq!(exchange(gateway.address, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n").status, 400);
    assert!(site.requests("/away").is_empty());
    let mut through_proxy = Connection::open_from(TRUSTED_PROXY.parse().unwrap(), gateway.address);
    let secure = get("/stays", "www.example.org").replace("\r\n\r\n", "\r\nX-Forwarded-Proto: https\r\n\r\n");
    assert_eq!(through_proxy.send(secure).answer().status, 200);
    assert_eq!(open(&root, &gateway, "www.example.org").send(get("/stays", "www.example.org")).answer().status, 200);
}
