//! One request and the head of its answer, over one connection.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body;
use tokio::time::Instant;

use super::body::UpstreamBody;
use super::buffers::Lent;
use super::head::{self, Asked, Framing, Head, Parsed};
use super::pool::{self, Connection, Pool};
use super::request::{Request, Unsent};
use super::tunnel::Tunnel;
use super::wire::Wire;
use super::{Bounds, UpstreamError};

/// The most interim answers (1xx) before the final one.
const MAX_INTERIM: u32 = 32;

/// What one exchange needs.
pub(super) struct Exchange<'a> {
    pub(super) connection: Box<Connection>,
    pub(super) pool: &'a Rc<Pool>,
    pub(super) bounds: &'a Bounds,
    pub(super) asked: Asked,
}

impl Exchange<'_> {
    /// Sends the request and returns the answer once its head is there. A site may answer before it has the whole
    /// request; what is left is then sent while the answer streams. A request of which the site has seen nothing is left in
    /// `unseen`.
    #[expect(clippy::manual_async_fn, reason = "keeps what it is given once")]
    pub(super) fn run<B>(
        mut self,
        mut request: Request<B>,
        unseen: &mut Option<Box<Request<B>>>,
    ) -> impl Future<Output = Result<http::Response<UpstreamBody>, UpstreamError>>
    where
        B: Body<Data = Bytes> + Unpin + 'static,
    {
        async move {
            let mut sending = Sending::Goes;
            let mut reader = HeadReader { buffer: None, interim: 0, asked: self.asked };
            let mut begun = Some(self.connection.begun);
            let head = poll_fn(|cx| {
                let mut now = || begun.take().unwrap_or_else(Instant::now);
                let Connection { wire, deadline, .. } = &mut *self.connection;
                if let Sending::Goes = sending {
                    match request.poll_send(cx, wire) {
                        Poll::Ready(Ok(())) => {
                            sending = Sending::Done;
                            deadline.restart(now(), self.bounds.answer);
                        }
                        // A site that takes no more may have said why before it stopped listening.
                        Poll::Ready(Err(error @ UpstreamError::Unanswered(_))) => {
                            sending = Sending::Failed(error);
                            deadline.restart(now(), self.bounds.answer);
                        }
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Pending if request.progressed() => deadline.restart(now(), self.bounds.idle),
                        Poll::Pending => {}
                    }
                }
                match reader.poll_head(cx, wire) {
                    Poll::Ready(Ok(head)) => return Poll::Ready(Ok(head)),
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Err(match std::mem::replace(&mut sending, Sending::Done) {
                            Sending::Failed(first) => first,
                            Sending::Goes | Sending::Done => error,
                        }));
                    }
                    Poll::Pending => {}
                }
                ready!(deadline.poll_over(cx));
                if deadline.is_past_end() {
                    return Poll::Ready(Err(UpstreamError::TotalTimeout));
                }
                Poll::Ready(Err(match sending {
                    Sending::Goes if request.waits_for_visitor() => UpstreamError::RequestBodyTimeout,
                    Sending::Goes => UpstreamError::IdleTimeout,
                    Sending::Done | Sending::Failed(_) => UpstreamError::AnswerTimeout,
                }))
            })
            .await;
            let head = match head {
                Ok(head) => head,
                Err(error) => {
                    if !request.is_written() && matches!(error, UpstreamError::Unanswered(_)) {
                        *unseen = Some(Box::new(request));
                    }
                    return Err(error);
                }
            };
            let unsent: Option<Box<dyn Unsent>> = match sending {
                Sending::Goes => Some(Box::new(request.at_ease())),
                Sending::Done | Sending::Failed(_) => None,
            };
            let sent = matches!(sending, Sending::Done);
            Ok(self.answer(head, reader.buffer, unsent, sent))
        }
    }

    /// Joins head and body.
    fn answer(
        self,
        head: Head,
        buffer: Option<Lent>,
        unsent: Option<Box<dyn Unsent>>,
        sent: bool,
    ) -> http::Response<UpstreamBody> {
        let Exchange { mut connection, pool, bounds, asked } = self;
        if let Some(seconds) = head.keep_alive_seconds {
            connection.site_keeps_it(seconds, pool);
        }
        connection.doubtful = head.doubtful;
        let reusable = head.keep_alive && sent && !asked.websocket;
        let body = match head.framing {
            Framing::Switched => {
                let early = buffer.map_or_else(Bytes::new, |mut buffer| buffer.split().freeze());
                UpstreamBody::switched(Tunnel::new(early, connection.wire, connection.place, connection.share))
            }
            Framing::Empty => {
                pool::finish(pool, connection, reusable, buffer.map_or(0, |buffer| buffer.len()));
                UpstreamBody::empty()
            }
            framing => {
                let idle = (!head.event_stream).then_some(bounds.idle);
                UpstreamBody::streaming(framing, connection, buffer, unsent, pool, reusable, idle)
            }
        };
        let mut response = http::Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }
}

/// How far the request is.
enum Sending {
    Goes,
    Done,
    Failed(UpstreamError),
}

/// Reads up to the end of the final answer's head; what was read beyond stays in the buffer.
struct HeadReader {
    buffer: Option<Lent>,
    interim: u32,
    asked: Asked,
}

impl HeadReader {
    fn poll_head(&mut self, cx: &mut Context<'_>, wire: &mut Wire) -> Poll<Result<Head, UpstreamError>> {
        loop {
            let before = self.buffer.as_ref().map_or(0, |buffer| buffer.len());
            match ready!(wire.poll_fill(cx, &mut self.buffer)) {
                Ok(0) => return Poll::Ready(Err(self.broken(ErrorKind::UnexpectedEof))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(self.broken(error.kind()))),
            }
            let Some(buffer) = &mut self.buffer else { continue };
            // Parsing begins at the beginning each time; a head that comes byte by byte is parsed once a line.
            if before > 0 && buffer.len() < head::MAX_HEAD && memchr::memchr(b'\n', &buffer[before..]).is_none() {
                continue;
            }
            loop {
                match head::parse(buffer, self.asked)? {
                    Parsed::Answer(head) => return Poll::Ready(Ok(head)),
                    Parsed::Interim if self.interim == MAX_INTERIM => {
                        return Poll::Ready(Err(UpstreamError::BadHead("it is preceded by too many interim answers")));
                    }
                    Parsed::Interim => self.interim += 1,
                    Parsed::Partial => break,
                }
            }
            if buffer.is_empty() {
                // Nothing but interim answers: wait without a buffer.
                self.buffer = None;
            }
        }
    }

    fn broken(&self, kind: ErrorKind) -> UpstreamError {
        if self.buffer.as_ref().is_none_or(|buffer| buffer.is_empty()) && self.interim == 0 {
            UpstreamError::Unanswered(kind)
        } else {
            UpstreamError::Truncated(kind)
        }
    }
}
