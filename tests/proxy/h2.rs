//! HTTP/2 to visitors: what it adds is bounded, and what it lets through and HTTP/1.1 reads in another way is refused.

use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ALL_VERSIONS;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::support::gateway::{Gateway, Nobody, folder_without_database, without_database};
use crate::support::h2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, Raw, WINDOW, WINDOW_UPDATE, block,
};
use crate::support::http::{Connection, exchange};
use crate::support::site::{Behaviour, Site};
use crate::support::tls::Root;
use crate::support::{PATIENCE, eventually};

/// A gateway that speaks it without TLS, and the site behind it.
fn plain() -> &'static (Gateway, Site, Nobody) {
    static PLAIN: OnceLock<(Gateway, Site, Nobody)> = OnceLock::new();
    PLAIN.get_or_init(|| {
        let site = Site::start();
        let declared = "[[cookie]]\nname = \"session*\"\npurpose = \"necessary\"\n";
        let (gateway, nobody) = without_database(site.address, &format!("h2c = true\n{declared}"));
        (gateway, site, nobody)
    })
}

/// Sends a request and gives its answer with the whole body.
async fn ask(client: &SendRequest<Bytes>, request: Request<()>, body: Option<Bytes>) -> Response<Bytes> {
    let mut client = client.clone().ready().await.expect("the connection is open");
    let (answer, mut sending) = client.send_request(request, body.is_none()).expect("the request is a right one");
    if let Some(body) = body {
        sending.send_data(body, true).expect("there is room");
    }
    let (head, mut body) = answer.await.expect("an answer comes").into_parts();
    let mut whole = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.expect("the answer is whole");
        body.flow_control().release_capacity(piece.len()).expect("it was taken");
        whole.extend_from_slice(&piece);
    }
    Response::from_parts(head, whole.into())
}

fn request(method: &str, uri: &str) -> Request<()> {
    Request::builder().method(method).uri(uri).body(()).expect("it is a request")
}

async fn connected<S>(stream: S) -> SendRequest<Bytes>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = h2::client::handshake(stream).await.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn whoever_can_speaks_http2_by_tls_and_many_requests_share_a_connection() {
    let (site, root) = (Site::start(), Root::new());
    let certificate = "[[gateway.tls.certificate]]\ncertificate = \"one.pem\"\nkey = \"one-key.pem\"\n";
    let more = format!("[gateway.tls]\nlisten = \"127.0.0.1:0\"\n{certificate}");
    let (folder, _nobody) = folder_without_database(site.address, &more);
    root.write(folder.path(), "one", &["www.example.org"]);
    let gateway = folder.serve();
    site.on("/echo", Behaviour::Echoes);
    let connector = TlsConnector::from(root.client(ALL_VERSIONS, &["h2", "http/1.1"]));
    let stream = TcpStream::connect(gateway.tls.unwrap()).await.unwrap();
    let name = ServerName::try_from("www.example.org").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let client = connected(stream).await;

    let pages: Vec<String> = (0..50).map(|number| format!("/h2/{number}")).collect();
    let asked = pages.iter().map(|path| ask(&client, request("GET", &format!("https://www.example.org{path}")), None));
    for answer in futures_of(asked).await {
        assert_eq!(answer.status(), 200);
        assert!(answer.body().windows(8).any(|part| part == b"A page</"));
        assert!(!answer.headers().contains_key("connection") && !answer.headers().contains_key("transfer-encoding"));
    }
    for path in &pages {
        let request = site.request(path);
        assert!(request.head.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{}", request.head);
        assert_eq!((request.all("host"), request.all("x-forwarded-proto")), (vec!["www.example.org"], vec!["https"]));
    }
    let body = Bytes::from(super::bytes(300_000));
    let posted = ask(&client, request("POST", "https://www.example.org/echo"), Some(body.clone())).await;
    assert_eq!(posted.body(), &body);
    let head = ask(&client, request("HEAD", "https://www.example.org/h2/head"), None).await;
    assert!(head.status() == 200 && head.body().is_empty());
}

#[tokio::test]
async fn a_connection_of_http2_is_not_shared_with_a_host_another_certificate_is_for() {
    let (site, root) = (Site::start(), Root::new());
    let certificates = ["one", "two"]
        .map(|name| format!("[[gateway.tls.certificate]]\ncertificate = \"{name}.pem\"\nkey = \"{name}-key.pem\"\n"));
    let more = format!("[gateway.tls]\nlisten = \"127.0.0.1:0\"\n{}", certificates.concat());
    let (folder, _nobody) = folder_without_database(site.address, &more);
    root.write(folder.path(), "one", &["www.example.org", "img.example.org"]);
    root.write(folder.path(), "two", &["shop.example.org"]);
    let gateway = folder.serve();
    let connector = TlsConnector::from(root.client(ALL_VERSIONS, &["h2"]));
    let stream = TcpStream::connect(gateway.tls.unwrap()).await.unwrap();
    let stream = connector.connect(ServerName::try_from("www.example.org").unwrap(), stream).await.unwrap();
    let client = connected(stream).await;
    for (uri, status) in [
        ("https://www.example.org/421/a", 200),
        ("https://img.example.org/421/a", 200),
        ("https://shop.example.org/421/b", 421),
        ("https://www.example.org:8443/421/a", 200),
    ] {
        assert_eq!(ask(&client, request("GET", uri), None).await.status(), status, "{uri}");
    }
    assert!(site.requests("/421/b").is_empty());
}

async fn futures_of<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *result = Some(value);
            }
        }
        if results.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}

