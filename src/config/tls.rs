//! `[gateway.tls]`: TLS to visitors, with certificates from files or from an authority (ACME, RFC 8555).

use std::path::PathBuf;
use std::time::Duration;

use super::kind::{self, Kind, parsed, quoted};
use super::listen::{self, ListenAt};
use super::read::{Place, Reader};
use super::web;

/// TLS to visitors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Where visitors connect by TLS.
    pub listen: Vec<ListenAt>,
    /// The files, by the order they are written in: the first serves visitors who name no host.
    pub certificates: Vec<CertificateFiles>,
    /// The oldest version that is spoken; default 1.2.
    pub min_version: TlsVersion,
    /// How long a handshake may take; default 10 s.
    pub handshake_timeout: Duration,
    /// How often the files are looked at for new ones; default 10 s.
    pub look_every: Duration,
    /// How long browsers are to come by TLS alone (RFC 6797); default they are told nothing.
    pub hsts: Option<Duration>,
    /// Whether whoever comes without TLS is sent to the same address with it; default no.
    pub redirect: bool,
    /// The port visitors reach the listener at, where they are sent there; default 443.
    pub public_port: u16,
    /// Where certificates are ordered; default nowhere.
    pub acme: Option<Acme>,
}

/// `[[gateway.tls.certificate]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those that lead to its root, in PEM.
    pub certificate: PathBuf,
    /// Its private key in PEM, its owner's alone.
    pub key: PathBuf,
}

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246
    V1_2,
    /// RFC 8446
    V1_3,
}

/// `[gateway.tls.acme]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// The authority's directory, such as `https://acme-v02.api.letsencrypt.org/directory`.
    pub directory: String,
    /// Mail addresses the authority may write to.
    pub contact: Vec<String>,
    /// The hosts the certificate is for.
    pub hosts: Vec<String>,
    /// How the authority sees that they are ours; default `http-01`.
    pub challenge: AcmeChallenge,
    /// Roots that are believed for the directory itself instead of the system's.
    pub directory_ca: Option<PathBuf>,
}

/// How an authority sees that a host is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcmeChallenge {
    /// By a file on port 80 (RFC 8555 §8.3).
    Http01,
    /// By a certificate on port 443 (RFC 8737).
    TlsAlpn01,
}

