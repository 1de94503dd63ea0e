//! The browser and what it runs on.
//!
//! [woothee](https://github.com/woothee/woothee) reads the agent. What it does not know stands beside it: `browser` names the
//! browsers that it takes for the one they are built on, `system` the systems, `class` the kinds of devices; client hints
//! complete what browsers have frozen. Where woothee says `UNKNOWN`, or nothing, the value may be known all the same.
//!
//! # What of woothee's becomes what of ours
//! Whoever compares the two needs this table and nothing else; `tests/woothee.rs` applies it to woothee's own test set.
//!
//! | woothee | here |
//! |---|---|
//! | `category` `pc` | `device` is `desktop` |
//! | `category` `smartphone` | `device` is `mobile` or `tablet` |
//! | `category` `mobilephone` | `device` is `mobile` |
//! | `category` `appliance` | `device` is `console` or `tv` |
//! | `category` `crawler` | `is_bot` is 1; `device` and `os` are what the agent shows besides |
//! | `category` `misc`, `UNKNOWN` | `device` is empty, or what the agent shows besides |
//! | any other `category` | `is_bot` is ours: what woothee takes for a telephone may still say that it is a program |
//! | `name` `SamsungBrowser` | `browser` is `Samsung Internet` |
//! | `name` `Webview` | `browser` is `WebView`, or the app's where its name is known |
//! | `name` `Safari` on `os` `Android` | `browser` is `Android Browser` |
//! | any other `name` | `browser` is that `name`, woothee's for consoles and crawlers too; or that of the browser which is built on it, as in `UC Browser` for `Chrome` (none such is in woothee's own set) |
//! | `version` | `browser_version` is its first two numbers, a last `.0` left out: `36.0.1985.125` is `36`, `9.50` is `9.50` |
//! | `version` of `Webview` on `os` `Android` | that of the Chrome inside; woothee gives `4.0` for all |
//! | `version` of `HTTP Library`, `Mobile Transcoder` | `browser_version` is that word, as in `php` |
//! | `version` of any other `mobilephone` | `browser_version` is empty unless it is numbers: it is the telephone's model, which is not stored |
//! | `os` `Windows 10`, `8.1`, `XP` ... | `os` is `Windows`, `os_version` is `10`, `8.1`, `XP` ...; woothee's `os_version` says the same as `NT 10.0` |
//! | `os` `Windows Phone OS`, `Windows CE` | `os` is `Windows Phone`, `Windows CE` |
//! | `os` `Windows UNKNOWN Ver` | `os` is `Windows`, `os_version` is empty |
//! | `os` `Mac OSX` | `os` is `macOS` |
//! | `os` `iPhone`, `iPod`, `iOS` | `os` is `iOS` |
//! | `os` `iPad` | `os` is `iPadOS` |
//! | any other `os` | `os` is that `os`, as in `Android`, `PlayStation 4` |
//! | `os_version` | `os_version` is its first two numbers, a last `.0` left out: `10.3.2` is `10.3`; for `ChromeOS` those after the processor |

mod browser;
mod cache;
mod class;
mod system;
#[cfg(test)]
mod tests;

use woothee::parser::Parser;

use crate::enrich::bots::{self, BotReason};
use crate::enrich::hints::ClientHints;
use crate::pseudonym::RawUserAgent;
pub use cache::DeviceCache;

/// Browser, system and device class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// As in `Firefox`; empty where unknown. A crawler's name where it is a well-known one.
    pub browser: String,
    /// At most two numbers, as in `134` or `18.3`.
    pub browser_version: String,
    /// As in `Windows`.
    pub os: String,
    /// As in `10`; at most two numbers, as in `18.3`. Without client hints, what the browser has frozen: `10` for Windows 10
    /// and later, `10.15` for macOS 10.15 and later.
    pub os_version: String,
    /// `desktop`, `mobile`, `tablet`, `tv`, `console`, or empty where unknown.
    pub class: &'static str,
    /// How the agent shows that a program rather than a person asks; rules 1 to 5 of [`bots`].
    pub bot: Option<BotReason>,
}

impl Device {
    /// Reads a `User-Agent`, and completes it with the client hints where there are any.
    pub fn parse(agent: &RawUserAgent, hints: &ClientHints) -> Device {
        let opened = agent.open();
        let agent: &str = &opened;
        let parsed = Parser::new().parse(agent).unwrap_or_default();
        let (os, os_version) = system::of(agent, &parsed, hints);
        let (browser, browser_version) = browser::of(agent, &parsed, os, hints);
        Device {
            bot: bots::of_agent(agent, (parsed.category, parsed.name), browser),
            class: class::of(agent, os, parsed.category, hints),
            browser: browser.to_owned(),
            browser_version,
            os: os.to_owned(),
            os_version,
        }
    }

    /// Whether the agent shows that a program asks.
    pub fn is_bot(&self) -> bool {
        self.bot.is_some()
    }
}

/// At most two numbers at the start of a version, as in `18.3`, without a second that is zero. Neither is longer than versions
/// are, so that no telephone or health number is stored as one.
fn two_numbers(version: &str) -> String {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let first = digits(version);
    if first == 0 || first > 5 {
        return String::new();
    }
    let second = version[first..].strip_prefix('.').unwrap_or_default();
    let len = digits(second);
    if len == 0 || len > 4 || second[..len].bytes().all(|digit| digit == b'0') && len == 1 {
        return version[..first].to_owned();
    }
    version[..first + 1 + len].to_owned()
}
