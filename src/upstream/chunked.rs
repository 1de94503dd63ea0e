//! The chunked framing of an answer, taken off (RFC 9112 §7.1).
//!
//! Strict: every line ends in CRLF, a size is 1 to 16 hexadecimal digits with nothing but an extension behind it. What
//! two readers could understand in two ways is an error. Extensions and trailers are dropped.

use bytes::{Buf, Bytes, BytesMut};

/// The longest size line with its extension, and the most bytes of trailers.
const MAX_LINE: usize = 8 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Reading a size of which this many digits are there.
    Size {
        digits: u8,
        value: u64,
    },
    Extension {
        value: u64,
    },
    SizeLf {
        value: u64,
    },
    /// This many bytes of the chunk are to come.
    Data(u64),
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    Done,
}

/// Where in the framing we are.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    /// Bytes of the current size line, or of the trailers so far.
    line: usize,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Chunked { state: State::Size { digits: 0, value: 0 }, line: 0 }
    }

    /// Whether the last chunk and the trailers have been read.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The next piece of the body in `buffer`, if there is one. Framing on both sides of it is taken off too, so that the
    /// end is known together with the last piece.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, &'static str> {
        self.take_framing(buffer)?;
        let State::Data(left) = self.state else { return Ok(None) };
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if length == 0 {
            return Ok(None);
        }
        let piece = buffer.split_to(length).freeze();
        let left = left - length as u64;
        self.state = if left == 0 { State::DataCr } else { State::Data(left) };
        self.take_framing(buffer)?;
        Ok(Some(piece))
    }

    /// Takes off everything up to the next byte of data, the end, or the end of `buffer`.
    fn take_framing(&mut self, buffer: &mut BytesMut) -> Result<(), &'static str> {
        let mut used = 0;
        for &byte in buffer.iter() {
            if matches!(self.state, State::Data(_) | State::Done) {
                break;
            }
            used += 1;
            self.line += 1;
            if self.line > MAX_LINE {
                return Err("a chunk's size line or the trailers are too long");
            }
            self.state = self.after(byte)?;
            // Each size line is counted on its own, all trailers together.
            if matches!(self.state, State::Data(_)) {
                self.line = 0;
            }
        }
        buffer.advance(used);
        Ok(())
    }

    fn after(&self, byte: u8) -> Result<State, &'static str> {
        Ok(match (self.state, byte) {
            (State::Size { digits, value }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                if digits == 16 {
                    return Err("a chunk's size has too many digits");
                }
                let digit = match byte {
                    b'0'..=b'9' => byte - b'0',
                    _ => (byte | 0x20) - b'a' + 10,
                };
                State::Size { digits: digits + 1, value: value << 4 | u64::from(digit) }
            }
            (State::Size { digits: 0, .. }, _) => return Err("a chunk has no size"),
            (State::Size { value, .. } | State::Extension { value }, b'\r') => State::SizeLf { value },
            (State::Size { value, .. }, b';') => State::Extension { value },
            (State::Size { .. }, _) => return Err("a chunk's size is not a number"),
            (State::Extension { value }, byte) if is_text(byte) => State::Extension { value },
            (State::SizeLf { value: 0 }, b'\n') => State::TrailerStart,
            (State::SizeLf { value }, b'\n') => State::Data(value),
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { digits: 0, value: 0 },
            (State::DataCr | State::DataLf, _) => return Err("a chunk is longer than its size"),
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::TrailerStart | State::Trailer, byte) if is_text(byte) => State::Trailer,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::EndLf, b'\n') => State::Done,
            _ => return Err("a line of the chunked framing does not end in CRLF"),
        })
    }
}

/// Bytes that may stand in an extension or a trailer.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes input that arrives in the given pieces: the body, and whether its end was seen.
    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<u8>, bool, Vec<u8>), &'static str> {
        let (mut chunked, mut buffer, mut body) = (Chunked::new(), BytesMut::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            while let Some(data) = chunked.take(&mut buffer)? {
                assert!(!data.is_empty());
                body.extend_from_slice(&data);
            }
            assert!(chunked.is_done() || buffer.is_empty(), "a decoder that waits has used everything");
        }
        Ok((body, chunked.is_done(), buffer.to_vec()))
    }

    fn whole(input: &[u8]) -> Result<(Vec<u8>, bool, Vec<u8>), &'static str> {
        decode([input])
    }

    #[test]
    fn extensions_and_trailers_are_dropped_and_what_follows_is_left() {
        let input = b"5;name=\"v\"\r\nhello\r\n00A\r\n0123456789\r\n0\r\nContent-Length: 3\r\nX: y\r\n\r\nHTTP/1.1";
        assert_eq!(whole(input).unwrap(), (b"hello0123456789".to_vec(), true, b"HTTP/1.1".to_vec()));
    }

    #[test]
    fn what_two_readers_could_understand_in_two_ways_is_an_error() {
        for input in [
            &b"5\nhello\r\n0\r\n\r\n"[..],
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhello!\r\n0\r\n\r\n",
            b"0x5\r\nhello\r\n0\r\n\r\n",
            b"+5\r\nhello\r\n0\r\n\r\n",
            b"-1\r\n",
            b" 5\r\nhello\r\n",
            b"5 \r\nhello\r\n",
            b"\r\n",
            b";x\r\n",
            b"5;a\nb\r\nhello\r\n",
            b"5;a\rb\r\nhello\r\n",
            b"5;a\0\r\nhello\r\n",
            b"00000000000000005\r\nhello\r\n",
            b"10000000000000000\r\n",
            b"0\r\nX: y\n\r\n",
            b"0\r\n\n",
            b"0\r\n\rX",
        ] {
            assert!(whole(input).is_err(), "{:?}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn the_largest_size_is_read_without_overflow() {
        let (body, done, _) = whole(b"ffffffffffffffff\r\nabc").unwrap();
        assert_eq!((body.as_slice(), done), (&b"abc"[..], false));
    }

    #[test]
    fn endless_extensions_and_trailers_are_cut_off() {
        let long = vec![b'a'; MAX_LINE];
        assert!(whole(&[b"5;", &long[..], b"\r\nhello\r\n"].concat()).is_err());
        let trailers = b"a: b\r\n".repeat(MAX_LINE / 6 + 1);
        assert!(whole(&[b"0\r\n", &trailers[..], b"\r\n"].concat()).is_err());
        let chunks = b"1\r\nx\r\n".repeat(MAX_LINE);
        assert_eq!(whole(&chunks).unwrap().0.len(), MAX_LINE, "short lines have no common limit");
    }

    fn encode(chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
            out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"0\r\n\r\n");
        out
    }

    proptest! {
        #[test]
        fn any_split_of_the_input_gives_the_same_body(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let input = encode(&chunks);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let got = decode(cuts.windows(2).map(|pair| &input[pair[0]..pair[1]])).unwrap();
            prop_assert_eq!(got, (chunks.concat(), true, Vec::new()));
        }

        #[test]
        fn any_split_of_garbage_gives_the_same_verdict(
            input in prop::collection::vec(prop::sample::select(b"0159afF;\r\n\r\nx \t\0".to_vec()), 0..60),
            cut in any::<prop::sample::Index>(),
        ) {
            let (front, back) = input.split_at(cut.index(input.len() + 1));
            let bytewise = decode(input.chunks(1));
            prop_assert_eq!(decode([front, back]).is_ok(), bytewise.is_ok());
            if let (Ok(whole), Ok(bytewise)) = (whole(&input), bytewise) {
                prop_assert_eq!(whole, bytewise);
            }
        }
    }
}
