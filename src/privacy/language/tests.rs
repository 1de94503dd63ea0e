//! Which language a visitor reads, and whose words.

use super::*;
use crate::config::{PurposeText, example};

fn accepted<'a>(languages: &'a Languages, line: &str) -> &'a str {
    let value = HeaderValue::from_str(line).unwrap();
    &languages.get(languages.accepted([&value])).code
}

fn own(code: &str) -> OwnWords {
    OwnWords { code: code.into(), ..OwnWords::default() }
}

#[test]
fn the_browsers_languages_are_taken_in_the_order_of_their_weight() {
    let languages = Languages::new(&Consent::default());
    for (line, expected) in [
        ("", "en-GB"),
        ("cy", "cy"),
        ("CY", "cy"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("ja,fr;q=0.5,de;q=0.7", "de"),
        ("fr;q=0, de;q=0.1", "de"),
        ("ja, ko", "en-GB"),
        ("*", "en-GB"),
        ("ja, *;q=0.5, pl;q=0.1", "en-GB"),
        ("en-US", "en-GB"),
        ("pt-BR", "pt"),
        ("fr;q=0.5,de;q=0.5", "fr"),
        ("sv; q=0.8 , nl ;q=0.9", "nl"),
        ("sv;q=2,nl;q=x,de;q=NaN,it;level=1,pl;q=0.1", "pl"),
        (",,;q=1,-,cy-", "cy"),
    ] {
        assert_eq!(accepted(&languages, line), expected, "{line}");
    }
    let much = format!("{}cy", "ja,".repeat(MOST_RANGES));
    assert_eq!(accepted(&languages, &much), "en-GB", "nobody asks for so many");
}

#[test]
fn a_pages_language_is_found_by_its_tag_then_by_less_of_it() {
    let languages =
        Languages::new(&Consent { languages: vec![own("pt-BR"), own("zh-Hant"), own("ar")], ..Consent::default() });
    let found = |tag: &str| languages.find(tag).map(|index| &*languages.get(index).code);
    for (tag, expected) in [
        ("en", Some("en-GB")),
        ("en-AU", Some("en-GB")),
        ("PT-br", Some("pt-BR")),
        ("pt-PT", Some("pt")),
        ("zh-Hant-TW", Some("zh-Hant")),
        ("zh", Some("zh-Hant")),
        ("ar-EG", Some("ar")),
        ("ja", None),
        ("", None),
        ("e", None),
    ] {
        assert_eq!(found(tag), expected, "{tag}");
    }
}

#[test]
fn our_own_pages_are_in_the_language_their_address_names() {
    let mut arabic = own("ar");
    arabic.accept = Some("قبول الكل".into());
    let languages = Languages::new(&Consent { language: "de".into(), languages: vec![arabic], ..Consent::default() });
    let french = HeaderValue::from_static("fr");
    let of = |query, accept| {
        let (language, asked) = languages.of_page(query, accept);
        (&*language.code, asked)
    };
    assert_eq!(of(Some("saved=1&lang=CY"), Some(&french)), ("cy", true));
    assert_eq!(of(Some("lang=ja"), Some(&french)), ("fr", false));
    assert_eq!(of(Some("lang="), None), ("de", false));
    assert_eq!(of(None, None), ("de", false));
    // Its words are enough for a banner and not for a page.
    assert_eq!(of(Some("lang=ar"), Some(&HeaderValue::from_static("ar"))), ("en-GB", false));
    assert_eq!(languages.of_pages().count(), BUILT_IN.len());
}

#[test]
fn what_is_written_from_right_to_left_says_so() {
    for code in ["ar", "he", "fa", "ur", "ps", "sd", "ug", "yi", "dv", "ar-EG", "pa-Arab", "az-Arab-IR"] {
        assert_eq!(dir(code), "rtl", "{code}");
    }
    for code in ["en-GB", "cy", "de", "zh-Hant", "ps-Latn", "are"] {
        assert_eq!(dir(code), "ltr", "{code}");
    }
}

#[test]
fn own_words_count_in_their_language_and_built_in_ones_elsewhere() {
    let consent = Consent {
        language: "de".into(),
        banner_title: Some("Kekse".into()),
        languages: vec![
            OwnWords { reject: Some("Nein danke".into()), ..own("de") },
            OwnWords {
                accept: Some("قبول الكل".into()), words: "title = \"خيارات\"".parse().unwrap(), ..own("ar")
            },
            own("pt-BR"),
        ],
        ..Consent::default()
    };
    let languages = Languages::new(&consent);
    let words = |tag| &languages.get(languages.find(tag).unwrap()).words;
    let built_in = |code| Words::of(code, &toml::Table::new());
    assert_eq!((words("de").banner_title.as_str(), words("de").reject.as_str()), ("Kekse", "Nein danke"));
    assert_eq!(words("de").accept, built_in("de").accept);
    assert_eq!(words("en").banner_title, built_in("en-GB").banner_title);
    assert_eq!((words("ar").accept.as_str(), words("ar").title.as_str()), ("قبول الكل", "خيارات"));
    assert_eq!(words("ar").reject, built_in("en-GB").reject, "what is not given is English");
    assert_eq!(words("pt-BR").reject, built_in("pt").reject, "or of the same language");
}

#[test]
fn a_purpose_has_the_operators_words_ours_where_they_are_unchanged_and_says_which_language_they_are_in() {
    let toml = format!(
        "{}\n[[purpose]]\nid = \"analytics\"\ntitle = \"Counting\"\n[[purpose]]\nid = \"marketing\"\n\
         [[purpose]]\nid = \"health\"\ntitle = \"Health\"\ndescription = \"About you.\"\nlegal_basis = \"Explicit consent\"\n",
        example()
    );
    let mut config = crate::config::Config::from_toml(&toml, "", std::iter::empty()).unwrap();
    let text = |language: &str| PurposeText {
        purpose: 3,
        language: language.into(),
        title: "Iechyd".into(),
        description: "Amdanoch chi.".into(),
    };
    config.consent.purpose_texts.push(text("cy"));
    let languages = Languages::new(&config.consent);
    let said = |tag| {
        let language = languages.get(languages.find(tag).unwrap());
        purposes(&config.policy, &config.consent, language, &languages)
    };
    let (cy, de, en) = (said("cy"), said("de"), said("en"));
    assert_eq!((&*cy[2].title.text, cy[2].title.attributes()), ("Marchnata", String::new()));
    assert_eq!((&*cy[1].title.text, &*cy[1].title.attributes()), ("Counting", " lang=\"en-GB\" dir=\"ltr\""));
    assert_eq!(cy[1].description.attributes(), "", "the description was left as it is");
    assert_eq!((&*cy[3].title.text, cy[3].title.attributes()), ("Iechyd", String::new()));
    assert_eq!((&*de[3].title.text, &*de[3].title.attributes()), ("Health", " lang=\"en-GB\" dir=\"ltr\""));
    assert_eq!((&*en[3].title.text, en[3].title.attributes()), ("Health", String::new()));
    assert_eq!((&*de[3].basis.text, &*de[2].basis.text), ("Explicit consent", "Ihre Einwilligung"));
    assert_eq!(en[0].basis.text, "Needed for the website to work; no consent required");
}
