//! Promises of the room as a whole, asked the way the front door asks.

use std::time::Duration;

use http::HeaderValue;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION,
    ORIGIN, REFERER, SET_COOKIE, VARY, X_CONTENT_TYPE_OPTIONS,
};

use super::*;
use crate::config::PurposeText;
use crate::consent::{ChoiceSource, Mode, Purpose, Signals, decide};
use crate::page::gate::Key;

mod languages;
mod notice;

const NOW: u64 = 1_746_281_100;
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

fn texts() -> Consent {
    Consent {
        path: "/_privacy".into(),
        banner_text: Some("We would like to count visits.".into()),
        link_text: Some("Privacy choices".into()),
        notice_url: Some("/privacy-notice".into()),
        ..Consent::default()
    }
}

fn declared() -> DeclaredCookie {
    DeclaredCookie {
        name: "_ga".into(),
        prefix: true,
        purpose: 2,
        provider: Some("Example Analytics".into()),
        period: Some("13 months".into()),
        description: Some("Counts visitors.".into()),
        ..DeclaredCookie::default()
    }
}

struct Site {
    policy: Policy,
    ring: Arc<KeyRing>,
    pages: Pages,
}

impl Site {
    fn new() -> Site {
        Site::with(Policy::default(), texts(), &[declared()])
    }

    fn with(policy: Policy, consent: Consent, cookies: &[DeclaredCookie]) -> Site {
        let ring = Arc::new(KeyRing::ephemeral());
        let lives = OwnCookieLives { visitor: Duration::from_secs(182 * 86_400), visit: Duration::from_secs(1_800) };
        Site { pages: Pages::new(&policy, &consent, cookies, lives, ring.clone()), policy, ring }
    }

    fn ask(&self, method: Method, path: &str, lines: &[(&str, &str)], body: &str, choice: Option<&Choice>) -> Told {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let request = PrivacyRequest {
            method: &method,
            path,
            query,
            headers: &headers,
            body: body.as_bytes(),
            host: "shop.example",
            https: true,
            choice,
            signals: Signals::default(),
            stamp: [0; 6],
            recording: Recording::Off,
            now_ms: NOW * 1000,
        };
        match self.pages.respond(&request) {
            Reply::Answer(response) => Told { response, chosen: None },
            Reply::Record(pending) => {
                let Answer { response, chosen } = self.pages.recorded(*pending, &[7; 32], &request);
                Told { response, chosen: Some(chosen) }
            }
        }
    }

    fn get(&self, path: &str, choice: Option<&Choice>) -> Response<Bytes> {
        self.ask(Method::GET, path, &[], "", choice).response
    }

    fn post(&self, lines: &[(&str, &str)], body: &str) -> Told {
        self.ask(Method::POST, "/consent", lines, body, None)
    }

    fn choice(&self, ids: &[&str]) -> Choice {
        let granted = PurposeSet::of(ids.iter().map(|id| self.policy.index(id).unwrap()));
        Choice::new(&self.policy, granted, ChoiceSource::Banner, NOW * 1000)
    }
}

/// What became of a request, the ledger having taken every choice.
struct Told {
    response: Response<Bytes>,
    chosen: Option<Choice>,
}

fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

fn value(response: &Response<Bytes>) -> serde_json::Value {
    serde_json::from_slice(response.body()).unwrap()
}

fn set_cookies(response: &Response<Bytes>) -> Vec<&str> {
    response.headers().get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect()
}

/// Everything is asked.
fn all() -> PurposeSet {
    PurposeSet::of(1..8)
}

/// A page on its way to a visitor, of which nothing particular is known.
fn page_view(state: VisitorState, headers: &HeaderMap) -> PageView<'_> {
    let host = "shop.example";
    let (id, key, nonce, twin) = (None, None, None, None);
    PageView { state, twin, id, key, nonce, headers, host, now: NOW, is_posted: false, asked: None }
}

