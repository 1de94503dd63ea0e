//! The operating system's name and version.

use std::sync::LazyLock;

use woothee::parser::WootheeResult;

use super::two_numbers;
use crate::enrich::hints::{ClientHints, unquoted};
use crate::enrich::marks::Marks;

/// Systems woothee does not know, or takes for the Linux or Android they are built on, by what stands in the agent.
const OTHERS: [(&str, &str); 25] = [
    ("PlayStation 5", "PlayStation 5"),
    ("PlayStation 4", "PlayStation 4"),
    ("PlayStation 3", "PlayStation 3"),
    ("PlayStation Portable", "PlayStation Portable"),
    ("PlayStation", "PlayStation"),
    ("Nintendo Switch", "Nintendo Switch"),
    ("Nintendo", "Nintendo"),
    ("Tizen", "Tizen"),
    ("Web0S", "webOS"),
    ("webOS", "webOS"),
    ("hpwOS", "webOS"),
    ("KAIOS", "KaiOS"),
    ("OpenHarmony", "HarmonyOS"),
    ("HarmonyOS", "HarmonyOS"),
    ("VIDAA", "VIDAA"),
    ("Roku", "Roku OS"),
    ("TiVo OS", "TiVo OS"),
    ("TiVo-", "TiVo OS"),
    ("Symbian", "SymbianOS"),
    ("Series60", "SymbianOS"),
    ("Series40", "Series 40"),
    ("Bada/", "Bada"),
    ("Maemo", "Maemo"),
    ("Sailfish", "Sailfish OS"),
    ("MAUI", "MAUI"),
];

static OTHER: LazyLock<Marks> = LazyLock::new(|| Marks::new(OTHERS.iter().map(|(mark, _)| *mark)));

/// The system that the hints name, or the agent.
pub(super) fn of<'a>(agent: &str, parsed: &WootheeResult<'a>, hints: &ClientHints) -> (&'a str, String) {
    let (os, version) = of_agent(agent, parsed);
    match of_hints(hints) {
        Some((hinted, hinted_version)) if hinted == os => (os, hinted_version.unwrap_or(version)),
        Some((hinted, hinted_version)) => (hinted, hinted_version.unwrap_or_default()),
        None => (os, version),
    }
}

fn of_agent<'a>(agent: &str, parsed: &WootheeResult<'a>) -> (&'a str, String) {
    let version = || two_numbers(&parsed.os_version);
    let named = match parsed.os {
        "UNKNOWN" => ("", String::new()),
        "Windows UNKNOWN Ver" => ("Windows", String::new()),
        "Windows Phone OS" => ("Windows Phone", version()),
        "Windows CE" => ("Windows CE", String::new()),
        "Mac OSX" => ("macOS", version()),
        "iOS" if ["x86_64", "i386", "PowerMac"].iter().any(|mac| agent.contains(mac)) => ("macOS", String::new()),
        "iPhone" | "iPod" | "iOS" => ("iOS", version()),
        "iPad" => ("iPadOS", version()),
        "Linux" => ("Linux", String::new()),
        "ChromeOS" => ("ChromeOS", two_numbers(parsed.os_version.rsplit(' ').next().unwrap_or_default())),
        os => match os.strip_prefix("Windows ") {
            Some(release) => ("Windows", release.to_owned()),
            None => (os, version()),
        },
    };
    if !matches!(named.0, "" | "Linux" | "Android") {
        return named;
    }
    match OTHER.first(agent) {
        Some((at, after)) => (OTHERS[at].1, two_numbers(after.trim_start_matches(['/', ' ']))),
        None if named.0.is_empty() => unread(agent),
        None => named,
    }
}

/// What woothee leaves open although the agent says it: releases it has no name for, and agents in no usual form.
fn unread(agent: &str) -> (&'static str, String) {
    let after = |mark: &str| agent.find(mark).map(|at| &agent[at + mark.len()..]);
    if let Some(version) = after("Android").or_else(|| after("android")).or_else(|| after("; Adr ")) {
        return ("Android", two_numbers(version.trim_start_matches(['/', ' ', '-'])));
    }
    let contains = |mark: &str| agent.contains(mark);
    let os = if contains("Windows") || contains("Win64") || contains("Win9") {
        "Windows"
    } else if contains("iPhone") || contains("iPod") {
        "iOS"
    } else if contains("Macintosh") || contains("macOS") {
        "macOS"
    } else if contains("BSD") {
        "BSD"
    } else if contains("Linux") || contains("X11") {
        "Linux"
    } else {
        ""
    };
    (os, String::new())
}

/// The system that the hints name, and its version where they have one that means something.
fn of_hints(hints: &ClientHints) -> Option<(&'static str, Option<String>)> {
    let version = unquoted(hints.platform_version);
    let mut numbers = version.split('.').map_while(|n| n.parse::<u16>().ok());
    let (first, second) = (numbers.next(), numbers.next().unwrap_or(0));
    let two = || first.map(|_| two_numbers(version));
    Some(match unquoted(hints.platform) {
        // Windows gives the version of an interface: from 13 on it is Windows 11, below 1 it is older than 10.
        "Windows" => {
            let known = match (first, second) {
                (Some(0), 1) => Some("7"),
                (Some(0), 2) => Some("8"),
                (Some(0), 3) => Some("8.1"),
                (Some(1..=10), _) => Some("10"),
                (Some(13..), _) => Some("11"),
                _ => None,
            };
            ("Windows", known.map(str::to_owned))
        }
        "macOS" => ("macOS", two()),
        "Android" => ("Android", two()),
        "iOS" => ("iOS", two()),
        "Chrome OS" | "Chromium OS" => ("ChromeOS", two()),
        "Linux" => ("Linux", None),
        _ => return None,
    })
}
