mod address;
mod differential;
mod inline;
mod oracle;
mod reading;
mod usual;

use std::collections::VecDeque;
use std::task::Waker;

use proptest::prelude::*;

use super::*;
use crate::config::DeclaredTag;
use crate::consent::{Policy, PurposeSet};
use crate::page::{Inject, Insert};

struct Chunks(VecDeque<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

fn gating(permitted: &[usize]) -> Option<Gating> {
    let hosts = [("t.example", 3), ("*.ads.example", 3), ("stats.example", 2)];
    let tags = hosts.map(|(host, purpose)| DeclaredTag { host: host.into(), inline: Vec::new(), purpose });
    Tags::new(&tags, &Policy::default()).gating(PurposeSet::of(permitted.iter().copied()))
}

fn gate_as(markup: Markup, chunks: impl IntoIterator<Item = impl Into<Bytes>>) -> Vec<u8> {
    let chunks = Chunks(chunks.into_iter().map(Into::into).collect());
    drain(Gate::new(chunks, gating(&[0]), markup))
}

fn drain<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Vec<u8> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut out = Vec::new();
    while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) {
        out.extend_from_slice(&frame.into_data().unwrap_or_default());
    }
    assert!(body.is_end_stream() || body.size_hint().exact().is_none());
    out
}

fn gated(page: &str) -> String {
    String::from_utf8(gate_as(Markup::Html, [page.to_owned()])).expect("is UTF-8")
}

#[test]
fn rule_k4_a_refused_tag_is_inert_and_says_what_it_needs() {
    for (page, expected) in [
        (
            "<script async src=\"https://t.example/x.js?a&amp;b\" id=a></script>",
            "<script async id=a data-consentry-src=\"https://t.example/x.js?a&amp;b\" type=\"text/plain\" \
             data-consentry-purpose=\"marketing\"></script>",
        ),
        (
            "<SCRIPT TYPE=module SRC='//t.example/\"x'>x()</SCRIPT>",
            "<SCRIPT data-consentry-src=\"//t.example/&quot;x\" data-consentry-type=\"module\" type=\"text/plain\" \
             data-consentry-purpose=\"marketing\">x()</SCRIPT>",
        ),
        (
            "<iframe src=//a.b.ads.example></iframe>",
            "<iframe data-consentry-src=\"//a.b.ads.example\" data-consentry-purpose=\"marketing\"></iframe>",
        ),
        (
            "<link rel=stylesheet href=https://stats.example/a.css />",
            "<link rel=stylesheet data-consentry-href=\"https://stats.example/a.css\" data-consentry-purpose=\"analytics\" />",
        ),
        (
            "<img src=a.png srcset='b.png 2x, https://t.example/c.png 3x'>",
            "<img src=a.png data-consentry-srcset=\"b.png 2x, https://t.example/c.png 3x\" data-consentry-purpose=\"marketing\">",
        ),
        (
            "<img src=//stats.example/p.gif srcset='//t.example/c.png'>",
            "<img data-consentry-src=\"//stats.example/p.gif\" data-consentry-srcset=\"//t.example/c.png\" \
             data-consentry-purpose=\"analytics marketing\">",
        ),
        (
            "<object data=//t.example/x></object><svg><image xlink:href=//t.example/y /></svg>",
            "<object data-consentry-data=\"//t.example/x\" data-consentry-purpose=\"marketing\"></object><svg>\
             <image data-consentry-href=\"//t.example/y\" data-consentry-purpose=\"marketing\" /></svg>",
        ),
    ] {
        assert_eq!(gated(page), expected);
    }
}

