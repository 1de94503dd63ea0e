//! How long the disk takes to answer. Each operation is noted when it begins and struck off when it ends, so that one that
//! does not come back is seen by somebody who waits for no disk himself, whoever it is that waits.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Disk, DiskFile, DiskFolder, Found, Lock};

/// What has begun and not ended.
#[derive(Default)]
pub(in crate::spool) struct UnderWay(Mutex<Begun>);

#[derive(Default)]
struct Begun {
    /// How many have begun so far; the number of the next.
    all: u64,
    since: Vec<(u64, Instant)>,
}

impl UnderWay {
    /// How long what began first has taken until now; nothing where nothing is under way.
    pub(in crate::spool) fn longest(&self) -> Duration {
        self.lock().since.iter().map(|(_, since)| since.elapsed()).max().unwrap_or_default()
    }

    /// Does something, and notes it meanwhile.
    pub(in crate::spool) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut begun = self.lock();
        let number = begun.all;
        begun.all += 1;
        begun.since.push((number, Instant::now()));
        drop(begun);
        let _ends = Ends { under_way: self, number };
        work()
    }

    fn lock(&self) -> MutexGuard<'_, Begun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Strikes it off, also where it ends by a panic.
struct Ends<'a> {
    under_way: &'a UnderWay,
    number: u64,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        let mut begun = self.under_way.lock();
        if let Some(at) = begun.since.iter().position(|(number, _)| *number == self.number) {
            begun.since.swap_remove(at);
        }
    }
}

/// Another disk, or a file or folder of it, of which every operation is noted.
pub(in crate::spool) struct Timed<D> {
    of: D,
    under_way: Arc<UnderWay>,
}

impl Timed<Arc<dyn Disk>> {
    /// Over this disk; what is under way is noted in the second value.
    pub(in crate::spool) fn over(of: Arc<dyn Disk>) -> (Arc<dyn Disk>, Arc<UnderWay>) {
        let under_way = Arc::<UnderWay>::default();
        (Arc::new(Timed { of, under_way: Arc::clone(&under_way) }), under_way)
    }

    fn file(&self, open: impl FnOnce() -> io::Result<Box<dyn DiskFile>>) -> io::Result<Box<dyn DiskFile>> {
        let of = self.under_way.during(open)?;
        Ok(Box::new(Timed { of, under_way: Arc::clone(&self.under_way) }))
    }
}

impl Disk for Timed<Arc<dyn Disk>> {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.under_way.during(|| self.of.make_folder(path))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        self.under_way.during(|| self.of.lock(path))
    }

    fn identity(&self, folder: &Path) -> io::Result<u128> {
        self.under_way.during(|| self.of.identity(folder))
    }

    fn open_folder(&self, path: &Path) -> io::Result<Box<dyn DiskFolder>> {
        let of = self.under_way.during(|| self.of.open_folder(path))?;
        Ok(Box::new(Timed { of, under_way: Arc::clone(&self.under_way) }))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Found>> {
        self.under_way.during(|| self.of.list(folder))
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.file(|| self.of.create_new(path))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.file(|| self.of.create(path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.file(|| self.of.open(path))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.under_way.during(|| self.of.read(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.under_way.during(|| self.of.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.under_way.during(|| self.of.remove(path))
    }
}

impl DiskFolder for Timed<Box<dyn DiskFolder>> {
    fn sync(&self) -> io::Result<()> {
        self.under_way.during(|| self.of.sync())
    }
}

impl DiskFile for Timed<Box<dyn DiskFile>> {
    fn bytes(&self) -> io::Result<u64> {
        self.under_way.during(|| self.of.bytes())
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.under_way.during(|| self.of.read_at(into, at))
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.under_way.during(|| self.of.write_all_at(bytes, at))
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.under_way.during(|| self.of.set_len(bytes))
    }

    fn sync(&self) -> io::Result<()> {
        self.under_way.during(|| self.of.sync())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.under_way.during(|| self.of.sync_data())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_first_and_has_not_ended_is_what_counts_also_after_a_panic() {
        let under_way = UnderWay::default();
        assert_eq!(under_way.longest(), Duration::ZERO);
        under_way.during(|| {
            std::thread::sleep(Duration::from_millis(20));
            under_way.during(|| assert!(under_way.longest() >= Duration::from_millis(20)));
            assert!(under_way.longest() >= Duration::from_millis(20));
        });
        let panicked =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| under_way.during(|| panic!("a fault"))));
        assert!(panicked.is_err());
        assert_eq!(under_way.longest(), Duration::ZERO);
    }
}
