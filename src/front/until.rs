//! Work that a flag may cut short. Waiting for the flag beside the work would cost each wake-up of a connection a good part
//! of what a request costs; here it is a look at a counter.

use std::pin::{Pin, pin};
use std::task::{Poll, Waker};

use tokio::sync::watch;

/// Does `work`, to its end or until `turned` has: then nothing.
///
/// The flag's side is asked for a wake-up once for each task that does the work, and again after each change; in between the
/// work alone is polled.
pub(super) async fn until<W: Future>(
    work: Pin<&mut W>,
    flags: &[&watch::Receiver<bool>],
    turned: impl Future<Output = ()>,
) -> Option<W::Output> {
    let mut work = work;
    // Never put off for others' sake: what was not asked for a wake-up gets none.
    let mut turned = pin!(tokio::task::unconstrained(turned));
    // Of our own, so that each change shows, whatever the waiting side has seen of it.
    let looks: Vec<watch::Receiver<bool>> = flags.iter().map(|flag| (*flag).clone()).collect();
    let mut waits: Option<Waker> = None;
    std::future::poll_fn(move |cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        let is_known = waits.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        // An end that is gone has said its last word.
        let has_changed = looks.iter().any(|look| look.has_changed().unwrap_or(true));
        if is_known && !has_changed {
            return Poll::Pending;
        }
        if turned.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        if !is_known {
            waits = Some(cx.waker().clone());
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    fn turn(flag: &watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
        let mut flag = flag.clone();
        async move {
            let _ = flag.wait_for(|turned| *turned).await;
        }
    }

    #[tokio::test]
    async fn work_goes_on_until_the_flag_turns_and_not_when_it_only_changes() {
        let (sender, flag) = watch::channel(false);
        let polls = Cell::new(0);
        let work = std::future::poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        });
        let mut work = pin!(work);
        let flags = [&flag];
        let mut waiting = pin!(until(work.as_mut(), &flags, turn(&flag)));
        assert!(tokio::time::timeout(Duration::from_millis(20), waiting.as_mut()).await.is_err());
        sender.send_replace(false);
        assert!(tokio::time::timeout(Duration::from_millis(20), waiting.as_mut()).await.is_err());
        sender.send_replace(true);
        assert_eq!(tokio::time::timeout(Duration::from_secs(5), waiting).await, Ok(None));
        assert!(polls.get() >= 3);
    }

    #[tokio::test]
    async fn who_waits_is_woken_whichever_task_it_was_moved_to() {
        let (sender, flag) = watch::channel(false);
        let waiting = async move {
            let mut never = pin!(std::future::pending::<()>());
            until(never.as_mut(), &[&flag], turn(&flag)).await
        };
        let mut waiting = Box::pin(waiting);
        assert!(tokio::time::timeout(Duration::from_millis(5), waiting.as_mut()).await.is_err());
        let other = tokio::spawn(waiting);
        tokio::task::yield_now().await;
        sender.send_replace(true);
        assert_eq!(tokio::time::timeout(Duration::from_secs(5), other).await.unwrap().unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_done_is_given_and_a_sender_that_is_gone_ends_nothing_by_itself() {
        let (sender, flag) = watch::channel(false);
        let mut work = pin!(async { 7 });
        assert_eq!(until(work.as_mut(), &[&flag], turn(&flag)).await, Some(7));
        drop(sender);
        let mut work = pin!(async {
            tokio::task::yield_now().await;
            8
        });
        assert_eq!(until(work.as_mut(), &[&flag], std::future::pending()).await, Some(8));
    }
}
