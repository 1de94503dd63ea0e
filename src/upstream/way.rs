//! A worker's way to one part of the site: which server is asked, and who is asked next where that one fails.
//!
//! A request goes out a second time only where that does no harm: where the server has seen none of it, or where it asks
//! for nothing to be done (RFC 9110 §9.2.1), has no body, and no byte of an answer came. At most one other server is asked,
//! and a [`budget`](super::budget) keeps retries from becoming a storm. A POST that a server may have seen is never sent
//! again.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http_body::Body;
use tokio::time::Instant;

use super::UpstreamError;
use super::balance::{Balancer, hash, least};
use super::body::UpstreamBody;
use super::budget::Budget;
use super::buffers;
use super::exchange::Exchange;
use super::forward::{self, Forward, RequestFraming};
use super::head::Asked;
use super::health::clock;
use super::http2::{self, Lane};
use super::pool::{Connection, Counts, Link, Pool};
use super::request::Request;
use super::routes::is_below;
use super::server::Busy;
use super::share::{Over, Share};
use super::sites::Part;

/// One worker's connections to one part of the site.
pub(super) struct Way {
    part: Arc<Part>,
    pools: Box<[Rc<Pool>]>,
    /// Where counting begins among equals.
    next: Cell<usize>,
    budget: Budget,
}

/// What is asked, whoever is asked.
struct Question<'a> {
    parts: &'a http::request::Parts,
    forward: Forward<'a>,
    framing: RequestFraming,
    websocket: bool,
    /// Whether asking twice does no harm.
    replayable: bool,
    /// What is taken off the path.
    stripped: &'a str,
    /// When all of it must be over.
    end: Option<Instant>,
}

/// How much of a request is still ours.
enum Content<B> {
    /// All of it.
    Whole(Option<B>),
    /// All of it, made ready to be sent.
    Unseen(Box<Request<B>>),
    /// A server may have seen some of it.
    Seen,
}

impl Way {
    pub(super) fn new(part: &Arc<Part>) -> Way {
        let pools = part.servers.iter().map(|server| Rc::new(Pool::new(server.clone(), part.keep_idle))).collect();
        Way { part: part.clone(), pools, next: Cell::new(0), budget: Budget::new() }
    }

