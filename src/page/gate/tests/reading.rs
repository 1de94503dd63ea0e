//! Where ours reads a page otherwise than lol_html does, or is not certain where that is: what browsers do, and by which
//! section of the HTML standard.

use super::oracle::gated_by_lol_html;
use super::*;

const LIVE: &str = "<script src=//t.example></script>";
const INERT: &str =
    "<script data-consentry-src=\"//t.example\" type=\"text/plain\" data-consentry-purpose=\"marketing\"></script>";
const DISARMED: &str = "<noframes src=//t.example></script></noframes>";

fn by_lol_html(page: &str) -> Option<String> {
    let out = gated_by_lol_html(page.as_bytes(), gating(&[0])?)?;
    Some(String::from_utf8(out).expect("is UTF-8"))
}

/// 13.2.5.37, before attribute value state: `>` emits the tag as anywhere else, and raw text follows.
#[test]
fn raw_text_follows_a_tag_whose_last_attribute_has_no_value() {
    let page = format!("<noscript a=><p></noscript>{LIVE}");
    assert_eq!(gated(&page), page.replace(LIVE, INERT));
    let page = format!("<noscript a=><!--</noscript>{LIVE}<!-- -->");
    assert_eq!(by_lol_html(&page).as_deref(), Some(page.as_str()), "to it, the tag is in a comment");
    for name in ["style", "script", "iframe"] {
        let page = page.replace("noscript", name);
        assert_eq!(gated(&page), page.replace(LIVE, INERT));
    }
}

/// 13.2.6.4.7 and 13.2.6.5: an `<svg>` that closes itself is no longer open.
#[test]
fn an_svg_that_closes_itself_has_no_content() {
    for root in ["<svg/>", "<math a=b />", "<div><svg viewBox='0'/></div>"] {
        let page = format!("{root}<style><!--</style>{LIVE}<!-- -->");
        assert_eq!(by_lol_html(&page).as_deref(), Some(page.as_str()), "to it, the tag is in a comment");
        assert_eq!(gated(&page), page.replace(LIVE, INERT), "{root}");
    }
    let page = format!("<svg a=b/><style><!--</style>{LIVE}-->");
    let out = gated(&page);
    assert!(!out.contains(LIVE), "the slash is a value's, and the tag in a comment, but not to who looks ahead: {out}");
}

/// 13.2.6.5: a `<p>` ends every SVG around it up to where HTML may stand, not the innermost alone; an end tag may belong
/// to an element of HTML around the SVG; `<svg>` in MathML is an element of MathML; where it is not sure which of the
/// elements a reader leaves, what reads differently is disarmed.
#[test]
fn rule_k4_svg_that_can_be_read_in_two_ways_fails_closed() {
    for before in [
        "<svg><svg><p>",
        "<div><svg></div>",
        "<math><svg>",
        "<svg><foreignObject><p></foreignObject></svg>",
        "<svg><foreignObject></svg>",
        "<svg><foreignObject><div><p></foreignObject></svg>",
        "<svg><foreignObject><p><b><p></div></foreignObject></svg>",
        "<svg><foreignObject><p><xmp></xmp><span></p></foreignObject></svg>",
        "<table><td><svg><foreignObject><tr>",
        "<select><svg>",
    ] {
        for raw in ["<style>", "<title>", "<textarea a=''>"] {
            let page = format!("<img src=/a>{before}{raw}{LIVE}");
            let out = gated(&page);
            assert!(out.starts_with("<img src=/a>") && out.ends_with(DISARMED), "{page}\n{out}");
        }
        let page = format!("{before}<![CDATA[{LIVE}]]>{LIVE}");
        let out = gated(&page);
        assert!(!out.contains(LIVE), "{page}\n{out}");
    }
}

/// The same pages in which nothing follows that reads differently, or the SVG has ended in every reading, are read on.
#[test]
fn svg_that_is_not_nested_well_is_read_on_where_that_does_not_matter() {
    for before in [
        "<svg><svg><p>",
        "<div><svg></div><a>",
        "<div><svg></div></svg><style></style>",
        "<div><svg></div><p><title></title>",
    ] {
        let page = format!("{before}<img src=/own><img src=//t.example>");
        let out = gated(&page);
        let inert = "<img src=/own><img data-consentry-src=\"//t.example\" data-consentry-purpose=\"marketing\">";
        assert_eq!(out, format!("{before}{inert}"));
    }
}

