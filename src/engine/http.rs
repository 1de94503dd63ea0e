//! ClickHouse's HTTP interface over the embedded engine: a request's head becomes a [`Job`], the job's first words become
//! an answer's head, and bodies are passed through in both directions. Good enough for the `clickhouse` crate and for
//! reading tools. Called by [`super::serve`].
//!
//! Kept as the server has it: `/`, `/ping` and `/replicas_status`; the statement in `?query=`, in the body, or begun in one
//! and ended in the other; settings and `param_x` in the URL or in a form; `database`, `default_format`, `query_id`; GET reads
//! only; `compress`, `decompress` and `Accept-Encoding: lz4`; status and `X-ClickHouse-Exception-Code` of an exception; an
//! exception in the middle of a result (`X-ClickHouse-Exception-Tag`). Different: there is one user, `default`, without a
//! password; `session_id` is accepted and begins no session; `role` and external tables are refused; one statement a request.

mod answer;
mod flushed;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::blocks::Packing;
use super::exception::Exception;
use super::ffi::{Engine, Summary};
use super::format::content_type;
use super::multipart;
use super::run::{self, Access, Job};

pub use answer::AnswerBody;
use answer::{EndWhenDropped, State};
pub use flushed::{Flushed, Watched};

/// How long a request waits for its turn before it is told that the engine is busy.
const TURN: Duration = Duration::from_secs(30);

/// How long a client may pause within a body.
const BODY_PAUSE: Duration = Duration::from_secs(60);

/// How much of a body is read and dropped after an early answer, so that the client reads the answer instead of a reset.
const DRAINED_BYTES: usize = 64 << 20;

/// Pieces on their way between a connection and the thread that waits for ClickHouse.
const PIECES: usize = 4;

/// One listener's view of the engine.
pub struct Interface {
    /// The engine.
    pub engine: Engine,
    /// What requests may do here.
    pub access: Access,
    /// Statements at once; each listener has its own, so that reading tools cannot keep the gateway's batches waiting.
    pub turns: Arc<Semaphore>,
    /// The engine's time zone, for `X-ClickHouse-Timezone`.
    pub time_zone: HeaderValue,
}

/// Answers one request. Never fails: whatever goes wrong is an answer.
pub async fn answer(
    interface: Arc<Interface>,
    flushed: Flushed,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let path = request.uri().path();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    Ok(match (reads, path) {
        (true, "/ping" | "/replicas_status") => fixed(StatusCode::OK, "Ok.\n"),
        (true, "/") if request.uri().query().is_none_or(str::is_empty) => fixed(StatusCode::OK, "Ok.\n"),
        (_, "/" | "/query") if reads || request.method() == Method::POST => {
            run_statement(&interface, flushed, request).await
        }
        (_, "/" | "/query") => fixed(StatusCode::METHOD_NOT_ALLOWED, "Use GET to read and POST for everything.\n"),
        _ => fixed(
            StatusCode::NOT_FOUND,
            "There is no handle for this path. Use / or /ping, or send a statement to /.\n",
        ),
    })
}

async fn run_statement(
    interface: &Arc<Interface>,
    flushed: Flushed,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let (parts, body) = request.into_parts();
    let asked = match read_head(&parts, interface.access) {
        Ok(asked) => asked,
        Err(exception) => return failed(&exception, ""),
    };
    let (mark, tag) = (asked.job.mark.clone(), asked.job.tag.clone());
    let Ok(Ok(turn)) = tokio::time::timeout(TURN, Arc::clone(&interface.turns).acquire_owned()).await else {
        let busy = Exception::new(202, "TOO_MANY_SIMULTANEOUS_QUERIES", "The embedded engine is busy. Try again later");
        return failed(&busy, &mark);
    };

    let (body_sender, body_receiver) = mpsc::channel(PIECES);
    tokio::spawn(pump(body, body_sender));
    let (head_sender, head_receiver) = oneshot::channel();
    let (piece_sender, piece_receiver) = mpsc::channel(PIECES);
    let (engine, job, packing) = (interface.engine.clone(), asked.job, asked.packing);
    let content_encoding = matches!(packing, Packing::Frame(_)).then(|| HeaderValue::from_static("lz4"));
    tokio::task::spawn_blocking(move || {
        run::run(&engine, job, body_receiver, packing, head_sender, &piece_sender);
        drop(turn);
    });

    // When the client goes away before the head is there, hyper drops this future here.
    let mut waiting = EndWhenDropped { engine: Some(interface.engine.clone()), mark: mark.clone() };
    let head = match head_receiver.await {
        Ok(Ok(head)) => head,
        Ok(Err(exception)) => {
            waiting.engine = None;
            return failed(&exception, &mark);
        }
        // The thread panicked: its senders are gone without a word.
        Err(_) => {
            waiting.engine = None;
            return failed(&Exception::new(49, "LOGICAL_ERROR", "The embedded engine failed at this statement"), &mark);
        }
    };

    let answer_body = AnswerBody::Pieces { pieces: piece_receiver, state: State::Open, waiting, flushed };
    let mut response = Response::new(answer_body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(&head.format)));
    insert_text(headers, "x-clickhouse-format", &head.format);
    insert_text(headers, "x-clickhouse-query-id", &mark);
    insert_text(headers, "x-clickhouse-exception-tag", &tag);
    insert_text(headers, "x-clickhouse-summary", &summary_json(&head.summary));
    headers.insert(HeaderName::from_static("x-clickhouse-timezone"), interface.time_zone.clone());
    if let Some(encoding) = content_encoding {
        headers.insert(CONTENT_ENCODING, encoding);
    }
    response
}

