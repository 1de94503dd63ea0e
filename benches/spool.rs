//! Appending to the spool at 250 bytes an event: by the clock, and by the processor time of all threads of this process
//! (who appends, the writer, the sealing thread and who removes the batches), which is the figure of one core. It reaches a
//! file: batches are sealed and synced as in a gateway, then removed. Beside it, in the same run, the least that could be
//! done with the same bytes: a copy in memory, and a buffered writer that is emptied into a file every 4 ms, without frames,
//! checksums, seals or syncs.

use std::collections::VecDeque;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use consentry::spool::record::{Column, ColumnKind};
use consentry::spool::{Acknowledgement, Durability, Partition, Spool, SpoolOptions};
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Bencher, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

const EVENT_BYTES: usize = 250;
const JULY: Partition = Partition { month: 202607, retention_days: 2192 };
/// What a gateway has by default.
const BATCH_ROWS: u32 = 10_000;
/// Events that may be on their way to the file: no more than half of what the spool takes before it refuses.
const ON_THE_WAY: usize = 16_000;
/// How many of them are waited for at once.
const WAITED_FOR: usize = 4_000;
/// The pause of the spool's writer, for the buffered writer beside it.
const TURN: Duration = Duration::from_millis(4);

/// Processor time of all threads of this process, user and system, in nanoseconds.
struct CpuTime;

fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

impl Measurement for CpuTime {
    type Intermediate = u64;
    type Value = u64;

    fn start(&self) -> u64 {
        cpu_ns()
    }

    fn end(&self, start: u64) -> u64 {
        cpu_ns() - start
    }

    fn add(&self, one: &u64, other: &u64) -> u64 {
        one + other
    }

    fn zero(&self) -> u64 {
        0
    }

    fn to_f64(&self, value: &u64) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// A folder on the disk that holds `target/`: a temporary folder may be in memory.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is room for a folder")
}

/// A spool whose batches are taken and removed as a shipper does, without being read.
struct Drained {
    spool: Spool,
    runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    drain: Option<std::thread::JoinHandle<()>>,
    appended: u64,
    /// Acknowledgements that are waited for, the oldest first, each with the events up to it.
    waiting: VecDeque<Acknowledgement>,
}

impl Drained {
    fn open(dir: &Path) -> Drained {
        let columns = vec![Column { name: "bytes".into(), kind: ColumnKind::Text }];
        let (batch_rows, batch_age) = (BATCH_ROWS, Duration::from_secs(1));
        let options = SpoolOptions {
            dir: dir.join("spool"),
            columns,
            max_bytes: 4 << 30,
            max_age: Duration::from_secs(3600),
            batch_rows,
            batch_age,
            durability: Durability::Write,
        };
        let (spool, _) = Spool::open(options).expect("opens");
        let (stop, mut stopped) = oneshot::channel();
        let taken = spool.clone();
        let drain = std::thread::spawn(move || {
            runtime().block_on(async {
                loop {
                    let batch = tokio::select! {
                        biased;
                        batch = taken.next_batch() => batch,
                        _ = &mut stopped => return,
                    };
                    taken.acknowledge(batch.batch_id()).await.expect("is removed");
                }
            });
        });
        let (stop, drain) = (Some(stop), Some(drain));
        Drained { spool, runtime: runtime(), stop, drain, appended: 0, waiting: VecDeque::new() }
    }

    /// One event that nobody waits for; now and then one is waited for, so that no more than `ON_THE_WAY` are.
    fn plain(&mut self, event: &[u8]) {
        self.appended += 1;
        if self.appended.is_multiple_of(WAITED_FOR as u64) {
            self.append_acknowledged(event);
            self.wait(ON_THE_WAY / WAITED_FOR);
        } else {
            self.spool.append(JULY, |out| out.extend_from_slice(event)).expect("there is room");
        }
    }

    /// One event that is waited for, with those of the same turn.
    fn acknowledged(&mut self, event: &[u8]) {
        self.appended += 1;
        self.append_acknowledged(event);
        if self.waiting.len() >= ON_THE_WAY {
            self.wait(ON_THE_WAY - WAITED_FOR);
        }
    }