/// What a site's users have written passes sanitisers as `data-*`, and would come to life with ours.
#[test]
fn rule_k4_what_others_wrote_under_our_names_goes_from_what_is_made_inert() {
    let inert = " data-consentry-src=\"//t.example\" data-consentry-purpose=\"marketing\">";
    for name in ["src", "href", "data", "poster", "background", "code", "srcset", "imagesrcset", "srcdoc"]
        .into_iter()
        .chain(["type", "purpose", "key"])
    {
        for theirs in [format!("data-consentry-{name}"), format!("DATA-Consentry-{}", name.to_uppercase())] {
            for page in [
                format!("<iframe {theirs}=x src=//t.example>"),
                format!("<iframe src=//t.example {theirs} {theirs}='&lt;script>'>"),
                format!("<iframe/{theirs}\n=\n\"x\"/{theirs}=y src=//t.example>"),
            ] {
                assert_eq!(gated(&page), format!("<iframe{inert}"), "{page}");
            }
        }
    }
    // What sites may write stays, and so does all of an element that is left as it is.
    let own = "<img data-consentry-event=\"a\" data-consentry-event-src=\"b\" data-consentry-choices";
    assert_eq!(gated(&format!("{own} src=//t.example>")), format!("{own}{inert}"));
    let theirs = "<iframe src=//own.example data-consentry-purpose=marketing data-consentry-srcdoc=x>";
    assert_eq!(gated(theirs), theirs);
    // Also where only the second of two addresses was refused.
    assert_eq!(
        gated("<iframe src=/own src=//t.example data-consentry-srcdoc=x>"),
        "<iframe src=/own>",
        "the rewritten tag"
    );
}

#[test]
fn rule_k4_the_pages_key_stands_on_what_is_made_inert_and_on_nothing_else() {
    let page = "<img src=/own><img src=//t.example><noscript><img src=//t.example></noscript><iframe srcdoc='<img src=//t.example>'>";
    let gating = gating(&[0]).expect("something is refused").with_key(Key::of(0xab));
    let out = drain(Gate::new(Chunks([Bytes::from(page)].into()), Some(gating), Markup::Html));
    let keyed = " data-consentry-purpose=\"marketing\" data-consentry-key=\"00000000000000ab\">";
    let image = format!("<img data-consentry-src=\"//t.example\"{keyed}");
    assert_eq!(
        String::from_utf8(out).expect("is UTF-8"),
        format!(
            "<img src=/own>{image}<noscript>{image}</noscript><iframe data-consentry-srcdoc=\"<img src=//t.example>\" \
             data-consentry-purpose=\"analytics marketing\" data-consentry-key=\"00000000000000ab\">"
        )
    );
}

/// Elements that load, with `URL` where the address stands.
const LOADERS: [&str; 25] = [
    "<script src='URL'></script>",
    "<SCRIPT\nSRC = URL ></SCRIPT>",
    "<script/src='URL'/></script>",
    "<iframe src='URL'></iframe>",
    "<img src='URL'>",
    "<image src='URL'>",
    "<img srcset='URL 2x'>",
    "<link rel=preload href='URL'>",
    "<video src='URL' poster='URL'></video>",
    "<audio src='URL'></audio>",
    "<picture><source srcset='URL'></picture>",
    "<object data='URL'></object>",
    "<embed src='URL'>",
    "<embed code='URL'>",
    "<video><track src='URL'></video>",
    "<input type=image src='URL'>",
    "<body background='URL'>",
    "<table><col background='URL'></table>",
    "<table><colgroup background='URL'></table>",
    "<svg><script href='URL'></script></svg>",
    "<svg><use xlink:href='URL'/></svg>",
    "<link rel=preload imagesrcset='URL 1x'>",
    "<frame src='URL'>",
    "<noscript><img src='URL'></noscript>",
    "<template><img src='URL'></template>",
];

/// Ways to write one address.
const URLS: [&str; 12] = [
    "https://t.example/x",
    "//t.example/x",
    "HTTPS://T.EXAMPLE/x",
    "&#x68;ttps:&#x2f;&#47;t&period;example/x",
    "\\\\t.example\\x",
    "/\\t.example",
    "https:t.example/x",
    "https://u:p@t.example:443/x",
    "https://t.example.",
    "https://%74.example/x",
    "&Tab;//t.exam&NewLine;ple/x",
    "h&#116;tp://t.example",
];

#[test]
fn rule_k4_no_way_of_writing_an_address_gets_through() {
    for loader in LOADERS {
        for url in URLS {
            if loader.contains("set=") && url.contains("NewLine") {
                continue; // White space ends an address in a set.
            }
            let page = loader.replace("URL", url);
            let out = gated(&page);
            for attribute in ["src", "srcset", "href", "data", "poster", "background", "imagesrcset", "code"] {
                for before in [" ", "\n", "/", "xlink:"] {
                    assert!(!out.to_lowercase().contains(&format!("{before}{attribute}=")), "{page}\n{out}");
                    assert!(!out.to_lowercase().contains(&format!("{before}{attribute} =")), "{page}\n{out}");
                }
            }
            assert!(out.contains("data-consentry-purpose=\"marketing\""), "{page}\n{out}");
        }
    }
}

