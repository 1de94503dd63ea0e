//! What the browser states of itself: languages, time zone, sizes, connection, plug-ins and how a page was come to. Kept where
//! it has the form it should have, and not at all where it has another, so that no free text comes in this way.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

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

/// More languages than these say less of a reader than of which reader it is.
const MOST_LANGUAGES: usize = 5;

/// The first five languages of a list (`navigator.languages` or an `Accept-Language`), each once and as [`language`] spells
/// it, as in `en-GB,en,cy`; what is no language is passed over.
pub fn languages(list: &str) -> String {
    let mut kept: Vec<String> = Vec::with_capacity(MOST_LANGUAGES);
    for tag in list.split(',').map(language) {
        if !tag.is_empty() && !kept.contains(&tag) {
            kept.push(tag);
        }
        if kept.len() == MOST_LANGUAGES {
            break;
        }
    }
    kept.join(",")
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

/// Width and height of the window's inside in CSS pixels, in the form of [`screen`].
pub fn viewport(size: &str) -> String {
    screen(size)
}

/// The connection as the Network Information API words it, its `effectiveType` or its `type`; empty where it is neither, or
/// says nothing (`unknown`, `other`, `mixed`, `none`).
pub fn connection(word: &str) -> &'static str {
    const WORDS: [&str; 9] = ["slow-2g", "2g", "3g", "4g", "bluetooth", "cellular", "ethernet", "wifi", "wimax"];
    one_of(&WORDS, word)
}

/// How a page was come to: the types of the Navigation Timing standard (`navigate`, `reload`, `back_forward`, `prerender`)
/// and those in which no document is loaded (`spa` and `hash` for steps inside a page, `bfcache` for a page that was kept);
/// empty for another word.
pub fn navigation_type(word: &str) -> &'static str {
    one_of(&["navigate", "reload", "back_forward", "prerender", "spa", "hash", "bfcache"], word)
}

/// The word of the list that was meant, so that what is kept is ours and not the visitor's.
fn one_of(words: &[&'static str], word: &str) -> &'static str {
    let word = word.trim();
    words.iter().find(|known| known.eq_ignore_ascii_case(word)).copied().unwrap_or_default()
}

/// A browser of today names five plug-ins, all for PDF; older ones have named a dozen.
const MOST_PLUGINS: usize = 16;
/// The longest name of a plug-in, in bytes.
const LONGEST_PLUGIN: usize = 64;

/// The names of plug-ins as the browser gives them, with the versions in them: sorted, each once, joined with `, `. Of a name
/// its first 64 bytes of printable ASCII are kept, without commas, and of a longer list the first 16 in order of the alphabet.
/// Not scrubbed: that is for the caller, who knows what else was said.
pub fn plugins(names: &[&str]) -> String {
    let mut kept = BTreeSet::new();
    for name in names {
        let printable = name.chars().filter(|c| matches!(c, ' '..='~') && *c != ',').skip_while(|c| *c == ' ');
        let name: String = printable.take(LONGEST_PLUGIN).collect();
        let name = name.trim_end();
        if !name.is_empty() {
            kept.insert(name.to_owned());
        }
        if kept.len() > MOST_PLUGINS {
            kept.pop_last();
        }
    }
    kept.into_iter().collect::<Vec<_>>().join(", ")
}
