//! The browser's name and version.

mod known;

use std::sync::LazyLock;

use woothee::parser::WootheeResult;

use super::two_numbers;
use crate::enrich::hints::ClientHints;
use crate::enrich::marks::Marks;
use known::{BRANDS, BUILT_ON_OTHERS, WITHOUT_WOOTHEE};

static BUILT: LazyLock<Marks> = LazyLock::new(|| Marks::new(BUILT_ON_OTHERS.iter().map(|(mark, _)| *mark)));
static WITHOUT: LazyLock<Marks> = LazyLock::new(|| Marks::new(WITHOUT_WOOTHEE.iter().map(|(mark, _)| *mark)));

/// The browser that the hints name, or the agent.
pub(super) fn of<'a>(agent: &'a str, parsed: &WootheeResult<'a>, os: &str, hints: &ClientHints) -> (&'a str, String) {
    let (name, version) = of_agent(agent, parsed, os);
    // The full list says the same as the short one, with whole versions.
    let hinted = hints.full_versions().chain(hints.brands()).find_map(|(brand, version)| {
        let (_, name) = BRANDS.iter().find(|(known, _)| *known == brand)?;
        Some((*name, two_numbers(version)))
    });
    match hinted {
        // An app's or a small browser's name says more than the brand it is built on.
        Some((brand, version)) if is_general(name) || !is_general(brand) => (brand, version),
        _ => (name, version),
    }
}

/// Names that browsers built on others have too.
fn is_general(name: &str) -> bool {
    matches!(name, "" | "Chrome" | "Chromium" | "WebView" | "Safari" | "Android Browser" | "Edge")
}

fn of_agent<'a>(agent: &'a str, parsed: &WootheeResult<'a>, os: &str) -> (&'a str, String) {
    let name = match parsed.name {
        "SamsungBrowser" => "Samsung Internet",
        "Webview" => "WebView",
        "UNKNOWN" => "",
        "Safari" if os == "Android" => "Android Browser",
        // Before Android 5, WebViews did not say `wv`.
        "Chrome" if os == "Android" && agent.contains("Version/") => "WebView",
        name => name,
    };
    // Woothee has names of its own for what consoles, simple telephones and crawlers send.
    let is_named = !name.is_empty() && matches!(parsed.category, "appliance" | "mobilephone" | "crawler" | "misc");
    if !is_named && let Some((at, after)) = BUILT.first(agent) {
        return (BUILT_ON_OTHERS[at].1, two_numbers(after));
    }
    if name.is_empty() {
        return match WITHOUT.first(agent) {
            Some((at, after)) => (WITHOUT_WOOTHEE[at].1, two_numbers(after)),
            None => ("", String::new()),
        };
    }
    let version = match (name, parsed.category) {
        ("HTTP Library" | "Mobile Transcoder", _) => parsed.version.replace("UNKNOWN", ""),
        // The model of a telephone.
        (_, "mobilephone") if parsed.version.contains(|c: char| c != '.' && !c.is_ascii_digit()) => String::new(),
        ("WebView", _) => two_numbers(after(agent, "Chrome/").unwrap_or(parsed.version)),
        _ => two_numbers(parsed.version),
    };
    (name, version)
}

/// What follows `mark` in the agent.
fn after<'a>(agent: &'a str, mark: &str) -> Option<&'a str> {
    agent.find(mark).map(|at| &agent[at + mark.len()..])
}
