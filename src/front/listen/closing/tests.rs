use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::*;
use crate::front::turn::Ours;

const SHORT: Duration = Duration::from_millis(300);

/// Nothing can be seen of it without reading.
impl Glance for DuplexStream {
    fn glance(&self) -> (bool, End) {
        (false, End::None)
    }
}

fn closing<T>(line: T, turn: &Turn) -> Closing<T> {
    Closing {
        limits: Limits { half_closed: SHORT, taken: SHORT / 4, pause: SHORT, all: SHORT * 3 },
        ..Closing::new(line, turn.clone())
    }
}

fn closed_after(bytes: &[u8]) -> (Closing<DuplexStream>, Turn, DuplexStream) {
    let (mut visitor, line) = duplex(64);
    let turn = Turn::default();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    assert!(Pin::new(&mut visitor).poll_write(&mut cx, bytes).is_ready());
    assert!(Pin::new(&mut visitor).poll_shutdown(&mut cx).is_ready());
    (closing(line, &turn), turn, visitor)
}

#[tokio::test]
async fn the_end_is_told_in_the_visitors_turn_and_in_ours_once_the_answer_has_ended() {
    let (mut line, turn, _visitor) = closed_after(b"ask");
    let mut heard = [0; 8];
    assert_eq!(line.read(&mut heard).await.unwrap(), 3);
    let ours = turn.begin(true);
    assert!(timeout(SHORT / 6, line.read(&mut heard)).await.is_err());
    drop(ours);
    assert_eq!(line.read(&mut heard).await.unwrap(), 0);
}

