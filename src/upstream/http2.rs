//! HTTP/2 to a server, by hyper's client: many exchanges over one connection, in which trailers and both bodies flow at once.
//!
//! The rules are those of HTTP/1.1: what is passed on, what may be sent again, how long things may take. gRPC alone gets its
//! trailers through; from everything else they are dropped, as they are below HTTP/1.1.

mod answer;
mod lane;
mod request;
mod socket;

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http_body::Body;
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{Instant, sleep_until};

pub(super) use answer::Http2Body;
pub(super) use lane::{Lane, Lanes};

use super::forward::{Forward, RequestFraming};
use super::server::Busy;
use super::settings::Bounds;
use super::share::Share;
use super::wire::Wire;
use super::{UpstreamBody, UpstreamError};
use request::Carried;
#[cfg(test)]
pub(super) use request::head as request_head;

/// One exchange.
pub(super) struct Exchange<'a> {
    pub(super) lane: Rc<Lane>,
    pub(super) parts: &'a http::request::Parts,
    pub(super) forward: &'a Forward<'a>,
    pub(super) framing: RequestFraming,
    pub(super) stripped: &'a str,
    pub(super) bounds: &'a Bounds,
    pub(super) end: Option<Instant>,
    /// What counts it until it has ended.
    pub(super) counted: (Option<Busy>, Option<Share>),
}

impl Exchange<'_> {
    /// Sends the request and returns the answer once its head is there. After an error the body is still whole where the
    /// server has seen nothing of the request.
    pub(super) async fn run<B>(
        self,
        body: Option<B>,
    ) -> Result<http::Response<UpstreamBody>, (UpstreamError, Option<Option<B>>)>
    where
        B: Body<Data = Bytes> + Unpin + 'static,
    {
        let scheme = self.lane.scheme();
        let head = match request::head(self.parts, self.forward, self.framing, self.stripped, scheme) {
            Ok(head) => head,
            Err(error) => return Err((error, Some(body))),
        };
        let is_grpc = request::is_grpc(&self.parts.headers);
        let stream = Rc::new(self.lane.stream(self.counted));
        let carried = Carried::new(body, self.framing, self.bounds, is_grpc, stream.clone());
        let mut sender = self.lane.sender();
        let answer = sender.try_send_request(http::Request::from_parts(head, carried.as_body()));
        let mut answer = pin!(answer);
        let mut timer = pin!(sleep_until(Instant::now()));
        let answer = poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(Ok(answer));
            }
            loop {
                let (at, error) = carried.deadline(self.bounds, self.end, is_grpc);
                if Instant::now() >= at {
                    return Poll::Ready(Err(error));
                }
                // A timer that fires too early only asks again.
                if timer.deadline() != at {
                    timer.as_mut().reset(at);
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await;
        match answer {
            Ok(Ok(answer)) => {
                carried.at_ease();
                Ok(answer::of(answer, stream, self.bounds.idle, self.end, is_grpc))
            }
            Ok(Err(mut failed)) => {
                let is_unseen = failed.take_message().is_some() || is_refused(failed.error()) && !carried.is_touched();
                let unseen = is_unseen.then(|| carried.take());
                let error = match carried.fault() {
                    Some(fault) => fault,
                    None if is_malformed(failed.error()) => UpstreamError::BadHead("it is none of HTTP/2"),
                    None => UpstreamError::Unanswered(kind(failed.error())),
                };
                Err((error, unseen))
            }
            Err(error) => Err((error, None)),
        }
    }
}

/// Asks for `path` over a new connection and returns the status.
pub(super) async fn probe(wire: Wire, host: &str, path: &str) -> Result<u16, String> {
    let said = |error: hyper::Error| error.to_string();
    let tls = matches!(wire, Wire::Tls(_));
    let uri = format!("{}://{host}{path}", if tls { "https" } else { "http" });
    let request = http::Request::get(uri).header("user-agent", "consentry-health").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let greeted = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(wire)).await;
    let (mut sender, connection) = greeted.map_err(said)?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    connection.abort();
    answer.map(|answer| answer.status().as_u16()).map_err(said)
}

/// Why the server has reset a stream, where that is what happened.
fn reset(error: &hyper::Error) -> Option<h2::Reason> {
    let error = of_h2(error)?;
    error.reason().filter(|_| error.is_reset() && error.is_remote())
}

fn of_h2(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

/// Whether the server said that it has done nothing for a request (RFC 9113 §6.8, §8.7): it refused the stream, or ended the
/// connection before it.
fn is_refused(error: &hyper::Error) -> bool {
    of_h2(error).is_some_and(|error| {
        error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// Whether an answer came, and it was none: the stream was reset by us.
fn is_malformed(error: &hyper::Error) -> bool {
    of_h2(error).is_some_and(|error| error.is_reset() && !error.is_remote())
}

/// The kind of a connection's end, as far as hyper tells.
fn kind(error: &hyper::Error) -> ErrorKind {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return io.kind();
        }
        source = inner.source();
    }
    if error.is_timeout() { ErrorKind::TimedOut } else { ErrorKind::ConnectionAborted }
}
