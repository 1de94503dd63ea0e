//! A page gets what is ours and keeps what is its own.

use super::bytes;
use crate::support::gateway::shared;
use crate::support::http::{Answer, exchange};
use crate::support::site::{PAGE, page};
use crate::support::visitor::Visitor;

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
fn rule_k4_whatever_a_browser_may_take_for_a_page_is_gated_or_held_to_its_own_site() {
    let (gateway, site) = shared();
    let answer =
        |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: {}\r\n\r\n{PAGE}", PAGE.len()).into_bytes();
    let mut visitor = Visitor::new(gateway);
    for (path, lines) in [
        ("/kind/lines", "Content-Type: text/plain\r\nContent-Type: text/html\r\n"),
        ("/kind/comma", "Content-Type: text/plain, text/html\r\n"),
        ("/kind/first", "Content-Type: text/html, text/plain\r\n"),
    ] {
        site.answers(path, answer(lines));
        let got = visitor.get(path);
        assert!(String::from_utf8_lossy(&got.body).contains("consentry"), "{path}: {}", got.head);
    }
    let held = |got: &Answer| got.field("content-security-policy").is_some_and(|policy| policy.contains("'self'"));
    site.answers("/kind/none", answer(""));
    site.answers("/kind/sure", answer("X-Content-Type-Options: nosniff\r\n"));
    let (guessed, sure) = (visitor.get("/kind/none"), visitor.get("/kind/sure"));
    assert!(held(&guessed) && guessed.body == PAGE.as_bytes(), "{}", guessed.head);
    assert!(guessed.field("cache-control").is_some_and(|control| control.starts_with("private")), "{}", guessed.head);
    assert!(!held(&sure) && sure.body == PAGE.as_bytes(), "{}", sure.head);
    // A redirection to nowhere is shown.
    site.answers("/kind/nowhere", [b"HTTP/1.1 302 Found\r\n", &answer("")[17..]].concat());
    site.answers("/kind/away", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 2\r\n\r\nok");
    assert!(held(&visitor.get("/kind/nowhere")) && !held(&visitor.get("/kind/away")));
    visitor.choose("accept");
    assert!(!held(&visitor.get("/kind/none")));
}

#[test]
fn rule_k4_a_link_header_preloads_nothing_that_is_refused_whatever_it_comes_with() {
    let (gateway, site) = shared();
    let link = "<https://tags.example/t.js>; rel=preload; as=script";
    let answer = |kind: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nCache-Control: public\r\n{kind}Link: {link}, </own.js>; rel=preload\r\nContent-Length: 2\r\n\r\nok"
        )
    };
    let mut visitor = Visitor::new(gateway);
    let kinds = ["", "Content-Type: text/plain\r\n", "Content-Type: image/png\r\n", "Content-Type: text/html\r\n"];
    for (number, kind) in kinds.iter().enumerate() {
        let path = format!("/link/{number}");
        site.answers(&path, answer(kind));
        let got = visitor.get(&path);
        assert_eq!(got.field("link"), Some("</own.js>; rel=preload"), "{kind}: {}", got.head);
        assert!(got.field("cache-control").is_some_and(|control| control.starts_with("private")), "{}", got.head);
    }
    visitor.choose("accept");
    let whole = visitor.get("/link/1");
    assert!(whole.field("link").is_some_and(|both| both.starts_with(link)), "{}", whole.head);
    assert!(whole.field("cache-control").is_some_and(|control| control.starts_with("private")), "{}", whole.head);
}

