//! What looks like a yes and is none, manager by manager.

use super::samples::{Sample, all, base64, cookiebot, cookieyes, didomi, encoded, onetrust, tc_string};
use super::*;

/// Nothing counts.
fn nothing(manager: Manager, lines: &[String]) {
    for line in lines {
        assert_eq!(told(&import(manager), line), None, "{}: {line}", manager.word());
    }
}

fn accepted(manager: Manager) -> String {
    all().into_iter().find(|sample| sample.manager == manager).unwrap().accepted
}

/// `manager`'s accepted cookie with each of `changes` in turn.
fn changed(manager: Manager, changes: &[(&str, &str)]) -> Vec<String> {
    let line = accepted(manager);
    let change = |(from, to): &(&str, &str)| {
        assert!(line.contains(from), "{}: {from} in {line}", manager.word());
        line.replace(from, to)
    };
    changes.iter().map(change).collect()
}

/// The same where the cookie is percent-encoded JSON.
fn changed_json(manager: Manager, changes: &[(&str, &str)]) -> Vec<String> {
    let encoded: Vec<_> = changes.iter().map(|(from, to)| (encoded(from), encoded(to))).collect();
    changed(manager, &encoded.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect::<Vec<_>>())
}

#[test]
fn rule_c12_no_cookie_an_empty_one_and_another_managers_are_nothing() {
    let samples = all();
    for Sample { manager, .. } in &samples {
        nothing(
            *manager,
            &["".into(), "a=1".into(), format!("{}=", manager.cookies()[0]), manager.cookies()[0].into()],
        );
        for other in samples.iter().filter(|other| other.manager.cookies() != manager.cookies()) {
            nothing(*manager, std::slice::from_ref(&other.accepted));
            // Another's value under this one's name.
            let (_, value) = other.accepted.split_once('=').unwrap();
            let told = told(&import(*manager), &format!("{}={value}", manager.cookies()[0]));
            assert!(told.is_none_or(|(granted, _)| granted.is_empty()), "{} {value}", manager.word());
        }
    }
}

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
fn rule_c12_tarteaucitron_waits_and_keys_are_whole() {
    let tarteaucitron =
        import_as(Manager::Tarteaucitron, None, None, &[("gtag", "analytics"), ("youtube", "marketing")]);
    let told = |value: &str| told(&tarteaucitron, &format!("tarteaucitron={value}"));
    assert_eq!(told("!gtag=wait!youtube=wait"), None, "written before any choice");
    assert_eq!(told("!multigtag=true!youtube=false"), answers("", "marketing"), "another service's key ends the same");
    assert_eq!(told("!gtag=true!youtube=wait"), answers("analytics", ""));
    assert_eq!(told("!gtag=true!gtag=false!youtube=true"), answers("marketing", "analytics"));
    assert_eq!(told("!gtag=wait!gtag=true"), None);
    for wrong in [
        "gtag=true",
        "!gtag",
        "!gtag=TRUE",
        "!gtag=truefalse",
        "!gtag=true!",
        "!",
        "!gtag=true!youtube=",
        "!gtag%3Dtrue",
    ] {
        assert_eq!(told(wrong), None, "{wrong}");
    }
}

#[test]
fn rule_c12_c15t_needs_the_time_of_the_choice_and_the_policy_that_was_shown() {
    nothing(
        Manager::C15t,
        &changed(
            Manager::C15t,
            &[
                ("i.t:1769076000000", "i.x:1"),
                ("i.t:1769076000000", "i.t:"),
                ("i.t:1769076000000", "i.t:-1"),
                ("c.measurement:1", "c.measurement:true"),
                ("c.measurement:1", "c.measurement"),
                ("c.measurement:1", "c.measurement:1,c.measurement:1"),
            ],
        ),
    );
    let zero = changed(Manager::C15t, &[("c.measurement:1", "c.measurement:0")]);
    assert_eq!(told(&import(Manager::C15t), &zero[0]), answers("marketing", "analytics"), "as older cookies say no");
    let shown = |policy: &str| import_as(Manager::C15t, None, Some(policy), &[("measurement", "analytics")]);
    assert_eq!(told(&shown("f1e2d3"), &accepted(Manager::C15t)), answers("analytics", ""));
    assert_eq!(told(&shown("f1e2d4"), &accepted(Manager::C15t)), None);
    let old =
        changed(Manager::C15t, &[("c.measurement:1,", "")]).remove(0).replace("c15t=", "privacy-consent-storage=");
    let renamed = import_as(Manager::C15t, Some("privacy-consent-storage"), None, &[("marketing", "marketing")]);
    assert_eq!(told(&renamed, &old), answers("marketing", ""));
}