/// Who looks ahead for what to load knows of no SVG: a `<style>` there is text to it, up to the first `</style`.
#[test]
fn rule_k4_what_is_hidden_in_svg_is_hidden_from_who_looks_ahead_too() {
    let live = "<img src=//t.example>";
    for page in [
        format!("<svg><style><!--</style>{live}-->"),
        format!("<svg><script><!--</script>{live}-->"),
        format!("<svg><noscript><!--</noscript>{live}-->"),
        format!("<svg><xmp><!--</xmp>{live}-->"),
        format!("<math><script><!--</script>{live}-->"),
        format!("<svg><title><textarea></title>{live}</textarea>"),
        format!("<svg><title><p a=\"</title>{live}\">"),
        format!("<svg><style/></svg><script>'</style>{live}'</script>"),
        format!("<svg><style><![CDATA[ </style>{live} ]]></style>"),
        format!("<svg><![CDATA[<p>{live}]]>"),
    ] {
        for size in [1, 2, 7, 1000] {
            let chunks = page.as_bytes().chunks(size).map(Bytes::copy_from_slice);
            let out = String::from_utf8(gate_as(Markup::Html, chunks)).expect("is UTF-8");
            assert!(!out.contains(live), "{page}\n{out}");
            assert_eq!(out, gated(&page));
        }
    }
    for page in [
        "<svg><style/></svg><style>a{}</style><!-- b --><p>",
        "<svg><title>a <b>b</b></title></svg><img src=/own>",
        "<svg><script href=/own /><style><!-- a --></style></svg><script>'<p>'</script><img src=/own>",
        "<svg><text><![CDATA[a > b]]></text></svg><img src=/own>",
    ] {
        assert_eq!(gated(page), page);
    }
}

#[test]
fn the_svg_that_pages_have_is_read_for_certain() {
    for page in [
        "<svg viewBox='0 0 1 1'><title>A &lt; B</title><style>.a > .b {}</style><path d='M0'/></svg><script>'<p>'</script>",
        "<svg><style><![CDATA[ a > b { } <p> ]]></style><script><![CDATA[ if (a < b) '<img src=//t.example>' ]]></script></svg>",
        "<svg><symbol id=a><svg><path/></svg></symbol></svg><svg><use href=#a /></svg><style><!--</style><p>",
        "<svg><foreignObject><div><p>a</p><script>'<svg>'</script></div></foreignObject></svg><title><img src=//t.example></title>",
        "<math><semantics><mrow><mi>x</mi><mtext><b>a</b></mtext></mrow><annotation encoding='application/x-tex'>x</annotation>\
         </semantics></math><textarea><img src=//t.example></textarea>",
        "<![if IE]><p><![endif]><svg><!-- <style> --><![endif]></svg><xmp><img src=//t.example></xmp>",
    ] {
        assert_eq!(gated(page), page);
        assert_eq!(by_lol_html(page).as_deref(), Some(page));
    }
}

/// 13.2.6.4.16: in a `<select>` the end tag of an element around it is ignored.
#[test]
fn an_end_tag_of_what_is_around_a_select_does_not_end_it() {
    let page = format!("<p><select></p><xmp>{LIVE}");
    assert_eq!(by_lol_html(&page), Some(page.clone()));
    assert_eq!(gated(&page), page.replace(LIVE, DISARMED));
}

/// 13.2.5, end of file in a tag: a browser drops the tag, but what is ours comes after it and may end it.
#[test]
fn rule_k4_a_tag_that_the_page_does_not_end_is_not_ended_by_us() {
    for page in ["<p><script src=//t.example ", "<img src='//t.example' a=\"", "<svg><p></p><iframe src=//t.example\n"]
    {
        let insert = Insert {
            first: Bytes::from_static(b"<script>a='>'</script>"),
            head: "<script src=\"/a\"></script>".into(),
            body_start: Box::new(Bytes::from("<div class=\"b\">")),
        };
        let gate = Gate::new(Chunks([Bytes::from(page)].into()), gating(&[0]), Markup::Html);
        let out = String::from_utf8(drain(Inject::new(gate, insert, Markup::Html))).expect("is UTF-8");
        for gone in ["//t.example", "<script src=//", "<img", "<iframe"] {
            assert!(!out.contains(gone), "{out}");
        }
        assert!(out.contains("<script>a='>'</script>"), "{out}");
    }
    for page in ["<p title='<img src=/a>", "<scrip", "<p><a href=//t.example", "</script src=a", "<!-- <script ", "a <"]
    {
        assert_eq!(gated(page), page, "nothing of it loads anything");
    }
}

