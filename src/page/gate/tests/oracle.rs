//! The gate as lol_html makes it: the same rules over somebody else's tokenizer, to compare ours with.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use encoding_rs::{Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};
use lol_html::errors::RewritingError;
use lol_html::html_content::{BailOut, ContentType, TextChunk};
use lol_html::send::{Element, HtmlRewriter, Settings};
use lol_html::{AsciiCompatibleEncoding, ElementContentHandlers, HandlerResult, MemorySettings, OutputSink, Selector};

use crate::page::Markup;
use crate::page::gate::address::{Address, decoded};
use crate::page::gate::disarm::Disarm;
use crate::page::gate::tags::Gating;

/// The most bytes lol_html may hold back, which a single tag can make it do. Longer tags are mostly images within the page
/// itself (`data:`); what comes after one is disarmed.
const MOST_MEMORY: usize = 1 << 20;

/// The most bytes of one `<noscript>` that are read for certain; longer ones are disarmed.
const MOST_NOSCRIPT: usize = 1 << 20;

/// What stands at the end of a fragment to see that it is read as a tag there, and not swallowed by an open one.
const END: &str = "consentry-end";

/// Elements that load, those that change what a URL means, and those that change how text is read.
static ELEMENTS: LazyLock<Selector> = LazyLock::new(|| {
    "script, iframe, frame, img, image, link, video, audio, source, object, embed, track, input, use, feimage, body, table, thead, tbody, tfoot, \
     tr, td, th, col, colgroup, base, select, keygen, template, frameset, textarea, title, plaintext, style, xmp, noembed, noframes, noscript, consentry-end"
        .parse()
        .expect("is a list of names")
});
static NOSCRIPT: LazyLock<Selector> = LazyLock::new(|| "noscript".parse().expect("is a name"));

/// The attributes that hold one URL.
const URLS: [&str; 7] = ["src", "href", "xlink:href", "data", "poster", "background", "code"];
/// The attributes that hold several, with descriptors.
const SETS: [&str; 2] = ["srcset", "imagesrcset"];

/// A page on its way through lol_html.
struct Rewrite {
    start: Start,
    /// `None` once lol_html has given up.
    rewriter: Option<HtmlRewriter<'static, Sink>>,
    shared: Shared,
}

/// A byte order mark decides how a page is read, whatever its head says. UTF-16 would hide every tag from us, so such a page is
/// made UTF-8, with that mark.
enum Start {
    /// The first byte alone, if there is one, does not tell.
    Unknown(Option<u8>),
    AsciiCompatible,
    Utf16(Box<Decoder>),
}

/// What the handlers, the sink and the owner see of each other. Never locked over a call to lol_html.
#[derive(Clone)]
struct Shared(Arc<Mutex<Inner>>);

struct Inner {
    gating: Gating,
    markup: Markup,
    out: Vec<u8>,
    /// Set once lol_html has given up: everything goes through it from there on.
    disarm: Option<Disarm>,
    /// Where relative URLs point, from the first `<base href>`.
    base: Option<Address>,
    context: Context,
    noscript: String,
    /// Set when [`END`] was read as a tag.
    ended: bool,
}

struct Sink(Shared);

impl OutputSink for Sink {
    fn handle_chunk(&mut self, chunk: &[u8]) {
        self.0.lock().emit(chunk);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn emit(&mut self, chunk: &[u8]) {
        match &mut self.disarm {
            None => self.out.extend_from_slice(chunk),
            Some(disarm) => disarm.feed(chunk, &mut self.out),
        }
    }
}

impl Rewrite {
    fn new(gating: Gating, markup: Markup) -> Rewrite {
        Rewrite::with_base(gating, markup, None)
    }

