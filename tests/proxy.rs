//! A proxy that can be trusted with a site: bytes pass unharmed, what could be read in two ways is refused, and what goes
//! wrong behind it is said without internals.

use crate::support::gateway::{Gateway, Nobody, TRUSTED_PROXY, shared, without_database};
use crate::support::http::{Answer, Connection, exchange};
use crate::support::site::{Behaviour, PAGE, Site, page};
use crate::support::visitor::Visitor;

fn get(gateway: &Gateway, path: &str, more: &str) -> Answer {
    exchange(
        gateway.address,
        format!("GET {path} HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0\r\n{more}\r\n"),
    )
}

/// Every byte there is, so that nothing passes by chance.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 31 + at / 251) as u8).collect()
}

#[test]
fn a_body_of_known_length_passes_byte_for_byte() {
    let (gateway, site) = shared();
    let body = bytes(300_000);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 300000\r\nETag: \"x\"\r\nX-Odd:  two  words \r\n\r\n";
    site.answers("/length/file.png", [head.as_bytes(), &body].concat());
    let answer = get(gateway, "/length/file.png", "");
    assert_eq!((answer.field("content-length"), answer.field("etag")), (Some("300000"), Some("\"x\"")));
    assert_eq!(answer.field("x-odd"), Some("two  words"));
    assert!(answer.body == body);
}

#[test]
fn a_chunked_body_passes_byte_for_byte() {
    let (gateway, site) = shared();
    let body = bytes(200_000);
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(7777) {
        answer.extend(format!("{:x};ext=1\r\n", piece.len()).into_bytes());
        answer.extend([piece, b"\r\n"].concat());
    }
    answer.extend(b"0\r\n\r\n");
    site.answers("/chunked/film.mp4", answer);
    assert!(get(gateway, "/chunked/film.mp4", "").body == body);
}

#[test]
fn a_body_that_ends_with_the_connection_passes_whole() {
    let (gateway, site) = shared();
    let body = bytes(100_000);
    let head = b"HTTP/1.0 200 OK\r\nContent-Type: application/zip\r\n\r\n";
    site.on("/closed/file.zip", Behaviour::AnswersAndCloses([&head[..], &body].concat()));
    assert!(get(gateway, "/closed/file.zip", "").body == body);
}

