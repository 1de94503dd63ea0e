//! Gateway, engine or both are killed at random moments under load, again and again, and started on the same folder.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::load::{Book, Load, Manners, ids, pages};
use super::watch::{settle, tail};
use super::{Chance, number, short_or_long};
use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway, Nobody};
use crate::support::process::{Lines, Process};
use crate::support::site::Site;
use crate::support::visitor::Visitor;

/// Page views whose events are at most this old may be lost with the process: a turn of the spool's writer is 4 ms, and a
/// busy machine lets it wait for its own.
const PAGE_VIEWS_AT_RISK: Duration = Duration::from_millis(100);

/// A gateway that is started again and again on one address.
struct Running {
    process: Process,
    lines: Lines,
}

impl Running {
    fn start(folder: &Folder) -> Running {
        let (process, lines) = Process::start(folder.logged(&["serve", "--json"]), folder.path());
        Running { process, lines }
    }

    /// Waits until it answers; as a service manager does, it is started again where it ends instead. Says how often.
    fn answers(&mut self, folder: &Folder) -> u32 {
        for failed in 0..20 {
            if self.lines.next().is_some() {
                return failed;
            }
            println!("a start failed: {}", folder.log().lines().last().unwrap_or_default());
            std::thread::sleep(Duration::from_millis(200));
            *self = Running::start(folder);
        }
        panic!("it needs a hand:\n{}", tail(&folder.log()))
    }
}

fn kill(pids: &[u32]) {
    // One of them may have ended by itself.
    let pids = pids.iter().map(u32::to_string);
    Command::new("kill").arg("-KILL").args(pids).output().expect("kill is there");
}

fn timed(what: &'static str, pids: &[u32]) -> Kill {
    let before = Instant::now();
    kill(pids);
    Kill { before, after: Instant::now(), what }
}

/// A gateway's end: it came between these two moments, before and after the command that kills had run.
struct Kill {
    before: Instant,
    after: Instant,
    what: &'static str,
}

/// What was sent, and when the gateway was killed.
struct Rounds {
    folder: Folder,
    book: Book,
    gateway_killed: Vec<Kill>,
    seed: u64,
}

fn rounds(count: u64, manners: Manners, kinds: u64) -> Rounds {
    let mut chance = Chance::new();
    let seed = chance.0;
    let site = Site::start();
    // Clients find it again where it was.
    let place = Nobody::new();
    let folder = Folder::new(site.address, "").with("CONSENTRY__GATEWAY__LISTEN", &place.address.to_string());
    let gateway = folder.serve();
    assert_eq!(gateway.address, place.address);
    let visitors: Vec<Visitor> = (0..3)
        .map(|_| {
            let mut visitor = Visitor::who_accepts(&gateway);
            visitor.get("/begins");
            visitor
        })
        .collect();
    let (_, folder) = gateway.end("TERM");
    let mut running = Running::start(&folder);
    running.answers(&folder);
    let load = Load::start(place.address, &visitors, "k", manners);
    let (mut gateway_killed, mut failed_starts, mut tally) = (Vec::new(), 0, [0; 4]);
    for _ in 0..count {
        std::thread::sleep(Duration::from_millis(20 + chance.below(500)));
        let kind = chance.below(kinds);
        tally[kind as usize] += 1;
        let engine = running.process.children();
        let gateway = [running.process.id()];
        match kind {
            0 => gateway_killed.push(timed("gateway", &gateway)),
            1 => gateway_killed.push(timed("both", &[&gateway[..], &engine].concat())),
            // While it starts, and maybe before it answers.
            2 => {
                gateway_killed.push(timed("gateway, to be killed again", &gateway));
                running.process.wait();
                running = Running::start(&folder);
                std::thread::sleep(Duration::from_millis(chance.below(2000)));
                gateway_killed.push(timed("gateway while it started", &[running.process.id()]));
            }
            _ => {
                kill(&engine);
                continue;
            }
        }
        running.process.wait();
        running = Running::start(&folder);
        failed_starts += running.answers(&folder);
    }
    let book = load.stop();
    let [gateway, both, starting, engine] = tally;
    println!(
        "{count} rounds of seed {seed}: {gateway} gateway, {both} both, {starting} again while it started, {engine} engine; \
         {failed_starts} starts failed; {} events taken, {} without an answer, {} refused",
        book.taken.len(),
        book.open.len(),
        book.refused
    );
    running.process.signal("TERM");
    assert!(running.process.wait().success(), "seed {seed}:\n{}", tail(&folder.log()));
    Rounds { folder, book, gateway_killed, seed }
}

/// The ids of a gateway's own table, once what waits is in it.
fn settled(folder: Folder, book: &Book) -> Folder {
    let gateway: Gateway = folder.serve();
    settle(book, || gateway.folder.log(), || ids(|sql| gateway.query(sql)));
    let (status, folder) = gateway.end("TERM");
    assert!(status.success(), "{}", tail(&folder.log()));
    folder
}

