mod hints;
mod woothee;

use proptest::prelude::*;

use super::*;

fn parse(agent: &str, hints: &[(&str, &str)]) -> Device {
    let hints = ClientHints::read(|name| hints.iter().find(|(n, _)| name == n).map(|(_, value)| *value));
    Device::parse(&RawUserAgent::new(agent.as_bytes()), &hints)
}

fn told(device: &Device) -> String {
    let bot = device.bot.map(|reason| format!(" {}", reason.word())).unwrap_or_default();
    format!(
        "{} {} | {} {} | {}{bot}",
        device.browser, device.browser_version, device.os, device.os_version, device.class
    )
}

const WINDOWS: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36";
const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36";
const ANDROID: &str =
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Mobile Safari/537.36";
const TABLET: &str =
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36";

#[test]
fn todays_browsers_are_told_by_their_agent() {
    let webkit = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
    let blink = "AppleWebKit/537.36 (KHTML, like Gecko)";
    let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3_1 like Mac OS X)";
    for (agent, want) in [
        (WINDOWS.to_owned(), "Chrome 134 | Windows 10 | desktop"),
        (MAC.to_owned(), "Chrome 134 | macOS 10.15 | desktop"),
        (ANDROID.to_owned(), "Chrome 134 | Android 10 | mobile"),
        (TABLET.to_owned(), "Chrome 134 | Android 10 | tablet"),
        (format!("{WINDOWS} Edg/134.0.0.0"), "Edge 134 | Windows 10 | desktop"),
        (format!("{WINDOWS} OPR/117.0.0.0"), "Opera 117 | Windows 10 | desktop"),
        (format!("{WINDOWS} Vivaldi/7.1.3570.60"), "Vivaldi 7.1 | Windows 10 | desktop"),
        (format!("{ANDROID} EdgA/134.0.0.0"), "Edge 134 | Android 10 | mobile"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:135.0) Gecko/20100101 Firefox/135.0".into(),
            "Firefox 135 | Windows 10 | desktop",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0".into(), "Firefox 135 | Linux  | desktop"),
        ("Mozilla/5.0 (Android 14; Mobile; rv:135.0) Gecko/135.0 Firefox/135.0".into(), "Firefox 135 | Android 14 | mobile"),
        ("Mozilla/5.0 (Android 14; Tablet; rv:135.0) Gecko/135.0 Firefox/135.0".into(), "Firefox 135 | Android 14 | tablet"),
        // An iPad asks for the desktop's pages by the Mac's agent; nothing in HTTP tells them apart.
        (
            format!("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {webkit} Version/18.3 Safari/605.1.15"),
            "Safari 18.3 | macOS 10.15 | desktop",
        ),
        (format!("{iphone} {webkit} Version/18.3 Mobile/15E148 Safari/604.1"), "Safari 18.3 | iOS 18.3 | mobile"),
        (format!("{iphone} {webkit} CriOS/134.0.6998.33 Mobile/15E148 Safari/604.1"), "Chrome 134 | iOS 18.3 | mobile"),
        (format!("{iphone} {webkit} FxiOS/135.0 Mobile/15E148 Safari/605.1.15"), "Firefox 135 | iOS 18.3 | mobile"),
        (format!("{iphone} {webkit} Mobile/15E148 [FBAN/FBIOS;FBAV/500.0.0.44.108;]"), "Facebook 500 | iOS 18.3 | mobile"),
        (
            format!("Mozilla/5.0 (iPad; CPU OS 12_5_7 like Mac OS X) {webkit} Version/12.1.2 Mobile/15E148 Safari/604.1"),
            "Safari 12.1 | iPadOS 12.5 | tablet",
        ),
        (
            format!("Mozilla/5.0 (Linux; Android 14; SM-S918B) {blink} SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36"),
            "Samsung Internet 27 | Android 14 | mobile",
        ),
        (
            format!("Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) {blink} Version/4.0 Chrome/134.0.0.0 Mobile Safari/537.36"),
            "WebView 134 | Android 14 | mobile",
        ),
        (format!("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {blink} Chrome/134.0.0.0 Safari/537.36"), "Chrome 134 | ChromeOS 14541 | desktop"),
        (
            format!("Mozilla/5.0 (Linux; Android 11; KFTRWI) {blink} Silk/120.4.1 like Chrome/120.0.6099.231 Safari/537.36"),
            "Amazon Silk 120.4 | Android 11 | tablet",
        ),
        ("Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko".into(), "Internet Explorer 11 | Windows 7 | desktop"),
        (format!("Mozilla/5.0 (Web0S; Linux/SmartTV) {blink} Chrome/94.0.4606.128 Safari/537.36 WebAppManager"), "Chrome 94 | webOS  | tv"),
        (format!("Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) {blink} 76.0.3809.146/6.0 TV Safari/537.36"), "Safari  | Tizen 6 | tv"),
        (format!("Mozilla/5.0 (PlayStation; PlayStation 5/8.00) {webkit} Version/15.4 Safari/605.1.15"), "Safari 15.4 | PlayStation 5 8.00 | console"),
        (
            "Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/606.4 (KHTML, like Gecko) NF/6.0.1.15.4 NintendoBrowser/5.1.0".into(),
            "Nintendo Browser 5.1 | Nintendo Switch  | console",
        ),
        // A television's size in inches.
        (
            format!("Mozilla/5.0 (Linux; Android 9; 32LEX-7162/TS2C Build/PTT1) {blink} Chrome/69.0.3497.91 Mobile Safari/537.36"),
            "Chrome 69 | Android 9 | tv",
        ),
        // A maker of telephones, not a bot.
        (
            format!("Mozilla/5.0 (Linux; Android 9; CUBOT X19) {blink} Chrome/120.0.0.0 Mobile Safari/537.36"),
            "Chrome 120 | Android 9 | mobile",
        ),
        (format!("{ANDROID} (Ecosia android@134.0.0.0)"), "Ecosia 134 | Android 10 | mobile"),
    ] {
        assert_eq!(told(&parse(&agent, &[])), want, "{agent}");
    }
}

