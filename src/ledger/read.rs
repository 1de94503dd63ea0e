//! Reading rows: all of a folder, in order, with everything that is none reported by file and line; and, for the shipper,
//! those behind a number.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Take};
use std::path::{Path, PathBuf};

use super::folder::{self, Folder};
use super::month::Month;
use super::row::{ChainId, Row};

/// The longest line that is read; a row has some 1,200 bytes.
const LONGEST: u64 = 1 << 16;

/// What stands on one line.
#[derive(Debug)]
pub enum Found {
    /// A row, whether its hash and signature are right or not.
    Row {
        /// The row.
        row: Box<Row>,
        /// The file's name.
        file: String,
        /// The line, from 1.
        line: u64,
    },
    /// Something else.
    Unreadable {
        /// The file's name.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// The end of the newest file without the end of a line: being written just now, or torn by a crash.
    Torn {
        /// The file's name.
        file: String,
        /// The line, from 1.
        line: u64,
    },
}

/// Every line of a ledger, oldest first. Takes no lock and may be used while the gateway appends.
pub struct Rows {
    folder: PathBuf,
    months: VecDeque<Month>,
    open: Option<Open>,
}

struct Open {
    name: String,
    lines: Lines,
    is_last: bool,
}

impl Rows {
    /// Of the ledger in `folder`; none where there is no folder.
    pub fn of(folder: &Path) -> io::Result<Rows> {
        let months = match folder::segments(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            months => months?,
        };
        Ok(Rows::of_months(folder, months))
    }

    /// Of the months from `at_ms` on, in milliseconds since 1970.
    pub(super) fn since(folder: &Path, at_ms: i64) -> io::Result<Rows> {
        let mut rows = Rows::of(folder)?;
        let first = Month::of(at_ms);
        rows.months.retain(|month| *month >= first);
        Ok(rows)
    }

    /// Of the newest file alone.
    pub(super) fn of_newest(folder: &Path) -> io::Result<Rows> {
        let mut rows = Rows::of(folder)?;
        rows.months.drain(..rows.months.len().saturating_sub(1));
        Ok(rows)
    }

    /// Of some files.
    pub(super) fn of_months(folder: &Path, months: Vec<Month>) -> Rows {
        Rows { folder: folder.to_owned(), months: months.into(), open: None }
    }
}

impl Iterator for Rows {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let Some(open) = &mut self.open else {
                let name = self.months.pop_front()?.file();
                match Lines::open(&self.folder.join(&name), 0, None) {
                    Ok(lines) => self.open = Some(Open { name, lines, is_last: self.months.is_empty() }),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => {
                        return Some(Found::Unreadable {
                            file: name,
                            line: 0,
                            why: format!("it cannot be read: {error}"),
                        });
                    }
                }
                continue;
            };
            let (file, read) = (open.name.clone(), open.lines.next());
            let line = open.lines.line;
            match read {
                Ok(None) => self.open = None,
                Ok(Some(Line::Whole)) => {
                    return Some(match Row::parse(&open.lines.bytes) {
                        Ok(row) => Found::Row { row: Box::new(row), file, line },
                        Err(why) => Found::Unreadable { file, line, why: why.to_string() },
                    });
                }
                Ok(Some(Line::TooLong)) => {
                    return Some(Found::Unreadable { file, line, why: "it is too long for a row".into() });
                }
                Ok(Some(Line::Torn)) if open.is_last => {
                    // What the gateway adds meanwhile is not read as a line of its own.
                    self.open = None;
                    return Some(Found::Torn { file, line });
                }
                Ok(Some(Line::Torn)) => {
                    return Some(Found::Unreadable { file, line, why: "its end is cut off".into() });
                }
                Err(error) => {
                    self.open = None;
                    return Some(Found::Unreadable { file, line, why: format!("it cannot be read: {error}") });
                }
            }
        }
    }
}

/// How a line ended.
enum Line {
    Whole,
    TooLong,
    Torn,
}