#[test]
fn what_is_not_refused_stays_byte_for_byte() {
    let page = "<!doctype html><head><script src=/own.js></script><script>var a='<img src=//t.example>'</script>\
        <!-- <script src=//t.example></script> --><base target=_top><title><img src=//t.example></title></head>\
        <body CLASS=a><a href=//t.example>x</a><img src='data:image/png;base64,AAAA'><IMG SRC=https://other.example/x>\
        <form action=//t.example></form><img alt=//t.example><noscript><p>\u{e9}</p></noscript>\u{e9} </p></body></html>";
    assert_eq!(gated(page), page);
    // Whatever the encoding is.
    let latin = b"<img src=/\xe9><p>\xff\x81</p><noscript>\xe9<img src='//t.example/\xe9'></noscript>";
    let out = gate_as(Markup::Html, [&latin[..]]);
    let expected = &b"<img src=/\xe9><p>\xff\x81</p><noscript>\xe9<img data-consentry-src=\"//t.example/\xe9\" \
        data-consentry-purpose=\"marketing\"></noscript>"[..];
    assert_eq!(out, expected, "{}", String::from_utf8_lossy(&out));
}

#[test]
fn a_page_with_everything_permitted_passes_as_it_came() {
    assert!(gating(&[0, 2, 3]).is_none());
    let page = Bytes::from_static(b"<script src=//t.example></script>");
    let mut gate = Gate::new(Chunks([page.clone()].into()), None, Markup::Html);
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut gate).poll_frame(&mut cx) else { panic!("a frame") };
    assert_eq!(frame.into_data().expect("is data").as_ptr(), page.as_ptr());
}

#[test]
fn a_base_of_a_refused_host_refuses_relative_addresses() {
    let out = gated("<img src=a.png><base href=//t.example/x/><img src=b.png><img src=//own.example/c.png>");
    assert_eq!(
        out,
        "<img src=a.png><base data-consentry-href=\"//t.example/x/\" data-consentry-purpose=\"marketing\">\
         <img data-consentry-src=\"b.png\" data-consentry-purpose=\"marketing\"><img src=//own.example/c.png>"
    );
    let own = "<base href=/x/><base href=//other.example/><img src=b.png>";
    assert_eq!(gated(own), own);
}

/// 4.2.3: a `<base>` counts for what stands before it as well, where that has not been loaded yet.
#[test]
fn rule_k4_a_base_of_a_refused_host_is_none() {
    for before in ["<img src=x>", "<object data=x></object>", "<img loading=lazy src=x>", "<body background=x>", ""] {
        for base in
            ["<base href=//t.example/>", "<base target=_top HREF='https://t.example/a'>", "<base href=//t.example/ />"]
        {
            let out = gated(&format!("{before}{base}"));
            assert!(
                out.starts_with(before) && out.contains("<base ") && !out.to_lowercase().contains(" href="),
                "{out}"
            );
        }
        let base = "<base href='//own.example/' target=_top>";
        assert_eq!(gated(&format!("{before}{base}")), format!("{before}{base}"));
    }
    let out = gate_as(Markup::Xhtml, ["<html><base href='//t.example/'/></html>"]);
    let inert = b"<html><base data-consentry-href=\"//t.example/\" data-consentry-purpose=\"marketing\" /></html>";
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(inert));
}

/// 4.2.3: a browser ignores a `<base>` in a template or in SVG, and one whose URL is none or `data:`.
#[test]
fn rule_k4_a_base_that_browsers_ignore_hides_no_other() {
    for ignored in [
        "<template><base href=/own/></template>",
        "<svg><base href=/own/></svg>",
        "<base href='data:,x'>",
        "<base href='http://[bad/'>",
        "<base target=_top>",
        "<div><template shadowrootmode=open><base href=/own/></template></div>",
        "<base href=/own/>",
    ] {
        let out = gated(&format!("{ignored}<base href=//t.example/><script src=a.js></script>"));
        assert!(out.contains("<script data-consentry-src=\"a.js\""), "{out}");
    }
    let two = gated("<base href=//t.example/><base href=//stats.example/><script src=a.js></script>");
    assert!(!two.contains("<script"), "nobody knows which purpose it needs: {two}");
}

