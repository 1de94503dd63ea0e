//! Addresses where they stand: in sets, in XML, in other encodings, and at a length that would cost too much.

use std::time::{Duration, Instant};

use super::*;

/// 4.8.4.3.11: after a descriptor a comma is enough.
#[test]
fn rule_k4_in_a_set_no_space_has_to_stand_before_a_url() {
    for set in [
        "/own.png 2x,http://t.example/x 1x",
        "/own.png 2x,//t.example/x",
        "/own.png 2x,/\\t.example/x",
        "/own.png 2x&comma;http://t.example/x",
        "/own.png 2x,,,&#1;http://t.example",
        "/own.png (a, /b),https:t.example/x 1x,/c 2x",
        "/a 1x,//t.example,/b 2x",
        "//u,v@t.example/x 1x",
    ] {
        for loader in [
            "<img srcset='SET'>",
            "<img sizes=1px srcset='SET'>",
            "<picture><source srcset='SET'></picture>",
            "<link rel=preload as=image imagesrcset='SET'>",
            "<iframe srcdoc=\"<img srcset='SET'>\"></iframe>",
        ] {
            let out = gated(&loader.replace("SET", set));
            assert!(out.contains("data-consentry-purpose=") && out.contains("marketing\""), "{out}");
            assert!(!out.contains(" srcset=") || out.contains("data-consentry-srcdoc="), "{out}");
        }
    }
    // What is decoded once is not decoded again.
    assert!(gated("<img srcset='//x&amp;sol;.ads.example/ 1x'>").contains("data-consentry-purpose="));
    for set in [
        "/own.png 2x,http://own.example/x 1x",
        "/w_1,h_2/a.png 1x, /w_2,h_4/a.png 2x",
        "//own.example/w_1,h_2/a.png 1x,//own.example/b.png 2x,",
        "data:image/png;base64,hAAA//== 1x",
        "/a?hosts=t.example,t.example 1x",
    ] {
        let page = format!("<img srcset='{set}'>");
        assert_eq!(gated(&page), page);
    }
}

/// Namespaces in XML 1.0, 2.2: a prefix is whatever the document says.
#[test]
fn rule_k4_in_xml_any_prefix_may_be_that_of_xlink() {
    for tag in ["image", "script", "feImage", "use"] {
        let page = format!("<svg><{tag} q:href=\"http://t.example/x\" id=\"a\"></{tag}></svg>");
        let out = String::from_utf8(gate_as(Markup::Xhtml, [page])).expect("is UTF-8");
        assert!(out.contains(" data-consentry-href=\"http://t.example/x\"") && !out.contains(":href"), "{out}");
    }
    let own = "<svg><image q:href=\"/own.png\"/></svg>";
    assert_eq!(gate_as(Markup::Xhtml, [own]), own.as_bytes());
    let html = "<svg><image q:href=http://t.example/x /></svg>";
    assert_eq!(gated(html), html);
}

/// Shift_JIS has full-width letters whose second byte is ASCII, GB18030 a soft hyphen of four bytes, two of them digits.
#[test]
fn rule_k4_no_encoding_hides_a_host() {
    for url in [&b"http://\x82\x73.example/x"[..], b"http://t.ex\x81\x30\x85\x32ample/", b"//\x83\x40.ads.example/"] {
        for (before, after) in [(&b"<script src='"[..], &b"'></script>"[..]), (b"<img srcset='/a 1x,", b" 2x'>")] {
            let out = gate_as(Markup::Html, [[before, url, after].concat()]);
            let out = String::from_utf8_lossy(&out).into_owned();
            assert!(out.contains("data-consentry-purpose"), "{out}");
        }
    }
    let own = b"<img src='http://own.example/\x82\x73'><img srcset='/\x82\x73 1x,//own.example/\xe9 2x'>";
    assert_eq!(gate_as(Markup::Html, [&own[..]]), own);
}

/// The two that end a tag or an attribute's name in a document within an attribute, and the one that begins nothing.
#[test]
fn rule_k4_a_reference_to_more_than_one_character_hides_nothing_in_a_document() {
    for before in ["<p title=a&nvgt;", "<!--&nvgt;", "<p a&bne;'>", "<p a&bne;\u{20}'>"] {
        let page = format!("<iframe srcdoc=\"{before}<script src=//t.example></script>\"></iframe>");
        assert!(gated(&page).contains("data-consentry-srcdoc="), "{page}");
    }
    let fine = "<iframe srcdoc='<p>a &nvlt; b</p>'></iframe>";
    assert_eq!(gated(fine), fine);
}

/// What grows with the square of the length would take minutes here.
#[test]
fn the_cost_of_an_address_is_linear_in_its_length() {
    let since = Instant::now();
    for piece in
        [",http:a", ",//a", ",h", ",a", ",http:\u{e9}", ",http:a@", "=\u{1}", ",\u{1}", ",,", "\u{e9}", ";//\u{e9}a"]
    {
        let many = piece.repeat((900 << 10) / piece.len());
        for tag in [format!("<img srcset='/a 1x{many}'>"), format!("<img src='http://a{many}'>")] {
            gate_as(Markup::Html, [tag]);
        }
        let mut headers = HeaderMap::new();
        for line in [format!("</a>; x=\"{many}"), format!("</a>; imagesrcset=\"{many}\"")] {
            headers.append(
                header::LINK,
                HeaderValue::from_bytes(line.replace('\u{1}', "\t").as_bytes()).expect("a value"),
            );
        }
        filter_link(&mut headers, &gating(&[0]).expect("something is refused"));
    }
    assert!(since.elapsed() < Duration::from_secs(60), "{:?}", since.elapsed());
}