#[test]
fn a_cached_device_is_the_parsed_one_and_hints_are_part_of_the_key() {
    let mut cache = DeviceCache::new(16);
    let agent = RawUserAgent::new(WINDOWS.as_bytes());
    let none = ClientHints::default();
    let eleven = ClientHints { platform: "\"Windows\"", platform_version: "\"15.0.0\"", ..none };
    for _ in 0..3 {
        assert_eq!(**cache.get(&agent, &none), Device::parse(&agent, &none));
        assert_eq!(cache.get(&agent, &eleven).os_version, "11");
    }
}

#[test]
fn the_cache_stays_as_large_as_it_was_made() {
    let mut cache = DeviceCache::new(16);
    let none = ClientHints::default();
    for version in 0..300 {
        let agent = WINDOWS.replace("134", &version.to_string());
        assert_eq!(cache.get(&RawUserAgent::new(agent.as_bytes()), &none).browser_version, version.to_string());
        assert!(cache.entries().count() <= 16);
    }
}

proptest! {
    #[test]
    fn any_agent_gives_a_bounded_device(agent in "[ -~]{0,200}", brands in "[ -~]{0,60}", version in "[ -~]{0,12}", mac in any::<bool>()) {
        let platform = if mac { "\"macOS\"" } else { "\"Windows\"" };
        let hints = ClientHints {
            brands: &brands,
            full_versions: &brands,
            mobile: "?1",
            platform,
            platform_version: &version,
            model: &brands,
            form_factors: &brands,
        };
        for agent in [agent.clone(), format!("{WINDOWS} {agent}"), format!("Mozilla/5.0 ({agent}) Firefox/{agent}")] {
            let device = Device::parse(&RawUserAgent::new(agent.as_bytes()), &hints);
            for value in [&device.browser, &device.os] {
                prop_assert!(value.len() <= 24, "{value:?}");
            }
            for version in [&device.browser_version, &device.os_version] {
                prop_assert!(version.len() <= 10, "{version:?}");
            }
            prop_assert!(["", "desktop", "mobile", "tablet", "tv", "console"].contains(&device.class));
        }
    }

    /// A version is at most two short numbers, whatever stands where one is looked for.
    #[test]
    fn no_telephone_number_is_stored_as_a_version(number in "0[0-9]{9,12}", mark in 0..4_usize) {
        let agent = [
            format!("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{number} Safari/537.36"),
            format!("Mozilla/5.0 (Linux; Android {number}; K) AppleWebKit/537.36 Chrome/134.0.0.0 Safari/537.36"),
            format!("DoCoMo/2.0 {number}(c100;TB;W24H16)"),
            format!("KDDI-{number} UP.Browser/{number}"),
        ][mark].clone();
        let device = parse(&agent, &[("sec-ch-ua-platform", "\"Android\""), ("sec-ch-ua-platform-version", &number)]);
        prop_assert!(!format!("{device:?}").contains(&number), "{device:?}");
    }
}
