//! Puts our markup into a page while it streams through, without copying the page: what leaves are slices of what came and
//! the snippets, of which short neighbours go as one frame, since a frame costs more than the bytes of a short one. [`Scan`]
//! says where, and in which language the page is; this never looks at HTML itself.
//!
//! Called by the front door for every page that is [`eligible`](super::eligible). Each snippet is emitted exactly once,
//! whatever the page looks like, so that the length of the answer is known before its first byte: places that did not turn
//! up get their snippet at the page's end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::scan::{Markup, Scan};

/// What is put into a page. The head's part is put before a `<base href>` and so may hold paths; markup must be well-formed
/// XML where the page is [`Markup::Xhtml`].
#[derive(Debug)]
pub struct Insert {
    /// Goes right after `<head>`, before any tag of the site's.
    pub first: Bytes,
    /// Goes before `</head>`, or where the head ends without one.
    pub head: Bytes,
    /// Goes right after `<body …>` and the skip links there, or where the body begins without one.
    pub body_start: Box<dyn BodyStart>,
}

/// What goes at the beginning of the body. Which words it has is settled when the page has said in which language it is; how
/// long it is, is known before.
pub trait BodyStart: std::fmt::Debug + Send {
    /// Its length, the same in every language.
    fn len(&self) -> usize;

    /// Itself, for a page whose `<html>` names this language, as it stands there; nothing where it names none.
    fn in_language(&self, page: Option<&str>) -> Bytes;

    /// Whether there is nothing of it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The same in every language.
impl BodyStart for Bytes {
    fn len(&self) -> usize {
        Bytes::len(self)
    }

    fn in_language(&self, _: Option<&str>) -> Bytes {
        self.clone()
    }
}

impl Default for Insert {
    /// Nothing.
    fn default() -> Self {
        Insert { first: Bytes::new(), head: Bytes::new(), body_start: Box::new(Bytes::new()) }
    }
}

impl Insert {
    /// How much longer a page becomes.
    pub fn len(&self) -> u64 {
        (self.first.len() + self.head.len() + self.body_start.len()) as u64
    }

    /// Whether there is nothing to put anywhere.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Slices up to so many bytes are copied together.
const SHORT: usize = 4096;

/// A page's body with [`Insert`] put into it. Not for answers to `HEAD`, which have no body to put anything into.
#[derive(Debug)]
pub struct Inject<B> {
    inner: B,
    markup: Markup,
    scan: Scan,
    /// The snippets that are still to be emitted, in their order.
    first: Option<Bytes>,
    head: Option<Bytes>,
    body_start: Option<Box<dyn BodyStart>>,
    /// The end of earlier chunks that is undecided; never longer than [`MOST_HELD`](super::scan::MOST_HELD).
    held: Vec<u8>,
    /// What has not been emitted of the current chunk.
    chunk: Bytes,
    /// Bytes of the page, not counting ours, that have been emitted.
    emitted: u64,
    /// A long slice that waits for the short ones before it.
    next: Option<Bytes>,
    trailers: Option<HeaderMap>,
    inner_ended: bool,
}

impl<B> Inject<B> {
    /// Puts `insert` into `inner`.
    pub fn new(inner: B, insert: Insert, markup: Markup) -> Inject<B> {
        Inject {
            inner,
            markup,
            scan: Scan::new(markup),
            first: Some(insert.first).filter(|first| !first.is_empty()),
            head: Some(insert.head).filter(|head| !head.is_empty()),
            body_start: Some(insert.body_start).filter(|body_start| !body_start.is_empty()),
            held: Vec::new(),
            chunk: Bytes::new(),
            emitted: 0,
            next: None,
            trailers: None,
            inner_ended: false,
        }
    }

    fn missing(&self) -> u64 {
        let length = |snippet: &Option<Bytes>| snippet.as_ref().map_or(0, Bytes::len);
        (length(&self.first) + length(&self.head) + self.body_start.as_ref().map_or(0, |snippet| snippet.len())) as u64
    }

    /// Whether the page only passes through from here on.
    fn idle(&self) -> bool {
        self.first.is_none()
            && self.head.is_none()
            && self.body_start.is_none()
            && self.held.is_empty()
            && self.chunk.is_empty()
            && self.next.is_none()
    }

