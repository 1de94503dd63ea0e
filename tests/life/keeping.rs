//! Visitors who keep their connection while a new process takes the place of the running one: nothing they ask for fails,
//! and nothing is done twice.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;

use super::upgrade::upgrade;
use crate::support::gateway::{Gateway, without_database};
use crate::support::process::runs;
use crate::support::site::{Behaviour, Site};
use crate::support::{PATIENCE, eventually};

/// A client that keeps its connection for as long as it may, as RFC 9112 §9.3 has it.
struct Keeping {
    address: SocketAddr,
    stream: Option<TcpStream>,
    /// Closed without an answer to what was asked over a connection that was used before: it may ask again (RFC 9112 §9.3.1).
    closed_on: usize,
    connections: usize,
}

impl Keeping {
    fn new(address: SocketAddr) -> Keeping {
        Keeping { address, stream: None, closed_on: 0, connections: 0 }
    }

    /// Asks and gives the body of the answer, which must be a 200.
    fn ask(&mut self, request: &str) -> String {
        loop {
            let is_used = self.stream.is_some();
            let stream = self.stream.take().unwrap_or_else(|| {
                self.connections += 1;
                let stream = TcpStream::connect(self.address).expect("the listener takes connections");
                stream.set_nodelay(true).expect("a socket can send at once");
                stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a read timeout");
                stream
            });
            match exchange(&stream, request) {
                Ok((head, body)) => {
                    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
                    if !head.to_ascii_lowercase().contains("\r\nconnection: close") {
                        self.stream = Some(stream);
                    }
                    return body;
                }
                Err(error) => {
                    assert!(is_used, "a new connection is answered: {error}");
                    self.closed_on += 1;
                }
            }
        }
    }
}

/// An answer with a length; an error only where not a byte of it came.
fn exchange(mut stream: &TcpStream, request: &str) -> std::io::Result<(String, String)> {
    stream.write_all(request.as_bytes())?;
    let (mut got, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = memchr::memmem::find(&got, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&got[..end]).into_owned();
            let length = head.to_ascii_lowercase();
            let length = length.split_once("content-length: ").expect("it has a length").1;
            let length: usize = length.lines().next().and_then(|text| text.parse().ok()).expect("a number");
            if got.len() == end + 4 + length {
                return Ok((head, String::from_utf8_lossy(&got[end + 4..]).into_owned()));
            }
        }
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) if !got.is_empty() => panic!("cut within an answer: {:?}", String::from_utf8_lossy(&got)),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => got.extend_from_slice(&bytes[..count]),
            Err(error) => return Err(error),
        }
    }
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Every body that reached the site at a path; each must have done so once.
fn once(site: &Site, path: &str, asked: usize) {
    let mut bodies: Vec<Vec<u8>> = site.requests(path).into_iter().map(|request| request.body).collect();
    assert_eq!(bodies.len(), asked, "what was asked was done, and nothing twice");
    bodies.sort_unstable();
    bodies.dedup();
    assert_eq!(bodies.len(), asked, "each of it once");
}

fn start(more: &str) -> (Gateway, Site, crate::support::gateway::Nobody) {
    let site = Site::start();
    site.on("/echo", Behaviour::Echoes);
    let (gateway, nobody) = without_database(site.address, &format!("workers = 2\n{more}"));
    (gateway, site, nobody)
}