#[tokio::test]
async fn an_end_within_a_request_is_told_soon_unless_it_was_the_requests_own() {
    let (mut line, turn, _visitor) = closed_after(b"");
    let _answer = turn.begin(false);
    turn.wants(true);
    let began = Instant::now();
    assert_eq!(line.read(&mut [0; 8]).await.unwrap(), 0);
    assert!((SHORT / 4..SHORT).contains(&began.elapsed()), "{:?}", began.elapsed());

    let (mut line, turn, _visitor) = closed_after(b"");
    let _answer = turn.begin(false);
    turn.wants(true);
    let began = Instant::now();
    assert!(timeout(SHORT / 8, line.read(&mut [0; 8])).await.is_err());
    turn.heard();
    assert_eq!(line.read(&mut [0; 8]).await.unwrap(), 0);
    assert!(began.elapsed() >= SHORT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn whoever_takes_nothing_for_long_has_gone() {
    let (mut line, turn, mut visitor) = closed_after(b"");
    let _ours = turn.begin(true);
    let began = Instant::now();
    for _ in 0..4 {
        assert!(timeout(SHORT / 3, line.read(&mut [0; 8])).await.is_err());
        line.write_all(b"more").await.unwrap();
        visitor.read_exact(&mut [0; 4]).await.unwrap();
    }
    assert_eq!(line.read(&mut [0; 8]).await.unwrap(), 0);
    assert!(began.elapsed() >= SHORT * 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_connection_between_two_requests_is_closed_at_once() {
    let (_visitor, line) = duplex(64);
    let turn = Turn::default();
    drop(turn.begin(true));
    timeout(SHORT / 6, closing(line, &turn).shutdown()).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_still_comes_after_our_answer_is_thrown_away_until_the_visitor_closes_pauses_or_has_had_its_time() {
    // It closes.
    let (mut visitor, line) = duplex(64);
    let turn = Turn::default();
    drop(turn.begin(false));
    let mut line = closing(line, &turn);
    let talk = async {
        visitor.write_all(&[b'x'; 1 << 16]).await.unwrap();
        assert_eq!(visitor.read(&mut [0; 8]).await.unwrap(), 0, "our half is closed");
        drop(visitor);
    };
    let (closed, ()) = tokio::join!(timeout(SHORT * 2, line.shutdown()), talk);
    closed.unwrap().unwrap();

    // It pauses.
    let (_visitor, line) = duplex(64);
    let began = Instant::now();
    closing(line, &turn).shutdown().await.unwrap();
    assert!((SHORT..SHORT * 3).contains(&began.elapsed()), "{:?}", began.elapsed());

    // It goes on and on.
    let (mut visitor, line) = duplex(64);
    let mut line = closing(line, &turn);
    let began = Instant::now();
    let talk = async {
        while visitor.write_all(b"drop").await.is_ok() {
            tokio::time::sleep(SHORT / 20).await;
        }
    };
    tokio::select! {
        closed = line.shutdown() => closed.unwrap(),
        () = talk => unreachable!("it has no end"),
    }
    assert!((SHORT * 2..SHORT * 20).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_end_behind_a_request_that_nobody_takes_yet_is_told_late_and_soon_once_more_is_waited_for() {
    let (mut line, turn, _visitor) = closed_after(b"");
    let _answer = turn.begin(false);
    let began = Instant::now();
    assert_eq!(line.read(&mut [0; 8]).await.unwrap(), 0);
    assert!(began.elapsed() >= SHORT, "{:?}", began.elapsed());

    let (mut line, turn, _visitor) = closed_after(b"");
    let _answer = turn.begin(false);
    let began = Instant::now();
    assert!(timeout(SHORT / 8, line.read(&mut [0; 8])).await.is_err());
    turn.wants(true);
    assert_eq!(line.read(&mut [0; 8]).await.unwrap(), 0);
    assert!((SHORT / 2..SHORT).contains(&began.elapsed()), "{:?}", began.elapsed());
}

/// A connection whose visitor has sent something that was not read, and a request that was.
async fn unheard(in_ours: bool) -> (Closing<UnixStream>, Ours, UnixStream) {
    let (mut visitor, line) = UnixStream::pair().unwrap();
    let turn = Turn::default();
    let mut line = closing(line, &turn);
    visitor.write_all(b"ask and more").await.unwrap();
    line.read_exact(&mut [0; 3]).await.unwrap();
    let answer = turn.begin(in_ours);
    (line, answer, visitor)
}

/// Waits, as an answer does that does not come.
async fn silence<T: AsyncRead + AsyncWrite + Glance + Unpin>(line: &mut Closing<T>) -> Error {
    std::future::poll_fn(|cx| match Pin::new(&mut *line).poll_flush(cx) {
        Poll::Ready(Err(error)) => Poll::Ready(error),
        Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
    })
    .await
}

#[tokio::test]
async fn whoever_goes_is_missed_though_nobody_reads() {
    for in_ours in [true, false] {
        let (mut line, _answer, visitor) = unheard(in_ours).await;
        assert!(timeout(SHORT * 2, silence(&mut line)).await.is_err(), "it is there");
        drop(visitor);
        let error = timeout(SHORT, silence(&mut line)).await.expect("it has gone");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn whoever_closes_its_half_though_nobody_reads_is_waited_for_as_long_as_something_moves() {
    let (mut line, _answer, mut visitor) = unheard(true).await;
    assert!(timeout(SHORT * 2, silence(&mut line)).await.is_err(), "it is there");
    visitor.shutdown().await.unwrap();
    let began = Instant::now();
    for _ in 0..4 {
        assert!(timeout(SHORT / 3, silence(&mut line)).await.is_err());
        line.write_all(b"more").await.unwrap();
        visitor.read_exact(&mut [0; 4]).await.unwrap();
    }
    silence(&mut line).await;
    assert!(began.elapsed() >= SHORT * 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn nothing_is_watched_where_who_reads_is_told_of_an_end_or_nothing_is_under_way() {
    let (mut visitor, line) = UnixStream::pair().unwrap();
    let turn = Turn::default();
    let mut line = closing(line, &turn);
    visitor.write_all(b"ask").await.unwrap();
    line.read_exact(&mut [0; 3]).await.unwrap();
    line.flush().await.unwrap();
    assert!(line.watch.is_none());
    let answer = turn.begin(true);
    assert!(timeout(SHORT / 6, line.read(&mut [0; 8])).await.is_err());
    line.flush().await.unwrap();
    assert!(line.watch.is_none());
    visitor.write_all(b"more").await.unwrap();
    assert_eq!(line.read(&mut [0; 2]).await.unwrap(), 2);
    line.flush().await.unwrap();
    assert!(line.watch.is_some());
    drop(answer);
    line.flush().await.unwrap();
    assert!(line.watch.is_none());
}