/// Who looks ahead skips values that are empty, and in SVG takes the last.
#[test]
fn rule_k4_of_a_doubled_attribute_none_is_refused() {
    for (page, expected) in [
        ("<link rel=stylesheet href href=//t.example>", "<link rel=stylesheet href>"),
        ("<img src=/own src=//t.example SRC=/a>", "<img src=/own>"),
        ("<svg><image href=/own href='//t.example' /></svg>", "<svg><image href=/own /></svg>"),
        ("<script type=module src=/own src=//t.example></script>", "<script type=module src=/own></script>"),
        ("<source srcset='' srcset='//t.example 2x'>", "<source srcset=''>"),
    ] {
        assert_eq!(gated(page), expected);
    }
    let own = "<img src=/own src=/other>";
    assert_eq!(gated(own), own);
}

#[test]
fn a_document_in_an_attribute_is_looked_into() {
    let out = gated("<iframe srcdoc='&lt;img src=\"//t.example\"&gt;'></iframe>");
    assert!(out.starts_with("<iframe data-consentry-srcdoc=\"&lt;img"), "{out}");
    assert!(out.contains("data-consentry-purpose=\"analytics marketing\""), "{out}");
    let own = "<iframe srcdoc='&lt;img src=\"/own.png\"&gt; <p>'></iframe>";
    assert_eq!(gated(own), own);
    // A tag that its end cuts off is none (13.2.5, end of file in a tag).
    for cut in ["<p", "</", "</p", "<img", "<img ", "<img src=//t.example ", "<p a='"] {
        let own = format!("<iframe srcdoc=\"<img src=/a>{cut}\"></iframe>{}", "<script src=/own></script>");
        assert_eq!(gated(&own), own);
        let out = gated(&format!("<iframe srcdoc=\"<img src=//t.example>{cut}\"></iframe>"));
        assert!(out.starts_with("<iframe data-consentry-srcdoc="), "{out}");
    }
}

#[test]
fn rule_k4_without_scripts_a_noscript_is_markup() {
    let out = gated("<noscript><img height=1 src='https://t.example/tr?id=1'/></noscript><p>");
    assert_eq!(
        out,
        "<noscript><img height=1 data-consentry-src=\"https://t.example/tr?id=1\" data-consentry-purpose=\"marketing\" /></noscript><p>"
    );
    // Where the two ways of reading differ, nothing of it loads in either.
    let out = gated("<noscript><img alt=\"</noscript>\" src=\"//t.example\">");
    assert!(out.starts_with("<noscript><img src=about:blank srcset "), "{out}");
    let out = gated(&format!("<noscript>{}<img src=//t.example></noscript>", "x".repeat(1_100_000)));
    assert!(out.contains("<img src=about:blank srcset "));
    assert!(gated("<noscript><img src=//t.example>").contains("data-consentry-src"));
}

/// Without scripts, in a sandboxed frame for one, its end tag is not one everywhere, and what it began goes on.
#[test]
fn rule_k4_what_a_noscript_leaves_open_hides_no_tag_after_it() {
    let image = "<img src=//t.example>";
    for page in [
        format!("<noscript><style></noscript><!--</style>{image}-->"),
        format!("<noscript><title></noscript><!--</title>{image}-->"),
        format!("<noscript><!--</noscript><p title=\"-->{image}\">"),
        format!("<noscript><a title=\"</noscript><!--\">{image}-->"),
        format!("<noscript><template><col></noscript><style></template>{image}</style>"),
        format!("<noscript><select></noscript><style></select>{image}</style>"),
        format!("<noscript><svg></noscript><style><p>{image}</style>"),
        format!("<noscript><svg><style></svg></noscript><!--</style>{image}-->"),
        format!("<noscript><math><mtext></noscript></mtext><style>{image}</style>"),
        format!("<noscript>{}<style></noscript><!--</style>{image}-->", "x".repeat(1_100_000)),
        format!(
            "<svg><foreignObject><noscript><div></noscript></foreignObject></svg></div></noscript><![CDATA[> <!-- ]]>{image}-->"
        ),
    ] {
        for size in [1, 5, page.len()] {
            let out = gate_as(Markup::Html, page.as_bytes().chunks(size).map(Bytes::copy_from_slice));
            let out = String::from_utf8_lossy(&out);
            assert!(out.contains("<img src=about:blank srcset "), "{out}");
        }
    }
    // What is whole changes nothing.
    for whole in
        ["<style>p{}</style>", "<p>a", "<div><img src=/a>", "<svg><style>a</style></svg>", "<select></select>", "a <"]
    {
        let page = format!("<noscript>{whole}</noscript><script src=/own></script><!--{image}-->");
        assert_eq!(gated(&page), page);
    }
}

