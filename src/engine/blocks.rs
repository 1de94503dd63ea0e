//! The two compressions of ClickHouse's HTTP interface: its own blocks (`decompress=1` on the way in, `compress=1` on the
//! way out: a CityHash128 checksum, a method, two lengths, data) and LZ4 frames (`Accept-Encoding: lz4`). Pure: bytes in,
//! bytes out. Called by [`super::run`].

use std::io::Write as _;

use bytes::{Buf, Bytes, BytesMut};

/// Checksum (16), then method (1), length with these nine bytes (4), length of the plain data (4).
const CHECKSUM_BYTES: usize = 16;
const HEADER_BYTES: usize = 9;
const METHOD_NONE: u8 = 0x02;
const METHOD_LZ4: u8 = 0x82;

/// The largest block taken or opened: eight times the largest batch the spool seals.
pub const MAX_BLOCK_BYTES: usize = 128 << 20;

/// What is wrong with a compressed body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The checksum does not match.
    #[error("Checksum doesn't match: corrupted data")]
    Checksum,
    /// A length is impossible or over the bound.
    #[error(
        "Too large or too small block: {compressed} bytes compressed, {plain} bytes plain, at most {MAX_BLOCK_BYTES}"
    )]
    Length {
        /// As declared.
        compressed: usize,
        /// As declared.
        plain: usize,
    },
    /// Neither LZ4 nor uncompressed.
    #[error(
        "Unknown compression method {0:#04x}: the embedded engine reads LZ4 blocks (0x82) and uncompressed ones (0x02)"
    )]
    Method(u8),
    /// The data is not what its method says.
    #[error("Cannot decompress: {0}")]
    Data(String),
    /// The body ends within a block.
    #[error("Cannot read all data: the body ends within a compressed block ({0} bytes left over)")]
    Truncated(usize),
}

/// Opens blocks from bytes that come in any cut.
#[derive(Default)]
pub struct BlockDecoder {
    pending: BytesMut,
}

impl BlockDecoder {
    /// Takes more bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next block's data, or `None` until more bytes are there.
    pub fn next_block(&mut self) -> Result<Option<Bytes>, BlockError> {
        let mut head = self.pending.get(..CHECKSUM_BYTES + HEADER_BYTES).unwrap_or_default();
        if head.is_empty() {
            return Ok(None);
        }
        let checksum = head.get_u128_le();
        let method = head.get_u8();
        let compressed = usize::try_from(head.get_u32_le()).unwrap_or(usize::MAX);
        let plain = usize::try_from(head.get_u32_le()).unwrap_or(usize::MAX);
        if !(HEADER_BYTES..=MAX_BLOCK_BYTES).contains(&compressed) || plain > MAX_BLOCK_BYTES {
            return Err(BlockError::Length { compressed, plain });
        }
        if self.pending.len() < CHECKSUM_BYTES + compressed {
            // Room for the whole block at once instead of by doubling.
            self.pending.reserve(CHECKSUM_BYTES + compressed - self.pending.len());
            return Ok(None);
        }
        self.pending.advance(CHECKSUM_BYTES);
        let block = self.pending.split_to(compressed).freeze();
        if checksum_of(&block) != checksum {
            return Err(BlockError::Checksum);
        }
        let data = block.slice(HEADER_BYTES..);
        match method {
            METHOD_NONE if data.len() == plain => Ok(Some(data)),
            METHOD_NONE => Err(BlockError::Length { compressed, plain }),
            METHOD_LZ4 => {
                let data =
                    lz4_flex::block::decompress(&data, plain).map_err(|error| BlockError::Data(error.to_string()))?;
                if data.len() != plain {
                    return Err(BlockError::Length { compressed, plain });
                }
                Ok(Some(Bytes::from(data)))
            }
            other => Err(BlockError::Method(other)),
        }
    }

    /// Says that no more bytes come.
    pub fn finish(&self) -> Result<(), BlockError> {
        if self.pending.is_empty() { Ok(()) } else { Err(BlockError::Truncated(self.pending.len())) }
    }
}

/// ClickHouse's CityHash128 is version 1.0.2 with its halves in the other order.
fn checksum_of(header_and_data: &[u8]) -> u128 {
    cityhash_rs::cityhash_102_128(header_and_data).rotate_right(64)
}

