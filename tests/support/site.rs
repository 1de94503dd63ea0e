//! The site behind the gateway: records every byte it is sent and answers, path by path, with the bytes it was given.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What the site does when a path is asked for.
#[derive(Clone)]
pub enum Behaviour {
    /// Sends these bytes.
    Answers(Vec<u8>),
    /// Sends these bytes and closes.
    AnswersAndCloses(Vec<u8>),
    /// Sends back the body it got.
    Echoes,
    /// Switches protocols, then sends back whatever comes.
    Tunnels,
    /// Says nothing, and keeps the connection.
    IsSilent,
    /// Sends these bytes once the lock can be had.
    AnswersAfter(Arc<Mutex<()>>, Vec<u8>),
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// Request line and fields, without the empty line.
    pub head: String,
    /// The body without its framing.
    pub body: Vec<u8>,
}

impl Request {
    /// The values of a field, in their order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        super::http::fields(&self.head).filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, v)| v).collect()
    }

    fn path(&self) -> &str {
        let target = self.head.split(' ').nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }
}

/// The page the site answers with where nothing else was said.
pub const PAGE: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>A page</title></head>\
                        <body><h1>A page</h1><p>Of the site.</p></body></html>\n";

pub struct Site {
    pub address: SocketAddr,
    known: Arc<Known>,
}

#[derive(Default)]
struct Known {
    behaviours: Mutex<HashMap<String, Behaviour>>,
    requests: Mutex<HashMap<String, Vec<Request>>>,
}

impl Site {
    pub fn start() -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let address = listener.local_addr().expect("a listener has an address");
        let known = Arc::<Known>::default();
        let site = Site { address, known: known.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let known = known.clone();
                thread::spawn(move || serve(stream, &known));
            }
        });
        site
    }

    /// Says what a path does.
    pub fn on(&self, path: &str, behaviour: Behaviour) {
        lock(&self.known.behaviours).insert(path.to_owned(), behaviour);
    }

    /// Says what a path answers with.
    pub fn answers(&self, path: &str, answer: impl Into<Vec<u8>>) {
        self.on(path, Behaviour::Answers(answer.into()));
    }

    /// The requests for a path so far.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        lock(&self.known.requests).get(path).cloned().unwrap_or_default()
    }

    /// The only request for a path.
    pub fn request(&self, path: &str) -> Request {
        let mut requests = self.requests(path);
        assert_eq!(requests.len(), 1, "requests for {path}");
        requests.remove(0)
    }
}

/// A page of the site, with these fields in its head.
pub fn page(fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn serve(mut stream: TcpStream, known: &Known) {
    let mut buffer = Vec::new();
    let _ = stream.set_nodelay(true);
    while let Some(request) = read(&mut stream, &mut buffer) {
        let path = request.path().to_owned();
        lock(&known.requests).entry(path.clone()).or_default().push(request.clone());
        let behaviour = lock(&known.behaviours).get(&path).cloned();
        let sent = match behaviour.unwrap_or_else(|| Behaviour::Answers(page(&[], PAGE))) {
            Behaviour::Answers(bytes) => stream.write_all(&bytes),
            Behaviour::AnswersAfter(lock, bytes) => {
                drop(lock.lock().unwrap_or_else(PoisonError::into_inner));
                stream.write_all(&bytes)
            }
            Behaviour::AnswersAndCloses(bytes) => {
                let _ = stream.write_all(&bytes);
                return;
            }
            Behaviour::Echoes => {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ";
                let head = format!("{head}{}\r\n\r\n", request.body.len());
                stream.write_all(&[head.as_bytes(), &request.body].concat())
            }
            Behaviour::Tunnels => {
                let _ = stream.write_all(
                    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
                );
                let _ = stream.write_all(&buffer);
                let mut bytes = [0; 4096];
                while let Ok(got @ 1..) = stream.read(&mut bytes) {
                    if stream.write_all(&bytes[..got]).is_err() {
                        break;
                    }
                }
                return;
            }
            Behaviour::IsSilent => {
                let _ = stream.read(&mut [0]);
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// The next request, or nothing where the gateway has closed.
fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = until(stream, buffer, b"\r\n\r\n")?;
    let head: Vec<u8> = buffer.drain(..end + 4).take(end).collect();
    let mut request = Request { head: String::from_utf8_lossy(&head).into_owned(), body: Vec::new() };
    if request.all("transfer-encoding").contains(&"chunked") {
        loop {
            let end = until(stream, buffer, b"\r\n")?;
            let line: Vec<u8> = buffer.drain(..end + 2).take(end).collect();
            let size = usize::from_str_radix(std::str::from_utf8(&line).ok()?, 16).ok()?;
            while buffer.len() < size + 2 {
                fill(stream, buffer)?;
            }
            request.body.extend(buffer.drain(..size));
            buffer.drain(..2);
            if size == 0 {
                return Some(request);
            }
        }
    }
    let length: usize = request.all("content-length").first().map_or(0, |length| length.parse().unwrap_or(0));
    while buffer.len() < length {
        fill(stream, buffer)?;
    }
    request.body = buffer.drain(..length).collect();
    Some(request)
}

fn until(stream: &mut TcpStream, buffer: &mut Vec<u8>, end: &[u8]) -> Option<usize> {
    loop {
        if let Some(found) = memchr::memmem::find(buffer, end) {
            return Some(found);
        }
        fill(stream, buffer)?;
    }
}

fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut bytes = [0; 65536];
    let got = stream.read(&mut bytes).ok().filter(|got| *got > 0)?;
    buffer.extend_from_slice(&bytes[..got]);
    Some(())
}

/// A test that failed elsewhere is no reason to fail here.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
