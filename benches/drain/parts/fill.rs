//! Makes the backlog: visitors with devices, places and campaigns, each on a visit of some pages; of a page there are a page
//! view, what the browser says when it is loaded, and how it was read.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use consentry::capture::{Answer, Capture, Captured, Exchange, Shared, beacon};
use consentry::config::Config;
use consentry::consent::{Analytics, Choice, ChoiceSource, Mode, Permit, Policy, Signals, decide};
use consentry::enrich::Places;
use consentry::keys::KeyRing;
use consentry::pseudonym::RawIp;
use consentry::spool::{Partition, Spool};
use http::{HeaderMap, HeaderValue, StatusCode};

const HOUR_MS: u64 = 3_600_000;
/// Events after which the file is waited for: the spool refuses what memory cannot hold.
const WAITED_FOR: u64 = 8_000;
const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
];
const ARRIVALS: [(&str, &str); 6] = [
    ("", "https://www.google.co.uk/"),
    ("", ""),
    ("?utm_source=newsletter&utm_medium=email&utm_campaign=autumn", ""),
    ("", "https://www.linkedin.com/"),
    ("?utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=x", "https://www.google.co.uk/"),
    ("", "https://www.bing.com/"),
];
const SCREENS: [&str; 4] = ["1920x1080", "390x844", "412x915", "2560x1440"];

/// Xorshift: the same backlog each time, but for its keys.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

struct Filling<'a> {
    spool: &'a Spool,
    runtime: tokio::runtime::Runtime,
    events: u64,
    bytes: u64,
    record: Vec<u8>,
}

impl Filling<'_> {
    fn keep(&mut self, captured: &Captured) {
        for event in &captured.events {
            self.record.clear();
            event.encode(&mut self.record);
            self.events += 1;
            self.bytes += self.record.len() as u64;
            let partition = Partition::of(event.ts(), event.retention_days());
            let record = &self.record;
            if self.events.is_multiple_of(WAITED_FOR) {
                let kept = self.spool.append_acknowledged(partition, |out| out.extend_from_slice(record));
                self.runtime.block_on(kept.expect("there is room")).expect("is written");
            } else {
                self.spool.append(partition, |out| out.extend_from_slice(record)).expect("there is room");
            }
        }
    }
}

/// Fills the spool with about as many events: the last visit ends as it ends.
pub fn fill(spool: &Spool, events: u64) -> String {
    let started = Instant::now();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let policy = Policy::default();
    let choice = Choice::new(&policy, policy.all(), ChoiceSource::Banner, now - 24 * HOUR_MS);
    let permit = decide(&policy, Ok(choice), Signals::default(), Mode::OptIn).analytics.expect("everything is granted");
    let text = "[gateway]\nupstream = \"http://127.0.0.1:3000\"";
    let config = Config::from_toml(text, "bench.toml", std::iter::empty()).expect("is a configuration");
    let country = consentry::engine::provision::country_database().expect("npm fetches it");
    let places = Places::open(&country).expect("is a geo database");
    let capture = Capture::new(Arc::new(Shared::new(&config, Arc::new(KeyRing::ephemeral()), places)));

    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut filling = Filling { spool, runtime, events: 0, bytes: 0, record: Vec::new() };
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let begin = now - HOUR_MS;
    while filling.events < events {
        // Visits stand in the order they began, over the last hour.
        let at = begin + filling.events * (HOUR_MS - 600_000) / events;
        visit(&capture, &permit, &mut dice, at as i64, &mut filling);
    }
    spool.close().expect("everything is sealed");
    let status = spool.status();
    assert_eq!((status.refused, status.lost, status.waiting_rows), (0, 0, filling.events), "{status:?}");
    format!(
        r#"{{"events": {}, "batches": {}, "disk_bytes": {}, "bytes_per_event": {:.0}, "seconds": {:.1}}}"#,
        filling.events,
        status.waiting_batches,
        status.disk_bytes,
        filling.bytes as f64 / filling.events as f64,
        started.elapsed().as_secs_f64()
    )
}

