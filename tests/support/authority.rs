//! A certificate authority that speaks ACME (RFC 8555): it checks every signature and nonce, looks at the challenges for
//! itself, and signs. It can be told to misbehave the ways authorities do.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rcgen::{CertificateParams, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, date_time_ymd};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring as provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, ServerConfig, ServerConnection, SignatureScheme, StreamOwned,
};

use super::eventually;
use super::gateway::Gateway;
use super::http::exchange;
use super::tls::{Root, connect};

pub struct Authority {
    pub address: SocketAddr,
    /// Its own, which also signs what it gives.
    pub root: Root,
    state: Mutex<State>,
}

/// What it knows, and how it behaves.
#[derive(Default)]
pub struct State {
    nonces: HashSet<String>,
    /// Points of the accounts' keys and their thumbprints, by account.
    accounts: HashMap<String, (Vec<u8>, String)>,
    orders: Vec<Order>,
    /// Where the challenges are looked at, once the gateway is there.
    gateway: Option<(SocketAddr, SocketAddr)>,
    /// How long its certificates live.
    pub life: Duration,
    /// So many requests more are told that their nonce is wrong.
    pub wrong_nonces: usize,
    /// So many orders more are told to come again in a second.
    pub busy: usize,
    /// It does not see any challenge met.
    pub blind: bool,
    /// What it saw when it looked at challenges.
    pub seen: Vec<String>,
}

struct Order {
    hosts: Vec<String>,
    met: Vec<Option<bool>>,
    certificate: Option<String>,
}

