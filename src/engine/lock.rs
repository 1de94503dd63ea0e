//! The lock of the data folder: one engine at a time, and a start right after a gateway was killed waits for the engine that it
//! left behind. Called by [`super::serve`].

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::serve::{ServeError, failed};
use super::socket;

/// One engine a folder: ClickHouse has a lock of its own, but says less about it. The file holds the process's number.
///
/// The engine of a gateway that was killed needs a moment to end; it is waited for, so that no start right after fails. One
/// that goes on answering does not end: a sixth of `patience` tells.
pub(super) fn take(data_dir: &Path, patience: Duration) -> Result<fs::File, ServeError> {
    let began = Instant::now();
    let path = socket::folder(data_dir).join("lock");
    let cannot = |source| failed(format!("cannot lock {}", path.display()))(source);
    let mut file =
        fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(cannot)?;
    let mut silent = began;
    let taken = loop {
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock)
                if began.elapsed() < patience && silent.elapsed() < patience / 6 && is_a_gateways(&holder(&path)) =>
            {
                // What ends gives up its socket first.
                if UnixStream::connect(socket::recorded(data_dir)).is_err() {
                    silent = Instant::now();
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            taken => break taken,
        }
    };
    match taken {
        Ok(()) => {
            file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(cannot)?;
            Ok(file)
        }
        Err(fs::TryLockError::WouldBlock) => {
            Err(ServeError::InUse { data_dir: data_dir.to_owned(), process: holder(&path) })
        }
        Err(fs::TryLockError::Error(source)) => Err(cannot(source)),
    }
}

/// The number of the process that has the lock, as far as it is known. By another handle than the one that is written to.
fn holder(path: &Path) -> String {
    let mut process = String::new();
    let _unknown = fs::File::open(path).and_then(|file| file.take(20).read_to_string(&mut process));
    process
}

/// Whether a process is an engine that a gateway started; one whose number is not written yet may be.
fn is_a_gateways(process: &str) -> bool {
    let is_number = process.bytes().all(|byte| byte.is_ascii_digit());
    process.is_empty()
        || is_number
            && fs::read(format!("/proc/{process}/cmdline"))
                .is_ok_and(|line| line.split(|byte| *byte == 0).any(|argument| argument == b"--child"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A process that ends when its standard input closes, as the engine of a gateway does.
    fn process(arguments: &[&str]) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", "echo; read -r _", "engine"]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        // Its command line can be read once it runs.
        process.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        process
    }

    /// A data folder whose lock is held and has this in it.
    fn held(written: &str) -> (tempfile::TempDir, fs::File, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(socket::folder(folder.path())).unwrap();
        let path = socket::folder(folder.path()).join("lock");
        fs::write(&path, written).unwrap();
        let file = fs::File::options().read(true).write(true).open(&path).unwrap();
        file.try_lock().unwrap();
        (folder, file, path)
    }

    fn end(mut process: Child) {
        drop(process.stdin.take());
        process.wait().unwrap();
    }

    #[test]
    fn a_start_waits_for_the_engine_of_a_killed_gateway_and_takes_its_place() {
        let engine = process(&["--child"]);
        let (folder, lock, path) = held(&engine.id().to_string());
        let data_dir = folder.path().to_owned();
        let began = Instant::now();
        let waiting = std::thread::spawn(move || take(&data_dir, Duration::from_secs(60)));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!waiting.is_finished());
        end(engine);
        drop(lock);
        let lock = waiting.join().unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(30));
        // Nothing but its own number, by which the next start knows whom it waits for.
        assert_eq!(fs::read_to_string(&path).unwrap(), std::process::id().to_string());
        drop(lock);
        assert!(take(folder.path(), Duration::ZERO).is_ok());
    }

    #[test]
    fn an_engine_of_a_gateway_that_goes_on_answering_is_not_waited_for() {
        let engine = process(&["--child"]);
        let (folder, _lock, _) = held(&engine.id().to_string());
        let _listens = std::os::unix::net::UnixListener::bind(socket::recorded(folder.path())).unwrap();
        let began = Instant::now();
        assert!(matches!(take(folder.path(), Duration::from_secs(12)), Err(ServeError::InUse { .. })));
        assert!((2..10).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        end(engine);
    }

    #[test]
    fn an_engine_that_somebody_started_by_hand_is_not_waited_for() {
        let engine = process(&["--listen"]);
        let (folder, _lock, _) = held(&engine.id().to_string());
        let began = Instant::now();
        let refused = take(folder.path(), Duration::from_secs(60)).unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(10));
        assert!(matches!(refused, ServeError::InUse { process, .. } if process == engine.id().to_string()));
        end(engine);
    }

    #[test]
    fn what_is_no_number_of_a_process_is_no_live_owner() {
        let engine = process(&["--child"]);
        let number = engine.id();
        assert!(is_a_gateways(&number.to_string()));
        for misread in [format!("\0\0\0{number}"), format!("{number}{number}{number}"), "self".to_owned()] {
            assert!(!is_a_gateways(&misread), "{misread:?}");
            let (folder, _lock, _) = held(&misread);
            assert!(matches!(take(folder.path(), Duration::from_secs(60)), Err(ServeError::InUse { .. })));
        }
        end(engine);
        assert!(!is_a_gateways(&number.to_string()));
    }

    #[test]
    fn the_number_of_one_that_holds_no_lock_keeps_nobody_waiting() {
        let engine = process(&["--child"]);
        let (folder, lock, path) = held(&engine.id().to_string());
        drop(lock);
        drop(take(folder.path(), Duration::ZERO).unwrap());
        assert_eq!(fs::read_to_string(path).unwrap(), std::process::id().to_string());
        end(engine);
    }
}
