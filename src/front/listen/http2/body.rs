//! The body of an answer over HTTP/2: in pieces that are neither large, so that whoever has not taken one in time is let go,
//! nor smaller than they need be, since each costs a frame and visitors who protect themselves count small ones.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::pace::{Piece, StreamPace};
use crate::upstream::Waiting;

/// The largest piece, in bytes.
const PIECE: usize = 16 << 10;
/// What an answer may hold of which nothing was asked for yet: what came with its head.
const UNASKED: usize = 64 << 10;
/// What is smaller is joined with what is there already, in bytes.
const SMALL: usize = 4 << 10;

/// A body that notes how it is taken: hyper asks for the next piece once the visitor has room for the last one.
pub(super) struct PacedBody<B: Body> {
    body: B,
    /// What is handed over next.
    piece: Bytes,
    /// What comes after that.
    next: Bytes,
    /// What came instead of data, once there was such.
    last: Option<Option<Result<Frame<Bytes>, B::Error>>>,
    pace: Rc<StreamPace>,
    /// What is held here.
    held: Waiting,
}

impl<B: Body<Data = Bytes> + Unpin> PacedBody<B> {
    pub fn new(body: B, pace: Rc<StreamPace>) -> PacedBody<B> {
        let held = if body.is_end_stream() { Waiting::default() } else { Waiting::of(UNASKED) };
        PacedBody { body, piece: Bytes::new(), next: Bytes::new(), last: None, pace, held }
    }

    /// Makes the piece as long as it may be from what comes after it.
    fn fill(&mut self) {
        let more = PIECE.saturating_sub(self.piece.len()).min(self.next.len());
        if self.piece.is_empty() {
            self.piece = self.next.split_to(more);
        } else if self.piece.len() < SMALL && more > 0 {
            let mut joined = BytesMut::with_capacity(self.piece.len() + more);
            joined.extend_from_slice(&self.piece);
            joined.extend_from_slice(&self.next.split_to(more));
            self.piece = joined.freeze();
        }
    }

    fn is_empty(&self) -> bool {
        self.piece.is_empty() && self.next.is_empty()
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for PacedBody<B>
where
    B::Error: Unpin,
{
    type Data = Piece;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, B::Error>>> {
        ready!(self.pace.poll_room(cx));
        self.held.set(0);
        loop {
            self.fill();
            if self.piece.len() >= SMALL || self.last.is_some() || !self.next.is_empty() || self.body.is_end_stream() {
                break;
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.next = data,
                    Err(trailers) => self.last = Some(Some(Ok(trailers))),
                },
                Poll::Ready(end) => self.last = Some(end),
                // What is there is not held back for what may come.
                Poll::Pending if self.piece.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if self.piece.is_empty() {
            let last = self.last.take().flatten();
            // Data is never what comes last.
            return Poll::Ready(last.map(|last| last.map(|frame| frame.map_data(|data| Piece::new(data, &self.pace)))));
        }
        let held = self.next.len();
        self.held.set(held);
        self.pace.owed.set(Some(Instant::now()));
        let piece = std::mem::take(&mut self.piece);
        Poll::Ready(Some(Ok(Frame::data(Piece::new(piece, &self.pace)))))
    }

    fn is_end_stream(&self) -> bool {
        let ended = match &self.last {
            None => self.body.is_end_stream(),
            Some(last) => last.is_none(),
        };
        ended && self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, held) = (self.body.size_hint(), (self.piece.len() + self.next.len()) as u64);
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower().saturating_add(held));
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper.saturating_add(held));
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::task::Waker;

    use bytes::Buf;

    use super::*;

    /// Gives what it is told to; nothing is a pause.
    struct Told(VecDeque<Option<Frame<Bytes>>>);

    impl Body for Told {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.pop_front() {
                Some(Some(frame)) => Poll::Ready(Some(Ok(frame))),
                Some(None) => Poll::Pending,
                None => Poll::Ready(None),
            }
        }
    }

    /// The lengths of the pieces, 0 for a pause, and all their bytes.
    fn taken(told: Vec<Option<Frame<Bytes>>>) -> (Vec<usize>, Vec<u8>, bool) {
        let mut body = PacedBody::new(Told(told.into()), Rc::default());
        let (mut lengths, mut bytes, mut trailers) = (Vec::new(), Vec::new(), false);
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match Pin::new(&mut body).poll_frame(&mut cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        assert!(body.pace.owed.get().is_some());
                        lengths.push(data.remaining());
                        bytes.extend_from_slice(data.chunk());
                    }
                    Err(_) => trailers = true,
                },
                Poll::Pending => {
                    assert!(body.pace.owed.get().is_none(), "nobody owes anything while the site is waited for");
                    lengths.push(0);
                }
                Poll::Ready(_) => return (lengths, bytes, trailers),
            }
        }
    }

    fn data(length: usize) -> Option<Frame<Bytes>> {
        Some(Frame::data(Bytes::from(vec![b'x'; length])))
    }

    #[test]
    fn small_pieces_are_joined_large_ones_are_cut_and_nothing_is_held_back() {
        assert_eq!(taken(vec![data(10), data(20), data(30)]).0, [60]);
        // The first pause is where the piece before it is handed over.
        assert_eq!(taken(vec![data(10), None, None, data(20)]).0, [10, 0, 20]);
        assert_eq!(taken(vec![data(40_000)]).0, [PIECE, PIECE, 40_000 - 2 * PIECE]);
        assert_eq!(taken(vec![data(10), data(40_000)]).0, [PIECE, PIECE, 40_010 - 2 * PIECE]);
        assert_eq!(taken(vec![data(0), data(0)]).0, [0; 0]);
        let trailers = Some(Frame::trailers(Default::default()));
        let (lengths, _, ended) = taken(vec![data(10), trailers]);
        assert_eq!((lengths, ended), (vec![10], true));
    }

    proptest::proptest! {
        #[test]
        fn no_byte_is_lost_or_out_of_order(pieces: Vec<Option<Vec<u8>>>, large in 0usize..50_000) {
            let large: Vec<u8> = (0..large).map(|at| at as u8).collect();
            let pieces: Vec<_> = pieces.into_iter().chain([Some(large)]).collect();
            let told = pieces.iter().map(|piece| piece.clone().map(|piece| Frame::data(piece.into()))).collect();
            proptest::prop_assert_eq!(taken(told).1, pieces.into_iter().flatten().flatten().collect::<Vec<u8>>());
        }
    }
}
