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
    for dropped in ["", "x", "0x0", "01920x1080", "1920x108000", "1920", "1920X1080", "-1x1", "1e3x1", "1920x1080x24"] {
        assert_eq!(screen(dropped), "", "{dropped:?}");
    }
}

#[test]
fn up_to_five_languages_are_kept_in_their_order() {
    for (given, want) in [
        ("en-GB,en;q=0.9,de;q=0.8", "en-GB,en,de"),
        ("EN-gb, en , en-GB", "en-GB,en"),
        ("fr,*;q=0.5,x-jane,jane@example.com,it", "fr,it"),
        ("a,aa,bb,cc,dd,ee,ff", "aa,bb,cc,dd,ee"),
        ("", ""),
        (",,;,", ""),
    ] {
        assert_eq!(languages(given), want, "{given:?}");
    }
}

#[test]
fn a_viewport_has_the_form_of_a_screen() {
    assert_eq!(viewport("390x664"), "390x664");
    assert_eq!(viewport("390.5x664"), "");
}

#[test]
fn connections_and_ways_to_a_page_are_words_of_ours() {
    assert_eq!(connection("4g"), "4g");
    assert_eq!(connection(" WiFi "), "wifi");
    for dropped in ["", "5g", "unknown", "none", "4g wifi", "jane"] {
        assert_eq!(connection(dropped), "", "{dropped:?}");
    }
    assert_eq!(navigation_type("back_forward"), "back_forward");
    assert_eq!(navigation_type("SPA"), "spa");
    for dropped in ["", "back", "jane"] {
        assert_eq!(navigation_type(dropped), "", "{dropped:?}");
    }
}

#[test]
fn plugins_are_a_sorted_list_of_bounded_names() {
    let given = ["Shockwave Flash 32.0 r0", "PDF Viewer", "", "PDF Viewer", " Chrome\u{1f600} PDF\nViewer ", "a, b"];
    assert_eq!(plugins(&given), "Chrome PDFViewer, PDF Viewer, Shockwave Flash 32.0 r0, a b");
    assert_eq!(plugins(&[]), "");
    assert_eq!(plugins(&[&"x".repeat(100)]), "x".repeat(64));
    let many: Vec<String> = (10..40).rev().map(|i| format!("plug-in {i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(plugins(&many).split(", ").count(), 16);
    assert!(plugins(&many).starts_with("plug-in 10, ") && plugins(&many).ends_with(", plug-in 25"));
}

proptest! {
    #[test]
    fn what_is_kept_is_short_and_stays_as_it_is(given in "[ -~é]{0,60}") {
        for read in [language, time_zone, screen, viewport] {
            let kept = read(&given);
            prop_assert!(kept.len() <= LONGEST_ZONE);
            prop_assert_eq!(read(&kept), kept);
        }
        let kept = languages(&given);
        prop_assert!(kept.len() < 60 && kept.split(',').count() <= MOST_LANGUAGES);
        prop_assert_eq!(languages(&kept), kept);
        prop_assert_eq!(connection(connection(&given)), connection(&given));
        prop_assert_eq!(navigation_type(navigation_type(&given)), navigation_type(&given));
    }

    #[test]
    fn tags_of_any_kind_make_a_list_of_languages(given in "([a-zA-Z]{1,4}(-[a-zA-Z0-9]{1,4}){0,3}(;q=0[.][0-9])?, ?){0,9}") {
        let kept = languages(&given);
        prop_assert!(kept.is_empty() || kept.split(',').all(|tag| language(tag) == tag && !tag.is_empty()));
    }

    #[test]
    fn plugins_are_bounded_whatever_is_named(given in prop::collection::vec("[ -~é\u{0}-\u{1f}]{0,80}", 0..40)) {
        let names: Vec<&str> = given.iter().map(String::as_str).collect();
        let kept = plugins(&names);
        let list: Vec<&str> = kept.split(", ").filter(|name| !name.is_empty()).collect();
        prop_assert!(list.len() <= MOST_PLUGINS && list.is_sorted());
        prop_assert!(list.iter().all(|name| name.len() <= LONGEST_PLUGIN && name.bytes().all(|b| (b' '..=b'~').contains(&b))));
        prop_assert_eq!(plugins(&list), kept);
    }
}