    fn with_base(gating: Gating, markup: Markup, base: Option<Address>) -> Rewrite {
        let shared = Shared(Arc::new(Mutex::new(Inner {
            gating,
            markup,
            out: Vec::new(),
            disarm: None,
            base,
            context: Context::default(),
            noscript: String::new(),
            ended: false,
        })));
        let (elements, texts, bail_out) = (shared.clone(), shared.clone(), shared.clone());
        // One byte is one character in windows-1252, whatever the page's real encoding, so every byte comes out as it went in.
        let encoding = AsciiCompatibleEncoding::new(WINDOWS_1252).expect("is ASCII-compatible");
        let memory = MemorySettings::new()
            .with_max_allowed_memory_usage(MOST_MEMORY)
            .with_graceful_bail_out_on_memory_limit_exceeded(true);
        let settings = Settings::new_send()
            .with_encoding(encoding)
            .with_memory_settings(memory)
            .with_strict(false)
            .with_graceful_bail_out_on_content_handler_error(true)
            .append_element_content_handler((
                Cow::Borrowed(&*ELEMENTS),
                ElementContentHandlers::default().element(move |el: &mut Element<'_, '_>| on_element(el, &elements)),
            ))
            .append_element_content_handler((
                Cow::Borrowed(&*NOSCRIPT),
                ElementContentHandlers::default().text(move |text: &mut TextChunk<'_>| on_noscript(text, &texts)),
            ))
            .append_bail_out_handler(move |_: &RewritingError, out: &mut BailOut<'_>| {
                let held = {
                    let mut inner = bail_out.lock();
                    inner.disarm = Some(Disarm::new(inner.markup));
                    std::mem::take(&mut inner.noscript)
                };
                out.append(&held, ContentType::Html);
            });
        let rewriter = Some(HtmlRewriter::new(settings, Sink(shared.clone())));
        Rewrite { start: Start::Unknown(None), rewriter, shared }
    }

    /// Takes a piece of the page in and gives out what is certain.
    fn feed(&mut self, chunk: &[u8]) -> Vec<u8> {
        if let Start::Unknown(first) = self.start {
            let beginning: Vec<u8> = first.into_iter().chain(chunk.iter().copied().take(2)).collect();
            let encoding = match beginning[..] {
                [] | [0xFE] | [0xFF] => {
                    self.start = Start::Unknown(beginning.first().copied());
                    return Vec::new();
                }
                [0xFE, 0xFF, ..] => Some(UTF_16BE),
                [0xFF, 0xFE, ..] => Some(UTF_16LE),
                _ => None,
            };
            self.start = Start::AsciiCompatible;
            if let Some(encoding) = encoding {
                self.write("\u{feff}".as_bytes());
                self.start = Start::Utf16(Box::new(encoding.new_decoder_with_bom_removal()));
            }
            if let Some(first) = first {
                self.decode(&[first], false);
            }
        }
        self.decode(chunk, false);
        std::mem::take(&mut self.shared.lock().out)
    }

    fn decode(&mut self, chunk: &[u8], last: bool) {
        match &mut self.start {
            Start::Unknown(_) | Start::AsciiCompatible => self.write(chunk),
            Start::Utf16(decoder) => {
                let most =
                    decoder.max_utf8_buffer_length(chunk.len()).expect("a chunk is far from the address space's end");
                let mut text = String::with_capacity(most);
                let _ = decoder.decode_to_string(chunk, &mut text, last); // There is room for all of it.
                self.write(text.as_bytes());
            }
        }
    }

    fn write(&mut self, chunk: &[u8]) {
        match &mut self.rewriter {
            None => self.shared.lock().emit(chunk),
            Some(rewriter) => {
                if rewriter.write(chunk).is_err() {
                    self.given_up();
                }
            }
        }
    }

    /// The page has ended; gives out the rest.
    fn finish(&mut self) -> Vec<u8> {
        match self.start {
            Start::Unknown(first) => self.write(&first.map_or(Vec::new(), |first| vec![first])),
            _ => self.decode(&[], true),
        }
        if self.rewriter.take().is_some_and(|rewriter| rewriter.end().is_err()) {
            self.given_up();
        }
        let mut inner = self.shared.lock();
        let mut out = std::mem::take(&mut inner.out);
        if let Some(disarm) = &mut inner.disarm {
            disarm.finish(&mut out);
        }
        out
    }

