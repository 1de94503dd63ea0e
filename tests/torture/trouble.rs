//! ClickHouse in trouble, and the way there: nothing is lost, nothing doubled, pages are as fast and memory as flat as before.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::client::Client;
use super::load::{Book, Load, Manners, drive, ids};
use super::short_or_long;
use super::watch::{Watch, settle, tail};
use crate::dashboard;
use crate::support::between::{Between, Way};
use crate::support::engine::Engine;
use crate::support::eventually;
use crate::support::gateway::Gateway;
use crate::support::site::Site;
use crate::support::visitor::Visitor;

/// A gateway, a database of its own, and what stands between.
struct Parts {
    gateway: Gateway,
    between: Between,
    engine: Engine,
    visitors: Vec<Visitor>,
    _site: Site,
}

impl Parts {
    fn start() -> Parts {
        let engine = Engine::start();
        let between = Between::start(engine.address);
        let site = Site::start();
        let more = format!("[clickhouse]\nurl = \"http://{}\"\n[spool]\nbatch_age = \"200ms\"\n", between.address);
        let gateway = Gateway::start(site.address, &more);
        let visitors: Vec<Visitor> = (0..3).map(|_| Visitor::who_accepts(&gateway)).collect();
        let parts = Parts { gateway, between, engine, visitors, _site: site };
        eventually("the schema is there", || (parts.metric("spool_waiting_rows") == 0 && parts.ready()).then_some(()));
        parts
    }

    fn ready(&self) -> bool {
        dashboard::get(&self.gateway, "/readyz").json()["database"]["ok"] == true
    }

