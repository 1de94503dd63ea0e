//! Known pages, and tag soup against lol_html: two tokenizers that were written apart must agree where the tags are.

use std::cell::RefCell;

use lol_html::html_content::TextType;
use lol_html::{HtmlRewriter, Settings, doc_comments, doc_text, doctype, element};
use proptest::prelude::*;

use super::*;

fn places(markup: Markup, page: &[u8]) -> (Option<u64>, Option<u64>) {
    let mut scan = Scan::new(markup);
    scan.feed(page);
    scan.end();
    (scan.head(), scan.body())
}

/// The page with `H` at the head's place and `B` at the body's.
fn marked_as(markup: Markup, page: &str) -> String {
    let (head, body) = places(markup, page.as_bytes());
    let mut marked = String::new();
    for (at, c) in page.char_indices().chain([(page.len(), '\0')]) {
        if head == Some(at as u64) {
            marked.push_str("[H]");
        }
        if body == Some(at as u64) {
            marked.push_str("[B]");
        }
        if c != '\0' {
            marked.push(c);
        }
    }
    marked
}

fn marked(page: &str) -> String {
    marked_as(Markup::Html, page)
}

/// The page is what `expected` is without its marks, and the marks are where the places are.
fn assert_marked(expected: &str) {
    let page = expected.replace("[H]", "").replace("[B]", "");
    assert_eq!(marked(&page), expected);
}

#[test]
fn the_places_are_before_the_heads_end_and_after_the_bodys_start() {
    for page in [
        "<!doctype html><html><head><title>x</title>[H]</head><body class=a>[B]<p>",
        "\u{feff}<!DOCTYPE html>\n<HTML>\n<HEAD>\n<TITLE>x</TITLE>\n[H]</HEAD >\n<BODY\nCLASS='>'>[B]\n<p>",
        "<html><head>[H]</head\t><body>[B]",
        "<head>[H]</head/><body/>[B]",
        "<head>[H]</head a='>'><body a=b/>[B]",
    ] {
        assert_marked(page);
    }
}

#[test]
fn the_first_place_is_before_any_tag_of_the_sites() {
    for page in [
        "<!doctype html><html><head a='>'>[F]<meta charset=utf-8><script></script></head><body>",
        "<!doctype html><!-- <head> --><html>[F]<script src=a></script><head></head>",
        "<HEAD>[F]</HEAD><body>",
        "<html><head\n>[F]<base href=//elsewhere.example/>",
        "[F]<base href=//elsewhere.example/><title>x</title><p>",
        "[F]<meta charset=utf-8><title><head></title><p>",
        "[F]<link rel=preload><body>",
        "<html>[F]<body><script></script>",
        "[F]Hello <head>",
        "[F]<p><head><script></script>",
    ] {
        let plain = page.replace("[F]", "");
        for pieces in 1..plain.len() {
            let mut scan = Scan::new(Markup::Html);
            plain.as_bytes().chunks(pieces).for_each(|piece| scan.feed(piece));
            scan.end();
            assert_eq!(scan.first(), page.find("[F]").map(|at| at as u64), "{page} in pieces of {pieces}");
        }
    }
}

#[test]
fn a_head_or_body_that_nobody_wrote_is_found_all_the_same() {
    for page in [
        "[H][B]Hello",
        "[H][B]<p>Hello",
        "<!doctype html>\n <title>x</title> [H][B]<div>",
        "<meta charset=utf-8><link rel=x href=y>[H][B]text",
        "<meta charset=utf-8>[H]<base href=//elsewhere.example/><link rel=x href=y>[B]text",
        "<head><title>x</title>[H]<BASE href=//elsewhere.example/></head><body>[B]",
        "<template><base href=//elsewhere.example/></template>[H]</head>[B]x",
        "<head><title>x</title>[H]<body>[B]",
        "<head>[H]</head>\n <!-- --> [B]<main>",
        "<head>[H]</head><script>'<div>'</script><link><style>a{}</style>[B]x",
        "<html><head>[H][B]</body>",
        "<html>[H][B]</html>",
        "[H][B]</br>",
        "[H][B]<3 <body>",
        "</p></div></><head>[H]</head>[B]<custom-element-with-a-very-long-name-indeed>",
        "[H][B]<custom-element-with-a-very-long-name-indeed>",
        "[H][B]<svg>",
        "[H][B]&nbsp;<body>",
    ] {
        assert_marked(page);
    }
}

