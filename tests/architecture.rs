//! The house keeps its floors: a room imports only from below, never up, never in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::files;

/// The floors as the crate's own documentation lists them; `main.rs` is above all.
fn floors() -> BTreeMap<String, u32> {
    let map = std::fs::read_to_string(source().join("lib.rs")).expect("the crate has a root");
    let mut floors = BTreeMap::from([("main".to_owned(), 11)]);
    for line in map.lines().filter(|line| line.starts_with("//! |")) {
        let mut cells = line.split('|').skip(1).map(str::trim);
        let Some(Ok(floor)) = cells.next().map(str::parse) else { continue };
        for room in cells.next().unwrap_or_default().split("[`").skip(1) {
            let room = room.split('`').next().unwrap_or_default();
            assert!(floors.insert(room.to_owned(), floor).is_none(), "{room} is on two floors");
        }
    }
    floors
}

fn source() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

/// Each room and the rooms it imports, with a place where it does; tests may look anywhere.
fn imports() -> BTreeMap<(String, String), String> {
    let mut imports = BTreeMap::new();
    for (path, bytes) in files(source()) {
        let name = path.strip_prefix(source()).expect("is below").to_string_lossy().into_owned();
        let is_test =
            name.split('/').any(|part| ["tests", "tests.rs", "testing.rs", "engine_tests.rs"].contains(&part));
        if !name.ends_with(".rs") || name == "lib.rs" || is_test {
            continue;
        }
        let room = name.split(['/', '.']).next().unwrap_or_default().to_owned();
        let text = String::from_utf8(bytes).expect("Rust is UTF-8");
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            // Documentation may point upstairs.
            let code = line.split("//").next().unwrap_or_default();
            let prefix = if room == "main" { "consentry::" } else { "crate::" };
            for import in code.split(prefix).skip(1) {
                assert!(!import.starts_with('{'), "{name}:{}: one `use` for each room", number + 1);
                let end = import.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(import.len());
                let other = import[..end].to_owned();
                if other != room {
                    imports.entry((room.clone(), other)).or_insert(format!("{name}:{}", number + 1));
                }
            }
        }
    }
    imports
}

#[test]
fn a_room_imports_only_from_floors_below() {
    let (floors, imports) = (floors(), imports());
    assert!(floors.len() > 15 && imports.len() > 30, "{floors:?} {imports:?}");
    let floor = |room: &str| *floors.get(room).unwrap_or_else(|| panic!("{room} is on no floor of src/lib.rs"));
    let upwards: Vec<String> = imports
        .iter()
        .filter(|((room, other), _)| floor(other) > floor(room))
        .map(|((room, other), place)| format!("{place}: {room} imports {other} from above"))
        .collect();
    assert!(upwards.is_empty(), "{}", upwards.join("\n"));

    // On one floor: take away rooms that import no other until none is left; what remains is a circle.
    let mut sideways: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (room, other) in imports.keys().filter(|(room, other)| floor(other) == floor(room)) {
        sideways.entry(room).or_default().insert(other);
    }
    while let Some(free) = sideways.iter().find(|(_, others)| others.iter().all(|other| !sideways.contains_key(other)))
    {
        let free = *free.0;
        sideways.remove(free);
    }
    assert!(sideways.is_empty(), "rooms that import each other: {sideways:?}");
}

#[test]
fn every_room_is_on_a_floor_and_every_floor_has_its_rooms() {
    let known = floors();
    for (path, _) in files(source()) {
        let name = path.strip_prefix(source()).expect("is below").to_string_lossy().into_owned();
        let room = name.split(['/', '.']).next().unwrap_or_default();
        assert!(room == "lib" || known.contains_key(room), "{name} is in no room of src/lib.rs");
    }
    for room in known.keys() {
        assert!(source().join(format!("{room}.rs")).is_file(), "{room} is listed and not there");
    }
}