#[test]
fn answers_without_a_body_stay_without_one() {
    let (gateway, site) = shared();
    site.answers("/bare/204", "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n");
    site.answers("/bare/304", "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nContent-Length: 77\r\n\r\n");
    site.answers("/bare/head", "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 12345\r\n\r\n");
    site.answers("/bare/after", page(&[], PAGE));
    let mut connection = Connection::open(gateway.address);
    let mut ask = |method: &str, path: &str, more: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: a.example\r\nAccept: image/*\r\n{more}\r\n");
        connection.send(head).answer_to(method)
    };
    assert_eq!(ask("GET", "/bare/204", "").status, 204);
    let unchanged = ask("GET", "/bare/304", "If-None-Match: \"v1\"\r\n");
    assert_eq!((unchanged.status, unchanged.field("etag")), (304, Some("\"v1\"")));
    assert_eq!(site.request("/bare/304").all("if-none-match"), ["\"v1\""]);
    assert_eq!(ask("HEAD", "/bare/head", "").field("content-length"), Some("12345"));
    // The connection was not put out of step by any of them.
    assert_eq!(ask("GET", "/bare/after", "").body, PAGE.as_bytes());
}

#[test]
fn a_head_of_a_page_says_what_the_page_would() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::new(gateway);
    let whole = visitor.get("/head/page");
    let head = exchange(
        gateway.address,
        format!("HEAD /head/page HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\n\r\n", visitor.host),
    );
    assert_eq!(head.status, 200);
    if let Some(length) = head.field("content-length") {
        assert_eq!(length, whole.body.len().to_string());
    }
    assert_eq!((head.field("cache-control"), head.field("vary")), (whole.field("cache-control"), whole.field("vary")));
}

#[test]
fn a_download_can_be_resumed() {
    let (gateway, site) = shared();
    let answer = "HTTP/1.1 206 Partial Content\r\nContent-Type: application/pdf\r\nContent-Range: bytes 2-5/10\r\n\
                  Content-Disposition: attachment\r\nContent-Length: 4\r\n\r\n2345";
    site.answers("/range/report.pdf", answer);
    let part = get(gateway, "/range/report.pdf", "Range: bytes=2-5\r\nIf-Range: \"x\"\r\n");
    assert_eq!((part.status, part.field("content-range"), &part.body[..]), (206, Some("bytes 2-5/10"), &b"2345"[..]));
    let request = site.request("/range/report.pdf");
    assert_eq!((request.all("range"), request.all("if-range")), (vec!["bytes=2-5"], vec!["\"x\""]));
}

#[test]
fn an_upload_of_5_mb_comes_back_as_it_went() {
    let (gateway, site) = shared();
    site.on("/upload/echo", Behaviour::Echoes);
    let body = bytes(5_000_000);
    let head = format!("POST /upload/echo HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n\r\n", body.len());
    assert!(exchange(gateway.address, [head.as_bytes(), &body].concat()).body == body);
    let mut chunked = b"POST /upload/echo HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(99_999) {
        chunked.extend(format!("{:X}\r\n", piece.len()).into_bytes());
        chunked.extend([piece, b"\r\n"].concat());
    }
    chunked.extend(b"0\r\n\r\n");
    assert!(exchange(gateway.address, chunked).body == body);
}

#[test]
fn what_belongs_to_the_visitors_connection_ends_at_the_gateway() {
    let (gateway, site) = shared();
    let more = "Connection: keep-alive, X-One\r\nConnection: x-two\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\nKeep-Alive: timeout=5\r\n\
                Proxy-Connection: close\r\nProxy-Authorization: Basic eDp5\r\nTE: gzip\r\nUpgrade: h2c\r\nForwarded: for=1.2.3.4\r\n\
                X-Forwarded-Host: evil.example\r\nX_Forwarded_For: 1.2.3.4\r\nProxy: http://evil.example\r\n";
    get(gateway, "/hop/page", more);
    let request = site.request("/hop/page");
    for name in [
        "x-one",
        "x-two",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "upgrade",
        "forwarded",
        "proxy",
    ] {
        assert_eq!(request.all(name), [""; 0], "{}", request.head);
    }
    assert_eq!(request.all("x-three"), ["3"]);
    assert_eq!(
        (request.all("host"), request.all("x-forwarded-host")),
        (vec!["www.example.org"], vec!["www.example.org"])
    );
    assert!(!request.head.contains('_'), "{}", request.head);
}

#[test]
fn nobody_but_a_listed_proxy_says_who_calls() {
    let (gateway, site) = shared();
    let forged = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 203.0.113.8\r\nX-Real-IP: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    get(gateway, "/forwarded/by-anyone", forged);
    let request = site.request("/forwarded/by-anyone");
    assert_eq!((request.all("x-forwarded-for"), request.all("x-forwarded-proto")), (vec!["127.0.0.1"], vec!["http"]));
    assert_eq!(request.all("x-real-ip"), [""; 0]);
    let proxy = TRUSTED_PROXY.parse().expect("is an address");
    let ask = "GET /forwarded/by-proxy HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nX-Forwarded-Proto: https\r\n\r\n";
    assert_eq!(Connection::open_from(proxy, gateway.address).send(ask).answer().status, 200);
    let request = site.request("/forwarded/by-proxy");
    assert_eq!(request.all("x-forwarded-for"), [format!("203.0.113.7, {TRUSTED_PROXY}")]);
    assert_eq!(request.all("x-forwarded-proto"), ["https"]);
}

#[test]
fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let (gateway, site) = shared();
    let host = "Host: a.example\r\n";
    for (request, status) in [
        ("GET /twice/x HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET /twice/x HTTP/1.1\r\n{host}Host: b.example\r\n\r\n"), 400),
        (format!("GET /twice/x HTTP/1.1\r\n{host}{host}\r\n"), 400),
        ("GET /twice/x HTTP/1.1\r\nHost: a.example/@b\r\n\r\n".to_owned(), 400),
        (format!("GET http://b.example/twice/x HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("POST /twice/x HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 400),
        (format!("POST /twice/x HTTP/1.1\r\n{host}Content-Length: +1\r\n\r\na"), 400),
        (format!("POST /twice/x HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501),
        (
            format!(
                "POST /twice/x HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (format!("GET /twice/x HTTP/1.1\r\n{host} folded: 1\r\n\r\n"), 400),
        (format!("GET /twice/x HTTP/1.1\r\n{host}A : 1\r\n\r\n"), 400),
        (format!("CONNECT a.example:443 HTTP/1.1\r\n{host}\r\n"), 405),
        (format!("GET /twice/x HTTP/1.1\r\n{host}X: {}\r\n\r\n", "a".repeat(35_000)), 431),
    ] {
        let shown = &request[..request.len().min(120)];
        let answer = exchange(gateway.address, &request);
        assert_eq!(answer.status, status, "{shown:?}\n{}", answer.head);
    }
    assert!(site.requests("/twice/x").is_empty());
}

/// RFC 9112 §6.1: a length beside `chunked` is smuggling or a mistake. hyper reads it as chunked and closes; what stands
/// behind it is no request to anybody.
#[test]
fn a_request_with_two_lengths_smuggles_nothing() {
    let (gateway, site) = shared();
    let (length, chunked) = ("Content-Length: 5", "Transfer-Encoding: chunked");
    for (path, first, second) in [("/smuggle/a", length, chunked), ("/smuggle/b", chunked, length)] {
        let hidden = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: a.example\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\n{hidden}");
        let mut connection = Connection::open(gateway.address);
        let answer = connection.send(request).answer();
        assert!(answer.status == 400 || answer.field("connection") == Some("close"), "{}", answer.head);
        assert_eq!(connection.rest(), b"");
        for request in site.requests(path) {
            let framing = [request.all("content-length"), request.all("transfer-encoding")].concat();
            assert!(framing.len() == 1 && request.body.is_empty(), "{}", request.head);
        }
    }
    assert!(site.requests("/smuggled").is_empty());
}

#[test]
fn requests_sent_at_once_are_answered_in_their_order() {
    let (gateway, site) = shared();
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nAccept: image/*\r\n\r\n");
    let paths: Vec<String> = (0..20).map(|number| format!("/pipeline/{number}")).collect();
    for path in &paths {
        site.answers(path, format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()));
    }
    let mut connection = Connection::open(gateway.address);
    connection.send(paths.iter().map(|path| ask(path)).collect::<String>());
    for path in &paths {
        assert_eq!(connection.answer().text(), *path);
    }
}

#[test]
fn a_websocket_passes_both_ways() {
    let (gateway, site) = shared();
    site.on("/socket", Behaviour::Tunnels);
    let mut connection = Connection::open(gateway.address);
    let ask = "GET /socket HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: ad=1; session=2\r\n\r\n";
    let answer = connection.send(ask).answer();
    assert_eq!((answer.status, answer.field("upgrade")), (101, Some("websocket")));
    assert_eq!(site.request("/socket").all("cookie"), ["session=2"]);
    let frames = bytes(50_000);
    connection.send(&frames);
    assert!(connection.exactly(frames.len()) == frames);
    connection.send(b"bye");
    assert_eq!(connection.exactly(3), b"bye");
}

#[test]
fn a_page_somebody_has_compressed_passes_unharmed_and_held_to_its_own_site() {
    let (gateway, site) = shared();
    // Any bytes will do: nobody on the way may look into them.
    let body = [&[0x1f, 0x8b, 8, 0][..], &bytes(2000)].concat();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    site.answers("/gzip/page", [head.as_bytes(), &body].concat());
    let mut visitor = Visitor::new(gateway);
    let denied = visitor.get("/gzip/page");
    assert!(denied.body == body && denied.field("content-encoding") == Some("gzip"));
    assert!(
        denied.field("content-security-policy").is_some_and(|policy| policy.contains("default-src 'self'")),
        "{}",
        denied.head
    );
    assert_eq!(site.request("/gzip/page").all("accept-encoding"), ["identity"]);
    visitor.choose("accept");
    let granted = visitor.get("/gzip/page");
    assert!(granted.body == body && granted.field("content-security-policy").is_none(), "{}", granted.head);
}

#[test]
fn rule_k4_a_third_partys_tag_sleeps_until_it_is_allowed() {
    let (gateway, site) = shared();
    let tag = "<script src=\"https://tags.example/t.js\"></script>";
    site.answers("/tag/page", page(&[], &format!("<!doctype html><head>{tag}</head><body><p>x</p></body>")));
    let mut visitor = Visitor::new(gateway);
    let asleep = visitor.get("/tag/page").text();
    assert!(!asleep.contains(tag) && asleep.contains("data-consentry-src=\"https://tags.example/t.js\""), "{asleep}");
    visitor.choose("accept");
    assert!(visitor.get("/tag/page").text().contains(tag));
}

#[test]
fn rule_k5_the_sites_nonce_is_on_our_scripts() {
    let (gateway, site) = shared();
    let policy = "script-src 'nonce-r4nd0m' 'strict-dynamic'; style-src 'nonce-r4nd0m'; connect-src 'self'";
    site.answers("/nonce/page", page(&[("Content-Security-Policy", policy)], PAGE));
    let answer = Visitor::new(gateway).get("/nonce/page");
    let text = answer.text();
    let scripts: Vec<&str> = text.split("<script").skip(1).collect();
    assert!(!scripts.is_empty() && scripts.iter().all(|script| script.contains("nonce=\"r4nd0m\"")), "{text}");
    let sent = answer.field("content-security-policy").expect("the site's own policy");
    assert!(sent.starts_with("script-src 'nonce-r4nd0m' 'strict-dynamic'") && !sent.contains("unsafe"), "{sent}");
}

#[test]
fn rule_k7_no_shared_cache_keeps_a_page() {
    let (gateway, site) = shared();
    let fields = [("Cache-Control", "public, s-maxage=600"), ("ETag", "\"v1\""), ("Vary", "Accept-Language")];
    site.answers("/cache/page", page(&fields, PAGE));
    let answer = Visitor::who_accepts(gateway).get("/cache/page");
    assert_eq!((answer.field("cache-control"), answer.field("etag")), (Some("private, no-cache"), None));
    assert_eq!(answer.all("vary"), ["Accept-Language", "Cookie"]);
    assert_eq!(answer.field("content-length"), Some(answer.body.len().to_string().as_str()));
}

#[test]
fn a_site_that_is_away_or_slow_is_an_error_page_without_internals() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "[gateway.limits]\nanswer_timeout = \"300ms\"");
    site.on("/silent", Behaviour::IsSilent);
    site.on("/closes", Behaviour::AnswersAndCloses(Vec::new()));
    site.on("/garbage", Behaviour::AnswersAndCloses(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()));
    site.answers("/ambiguous", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
    let away = Nobody::new();
    let (gateway_away, _nobody) = without_database(away.address, "");
    let internals = [site.address, away.address].map(|address| format!(":{}", address.port()));
    for (gateway, path, status) in [
        (&gateway, "/silent", 504),
        (&gateway, "/closes", 502),
        (&gateway, "/garbage", 502),
        (&gateway, "/ambiguous", 502),
        (&gateway_away, "/any", 503),
    ] {
        let answer = get(gateway, path, "Accept: text/html\r\n");
        assert_eq!(answer.status, status, "{path}");
        let text = answer.text();
        assert!(text.contains("The website is not answering at the moment"), "{text}");
        for internal in internals.iter().map(String::as_str).chain(["upstream", "error", "os ", "panick", "127.0.0.1"])
        {
            assert!(!text.to_lowercase().contains(internal), "{internal} in {text}");
        }
        assert_eq!(answer.field("cache-control"), Some("no-store"));
    }
    // It is well again at once.
    assert_eq!(get(&gateway, "/well", "").status, 200);
}

#[test]
fn an_answer_that_breaks_off_does_not_look_whole() {
    let (gateway, site) = shared();
    let cut = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nonly this".to_vec();
    site.on("/cut/length", Behaviour::AnswersAndCloses(cut));
    let cut =
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n".to_vec();
    site.on("/cut/chunked", Behaviour::AnswersAndCloses(cut));
    for path in ["/cut/length", "/cut/chunked"] {
        let ask = format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nAccept: image/*\r\n\r\n");
        let all = Connection::open(gateway.address).send(ask).rest();
        let all = String::from_utf8_lossy(&all).into_owned();
        // Nothing at all, or less than was announced.
        assert!(all.is_empty() || all.starts_with("HTTP/1.1 200") && !all.ends_with("0\r\n\r\n"), "{all}");
        assert!(all.len() < 350, "{all}");
    }
}
