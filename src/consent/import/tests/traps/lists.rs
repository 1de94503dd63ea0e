//! Managers that write lists, bits, several cookies, or next to nothing.

use super::super::samples::{cookiebot, cookieyes, encoded, onetrust, tc_string};
use super::*;

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
    // Groups that nobody has pressed anything for grant nothing, whatever the time of closing says; what they deny counts.
    for (count, expected) in [
        ("interactionCount=0", answers("", "marketing")),
        ("interactionCount=", answers("", "marketing")),
        ("interactionCount=-1", answers("", "marketing")),
        ("interactionCount=2", answers("analytics", "marketing")),
        ("isAnonUser=1", answers("analytics", "marketing")),
    ] {
        let line = onetrust("C0002:1,C0004:0").replace("interactionCount=1&isAnonUser=1", count);
        assert_eq!(told(&import(Manager::OneTrust), &line), expected, "{count}");
    }
    nothing(Manager::OneTrust, &changed(Manager::OneTrust, &[("interactionCount=1", "interactionCount=0")]));
    let custom = import_as(Manager::OneTrust, None, None, &[("V2STACK42", "marketing"), ("1", "analytics")]);
    assert_eq!(told(&custom, &onetrust("1%3A1%2CV2STACK42%3A0")), answers("analytics", "marketing"));
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
