//! Where visitors connect and what is spoken there.

use super::*;

const TLS: &str = "[gateway.tls]\nlisten = \"0.0.0.0:8443\"\n[[gateway.tls.certificate]]\ncertificate = \"a.pem\"\nkey = \"a-key.pem\"\n";

#[test]
fn places_are_one_or_several_and_each_is_what_it_looks_like() {
    let places = |written: &str| {
        let text = format!("{MINIMAL}listen = {written}\n");
        let explained = Config::explain_toml(&text, "consentry.toml", std::iter::empty()).unwrap();
        assert_prints_itself(&explained);
        explained.config.gateway.doors.listen.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(places("\"[::]:80\""), ["[::]:80"]);
    let all = ["127.0.0.1:0", "unix:/run/a.sock", "systemd:web"];
    assert_eq!(places(&format!("{all:?}")), all);
    let config = read_with(MINIMAL, &[("CONSENTRY__GATEWAY__LISTEN", "[\"127.0.0.1:1\", \"unix:x\"]")]).unwrap();
    assert_eq!(
        config.gateway.doors.listen,
        [ListenAt::Tcp("127.0.0.1:1".parse().unwrap()), ListenAt::Unix("x".into())]
    );
}

#[test]
fn tls_means_what_it_says() {
    let text = format!(
        "{MINIMAL}listen = []\nh2c = true\nproxy_protocol_from = [\"10.0.0.0/8\"]\nforwarded_header = \"forwarded\"\n\
         [gateway.limits]\nrequests_per_second_per_address = 20\nmax_connections_per_address = 7\nmax_streams = 9\n\
         {TLS}[[gateway.tls.certificate]]\ncertificate = \"b.pem\"\nkey = \"b-key.pem\"\n\
         [gateway.tls.acme]\ndirectory = \"https://acme.example/directory\"\nhosts = [\"WWW.Example.org\"]\n\
         challenge = \"tls-alpn-01\"\ncontact = [\"a@example.org\"]\n"
    );
    let text =
        text.replace("[gateway.tls]\n", "[gateway.tls]\nhsts = \"1 day\"\nredirect = true\nmin_version = \"1.3\"\n");
    let explained = Config::explain_toml(&text, "consentry.toml", std::iter::empty()).unwrap();
    assert_prints_itself(&explained);
    let gateway = &explained.config.gateway;
    assert!(gateway.doors.listen.is_empty() && gateway.doors.h2c);
    assert_eq!(gateway.doors.forwarded_header, ForwardedHeader::Forwarded);
    let limits = &gateway.limits.visitor;
    assert_eq!(limits.requests_per_address, Some(RequestPace { per_second: 20, burst: 200 }));
    assert_eq!((limits.max_connections_per_address, limits.max_streams), (7, 9));
    let tls = gateway.tls.as_ref().unwrap();
    assert_eq!((tls.certificates.len(), tls.min_version, tls.redirect), (2, TlsVersion::V1_3, true));
    assert_eq!((tls.hsts, tls.public_port), (Some(Duration::from_secs(86_400)), 443));
    let acme = tls.acme.as_ref().unwrap();
    assert_eq!((&acme.hosts[..], acme.challenge), (&["www.example.org".to_owned()][..], AcmeChallenge::TlsAlpn01));
    let said = explained.consequences().join("\n");
    for words in
        ["by TLS alone", "TLS at 0.0.0.0:8443 with 2 certificates", "ordered from https://acme.example/directory"]
    {
        assert!(said.contains(words), "{said}\nlacks: {words}");
    }
    let from_environment =
        [("CONSENTRY__GATEWAY__TLS__CERTIFICATE", "[{ certificate = \"c.pem\", key = \"c-key.pem\" }]")];
    let config = read_with(&format!("{MINIMAL}{TLS}"), &from_environment).unwrap();
    assert_eq!(config.gateway.tls.unwrap().certificates[0].key, PathBuf::from("c-key.pem"));
}

#[test]
fn what_does_not_go_together_is_named() {
    let of = |text: &str| {
        let found = problems(&format!("{MINIMAL}{text}"));
        assert_eq!(found.len(), 1, "{text}\n{found:?}");
        format!("{} {}", found[0].key, found[0])
    };
    let acme = "[gateway.tls.acme]\ndirectory = \"https://a.example/d\"\nhosts = [\"a.example\"]\n";
    for (text, key, words) in [
        ("listen = []".to_owned(), "gateway.listen", "could connect nowhere"),
        ("listen = [\"127.0.0.1:1\", \"127.0.0.1:1\"]".into(), "gateway.listen", "twice"),
        ("listen = \"unix:\"".into(), "gateway.listen", "has no path"),
        (format!("listen = \"unix:/{}\"", "x".repeat(200)), "gateway.listen", "longer than"),
        ("listen = \"systemd:a b\"".into(), "gateway.listen", "no name of a socket"),
        ("[gateway.tls]\nlisten = \"0.0.0.0:8443\"".into(), "gateway.tls.listen", "no certificate to show"),
        (TLS.replace("listen = \"0.0.0.0:8443\"\n", ""), "gateway.tls.certificate[0].certificate", "no listener"),
        ("[gateway.tls]\nredirect = true".into(), "gateway.tls.redirect", "no listener"),
        (acme.into(), "gateway.tls.acme.directory", "no listener"),
        (TLS.replace("8443", "8080"), "gateway.tls.listen", "is taken by gateway.listen"),
        (TLS.replace("8443", "8090"), "gateway.tls.listen", "is taken by dashboard.listen"),
        (format!("listen = \"unix:/a\"\n{}", TLS.replace("0.0.0.0:8443", "unix:/a")), "gateway.tls.listen", "is taken"),
        (TLS.replace("key = \"a-key.pem\"\n", ""), "gateway.tls.certificate[0].key", "is missing"),
        (format!("{TLS}[gateway.tls.acme]\nhosts = [\"a.example\"]"), "gateway.tls.acme.hosts", "none is named"),
        (format!("{TLS}{}", acme.replace("https", "http")), "gateway.tls.acme.directory", "https://"),
        (
            format!("{TLS}{}", acme.replace("hosts = [\"a.example\"]", "")),
            "gateway.tls.acme.directory",
            "needs the hosts",
        ),
        (format!("{TLS}{}", acme.replace("[\"a", "[\"*.a")), "gateway.tls.acme.hosts", "host"),
        (format!("listen = []\n{TLS}{acme}"), "gateway.tls.acme.challenge", "nobody listens without TLS"),
        ("[gateway.limits]\nrequest_burst_per_address = 5".into(), "gateway.limits.request_burst_per_address", "pace"),
    ] {
        let said = of(&text);
        assert!(said.starts_with(key) && said.contains(words), "{text}\n{said}");
    }
}
