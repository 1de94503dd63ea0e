//! The ledger: the proof of what each visitor chose (P1-P5). The front door appends a row for every acceptance, refusal,
//! change, withdrawal and objection and answers only when the row is durable (C6); the life of the process opens it; the
//! shipper in `store` brings its rows into the table `consents`; `consentry ledger` verifies and exports it. It never
//! decides what is permitted, and it cannot hold an address, a User-Agent or a page (P2): an [`Entry`] has no field for one,
//! and its texts are held to grammars that none of them fits. This text is its design paper.
//!
//! # What is on disk
//! ```text
//! ledger/lock                 held by the one process that appends
//! ledger/chain                the chain's id: 64 random bits, in hexadecimal
//! ledger/2026-11.jsonl        the rows of one month (UTC), one JSON object on a line, only ever appended to
//! ledger/head                 which row is the last, signed, so that it is missed when it is cut off
//! ledger/shipped              up to which row the table has them
//! ledger/expired              the last row that went because its time was over, signed
//! ledger/texts/HEX            banners and notices by their SHA-256 (P5)
//! ```
//! Folders are 0700 and files 0600.
//!
//! # The chain
//! A row has the chain's id, its number (from 1, without a gap), what was chosen, the hash of the row before it (zeros in
//! the first), the number of a key, its own hash, and a signature. The hash is SHA-256 over this, without anything between:
//!
//! | what | how |
//! |---|---|
//! | `consentry-ledger-1` | text |
//! | `chain`, `seq` | 8 bytes each |
//! | `site` | 4 bytes |
//! | `receipt` | 8 bytes |
//! | `previous` | one byte, 0 for none; or 1 and 8 bytes |
//! | `at_ms`, milliseconds since 1970 | 8 bytes, two's complement |
//! | `action` | text |
//! | `policy_version` | 2 bytes |
//! | `text_hash` | 32 bytes |
//! | `banner_version` | text |
//! | `banner_hash` | 32 bytes |
//! | `granted`, `denied` | a list of texts each |
//! | `source`, `language`, `host` | text |
//! | `gpc`, `dnt`, `under_16` | one byte each, 0 or 1 |
//! | `prev_hash` | 32 bytes |
//! | `key` | 4 bytes |
//!
//! Numbers are big-endian. A text is its length in bytes as 4 bytes, then UTF-8; a list is the number of its texts as 4 bytes,
//! then the texts. The signature is Ed25519 (RFC 8032) over the text `consentry-ledger-row-1` as bytes, without a length, and
//! the 32 bytes of the hash. So whoever has the rows can recompute every hash, and whoever has the [public keys](PublicKeys)
//! knows that no row was written without the key ring.
//!
//! What the notes `head` and `expired` name is signed the same way under texts of their own: `consentry-ledger-head-1` or
//! `consentry-ledger-expired-1`, then chain and number in 8 bytes each, then the row's hash. So no row is a note.
//!
//! The signed hash says that a row is as it was written, the number and the previous hash that none is missing or added
//! between. That the last rows of a file were cut off is seen by the table, by `head` and by `shipped`; that the table lost
//! some, by the file. Who holds the key ring can write another history: only copies elsewhere, such as the visitors' own
//! receipts, stand against that.
//!
//! # When an append is done
//! One thread appends. It takes all that waits, writes it with one write, syncs it (and the folder where the file is new) and
//! answers who waits. Where that fails, the file is cut back to what it was and everybody in the group is told; should even
//! the cut fail, nothing is written until it succeeds. After the death of the process a torn last line is cut off at the
//! next start: its row was never acknowledged. A damaged line elsewhere is left, reported, and found by `verify`; the chain
//! goes on behind it. Time never goes back within a chain: where the clock does, a row has the time of the row before it.
//!
//! # When somebody moves what is written to
//! Before a group is written and after it is synced, the open file is held against its name: the same file, as long as it was
//! left, in the folder that was locked. Otherwise the group fails and nobody is told that it counts. The next group opens what
//! stands there: a month's file that is missing is made anew, one that was cut is continued at its real end, and `verify` names
//! the rows that are missing. A folder that is missing or another one is an error until the ledger's own is back; no new
//! ledger is made.
//!
//! # Expiry
//! A month's file is removed when all its rows are over, by `[retention] consents`. What it ended with is signed and kept in
//! `expired`, so that `verify` knows where the chain may begin.
//!
//! # Limits
//! - Who may write to the folder can put an older `head` beside rows that are cut at the same place, as who restores a backup
//!   does: the table and `shipped` tell, and `shipped` is not signed. Where the table is away too, nothing does.
//! - `head` is not synced: after a loss of power it may be an older one until the next start, and `verify` says so.
//! - Rows of the same file that are overwritten in place are for `verify` to find, not for who appends.
//! - Two gateways on copies of one folder write two chains under one id: remove everything but `texts` from a copy.