/// The lines of one file, never more than one of them in memory.
struct Lines {
    reader: BufReader<Take<File>>,
    /// The line that was read last, without its end.
    bytes: Vec<u8>,
    /// Its number, from 1.
    line: u64,
    /// Where it ends in the file.
    offset: u64,
}

impl Lines {
    fn open(path: &Path, offset: u64, end: Option<u64>) -> io::Result<Lines> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let most = end.map_or(u64::MAX, |end| end.saturating_sub(offset));
        Ok(Lines { reader: BufReader::new(file.take(most)), bytes: Vec::new(), line: 0, offset })
    }

    fn next(&mut self) -> io::Result<Option<Line>> {
        self.bytes.clear();
        let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        self.offset += read as u64;
        if self.bytes.last() == Some(&b'\n') {
            self.bytes.pop();
            return Ok(Some(Line::Whole));
        }
        if (read as u64) < LONGEST {
            return Ok(Some(Line::Torn));
        }
        loop {
            self.bytes.clear();
            let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.bytes)?;
            self.offset += read as u64;
            if read == 0 || self.bytes.last() == Some(&b'\n') {
                return Ok(Some(Line::TooLong));
            }
        }
    }
}

/// The newest segment and how far it is durable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    pub(super) month: Month,
    pub(super) len: u64,
    /// How often the writer had opened a segment by then: places in an earlier one may be nowhere in this one.
    pub(super) opening: u64,
}

/// Where reading behind a number stopped.
#[derive(Debug, Default)]
pub struct Place {
    /// The last number read, and behind which byte of which segment that was, at which opening.
    at: Option<(u64, Month, u64, u64)>,
}

/// Up to `limit` rows of the chain behind `seq`, of what is durable.
pub(super) fn after(
    folder: &Folder,
    tail: Tail,
    chain: ChainId,
    seq: u64,
    limit: usize,
    place: &mut Place,
) -> io::Result<Vec<Row>> {
    let months: Vec<Month> =
        folder::segments(folder.path())?.into_iter().filter(|month| *month <= tail.month).collect();
    let (from, mut offset) = match place.at {
        Some((at, month, offset, opening)) if at == seq && opening == tail.opening => (month, offset),
        _ => (oldest_that_can_hold(folder, &months, chain, seq + 1), 0),
    };
    let mut rows = Vec::new();
    for month in months.into_iter().filter(|month| *month >= from) {
        let end = (month == tail.month).then_some(tail.len);
        let mut lines = match Lines::open(&folder.path().join(month.file()), std::mem::take(&mut offset), end) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            lines => lines?,
        };
        while let Some(line) = lines.next()? {
            // What is no row is for `verify` to report.
            let row = matches!(line, Line::Whole).then(|| Row::parse(&lines.bytes).ok()).flatten();
            let Some(row) = row.filter(|row| row.chain == chain && row.seq > seq) else { continue };
            if rows.last().is_some_and(|last: &Row| row.seq <= last.seq) {
                continue;
            }
            place.at = Some((row.seq, month, lines.offset, tail.opening));
            rows.push(row);
            if rows.len() >= limit {
                return Ok(rows);
            }
        }
    }
    Ok(rows)
}

/// The newest month whose first row is not behind `seq`, so that reading need not begin at the beginning.
fn oldest_that_can_hold(folder: &Folder, months: &[Month], chain: ChainId, seq: u64) -> Month {
    let begins_before = |month: &&Month| {
        let lines = Lines::open(&folder.path().join(month.file()), 0, None);
        let Ok(mut lines) = lines else { return false };
        let is_whole = matches!(lines.next(), Ok(Some(Line::Whole)));
        is_whole && Row::parse(&lines.bytes).is_ok_and(|row| row.chain == chain && row.seq <= seq)
    };
    let found = months.iter().rev().find(begins_before).or(months.first());
    found.copied().unwrap_or(Month::of(0))
}
