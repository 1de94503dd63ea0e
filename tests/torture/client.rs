//! A visitor who does not mind: whose connection may break, whose question may stay without an answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::visitor::{AGENT, Visitor};

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A whole answer came: its status and what it said.
    Answered(u16, String),
    /// It may have arrived.
    Unanswered,
    /// Nobody took the connection, so it did not arrive.
    NotSent,
}

pub struct Client {
    address: SocketAddr,
    head: String,
    stream: Option<TcpStream>,
}

impl Client {
    /// With the choice, the name and the host of a visitor.
    pub fn of(visitor: &Visitor, address: SocketAddr) -> Client {
        let cookies: Vec<String> = visitor.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let host = &visitor.host;
        let head = format!("Host: {host}\r\nUser-Agent: {AGENT}\r\nCookie: {}\r\n", cookies.join("; "));
        Client { address, head, stream: None }
    }

    /// Forgets its connection, which the gateway may have closed while nothing was said.
    pub fn reconnects(&mut self) {
        self.stream = None;
    }

    /// Sends a beacon of the site's own page.
    pub fn beacon(&mut self, body: &str) -> Outcome {
        let fields = "Sec-Fetch-Site: same-origin\r\nContent-Type: application/json";
        let (head, length) = (&self.head, body.len());
        self.exchange(&format!(
            "POST /_privacy/events HTTP/1.1\r\n{head}{fields}\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Navigates to a page.
    pub fn page(&mut self, path: &str) -> Outcome {
        let fields =
            "Accept: text/html\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none";
        let head = &self.head;
        self.exchange(&format!("GET {path} HTTP/1.1\r\n{head}{fields}\r\n\r\n"))
    }

    fn exchange(&mut self, request: &str) -> Outcome {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => match TcpStream::connect(self.address) {
                Ok(stream) => stream,
                Err(_) => return Outcome::NotSent,
            },
        };
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
        match stream.write_all(request.as_bytes()).ok().and_then(|()| answer(&mut stream)) {
            Some((status, text)) => {
                self.stream = Some(stream);
                Outcome::Answered(status, text)
            }
            None => Outcome::Unanswered,
        }
    }
}

/// Status and text of a whole answer.
fn answer(stream: &mut TcpStream) -> Option<(u16, String)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(head) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let status = text.split(' ').nth(1)?.parse().ok()?;
            let length = text
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next()?.trim().parse::<usize>().ok());
            let whole = match length {
                Some(length) => bytes.len() >= head + 4 + length,
                None if text.contains("chunked") => bytes.ends_with(b"0\r\n\r\n"),
                None => status == 204,
            };
            if whole {
                return Some((status, String::from_utf8_lossy(&bytes[head + 4..]).into_owned()));
            }
        }
        let mut piece = [0; 16384];
        match stream.read(&mut piece) {
            Ok(got @ 1..) => bytes.extend_from_slice(&piece[..got]),
            _ => return None,
        }
    }
}
