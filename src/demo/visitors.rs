//! Simulated visitors of the last days, so that the dashboard shows something at once. They go the way real ones go: each
//! makes a choice, [`consent::decide`] decides, and only with its permit [`capture`](crate::capture) makes an event. What is
//! simulated is the clock and the exchange, nothing behind them. The same seed makes the same visitors.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderValue, StatusCode};

use super::site::PAGES;
use crate::capture::event::Event;
use crate::capture::{Answer, Capture, Captured, Exchange, beacon};
use crate::consent::{self, Choice, ChoiceSource, Decision, Mode, NoChoice, Policy, PurposeSet, Signals};
use crate::pseudonym::RawIp;

/// How many days back the history reaches.
/// More than twice the thirty days of the dashboard's longest button, which compares them with the thirty before.
pub const DAYS: i64 = 62;
const VISITORS: u64 = 450;
/// Of these, how many come first in the last [`RECENTLY`], whatever the hour, so that "today" shows something.
const RECENT_VISITORS: u64 = 14;
const RECENTLY: i64 = 3 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How busy the site is in each hour of a weekday (UTC), and of a hundred weekday visits how many a day of the weekend has.
const HOURS: [u64; 24] = [2, 1, 1, 1, 1, 2, 5, 12, 22, 30, 32, 32, 28, 30, 31, 30, 28, 24, 20, 18, 17, 14, 9, 4];
const BUSIEST_HOUR: u64 = 32;
const WEEKEND: u64 = 45;

/// First octets of networks that are as a whole in one country, for the geo lookup, with language and time zone there; the
/// last two octets are random.
const NETWORKS: [([u8; 2], &str, &str, u64); 9] = [
    ([86, 128], "en-GB,en;q=0.9", "Europe/London", 30),
    ([82, 20], "en-GB,en;q=0.9", "Europe/London", 25),
    ([86, 1], "en-GB,cy;q=0.6", "Europe/London", 15),
    ([86, 40], "en-IE,en;q=0.9", "Europe/Dublin", 8),
    ([91, 12], "de-DE,de;q=0.9,en;q=0.5", "Europe/Berlin", 6),
    ([90, 5], "fr-FR,fr;q=0.9", "Europe/Paris", 5),
    ([84, 24], "nl-NL,nl;q=0.9", "Europe/Amsterdam", 4),
    ([73, 15], "en-US,en;q=0.9", "America/New_York", 5),
    ([24, 64], "en-CA,en;q=0.9", "America/Edmonton", 2),
];

const AGENTS: [(&str, &str, u64); 6] = [
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        "1920x1080",
        34,
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
        "393x852",
        26,
    ),
    (
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
        "412x915",
        16,
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
        "1512x982",
        12,
    ),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0", "1536x864", 8),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
        "1920x1200",
        4,
    ),
];

/// Landing page query and referrer.
const ARRIVALS: [(&str, &str, u64); 8] = [
    ("", "https://www.google.co.uk/", 34),
    ("", "", 26),
    ("?utm_source=newsletter&utm_medium=email&utm_campaign=autumn", "", 12),
    ("", "https://www.linkedin.com/", 9),
    ("", "https://www.bing.com/", 6),
    ("?utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=x", "https://www.google.co.uk/", 6),
    ("", "https://chatgpt.com/", 4),
    ("", "https://primarycare.example/reviews/booking", 3),
];

/// How a page is left.
const EXITS: [(&str, &str, u64); 5] = [
    ("link", "http://localhost/about", 60),
    ("closed", "", 22),
    ("link", "https://www.nhs.uk/conditions/", 6),
    ("traverse", "", 8),
    ("typed", "", 4),
];

/// What became of the simulated visitors.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Visitors who allowed analytics.
    pub accepted: u64,
    /// Visitors who refused.
    pub refused: u64,
    /// Visitors who did not choose.
    pub undecided: u64,
    /// Events that were made, all of them of the first group.
    pub events: u64,
}

