//! Woothee's own test set, compared through the table in the module's documentation and nothing else.

use super::*;

const SET: &str = include_str!("../../../../tests/data/user-agents/woothee.tsv");

/// What the table says a value of woothee's becomes; nothing where it leaves the value open.
struct Wanted<'w> {
    classes: &'static [&'static str],
    is_bot: Option<bool>,
    browser: Option<&'w str>,
    browser_version: Option<String>,
    os: Option<&'w str>,
    os_version: Option<String>,
}

fn wanted<'w>([category, name, version, os, os_version]: [&'w str; 5]) -> Wanted<'w> {
    let is_known = |value: &str| !matches!(value, "" | "UNKNOWN");
    let is_model = category == "mobilephone" && version.contains(|c: char| c != '.' && !c.is_ascii_digit());
    let numbers = |version: &str| {
        let mut numbers = version.split('.').map(|n| n.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
        let (first, second) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        if matches!(second, "" | "0") { first.to_owned() } else { format!("{first}.{second}") }
    };
    Wanted {
        classes: match category {
            "pc" => &["desktop"],
            "smartphone" => &["mobile", "tablet"],
            "mobilephone" => &["mobile"],
            "appliance" => &["console", "tv"],
            _ => &["", "desktop", "mobile", "tablet", "tv", "console"],
        },
        is_bot: (category == "crawler").then_some(true),
        browser: is_known(name).then_some(match (name, os) {
            ("SamsungBrowser", _) => "Samsung Internet",
            ("Webview", _) => "WebView",
            ("Safari", "Android") => "Android Browser",
            _ => name,
        }),
        browser_version: match (name, os) {
            _ if !is_known(version) => None,
            ("Webview", "Android") => None,
            ("HTTP Library" | "Mobile Transcoder", _) => Some(version.to_owned()),
            _ if is_model => Some(String::new()),
            _ => Some(numbers(version)),
        },
        os: is_known(os).then_some(match os {
            "Mac OSX" => "macOS",
            "iPhone" | "iPod" | "iOS" => "iOS",
            "iPad" => "iPadOS",
            "Windows Phone OS" => "Windows Phone",
            "Windows CE" => "Windows CE",
            _ if os.starts_with("Windows ") => "Windows",
            _ => os,
        }),
        os_version: match os.strip_prefix("Windows ") {
            Some("UNKNOWN Ver") => Some(String::new()),
            Some(release) if !matches!(release, "CE" | "Phone OS") => Some(release.to_owned()),
            _ if !is_known(os_version) => None,
            _ if os == "ChromeOS" => os_version.rsplit(' ').next().map(numbers),
            _ => Some(numbers(os_version)),
        },
    }
}

#[test]
fn woothees_own_set_comes_out_as_woothee_says() {
    let mut wrong = Vec::new();
    for line in SET.lines() {
        let mut cells = line.split('\t');
        let agent = cells.next().expect("every line begins with an agent");
        let says: [&str; 5] = std::array::from_fn(|_| cells.next().expect("and has five cells more"));
        let device = parse(agent, &[]);
        let wanted = wanted(says);
        let agrees = wanted.classes.contains(&device.class)
            && wanted.is_bot.is_none_or(|is_bot| device.is_bot() == is_bot)
            && wanted.browser.is_none_or(|browser| device.browser == browser)
            && wanted.browser_version.is_none_or(|version| device.browser_version == version)
            && wanted.os.is_none_or(|os| device.os == os)
            && wanted.os_version.is_none_or(|version| device.os_version == version);
        if !agrees {
            wrong.push(format!("{agent}\n  woothee: {says:?}\n  here:    {}", told(&device)));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), SET.lines().count(), wrong.join("\n"));
    assert_eq!(SET.lines().count(), 249);
}
