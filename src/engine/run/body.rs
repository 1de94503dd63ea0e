//! A request's body, read by the thread that waits for ClickHouse.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::engine::blocks::{BlockDecoder, BlockError};
use crate::engine::exception::Exception;

/// The body as it arrives: an error is a broken or stalled connection.
pub type Body = mpsc::Receiver<Result<Bytes, String>>;

/// The body's bytes, out of their blocks.
pub(super) struct BodyReader {
    body: Body,
    pub(super) unpack: Option<BlockDecoder>,
    ended: bool,
    /// The statement came in the body, so that every byte behind it is data.
    pub(super) came_with_data: bool,
}

impl BodyReader {
    pub(super) fn new(body: Body) -> BodyReader {
        BodyReader { body, unpack: None, ended: false, came_with_data: false }
    }

    /// The next bytes, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Exception> {
        loop {
            if let Some(decoder) = &mut self.unpack {
                let wrong = |error: BlockError| Exception::new(271, "CANNOT_DECOMPRESS", &error.to_string());
                if let Some(block) = decoder.next_block().map_err(wrong)? {
                    return Ok(Some(block));
                }
                if self.ended {
                    decoder.finish().map_err(wrong)?;
                }
            }
            if self.ended {
                return Ok(None);
            }
            match (self.body.blocking_recv(), &mut self.unpack) {
                (None, _) => self.ended = true,
                (Some(Err(broken)), _) => return Err(Exception::new(210, "NETWORK_ERROR", &broken)),
                (Some(Ok(bytes)), Some(decoder)) => decoder.push(&bytes),
                (Some(Ok(bytes)), None) => return Ok(Some(bytes)),
            }
        }
    }
}
