//! Hours that are over, into the real engine.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::*;
use crate::config::ClickHouse;
use crate::consent::{Mode, NoChoice, Policy, Signals, decide};
use crate::engine::{socket, testing};
use crate::statistics::counters::{Cell, Words};
use crate::store::{client, migrate};

const HOME: Words<'static> =
    Words { path: "/", referrer: "a.example", device: "mobile", country: "GB", region: "Kent" };

async fn on(database: &str) -> Client {
    let client = client::connect(&ClickHouse::Embedded { listen: None }, testing::shared()).unwrap();
    let client = client.with_database(database);
    migrate::apply(&client).await.unwrap();
    client
}

fn now() -> u64 {
    UNIX_EPOCH.elapsed().unwrap().as_secs()
}

struct Gateway {
    data: PathBuf,
    lane: Arc<Lane>,
    metrics: Arc<Metrics>,
}

impl Gateway {
    fn new(data: &tempfile::TempDir) -> Gateway {
        let lane = Arc::new(Lane::new(now()));
        Gateway { data: data.path().to_owned(), lane, metrics: Arc::new(Metrics::default()) }
    }

    fn count(&self, now: u64, words: &Words<'_>, times: u32) {
        let decision = decide(&Policy::default(), Err(NoChoice::Missing), Signals::default(), Mode::UkStatistics);
        let permit = decision.statistics.unwrap();
        (0..times).for_each(|_| assert!(self.lane.count(&permit, now, words, false)));
    }

    /// From start to an end in order, at once.
    async fn run(&self, client: &Client) {
        self.run_until(client, async {}).await;
    }

    async fn run_until(&self, client: &Client, end: impl Future<Output = ()>) {
        let writer = Writer {
            lane: self.lane.clone(),
            folder: Folder::new(&self.data),
            client: client.clone(),
            comeback: Comeback::default(),
            site_id: 1,
            retention: Period { months: 72, days: 0 },
            metrics: self.metrics.clone(),
        };
        writer.run(end).await;
    }
}

async fn stored(client: &Client) -> Vec<(String, String, String, u64)> {
    let sql = "select path, referrer, region, sum(views) from statistics group by all order by all";
    client.query(sql).fetch_all().await.unwrap()
}

fn row(path: &str, referrer: &str, region: &str, views: u64) -> (String, String, String, u64) {
    (path.into(), referrer.into(), region.into(), views)
}

#[tokio::test]
async fn what_was_counted_is_in_the_table_after_an_end_in_order_and_parts_of_an_hour_add_up() {
    let (client, dir) = (on("statistics_parts").await, tempfile::tempdir().unwrap());
    for _ in 0..2 {
        let gateway = Gateway::new(&dir);
        gateway.count(now(), &HOME, 12);
        gateway.count(now(), &Words { path: "/rare", region: "Bath", ..HOME }, 9);
        gateway.run(&client).await;
        let figures = &gateway.metrics.statistics;
        assert_eq!((figures.stored.get(), figures.suppressed.get(), figures.dropped.get()), (12, 9, 0));
    }
    assert_eq!(stored(&client).await, [row("/", "a.example", "Kent", 24)]);
    let hours: Vec<(u32, i64)> = client
        .query("select distinct toUnixTimestamp(hour), dateDiff('month', toDate(hour), expires_at) from statistics")
        .fetch_all()
        .await
        .unwrap();
    assert!(hours.iter().all(|(hour, months)| hour % 3600 == 0 && *months == 72), "{hours:?}");
    let folder = Folder::new(dir.path());
    assert!(folder.oldest().unwrap().is_none() && folder.cut_short().is_none());
}

#[tokio::test]
async fn an_hour_that_is_already_in_the_table_is_not_sent_again() {
    let (client, dir) = (on("statistics_again").await, tempfile::tempdir().unwrap());
    let folder = Folder::new(dir.path());
    let cell = |path: &str| Cell {
        path: path.into(),
        referrer: String::new(),
        device: String::new(),
        country: "GB".into(),
        region: String::new(),
    };
    let rows = vec![Row { cell: cell("/"), views: 10 }, Row { cell: cell("/é\"\\\t"), views: 11 }];
    let closed = Closed { site_id: 7, hour: 3600 * 480_000, batch_id: u64::MAX, expires_at: 60_000, rows };
    // As after a crash between the insert and the removal of the file.
    for _ in 0..3 {
        folder.keep(&closed).unwrap();
        Gateway::new(&dir).run(&client).await;
        assert!(folder.oldest().unwrap().is_none());
    }
    assert_eq!(stored(&client).await, [row("/", "", "", 10), row("/é\"\\\t", "", "", 11)]);
    // Should the table have something else of it, it is left as it is.
    client.query("alter table statistics delete where views = 10 settings mutations_sync = 1").execute().await.unwrap();
    folder.keep(&closed).unwrap();
    Gateway::new(&dir).run(&client).await;
    assert_eq!(stored(&client).await.len(), 1);
}