fn visit(capture: &Capture, permit: &Permit<Analytics>, dice: &mut Dice, mut now_ms: i64, filling: &mut Filling<'_>) {
    let client =
        RawIp::new([[81, 86, 90, 151][dice.below(4) as usize], dice.below(256) as u8, dice.below(256) as u8, 7].into());
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_static(dice.one(&AGENTS)));
    headers
        .insert("accept-language", HeaderValue::from_static(dice.one(&["en-GB,en;q=0.9", "de-DE,de;q=0.8", "fr-FR"])));
    let (query, referrer) = dice.one(&ARRIVALS);
    let screen = dice.one(&SCREENS);
    let mut cookies: [Option<Vec<u8>>; 2] = [None, None];
    for page in 0..1 + dice.below(4) {
        let from = if page == 0 { referrer } else { "https://www.example.org/" };
        headers.insert("referer", HeaderValue::from_static(from));
        let path = format!("/section-{}/article-{}", dice.below(12), dice.below(200));
        let target = if page == 0 { format!("{path}{query}") } else { path };
        let request = request(&headers, &client, &target, now_ms, &cookies);
        let answer =
            Answer { status: StatusCode::OK, response_ms: 5 + dice.below(200) as u32, login: None, location: None };
        let captured = capture.page_view(permit, &request, answer).expect("is after the grant");
        if let Some(set) = &captured.set_cookies {
            cookies = set.each_ref().map(value);
        }
        filling.keep(&captured);

        let view = captured.events[0].page_view_id();
        let read_ms = 2_000 + dice.below(60_000);
        let body = format!(
            concat!(
                r#"{{"v":1,"events":[{{"n":"page_loaded","u":"{0}","i":"{1:016x}","p":"{2:016x}","tz":"Europe/London","lang":"en-GB","#,
                r#""screen":"{3}","vp":"1280x720","net":"4g","ti":"Article on tea","nt":"navigate","ttfb":{4},"dom":{5},"load":{6}}},"#,
                r#"{{"n":"engagement","u":"{0}","i":"{7:016x}","p":"{2:016x}","e":{8},"sd":{9},"fcp":{5},"lcp":{6},"cls":0.01,"x":"closed"}}]}}"#
            ),
            target,
            dice.below(u64::MAX),
            view,
            screen,
            20 + dice.below(200),
            300 + dice.below(900),
            900 + dice.below(2000),
            dice.below(u64::MAX),
            read_ms,
            dice.below(101),
        );
        now_ms += read_ms as i64;
        let request = self::request(&headers, &client, "/_privacy/events", now_ms, &cookies);
        let events = beacon::parse(body.as_bytes()).expect("is a beacon");
        let captured = capture.beacon(permit, &request, &events).expect("may be kept");
        if let Some(set) = &captured.set_cookies {
            cookies = set.each_ref().map(value);
        }
        filling.keep(&captured);
    }
}

/// A request with the cookies `consentry_visitor` and `consentry_visit`.
fn request<'a>(
    headers: &'a HeaderMap,
    client: &'a RawIp,
    target: &'a str,
    now_ms: i64,
    [visitor, visit]: &'a [Option<Vec<u8>>; 2],
) -> Exchange<'a> {
    Exchange {
        now_ms,
        host: "www.example.org",
        https: true,
        target,
        headers,
        client,
        direct: true,
        is_page: target != "/_privacy/events",
        http_1_0: false,
        visitor_cookie: visitor.as_deref(),
        visit_cookie: visit.as_deref(),
    }
}

/// A cookie's value out of its `Set-Cookie` line.
fn value(line: &HeaderValue) -> Option<Vec<u8>> {
    let pair = line.as_bytes().split(|byte| *byte == b';').next()?;
    pair.iter().position(|byte| *byte == b'=').map(|at| pair[at + 1..].to_vec())
}