const VERSIONS: [(&str, TlsVersion); 2] = [("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];
const CHALLENGES: [(&str, AcmeChallenge); 2] =
    [("http-01", AcmeChallenge::Http01), ("tls-alpn-01", AcmeChallenge::TlsAlpn01)];
const DAY: Duration = Duration::from_secs(86_400);

/// Nothing where no listener is written, and so TLS is not asked for.
pub(super) fn tls(reader: &mut Reader<'_>) -> Option<Tls> {
    let place = reader.section("gateway.tls");
    let listen = reader.maybe(&place, "listen", listen::places());
    let min_version = reader.get(&place, "min_version", kind::word(&VERSIONS));
    let second = Duration::from_secs(1);
    let handshake_timeout =
        reader.get(&place, "handshake_timeout", kind::duration(Duration::from_millis(100), 600 * second));
    let look_every = reader.get(&place, "look_every", kind::duration(Duration::from_millis(100), DAY));
    let hsts = reader.maybe(&place, "hsts", kind::duration(second, 3660 * DAY));
    let redirect = reader.get(&place, "redirect", kind::truth());
    let public_port = reader.get(&place, "public_port", kind::whole(1, 65_535));
    let files = reader.items("gateway.tls.certificate");
    let certificates = certificates(reader, &files);
    let acme = acme(reader);

    let Some(listen) = listen else {
        if !reader.any_wrong(&["gateway.tls.listen"]) {
            without_a_listener(reader, (&place, redirect), &files);
        }
        return None;
    };
    if certificates.is_empty() && acme.is_none() && !reader.any_wrong(&["gateway.tls"]) {
        let allowed = "a [[gateway.tls.certificate]], or [gateway.tls.acme] with directory and hosts";
        reader.refuse(&place, "listen", None, "has no certificate to show".into(), allowed.into());
    }
    Some(Tls { listen, certificates, min_version, handshake_timeout, look_every, hsts, redirect, public_port, acme })
}

fn without_a_listener(reader: &mut Reader<'_>, (place, redirect): (&Place<'_>, bool), files: &[Place<'_>]) {
    let allowed = || "only together with listen in [gateway.tls]".to_owned();
    let acme = reader.section("gateway.tls.acme");
    let first = files.first().map(|file| (file, "certificate"));
    let rest = [(place, "hsts"), (place, "redirect"), (&acme, "directory")];
    for (place, key) in first.into_iter().chain(rest) {
        if reader.is_written(place, key) && (key != "redirect" || redirect) {
            reader.refuse(place, key, None, "is for TLS, but there is no listener for it".into(), allowed());
        }
    }
}

fn certificates(reader: &mut Reader<'_>, places: &[Place<'_>]) -> Vec<CertificateFiles> {
    let mut certificates: Vec<CertificateFiles> = Vec::new();
    for place in places {
        let certificate = reader.required(place, "certificate", kind::path());
        let key = reader.required(place, "key", kind::path());
        let (Some(certificate), Some(key)) = (certificate, key) else { continue };
        if certificates.iter().any(|other| other.certificate == certificate) {
            let shown = Some(quoted(&certificate.display().to_string()));
            reader.refuse(place, "certificate", shown, "is there twice".into(), "each certificate once".into());
        }
        certificates.push(CertificateFiles { certificate, key });
    }
    certificates
}

fn acme(reader: &mut Reader<'_>) -> Option<Acme> {
    let place = reader.section("gateway.tls.acme");
    let directory = reader.maybe(&place, "directory", directory());
    let contact = reader.get(&place, "contact", kind::list(8, mail()));
    let hosts = reader.get(&place, "hosts", kind::list(100, host()));
    let challenge = reader.get(&place, "challenge", kind::word(&CHALLENGES));
    let directory_ca = reader.maybe(&place, "directory_ca", kind::path());
    let wrong = reader.any_wrong(&["gateway.tls.acme"]);
    let Some(directory) = directory else {
        if !hosts.is_empty() && !wrong {
            let allowed = "only together with directory".into();
            reader.refuse(&place, "hosts", None, "are for an authority, but none is named".into(), allowed);
        }
        return None;
    };
    if hosts.is_empty() && !wrong {
        let what = "needs the hosts that a certificate is ordered for".into();
        reader.refuse(&place, "directory", None, what, "hosts = [\"www.example.org\"] beside it".into());
    }
    Some(Acme { directory, contact, hosts, challenge, directory_ca })
}

fn directory() -> Kind<String> {
    let parse = |text: &str| match text.strip_prefix("https://") {
        Some(rest) if !rest.is_empty() && text.parse::<http::Uri>().is_ok() => Ok(text.to_owned()),
        Some(_) => Err("is no address".into()),
        None => Err("does not begin with https://".into()),
    };
    let allowed = "the authority's directory, such as \"https://acme-v02.api.letsencrypt.org/directory\"";
    parsed(allowed, parse, String::clone)
}

fn mail() -> Kind<String> {
    let parse = |text: &str| {
        let plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b',' && b != b'?');
        match text.split_once('@') {
            Some((name, host)) if plain && !name.is_empty() && !host.is_empty() && !host.contains('@') => {
                Ok(text.to_owned())
            }
            _ => Err("is no mail address".into()),
        }
    };
    parsed("mail addresses such as \"webmaster@example.org\"", parse, String::clone)
}

/// A name without a star: neither of the two challenges can prove one.
fn host() -> Kind<String> {
    let domain = web::domain();
    Kind {
        read: domain.read,
        show: Box::new(|host| quoted(host)),
        allowed: "host names such as \"www.example.org\"".into(),
    }
}