    /// What is to be emitted next of what is there: a long slice as it is, short ones together.
    fn next_frame(&mut self) -> Option<Bytes> {
        let first = self.next.take().or_else(|| self.next_slice())?;
        if first.len() > SHORT {
            return Some(first);
        }
        let Some(second) = self.next_slice() else { return Some(first) };
        let mut together = Vec::with_capacity(SHORT);
        together.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(slice) = next {
            if slice.len() > SHORT {
                self.next = Some(slice);
                break;
            }
            together.extend_from_slice(&slice);
            next = self.next_slice();
        }
        Some(together.into())
    }

    /// The next slice of it.
    fn next_slice(&mut self) -> Option<Bytes> {
        let first = self.scan.first().filter(|_| self.first.is_some());
        let head = self.scan.head().filter(|_| self.head.is_some());
        let body = self.scan.body().filter(|_| self.body_start.is_some());
        if first == Some(self.emitted) {
            return self.first.take();
        }
        if head == Some(self.emitted) {
            return self.head.take();
        }
        if body == Some(self.emitted) {
            return self.take_body_start();
        }
        let waiting = self.first.is_some() || self.head.is_some() || self.body_start.is_some();
        // With nothing left to insert it does not matter what is undecided.
        let end = if waiting { first.or(head).or(body).unwrap_or_else(|| self.scan.decided()) } else { u64::MAX };
        let may = usize::try_from(end.saturating_sub(self.emitted)).unwrap_or(usize::MAX);
        let slice = if !self.held.is_empty() {
            let rest = self.held.split_off(may.min(self.held.len()));
            std::mem::replace(&mut self.held, rest).into()
        } else {
            self.chunk.split_to(may.min(self.chunk.len()))
        };
        self.emitted += slice.len() as u64;
        (!slice.is_empty()).then_some(slice)
    }

    fn end(&mut self) {
        self.inner_ended = true;
        self.scan.end();
    }

    fn take_body_start(&mut self) -> Option<Bytes> {
        Some(self.body_start.take()?.in_language(self.scan.language()))
    }

    /// Keeps what is undecided of the chunk until the next one comes.
    fn hold(&mut self) {
        self.held.extend_from_slice(&std::mem::take(&mut self.chunk));
    }

    /// The page has ended: what was undecided stays as it is, and what has found no place is put at the end.
    fn last_slice(&mut self) -> Option<Bytes> {
        if !self.held.is_empty() {
            return Some(std::mem::take(&mut self.held).into());
        }
        let snippet = self.first.take().or_else(|| self.head.take()).or_else(|| self.take_body_start())?;
        match self.markup {
            // Our bytes would be rubbish there; an HTML parser ignores U+0000 in a body.
            _ if self.scan.utf16() => Some(vec![0; snippet.len()].into()),
            Markup::Html => Some(snippet),
            // Markup after the root element would make an XML parser refuse the page; white space may stand there.
            Markup::Xhtml => Some(vec![b' '; snippet.len()].into()),
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Inject<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        loop {
            if !this.inner_ended && this.idle() {
                return Pin::new(&mut this.inner).poll_frame(cx);
            }
            if let Some(slice) = this.next_frame() {
                return Poll::Ready(Some(Ok(Frame::data(slice))));
            }
            if this.inner_ended {
                if let Some(slice) = this.last_slice() {
                    return Poll::Ready(Some(Ok(Frame::data(slice))));
                }
                return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            if !this.chunk.is_empty() {
                this.hold();
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(chunk) => {
                        this.scan.feed(&chunk);
                        this.chunk = chunk;
                    }
                    Err(frame) => {
                        this.trailers = frame.into_trailers().ok();
                        this.end();
                    }
                },
                // A page that broke off is not completed by us.
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => this.end(),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.idle() && self.trailers.is_none() && (self.inner_ended || self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.inner.size_hint();
        let ours =
            self.missing() + (self.held.len() + self.chunk.len() + self.next.as_ref().map_or(0, Bytes::len)) as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(ours));
        }
        hint.set_lower(hint.lower().saturating_add(ours));
        hint
    }
}

#[cfg(test)]
mod tests;