#[test]
fn http2_without_tls_is_spoken_to_who_begins_with_it_and_only_where_it_is_switched_on() {
    let (gateway, site, _nobody) = plain();
    let mut raw = Raw::open(gateway.address, &[]);
    raw.get(1, "/h2c/known", &[]);
    assert_eq!(raw.next(&[HEADERS, RST_STREAM]).unwrap().status(), 200);
    assert_eq!(site.request("/h2c/known").all("x-forwarded-proto"), ["http"]);
    // HTTP/1.1 is spoken beside it, however the first bytes come.
    let mut slow = Connection::open(gateway.address);
    for byte in b"PUT /h2c/one HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n" {
        slow.send([*byte]);
    }
    assert_eq!(slow.answer().status, 200);
    let off = Site::start();
    let (off, _nobody) = without_database(off.address, "");
    let rest = Connection::open(off.address).send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").rest();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"), "{:?}", String::from_utf8_lossy(&rest));
}

#[test]
fn what_a_site_would_read_in_another_way_never_reaches_it() {
    let (gateway, site, _nobody) = plain();
    type Fields = &'static [(&'static str, &'static [u8])];
    const PATH: (&str, &[u8]) = (":path", b"/h2/wrong");
    const METHOD: (&str, &[u8]) = (":method", b"GET");
    const SCHEME: (&str, &[u8]) = (":scheme", b"http");
    const HOST: (&str, &[u8]) = (":authority", b"a.example");
    let table: &[Fields] = &[
        &[METHOD, SCHEME, PATH],
        &[METHOD, SCHEME, HOST, PATH, ("host", b"b.example")],
        &[METHOD, SCHEME, (":authority", b""), PATH],
        &[METHOD, SCHEME, (":authority", b"user@a.example"), PATH],
        &[METHOD, SCHEME, HOST, PATH, ("x", b" padded")],
        &[METHOD, SCHEME, HOST, PATH, ("x", b"padded\t")],
        &[METHOD, SCHEME, HOST, PATH, ("x", b"a\r\nsmuggled: 1")],
        &[METHOD, SCHEME, HOST, PATH, ("x", b"a\0b")],
        &[METHOD, SCHEME, HOST, PATH, ("X-Capital", b"1")],
        &[METHOD, SCHEME, HOST, PATH, ("connection", b"x")],
        &[METHOD, SCHEME, HOST, PATH, ("keep-alive", b"timeout=5")],
        &[METHOD, SCHEME, HOST, PATH, ("proxy-connection", b"close")],
        &[METHOD, SCHEME, HOST, PATH, ("transfer-encoding", b"chunked")],
        &[METHOD, SCHEME, HOST, PATH, ("upgrade", b"websocket")],
        &[METHOD, SCHEME, HOST, PATH, ("te", b"gzip")],
        &[METHOD, SCHEME, HOST, PATH, ("content-length", b"5")],
        &[METHOD, SCHEME, HOST, (":path", b"/h2/wrong HTTP/1.1\r\nx: y")],
        &[METHOD, SCHEME, HOST, (":path", b"")],
        &[METHOD, (":scheme", b"ftp"), HOST, PATH],
        &[METHOD, SCHEME, HOST, PATH, (":unknown", b"1")],
        &[METHOD, SCHEME, HOST, PATH, ("x", b"1"), (":method", b"GET")],
        &[(":method", b"CONNECT"), HOST],
        &[(":method", b"CONNECT")],
        &[(":method", b"TRACE"), SCHEME, HOST, PATH],
    ];
    for fields in table {
        let mut raw = Raw::open(gateway.address, &[]);
        raw.ask(1, fields);
        let refused = raw.next(&[HEADERS, RST_STREAM, GOAWAY]);
        let served = refused.as_ref().is_some_and(|frame| frame.kind == HEADERS && frame.status() == 200);
        assert!(!served, "{fields:?}\n{refused:?}");
    }
    assert!(site.requests("/h2/wrong").is_empty(), "{:?}", site.requests("/h2/wrong"));
}