#[test]
fn a_head_end_in_a_comment_script_or_attribute_fools_nobody() {
    for page in [
        "<head><!-- </head> <body> -->[H]</head><body>[B]",
        "<head><!-->[H]</head>[B]-->",
        "<head><!--->[H]</head>[B]-->",
        "<head><!-- --!>[H]</head><body>[B]",
        "<head><!-- --!- </head> -- > </head> --->[H]</head><body>[B]",
        "<head><!-- <!-- </head> -->[H]</head><body>[B]",
        "<head><!- </head -- \">[H]</head><body>[B]",
        "<?php </head ?>[H]</head><body>[B]",
        "<![CDATA[ <p>[H][B]]]>",
        "<head><script>var a = '</head><body>';</script>[H]</head><body>[B]",
        "<head><script>a</scriptx></head></ script></head></script >[H]</head><body>[B]",
        "<head><script><!-- <script> </script> </head> --></script>[H]</head><body>[B]",
        "<head><script><!-- <script> --> </script>[H]</head><body>[B]",
        "<head><script><!-- </script>[H]</head><body>[B]",
        "<head><script><!--></script>[H]</head><body>[B]",
        "<head><style>/* </head> */ a>b{}</style>[H]</head><body>[B]",
        "<head><title></head><body></title x='</title>'>[H]</head><body>[B]",
        "<head><noscript><body></head></noscript>[H]</head><body>[B]",
        "<head><noframes></head></noframes>[H]</head><body>[B]",
        "<head><template><div></head><body><template></template></head></template>[H]</head><body>[B]",
        "<head><template><textarea></template></textarea></template>[H]</head><body>[B]",
        "<head><meta content=\"</head><body>\" x='</head>' y=</head>[H]</head><body>[B]",
        "<head><meta a \" = '</head>' b=\"\"c='</head>'>[H]</head><body>[B]",
        "<head><meta =\">[H]</head><body>[B]",
        "<head><meta a==\">[H]</head><body>[B]",
        "<head><meta a= >[H]</head><body>[B]",
        "<head><meta a/b='</head>' / c='</head>'>[H]</head><body>[B]",
    ] {
        assert_marked(page);
    }
}

#[test]
fn a_document_without_a_place_has_none() {
    for page in [
        "",
        "  \n",
        "<!-- ",
        "<!-- </head><body>",
        "<script></head><body>",
        "<script><!-- <script> </script> </head><body>",
        "<title>",
        "<head><template></head><body>",
        "<bod",
        "<div",
        "</head",
        "<",
        "\u{feff}",
    ] {
        assert_eq!(places(Markup::Html, page.as_bytes()), (None, None), "{page}");
    }
    assert_marked("<head>[H]</head><body class=\"");
}

#[test]
fn a_frameset_has_no_place_for_a_banner() {
    assert_marked("<head><title></title>[H]</head><frameset cols=*><frame></frameset><noframes><body></noframes>");
    assert_marked("[H]<frameset>");
}

