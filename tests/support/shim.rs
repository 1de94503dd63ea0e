//! Faults of the system under the program and the engine it starts: a wall clock that jumps, a disk without room or
//! without an answer, a part of a table that does not get its name. A small library in C (`shim.c`), built here and loaded before the C library.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::gateway::Folder;

/// What the shim is steered by.
pub struct Shim(TempDir);

/// What becomes of the engine when it gives a part of the events' table its name.
#[derive(Clone, Copy, Debug)]
pub enum AtRename {
    /// It dies.
    Killed,
    /// The system says EIO.
    Refused,
}

/// What of the engine fails.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// Writing to a file.
    Write,
    /// Syncing a file or folder.
    Sync,
    /// Making a file.
    Make,
}

/// Which calls fail.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// Each so-manieth.
    Each(i32),
    /// One in so many, by chance.
    OneIn(i32),
}

/// What the system says of a disk that fails.
pub const EIO: i32 = 5;
/// And of one without room.
pub const ENOSPC: i32 = 28;

impl Shim {
    pub fn new() -> Shim {
        let shim = Shim(TempDir::with_prefix("consentry-shim-").expect("there is room for a folder"));
        shim.write("clock", &[0; 16]);
        shim
    }

    /// The folder's programs run with the shim under them.
    pub fn under(&self, folder: Folder) -> Folder {
        let library = library().to_str().expect("its path is text").to_owned();
        folder.with("LD_PRELOAD", &library).with("SHIM_DIR", self.0.path().to_str().expect("its path is text"))
    }

    /// The wall clock is off by so many seconds from now on.
    pub fn clock(&self, seconds: i64) {
        self.clocks().write_all_at(&seconds.to_ne_bytes(), 0).expect("the folder is ours");
    }

    /// So much time passes by both clocks, the wall's and the one that waits, time-outs and ages go by.
    pub fn passes(&self, seconds: i64) {
        let clocks = self.clocks();
        for at in [0, 8] {
            let mut off = [0; 8];
            let read = clocks.read_exact_at(&mut off, at);
            let now = (i64::from_ne_bytes(off) + seconds).to_ne_bytes();
            read.and_then(|()| clocks.write_all_at(&now, at)).expect("the folder is ours");
        }
    }

    fn clocks(&self) -> fs::File {
        fs::File::options().read(true).write(true).open(self.0.path().join("clock")).expect("the folder is ours")
    }

    /// The disk has no room for files whose path has this text, such as `/spool/`.
    pub fn fill_disk(&self, path: &str) {
        self.write("full", path.as_bytes());
    }

    /// It has room again.
    pub fn free_disk(&self) {
        fs::remove_file(self.0.path().join("full")).expect("it was full");
    }

    /// The disk does not answer about files and folders whose path has this text, such as `/spool`.
    pub fn hang(&self, path: &str) {
        self.write("hang", path.as_bytes());
    }

    /// It answers again.
    pub fn answer(&self) {
        fs::remove_file(self.0.path().join("hang")).expect("it hung");
    }

    /// A sync of the spool's files and folder takes so many milliseconds longer.
    pub fn slow_syncs(&self, milliseconds: u32) {
        self.write("slow", milliseconds.to_string().as_bytes());
    }

    /// What becomes of the next `times` names.
    pub fn at_rename(&self, fault: AtRename, times: u32) {
        let kind = match fault {
            AtRename::Killed => "kill",
            AtRename::Refused => "eio",
        };
        self.write("rename", format!("{kind} {times}").as_bytes());
    }

    /// Of the engine's next calls for files whose path has this text, `times` fail with the error.
    pub fn fail(&self, call: Call, path: &str, which: Which, error: i32, times: usize) {
        let call = match call {
            Call::Write => "write",
            Call::Sync => "sync",
            Call::Make => "open",
        };
        let every = match which {
            Which::Each(every) => every,
            Which::OneIn(many) => -many,
        };
        self.write("fault", format!("{call} {error} {every} 0 {times} {path}").as_bytes());
    }

    /// How often the shim did this: `kill`, `eio`, `named`, `full`, `fault`, `hang` or `slow`.
    pub fn did(&self, what: &str) -> usize {
        let marks = fs::read_to_string(self.0.path().join("marks")).unwrap_or_default();
        marks.lines().filter(|line| line.split(' ').next() == Some(what)).count()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        // Whole from the first moment it is there.
        let beside = self.0.path().join("beside");
        fs::write(&beside, bytes).and_then(|()| fs::rename(beside, self.0.path().join(name))).expect("it is ours");
    }
}

/// The library, built once for this run.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/shim.c");
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shim-{}.so", std::process::id()));
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O2", "-Wall", "-o"]).arg(&built).arg(source).args(["-ldl", "-lpthread"]);
        let output = cc.output().expect("there is a C compiler, as for building the program");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        built
    })
}