    fn given_up(&mut self) {
        self.rewriter = None;
        let mut inner = self.shared.lock();
        let markup = inner.markup;
        // lol_html has told the bail-out handler already; this is for a kind of error it may learn in future.
        inner.disarm.get_or_insert_with(|| Disarm::new(markup));
    }
}

/// Reads a piece of markup by itself. `None` where it is not whole, or not certain.
fn rewrite_fragment(markup: &[u8], gating: Gating, base: Option<Address>) -> Option<Vec<u8>> {
    let mut rewrite = Rewrite::with_base(gating, Markup::Html, base);
    let mut out = rewrite.feed(markup);
    out.extend(rewrite.feed(format!("<{END}>").as_bytes()));
    out.extend(rewrite.finish());
    let inner = rewrite.shared.lock();
    (inner.ended && inner.disarm.is_none()).then_some(out)
}

fn on_element(el: &mut Element<'_, '_>, shared: &Shared) -> HandlerResult {
    let name = el.tag_name();
    shared.lock().context.start(&name)?;
    // To XML there is no raw text; an empty element ends where it begins, and lol_html would read on for its end.
    if el.is_self_closing() && is_raw_text(&name) && shared.lock().markup == Markup::Xhtml {
        return Err(Ambiguous(name).into());
    }
    match name.as_str() {
        END => {
            shared.lock().ended = true;
            el.remove();
            return Ok(());
        }
        "base" => {
            if let Some(href) = el.get_attribute("href") {
                let mut inner = shared.lock();
                if inner.base.is_none() && inner.refused(&href).is_some() {
                    inner.base = Some(Address::of_attribute(as_utf8(&href).as_bytes()));
                }
            }
        }
        "select" => {
            let shared = shared.clone();
            if let Some(handlers) = el.end_tag_handlers() {
                handlers.push(Box::new(move |_| {
                    shared.lock().context.end_select();
                    Ok(())
                }));
            }
        }
        _ => {}
    }
    let mut purposes: Vec<String> = Vec::new();
    let mut inert: Vec<(&str, String)> = Vec::new();
    {
        let inner = shared.lock();
        for attribute in URLS.into_iter().chain(SETS) {
            let Some(value) = el.get_attribute(attribute) else { continue };
            let refused = if SETS.contains(&attribute) { inner.refused_set(&value) } else { inner.refused(&value) };
            if let Some(purpose) = refused {
                purposes.push(purpose);
                inert.push((attribute, value));
            }
        }
    }
    if let Some(value) = el.get_attribute("srcdoc") {
        let refused = refused_in_document(&value, shared);
        if !refused.is_empty() {
            purposes.extend(refused);
            inert.push(("srcdoc", value));
        }
    }
    if inert.is_empty() {
        return Ok(());
    }
    purposes.sort();
    purposes.dedup();
    for name in URLS.into_iter().chain(SETS).chain(["srcdoc", "type", "purpose", "key"]) {
        el.remove_attribute(&format!("data-consentry-{name}"));
    }
    for (attribute, value) in inert {
        el.remove_attribute(attribute);
        // The namespace prefix would not survive as part of a data attribute's name.
        el.set_attribute(&format!("data-consentry-{}", attribute.trim_start_matches("xlink:")), &value)?;
    }
    if name == "script" {
        // Without `src` the text inside would run.
        if let Some(kind) = el.get_attribute("type") {
            el.set_attribute("data-consentry-type", &kind)?;
            el.remove_attribute("type");
        }
        el.set_attribute("type", "text/plain")?;
    }
    el.set_attribute("data-consentry-purpose", &purposes.join(" "))?;
    if let Some(key) = shared.lock().gating.key() {
        el.set_attribute("data-consentry-key", std::str::from_utf8(key.digits())?)?;
    }
    Ok(())
}

impl Inner {
    /// The purpose the host of a URL would need and does not have.
    fn refused(&self, value: &str) -> Option<String> {
        let address = match Address::of_attribute(as_utf8(value).as_bytes()) {
            Address::Relative => self.base.clone().unwrap_or(Address::Relative),
            address => address,
        };
        self.gating.refused(&address).map(str::to_owned)
    }