/// One block of LZ4. `data` is at most a piece of a result, far below the format's 4 GiB.
pub fn encode_block(data: &[u8]) -> Bytes {
    let compressed = lz4_flex::block::compress(data);
    let length = |bytes: usize| u32::try_from(bytes).expect("a piece of a result is far below 4 GiB");
    let mut header_and_data = Vec::with_capacity(HEADER_BYTES + compressed.len());
    header_and_data.push(METHOD_LZ4);
    header_and_data.extend_from_slice(&length(HEADER_BYTES + compressed.len()).to_le_bytes());
    header_and_data.extend_from_slice(&length(data.len()).to_le_bytes());
    header_and_data.extend_from_slice(&compressed);
    let mut block = BytesMut::with_capacity(CHECKSUM_BYTES + header_and_data.len());
    block.extend_from_slice(&checksum_of(&header_and_data).to_le_bytes());
    block.extend_from_slice(&header_and_data);
    block.freeze()
}

/// How a result's bytes are packed on the way out.
pub enum Packing {
    /// Not at all.
    Plain,
    /// One LZ4 frame over the whole answer.
    Frame(Box<lz4_flex::frame::FrameEncoder<Vec<u8>>>),
    /// ClickHouse's own blocks.
    Blocks,
}

impl Packing {
    /// One LZ4 frame.
    pub fn frame() -> Packing {
        Packing::Frame(Box::new(lz4_flex::frame::FrameEncoder::new(Vec::new())))
    }

    /// Packs a piece; what went in can be read from what has come out so far.
    pub fn pack(&mut self, piece: Bytes) -> Bytes {
        match self {
            Packing::Plain => piece,
            Packing::Blocks => encode_block(&piece),
            Packing::Frame(encoder) => {
                encoder.write_all(&piece).expect("writing into memory cannot fail");
                encoder.flush().expect("writing into memory cannot fail");
                Bytes::from(std::mem::take(encoder.get_mut()))
            }
        }
    }

    /// The bytes that end the answer.
    pub fn finish(self) -> Bytes {
        match self {
            Packing::Plain | Packing::Blocks => Bytes::new(),
            Packing::Frame(encoder) => Bytes::from(encoder.finish().expect("writing into memory cannot fail")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    fn open(packed: &[u8], cut: usize) -> Result<Vec<u8>, BlockError> {
        let mut decoder = BlockDecoder::default();
        let mut plain = Vec::new();
        for piece in packed.chunks(cut) {
            decoder.push(piece);
            while let Some(block) = decoder.next_block()? {
                plain.extend_from_slice(&block);
            }
        }
        decoder.finish().map(|()| plain)
    }

    proptest! {
        #[test]
        fn blocks_come_back_whatever_the_cut(a in prop::collection::vec(0_u8..4, 0..3000), b in any::<Vec<u8>>(), cut in 1_usize..500) {
            let packed = [encode_block(&a), encode_block(&b)].concat();
            prop_assert_eq!(open(&packed, cut).unwrap(), [a, b].concat());
        }

        #[test]
        fn a_changed_byte_never_passes(data in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
            let mut packed = encode_block(&data).to_vec();
            let at = at.index(packed.len());
            packed[at] ^= flip;
            prop_assert!(open(&packed, 64).is_err());
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = open(&bytes, 7);
        }
    }

    #[test]
    fn a_body_that_ends_within_a_block_is_an_error() {
        let packed = encode_block(b"some data");
        assert!(matches!(open(&packed[..packed.len() - 1], 8), Err(BlockError::Truncated(_))));
    }

    #[test]
    fn a_frame_is_one_frame_over_all_pieces() {
        let mut packing = Packing::frame();
        let mut packed = packing.pack(Bytes::from_static(b"one, ")).to_vec();
        packed.extend_from_slice(&packing.pack(Bytes::from_static(b"two")));
        packed.extend_from_slice(&packing.finish());
        let mut plain = String::new();
        lz4_flex::frame::FrameDecoder::new(packed.as_slice()).read_to_string(&mut plain).unwrap();
        assert_eq!(plain, "one, two");
    }
}
