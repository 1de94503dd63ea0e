//! Servers that answer any number of connections, until the test ends, and remember what they were sent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::super::Address;

/// What a server does with each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Answers with its name.
    Answers,
    /// Reads the head and closes.
    Closes,
    /// Begins an answer and closes.
    BreaksOff,
    /// Reads and says nothing.
    IsSilent,
}

/// A server on a thread of its own.
pub struct Server {
    pub address: Address,
    state: Arc<Mutex<State>>,
}

struct State {
    manner: Manner,
    heads: Vec<String>,
    bytes: usize,
}

impl Server {
    pub fn start(name: &'static str, manner: Manner) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { manner, heads: Vec::new(), bytes: 0 }));
        let of_thread = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), of_thread.clone());
                std::thread::spawn(move || serve(name, stream, &state));
            }
        });
        Server { address: Address::Tcp { tls: false, host: "127.0.0.1".into(), port }, state }
    }

    pub fn is_now(&self, manner: Manner) {
        self.state.lock().unwrap().manner = manner;
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.state.lock().unwrap().heads.clone()
    }

    /// Every byte it was sent.
    pub fn bytes(&self) -> usize {
        self.state.lock().unwrap().bytes
    }
}

fn serve(name: &str, mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut buffer = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        buffer.extend_from_slice(&piece[..read]);
        state.lock().unwrap().bytes += read;
        while let Some(end) = memchr::memmem::find(&buffer, b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if buffer.len() < end + 4 + length {
                break;
            }
            buffer.drain(..end + 4 + length);
            let manner = {
                let mut state = state.lock().unwrap();
                state.heads.push(head);
                state.manner
            };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
            match manner {
                Manner::Answers => stream.write_all(answer.as_bytes()).ok()?,
                Manner::Closes => return None,
                Manner::BreaksOff => {
                    let _ = stream.write_all(b"HTTP/1.1 20");
                    return None;
                }
                Manner::IsSilent => {}
            }
        }
    }
}

/// An address of this machine where nobody listens.
pub fn nobody() -> Address {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    Address::Tcp { tls: false, host: "127.0.0.1".into(), port }
}