/// XML 1.0, 2.5 to 2.8: what hides markup there is not what hides it in HTML.
#[test]
fn an_xml_page_is_read_as_xml() {
    let script = "<script src='//t.example'></script>";
    for before in [
        "<p><![CDATA[ > <!-- ]]></p>",
        "<?pi > <!-- ?>",
        "<!--> <p -->",
        "<!-- --!> <p -->",
        "<!DOCTYPE html PUBLIC \"a>b\" '<!--'>",
        "<style><![CDATA[ <!-- </style> ]]></style>",
        "<title>a</title>",
        "<svg><style>a</style></svg>",
        "<noscript><p>a</p></noscript>",
    ] {
        let out = gate_as(Markup::Xhtml, [format!("<html>{before}{script}</html>")]);
        let out = String::from_utf8(out).expect("is UTF-8");
        assert_eq!(out, format!("<html>{before}{INERT}</html>"));
    }
    let hidden = format!("<script><![CDATA[ </script> {script} ]]></script><!-- --!> {script} --><?pi {script} ?>");
    assert_eq!(gate_as(Markup::Xhtml, [hidden.clone()]), hidden.into_bytes());
}

/// 15.3.8: rows and groups of rows have backgrounds, too.
#[test]
fn a_row_loads_its_background() {
    for name in ["body", "table", "thead", "tbody", "tfoot", "tr", "td", "th"] {
        let out = gated(&format!("<{name} background=//t.example>"));
        assert_eq!(
            out,
            format!("<{name} data-consentry-background=\"//t.example\" data-consentry-purpose=\"marketing\">")
        );
    }
}

/// XML Namespaces: an element is what its name is without the prefix; XML 1.0, 4.2 and 3.3.2: entities and defaults may hold markup
/// and addresses.
#[test]
fn rule_k4_xml_hides_no_tag_by_a_prefix_or_an_internal_subset() {
    let gated = |page: &str| {
        let whole = gate_as(Markup::Xhtml, [page.to_owned()]);
        let pieces = gate_as(Markup::Xhtml, page.as_bytes().chunks(1).map(Bytes::copy_from_slice));
        assert_eq!(whole, pieces, "{page}");
        String::from_utf8(whole).expect("is UTF-8")
    };
    let out = gated("<h:html><h:img src='//t.example'></h:img><svg:script href='//t.example'/></h:html>");
    assert!(
        out.starts_with("<h:html><h:img data-consentry-src=") && out.contains("<svg:script data-consentry-href="),
        "{out}"
    );
    for page in [
        "<!DOCTYPE html [<!ENTITY x '//t.example'>]><html><script src='&x;'></script></html>",
        "<!DOCTYPE html [<!ENTITY x '<h:script src=\"//t.example\"></h:script>'>]><html>&x;</html>",
        "<!DOCTYPE html [<!ENTITY x '&#60;script src=\"//t.example\"></script>'>]><html>&x;</html>",
        "<!DOCTYPE html [<!ENTITY x '&#x0003C;script src=\"//t.example\"></script>'>]><html>&x;</html>",
        "<!DOCTYPE html [<!ENTITY x '<s&#99;ript src=\"//t.example\"></s&#99;ript>'>]><html>&x;</html>",
        "<!DOCTYPE html [<!ATTLIST script src CDATA '//t.example'>]><html><script></script></html>",
    ] {
        let out = gated(page);
        for live in ["<script", "<h:script", "<s&#99;ript", "&#60;", "&#x0003C;"] {
            assert!(!out.contains(live), "{page}\n{out}");
        }
    }
    let out = gated("<?xml version='1.0'?><?xml-stylesheet href='//t.example'?><html/>");
    assert!(out.starts_with("<?xml version='1.0'?><?xml-consentry-stylesheet "), "{out}");
    let wide: Vec<u8> =
        "<?xml version='1.0'?><script src='//t.example'></script>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for size in [1, 3, 1000] {
        let out = gate_as(Markup::Xhtml, wide.chunks(size).map(Bytes::copy_from_slice));
        assert!(String::from_utf8_lossy(&out).contains("<script data-consentry-src="));
    }
}

