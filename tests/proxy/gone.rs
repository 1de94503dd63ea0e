//! A visitor who has gone is noticed, whatever it left behind, and what was held for it is given back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use super::{bytes, get};
use crate::support::gateway::{Gateway, Nobody, without_database};
use crate::support::{PATIENCE, eventually};

const VISITOR: &str = "Host: a.example\r\nSec-Fetch-Dest: image\r\n";
const UPGRADE: &str =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n";
const SWITCHED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

/// A gateway, and the site behind it, each of whose connections is a test's own.
struct Between {
    gateway: Gateway,
    site: TcpListener,
    _nobody: Nobody,
}

impl Between {
    fn with(more: &str) -> Between {
        let site = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let (gateway, nobody) = without_database(site.local_addr().expect("it has an address"), more);
        Between { gateway, site, _nobody: nobody }
    }

    /// A visitor that has sent this.
    fn visitor(&self, sent: &str) -> TcpStream {
        let mut visitor = TcpStream::connect(self.gateway.address).expect("the listener takes connections");
        visitor.set_read_timeout(Some(PATIENCE)).expect("a socket has a read timeout");
        visitor.write_all(sent.as_bytes()).expect("the other side reads");
        visitor
    }

    /// The site's next connection, once a head has come over it.
    fn asked(&self) -> TcpStream {
        self.site.set_nonblocking(true).expect("a socket can be asked without waiting");
        let (mut site, _) = eventually("the gateway comes", || self.site.accept().ok());
        site.set_nonblocking(false).expect("a socket can be waited for");
        site.set_read_timeout(Some(PATIENCE)).expect("a socket has a read timeout");
        read_head(&mut site);
        site
    }

    /// Waits until no visitor has a connection.
    fn lets_go(&self) {
        eventually("every connection is let go", || {
            (self.gateway.metric("consentry_connections_open") == 0).then_some(())
        });
    }
}

/// A head, byte by byte, so that nothing behind it is taken.
fn read_head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head comes");
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Goes away at once.
fn reset(visitor: TcpStream) {
    SockRef::from(&visitor).set_linger(Some(Duration::ZERO)).expect("a socket can be reset");
}

/// Waits until the gateway has closed, orderly or not.
fn is_closed(mut site: TcpStream) {
    let mut bytes = [0; 65536];
    loop {
        match site.read(&mut bytes) {
            Ok(1..) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("it is held"),
            Ok(0) | Err(_) => return,
        }
    }
}

#[test]
fn whoever_goes_before_it_hears_that_its_tunnel_is_open_holds_nothing() {
    let between = Between::with("workers = 1\n[gateway.limits]\nmax_upstream_connections = 4\n");
    for _ in 0..2 {
        // What lies behind the head hides that it has gone.
        let visitor = between.visitor(&format!("GET /ws HTTP/1.1\r\n{VISITOR}{UPGRADE}x"));
        let mut site = between.asked();
        reset(visitor);
        site.write_all(SWITCHED).expect("the gateway reads");
        is_closed(site);
    }
    between.lets_go();
    let answer = std::thread::scope(|scope| {
        let answer = scope.spawn(|| get(&between.gateway, "/after", "Connection: close\r\n"));
        let mut site = between.asked();
        site.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("the gateway reads");
        answer.join().expect("it is answered")
    });
    assert_eq!(answer.status, 204);
}

#[test]
fn what_a_visitor_sends_through_a_tunnel_reaches_a_site_that_has_closed_its_half_whole() {
    let between = Between::with("workers = 1\n");
    let mut visitor = between.visitor(&format!("GET /ws HTTP/1.1\r\n{VISITOR}{UPGRADE}"));
    let mut site = between.asked();
    site.write_all(SWITCHED).expect("the gateway reads");
    read_head(&mut visitor);
    // Something has been read in the tunnel before the site closes its half, and much comes after.
    visitor.write_all(b"a word").expect("the gateway reads");
    site.read_exact(&mut [0; 6]).expect("it comes");
    site.shutdown(Shutdown::Write).expect("it is open");
    assert_eq!(visitor.read(&mut [0]).expect("half of it is closed in order"), 0);
    let much = bytes(16 << 20);
    let heard = std::thread::scope(|scope| {
        scope.spawn(|| {
            visitor.write_all(&much).expect("the other half is open");
            visitor.shutdown(Shutdown::Write).expect("it is open");
        });
        // Long enough for all that fits in between.
        std::thread::sleep(Duration::from_millis(300));
        let mut heard = Vec::new();
        site.read_to_end(&mut heard).expect("it is closed in order");
        heard
    });
    assert!(heard == much, "{} of {} bytes", heard.len(), much.len());
}

