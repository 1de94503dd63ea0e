//! The country of a telephone number, as far as its digits say.

use super::calling::all;
use super::{Place, calling_code};
use crate::pseudonym::RawPhone;

/// Countries that share a calling code and are told apart by what follows it, the longest match first. Of each such code
/// the last line is the country everything else belongs to; only codes that are here have one, so that a number of North
/// America (1), Réunion or Mayotte (262) and the like has its code and no country.
const SHARED: [(&str, &str); 23] = [
    ("441481", "GG"),
    ("441534", "JE"),
    ("441624", "IM"),
    ("447781", "GG"),
    ("447839", "GG"),
    ("447797", "JE"),
    ("447937", "JE"),
    ("447624", "IM"),
    ("447924", "IM"),
    ("44", "GB"),
    ("39066982", "VA"),
    ("39", "IT"),
    ("35818", "AX"),
    ("358", "FI"),
    ("4779", "SJ"),
    ("47", "NO"),
    ("6189162", "CC"),
    ("6189164", "CX"),
    ("61", "AU"),
    ("64", "NZ"),
    ("76", "KZ"),
    ("77", "KZ"),
    ("7", "RU"),
];

/// Calling code and country of a number; both empty where it belongs to no country, as those of satellites do.
pub fn of_number(phone: &RawPhone) -> Place {
    let digits = phone.open();
    if let Some((_, country)) = SHARED.iter().find(|(prefix, _)| digits.starts_with(prefix)) {
        return Place { country: (*country).to_owned(), calling_code: calling_code(country), ..Place::default() };
    }
    // No code begins with another, so whatever fits is the one (ITU-T E.164).
    let mut fitting = all().filter(|(_, code)| digits.starts_with(code));
    let Some((country, code)) = fitting.next() else { return Place::default() };
    let country = if fitting.next().is_none() { country } else { String::new() };
    Place { country, calling_code: code, ..Place::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(number: &str) -> (String, &'static str) {
        let place = of_number(&RawPhone::new(number, 44).unwrap());
        (place.country, place.calling_code)
    }

    #[test]
    fn a_number_has_the_code_it_begins_with_and_the_country_that_can_be_told() {
        for (number, country, code) in [
            ("020 7946 0018", "GB", "44"),
            ("+44 7700 900123", "GB", "44"),
            ("+44 1481 960 194", "GG", "44"),
            ("+44 7797 712345", "JE", "44"),
            ("+353 1 234 5678", "IE", "353"),
            ("+49 30 123456", "DE", "49"),
            ("+1 212 555 0123", "", "1"),
            ("+7 701 123 4567", "KZ", "7"),
            ("+7 495 123 4567", "RU", "7"),
            ("+39 06 1234567", "IT", "39"),
            ("+262 262 123456", "", "262"),
            ("+881 6 1234 5678", "", ""),
            ("+383 38 123456", "XK", "383"),
        ] {
            assert_eq!(of(number), (country.to_owned(), code), "{number}");
        }
    }

    #[test]
    fn no_calling_code_begins_with_another_and_every_country_is_reached_by_its_own() {
        let codes: std::collections::BTreeSet<&str> = all().map(|(_, code)| code).collect();
        for code in &codes {
            assert!(codes.iter().all(|other| other == code || !other.starts_with(code)), "{code}");
        }
        for (country, code) in all() {
            let place = of_number(&RawPhone::new(&format!("+{code}55555555"), 44).unwrap());
            assert_eq!(place.calling_code, code);
            let alone = all().filter(|(_, other)| *other == code).count() == 1;
            assert!(!alone || place.country == country, "{country}");
        }
    }
}