#[test]
fn rule_k4_what_a_page_asks_of_the_site_leads_to_no_refused_third_party() {
    let (gateway, site) = shared();
    let to = |location: &str| {
        format!("HTTP/1.1 302 Found\r\nCache-Control: public\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
    };
    let tags =
        ["https://tags.example/t.js", "//tags.example", "HTTPS:\\\\TAGS.example:443/x", "https://u@tags%2Eexample/"];
    for (number, tag) in tags.into_iter().enumerate() {
        site.answers(&format!("/led/{number}"), to(tag));
    }
    site.answers("/led/twice", to("https://own.example/\r\nLocation: https://tags.example/"));
    site.answers("/led/elsewhere", to("https://other.example/t.js?tags.example"));
    site.answers("/led/created", to(tags[0]).replace("302 Found", "201 Created"));
    let is_private = |got: &Answer| got.field("cache-control").is_some_and(|control| control.starts_with("private"));
    let before = gateway.metric("consentry_redirections_withheld_total");

    let mut visitor = Visitor::new(gateway);
    for path in ["/led/0", "/led/1", "/led/2", "/led/3", "/led/twice"] {
        for dest in ["script", "image", "iframe", "style", "empty"] {
            let got = visitor.fetch_as(dest, path);
            assert_eq!((got.status, got.field("location")), (403, None), "{path} as {dest}: {}", got.head);
            assert_eq!(got.field("cache-control"), Some("no-store"), "{}", got.head);
        }
        let followed = visitor.get(path);
        assert!(
            followed.status == 302 && !followed.all("location").is_empty(),
            "who follows a link: {}",
            followed.head
        );
        assert!(is_private(&followed), "{}", followed.head);
    }
    for path in ["/led/elsewhere", "/led/created"] {
        let got = visitor.fetch_as("script", path);
        assert!(
            got.field("location").is_some() && got.field("cache-control") == Some("public"),
            "{path}: {}",
            got.head
        );
    }
    let mut ahead = Visitor::new(gateway).saying("Sec-Purpose", "prefetch;prerender");
    assert_eq!(ahead.get("/led/0").status, 403, "nobody has followed it yet");
    assert_eq!(gateway.metric("consentry_redirections_withheld_total") - before, 26);

    visitor.choose("accept");
    let passed = visitor.fetch_as("script", "/led/0");
    assert_eq!((passed.status, passed.field("location")), (302, Some(tags[0])));
    assert!(is_private(&passed), "{}", passed.head);
}

#[test]
fn rule_k7_what_differs_by_choice_stays_out_of_shared_caches() {
    let (gateway, site) = shared();
    let public = "Cache-Control: public, max-age=600\r\nCDN-Cache-Control: max-age=600\r\n";
    let answer = |more: &str| format!("HTTP/1.1 200 OK\r\n{public}{more}Content-Length: 2\r\n\r\nok").into_bytes();
    site.answers("/cache/unreadable", answer("Content-Type: text/html\r\nContent-Encoding: gzip\r\n"));
    site.answers("/cache/setting.png", answer("Content-Type: image/png\r\nSet-Cookie: undeclared=1\r\n"));
    site.answers("/cache/plain.png", answer("Content-Type: image/png\r\n"));
    let mut visitor = Visitor::new(gateway);
    visitor.choose("accept");
    for path in ["/cache/unreadable", "/cache/setting.png"] {
        let got = visitor.get(path);
        assert!(
            got.field("cache-control").is_some_and(|value| value.contains("private") && !value.contains("public")),
            "{path}: {}",
            got.head
        );
        assert!(got.field("cdn-cache-control").is_none(), "{path}: {}", got.head);
    }
    let plain = visitor.get("/cache/plain.png");
    assert_eq!(plain.field("cache-control"), Some("public, max-age=600"), "what is the same for all stays the site's");
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
    assert_eq!(answer.all("vary"), ["Accept-Language", "Cookie, Accept, Sec-Fetch-Dest"]);
    assert_eq!(answer.field("content-length"), Some(answer.body.len().to_string().as_str()));
}

#[test]
fn rule_k7_a_page_that_was_fetched_as_anything_else_stays_out_of_shared_caches_too() {
    let (gateway, site) = shared();
    let fields = [("Cache-Control", "public, max-age=600")];
    site.answers("/fetched/page", page(&fields, PAGE));
    site.answers("/fetched/same", "HTTP/1.1 304 Not Modified\r\nCache-Control: public, max-age=600\r\n\r\n");
    let mut visitor = Visitor::new(gateway);
    for answer in [visitor.fetch("GET", "/fetched/page"), visitor.get("/fetched/same")] {
        assert_eq!(answer.field("cache-control"), Some("private, no-cache"), "{}", answer.head);
    }
}
