//! The browser and what it runs on.

mod cache;
#[cfg(test)]
mod tests;

use woothee::parser::Parser;

use super::hints::{ClientHints, unquoted};
use crate::enrich::bots;
use crate::pseudonym::RawUserAgent;
pub use cache::DeviceCache;

/// Browser, system and device class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// As in `Firefox`; empty where unknown.
    pub browser: String,
    /// The major version, as in `134`.
    pub browser_version: String,
    /// As in `Windows`.
    pub os: String,
    /// As in `10`; at most two numbers, as in `18.3`. Without client hints, what the browser has frozen: `10` for Windows 10
    /// and later, `10.15` for macOS 10.15 and later.
    pub os_version: String,
    /// `desktop`, `mobile`, `tablet`, `tv`, `console`, or empty where unknown.
    pub class: &'static str,
    /// Whether a program rather than a person asks.
    pub is_bot: bool,
}

/// Browsers that woothee takes for the one they are built on: what they write before their version, and their name.
const MORE_BROWSERS: [(&str, &str); 14] = [
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Ddg/", "DuckDuckGo"),
    ("Silk/", "Amazon Silk"),
    ("UCBrowser/", "UC Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("MiuiBrowser/", "Mi Browser"),
    ("NintendoBrowser/", "Nintendo Browser"),
    ("OPT/", "Opera"),
    ("OPiOS/", "Opera"),
    ("Focus/", "Firefox"),
    ("Whale/", "Whale"),
    ("Instagram ", "Instagram"),
    ("FBAV/", "Facebook"),
    ("Ecosia ios@", "Ecosia"),
];

/// Brands of `Sec-CH-UA` and the names the `User-Agent` gives the same browsers. Others (`Chromium`, made-up ones) say nothing.
const BRANDS: [(&str, &str); 12] = [
    ("Google Chrome", "Chrome"),
    ("Microsoft Edge", "Edge"),
    ("Opera", "Opera"),
    ("Opera GX", "Opera"),
    ("Brave", "Brave"),
    ("Samsung Internet", "Samsung Internet"),
    ("YaBrowser", "Yandex Browser"),
    ("Yandex", "Yandex Browser"),
    ("Vivaldi", "Vivaldi"),
    ("DuckDuckGo", "DuckDuckGo"),
    ("Android WebView", "WebView"),
    ("HeadlessChrome", "HeadlessChrome"),
];

impl Device {
    /// Reads a `User-Agent`, and completes it with the client hints where there are any.
    pub fn parse(agent: &RawUserAgent, hints: &ClientHints) -> Device {
        let agent = agent.open();
        let parsed = Parser::new().parse(agent).unwrap_or_default();
        let (mut browser, mut version) = (browser_name(parsed.name), parsed.version);
        if let Some((name, after)) = MORE_BROWSERS.iter().find_map(|(mark, name)| Some((name, after(agent, mark)?))) {
            (browser, version) = (name, after);
        } else if browser == "WebView" {
            version = after(agent, "Chrome/").unwrap_or_default();
        }
        let mut version = major(version);
        if browser.is_empty() && agent.contains("Mac OS X") && agent.contains("AppleWebKit/6") {
            browser = "WebView";
        }
        let (mut os, mut os_version) = os_name(parsed.os, &parsed.os_version);
        if os.is_empty() || os == "Linux" {
            os = OTHER_SYSTEMS.iter().find(|(mark, _)| agent.contains(mark)).map_or(os, |(_, name)| name);
        }

        for (brand, brand_version) in hints.brands() {
            if let Some((_, name)) = BRANDS.iter().find(|(known, _)| *known == brand) {
                (browser, version) = (name, major(brand_version));
            }
        }
        if let Some((name, hinted)) = hinted_os(hints) {
            if name != os {
                (os, os_version) = (name, String::new());
            }
            os_version = hinted.unwrap_or(os_version);
        }

        Device {
            browser: browser.to_owned(),
            browser_version: version.to_owned(),
            os: os.to_owned(),
            os_version,
            class: class(agent, os, parsed.category, hints.mobile),
            // A person's browser says its name.
            is_bot: parsed.category == "crawler" || matches!(browser, "" | "HeadlessChrome") || bots::is_program(agent),
        }
    }
}

/// Woothee's name where it is a browser's or a well-known program's.
fn browser_name(name: &str) -> &str {
    match name {
        "SamsungBrowser" => "Samsung Internet",
        "Webview" => "WebView",
        "UNKNOWN" | "misc crawler" | "HTTP Library" => "",
        name => name,
    }
}

/// Systems woothee does not know, by what stands in the agent.
const OTHER_SYSTEMS: [(&str, &str); 6] = [
    ("Tizen", "Tizen"),
    ("Web0S", "webOS"),
    ("PlayStation", "PlayStation"),
    ("Nintendo", "Nintendo"),
    ("KAIOS", "KaiOS"),
    ("HarmonyOS", "HarmonyOS"),
];

/// System and version of what woothee calls `Windows 10`, `Mac OSX`, `iPhone`.
fn os_name<'n>(os: &'n str, version: &str) -> (&'n str, String) {
    let numbers = |count: usize| {
        let digits =
            version.split('.').take(count).take_while(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        let version = digits.collect::<Vec<_>>().join(".");
        version.strip_suffix(".0").unwrap_or(&version).to_owned()
    };
    match os {
        "UNKNOWN" => ("", String::new()),
        "Windows UNKNOWN Ver" => ("Windows", String::new()),
        "Windows Phone OS" => ("Windows Phone", numbers(2)),
        "Mac OSX" => ("macOS", numbers(2)),
        "iPhone" | "iPod" | "iOS" => ("iOS", numbers(2)),
        "iPad" => ("iPadOS", numbers(2)),
        "Android" => ("Android", numbers(1)),
        "Linux" | "ChromeOS" => (os, String::new()),
        _ => match os.strip_prefix("Windows ") {
            Some(version) => ("Windows", version.to_owned()),
            None if os.starts_with("PlayStation") => ("PlayStation", os["PlayStation".len()..].trim().to_owned()),
            None if os.starts_with("Xbox") => ("Xbox", os["Xbox".len()..].trim().to_owned()),
            None if os.starts_with("Nintendo") => ("Nintendo", os["Nintendo".len()..].trim().to_owned()),
            None => (os, numbers(2)),
        },
    }
}

/// The system that the hints name, and its version where they have one that means something.
fn hinted_os(hints: &ClientHints) -> Option<(&'static str, Option<String>)> {
    let version = unquoted(hints.platform_version);
    let mut numbers = version.split('.').map_while(|n| n.parse::<u16>().ok());
    let (first, second) = (numbers.next(), numbers.next().unwrap_or(0));
    let two = || first.map(|first| if second == 0 { first.to_string() } else { format!("{first}.{second}") });
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
        "Android" => ("Android", first.map(|first| first.to_string())),
        "iOS" => ("iOS", two()),
        "Chrome OS" | "Chromium OS" => ("ChromeOS", None),
        "Linux" => ("Linux", None),
        _ => return None,
    })
}