/// In the encodings of East Asia but EUC a `]` may be the second byte of a letter.
#[test]
fn rule_k4_a_letter_that_hides_the_end_of_a_cdata_section_hides_no_tag() {
    let image = "<img src='//t.example'/>";
    let of = |letter: &[u8]| [b"<svg><![CDATA[", letter, b"]]><!--]]>", image.as_bytes(), b"-->"].concat();
    for letter in [&b"\x81"[..], b"\xA4", b"a]\x81", b"\x81]] \x81"] {
        let page = of(letter);
        for (markup, inert) in [(Markup::Html, "<img src=about:blank "), (Markup::Xhtml, "<consentry-img ")] {
            for size in [1, 2, 3, page.len()] {
                let out = gate_as(markup, page.chunks(size).map(Bytes::copy_from_slice));
                assert!(String::from_utf8_lossy(&out).contains(inert), "{letter:?}");
            }
        }
    }
    for (named, letter) in [(encoding_rs::UTF_8, "\u{e9}".as_bytes()), (encoding_rs::WINDOWS_1252, b"\xE9")] {
        let gate = Gate::new(Chunks([Bytes::from(of(letter))].into()), gating(&[0]), Markup::Html);
        assert_eq!(drain(gate.of_named_encoding(Some(named))), of(letter), "to such a page it is the end");
    }
    for letter in [&b"a"[..], b"", b"\xE9 ", b"\xE9\n"] {
        assert_eq!(gate_as(Markup::Html, [of(letter)]), of(letter));
    }
}

#[test]
fn rule_k4_markup_that_can_be_read_in_two_ways_fails_closed() {
    for page in [
        "<p>a</p><select><xmp><script src=//t.example></script></select>",
        "<p>a</p><select><template><title><script src=//t.example></script>",
        "<p>a</p><frameset><style><script src=//t.example></script>",
        // Something else ended the first.
        "<p>a</p><template><select></template><select><xmp><script src=//t.example></script>",
        "<p>a</p><table><td><select></table><select><xmp><script src=//t.example></script>",
    ] {
        let out = gated(page);
        assert!(out.starts_with("<p>a</p>"), "{out}");
        assert!(out.contains("<noframes src=//t.example>"), "{out}");
    }
    // 13.2.6.4.12: in a template that begins as a group of columns all else is ignored.
    for before in ["", "<head>", "<template>", "<div><template shadowrootmode=open>"] {
        for column in ["<col>", "<COL/>", "<col span=2>", "<p></p><col>"] {
            for raw in ["style", "title", "script", "textarea", "xmp", "iframe", "noscript"] {
                let page = format!(
                    "<p>a</p>{before}<template>{column}<{raw}></template><script src=//t.example></script></{raw}>"
                );
                let out = gated(&page);
                assert!(out.contains("<noframes src=//t.example>"), "{page}\n{out}");
                let document = page.replace('"', "&quot;");
                assert!(
                    gated(&format!("<iframe srcdoc=\"{document}\">")).contains("<iframe data-consentry-srcdoc"),
                    "{page}"
                );
            }
            let page = format!(
                "{before}<template>{column}<svg><title></template><![CDATA[<script src=//t.example></script>]]>"
            );
            assert!(gated(&page).contains("<noframes src=//t.example>"), "{page}");
        }
    }
    // `</select>` in a template in a `<select>` does not end that.
    let page = "<select><template></select></template><xmp><script src=//t.example></script>";
    assert!(gated(page).ends_with("<noframes src=//t.example></script></noframes>"));
    let fine = "<select><option>a</select><title>b</title><select><script src=/own></script></select><xmp></xmp>";
    assert_eq!(gated(fine), fine);
}