/// An answer that has begun and falls silent.
const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: here\n\n";

#[test]
fn whoever_goes_beside_a_silent_stream_is_missed_whatever_it_left_behind() {
    let between = Between::with("workers = 1\n");
    let get = format!("GET /events HTTP/1.1\r\n{VISITOR}\r\n");
    let upload = |length: &str| format!("POST /events HTTP/1.1\r\n{VISITOR}{length}\r\n\r\n");
    let left_behind = [
        get.clone(),
        format!("{get}G"),
        format!("{get}\r\n"),
        format!("{get}{get}"),
        format!("{}1\r\nx\r\n", upload("Transfer-Encoding: chunked")),
        format!("{}abc", upload("Content-Length: 9")),
        format!("{}abc\r\n", upload("Content-Length: 3")),
    ];
    let mut held = Vec::new();
    for sent in &left_behind {
        for goes in [reset, drop::<TcpStream>] {
            let mut visitor = between.visitor(sent);
            let mut site = between.asked();
            site.write_all(STREAM).expect("the gateway reads");
            read_head(&mut visitor);
            goes(visitor);
            held.push((sent, site));
        }
    }
    // More than fits in between, of which the site reads nothing.
    let mut visitor = between.visitor(&upload("Content-Length: 50000000"));
    visitor.set_write_timeout(Some(Duration::from_millis(500))).expect("a socket has a write timeout");
    let mut site = between.asked();
    site.write_all(STREAM).expect("the gateway reads");
    read_head(&mut visitor);
    while visitor.write(&[b'x'; 65536]).is_ok() {}
    reset(visitor);
    between.lets_go();
    for (_, site) in held {
        is_closed(site);
    }
    is_closed(site);
}

#[test]
fn a_whole_upload_that_waits_for_the_site_is_answered_though_its_visitor_has_closed_its_half() {
    let (site, loopback) = (Socket::new(Domain::IPV4, Type::STREAM, None), SocketAddr::from(([127, 0, 0, 1], 0)));
    let site = site.expect("there are sockets");
    site.bind(&loopback.into()).expect("loopback has ports");
    site.listen(0).expect("a socket listens");
    let site = TcpListener::from(site);
    let address = site.local_addr().expect("it has an address");
    // One connection is all that it has room for, so the gateway's waits.
    let full = TcpStream::connect(address).expect("there is room for one");
    let (gateway, _nobody) = without_database(address, "workers = 1\n[gateway.limits]\nconnect_timeout = \"60s\"\n");
    let between = Between { gateway, site, _nobody };
    let uploads = ["Content-Length: 5\r\n\r\nwords", "Transfer-Encoding: chunked\r\n\r\n5\r\nwords\r\n0\r\n\r\n"];
    let mut visitors = uploads.map(|sent| between.visitor(&format!("POST /form HTTP/1.1\r\n{VISITOR}{sent}")));
    for visitor in &visitors {
        visitor.shutdown(Shutdown::Write).expect("it is open");
    }
    // Longer than somebody is waited for who sends half a request.
    std::thread::sleep(Duration::from_millis(4500));
    drop(full);
    drop(between.site.accept().expect("it is in the queue"));
    for _ in &visitors {
        let mut site = between.asked();
        std::thread::spawn(move || {
            let _ = site.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
            is_closed(site);
        });
    }
    for visitor in &mut visitors {
        assert!(read_head(visitor).starts_with("HTTP/1.1 204 "));
    }
}
