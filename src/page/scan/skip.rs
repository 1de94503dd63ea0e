//! Links at the beginning of a body that skip to a part of the page: where they end, the banner's place is.
//!
//! Looked at as one piece, from the body's start tag on, and again as a whole where a chunk ended within it: at most [`MOST`]
//! bytes, and nearly always the first tag settles it. Strict: whatever is not plainly a skip link is none, and the banner
//! stands right after `<body>` as on any other page.
//!
//! - One or more `<a href="#…">` with nothing but words in them, white space and comments between them.
//! - They may stand in one wrapper. Where it holds nothing else, the place is after the wrapper; in a `div` that goes on, it
//!   is after the links, unless the `div` may be out of sight, or one that a framework takes for its own: what it did not put
//!   there would make it build the page anew.

use memchr::memmem;

use super::attributes::Attributes;
use super::{Scan, State, is_space};

/// The most bytes of the body that are looked at.
pub(super) const MOST: usize = 2048;

/// What a piece of a body's beginning says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    /// The skip links end after so many bytes; 0 where there are none.
    Ends(usize),
    /// More must be seen to know.
    More,
}

impl Scan {
    /// The document has ended: what was undecided is decided by what there is.
    pub fn end(&mut self) {
        if self.lexer.state == State::BodyStart {
            let kept = std::mem::take(&mut self.kept);
            self.settle(whole(&kept) as u64);
        }
    }

    /// Reads on at the beginning of the body, as far as it may be skip links.
    pub(super) fn body_start(&mut self, piece: &[u8]) {
        let looked_at = if self.kept.is_empty() { look(piece) } else { Skip::More };
        let verdict = match looked_at {
            Skip::More => {
                let room = MOST - self.kept.len();
                self.kept.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
                look(&self.kept)
            }
            known => known,
        };
        if let Skip::Ends(length) = verdict {
            self.settle(length as u64);
        }
    }

    /// The banner's place is `length` bytes after the body's start tag.
    fn settle(&mut self, length: u64) {
        self.kept = Vec::new();
        self.body = Some(self.tag_start + length);
        self.finish();
    }
}

/// Looks at the beginning of a body.
fn look(body: &[u8]) -> Skip {
    let seen = body.get(..MOST).unwrap_or(body);
    let mut place = 0;
    match links(seen, &mut place) {
        Ok(()) => Skip::Ends(place),
        Err(CutOff) if body.len() < MOST => Skip::More,
        Err(CutOff) => Skip::Ends(place),
    }
}

/// The same for a body of which nothing more comes.
fn whole(body: &[u8]) -> usize {
    let mut place = 0;
    let _ = links(body.get(..MOST).unwrap_or(body), &mut place);
    place
}

/// The piece ends before it can be said what it is.
struct CutOff;

/// A start tag.
struct Start<'b> {
    name: &'b [u8],
    attributes: &'b [u8],
    /// Its length.
    length: usize,
}

const WRAPPERS: [&[u8]; 4] = [b"div", b"nav", b"p", b"span"];
/// Elements a link's words may be in.
const WORDS: [&[u8]; 8] = [b"span", b"b", b"strong", b"em", b"i", b"small", b"abbr", b"br"];
/// What frameworks call the element they own.
const OWNED: [&[u8]; 9] =
    [b"root", b"app", b"next", b"nuxt", b"gatsby", b"svelte", b"reactroot", b"rendered", b"astro"];
/// What sites call elements that are out of sight; `style` may say anything.
const UNSEEN: [&[u8]; 9] =
    [b"hidden", b"hide", b"none", b"sr", b"screen", b"offscreen", b"invisible", b"inert", b"style"];

/// Writes into `place` how far the skip links go that are certain so far.
fn links(body: &[u8], place: &mut usize) -> Result<(), CutOff> {
    let mut at = nothing(body)?;
    let Some(first) = start(&body[at..])? else { return Ok(()) };
    let wrapper = WRAPPERS.contains(&first.name).then_some(first);
    if let Some(wrapper) = &wrapper {
        at += wrapper.length;
    }
    let mut links_end = None;
    // A wrapper that is cut off may yet hold nothing else.
    let ended = loop {
        let next = nothing(&body[at..]).and_then(|space| {
            at += space;
            link(&body[at..])
        });
        match next {
            Ok(Some(length)) => {
                at += length;
                links_end = Some(at);
                if wrapper.is_none() {
                    *place = at;
                }
            }
            Ok(None) => break Ok(()),
            Err(cut) => break Err(cut),
        }
    };
    let (Some(wrapper), Some(links_end)) = (wrapper, links_end) else { return ended };
    let inside = if wrapper.name == b"div" && is_open_to_us(wrapper.attributes) { links_end } else { 0 };
    *place = inside;
    ended?;
    match end(&body[at..], wrapper.name) {
        Ok(Some(length)) => *place = at + length,
        Ok(None) => {}
        Err(cut) => return Err(cut),
    }
    Ok(())
}