/// Lets the visitors of the [`DAYS`] before `now_ms` visit; every event they permit goes to `keep`.
pub fn simulate(capture: &Capture, policy: &Policy, now_ms: i64, mut keep: impl FnMut(Captured)) -> Outcome {
    let mut outcome = Outcome::default();
    for number in 0..VISITORS {
        let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed);
        let arrival = match number {
            0..RECENT_VISITORS => now_ms - RECENTLY + dice.below(RECENTLY as u64 - 60_000) as i64,
            _ => dice.busy_moment(now_ms - DAYS * DAY_MS, DAYS * DAY_MS - RECENTLY),
        };
        let choice_at = arrival.unsigned_abs();
        let choice = match dice.below(100) {
            0..55 => Ok(Choice::new(policy, policy.all(), ChoiceSource::Banner, choice_at)),
            55..85 => Ok(Choice::new(policy, PurposeSet::default(), ChoiceSource::Banner, choice_at)),
            _ => Err(NoChoice::Missing),
        };
        match &choice {
            Ok(choice) if policy.analytics().is_some_and(|i| choice.granted.contains(i)) => outcome.accepted += 1,
            Ok(_) => outcome.refused += 1,
            Err(_) => outcome.undecided += 1,
        }
        let decision = consent::decide(policy, choice, Signals::default(), Mode::OptIn);
        let mut visitor = Simulated::new(&mut dice);
        let mut start = arrival + 4000;
        while start < now_ms {
            visitor.visit(capture, &decision, start, now_ms, &mut dice, &mut |captured| {
                outcome.events += captured.events.len() as u64;
                keep(captured);
            });
            if dice.below(100) >= 45 {
                break;
            }
            start = dice.busy_moment(start + DAY_MS / 4, 5 * DAY_MS);
        }
    }
    outcome
}

struct Simulated {
    client: RawIp,
    headers: HeaderMap,
    screen: &'static str,
    time_zone: &'static str,
    cookies: [Option<String>; 2],
}

impl Simulated {
    fn new(dice: &mut Dice) -> Simulated {
        let ([a, b], language, time_zone, _) = dice.pick(&NETWORKS, |n| n.3);
        let (agent, screen, _) = dice.pick(&AGENTS, |a| a.2);
        let client = RawIp::new(IpAddr::V4(Ipv4Addr::new(a, b, dice.below(256) as u8, dice.below(256) as u8)));
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", HeaderValue::from_static(agent));
        headers.insert("accept-language", HeaderValue::from_static(language));
        Simulated { client, headers, screen, time_zone, cookies: [None, None] }
    }

    fn visit(
        &mut self,
        capture: &Capture,
        decision: &Decision,
        start: i64,
        end: i64,
        dice: &mut Dice,
        keep: &mut impl FnMut(Captured),
    ) {
        let Some(permit) = &decision.analytics else { return };
        let (query, referrer, _) = dice.pick(&ARRIVALS, |a| a.2);
        let mut now = start;
        let mut at = if dice.below(100) < 60 { 0 } else { dice.below(PAGES.len() as u64) as usize };
        self.headers.remove("referer");
        if !referrer.is_empty() {
            self.headers.insert("referer", HeaderValue::from_static(referrer));
        }
        for step in 0..=dice.below(5) {
            if now >= end {
                return;
            }
            let path = PAGES[at % PAGES.len()].0;
            let target = if step == 0 { format!("{path}{query}") } else { path.to_owned() };
            let answer =
                Answer { status: StatusCode::OK, response_ms: 8 + dice.below(60) as u32, login: None, location: None };
            let Some(mut captured) = capture.page_view(permit, &self.exchange(now, &target), answer) else { continue };
            let page = captured.events.first().map_or(0, Event::page_view_id);
            for event in &mut captured.events {
                event.delivered(10 + dice.below(90) as u32, 6_000 + dice.below(30_000), "complete");
            }
            self.remember(&captured);
            keep(captured);
            let read_ms = 3000 + dice.below(90_000) as i64;
            now += read_ms;
            if now >= end {
                return;
            }
            let beacon = self.beacon(&target, page, read_ms, dice);
            let beacon = beacon.to_string();
            let events = beacon::parse(beacon.as_bytes()).expect("the beacon is well-formed");
            let exchange = self.exchange(now, "/_privacy/events");
            let captured = capture.beacon(permit, &exchange, &events).expect("it holds no property");
            self.remember(&captured);
            keep(captured);
            let here = HeaderValue::try_from(format!("http://localhost{path}")).expect("paths here are ASCII");
            self.headers.insert("referer", here);
            at = dice.below(PAGES.len() as u64) as usize;
        }
    }