/// What is put into a page in `language`, in its two parts.
fn put_in(pages: &Pages, state: VisitorState, nonce: Option<&str>, language: Option<&str>) -> (String, String) {
    let insert = pages.snippet(&PageView { nonce, ..page_view(state, &HeaderMap::new()) });
    let body_start = insert.body_start.in_language(language);
    assert_eq!(body_start.len(), insert.body_start.len());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&insert.first) + &text(&insert.head), text(&body_start))
}

/// All states of a visitor with everything that is put into a page for them.
fn inserts(pages: &Pages) -> impl Iterator<Item = (VisitorState, String)> {
    [(false, false), (false, true), (true, false), (true, true)].into_iter().map(|(ask, analytics)| {
        let state = VisitorState {
            ask: if ask { all() } else { PurposeSet::default() },
            analytics,
            permitted: PurposeSet::of([0]),
        };
        let (head, body_start) = put_in(pages, state, None, None);
        (state, head + &body_start)
    })
}

/// The element of `html` that begins with `start`, to the end of its start tag.
fn tag<'a>(html: &'a str, start: &str) -> &'a str {
    let from = html.find(start).unwrap_or_else(|| panic!("{start} in {html}"));
    &html[from..=from + html[from..].find('>').unwrap()]
}

#[test]
fn rule_c2_only_who_permits_analytics_gets_the_collector() {
    for (state, html) in inserts(&Site::new().pages) {
        assert_eq!(html.contains("collector.js"), state.analytics, "{state:?}");
        assert_eq!(html.contains("consentry-banner\""), state.ask == all(), "{state:?}");
        assert!(html.contains("banner.js"), "the API is on every page");
    }
    let policy = Policy::default();
    let undecided = decide(&policy, Err(crate::consent::NoChoice::Missing), Signals::default(), Mode::OptIn);
    assert_eq!(
        VisitorState::from(&undecided),
        VisitorState { ask: PurposeSet::of([1, 2, 3]), analytics: false, permitted: PurposeSet::of([0]) }
    );
}

#[test]
fn rule_c4_both_answers_differ_in_nothing_but_the_answer() {
    let (_, html) = inserts(&Site::new().pages).last().unwrap();
    let reject = html.find("value=\"reject\"").unwrap();
    let accept = html.find("value=\"accept\"").unwrap();
    assert!(reject < accept, "refusing comes first");
    let reject_tag = tag(&html, "<button");
    let accept_tag = tag(&html[reject..], "<button");
    assert_eq!(reject_tag.replace("reject", "accept"), accept_tag);
    assert!(html.contains(">Reject all</button>") && html.contains(">Accept all</button>"));
    assert!(html.contains("<a class=\"consentry-manage\" href=\"/_privacy/\">Manage choices</a>"));
    assert!(!html.contains("checked") && !html.contains("autofocus"));
    let css = include_str!("../../static/built/banner.css");
    for ours in css.split('}').filter(|rule| rule.contains("button")) {
        assert!(!ours.contains("nth-") && !ours.contains("[value") && !ours.contains("first-"), "{ours}");
    }
    let script = include_str!("../../static/built/banner.js");
    assert!(!script.contains("keydown") && !script.contains("\"scroll\""), "only the buttons choose");
}

#[test]
fn rule_c5_every_page_leads_to_the_choices() {
    for (state, html) in inserts(&Site::new().pages) {
        let corner = tag(&html, "<nav class=\"consentry consentry-corner consentry-corner-left\"");
        assert_eq!(corner.contains(" hidden"), state.ask == all(), "the banner leads there itself");
        assert!(html.contains("href=\"/_privacy/\">Privacy choices</a>"), "{state:?}");
    }
}

