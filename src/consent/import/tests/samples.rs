//! What each manager writes when everything is accepted, some of it, and nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// One manager's cookies, as a browser sends them.
pub struct Sample {
    pub manager: Manager,
    pub accepted: String,
    /// Analytics and nothing else.
    pub partly: String,
    pub refused: String,
}

/// The categories of the samples.
pub fn mapping(manager: Manager) -> &'static [(&'static str, &'static str)] {
    match manager {
        Manager::CookieConsent3 | Manager::CookieConsent2 | Manager::Civic => {
            &[("analytics", "analytics"), ("marketing", "marketing")]
        }
        Manager::Klaro => &[("matomo", "analytics"), ("youtube", "marketing")],
        Manager::Tarteaucitron => &[("gtag", "analytics"), ("hotjar", "analytics"), ("youtube", "marketing")],
        Manager::C15t => &[("measurement", "analytics"), ("marketing", "marketing")],
        Manager::Didomi => &[("measure_content_performance", "analytics"), ("create_ads_profile", "marketing")],
        Manager::Axeptio => &[("google_analytics", "analytics"), ("facebook_pixel", "marketing")],
        Manager::HubSpot => &[("1", "analytics"), ("2", "marketing")],
        Manager::Zaraz => &[("rsdk", "analytics"), ("xrFM", "marketing")],
        usual => usual.usual(),
    }
}

/// The purposes that the samples of `manager` are about.
pub fn purposes(manager: Manager) -> &'static str {
    match mapping(manager).iter().any(|(_, purpose)| *purpose == "preferences") {
        true => "preferences analytics marketing",
        false => "analytics marketing",
    }
}

/// `encodeURIComponent`.
pub fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// A TC string: tenths of a second, and the purposes consented.
pub fn tc_string(version: u64, created: u64, updated: u64, purposes: &[u8]) -> String {
    let mut bits = String::new();
    let mut put = |number: u64, length: usize| bits += &format!("{number:0length$b}");
    put(version, 6);
    put(created, 36);
    put(updated, 36);
    // CMP, its version, screen, language, vendor list, policy, service-specific, texts, special features.
    for (number, length) in [(7, 12), (1, 12), (1, 6), (4, 6), (13, 6), (142, 12), (5, 6), (1, 1), (0, 1), (0, 12)] {
        put(number, length);
    }
    for purpose in 1..=24 {
        put(u64::from(purposes.contains(&purpose)), 1);
    }
    // Everything by legitimate interest, which is no consent. One treatment, country, vendors as bits.
    for (number, length) in [(0xff_ffff, 24), (0, 1), (6, 6), (1, 6), (3, 16), (0, 1), (0b101, 3)] {
        put(number, length);
    }
    const CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let six = |six: &[u8]| usize::from_str_radix(&format!("{:0<6}", String::from_utf8_lossy(six)), 2).unwrap();
    bits.as_bytes().chunks(6).map(|chunk| char::from(CHARACTERS[six(chunk)])).collect()
}