#[test]
fn rule_k4_a_tag_too_long_to_hold_fails_closed() {
    let long = format!("<p>a</p><img src='data:{}'><script src=//t.example></script><p>b", "A".repeat(3 << 20));
    let chunks: Vec<Bytes> = long.as_bytes().chunks(16 << 10).map(Bytes::copy_from_slice).collect();
    let out = String::from_utf8(gate_as(Markup::Html, chunks)).expect("is UTF-8");
    assert!(out.starts_with("<p>a</p><img src=about:blank ") && out.ends_with("<p>b"));
    assert!(out.contains("<noframes src=//t.example>"));
}

#[test]
fn an_empty_script_in_xml_does_not_hide_what_follows() {
    let page = "<html><head><script src='/own.js'/><script src='//t.example'></script></head></html>";
    let out = String::from_utf8(gate_as(Markup::Xhtml, [page])).expect("is UTF-8");
    assert_eq!(
        out,
        "<html><head><script src='/own.js'/><script data-consentry-src=\"//t.example\" type=\"text/plain\" \
         data-consentry-purpose=\"marketing\"></script></head></html>"
    );
    let own = "<html><head><title/><style/></head><body><iframe/><textarea/><select><style/></select><img src='/own'/></body></html>";
    assert_eq!(gate_as(Markup::Xhtml, [own]), own.as_bytes());
    let out = gate_as(Markup::Xhtml, ["<html><script src='//t.example'/><img src='//t.example'/></html>"]);
    assert!(!String::from_utf8_lossy(&out).contains(" src="));
    let fine = "<html><head><script src='//t.example'></script><br/></head></html>";
    let out = String::from_utf8(gate_as(Markup::Xhtml, [fine])).expect("is UTF-8");
    assert!(out.contains("<script data-consentry-src=\"//t.example\" type=\"text/plain\"") && out.contains("<br/>"));
}

#[test]
fn utf_16_does_not_hide_a_tag() {
    let page = "<p>\u{e9}\u{1f600}</p><script src=//t.example></script>";
    for (mark, bytes) in [([0xFF, 0xFE], u16::to_le_bytes as fn(u16) -> [u8; 2]), ([0xFE, 0xFF], u16::to_be_bytes)] {
        let wide: Vec<u8> = mark.into_iter().chain(page.encode_utf16().flat_map(bytes)).collect();
        for size in [1, 3, 1000] {
            let chunks: Vec<Bytes> = wide.chunks(size).map(Bytes::copy_from_slice).collect();
            let out = String::from_utf8(gate_as(Markup::Html, chunks)).expect("is UTF-8 now");
            assert!(out.starts_with("\u{feff}<p>\u{e9}\u{1f600}</p><script data-consentry-src="), "{out}");
        }
    }
    for start in [&b"\xFF"[..], b"\xFE", b"\xFF<p>", b"", b"x", b"\xFE\xFE", b"<", b"\0", b"\0p", b"<p>"] {
        let left: Vec<u8> = start.iter().copied().filter(|&byte| byte != 0).collect();
        assert_eq!(gate_as(Markup::Html, [start]), left);
        assert_eq!(gate_as(Markup::Html, start.chunks(1)), left);
    }
}

/// 13.2.3.2, the prescan: a page that begins with `<?x` in UTF-16 is in that, if its head names no encoding.
#[test]
fn rule_k4_utf_16_without_a_mark_does_not_hide_a_tag() {
    let page = "<?xml version='1.0'?><p>\u{e9}</p><script src=//t.example></script>";
    for bytes in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
        let wide: Vec<u8> = page.encode_utf16().flat_map(bytes).collect();
        for size in [1, 3, 1000] {
            let chunks = wide.chunks(size).map(Bytes::copy_from_slice);
            let out = String::from_utf8(gate_as(Markup::Html, chunks)).expect("is UTF-8 now");
            assert!(out.starts_with("\u{feff}<?xml version='1.0'?><p>\u{e9}</p><script data-consentry-src="), "{out}");
        }
        let gate = Gate::new(Chunks([Bytes::from(wide.clone())].into()), gating(&[0]), Markup::Html);
        assert_eq!(drain(gate.of_named_encoding(Some(encoding_rs::UTF_8))), wide, "the head has said what it is");
    }
}