#[test]
fn xhtml_is_read_as_xml() {
    for page in [
        "\u{feff}<?xml version='1.0'?><!DOCTYPE html PUBLIC \"a>b\" 'c' [ <!ENTITY x \"]>\"> ]><html><head>[H]</head><body>[B]",
        "<head><script>//<![CDATA[\n </head> ]] > ]>]]]></script>[H]</head><body id='>'>[B]",
        "<head><script src='a'/><title/>[H]</head><body>[B]",
        "<head><!-- --!> </head> --->[H]</head> text <body>[B]",
        "<head><!--> </head> -->[H]</head><body>[B]",
        "<?pi </head> ? ?><head/>[H]<body>[B]",
        "<html><body-like/><![CDAT>[H]<body/>[B]",
        "<p>no</p>",
    ] {
        let plain = page.replace("[H]", "").replace("[B]", "");
        assert_eq!(marked_as(Markup::Xhtml, &plain), page);
    }
    assert_eq!(places(Markup::Xhtml, b"\xEF\xBBx<body>"), (Some(3), Some(9)));
}

#[test]
fn a_byte_order_mark_is_told_from_text() {
    for (page, expected) in [
        (&b"\xEF\xBBx"[..], Some(0)),
        (b"\xEFx", Some(0)),
        (b"\xFFx", Some(0)),
        (b"\xFE\xFE", Some(0)),
        (b"\xEF\xBB\xBFx", Some(3)),
        (b"\xFF\xFE<\0p\0", None),
        (b"\xFE\xFF\0<\0p", None),
        (b"\xFF", None),
        (b"\xEF\xBB", None),
    ] {
        assert_eq!(places(Markup::Html, page), (expected, expected), "{page:?}");
        assert_splits_agree(Markup::Html, page);
        let mut scan = Scan::new(Markup::Html);
        page.chunks(1).for_each(|byte| scan.feed(byte));
        assert_eq!(scan.utf16(), expected.is_none() && page.len() > 2);
    }
}

/// What is ours goes after the links by which a keyboard skips to the content.
#[test]
fn the_banner_comes_after_the_skip_links() {
    for page in [
        "<head>[H]</head><body class=a><a href=#main>Skip to content</a>[B]<header>",
        "<head>[H]</head><body>\n <!-- - -- >x -->\n<A class='skip' HREF = ' #main '>Skip <span>to</span> content</A >[B]\n<p>",
        "<head>[H]</head><body><a href=#a>A</a> <a href=#b>B</a>[B] <a href=/c>C</a>",
        "<head>[H]</head><body><div class=skip><a href=#a>A</a>\n<a href=#b>B</a>\n</div>[B]<main>",
        "<head>[H]</head><body><nav aria-label='Skip'><a href=#a>A</a></nav >[B]",
        "<head>[H]</head><body><p><a href=#a><b>A</b><br/></a></p>[B]",
        "<head>[H]</head><body><div id=page class=site><a class='skip-link' href='#primary'>A</a>[B]<header>",
        "<head>[H]</head><body><div id=\"root\"></div><a href=#a>A</a>",
    ] {
        let marked = if page.contains("[B]") { page.to_owned() } else { page.replace("<body>", "<body>[B]") };
        assert_marked(&marked);
        assert_splits_agree(Markup::Html, page.replace("[H]", "").replace("[B]", "").as_bytes());
    }
}

#[test]
fn what_is_not_plainly_a_skip_link_is_none() {
    let long = format!("<a href=#a>{}</a>", "x".repeat(skip::MOST));
    let nearly = format!("<a href=#a>A</a>{}<a href=#b>B</a>", " ".repeat(skip::MOST));
    for body in [
        "",
        " ",
        "text <a href=#a>A</a>",
        "<a href=/a>A</a>",
        "<a href=#>A</a>",
        "<a name=a>A</a>",
        "<a href=#a>A",
        "<a href=#a",
        "<a href=#a/>A</a>",
        "<a href=#a><img src=a></a>",
        "<a href=#a><script>'</a>'</script></a>",
        "<a href=#a>A <a href=#b>B</a></a>",
        "<abbr href=#a>A</abbr>",
        "<article><a href=#a>A</a></article>",
        "<p><a href=#a>A</a> text</p>",
        "<span><a href=#a>A</a><b>text</b></span>",
        "<div id=__next><a href=#a>A</a><main>",
        "<div data-reactroot=''><a href=#a>A</a><main>",
        "<div class=visually-hidden><a href=#a>A</a><main>",
        "<div style='display: none'><a href=#a>A</a><main>",
        "<div><div><a href=#a>A</a></div></div>",
        "<!--> <a href=#a>A</a> -->",
        "<!-- <a href=#a>A</a>",
        "<!",
        "</div><a href=#a>A</a>",
        &long,
    ] {
        assert_marked(&format!("[H]<body>[B]{body}"));
        assert_splits_agree(Markup::Html, format!("<body>{body}").as_bytes());
    }
    assert_marked(&format!("[H]<body>{}", nearly.replacen("</a>", "</a>[B]", 1)));
}