/// All of them; where a format has room for more, categories nobody mapped are in it too.
pub fn all() -> Vec<Sample> {
    let sample =
        |manager, accepted: String, partly: String, refused: String| Sample { manager, accepted, partly, refused };
    let each =
        |manager, of: &dyn Fn(bool, bool) -> String| sample(manager, of(true, true), of(true, false), of(false, false));
    let word = |is: bool, yes: &str, no: &str| (if is { yes } else { no }).to_owned();
    let listed = |ga: bool, ads: bool| {
        format!(r#"["necessary"{}{}]"#, word(ga, r#","analytics""#, ""), word(ads, r#","marketing""#, ""))
    };
    vec![
        each(Manager::CookieConsent3, &|ga, ads| {
            let json = format!(
                r#"{{"categories":{},"revision":0,"data":null,"consentTimestamp":"2026-01-02T08:30:00.120Z","consentId":"77032fc5-b4d4-469a-98aa-b83700484e5b","services":{{"necessary":[],"analytics":[],"marketing":[]}},"languageCode":"en","lastConsentTimestamp":"2026-01-22T10:00:00.205Z","expirationTime":1784800800205}}"#,
                listed(ga, ads)
            );
            format!("cc_cookie={}", encoded(&json))
        }),
        each(Manager::CookieConsent2, &|ga, ads| {
            let list = listed(ga, ads);
            format!(
                r#"cc_cookie={{"categories":{list},"level":{list},"revision":0,"data":null,"rfc_cookie":false,"consent_date":"2026-01-22T10:00:00.249Z","consent_uuid":"32ee64c8-534e-4546-b7b2-ef454159a43e","last_consent_update":"2026-01-22T10:00:00.249Z"}}"#
            )
        }),
        each(Manager::Klaro, &|ga, ads| {
            format!("klaro={}", encoded(&format!(r#"{{"matomo":{ga},"youtube":{ads},"session":true}}"#)))
        }),
        each(Manager::Tarteaucitron, &|ga, ads| {
            format!("tarteaucitron=!gtag={ga}!hotjar={ga}!youtube={ads}!vimeo=wait")
        }),
        each(Manager::C15t, &|ga, ads| {
            let (ga, ads) = (word(ga, "c.measurement:1,", ""), word(ads, "c.marketing:1,", ""));
            format!("c15t=c.necessary:1,{ga}{ads}i.t:1769076000000,i.sid:sub_2Yx9,i.mpf:f1e2d3")
        }),
        sample(
            Manager::Cookiebot,
            cookiebot("true", "true"),
            cookiebot("false", "true").replace("marketing:true", "marketing:false"),
            cookiebot("false", "false"),
        ),
        sample(
            Manager::OneTrust,
            onetrust("C0001%3A1%2CC0002%3A1%2CC0003%3A1%2CC0004%3A1%2CC0005%3A1"),
            onetrust("C0001%3A1%2CC0002%3A1%2CC0003%3A0%2CC0004%3A0%2CC0005%3A0"),
            onetrust("C0001%3A1%2CC0002%3A0%2CC0003%3A0%2CC0004%3A0%2CC0005%3A0"),
        ),
        each(Manager::Didomi, &|ga, ads| didomi(&[("measure_content_performance", ga), ("create_ads_profile", ads)])),
        {
            let of = |purposes: &[u8]| {
                format!("euconsent-v2={}.YAAAAAAAAAAA", tc_string(2, 17_690_400_000, 17_690_400_000, purposes))
            };
            sample(Manager::Tcf, of(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), of(&[1, 8, 9]), of(&[]))
        },
        each(Manager::Civic, &|ga, ads| {
            let (ga, ads) = (word(ga, "accepted", "revoked"), word(ads, "accepted", "revoked"));
            format!(
                r#"CookieControl={{"necessaryCookies":["session","JSESSIONID"],"optionalCookies":{{"analytics":"{ga}","marketing":"{ads}"}},"statement":{{"shown":true,"updated":"25/04/2018"}},"consentDate":1769076000873,"consentExpiry":90,"interactedWith":true,"user":"21C0FC41-6A34-4ADA-86F9-8F5D4B742533"}}"#
            )
        }),
        {
            let of = |preferences: bool, statistics: bool, marketing: bool| {
                let json = format!(
                    r#"{{"necessary":true,"preferences":{preferences},"statistics":{statistics},"marketing":{marketing},"consented":true,"version":7,"schemaHash":"a1b2c3","consentedAt":"2026-01-22T10:00:00.000Z"}}"#
                );
                format!("nhsuk-cookie-consent={}", encoded(&json))
            };
            sample(Manager::NhsUk, of(true, true, true), of(false, true, false), of(false, false, false))
        },
        sample(
            Manager::CookieYes,
            cookieyes("yes", "yes", "yes", "yes"),
            cookieyes("yes", "no", "yes", "no"),
            cookieyes("no", "no", "no", "no"),
        ),
        {
            let of = |preferences: &str, statistics: &str, marketing: &str| {
                format!(
                    "cmplz_consented_services=; cmplz_policy_id=16; cmplz_marketing={marketing}; cmplz_statistics={statistics}; cmplz_preferences={preferences}; cmplz_functional=allow; cmplz_banner-status=dismissed"
                )
            };
            sample(
                Manager::Complianz,
                of("allow", "allow", "allow"),
                of("deny", "allow", "deny"),
                of("deny", "deny", "deny"),
            )
        },
        each(Manager::Axeptio, &|ga, ads| {
            // Its library leaves braces, colons and dollars as they are.
            format!(
                "axeptio_cookies={{%22$$token%22:%22tvwo7fxhv5ca%22%2C%22$$date%22:%222026-01-22T10:00:00.463Z%22%2C%22$$cookiesVersion%22:{{%22name%22:%22site-en%22%2C%22identifier%22:%22645cb096c665%22}}%2C%22google_analytics%22:{ga}%2C%22facebook_pixel%22:{ads}%2C%22$$completed%22:true}}"
            )
        }),
        each(Manager::HubSpot, &|ga, ads| format!("__hs_cookie_cat_pref=1:{ga}_2:{ads}_3:true")),
        each(Manager::Zaraz, &|ga, ads| format!("cf_consent={}", encoded(&format!(r#"{{"rsdk":{ga},"xrFM":{ads}}}"#)))),
    ]
}

/// `other` for preferences and marketing.
pub fn cookiebot(other: &str, statistics: &str) -> String {
    format!(
        "CookieConsent={{stamp:%27G+6rYDfrzwrZItFRfHCbe8iQIFLhMDCgjBS+/Oq/gZe0Lovh65ODgg==%27%2Cnecessary:true%2Cpreferences:{other}%2Cstatistics:{statistics}%2Cmarketing:{other}%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1769076000478%2Cregion:%27gb%27}}"
    )
}

pub fn onetrust(groups: &str) -> String {
    format!(
        "OptanonConsent=isGpcEnabled=0&datestamp=Thu+Jan+22+2026+10%3A00%3A00+GMT%2B0000+(Greenwich+Mean+Time)&version=202512.1.0&browserGpcFlag=0&isIABGlobal=false&hosts=&genVendors=&consentId=7cbc60b3-7787-4f7e-b9c7-00973edfee3c&interactionCount=1&isAnonUser=1&landingPath=NotLandingPage&groups={groups}&intType=1&geolocation=GB%3BENG&AwaitingReconsent=false; OptanonAlertBoxClosed=2026-01-22T10:00:00.035Z"
    )
}

pub fn didomi(purposes: &[(&str, bool)]) -> String {
    let list = |wanted: bool| {
        let these = purposes.iter().filter(|(_, enabled)| *enabled == wanted);
        these.map(|(purpose, _)| format!("\"{purpose}\"")).collect::<Vec<_>>().join(",")
    };
    let json = format!(
        r#"{{"user_id":"18c4","created":"2026-01-22T09:59:00.000Z","updated":"2026-01-22T10:00:00.000Z","version":2,"purposes":{{"enabled":[{}],"disabled":[{}]}},"purposes_li":{{"enabled":["market_research"]}},"vendors":{{"enabled":["google"]}},"ac":"AA.BB"}}"#,
        list(true),
        list(false)
    );
    format!("didomi_token={}", base64(&json))
}

pub fn cookieyes(consent: &str, functional: &str, analytics: &str, advertisement: &str) -> String {
    format!(
        "cookieyes-consent=consentid:OHNOck5kY2gzQjJ6UFlm,consent:{consent},action:yes,necessary:yes,functional:{functional},analytics:{analytics},performance:no,advertisement:{advertisement},other:no"
    )
}

#[test]
fn rule_c12_every_manager_has_a_sample() {
    let managers: Vec<Manager> = all().iter().map(|sample| sample.manager).collect();
    assert_eq!(managers, Manager::ALL);
}

#[test]
fn rule_c12_what_every_manager_writes_is_what_its_visitor_said() {
    for Sample { manager, accepted, partly, refused } in all() {
        let (import, purposes, word) = (import(manager), purposes(manager), manager.word());
        let others = purposes.replace("analytics ", "");
        assert_eq!(told(&import, &accepted), answers(purposes, ""), "{word}: {accepted}");
        assert_eq!(told(&import, &partly), answers("analytics", &others), "{word}: {partly}");
        assert_eq!(told(&import, &refused), answers("", purposes), "{word}: {refused}");
        let other = format!("a=1; b={{\"x\":\"y,z\"}}; {accepted}; consentry=v1~1");
        assert_eq!(told_at(&import, &["first=1", &other], NOW), answers(purposes, ""), "{word} among others");
    }
}