    fn metric(&self, name: &str) -> u64 {
        let metrics = dashboard::get(&self.gateway, "/metrics").text();
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("consentry_{name} ")));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {metrics}"))
    }

    fn client(&self) -> Client {
        Client::of(&self.visitors[0], self.gateway.address)
    }

    fn load(&self, name: &str) -> Load {
        Load::start(self.gateway.address, &self.visitors[1..], name, Manners::default())
    }

    /// A load before, in and after the trouble, which compares while it lasts; then each event is in the table once, and
    /// nothing was rejected.
    fn under(self, what: &'static str, trouble: impl FnOnce(&Parts, &mut Watch)) {
        let mut book = Book::default();
        let load = self.load("b");
        let mut watch = Watch::begin(what, &self.gateway, self.client());
        trouble(&self, &mut watch);
        book.add(load.stop());
        let met = self.between.met();
        self.between.set(Way::Open);
        self.settles(&book);
        assert!(book.taken.len() > 100 && book.refused == 0, "{} taken, {} refused", book.taken.len(), book.refused);
        println!("{what}: {} events, each once; {met} requests met the trouble", book.taken.len());
    }

    fn settles(&self, book: &Book) {
        settle(book, || self.gateway.folder.log(), || ids(|sql| self.engine.query(sql)));
        for alarm in ["batches_quarantined", "batches_miscounted_total", "spool_lost_rows_total"] {
            assert_eq!(self.metric(alarm), 0, "{alarm}\n{}", tail(&self.gateway.folder.log()));
        }
    }

    /// Waits until so many more requests met the trouble.
    fn meets(&self, more: usize) {
        let until = self.between.met() + more;
        let deadline = Instant::now() + short_or_long(super::SETTLED, super::SETTLED * 10);
        while self.between.met() < until {
            assert!(Instant::now() < deadline, "nobody meets the trouble\n{}", tail(&self.gateway.folder.log()));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_server_that_stores_and_answers_500_doubles_nothing() {
    Parts::start().under("500 after storing", |parts, watch| {
        parts.between.set(Way::StoresAndFails);
        parts.meets(short_or_long(6, 200));
        watch.compare(&parts.gateway);
    });
}

#[test]
fn a_connection_that_ends_before_the_answer_or_within_the_rows_loses_and_doubles_nothing() {
    Parts::start().under("connections that end", |parts, watch| {
        for _ in 0..short_or_long(1, 20) {
            parts.between.set(Way::StoresAndEnds);
            parts.meets(3);
            parts.between.set(Way::EndsHalfway);
            parts.meets(3);
        }
        watch.compare(&parts.gateway);
    });
}

#[test]
fn a_server_that_flaps_every_second_gets_every_row_once() {
    Parts::start().under("flapping", |parts, watch| {
        for second in 0..short_or_long(8, 120) {
            parts.between.set(if second % 2 == 0 { Way::Away } else { Way::StoresAndEnds });
            std::thread::sleep(Duration::from_millis(500));
            if second == 4 {
                watch.compare(&parts.gateway);
            }
            parts.between.set(Way::Open);
            std::thread::sleep(Duration::from_millis(500));
        }
    });
}

#[test]
fn answers_a_few_bytes_at_a_time_hold_up_the_rows_and_nothing_else() {
    Parts::start().under("slow answers", |parts, watch| {
        // In 24 pieces; in the long form beyond the two minutes a block may take.
        parts.between.set(Way::Slow(Duration::from_millis(short_or_long(60, 6000))));
        parts.meets(short_or_long(4, 3));
        watch.compare(&parts.gateway);
    });
}

/// Read-only (164, 242), no room (243), memory (241), too many parts (252): whatever the server says about itself.
#[test]
fn a_server_that_is_read_only_full_or_overloaded_gets_every_row_once_later() {
    Parts::start().under("read-only and full", |parts, watch| {
        for code in [164, 242, 243, 241, 252] {
            parts.between.set(Way::Refuses(code));
            parts.meets(1);
        }
        watch.compare(&parts.gateway);
    });
}

#[test]
fn a_table_without_one_of_its_columns_gets_every_row_once_it_has_it_again() {
    Parts::start().under("wrong schema", |parts, watch| {
        let change = |sql: &str| drop(parts.engine.query(sql));
        change("alter table consentry.events drop column label");
        let refused = |log: String| log.matches("a batch is not shipped yet").count() >= 3;
        eventually("it is refused", || refused(parts.gateway.folder.log()).then_some(()));
        watch.compare(&parts.gateway);
        change("alter table consentry.events add column label LowCardinality(String) after kind");
    });
}

/// 24 hours at one event a second (ten in the long form), in beacons of 20, as fast as they are taken: as many events, not
/// as much time. The age of batches is doubled for each that waits, so a day in real time would leave as few of them.
#[test]
fn a_day_without_a_database_is_kept_in_flat_memory_and_comes_into_the_table_once() {
    let parts = Parts::start();
    let mut watch = Watch::begin("a day away", &parts.gateway, parts.client());
    parts.between.set(Way::Away);
    let beacons = short_or_long(86_400, 864_000) / 20 / 2;
    // Heavy enough that a backlog in memory would show.
    let manners = Manners { events: 20, pause: Duration::ZERO, more: 6, ..Manners::default() };
    let mut book = Book::default();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = parts.visitors[1..].iter().zip(["x", "y"]).collect();
        let day = clients.into_iter().map(|(visitor, name)| {
            let client = Client::of(visitor, parts.gateway.address);
            scope.spawn(move || drive(client, name, manners, |sent| sent < beacons))
        });
        let day: Vec<_> = day.collect();
        scope.spawn(|| {
            while !done.load(Relaxed) {
                watch.compare(&parts.gateway);
                std::thread::sleep(Duration::from_secs(2));
            }
        });
        day.into_iter().for_each(|client| book.add(client.join().expect("a client's own checks hold")));
        done.store(true, Relaxed);
    });
    assert_eq!((book.taken.len(), book.refused, book.open.len()), (beacons * 40, 0, 0));
    let (rows, bytes) = (parts.metric("spool_waiting_rows"), parts.metric("spool_waiting_bytes"));
    assert!(bytes > 64 << 20, "{bytes} bytes are no backlog that would show in memory");
    println!("a day away: {} events taken; {rows} rows wait in {bytes} bytes", book.taken.len());
    parts.between.set(Way::Open);
    let began = Instant::now();
    parts.settles(&book);
    // Shipped in batches of up to 10 000 rows, of which a few copies are in memory at once; ten times the rows take no more.
    watch.compare_within(&parts.gateway, 128);
    println!("a day away: in the table {:.1} s after the database was back", began.elapsed().as_secs_f64());
}

/// The tests' own test: a database that loses or doubles is found out by what finds fault with the gateway above.
#[test]
fn a_loss_and_a_double_would_be_seen() {
    for (way, seen) in [(Way::Lies, "lost (2, "), (Way::Doubles, "doubled (2, ")] {
        let parts = Parts::start();
        parts.between.set(way);
        let book = drive(parts.client(), "l", Manners::default(), |sent| sent < 1);
        parts.meets(1);
        eventually("it is shipped", || (parts.metric("batches_shipped_total") > 0).then_some(()));
        let wrong = book.compare(&ids(|sql| parts.engine.query(sql))).expect_err("the table is wrong");
        assert!(wrong.contains(seen), "{wrong}");
    }
}
