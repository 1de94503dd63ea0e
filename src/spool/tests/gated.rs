//! A disk of which single files fail, under the spool with its threads.

use std::io;

use super::super::disk::{Disk, DiskFile, DiskFolder, Found, Lock, RealDisk};
use super::*;

/// What is asked before something is done about a path; where it fails, that is not done.
type Gate = dyn Fn(&Path) -> io::Result<()> + Send + Sync;

/// The real disk behind a gate. Reading and looking need not pass it.
#[derive(Clone)]
struct Gated(Arc<Gate>);

struct GatedFile {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    gate: Arc<Gate>,
}

impl Gated {
    fn file(&self, path: &Path, file: io::Result<Box<dyn DiskFile>>) -> io::Result<Box<dyn DiskFile>> {
        let (path, gate) = (path.to_owned(), Arc::clone(&self.0));
        Ok(Box::new(GatedFile { file: file?, path, gate }))
    }
}

impl Disk for Gated {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.make_folder(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        RealDisk.lock(path)
    }
    fn identity(&self, folder: &Path) -> io::Result<u128> {
        RealDisk.identity(folder)
    }
    fn open_folder(&self, path: &Path) -> io::Result<Box<dyn DiskFolder>> {
        RealDisk.open_folder(path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<Found>> {
        RealDisk.list(folder)
    }
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        (self.0)(path).and_then(|()| self.file(path, RealDisk.create_new(path)))
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        (self.0)(path).and_then(|()| self.file(path, RealDisk.create(path)))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.file(path, RealDisk.open(path))
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealDisk.read(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        (self.0)(from).and_then(|()| RealDisk.rename(from, to))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        (self.0)(path).and_then(|()| RealDisk.remove(path))
    }
}

impl DiskFile for GatedFile {
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.file.read_at(into, at)
    }
    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        (self.gate)(&self.path).and_then(|()| self.file.write_all_at(bytes, at))
    }
    fn set_len(&self, bytes: u64) -> io::Result<()> {
        (self.gate)(&self.path).and_then(|()| self.file.set_len(bytes))
    }
    fn sync(&self) -> io::Result<()> {
        (self.gate)(&self.path).and_then(|()| self.file.sync())
    }
    fn sync_data(&self) -> io::Result<()> {
        (self.gate)(&self.path).and_then(|()| self.file.sync_data())
    }
}

/// A spool of which the files with these names fail, once they are there; for as long as they are named.
fn stubborn(dir: &Path) -> (Spool, Arc<Mutex<Vec<String>>>) {
    let names = Arc::<Mutex<Vec<String>>>::default();
    let failing = Arc::clone(&names);
    let gate = Gated(Arc::new(move |path: &Path| {
        let path = path.to_str().expect("its path is text");
        let fails = failing.lock().unwrap().iter().any(|name| path.contains(name.as_str()));
        if fails { Err(io::Error::other("a bad block")) } else { Ok(()) }
    }));
    (Spool::open_on(Arc::new(gate), options(dir)).unwrap().0, names)
}

fn name(segment: &Path) -> String {
    segment.file_name().and_then(|name| name.to_str()).expect("it has a name").to_owned()
}

#[test]
fn a_segment_that_cannot_be_sealed_holds_up_nobody_behind_it_and_is_sealed_when_it_can_be() {
    let dir = TempDir::new().unwrap();
    let (spool, failing) = stubborn(dir.path());
    written(&spool, JULY, b"first");
    failing.lock().unwrap().push(name(&segments(dir.path())[0]));
    for payload in [&b"second"[..], b"third"] {
        let flushed = std::thread::spawn({
            written(&spool, AUGUST, payload);
            let spool = spool.clone();
            move || run(spool.flush())
        });
        let batch = run(spool.next_batch());
        assert_eq!(payloads(&batch), [payload]);
        run(spool.acknowledge(batch.batch_id())).unwrap();
        assert!(!flushed.is_finished(), "not everything of before is sealed");
        if payload == b"third" {
            failing.lock().unwrap().clear();
            flushed.join().unwrap().unwrap();
        }
    }
    assert_eq!(payloads(&run(spool.next_batch())), [b"first"]);
    assert_eq!(spool.status().lost, 0);
    spool.close().unwrap();
}

#[test]
fn where_many_segments_cannot_be_sealed_the_end_still_comes_and_the_next_start_seals_them() {
    let dir = TempDir::new().unwrap();
    let (spool, failing) = stubborn(dir.path());
    let months = (0..12).map(|month| Partition { month: 202501 + month, retention_days: 90 });
    for partition in months {
        written(&spool, partition, b"x");
    }
    *failing.lock().unwrap() = segments(dir.path()).iter().map(|segment| name(segment)).collect();
    assert!(matches!(spool.close(), Err(SpoolError::NotSealed { left: 12 })));
    drop(spool);
    let (spool, recovery) = Spool::open(options(dir.path())).unwrap();
    assert_eq!((recovery.sealed_now, spool.status().waiting_rows), (12, 12));
}
