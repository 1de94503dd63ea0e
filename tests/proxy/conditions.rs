//! Programs, caches and delivery networks that say nothing of what they ask for keep their conditions and ranges, and no page
//! is ever answered by the site's 304 or 206.

use crate::support::gateway::{shared, without_database};
use crate::support::http::{Answer, exchange};
use crate::support::site::{PAGE, Site, page};

/// As curl asks.
fn ask(path: &str, more: &str) -> Answer {
    let (gateway, _) = shared();
    let head = format!("GET {path} HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n");
    exchange(gateway.address, format!("{head}{more}\r\n"))
}

fn style(etag: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nETag: {etag}\r\nLast-Modified: Fri, 27 Nov 2026 03:00:00 GMT\r\n\
         Cache-Control: public, max-age=600\r\nContent-Length: 4\r\n\r\nb{{}} "
    )
}

const SAME: &str = "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nCache-Control: public, max-age=600\r\n\r\n";

fn part(kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 206 Partial Content\r\n{kind}Content-Range: bytes 0-{}/1000\r\nContent-Length: {length}\r\n\r\n{body}",
        length - 1
    )
}

/// What the site was asked with, request by request.
fn asked(site: &Site, path: &str, name: &str) -> Vec<Vec<String>> {
    let all = |request: &crate::support::site::Request| request.all(name).into_iter().map(str::to_owned).collect();
    site.requests(path).iter().map(all).collect()
}

#[test]
fn what_was_seen_to_be_no_page_is_asked_for_anew_under_its_conditions_and_a_shared_cache_may_keep_it() {
    let (_, site) = shared();
    let path = "/conditions/style";
    site.answers(path, style("\"v1\""));
    let first = ask(path, "");
    assert_eq!((first.status, first.field("etag")), (200, Some("\"v1\"")));
    site.answers(path, SAME);
    let conditions = [
        "If-None-Match: \"v1\"\r\n",
        "If-Modified-Since: Fri, 27 Nov 2026 03:00:00 GMT\r\n",
        "If-None-Match: W/\"v1\"\r\n",
    ];
    for condition in conditions {
        let same = ask(path, condition);
        assert_eq!((same.status, same.field("etag")), (304, Some("\"v1\"")), "{condition}");
        assert_eq!(same.field("cache-control"), Some("public, max-age=600"));
        assert!(same.all("vary").is_empty());
    }
    let none: Vec<String> = Vec::new();
    assert_eq!(
        asked(site, path, "if-none-match"),
        [none.clone(), vec!["\"v1\"".into()], none, vec!["W/\"v1\"".into()]]
    );
    // Another version is there: its own validator is learnt with it.
    site.answers(path, style("\"v2\""));
    assert_eq!(ask(path, "If-None-Match: \"v1\"\r\n").field("etag"), Some("\"v2\""));
    site.answers(path, SAME.replace("v1", "v2"));
    assert_eq!(ask(path, "If-None-Match: \"v2\"\r\n").status, 304);
}

#[test]
fn a_condition_nobody_knows_anything_of_is_not_passed_on_and_is_known_the_next_time() {
    let (_, site) = shared();
    let path = "/conditions/unknown";
    site.answers(path, style("\"v1\""));
    assert_eq!(ask(path, "If-None-Match: \"v1\"\r\n").status, 200);
    site.answers(path, SAME);
    assert_eq!(ask(path, "If-None-Match: \"v1\"\r\n").status, 304);
    let none: Vec<String> = Vec::new();
    assert_eq!(asked(site, path, "if-none-match"), [none, vec!["\"v1\"".into()]]);
}