#[test]
fn who_keeps_a_connection_over_an_upgrade_is_told_before_it_ends_and_nothing_asked_is_lost_or_doubled() {
    let (gateway, site, _nobody) = start("");
    let (ended, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let idle = TcpStream::connect(gateway.address).expect("the listener takes connections");
    idle.set_read_timeout(Some(PATIENCE)).expect("a socket has a read timeout");
    exchange(&idle, &post("/idle", "")).expect("it is answered");
    let (clients, successor) = std::thread::scope(|scope| {
        // From one that never rests to one that pauses for longer than anything takes here.
        let clients = [0, 1, 5, 20].map(|pause| {
            let (ended, asked, mut client) = (&ended, &asked, Keeping::new(gateway.address));
            scope.spawn(move || {
                let mut number = 0;
                while !ended.load(Ordering::Relaxed) {
                    let body = format!("{pause} {number}");
                    assert_eq!(client.ask(&post("/echo", &body)), body);
                    number += 1;
                    asked.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(pause));
                }
                client
            })
        });
        std::thread::sleep(Duration::from_millis(200));
        let successor = upgrade(&gateway.folder);
        std::thread::sleep(Duration::from_millis(200));
        ended.store(true, Ordering::Relaxed);
        let clients = clients.map(|client| client.join().expect("nobody was refused or cut"));
        (clients, successor.expect("the new process serves"))
    });
    for client in &clients {
        // One connection to each process, and one between: whoever goes on asking is told that the connection closes.
        assert!(client.connections >= 2 && client.closed_on == 0, "{} {}", client.connections, client.closed_on);
    }
    once(&site, "/echo", asked.load(Ordering::Relaxed));
    // Who asks for nothing meanwhile finds the connection closed in order, and asks over another one.
    let end = (&idle).read(&mut [0]);
    assert!(matches!(end, Ok(0)), "{end:?}");
    eventually("the first process ends", || (!runs(gateway.process.id())).then_some(()));
    successor.end();
}

/// A client of HTTP/2 that opens another connection once it is told that this one ends.
struct Streams {
    address: SocketAddr,
    client: Option<SendRequest<Bytes>>,
    connections: usize,
}

impl Streams {
    async fn ask(&mut self, body: &str) -> Bytes {
        loop {
            let client = match self.client.take() {
                Some(client) => client,
                None => {
                    self.connections += 1;
                    let stream = tokio::net::TcpStream::connect(self.address).await.expect("it takes connections");
                    let (client, connection) = h2::client::handshake(stream).await.expect("it speaks HTTP/2");
                    tokio::spawn(connection);
                    client
                }
            };
            // RFC 9113 §6.8: what is above the last stream that GOAWAY names was not looked at, and may be asked again.
            match one(client.clone(), body).await {
                Ok(answer) => {
                    self.client = Some(client);
                    return answer;
                }
                Err(error) if error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

async fn one(client: SendRequest<Bytes>, body: &str) -> Result<Bytes, h2::Error> {
    let request = Request::post("http://a.example/echo").body(()).expect("it is a request");
    let (answer, mut sending) = client.ready().await?.send_request(request, false)?;
    sending.send_data(Bytes::copy_from_slice(body.as_bytes()), true)?;
    let (head, mut body) = answer.await?.into_parts();
    assert_eq!(head.status, 200);
    let mut whole = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.expect("an answer that has begun is whole");
        let _ = body.flow_control().release_capacity(piece.len());
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

#[tokio::test(flavor = "current_thread")]
async fn who_keeps_a_connection_of_http2_over_an_upgrade_is_told_and_nothing_asked_is_lost_or_doubled() {
    let (gateway, site, _nobody) = start("h2c = true");
    let (address, ended) = (gateway.address, std::sync::Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = [0, 1, 5, 20]
        .map(|pause| {
            let ended = ended.clone();
            tokio::spawn(async move {
                let (mut client, mut asked) = (Streams { address, client: None, connections: 0 }, 0);
                while !ended.load(Ordering::Relaxed) {
                    let body = format!("{pause} {asked}");
                    assert_eq!(client.ask(&body).await, body);
                    asked += 1;
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                (asked, client.connections)
            })
        })
        .into();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let upgraded = tokio::task::spawn_blocking(move || {
        let successor = upgrade(&gateway.folder);
        (gateway, successor)
    });
    let (gateway, successor) = upgraded.await.expect("it does not panic");
    tokio::time::sleep(Duration::from_millis(200)).await;
    ended.store(true, Ordering::Relaxed);
    let mut all = 0;
    for client in clients {
        let (asked, connections) = client.await.expect("nobody was refused or cut");
        assert!(connections >= 2, "{connections}");
        all += asked;
    }
    once(&site, "/echo", all);
    let successor = successor.expect("the new process serves");
    tokio::task::spawn_blocking(move || {
        eventually("the first process ends", || (!runs(gateway.process.id())).then_some(()));
        successor.end();
    })
    .await
    .expect("both end");
}
