//! Makes third-party tags of purposes that are not permitted inert while the page streams through (K4): `src` becomes
//! `data-consentry-src` and so on, a script's `type` becomes `text/plain`, and `data-consentry-purpose` says what is missing.
//! On consent the banner's script turns them back without losing the page. What users of the site have written under these names
//! goes from such an element, and a [`Key`] tells ours from theirs elsewhere.
//!
//! Called by the front door, inside [`Inject`](super::Inject): the markup that is ours is put in afterwards, so places are found
//! by one rule on every page and ours never passes through here. Only pages where a declared tag is refused pay for
//! this ([`Tags::gating`]); all others pass untouched. The length of a gated page is not known beforehand.
//!
//! It fails closed. Where a page cannot be read for certain (markup browsers disagree on, a tag of more than a mebibyte) its
//! rest is served with everything inert that loads something, whoever it belongs to; that beats both a page cut off
//! and a tag let through.
//!
//! What it does not see: tags that scripts make, URLs in style sheets, and hosts nobody declared. Relative URLs after a
//! `<base href>` that points at a refused host are refused.

mod address;
mod context;
mod disarm;
mod element;
mod foreign;
mod inline;
mod key;
mod noscript;
mod reader;
mod rewrite;
mod start_tag;
mod tags;

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use encoding_rs::Encoding;
use http::HeaderMap;
use http::header::{self, HeaderValue};
use http_body::{Body, Frame, SizeHint};

use super::scan::Markup;
use address::Address;
pub use key::Key;
use rewrite::Rewrite;
pub use tags::{Gating, Tags};

/// A page's body with refused tags made inert.
pub struct Gate<B> {
    inner: B,
    /// `None` where nothing is refused, and once the page has ended.
    rewrite: Option<Box<Rewrite>>,
    /// What is to be emitted before more is read.
    ready: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
}

impl<B> Gate<B> {
    /// Gates `inner` by `gating`; without one the page passes as it comes.
    pub fn new(inner: B, gating: Option<Gating>, markup: Markup) -> Gate<B> {
        let rewrite = gating.map(|gating| Box::new(Rewrite::new(gating, markup)));
        Gate { inner, rewrite, ready: VecDeque::new(), trailers: None }
    }

    /// The same where the head of the answer names the page's encoding, which nothing in the page can change then, or does not
    /// (see [`named_encoding`](super::named_encoding)).
    pub fn of_named_encoding(mut self, named: Option<&'static Encoding>) -> Gate<B> {
        if let Some(rewrite) = &mut self.rewrite {
            rewrite.encoding_is_named(named);
        }
        self
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Gate<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        loop {
            if let Some(piece) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if let Some(trailers) = this.trailers.take() {
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            let Some(rewrite) = &mut this.rewrite else { return Pin::new(&mut this.inner).poll_frame(cx) };
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(chunk)) => rewrite.feed(&chunk, &mut this.ready),
                ended => {
                    this.trailers = ended.and_then(|frame| frame.err()?.into_trailers().ok());
                    rewrite.finish(&mut this.ready);
                    this.rewrite = None;
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rewrite.is_none() && self.ready.is_empty() && self.trailers.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rewrite.is_some() || !self.ready.is_empty() { SizeHint::default() } else { self.inner.size_hint() }
    }
}

/// Removes from an answer's `Link` headers what would make the browser load from, or connect to, a refused host
/// (RFC 8288, `rel=preload` and the like). Returns how many links went.
pub fn filter_link(headers: &mut HeaderMap, gating: &Gating) -> usize {
    if !headers.contains_key(header::LINK) {
        return 0;
    }
    let lines: Vec<&[u8]> = headers.get_all(header::LINK).iter().map(HeaderValue::as_bytes).collect();
    // Readers join the lines (RFC 9110, 5.3), and may part them elsewhere where one is not plain.
    if !lines.iter().all(|line| is_plain(line)) && mentions_refused(&lines.join(&b", "[..]), gating) {
        let removed = lines.iter().map(|line| links(line).count()).sum();
        headers.remove(header::LINK);
        return removed;
    }
    let mut removed = 0;
    let mut kept = Vec::new();
    for line in headers.get_all(header::LINK) {
        let links: Vec<&[u8]> = links(line.as_bytes()).collect();
        let stay: Vec<&[u8]> = links.iter().copied().filter(|link| !is_refused(link, gating)).collect();
        removed += links.len() - stay.len();
        if stay.len() == links.len() {
            kept.push(line.clone());
        } else if !stay.is_empty() {
            kept.extend(HeaderValue::from_bytes(&stay.join(&b','))); // Of a valid value's pieces, so never refused.
        }
    }
    if removed > 0 {
        headers.remove(header::LINK);
        for line in kept {
            headers.append(header::LINK, line);
        }
    }
    removed
}

/// Whether a redirection's `Location` leads to a refused host.
pub fn leads_to_refused(headers: &HeaderMap, gating: &Gating) -> bool {
    let mut locations = headers.get_all(header::LOCATION).iter();
    locations.any(|location| is_refused_url(&String::from_utf8_lossy(location.as_bytes()), gating))
}

/// The links of one header line: split at commas that stand neither in `<…>` nor in quotes.
fn links(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut in_target, mut in_quotes) = (false, false);
    line.split(move |byte| {
        match byte {
            b'<' if !in_quotes => in_target = true,
            b'>' if !in_quotes => in_target = false,
            b'"' if !in_target => in_quotes = !in_quotes,
            _ => {}
        }
        *byte == b',' && !in_target && !in_quotes
    })
}

/// Whether all quotes and targets in a header line are closed, nothing in it is escaped, and each quote that opens stands where
/// it is one to every reader: after a `=`.
fn is_plain(line: &[u8]) -> bool {
    let count = |byte| memchr::memchr_iter(byte, line).count();
    let quotes = count(b'"');
    let mut before_quotes = line.split(|&byte| byte == b'"').step_by(2).take(quotes / 2);
    memchr::memchr(b'\\', line).is_none()
        && quotes.is_multiple_of(2)
        && count(b'<') == count(b'>')
        && before_quotes.all(|before| before.trim_ascii_end().ends_with(b"="))
}

/// Whether a link points at a refused host, or has one among the images it names (`imagesrcset`).
fn is_refused(link: &[u8], gating: &Gating) -> bool {
    let text = String::from_utf8_lossy(link);
    let target = text.split_once('<').map_or("", |(_, target)| target);
    let url = target.split_once('>').map_or(target, |(url, _)| url);
    let images = b"imagesrcset";
    let has_images = link.windows(images.len()).any(|word| word.eq_ignore_ascii_case(images));
    is_refused_url(url, gating) || (has_images && mentions_refused(link, gating))
}

/// Whether anything in a header line, however it is read, is the URL of a refused host.
fn mentions_refused(line: &[u8], gating: &Gating) -> bool {
    let text = String::from_utf8_lossy(line);
    let unescaped = text.replace('\\', "");
    [&*text, &*unescaped].iter().any(|text| {
        let words = text.split(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '<' | '>'));
        let mut addresses = words.flat_map(|word| Address::in_word(word, b"=,;'", true));
        let mut targets = text.split('<').map(|target| target.split('>').next().unwrap_or(target));
        addresses.any(|address| gating.refused(&address).is_some()) || targets.any(|url| is_refused_url(url, gating))
    })
}

fn is_refused_url(url: &str, gating: &Gating) -> bool {
    gating.refused(&Address::of_url(url)).is_some()
}

#[cfg(test)]
mod tests;