mod entry;
mod error;
pub mod export;
mod folder;
pub mod hex;
mod month;
mod note;
mod read;
pub mod receipt;
mod recover;
mod replaced;
mod row;
mod segment;
mod sign;
#[cfg(test)]
mod tests;
mod texts;
pub mod verify;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};

pub use entry::{Action, Entry, Unfit};
pub use error::LedgerError;
pub use folder::strange_files;
pub use note::{LastRow, Notes};
pub use read::{Found, Place, Rows};
pub use recover::Recovery;
pub use replaced::{Declaration, Later, Replaced};
pub use row::{Beginning, ChainId, NoRow, Row};
pub use sign::{NoKeys, PublicKeys, Signer, public_keys, thumbprint};
pub use texts::find_text;

use crate::keys::KeyRing;
use folder::Folder;
use texts::Texts;
use writer::{Job, Writer};

/// Appends that may wait for the disk; more wait for their turn to wait.
const WAITING: usize = 1024;

/// A row that is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its number in the chain.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// Its time in milliseconds since 1970: the entry's, or that of the row before it where that is later.
    pub at_ms: i64,
}

/// The ledger of one gateway. Clones are handles to the same one; any thread and any runtime may use them. When the last is
/// dropped without [`close`](Ledger::close), what was taken is still written, which that drop waits for.
#[derive(Clone)]
pub struct Ledger(Arc<Handle>);

struct Handle {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
    texts: Texts,
    ring: Arc<KeyRing>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let Some(thread) = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take() else { return };
        // With the last sender the thread ends, once it has written what it has, and with it the lock.
        self.jobs = mpsc::channel(1).0;
        let _ = thread.join();
    }
}

/// What the writing thread and the handles share.
struct Shared {
    folder: Folder,
    chain: ChainId,
    /// The number of the last row that is durable.
    head: watch::Sender<u64>,
    /// The newest segment and how far it is durable; what lies behind that is nobody's yet.
    tail: Mutex<read::Tail>,
    #[cfg(test)]
    faults: writer::Faults,
}