/// A request's head, understood.
struct Asked {
    job: Job,
    packing: Packing,
}

fn read_head(parts: &http::request::Parts, access: Access) -> Result<Asked, Exception> {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let mut job = Job { access, tag: exception_tag(), ..Job::default() };
    if parts.method != Method::POST && access == Access::Full {
        job.access = Access::Read;
    }
    job.default_format = text("x-clickhouse-format").map(str::to_owned);
    job.database = text("x-clickhouse-database").map(str::to_owned);
    let (mut user, mut compress, mut query_id) = (text("x-clickhouse-user").map(str::to_owned), false, None);
    if user.is_none() {
        user = text(AUTHORIZATION.as_str()).and_then(basic_user);
    }

    for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "query" => job.query = value.into_owned(),
            "database" => job.database = Some(value.into_owned()).filter(|database| !database.is_empty()),
            "default_format" => job.default_format = Some(value.into_owned()),
            "query_id" => query_id = Some(value.into_owned()),
            "compress" => compress = is_on(&value),
            "decompress" => job.unpack_body = is_on(&value),
            "user" => user = Some(value.into_owned()),
            "role" => {
                return Err(Exception::new(511, "UNKNOWN_ROLE", "The embedded engine has no roles; leave out `role`"));
            }
            "password"
            | "quota_key"
            | "stacktrace"
            | "buffer_size"
            | "wait_end_of_query"
            | "session_id"
            | "session_timeout"
            | "session_check"
            | "close_session"
            | "client_protocol_version" => {}
            other => match other.strip_prefix("param_") {
                Some(parameter) => job.parameters.push((parameter.to_owned(), value.into_owned())),
                None => job.settings.push((other.to_owned(), value.into_owned())),
            },
        }
    }
    if user.is_some_and(|user| !user.is_empty() && user != "default") {
        let text = "The embedded engine has one user, `default`, without a password";
        return Err(Exception::new(516, "AUTHENTICATION_FAILED", text));
    }
    if let Some(encoding) = text(CONTENT_ENCODING.as_str()).filter(|encoding| *encoding != "identity") {
        let text =
            format!("Unknown compression method: {encoding}. Send the body plain or in blocks with decompress=1");
        return Err(Exception::new(89, "UNKNOWN_COMPRESSION_METHOD", &text));
    }
    if let Some(boundary) = text(CONTENT_TYPE.as_str()).and_then(multipart::boundary) {
        let boundary = boundary.map_err(|error| Exception::new(36, "BAD_ARGUMENTS", &error.to_string()))?;
        job.form = Some(boundary.to_owned());
    }
    job.mark = query_id.filter(|id| is_plain_id(id)).unwrap_or_else(random_id);

    let packing = if compress {
        Packing::Blocks
    } else if text(ACCEPT_ENCODING.as_str()).is_some_and(takes_lz4) {
        Packing::frame()
    } else {
        Packing::Plain
    };
    Ok(Asked { job, packing })
}

fn is_on(value: &str) -> bool {
    !matches!(value, "" | "0" | "false")
}

fn takes_lz4(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("lz4") && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

/// The user of `Authorization: Basic`.
fn basic_user(authorization: &str) -> Option<String> {
    use base64::Engine as _;
    let (scheme, encoded) = authorization.split_once(' ')?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let user = String::from_utf8(decoded).ok()?;
    scheme.eq_ignore_ascii_case("basic").then(|| user.split(':').next().unwrap_or_default().to_owned())
}

/// The id goes into a setting and a header as it is.
fn is_plain_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

fn random_id() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("the system's random source is always there");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Sixteen random letters that no result contains by chance.
fn exception_tag() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("the system's random source is always there");
    bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect()
}

fn insert_text(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn summary_json(summary: &Summary) -> String {
    format!(
        r#"{{"read_rows":"{}","read_bytes":"{}","written_rows":"{}","written_bytes":"{}","total_rows_to_read":"0","result_rows":"{}","result_bytes":"{}"}}"#,
        summary.read_rows,
        summary.read_bytes,
        summary.written_rows,
        summary.written_bytes,
        summary.result_rows,
        summary.result_bytes
    )
}

fn fixed(status: StatusCode, text: &'static str) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::Text(Some(Bytes::from_static(text.as_bytes()))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    response
}

/// A refusal of the listener itself, before any statement.
pub fn refused(text: &'static str) -> Response<AnswerBody> {
    fixed(StatusCode::FORBIDDEN, text)
}

fn failed(exception: &Exception, query_id: &str) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::Text(Some(Bytes::from(format!("{}\n", exception.message)))));
    *response.status_mut() = exception.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    insert_text(headers, "x-clickhouse-exception-code", &exception.code.to_string());
    insert_text(headers, "x-clickhouse-query-id", query_id);
    response
}

/// Hands the body on. When nobody wants it any more it is read on for a while, so that the client gets to the answer.
async fn pump(mut body: Incoming, sender: mpsc::Sender<Result<Bytes, String>>) {
    let mut drained = 0;
    loop {
        let broken = match tokio::time::timeout(BODY_PAUSE, body.frame()).await {
            Ok(None) => return,
            Ok(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else { continue };
                let length = data.len();
                if !data.is_empty() && sender.send(Ok(data)).await.is_err() {
                    drained += length;
                    if drained > DRAINED_BYTES {
                        return;
                    }
                }
                continue;
            }
            Ok(Some(Err(_))) => "The request's body broke off",
            Err(_) => "The request's body came to a halt",
        };
        let _gone = sender.send(Err(broken.to_owned())).await;
        return;
    }
}
