//! The body of an answer to a visitor: ours, the site's as it is, or the site's with something put into it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::page::Inject;
use crate::page::gate::Gate;
use crate::upstream::{UpstreamBody, UpstreamError};

/// What a visitor gets.
pub enum VisitorBody {
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
        VisitorBody::Own((!bytes.is_empty()).then_some(bytes))
    }
}

impl Body for VisitorBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let frame = match self.get_mut() {
            VisitorBody::Own(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            VisitorBody::Passed(body) => ready!(Pin::new(body).poll_frame(cx)),
            VisitorBody::Page(body) => ready!(Pin::new(body).poll_frame(cx)),
        };
        if let Some(Err(error)) = &frame {
            // The visitor's connection ends here; what the matter was stands in the log alone.
            tracing::warn!(%error, "an answer broke off");
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            VisitorBody::Own(bytes) => bytes.is_none(),
            VisitorBody::Passed(body) => body.is_end_stream(),
            VisitorBody::Page(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            VisitorBody::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            VisitorBody::Passed(body) => body.size_hint(),
            VisitorBody::Page(body) => body.size_hint(),
        }
    }
}
