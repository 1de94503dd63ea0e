//! `[consent.import]` and `[[import]]`: what is believed of a consent manager the site has already, and what cannot be.

use super::*;
use crate::consent::import::Manager;

fn import(text: &str) -> Option<Import> {
    read(&format!("{MINIMAL}{text}")).unwrap_or_else(|error| panic!("{text}\n{error}")).import
}

#[test]
fn rule_c12_no_manager_is_believed_unless_one_is_named() {
    assert_eq!(import(""), None);
    assert_eq!(import("[consent.import]\n"), None);
}

#[test]
fn rule_c12_a_manager_is_believed_about_what_its_categories_usually_mean() {
    let believed = import("[consent.import]\nmanager = \"cookiebot\"").unwrap();
    assert_eq!(believed.manager(), Manager::Cookiebot);
    assert_eq!(believed.categories(), [("preferences".into(), 1), ("statistics".into(), 2), ("marketing".into(), 3)]);
    assert_eq!(believed.cookies().collect::<Vec<_>>(), ["CookieConsent"]);
    let few = "[consent.import]\nmanager = \"cookiebot\"\n[[purpose]]\nid = \"analytics\"";
    assert_eq!(import(few).unwrap().categories(), [("statistics".into(), 1)], "as far as its purposes are declared");
}

#[test]
fn rule_c12_a_mapping_of_the_sites_own_takes_the_usual_ones_place() {
    let text = r#"
        [consent.import]
        manager = "cookieconsent-v3"
        cookie = "consent"
        version = 3
        [[import]]
        category = "analytics/ga"
        purpose = "analytics"
        [[import]]
        category = "analytics/matomo"
        purpose = "analytics"
        [[import]]
        category = "ads"
        purpose = "marketing"
    "#;
    let believed = import(text).unwrap();
    let expected = [("analytics/ga".into(), 2), ("analytics/matomo".into(), 2), ("ads".into(), 3)];
    assert_eq!(believed.categories(), expected);
    assert_eq!(believed.cookies().collect::<Vec<_>>(), ["consent"]);
    assert_eq!(Some(believed), import(&text.replace("version = 3", "version = \"3\"")));
}

#[test]
fn rule_c12_the_environment_names_a_manager_too() {
    let env = [
        ("CONSENTRY__CONSENT__IMPORT__MANAGER", "civic"),
        ("CONSENTRY__CONSENT__IMPORT__VERSION", "25/04/2018"),
        ("CONSENTRY__IMPORT", r#"[{ category = "performance", purpose = "analytics" }]"#),
    ];
    let believed = read_with(MINIMAL, &env).unwrap().import.unwrap();
    assert_eq!((believed.manager(), believed.categories()), (Manager::Civic, &[("performance".into(), 2)][..]));
}

#[test]
fn what_cannot_be_believed_is_named_with_what_is_allowed() {
    let cases = [
        (
            "manager = \"usercentrics\"",
            "consent.import.manager",
            "\"cookieconsent-v3\", \"cookieconsent-v2\", \"klaro\"",
        ),
        ("manager = \"klaro\"", "consent.import.manager", "an [[import]] with category and purpose for each"),
        (
            "manager = \"klaro\"\nversion = 1\n[[import]]\ncategory = \"a\"\npurpose = \"analytics\"",
            "consent.import.version",
            "one of the managers cookieconsent-v3, cookieconsent-v2, c15t",
        ),
        ("manager = \"cookiebot\"\nversion = \"new\"", "consent.import.version", "a whole number such as 2"),
        ("manager = \"cookiebot\"\ncookie = \"a b\"", "consent.import.cookie", "a cookie's name"),
        ("manager = \"cookiebot\"\ncookie = \"a*\"", "consent.import.cookie", "without a star"),
        ("manager = \"cookiebot\"\ncookie = \"consentry\"", "consent.import.cookie", "none of it consentry*"),
        ("cookie = \"a\"", "consent.import.cookie", "only together with manager"),
        ("version = 2", "consent.import.version", "only together with manager"),
        ("[[import]]\ncategory = \"a\"\npurpose = \"analytics\"", "import[0].category", "only together with manager"),
        (
            "manager = \"tcf\"\n[[import]]\ncategory = \"25\"\npurpose = \"analytics\"\n[[import]]\ncategory = \"2\"\npurpose = \"analytics\"",
            "import[0].category",
            "from 1 to 24",
        ),
        (
            "manager = \"klaro\"\n[[import]]\ncategory = \"a\"\npurpose = \"necessary\"",
            "import[0].purpose",
            "preferences, analytics, marketing",
        ),
        (
            "manager = \"klaro\"\n[[import]]\ncategory = \"a\"\npurpose = \"sales\"",
            "import[0].purpose",
            "necessary, preferences, analytics, marketing",
        ),
        ("manager = \"klaro\"\n[[import]]\npurpose = \"analytics\"", "import[0].category", "1 to 128 characters"),
        (
            "manager = \"klaro\"\n[[import]]\ncategory = \"a\"\npurpose = \"analytics\"\n[[import]]\ncategory = \"a\"\npurpose = \"analytics\"",
            "import[1].category",
            "each once for each purpose",
        ),
        (
            "manager = \"cookiebot\"\n[[purpose]]\nid = \"surveys\"\ntitle = \"S\"\ndescription = \"S\"",
            "consent.import.manager",
            "preferences, analytics, marketing",
        ),
    ];
    for (text, key, allowed) in cases {
        let found = problems(&format!("{MINIMAL}[consent.import]\n{text}"));
        assert_eq!(found.len(), 1, "{text}\n{found:?}");
        assert!(found[0].key == key && found[0].allowed.contains(allowed), "{text}\n{found:?}");
    }
}
