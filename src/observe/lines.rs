//! Logs of a line for each request: a bounded channel and a thread of its own, so that no request ever waits for a disk or a
//! full pipe. What finds the channel full is dropped, and counted. Files are opened anew when asked, as `logrotate` wants it;
//! a log with a period of its own has a file for each day, and those that have outlived it are deleted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};

use super::metrics::LineFigures;

/// Lines that may wait.
const WAITING: usize = 8192;
/// Lines that are written at once.
const AT_ONCE: usize = 1024;
/// How often a log without lines is looked after.
const LOOK: Duration = Duration::from_secs(60);
/// How long the end of the process waits for the last lines.
const LAST: Duration = Duration::from_secs(2);

/// Where lines of a log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file, appended to.
    File(PathBuf),
}

/// A place for lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One that somebody else rotates.
    Plain(Destination),
    /// A file for each day, `path.2026-11-26`, deleted when it is `days` old.
    Daily {
        /// Without the day.
        path: PathBuf,
        /// How long lines live, in days.
        days: u16,
    },
}

/// A log that can be written to from any thread. With the last of them the log's thread ends, once it has written what it has.
pub struct Lines {
    place: Place,
    send: SyncSender<Message>,
    figures: Arc<LineFigures>,
    reopen: Arc<AtomicBool>,
}

enum Message {
    Line(String),
    /// There is something else to look at.
    Look,
    Flush(SyncSender<()>),
}

impl Lines {
    /// Opens the place and starts the thread.
    pub fn open(place: Place, figures: Arc<LineFigures>) -> io::Result<Lines> {
        let reopen = Arc::new(AtomicBool::new(false));
        let mut output = Output::open(place.clone(), figures.clone(), reopen.clone())?;
        let (send, lines) = mpsc::sync_channel(WAITING);
        thread::Builder::new().name("log".to_owned()).spawn(move || output.write_all(&lines))?;
        Ok(Lines { place, send, figures, reopen })
    }

    /// Where they go.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// One more, without a line break. Never waits.
    pub fn write(&self, line: String) {
        if self.send.try_send(Message::Line(line)).is_err() {
            self.figures.dropped.count();
        }
    }

    /// Opens the file anew as soon as the thread gets to it; where somebody has moved it away, another is made. Never waits.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
        // Where the channel is full the thread looks before it takes what is in there.
        let _ = self.send.try_send(Message::Look);
    }

    /// Waits until what was written before is out, for a short while. Blocks.
    pub fn flush(&self) {
        let (done, flushed) = mpsc::sync_channel(1);
        if self.send.try_send(Message::Flush(done)).is_ok() {
            let _ = flushed.recv_timeout(LAST);
        }
    }
}

/// The thread's side.
struct Output {
    place: Place,
    figures: Arc<LineFigures>,
    /// Whether somebody has asked for the file to be opened anew.
    asked: Arc<AtomicBool>,
    out: Box<dyn Write + Send>,
    day: Date,
    /// Said once, not for each line.
    failing: bool,
}

impl Output {
    fn open(place: Place, figures: Arc<LineFigures>, asked: Arc<AtomicBool>) -> io::Result<Output> {
        let day = today();
        let out = open(&place, day)?;
        let output = Output { place, figures, asked, out, day, failing: false };
        output.expire();
        Ok(output)
    }

    fn write_all(&mut self, lines: &Receiver<Message>) {
        loop {
            let first = match lines.recv_timeout(LOOK) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.turn();
            self.look();
            let mut flushed = Vec::new();
            for message in first.into_iter().chain(lines.try_iter().take(AT_ONCE)) {
                match message {
                    Message::Line(line) => self.line(line),
                    Message::Look => self.look(),
                    Message::Flush(done) => flushed.push(done),
                }
            }
            let done = self.out.flush();
            self.note(done);
            for done in flushed {
                let _ = done.try_send(());
            }
        }
    }

    fn line(&mut self, mut line: String) {
        line.push('\n');
        let done = self.out.write_all(line.as_bytes());
        match done {
            Ok(()) => self.figures.written.count(),
            Err(_) => self.figures.dropped.count(),
        }
        self.note(done);
    }

    /// Begins another day's file where it is another day.
    fn turn(&mut self) {
        let day = today();
        if matches!(self.place, Place::Daily { .. }) && day != self.day {
            self.day = day;
            self.reopen();
            self.expire();
        }
    }

    /// Opens the file anew where somebody has asked for it.
    fn look(&mut self) {
        if self.asked.swap(false, Ordering::AcqRel) {
            self.reopen();
        }
    }

    fn reopen(&mut self) {
        let _ = self.out.flush();
        match open(&self.place, self.day) {
            Ok(out) => {
                self.out = out;
                self.failing = false;
            }
            Err(error) => {
                tracing::error!(%error, place = %self.place, "a log cannot be opened anew; lines go where they went");
            }
        }
    }