    /// The same for the first such URL of a `srcset`. Descriptors look like relative URLs, which does no harm.
    fn refused_set(&self, value: &str) -> Option<String> {
        let value = decoded(value);
        let words = value.split(|c: char| c.is_ascii_whitespace());
        words.map(|word| word.trim_matches(',')).filter(|word| !word.is_empty()).find_map(|url| self.refused(url))
    }
}

/// The same for a document in an attribute (`srcdoc`). It is not taken apart: where it holds anything refused, it needs every
/// purpose that is refused.
fn refused_in_document(value: &str, shared: &Shared) -> Vec<String> {
    let (gating, base) = {
        let inner = shared.lock();
        (inner.gating.clone(), inner.base.clone())
    };
    let value = as_utf8(value);
    let document = decoded(&value);
    match rewrite_fragment(document.as_bytes(), gating.clone(), base) {
        Some(gated) if gated == document.as_bytes() => Vec::new(),
        Some(_) | None => gating.all_refused().into_iter().map(str::to_owned).collect(),
    }
}

/// The text of a `<noscript>`, which is markup to a browser without scripts. It is collected, read by itself and put back.
fn on_noscript(text: &mut TextChunk<'_>, shared: &Shared) -> HandlerResult {
    let mut inner = shared.lock();
    inner.noscript.push_str(text.as_str());
    text.remove();
    if !text.last_in_text_node() {
        return Ok(());
    }
    let (held, gating, base, markup) =
        (std::mem::take(&mut inner.noscript), inner.gating.clone(), inner.base.clone(), inner.markup);
    drop(inner);
    let (held, ..) = WINDOWS_1252.encode(&held);
    let gated = (held.len() <= MOST_NOSCRIPT).then(|| rewrite_fragment(&held, gating, base)).flatten();
    let gated = gated.unwrap_or_else(|| Disarm::all(markup, &held));
    let (gated, _) = WINDOWS_1252.decode_without_bom_handling(&gated);
    text.after(&gated, ContentType::Html);
    Ok(())
}

/// A value as it would be in UTF-8: lol_html was told that every byte is a character.
fn as_utf8(value: &str) -> Cow<'_, str> {
    if value.is_ascii() {
        return value.into();
    }
    let (bytes, ..) = WINDOWS_1252.encode(value);
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// What the tags so far say about the next: the places of lol_html's own strict mode, whose error would lose what is in
/// flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Context {
    #[default]
    Certain,
    Select,
    TemplateInSelect,
    Frameset,
}

#[derive(Debug, thiserror::Error)]
#[error("`<{0}>` is ambiguous here")]
struct Ambiguous(String);

impl Context {
    fn start(&mut self, name: &str) -> Result<(), Ambiguous> {
        *self = match (*self, name) {
            (Context::Certain, "select") => Context::Select,
            (Context::Certain, "frameset") => Context::Frameset,
            (Context::Select, "textarea" | "input" | "keygen") => Context::Certain,
            (Context::Select, "template") => Context::TemplateInSelect,
            (Context::Select, "script") | (Context::Frameset, "noframes") | (Context::Certain, _) => *self,
            _ if is_raw_text(name) => return Err(Ambiguous(name.to_owned())),
            _ => *self,
        };
        Ok(())
    }

    fn end_select(&mut self) {
        if *self == Context::Select {
            *self = Context::Certain;
        }
    }
}

fn is_raw_text(name: &str) -> bool {
    const NAMES: [&str; 10] =
        ["script", "style", "title", "textarea", "noscript", "iframe", "xmp", "noembed", "noframes", "plaintext"];
    NAMES.contains(&name)
}

/// What becomes of a page; `None` where lol_html gave up.
pub(super) fn gated_by_lol_html(page: &[u8], gating: Gating) -> Option<Vec<u8>> {
    let mut rewrite = Rewrite::new(gating, Markup::Html);
    let mut out = rewrite.feed(page);
    out.extend(rewrite.finish());
    let certain = rewrite.shared.lock().disarm.is_none();
    certain.then_some(out)
}
