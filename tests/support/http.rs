//! A client that sends the bytes it is told to and shows the bytes it gets, for what a well-behaved client would hide.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::PATIENCE;

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Status line and fields, without the empty line.
    pub head: String,
    /// The body without its framing.
    pub body: Vec<u8>,
}

impl Answer {
    /// The values of a field, in their order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        fields(&self.head).filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    /// The only value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} is there twice: {}", self.head);
        all.first().copied()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// Names and values of the fields of a head.
pub fn fields(head: &str) -> impl Iterator<Item = (&str, &str)> {
    head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim_matches(' ')))
}

/// Something that HTTP is spoken over.
pub trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// One connection; requests go out as they are given.
pub struct Connection {
    stream: Box<dyn Stream>,
    /// What was received and not yet consumed.
    buffer: Vec<u8>,
}

/// Connects from one of this machine's own addresses.
pub fn connect_from(from: IpAddr, address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("the system has sockets");
    socket.bind(&SocketAddr::new(from, 0).into()).expect("every address in 127.0.0.0/8 is ours");
    socket.connect(&address.into()).expect("the listener takes connections");
    socket.into()
}

impl Connection {
    pub fn open(address: SocketAddr) -> Connection {
        Connection::of(TcpStream::connect(address).expect("the listener takes connections"))
    }

    /// Comes from another address of this machine, such as 127.0.0.2.
    pub fn open_from(from: IpAddr, address: SocketAddr) -> Connection {
        Connection::of(connect_from(from, address))
    }

    fn of(stream: TcpStream) -> Connection {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a read timeout");
        stream.set_nodelay(true).expect("a socket can send at once");
        Connection::over(stream)
    }

    /// Sends `head`, then `piece` again and again, with a pause before each, until an answer begins: what is sent after it
    /// would only reset the connection.
    pub fn trickle(address: SocketAddr, head: &str, piece: &str, pause: Duration) -> Connection {
        let mut stream = TcpStream::connect(address).expect("the listener takes connections");
        stream.set_read_timeout(Some(pause)).expect("a socket has a read timeout");
        stream.write_all(head.as_bytes()).expect("the other side reads");
        let deadline = Instant::now() + PATIENCE;
        while stream.peek(&mut [0]).is_err() {
            assert!(Instant::now() < deadline, "nobody minds");
            stream.write_all(piece.as_bytes()).expect("the other side reads");
        }
        Connection::of(stream)
    }

    /// Over anything else, such as TLS or a Unix socket, with a time limit of its own.
    pub fn over(stream: impl Stream + 'static) -> Connection {
        Connection { stream: Box::new(stream), buffer: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).expect("the other side reads");
        self
    }

    /// The answer to a request that was not HEAD.
    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// The next final answer; interim ones (1xx but 101) are passed over.
    pub fn answer_to(&mut self, method: &str) -> Answer {
        loop {
            let head = self.head();
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
            let status: u16 = status.unwrap_or_else(|| panic!("no status line: {head}"));
            if status == 101 || status >= 200 {
                let mut answer = Answer { status, head, body: Vec::new() };
                let bodiless = method == "HEAD" || matches!(status, 101 | 204 | 304);
                answer.body = if bodiless { Vec::new() } else { self.body(&answer) };
                return answer;
            }
        }
    }

    fn head(&mut self) -> String {
        loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                let head = self.take(end + 4);
                return String::from_utf8_lossy(&head[..end]).into_owned();
            }
            let got = self.fill();
            assert!(got > 0, "closed within a head: {:?}", String::from_utf8_lossy(&self.buffer));
        }
    }

    fn body(&mut self, answer: &Answer) -> Vec<u8> {
        if answer.field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            let mut body = Vec::new();
            loop {
                let line = self.line();
                let size = usize::from_str_radix(line.split(';').next().unwrap_or("").trim(), 16);
                let size = size.unwrap_or_else(|_| panic!("no chunk size: {line}"));
                if size == 0 {
                    while !self.line().is_empty() {}
                    return body;
                }
                body.extend(self.exactly(size));
                assert_eq!(self.exactly(2), b"\r\n");
            }
        }
        match answer.field("content-length") {
            Some(length) => self.exactly(length.parse().expect("a length is a number")),
            None => self.rest(),
        }
    }

    fn line(&mut self) -> String {
        loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n") {
                let line = self.take(end + 2);
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            assert!(self.fill() > 0, "closed within a line");
        }
    }

    /// The next `count` bytes.
    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(self.fill() > 0, "closed after {} of {count} bytes", self.buffer.len());
        }
        self.take(count)
    }

    /// Up to `count` bytes and how many there were; nothing where the other side has closed.
    pub fn some(&mut self, count: usize) -> Option<usize> {
        let mut bytes = vec![0; count];
        self.stream.read(&mut bytes).ok().filter(|got| *got > 0)
    }

    /// Everything until the other side closes.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.fill() > 0 {}
        std::mem::take(&mut self.buffer)
    }

    fn fill(&mut self) -> usize {
        let mut bytes = [0; 16384];
        match self.stream.read(&mut bytes) {
            Ok(got) => {
                self.buffer.extend_from_slice(&bytes[..got]);
                got
            }
            // The other side is gone; within TLS it may have said no farewell.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => 0,
            Err(error) => panic!("nothing more came ({error}) after {:?}", String::from_utf8_lossy(&self.buffer)),
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(count);
        std::mem::replace(&mut self.buffer, rest)
    }
}

/// One request on a connection of its own.
pub fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let request = request.as_ref();
    let method = request.split(|byte| *byte == b' ').next().unwrap_or_default();
    let method = String::from_utf8_lossy(method).into_owned();
    Connection::open(address).send(request).answer_to(&method)
}