/// Encoding, 12.2: in ISO-2022-JP, which a `<meta>` may name, bytes that look like ASCII may be halves of characters.
#[test]
fn rule_k4_an_escape_to_another_character_set_hides_no_tag() {
    let head = "<meta charset=iso-2022-jp><p>";
    for page in [
        format!("{head}\x1b$B2q<R\x1b(B{LIVE}"),
        format!("{head}\x1b$B<!--!!\x1b(B{LIVE}"),
        format!("{head}<p title=\"\x1b$B!\"!\"\x1b(B\"><i title=\"{LIVE}\">"),
        format!("{head}<scr\x1b(Bipt src=//t.example></script>"),
        format!("{head}\x1b$B2q\x1b(B<\x1b(Bscript src=//t.example></script>"),
    ] {
        let whole = gated(&page);
        let pieces = gate_as(Markup::Html, page.as_bytes().chunks(1).map(Bytes::copy_from_slice));
        assert_eq!(whole.as_bytes(), pieces, "{page}");
        let seen = whole.replace("\x1b(B", "");
        assert!(!seen.contains("<script"), "{seen}");
        assert!(whole.contains("\x1b"), "text stays: {whole}");
    }
    // So it is where a page names no such encoding in a way that all browsers take for that.
    for head in [
        "<p><meta charset=utf-8>",
        "<!-- <meta charset=utf-8> -->",
        "<!-- --><meta charset=utf-8>",
        "<head a='><meta charset=utf-8>",
        "<html a=b\" c=\"><meta charset=utf-8>",
        "<meta charset=iso-2022-jp charset=utf-8>",
        "<meta charset=utf-8 http-equiv=content-type content='text/html; charset=iso-2022-jp'>",
        "<meta charset=iso-2022-jp><meta charset=utf-8>",
        "<metal charset=utf-8>",
        // To a declaration quotes are nothing.
        "<!doctype html a=\"><meta charset=iso-2022-jp>\"><meta charset=utf-8>",
        "<!doctype html a='><html><head><meta charset=iso-2022-jp></head>'><head><meta charset=utf-8>",
        "<!doctype html",
        "<meta charset=utf-8",
        "<meta charset='utf-8",
        "<script charset=utf-8>",
        &format!("<head a='{}'><meta charset=utf-8>", "a".repeat(1000)),
    ] {
        let page = format!("{head}<p>\x1b$B<!--!!\x1b(B{LIVE}");
        let whole = gated(&page);
        assert!(!whole.contains(LIVE), "{page}\n{whole}");
        let pieces = gate_as(Markup::Html, page.as_bytes().chunks(1).map(Bytes::copy_from_slice));
        assert_eq!(whole.as_bytes(), pieces, "{page}");
    }
    for head in [
        "<meta charset=utf-8>",
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"UTF-8\" />",
        "<!doctype html><html a='>'><META CHARSET = windows-1252>",
        "<!doctype html public \"-//x\" \"http://x\"><meta charset=utf-8>",
    ] {
        let page = format!("{head}<pre>\x1b[31mred</pre><script>'<p>'</script><img src=/own>");
        for size in [1, 7, 1000] {
            let out = gate_as(Markup::Html, page.as_bytes().chunks(size).map(Bytes::copy_from_slice));
            assert_eq!(String::from_utf8_lossy(&out), page);
        }
    }
    // Where the encoding is known, an escape is a character as any other.
    let page = "<p>\x1b(B</p><img src=/own>";
    assert_eq!(gated(&format!("\u{feff}{page}")), format!("\u{feff}{page}"));
    let gate = Gate::new(Chunks([Bytes::from(page)].into()), gating(&[0]), Markup::Html)
        .of_named_encoding(Some(encoding_rs::UTF_8));
    assert_eq!(drain(gate), page.as_bytes());
}

#[test]
fn documents_within_documents_are_looked_into_no_further_than_is_safe() {
    let noscripts = "<noscript>".repeat(50_000);
    assert_eq!(gated(&noscripts), noscripts);
    let mut page = "<img src=/a>".to_owned();
    for _ in 0..12 {
        assert_eq!(gated(&page).contains("srcdoc"), page.contains("srcdoc"));
        page = format!("<iframe srcdoc=\"{}\"></iframe>", page.replace('&', "&amp;").replace('"', "&quot;"));
    }
    assert!(gated(&page).contains("data-consentry-srcdoc"), "nobody knows what is in the innermost");
}

