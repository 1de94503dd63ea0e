//! Ours beside lol_html's, on markup rich in traps: two readers that were written apart make the same of a page, byte for
//! byte, wherever both are certain. Where they cannot be the same, the tests at the end say why ours is right.

use super::oracle::gated_by_lol_html;
use super::*;
use crate::page::gate::address::Address;
use crate::page::gate::rewrite::Rewrite;

/// What became of a page.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) out: Vec<u8>,
    /// How much of it went out before the page's end.
    before_the_end: usize,
    gave_up: bool,
    /// Whether the page's end cut off a tag, or what may become one.
    cut_off: bool,
}

pub(super) fn read(markup: Markup, chunks: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Outcome {
    let mut rewrite = Rewrite::new(keyed(), markup);
    let mut out = VecDeque::new();
    for chunk in chunks {
        rewrite.feed(&Bytes::copy_from_slice(chunk.as_ref()), &mut out);
    }
    let (gave_up, cut_off) = rewrite.gave_up_or_holds();
    let before_the_end = out.iter().map(Bytes::len).sum();
    rewrite.finish(&mut out);
    Outcome { out: Vec::from(out).concat(), before_the_end, gave_up, cut_off }
}

/// On a page with a key.
fn keyed() -> Gating {
    gating(&[0]).expect("something is refused").with_key(Key::of(7))
}

/// What a reader of the page would load from a refused host.
fn live(page: &[u8]) -> Vec<String> {
    let gating = gating(&[0]).expect("something is refused");
    let live = std::cell::RefCell::new(Vec::new());
    let loaders = "script, iframe, frame, img, image, link, video, audio, source, object, embed, track, input, use, feimage, \
                   body, table, thead, tbody, tfoot, tr, td, th, col, colgroup, base";
    let look = lol_html::Settings::new().with_strict(false).append_element_content_handler(lol_html::element!(
        loaders,
        |el| {
            let first = |name: &str| el.attributes().iter().find(|a| a.name() == name).map(|a| a.value());
            if el.tag_name() == "script" && first("type").as_deref() == Some("text/plain") {
                return Ok(());
            }
            for name in ["src", "href", "xlink:href", "data", "poster", "background", "code", "srcset", "imagesrcset"] {
                for word in first(name).unwrap_or_default().split_ascii_whitespace() {
                    if gating.refused(&Address::of_attribute(word.as_bytes())).is_some() {
                        live.borrow_mut().push(format!("{} {name}={word}", el.tag_name()));
                    }
                }
            }
            Ok(())
        }
    ));
    let mut rewriter = lol_html::HtmlRewriter::new(look, |_: &[u8]| ());
    rewriter.write(page).expect("is read");
    rewriter.end().expect("is read");
    live.into_inner()
}

const MARKUP: [&str; 100] = [
    "<script src=//t.example></script>",
    "<SCRIPT async SRC = 'https://t.example/a' type=module>",
    "<script>",
    "<script type=a src=\"//t.example\" type=b data-consentry-type=c>",
    "</script>",
    "</SCRIPT >",
    "</script/>",
    "<img src='//t.example'>",
    "<img src=/own.png src=/other.png>",
    "<img src=//t.example src=/own.png>",
    "<IMG/SRC=//t.example/>",
    "<img src=//t.example />",
    "<img\nalt='>'\tsrc=\"//stats.example\"id=a>",
    "<img srcset='a 1x, //t.example 2x' src=b>",
    "<img src=//own.example>",
    "<img src=&#47;/t&period;example>",
    "<img a\"='//t.example' src=/x>",
    "<img =src=//t.example src==//t.example>",
    "<img src=//t.example\"'<>",
    "<img src='//t.example\"' data-consentry-src=old DATA-consentry-SRC data-consentry-event=a>",
    "<img\0 src=//t.example>",
    "<img src=//t.ex\0ample>",
    "<image xlink:href=//t.example href=//t.example>",
    "<link rel=preload href=//t.example imagesrcset='//t.example 1x'>",
    "<body background=//t.example>",
    "<td background=//t.example>",
    "<tr background=//t.example>",
    "<col background=//t.example>",
    "<iframe src=//t.example srcdoc='<img src=//t.example>'>",
    "<iframe srcdoc='&lt;img src=//t.example&gt;'>",
    "<iframe DATA-CONSENTRY-SRCDOC=a data-consentry-key=b src=//t.example data-consentry-srcdoc='c'>",
    "<iframe srcdoc=\"<p>\">",
    "</iframe>",
    "<base href=//t.example>",
    "<base href=/>",
    "<img src=a>",
    "<noscript>",
    "<noscript/>",
    "</noscript>",
    "</noscript x>",
    "<select>",
    "</select>",
    "<input src=//t.example>",
    "<template>",
    "</template>",
    "<col>",
    "<style>",
    "</style>",
    "</style a='>'>",
    "<!--",
    "<!-->",
    "<!--->",
    "-->",
    "--!>",
    "--",
    "<!- ",
    "<!doctype html>",
    "<!doctype html '>",
    "<?xml ?>",
    "<![CDATA[",
    "]]>",
    "<![endif]-->",
    "</>",
    "</ x>",
    "</p a='>",
    "</a\">\">",
    "<title>",
    "</title>",
    "<textarea>",
    "</textarea>",
    "<xmp>",
    "</xmp>",
    "<noembed>",
    "</noembed>",
    "<noframes>",
    "</noframes>",
    "<frameset>",
    "<p a='",
    "<p a = \"",
    "<p a=b/",
    "<p a",
    "<scripty src=//t.example>",
    "<scr",
    "ipt src=//t.example>",
    "<plaintexts>",
    "<a-very-long-name-of-an-element src=//t.example>",
    "'",
    "\"",
    ">",
    "'>",
    "\">",
    "<",
    "</",
    "<!",
    "/",
    "=",
    " ",
    "x",
    "é\0",
    "<script",
];

const FOREIGN: [&str; 28] = [
    "<svg>",
    "</svg>",
    "<svg viewBox='0 0 1 1'>",
    "<math>",
    "</math>",
    "<g>",
    "</g>",
    "<path d='M0'/>",
    "<use xlink:href=//t.example#a />",
    "<script href=//t.example />",
    "<style/>",
    "<title/>",
    "<desc>",
    "</desc>",
    "<foreignObject>",
    "</foreignObject>",
    "<div>",
    "</div>",
    "<mi>",
    "</mi>",
    "<annotation-xml encoding=text/html>",
    "</annotation-xml>",
    "<font color=a>",
    "<p>",
    "</p>",
    "<li>",
    "<ul>",
    "</ul>",
];

fn soup(pieces: Vec<&'static str>, most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(pieces), 0..most).prop_map(|pieces| pieces.concat().into_bytes())
}

fn html_soup() -> impl Strategy<Value = Vec<u8>> {
    soup(MARKUP.to_vec(), 16)
}

/// Half of it, or so, foreign. Without `<noscript>`, after which ours gives up where it has doubts within one.
fn foreign_soup() -> impl Strategy<Value = Vec<u8>> {
    let pieces = MARKUP.into_iter().filter(|piece| !piece.starts_with("<noscript"));
    let pieces = pieces.chain(FOREIGN.into_iter().cycle().take(FOREIGN.len() * 3));
    prop_oneof![soup(pieces.collect(), 16), soup(foreign_traps(), 12)]
}

/// What is read in two ways, and what decides which.
fn foreign_traps() -> Vec<&'static str> {
    let traps =
        ["<style>", "</style>", "<title>", "</title>", "<script>", "</script>", "<![CDATA[", "]]>", "<!--", "-->"];
    let tags = ["<img src=//t.example>", "<script src=//t.example></script>", "<p a='", "'>", "<select>", "</select>"];
    traps.into_iter().chain(tags).chain(FOREIGN).collect()
}

