//! The connection to ClickHouse: the embedded engine's Unix socket, or a server by URL. One [`clickhouse::Client`] for what
//! the program itself asks, and [`ask`] for a person's own statement, whose answer goes straight to a writer. Called by the
//! shipper, the queries and the command line.

mod connector;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;

use crate::config::ClickHouse;
use connector::Connector;

/// The database everything lives in.
pub const DATABASE: &str = "consentry";

/// The most of an error's text that is read.
const MAX_ERROR_BYTES: usize = 1 << 20;

/// Why there is no connection to be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL cannot be used.
    #[error("`[clickhouse] url` is {url}: {reason}; it should be as in http://db.internal:8123")]
    Url {
        /// As configured.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The password's file cannot be read.
    #[error("`[clickhouse] password_file` is {path}: {source}")]
    Password {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A client on the database [`DATABASE`]. Nothing is connected before the first statement, and a client belongs to the
/// runtime it is first used on. Settings that every insert wants are set: `async_insert = 0`, so that an acknowledged batch
/// is written.
pub fn connect(config: &ClickHouse, data_dir: &Path) -> Result<clickhouse::Client, ConnectError> {
    let place = Place::of(config, data_dir)?;
    let http = HttpClient::builder(TokioExecutor::new())
        .pool_idle_timeout(std::time::Duration::from_secs(2))
        .build(place.connector);
    let client = clickhouse::Client::with_http_client(http)
        .with_url(place.url)
        .with_database(DATABASE)
        .with_setting("async_insert", "0");
    Ok(match place.login {
        Some((user, password)) => client.with_user(user).with_password(password),
        // Over the engine's socket compressing costs both sides more than the bytes do.
        None => client.with_compression(clickhouse::Compression::None),
    })
}

/// Where ClickHouse is and who we are there.
struct Place {
    connector: Connector,
    url: String,
    login: Option<(String, String)>,
}

impl Place {
    fn of(config: &ClickHouse, data_dir: &Path) -> Result<Place, ConnectError> {
        match config {
            ClickHouse::Embedded { .. } => {
                let connector = Connector::Unix(data_dir.into());
                // The host is not used to connect; it only has to be there.
                Ok(Place { connector, url: "http://engine/".to_owned(), login: None })
            }
            ClickHouse::Server { url, user, password_file } => {
                let wrong = |reason: String| ConnectError::Url { url: url.clone(), reason };
                let parsed: http::Uri = url.parse().map_err(|error: http::uri::InvalidUri| wrong(error.to_string()))?;
                let connector = match parsed.scheme_str() {
                    Some("http") => Connector::Tcp,
                    Some("https") => Connector::tls().map_err(wrong)?,
                    _ => return Err(wrong("it names neither http nor https".to_owned())),
                };
                let password = match password_file {
                    None => String::new(),
                    Some(path) => std::fs::read_to_string(path)
                        .map_err(|source| ConnectError::Password { path: path.clone(), source })?
                        .trim_end_matches(['\r', '\n'])
                        .to_owned(),
                };
                let path = parsed.path().trim_end_matches('/');
                let authority = parsed.authority().ok_or_else(|| wrong("it names no host".to_owned()))?;
                let url = format!("{}://{authority}{path}/", parsed.scheme_str().unwrap_or("http"));
                Ok(Place { connector, url, login: Some((user.clone(), password)) })
            }
        }
    }
}

/// Why a statement of [`ask`] has no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no connection to be made.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// ClickHouse's own words.
    #[error("{0}")]
    ClickHouse(String),
    /// The connection failed, or broke off.
    #[error("cannot reach ClickHouse at {place}: {reason}")]
    Network {
        /// The socket or URL.
        place: String,
        /// Why.
        reason: String,
    },
    /// The writer took no more.
    #[error("cannot write the answer: {0}")]
    Write(#[from] io::Error),
}

/// A statement as a person typed it.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Any SQL.
    pub sql: String,
    /// ClickHouse's name of the format where the statement names none.
    pub format: String,
    /// Values for `{name:Type}`.
    pub parameters: Vec<(String, String)>,
}

/// Runs a statement and writes its answer as it comes, never holding more than a piece of it.
pub async fn ask(
    config: &ClickHouse,
    data_dir: &Path,
    question: &Question,
    out: &mut dyn Write,
) -> Result<(), AskError> {
    let place = Place::of(config, data_dir)?;
    let shown = match config {
        ClickHouse::Embedded { .. } => crate::engine::socket::recorded(data_dir).display().to_string(),
        ClickHouse::Server { url, .. } => url.clone(),
    };
    let network = |reason: String| AskError::Network { place: shown.clone(), reason };
    let client: HttpClient<Connector, Full<Bytes>> = HttpClient::builder(TokioExecutor::new()).build(place.connector);

    let mut pairs = form_urlencoded::Serializer::new(format!("{}?", place.url));
    pairs.append_pair("database", DATABASE).append_pair("default_format", &question.format);
    for (name, value) in &question.parameters {
        pairs.append_pair(&format!("param_{name}"), value);
    }
    let mut request = Request::post(pairs.finish())
        .body(Full::new(Bytes::from(question.sql.clone())))
        .map_err(|error| network(error.to_string()))?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if let Some((user, password)) = &place.login {
        let value = basic(user, password).map_err(|error| network(error.to_string()))?;
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    let response = client.request(request).await.map_err(|error| network(with_causes(&error)))?;
    let (parts, mut body) = response.into_parts();

    if parts.status != StatusCode::OK || parts.headers.contains_key("x-clickhouse-exception-code") {
        let text = Limited::new(body, MAX_ERROR_BYTES).collect().await;
        let text = text.map_err(|error| network(error.to_string()))?.to_bytes();
        return Err(AskError::ClickHouse(String::from_utf8_lossy(&text).trim().to_owned()));
    }
    let mut watch = ExceptionWatch::new(&parts.headers);
    loop {
        match body.frame().await {
            None => break,
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    watch.pass(&data, out)?;
                }
            }
            // The server breaks the connection behind an exception.
            Some(Err(error)) => {
                watch.end(out)?;
                return Err(network(with_causes(&error)));
            }
        }
    }
    watch.end(out)?;
    out.flush()?;
    Ok(())
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let mut value = HeaderValue::from_str(&format!("Basic {encoded}"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Passes a result on and keeps back the exception that may stand at its end, between marks the server announced.
struct ExceptionWatch {
    /// What begins the exception; `None` where the server announced none.
    mark: Option<Vec<u8>>,
    /// The last bytes, which may be the beginning of the mark, and after the mark everything.
    held: Vec<u8>,
    found: bool,
}

impl ExceptionWatch {
    fn new(headers: &HeaderMap) -> ExceptionWatch {
        let tag = headers.get("x-clickhouse-exception-tag").map(HeaderValue::as_bytes);
        let mark = tag.map(|tag| [b"\r\n__exception__\r\n", tag, b"\r\n"].concat());
        ExceptionWatch { mark, held: Vec::new(), found: false }
    }

    fn pass(&mut self, data: &[u8], out: &mut dyn Write) -> Result<(), AskError> {
        let Some(mark) = &self.mark else { return Ok(out.write_all(data)?) };
        self.held.extend_from_slice(data);
        if self.found {
            // A message of any sensible length has its end mark by then.
            self.held.truncate(MAX_ERROR_BYTES);
            return Ok(());
        }
        let keep = match memchr::memmem::find(&self.held, mark) {
            Some(at) => {
                self.found = true;
                self.held.len() - at
            }
            None => mark.len().min(self.held.len()),
        };
        let pass = self.held.len() - keep;
        out.write_all(self.held.get(..pass).unwrap_or_default())?;
        self.held.drain(..pass);
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<(), AskError> {
        if !self.found {
            out.write_all(&std::mem::take(&mut self.held))?;
            return Ok(());
        }
        let text = self.held.get(self.mark.as_ref().map_or(0, Vec::len)..).unwrap_or_default();
        let text = String::from_utf8_lossy(text);
        // Behind the message stand its length, the tag and the mark.
        let message = text.rsplit_once("\r\n__exception__").map_or(&*text, |(message, _)| message);
        let message = message.rsplit_once('\n').map_or(message, |(message, _)| message);
        Err(AskError::ClickHouse(message.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests;