#[test]
fn the_page_says_in_which_language_it_is() {
    let language = |markup, page: &str, chunk: usize| {
        let mut scan = Scan::new(markup);
        page.as_bytes().chunks(chunk).for_each(|chunk| scan.feed(chunk));
        scan.language().map(str::to_owned)
    };
    let much = format!("<html class='{}' lang=cy><body>x", "a ".repeat(2000));
    let too_much = format!("<html class='{}' lang=cy><body>x", "a ".repeat(9000));
    for (page, said) in [
        ("<!doctype html><html lang=\"en-GB\"><head></head><body>x", Some("en-GB")),
        ("<HTML class=a LANG = 'De' dir=ltr>x", Some("De")),
        ("<html lang=cy/><body>x", None),
        ("<html lang=cy><html lang=fr><body>x", Some("cy")),
        ("<!-- <html lang=fr> --><html data-lang=fr lang=cy>x", Some("cy")),
        ("<html lang=cy lang=fr>x", Some("cy")),
        ("<html data-x='lang=fr'>x", None),
        ("<html lang=\" pl \">x", Some("pl")),
        ("<html lang>x", None),
        ("<html lang=''>x", None),
        ("<html lang='en GB'>x", None),
        ("<html lang='\u{e9}'>x", None),
        ("<html lang=abcdefghijklmnopqrstuvwxyz-0123456789>x", None),
        ("<html xml:lang=fr>x", None),
        ("<html>x", None),
        ("<p lang=fr>x", None),
        ("<html lang=fr", None),
        (&much, Some("cy")),
    ] {
        for chunk in [1, 2, 3, 7, page.len()] {
            assert_eq!(language(Markup::Html, page, chunk).as_deref(), said, "{page} by {chunk}");
        }
    }
    assert_eq!(language(Markup::Html, &too_much, 100), None, "what comes in pieces is read up to a bound");
    let xml = "<?xml version='1.0'?><html xmlns='a' lang='fr' xml:lang=\"cy\"><body/></html>";
    assert_eq!(language(Markup::Xhtml, xml, 5).as_deref(), Some("cy"));
    assert_eq!(language(Markup::Xhtml, "<html LANG='fr'><body/>", 5), None);
}

/// Every page below, in every way of cutting it into two, and byte by byte.
fn assert_splits_agree(markup: Markup, page: &[u8]) {
    let whole = places(markup, page);
    let check = |chunks: &mut dyn Iterator<Item = &[u8]>| {
        let mut scan = Scan::new(markup);
        let (mut decided, mut fed) = (0, 0);
        for chunk in chunks {
            let before = (scan.head(), scan.body());
            scan.feed(chunk);
            fed += chunk.len() as u64;
            for (before, now) in [(before.0, scan.head()), (before.1, scan.body())] {
                assert!(before == now || (before.is_none() && now >= Some(decided)), "a place turned up behind us");
            }
            decided = scan.decided();
            assert!(decided <= fed && fed - decided <= MOST_HELD as u64);
        }
        let before = scan.body();
        scan.end();
        assert!(before.is_some() || scan.body().is_none_or(|body| body >= decided), "a place turned up behind us");
        assert_eq!((scan.head(), scan.body()), whole, "{:?}", String::from_utf8_lossy(page));
    };
    check(&mut page.chunks(1));
    check(&mut page.chunks(3));
    for at in 0..page.len() {
        let (left, right) = page.split_at(at);
        check(&mut [left, right].into_iter());
    }
}

