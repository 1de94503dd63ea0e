//! Looks after the certificates' files, and tells what is wrong with them and until when they are good.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::certificates::Certificates;
use super::x509;
use crate::observe::Metrics;

/// Whose certificate ends sooner is told of it, in seconds.
const SOON: i64 = 14 * DAY;
const DAY: i64 = 86_400;

/// Looks at the files for as long as the process lives.
pub async fn tend(certificates: Arc<Certificates>, every: Duration, metrics: Arc<Metrics>) {
    let mut told = now();
    loop {
        tokio::time::sleep(every).await;
        // Once a day, for whoever reads the log and no figures.
        if now().saturating_sub(told) >= DAY {
            told = now();
            tell(&certificates, &metrics, told);
        }
        let (certificates, metrics) = (certificates.clone(), metrics.clone());
        // The disk may be slow.
        let _ = tokio::task::spawn_blocking(move || look(&certificates, &metrics, now())).await;
    }
}

/// One look: takes what is new, and says what is wrong where it was not so at the look before. The answer is all that is wrong.
pub fn look(certificates: &Certificates, metrics: &Metrics, now: i64) -> Vec<String> {
    let looked = certificates.look(now);
    metrics.doors.certificates_failing.set(looked.wrong.len() as u64);
    if looked.is_new {
        metrics.doors.certificates_reloaded.count();
        tracing::info!("new certificates are in use");
        tell(certificates, metrics, now);
    }
    if looked.is_right_again {
        tracing::info!("a certificate's files are right again");
    }
    for wrong in looked.wrong.iter().filter(|wrong| wrong.is_new) {
        let error = &wrong.said;
        tracing::error!(%error, "a certificate cannot be taken from its files; the one of before stays in use");
    }
    looked.wrong.into_iter().map(|wrong| wrong.said).collect()
}

/// Notes until when each certificate is good; `now` is in seconds since 1970.
pub fn tell(certificates: &Certificates, metrics: &Metrics, now: i64) {
    let mut ends = Vec::new();
    for certificate in certificates.table().certificates() {
        let host = certificate.facts.hosts.first().cloned().unwrap_or_default();
        let left = certificate.facts.not_after.saturating_sub(now);
        match left {
            _ if certificate.facts.not_before > now => {
                let from = x509::date(certificate.facts.not_before);
                tracing::error!(host, from, "a certificate is not good yet; browsers refuse it");
            }
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
        let others = write_certificate(dir.path(), "two", &["c.example"]);
        let certificates = Certificates::read(&[files.clone(), others.clone()]).unwrap();
        let metrics = Metrics::default();
        let look = || look(&certificates, &metrics, now());
        assert_eq!(look(), [""; 0]);
        fs::write(&files.key, "").unwrap();
        fs::remove_file(&others.key).unwrap();
        let trouble = look();
        assert!(trouble.len() == 2 && trouble[0].contains("one-key.pem holds no private key"), "{trouble:?}");
        assert_eq!(metrics.doors.certificates_failing.get(), 2, "as many as there are");
        write_certificate(dir.path(), "one", &["b.example"]);
        assert!(look().len() == 1 && metrics.doors.certificates_failing.get() == 1);
        write_certificate(dir.path(), "two", &["c.example"]);
        assert_eq!(look(), [""; 0]);
        assert_eq!((metrics.doors.certificates_failing.get(), metrics.doors.certificates_reloaded.get()), (0, 2));
        let told = metrics.doors.certificates.lock().unwrap().clone();
        assert_eq!(told.len(), 2);
        assert!(told[0].0 == "b.example" && told[0].1 > now());
    }
}
