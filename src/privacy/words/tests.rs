//! Every language has every word, says the same and is not English.

use std::collections::BTreeSet;

use super::*;

fn words(code: &str) -> Words {
    Words::of(code, &toml::Table::new())
}

/// The names in braces.
fn places(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

impl Counted {
    fn forms(&self) -> Vec<&str> {
        let some = [&self.zero, &self.one, &self.two, &self.few, &self.many].into_iter().flatten();
        some.chain([&self.other]).map(String::as_str).collect()
    }
}

#[test]
fn every_language_has_every_word_with_the_same_places() {
    let english = words(BUILT_IN[0]);
    for code in BUILT_IN {
        let file: toml::Table = file(code).unwrap().parse().unwrap();
        let names: BTreeSet<&String> = file.keys().collect();
        assert_eq!(names.len(), english.texts().len() + 9, "{code}");
        let theirs = words(code);
        for ((name, text), (_, model)) in theirs.texts().into_iter().zip(english.texts()) {
            assert!(!text.trim().is_empty() && text.trim() == text, "{code} {name}");
            assert_eq!(places(text), places(model), "{code} {name}: {text}");
            assert!(!text.contains('"') && !text.contains('\'') && !text.contains("  "), "{code} {name}: {text}");
            let ends = |text: &str| text.chars().next_back().filter(|c| ".:?!".contains(*c));
            assert_eq!(ends(text), ends(model), "{code} {name}: {text}");
        }
        assert!(theirs.months.iter().all(|month| !month.is_empty()));
        for unit in
            [&theirs.year, &theirs.month, &theirs.week, &theirs.day, &theirs.hour, &theirs.minute, &theirs.second]
        {
            assert!(unit.forms().iter().all(|form| places(form) == BTreeSet::from(["n"])), "{code} {unit:?}");
        }
        assert_eq!(theirs.purposes.keys().collect::<Vec<_>>(), english.purposes.keys().collect::<Vec<_>>(), "{code}");
    }
}

#[test]
fn no_english_is_left_in_another_language() {
    // Words that are the same in both.
    const SAME: [&str; 7] = ["Marketing", "Website", "Contact", "No", "1", "Cookies on this site", "Banner"];
    const ENGLISH: [&str; 14] = [
        "the", "you", "your", "and", "this", "that", "with", "what", "which", "choice", "choices", "from", "not", "for",
    ];
    let english = words(BUILT_IN[0]);
    for code in BUILT_IN.into_iter().skip(1) {
        let theirs = words(code);
        let pairs = theirs.texts().into_iter().zip(english.texts());
        let mut all: Vec<(String, &str, &str)> =
            pairs.map(|((name, text), (_, model))| (name.to_owned(), text, model)).collect();
        for (id, purpose) in &theirs.purposes {
            let model = &english.purposes[id];
            all.push((format!("{id}.title"), &purpose.title, &model.title));
            all.push((format!("{id}.description"), &purpose.description, &model.description));
        }
        for (name, text, model) in all {
            let form = ["date", "date_time"].contains(&&*name);
            assert!(text != model || form || SAME.contains(&text), "{code} {name}: {text}");
            let mut words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
            assert!(!words.any(|word| ENGLISH.contains(&&*word.to_lowercase())), "{code} {name}: {text}");
        }
    }
}

#[test]
fn the_english_words_are_what_the_configuration_says() {
    let english = words(BUILT_IN[0]);
    let example: toml::Table = crate::config::example().parse().unwrap();
    let consent = example["consent"].as_table().unwrap();
    assert_eq!(consent["banner_title"].as_str(), Some(&*english.banner_title));
    assert_eq!(consent["banner_text"].as_str(), Some(&*english.banner_text));
    assert_eq!(consent["link_text"].as_str(), Some(&*english.link_text));
    for purpose in crate::consent::Policy::default().purposes() {
        let ours = &english.purposes[&purpose.id];
        assert_eq!((&purpose.title, &purpose.description), (&ours.title, &ours.description));
    }
}

#[test]
fn what_a_word_quotes_is_what_stands_there() {
    for code in BUILT_IN {
        let words = words(code);
        assert!(words.source_preferences.contains(&words.title), "{code}");
        assert!(words.source_withdrawal.contains(&words.withdraw), "{code}");
    }
}

#[test]
fn dates_are_written_the_way_each_language_writes_them() {
    let (first, third) = (1_746_057_900, 1_746_281_100);
    for (code, date, time) in [
        ("en-GB", "3 May 2025", "3 May 2025 at 14:05 UTC"),
        ("cy", "3 Mai 2025", "3 Mai 2025 am 14:05 UTC"),
        ("de", "3. Mai 2025", "3. Mai 2025 um 14:05 Uhr (UTC)"),
        ("fr", "3 mai 2025", "3 mai 2025 à 14 h 05 (UTC)"),
        ("es", "3 de mayo de 2025", "3 de mayo de 2025 a las 14:05 (UTC)"),
        ("it", "3 maggio 2025", "3 maggio 2025 alle 14:05 (UTC)"),
        ("nl", "3 mei 2025", "3 mei 2025 om 14:05 uur (UTC)"),
        ("pl", "3 maja 2025", "3 maja 2025, 14:05 UTC"),
        ("pt", "3 de maio de 2025", "3 de maio de 2025 às 14:05 (UTC)"),
        ("sv", "3 maj 2025", "3 maj 2025 kl. 14:05 UTC"),
    ] {
        assert_eq!((words(code).date(third).as_str(), words(code).date_time(third).as_str()), (date, time));
    }
    assert_eq!(words("fr").date(first), "1er mai 2025");
    assert_eq!(words("it").date(first), "1º maggio 2025");
    assert_eq!(words("en-GB").date_time(first), "1 May 2025 at 00:05 UTC");
    assert_eq!(words("fr").date_time(first), "1er mai 2025 à 0 h 05 (UTC)");
    assert_eq!(iso(third), "2025-05-03T14:05:00Z");
    assert!(iso(u64::MAX).starts_with("9999-") && words("de").date(u64::MAX).ends_with(" 9999"));
}

#[test]
fn periods_are_counted_the_way_each_language_counts() {
    let period = |code, seconds| words(code).period(code, Duration::from_secs(seconds));
    assert_eq!(period("en-GB", 182 * 86_400), "182 days");
    assert_eq!(period("en-GB", 365 * 86_400), "1 year");
    assert_eq!(period("en-GB", 1_800), "30 minutes");
    assert_eq!(period("en-GB", 90), "90 seconds");
    assert_eq!(period("en-GB", 0), "0 seconds");
    let days = |code, n| words(code).day.count(code, n);
    assert_eq!(
        [1, 2, 5, 12, 22, 25, 112].map(|n| days("pl", n)).join(" "),
        "1 dzień 2 dni 5 dni 12 dni 22 dni 25 dni 112 dni"
    );
    let years = |code: &str, n| words(code).year.count(code, n);
    assert_eq!(
        [1, 2, 4, 5, 12, 22, 25].map(|n| years("pl", n)).join(" "),
        "1 rok 2 lata 4 lata 5 lat 12 lat 22 lata 25 lat"
    );
    assert_eq!(
        [1, 2, 3, 4, 6, 10].map(|n| years("cy", n)).join(", "),
        "1 flwyddyn, 2 flynedd, 3 blynedd, 4 mlynedd, 6 blynedd, 10 mlynedd"
    );
    assert_eq!((days("cy", 2), days("cy", 182)), ("2 ddiwrnod".into(), "182 diwrnod".into()));
    assert_eq!((years("fr", 0), years("fr", 1), years("fr", 2)), ("0 an".into(), "1 an".into(), "2 ans".into()));
    assert_eq!((days("de", 1), days("de", 2)), ("1 Tag".into(), "2 Tage".into()));
}

#[test]
fn periods_that_operators_write_are_understood() {
    let german = words("de");
    assert_eq!(german.period_of("de", "13 months").as_deref(), Some("13 Monate"));
    assert_eq!(german.period_of("de", "1 year").as_deref(), Some("1 Jahr"));
    assert_eq!(german.period_of("de", "Session"), Some(german.session.clone()));
    for other in ["for ever", "13", "thirteen months", "2 moons", "", "1  year"] {
        assert_eq!(german.period_of("de", other), None, "{other}");
    }
}

#[test]
fn a_value_that_is_filled_in_is_never_taken_for_a_place() {
    assert_eq!(fill("{a} and {b} {c", &[("a", "{b}"), ("b", "B")]), "{b} and B {c");
    assert_eq!(fill("{x}{a}", &[("a", "A")]), "{x}A");
    assert_eq!(fill("", &[]), "");
}
