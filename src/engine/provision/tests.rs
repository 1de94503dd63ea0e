//! Fetching with a small script in npm's place, which notes each time it is called.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

const CONTENT: &str = "the library";
/// Of [`CONTENT`].
const SHA256: &str = "0ea2bff2393cf54f7adcc77a67a67a94d878e90b24b550f0f2fad783ecc78c4e";

fn package(sha256: Option<&'static str>) -> Package {
    Package {
        name: "@scope/thing",
        version: "1.2.3",
        member: "thing.so",
        sha256,
        packed_bytes: 5,
        unpacked_bytes: 11,
        title: "the thing",
        folder: "engine",
        instead: "CONSENTRY_NOT_SET",
        way_out: "do without",
    }
}

/// An npm that does `what` in the folder of the package.
fn npm(folder: &Path, what: &str) -> PathBuf {
    let script = format!(
        "#!/bin/sh\necho called >> {calls}\nwhile [ \"$1\" != --prefix ]; do shift; done\n\
         mkdir -p \"$2/node_modules/@scope/thing\"; cd \"$2/node_modules/@scope/thing\"\n{what}\n",
        calls = folder.join("calls").display()
    );
    let path = folder.join("npm");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn calls(folder: &Path) -> usize {
    fs::read_to_string(folder.join("calls")).unwrap_or_default().lines().count()
}

#[test]
fn a_package_is_fetched_once_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let npm = npm(folder.path(), &format!("printf '{CONTENT}' > thing.so"));
    let package = package(Some(SHA256));
    let file = provide(&package, folder.path(), &npm).unwrap();
    assert_eq!(file, folder.path().join("engine/1.2.3/thing.so"));
    assert_eq!(fs::read_to_string(&file).unwrap(), CONTENT);
    assert!(!folder.path().join("engine/1.2.3/fetching").exists(), "nothing is left behind");
    provide(&package, folder.path(), &npm).unwrap();
    assert_eq!(calls(folder.path()), 1);

    fs::write(&file, "something else").unwrap();
    provide(&package, folder.path(), &npm).unwrap();
    assert_eq!(
        (calls(folder.path()), fs::read_to_string(&file).unwrap().as_str()),
        (2, CONTENT),
        "a changed file is fetched again"
    );
}

#[test]
fn two_at_once_fetch_once() {
    let folder = tempfile::tempdir().unwrap();
    let npm = npm(folder.path(), &format!("sleep 0.3; printf '{CONTENT}' > thing.so"));
    std::thread::scope(|scope| {
        let threads = [(); 3].map(|()| scope.spawn(|| provide(&package(Some(SHA256)), folder.path(), &npm).unwrap()));
        for thread in threads {
            thread.join().unwrap();
        }
    });
    assert_eq!(calls(folder.path()), 1);
}

#[test]
fn a_wrong_hash_is_refused_and_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let npm = npm(folder.path(), "printf 'another library' > thing.so");
    let error = provide(&package(Some(SHA256)), folder.path(), &npm).unwrap_err();
    assert!(matches!(&error, ProvisionError::WrongHash { wanted: SHA256, .. }), "{error}");
    assert!(!folder.path().join("engine/1.2.3/thing.so").exists());
}

#[test]
fn without_npm_both_ways_out_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = provide(&package(None), folder.path(), &folder.path().join("no-npm")).unwrap_err().to_string();
    assert!(error.contains("install npm") && error.contains("do without"), "{error}");
}

#[test]
fn npms_own_words_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let npm = npm(folder.path(), "echo 'npm warn old' >&2; echo 'npm error 404 Not Found' >&2; exit 1");
    let error = provide(&package(None), folder.path(), &npm).unwrap_err().to_string();
    assert!(error.contains("404 Not Found") && error.contains("do without") && !error.contains("warn old"), "{error}");
    assert!(!folder.path().join("engine/1.2.3/fetching").exists());
}

#[test]
fn a_package_without_the_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let npm = npm(folder.path(), "true");
    assert!(matches!(provide(&package(None), folder.path(), &npm), Err(ProvisionError::NoMember { .. })));
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("engine"), "a file where a folder should be").unwrap();
    let error = provide(&package(None), folder.path(), Path::new("npm")).unwrap_err().to_string();
    assert!(error.contains("XDG_CACHE_HOME"), "{error}");
}