#[test]
fn kills_of_gateway_engine_or_both_lose_and_double_nothing_that_was_acknowledged() {
    let count = number("TORTURE_ROUNDS").unwrap_or(short_or_long(50, 500));
    let Rounds { folder, book, gateway_killed, seed } = rounds(count, Manners::default(), 4);
    assert!(book.taken.len() > 1000 && !book.pages.is_empty(), "there was a load: {}", book.taken.len());
    let folder = settled(folder, &book);
    let query = |sql: &str| -> Vec<Value> { folder.query(sql) };
    book.compare(&ids(query)).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}\n{}", tail(&folder.log())));

    // Page views wait for nothing; those of the last moments before a kill may be gone, and no others.
    let seen = pages(query);
    let doubled: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).take(8).collect();
    assert!(doubled.is_empty(), "seed {seed}: page views twice: {doubled:?}");
    let lost = book.pages.iter().filter(|(path, _)| !seen.contains_key(*path));
    let mut lost: Vec<(Duration, String)> = lost
        // The kill it may have met: a busy client may learn of an answer when the gateway is dead already.
        .map(|(path, (asked, answered))| match gateway_killed.iter().find(|kill| kill.after >= *asked) {
            // At least so old: the gateway was alive when the command began.
            Some(kill) => {
                let age = kill.before.saturating_duration_since(*answered);
                let (took, open) = (kill.after - kill.before, *answered - *asked);
                (age, format!("{path}, answered in {open:?}, {age:?} before the kill of {} (in {took:?})", kill.what))
            }
            None => (Duration::MAX, format!("{path}, asked for after the last kill")),
        })
        .collect();
    lost.sort_by(|a, b| b.cmp(a));
    let oldest: Vec<&String> = lost.iter().map(|(_, what)| what).take(8).collect();
    println!("{} of {} answered page views lost, the oldest {oldest:#?}", lost.len(), book.pages.len());
    let late = lost.iter().filter(|(age, _)| *age > PAGE_VIEWS_AT_RISK).count();
    assert!(late == 0, "seed {seed}: {late} page views are lost that were answered long before: {oldest:#?}");
    eventually("nothing is left in the spool", || {
        let left = crate::support::files(&folder.data().join("spool"));
        left.iter().all(|(path, _)| path.extension().is_none_or(|kind| kind != "segment")).then_some(())
    });
}

/// A process that is kept from going on; it goes on when this is dropped.
struct Held(u32);

impl Held {
    fn hold(pid: u32) -> Held {
        signal("-STOP", pid);
        Held(pid)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        signal("-CONT", self.0);
    }
}

fn signal(name: &str, pid: u32) {
    Command::new("kill").args([name, &pid.to_string()]).output().expect("kill is there");
}

/// How long the shipper waits before it tries a batch again, as it said last.
fn last_pause(log: &str) -> Option<Duration> {
    let line = log.lines().rfind(|line| line.contains("a batch is not shipped yet"))?;
    let (_, pause) = line.split_once("pause=")?;
    let seconds = pause.split_whitespace().next()?.strip_suffix("s")?.parse().ok()?;
    Some(Duration::from_secs_f64(seconds))
}

/// The pauses of whoever starts the engine and of whoever ships do not add up.
#[test]
fn rows_flow_as_soon_as_the_engine_answers_again_however_long_it_was_away() {
    const LONG: Duration = Duration::from_secs(5);
    let site = Site::start();
    let gateway = Gateway::start(site.address, "");
    let mut visitor = Visitor::who_accepts(&gateway);
    let beacon = |visitor: &mut Visitor, path: &str| assert_eq!(visitor.beacon(path).status, 204);
    let shipped = |path: &str| gateway.rows(1, &format!("select path from consentry.events where path = '{path}'"));
    beacon(&mut visitor, "/torture/before");
    shipped("/torture/before");
    let engine = gateway.process.children();
    kill(&engine);
    beacon(&mut visitor, "/torture/away");
    let another = eventually("another engine", || gateway.process.children().into_iter().find(|pid| *pid != engine[0]));
    let held = Held::hold(another);
    let answers = || gateway.folder.log().matches("the embedded ClickHouse answers again").count();
    assert_eq!(answers(), 0, "it was held before it was there");
    eventually("pauses are long", || last_pause(&gateway.folder.log()).filter(|pause| *pause >= LONG));
    drop(held);
    let answered = eventually("the engine answers", || (answers() > 0).then(Instant::now));
    shipped("/torture/away");
    let took = answered.elapsed();
    println!("rows flow {took:?} after the engine answers, where the next try was {LONG:?} away and more");
    assert!(took < Duration::from_secs(2), "{took:?}\n{}", tail(&gateway.folder.log()));
}

/// What came is remembered from what waits and from what was just shipped.
#[test]
fn a_beacon_that_is_sent_again_after_a_kill_is_stored_once() {
    let manners = Manners { repeats: true, pause: Duration::ZERO, ..Manners::default() };
    let Rounds { folder, book, seed, .. } = rounds(short_or_long(12, 120), manners, 3);
    assert!(book.open.is_empty(), "each beacon got an answer in the end");
    println!("seed {seed}");
    settled(folder, &book);
}
