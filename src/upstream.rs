//! Connections to the site behind the gateway, and requests passed on over them.
//!
//! One [`Upstream`] belongs to one worker thread and shares nothing with the others: its pool, its connections and its
//! buffers are `!Send` on purpose. [`front`](crate::front) calls [`Upstream::send`] with a request whose cookies have been
//! filtered already, and passes the answer on.
//!
//! This room never decides who may see what, never reads a body, never logs, and never puts more on the wire than
//! [`forward`] allows: what a visitor sent is written anew field by field, nothing is copied raw.
//!
//! Nothing runs by itself: a worker calls [`Upstream::sweep`] once a second, all else happens in the request's own task.
//!
//! The way of one request: [`pool`] lends a connection, [`forward`] writes the head, `exchange` sends it (and the body) and
//! waits for the answer, `head` reads and judges the answer's head, [`body`] streams the rest and gives the connection back
//! with its last byte. What speaks HTTP/1.1 is below `send`; another protocol, or several sites, go beside it and leave the
//! callers as they are.

pub mod body;
mod buffers;
mod chunked;
mod error;
mod exchange;
pub mod forward;
mod head;
pub mod pool;
mod request;
mod tls;
mod tunnel;
mod wire;

#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body::Body;

pub use body::UpstreamBody;
pub use error::{UpstreamError, UpstreamSetupError};
pub use forward::{Forward, Overrides, Scheme};
pub use pool::{Counts, Deadline};
pub use tunnel::Tunnel;

use exchange::Exchange;
use forward::RequestFraming;
use head::Asked;
use pool::{Origin, Pool};
use request::Request;

/// Where the site is.
#[derive(Clone, Debug)]
pub struct Address {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// A name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// How long things may take, and how much may be sent.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// For name lookup, connecting and the TLS handshake together.
    pub connect: Duration,
    /// From the end of the request to the end of the answer's head.
    pub answer: Duration,
    /// For a pause within a body, in either direction.
    pub idle: Duration,
    /// The longest request body, in bytes.
    pub max_request_body: u64,
}

/// A worker's way to the site.
pub struct Upstream {
    pool: Rc<Pool>,
    bounds: Bounds,
}

impl Upstream {
    /// For one worker; connects to nothing yet. With TLS it reads the system's root certificates.
    pub fn new(site: Address, bounds: Bounds) -> Result<Upstream, UpstreamSetupError> {
        let tls = if site.tls { Some(tls::Handshake::with_system_roots(&site.host)?) } else { None };
        Ok(Upstream::with(Origin { host: site.host, port: site.port, tls }, bounds))
    }

    fn with(origin: Origin, bounds: Bounds) -> Upstream {
        Upstream { pool: Rc::new(Pool::new(origin, bounds.connect)), bounds }
    }

    /// Passes a request on and returns the answer as soon as its head is there; the body streams after it.
    ///
    /// Dropping the future, or the answer's body before its end, closes the connection. `body` may be an empty one: what
    /// counts is [`Body::is_end_stream`].
    pub async fn send<B>(
        &self,
        parts: &http::request::Parts,
        forward: Forward<'_>,
        body: Option<B>,
    ) -> Result<http::Response<UpstreamBody>, UpstreamError>
    where
        B: Body<Data = Bytes> + Unpin + 'static,
    {
        let mut body = body.filter(|body| !body.is_end_stream());
        let framing = RequestFraming::of(&parts.method, body.as_ref());
        if matches!(framing, RequestFraming::Length(length) if length > self.bounds.max_request_body) {
            return Err(UpstreamError::RequestTooLong);
        }
        let websocket = forward.websocket && forward::asks_for_websocket(parts, framing);
        let replayable =
            body.is_none() && !websocket && matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);

        let mut connection = match self.pool.take(replayable) {
            Some(connection) => connection,
            None => self.pool.connect().await?,
        };
        loop {
            let reused = connection.reused;
            let mut head = buffers::lend();
            forward::write_head(&mut head, parts, &forward, framing, websocket)?;
            let request = Request::new(head, framing, body.take(), self.bounds.max_request_body);
            let exchange = Exchange {
                connection,
                pool: &self.pool,
                bounds: &self.bounds,
                asked: Asked { by_head: parts.method == Method::HEAD, websocket },
            };
            match exchange.run(request).await {
                // The site closed an idle connection in the very moment we used it. Nothing was answered and asking
                // twice does no harm (RFC 9110 §9.2.2): once more, over a connection that cannot be stale.
                Err(UpstreamError::Unanswered(_)) if reused && replayable => {
                    self.pool.count_retry();
                    connection = self.pool.connect().await?;
                }
                answer => return answer,
            }
        }
    }

    /// Closes connections that have been idle for too long; for a worker to call once a second.
    ///
    /// Such a tick is worth having for its own sake: with a timer always near, the runtime need not write to its own wake-up
    /// descriptor (a system call) each time a later one is set, as hyper does for every request's head.
    pub fn sweep(&self) {
        self.pool.sweep();
    }

    /// What the pool has done so far, for the metrics.
    pub fn counts(&self) -> Counts {
        self.pool.counts()
    }
}
