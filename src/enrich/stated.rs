//! What the browser states of itself: language, time zone and screen. Kept where it has the form it should have, and not at
//! all where it has another, so that no free text comes in this way.

/// The first language of an `Accept-Language` (RFC 9110 §12.5.4), in the usual spelling, as in `en-GB` or `zh-Hant-TW`:
/// language, script and region; variants and private parts tell a person from others and are left out.
pub fn language(accept_language: &str) -> String {
    let first = accept_language.split([',', ';']).next().unwrap_or_default().trim();
    let mut parts = first.split('-');
    let is = |part: &str, lens: &[usize]| lens.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphabetic());
    let Some(language) = parts.next().filter(|part| is(part, &[2, 3])) else { return String::new() };
    let mut tag = language.to_ascii_lowercase();
    let mut next = parts.next();
    if let Some(script) = next.filter(|part| is(part, &[4])) {
        tag.push('-');
        tag.push_str(&script[..1].to_ascii_uppercase());
        tag.push_str(&script[1..].to_ascii_lowercase());
        next = parts.next();
    }
    if let Some(region) = next.filter(|p| is(p, &[2]) || (p.len() == 3 && p.bytes().all(|b| b.is_ascii_digit()))) {
        tag.push('-');
        tag.push_str(&region.to_ascii_uppercase());
    }
    tag
}

/// The longest name in the IANA time zone database has 32 characters.
const LONGEST_ZONE: usize = 40;

/// The areas of the IANA time zone database and the older names that browsers still give.
const AREAS: [&str; 16] = [
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Brazil",
    "Canada",
    "Chile",
    "Etc",
    "Europe",
    "Indian",
    "Mexico",
    "Pacific",
    "US",
];

/// The name of a time zone, as in `Europe/London`; empty where it is none.
pub fn time_zone(name: &str) -> String {
    let name = name.trim();
    let is_place = |part: &str| {
        // A number is never the name of a place, so that nobody's telephone is kept as one.
        let allowed = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-');
        part.starts_with(|c: char| c.is_ascii_uppercase()) && part.bytes().all(allowed)
    };
    let is_offset = |places: &str| {
        let hours = places.strip_prefix("GMT").unwrap_or("-").trim_start_matches(['+', '-']);
        places == "UTC" || places.len() <= 6 && hours.parse::<u8>().is_ok_and(|hours| hours <= 14)
    };
    let is_zone = match name.split_once('/') {
        None => matches!(name, "UTC" | "GMT"),
        Some(("Etc", places)) => is_offset(places),
        Some((area, places)) => {
            AREAS.contains(&area) && places.split('/').count() <= 2 && places.split('/').all(is_place)
        }
    };
    if is_zone && name.len() <= LONGEST_ZONE { name.to_owned() } else { String::new() }
}

/// Width and height in CSS pixels, as in `1920x1080`; empty where it is something else.
pub fn screen(size: &str) -> String {
    let is_length = |part: &str| {
        (1..=5).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()) && !part.starts_with('0')
    };
    match size.trim().split_once('x') {
        Some((width, height)) if is_length(width) && is_length(height) => format!("{width}x{height}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_language_is_kept_in_its_usual_spelling() {
        for (given, want) in [
            ("en-GB,en;q=0.9,de;q=0.8", "en-GB"),
            ("EN-gb", "en-GB"),
            ("de", "de"),
            ("de;q=0.5", "de"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("es-419,es", "es-419"),
            ("gsw-CH", "gsw-CH"),
            ("de-DE-1996-x-jane-doe", "de-DE"),
            ("*", ""),
            ("", ""),
            ("x-jane", ""),
            ("jane@example.com", ""),
            ("e1-GB", ""),
        ] {
            assert_eq!(language(given), want, "{given:?}");
        }
    }

    #[test]
    fn only_names_of_time_zones_are_kept() {
        for kept in [
            "Europe/London",
            "America/Argentina/Buenos_Aires",
            "America/Port-au-Prince",
            "Etc/GMT+1",
            "UTC",
            "Asia/Ust-Nera",
            "US/Eastern",
        ] {
            assert_eq!(time_zone(kept), kept);
        }
        for dropped in [
            "",
            "Etc/A9434765919",
            "Etc/GMT+07700900123",
            "Europe/London07700900123",
            "Jane/Doe",
            "Europe",
            "Europe/",
            "Europe/london",
            "Europe/A/B/C",
            "Europe/Lon don",
            "Europe/London?",
        ] {
            assert_eq!(time_zone(dropped), "", "{dropped:?}");
        }
        assert_eq!(time_zone(&format!("Europe/L{}", "o".repeat(40))), "");
    }

    #[test]
    fn only_sizes_of_screens_are_kept() {
        assert_eq!(screen("1920x1080"), "1920x1080");
        assert_eq!(screen(" 390x844 "), "390x844");
        for dropped in
            ["", "x", "0x0", "01920x1080", "1920x108000", "1920", "1920X1080", "-1x1", "1e3x1", "1920x1080x24"]
        {
            assert_eq!(screen(dropped), "", "{dropped:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_is_short_and_stays_as_it_is(given in "[ -~é]{0,60}") {
            for read in [language, time_zone, screen] {
                let kept = read(&given);
                prop_assert!(kept.len() <= LONGEST_ZONE);
                prop_assert_eq!(read(&kept), kept);
            }
        }
    }
}