impl Authority {
    pub fn start() -> Arc<Authority> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let address = listener.local_addr().expect("a listener has an address");
        let state = Mutex::new(State { life: Duration::from_secs(90 * 86_400), ..State::default() });
        let authority = Arc::new(Authority { address, root: Root::new(), state });
        let (chain, key) = authority.root.give(&["127.0.0.1"]);
        let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).expect("it is PEM")];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("it is PEM");
        let config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows them")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("they belong together");
        let (config, serving) = (Arc::new(config), authority.clone());
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (config, authority) = (config.clone(), serving.clone());
                thread::spawn(move || authority.serve(socket, config));
            }
        });
        authority
    }

    /// The lines of configuration of whoever orders here; the folder gets its root.
    pub fn configure(&self, folder: &std::path::Path) {
        std::fs::write(folder.join("authority.pem"), self.root.0.pem()).expect("the folder is ours");
    }

    pub fn directory(&self) -> String {
        self.url("directory")
    }

    /// Says where challenges are to be looked at.
    pub fn looks_at(&self, gateway: &Gateway) {
        self.state().gateway = Some((gateway.address, gateway.tls.expect("it speaks TLS")));
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many orders there were.
    pub fn orders(&self) -> usize {
        self.state().orders.len()
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}/{path}", self.address)
    }

    /// One request for each connection.
    fn serve(&self, socket: TcpStream, config: Arc<ServerConfig>) {
        let connection = ServerConnection::new(config).expect("the configuration is right");
        let mut stream = StreamOwned::new(connection, socket);
        let Some((head, body)) = read(&mut stream) else { return };
        let mut words = head.split([' ', '\r']);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_owned());
        let (status, fields, body) = match (method, path.as_str()) {
            ("GET", "/directory") => (200, String::new(), self.contents()),
            ("HEAD", "/nonce") => (200, String::new(), json!(null)),
            ("POST", path) => self.post(path, &body).unwrap_or_else(|problem| problem),
            _ => problem(404, "malformed"),
        };
        let nonce = self.nonce();
        let body = match body {
            Value::String(text) => text,
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let kind = if status < 400 { "application/json" } else { "application/problem+json" };
        let _ = write!(
            stream,
            "HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nReplay-Nonce: {nonce}\r\n\
             Connection: close\r\n{fields}\r\n{body}",
            body.len()
        );
        let _ = stream.flush();
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }

    fn contents(&self) -> Value {
        let names = ["newNonce", "newAccount", "newOrder", "revokeCert", "keyChange"];
        let paths = ["nonce", "account", "order", "revoke", "change"];
        names.iter().zip(paths).map(|(name, path)| ((*name).to_owned(), json!(self.url(path)))).collect()
    }

    fn nonce(&self) -> String {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("there is chance");
        let nonce = BASE64.encode(bytes);
        self.state().nonces.insert(nonce.clone());
        nonce
    }

    fn post(&self, path: &str, body: &[u8]) -> Result<Said, Said> {
        let (account, payload) = self.verified(path, body)?;
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let number = |at: usize| parts.get(at).and_then(|part| part.parse::<usize>().ok()).unwrap_or(usize::MAX);
        match parts[0] {
            "account" => {
                assert_eq!(payload["termsOfServiceAgreed"], true);
                Ok((201, format!("Location: {}\r\n", self.url(&account)), json!({"status": "valid"})))
            }
            "order" if parts.len() == 1 => {
                let mut state = self.state();
                if state.busy > 0 {
                    state.busy -= 1;
                    let (status, _, body) = problem(429, "rateLimited");
                    return Err((status, "Retry-After: 1\r\n".into(), body));
                }
                let identifiers = payload["identifiers"].as_array().expect("they are a list");
                let hosts: Vec<String> =
                    identifiers.iter().map(|i| i["value"].as_str().unwrap_or_default().to_owned()).collect();
                let met = vec![None; hosts.len()];
                state.orders.push(Order { hosts, met, certificate: None });
                let number = state.orders.len() - 1;
                drop(state);
                Ok((201, format!("Location: {}\r\n", self.url(&format!("order/{number}"))), self.order(number)))
            }
            "order" => Ok((200, String::new(), self.order(number(1)))),
            "authorization" => Ok((200, String::new(), self.authorization(number(1), number(2)))),
            "challenge" => {
                let thumbprint = self.state().accounts[&account].1.clone();
                let (host, met) = self.look(number(1), number(2), parts[3], &thumbprint);
                let mut state = self.state();
                state.seen.push(format!("{} {host} {met}", parts[3]));
                let met = met && !state.blind;
                state.orders[number(1)].met[number(2)] = Some(met);
                // As authorities do: what came of it is said when it is asked for.
                Ok((200, String::new(), self.challenge(number(1), number(2), parts[3], None)))
            }
            "finalize" => {
                let csr = BASE64.decode(payload["csr"].as_str().unwrap_or_default()).expect("it is base64");
                let hosts = self.state().orders[number(1)].hosts.clone();
                assert!(
                    hosts.iter().all(|host| super::holds(&csr, host.as_bytes())),
                    "the order's hosts are asked for"
                );
                let certificate = self.sign(&csr, hosts);
                self.state().orders[number(1)].certificate = Some(certificate);
                Ok((200, String::new(), self.order(number(1))))
            }
            "certificate" => {
                let certificate = self.state().orders[number(1)].certificate.clone();
                Ok((200, String::new(), Value::String(certificate.expect("it was signed"))))
            }
            _ => Err(problem(404, "malformed")),
        }
    }

    /// RFC 8555 §6: the account that signed, and what it says.
    fn verified(&self, path: &str, body: &[u8]) -> Result<(String, Value), Said> {
        let body: Value = serde_json::from_slice(body).map_err(|_| problem(400, "malformed"))?;
        let part = |name: &str| body[name].as_str().unwrap_or_default();
        let decoded = |name: &str| BASE64.decode(part(name)).map_err(|_| problem(400, "malformed"));
        let protected: Value = serde_json::from_slice(&decoded("protected")?).map_err(|_| problem(400, "malformed"))?;
        let mut state = self.state();
        let known = state.nonces.remove(protected["nonce"].as_str().unwrap_or_default());
        if !known || state.wrong_nonces > 0 {
            state.wrong_nonces = state.wrong_nonces.saturating_sub(1);
            return Err(problem(400, "badNonce"));
        }
        if protected["url"] != self.url(path.trim_start_matches('/')) {
            return Err(problem(401, "unauthorized"));
        }
        let (name, point) = match &protected["jwk"] {
            Value::Null => {
                let name =
                    protected["kid"].as_str().unwrap_or_default().rsplit_once(&self.url("")).map(|(_, name)| name);
                let name = name.unwrap_or_default().to_owned();
                let Some((point, _)) = state.accounts.get(&name) else {
                    return Err(problem(400, "accountDoesNotExist"));
                };
                (name, point.clone())
            }
            jwk => {
                let coordinate = |name: &str| BASE64.decode(jwk[name].as_str().unwrap_or_default()).unwrap_or_default();
                let point = [vec![4], coordinate("x"), coordinate("y")].concat();
                // RFC 7638
                let (x, y) = (&jwk["x"], &jwk["y"]);
                let canonical = format!("{{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":{x},\"y\":{y}}}");
                let name = format!("account/{}", state.accounts.len());
                let thumbprint = BASE64.encode(Sha256::digest(canonical));
                state.accounts.insert(name.clone(), (point.clone(), thumbprint));
                (name, point)
            }
        };
        let signed = format!("{}.{}", part("protected"), part("payload"));
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        key.verify(signed.as_bytes(), &decoded("signature")?).map_err(|_| problem(401, "unauthorized"))?;
        Ok((name, serde_json::from_slice(&decoded("payload")?).unwrap_or(Value::Null)))
    }

    fn order(&self, number: usize) -> Value {
        let state = self.state();
        let order = &state.orders[number];
        let status = match (&order.certificate, &order.met[..]) {
            (Some(_), _) => "valid",
            (None, met) if met.contains(&Some(false)) => "invalid",
            (None, met) if met.iter().all(Option::is_some) => "ready",
            _ => "pending",
        };
        let mut said = json!({
            "status": status,
            "identifiers": order.hosts.iter().map(|host| json!({"type": "dns", "value": host})).collect::<Vec<_>>(),
            "authorizations": (0..order.hosts.len())
                .map(|host| self.url(&format!("authorization/{number}/{host}")))
                .collect::<Vec<_>>(),
            "finalize": self.url(&format!("finalize/{number}")),
        });
        if order.certificate.is_some() {
            said["certificate"] = json!(self.url(&format!("certificate/{number}")));
        }
        said
    }

    fn authorization(&self, number: usize, host: usize) -> Value {
        let (name, met) = {
            let state = self.state();
            (state.orders[number].hosts[host].clone(), state.orders[number].met[host])
        };
        let status = met.map_or("pending", |met| if met { "valid" } else { "invalid" });
        let challenges: Vec<Value> =
            ["http-01", "tls-alpn-01"].map(|kind| self.challenge(number, host, kind, met)).to_vec();
        json!({"status": status, "identifier": {"type": "dns", "value": name}, "challenges": challenges})
    }

    fn challenge(&self, number: usize, host: usize, kind: &str, met: Option<bool>) -> Value {
        let status = met.map_or("pending", |met| if met { "valid" } else { "invalid" });
        let mut said = json!({
            "type": kind,
            "url": self.url(&format!("challenge/{number}/{host}/{kind}")),
            "token": format!("token-{number}-{host}"),
            "status": status,
        });
        if met == Some(false) {
            said["error"] = json!({"type": "urn:ietf:params:acme:error:unauthorized", "detail": "it was not there"});
        }
        said
    }

    /// Looks for itself: the host, and whether it is as it should be.
    fn look(&self, number: usize, host: usize, kind: &str, thumbprint: &str) -> (String, bool) {
        let (plain, tls) = eventually("the gateway is there", || self.state().gateway);
        let name = self.state().orders[number].hosts[host].clone();
        let token = format!("token-{number}-{host}");
        let expected = format!("{token}.{thumbprint}");
        let met = match kind {
            "http-01" => {
                let ask = format!("GET /.well-known/acme-challenge/{token} HTTP/1.1\r\nHost: {name}\r\n\r\n");
                let answer = exchange(plain, ask);
                answer.status == 200 && answer.text() == expected
            }
            _ => {
                let mut client = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
                    .with_safe_default_protocol_versions()
                    .expect("the provider knows them")
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(Anything))
                    .with_no_client_auth();
                client.alpn_protocols = vec![b"acme-tls/1".to_vec()];
                // RFC 8737 §3: the digest as an octet string within the extension, for this one name.
                let digest = [&[0x04, 0x20][..], &Sha256::digest(&expected)].concat();
                connect(&Arc::new(client), tls, &name).is_ok_and(|stream| {
                    let shown = stream.conn.peer_certificates().and_then(|chain| chain.first().cloned());
                    let shown = shown.unwrap_or_else(|| CertificateDer::from(Vec::new()));
                    stream.conn.alpn_protocol() == Some(b"acme-tls/1")
                        && super::holds(&shown, &digest)
                        && super::holds(&shown, name.as_bytes())
                })
            }
        };
        (name, met)
    }

    fn sign(&self, csr: &[u8], hosts: Vec<String>) -> String {
        // The point of the key behind the head of a bit string of 66 bytes.
        let at = memchr::memmem::find(csr, &[0x03, 0x42, 0x00, 0x04]).expect("a key of P-256 is asked for") + 3;
        let key = Point(csr[at..at + 65].to_vec());
        let mut params = CertificateParams::new(hosts).expect("hosts are names");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970");
        params.not_before = date_time_ymd(1970, 1, 1) + now;
        params.not_after = date_time_ymd(1970, 1, 1) + now + self.state().life;
        let certificate = params.signed_by(&key, &self.root.0).expect("it can sign");
        format!("{}{}", certificate.pem(), self.root.0.pem())
    }
}

type Said = (u16, String, Value);

fn problem(status: u16, kind: &str) -> Said {
    let kind = format!("urn:ietf:params:acme:error:{kind}");
    (status, String::new(), json!({"type": kind, "detail": "as the test wants it", "status": status}))
}

fn read(stream: &mut impl Read) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = super::http::fields(&head).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length = length.map_or(0, |(_, length)| length.parse().unwrap_or(0));
            if bytes.len() >= end + 4 + length {
                return Some((head, bytes[end + 4..end + 4 + length].to_vec()));
            }
        }
        let got = stream.read(&mut piece).ok().filter(|got| *got > 0)?;
        bytes.extend_from_slice(&piece[..got]);
    }
}

struct Point(Vec<u8>);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// Looks at whatever it is shown.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
