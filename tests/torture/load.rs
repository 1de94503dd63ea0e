//! A steady load of beacons and page views, the book of what was sent, and what the table must hold of it.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Client, Outcome};
use crate::support::visitor::Visitor;

/// The name of the events.
pub const NAME: &str = "Torture";

/// How the clients behave.
#[derive(Clone, Copy)]
pub struct Manners {
    /// Whether a beacon without an answer is sent again, under the same event id, until there is one.
    pub repeats: bool,
    /// Whether a beacon that is refused is sent again, as the collector does, until it is taken.
    pub insists: bool,
    /// Events in a beacon.
    pub events: usize,
    /// Between two requests.
    pub pause: Duration,
    /// More properties of each event, of 80 bytes.
    pub more: usize,
}

impl Default for Manners {
    fn default() -> Manners {
        Manners { repeats: false, insists: false, events: 2, pause: Duration::from_millis(4), more: 0 }
    }
}

/// What was sent.
#[derive(Default)]
pub struct Book {
    /// Ids of events that got their 204: each is in the table once.
    pub taken: HashSet<String>,
    /// Of events that may have arrived, or were refused: each is there at most once.
    pub open: HashSet<String>,
    /// Beacons that were refused because the spool takes no more, and were given up.
    pub refused: usize,
    /// Beacons that were refused and sent again until they were taken.
    pub insisted: usize,
    /// How long one of those was refused.
    pub longest_refusal: Duration,
    /// Page views that were answered, and the two moments between which that was: asked for, and known to be answered.
    pub pages: HashMap<String, (Instant, Instant)>,
    /// Page views without an answer.
    pub open_pages: HashSet<String>,
}

impl Book {
    pub fn add(&mut self, other: Book) {
        self.taken.extend(other.taken);
        self.open.extend(other.open);
        self.refused += other.refused;
        self.insisted += other.insisted;
        self.longest_refusal = self.longest_refusal.max(other.longest_refusal);
        self.pages.extend(other.pages);
        self.open_pages.extend(other.open_pages);
    }

    /// What is wrong with the table; `rows` say how often each id is there.
    pub fn compare(&self, rows: &HashMap<String, u64>) -> Result<(), String> {
        let some = |ids: Vec<&String>| (ids.len(), ids.into_iter().take(8).cloned().collect::<Vec<_>>());
        let lost = some(self.taken.iter().filter(|id| !rows.contains_key(*id)).collect());
        let doubled = some(rows.iter().filter(|(_, count)| **count > 1).map(|(id, _)| id).collect());
        let sent = |id: &String| self.taken.contains(id) || self.open.contains(id);
        let strange = some(rows.keys().filter(|id| !sent(id)).collect());
        match (lost.0, doubled.0, strange.0) {
            (0, 0, 0) => Ok(()),
            _ => Err(format!("lost {lost:?}, doubled {doubled:?}, never sent {strange:?} of {}", self.taken.len())),
        }
    }
}

/// How often each id is in the table.
pub fn ids(query: impl Fn(&str) -> Vec<Value>) -> HashMap<String, u64> {
    counted(query(&format!(
        "select props['id'] as id, count() as n from consentry.events where name = '{NAME}' group by id"
    )))
}

/// How often each page's view is in the table.
pub fn pages(query: impl Fn(&str) -> Vec<Value>) -> HashMap<String, u64> {
    counted(query(
        "select path as id, count() as n from consentry.events where name = 'pageview' and startsWith(path, '/torture/') \
         group by id",
    ))
}

fn counted(rows: Vec<Value>) -> HashMap<String, u64> {
    let pair = |row: Value| (row["id"].as_str().unwrap_or_default().to_owned(), row["n"].as_u64().unwrap_or_default());
    rows.into_iter().map(pair).collect()
}

pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Book>>,
}

