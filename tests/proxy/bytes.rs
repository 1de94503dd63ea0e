//! The table of what arrives and what becomes of it, byte for byte: what a visitor sends, which answers come, whether the
//! connection is kept, and what the site has been sent, to the last byte. What could be read in two ways is refused before
//! the site hears of it, or reaches the site in one way alone.
//!
//! Each row ends with an ordinary request, over the same connection where it is kept: what was left over by the row would
//! stand in its way.

mod answers;
mod bodies;
mod heads;
mod http2;
mod recorder;
mod sizes;

use std::net::TcpStream;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::support::eventually;
use crate::support::gateway::{Gateway, Nobody, without_database};
use crate::support::http::{Answer, Connection};
use recorder::{Manner, Recorder};

/// One row; `{H}` stands for an ordinary visitor's fields, `{h}` for the same as the site sees them, `{f}` for what the
/// gateway adds at the end of a head.
struct Row {
    sent: &'static str,
    /// The statuses of all final answers.
    gets: &'static [u16],
    kept: bool,
    /// What the site is sent.
    seen: &'static str,
}

/// A row after which the connection can be used.
const fn kept(sent: &'static str, gets: &'static [u16], seen: &'static str) -> Row {
    Row { sent, gets, kept: true, seen }
}

/// A row after which the connection is closed.
const fn closed(sent: &'static str, gets: &'static [u16], seen: &'static str) -> Row {
    Row { sent, gets, kept: false, seen }
}

const VISITOR: &str = "Host: a.example\r\nSec-Fetch-Dest: image\r\n";
const FORWARDED: &str = "host: a.example\r\nsec-fetch-dest: image\r\n";
const ADDED: &str =
    "x-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: http\r\nx-forwarded-host: a.example\r\nx-request-id: ID\r\n\r\n";
const LAST: &str = "GET /last HTTP/1.1\r\n{H}\r\n";
const LAST_SEEN: &str = "GET /last HTTP/1.1\r\n{h}{f}";

/// Writes the words in braces out.
fn whole(text: &str) -> String {
    text.replace("{H}", VISITOR).replace("{h}", FORWARDED).replace("{f}", ADDED)
}

/// A gateway and the site that writes down what it is sent.
struct Table {
    gateway: Gateway,
    site: Recorder,
    _nobody: Nobody,
}

impl Table {
    /// The one table of all these tests; each has it for itself while it plays.
    fn laid() -> MutexGuard<'static, Table> {
        static TABLE: OnceLock<Mutex<Table>> = OnceLock::new();
        Table::of(&TABLE, "")
    }

    /// The one for visitors who may speak HTTP/2 without TLS.
    fn laid_for_http2() -> MutexGuard<'static, Table> {
        static TABLE: OnceLock<Mutex<Table>> = OnceLock::new();
        Table::of(&TABLE, "h2c = true\n")
    }

    fn of(table: &'static OnceLock<Mutex<Table>>, more: &str) -> MutexGuard<'static, Table> {
        let table = table.get_or_init(|| {
            let site = Recorder::start();
            let declared = "[[cookie]]\nname = \"session\"\npurpose = \"necessary\"\n";
            let (gateway, nobody) = without_database(site.address, &format!("workers = 1\n{more}{declared}"));
            Mutex::new(Table { gateway, site, _nobody: nobody })
        });
        let table = table.lock().unwrap_or_else(PoisonError::into_inner);
        table.site.answers(Manner::default());
        table.site.take();
        table
    }

    /// Sends the request that ends a row over a connection of its own.
    fn last(&self) {
        let last = Connection::open(self.gateway.address).send(whole(LAST)).answer();
        assert_eq!(last.text(), recorder::LAST_BODY);
    }

    /// A connection that is given up when nothing comes for some time, long before the gateway would close it as idle.
    fn connects(&self) -> Connection {
        let stream = TcpStream::connect(self.gateway.address).expect("the listener takes connections");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket has a read timeout");
        Connection::over(stream)
    }

    /// Plays all rows; fails with every one that came out otherwise.
    fn plays(&self, rows: &[Row]) {
        let wrong: Vec<String> = rows.iter().filter_map(|row| self.play(row).err()).collect();
        assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    }

    fn play(&self, row: &Row) -> Result<(), String> {
        let sent = whole(row.sent);
        let played = AssertUnwindSafe(|| self.exchange(sent.as_bytes(), row.gets.len(), row.kept, &whole(row.seen)));
        let answers = std::panic::catch_unwind(played)
            .map_err(|_| format!("{sent:?}\n  has other answers, or is not closed"))??;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        if statuses == row.gets { Ok(()) } else { Err(format!("{sent:?}\n  was answered with {statuses:?}")) }
    }

    /// Sends something, takes so many answers, and checks what became of the connection and what the site saw.
    fn exchange(&self, sent: &[u8], answers: usize, kept: bool, seen: &str) -> Result<Vec<Answer>, String> {
        let method = String::from_utf8_lossy(sent.split(|byte| *byte == b' ').next().unwrap_or_default()).into_owned();
        let shown = String::from_utf8_lossy(&sent[..sent.len().min(300)]).into_owned();
        let mut connection = self.connects();
        connection.send(sent);
        let answers: Vec<Answer> =
            (0..answers).map(|place| connection.answer_to(if place == 0 { &method } else { "GET" })).collect();
        let last = whole(LAST);
        let last = if kept {
            connection.send(last).answer()
        } else {
            let rest = connection.rest();
            if !rest.is_empty() {
                return Err(format!("{shown:?}\n  got more: {:?}", String::from_utf8_lossy(&rest)));
            }
            Connection::open(self.gateway.address).send(last).answer()
        };
        if last.text() != recorder::LAST_BODY {
            return Err(format!("{shown:?}\n  put the next answer out of step: {} {}", last.head, last.text()));
        }
        let whole_seen = self.site.seen_with(&whole(LAST_SEEN));
        if whole_seen != seen {
            return Err(format!("{shown:?}\n  the site saw  {whole_seen:?}\n  instead of    {seen:?}"));
        }
        Ok(answers)
    }
}

/// Every request has an id of its own, 32 digits: `ID` here.
fn without_ids(seen: &str) -> String {
    let mut parts = seen.split("\r\nx-request-id: ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str("\r\nx-request-id: ");
        match part.split_at_checked(32) {
            Some((id, rest)) if rest.starts_with("\r\n") && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                plain.push_str("ID");
                plain.push_str(rest);
            }
            _ => plain.push_str(part),
        }
    }
    plain
}

impl Recorder {
    /// What has come since this was last asked, without the request that ends a row.
    fn seen_with(&self, last: &str) -> String {
        let mut seen = String::new();
        eventually("the last request of a row is there", || {
            seen.push_str(&self.take());
            seen = without_ids(&seen);
            let at = seen.find(last)?;
            seen.replace_range(at..at + last.len(), "");
            Some(())
        });
        seen
    }
}
