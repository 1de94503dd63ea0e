//! Counters and gauges: plain atomics, shared by every worker through one `Arc` and counted up with relaxed ordering,
//! since no figure is ever read to decide something about another.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::doors::DoorFigures;
use super::elsewhere::Elsewhere;
use super::latency::{self, Latencies};

/// A figure that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn count(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A figure that rises and falls.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// What it is now.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// What it was last set to.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, until what this gives is dropped.
    pub fn one_more(&self) -> OneMore<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        OneMore(self)
    }
}

/// What a gauge counts, as long as it lasts.
pub struct OneMore<'g>(&'g Gauge);

impl Drop for OneMore<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Everything that is counted. Bytes are bytes, rows are rows of `events`.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Answers to visitors by the first digit of their status; see [`Metrics::answered`].
    pub requests: [Counter; 5],
    /// Requests the upstream did not answer.
    pub upstream_errors: Counter,
    /// Events that are safe in the spool.
    pub events_captured: Counter,
    /// Events that were refused because the spool was full.
    pub events_refused: Counter,
    /// Beacons whose events were taken.
    pub beacons_accepted: Counter,
    /// Beacons that were refused, for want of consent or of sense.
    pub beacons_refused: Counter,
    /// Choices that are in the ledger.
    pub choices_recorded: Counter,
    /// Choices that do not count because the ledger could not be written.
    pub choices_refused: Counter,
    /// 1 where the ledger's disk did not take the last choice, else 0.
    pub ledger_failing: Gauge,
    /// Objections of browsers whose visitors have chosen nothing (C8) that are in the ledger.
    pub objections_recorded: Counter,
    /// Openings of e-mails that were kept.
    pub mail_openings_kept: Counter,
    /// Fetches of the picture of which nothing was kept, for want of a token that counts.
    pub mail_openings_not_kept: Counter,
    /// Imported calls that are safe in the spool.
    pub calls_accepted: Counter,
    /// Calls that were refused, for want of consent or of sense.
    pub calls_refused: Counter,
    /// Calls that had been imported before.
    pub calls_repeated: Counter,
    /// Imports that were turned away as a whole.
    pub call_imports_refused: Counter,
    /// Cookies taken out of requests (K3), without our own, which never reach the site.
    pub cookies_removed_from_requests: Counter,
    /// Cookies taken out of answers (K2).
    pub cookies_removed_from_answers: Counter,
    /// Pages that carry banner and collector.
    pub pages_injected: Counter,
    /// Pages that could not be changed, such as those in an unknown content encoding.
    pub pages_not_injectable: Counter,
    /// Redirections to a third party's tag that was refused, asked for by a page (K4).
    pub redirections_withheld: Counter,
    /// How the spool is doing, as it was last looked at.
    pub spool: SpoolFigures,
    /// Wrong passwords at the dashboard.
    pub sign_in_failures: Counter,
    /// What became of the views of the statistics lane.
    pub statistics: StatisticsFigures,
    /// Where visitors come in.
    pub doors: DoorFigures,
    /// How the upstreams are, which they know themselves.
    pub upstreams: Elsewhere,
    /// How often the configuration was read again, and how that went.
    pub reloads: ReloadFigures,
    /// 1 once the process was asked to end for good.
    pub draining: Gauge,
    /// Lines of the access log.
    pub access_lines: Arc<LineFigures>,
    /// Lines of the security log.
    pub security_lines: Arc<LineFigures>,
    /// Connections of visitors that are open.
    pub connections_open: Gauge,
    /// Of them, those that are WebSockets now.
    pub tunnels_open: Gauge,
    /// How long requests took, by worker.
    workers: Mutex<Vec<Arc<Latencies>>>,
}

/// What became of the lines of a log.
#[derive(Debug, Default)]
pub struct LineFigures {
    /// Those that were written.
    pub written: Counter,
    /// Those that were not, since too many waited or the disk did not take them.
    pub dropped: Counter,
}