#[test]
fn the_longest_that_is_held_is_the_longest_however_it_comes() {
    let sizes = [1 << 15, 65_537, 1 << 20];
    for (before, after, most) in
        [("<img src='data:", "'>", 1 << 20), ("<noscript>", "</noscript>", 64 << 10), ("<", " a>", 1 << 20)]
    {
        let around = if before.starts_with("<noscript") { 0 } else { before.len() + after.len() };
        for longer in [0, 1, 2, 11] {
            let page = format!("<p>{before}{}{after}{LIVE}<p>", "x".repeat(most - around + longer - 2));
            let whole = gated(&page);
            for size in sizes {
                let out = gate_as(Markup::Html, page.as_bytes().chunks(size).map(Bytes::copy_from_slice));
                assert!(out == whole.as_bytes(), "{before} {longer} {size}");
            }
            assert!(!whole.contains(LIVE) && whole.ends_with("<p>"));
        }
    }
}

#[test]
fn a_chunk_in_which_nothing_changes_is_not_copied() {
    let page = Bytes::from_static(b"<!doctype html><script src=/a></script><img src=b><svg><path/></svg><p>text");
    let mut gate = Gate::new(Chunks([page.clone()].into()), gating(&[0]), Markup::Html);
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut gate).poll_frame(&mut cx) else { panic!("a frame") };
    let out = frame.into_data().expect("is data");
    assert!(out == page && out.as_ptr() == page.as_ptr());
}

/// Text without a tag in it is the same to who reads it as raw text and to who ignores the tag before it.
#[test]
fn raw_text_that_holds_no_tag_is_read_on_wherever_it_is() {
    let after = "<script>a<b && '<img src=/b>'</script><img src=/own>";
    for page in [
        "<svg><foreignObject><div><p>a<p>b</div></foreignObject></svg>",
        "<svg><foreignObject><ul><li>a<li>b</ul></foreignObject></svg>",
        "<select><style>option { color: red } a<5 </style><option>a</select>",
        "<select><option><svg><title>x</title><path/></svg>a</select>",
        "<select><template x-for=a><option></option></template></select>",
        "<select><template><script>'<p>'</script><option></template><option></select>",
        "<template><select><template></template></select></template>",
        "<template><table><colgroup><col></colgroup></table><style>a > b {}</style></template>",
        "<template></template><table><col><tr><td></table><style>'<p>'</style>",
        "<svg><template></template></svg><table><col></table>",
        "<div><svg><path></div><script src=/own></script><title>a</title ><p>",
        "<svg><text><![CDATA[a < b <= c <<]]></text></svg>",
    ] {
        let page = format!("{page}{after}");
        for size in [1, 2, 3, 1000] {
            let out = gate_as(Markup::Html, page.as_bytes().chunks(size).map(Bytes::copy_from_slice));
            assert_eq!(String::from_utf8_lossy(&out), page);
        }
        let out = gated(&format!("{page}{LIVE}"));
        assert_eq!(out, format!("{page}{INERT}"));
    }
}

/// Where a tag may begin in such text, it is given up at its `<`.
#[test]
fn rule_k4_raw_text_in_which_some_read_a_tag_fails_closed() {
    let long = format!("<select><style></{}{LIVE}", "a".repeat(3 << 20));
    for page in [
        &format!("<select><style>a{LIVE}"),
        &format!("<select><style></styl{LIVE}"),
        &format!("<select><style></styles>{LIVE}"),
        &format!("<select><style><!--</style>{LIVE}-->"),
        &format!("<select><style></ </style>{LIVE}"),
        &format!("<select><style><p a='</style>{LIVE}'>"),
        &format!("<select><style/>{LIVE}"),
        &format!("<div><svg></div><style><!--</style>{LIVE}-->"),
        &format!("<div><svg></div><script><!--</script>{LIVE}-->"),
        &format!("<div><svg></div><style>a<i title='</style>{LIVE}'>"),
        &format!("<svg><style><div></div><title></style>{LIVE}</title>"),
        &format!("<svg><![CDATA[a < b> <p><!-- {LIVE}]]>"),
        &long,
    ] {
        let whole = gated(page);
        assert!(!whole.contains(LIVE) && whole.contains(DISARMED), "{page}\n{whole}");
        if page.len() > 1 << 20 {
            continue;
        }
        for size in [1, 2, 3, 5] {
            let out = gate_as(Markup::Html, page.as_bytes().chunks(size).map(Bytes::copy_from_slice));
            assert_eq!(String::from_utf8_lossy(&out), whole, "{page}");
        }
    }
}