    fn append_acknowledged(&mut self, event: &[u8]) {
        let taken = self.spool.append_acknowledged(JULY, |out| out.extend_from_slice(event));
        self.waiting.push_back(taken.expect("there is room"));
    }

    /// Waits until no more than `left` acknowledgements are.
    fn wait(&mut self, left: usize) {
        self.runtime.block_on(async {
            while self.waiting.len() > left {
                let Some(oldest) = self.waiting.pop_front() else { return };
                oldest.await.expect("is written");
            }
        });
    }

    /// Every event was written, sealed and taken, none refused or lost; or this is no figure.
    fn finish(mut self) {
        self.wait(0);
        self.spool.close().expect("everything is sealed");
        drop(self.stop.take());
        self.drain.take().expect("not joined yet").join().expect("drains");
        let status = self.spool.status();
        assert_eq!((status.refused, status.lost, status.damaged, status.waiting_rows), (0, 0, 0, 0), "{status:?}");
        assert!(status.shipped_batches >= self.appended / u64::from(BATCH_ROWS), "{status:?}");
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

/// The same bytes into a file, emptied every turn; a new file after as many events as a batch has.
struct Buffered {
    dir: PathBuf,
    file: BufWriter<File>,
    turn: Instant,
    events: u32,
}

impl Buffered {
    fn open(dir: &Path) -> Buffered {
        let file = File::create(dir.join("buffered")).expect("can be made");
        Buffered { dir: dir.into(), file: BufWriter::with_capacity(8 << 20, file), turn: Instant::now(), events: 0 }
    }

    fn write(&mut self, event: &[u8]) {
        self.file.write_all(&(event.len() as u32).to_le_bytes()).expect("can be written");
        self.file.write_all(event).expect("can be written");
        self.events += 1;
        // A clock is no part of it: asked now and then only.
        if self.events.is_multiple_of(64) && self.turn.elapsed() >= TURN {
            self.file.flush().expect("can be written");
            self.turn = Instant::now();
        }
        if self.events == BATCH_ROWS {
            self.file.flush().expect("can be written");
            *self = Buffered::open(&self.dir);
        }
    }
}

fn event() -> Vec<u8> {
    (0..EVENT_BYTES).map(|i| (i * 31 % 251) as u8).collect()
}

fn append<M: Measurement>(c: &mut Criterion<M>, measured: &str) {
    let mut group = c.benchmark_group(format!("spool/250 bytes, {measured}"));
    group.throughput(Throughput::Elements(1)).sampling_mode(SamplingMode::Flat).sample_size(20);
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    let event = event();
    group.bench_function("append", |b| drained(b, |spool| spool.plain(black_box(&event))));
    group.bench_function("append acknowledged", |b| drained(b, |spool| spool.acknowledged(black_box(&event))));
    group.bench_function("buffered writer", |b| {
        let dir = folder();
        let mut buffered = Buffered::open(dir.path());
        b.iter(|| buffered.write(black_box(&event)));
    });
    group.bench_function("memcpy", |b| {
        let mut copy = Vec::with_capacity(2 << 20);
        b.iter(|| {
            if copy.len() + EVENT_BYTES > copy.capacity() {
                copy.clear();
            }
            copy.extend_from_slice(black_box(&event));
            black_box(copy.as_ptr());
        });
    });
    group.finish();
}

fn drained<M: Measurement>(b: &mut Bencher<'_, M>, mut one: impl FnMut(&mut Drained)) {
    let dir = folder();
    let mut spool = Drained::open(dir.path());
    b.iter(|| one(&mut spool));
    spool.finish();
}

fn by_the_clock(c: &mut Criterion) {
    append(c, "by the clock");
}

fn by_processor_time(c: &mut Criterion<CpuTime>) {
    append(c, "processor time of all threads");
}

criterion_group!(clock, by_the_clock);
criterion_group!(name = processor; config = Criterion::default().with_measurement(CpuTime); targets = by_processor_time);
criterion_main!(clock, processor);
