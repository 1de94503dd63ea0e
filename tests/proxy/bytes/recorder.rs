//! A site that writes down every byte, framing included, and answers what it is told to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::support::http::fields;

/// The body of an ordinary answer to the request that ends a row.
pub const LAST_BODY: &str = "the last one";

/// What the site does with a request of a row.
#[derive(Clone, Debug)]
pub struct Manner {
    pub answer: Vec<u8>,
    /// Answers as soon as the head is there.
    pub early: bool,
    pub closes: bool,
}

impl Default for Manner {
    fn default() -> Manner {
        Manner {
            answer: b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 2\r\n\r\nok".to_vec(),
            early: false,
            closes: false,
        }
    }
}

#[derive(Default)]
struct Known {
    /// What came over each connection and was not taken yet.
    seen: Vec<Vec<u8>>,
    manner: Manner,
}

pub struct Recorder {
    pub address: SocketAddr,
    known: Arc<Mutex<Known>>,
}

impl Recorder {
    pub fn start() -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let address = listener.local_addr().expect("a listener has an address");
        let known = Arc::<Mutex<Known>>::default();
        let recorder = Recorder { address, known: known.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let known = known.clone();
                let number = with(&known, |known| {
                    known.seen.push(Vec::new());
                    known.seen.len() - 1
                });
                thread::spawn(move || serve(stream, number, &known));
            }
        });
        recorder
    }

    /// Says what the requests to come are answered with.
    pub fn answers(&self, manner: Manner) {
        with(&self.known, |known| known.manner = manner);
    }

    /// What has come, connection by connection.
    pub fn take(&self) -> String {
        with(&self.known, |known| {
            let seen: Vec<u8> = known.seen.iter_mut().flat_map(std::mem::take).collect();
            String::from_utf8_lossy(&seen).into_owned()
        })
    }
}

fn with<T>(known: &Mutex<Known>, ask: impl FnOnce(&mut Known) -> T) -> T {
    ask(&mut known.lock().unwrap_or_else(PoisonError::into_inner))
}

fn serve(mut stream: TcpStream, number: usize, known: &Mutex<Known>) -> Option<()> {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    let more = |stream: &mut TcpStream, buffer: &mut Vec<u8>| {
        let mut bytes = [0; 65536];
        let got = stream.read(&mut bytes).ok().filter(|got| *got > 0)?;
        with(known, |known| known.seen[number].extend_from_slice(&bytes[..got]));
        buffer.extend_from_slice(&bytes[..got]);
        Some(())
    };
    loop {
        let end = loop {
            match memchr::memmem::find(&buffer, b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => more(&mut stream, &mut buffer)?,
            }
        };
        let head: Vec<u8> = buffer.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let is_last = head.starts_with("GET /last ");
        let manner = with(known, |known| known.manner.clone());
        if is_last {
            let length = LAST_BODY.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{LAST_BODY}");
            stream.write_all(answer.as_bytes()).ok()?;
            continue;
        }
        if manner.early {
            stream.write_all(&manner.answer).ok()?;
        }
        let field =
            |name: &str| fields(&head).find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        if field("transfer-encoding").is_some() {
            // Nothing of a row's body looks like its end.
            let end = loop {
                let at_once = buffer.starts_with(b"0\r\n\r\n").then_some(5);
                match at_once.or_else(|| memchr::memmem::find(&buffer, b"\r\n0\r\n\r\n").map(|at| at + 7)) {
                    Some(end) => break end,
                    None => more(&mut stream, &mut buffer)?,
                }
            };
            buffer.drain(..end);
        }
        let length: usize = field("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
        while buffer.len() < length {
            more(&mut stream, &mut buffer)?;
        }
        buffer.drain(..length);
        if !manner.early {
            stream.write_all(&manner.answer).ok()?;
        }
        if manner.closes {
            return None;
        }
        if manner.answer.starts_with(b"HTTP/1.1 101") {
            // No longer HTTP: whatever comes goes back.
            loop {
                stream.write_all(&std::mem::take(&mut buffer)).ok()?;
                more(&mut stream, &mut buffer)?;
            }
        }
    }
}
