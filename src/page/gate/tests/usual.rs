//! What is skipped without being read (`reader/blocks.rs`, `reader/usual.rs`, `scan/raw.rs`), wherever in the bytes that are
//! looked at together it stands: the same
//! page byte by byte is never skipped in that way.

use super::differential::{assert_chunks_agree, assert_same_as_oracle, cases, read, readable_by_oracle};
use super::*;

const LIVE: &str = "<script src=//t.example></script>";

/// More than is looked at together, so that all before it is skipped where it can be.
const AFTER: &str =
    "It is text that goes on for a while, and then some more, so that nobody comes to its end too soon.";

/// Tags that change nothing, and how pages try to say so of others; `…` is where they are made longer.
const TAGS: [&str; 48] = [
    "<p>",
    "</p>",
    "<p…>",
    "</p…>",
    "</…>",
    "<p …>",
    "<p class=\"…\">",
    "<p class=\"…\" id=\"…\">",
    "<p class=\"… \">",
    "<p class=\"…\" hidden>",
    "<p class=\"…\"/>",
    "<br />",
    "<p a=\"…>…\">",
    "<p a=\">…\">",
    "<p a=\"…>\">",
    "<p a=\"…=\">\">",
    "<p a=\"… \">\">",
    "<p a= \"…>\">",
    "<p a=\n\"…>\">",
    "<p a='…>'>",
    "<p a=\"…><img src=//t.example>\">",
    "<p a=\"…\" b=\"><img src=//t.example>\">",
    "<p a=\"=…><img src=//t.example>\" b>",
    "<p a=\" …><img src=//t.example> \">",
    "<p a='…><img src=//t.example>'>",
    "<p a=\"…\" b='><img src=//t.example>'>",
    "<p a=…\"><img src=//t.example>",
    "<p a=\"…<b>\"><img src=//t.example>",
    "<p a='…\">'>",
    "<p a='x\">…'>",
    "<p a=\"…'>\">",
    "<p a=b\"…>",
    "<p a=b=\"…>",
    "<p a\"=\"…>\">",
    "<p =\"…>\">",
    "<p\"…>",
    "<p=\"…>",
    "<p…",
    "<p a=\"…",
    "</p a=\"…>\">",
    "</p a='…>'>",
    "</template…>",
    "</title…>",
    "<strong a=\"…\">",
    "<li><lin><link><SECTION…><tr><td><td a=\"…\">",
    "<!--…>-->",
    "< p…>",
    "<1 a=\"…>",
];

#[test]
fn rule_k4_a_tag_is_skipped_or_not_wherever_it_stands_and_however_long_it_is() {
    for tag in TAGS {
        for before in 0..70 {
            for longer in [0, 1, before % 40] {
                let tag = tag.replace('…', &"x".repeat(longer));
                let page = format!("{}{tag}{LIVE}{AFTER}", "t".repeat(before));
                let whole = read(Markup::Html, [&page]).out;
                let byte_by_byte = read(Markup::Html, page.as_bytes().chunks(1)).out;
                assert_eq!(String::from_utf8_lossy(&whole), String::from_utf8_lossy(&byte_by_byte), "{page}");
            }
        }
    }
}

/// Raw texts, and how they end, or do not.
const RAW_TEXTS: [&str; 11] = [
    "<script>…</script>",
    "<script>…</scripts></p><b</script >",
    "<script>…<!--…</script>",
    "<script>…<!--…<script>…</script>…--></script>",
    "<script>…<!-…</script>",
    "<script>…</s<!--<script></script>…</SCRIPT/>",
    "<script>…</…</style></sCript\n>",
    "<style>…<!--…</style>…--></style>",
    "<title>…</t…</title>",
    "<textarea>…</t></te</TEXTAREA>",
    "<xmp>…</xmp",
];

#[test]
fn rule_k4_raw_text_ends_where_it_ends_wherever_that_stands() {
    for text in RAW_TEXTS {
        for longer in 0..140 {
            let text = text.replacen('…', &"x".repeat(longer), 1).replace('…', "x");
            let page = format!("{text}{LIVE}{AFTER}{text}{AFTER}{LIVE}");
            let whole = read(Markup::Html, [&page]).out;
            let byte_by_byte = read(Markup::Html, page.as_bytes().chunks(1)).out;
            assert_eq!(String::from_utf8_lossy(&whole), String::from_utf8_lossy(&byte_by_byte), "{page}");
        }
    }
}

#[test]
fn a_page_cut_at_any_byte_becomes_what_it_becomes_as_a_whole() {
    for tag in TAGS {
        for longer in [1, 15, 16, 31, 32, 33, 64] {
            let tag = tag.replace('…', &"x".repeat(longer));
            let page = format!("{AFTER}{tag}{AFTER}{LIVE}{AFTER}");
            let whole = gated(&page);
            for cut in AFTER.len() - 70..=AFTER.len() + tag.len() + 70 {
                let (one, other) = page.split_at(cut);
                let cut = gate_as(Markup::Html, [one.to_owned(), other.to_owned()]);
                assert_eq!(String::from_utf8_lossy(&cut), whole, "{one} {other}");
            }
        }
    }
}

/// Pieces of tags and of values, in an order nobody would write.
fn shreds() -> impl Strategy<Value = Vec<u8>> {
    let shreds = vec![
        "<p",
        "<a",
        "</te",
        "<li",
        "<strong",
        "</p",
        "</template",
        "</",
        "<",
        " a",
        " a=",
        "=\"",
        "=",
        "\"",
        "\">",
        "'",
        "='",
        "/",
        " ",
        "\n",
        ">",
        "> ",
        "x",
        "a text of some length",
        "class=\"a b c d e f\"",
        " href=\"/a?b=c\"",
        "<img src=//t.example>",
        "a value, or a text, that is longer than what is looked at together, be it the one or be it the other",
    ];
    let page = prop::collection::vec(prop::sample::select(shreds), 0..24);
    page.prop_map(|shreds| (shreds.concat() + LIVE + AFTER).into_bytes())
}

proptest! {
    #![proptest_config(cases(4096))]

    #[test]
    fn shreds_become_what_lol_html_makes_of_them(page in shreds()) {
        prop_assume!(readable_by_oracle(&page));
        assert_same_as_oracle(&page, false)?;
    }

    #[test]
    fn shreds_cut_anywhere_become_the_same(page in shreds(), cuts in prop::collection::vec(0usize..90, 0..6)) {
        assert_chunks_agree(Markup::Html, &page, &cuts)?;
    }
}
