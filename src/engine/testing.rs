//! One engine for all unit tests of this program: started on first use as a child of the test process, which is this same
//! program run with one test's name. Tests isolate themselves by database. Called by tests of any room.

use std::path::PathBuf;
use std::sync::OnceLock;

use tokio::process::Command;

use super::child::{READY, StartError, Supervisor};
use super::serve::{Options, leave, serve};
use super::{provision, socket};

const DATA: &str = "CONSENTRY_TEST_ENGINE_DATA";
const LISTEN: &str = "CONSENTRY_TEST_ENGINE_LISTEN";
const SOCKET: &str = "CONSENTRY_TEST_ENGINE_SOCKET";

/// A data folder with a running engine; it lives as long as the test process.
pub(crate) fn shared() -> &'static PathBuf {
    static SHARED: OnceLock<PathBuf> = OnceLock::new();
    SHARED.get_or_init(|| {
        let data_dir = std::env::temp_dir().join(format!("consentry-tests-{}", std::process::id()));
        let (sender, receiver) = std::sync::mpsc::channel();
        let folder = data_dir.clone();
        // The thread stays for the life of the process, and so does the engine.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let engine = start(&folder, None).await;
                sender.send(engine.as_ref().map(|_| ()).map_err(ToString::to_string)).expect("the test waits");
                std::future::pending::<()>().await;
            });
        });
        receiver.recv().expect("the thread answers").expect("the engine starts");
        data_dir
    })
}

/// Starts an engine of the test's own.
pub(crate) async fn start(data_dir: &std::path::Path, listen: Option<&str>) -> Result<Supervisor, StartError> {
    let socket = socket::choose(data_dir)?;
    let (folder, listen, path) = (data_dir.to_owned(), listen.map(str::to_owned), socket.clone());
    Supervisor::start_with(socket, move || command(&folder, listen.as_deref(), &path)).await
}

fn command(data_dir: &std::path::Path, listen: Option<&str>, socket: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test program"));
    command.args(["--exact", "engine::testing::the_engine_itself", "--ignored", "--nocapture"]);
    command.env(DATA, data_dir).env(SOCKET, socket).envs(listen.map(|listen| (LISTEN, listen)));
    command
}

#[test]
#[ignore = "the engine's process, run by other tests"]
fn the_engine_itself() {
    let Some(data_dir) = std::env::var_os(DATA).map(PathBuf::from) else { return };
    let options = Options {
        library: provision::library().expect("the library"),
        socket: std::env::var_os(SOCKET).map(PathBuf::from),
        listen: std::env::var(LISTEN).ok().map(|listen| listen.parse().expect("an address")),
        writable: false,
        child: true,
        data_dir,
    };
    let served = serve(&options, |ready| {
        if let Some(address) = ready.listen {
            std::fs::write(options.data_dir.join("listen"), address.to_string()).expect("the data folder is there");
        }
        println!("\n{READY}");
    });
    if let Err(error) = served {
        eprintln!("{error}");
        leave(1);
    }
    if options.data_dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with("consentry-tests-")) {
        let _best_effort = std::fs::remove_dir_all(&options.data_dir);
    }
    leave(0);
}
