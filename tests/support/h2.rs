//! Frames of HTTP/2 as they are (RFC 9113 §4), for what no well-behaved client would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use super::PATIENCE;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// `SETTINGS_INITIAL_WINDOW_SIZE`
pub const WINDOW: u16 = 4;

/// A frame as it came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The status of an answer, as far as it is one of the table's (RFC 7541, appendix A): it stands first.
    pub fn status(&self) -> u16 {
        match (self.kind, self.payload.first()) {
            (HEADERS, Some(byte @ 0x88..=0x8e)) => [200, 204, 206, 304, 400, 404, 500][usize::from(byte - 0x88)],
            // Another one: its digits are written out.
            (HEADERS, Some(0x48 | 0x08)) => 0,
            _ => panic!("no status: {self:?}"),
        }
    }
}

/// Names and values as literals, without the table.
pub fn block(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_bytes(), value] {
            length(&mut block, text.len());
            block.extend_from_slice(text);
        }
    }
    block
}

/// RFC 7541 §5.1, with seven bits in the first byte.
fn length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(length as u8);
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push((rest % 128 + 128) as u8);
        rest /= 128;
    }
    block.push(rest as u8);
}

pub struct Raw {
    stream: TcpStream,
    /// The other side's, as they came.
    settings: Vec<u8>,
}

impl Raw {
    /// With the preface and these settings sent.
    pub fn open(address: SocketAddr, settings: &[(u16, u32)]) -> Raw {
        Raw::over(TcpStream::connect(address).expect("the listener takes connections"), settings)
    }

    /// The same from one of this machine's own addresses.
    pub fn open_from(from: IpAddr, address: SocketAddr, settings: &[(u16, u32)]) -> Raw {
        Raw::over(super::http::connect_from(from, address), settings)
    }

    fn over(stream: TcpStream, settings: &[(u16, u32)]) -> Raw {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a read timeout");
        stream.set_write_timeout(Some(Duration::from_secs(5))).expect("a socket has a write timeout");
        let mut raw = Raw { stream, settings: Vec::new() };
        raw.stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("the other side reads");
        let settings: Vec<u8> =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        raw.send(SETTINGS, 0, 0, &settings);
        raw
    }

    /// Sends a frame; whether the other side still takes it.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = (payload.len() as u32).to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.stream.write_all(&[head, payload.to_vec()].concat()).is_ok()
    }

    /// Asks for something with these fields and no body.
    pub fn ask(&mut self, stream: u32, fields: &[(&str, &[u8])]) -> bool {
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, &block(fields))
    }

    /// An ordinary request, with more fields.
    pub fn get(&mut self, stream: u32, path: &str, more: &[(&str, &[u8])]) -> bool {
        let usual: [(&str, &[u8]); 4] =
            [(":method", b"GET"), (":scheme", b"http"), (":authority", b"www.example.org"), (":path", path.as_bytes())];
        self.ask(stream, &[&usual, more].concat())
    }

    /// Waits until something has come, as long as `pause`; whether it has.
    pub fn waits(&mut self, pause: Duration) -> bool {
        self.stream.set_read_timeout(Some(pause)).expect("a socket has a read timeout");
        let has_come = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a read timeout");
        has_come
    }

    /// The next frame; nothing where the connection has ended. Settings are acknowledged and passed over.
    pub fn frame(&mut self) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            self.fill(&mut head)?;
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.fill(&mut payload)?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
            let frame = Frame { kind: head[3], flags: head[4], stream, payload };
            if frame.kind != SETTINGS {
                return Some(frame);
            }
            if frame.flags & ACK == 0 {
                self.settings.extend_from_slice(&frame.payload);
                self.send(SETTINGS, ACK, 0, &[]);
            }
        }
    }

    /// What the other side has said of a setting so far.
    pub fn setting(&self, id: u16) -> Option<u32> {
        let mut settings = self.settings.chunks_exact(6).filter(|setting| setting[..2] == id.to_be_bytes());
        settings.next_back().map(|setting| u32::from_be_bytes(setting[2..].try_into().expect("it is four bytes")))
    }

    /// The next frame of a kind or the end; others are passed over.
    pub fn next(&mut self, kinds: &[u8]) -> Option<Frame> {
        std::iter::from_fn(|| self.frame()).find(|frame| kinds.contains(&frame.kind))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("nothing more came, and it is not closed either")
            }
            Err(_) => None,
        }
    }
}
