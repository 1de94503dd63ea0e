//! A request as HTTP/2 has it: the same fields as over HTTP/1.1, and a body that flows while the answer comes.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, TE};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::super::UpstreamError;
use super::super::forward::{self, Forward, PassedOn, RequestFraming};
use super::super::settings::Bounds;
use super::lane::{Outgoing, Stream};
use crate::patience::{LeastRate, Meter};

/// Whether a request is gRPC's: its trailers are part of the answer, and once it is answered as such it may be silent for as long as it likes.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    kind.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"))
}

/// Method, target and all fields.
pub(in super::super) fn head(
    parts: &Parts,
    forward: &Forward<'_>,
    framing: RequestFraming,
    stripped: &str,
    scheme: Scheme,
) -> Result<Parts, UpstreamError> {
    let wrong = |_| UpstreamError::Unforwardable("its host or target has no form in HTTP/2");
    let target = forward::target(parts, stripped.len())?;
    let target = match target.strip_prefix('/') {
        None if target != "*" => PathAndQuery::try_from(format!("/{target}")),
        _ => PathAndQuery::try_from(target),
    };
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(Authority::try_from(forward.host).map_err(|error| wrong(error.into()))?)
        .path_and_query(target.map_err(|error| wrong(error.into()))?)
        .build()
        .map_err(wrong)?;

    let mut headers = HeaderMap::with_capacity(parts.headers.len() + 8);
    let passed_on = PassedOn::of(&parts.headers, forward);
    for (name, value) in parts.headers.iter().filter(|(name, _)| passed_on.lets(name.as_str())) {
        headers.append(name, value.clone());
    }
    if forward.overrides.identity {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if let Some(cookie) = forward.cookie.filter(|cookie| !cookie.is_empty()) {
        headers.insert(COOKIE, value(cookie)?);
    }
    if let RequestFraming::Length(length) = framing {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    if forward::asks_for_trailers(&parts.headers) {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    let mut addresses = BytesMut::new();
    forward::write_addresses(&mut addresses, forward);
    let ours: [(&'static str, &[u8]); 4] = [
        ("x-forwarded-for", &addresses),
        ("x-forwarded-proto", forward.scheme.as_str().as_bytes()),
        ("x-forwarded-host", forward.asked_host),
        ("x-request-id", forward.request_id.as_bytes()),
    ];
    for (name, bytes) in ours {
        headers.insert(HeaderName::from_static(name), value(bytes)?);
    }
    if !stripped.is_empty() {
        headers.insert(HeaderName::from_static("x-forwarded-prefix"), value(stripped.as_bytes())?);
    }
    let mut request = http::Request::new(());
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = http::Version::HTTP_2;
    *request.headers_mut() = headers;
    Ok(request.into_parts().0)
}

fn value(bytes: &[u8]) -> Result<HeaderValue, UpstreamError> {
    HeaderValue::from_bytes(bytes).map_err(|_| UpstreamError::Unforwardable("a field holds a control character"))
}

/// A visitor's body, shared with hyper while it is on its way: so that it can be taken back, and its pauses be seen.
pub(super) struct Carried<B>(Rc<State<B>>);

struct State<B> {
    body: RefCell<Option<B>>,
    framing: RequestFraming,
    /// Bytes that may still come.
    left: Cell<u64>,
    /// When something last moved.
    moved: Cell<Instant>,
    /// Whether the next byte must come from the visitor, rather than be taken by the server.
    waits_for_visitor: Cell<bool>,
    meter: RefCell<Meter>,
    /// What was wrong with it.
    fault: RefCell<Option<UpstreamError>>,
    /// Counts the exchange until nothing more is sent of it.
    stream: Rc<Stream>,
    /// Whether any of it was asked for.
    begun: Cell<bool>,
    /// Whether any of it was taken.
    touched: Cell<bool>,
}

impl<B: Body<Data = Bytes> + Unpin + 'static> Carried<B> {
    pub(super) fn new(
        body: Option<B>,
        framing: RequestFraming,
        bounds: &Bounds,
        is_grpc: bool,
        stream: Rc<Stream>,
    ) -> Carried<B> {
        let left = if let RequestFraming::Length(length) = framing { length } else { bounds.max_request_body };
        let rate = if is_grpc { LeastRate::ANY } else { bounds.least_rate };
        Carried(Rc::new(State {
            body: RefCell::new(body),
            framing,
            left: Cell::new(left),
            moved: Cell::new(Instant::now()),
            waits_for_visitor: Cell::new(false),
            meter: RefCell::new(Meter::new(rate)),
            fault: RefCell::default(),
            stream,
            begun: Cell::new(false),
            touched: Cell::new(false),
        }))
    }

    pub(super) fn as_body(&self) -> Outgoing {
        Box::pin(Carried(self.0.clone()))
    }

    /// From now on it may come as slowly as it likes: the server has begun to answer, and the two may be talking.
    pub(super) fn at_ease(&self) {
        self.0.meter.borrow_mut().stop();
    }

    /// Whether any of it was taken, so that it cannot be sent again.
    pub(super) fn is_touched(&self) -> bool {
        self.0.touched.get()
    }

    /// Takes it back.
    pub(super) fn take(&self) -> Option<B> {
        self.0.body.take()
    }

    /// What was wrong with it, if that is why the exchange failed.
    pub(super) fn fault(&self) -> Option<UpstreamError> {
        self.0.fault.take()
    }

    /// When the exchange is given up if nothing moves until then, and what is said in that case.
    pub(super) fn deadline(&self, bounds: &Bounds, end: Option<Instant>, is_grpc: bool) -> (Instant, UpstreamError) {
        let moved = self.0.moved.get();
        let (at, error) = match self.0.body.borrow().is_some() {
            false => (moved + bounds.answer, UpstreamError::AnswerTimeout),
            // What is not said yet may wait for what the server says first, and the server for nothing else.
            true if is_grpc => (moved + bounds.answer, UpstreamError::AnswerTimeout),
            true if self.0.waits_for_visitor.get() => (moved + bounds.idle, UpstreamError::RequestBodyTimeout),
            true => (moved + bounds.idle, UpstreamError::IdleTimeout),
        };
        match end {
            Some(end) if end < at => (end, UpstreamError::TotalTimeout),
            _ => (at, error),
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> State<B> {
    fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        let mut body = self.body.borrow_mut();
        loop {
            let Some(open) = body.as_mut() else { return Poll::Ready(None) };
            self.waits_for_visitor.set(true);
            let frame = Pin::new(open).poll_frame(cx);
            if frame.is_pending() {
                self.meter.borrow_mut().waits();
            }
            let frame = ready!(frame);
            self.waits_for_visitor.set(false);
            self.touched.set(true);
            self.moved.set(Instant::now());
            let piece = match frame {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(_)) => return Poll::Ready(Some(Err(UpstreamError::RequestBody))),
                None => {
                    *body = None;
                    let short = matches!(self.framing, RequestFraming::Length(_)) && self.left.get() > 0;
                    return Poll::Ready(short.then_some(Err(UpstreamError::RequestBody)));
                }
            };
            // Trailers are dropped: a site that joins them with its headers could be lied to.
            if piece.is_empty() {
                continue;
            }
            if !self.meter.borrow_mut().moves(piece.len()) {
                return Poll::Ready(Some(Err(UpstreamError::RequestBodyTooSlow)));
            }
            let Some(left) = self.left.get().checked_sub(piece.len() as u64) else {
                return Poll::Ready(Some(Err(match self.framing {
                    RequestFraming::Chunked => UpstreamError::RequestTooLong,
                    RequestFraming::Length(_) | RequestFraming::None => UpstreamError::RequestBody,
                })));
            };
            self.left.set(left);
            return Poll::Ready(Some(Ok(piece)));
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Carried<B> {
    type Data = Bytes;
    /// RFC 9113 §8.1.1, §7: what breaks off here is cancelled there, whoever it was that broke it off.
    type Error = h2::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.0.begun.replace(true) {
            self.0.stream.begins();
        }
        Poll::Ready(match ready!(self.0.poll_data(cx)) {
            None => None,
            Some(Ok(piece)) => Some(Ok(Frame::data(piece))),
            Some(Err(error)) => {
                self.0.body.take();
                *self.0.fault.borrow_mut() = Some(error);
                Some(Err(h2::Reason::CANCEL.into()))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.body.borrow().is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (self.0.framing, self.is_end_stream()) {
            (_, true) => SizeHint::with_exact(0),
            (RequestFraming::Length(_), false) => SizeHint::with_exact(self.0.left.get()),
            (_, false) => SizeHint::default(),
        }
    }
}
