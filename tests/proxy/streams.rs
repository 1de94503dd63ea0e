//! What is sent piece by piece passes piece by piece: the next one is sent only once the last one has arrived, so that nothing
//! in between could be waiting for more.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::bytes;
use crate::support::gateway::{Gateway, Nobody, without_database};
use crate::support::{PATIENCE, eventually};

/// How many pieces.
const PIECES: usize = 20;

/// A gateway and a site that the test itself plays.
struct Stage {
    gateway: Gateway,
    site: TcpListener,
    _nobody: Nobody,
}

impl Stage {
    /// The one stage of these tests; each has it for itself.
    fn set() -> MutexGuard<'static, Stage> {
        static STAGE: OnceLock<Mutex<Stage>> = OnceLock::new();
        let stage = STAGE.get_or_init(|| Mutex::new(Stage::with("")));
        stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(more: &str) -> Stage {
        let site = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let (gateway, nobody) = without_database(site.local_addr().expect("it is bound"), more);
        Stage { gateway, site, _nobody: nobody }
    }

    /// Sends the head of a request; both ends of the way, the head read on the site's side.
    fn ask(&self, head: &str) -> (TcpStream, TcpStream) {
        let mut visitor = ready(TcpStream::connect(self.gateway.address).expect("the listener takes connections"));
        write(
            &mut visitor,
            &format!("{head}\r\nHost: a.example\r\nSec-Fetch-Dest: empty\r\nConnection: close, upgrade\r\n\r\n"),
        );
        let mut site = ready(self.site.accept().expect("the gateway connects").0);
        until(&mut site, b"\r\n\r\n");
        (visitor, site)
    }
}

fn ready(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a read timeout");
    stream.set_nodelay(true).expect("a socket can send at once");
    stream
}

fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).expect("the other side reads");
}

fn reads(stream: &mut TcpStream, expected: &str) {
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got).unwrap_or_else(|error| panic!("{error} instead of {expected:?}"));
    // A chunk's size may be written in either case.
    assert!(got.eq_ignore_ascii_case(expected.as_bytes()), "{:?}, not {expected:?}", String::from_utf8_lossy(&got));
}

/// Reads up to the end of something.
fn until(stream: &mut TcpStream, end: &[u8]) -> String {
    let mut got = Vec::new();
    while !got.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("it does not end before its end");
        got.push(byte[0]);
    }
    String::from_utf8_lossy(&got).into_owned()
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

#[test]
fn an_answer_passes_piece_by_piece() {
    let stage = Stage::set();
    for kind in ["text/event-stream", "application/octet-stream", "application/x-ndjson"] {
        let (mut visitor, mut site) = stage.ask("GET /pieces HTTP/1.1");
        write(&mut site, &format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"));
        assert!(
            until(&mut visitor, b"\r\n\r\n").starts_with("HTTP/1.1 200 OK"),
            "the head is there before the first piece"
        );
        for number in 0..PIECES {
            let piece = chunk(&format!("data: {number}\n\n"));
            write(&mut site, &piece);
            reads(&mut visitor, &piece);
        }
        write(&mut site, "0\r\n\r\n");
        reads(&mut visitor, "0\r\n\r\n");
    }
}

#[test]
fn a_body_whose_end_is_the_connections_passes_piece_by_piece() {
    let stage = Stage::set();
    let (mut visitor, mut site) = stage.ask("GET /until-closed HTTP/1.0");
    write(&mut site, "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    until(&mut visitor, b"\r\n\r\n");
    for number in 0..PIECES {
        let piece = format!("data: {number}\n\n");
        write(&mut site, &piece);
        reads(&mut visitor, &piece);
    }
    drop(site);
    assert_eq!(visitor.read(&mut [0]).expect("it is closed in order"), 0);
}

#[test]
fn an_upload_passes_piece_by_piece() {
    let stage = Stage::set();
    let (mut visitor, mut site) = stage.ask("POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked");
    for number in 0..PIECES {
        let text = format!("piece {number}");
        write(&mut visitor, &chunk(&text));
        // The end of a chunk goes with the next one.
        let piece = format!("{:x}\r\n{text}", text.len());
        reads(&mut site, &if number == 0 { piece } else { format!("\r\n{piece}") });
    }
    write(&mut visitor, "0\r\n\r\n");
    reads(&mut site, "\r\n0\r\n\r\n");
    write(&mut site, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    assert!(until(&mut visitor, b"\r\n\r\n").starts_with("HTTP/1.1 204"));
}

/// As gRPC does: a question, its answer, the next question within the same request.
#[test]
fn question_and_answer_pass_in_turns_within_one_request() {
    let stage = Stage::set();
    let (mut visitor, mut site) = stage.ask("POST /turns HTTP/1.1\r\nTransfer-Encoding: chunked");
    write(&mut site, "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n");
    until(&mut visitor, b"\r\n\r\n");
    for number in 0..PIECES {
        let question = format!("question {number}");
        write(&mut visitor, &chunk(&question));
        let piece = format!("{:x}\r\n{question}", question.len());
        reads(&mut site, &if number == 0 { piece } else { format!("\r\n{piece}") });
        let answer = chunk(&format!("answer {number}"));
        write(&mut site, &answer);
        reads(&mut visitor, &answer);
    }
    write(&mut visitor, "0\r\n\r\n");
    reads(&mut site, "\r\n0\r\n\r\n");
    write(&mut site, "0\r\n\r\n");
    reads(&mut visitor, "0\r\n\r\n");
}

/// RFC 6455 §7.1.1: either side may have said everything before the other has.
#[test]
fn a_talk_within_one_request_may_be_as_slow_as_it_likes_once_the_site_has_begun() {
    let stage = Stage::with("[gateway.limits]\nmin_body_rate = \"1 KiB/s\"\nbody_grace = \"100ms\"\n");
    let (mut visitor, mut site) = stage.ask("POST /slow/talk HTTP/1.1\r\nTransfer-Encoding: chunked");
    write(&mut site, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    until(&mut visitor, b"\r\n\r\n");
    for number in 0..5 {
        std::thread::sleep(Duration::from_millis(150));
        write(&mut visitor, &chunk("more"));
        reads(&mut site, if number == 0 { "4\r\nmore" } else { "\r\n4\r\nmore" });
        write(&mut site, &chunk("told"));
        reads(&mut visitor, &chunk("told"));
    }
}

#[test]
fn half_of_a_tunnel_may_close_before_the_other() {
    let stage = Stage::set();
    let much = bytes(1 << 20);
    let open = |count| {
        eventually("it is counted", || (stage.gateway.metric("consentry_tunnels_open") == count).then_some(()));
    };
    for visitor_first in [true, false] {
        let (mut visitor, mut site) = stage.ask("GET /socket HTTP/1.1\r\nUpgrade: websocket");
        write(&mut site, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
        until(&mut visitor, b"\r\n\r\n");
        open(1);
        let (mut first, mut second) = if visitor_first { (visitor, site) } else { (site, visitor) };
        write(&mut first, "the last word");
        first.shutdown(Shutdown::Write).expect("it is open");
        let mut heard = String::new();
        second.read_to_string(&mut heard).expect("half of it is closed in order");
        assert_eq!(heard, "the last word");
        let talk = std::thread::spawn({
            let much = much.clone();
            move || {
                second.write_all(&much).expect("the other half is open");
                second.shutdown(Shutdown::Write).expect("it is open");
                second
            }
        });
        let mut heard = Vec::new();
        first.read_to_end(&mut heard).expect("the other half is closed in order");
        assert!(heard == much, "{} of {} bytes", heard.len(), much.len());
        drop(talk.join());
        open(0);
    }
}
