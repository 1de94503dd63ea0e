//! What is named and cannot be used is refused by its key; a running gateway keeps what it has.

use std::fs;

use super::*;
use crate::front::tls::testing::write_certificate;

/// A configuration in a folder, whose name stands for `@` in the text.
fn explained(folder: &Path, text: &str) -> Explained {
    let folder = folder.to_str().unwrap();
    let text = format!(
        "data_dir = \"@/data\"\n[geo]\ndatabase = \"off\"\n[gateway]\nupstream = \"http://127.0.0.1:3000\"\n{text}"
    );
    Config::explain_toml(&text.replace('@', folder), "a.toml", std::iter::empty()).unwrap()
}

/// What is wrong at a start, one line for each.
fn said(folder: &Path, text: &str) -> String {
    check(&explained(folder, text), None).err().map(|wrong| wrong.to_string()).unwrap_or_default()
}

const TLS: &str = "[gateway.tls]\nlisten = \"127.0.0.1:0\"\n";

fn pair(certificate: &str, key: &str) -> String {
    format!("[[gateway.tls.certificate]]\ncertificate = \"@/{certificate}\"\nkey = \"@/{key}\"\n")
}

#[test]
fn each_file_that_cannot_be_used_is_named_with_its_key_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    write_certificate(folder, "one", &["a.example"]);
    fs::write(folder.join("empty"), "").unwrap();
    for (text, place, words) in [
        ("[gateway.error_pages]\n503 = \"@/none\"", "7:7: gateway.error_pages.503", "none cannot be read"),
        ("[gateway.forward]\ntls_ca = \"@/none\"", "7:10: gateway.forward.tls_ca", "none cannot be read"),
        ("[gateway.forward]\ntls_ca = \"@/empty\"", "7:10: gateway.forward.tls_ca", "no certificates in PEM"),
        (
            "[gateway.forward]\ntls_certificate = \"@/one.pem\"\ntls_key = \"@/none\"",
            "8:11: gateway.forward.tls_key",
            "none cannot be read",
        ),
        (
            "[gateway.forward]\ntls_certificate = \"@/none\"\ntls_key = \"@/one-key.pem\"",
            "7:19: gateway.forward.tls_certificate",
            "none cannot be read",
        ),
        ("[capture]\ncalls_token_file = \"@/none\"", "7:20: capture.calls_token_file", "make one with"),
        ("[clickhouse]\nurl = \"http://a\"\npassword_file = \"@/none\"", "8:17: clickhouse.password_file", "cannot be"),
        ("[observe]\naccess_log = \"@/none/log\"", "7:14: observe.access_log", "cannot be written"),
        ("[observe]\nsecurity_log = \"@/none/log\"", "7:16: observe.security_log", "cannot be written"),
        ("[pseudonym]\nkey_ring = \"@/empty\"", "7:12: pseudonym.key_ring", "key ring"),
        (
            &*format!("{TLS}{}", pair("none", "one-key.pem")),
            "9:15: gateway.tls.certificate[0].certificate",
            "cannot be read",
        ),
        (&*format!("{TLS}{}", pair("one.pem", "none")), "10:7: gateway.tls.certificate[0].key", "cannot be read"),
        (&*format!("{TLS}{}", pair("one.pem", "empty")), "10:7: gateway.tls.certificate[0].key", "by others"),
        (
            &*format!("{TLS}{}", pair("empty", "one-key.pem")),
            "9:15: gateway.tls.certificate[0].certificate",
            "no certificate",
        ),
        (
            &*format!(
                "{TLS}[gateway.tls.acme]\ndirectory = \"https://a\"\nhosts = [\"a.example\"]\ndirectory_ca = \"@/none\""
            ),
            "11:16: gateway.tls.acme.directory_ca",
            "none cannot be used",
        ),
    ] {
        let said = said(folder, text);
        assert!(said.starts_with(&format!("a.toml:{place}: ")) && said.contains(words), "{text}\n{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_eq!(said.matches("No such file").count(), usize::from(said.contains("No such file")), "{said}");
    }
    let geo = "data_dir = \"@/data\"\n[geo]\ndatabase = \"@/none.mmdb\"\n[gateway]\nupstream = \"http://a\"\n";
    let geo = geo.replace('@', folder.to_str().unwrap());
    let geo = check(&Config::explain_toml(&geo, "a.toml", std::iter::empty()).unwrap(), None).unwrap_err().to_string();
    assert!(geo.starts_with("a.toml:3:12: geo.database: ") && geo.contains("none.mmdb cannot be read"), "{geo}");
    assert_eq!(said(folder, &format!("{TLS}{}", pair("one.pem", "one-key.pem"))), "");
    assert!(!folder.join("data").exists(), "nothing is made");
}

#[test]
fn several_things_that_are_wrong_are_said_in_the_order_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("data"), "in the way").unwrap();
    let text = "[gateway.forward]\ntls_ca = \"@/none\"\n[gateway.error_pages]\n502 = \"@/none\"\n503 = \"@/none\"\n";
    let said = said(dir.path(), text);
    let lines: Vec<&str> = said.lines().map(|line| line.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(lines, ["a.toml:1:12", "a.toml:7:10", "a.toml:9:7", "a.toml:10:7"], "{said}");
}

#[test]
fn two_certificates_for_one_host_are_refused_unless_their_keys_are_of_another_kind() {
    let dir = tempfile::tempdir().unwrap();
    for (name, hosts) in [("one", &["a.example", "b.example"][..]), ("two", &["b.example"]), ("star", &["*.example"])] {
        write_certificate(dir.path(), name, hosts);
    }
    let all = |names: &[&str]| {
        let pairs = names.iter().map(|name| pair(&format!("{name}.pem"), &format!("{name}-key.pem")));
        format!("{TLS}{}", pairs.collect::<String>())
    };
    let twice = said(dir.path(), &all(&["one", "two"]));
    assert!(twice.starts_with("a.toml:12:15: gateway.tls.certificate[1].certificate: "), "{twice}");
    assert!(twice.contains("is for b.example") && twice.contains("each host once"), "{twice}");
    // The exact host wins over the star.
    assert_eq!(said(dir.path(), &all(&["two", "star"])), "");
    // Renewed for more hosts while the gateway ran: that is no reason to refuse another configuration.
    let both = explained(dir.path(), &all(&["one", "two"]));
    assert!(check(&both, Some(&both)).is_ok());
    assert!(check(&both, Some(&explained(dir.path(), &all(&["one"])))).is_err());
}

#[test]
fn what_a_running_gateway_has_in_use_need_not_be_right() {
    let dir = tempfile::tempdir().unwrap();
    write_certificate(dir.path(), "one", &["a.example"]);
    let [one, missing] = ["one", "two"].map(|name| pair(&format!("{name}.pem"), &format!("{name}-key.pem")));
    let in_effect = explained(dir.path(), &format!("{TLS}{one}"));
    fs::remove_file(dir.path().join("one.pem")).unwrap();
    assert!(check(&in_effect, None).is_err(), "a start is strict");
    assert!(check(&in_effect, Some(&in_effect)).is_ok());
    let changed = explained(dir.path(), &format!("{TLS}min_version = \"1.3\"\n{one}"));
    assert!(check(&changed, Some(&in_effect)).is_ok(), "whatever else has changed");
    let more =
        check(&explained(dir.path(), &format!("{TLS}{one}{missing}")), Some(&in_effect)).unwrap_err().to_string();
    assert!(more.lines().count() == 1 && more.contains("gateway.tls.certificate[1].certificate"), "{more}");
}
