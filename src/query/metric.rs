//! What is counted: each metric's SQL beside the words that explain it, so that the two cannot drift apart.

use serde::Serialize;

/// One figure.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Metric {
    /// Its name in SQL and JSON.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The answer to "how is this counted?".
    pub explanation: &'static str,
    /// An aggregate over `events`. The additive columns `seq` and `since_prev_ms` make visits, bounces and durations
    /// sums, so that no question has to group by visit.
    pub sql: &'static str,
}

/// Every metric, in the order in which the dashboard shows them and rows carry them.
pub const METRICS: [Metric; 5] = [
    Metric {
        name: "visitors",
        title: "Visitors",
        explanation: "People who agreed to analytics and did something in this period, each counted once. Someone who \
                      uses two browsers or has deleted the cookie counts twice. Above 65,000 the figure is an \
                      estimate, typically within half a percent.",
        sql: "uniq(visitor_id)",
    },
    Metric {
        name: "visits",
        title: "Visits",
        explanation: "Visits that began in this period. A visit ends after 30 minutes without activity, or as \
                      configured.",
        sql: "countIf(seq = 1)",
    },
    Metric {
        name: "page_views",
        title: "Page views",
        explanation: "Pages delivered to people who had agreed to analytics. The same page seen twice counts twice.",
        sql: "countIf(name = 'pageview')",
    },
    Metric {
        name: "bounce_rate",
        title: "Bounce rate",
        explanation: "The share of visits that ended after one page, without anything else that counts as a step.",
        sql: "(countIf(seq = 1) - countIf(seq = 2)) / countIf(seq = 1)",
    },
    Metric {
        name: "visit_seconds",
        title: "Visit duration",
        explanation: "The time from the first to the last event of a visit, averaged over all visits, bounces \
                      included.",
        sql: "sum(since_prev_ms) / countIf(seq = 1) / 1000",
    },
];

/// How visitors answer the banner, in the order in which the dashboard shows it and rows carry it. Aggregates over
/// `consent_statistics as c`.
pub const CONSENT_METRICS: [Metric; 7] = [
    Metric {
        name: "shown",
        title: "Banner shown",
        explanation: "Page views on which the banner was shown, not people: someone who reads five pages without an \
                      answer was shown it five times. Programs that say what they are (bots) and pages that a browser \
                      fetches ahead are left out. Nothing is known of who saw it.",
        sql: "sum(c.shown)",
    },
    Metric {
        name: "accepted",
        title: "Accepted all",
        explanation: "Answers that granted everything that was asked for, in the banner or on the preferences page. \
                      Someone who answers again counts again.",
        sql: "sum(c.accepted)",
    },
    Metric {
        name: "rejected",
        title: "Rejected all",
        explanation: "Answers that granted nothing of what was asked for, withdrawals among them.",
        sql: "sum(c.rejected)",
    },
    Metric {
        name: "customised",
        title: "Chose some",
        explanation: "Answers that granted a part of what was asked for.",
        sql: "sum(c.customised)",
    },
    Metric {
        name: "ignored",
        title: "No answer",
        explanation: "Page views on which the banner was shown less all answers, and never less than none. An answer \
                      on the preferences page, where no banner was shown, makes it smaller than it was.",
        sql: "toUInt64(greatest(toInt64(sum(c.shown)) - toInt64(sum(c.accepted + c.rejected + c.customised)), 0))",
    },
    Metric {
        name: "acceptance_rate",
        title: "Acceptance rate",
        explanation: "The share of answers that accepted everything. Page views without an answer are no part of it.",
        sql: "sum(c.accepted) / sum(c.accepted + c.rejected + c.customised)",
    },
    Metric {
        name: "refusal_rate",
        title: "Refusal rate",
        explanation: "The share of answers that rejected everything.",
        sql: "sum(c.rejected) / sum(c.accepted + c.rejected + c.customised)",
    },
];

/// The select list of all metrics.
pub fn columns() -> String {
    select_list(&METRICS)
}

/// The select list of the metrics that can be counted of a single page or source: people, visits, pages.
pub fn counts() -> String {
    select_list(&METRICS[..3])
}

pub(super) fn select_list(metrics: &[Metric]) -> String {
    let columns: Vec<String> = metrics.iter().map(|metric| format!("  {} as {}", metric.sql, metric.name)).collect();
    columns.join(",\n")
}
