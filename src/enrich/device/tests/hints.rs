//! What client hints add, and what their absence leaves as it is.

use super::*;

#[test]
fn client_hints_complete_what_agents_have_frozen() {
    let chrome = r#""Not:A-Brand";v="24", "Chromium";v="134", "Google Chrome";v="134""#;
    let brave = r#""Brave";v="133", "Chromium";v="133", "Not=A?Brand";v="8""#;
    for (agent, hints, want) in [
        (WINDOWS, vec![("sec-ch-ua", chrome)], "Chrome 134 | Windows 10 | desktop"),
        (WINDOWS, vec![("sec-ch-ua", brave)], "Brave 133 | Windows 10 | desktop"),
        (
            WINDOWS,
            vec![("sec-ch-ua-platform", "\"Windows\""), ("sec-ch-ua-platform-version", "\"15.0.0\"")],
            "Chrome 134 | Windows 11 | desktop",
        ),
        (
            WINDOWS,
            vec![("sec-ch-ua-platform", "\"Windows\""), ("sec-ch-ua-platform-version", "\"10.0.0\"")],
            "Chrome 134 | Windows 10 | desktop",
        ),
        (
            MAC,
            vec![("sec-ch-ua-platform", "\"macOS\""), ("sec-ch-ua-platform-version", "\"14.5.0\"")],
            "Chrome 134 | macOS 14.5 | desktop",
        ),
        (
            ANDROID,
            vec![
                ("sec-ch-ua-mobile", "?1"),
                ("sec-ch-ua-platform", "\"Android\""),
                ("sec-ch-ua-platform-version", "\"15.0.0\""),
            ],
            "Chrome 134 | Android 15 | mobile",
        ),
        (
            TABLET,
            vec![("sec-ch-ua-mobile", "?0"), ("sec-ch-ua-platform", "\"Android\"")],
            "Chrome 134 | Android 10 | tablet",
        ),
        (
            WINDOWS,
            vec![("sec-ch-ua-platform", "\"Windows\""), ("sec-ch-ua-platform-version", "\"\"")],
            "Chrome 134 | Windows 10 | desktop",
        ),
        (
            WINDOWS,
            vec![("sec-ch-ua", r#""HeadlessChrome";v="134""#)],
            "HeadlessChrome 134 | Windows 10 | desktop headless",
        ),
        (
            WINDOWS,
            vec![("sec-ch-ua", "garbage\";;\"\""), ("sec-ch-ua-platform", "jane")],
            "Chrome 134 | Windows 10 | desktop",
        ),
    ] {
        assert_eq!(told(&parse(agent, &hints)), want, "{hints:?}");
    }
}

const LINUX: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36";
const CHROMEBOOK: &str =
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36";

#[test]
fn windows_11_and_older_releases_are_told_by_the_version_of_their_interface() {
    for (version, want) in [
        ("\"0.1.0\"", "7"),
        ("\"0.2.0\"", "8"),
        ("\"0.3.0\"", "8.1"),
        ("\"1.0.0\"", "10"),
        ("\"10.0.0\"", "10"),
        ("\"13.0.0\"", "11"),
        ("\"15.0.0\"", "11"),
        ("\"19.0.0\"", "11"),
        // Nothing was ever published between the two.
        ("\"12.0.0\"", "10"),
        ("\"\"", "10"),
        ("", "10"),
        ("\"eleven\"", "10"),
    ] {
        let hints = [("sec-ch-ua-platform", "\"Windows\""), ("sec-ch-ua-platform-version", version)];
        assert_eq!(parse(WINDOWS, &hints).os_version, want, "{version}");
    }
}

#[test]
fn the_kind_of_device_is_told_by_form_factors_where_the_agent_is_frozen() {
    let android = ("sec-ch-ua-platform", "\"Android\"");
    for (agent, hints, want) in [
        (TABLET, vec![], "tablet"),
        (TABLET, vec![android, ("sec-ch-ua-mobile", "?0")], "tablet"),
        (TABLET, vec![android, ("sec-ch-ua-mobile", "?1")], "mobile"),
        // A tablet that asks for the desktop's pages says it is a Linux.
        (LINUX, vec![android, ("sec-ch-ua-mobile", "?0"), ("sec-ch-ua-form-factors", "\"Tablet\"")], "tablet"),
        (LINUX, vec![android, ("sec-ch-ua-mobile", "?0")], "tablet"),
        (ANDROID, vec![("sec-ch-ua-form-factors", "\"EInk\", \"Tablet\"")], "tablet"),
        (WINDOWS, vec![("sec-ch-ua-form-factors", "\"Desktop\"")], "desktop"),
        (WINDOWS, vec![("sec-ch-ua-form-factors", "\"Automotive\"")], "desktop"),
        (ANDROID, vec![("sec-ch-ua-model", "\"SM-X710\"")], "tablet"),
        (TABLET, vec![("sec-ch-ua-model", "\"AFTKA\"")], "tv"),
        (ANDROID, vec![("sec-ch-ua-model", "\"Pixel 9\"")], "mobile"),
        (LINUX, vec![("sec-ch-ua-platform", "\"Linux\""), ("sec-ch-ua-mobile", "?0")], "desktop"),
        (CHROMEBOOK, vec![("sec-ch-ua-platform", "\"Chrome OS\"")], "desktop"),
    ] {
        assert_eq!(parse(agent, &hints).class, want, "{agent} {hints:?}");
    }
}

#[test]
fn the_system_that_hints_name_counts_and_brings_its_own_version() {
    for (agent, platform, version, want) in [
        (CHROMEBOOK, "\"Chrome OS\"", "\"16093.68.0\"", "ChromeOS 16093.68"),
        (CHROMEBOOK, "\"Chromium OS\"", "", "ChromeOS 14541"),
        (LINUX, "\"Android\"", "\"15.0.0\"", "Android 15"),
        (LINUX, "\"Android\"", "", "Android "),
        (MAC, "\"macOS\"", "\"15.3.1\"", "macOS 15.3"),
        (MAC, "\"macOS\"", "", "macOS 10.15"),
        (MAC, "\"Unknown\"", "\"1.0\"", "macOS 10.15"),
        (LINUX, "\"Linux\"", "\"6.9.0\"", "Linux "),
    ] {
        let device = parse(agent, &[("sec-ch-ua-platform", platform), ("sec-ch-ua-platform-version", version)]);
        assert_eq!(format!("{} {}", device.os, device.os_version), want, "{platform} {version}");
    }
}

#[test]
fn the_full_list_of_versions_is_read_where_it_is_sent() {
    let full = r#""Chromium";v="134.0.6998.89", "Not:A-Brand";v="24.0.0.0", "YaBrowser";v="25.2.1.887""#;
    let short = r#""Chromium";v="134", "Not:A-Brand";v="24", "YaBrowser";v="25""#;
    for (hints, want) in [
        (vec![("sec-ch-ua", short)], "Yandex Browser 25"),
        (vec![("sec-ch-ua", short), ("sec-ch-ua-full-version-list", full)], "Yandex Browser 25.2"),
        (vec![("sec-ch-ua-full-version-list", full)], "Yandex Browser 25.2"),
        (vec![("sec-ch-ua-full-version-list", "")], "Chrome 134"),
    ] {
        let device = parse(WINDOWS, &hints);
        assert_eq!(format!("{} {}", device.browser, device.browser_version), want, "{hints:?}");
    }
}

#[test]
fn a_brand_that_others_are_built_on_does_not_take_the_place_of_a_name() {
    let chrome = r#""Not:A-Brand";v="24", "Chromium";v="134", "Google Chrome";v="134""#;
    for (agent, want) in
        [(format!("{WINDOWS} Vivaldi/7.1.3570.60"), "Vivaldi"), (format!("{WINDOWS} OPR/117.0.0.0"), "Opera")]
    {
        assert_eq!(parse(&agent, &[("sec-ch-ua", chrome)]).browser, want);
    }
}

#[test]
fn what_is_asked_for_is_what_is_read() {
    for name in crate::enrich::hints::ACCEPT_CH.split(", ") {
        assert!(crate::enrich::hints::HINTS.iter().any(|hint| hint.as_str() == name.to_ascii_lowercase()), "{name}");
    }
}