#[test]
fn rule_k4_a_gated_page_tells_our_script_its_key_and_no_other_does() {
    let (site, headers) = (Site::new(), HeaderMap::new());
    for (nonce, analytics, id) in [
        (None, false, None),
        (None, true, None),
        (None, true, Some(7)),
        (Some("abc"), false, None),
        (Some("abc"), true, Some(7)),
    ] {
        let head = |key| {
            let state = VisitorState { ask: all(), analytics, permitted: PurposeSet::of([0]) };
            let view = PageView { id, key, nonce, ..page_view(state, &headers) };
            String::from_utf8(site.pages.snippet(&view).head.to_vec()).unwrap()
        };
        let (without, with) = (head(None), head(Some(Key::of(0xab))));
        let key = " data-consentry-key=\"00000000000000ab\"";
        assert!(tag(&with, "<script src=\"/_privacy/banner.js\"").contains(key), "{with}");
        assert_eq!(with.replacen(key, "", 1), without);
        assert_eq!(without.contains(" data-consentry-page=\"0000000000000007\""), id.is_some(), "{without}");
    }
}

#[test]
fn a_page_tells_our_script_what_it_was_made_for() {
    let (site, headers) = (Site::new(), HeaderMap::new());
    let state = VisitorState { ask: all(), analytics: true, permitted: PurposeSet::of([0]) };
    for (nonce, id) in [(None, None), (None, Some(7)), (Some("abc"), Some(7))] {
        let head = |twin, is_posted, key| {
            let view = PageView { twin, id, nonce, is_posted, key, ..page_view(state, &headers) };
            String::from_utf8(site.pages.snippet(&view).head.to_vec()).unwrap()
        };
        for key in [None, Some(Key::of(0xab))] {
            let nothing = head(None, false, key);
            let choice = " data-consentry-choice=\"analytics!ads-2\"";
            for (twin, is_posted, told) in [
                (Some("analytics!ads-2"), false, choice.to_owned()),
                (None, true, " data-consentry-posted=\"\"".to_owned()),
                (Some("analytics!ads-2"), true, format!("{choice} data-consentry-posted=\"\"")),
            ] {
                let head = head(twin, is_posted, key);
                assert!(tag(&head, "<script src=\"/_privacy/banner.js\"").contains(&told), "{head}");
                assert_eq!(head.replacen(&told, "", 1), nothing);
            }
        }
    }
}

#[test]
fn nothing_is_written_inline() {
    let site = Site::new();
    let mut all: Vec<String> = inserts(&site.pages).map(|(_, html)| html).collect();
    let choice = site.choice(&["analytics"]);
    for page in ["/", "/?saved=1", "/notice", "/data", "/nowhere"] {
        all.push(text(&site.get(page, None)).into());
        all.push(text(&site.get(page, Some(&choice))).into());
    }
    all.push(text(&site.post(&[FORM], "choice=perhaps").response).into());
    for html in all {
        assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains("javascript:"), "{html}");
        for start in html.match_indices("<script").map(|(at, _)| &html[at..]) {
            assert!(tag(start, "<script").contains(" src=") && start.contains("></script>"), "{start}");
        }
        let handler = html.match_indices(" on").find(|(at, _)| {
            let name = html[at + 3..].chars().take_while(char::is_ascii_lowercase).count();
            name > 0 && html[at + 3 + name..].starts_with("=\"")
        });
        assert_eq!(handler, None, "{html}");
    }
}

