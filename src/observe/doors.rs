//! What is counted where visitors come in: who was turned away and why, and how TLS is doing. No address and no visitor is in
//! any of it; a certificate is named by its first host.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use super::metrics::{Counter, Gauge};

/// What happens before a request is read, and to requests that go no further.
#[derive(Debug, Default)]
pub struct DoorFigures {
    /// Connections closed at once because there were too many in all.
    pub refused_in_total: Counter,
    /// Connections closed at once because their address had too many.
    pub refused_by_address: Counter,
    /// Times the system could not accept a connection, for want of descriptors or memory.
    pub accepts_failed: Counter,
    /// Connections of listed proxies without a right header of the PROXY protocol.
    pub proxy_headers_refused: Counter,
    /// Handshakes that became a connection.
    pub handshakes: Counter,
    /// Handshakes that did not.
    pub handshakes_failed: Counter,
    /// Handshakes that named a host without a certificate.
    pub unknown_hosts: Counter,
    /// Requests beyond the pace of their address (429).
    pub requests_paced: Counter,
    /// Requests for a host that another certificate is for than their connection was opened with (421).
    pub misdirected: Counter,
    /// Requests whose body paused for too long or came too slowly (408).
    pub slow_bodies: Counter,
    /// Streams of HTTP/2 that were ended because their visitor took nothing.
    pub stalled_streams: Counter,
    /// 1 where the certificates' files are wrong and those of before are in use, else 0: an alarm.
    pub certificates_failing: Gauge,
    /// Times new certificates were taken from their files.
    pub certificates_reloaded: Counter,
    /// Certificates an authority has given.
    pub certificates_ordered: Counter,
    /// 1 where the last order came to nothing, else 0: an alarm.
    pub orders_failing: Gauge,
    /// Each certificate's first host, and until when it is good, in seconds since 1970.
    pub certificates: Mutex<Vec<(String, i64)>>,
}

impl DoorFigures {
    pub(super) fn announced(&self) -> [(&'static str, &'static str, &'static str, u64); 15] {
        [
            (
                "consentry_connections_refused_total",
                "counter",
                "Connections beyond max_connections.",
                self.refused_in_total.get(),
            ),
            (
                "consentry_connections_refused_by_address_total",
                "counter",
                "Connections beyond max_connections_per_address.",
                self.refused_by_address.get(),
            ),
            (
                "consentry_accepts_failed_total",
                "counter",
                "Times the system had no descriptor or memory for a connection.",
                self.accepts_failed.get(),
            ),
            (
                "consentry_proxy_headers_refused_total",
                "counter",
                "Connections of listed proxies without a right PROXY header.",
                self.proxy_headers_refused.get(),
            ),
            (
                "consentry_tls_handshakes_total",
                "counter",
                "Handshakes that became a connection.",
                self.handshakes.get(),
            ),
            (
                "consentry_tls_handshakes_failed_total",
                "counter",
                "Handshakes that broke off or took too long.",
                self.handshakes_failed.get(),
            ),
            (
                "consentry_tls_unknown_hosts_total",
                "counter",
                "Handshakes that named a host without a certificate.",
                self.unknown_hosts.get(),
            ),
            (
                "consentry_requests_paced_total",
                "counter",
                "Requests beyond the pace of their address.",
                self.requests_paced.get(),
            ),
            (
                "consentry_requests_misdirected_total",
                "counter",
                "Requests over TLS for a host that another certificate is for.",
                self.misdirected.get(),
            ),
            (
                "consentry_request_bodies_too_slow_total",
                "counter",
                "Request bodies that paused beyond idle_timeout or came below min_body_rate.",
                self.slow_bodies.get(),
            ),
            (
                "consentry_streams_stalled_total",
                "counter",
                "HTTP/2 streams ended because their visitor took nothing.",
                self.stalled_streams.get(),
            ),
            (
                "consentry_tls_certificates_failing",
                "gauge",
                "Certificates whose files cannot be taken; those of before are in use.",
                self.certificates_failing.get(),
            ),
            (
                "consentry_tls_certificates_reloaded_total",
                "counter",
                "Times new certificates were taken from their files.",
                self.certificates_reloaded.get(),
            ),
            (
                "consentry_acme_certificates_total",
                "counter",
                "Certificates an authority has given.",
                self.certificates_ordered.get(),
            ),
            ("consentry_acme_failing", "gauge", "1 where the last order came to nothing.", self.orders_failing.get()),
        ]
    }

    /// Until when each certificate is good. Nothing is announced where there is none.
    pub(super) fn write_certificates(&self, out: &mut String) {
        let certificates = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        if certificates.is_empty() {
            return;
        }
        let name = "consentry_tls_certificate_expiry_seconds";
        out.push_str(&format!("# HELP {name} Until when a certificate is good, since 1970.\n# TYPE {name} gauge\n"));
        for (number, (host, until)) in certificates.iter().enumerate() {
            // Host names need no escaping; what is none has no place here.
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
            let host: String = host.chars().filter(|c| plain(*c)).collect();
            writeln!(out, "{name}{{certificate=\"{number}\",host=\"{host}\"}} {until}")
                .expect("a string takes every line");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;

    #[test]
    fn certificates_are_announced_with_their_end_where_there_are_some() {
        let metrics = Metrics::default();
        assert!(!metrics.prometheus().contains("certificate_expiry"));
        *metrics.doors.certificates.lock().unwrap() = vec![("*.a.example".into(), 7), ("b\"}\n.example".into(), 8)];
        let text = metrics.prometheus();
        let name = "consentry_tls_certificate_expiry_seconds";
        assert!(text.contains(&format!("\n{name}{{certificate=\"0\",host=\"*.a.example\"}} 7\n")), "{text}");
        assert!(text.contains(&format!("\n{name}{{certificate=\"1\",host=\"b.example\"}} 8\n")), "{text}");
    }
}