impl Load {
    /// Each visitor becomes a client of its own; `name` keeps the ids of several loads apart.
    pub fn start(address: SocketAddr, visitors: &[Visitor], name: &str, manners: Manners) -> Load {
        let stop = Arc::<AtomicBool>::default();
        let clients = visitors.iter().enumerate().map(|(number, visitor)| {
            let (client, stop) = (Client::of(visitor, address), stop.clone());
            let name = format!("{name}{}", (b'a' + number as u8) as char);
            thread::spawn(move || drive(client, &name, manners, |_| !stop.load(Relaxed)))
        });
        Load { clients: clients.collect(), stop }
    }

    /// Lets what is under way come to its end.
    pub fn stop(self) -> Book {
        self.stop.store(true, Relaxed);
        let mut book = Book::default();
        for client in self.clients {
            book.add(client.join().expect("a client's own checks hold"));
        }
        book
    }
}

/// Sends beacons, with a page view before each third, as long as `goes_on` says of their number.
pub fn drive(mut client: Client, name: &str, manners: Manners, goes_on: impl Fn(usize) -> bool) -> Book {
    let mut book = Book::default();
    let mut number = 0;
    while goes_on(number) {
        if number % 3 == 0 {
            let path = format!("/torture/{name}/{number}");
            let asked = Instant::now();
            match client.page(&path) {
                Outcome::Answered(200, _) => drop(book.pages.insert(path, (asked, Instant::now()))),
                Outcome::Answered(status, text) => panic!("{path} was answered with {status}: {text}"),
                Outcome::Unanswered => drop(book.open_pages.insert(path)),
                Outcome::NotSent => {
                    thread::sleep(Duration::from_millis(10));
                    continue;
                }
            }
        }
        let ids: Vec<String> = (0..manners.events).map(|at| format!("{name}n{number}e{at}")).collect();
        let happened = Instant::now();
        let body = || body(&ids, manners.more, happened.elapsed());
        number += 1;
        let mut outcome = client.beacon(&body());
        while manners.repeats && matches!(outcome, Outcome::Unanswered | Outcome::NotSent) {
            thread::sleep(Duration::from_millis(10));
            outcome = client.beacon(&body());
        }
        if manners.insists && matches!(outcome, Outcome::Answered(503, _)) {
            outcome = insist(&mut client, body);
            book.insisted += 1;
            book.longest_refusal = book.longest_refusal.max(happened.elapsed());
        }
        match outcome {
            Outcome::Answered(204, _) => book.taken.extend(ids),
            Outcome::Answered(503, _) => {
                book.refused += 1;
                book.open.extend(ids);
            }
            Outcome::Answered(status, text) => panic!("{} was answered with {status}: {text}", body()),
            Outcome::Unanswered | Outcome::NotSent => book.open.extend(ids),
        }
        thread::sleep(manners.pause);
    }
    book
}

/// The collector sends what is refused once more, after 5 s, and then gives it up (`static/collector/outbox.js`): a refusal
/// that lasts longer loses events.
const COLLECTOR_TRIES_AGAIN: Duration = Duration::from_secs(5);

/// Sends a beacon that was refused again, under the same event ids, until it is not refused any more: sooner than the
/// collector would, so that the one try it has is sure to do.
fn insist(client: &mut Client, body: impl Fn() -> String) -> Outcome {
    let began = Instant::now();
    loop {
        thread::sleep(Duration::from_millis(50));
        match client.beacon(&body()) {
            Outcome::Answered(503, text) => {
                let lasted = began.elapsed();
                assert!(lasted < COLLECTOR_TRIES_AGAIN, "refused for {lasted:?}, and still: {text}");
            }
            outcome => return outcome,
        }
    }
}

/// A beacon with these events, which happened so long ago.
fn body(ids: &[String], more: usize, since: Duration) -> String {
    let event = |id: &String| {
        // FNV-1a: the collector draws its event ids, a test wants to know them again.
        let hash = id
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let mut props: serde_json::Map<String, Value> =
            (0..more).map(|number| (format!("more{number}"), "x".repeat(80).into())).collect();
        props.insert("id".to_owned(), id.as_str().into());
        let since = since.as_millis() as u64;
        json!({"n": NAME, "u": "/torture", "i": format!("{hash:016x}"), "t": since, "props": props})
    };
    json!({"v": 1, "events": ids.iter().map(event).collect::<Vec<_>>()}).to_string()
}
