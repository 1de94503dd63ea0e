//! What a site may declare.

use super::*;
use crate::consent::Purpose;

#[test]
fn every_manager_has_a_word_of_its_own_and_a_cookie() {
    for manager in Manager::ALL {
        assert_eq!(Manager::from_word(manager.word()), Some(manager));
        assert!(!manager.cookies().is_empty());
        assert!(manager.usual().iter().all(|(category, _)| manager.check_category(category).is_ok()));
        assert!(manager.usual().iter().all(|(_, purpose)| policy().index(purpose).is_some_and(|index| index > 0)));
    }
    let words: std::collections::HashSet<_> = Manager::ALL.into_iter().map(Manager::word).collect();
    assert_eq!((words.len(), Manager::from_word("usercentrics"), Manager::from_word("Klaro")), (16, None, None));
}

#[test]
fn the_usual_mapping_counts_as_far_as_its_purposes_are_declared() {
    let text = |id: &str| Purpose { id: id.into(), title: "x".into(), description: "x".into(), ..Purpose::default() };
    let policy = Policy::new(vec![text("surveys"), text("marketing")], 1, LIFE).unwrap();
    assert_eq!(Import::usual(Manager::Cookiebot, &policy), [("marketing".to_owned(), 2)]);
    assert_eq!(Import::usual(Manager::Klaro, &policy), [], "its services are the site's own");
    let none =
        Import::new(Manager::CookieConsent3, None, None, Import::usual(Manager::CookieConsent3, &policy), &policy);
    assert_eq!(none, Err(ImportError::NoCategories("cookieconsent-v3")));
}

#[test]
fn what_cannot_be_believed_is_refused_and_named() {
    let policy = policy();
    let new = |manager, cookie: Option<&str>, version: Option<&str>, categories: &[(&str, usize)]| {
        let categories = categories.iter().map(|(category, purpose)| ((*category).to_owned(), *purpose)).collect();
        Import::new(manager, cookie.map(str::to_owned), version.map(str::to_owned), categories, &policy).map(|_| ())
    };
    let a = &[("a", 2)];
    assert_eq!(new(Manager::Klaro, Some("consent"), None, a), Ok(()));
    assert_eq!(new(Manager::Klaro, None, None, &[]), Err(ImportError::NoCategories("klaro")));
    assert_eq!(new(Manager::Klaro, None, None, &[("a", 0)]), Err(ImportError::Necessary("a".into())));
    assert_eq!(new(Manager::Klaro, None, None, &[("a", 4)]), Err(ImportError::NoPurpose("a".into())));
    assert_eq!(new(Manager::Klaro, None, None, &[("", 2)]), Err(ImportError::Category("".into(), "klaro")));
    assert_eq!(new(Manager::Klaro, None, Some("1"), a), Err(ImportError::NoVersion("klaro")));
    for version in ["", "x", "01", "-1", "1.0", "99999999999999999999"] {
        let error = ImportError::BadVersion(version.into(), "cookieconsent-v3");
        assert_eq!(new(Manager::CookieConsent3, None, Some(version), a), Err(error));
    }
    assert_eq!(new(Manager::C15t, None, Some("f1e2d3"), a), Ok(()));
    for purpose in ["0", "25", "a", "-1", ""] {
        let error = ImportError::Category(purpose.into(), "tcf");
        assert_eq!(new(Manager::Tcf, None, None, &[(purpose, 2)]), Err(error));
    }
    for name in ["", "a b", "a=b", "a;b", "a\n"] {
        assert_eq!(new(Manager::Klaro, Some(name), None, a), Err(ImportError::BadCookie(name.into())));
    }
    let many: Vec<(&str, usize)> = vec![("a", 2); 65];
    assert_eq!(new(Manager::Klaro, None, None, &many), Err(ImportError::TooMany(65)));
}

#[test]
fn the_cookies_that_are_read_are_those_a_site_has_to_declare() {
    let cookies = |import: &Import| import.cookies().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(cookies(&import(Manager::Klaro)), ["klaro"]);
    assert_eq!(cookies(&import(Manager::OneTrust)), ["OptanonConsent", "OptanonAlertBoxClosed"]);
    assert_eq!(cookies(&import(Manager::Tcf)), ["euconsent-v2", "eupubconsent-v2"]);
    assert_eq!(cookies(&import_as(Manager::Klaro, Some("consent"), None, &[("a", "analytics")])), ["consent"]);
}

#[test]
fn rule_c12_a_cookie_by_another_name_is_read_by_that_name_alone() {
    let renamed = import_as(Manager::Klaro, Some("consent"), None, &[("matomo", "analytics")]);
    assert_eq!(told(&renamed, r#"klaro={"matomo":true}"#), None);
    assert_eq!(told(&renamed, r#"consent={"matomo":true}; klaro={"matomo":false}"#), answers("analytics", ""));
    assert_eq!(told(&renamed, r#"Consent={"matomo":true}; consents={"matomo":true}; xconsent={"matomo":true}"#), None);
}