/// What lol_html saw, in the order of the document; ends of tags are what lies between.
#[derive(Debug, PartialEq)]
enum Piece {
    Start(String),
    Data,
    Raw,
    Other,
}

/// `None` where a tag is cut off by the page's end: lol_html does not tell of it.
fn oracle(page: &[u8]) -> Option<(Option<u64>, Option<u64>)> {
    let pieces: RefCell<Vec<(usize, usize, Piece)>> = RefCell::default();
    let push = |range: std::ops::Range<usize>, piece| pieces.borrow_mut().push((range.start, range.end, piece));
    let settings = Settings::new()
        .with_strict(false)
        .append_element_content_handler(element!("*", |el| {
            push(el.source_location().bytes(), Piece::Start(el.tag_name()));
            Ok(())
        }))
        .append_document_content_handler(doctype!(|d| {
            push(d.source_location().bytes(), Piece::Other);
            Ok(())
        }))
        .append_document_content_handler(doc_comments!(|c| {
            push(c.source_location().bytes(), Piece::Other);
            Ok(())
        }))
        .append_document_content_handler(doc_text!(|t| {
            let piece = if t.text_type() == TextType::Data { Piece::Data } else { Piece::Raw };
            push(t.source_location().bytes(), piece);
            Ok(())
        }));
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| ());
    rewriter.write(page).unwrap();
    rewriter.end().unwrap();
    let mut pieces = pieces.into_inner();
    pieces.retain(|(start, end, _)| start < end);
    pieces.sort_by_key(|(start, ..)| *start);
    pieces.push((page.len(), page.len(), Piece::Other));

    let (mut at, mut templates, mut head) = (0, 0u32, None);
    for (start, end, piece) in pieces {
        // Between the pieces are end tags, which have no attributes with `>` here, and `</>`.
        let mut gap = &page[at..start];
        while let Some(close) = gap.iter().position(|&b| b == b'>') {
            if !gap.starts_with(b"</") {
                return None;
            }
            let offset = Some((start - gap.len()) as u64);
            let tag = String::from_utf8_lossy(&gap[..close]).to_ascii_lowercase();
            let name = tag.trim_start_matches("</").split([' ', '\t', '\n', '/']).next().unwrap_or("").to_owned();
            match name.as_str() {
                "template" => templates = templates.saturating_sub(1),
                "head" if templates == 0 => head = head.or(offset),
                "body" | "html" | "br" if templates == 0 => return Some((head.or(offset), offset)),
                _ => {}
            }
            gap = &gap[close + 1..];
        }
        if !gap.is_empty() {
            return None;
        }
        at = end;
        let offset = Some(start as u64);
        match piece {
            Piece::Start(name) => match name.as_str() {
                "template" => templates += 1,
                _ if templates > 0 => {}
                "body" => return Some((head.or(offset), Some(end as u64))),
                "frameset" => return Some((head.or(offset), None)),
                "base" => head = head.or(offset),
                "html" | "head" | "link" | "meta" | "title" | "style" | "script" | "noscript" => {}
                "noframes" => {}
                _ => return Some((head.or(offset), offset)),
            },
            Piece::Data if templates == 0 => {
                let text = &page[start..end];
                if let Some(first) = text.iter().position(|&b| !is_space(b)) {
                    let offset = Some((start + first) as u64);
                    return Some((head.or(offset), offset));
                }
            }
            _ => {}
        }
    }
    (at == page.len()).then_some((head, None))
}