#[test]
fn rule_c12_cookiebot_believes_only_an_explicit_act() {
    let lines = changed(
        Manager::Cookiebot,
        &[
            // Where the region is not targeted everything is true and nobody was asked.
            ("%27explicit%27", "%27implied%27"),
            ("G+6rYDfrzwrZItFRfHCbe8iQIFLhMDCgjBS+/Oq/gZe0Lovh65ODgg==", "-1"),
            ("G+6rYDfrzwrZItFRfHCbe8iQIFLhMDCgjBS+/Oq/gZe0Lovh65ODgg==", "0"),
            ("G+6rYDfrzwrZItFRfHCbe8iQIFLhMDCgjBS+/Oq/gZe0Lovh65ODgg==", ""),
            // Older cookies.
            ("%2Cmethod:%27explicit%27", ""),
            ("method:%27explicit%27", "method:explicit"),
            ("method:%27explicit%27", "method:%27explicit%27%2Cmethod:%27implied%27"),
            ("utc:1769076000478", "utc:%271769076000478%27"),
            ("%2Cutc:1769076000478", ""),
            ("%27gb%27}", "%27gb%27"),
            ("%27gb%27}", "%27gb%27%2C}"),
            ("%27gb%27}", "%27gb%27x:1}"),
            ("%2Cregion", "%2C+region"),
            ("stamp:", "%22stamp%22:"),
        ],
    );
    nothing(Manager::Cookiebot, &lines);
    nothing(
        Manager::Cookiebot,
        &["CookieConsent=-1".into(), "CookieConsent=true".into(), "CookieConsent=mandatory|osm".into()],
    );
    let implied = "CookieConsent={stamp:%27-1%27%2Cnecessary:true%2Cpreferences:true%2Cstatistics:true%2Cmarketing:true%2Cmethod:%27implied%27%2Cver:1%2Cutc:1769076000624%2Cregion:%27CN%27}";
    nothing(Manager::Cookiebot, &[implied.into()]);
    // A quoted text that reads like fields is a text.
    let line = cookiebot("false", "false").replace("%27gb%27", "%27gb%2Cstatistics:true%27");
    assert_eq!(told(&import(Manager::Cookiebot), &line), answers("", "preferences analytics marketing"));
    let ver = |ver: &str| import_as(Manager::Cookiebot, None, Some(ver), &[("statistics", "analytics")]);
    assert_eq!(told(&ver("1"), &accepted(Manager::Cookiebot)), answers("analytics", ""));
    assert_eq!(told(&ver("2"), &accepted(Manager::Cookiebot)), None);
}