/// A frame whose head names no encoding has that of the page around it, in Chromium UTF-16 as well: without zeros it has no markup then.
#[test]
fn rule_k4_utf_16_of_the_page_around_a_frame_does_not_hide_a_tag() {
    for page in [" <script src=//t.example></script>", "\u{4e2d}<p><img src=//t.example>"] {
        for bytes in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
            let wide: Vec<u8> = page.encode_utf16().flat_map(bytes).collect();
            for size in [1, 3, 1000] {
                let out = gate_as(Markup::Html, wide.chunks(size).map(Bytes::copy_from_slice));
                assert!(!out.contains(&0), "{}", out.escape_ascii());
            }
            let gate = Gate::new(Chunks([Bytes::from(wide.clone())].into()), gating(&[0]), Markup::Html);
            assert_eq!(drain(gate.of_named_encoding(Some(encoding_rs::UTF_8))), wide, "the head has said what it is");
        }
    }
    assert_eq!(gated("<p>a\0b</p><im\0g src=//t.ex\0ample>"), gated("<p>ab</p><img src=//t.example>"));
}

#[test]
fn a_gated_page_can_move_between_threads() {
    fn assert_send<T: Send>(_: &T) {}
    assert_send(&Inject::new(Gate::new(Chunks([].into()), None, Markup::Html), Insert::default(), Markup::Html));
}

#[test]
fn ours_is_put_in_after_the_gate() {
    let page = "<head><script src=//t.example></script></head><body><p>";
    let insert = Insert {
        first: Bytes::new(),
        head: "<script src=//t.example/ours></script>".into(),
        body_start: Box::new(Bytes::from("[B]")),
    };
    let gate = Gate::new(Chunks([Bytes::from(page)].into()), gating(&[0]), Markup::Html);
    let out = String::from_utf8(drain(Inject::new(gate, insert, Markup::Html))).expect("is UTF-8");
    assert!(out.contains("<script src=//t.example/ours></script></head><body>[B]<p>"), "{out}");
    assert!(out.starts_with("<head><script data-consentry-src=\"//t.example\""));
}

#[test]
fn rule_k4_a_link_header_loads_nothing_refused() {
    let gating = gating(&[0]).expect("something is refused");
    let mut headers = HeaderMap::new();
    let keep = "</own.css>; rel=preload; title=\"a, <//t.example>\"";
    headers.append(
        header::LINK,
        format!("{keep}, <https://t.example/x,y>; rel=preload,<//x.ads.example>;rel=preconnect")
            .parse()
            .expect("value"),
    );
    headers.append(header::LINK, HeaderValue::from_static("<//t.example>; rel=dns-prefetch"));
    headers.append(header::LINK, HeaderValue::from_static("</next>; rel=next"));
    assert_eq!(filter_link(&mut headers, &gating), 3);
    let left: Vec<_> = headers.get_all(header::LINK).iter().map(|value| value.to_str().expect("ASCII")).collect();
    assert_eq!(left, [keep, "</next>; rel=next"]);
    assert_eq!(filter_link(&mut headers, &gating), 0);
}