#[test]
fn configured_texts_are_text_and_never_markup() {
    let evil = "\"><script>alert('1')</script>&amp;";
    let purpose =
        Purpose { id: "analytics".into(), title: evil.into(), description: evil.into(), ..Purpose::default() };
    let policy = Policy::new(vec![purpose], 1, 60).unwrap();
    let consent = Consent {
        banner_title: Some(evil.into()),
        banner_text: Some(format!("{{purposes}}{evil}")),
        link_text: Some(evil.into()),
        notice_url: Some(evil.into()),
        controller: Some(evil.into()),
        contact: Some(evil.into()),
        purpose_texts: vec![PurposeText {
            purpose: 1,
            language: "cy".into(),
            title: evil.into(),
            description: evil.into(),
        }],
        ..Consent::default()
    };
    let cookie = DeclaredCookie {
        name: evil.into(),
        prefix: false,
        purpose: 1,
        provider: Some(evil.into()),
        period: Some(evil.into()),
        description: Some(evil.into()),
        ..DeclaredCookie::default()
    };
    let site = Site::with(policy, consent, &[cookie]);
    let mut all: Vec<String> = inserts(&site.pages).map(|(_, html)| html).collect();
    all.push(text(&site.get("/?saved=1", Some(&site.choice(&["analytics"])))).into());
    all.push(text(&site.post(&[FORM], &format!("choice=save&{}=1", "%22%3E%3Cscript%3E")).response).into());
    let state = VisitorState { ask: self::all(), analytics: true, permitted: PurposeSet::of([0]) };
    for language in ["en", "cy"] {
        let (head, body_start) = put_in(&site.pages, state, Some(evil), Some(language));
        all.extend([head, body_start]);
        let page = format!("/?lang={language}");
        all.push(text(&site.get(&page, Some(&site.choice(&["analytics"])))).into());
        for other in ["/receipt", "/notice", "/data"] {
            all.push(text(&site.get(&page.replace("/", other), Some(&site.choice(&["analytics"])))).into());
        }
    }
    for html in all {
        assert!(!html.contains("<script>") && !html.contains("alert('"), "{html}");
    }
}

#[test]
fn a_nonce_stands_on_everything_a_policy_looks_at() {
    let site = Site::new();
    let state = VisitorState { ask: all(), analytics: true, permitted: PurposeSet::of([0]) };
    let (head, body_start) = put_in(&site.pages, state, Some("r4nd0m+/="), None);
    assert_eq!(head.matches("nonce=\"r4nd0m+/=\"").count(), 3, "{head}");
    let plain = put_in(&site.pages, state, None, None);
    assert_eq!((head.replace(" nonce=\"r4nd0m+/=\"", ""), body_start), plain, "nothing else differs");
}

#[test]
fn without_a_script_the_answer_leads_back_to_the_page() {
    let site = Site::new();
    let answer = site.post(&[FORM, ("referer", "https://shop.example/prices?a=b")], "source=banner&choice=accept");
    assert_eq!(answer.response.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.response.headers()[LOCATION], "/prices?a=b");
    let chosen = answer.chosen.unwrap();
    assert_eq!((chosen.granted, chosen.source, chosen.made_at()), (site.policy.all(), ChoiceSource::Banner, NOW));

    let location = |lines: &[(&str, &str)], body: &str| {
        site.post(&[&[FORM], lines].concat(), body).response.headers()[LOCATION].to_str().unwrap().to_owned()
    };
    assert_eq!(location(&[], "choice=reject"), "/");
    assert_eq!(
        location(
            &[("sec-fetch-site", "same-origin"), (REFERER.as_str(), "https://evil.example/a")],
            "choice=reject&return=//evil.example"
        ),
        "/"
    );
    assert_eq!(location(&[], "choice=reject&return=%2Fprices"), "/prices");
    assert_eq!(location(&[], "choice=save&source=preferences"), "/_privacy/?saved=1");
    for own in ["/_privacy", "/_privacy/", "/_privacy/consent", "/_privacy/banner.js"] {
        assert_eq!(location(&[], &format!("choice=reject&return={own}")), "/_privacy/?saved=1", "{own}");
    }
    assert_eq!(location(&[], "choice=reject&return=/_privacy-notice"), "/_privacy-notice");
}