/// Pieces of which soup is made. No foreign content, and no end tags whose attributes hold `>`: the oracle cannot see those.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let starts = prop::sample::select(vec![
        "<html>",
        "<head>",
        "<HEAD lang=en>",
        "<title>",
        "<style>",
        "<script>",
        "<script src='>'>",
        "<noscript>",
        "<template>",
        "<meta a=\"</head>\">",
        "<link a='</head>' b>",
        "<base/>",
        "<noframes>",
        "<body a=b>",
        "<frameset>",
        "<div>",
        "<textarea>",
        "<meta a=b\"c>",
        "<meta \"=\">",
        "<meta a='\">'/>",
        "<xmp>",
        "<iframe>",
        "<meta a = \"x\" b= 'y'c>",
        "<scripty>",
        "<meta a==>",
        "<html lang=en>",
    ]);
    let ends = prop::sample::select(vec![
        "</head>",
        "</HEAD >",
        "</title>",
        "</style>",
        "</script>",
        "</SCRIPT >",
        "</noscript>",
        "</template>",
        "</noframes>",
        "</textarea>",
        "</xmp>",
        "</iframe>",
        "</p>",
        "</>",
        "</html>",
        "</body>",
        "</br>",
        "</head/>",
    ]);
    let texts = prop::sample::select(vec![
        " ",
        "\n",
        "\t",
        "x",
        "<",
        "</",
        "<!",
        "<!-",
        "<!--",
        "<!-->",
        "<!--->",
        "-->",
        "--!>",
        "--",
        "-",
        ">",
        "<?",
        "</ x>",
        "<script",
        "</script",
        "<!-- <script ",
        "</head",
        "<body",
        "=",
        "\"",
        "'",
        "<!DOCTYPE html>",
        "<![CDATA[",
        "]]>",
        "\u{feff}",
        "é",
        "/",
    ]);
    // Mostly what keeps a head going, so that soups reach deep.
    let piece = prop_oneof![4 => starts, 4 => ends, 3 => texts];
    // The space at the end settles what a `<` before it is.
    prop::collection::vec(piece, 0..24).prop_map(|pieces| (pieces.concat() + " ").into_bytes())
}

/// Soup whose end tags have no attributes the oracle would misread.
fn readable_by_oracle(page: &[u8]) -> bool {
    // After `</name` nothing but white space and `/` before `>`.
    let mut rest = page;
    while let Some(at) = memchr::memmem::find(rest, b"</") {
        rest = &rest[at + 2..];
        let name = rest.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        let after = rest[name..].iter().find(|b| !is_space(**b) && **b != b'/');
        if name > 0 && after != Some(&b'>') {
            return false;
        }
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, max_global_rejects: 1 << 20, ..ProptestConfig::default() })]

    #[test]
    fn tag_soup_is_read_as_lol_html_reads_it(page in soup()) {
        prop_assume!(readable_by_oracle(&page));
        // lol_html does not skip a byte order mark.
        prop_assume!(!page.starts_with("\u{feff}".as_bytes()));
        let expected = oracle(&page);
        prop_assume!(expected.is_some());
        prop_assert_eq!(Some(places(Markup::Html, &page)), expected, "{}", String::from_utf8_lossy(&page));
    }

    #[test]
    fn soup_cut_anywhere_has_the_same_places(page in soup()) {
        assert_splits_agree(Markup::Html, &page);
        assert_splits_agree(Markup::Xhtml, &page);
    }

    #[test]
    fn a_body_cut_anywhere_has_the_same_place(pieces in prop::collection::vec(prop::sample::select(vec![
        "<a href=#a>", "<a href='#b' class=\"c\">", "<a href=/c>", "</a>", "</a >", "<div>", "<div id=app>", "</div>", "<nav>",
        "</nav>", "<p>", "</p>", " ", "\n", "x", "<span>", "</span>", "<!-- -->", "<!--", "-->", "<", "</", "<a", "=", ">", "<br/>",
    ]), 0..14)) {
        let page = format!("<html lang=cy><body>{}", pieces.concat());
        assert_splits_agree(Markup::Html, page.as_bytes());
        assert_splits_agree(Markup::Xhtml, page.as_bytes());
    }

    #[test]
    fn no_bytes_make_it_panic(page in prop::collection::vec(any::<u8>(), 0..200)) {
        assert_splits_agree(Markup::Html, &page);
    }
}