#[test]
fn rule_k7_a_page_is_never_answered_by_the_sites_word_that_it_has_not_changed() {
    let (_, site) = shared();
    let path = "/conditions/page";
    site.answers(path, page(&[("ETag", "\"v1\""), ("Last-Modified", "Fri, 27 Nov 2026 03:00:00 GMT")], PAGE));
    for condition in ["", "If-None-Match: \"v1\"\r\n", "If-Modified-Since: Fri, 27 Nov 2026 03:00:00 GMT\r\n"] {
        let answer = ask(path, condition);
        assert_eq!((answer.status, answer.field("etag")), (200, None), "{condition}");
        assert!(answer.text().contains("/_privacy/"), "our link stands in it");
    }
    for name in ["if-none-match", "if-modified-since"] {
        assert!(asked(site, path, name).iter().all(Vec::is_empty), "the site never heard of {name}");
    }
    // What was a style once, and is a page now.
    let path = "/conditions/turned";
    site.answers(path, style("\"v1\""));
    ask(path, "");
    site.answers(path, page(&[("ETag", "\"v2\"")], PAGE));
    assert!(ask(path, "If-None-Match: \"v1\"\r\n").text().contains("/_privacy/"));
    // A 304 that says of itself that it is of a page.
    site.answers(path, "HTTP/1.1 304 Not Modified\r\nContent-Type: text/html\r\n\r\n");
    let answer = ask(path, "If-None-Match: \"v1\"\r\n");
    assert_eq!(answer.field("cache-control"), Some("private, no-cache"));
}

#[test]
fn a_part_of_a_file_passes_and_a_part_of_a_page_never_does() {
    let (_, site) = shared();
    let file = "/conditions/file";
    site.answers(file, part("Content-Type: application/zip\r\nETag: \"z\"\r\n", "PK.."));
    let answer = ask(file, "Range: bytes=0-3\r\nIf-Range: \"z\"\r\n");
    assert_eq!((answer.status, answer.field("content-range")), (206, Some("bytes 0-3/1000")));
    assert_eq!((&answer.body[..], answer.field("etag")), (&b"PK.."[..], Some("\"z\"")));
    let request = site.request(file);
    assert_eq!((request.all("range"), request.all("if-range")), (vec!["bytes=0-3"], vec!["\"z\""]));
    site.answers(file, "HTTP/1.1 416 No\r\nContent-Range: bytes */4\r\nContent-Length: 0\r\n\r\n");
    let beyond = ask(file, "Range: bytes=9-\r\n");
    assert_eq!((beyond.status, beyond.field("content-range")), (416, Some("bytes */4")));

    // Of a page, of several parts of anything, of something that does not say what it is.
    let several = "Content-Type: multipart/byteranges; boundary=x\r\n";
    for (number, kind) in ["Content-Type: text/html\r\n", several, ""].into_iter().enumerate() {
        let path = format!("/conditions/part/{number}");
        site.answers(&path, part(kind, "<script src=https://tags.example/x.js></script>"));
        let answer = ask(&path, "Range: bytes=0-46\r\n");
        let ranges = asked(site, &path, "range");
        assert_eq!(ranges.len(), 2, "{kind}: the whole is asked for in its place");
        assert!(ranges[0] == ["bytes=0-46"] && ranges[1].is_empty(), "{ranges:?}");
        // This site answers with a part all the same. What it says is a page goes to no shared cache.
        if kind.contains("html") {
            assert_eq!(answer.field("cache-control"), Some("private, no-cache"));
        }
    }
}

#[test]
fn a_range_of_a_page_gets_the_whole_of_it_dressed() {
    let site = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let (gateway, _nobody) = without_database(site.local_addr().expect("it is bound"), "");
    let serving = std::thread::spawn(move || {
        let mut heads = Vec::new();
        for answer in [part("Content-Type: text/html\r\n", "<html>"), String::from_utf8(page(&[], PAGE)).expect("text")]
        {
            let (mut stream, _) = site.accept().expect("the gateway connects");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                std::io::Read::read_exact(&mut stream, &mut byte).expect("there is a head");
                head.push(byte[0]);
            }
            heads.push(String::from_utf8_lossy(&head).into_owned());
            std::io::Write::write_all(&mut stream, answer.as_bytes()).expect("the gateway reads");
        }
        heads
    });
    let head = "GET /page HTTP/1.1\r\nHost: a.example\r\nRange: bytes=0-5\r\nConnection: close\r\n\r\n";
    let answer = exchange(gateway.address, head);
    assert_eq!((answer.status, answer.field("content-range")), (200, None));
    assert!(answer.text().contains("A page</h1>") && answer.text().contains("/_privacy/"), "{}", answer.text());
    let heads = serving.join().expect("both were asked for");
    assert!(heads[0].contains("range: bytes=0-5\r\n") && !heads[1].contains("range:"), "{heads:?}");
}
