//! Connections to the site behind the gateway, and requests passed on over them.
//!
//! One [`Upstream`] belongs to one worker thread: its pools, its connections and its buffers are `!Send` on purpose. [`front`](crate::front) calls [`Upstream::send`] with a request whose cookies have been
//! filtered already, and passes the answer on.
//!
//! This room never decides who may see what, never reads a body, never logs, and never puts more on the wire than
//! [`forward`] allows: what a visitor sent is written anew field by field, nothing is copied raw.
//!
//! Nothing runs by itself: a worker calls [`Upstream::sweep`] once a second, one task of the process runs [`Sites::tend`],
//! all else happens in the request's own task; HTTP/2 connections alone have tasks of their own, on the worker's thread.
//!
//! The way of one request: `routes` finds the part of the site it is for, `way` the server that is asked (and the one that is
//! asked next), [`pool`] lends a connection, [`forward`] writes the head, `exchange` sends it (and the body) and waits for
//! the answer, `head` reads and judges the answer's head, [`body`] streams the rest and gives the connection back with its
//! last byte. What all workers know of the site together, above all which servers are well, is in [`Sites`].

mod balance;
pub mod body;
mod budget;
mod buffers;
mod chunked;
mod deadline;
mod error;
mod error_pages;
mod exchange;
mod figures;
pub mod forward;
mod head;
pub mod health;
mod http2;
mod names;
mod places;
pub mod pool;
mod request;
mod request_id;
mod routes;
mod server;
pub mod settings;
mod share;
mod sites;
mod tend;
mod tls;
mod tunnel;
mod way;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http_body::Body;

pub use body::UpstreamBody;
pub use buffers::Waiting;
pub use deadline::Deadline;
pub use error::{UpstreamError, UpstreamSetupError};
pub use figures::Figures;
pub use forward::{Forward, Overrides, Scheme};
pub use pool::Counts;
pub use request_id::{REQUEST_ID, RequestId};
pub use settings::{Address, Bounds, Most, Settings};
pub use sites::Sites;
pub use tunnel::Tunnel;

use way::Way;

/// A worker's way to the site.
pub struct Upstream {
    sites: Arc<Sites>,
    ways: Box<[Way]>,
    max_request_body: u64,
}

impl Upstream {
    /// For one worker; connects to nothing yet.
    pub fn new(sites: Arc<Sites>) -> Upstream {
        let ways = sites.parts.iter().map(Way::new).collect();
        let max_request_body = sites.parts.iter().map(|part| part.bounds.max_request_body).max().unwrap_or_default();
        Upstream { sites, ways, max_request_body }
    }

    /// Passes a request on and returns the answer as soon as its head is there; the body streams after it.
    ///
    /// Dropping the future, or the answer's body before its end, closes the connection. `body` may be an empty one: what
    /// counts is [`Body::is_end_stream`].
    pub fn send<B>(
        &self,
        parts: &http::request::Parts,
        forward: Forward<'_>,
        body: Option<B>,
    ) -> impl Future<Output = Result<http::Response<UpstreamBody>, UpstreamError>>
    where
        B: Body<Data = Bytes> + Unpin + 'static,
    {
        let way = self.sites.routes.choose(forward.host, parts.uri.path()).map(|place| &self.ways[place]);
        Way::send(way, parts, forward, body)
    }

    /// The operator's own page for a status, where there is one.
    pub fn error_page(&self, status: StatusCode, request_id: &RequestId) -> Option<Bytes> {
        self.sites.error_pages.page(status, request_id)
    }

    /// The most bytes that any part of the site takes in a request's body.
    pub fn max_request_body(&self) -> u64 {
        self.max_request_body
    }

    /// Whether so few connections to the site may be made beside those there are that nobody should hold one without use.
    pub fn is_scarce(&self) -> bool {
        self.sites.parts.iter().flat_map(|part| &part.servers).any(|server| server.places.are_scarce())
    }

    /// Closes connections that have been idle for too long; for a worker to call once a second.
    ///
    /// Such a tick is worth having for its own sake: with a timer always near, the runtime need not write to its own wake-up
    /// descriptor (a system call) each time a later one is set, as hyper does for every request's head.
    pub fn sweep(&self) {
        self.ways.iter().for_each(Way::sweep);
    }

    /// Idle connections.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.ways.iter().map(Way::kept).sum()
    }

    /// Whether the connection that would be taken next looks sound.
    #[cfg(test)]
    fn looks_quiet(&self) -> bool {
        self.ways[0].looks_quiet()
    }

    /// What the pools have done so far, for the metrics.
    pub fn counts(&self) -> Counts {
        self.ways.iter().fold(Counts::default(), |sum, way| sum + way.counts())
    }
}
