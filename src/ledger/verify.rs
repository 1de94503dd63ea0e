//! Whether a chain is whole (P3). Pure: rows in, in the order in which they stand, findings out, each naming the row and
//! saying in words what is wrong with it.

use std::collections::BTreeMap;
use std::fmt;

use super::row::{Beginning, ChainId, Row, SIGNED_ROW};
use super::sign::PublicKeys;

/// What kind of thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The row is not as it was written.
    Changed,
    /// Rows that were written are not there.
    Removed,
    /// A row is there that was not written, or not there.
    Inserted,
    /// The row stands in another place than it was written.
    Reordered,
    /// The signature is not this gateway's.
    Unsigned,
    /// Something is there that is no row.
    Unreadable,
}

impl Kind {
    /// The kind as one word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Changed => "changed",
            Kind::Removed => "removed",
            Kind::Inserted => "inserted",
            Kind::Reordered => "reordered",
            Kind::Unsigned => "unsigned",
            Kind::Unreadable => "unreadable",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub kind: Kind,
    /// Whose chain; nothing where that cannot be read.
    pub chain: Option<ChainId>,
    /// The row's number; the first of several that are missing.
    pub seq: Option<u64>,
    /// Its receipt, where that is known.
    pub receipt: Option<u64>,
    /// What is wrong, in words.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.word())?;
        if let Some(chain) = self.chain {
            write!(f, ", chain {chain}")?;
        }
        if let Some(seq) = self.seq {
            write!(f, ", row {seq}")?;
        }
        if let Some(receipt) = self.receipt {
            write!(f, ", receipt {receipt:016x}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Checks the rows of one chain as they come.
pub struct Checker<'k> {
    chain: ChainId,
    keys: &'k PublicKeys,
    beginning: Beginning,
    /// The number the next row should have, and the hash it should continue; the latter is not known behind a gap.
    expected: u64,
    last_hash: Option<[u8; 32]>,
    /// Whether the last row is as it was written; if not, it was named already.
    last_is_sound: bool,
    /// Numbers that were passed over, from (key) to (value), both included.
    gaps: BTreeMap<u64, u64>,
    findings: Vec<Finding>,
    rows: u64,
}

impl<'k> Checker<'k> {
    /// For a chain that begins behind `beginning`: rows up to it may be missing, since they have expired.
    pub fn new(chain: ChainId, keys: &'k PublicKeys, beginning: Beginning) -> Checker<'k> {
        Checker {
            chain,
            keys,
            beginning,
            expected: beginning.seq + 1,
            last_hash: Some(beginning.hash),
            last_is_sound: true,
            gaps: BTreeMap::new(),
            findings: Vec::new(),
            rows: 0,
        }
    }

    /// The next row, as it stands; says whether it is as it was written.
    pub fn row(&mut self, row: &Row) -> bool {
        let is_first = self.rows == 0;
        self.rows += 1;
        let is_sound = self.is_as_written(row);
        if is_first && (1..=self.beginning.seq).contains(&row.seq) {
            // Expired, and still there.
            self.expected = row.seq;
            self.last_hash = (row.seq == 1).then_some([0; 32]);
        }
        match row.seq {
            seq if seq == self.expected => {
                let continues = self.last_hash.is_none_or(|hash| hash == row.prev_hash);
                if !continues && is_sound && self.last_is_sound {
                    self.find(
                        Kind::Inserted,
                        row,
                        format!("it does not continue row {}: one of the two was put there", seq - 1),
                    );
                }
                self.go_on(row, is_sound);
            }
            // One that nobody signed says nothing of what else was written.
            seq if seq > self.expected && !is_sound => {}
            seq if seq > self.expected => {
                self.gaps.insert(self.expected, seq - 1);
                self.go_on(row, is_sound);
            }
            seq if self.fill(seq) => {
                let last = self.expected - 1;
                self.find(Kind::Reordered, row, format!("it stands behind row {last}"));
            }
            seq => self.find(Kind::Inserted, row, format!("there is a row {seq} before it")),
        }
        is_sound
    }

    /// Whether hash and signature are right.
    fn is_as_written(&mut self, row: &Row) -> bool {
        if row.content_hash() != row.hash {
            self.find(Kind::Changed, row, "what it says is not what was written: its hash is of something else".into());
            return false;
        }
        match self.keys.verify(row.key, &[SIGNED_ROW, &row.hash].concat(), &row.signature) {
            Some(true) => true,
            Some(false) => {
                let what = "it is not signed by this gateway: it was changed and hashed again, or put there";
                self.find(Kind::Unsigned, row, what.into());
                false
            }
            None => {
                let what = format!(
                    "it is said to be signed under key {}, which the key ring does not hold (destroyed, or never there)",
                    row.key
                );
                self.find(Kind::Unsigned, row, what);
                false
            }
        }
    }

    fn go_on(&mut self, row: &Row, is_sound: bool) {
        self.expected = row.seq.saturating_add(1);
        self.last_hash = Some(row.hash);
        self.last_is_sound = is_sound;
    }

    /// Takes a number out of the gaps; says whether it was in one.
    fn fill(&mut self, seq: u64) -> bool {
        let Some((&from, &to)) = self.gaps.range(..=seq).next_back().filter(|(_, to)| **to >= seq) else {
            return false;
        };
        self.gaps.remove(&from);
        if from < seq {
            self.gaps.insert(from, seq - 1);
        }
        if seq < to {
            self.gaps.insert(seq + 1, to);
        }
        true
    }

    fn find(&mut self, kind: Kind, row: &Row, what: String) {
        let (chain, receipt) = (Some(self.chain), Some(row.entry.receipt));
        self.findings.push(Finding { kind, chain, seq: Some(row.seq), receipt, what });
    }

    /// All that was found. `last` is the number of the last row that is known to have been written, 0 where none is.
    pub fn finish(mut self, last: u64) -> Vec<Finding> {
        if last >= self.expected {
            self.gaps.insert(self.expected, last);
        }
        for (from, to) in std::mem::take(&mut self.gaps) {
            let from = from.max(self.beginning.seq + 1);
            if from > to {
                continue;
            }
            let what = match to - from {
                0 => format!("row {from} is missing"),
                more => format!("rows {from} to {to} are missing, {} of them", more + 1),
            };
            let chain = Some(self.chain);
            self.findings.push(Finding { kind: Kind::Removed, chain, seq: Some(from), receipt: None, what });
        }
        self.findings
    }
}

/// Checks rows of one chain, as [`Checker`] does.
pub fn verify(rows: &[Row], chain: ChainId, keys: &PublicKeys, beginning: Beginning, last: u64) -> Vec<Finding> {
    let mut checker = Checker::new(chain, keys, beginning);
    for row in rows {
        checker.row(row);
    }
    checker.finish(last)
}
