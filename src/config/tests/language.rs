//! Languages and words: what is written counts for what it says, and nothing else.

use super::*;
use crate::config::{BUILT_IN, LinkPosition};

fn consent(more: &str) -> Consent {
    read(&format!("{MINIMAL}{more}")).unwrap_or_else(|error| panic!("{error}")).consent
}

#[test]
fn a_built_in_text_that_is_written_down_stays_built_in() {
    let plain = consent("");
    assert_eq!((plain.banner_title, plain.banner_text, plain.link_text), (None, None, None));
    assert_eq!((plain.language.as_str(), plain.link_position), ("en-GB", LinkPosition::Left));
    let copied =
        consent("[consent]\nlanguage = \"DE\"\nbanner_title = \"Cookies on this site\"\nlink_text = \"Daten\"\n");
    assert_eq!((copied.banner_title, copied.link_text.as_deref()), (None, Some("Daten")));
    assert_eq!(copied.language, "de");
}

#[test]
fn a_language_may_be_any_and_says_what_it_has() {
    let own = consent("[consent]\nlanguage = \"ar\"\n[[language]]\ncode = \"AR\"\naccept = \"قبول الكل\"\n");
    assert_eq!((own.language.as_str(), own.languages[0].code.as_str()), ("ar", "ar"));
    assert_eq!((own.languages[0].accept.as_deref(), own.languages[0].reject.as_deref()), (Some("قبول الكل"), None));
    for (written, usual) in
        [("PT-br", "pt-BR"), ("zh-HANT-tw", "zh-Hant-TW"), ("de-1996", "de-1996"), ("en-gb", "en-GB")]
    {
        assert_eq!(consent(&format!("[[language]]\ncode = \"{written}\"\n")).languages[0].code, usual);
    }
}

#[test]
fn a_purpose_has_its_words_in_other_languages() {
    let purpose = "[[purpose]]\nid = \"health\"\ntitle = \"Health\"\ndescription = \"About you.\"\n";
    let text =
        "[[purpose_text]]\npurpose = \"health\"\nlanguage = \"cy\"\ntitle = \"Iechyd\"\ndescription = \"Amdanoch.\"\n";
    let texts = consent(&format!("{purpose}{text}")).purpose_texts;
    assert_eq!((texts[0].purpose, texts[0].language.as_str(), texts[0].title.as_str()), (1, "cy", "Iechyd"));
    for (wrong, key, says) in [
        (text.replace("\"cy\"", "\"en-GB\""), "purpose_text[0].language", "default language"),
        (text.replace("\"cy\"", "\"ja\""), "purpose_text[0].language", "neither built in nor given"),
        (text.replace("\"cy\"", "\"?\""), "purpose_text[0].language", "not a language's tag"),
        (text.replace("\"health\"", "\"wealth\""), "purpose_text[0].purpose", "not a declared purpose"),
        (format!("{text}{text}"), "purpose_text[1].language", "there twice for this purpose"),
        (text.replace("title = \"Iechyd\"\n", ""), "purpose_text[0].title", "is missing"),
    ] {
        let found = problems(&format!("{MINIMAL}{purpose}{wrong}"));
        assert!(found.len() == 1 && found[0].key == key && found[0].to_string().contains(says), "{found:?}");
    }
}

#[test]
fn what_cannot_be_a_language_a_place_or_a_contact_is_named() {
    for (wrong, key) in [
        ("[consent]\nlanguage = \"ja\"", "consent.language"),
        ("[consent]\nlanguage = \"english please\"", "consent.language"),
        ("[consent]\nlanguage = \"x\"", "consent.language"),
        ("[consent]\nlink_position = \"top\"", "consent.link_position"),
        ("[consent]\ncontact = \"call us\"", "consent.contact"),
        ("[consent]\ncontact = \"a@b\"", "consent.contact"),
        ("[consent]\ncontact = \"javascript:alert(1)@x.example\"", "consent.contact"),
        ("[consent]\nbanner_version = \"\"", "consent.banner_version"),
        ("[[language]]\ncode = \"ja\"\n[[language]]\ncode = \"JA\"", "language[1].code"),
        ("[[language]]\ncode = \"ja\"\naccept = \"\"", "language[0].accept"),
        ("[[language]]\ncolour = \"red\"\ncode = \"ja\"", "language[0].colour"),
    ] {
        let found = problems(&format!("{MINIMAL}{wrong}\n"));
        assert!(found.len() == 1 && found[0].key == key, "{wrong}: {found:?}");
    }
    for right in ["privacy@example.org", "https://example.org/contact", "/contact"] {
        assert_eq!(consent(&format!("[consent]\ncontact = \"{right}\"\n")).contact.as_deref(), Some(right));
    }
    assert_eq!(consent("[consent]\nlink_position = \"none\"\n").link_position, LinkPosition::None);
}

#[test]
fn the_first_built_in_language_is_the_default() {
    assert_eq!(consent("").language, BUILT_IN[0]);
    assert_eq!(format!("{:?}", consent("")), format!("{:?}", Consent::default()));
}

#[test]
fn any_word_may_be_given_by_its_name_and_in_its_shape() {
    let words = "[[language]]\ncode = \"ar\"\n[language.words]\ntitle = \"خيارات\"\nsignal_open = \"({signal})\"\n\
                 day = { one = \"يوم\", two = \"يومان\", few = \"{n} أيام\" }\npurposes.analytics.title = \"التحليلات\"\n";
    let text = format!("{MINIMAL}{words}[consent]\nlanguage = \"ar\"\nlink_position = \"none\"\n");
    let explained = Config::explain_toml(&text, "consentry.toml", std::iter::empty()).unwrap_or_else(|e| panic!("{e}"));
    let own = &explained.config.consent.languages[0].words;
    assert_eq!(own["day"]["two"].as_str(), Some("يومان"));
    assert_eq!(own["purposes"]["analytics"]["title"].as_str(), Some("التحليلات"));
    assert_prints_itself(&explained);
    let said = explained.consequences().join("\n");
    assert!(said.contains("pt, sv and ar, by the page's language; the texts written here are in ar."), "{said}");
    assert!(said.contains("the site must have its own on every page"), "{said}");
    for (wrong, says) in [
        ("titel = \"x\"", "is for `titel`, which is no word's name"),
        ("title = \"{name}\"", "has a place {name} that is not filled"),
        ("title = 1", "is a whole number, not as the English one (string)"),
        ("title = \" \"", "is empty"),
        ("months = [\"a\"]", "is a list, not as the English one (array)"),
        ("day = \"x\"", "is a text, not as the English one (table)"),
        ("day.several = \"x\"", "is for `several`"),
        ("purposes.health.title = \"x\"", "is for `health`"),
    ] {
        let found = problems(&format!("{MINIMAL}[[language]]\ncode = \"ar\"\n[language.words]\n{wrong}\n"));
        assert!(found.len() == 1 && found[0].key == "language[0].words" && found[0].what.contains(says), "{found:?}");
    }
}