/// Configurations that were read again while the process ran.
#[derive(Debug, Default)]
pub struct ReloadFigures {
    /// Those that took effect.
    pub succeeded: Counter,
    /// Those that did not.
    pub refused: Counter,
    /// 1 where the last one did not.
    pub refused_last: Gauge,
    /// When one last took effect, in seconds since 1970; 0 where none has.
    pub last_success: Gauge,
}

/// Views of the statistics lane, since the start. Sums of the whole process, with nothing that says of what they are.
#[derive(Debug, Default)]
pub struct StatisticsFigures {
    /// Views that were counted.
    pub counted: Counter,
    /// Views that are in the table.
    pub stored: Counter,
    /// Views that were too few of their kind to be stored (L2).
    pub suppressed: Counter,
    /// Views of hours that waited too long for ClickHouse, or that the disk did not take.
    pub dropped: Counter,
}

/// The spool's own figures, which it keeps itself; the life of the process copies them here.
#[derive(Debug, Default)]
pub struct SpoolFigures {
    /// Rows that wait in the spool.
    pub waiting_rows: Gauge,
    /// Bytes that wait in the spool.
    pub waiting_bytes: Gauge,
    /// Rows that were taken and then could not be written, since the start.
    pub lost_rows: Gauge,
    /// Rows that were found damaged, since the start.
    pub damaged_rows: Gauge,
    /// Batches ClickHouse has taken, since the start.
    pub shipped_batches: Gauge,
    /// Batches that were put aside because ClickHouse will never take them.
    pub quarantined_batches: Gauge,
    /// Batches among them of which the table holds another number of rows, since the start: an alarm.
    pub miscounted_batches: Gauge,
    /// 1 where the disk refused the last write, else 0.
    pub disk_failing: Gauge,
    /// 1 where the spool has waited for an answer of its disk for more than 3 s, else 0.
    pub disk_hanging: Gauge,
    /// 1 where that keeps events from being written: then beacons are refused.
    pub writer_hanging: Gauge,
    /// How long the oldest rows have waited, in seconds.
    pub oldest_seconds: Gauge,
    /// 1 where that is longer than they may: then events are refused.
    pub overdue: Gauge,
    /// Rows that were not shipped because their own period was over, since the start.
    pub outlived_rows: Gauge,
    /// Rows that were not shipped because their visitor withdrew while they waited, since the start.
    pub forgotten_rows: Gauge,
}

impl Metrics {
    /// Counts an answer to a visitor.
    pub fn answered(&self, status: u16) {
        if let Some(class) = usize::from(status / 100).checked_sub(1).and_then(|class| self.requests.get(class)) {
            class.count();
        }
    }

    /// The cells of a worker, which no other thread may write to; the same ones each time it is asked for.
    pub fn worker(&self, number: usize) -> Arc<Latencies> {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        while workers.len() <= number {
            workers.push(Arc::default());
        }
        workers[number].clone()
    }