#[test]
fn what_stands_in_trailers_goes_nowhere() {
    let (gateway, site, _nobody) = plain();
    let mut raw = Raw::open(gateway.address, &[]);
    let head: [(&str, &[u8]); 4] =
        [(":method", b"POST"), (":scheme", b"http"), (":authority", b"a.example"), (":path", b"/h2/trailers")];
    raw.send(HEADERS, END_HEADERS, 1, &block(&head));
    raw.send(DATA, 0, 1, b"body");
    let trailers = block(&[(":path", b"/h2/other"), ("x-smuggled", b"1"), ("content-length", b"9")]);
    raw.send(HEADERS, END_HEADERS | END_STREAM, 1, &trailers);
    raw.next(&[HEADERS, RST_STREAM, GOAWAY]);
    for request in site.requests("/h2/trailers") {
        assert!(!request.head.contains("smuggled") && request.body == b"body", "{}", request.head);
    }
    assert!(site.requests("/h2/other").is_empty());
}

#[test]
fn crumbs_of_cookies_are_one_line_to_everybody_behind() {
    let (gateway, site, _nobody) = plain();
    let mut raw = Raw::open(gateway.address, &[]);
    let crumbs: [(&str, &[u8]); 3] =
        [("cookie", b"session=1"), ("cookie", b"_undeclared=2"), ("cookie", b"session_b=3")];
    raw.get(1, "/h2/crumbs", &crumbs);
    assert_eq!(raw.next(&[HEADERS, RST_STREAM]).unwrap().status(), 200);
    assert_eq!(site.request("/h2/crumbs").all("cookie"), ["session=1; session_b=3"]);
}

#[test]
fn a_head_without_end_is_refused_whether_by_its_fields_its_cookies_or_its_frames() {
    let (gateway, site, _nobody) = plain();
    let many: Vec<(&str, &[u8])> = (0..3000).map(|_| ("cookie", &b"session=1"[..])).collect();
    let long = vec![b'x'; 60_000];
    for fields in [&many[..], &[("x", &long)]] {
        let mut raw = Raw::open(gateway.address, &[]);
        let usual: [(&str, &[u8]); 4] =
            [(":method", b"GET"), (":scheme", b"http"), (":authority", b"a.example"), (":path", b"/h2/large")];
        let block = block(&[&usual, fields].concat());
        let mut pieces = block.chunks(16_000).peekable();
        let mut kind = HEADERS;
        while let Some(piece) = pieces.next() {
            let flags = if pieces.peek().is_none() { END_HEADERS } else { 0 };
            let flags = if kind == HEADERS { flags | END_STREAM } else { flags };
            if !raw.send(kind, flags, 1, piece) {
                break;
            }
            kind = CONTINUATION;
        }
        let refused = raw.next(&[HEADERS, RST_STREAM, GOAWAY]);
        assert!(refused.is_none_or(|frame| frame.kind != HEADERS || frame.status() != 200));
    }
    assert!(site.requests("/h2/large").is_empty());
    // CONTINUATION frames that never end (CVE-2024-27316): the connection does.
    let mut raw = Raw::open(gateway.address, &[]);
    raw.send(HEADERS, END_STREAM, 1, &block(&[(":method", b"GET")]));
    let endless = block(&[("x", &[b'y'; 1000])]);
    let sent = (0..20_000).take_while(|_| raw.send(CONTINUATION, 0, 1, &endless)).count();
    assert!(sent < 20_000, "20 MB of a head were taken");
    // A small index that stands for much (RFC 7541 §7.3): each use counts with its whole length.
    let mut raw = Raw::open(gateway.address, &[]);
    let mut bomb = block(&[(":method", b"GET"), (":scheme", b"http"), (":authority", b"a"), (":path", b"/h2/bomb")]);
    bomb.extend_from_slice(&[0x40, 1, b'x', 0x7f, 0xa1, 0x1d]);
    bomb.extend_from_slice(&vec![b'y'; 3872]);
    bomb.extend_from_slice(&[0xbe; 10_000]);
    raw.send(HEADERS, END_HEADERS | END_STREAM, 1, &bomb);
    let refused = raw.next(&[HEADERS, RST_STREAM, GOAWAY]);
    assert!(refused.is_none_or(|frame| frame.kind != HEADERS || frame.status() != 200));
    assert!(site.requests("/h2/bomb").is_empty());
}

