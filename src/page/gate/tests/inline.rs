//! Scripts in the page itself, known by what is in their text.

use super::*;

fn inline_gating(permitted: &[usize]) -> Option<Gating> {
    let tags = [("t.example", &["fbq(", "t.example/t.js"][..], 3), ("stats.example", &["_paq"], 2)];
    let tags = tags.map(|(host, inline, purpose)| DeclaredTag {
        host: host.into(),
        inline: inline.iter().map(|text| (*text).into()).collect(),
        purpose,
    });
    Tags::new(&tags, &Policy::default()).gating(PurposeSet::of(permitted.iter().copied()))
}

fn read(chunks: &[&[u8]], permitted: &[usize], markup: Markup) -> String {
    let chunks = Chunks(chunks.iter().map(|chunk| Bytes::copy_from_slice(chunk)).collect());
    String::from_utf8(drain(Gate::new(chunks, inline_gating(permitted), markup))).expect("is UTF-8")
}

/// As a whole; and the same however it is cut.
fn gated(page: &str) -> String {
    let whole = read(&[page.as_bytes()], &[0], Markup::Html);
    let bytes: Vec<&[u8]> = page.as_bytes().chunks(1).collect();
    assert_eq!(read(&bytes, &[0], Markup::Html), whole, "byte by byte");
    for at in 0..page.len().min(300) {
        let (one, two) = page.as_bytes().split_at(at);
        assert_eq!(read(&[one, two], &[0], Markup::Html), whole, "cut at {at}");
    }
    whole
}

#[test]
fn rule_k4_a_script_in_the_page_is_known_by_its_text() {
    for (page, expected) in [
        (
            "<p>a<script>fbq('init', '1')</script><p>b",
            "<p>a<script type=\"text/plain\" data-consentry-purpose=\"marketing\">fbq('init', '1')</script><p>b",
        ),
        (
            "<SCRIPT nonce=n TYPE=module id='a'>\n_paq.push(1)</SCRIPT >",
            "<SCRIPT nonce=n id='a' data-consentry-type=\"module\" type=\"text/plain\" \
             data-consentry-purpose=\"analytics\">\n_paq.push(1)</SCRIPT >",
        ),
        (
            "<script type=''>s.src='https://t.example/t.js';_paq</script>",
            "<script data-consentry-type=\"\" type=\"text/plain\" data-consentry-purpose=\"analytics marketing\">\
             s.src='https://t.example/t.js';_paq</script>",
        ),
        (
            "<script type=text/java&#115;cript>fbq(</script>",
            "<script data-consentry-type=\"text/java&#115;cript\" type=\"text/plain\" data-consentry-purpose=\"marketing\">\
             fbq(</script>",
        ),
        // What a script is in ends where browsers say so.
        (
            "<script><!--<script></script>fbq(--></script>x",
            "<script type=\"text/plain\" data-consentry-purpose=\"marketing\"><!--<script></script>fbq(--></script>x",
        ),
        // Where a page ends before its text does, nobody knows what would have come.
        ("<script>a(", "<script type=\"text/plain\" data-consentry-purpose=\"analytics marketing\">a("),
        // A refused host is seen to as ever.
        (
            "<script src=//t.example/t.js>fbq(</script>",
            "<script data-consentry-src=\"//t.example/t.js\" type=\"text/plain\" data-consentry-purpose=\"marketing\">fbq(</script>",
        ),
    ] {
        assert_eq!(gated(page), expected, "{page}");
    }
}

#[test]
fn a_script_that_is_nobodys_goes_out_as_it_came() {
    for page in [
        "<script>fb('x')</script><script>var a = 'fbq' + '('</script>",
        "<p>fbq(<script></script>fbq(<script type=application/json>fbq(",
        "<script type=application/json>{\"a\": \"fbq(\"}</script>",
        "<script type=\"application/ld+json\">fbq(</script><script type=importmap>{\"fbq(\": 1}</script>",
        "<script src=/own.js>fbq(</script>",
        "<style>fbq(</style><textarea>fbq(</textarea><!-- fbq( --><title>fbq(</title>",
    ] {
        assert_eq!(gated(page), page);
    }
    let page = "<script>fbq(1);_paq</script>";
    assert_eq!(read(&[page.as_bytes()], &[0, 2, 3], Markup::Html), page, "what is permitted");
    let some = read(&[page.as_bytes()], &[0, 2], Markup::Html);
    assert!(some.contains("data-consentry-purpose=\"marketing\""), "{some}");
}

#[test]
fn rule_k4_a_script_too_long_to_be_known_sleeps() {
    let long = format!("<script>{}</script><p>after", "a();".repeat(300_000));
    let whole = read(&[long.as_bytes()], &[0], Markup::Html);
    let start = "<script type=\"text/plain\" data-consentry-purpose=\"analytics marketing\">";
    assert!(whole.starts_with(start) && whole.ends_with("a();</script><p>after"), "{}", &whole[..120]);
    assert_eq!(whole.len() - start.len(), long.len() - "<script>".len());
    let pieces: Vec<&[u8]> = long.as_bytes().chunks(1000).collect();
    assert_eq!(read(&pieces, &[0], Markup::Html), whole);
}