    /// Passes a request on, if there is a way; see [`Upstream::send`](super::Upstream::send).
    #[expect(clippy::manual_async_fn, reason = "keeps what it is given once")]
    pub(super) fn send<B>(
        way: Option<&Way>,
        parts: &http::request::Parts,
        forward: Forward<'_>,
        body: Option<B>,
    ) -> impl Future<Output = Result<http::Response<UpstreamBody>, UpstreamError>>
    where
        B: Body<Data = Bytes> + Unpin + 'static,
    {
        async move {
            let way = way.ok_or(UpstreamError::NoRoute)?;
            let told = way.part.told_host.as_ref().map_or(forward.host, |host| host.as_bytes());
            let forward = Forward { host: told, ..forward };
            let body = body.filter(|body| !body.is_end_stream());
            let framing = RequestFraming::of(&parts.method, body.as_ref());
            if matches!(framing, RequestFraming::Length(length) if length > way.part.bounds.max_request_body) {
                return Err(UpstreamError::RequestTooLong);
            }
            let websocket = forward.websocket && forward::asks_for_websocket(parts, framing);
            let replayable =
                body.is_none() && !websocket && matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
            let end = way.part.bounds.total.map(|total| Instant::now() + total);
            let stripped =
                way.part.strip.as_deref().filter(|prefix| is_below(parts.uri.path(), prefix)).unwrap_or_default();
            let question = Question { parts, forward, framing, websocket, replayable, stripped, end };

            let mut content = Content::Whole(body);
            let mut may_move = way.pools.len() > 1;
            let mut server = if may_move { way.pick(&question, None).unwrap_or(0) } else { 0 };
            let mut fresh = false;
            loop {
                let pool = &way.pools[server];
                let share = share(pool, &question.forward)?;
                // A kept connection costs no waiting; whatever else there is to go over is found or made apart from this task's
                // own state, which is moved about and should be small.
                let kept = if fresh || pool.server.http2 { None } else { pool.take(replayable) };
                let link = match kept {
                    Some(connection) => Ok(Link::Http1(connection)),
                    None => Box::pin(way.link(pool, &question, &content, fresh)).await,
                };
                let has_asked = link.is_ok();
                let (error, reused) = match link {
                    Ok(Link::Http1(connection)) => {
                        let reused = connection.reused;
                        let exchange = way.exchange(pool, connection, &question, share)?;
                        let request = way.request(pool, &question, std::mem::replace(&mut content, Content::Seen))?;
                        let mut unseen = None;
                        let answer = exchange.run(request, &mut unseen).await;
                        if let Some(request) = unseen {
                            content = Content::Unseen(request);
                        }
                        match answer {
                            Ok(answer) => {
                                pool.server.health.succeeded();
                                return Ok(noted(pool, answer));
                            }
                            Err(error) => (error, reused),
                        }
                    }
                    Ok(Link::Http2(lane)) => {
                        let reused = lane.is_used();
                        match Box::pin(way.ask_by_http2(pool, lane, &question, &mut content, share)).await {
                            Ok(answer) => return Ok(noted(pool, answer)),
                            Err(error) => (error, reused),
                        }
                    }
                    Err(error) => (error, false),
                };
                let may_repeat = match content {
                    Content::Whole(_) | Content::Unseen(_) => error.is_of_one_server(),
                    // By one before this one; what was not even asked has seen nothing.
                    Content::Seen if !has_asked => replayable && error.is_of_one_server(),
                    Content::Seen => replayable && matches!(error, UpstreamError::Unanswered(_)),
                };
                // The server closed an idle connection in the very moment we used it: once more, over one that cannot be stale.
                if may_repeat && reused && !fresh {
                    pool.count_retry();
                    fresh = true;
                    continue;
                }
                if error.is_servers() {
                    pool.count_failure();
                    pool.server.failed();
                }
                let other = (may_repeat && may_move).then(|| way.pick(&question, Some(server))).flatten();
                match other.filter(|_| way.budget.spend()) {
                    Some(other) => {
                        tracing::debug!(%error, server = pool.server.name, "an upstream failed; another one is asked");
                        pool.count_retry();
                        (server, may_move, fresh) = (other, false, false);
                    }
                    None => {
                        if error.status().is_server_error() {
                            let (route, upstream, request_id) =
                                (&*way.part.name, &*pool.server.name, question.forward.request_id);
                            tracing::warn!(%error, route, upstream, %request_id, "the site did not answer");
                        }
                        return Err(error);
                    }
                }
            }
        }
    }

    /// What the exchange goes over, where no kept connection of HTTP/1.1 is at hand.
    async fn link<B: Body<Data = Bytes> + Unpin>(
        &self,
        pool: &Pool,
        question: &Question<'_>,
        content: &Content<B>,
        fresh: bool,
    ) -> Result<Link, UpstreamError> {
        // What was made ready for HTTP/1.1 and has taken some of the visitor's body can go no other way.
        let is_touched = matches!(content, Content::Unseen(request) if request.is_touched());
        if is_touched && !pool.server.speaks_http1() {
            return Err(UpstreamError::Unanswered(ErrorKind::ConnectionAborted));
        }
        let http1 = question.websocket && pool.server.speaks_http1() || is_touched;
        let deadline = Instant::now() + self.part.bounds.connect;
        let deadline = question.end.map_or(deadline, |end| deadline.min(end));
        pool.link(question.replayable, fresh, http1, deadline).await
    }