#[test]
fn rule_c12_onetrusts_groups_before_a_click_are_no_answer() {
    let before = accepted(Manager::OneTrust);
    let (before, _) = before.split_once("; OptanonAlertBoxClosed").unwrap();
    nothing(Manager::OneTrust, &[before.into()]);
    nothing(
        Manager::OneTrust,
        &[format!("{before}; OptanonAlertBoxClosed=; x=1"), "OptanonAlertBoxClosed=2026-01-22T10:00:00.035Z".into()],
    );
    nothing(
        Manager::OneTrust,
        &changed(
            Manager::OneTrust,
            &[
                ("AwaitingReconsent=false", "AwaitingReconsent=true"),
                ("&AwaitingReconsent=false", ""),
                ("2026-01-22T10:00:00.035Z", "true"),
                ("2026-01-22T10:00:00.035Z", "2026-01-22T12:06:00.000Z"),
                ("&groups=", "&group="),
                ("&groups=", "&groups=C0002%3A1&groups="),
                ("C0002%3A1", "C0002"),
                ("C0002%3A1", "C0002%"),
            ],
        ),
    );
    let two_closed = format!("{}; OptanonAlertBoxClosed=2026-01-21T10:00:00.035Z", accepted(Manager::OneTrust));
    nothing(Manager::OneTrust, &[two_closed]);
    // A form's plus is a space, so this is no group `C0002`; raw colons and commas are as good as encoded ones.
    let groups = |groups: &str| told(&import(Manager::OneTrust), &onetrust(groups));
    assert_eq!(groups("C0001:1,+C0002:1,C0004:0"), answers("", "marketing"));
    assert_eq!(groups("C0002:1,C0002:0,C0003:2"), answers("", "analytics"));
    let custom = import_as(Manager::OneTrust, None, None, &[("V2STACK42", "marketing"), ("1", "analytics")]);
    assert_eq!(told(&custom, &onetrust("1%3A1%2CV2STACK42%3A0")), answers("analytics", "marketing"));
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
fn rule_c12_a_tc_string_needs_purpose_1_and_legitimate_interest_is_no_consent() {
    let told = |string: &str| told(&import(Manager::Tcf), &format!("euconsent-v2={string}"));
    let at = 17_690_400_000;
    let all = answers("analytics marketing", "");
    let good = tc_string(2, at, at, &[1, 2, 3, 4, 7, 8, 9]);
    assert_eq!(told(&good), all);
    assert_eq!(
        told(&tc_string(2, at, at, &[2, 3, 4, 7, 8, 9])),
        answers("", "analytics marketing"),
        "no storing on the device"
    );
    assert_eq!(told(&tc_string(2, at, at, &[1, 8])), answers("", "analytics marketing"), "9 is part of it");
    for (version, created, updated) in [(1, at, at), (3, at, at), (2, at + 1, at), (2, 0, 0), (2, at, 17_690_900_000)] {
        assert_eq!(
            told(&tc_string(version, created, updated, &[1, 2, 3, 4, 7, 8, 9])),
            None,
            "{version} {created} {updated}"
        );
    }
    for segments in [".IAAA", ".IAAA.YAAA", ".IAAA.QAAA.YAAA"] {
        assert_eq!(told(&format!("{good}{segments}")), all, "{segments}");
    }
    for wrong in [
        &good[..38],
        &format!("{good}."),
        &format!("{good}.AAAA"),
        &format!("{good}.IAAA.IAAA.IAAA.IAAA"),
        &format!("{good}=="),
        &good.replace('A', "+"),
        &format!(".{good}"),
    ] {
        assert_eq!(told(wrong), None, "{wrong}");
    }
    let line = format!("euconsent-v2={good}; eupubconsent-v2={}", tc_string(2, at, at, &[1, 8, 9]));
    assert_eq!(super::told(&import(Manager::Tcf), &line), answers("analytics", "marketing"), "two that do not agree");
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

#[test]
fn rule_c12_cookieyes_needs_an_act_and_a_no_to_everything_stands() {
    nothing(
        Manager::CookieYes,
        &changed(
            Manager::CookieYes,
            &[
                ("action:yes", "action:"),
                ("action:yes", "action:no"),
                ("action:yes,", ""),
                ("consent:yes,", ""),
                ("consent:yes", "consent:"),
                ("action:yes", "action:yes,action:"),
                ("other:no", "other"),
            ],
        ),
    );
    let all_refused = answers("", "preferences analytics marketing");
    assert_eq!(
        told(&import(Manager::CookieYes), &cookieyes("no", "yes", "yes", "yes")),
        all_refused,
        "it contradicts itself"
    );
    nothing(Manager::CookieYes, &["cookieyes-consent=consentid:x,consent:,action:,necessary:,functional:,analytics:,performance:,advertisement:".into()]);
}

#[test]
fn rule_c12_complianz_needs_its_banner_dismissed() {
    nothing(
        Manager::Complianz,
        &changed(
            Manager::Complianz,
            &[
                ("banner-status=dismissed", "banner-status=show"),
                ("; cmplz_banner-status=dismissed", ""),
                ("cmplz_banner-status=dismissed", "cmplz_banner-status=dismissed; cmplz_banner-status=show"),
            ],
        ),
    );
    let complianz = import(Manager::Complianz);
    let twice = format!("{}; cmplz_statistics=deny", accepted(Manager::Complianz));
    assert_eq!(told(&complianz, &twice), answers("preferences marketing", "analytics"));
    let odd = changed(Manager::Complianz, &[("cmplz_statistics=allow", "cmplz_statistics=1")]);
    assert_eq!(told(&complianz, &odd[0]), answers("preferences marketing", ""));
    let policy = |id: &str| import_as(Manager::Complianz, None, Some(id), &[("statistics", "analytics")]);
    assert_eq!(told(&policy("16"), &accepted(Manager::Complianz)), answers("analytics", ""));
    assert_eq!(told(&policy("17"), &accepted(Manager::Complianz)), None);
}

#[test]
fn rule_c12_axeptio_hubspot_and_zaraz_say_yes_or_no_and_nothing_else() {
    nothing(
        Manager::Axeptio,
        &changed(
            Manager::Axeptio,
            &[
                ("completed%22:true", "completed%22:false"),
                ("%2C%22$$completed%22:true", ""),
                ("$$date", "date"),
                ("2026-01-22T10", "2026-02-22T10"),
            ],
        ),
    );
    let set = |name: &str| import_as(Manager::Axeptio, None, Some(name), &[("google_analytics", "analytics")]);
    for (name, granted) in
        [("site-en", answers("analytics", "")), ("645cb096c665", answers("analytics", "")), ("site-fr", None)]
    {
        assert_eq!(told(&set(name), &accepted(Manager::Axeptio)), granted, "{name}");
    }
    let hubspot = |value: &str| told(&import(Manager::HubSpot), &format!("__hs_cookie_cat_pref={value}"));
    assert_eq!(hubspot("1:true,2:false,3:true"), answers("analytics", "marketing"));
    assert_eq!(hubspot("1:true%2C2%3Afalse"), answers("analytics", "marketing"));
    assert_eq!(hubspot("3:true"), None);
    for wrong in ["true", "1:yes", "1:true,2", "1:true,", "1:true 2:true", "one:true", "1=true"] {
        assert_eq!(hubspot(wrong), None, "{wrong}");
    }
    let zaraz = |json: &str| told(&import(Manager::Zaraz), &format!("cf_consent={}", encoded(json)));
    assert_eq!(zaraz(r#"{"rsdk":true}"#), answers("analytics", ""), "what is not mentioned is not answered");
    for wrong in [r#"{"rsdk":1}"#, r#"{"rsdk":true,"x":null}"#, "{}", "[]"] {
        assert_eq!(zaraz(wrong), None, "{wrong}");
    }
}
