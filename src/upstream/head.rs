//! The head of an answer: read by httparse, judged, and made into a header map.
//!
//! What can be read in two ways is refused rather than guessed (RFC 9112 §6.3): the visitor gets a 502 and the connection
//! is closed. Fields that belong to the connection between gateway and site end here (RFC 9110 §7.6.1).

use std::mem::MaybeUninit;

use bytes::{Buf, BytesMut};
use http::header::{self, CONNECTION, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, Version};
use httparse::{Header, ParserConfig};

use super::UpstreamError;
use super::buffers;

/// The most header lines.
const MAX_HEADERS: usize = 100;

/// The longest head: what fits into one buffer.
pub(super) const MAX_HEAD: usize = buffers::SIZE;

/// What of the request decides how its answer is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// The answer to HEAD has no body, whatever its head says.
    pub(super) by_head: bool,
    /// The visitor wants a WebSocket, and the request said so.
    pub(super) websocket: bool,
}

/// How the end of the body is known (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Empty,
    Length(u64),
    Chunked,
    UntilClose,
    /// `101`: no longer HTTP.
    Switched,
}

/// The head of a final answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the site lets the connection be used again.
    pub(super) keep_alive: bool,
    /// Whether a body that must not be there may follow all the same, as from sites that take HEAD for GET.
    pub(super) doubtful: bool,
    /// Seconds the site keeps an idle connection, where it says so.
    pub(super) keep_alive_seconds: Option<u64>,
    /// A stream of events may be silent for as long as it likes.
    pub(super) event_stream: bool,
}

/// What the bytes so far are.
#[derive(Debug)]
pub(super) enum Parsed {
    /// More bytes are needed.
    Partial,
    /// An interim answer (1xx), taken off the buffer; the final one follows.
    Interim,
    /// The final answer's head, taken off the buffer.
    Answer(Head),
}

/// Reads a head from the beginning of `buffer`.
pub(super) fn parse(buffer: &mut BytesMut, asked: Asked) -> Result<Parsed, UpstreamError> {
    let mut slots = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut answer, buffer, &mut slots);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Partial) if buffer.len() < MAX_HEAD => return Ok(Parsed::Partial),
        Ok(_) => return Err(UpstreamError::BadHead("its head is longer than 64 KiB")),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(UpstreamError::BadHead("its head has more than 100 lines"));
        }
        Err(_) => return Err(UpstreamError::BadHead("its head is not HTTP/1.1")),
    };
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(UpstreamError::BadHead("its status is not a number from 100 to 999"))?;
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        buffer.advance(length);
        return Ok(Parsed::Interim);
    }
    let version = if answer.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };

    let connection = ConnectionOptions::of(answer.headers);
    let mut fields = Fields::default();
    let mut headers = HeaderMap::with_capacity(answer.headers.len());
    for header in answer.headers.iter() {
        let name = usual(header.name.as_bytes())
            .map_or_else(|| HeaderName::from_bytes(header.name.as_bytes()), Ok)
            .map_err(|_| UpstreamError::BadHead("a header name holds a character that is not allowed"))?;
        if fields.note(&name, header.value, status)? && !connection.names(&name) {
            // Copied: small copies are cheaper than slices, which count references and hold on to the buffer.
            let value = HeaderValue::from_bytes(header.value)
                .map_err(|_| UpstreamError::BadHead("a header value holds a character that is not allowed"))?;
            headers.append(name, value);
        }
    }
    let (framing, end) = fields.framing(asked, status, version)?;
    let keep_alive =
        end != End::Unknown && connection.keeps(version) && !matches!(framing, Framing::UntilClose | Framing::Switched);
    buffer.advance(length);
    if framing == Framing::Switched {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    Ok(Parsed::Answer(Head {
        status,
        headers,
        framing,
        keep_alive,
        doubtful: end == End::Doubtful,
        keep_alive_seconds: fields.keep_alive_seconds,
        event_stream: fields.event_stream,
    }))
}

/// A name as nearly every answer has it, known by its letters as servers write them.
fn usual(name: &[u8]) -> Option<HeaderName> {
    Some(match name {
        b"Date" | b"date" => header::DATE,
        b"ETag" | b"etag" => header::ETAG,
        b"Vary" | b"vary" => header::VARY,
        b"Server" | b"server" => header::SERVER,
        b"Connection" | b"connection" => CONNECTION,
        b"Set-Cookie" | b"set-cookie" => header::SET_COOKIE,
        b"Content-Type" | b"content-type" => header::CONTENT_TYPE,
        b"Accept-Ranges" | b"accept-ranges" => header::ACCEPT_RANGES,
        b"Cache-Control" | b"cache-control" => header::CACHE_CONTROL,
        b"Last-Modified" | b"last-modified" => header::LAST_MODIFIED,
        b"Content-Length" | b"content-length" => header::CONTENT_LENGTH,
        b"Content-Encoding" | b"content-encoding" => header::CONTENT_ENCODING,
        b"Transfer-Encoding" | b"transfer-encoding" => header::TRANSFER_ENCODING,
        _ => return None,
    })
}

/// What all `Connection` lines together say.
#[derive(Default)]
struct ConnectionOptions<'b> {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
    nominated: Vec<&'b [u8]>,
}