#[test]
fn a_script_is_answered_with_the_new_state() {
    let site = Site::new();
    let answer =
        site.post(&[JSON, ("sec-fetch-site", "same-origin")], r#"{"granted":["analytics"],"source":"banner"}"#);
    assert_eq!(answer.response.status(), StatusCode::OK);
    let state = value(&answer.response);
    assert_eq!(state["chosen"], true);
    assert_eq!(state["granted"], json!(["necessary", "analytics"]));
    assert_eq!(state["denied"], json!(["preferences", "marketing"]));
    assert_eq!(state["made_at"], "2025-05-03T14:05:00Z");
    assert_eq!(state["receipt"], format!("{:016x}", answer.chosen.unwrap().receipt));
    let form = site.post(&[FORM, ("accept", "application/json")], "choice=accept");
    assert_eq!(value(&form.response)["denied"], json!([]));
    let browser = site.post(&[FORM, ("accept", "text/html,application/json;q=0.5")], "choice=accept");
    assert_eq!(browser.response.status(), StatusCode::SEE_OTHER);
}

#[test]
fn anyone_can_ask_what_was_chosen() {
    let site = Site::new();
    let before = site.get("/consent", None);
    assert_eq!(before.headers()[CACHE_CONTROL], "no-store");
    assert!(before.headers()[VARY].to_str().unwrap().contains("Cookie"));
    let state = value(&before);
    assert_eq!((&state["chosen"], &state["made_at"], &state["receipt"]), (&json!(false), &json!(null), &json!(null)));
    assert_eq!((&state["granted"], &state["denied"]), (&json!(["necessary"]), &json!([])));
    assert_eq!(state["policy_version"], 1);
    assert_eq!(state["purposes"][0]["necessary"], true);
    assert_eq!(state["purposes"][2]["id"], "analytics");
    assert_eq!(set_cookies(&before), [""; 0], "asking sets nothing");
    let after = value(&site.get("/consent", Some(&site.choice(&["analytics"]))));
    assert_eq!(after["chosen"], true);
}

#[test]
fn rule_c9_the_choice_is_kept_in_a_signed_cookie_of_the_server() {
    let site = Site::new();
    let accept = site.post(&[FORM], "choice=accept");
    let lines = set_cookies(&accept.response);
    assert_eq!(lines.len(), 2, "the choice and its twin");
    assert!(lines[1].starts_with("consentry_choice=preferences!analytics!marketing; "), "{}", lines[1]);
    assert!(!lines[1].contains("HttpOnly"), "{}", lines[1]);
    let (pair, attributes) = lines[0].split_once("; ").unwrap();
    let mut attributes: Vec<&str> = attributes.split("; ").collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["HttpOnly", "Max-Age=15724800", "Path=/", "SameSite=Lax", "Secure"]);
    let stored = pair.strip_prefix("__Host-consentry=").unwrap();
    let read = Choice::decode(
        stored.as_bytes(),
        &site.policy,
        crate::consent::Seal::new(&site.ring, "shop.example"),
        NOW * 1000,
    )
    .unwrap();
    let chosen = accept.chosen.unwrap();
    assert_eq!((read.receipt, read.made_at(), read.row), (chosen.receipt, NOW, [7; 16]));
    assert_eq!(read.granted.union(site.policy.necessary()), chosen.granted);
}

#[test]
fn rule_c6_refusing_ends_the_cookies_of_analytics() {
    let site = Site::new();
    for body in ["choice=reject", "choice=save&purpose=marketing"] {
        let answer = site.post(&[FORM], body);
        let lines = set_cookies(&answer.response);
        assert_eq!(lines.len(), 4, "{body}");
        for name in ["consentry_visitor=;", "consentry_visit=;"] {
            let line = lines.iter().find(|line| line.starts_with(name)).unwrap();
            assert!(line.contains("Max-Age=0") && line.contains("Path=/"), "{line}");
        }
    }
    assert_eq!(set_cookies(&site.post(&[FORM], "choice=save&purpose=analytics").response).len(), 2);
}

#[test]
fn rule_c7_a_refusal_is_kept_as_long_as_an_acceptance() {
    let site = Site::new();
    let life = |body| {
        let answer = site.post(&[FORM], body);
        let line = set_cookies(&answer.response)[0].to_owned();
        line.split("; ").find(|attribute| attribute.starts_with("Max-Age=")).unwrap().to_owned()
    };
    assert_eq!(life("choice=accept"), life("choice=reject"));
}

