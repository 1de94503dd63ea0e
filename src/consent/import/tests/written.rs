//! Cookies as Chromium sent them after the managers' own buttons were pressed (`tests/browser/import.test.mjs` presses those
//! of CookieConsent and Klaro), and real TC strings of other sites.

use super::*;

/// 2026-11-26, 17:30 UTC.
const THEN: u64 = 1_795_714_200;

fn told_then(import: &Import, line: &str) -> Told {
    told_at(import, &[line], THEN)
}

#[test]
fn rule_c12_cookieconsent_3_1_0_as_chromium_sent_it() {
    let categories = [("analytics", "analytics"), ("marketing", "marketing")];
    let import = import_as(Manager::CookieConsent3, None, Some("2"), &categories);
    let accepted = "cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%2C%22analytics%22%2C%22marketing%22%5D%2C%22revision%22%3A2%2C%22data%22%3Anull%2C%22consentTimestamp%22%3A%222026-11-26T17%3A17%3A55.205Z%22%2C%22consentId%22%3A%2277032fc5-b4d4-469a-98aa-b83700484e5b%22%2C%22services%22%3A%7B%22necessary%22%3A%5B%5D%2C%22analytics%22%3A%5B%5D%2C%22marketing%22%3A%5B%5D%7D%2C%22languageCode%22%3A%22en%22%2C%22lastConsentTimestamp%22%3A%222026-11-26T17%3A17%3A55.205Z%22%2C%22expirationTime%22%3A1811438275206%7D";
    assert_eq!(told_then(&import, accepted), answers("analytics marketing", ""));
    let rejected_later = "cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%5D%2C%22revision%22%3A2%2C%22data%22%3Anull%2C%22consentTimestamp%22%3A%222026-11-26T17%3A17%3A55.205Z%22%2C%22consentId%22%3A%2277032fc5-b4d4-469a-98aa-b83700484e5b%22%2C%22services%22%3A%7B%22necessary%22%3A%5B%5D%2C%22analytics%22%3A%5B%5D%2C%22marketing%22%3A%5B%5D%7D%2C%22languageCode%22%3A%22en%22%2C%22lastConsentTimestamp%22%3A%222026-11-26T17%3A17%3A56.596Z%22%2C%22expirationTime%22%3A1811438276596%7D";
    assert_eq!(told_then(&import, rejected_later), answers("", "analytics marketing"));
    let read = |line: &str| import.read([line.as_bytes()], THEN, LIFE).unwrap();
    assert_eq!((read(accepted).at, read(rejected_later).at), (Some(1_795_713_475), Some(1_795_713_476)));
    assert_eq!(told_then(&import_as(Manager::CookieConsent3, None, None, &categories), accepted), None, "revision 2");
}

#[test]
fn rule_c12_cookieconsent_3_1_0_with_services_as_chromium_sent_it() {
    // `matomo` was accepted and `ga` was not; then both.
    let one = "cc_cookie=%7B%22categories%22%3A%5B%22analytics%22%2C%22necessary%22%5D%2C%22revision%22%3A0%2C%22data%22%3Anull%2C%22consentTimestamp%22%3A%222026-11-26T17%3A19%3A18.613Z%22%2C%22consentId%22%3A%22871a122a-5b17-4407-87ce-671887a54321%22%2C%22services%22%3A%7B%22necessary%22%3A%5B%5D%2C%22analytics%22%3A%5B%22matomo%22%5D%2C%22marketing%22%3A%5B%5D%7D%2C%22languageCode%22%3A%22en%22%2C%22lastConsentTimestamp%22%3A%222026-11-26T17%3A19%3A18.613Z%22%2C%22expirationTime%22%3A1811438358613%7D";
    let both = "cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%2C%22analytics%22%2C%22marketing%22%5D%2C%22revision%22%3A0%2C%22data%22%3Anull%2C%22consentTimestamp%22%3A%222026-11-26T17%3A19%3A20.236Z%22%2C%22consentId%22%3A%221b5cc1e0-5889-4fa0-bf56-eb0547510267%22%2C%22services%22%3A%7B%22necessary%22%3A%5B%5D%2C%22analytics%22%3A%5B%22ga%22%2C%22matomo%22%5D%2C%22marketing%22%3A%5B%5D%7D%2C%22languageCode%22%3A%22en%22%2C%22lastConsentTimestamp%22%3A%222026-11-26T17%3A19%3A20.236Z%22%2C%22expirationTime%22%3A1811438360237%7D";
    let services =
        [("analytics/ga", "analytics"), ("analytics/matomo", "analytics"), ("analytics/matomo", "preferences")];
    let services = import_as(Manager::CookieConsent3, None, None, &services);
    assert_eq!(told_then(&services, one), answers("preferences", "analytics"));
    assert_eq!(told_then(&services, both), answers("preferences analytics", ""));
    assert_eq!(told_then(&import(Manager::CookieConsent3), one), answers("", "marketing"), "not by the category alone");
}

