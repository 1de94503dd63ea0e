//! A server with ClickHouse's manners and faults on demand. It reads of a block how many rows it has, and their numbers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use clickhouse::{Client, Compression};
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::engine::multipart;
use crate::spool::record::read_leb;

/// What becomes of an insert.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Refused with a code, nothing stored.
    Error(u32),
    /// Stored, and answered with a code.
    StoreThenError(u32),
    /// The connection breaks, nothing stored.
    Disconnect,
    /// Stored, and the connection breaks.
    StoreThenDisconnect,
    /// A proxy in front says that the server is busy.
    Busy,
}

#[derive(Default)]
struct State {
    faults: VecDeque<Fault>,
    bad: Vec<u32>,
    kept: Vec<u32>,
    stored: HashMap<u64, u64>,
    inserts: Vec<HashMap<String, String>>,
    questions: Vec<String>,
    running: u64,
    away: bool,
}

pub struct Fake {
    state: Arc<Mutex<State>>,
    url: String,
}

impl Fake {
    pub async fn start(faults: impl IntoIterator<Item = Fault>) -> Fake {
        let state = Arc::new(Mutex::new(State { faults: faults.into_iter().collect(), ..State::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                let answer = hyper::service::service_fn(move |request| answer(Arc::clone(&shared), request));
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Fake { state, url }
    }

    pub fn client(&self) -> Client {
        Client::default().with_url(&self.url).with_compression(Compression::None)
    }

    /// Blocks with any of these numbers are refused, for their rows.
    pub fn refuses(&self, bad: impl IntoIterator<Item = u32>) {
        self.state.lock().unwrap().bad = bad.into_iter().collect();
    }

    /// The numbers that are stored, sorted.
    pub fn kept(&self) -> Vec<u32> {
        let mut kept = self.state.lock().unwrap().kept.clone();
        kept.sort_unstable();
        kept
    }

    pub fn rows(&self) -> u64 {
        self.state.lock().unwrap().stored.values().sum()
    }

    pub fn store(&self, batch_id: u64, rows: u64) {
        self.state.lock().unwrap().stored.insert(batch_id, rows);
    }

    /// From now on every insert is refused for a reason that passes, until it is not away any more.
    pub fn away(&self, away: bool) {
        self.state.lock().unwrap().away = away;
    }

    /// For so many questions an insert still runs.
    pub fn running(&self, questions: u64) {
        self.state.lock().unwrap().running = questions;
    }

    pub fn questions(&self) -> Vec<String> {
        self.state.lock().unwrap().questions.clone()
    }

    /// The values a setting had, insert by insert.
    pub fn settings(&self, name: &str) -> Vec<String> {
        self.state.lock().unwrap().inserts.iter().filter_map(|insert| insert.get(name).cloned()).collect()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the connection breaks")]
struct Broken;

async fn answer(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Broken> {
    let query = request.uri().query().unwrap_or_default();
    let settings: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let content_type = request.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
    let body = request.into_body().collect().await.map_err(|_| Broken)?.to_bytes();
    let mut state = state.lock().unwrap();
    if settings.get("query").is_some_and(|query| {
        query.starts_with("insert into events (`n`, ") && query.ends_with("`batch_id`) format Native")
    }) {
        return insert(&mut state, settings, &body);
    }
    assert_eq!(settings["use_query_cache"], "0", "what decides is true at this moment");
    let content_type = content_type.unwrap();
    let boundary = multipart::boundary(&content_type).unwrap().unwrap();
    let form: HashMap<String, String> = multipart::fields(&body, boundary)
        .unwrap()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8(value).unwrap()))
        .collect();
    let question = form["query"].clone();
    let count = if question.contains("system.processes") {
        assert!(!form["param_token"].contains('#'));
        let running = state.running;
        state.running = running.saturating_sub(1);
        running
    } else {
        assert_eq!((form["param_month"].as_str(), form["param_days"].as_str()), ("202507", "90"));
        let batch_id: u64 = form["param_batch_id"].parse().unwrap();
        state.stored.get(&batch_id).copied().unwrap_or(0)
    };
    state.questions.push(question);
    let mut answer = b"\x01\x07count()\x06UInt64".to_vec();
    answer.extend_from_slice(&count.to_le_bytes());
    Ok(Response::new(Full::from(answer)))
}

fn insert(state: &mut State, settings: HashMap<String, String>, body: &[u8]) -> Result<Response<Full<Bytes>>, Broken> {
    let (_, at) = read_leb(body).unwrap();
    let (rows, more) = read_leb(&body[at..]).unwrap();
    // Names and types with their lengths: `n`, `UInt32`.
    let numbers = body[at + more + 2 + 7..].chunks(4).take(rows);
    let numbers: Vec<u32> = numbers.map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).collect();
    let rows = rows as u64;
    let batch_id = settings["insert_deduplication_token"].split('#').next().unwrap().parse().unwrap();
    state.inserts.push(settings);
    let is_bad = numbers.iter().any(|number| state.bad.contains(number));
    let fault = match (is_bad, state.away) {
        (true, _) => Some(Fault::Error(53)),
        (_, true) => Some(Fault::Error(241)),
        _ => state.faults.pop_front(),
    };
    if matches!(fault, None | Some(Fault::StoreThenError(_) | Fault::StoreThenDisconnect)) {
        *state.stored.entry(batch_id).or_default() += rows;
        state.kept.extend(numbers);
    }
    match fault {
        None => Ok(Response::new(Full::default())),
        Some(Fault::Error(code) | Fault::StoreThenError(code)) => {
            Ok(failed(StatusCode::INTERNAL_SERVER_ERROR, format!("Code: {code}. DB::Exception: no. (SOME_NAME)")))
        }
        Some(Fault::Busy) => Ok(failed(StatusCode::SERVICE_UNAVAILABLE, "<html>busy</html>".to_owned())),
        Some(Fault::Disconnect | Fault::StoreThenDisconnect) => Err(Broken),
    }
}

fn failed(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}