impl<'b> ConnectionOptions<'b> {
    fn of(headers: &[Header<'b>]) -> Self {
        let mut options = ConnectionOptions::default();
        for line in headers.iter().filter(|header| header.name.eq_ignore_ascii_case("connection")) {
            for option in tokens(line.value) {
                if option.eq_ignore_ascii_case(b"close") {
                    options.close = true;
                } else if option.eq_ignore_ascii_case(b"keep-alive") {
                    options.keep_alive = true;
                } else if option.eq_ignore_ascii_case(b"upgrade") {
                    options.upgrade = true;
                } else {
                    options.nominated.push(option);
                }
            }
        }
        options
    }

    fn names(&self, header: &HeaderName) -> bool {
        self.nominated.iter().any(|name| name.eq_ignore_ascii_case(header.as_str().as_bytes()))
    }

    /// RFC 9112 §9.3.
    fn keeps(&self, version: Version) -> bool {
        !self.close && (version == Version::HTTP_11 || self.keep_alive)
    }
}

/// In what state the connection is after the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing follows.
    Known,
    /// Nothing must follow, but something is named that could.
    Doubtful,
    /// Something may well follow.
    Unknown,
}

/// What the lines that concern framing and connection say.
#[derive(Default)]
struct Fields {
    content_length: Option<u64>,
    transfer_encoding: bool,
    websocket: bool,
    keep_alive_seconds: Option<u64>,
    event_stream: bool,
}

impl Fields {
    /// Takes note of a line; whether it is passed on.
    fn note(&mut self, name: &HeaderName, value: &[u8], status: StatusCode) -> Result<bool, UpstreamError> {
        match *name {
            header::CONNECTION | header::TE | header::TRAILER | header::PROXY_AUTHENTICATE => Ok(false),
            header::UPGRADE => {
                self.websocket = value.eq_ignore_ascii_case(b"websocket");
                Ok(status == StatusCode::SWITCHING_PROTOCOLS)
            }
            header::CONTENT_TYPE => {
                self.event_stream = is_event_stream(value);
                Ok(true)
            }
            header::CONTENT_LENGTH => {
                let length = number(value).ok_or(UpstreamError::BadHead("its Content-Length is not a number"))?;
                if self.content_length.replace(length).is_some() {
                    return Err(UpstreamError::BadHead("it has two Content-Length lines"));
                }
                // A 304 may name the length its page would have, but hyper writes none without a body.
                Ok(status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED)
            }
            header::TRANSFER_ENCODING => {
                if self.transfer_encoding || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(UpstreamError::BadHead("its Transfer-Encoding is not one plain `chunked`"));
                }
                self.transfer_encoding = true;
                Ok(false)
            }
            _ if name == "keep-alive" => {
                self.keep_alive_seconds = keep_alive_seconds(value);
                Ok(false)
            }
            _ => Ok(name != "proxy-connection"),
        }
    }

    /// The framing, and the state of the connection after it.
    fn framing(&self, asked: Asked, status: StatusCode, version: Version) -> Result<(Framing, End), UpstreamError> {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return if asked.websocket && self.websocket {
                Ok((Framing::Switched, End::Unknown))
            } else {
                Err(UpstreamError::BadHead("it switches to a protocol nobody asked for"))
            };
        }
        if self.transfer_encoding && self.content_length.is_some() {
            return Err(UpstreamError::BadHead("it has both Transfer-Encoding and Content-Length"));
        }
        if self.transfer_encoding && version == Version::HTTP_10 {
            return Err(UpstreamError::BadHead("it has Transfer-Encoding, but is HTTP/1.0"));
        }
        // A site that names a body where there must be none may also send one.
        let names_body = self.transfer_encoding || self.content_length.is_some_and(|length| length > 0);
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        Ok(match status {
            _ if asked.by_head => {
                let nothing_to_send = !names_body && (bodiless || self.content_length.is_some());
                (Framing::Empty, if nothing_to_send { End::Known } else { End::Doubtful })
            }
            StatusCode::NO_CONTENT => (Framing::Empty, if names_body { End::Unknown } else { End::Known }),
            StatusCode::NOT_MODIFIED if self.transfer_encoding => (Framing::Empty, End::Unknown),
            StatusCode::NOT_MODIFIED => (Framing::Empty, if names_body { End::Doubtful } else { End::Known }),
            _ if self.transfer_encoding => (Framing::Chunked, End::Known),
            _ => match self.content_length {
                Some(0) => (Framing::Empty, End::Known),
                Some(length) => (Framing::Length(length), End::Known),
                None => (Framing::UntilClose, End::Known),
            },
        })
    }
}

/// Whether a `Content-Type` says that events are streamed.
pub(super) fn is_event_stream(value: &[u8]) -> bool {
    value.get(..17).is_some_and(|start| start.eq_ignore_ascii_case(b"text/event-stream"))
}

/// The members of a comma-separated list.
pub(super) fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

/// Digits only: no sign, no list, no blank (RFC 9110 §8.6).
fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(value.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// `timeout=5, max=100` is 5.
fn keep_alive_seconds(value: &[u8]) -> Option<u64> {
    tokens(value).find_map(|token| number(token.strip_prefix(b"timeout=")?))
}

#[cfg(test)]
mod tests;