/// An attribute without a value before `>` (`a=>`) makes lol_html forget that raw text follows.
pub(super) fn readable_by_oracle(page: &[u8]) -> bool {
    let mut rest = page;
    while let Some(at) = memchr::memchr(b'=', rest) {
        rest = &rest[at + 1..];
        if rest.trim_ascii_start().first() == Some(&b'>') {
            return false;
        }
    }
    true
}

pub(super) fn assert_same_as_oracle(page: &[u8], may_give_up: bool) -> Result<(), TestCaseError> {
    let ours = read(Markup::Html, [page]);
    // Zeros go where nothing names the encoding.
    let page = &page.iter().copied().filter(|&byte| byte != 0).collect::<Vec<u8>>()[..];
    let theirs = gated_by_lol_html(page, keyed());
    let text = String::from_utf8_lossy(page).into_owned();
    // Within a `<noscript>` the one may have doubts the other has not.
    let doubtful = |tag: &&str| text.contains(*tag);
    let apart = text.contains("<noscript") && ["<select>", "<frameset>", "<col>", "<col "].iter().any(doubtful);
    match theirs {
        _ if apart => {}
        Some(theirs) if !ours.gave_up => {
            prop_assert_eq!(
                String::from_utf8_lossy(&ours.out[..ours.before_the_end]),
                String::from_utf8_lossy(theirs.get(..ours.before_the_end).unwrap_or(&theirs)),
                "{}",
                text
            );
            prop_assert!(ours.cut_off || ours.out == theirs, "{text}");
        }
        // To lol_html the end of an element around a `<select>` ends that, too, which most browsers ignore in it; and it does not
        // know what a `<col>` does in a template, nor what a `<noscript>` does without scripts.
        Some(_) => {
            prop_assert!(may_give_up || ["<select>", "<noscript", "<col>", "<col "].iter().any(doubtful), "{text}")
        }
        None => {}
    }
    prop_assert!(live(&ours.out).is_empty(), "{:?} in {}\n{text}", live(&ours.out), String::from_utf8_lossy(&ours.out));
    Ok(())
}

pub(super) fn assert_chunks_agree(markup: Markup, page: &[u8], cuts: &[usize]) -> Result<(), TestCaseError> {
    let whole = read(markup, [page]);
    prop_assert_eq!(&read(markup, page.chunks(1)).out, &whole.out, "byte by byte");
    let (mut chunks, mut rest) = (Vec::new(), page);
    for cut in cuts {
        let (chunk, after) = rest.split_at((*cut).min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks.push(rest);
    prop_assert_eq!(&read(markup, chunks).out, &whole.out);
    Ok(())
}

/// So many, or as many as PROPTEST_CASES says.
pub(super) fn cases(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(cases), max_global_rejects: 1 << 30, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(4096))]

    #[test]
    fn soup_becomes_what_lol_html_makes_of_it(page in html_soup()) {
        prop_assume!(readable_by_oracle(&page));
        assert_same_as_oracle(&page, false)?;
    }

    #[test]
    fn soup_of_svg_and_mathml_becomes_what_lol_html_makes_of_it_or_is_disarmed(page in foreign_soup()) {
        prop_assume!(readable_by_oracle(&page));
        assert_same_as_oracle(&page, true)?;
    }

    #[test]
    fn soup_cut_anywhere_becomes_the_same(page in prop_oneof![html_soup(), foreign_soup()], cuts in prop::collection::vec(0usize..9, 0..40)) {
        assert_chunks_agree(Markup::Html, &page, &cuts)?;
        assert_chunks_agree(Markup::Xhtml, &page, &cuts)?;
    }
}
