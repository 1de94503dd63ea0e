//! The kind of device.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::enrich::hints::{ClientHints, unquoted};
use crate::enrich::marks::Marks;

static CONSOLES: LazyLock<Marks> = LazyLock::new(|| Marks::new(["PlayStation", "Xbox", "Nintendo"]));

static TELEVISIONS: LazyLock<Marks> = LazyLock::new(|| {
    Marks::new([
        "SmartTV",
        "SMART-TV",
        "Smart TV",
        "Tizen",
        "Web0S",
        "AppleTV",
        "Apple TV",
        "GoogleTV",
        "Google TV",
        "Android TV",
        "AndroidTV",
        "BRAVIA",
        "HbbTV",
        "CrKey",
        "Roku",
        "VIDAA",
        "InettvBrowser",
        "(DTV",
        "TV Bro",
        "Chromecast",
        "TV Box",
        "TVBox",
        "NetCast",
        "Opera TV",
        "Viera",
        "Smart Box",
        "SmartBox",
        " TV Build",
        " TV)",
    ])
});

/// What no telephone says.
static SURE_TELEVISIONS: LazyLock<Marks> = LazyLock::new(|| {
    Marks::new([
        "; AFT",
        "TV Safari",
        "HbbTV",
        "SmartTV",
        "Android TV",
        "AndroidTV",
        "Google TV",
        "MiTV",
        "TV Box",
        " TV Build",
        "Andr0id",
        " OMI/",
        "NETTV/",
        "NETRANGE",
        "CE-HTML",
        "stbapp",
    ])
});

/// Makers of televisions begin a model with its size in inches, as in `32LEX-7162`, or write `LED` before it; no telephone has
/// such a name.
static INCHES: LazyLock<Regex> = LazyLock::new(|| {
    let before = "(?-u)Android[^;)]*; (?:[a-zA-Z]{2}-[a-zA-Z]{2}; )?(?:[A-Za-z]+[ _-])*";
    let size = "(?:24|28|32|39|40|42|43|48|49|50|55|58|60|65|70|75|85)[A-Z]{1,4}[-_A-Z]*[0-9]";
    Regex::new(&format!("{before}(?:{size}|[A-Z]{{0,4}}-?LED[0-9][0-9])")).expect("an expression of this source")
});

static TABLETS: LazyLock<Marks> =
    LazyLock::new(|| Marks::new(["Tablet", "PlayBook", "Kindle", "iPad", "TouchPad", "/apad"]));

/// What telephones say that have no system woothee would know.
static TELEPHONES: LazyLock<Marks> = LazyLock::new(|| {
    Marks::new([
        "MIDP",
        "UP.Browser",
        "Obigo",
        "MAUI",
        "Dolfin",
        "Nokia",
        "Series60",
        "Series40",
        "BREW",
        "SonyEricsson",
        "SAMSUNG-",
        "UCWEB",
        "Teleca",
        "WAP-Browser",
    ])
});

/// The class that agent, system and hints show; `category` is woothee's.
pub(super) fn of(agent: &str, os: &str, category: &str, hints: &ClientHints) -> &'static str {
    if CONSOLES.any(agent) {
        return "console";
    }
    let says_mobile = agent.contains("Mobile") || agent.contains("Opera Mini") || agent.contains("Opera Mobi");
    if SURE_TELEVISIONS.any(agent)
        || TELEVISIONS.any(agent) && !says_mobile
        || os == "Android" && INCHES.is_match(agent.as_bytes())
    {
        return "tv";
    }
    if let Some(class) = of_form_factors(hints).or_else(|| of_model(unquoted(hints.model))) {
        return class;
    }
    let is_mobile = match hints.mobile {
        "?1" => true,
        "?0" => false,
        _ => says_mobile,
    };
    let is_tablet = match os {
        "iPadOS" => true,
        // Browsers on Android tablets are to leave out "Mobile"; Firefox says "Tablet".
        "Android" | "HarmonyOS" => !is_mobile && !agent.starts_with("Dalvik/") || TABLETS.any(agent),
        "Windows" => false,
        _ => TABLETS.any(agent),
    };
    if is_tablet {
        return "tablet";
    }
    if hints.mobile == "?1" || says_mobile && os == "Linux" {
        return "mobile";
    }
    match (os, category) {
        ("Android" | "HarmonyOS" | "iOS" | "KaiOS" | "Windows Phone", _) | (_, "smartphone" | "mobilephone") => {
            "mobile"
        }
        ("Windows" | "macOS" | "Linux" | "ChromeOS" | "BSD", _) | (_, "pc") => "desktop",
        _ if TELEPHONES.any(agent) => "mobile",
        _ => "",
    }
}

/// `Sec-CH-UA-Form-Factors` names one or more; the first that is a class of ours counts.
fn of_form_factors(hints: &ClientHints) -> Option<&'static str> {
    hints.form_factors.split(',').find_map(|form| match unquoted(form) {
        "Desktop" => Some("desktop"),
        "Mobile" => Some("mobile"),
        "Tablet" => Some("tablet"),
        _ => None,
    })
}

/// A model is looked at for the class alone, and only where makers name their tablets and televisions by rule.
fn of_model(model: &str) -> Option<&'static str> {
    let begins = |marks: &[&str]| marks.iter().any(|mark| model.starts_with(mark));
    if begins(&["SM-T", "SM-X", "Lenovo TB", "KF"]) || model.contains("Tablet") || model.contains(" Pad") {
        Some("tablet")
    } else if begins(&["AFT", "BRAVIA", "Chromecast"]) {
        Some("tv")
    } else {
        None
    }
}