/// RFC 8288, 3 and RFC 9110, 5.6.4: a `\\` in quotes hides the next quote; an image may stand in `imagesrcset`.
#[test]
fn rule_k4_a_link_header_hides_nothing_in_quotes() {
    let gating = gating(&[0]).expect("something is refused");
    let left = |line: &'static str| {
        let mut headers = HeaderMap::new();
        headers.append(header::LINK, HeaderValue::from_static(line));
        filter_link(&mut headers, &gating);
        headers.get(header::LINK).cloned()
    };
    for line in [
        "</a>; title=\"\\\"\", <http://t.example/>; rel=preload",
        "</a>; title=\"b, <http://t.example/>; rel=preload",
        "</a>; x='\"', <http://t.example/>; rel=preload, </b>; y='\"'",
        "</a>; x=a\"b, <http://t.example/>; rel=preload; y=\"",
        "\"</a>, <http://t.example/>; rel=preload, </b>\"",
        "</a.png>; rel=preload; as=image; imagesrcset=\"http://t.example/ 1x\"",
        "</a.png>; rel=preload; as=image; ImageSrcSet=\"/b 1x, http:\\/\\/t.example/?a=b 2x\"",
        "</a.png>; rel=preload; as=image; imagesrcset=http://t.example/?a=b",
    ] {
        assert_eq!(left(line), None, "{line}");
    }
    for line in [
        "</a>; title=\"\\\"\", <http://own.example/>; rel=preload",
        "</a.png>; rel=preload; as=image; imagesrcset=\"/b 1x, http://own.example/ 2x\"",
    ] {
        assert_eq!(left(line).as_ref().and_then(|kept| kept.to_str().ok()), Some(line));
    }
}

/// RFC 9110, 5.3: a browser reads all lines of a header as one, and what one line opens another may close.
#[test]
fn rule_k4_no_line_of_a_link_header_hides_another() {
    let gating = gating(&[0]).expect("something is refused");
    let left = |lines: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::LINK, HeaderValue::from_static(line));
        }
        filter_link(&mut headers, &gating);
        headers.get_all(header::LINK).iter().count()
    };
    for lines in [
        ["</a>; title=\"b", "</c>; d=\", <http://t.example/>; rel=preload\""],
        ["</a>; title=\"b", "</c>; title=\", <http://t.example/>; rel=preload; x=\""],
        ["<http://u", "u@t.example/>; rel=preload"],
        ["</a>; title=\"b\\\"", "</c>; title=\", <//t.example>; rel=preload\""],
    ] {
        assert_eq!(left(&lines), 0, "{lines:?}");
    }
    assert_eq!(left(&["</a>; title=\"b", "</c>; title=\", <http://own.example/>; rel=preload\""]), 2);
    assert_eq!(left(&["</a>; title=\"<//t.example>\"", "</c>; rel=next"]), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Whatever surrounds it, a browser's first reading of the page (lol_html's, which was told to be sure) finds no refused tag.
    #[test]
    fn rule_k4_no_soup_carries_a_live_tag(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "<script src=//t.example></script>", "<img src='//t.example'>", "<noscript>", "</noscript>", "<select>", "</select>",
            "<template>", "</template>", "<style>", "</style>", "<!--", "-->", "<title>", "</title>", "<svg>", "</svg>", "<math>", "</math>",
            "<frameset>", "<xmp>", "</xmp>", "<p a='", "'>", "\"", "<![CDATA[", "]]>", "<textarea>", "</textarea>", "<p>", "x", "<", "é",
        ]), 0..14),
        cuts in prop::collection::vec(1usize..30, 0..12),
    ) {
        let page = pieces.concat();
        let (mut chunks, mut rest) = (Vec::new(), Bytes::from(page.clone()));
        for cut in cuts {
            chunks.push(rest.split_to(cut.min(rest.len())));
        }
        chunks.push(rest);
        let out = gate_as(Markup::Html, chunks);
        let text = String::from_utf8_lossy(&out).into_owned();
        let live = std::cell::RefCell::new(Vec::new());
        let look = lol_html::Settings::new().with_strict(false)
            .append_element_content_handler(lol_html::element!("script[src], img[src]", |el| {
                let first = |name: &str| el.attributes().iter().find(|a| a.name() == name).map(|a| a.value());
                let src = first("src").unwrap_or_default();
                if src.contains("t.example") && first("type").as_deref() != Some("text/plain") {
                    live.borrow_mut().push(src);
                }
                Ok(())
            }));
        let mut rewriter = lol_html::HtmlRewriter::new(look, |_: &[u8]| ());
        rewriter.write(&out).expect("is read");
        rewriter.end().expect("is read");
        prop_assert!(live.borrow().is_empty(), "{page}\n{text}");
    }

    #[test]
    fn no_bytes_make_the_gate_panic(page in prop::collection::vec(any::<u8>(), 0..300)) {
        gate_as(Markup::Html, [page.clone()]);
        gate_as(Markup::Xhtml, [page]);
    }
}
