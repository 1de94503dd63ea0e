use super::*;
use crate::page::gate::element::id;

/// Follows tags as `svg path/ /svg`; font and annotation-xml may have attributes after a `:`.
fn follow(tags: &str) -> Foreign {
    let mut foreign = Foreign::default();
    for tag in tags.split_whitespace() {
        if let Some(name) = tag.strip_prefix('/') {
            foreign.end(id(name.as_bytes()));
            continue;
        }
        let self_closing = tag.ends_with('/');
        let (name, attributes) = tag.trim_end_matches('/').split_once(':').unwrap_or((tag.trim_end_matches('/'), ""));
        let id = id(name.as_bytes());
        if !foreign.is_html() || matches!(id, SVG | MATH) {
            foreign.start(id, format!(" {attributes}>").as_bytes(), self_closing, true);
        }
    }
    foreign
}

const STYLE: Id = id(b"style");

fn assert_reads(reading: Reading, all: &[&str]) {
    for tags in all {
        assert_eq!(follow(tags).reading(STYLE), reading, "{tags}");
    }
}

#[test]
fn well_nested_pages_are_read_for_certain() {
    assert_reads(
        Reading::Html,
        &[
            "p div",
            "svg /svg",
            "svg/",
            "svg g path/ path /g /svg",
            "svg svg /svg title /title /svg",
            "svg p",
            "svg g g p",
            "svg g font:color=a",
            "svg foreignobject div",
            "svg foreignobject div p /p br img /div",
            "svg desc",
            "svg g /p",
            "svg foreignobject table tr td",
            "svg foreignobject svg /svg",
            "svg foreignobject svg p",
            "svg foreignobject div p p /div",
            "svg foreignobject ul li li /ul",
            "svg foreignobject p div /div /p",
            "svg foreignobject div ul li p li span /ul dl dt dd p dt /dl /div",
            "svg foreignobject p svg div p /div",
            "svg foreignobject div p p /div /foreignobject /svg",
            "math mi",
            "math mi b",
            "math annotation-xml:encoding=text/html",
            "math annotation-xml:encoding='application/XHTML+xml' p",
            "math semantics mrow mi /mi /mrow annotation /annotation /semantics /math",
            "math annotation-xml:encoding=text/html p /p /annotation-xml /math",
        ],
    );
    assert_reads(
        Reading::Foreign,
        &[
            "svg",
            "svg g path/",
            "svg g path /svg svg",
            "svg svg /svg",
            "svg a title /title",
            "svg font",
            "svg desc/",
            "svg foreignobject div /div /foreignobject",
            "svg foreignobject div p p /div /foreignobject",
            "svg foreignobject ul li p span /span li /li /ul /foreignobject",
            "svg foreignobject p ul li /ul /p hr /foreignobject",
            "svg foreignobject p span div p /p /div /foreignobject",
            "svg foreignobject li div li /li /foreignobject",
            "svg foreignobject svg",
            "math",
            "math title",
            "math annotation-xml:encoding=x",
            "math annotation-xml",
            "math annotation-xml svg",
            "math mi /mi",
            "svg annotation-xml:encoding=text/html",
            "svg mi",
        ],
    );
}

#[test]
fn what_is_not_nested_well_is_in_doubt() {
    assert_reads(
        Reading::Doubtful,
        &[
            "div svg /div",
            "svg g /a",
            "svg svg p",
            "svg math",
            "math svg",
            "math mi mglyph",
            "svg foreignobject p /foreignobject",
            "svg foreignobject /svg",
            "svg foreignobject tr",
            "svg foreignobject title",
            "svg foreignobject div p /foreignobject",
            "svg foreignobject div b p /div",
            "svg foreignobject ul li p a /a li /li /ul",
            "svg foreignobject span p /span",
            "svg foreignobject li ul /li",
            "svg foreignobject li ul p li /foreignobject",
            "svg foreignobject select p /select",
            "svg foreignobject select ul input li /ul",
            "svg foreignobject div button div button /button /div /button li /div",
            "svg foreignobject div svg g /div",
            "svg foreignobject table p /table",
            "svg foreignobject desc",
            "svg foreignobject frameset",
            "svg g svg /g",
            "math annotation-xml:encoding=text&#47;html",
            "math annotation-xml:encoding=a:encoding=text/html svg svg p",
        ],
    );
}

#[test]
fn a_doubt_ends_where_no_reading_is_left_with_svg_in_it() {
    assert_reads(Reading::Html, &["div svg /div /svg", "div svg /div p", "svg /div /p", "svg g /div br"]);
    assert_reads(
        Reading::Doubtful,
        &["svg svg /div p", "svg foreignobject /div p", "svg /div svg p", "svg /div desc p", "svg /div g /g"],
    );
    assert!(follow("svg /div p").is_html() && follow("svg /svg").is_html() && !follow("svg").is_html());
}

#[test]
fn a_cdata_section_is_text_in_svg_alone() {
    for (tags, reading) in [
        ("p", Reading::Html),
        ("svg", Reading::Foreign),
        ("svg style", Reading::Foreign),
        ("svg foreignobject p", Reading::Html),
        ("svg foreignobject", Reading::Doubtful),
        ("svg /div", Reading::Doubtful),
        ("svg /svg", Reading::Html),
    ] {
        assert_eq!(follow(tags).cdata(), reading, "{tags}");
    }
}

#[test]
fn more_than_can_be_followed_is_in_doubt() {
    assert_reads(Reading::Foreign, &["svg ".repeat(MOST_OPEN).as_str()]);
    assert_reads(Reading::Doubtful, &["svg ".repeat(MOST_OPEN + 1).as_str()]);
}