#[test]
fn streams_that_are_opened_and_reset_in_a_row_end_the_connection_and_harm_nobody() {
    let (gateway, site, _nobody) = plain();
    let mut raw = Raw::open(gateway.address, &[]);
    let mut taken = 0;
    for number in 0..20_000u32 {
        let stream = number * 2 + 1;
        if !raw.get(stream, "/h2/rapid", &[]) || !raw.send(RST_STREAM, 0, stream, &8u32.to_be_bytes()) {
            break;
        }
        taken += 1;
    }
    let told = raw.next(&[GOAWAY]);
    assert!(taken < 20_000 || told.is_some(), "{taken} were taken");
    assert!(site.requests("/h2/rapid").len() < 1000, "{}", site.requests("/h2/rapid").len());
    let answer = exchange(gateway.address, "GET /h2/after HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.status, 200);
}

#[test]
fn a_visitor_who_takes_nothing_is_let_go_and_others_on_the_connection_are_not() {
    let site = Site::start();
    let (gateway, _nobody) =
        without_database(site.address, "h2c = true\n[gateway.limits]\nidle_timeout = \"500ms\"\nkeep_alive = \"3s\"\n");
    let large =
        format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 500000\r\n\r\n{}", "x".repeat(500_000));
    site.answers("/h2/large", large);
    let mut raw = Raw::open(gateway.address, &[(WINDOW, 0)]);
    raw.get(1, "/h2/large", &[("accept", b"image/*")]);
    let head = raw.next(&[HEADERS]).unwrap();
    assert_eq!((head.stream, head.status()), (1, 200));
    let began = Instant::now();
    let ended = raw.next(&[RST_STREAM, DATA]).unwrap();
    assert_eq!((ended.kind, ended.stream), (RST_STREAM, 1));
    assert!(began.elapsed() < Duration::from_secs(10) && began.elapsed() > Duration::from_millis(300));
    assert_eq!(gateway.metric("consentry_streams_stalled_total"), 1);
    // The connection is good for another one that is taken.
    raw.get(3, "/h2/large", &[("accept", b"image/*")]);
    raw.send(WINDOW_UPDATE, 0, 0, &1_000_000u32.to_be_bytes());
    raw.send(WINDOW_UPDATE, 0, 3, &1_000_000u32.to_be_bytes());
    let mut got = 0;
    while got < 500_000 {
        let frame = raw.next(&[DATA, RST_STREAM, GOAWAY]).unwrap();
        assert_eq!((frame.kind, frame.stream), (DATA, 3));
        got += frame.payload.len();
    }
    // One piece that waits for good holds nobody either: the connection ends.
    let small = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 10\r\n\r\n0123456789";
    site.answers("/h2/small", small);
    raw.get(5, "/h2/small", &[("accept", b"image/*")]);
    raw.send(WINDOW_UPDATE, 0, 5, &1u32.to_be_bytes());
    while raw.next(&[GOAWAY, RST_STREAM]).is_some() {}
}

#[test]
fn a_visitor_who_takes_a_little_at_a_time_gets_all_of_it() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "h2c = true\n[gateway.limits]\nidle_timeout = \"1s\"\n");
    let whole = super::bytes(160_000);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n", whole.len());
    site.answers("/h2/little", [head.as_bytes(), &whole].concat());
    let mut raw = Raw::open(gateway.address, &[(WINDOW, 0)]);
    raw.get(1, "/h2/little", &[("accept", b"image/*")]);
    assert_eq!(raw.next(&[HEADERS]).unwrap().status(), 200);
    raw.send(WINDOW_UPDATE, 0, 0, &1_000_000u32.to_be_bytes());
    let (began, mut got) = (Instant::now(), Vec::new());
    while got.len() < whole.len() {
        // The visitor's line is slow: it takes far longer than anybody may pause.
        std::thread::sleep(Duration::from_millis(250));
        let more = 16_000;
        raw.send(WINDOW_UPDATE, 0, 1, &(more as u32).to_be_bytes());
        let before = got.len();
        while got.len() < (before + more).min(whole.len()) {
            let frame = raw.next(&[DATA, RST_STREAM, GOAWAY]).unwrap();
            assert_eq!(frame.kind, DATA, "after {} bytes", got.len());
            got.extend_from_slice(&frame.payload);
        }
    }
    assert!(got == whole && began.elapsed() > Duration::from_secs(2));
}

