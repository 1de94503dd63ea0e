//! What becomes part of a page, and how it is told from what the site's users have written.

use crate::support::gateway::shared;
use crate::support::http::Answer;
use crate::support::site::page;
use crate::support::visitor::Visitor;

const REFUSED: &str = "<iframe src=\"https://tags.example/t.html\"></iframe>";

/// An answer of this type.
fn typed(kind: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Whether what is refused was made inert, and nothing of ours was put in.
fn is_gated_piece(answer: &Answer) -> bool {
    let text = answer.text();
    text.contains("<iframe data-consentry-src=") && !text.contains("consentry-banner") && !text.contains("banner.js")
}

#[test]
fn rule_k4_a_stream_of_pieces_is_gated_and_has_no_banner() {
    let (gateway, site) = shared();
    let stream =
        format!("<turbo-stream action=\"append\" target=\"list\"><template>{REFUSED}</template></turbo-stream>");
    let accept = "text/vnd.turbo-stream.html, text/html, application/xhtml+xml";
    for (path, kind) in [("/piece/turbo", "text/vnd.turbo-stream.html; charset=utf-8"), ("/piece/x", "text/x-html")] {
        site.answers(path, typed(kind, &stream));
        let mut visitor = Visitor::new(gateway);
        for dest in [&["Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: cors"][..], &[]] {
            let mut fields = vec![format!("Accept: {accept}")];
            fields.extend(dest.iter().map(|field| (*field).to_owned()));
            let got = visitor.ask("POST", path, &fields);
            assert!(is_gated_piece(&got), "{kind}: {}\n{}", got.head, got.text());
            assert!(got.field("cache-control").is_some_and(|control| control.starts_with("private")), "{}", got.head);
        }
        visitor.choose("accept");
        let whole = visitor.ask("POST", path, &[format!("Accept: {accept}"), "Sec-Fetch-Dest: empty".to_owned()]);
        assert_eq!(whole.text(), stream);
    }
}

#[test]
fn rule_k4_what_a_script_is_answered_by_other_methods_is_gated() {
    let (gateway, site) = shared();
    let mut visitor = Visitor::new(gateway);
    for method in ["PUT", "PATCH", "DELETE"] {
        let path = format!("/piece/{method}");
        site.answers(&path, page(&[], &format!("<!doctype html><body>{REFUSED}</body>")));
        let got = visitor.ask(method, &path, &["Accept: text/html", "Sec-Fetch-Dest: empty", "If-None-Match: *"]);
        assert!(is_gated_piece(&got), "{method}: {}\n{}", got.head, got.text());
        assert_eq!(site.request(&path).all("if-none-match"), ["*"], "{method} says when it may");
    }
}

#[test]
fn rule_k4_a_piece_that_a_library_announces_is_gated_whatever_it_accepts() {
    let (gateway, site) = shared();
    site.answers("/piece/announced", page(&[], REFUSED));
    let mut visitor = Visitor::new(gateway);
    for announced in ["HX-Request: true", "X-Up-Version: 3.9.0", "X-Requested-With: XMLHttpRequest"] {
        for method in ["GET", "POST", "PUT"] {
            let got = visitor.ask(method, "/piece/announced", &["Accept: */*", "Sec-Fetch-Dest: empty", announced]);
            assert!(is_gated_piece(&got), "{method} {announced}: {}\n{}", got.head, got.text());
        }
    }
    let data = ["Accept: application/json, */*; q=0.1", "Sec-Fetch-Dest: empty", "X-Requested-With: XMLHttpRequest"];
    assert_eq!(visitor.ask("GET", "/piece/announced", &data).text(), REFUSED, "who asks for data gets it as it is");
}

#[test]
fn rule_k4_a_page_that_a_service_worker_passes_on_has_a_banner() {
    let (gateway, site) = shared();
    site.answers("/piece/worker", page(&[], &format!("<!doctype html><body>{REFUSED}</body>")));
    let accept = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";
    let got = Visitor::new(gateway).ask(
        "GET",
        "/piece/worker",
        &[accept, "Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: navigate"],
    );
    assert!(got.text().contains("id=\"consentry-banner\""), "{}", got.text());
}

/// A page's key, as it stands on what it is written on.
fn keys(page: &str) -> Vec<&str> {
    page.split("data-consentry-key=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn rule_k4_each_page_has_a_key_of_its_own_and_pieces_have_none() {
    let (gateway, site) = shared();
    let theirs =
        "<iframe data-consentry-key=\"theirs\" data-consentry-srcdoc=\"x\" src=\"https://tags.example/\"></iframe>";
    site.answers("/piece/keys", page(&[], &format!("<!doctype html><head></head><body>{REFUSED}{theirs}</body>")));
    let mut visitor = Visitor::new(gateway);
    let (one, other) = (visitor.get("/piece/keys").text(), visitor.get("/piece/keys").text());
    assert_ne!(keys(&one)[0], keys(&other)[0]);
    for page in [&one, &other] {
        let keys = keys(page);
        assert!(keys.len() == 3 && keys.iter().all(|key| *key == keys[0] && key.len() == 16), "{page}");
        assert!(!page.contains("srcdoc"), "{page}");
    }
    let frame = visitor.ask("GET", "/piece/keys", &["Accept: text/html", "Sec-Fetch-Dest: iframe"]).text();
    assert!(frame.contains("data-consentry-src=") && keys(&frame).is_empty(), "{frame}");
    visitor.choose("accept");
    assert_eq!(keys(&visitor.get("/piece/keys").text()), ["theirs"], "nothing is refused");
}