    /// All of them in Prometheus' text format 0.0.4.
    pub fn prometheus(&self) -> String {
        let mut out = String::with_capacity(4096);
        head(&mut out, "consentry_requests_total", "counter", "Answers to visitors by class of status.");
        for (class, counter) in (1..).zip(&self.requests) {
            line(&mut out, &format!("consentry_requests_total{{status=\"{class}xx\"}}"), counter.get());
        }
        let mut one = |name: &str, kind: &str, help: &str, value: u64| {
            head(&mut out, name, kind, help);
            line(&mut out, name, value);
        };
        let mut counter = |name: &str, help: &str, counter: &Counter| one(name, "counter", help, counter.get());
        counter("consentry_upstream_errors_total", "Requests the upstream did not answer.", &self.upstream_errors);
        counter("consentry_events_captured_total", "Events that are safe in the spool.", &self.events_captured);
        counter("consentry_events_refused_total", "Events refused because the spool was full.", &self.events_refused);
        counter("consentry_beacons_accepted_total", "Beacons whose events were taken.", &self.beacons_accepted);
        counter("consentry_beacons_refused_total", "Beacons that were refused.", &self.beacons_refused);
        counter("consentry_choices_total", "Choices of visitors that are in the ledger.", &self.choices_recorded);
        let objections = &self.objections_recorded;
        counter("consentry_objections_total", "Browsers' objections (GPC, DNT) that are in the ledger.", objections);
        let refused = &self.choices_refused;
        counter("consentry_choices_refused_total", "Choices refused because the ledger could not be written.", refused);
        counter("consentry_mail_openings_total", "Openings of e-mails that were kept.", &self.mail_openings_kept);
        let not_kept = &self.mail_openings_not_kept;
        counter("consentry_mail_openings_not_kept_total", "Pictures in mails fetched without leave.", not_kept);
        counter("consentry_calls_accepted_total", "Imported calls that are safe in the spool.", &self.calls_accepted);
        counter("consentry_calls_refused_total", "Calls refused, by consent or sense.", &self.calls_refused);
        counter("consentry_calls_repeated_total", "Calls that had been imported before.", &self.calls_repeated);
        let turned_away = &self.call_imports_refused;
        counter("consentry_call_imports_refused_total", "Imports of calls turned away as a whole.", turned_away);
        let (from_requests, from_answers) = (&self.cookies_removed_from_requests, &self.cookies_removed_from_answers);
        counter("consentry_request_cookies_removed_total", "Cookies taken out of requests.", from_requests);
        counter("consentry_answer_cookies_removed_total", "Cookies taken out of answers.", from_answers);
        counter("consentry_pages_injected_total", "Pages that carry banner and collector.", &self.pages_injected);
        counter("consentry_pages_not_injectable_total", "Pages that could not be changed.", &self.pages_not_injectable);
        let withheld = &self.redirections_withheld;
        counter(
            "consentry_redirections_withheld_total",
            "Redirections to a refused third party, not passed on.",
            withheld,
        );
        counter("consentry_sign_in_failures_total", "Wrong passwords at the dashboard.", &self.sign_in_failures);
        let lane = &self.statistics;
        counter("consentry_statistics_counted_total", "Page views counted without a row of their own.", &lane.counted);
        counter("consentry_statistics_stored_total", "Counted page views that are in the table.", &lane.stored);
        let (suppressed, dropped) = (&lane.suppressed, &lane.dropped);
        counter("consentry_statistics_suppressed_total", "Counted page views too few to be stored.", suppressed);
        counter("consentry_statistics_dropped_total", "Counted page views that were lost while they waited.", dropped);
        let reloads = &self.reloads;
        counter("consentry_config_reloads_total", "Configurations read again that took effect.", &reloads.succeeded);
        counter("consentry_config_reloads_refused_total", "Configurations read again that did not.", &reloads.refused);
        for (name, lines) in [("access", &self.access_lines), ("security", &self.security_lines)] {
            let (written, dropped) = (&lines.written, &lines.dropped);
            counter(&format!("consentry_{name}_log_lines_total"), "Lines of this log that were written.", written);
            counter(&format!("consentry_{name}_log_lines_dropped_total"), "Lines of this log that were not.", dropped);
        }
        for (name, kind, help, gauge) in self.spool.announced().into_iter().chain(self.announced()) {
            one(name, kind, help, gauge.get());
        }
        for (name, kind, help, value) in self.doors.announced() {
            one(name, kind, help, value);
        }
        self.doors.write_certificates(&mut out);
        self.upstreams.write(&mut out);
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        latency::prometheus(&workers, &mut out);
        out
    }
}