#[test]
fn over_plain_http_the_cookie_can_still_be_kept() {
    let site = Site::new();
    let request = PrivacyRequest {
        method: &Method::POST,
        path: "/consent",
        query: None,
        headers: &HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
        body: br#"{"choice":"reject"}"#,
        host: "localhost:8080",
        https: false,
        choice: None,
        signals: Signals::default(),
        stamp: [0; 6],
        recording: Recording::Off,
        now_ms: NOW * 1000,
    };
    let Reply::Record(pending) = site.pages.respond(&request) else { panic!("it is a choice") };
    let answer = site.pages.recorded(*pending, &[0; 32], &request);
    assert!(set_cookies(&answer.response)[0].starts_with("consentry=v2~"));
    assert!(set_cookies(&answer.response).iter().all(|line| !line.contains("Secure")));
}

#[test]
fn another_site_cannot_choose() {
    let site = Site::new();
    for line in [("sec-fetch-site", "cross-site"), (ORIGIN.as_str(), "https://evil.example"), ("origin", "null")] {
        for (kind, body) in [(FORM, "choice=accept"), (JSON, r#"{"choice":"accept"}"#)] {
            let answer = site.post(&[kind, line], body);
            assert_eq!(answer.response.status(), StatusCode::FORBIDDEN, "{line:?}");
            assert!(set_cookies(&answer.response).is_empty() && answer.chosen.is_none());
        }
    }
}

#[test]
fn a_wrong_post_changes_nothing_and_says_what_would_be_right() {
    let site = Site::new();
    let long = format!("choice=accept&source={}", "a".repeat(MAX_BODY));
    for (kind, body, status, says) in [
        (FORM, "choice=perhaps", StatusCode::BAD_REQUEST, "accept, reject or save"),
        (FORM, "choice=save&purpose=telepathy", StatusCode::BAD_REQUEST, "this site asks about: preferences"),
        (JSON, "{", StatusCode::BAD_REQUEST, "not a choice"),
        (FORM, &long, StatusCode::PAYLOAD_TOO_LARGE, "8192"),
        (("content-type", "text/plain"), "choice=accept", StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/json"),
        (("content-type", "multipart/form-data; boundary=a"), "", StatusCode::UNSUPPORTED_MEDIA_TYPE, "json"),
    ] {
        let answer = site.post(&[kind], body);
        assert_eq!(answer.response.status(), status);
        assert!(text(&answer.response).contains(says), "{}", text(&answer.response));
        assert!(!text(&answer.response).contains("telepathy"), "nothing that was sent is repeated (D1)");
        assert!(set_cookies(&answer.response).is_empty() && answer.chosen.is_none());
        if kind == JSON {
            assert!(value(&answer.response)["error"].is_string());
        }
    }
}

#[test]
fn the_preferences_page_ticks_nothing_that_was_not_chosen() {
    let site = Site::new();
    let fresh = site.get("/", None);
    let html = text(&fresh);
    assert_eq!(html.matches("type=\"radio\"").count(), 6);
    assert!(!html.contains(" checked"));
    assert!(html.contains("You have not chosen yet") && html.contains(">Reject all</button>"));
    assert!(html.contains("_ga") && html.contains("Example Analytics") && html.contains("13 months"));
    assert!(html.contains("<code>consentry</code>") && html.contains("182 days"));
    assert!(!html.contains("name=\"purpose.necessary\""), "what is necessary is no question");
    assert!(!html.contains("Your choices are saved"));

    let choice = site.choice(&["analytics"]);
    let chosen = site.get("/", Some(&choice));
    let html = text(&chosen);
    let checked = |id: &str, answer: &str| {
        tag(html, &format!("<input type=\"radio\" name=\"purpose.{id}\" value=\"{answer}\"")).contains(" checked")
    };
    assert!(checked("analytics", "yes") && !checked("analytics", "no"));
    assert!(checked("marketing", "no") && !checked("marketing", "yes"));
    assert!(html.contains("3 May 2025 at 14:05 UTC") && html.contains(&format!("{:016x}", choice.receipt)));
    assert!(html.contains("1 November 2025"), "how long it is kept: {html}");
}

#[test]
fn rule_c5_everything_is_withdrawn_with_one_press() {
    let site = Site::new();
    let html = site.get("/", Some(&site.choice(&["analytics"]))).body().clone();
    let html = std::str::from_utf8(&html).unwrap();
    let form = &html[html.find("<form").unwrap()..html.find("</form>").unwrap()];
    assert!(form.contains("name=\"choice\" value=\"reject\"") && form.contains("value=\"withdrawal\""), "{form}");
    let answer = site.post(&[FORM], "source=preferences&choice=reject");
    assert_eq!(answer.response.headers()[LOCATION], "/_privacy/?saved=1");
    let nothing = answer.chosen.unwrap();
    assert_eq!(nothing.granted, site.policy.necessary());
    let after = site.get("/?saved=1", Some(&nothing));
    assert!(text(&after).contains("Your choices are saved") && text(&after).contains("You have refused"));
    assert!(!text(&after).contains("Withdraw all consent"), "there is nothing left to withdraw");
}

#[test]
fn the_confirmation_needs_a_choice() {
    let site = Site::new();
    assert!(!text(&site.get("/?saved=1", None)).contains("Your choices are saved"));
    let all = site.choice(&["preferences", "analytics", "marketing"]);
    assert!(text(&site.get("/?saved=1", Some(&all))).contains("You have allowed everything"));
    assert!(
        text(&site.get("/?a=b&saved=1", Some(&site.choice(&["analytics"]))))
            .contains("What you have refused has stopped")
    );
}

#[test]
fn the_pages_run_no_script_and_cannot_be_framed() {
    let site = Site::new();
    for path in ["/", "/nowhere"] {
        let response = site.get(path, None);
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"));
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}

#[test]
fn files_are_served_cached_and_typed() {
    let site = Site::new();
    for (path, kind) in [
        ("/banner.css", "text/css"),
        ("/banner.js", "text/javascript"),
        ("/collector.js", "text/javascript"),
        ("/privacy.css", "text/css"),
    ] {
        let response = site.get(path, None);
        assert_eq!(response.status(), StatusCode::OK);
        let header = |name| response.headers()[name].to_str().unwrap();
        assert!(header(CONTENT_TYPE).starts_with(kind));
        assert_eq!(header(CACHE_CONTROL), "public, max-age=3600");
        assert_eq!(header(X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(header(CONTENT_LENGTH), response.body().len().to_string());
        assert!(set_cookies(&response).is_empty() && !response.headers().contains_key(VARY));
        let again = site.ask(Method::GET, path, &[(IF_NONE_MATCH.as_str(), header(ETAG))], "", None).response;
        assert_eq!((again.status(), again.body().len()), (StatusCode::NOT_MODIFIED, 0));
        assert!(!again.headers().contains_key(CONTENT_LENGTH));
    }
}

#[test]
fn head_says_what_get_would_and_other_methods_are_refused() {
    let site = Site::new();
    for path in ["/", "/consent", "/banner.js", "/nowhere"] {
        let get = site.get(path, None);
        let head = site.ask(Method::HEAD, path, &[], "", None).response;
        assert!(head.body().is_empty());
        assert_eq!((head.status(), head.headers()), (get.status(), get.headers()), "{path}");
    }
    for (method, path, allow) in [
        (Method::POST, "/", "GET, HEAD"),
        (Method::DELETE, "/banner.js", "GET, HEAD"),
        (Method::PUT, "/consent", "GET, HEAD, POST"),
        (Method::OPTIONS, "/consent", "GET, HEAD, POST"),
    ] {
        let response = site.ask(method, path, &[], "", None).response;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(response.headers()[http::header::ALLOW], allow);
    }
    for path in ["/nowhere", "/consent/", "/banner.js/", "/../banner.js", "/askama.toml", "banner.js"] {
        assert_eq!(site.get(path, None).status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(site.ask(Method::POST, path, &[], "", None).response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(site.get("", None).headers()[LOCATION], "/_privacy/");
}

#[test]
fn the_folder_can_be_called_otherwise() {
    let site = Site::with(Policy::default(), Consent { path: "/meine-wahl".into(), ..texts() }, &[]);
    let mut all: Vec<String> = inserts(&site.pages).map(|(_, html)| html).collect();
    all.push(text(&site.get("/", None)).into());
    all.push(text(&site.get("/nowhere", None)).into());
    for html in all {
        assert!(html.contains("/meine-wahl/") && !html.contains("_privacy"), "{html}");
    }
    for script in [include_str!("../../static/built/banner.js"), include_str!("../../static/built/collector.js")] {
        assert!(!script.contains("_privacy"), "scripts find their folder by their own address");
    }
    assert_eq!(
        site.post(&[FORM], "choice=save&source=preferences").response.headers()[LOCATION],
        "/meine-wahl/?saved=1"
    );
}

#[test]
fn rule_c6_what_the_ledger_does_not_take_changes_nothing() {
    let site = Site::new();
    for (kind, accept) in [("application/json", "application/json"), ("application/x-www-form-urlencoded", "text/html")]
    {
        let headers = [(CONTENT_TYPE, kind), (ACCEPT, accept)].map(|(name, value)| (name, value.parse().unwrap()));
        let json = kind == "application/json";
        let request = PrivacyRequest {
            method: &Method::POST,
            path: "/consent",
            query: None,
            headers: &HeaderMap::from_iter(headers),
            body: if json { br#"{"choice":"accept"}"# } else { b"choice=accept" },
            host: "shop.example",
            https: true,
            choice: None,
            signals: Signals::default(),
            stamp: [0; 6],
            recording: Recording::Off,
            now_ms: NOW * 1000,
        };
        let Reply::Record(pending) = site.pages.respond(&request) else { panic!("it is a choice") };
        let response = site.pages.not_recorded(&pending, &request);
        assert_eq!((response.status(), set_cookies(&response).len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
        assert!(text(&response).contains("nothing has changed"), "{}", text(&response));
    }
}

#[test]
fn rule_c11_a_declaration_of_being_under_16_stays_until_it_is_taken_back() {
    let site = Site::new();
    let declared = site.post(&[FORM], "under_16=yes&source=preferences").chosen.unwrap();
    assert!(declared.under_16 && declared.granted == site.policy.necessary());
    let ask = |body: &str| site.ask(Method::POST, "/consent", &[JSON], body, Some(&declared));
    let accepted = ask(r#"{"choice":"accept","source":"banner"}"#);
    assert_eq!(value(&accepted.response)["under_16"], true);
    assert_eq!(value(&accepted.response)["granted"], json!(["necessary"]));
    let older = ask(r#"{"granted":["analytics"],"under_16":false}"#).chosen.unwrap();
    assert!(!older.under_16 && older.granted.contains(2));
}

#[test]
fn an_old_browser_must_show_a_form_of_ours_and_a_wrong_form_counts_nowhere() {
    let site = Site::new();
    let form = |host: &str, policy: &Policy| {
        let stem = form::stem("en-GB", PurposeSet::of([1, 2, 3]), &[9; 32], policy);
        let tail = form::tail(&stem, &site.ring, host, NOW);
        stem + std::str::from_utf8(&tail).unwrap()
    };
    let old = ("user-agent", "Mozilla/4.0 (compatible)");
    assert_eq!(site.post(&[FORM, old], "choice=accept").response.status(), StatusCode::FORBIDDEN);
    let body = |form: &str| format!("choice=accept&form={form}");
    let good = form("shop.example", &site.policy);
    assert!(site.post(&[FORM, old], &body(&good)).chosen.is_some());
    for wrong in [form("evil.example", &site.policy), good.replace("en-GB", "de-DE"), "f1".into()] {
        let told = site.post(&[FORM], &body(&wrong));
        assert_eq!((told.response.status(), told.chosen.is_none()), (StatusCode::FORBIDDEN, true), "{wrong}");
    }
    let mut other = site.policy.clone();
    other.version = 2;
    let told = site.post(&[FORM], &body(&form("shop.example", &other)));
    assert_eq!((told.response.status(), told.chosen.is_none()), (StatusCode::CONFLICT, true));
}
