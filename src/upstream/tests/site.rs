//! A site that does what a test says, connection by connection, and what the tests need to talk to it.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http_body_util::{BodyExt, Empty};

use super::super::settings::{Balance, HostPattern, Route, TlsSettings};
use super::super::{
    Address, Bounds, Forward, Overrides, RequestId, Scheme, Settings, Sites, Upstream, UpstreamBody, UpstreamError,
};
use crate::pseudonym::RawIp;

/// Nothing in these tests takes this long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a site does with one connection.
pub type Act = Box<dyn FnOnce(&mut Talk) + Send>;

/// A site that takes as many connections as it has acts, one after the other.
pub struct Site {
    pub port: u16,
    thread: Option<JoinHandle<()>>,
}

pub fn act(act: impl FnOnce(&mut Talk) + Send + 'static) -> Act {
    Box::new(act)
}

/// A site of one connection that reads a head, answers with the bytes given, and closes.
pub fn answering(answer: impl AsRef<[u8]> + Send + 'static) -> Site {
    site([act(move |talk| {
        talk.read_head();
        talk.write(answer.as_ref());
    })])
}

pub fn site<const N: usize>(acts: [Act; N]) -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        for act in acts {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_nodelay(true).unwrap();
            act(&mut Talk(stream));
        }
    });
    Site { port, thread: Some(thread) }
}

impl Site {
    /// Waits until the site has played all its acts, and fails where one of them did.
    pub fn end(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }

    pub fn upstream(&self) -> Upstream {
        self.upstream_with(|_| {})
    }

    pub fn upstream_with(&self, change: impl FnOnce(&mut Bounds)) -> Upstream {
        let mut route = route([self.address()]);
        change(&mut route.bounds);
        routed(vec![route])
    }

    pub fn address(&self) -> Address {
        Address::Tcp { tls: false, host: "127.0.0.1".into(), port: self.port }
    }
}

/// Everything to these servers.
pub fn route(servers: impl IntoIterator<Item = Address>) -> Route {
    Route {
        host: HostPattern::Any,
        path: "/".into(),
        servers: servers.into_iter().collect(),
        balance: Balance::default(),
        strip_path: false,
        told_host: None,
        http2: false,
        tls: TlsSettings::default(),
        bounds: Bounds {
            least_rate: crate::patience::LeastRate::ANY,
            connect: PATIENCE,
            answer: PATIENCE,
            idle: PATIENCE,
            total: None,
            max_request_body: 64 * 1024 * 1024,
        },
        keep_idle: PATIENCE,
        probing: None,
    }
}

pub fn routed(routes: Vec<Route>) -> Upstream {
    let names_kept = Duration::from_secs(5);
    Upstream::new(Sites::new(Settings { routes, names_kept, ..Settings::default() }).unwrap())
}

/// The site's end of one connection.
pub struct Talk(pub TcpStream);

impl Talk {
    /// Reads up to the empty line, and nothing beyond.
    pub fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend_from_slice(&self.read(1));
        }
        String::from_utf8(head).unwrap()
    }

    pub fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// What comes until the gateway closes the connection.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => bytes,
            Err(error) => panic!("the gateway keeps the connection: {error}"),
        }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }
}

/// Runs as a worker does: on one thread.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("the test hangs") })
}

pub fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// Sends as the front would for `example.org` and a client at 203.0.113.7.
pub async fn send<B>(
    upstream: &Upstream,
    parts: &Parts,
    body: Option<B>,
) -> Result<http::Response<UpstreamBody>, UpstreamError>
where
    B: http_body::Body<Data = Bytes> + Unpin + 'static,
{
    let (client, id) = (RawIp::new([203, 0, 113, 7].into()), id());
    upstream.send(parts, forward(&client, &id), body).await
}

/// What every request is called.
pub fn id() -> RequestId {
    let headers = http::HeaderMap::from_iter([("x-request-id".parse().unwrap(), "0f0f0f0f0f0f0f0f".parse().unwrap())]);
    RequestId::of(&headers, true)
}

/// Sends as the front would for another client.
pub async fn get_from(
    upstream: &Upstream,
    client: [u8; 4],
    target: &str,
) -> Result<http::Response<UpstreamBody>, UpstreamError> {
    let (client, id) = (RawIp::new(client.into()), id());
    upstream.send(&request("GET", target, &[]), forward(&client, &id), None::<Empty<Bytes>>).await
}

pub fn forward<'a>(client: &'a RawIp, request_id: &'a RequestId) -> Forward<'a> {
    Forward {
        client,
        has_share: true,
        trusted_proxies: &[],
        by_proxy: false,
        scheme: Scheme::Https,
        host: b"example.org",
        asked_host: b"example.org",
        cookie: None,
        overrides: Overrides::default(),
        request_id,
        websocket: false,
    }
}

pub async fn get(upstream: &Upstream, target: &str) -> Result<http::Response<UpstreamBody>, UpstreamError> {
    send(upstream, &request("GET", target, &[]), None::<Empty<Bytes>>).await
}

/// The whole body as text.
pub async fn text(response: http::Response<UpstreamBody>) -> Result<String, UpstreamError> {
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

/// What an exchange failed with.
pub fn failure<T>(result: Result<T, UpstreamError>) -> UpstreamError {
    result.err().expect("this must fail")
}
