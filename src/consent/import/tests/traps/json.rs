//! Managers that write JSON.

use super::super::samples::{base64, didomi, encoded};
use super::*;

#[test]
fn rule_c12_cookieconsent_v3_needs_its_id_both_times_and_the_revision() {
    nothing(
        Manager::CookieConsent3,
        &changed_json(
            Manager::CookieConsent3,
            &[
                (r#""consentId""#, r#""id""#),
                (r#""77032fc5-b4d4-469a-98aa-b83700484e5b""#, r#""""#),
                (r#""consentTimestamp""#, r#""x""#),
                (r#""lastConsentTimestamp""#, r#""x""#),
                ("2026-01-22T10:00:00.205Z", "yesterday"),
                ("2026-01-02T08:30:00.120Z", "2026-01-22T11:00:00.000Z"),
                (r#""categories""#, r#""category""#),
                (r#"["necessary","analytics","marketing"]"#, r#""analytics""#),
                (r#"["necessary","analytics","marketing"]"#, r#"{"analytics":true}"#),
                (r#""revision":0"#, r#""revision":3"#),
                (r#""revision":0,"#, ""),
                (r#""revision":0"#, r#""revision":"0""#),
                ("1784800800205", "1769000000000"),
                (r#""data":null"#, r#""categories":[]"#),
            ],
        ),
    );
    let asked = import_as(Manager::CookieConsent3, None, Some("3"), &[("analytics", "analytics")]);
    assert_eq!(told(&asked, &accepted(Manager::CookieConsent3)), None, "agreed to revision 0 and asked for 3");
    let now = changed_json(Manager::CookieConsent3, &[(r#""revision":0"#, r#""revision":3"#)]).remove(0);
    assert_eq!(told(&asked, &now), answers("analytics", ""));
}

#[test]
fn rule_c12_cookieconsent_v3_lists_a_category_as_soon_as_one_service_is_accepted() {
    let line = |services: &str| {
        let services = format!(r#""analytics":{services}"#);
        changed_json(Manager::CookieConsent3, &[(r#""analytics":[]"#, &services)]).remove(0)
    };
    let plain = import(Manager::CookieConsent3);
    assert_eq!(told(&plain, &line(r#"["ga"]"#)), answers("marketing", ""), "analytics as a whole is unknown");
    let services = [("analytics/ga", "analytics"), ("analytics/matomo", "analytics")];
    let services = import_as(Manager::CookieConsent3, None, None, &services);
    assert_eq!(told(&services, &line(r#"["ga"]"#)), answers("", "analytics"));
    assert_eq!(told(&services, &line(r#"["matomo","ga"]"#)), answers("analytics", ""));
    assert_eq!(told(&services, &line("[]")), answers("", "analytics"));
    assert_eq!(told(&services, &line(r#""ga""#)), None);
    // Services that are left over of a category that was refused since.
    let left = line(r#"["matomo","ga"]"#).replace(&encoded(r#","analytics","#), &encoded(","));
    assert_eq!(told(&services, &left), answers("", "analytics"));
    assert_eq!(told(&plain, &left), answers("marketing", "analytics"));
}

#[test]
fn rule_c12_cookieconsent_v2_is_raw_or_encoded_and_needs_its_id_and_date() {
    let line = accepted(Manager::CookieConsent2);
    let (name, value) = line.split_once('=').unwrap();
    let all = answers("analytics marketing", "");
    assert_eq!(told(&import(Manager::CookieConsent2), &format!("{name}={}", encoded(value))), all);
    let twice = encoded(&encoded(value));
    assert_eq!(told(&import(Manager::CookieConsent2), &format!("{name}={twice}")), None, "it is decoded once");
    nothing(
        Manager::CookieConsent2,
        &changed(
            Manager::CookieConsent2,
            &[
                (r#""consent_uuid""#, r#""uuid""#),
                (r#""consent_date""#, r#""date""#),
                ("32ee64c8-534e-4546-b7b2-ef454159a43e", ""),
                (r#""revision":0"#, r#""revision":1"#),
                (r#""last_consent_update":"2026-01-22T10"#, r#""last_consent_update":"2026-01-22T09"#),
                (r#""rfc_cookie":false"#, r#""rfc_cookie":"#),
            ],
        ),
    );
    let level = changed(Manager::CookieConsent2, &[(r#""level":["necessary","analytics""#, r#""level":["necessary""#)]);
    assert_eq!(
        told(&import(Manager::CookieConsent2), &level[0]),
        answers("marketing", "analytics"),
        "the lesser counts"
    );
}

#[test]
fn rule_c12_klaro_has_a_key_for_every_service_or_the_answer_is_no() {
    let line = |json: &str| format!("klaro={}", encoded(json));
    let klaro = import(Manager::Klaro);
    assert_eq!(told(&klaro, &line(r#"{"matomo":true}"#)), answers("analytics", "marketing"));
    assert_eq!(told(&klaro, &line("{}")), answers("", "analytics marketing"));
    for wrong in
        [r#"{"matomo":"true","youtube":true}"#, r#"{"matomo":1}"#, r#"{"matomo":true,"matomo":true}"#, "[true]", "true"]
    {
        assert_eq!(told(&klaro, &line(wrong)), None, "{wrong}");
    }
}

#[test]
fn rule_c12_didomis_purposes_are_enabled_disabled_or_not_answered() {
    let told = |line: &str| told(&import(Manager::Didomi), line);
    assert_eq!(told(&didomi(&[("create_ads_profile", false)])), answers("", "marketing"));
    assert_eq!(told(&didomi(&[])), None);
    // Legitimate interest in one and in the other list is no consent.
    let both = didomi(&[("create_ads_profile", true), ("create_ads_profile", false)]);
    assert_eq!(told(&both), answers("", "marketing"));
    let token = |json: &str| told(&format!("didomi_token={}", base64(json)));
    let json = r#"{"updated":"2026-01-22T10:00:00.000Z","version":2,"purposes":{"enabled":["create_ads_profile"],"disabled":[]}}"#;
    assert_eq!(token(json), answers("marketing", ""));
    for (from, to) in [
        ("\"updated\"", "\"created\""),
        ("2026-01-22T10", "2026-01-22T13"),
        (":2,", ":3,"),
        ("[\"create", "\"create"),
        ("\"purposes\"", "\"purposes_li\""),
    ] {
        assert_eq!(token(&json.replace(from, to)), None, "{from}");
    }
    let padded =
        (0..3).map(|spaces| base64(&format!("{json}{}", " ".repeat(spaces)))).find(|token| token.ends_with('='));
    let padded = padded.expect("one in three lengths needs no padding");
    for value in [padded.replace('=', "%3D"), padded.replace('=', ""), padded] {
        assert_eq!(told(&format!("didomi_token={value}")), answers("marketing", ""));
    }
    assert_eq!(told(&format!("didomi_token={json}")), None, "raw JSON is no token");
    assert_eq!(told("didomi_dcs=CgYBBAYBBg"), None, "its newer cookie is not understood");
}

#[test]
fn rule_c12_civics_legitimate_interest_is_no_consent() {
    let civic = import(Manager::Civic);
    let change = |from: &str, to: &str| told(&civic, &changed(Manager::Civic, &[(from, to)])[0]);
    assert_eq!(
        change(r#""analytics":"accepted""#, r#""analytics":"legitimate interest""#),
        answers("marketing", "analytics")
    );
    assert_eq!(
        change(r#""analytics":"accepted","#, ""),
        answers("marketing", ""),
        "what is not mentioned is not answered"
    );
    for (from, to) in [
        (r#""interactedWith":true"#, r#""interactedWith":false"#),
        (r#","interactedWith":true"#, ""),
        (r#""interactedWith":true"#, r#""interactedWith":"true""#),
        (r#""interactedWith":true"#, r#""initialState":{"type":"notify","action":"accepted"},"interactedWith":false"#),
        (r#""consentDate":1769076000873,"#, ""),
        ("1769076000873", "1769083560000"),
        (r#""consentExpiry":90"#, r#""consentExpiry":0"#),
        (r#""analytics":"accepted""#, r#""analytics":true"#),
    ] {
        assert_eq!(change(from, to), None, "{from} {to}");
    }
    let statement = |date: &str| import_as(Manager::Civic, None, Some(date), &[("analytics", "analytics")]);
    assert_eq!(told(&statement("25/04/2018"), &accepted(Manager::Civic)), answers("analytics", ""));
    assert_eq!(told(&statement("26/04/2018"), &accepted(Manager::Civic)), None);
    let encoded = format!("CookieControl={}", encoded(accepted(Manager::Civic).split_once('=').unwrap().1));
    assert_eq!(told(&civic, &encoded), answers("analytics marketing", ""));
}

#[test]
fn rule_c12_nhs_uk_is_all_yes_where_its_banner_is_off_and_nobody_consented() {
    nothing(
        Manager::NhsUk,
        &changed_json(
            Manager::NhsUk,
            &[
                (r#""consented":true"#, r#""consented":false"#),
                (r#""consented":true,"#, ""),
                (r#""version":7,"#, ""),
                (r#""version":7"#, r#""version":"7""#),
                ("2026-01-22T10:00:00.000Z", "soon"),
            ],
        ),
    );
    let line = accepted(Manager::NhsUk);
    let asked = |version: &str| import_as(Manager::NhsUk, None, Some(version), &[("statistics", "analytics")]);
    assert_eq!(told(&asked("7"), &line), answers("analytics", ""));
    assert_eq!(told(&asked("6"), &line), answers("analytics", ""), "versions count upwards");
    assert_eq!(told(&asked("8"), &line), None);
    let raw = r#"nhsuk-cookie-consent={"necessary":true,"preferences":false,"statistics":true,"marketing":false,"consented":true,"version":4}"#;
    assert_eq!(told(&import(Manager::NhsUk), raw), answers("analytics", "preferences marketing"));
    nothing(Manager::NhsUk, &["nhsuk-cookie-consent=accepted".into()]);
}