/// Whether what is ours can stand in an element, as far as its attributes say.
fn is_open_to_us(attributes: &[u8]) -> bool {
    let mut words = attributes.split(|byte| !byte.is_ascii_alphanumeric());
    let unwanted = |word: &[u8]| OWNED.iter().chain(&UNSEEN).any(|other| word.eq_ignore_ascii_case(other));
    !words.any(unwanted)
}

/// The length of white space and comments.
fn nothing(body: &[u8]) -> Result<usize, CutOff> {
    let mut at = 0;
    loop {
        at += body[at..].iter().position(|&byte| !is_space(byte)).ok_or(CutOff)?;
        let rest = &body[at..];
        if rest.len() < 4 && b"<!--".starts_with(rest) {
            return Err(CutOff);
        }
        // One that ends as it begins is for the tokenizer, not for us.
        if !rest.starts_with(b"<!--") || rest[4..].starts_with(b">") || rest[4..].starts_with(b"->") {
            return Ok(at);
        }
        let end = memmem::find(&rest[4..], b"-->");
        // The other way a comment can end.
        if memmem::find(&rest[4..end.map_or(rest.len(), |end| end + 4)], b"--!>").is_some() {
            return Ok(at);
        }
        at += end.ok_or(CutOff)? + 7;
    }
}

/// The length of a skip link, or nothing where something else stands there.
fn link(body: &[u8]) -> Result<Option<usize>, CutOff> {
    let Some(tag) = start(body)? else { return Ok(None) };
    let target = |attribute: &super::attributes::Attribute<'_>| attribute.name.eq_ignore_ascii_case(b"href");
    let target = Attributes::of(tag.attributes).find(target).map(|attribute| attribute.value.trim_ascii());
    if tag.name != b"a" || !target.is_some_and(|target| target.len() > 1 && target[0] == b'#') {
        return Ok(None);
    }
    let mut at = tag.length;
    loop {
        at += memchr::memchr(b'<', &body[at..]).ok_or(CutOff)?;
        if let Some(length) = end(&body[at..], b"a")? {
            return Ok(Some(at + length));
        }
        if body[at..].starts_with(b"</") {
            let mut ends = WORDS.iter().map(|name| end(&body[at..], name));
            match ends.find_map(Result::transpose) {
                Some(length) => at += length?,
                None => return Ok(None),
            }
        } else {
            match start(&body[at..])? {
                Some(tag) if WORDS.contains(&tag.name) => at += tag.length,
                _ => return Ok(None),
            }
        }
    }
}

/// The start tag that stands there, of an element we know, with its name in small letters.
fn start(body: &[u8]) -> Result<Option<Start<'_>>, CutOff> {
    let Some(rest) = body.strip_prefix(b"<") else { return Ok(None) };
    let length = rest.iter().position(|byte| !byte.is_ascii_alphanumeric());
    let known = [b"a" as &[u8]].into_iter().chain(WRAPPERS).chain(WORDS);
    let (name, rest) = rest.split_at(length.unwrap_or(rest.len()));
    let mut known = known.filter(|known| match length {
        Some(_) => name.eq_ignore_ascii_case(known),
        None => known.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name)),
    });
    let Some(name) = known.next() else { return Ok(None) };
    if length.is_none() {
        return Err(CutOff);
    }
    if !rest.first().is_some_and(|&byte| is_space(byte) || byte == b'>' || byte == b'/') {
        return Ok(None);
    }
    let mut attributes = Attributes::of(rest);
    attributes.by_ref().for_each(drop);
    let after = attributes.rest();
    if after.is_empty() {
        return Err(CutOff);
    }
    let inner = &rest[..rest.len() - after.len()];
    // Such an element is empty in XML and is not in HTML: either way not what was meant.
    if inner.ends_with(b"/") && name != b"br" {
        return Ok(None);
    }
    Ok(Some(Start { name, attributes: inner, length: body.len() - after.len() + 1 }))
}

/// The length of the end tag of `name`, if that stands there.
fn end(body: &[u8], name: &[u8]) -> Result<Option<usize>, CutOff> {
    let Some(rest) = body.strip_prefix(b"</") else {
        return if b"</".starts_with(body) { Err(CutOff) } else { Ok(None) };
    };
    let (seen, rest) = rest.split_at(name.len().min(rest.len()));
    if !name[..seen.len()].eq_ignore_ascii_case(seen) {
        return Ok(None);
    }
    let space = rest.iter().position(|&byte| !is_space(byte)).ok_or(CutOff)?;
    Ok((rest[space] == b'>').then_some(2 + name.len() + space + 1))
}
