//! Figures of the servers, for the metrics: which are up, how often they were left alone, what is under way.

use std::fmt::Write;

use super::health::clock;
use super::pool::Counts;
use super::sites::Sites;

/// One server's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The route it belongs to: host and path, as in `*.example.com/api`.
    pub route: String,
    /// Its place among the route's upstreams, from 1: where it is is nothing for who may read figures and no more.
    pub place: usize,
    /// Whether it is asked where there are others.
    pub is_up: bool,
    /// How often it was left alone since the start, because it failed again and again.
    pub ejections: u64,
    /// Exchanges under way; counted only where a route has several servers.
    pub under_way: usize,
    /// Connections that are open, or being made, under this configuration.
    pub places_in_use: usize,
    /// What the workers' connections have done; a second old at most.
    pub counts: Counts,
}

impl Sites {
    /// Of every server of every route.
    pub fn figures(&self) -> Vec<Figures> {
        let now = clock();
        let all = self.parts.iter().flat_map(|part| part.servers.iter().zip(1..).map(move |of| (part, of)));
        all.map(|(part, (server, place))| Figures {
            route: part.name.clone(),
            place,
            is_up: server.health.is_up(now),
            ejections: server.health.ejections(),
            under_way: server.load(),
            places_in_use: server.places.in_use(),
            counts: server.told(),
        })
        .collect()
    }

    /// The same in Prometheus' text format 0.0.4.
    pub fn write_prometheus(&self, out: &mut String) {
        type Figure = (&'static str, &'static str, &'static str, fn(&Figures) -> u64);
        const ALL: [Figure; 9] = [
            ("up", "gauge", "1 where it is asked, else 0.", |of| u64::from(of.is_up)),
            ("exchanges", "gauge", "Exchanges under way, where there are several.", |of| of.under_way as u64),
            ("places_in_use", "gauge", "Connections open or being made.", |of| of.places_in_use as u64),
            ("ejections_total", "counter", "How often it was left alone.", |of| of.ejections),
            ("connections_total", "counter", "Connections made.", |of| of.counts.connected),
            ("reuses_total", "counter", "Exchanges over a kept connection.", |of| of.counts.reused),
            ("retries_total", "counter", "Requests sent a second time.", |of| of.counts.retried),
            ("failures_total", "counter", "Requests without an answer, and answers of 500 and above.", |of| {
                of.counts.failed
            }),
            ("poisoned_total", "counter", "Connections with bytes nobody asked for.", |of| of.counts.poisoned),
        ];
        let figures = self.figures();
        for (name, kind, help, value) in ALL {
            let name = format!("consentry_upstream_{name}");
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for of in &figures {
                let (route, place) = (escaped(&of.route), of.place);
                let _ = writeln!(out, "{name}{{route=\"{route}\",upstream=\"{place}\"}} {}", value(of));
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