impl Metrics {
    fn announced(&self) -> [(&'static str, &'static str, &'static str, &Gauge); 6] {
        let reloads = &self.reloads;
        [
            (
                "consentry_config_last_reload_refused",
                "gauge",
                "1 where the configuration that was read last is not in effect: an alarm.",
                &reloads.refused_last,
            ),
            (
                "consentry_config_last_reload_success_timestamp_seconds",
                "gauge",
                "When a configuration read again last took effect; 0 where none has.",
                &reloads.last_success,
            ),
            (
                "consentry_ledger_failing",
                "gauge",
                "1 where the ledger did not take the last choice: an alarm.",
                &self.ledger_failing,
            ),
            ("consentry_connections_open", "gauge", "Connections of visitors that are open.", &self.connections_open),
            ("consentry_tunnels_open", "gauge", "Connections of visitors that are WebSockets.", &self.tunnels_open),
            ("consentry_draining", "gauge", "1 once the process is ending for good.", &self.draining),
        ]
    }
}

impl SpoolFigures {
    fn announced(&self) -> [(&'static str, &'static str, &'static str, &Gauge); 14] {
        [
            ("consentry_spool_waiting_rows", "gauge", "Rows that wait in the spool.", &self.waiting_rows),
            ("consentry_spool_waiting_bytes", "gauge", "Bytes that wait in the spool.", &self.waiting_bytes),
            ("consentry_spool_lost_rows_total", "counter", "Rows the disk did not take.", &self.lost_rows),
            ("consentry_spool_damaged_rows_total", "counter", "Rows found damaged.", &self.damaged_rows),
            ("consentry_spool_disk_failing", "gauge", "1 where the disk refused the last write.", &self.disk_failing),
            ("consentry_spool_disk_hanging", "gauge", "1 where the disk does not answer.", &self.disk_hanging),
            ("consentry_spool_writer_hanging", "gauge", "1 where that holds up events.", &self.writer_hanging),
            ("consentry_batches_shipped_total", "counter", "Batches ClickHouse has taken.", &self.shipped_batches),
            ("consentry_batches_quarantined", "gauge", "Batches put aside for good.", &self.quarantined_batches),
            (
                "consentry_batches_miscounted_total",
                "counter",
                "Batches of which the table holds another number of rows: an alarm.",
                &self.miscounted_batches,
            ),
            ("consentry_spool_oldest_seconds", "gauge", "How long the oldest rows have waited.", &self.oldest_seconds),
            ("consentry_spool_overdue", "gauge", "1 where rows wait longer than they may.", &self.overdue),
            ("consentry_spool_outlived_rows_total", "counter", "Rows whose period ended first.", &self.outlived_rows),
            ("consentry_spool_forgotten_rows_total", "counter", "Rows of who withdrew first.", &self.forgotten_rows),
        ]
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("a string takes every line");
}

fn line(out: &mut String, name: &str, value: u64) {
    writeln!(out, "{name} {value}").expect("a string takes every line");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::exposition;
    use super::super::latency::{Phase, Route};
    use super::*;

    #[test]
    fn every_figure_is_announced_once_and_has_a_value() {
        let metrics = Metrics::default();
        metrics.answered(200);
        metrics.answered(204);
        metrics.answered(503);
        metrics.answered(0);
        metrics.answered(999);
        metrics.sign_in_failures.count();
        metrics.spool.waiting_bytes.set(42);
        let text = metrics.prometheus();
        assert!(text.contains("consentry_requests_total{status=\"2xx\"} 2\n"));
        assert!(text.contains("consentry_requests_total{status=\"5xx\"} 1\n"));
        assert!(text.contains("\nconsentry_sign_in_failures_total 1\n"));
        assert!(text.contains("# TYPE consentry_spool_waiting_bytes gauge\nconsentry_spool_waiting_bytes 42\n"));
        let mut announced: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
        let before = announced.len();
        announced.sort_unstable();
        announced.dedup();
        assert_eq!(before, announced.len(), "no figure is announced twice");
        assert_eq!(before, 68);
    }

    #[test]
    fn what_is_announced_keeps_prometheus_rules() {
        let metrics = Metrics::default();
        let worker = metrics.worker(1);
        worker.observe(Route::Page, Phase::Body, Duration::from_millis(3));
        assert!(Arc::ptr_eq(&worker, &metrics.worker(1)));
        let wrong = exposition::check(&metrics.prometheus());
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
