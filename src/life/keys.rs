//! The key ring's part of the process: rotated and destroyed by the calendar, and what a command or another gateway changed
//! is taken over (D2). What happens to a key is logged by its number, never by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::now_ms;
use crate::config::KeyWindows;
use crate::keys::{Change, KeyRing, What};

/// How often the ring is looked at, besides at midnight. Whoever destroys a key does not want to wait.
const LOOK: Duration = Duration::from_secs(10);

const DAY_MS: u64 = 86_400_000;

/// Looks at the ring for as long as the process lives. The first [`look`] is taken before anything is captured, and
/// `trouble` is what it found in the way.
pub async fn tend(ring: Arc<KeyRing>, windows: watch::Receiver<KeyWindows>, mut trouble: Option<String>) {
    loop {
        tokio::time::sleep(pause(now_ms())).await;
        let (ring, windows, before) = (ring.clone(), windows.borrow().clone(), trouble.take());
        // Another process may hold the lock for a while, and the disk be slow.
        trouble = tokio::task::spawn_blocking(move || look(&ring, &windows, before)).await.unwrap_or_else(|_| {
            tracing::error!("looking after the key ring panicked; it goes on with the keys it has");
            None
        });
    }
}

/// One look: says what happened to the keys, and what is in the way if that is not what it was before.
pub fn look(ring: &KeyRing, windows: &KeyWindows, before: Option<String>) -> Option<String> {
    match ring.tend(now_ms().unsigned_abs() / 1000, windows) {
        Ok(changes) => {
            changes.iter().for_each(log);
            None
        }
        Err(error) => {
            let trouble = error.to_string();
            if before.as_ref() != Some(&trouble) {
                tracing::error!(%error, "keys are neither rotated nor destroyed until this is put right; those of before stay in use");
            }
            Some(trouble)
        }
    }
}

fn log(change: &Change) {
    let (key, purpose, site) = (change.key.id.0, change.key.purpose.word(), change.key.site);
    match (change.what, change.key.destroyed) {
        (What::Made, _) => tracing::info!(key, purpose, site, "a new key is in use"),
        (What::Destroyed, Some(end)) => {
            tracing::info!(key, purpose, site, why = %end.why, "a key is destroyed: what was made under it links to nothing any more");
        }
        _ => tracing::info!(key, purpose, site, "a key is retired: nothing new is made under it"),
    }
}

/// Until the next look, which is no later than midnight.
fn pause(now_ms: i64) -> Duration {
    let of_the_day = now_ms.unsigned_abs() % DAY_MS;
    LOOK.min(Duration::from_millis(DAY_MS - of_the_day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_on_time() {
        let day = 20_000 * DAY_MS as i64;
        assert_eq!(pause(day), LOOK);
        assert_eq!(pause(day - 1), Duration::from_millis(1));
        assert_eq!(pause(day - 9_999), Duration::from_millis(9_999));
        assert_eq!(pause(day - 90_000), LOOK);
    }
}