    /// What the collector says of a page that was read for so long.
    fn beacon(&self, target: &str, page: u64, read_ms: i64, dice: &mut Dice) -> serde_json::Value {
        let page = format!("{page:016x}");
        let ready = 180 + dice.below(900);
        let (left, to, _) = dice.pick(&EXITS, |exit| exit.2);
        serde_json::json!({"v": 1, "events": [
            {
                "n": "page_loaded", "u": target, "p": page, "t": read_ms - 500, "nt": "navigate",
                "tz": self.time_zone, "screen": self.screen, "vp": self.screen, "net": "4g",
                "ttfb": 20 + dice.below(120), "dom": ready, "load": ready + dice.below(1200),
            },
            {
                "n": "engagement", "u": target, "p": page, "e": read_ms, "sd": 20 + dice.below(81), "x": left, "xt": to,
                "fcp": ready + 40, "lcp": ready + 90 + dice.below(1500), "inp": 16 + dice.below(180),
                "cls": dice.below(120) as f64 / 1000.0,
            },
        ]})
    }

    fn exchange<'a>(&'a self, now_ms: i64, target: &'a str) -> Exchange<'a> {
        Exchange {
            now_ms,
            host: "localhost",
            https: false,
            target,
            headers: &self.headers,
            client: &self.client,
            direct: true,
            is_page: true,
            http_1_0: false,
            visitor_cookie: self.cookies[0].as_deref().map(str::as_bytes),
            visit_cookie: self.cookies[1].as_deref().map(str::as_bytes),
        }
    }

    /// Keeps the cookies as a browser does.
    fn remember(&mut self, captured: &Captured) {
        for (jar, line) in self.cookies.iter_mut().zip(captured.set_cookies.iter().flatten()) {
            let line = line.to_str().unwrap_or_default();
            *jar = line.split(';').next().and_then(|pair| pair.split_once('=')).map(|(_, value)| value.to_owned());
        }
    }
}

/// SplitMix64: a small generator whose sequence depends on the seed alone.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound.max(1)
    }

    /// A moment in the `span_ms` (a day or more) from `from_ms` on: rather by day than by night, rather on a weekday.
    fn busy_moment(&mut self, from_ms: i64, span_ms: i64) -> i64 {
        loop {
            let moment = from_ms + self.below(span_ms as u64) as i64;
            let hour = HOURS[moment.rem_euclid(DAY_MS) as usize / HOUR_MS as usize];
            // 1970 began on a Thursday.
            let is_weekend = (moment.div_euclid(DAY_MS) + 3).rem_euclid(7) >= 5;
            if self.below(BUSIEST_HOUR * 100) < hour * if is_weekend { WEEKEND } else { 100 } {
                return moment;
            }
        }
    }

    fn pick<T: Copy>(&mut self, from: &[T], weight: impl Fn(&T) -> u64) -> T {
        let mut left = self.below(from.iter().map(&weight).sum());
        for item in from {
            match left.checked_sub(weight(item)) {
                Some(rest) => left = rest,
                None => return *item,
            }
        }
        from[from.len() - 1]
    }
}

#[cfg(test)]
mod tests;