impl Shared {
    fn tail(&self) -> read::Tail {
        *self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Opens the folder, making it where it is missing, cuts off what a crash left torn, and starts the thread. `now_ms` is
    /// in milliseconds since 1970. Blocks for the time of some file operations.
    pub fn open(
        folder: &Path,
        ring: Arc<KeyRing>,
        site_id: u32,
        now_ms: i64,
    ) -> Result<(Ledger, Recovery), LedgerError> {
        let folder = Folder::open(folder)?;
        let texts = Texts::open(&folder)?;
        let recover::Start { link, is_behind_a_row, tail, recovery } = recover::recover(&folder, now_ms)?;
        let shared = Arc::new(Shared {
            chain: link.chain,
            head: watch::Sender::new(link.seq),
            tail: Mutex::new(tail),
            folder,
            #[cfg(test)]
            faults: writer::Faults::default(),
        });
        let (jobs, waiting) = mpsc::channel(WAITING);
        let mut writer = Writer::new(Arc::clone(&shared), Arc::clone(&ring), site_id, link);
        if is_behind_a_row {
            writer.note_last(link.last_row());
        }
        let thread = std::thread::Builder::new().name("ledger".into()).spawn(move || writer.run(waiting));
        let thread = thread.map_err(|source| shared.folder.failed("start the ledger's thread", source))?;
        let handle = Handle { jobs, shared, texts, ring, thread: Mutex::new(Some(thread)) };
        Ok((Ledger(Arc::new(handle)), recovery))
    }

    /// Appends a row and says when it is durable, some milliseconds later. Where the caller stops waiting, the row may be
    /// written all the same. A disk that hangs is waited for: who has a deadline keeps it himself.
    pub async fn append(&self, entry: Entry) -> Result<Appended, LedgerError> {
        entry.check()?;
        let (waiter, appended) = oneshot::channel();
        let job = Job::Append { entry: Box::new(entry), waiter };
        self.0.jobs.send(job).await.map_err(|_| LedgerError::Closed)?;
        appended.await.unwrap_or(Err(LedgerError::Closed))
    }

    /// Keeps the bytes of a banner or a notice by their SHA-256, durably; bytes that are kept already are left as they are
    /// (P5). Blocks: for the start, not for a request.
    pub fn keep_text(&self, text: &[u8]) -> Result<[u8; 32], LedgerError> {
        self.0.texts.keep(text)
    }

    /// The bytes of this hash, proven; nothing where none are kept. Reads a file.
    pub fn text(&self, hash: &[u8; 32]) -> Result<Option<Vec<u8>>, LedgerError> {
        self.0.texts.read(hash)
    }

    /// When the text of this hash was first kept here, in seconds since 1970; nothing where none is. Asks the disk.
    pub fn text_kept_at(&self, hash: &[u8; 32]) -> Option<u64> {
        self.0.texts.kept_at(hash)
    }

    /// The one hash of a kept text that begins with these 16 hexadecimal digits; asks memory only.
    pub fn text_by_prefix(&self, prefix: &str) -> Option<[u8; 32]> {
        self.0.texts.by_prefix(prefix)
    }

    /// The choices since `since_ms`, in milliseconds since 1970, that later ones have replaced. Reads files.
    pub fn replaced(&self, since_ms: i64) -> Result<Replaced, LedgerError> {
        let folder = &self.0.shared.folder;
        Replaced::of(folder.path(), since_ms).map_err(|source| folder.failed("read the ledger", source))
    }

    /// The id of the chain that is appended to.
    pub fn chain(&self) -> ChainId {
        self.0.shared.chain
    }

    /// The number of the last durable row, now and whenever it changes.
    pub fn head(&self) -> watch::Receiver<u64> {
        self.0.shared.head.subscribe()
    }

    /// Up to `limit` durable rows of this chain behind `seq`, in order. `place` remembers where it stopped. Reads files.
    pub fn rows_after(&self, seq: u64, limit: usize, place: &mut Place) -> Result<Vec<Row>, LedgerError> {
        let shared = &self.0.shared;
        read::after(&shared.folder, shared.tail(), shared.chain, seq, limit, place)
            .map_err(|source| shared.folder.failed("read the ledger", source))
    }

    /// The table has everything up to `seq`: noted, for `verify` to know. Not synced: an older note says less, nothing wrong.
    pub fn note_shipped(&self, seq: u64) -> Result<(), LedgerError> {
        let shared = &self.0.shared;
        note::write_shipped(&shared.folder, shared.chain, seq)
            .map_err(|source| shared.folder.failed("note what the table has", source))
    }

    /// Up to which row the table was known to have them; 0 where that is not known.
    pub fn shipped(&self) -> u64 {
        note::read_shipped(self.0.shared.folder.path(), self.0.shared.chain)
    }

    /// Removes the months all of whose rows are over: `is_over` says it of a UTC day, in days since 1970. The month that is
    /// appended to stays. Returns how many files went.
    pub fn remove_expired(&self, is_over: impl Fn(u16) -> bool) -> Result<usize, LedgerError> {
        let shared = &self.0.shared;
        recover::remove_expired(&shared.folder, shared.tail(), shared.chain, &Signer::current(&self.0.ring), is_over)
            .map_err(|source| shared.folder.failed("remove what has expired", source))
    }

    /// Refuses entries from now on, writes what was taken before, and ends the thread. Blocks: not on a runtime's thread.
    pub fn close(&self) {
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        // Where nobody listens any more it has ended already.
        let _ = self.0.jobs.blocking_send(Job::Close);
        if thread.join().is_err() {
            tracing::error!("the ledger's thread panicked; the next start looks at what it left");
        }
    }

    #[cfg(test)]
    fn faults(&self) -> &writer::Faults {
        &self.0.shared.faults
    }
}