#[test]
fn a_body_of_http2_that_trickles_ends_its_stream_alone() {
    let site = Site::start();
    let limits = "[gateway.limits]\nmin_body_rate = \"1 KiB/s\"\nbody_grace = \"500ms\"\n";
    let (gateway, _nobody) = without_database(site.address, &format!("h2c = true\n{limits}"));
    let mut raw = Raw::open(gateway.address, &[]);
    // Whatever belongs to the beginning of a connection is over with the first answer.
    raw.get(1, "/h2/before", &[("accept", b"image/*")]);
    while raw.next(&[DATA]).unwrap().flags & END_STREAM == 0 {}
    let head: [(&str, &[u8]); 4] =
        [(":method", b"POST"), (":scheme", b"http"), (":authority", b"a.example"), (":path", b"/h2/trickle")];
    raw.send(HEADERS, END_HEADERS, 3, &block(&head));
    let began = Instant::now();
    while !raw.waits(Duration::from_millis(300)) {
        assert!(began.elapsed() < PATIENCE, "nobody minds");
        raw.send(DATA, 0, 3, b"x");
    }
    let told = raw.next(&[HEADERS, RST_STREAM, GOAWAY]).unwrap();
    assert_eq!((told.kind, told.stream), (HEADERS, 3), "{told:?}");
    assert_eq!(told.status(), 0, "none of the usual ones: {told:?}");
    raw.get(5, "/h2/after", &[("accept", b"image/*")]);
    let after = std::iter::from_fn(|| raw.next(&[HEADERS, GOAWAY])).find(|frame| frame.stream == 5).unwrap();
    assert_eq!(after.status(), 200);
    assert_eq!(gateway.metric("consentry_request_bodies_too_slow_total"), 1);
}

#[test]
fn no_more_streams_are_open_at_once_than_are_allowed() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "h2c = true\n[gateway.limits]\nmax_streams = 4\n");
    site.on("/h2/held", Behaviour::IsSilent);
    let mut raw = Raw::open(gateway.address, &[]);
    for number in 0..5 {
        raw.get(number * 2 + 1, "/h2/held", &[]);
    }
    let refused = raw.next(&[RST_STREAM]).unwrap();
    // RFC 9113 §5.1.2: REFUSED_STREAM, which may be asked again.
    assert_eq!((refused.stream, &refused.payload[..]), (9, &7u32.to_be_bytes()[..]));
    eventually("four are asked for", || (site.requests("/h2/held").len() == 4).then_some(()));
}

#[test]
fn a_connection_on_which_nothing_is_asked_for_is_closed() {
    let site = Site::start();
    let limits = "h2c = true\n[gateway.limits]\nhead_timeout = \"300ms\"\nkeep_alive = \"2s\"\n";
    let (gateway, _nobody) = without_database(site.address, limits);
    let began = Instant::now();
    let mut silent = Raw::open(gateway.address, &[]);
    let told = silent.next(&[GOAWAY]);
    assert!(told.is_some());
    while silent.frame().is_some() {}
    // Half a preface, and half a head.
    assert_eq!(Connection::open(gateway.address).send("PRI * HTTP/2.0\r\n").rest(), b"");
    let mut half = Raw::open(gateway.address, &[]);
    half.send(HEADERS, END_STREAM, 1, &block(&[(":method", b"GET")]));
    while half.frame().is_some() {}
    assert!(began.elapsed() < PATIENCE / 2);
    let mut busy = Raw::open(gateway.address, &[]);
    busy.get(1, "/h2/once", &[]);
    let answered = Instant::now();
    assert_eq!(busy.next(&[HEADERS]).unwrap().status(), 200);
    assert!(busy.next(&[GOAWAY]).is_some());
    assert!(answered.elapsed() > Duration::from_secs(1), "it is kept for its next request");
}