#[test]
fn rule_c12_cookieconsent_2_9_2_as_chromium_sent_it() {
    let import = import_as(Manager::CookieConsent2, None, None, &[("analytics", "analytics")]);
    let accepted = r#"cc_cookie={"categories":["necessary","analytics"],"level":["necessary","analytics"],"revision":0,"data":null,"rfc_cookie":false,"consent_date":"2026-11-26T17:18:23.249Z","consent_uuid":"32ee64c8-534e-4546-b7b2-ef454159a43e","last_consent_update":"2026-11-26T17:18:23.249Z"}"#;
    assert_eq!(told_then(&import, accepted), answers("analytics", ""));
    let rejected_later = r#"cc_cookie={"categories":["necessary"],"level":["necessary"],"revision":0,"data":null,"rfc_cookie":false,"consent_date":"2026-11-26T17:18:23.249Z","consent_uuid":"32ee64c8-534e-4546-b7b2-ef454159a43e","last_consent_update":"2026-11-26T17:18:24.679Z"}"#;
    assert_eq!(told_then(&import, rejected_later), answers("", "analytics"));
    // With `use_rfc_cookie` and revision 3.
    let encoded = "cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%2C%22analytics%22%5D%2C%22level%22%3A%5B%22necessary%22%2C%22analytics%22%5D%2C%22revision%22%3A3%2C%22data%22%3Anull%2C%22rfc_cookie%22%3Atrue%2C%22consent_date%22%3A%222026-11-26T17%3A19%3A21.802Z%22%2C%22consent_uuid%22%3A%2298ac339d-def1-40fe-acc5-23f1384ec85d%22%2C%22last_consent_update%22%3A%222026-11-26T17%3A19%3A21.802Z%22%7D";
    assert_eq!(told_then(&import, encoded), None, "the site declares no revision");
    let third = import_as(Manager::CookieConsent2, None, Some("3"), &[("analytics", "analytics")]);
    assert_eq!(told_then(&third, encoded), answers("analytics", ""));
}

#[test]
fn rule_c12_klaro_0_7_22_as_chromium_sent_it() {
    let klaro = import(Manager::Klaro);
    let accepted = "klaro=%7B%22matomo%22%3Atrue%2C%22youtube%22%3Atrue%7D";
    assert_eq!(told_then(&klaro, accepted), answers("analytics marketing", ""));
    let rejected = "klaro=%7B%22matomo%22%3Afalse%2C%22youtube%22%3Afalse%7D";
    assert_eq!(told_then(&klaro, rejected), answers("", "analytics marketing"));
    assert_eq!(klaro.read([accepted.as_bytes()], THEN, LIFE).unwrap().at, None, "it writes no time");
}

#[test]
fn rule_c12_tarteaucitron_1_34_0_as_chromium_sent_it() {
    let tarteaucitron = import(Manager::Tarteaucitron);
    let before = "tarteaucitron=!gtag=wait!hotjar=wait!youtube=wait";
    assert_eq!(told_then(&tarteaucitron, before), None);
    let accepted = "tarteaucitron=!gtag=true!hotjar=true!youtube=true";
    assert_eq!(told_then(&tarteaucitron, accepted), answers("analytics marketing", ""));
    let rejected = "tarteaucitron=!gtag=false!hotjar=false!youtube=false";
    assert_eq!(told_then(&tarteaucitron, rejected), answers("", "analytics marketing"));
}

#[test]
fn rule_c12_c15t_2_2_1_as_chromium_sent_it() {
    let c15t = import(Manager::C15t);
    let accepted = "c15t=c.necessary:1,c.measurement:1,c.marketing:1,i.t:1795713033309,i.sid:sub_111D9V9DKzLdNd1RFN2QNJXX52,i.mpf:530a2fff503ff19aa2e968a39e567ff6f28417d940c760554afd26865862a956";
    assert_eq!(told_then(&c15t, accepted), answers("analytics marketing", ""));
    assert_eq!(c15t.read([accepted.as_bytes()], THEN, LIFE).unwrap().at, Some(1_795_713_033));
    let rejected = "c15t=c.necessary:1,i.t:1795713036503,i.sid:sub_111D9V9Hv4gzuo6zwq2N935q5G,i.mpf:530a2fff503ff19aa2e968a39e567ff6f28417d940c760554afd26865862a956";
    assert_eq!(told_then(&c15t, rejected), answers("", "analytics marketing"));
}

#[test]
fn rule_c12_real_tc_strings() {
    let tcf = import(Manager::Tcf);
    // As Cookiebot wrote it after a refusal, February 2024.
    let refused = "euconsent-v2=CP5jqEAP5jqEACGABBENAmEgAAAAAAAAAAAAAAAAAAAA.YAAAAAAAAAAA";
    assert_eq!(told_at(&tcf, &[refused], 1_707_300_000), answers("", "analytics marketing"));
    // The beginning of one that was accepted, December 2023: everything that is looked at, and some vendors.
    let accepted = "eupubconsent-v2=CP2XLJgP2XLJgAcABBENAdEsAP_gAEPgACiQg1QooAAg";
    assert_eq!(told_at(&tcf, &[accepted], 1_701_900_000), answers("analytics marketing", ""));
    let at = tcf.read([accepted.as_bytes()], 1_701_900_000, LIFE).unwrap().at;
    assert!(at.is_some_and(|at| (1_701_734_400..1_701_900_000).contains(&at)), "{at:?}");
    assert_eq!(told_at(&tcf, &[accepted], NOW), None, "years later");
}
