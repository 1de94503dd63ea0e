//! What stands between a gateway and ClickHouse: a proxy that passes everything on, until it is told to be in trouble.
//! One request on each connection, read whole before it is passed on, so that each fault is at a known moment.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What becomes of a request. All but `Away` and `Slow` are about inserts into the events alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Passed on.
    Open,
    /// The connection ends at once, whatever was asked.
    Away,
    /// Passed on; the answer comes a few bytes at a time, with this pause before each piece.
    Slow(Duration),
    /// Stored, and answered with 500.
    StoresAndFails,
    /// Stored, and the connection ends without an answer.
    StoresAndEnds,
    /// Half of it is passed on, and both connections end.
    EndsHalfway,
    /// Refused with a code of ClickHouse's, nothing stored.
    Refuses(u32),
    /// Answered as if stored, and not stored: no database does that. For the tests of the tests.
    Lies,
    /// Stored twice under two tokens. For the tests of the tests.
    Doubles,
}

pub struct Between {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    database: SocketAddr,
    way: Mutex<Way>,
    /// Requests that met the trouble.
    met: AtomicUsize,
}

impl Between {
    pub fn start(database: SocketAddr) -> Between {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared { database, way: Mutex::new(Way::Open), met: AtomicUsize::new(0) });
        let mine = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = mine.clone();
                // A connection that breaks is what this is for.
                thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        Between { address, shared }
    }

    /// What becomes of the requests from now on.
    pub fn set(&self, way: Way) {
        *self.shared.way.lock().unwrap_or_else(PoisonError::into_inner) = way;
    }

    /// How many requests met trouble so far.
    pub fn met(&self) -> usize {
        self.shared.met.load(Relaxed)
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let request = read(&mut stream)?;
    let way = *shared.way.lock().unwrap_or_else(PoisonError::into_inner);
    let about_events = matches!(way, Way::Away | Way::Slow(_)) || is_insert(&request);
    let way = if about_events { way } else { Way::Open };
    if way != Way::Open {
        shared.met.fetch_add(1, Relaxed);
    }
    match way {
        Way::Away => return Ok(()),
        Way::EndsHalfway => {
            let half = request.get(..request.len() - request.len() / 4).unwrap_or_default();
            return TcpStream::connect(shared.database)?.write_all(half);
        }
        Way::Lies => return stream.write_all(OK),
        Way::Refuses(code) => {
            return stream.write_all(failure(&format!("Code: {code}. DB::Exception: no"), code).as_bytes());
        }
        _ => {}
    }
    let answer = ask(shared.database, &request)?;
    match way {
        Way::StoresAndFails => stream.write_all(failure("upstream error", 0).as_bytes()),
        Way::StoresAndEnds => Ok(()),
        Way::Doubles => {
            ask(shared.database, &with_token_of_its_own(&request))?;
            stream.write_all(&answer)
        }
        Way::Slow(pause) => answer.chunks(answer.len().div_ceil(24).max(1)).try_for_each(|piece| {
            thread::sleep(pause);
            stream.write_all(piece)
        }),
        _ => stream.write_all(&answer),
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

fn failure(text: &str, code: u32) -> String {
    let exception = if code == 0 { String::new() } else { format!("X-ClickHouse-Exception-Code: {code}\r\n") };
    let length = text.len();
    format!(
        "HTTP/1.1 500 Internal Server Error\r\n{exception}Connection: close\r\nContent-Length: {length}\r\n\r\n{text}"
    )
}

/// The shipper's inserts have a token, and their statement in the request line.
fn is_insert(request: &[u8]) -> bool {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    memchr::memmem::find(line, b"insert_deduplication_token").is_some()
        && memchr::memmem::find(line, b"insert+into+events+").is_some()
}

fn with_token_of_its_own(request: &[u8]) -> Vec<u8> {
    let name = b"insert_deduplication_token=";
    let at = memchr::memmem::find(request, name).map_or(0, |at| at + name.len());
    [&request[..at], b"second", &request[at..]].concat()
}

/// The whole answer, of a connection that ends with it.
fn ask(database: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect(database)?;
    let line = memchr::memmem::find(request, b"\r\n").unwrap_or(0);
    connection.write_all(&[&request[..line], b"\r\nConnection: close", &request[line..]].concat())?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    Ok(answer)
}

/// A request as it came, body and framing included.
fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let head = until(stream, &mut request, b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
    if text.contains("expect: 100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if text.contains("transfer-encoding: chunked") {
        while !request[head - 2..].ends_with(b"\r\n0\r\n\r\n") {
            fill(stream, &mut request)?;
        }
        return Ok(request);
    }
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next()?.trim().parse().ok());
    while request.len() < head + length.unwrap_or(0_usize) {
        fill(stream, &mut request)?;
    }
    Ok(request)
}

fn until(stream: &mut TcpStream, buffer: &mut Vec<u8>, end: &[u8]) -> io::Result<usize> {
    loop {
        if let Some(found) = memchr::memmem::find(buffer, end) {
            return Ok(found);
        }
        fill(stream, buffer)?;
    }
}

fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut bytes = [0; 65536];
    match stream.read(&mut bytes)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        got => {
            buffer.extend_from_slice(&bytes[..got]);
            Ok(())
        }
    }
}
