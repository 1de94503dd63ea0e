//! The names of elements the gate knows, as numbers, and what each means to it.

/// A name in lower case: up to eight bytes packed big-endian, of longer ones a hash. The two never meet: a packed name's
/// first bit is not set, a hash's is.
pub(super) type Id = u64;

/// The number of a name, whatever its case.
pub(super) const fn id(name: &[u8]) -> Id {
    let mut at = 0;
    if name.len() <= 8 {
        let mut packed = 0;
        while at < name.len() {
            packed = packed << 8 | name[at].to_ascii_lowercase() as u64;
            at += 1;
        }
        return packed & !HASHED;
    }
    // FNV-1a
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    while at < name.len() {
        hash = (hash ^ name[at].to_ascii_lowercase() as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash | HASHED
}

const HASHED: u64 = 1 << 63;

macro_rules! names {
    ($($constant:ident $text:literal),* $(,)?) => {
        $(pub(super) const $constant: Id = id($text.as_bytes());)*
        /// Every name that has a constant.
        const KNOWN: &[&[u8]] = &[$($text.as_bytes()),*];
    };
}
names!(
    SCRIPT "script", IFRAME "iframe", FRAME "frame", IMG "img", IMAGE "image", LINK "link", VIDEO "video", AUDIO "audio",
    SOURCE "source", OBJECT "object", EMBED "embed", TRACK "track", INPUT "input", USE "use", FEIMAGE "feimage",
    BODY "body", TABLE "table", TD "td", TH "th", BASE "base", SELECT "select", KEYGEN "keygen", TEMPLATE "template",
    FRAMESET "frameset", TEXTAREA "textarea", TITLE "title", PLAINTEXT "plaintext", STYLE "style", XMP "xmp",
    NOEMBED "noembed", NOFRAMES "noframes", NOSCRIPT "noscript", SVG "svg", MATH "math", FONT "font",
    DESC "desc", FOREIGN_OBJECT "foreignobject", ANNOTATION_XML "annotation-xml", MI "mi", MO "mo", MN "mn", MS "ms",
    MTEXT "mtext", MGLYPH "mglyph", MALIGNMARK "malignmark", P "p", BR "br", AREA "area", BASEFONT "basefont",
    BGSOUND "bgsound", COL "col", HR "hr", META "meta", PARAM "param", WBR "wbr", CAPTION "caption", COLGROUP "colgroup",
    TBODY "tbody", TFOOT "tfoot", THEAD "thead", TR "tr", B "b", BIG "big", BLOCKQUOTE "blockquote", CENTER "center",
    CODE "code", DD "dd", DIV "div", DL "dl", DT "dt", EM "em", H1 "h1", H2 "h2", H3 "h3", H4 "h4", H5 "h5", H6 "h6",
    HEAD "head", I "i", LI "li", LISTING "listing", MENU "menu", NOBR "nobr", OL "ol", PRE "pre", RUBY "ruby", S "s",
    SMALL "small", SPAN "span", STRONG "strong", STRIKE "strike", SUB "sub", SUP "sup", TT "tt", U "u", UL "ul", VAR "var",
);

/// Whether the gate looks into such a tag: it loads something, changes what a URL means, or how text is read.
#[inline]
pub(super) const fn matters(id: Id) -> bool {
    loads(id) || is_raw_text(id) || matches!(id, BASE | SELECT | KEYGEN | TEMPLATE | FRAMESET | COL)
}

/// The same, or it begins SVG or MathML.
#[inline]
pub(super) const fn changes_something(id: Id) -> bool {
    matters(id) || matches!(id, SVG | MATH)
}

/// Whether a name may be of such a tag, or is none, of which this is the first byte and the one after the next, which may be
/// beyond its end. Most names of others are told apart by these two alone. The same of an end tag, from its `/` on, that may
/// be a template's.
#[inline(always)]
pub(super) fn may_change_something(first: u8, third: u8) -> bool {
    THIRDS[usize::from(first)] >> (third & 31) & 1 != 0
}

/// Of each first byte what may be third in a name that changes something: a bit for each value of the lowest five bits, in
/// which a letter's case is not. Of a `/`, what is third in an end tag that does.
static THIRDS: [u32; 256] = {
    let mut thirds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if !(byte as u8).is_ascii_alphabetic() {
            thirds[byte] = u32::MAX;
        }
        byte += 1;
    }
    thirds[b'/' as usize] = 1 << (b'e' & 31);
    let mut at = 0;
    while at < KNOWN.len() {
        let name = KNOWN[at];
        if changes_something(id(name)) {
            let bits = match name {
                [_, _, third, ..] => 1 << (*third & 31),
                // What ends a name.
                _ => 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << (b' ' & 31) | 1 << (b'/' & 31) | 1 << (b'>' & 31),
            };
            thirds[name[0] as usize] |= bits;
            thirds[name[0].to_ascii_uppercase() as usize] |= bits;
        }
        at += 1;
    }
    thirds
};

/// Whether such a tag changes nothing if it has no attributes: it may load something, and that is all. A `<col>` changes how
/// a template is read.
#[inline]
pub(super) const fn is_nothing_without_attributes(id: Id) -> bool {
    loads(id) && !is_raw_text(id) && id != COL
}

/// Whether such an element may load something.
#[inline]
pub(super) const fn loads(id: Id) -> bool {
    matches!(
        id,
        SCRIPT
            | IFRAME
            | FRAME
            | IMG
            | IMAGE
            | LINK
            | VIDEO
            | AUDIO
            | SOURCE
            | OBJECT
            | EMBED
            | TRACK
            | INPUT
            | USE
            | FEIMAGE
            | BODY
            | TABLE
            | THEAD
            | TBODY
            | TFOOT
            | TR
            | TD
            | TH
            | COL
            | COLGROUP
    )
}

/// Whether text in such an element is read up to its end tag, whatever it looks like.
#[inline]
pub(super) const fn is_raw_text(id: Id) -> bool {
    matches!(id, SCRIPT | STYLE | TITLE | TEXTAREA | NOSCRIPT | IFRAME | XMP | NOEMBED | NOFRAMES | PLAINTEXT)
}

/// Whether such a tag ends SVG and MathML around it (13.2.6.5); a `<font>` does so with some attributes only.
pub(super) fn ends_foreign(id: Id) -> bool {
    matches!(
        id,
        B | BIG
            | BLOCKQUOTE
            | BODY
            | BR
            | CENTER
            | CODE
            | DD
            | DIV
            | DL
            | DT
            | EM
            | EMBED
            | H1
            | H2
            | H3
            | H4
            | H5
            | H6
            | HEAD
            | HR
            | I
            | IMG
            | LI
            | LISTING
            | MENU
            | META
            | NOBR
            | OL
            | P
            | PRE
            | RUBY
            | S
            | SMALL
            | SPAN
            | STRONG
            | STRIKE
            | SUB
            | SUP
            | TABLE
            | TT
            | U
            | UL
            | VAR
    )
}

/// Whether such an element of HTML has no end tag (13.1.2), or none any more.
pub(super) fn is_void(id: Id) -> bool {
    matches!(
        id,
        AREA | BASE
            | BASEFONT
            | BGSOUND
            | BR
            | COL
            | EMBED
            | FRAME
            | HR
            | IMAGE
            | IMG
            | INPUT
            | KEYGEN
            | LINK
            | META
            | PARAM
            | SOURCE
            | TRACK
            | WBR
    )
}

/// Whether such a tag may end cells and rows around it, and what is in them.
pub(super) fn is_table_part(id: Id) -> bool {
    matches!(id, CAPTION | COL | COLGROUP | TBODY | TD | TFOOT | TH | THEAD | TR)
}

/// Whether HTML may stand in such an element of SVG or MathML; in `<annotation-xml>` only if it says so.
pub(super) fn is_html_point(id: Id) -> bool {
    matches!(id, TITLE | DESC | FOREIGN_OBJECT | MI | MO | MN | MS | MTEXT | ANNOTATION_XML)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_whatever_their_case() {
        assert_eq!(id(b"ScRipt"), SCRIPT);
        assert_eq!(id(b"PlainText"), PLAINTEXT);
        assert_eq!(id(b"annotation-XML"), ANNOTATION_XML);
        assert_ne!(id(b"scripts"), SCRIPT);
        assert_ne!(id(b"blockquot"), BLOCKQUOTE);
    }

    #[test]
    fn no_name_that_changes_something_is_told_apart_by_two_bytes() {
        let names = KNOWN.iter().filter(|name| changes_something(id(name)));
        let mut seen = 0;
        for name in names {
            for end in *b" \t\n\r\x0C/>" {
                let open = [name, &[end][..]].concat();
                for [first, third] in [[open[0], open[2]], [open[0], open[2]].map(|byte| byte.to_ascii_uppercase())] {
                    assert!(may_change_something(first, third), "{open:?}");
                }
            }
            seen += 1;
        }
        assert_eq!(seen, 40);
        for name in ["p ", "a>x", "div", "li>", "span", "em>", "ul>", "h1>", "section", "main", "code"] {
            assert!(!may_change_something(name.as_bytes()[0], *name.as_bytes().get(2).unwrap_or(&b'c')), "{name}");
        }
        for first in *b"!?<> 1_\0\xC3" {
            assert!(may_change_something(first, b'c'));
        }
        assert!(
            may_change_something(b'/', b'e') && may_change_something(b'/', b'E') && !may_change_something(b'/', b'a')
        );
    }
}