const TELEVISIONS: [&str; 12] = [
    "SmartTV",
    "SMART-TV",
    "Smart TV",
    "Tizen",
    "Web0S",
    "AppleTV",
    "GoogleTV",
    "Android TV",
    "BRAVIA",
    "HbbTV",
    "CrKey",
    "Roku",
];
const CONSOLES: [&str; 3] = ["PlayStation", "Xbox", "Nintendo"];

fn class(agent: &str, os: &str, category: &str, mobile_hint: &str) -> &'static str {
    let has = |marks: &[&str]| marks.iter().any(|mark| agent.contains(mark));
    if has(&CONSOLES) {
        return "console";
    }
    if has(&TELEVISIONS) && !agent.contains("Mobile") || has(&["; AFT", "TV Safari"]) {
        return "tv";
    }
    let is_tablet = match os {
        "iPadOS" => true,
        // Browsers on Android tablets are to leave out "Mobile"; Firefox says "Tablet".
        "Android" => !agent.contains("Mobile") && mobile_hint != "?1",
        _ => has(&["Tablet", "PlayBook", "Kindle"]) && os != "Windows",
    };
    if is_tablet {
        return "tablet";
    }
    if mobile_hint == "?1" {
        return "mobile";
    }
    match (os, category) {
        ("Android" | "iOS" | "KaiOS", _) | (_, "smartphone" | "mobilephone") => "mobile",
        ("Windows" | "macOS" | "Linux" | "ChromeOS", _) | (_, "pc") => "desktop",
        _ => "",
    }
}

/// What follows `mark` in the agent.
fn after<'a>(agent: &'a str, mark: &str) -> Option<&'a str> {
    agent.find(mark).map(|at| &agent[at + mark.len()..])
}

/// The number at the start of a version; nothing where it is too long for one.
fn major(version: &str) -> &str {
    let digits = version.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= 5 { &version[..digits] } else { "" }
}