    #[inline]
    fn exchange<'a>(
        &'a self,
        pool: &'a Rc<Pool>,
        mut connection: Box<Connection>,
        question: &Question<'_>,
        mut share: Option<Share>,
    ) -> Result<Exchange<'a>, UpstreamError> {
        goes(&mut share, Over::Http1)?;
        connection.share = share;
        connection.deadline.end_at(question.end);
        connection.busy = self.busy(pool);
        let asked = Asked { by_head: question.parts.method == Method::HEAD, websocket: question.websocket };
        Ok(Exchange { connection, pool, bounds: &self.part.bounds, asked })
    }

    /// The request as HTTP/1.1 has it.
    #[inline]
    fn request<B: Body<Data = Bytes> + Unpin>(
        &self,
        pool: &Pool,
        question: &Question<'_>,
        content: Content<B>,
    ) -> Result<Request<B>, UpstreamError> {
        let body = match content {
            Content::Unseen(request) => return Ok(*request),
            Content::Whole(body) => body,
            Content::Seen => None,
        };
        let Question { parts, forward, framing, stripped, .. } = question;
        // HTTP/2 has no Upgrade: a WebSocket needs the older version, or goes on as an ordinary request.
        let websocket = question.websocket && pool.server.speaks_http1();
        let mut head = buffers::lend();
        forward::write_head(&mut head, parts, forward, *framing, websocket, stripped)?;
        Ok(Request::new(head, *framing, body, &self.part.bounds))
    }

    async fn ask_by_http2<B>(
        &self,
        pool: &Rc<Pool>,
        lane: Rc<Lane>,
        question: &Question<'_>,
        content: &mut Content<B>,
        mut share: Option<Share>,
    ) -> Result<http::Response<UpstreamBody>, UpstreamError>
    where
        B: Body<Data = Bytes> + Unpin + 'static,
    {
        goes(&mut share, lane.over())?;
        let body = match std::mem::replace(content, Content::Seen) {
            Content::Whole(body) => body,
            Content::Unseen(request) => request.into_body(),
            Content::Seen => None,
        };
        let Question { parts, forward, framing, stripped, end, .. } = question;
        let (framing, end, bounds) = (*framing, *end, &self.part.bounds);
        let counted = (self.busy(pool), share);
        match (http2::Exchange { lane, parts, forward, framing, stripped, bounds, end, counted }).run(body).await {
            Ok(answer) => {
                pool.server.health.succeeded();
                Ok(answer)
            }
            Err((error, unseen)) => {
                if let Some(body) = unseen {
                    *content = Content::Whole(body);
                }
                Err(error)
            }
        }
    }

    /// Counts an exchange, where there is a choice of servers.
    fn busy(&self, pool: &Pool) -> Option<Busy> {
        (self.pools.len() > 1).then(|| Busy::with(&pool.server))
    }

    /// The server for a request, not the one that has just failed it. One that is out is asked only where all are.
    fn pick(&self, question: &Question<'_>, not: Option<usize>) -> Option<usize> {
        if not.is_none() {
            self.budget.earn();
        }
        let now = clock();
        let is_up = |server: usize| Some(server) != not && self.pools[server].server.health.is_up(now);
        let is_other = |server: usize| Some(server) != not;
        match &self.part.balancer {
            Balancer::Least => {
                let first = self.next.get();
                self.next.set((first + 1) % self.pools.len());
                let load = |server: usize| self.pools[server].server.load();
                least(self.pools.len(), first, is_up, load).or_else(|| least(self.pools.len(), first, is_other, load))
            }
            Balancer::Ring { ring, header } => {
                let value = header.as_ref().and_then(|header| question.parts.headers.get(header));
                let key = value.map_or_else(|| question.forward.client.bucket(), |value| hash(value.as_bytes()));
                ring.owner(key, is_up).or_else(|| ring.owner(key, is_other))
            }
        }
    }

    pub(super) fn sweep(&self) {
        self.pools.iter().for_each(|pool| pool.sweep());
    }

    pub(super) fn counts(&self) -> Counts {
        self.pools.iter().fold(Counts::default(), |sum, pool| sum + pool.counts())
    }

    /// Idle connections.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.pools.iter().map(|pool| pool.kept()).sum()
    }

    /// Whether the connection that would be taken next looks sound.
    #[cfg(test)]
    pub(super) fn looks_quiet(&self) -> bool {
        self.pools[0].looks_quiet()
    }
}

/// What the address that asks will have of a server by one exchange more, where it is one visitor's.
#[inline]
fn share(pool: &Pool, forward: &Forward<'_>) -> Result<Option<Share>, UpstreamError> {
    if !forward.has_share {
        return Ok(None);
    }
    pool.share(forward.client.bucket()).map(Some).ok_or(UpstreamError::HasHalf)
}

/// The answer, which is a failure where the server says so itself: no reason to ask another one, and one to look at this one.
#[inline]
fn noted(pool: &Pool, answer: http::Response<UpstreamBody>) -> http::Response<UpstreamBody> {
    if answer.status().is_server_error() {
        pool.count_failure();
    }
    answer
}

/// The way of an exchange is known.
#[inline]
fn goes(share: &mut Option<Share>, over: Over) -> Result<(), UpstreamError> {
    share.as_mut().is_none_or(|share| share.goes(over)).then_some(()).ok_or(UpstreamError::HasHalf)
}
