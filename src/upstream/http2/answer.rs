//! An answer that came by HTTP/2.

use std::io::ErrorKind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::super::deadline::Deadline;
use super::super::{UpstreamBody, UpstreamError, head};
use super::lane::Stream;
use super::request;

/// Its body, and for gRPC the trailers after it. Once it is dropped nothing more of the request is sent either.
pub(in super::super) struct Http2Body {
    incoming: Incoming,
    /// Counts the exchange.
    stream: Rc<Stream>,
    deadline: Deadline,
    /// How long the server may pause; `None` for ever.
    idle: Option<Duration>,
    paused: bool,
    trailers: bool,
}

/// The answer for the visitor; what belongs to the server's connection ends here.
pub(super) fn of(
    answer: Response<Incoming>,
    stream: Rc<Stream>,
    idle: Duration,
    end: Option<Instant>,
    is_grpc: bool,
) -> Response<UpstreamBody> {
    let (parts, incoming) = answer.into_parts();
    let mut headers = parts.headers;
    for name in [header::TRAILER, header::TE, header::PROXY_AUTHENTICATE] {
        headers.remove(name);
    }
    if matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        headers.remove(header::CONTENT_LENGTH);
    }
    // Whoever asks may call anything gRPC; the server says what it is.
    let may_be_silent = is_grpc && request::is_grpc(&headers) || is_event_stream(&headers);
    let idle = (!may_be_silent).then_some(idle);
    let mut deadline = Deadline::over();
    deadline.end_at(end);
    let body = Http2Body { incoming, stream, deadline, idle, paused: false, trailers: is_grpc };
    let mut response = Response::new(UpstreamBody::http2(body));
    *response.status_mut() = parts.status;
    *response.headers_mut() = headers;
    response
}

/// What has no place in trailers (RFC 9110 §6.5.1), above all cookies: those of the head alone are looked at.
fn leave_out(trailers: &mut HeaderMap) {
    const OF_THE_HEAD: [header::HeaderName; 12] = [
        header::SET_COOKIE,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::CONTENT_RANGE,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::TRAILER,
        header::CACHE_CONTROL,
        header::LINK,
        header::LOCATION,
        header::HOST,
    ];
    for name in OF_THE_HEAD {
        trailers.remove(name);
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| head::is_event_stream(value.as_bytes()))
}

impl Http2Body {
    pub(in super::super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        if self.deadline.is_past_end() {
            return Poll::Ready(Some(Err(UpstreamError::TotalTimeout)));
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() && !self.trailers => Poll::Ready(None),
            Poll::Ready(Some(Ok(mut frame))) => {
                self.paused = false;
                if let Some(trailers) = frame.trailers_mut() {
                    leave_out(trailers);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                if let Some(reason) = super::reset(&error).filter(|_| self.trailers) {
                    return Poll::Ready(Some(Err(UpstreamError::Reset(reason.into()))));
                }
                let kind = match super::kind(&error) {
                    ErrorKind::TimedOut => return Poll::Ready(Some(Err(UpstreamError::IdleTimeout))),
                    kind => kind,
                };
                Poll::Ready(Some(Err(UpstreamError::Truncated(kind))))
            }
            // To hyper a reset for no error, and the end of a connection for none, is an end. Half an answer is not a whole one.
            Poll::Ready(None) if !self.incoming.is_end_stream() => {
                Poll::Ready(Some(Err(UpstreamError::Truncated(ErrorKind::ConnectionReset))))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                ready!(self.deadline.poll_pause(cx, self.idle, &mut self.paused));
                Poll::Ready(Some(Err(self.deadline.pause_error())))
            }
        }
    }

    pub(in super::super) fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    pub(in super::super) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Http2Body {
    fn drop(&mut self) {
        self.stream.ends();
    }
}