#[tokio::test]
async fn open_requests_finish_when_the_gateway_ends() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "h2c = true\n");
    let lock = Arc::new(Mutex::new(()));
    let (locked, is_locked) = mpsc::sync_channel(1);
    let (release, released) = mpsc::sync_channel::<()>(1);
    let holding = lock.clone();
    std::thread::spawn(move || {
        let _held = holding.lock();
        let _ = locked.send(());
        let _ = released.recv();
    });
    is_locked.recv().unwrap();
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone".to_vec();
    site.on("/h2/slow", Behaviour::AnswersAfter(lock.clone(), answer));
    let client = connected(TcpStream::connect(gateway.address).await.unwrap()).await;
    // Who has not asked for anything is not waited for.
    let _silent = TcpStream::connect(gateway.address).await.unwrap();
    let mut sender = client.clone().ready().await.unwrap();
    let (answer, _) = sender.send_request(request("GET", "http://a.example/h2/slow"), true).unwrap();
    let answer = tokio::spawn(answer);
    let gateway = tokio::task::spawn_blocking(move || {
        eventually("the site is asked", || (!site.requests("/h2/slow").is_empty()).then_some(()));
        gateway.process.signal("TERM");
        gateway
    });
    let gateway = gateway.await.unwrap();
    // Nobody new is let in.
    eventually("it takes no one any more", || std::net::TcpStream::connect(gateway.address).err());
    release.send(()).unwrap();
    assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    let ended = tokio::task::spawn_blocking(move || gateway.end("CONT")).await.unwrap();
    assert!(ended.0.success());
    assert!(!ended.1.log().contains("connections still open"), "{}", ended.1.log());
}

#[test]
fn an_upload_that_is_broken_off_is_never_taken_for_a_whole_one() {
    let site = Site::start();
    site.on("/h2/cut", Behaviour::Echoes);
    let (gateway, _nobody) = without_database(site.address, "h2c = true\n");
    let usual: [(&str, &[u8]); 4] =
        [(":method", b"POST"), (":scheme", b"http"), (":authority", b"www.example.org"), (":path", b"/h2/cut")];
    // NO_ERROR is what some proxies reset with whoever broke off; CANCEL is a browser's.
    for reason in [0_u32, 8] {
        let mut raw = Raw::open(gateway.address, &[]);
        raw.send(HEADERS, END_HEADERS, 1, &block(&usual));
        raw.send(DATA, 0, 1, b"half of it");
        assert!(!raw.waits(Duration::from_millis(100)) || raw.next(&[WINDOW_UPDATE]).is_some());
        raw.send(RST_STREAM, 0, 1, &reason.to_be_bytes());
        // The rest of the connection goes on.
        raw.get(3, "/h2/after-cut", &[]);
        assert_eq!(raw.next(&[HEADERS, GOAWAY]).unwrap().status(), 200);
        eventually("the exchange has ended", || (gateway.metric("consentry_requests_in_flight") == 0).then_some(()));
    }
    assert!(site.requests("/h2/cut").is_empty(), "{:?}", site.requests("/h2/cut"));
}

#[test]
fn an_upload_nobody_takes_waits_in_little_room() {
    let (gateway, _, _nobody) = plain();
    let mut raw = Raw::open(gateway.address, &[]);
    let more = raw.next(&[WINDOW_UPDATE]).unwrap();
    assert_eq!(more.stream, 0);
    // RFC 9113 §6.9.2: a connection begins with 65,535.
    assert_eq!(u32::from_be_bytes(more.payload[..4].try_into().unwrap()) + 65_535, 256 << 10);
    assert_eq!(raw.setting(WINDOW), Some(128 << 10));
}
