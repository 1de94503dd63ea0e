//! Looks after the certificates' files, and tells what is wrong with them and until when they are good.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::certificates::Certificates;
use crate::observe::Metrics;

/// Whose certificate ends sooner is told of it, in seconds.
const SOON: i64 = 14 * DAY;
const DAY: i64 = 86_400;

/// Looks at the files for as long as the process lives.
pub async fn tend(certificates: Arc<Certificates>, every: Duration, metrics: Arc<Metrics>) {
    let mut trouble = None;
    let mut told = now();
    loop {
        tokio::time::sleep(every).await;
        // Once a day, for whoever reads the log and no figures.
        if now().saturating_sub(told) >= DAY {
            told = now();
            tell(&certificates, &metrics, told);
        }
        let (certificates, metrics, before) = (certificates.clone(), metrics.clone(), trouble.take());
        // The disk may be slow.
        let looked = tokio::task::spawn_blocking(move || look(&certificates, &metrics, before));
        trouble = looked.await.unwrap_or_default();
    }
}

/// One look: takes what is new, and says what is wrong if that is not what it was `before`.
pub fn look(certificates: &Certificates, metrics: &Metrics, before: Option<String>) -> Option<String> {
    match certificates.look() {
        Ok(is_new) => {
            metrics.doors.certificates_failing.set(0);
            if is_new {
                metrics.doors.certificates_reloaded.count();
                tracing::info!("new certificates are in use");
                tell(certificates, metrics, now());
            } else if before.is_some() {
                tracing::info!("the certificates' files are right again");
            }
            None
        }
        Err(error) => {
            metrics.doors.certificates_failing.set(1);
            let trouble = error.to_string();
            if before.as_ref() != Some(&trouble) {
                tracing::error!(%error, "certificates cannot be taken from their files; those of before stay in use");
            }
            Some(trouble)
        }
    }
}

/// Notes until when each certificate is good; `now` is in seconds since 1970.
pub fn tell(certificates: &Certificates, metrics: &Metrics, now: i64) {
    let mut ends = Vec::new();
    for certificate in certificates.table().certificates() {
        let host = certificate.facts.hosts.first().cloned().unwrap_or_default();
        let left = certificate.facts.not_after.saturating_sub(now);
        match left {
            ..=0 => tracing::error!(host, "a certificate is no longer good; browsers refuse it"),
            1..SOON => tracing::warn!(host, days = left / DAY, "a certificate ends soon"),
            _ => {}
        }
        ends.push((host, certificate.facts.not_after));
    }
    *metrics.doors.certificates.lock().unwrap_or_else(PoisonError::into_inner) = ends;
}

/// Now, in seconds since 1970.
pub(super) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::front::tls::testing::write_certificate;

    #[test]
    fn wrong_files_raise_an_alarm_until_they_are_right() {
        let dir = tempfile::tempdir().unwrap();
        let files = write_certificate(dir.path(), "one", &["a.example"]);
        let certificates = Certificates::read(std::slice::from_ref(&files)).unwrap();
        let metrics = Metrics::default();
        assert_eq!(look(&certificates, &metrics, None), None);
        fs::write(&files.key, "").unwrap();
        let trouble = look(&certificates, &metrics, None);
        assert!(trouble.as_ref().is_some_and(|said| said.contains("no private key")), "{trouble:?}");
        assert_eq!(metrics.doors.certificates_failing.get(), 1);
        write_certificate(dir.path(), "one", &["b.example"]);
        assert_eq!(look(&certificates, &metrics, trouble), None);
        assert_eq!((metrics.doors.certificates_failing.get(), metrics.doors.certificates_reloaded.get()), (0, 1));
        let told = metrics.doors.certificates.lock().unwrap().clone();
        assert_eq!(told.len(), 1);
        assert!(told[0].0 == "b.example" && told[0].1 > now());
    }
}
