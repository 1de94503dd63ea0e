//! The body of an answer to a visitor: ours, the site's as it is, or the site's with something put into it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::delivery::Delivery;
use super::turn::{Ours, Turn};
use super::watched::Watched;
use crate::page::Inject;
use crate::page::gate::Gate;
use crate::upstream::{UpstreamBody, UpstreamError};

/// What a visitor gets.
pub struct VisitorBody {
    content: Content,
    /// The event that waits for the end of it.
    delivery: Option<Box<Delivery>>,
    /// The request it answers.
    watched: Option<Watched>,
    /// Until the answer has ended.
    turn: Option<Ours>,
    /// Why it has broken off, until that is told.
    broken: Option<UpstreamError>,
}

enum Content {
    /// Our own answer, until it is sent.
    Own(Option<Bytes>),
    /// The site's answer, untouched.
    Passed(UpstreamBody),
    /// A page with banner, link or collector in it and refused third-party tags asleep.
    Page(Box<Inject<Gate<UpstreamBody>>>),
}

impl VisitorBody {
    /// A body of ours.
    pub fn own(bytes: Bytes) -> VisitorBody {
        Content::Own((!bytes.is_empty()).then_some(bytes)).into()
    }

    /// The site's, untouched.
    pub fn passed(body: UpstreamBody) -> VisitorBody {
        Content::Passed(body).into()
    }

    /// A page we put something into.
    pub fn page(body: Inject<Gate<UpstreamBody>>) -> VisitorBody {
        Content::Page(Box::new(body)).into()
    }

    /// The same; its end is told to `delivery`.
    pub fn told_to(mut self, delivery: Option<Box<Delivery>>) -> VisitorBody {
        self.delivery = delivery;
        self
    }

    /// The same; how it goes is watched, and it is our `turn` until it has ended.
    pub(super) fn watched_by(mut self, watched: Watched, turn: &Turn) -> VisitorBody {
        self.watched = Some(watched);
        self.turn = Some(turn.until_dropped());
        self
    }
}

impl From<Content> for VisitorBody {
    fn from(content: Content) -> Self {
        VisitorBody { content, delivery: None, watched: None, turn: None, broken: None }
    }
}

impl Body for VisitorBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let VisitorBody { content, delivery, watched, broken, .. } = self.get_mut();
        if let Some(error) = broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = match content {
            Content::Own(bytes) => {
                let bytes = bytes.take();
                if let (Some(watched), Some(bytes)) = (watched, &bytes) {
                    watched.add(bytes.len());
                }
                return Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))));
            }
            Content::Passed(body) => ready!(Pin::new(body).poll_frame(cx)),
            Content::Page(body) => ready!(Pin::new(body).poll_frame(cx)),
        };
        match frame {
            Some(Ok(ref frame)) => {
                if let (Some(watched), Some(bytes)) = (watched.as_mut(), frame.data_ref()) {
                    watched.add(bytes.len());
                }
                if let (Some(delivery), Some(bytes)) = (delivery, frame.data_ref()) {
                    delivery.add(bytes.len());
                    // Who knows the length does not ask for the end.
                    if content.is_end() {
                        delivery.complete();
                    }
                }
            }
            Some(Err(error)) => {
                // The visitor's connection ends here; what the matter was stands in the log alone.
                let request_id = watched.as_mut().map(|watched| watched.id().to_string()).unwrap_or_default();
                tracing::warn!(%error, request_id, "an answer broke off");
                delivery.iter_mut().for_each(|delivery| delivery.broken());
                watched.iter_mut().for_each(Watched::broken);
                // What is there of the answer, its head above all, goes out first: hyper would throw it away, and a browser that
                // got nothing over a connection it had kept asks once more, even where that does harm (RFC 9110 §9.2.2).
                *broken = Some(error);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            None => {
                delivery.iter_mut().for_each(|delivery| delivery.complete());
                watched.iter_mut().for_each(Watched::complete);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.content.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Content::Passed(body) => body.size_hint(),
            Content::Page(body) => body.size_hint(),
        }
    }
}

impl Content {
    fn is_end(&self) -> bool {
        match self {
            Content::Own(bytes) => bytes.is_none(),
            Content::Passed(body) => body.is_end_stream(),
            Content::Page(body) => body.is_end_stream(),
        }
    }
}

impl Drop for VisitorBody {
    fn drop(&mut self) {
        // A body without a byte is never asked for one.
        if self.content.is_end() {
            self.delivery.iter_mut().for_each(|delivery| delivery.complete());
            self.watched.iter_mut().for_each(Watched::complete);
        }
    }
}
