//! An authority of the tests' own, the certificates it gives, and a client that believes it alone.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::PATIENCE;
use super::gateway::Gateway;
use super::http::Connection;

/// Signs certificates.
pub struct Root(pub CertifiedIssuer<'static, KeyPair>);

impl Root {
    pub fn new() -> Root {
        let mut params = CertificateParams::new(Vec::new()).expect("no name is a wrong one");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "Tests");
        let key = KeyPair::generate().expect("there is chance");
        Root(CertifiedIssuer::self_signed(params, key).expect("it can sign itself"))
    }

    /// Chain and key of a certificate for these hosts, in PEM.
    pub fn give(&self, hosts: &[&str]) -> (String, String) {
        self.sign(CertificateParams::new(names(hosts)).expect("hosts are names"))
    }

    fn sign(&self, params: CertificateParams) -> (String, String) {
        let key = KeyPair::generate().expect("there is chance");
        let certificate = params.signed_by(&key, &self.0).expect("it can sign");
        (certificate.pem(), key.serialize_pem())
    }

    /// The same as `NAME.pem` and `NAME-key.pem` in a folder, with the lines of configuration that name them.
    pub fn write(&self, folder: &Path, name: &str, hosts: &[&str]) -> String {
        write(folder, name, self.give(hosts))
    }

    /// The same, good from one time until another.
    pub fn write_good(&self, folder: &Path, name: &str, hosts: &[&str], good: (SystemTime, SystemTime)) -> String {
        let mut params = CertificateParams::new(names(hosts)).expect("hosts are names");
        (params.not_before, params.not_after) = (good.0.into(), good.1.into());
        write(folder, name, self.sign(params))
    }

    /// A client that speaks these versions and protocols.
    pub fn client(&self, versions: &[&'static rustls::SupportedProtocolVersion], alpn: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("it is a root");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("the provider knows them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// The client of most tests: any version, HTTP/1.1.
    pub fn http1(&self) -> Arc<ClientConfig> {
        self.client(rustls::ALL_VERSIONS, &["http/1.1"])
    }
}

/// Writes both as careful people do it: beside the name, then renamed.
fn write(folder: &Path, name: &str, (chain, key): (String, String)) -> String {
    let (chain_file, key_file) = (format!("{name}.pem"), format!("{name}-key.pem"));
    for (file, text) in [(&chain_file, chain), (&key_file, key)] {
        let draft = folder.join(format!("{file}.draft"));
        fs::write(&draft, text).expect("the folder is ours");
        fs::set_permissions(&draft, Permissions::from_mode(0o600)).expect("the file is ours");
        fs::rename(&draft, folder.join(file)).expect("the folder is ours");
    }
    format!("[[gateway.tls.certificate]]\ncertificate = \"{chain_file}\"\nkey = \"{key_file}\"\n")
}

fn names(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(|host| (*host).to_owned()).collect()
}

pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Shakes hands to the end, or says what came instead. A name that is an address is not told to the other side.
pub fn connect(client: &Arc<ClientConfig>, address: SocketAddr, name: &str) -> io::Result<Stream> {
    let mut socket = TcpStream::connect(address).expect("the listener takes connections");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket has a read timeout");
    let name = ServerName::try_from(name.to_owned()).expect("it is a name");
    let mut connection = ClientConnection::new(client.clone(), name).expect("the configuration is right");
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

/// A connection of HTTP/1.1 within TLS.
pub fn open(root: &Root, gateway: &Gateway, name: &str) -> Connection {
    let address = gateway.tls.expect("it speaks TLS");
    Connection::over(connect(&root.http1(), address, name).unwrap_or_else(|error| panic!("{name}: {error}")))
}