    fn note(&mut self, done: io::Result<()>) {
        match done {
            Ok(()) => {}
            Err(error) if !std::mem::replace(&mut self.failing, true) => {
                tracing::error!(%error, place = %self.place, "a log cannot be written; its lines are dropped");
            }
            Err(_) => {}
        }
    }

    /// Deletes what has outlived its period.
    fn expire(&self) {
        let Place::Daily { path, days } = &self.place else { return };
        let (Some(file), folder) = (path.file_name().and_then(|name| name.to_str()), folder(path)) else { return };
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let outlived = name.to_str().is_some_and(|name| has_outlived(name, file, self.day, *days));
            if outlived && let Err(error) = fs::remove_file(entry.path()) {
                tracing::error!(%error, file = %entry.path().display(), "a log that has outlived its period is still there; delete it");
            }
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Plain(Destination::Stdout) => f.write_str("standard output"),
            Place::Plain(Destination::File(path)) | Place::Daily { path, .. } => path.display().fmt(f),
        }
    }
}

fn open(place: &Place, day: Date) -> io::Result<Box<dyn Write + Send>> {
    let append = |path: &Path, mode| OpenOptions::new().append(true).create(true).mode(mode).open(path);
    let file: File = match place {
        Place::Plain(Destination::Stdout) => return Ok(Box::new(BufWriter::new(io::stdout()))),
        Place::Plain(Destination::File(path)) => append(path, 0o640)?,
        // It holds networks of visitors: its owner's alone.
        Place::Daily { path, .. } => append(&of_day(path, day), 0o600)?,
    };
    Ok(Box::new(BufWriter::new(file)))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn of_day(path: &Path, day: Date) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{day}"));
    name.into()
}

/// Whether a file is a day of this log whose first line has outlived its period.
fn has_outlived(name: &str, file: &str, today: Date, days: u16) -> bool {
    let day = name.strip_prefix(file).and_then(|rest| rest.strip_prefix('.')).and_then(|day| day.parse::<Date>().ok());
    let oldest = today.checked_sub(i64::from(days).days());
    matches!((day, oldest), (Some(day), Ok(oldest)) if day <= oldest)
}

fn today() -> Date {
    Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(place: Place) -> (Lines, Arc<LineFigures>) {
        let figures = Arc::new(LineFigures::default());
        (Lines::open(place, figures.clone()).unwrap(), figures)
    }

    #[test]
    fn lines_are_written_in_order_and_a_file_that_was_moved_away_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let (log, figures) = lines(Place::Plain(Destination::File(path.clone())));
        log.write("one".into());
        log.write("two".into());
        log.flush();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        fs::rename(&path, folder.path().join("access.log.1")).unwrap();
        log.reopen();
        log.write("three".into());
        log.flush();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
        assert_eq!((figures.written.get(), figures.dropped.get()), (3, 0));
    }

    #[test]
    fn what_finds_the_log_full_is_dropped_and_counted_and_nobody_waits() {
        let (send, _nobody_reads) = mpsc::sync_channel(1);
        let place = Place::Plain(Destination::Stdout);
        let log = Lines { place, send, figures: Arc::default(), reopen: Arc::default() };
        for _ in 0..3 {
            log.write("line".into());
        }
        assert_eq!(log.figures.dropped.get(), 2);
        log.reopen();
        assert!(log.reopen.load(Ordering::Acquire), "it is done once somebody reads again");
    }

    #[test]
    fn a_log_that_was_full_when_it_was_to_be_opened_anew_is_opened_once_its_lines_move() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let place = Place::Plain(Destination::File(path.clone()));
        let (send, waiting) = mpsc::sync_channel(2);
        let log = Lines { place: place.clone(), send, figures: Arc::default(), reopen: Arc::default() };
        let mut output = Output::open(place, log.figures.clone(), log.reopen.clone()).unwrap();
        log.write("one".into());
        log.write("two".into());
        fs::rename(&path, folder.path().join("access.log.1")).unwrap();
        log.reopen();
        drop(log);
        output.write_all(&waiting);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_day_that_has_outlived_its_period_is_deleted_and_nothing_else() {
        let today: Date = "2026-11-26".parse().unwrap();
        for (name, outlived) in [
            ("refused.2026-11-26", false),
            ("refused.2026-11-20", false),
            ("refused.2026-11-19", true),
            ("refused.2025-01-01", true),
            ("refused.2026-13-01", false),
            ("refused", false),
            ("refused.old", false),
            ("other.2025-01-01", false),
        ] {
            assert_eq!(has_outlived(name, "refused", today, 7), outlived, "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("refused.2020-01-01");
        fs::write(&old, "old").unwrap();
        fs::write(folder.path().join("kept.2020-01-01"), "kept").unwrap();
        let (log, _) = lines(Place::Daily { path: folder.path().join("refused"), days: 7 });
        log.write("new".into());
        log.flush();
        assert!(!old.exists() && folder.path().join("kept.2020-01-01").exists());
        let file = of_day(&folder.path().join("refused"), super::today());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new\n");
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(file).unwrap().permissions()) & 0o777, 0o600);
    }
}