/// A token is remembered before the rows are stored, so that of an attempt that failed must not stand for them.
#[tokio::test]
async fn where_the_server_remembers_tokens_an_hour_that_is_not_there_is_stored_all_the_same() {
    let (client, dir) = (on("statistics_tokens").await, tempfile::tempdir().unwrap());
    let remember = "alter table statistics modify setting non_replicated_deduplication_window = 100";
    client.query(remember).execute().await.unwrap();
    let cell = Cell {
        path: "/".into(),
        referrer: String::new(),
        device: String::new(),
        country: "GB".into(),
        region: String::new(),
    };
    let rows = vec![Row { cell, views: 10 }];
    let closed = Closed { site_id: 7, hour: 3600 * 480_000, batch_id: 5, expires_at: 60_000, rows };
    for _ in 0..2 {
        Folder::new(dir.path()).keep(&closed).unwrap();
        Gateway::new(&dir).run(&client).await;
        assert_eq!(stored(&client).await, [row("/", "", "", 10)]);
        // As if they had not come to be stored, with the token remembered.
        client.query("alter table statistics delete where 1 settings mutations_sync = 1").execute().await.unwrap();
    }
}

#[tokio::test]
async fn while_clickhouse_is_away_hours_wait_on_disk_and_are_sent_once_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let nobody = client::connect(&ClickHouse::Embedded { listen: None }, dir.path()).unwrap();
    for _ in 0..2 {
        let gateway = Gateway::new(&dir);
        gateway.count(now(), &HOME, 10);
        gateway.run(&nobody).await;
        assert_eq!((gateway.metrics.statistics.stored.get(), gateway.metrics.statistics.dropped.get()), (0, 0));
    }
    assert!(Folder::new(dir.path()).oldest().unwrap().is_some());
    let client = on("statistics_away").await;
    Gateway::new(&dir).run(&client).await;
    assert_eq!(stored(&client).await, [row("/", "a.example", "Kent", 20)]);
}

#[tokio::test]
async fn an_hour_is_sent_when_it_is_over_without_waiting_for_the_end() {
    let (client, dir) = (on("statistics_over").await, tempfile::tempdir().unwrap());
    let gateway = Gateway::new(&dir);
    gateway.count(now() - 3600, &HOME, 10);
    gateway.count(now(), &HOME, 10);
    let metrics = gateway.metrics.clone();
    let end = async {
        while metrics.statistics.stored.get() < 10 {
            sleep(Duration::from_millis(20)).await;
        }
        let open = Folder::new(dir.path()).cut_short().expect("the open hour is marked");
        assert!(u64::from(open) + 3600 + 60 >= now());
    };
    timeout(Duration::from_secs(30), gateway.run_until(&client, end)).await.expect("the hour is sent");
    assert_eq!(stored(&client).await, [row("/", "a.example", "Kent", 20)]);
}

/// How the way to the engine breaks while an hour is sent.
#[derive(Clone, Copy, PartialEq)]
enum Break {
    /// Before it arrives.
    Lost,
    /// Once it is stored, before the answer is back.
    Stored,
}

async fn relay(mut client: TcpStream, mut engine: UnixStream, breaks: Arc<Mutex<VecDeque<Break>>>) -> Option<()> {
    let (mut sent, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut swallow = false;
    loop {
        tokio::select! {
            n = client.read(&mut sent) => {
                let piece = sent.get(..n.ok().filter(|n| *n > 0)?)?;
                if memchr::memmem::find(piece, b"INSERT").is_some() {
                    let next = breaks.lock().unwrap().pop_front();
                    swallow = next == Some(Break::Stored);
                    if next == Some(Break::Lost) {
                        return None;
                    }
                }
                engine.write_all(piece).await.ok()?;
            }
            n = engine.read(&mut answered) => {
                let piece = answered.get(..n.ok().filter(|n| *n > 0 && !swallow)?)?;
                client.write_all(piece).await.ok()?;
            }
        }
    }
}

#[tokio::test]
async fn an_hour_comes_once_however_often_the_connection_breaks() {
    let (direct, dir) = (on("statistics_breaks").await, tempfile::tempdir().unwrap());
    let breaks = Arc::new(Mutex::new(VecDeque::from([Break::Lost, Break::Lost, Break::Stored, Break::Lost])));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let left = breaks.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let engine = UnixStream::connect(socket::recorded(testing::shared())).await.unwrap();
            tokio::spawn(relay(client, engine, breaks.clone()));
        }
    });
    let server = ClickHouse::Server { url, user: "default".into(), password_file: None };
    let client = client::connect(&server, dir.path()).unwrap().with_database("statistics_breaks");
    let gateway = Gateway::new(&dir);
    gateway.count(now() - 3600, &HOME, 12);
    gateway.count(now(), &HOME, 13);
    let metrics = gateway.metrics.clone();
    let end = async {
        // The first hour takes the first three; the rest is for the end.
        while metrics.statistics.stored.get() < 12 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), gateway.run_until(&client, end)).await.expect("it ends in time");
    assert!(left.lock().unwrap().is_empty());
    Gateway::new(&dir).run(&client).await;
    assert_eq!(stored(&direct).await, [row("/", "a.example", "Kent", 25)]);
}

#[test]
fn an_hour_reads_as_people_write_it() {
    assert_eq!(clock(3600 * 480_000), "2024-10-04 00:00 UTC");
}
