//! What visitors read, in every language: banner, pages, messages, and the field that says what they read.

use super::*;
use crate::config::{BUILT_IN, LinkPosition, OwnWords};

/// As it was before the spaces that make all languages equally long.
fn unpadded(html: &str) -> String {
    match html.trim_end_matches('>').trim_end() {
        "" => String::new(),
        tag => format!("{tag}>"),
    }
}

fn asked(ids: &[&str]) -> PurposeSet {
    PurposeSet::of(ids.iter().map(|id| Policy::default().index(id).unwrap()))
}

fn state(ask: PurposeSet) -> VisitorState {
    VisitorState { ask, analytics: false, permitted: PurposeSet::of([0]) }
}

fn banner(site: &Site, ask: PurposeSet, language: &str) -> String {
    put_in(&site.pages, state(ask), None, Some(language)).1
}

/// The value of the first field `form`.
fn form_field(html: &str) -> &str {
    let field = tag(html, "<input type=\"hidden\" name=\"form\"");
    field.split("value=\"").nth(1).unwrap().split('"').next().unwrap()
}

fn arabic() -> OwnWords {
    OwnWords {
        code: "ar".into(),
        banner_title: Some("ملفات تعريف الارتباط".into()),
        words: "title = \"خيارات الخصوصية\"".parse().unwrap(),
        ..OwnWords::default()
    }
}

#[test]
fn the_banner_is_in_the_language_of_the_page_and_as_long_in_every_other() {
    let site = Site::with(Policy::default(), Consent { languages: vec![arabic()], ..Consent::default() }, &[]);
    for ask in [PurposeSet::default(), all(), asked(&["analytics"]), asked(&["analytics", "marketing"])] {
        let lengths: Vec<usize> =
            BUILT_IN.iter().chain([&"ar", &"ja"]).map(|code| banner(&site, ask, code).len()).collect();
        assert!(lengths.iter().all(|length| *length == lengths[0]), "{lengths:?}");
        for code in BUILT_IN.into_iter().chain(["ar"]) {
            let html = banner(&site, ask, code);
            let dir = if code == "ar" { "rtl" } else { "ltr" };
            let said = format!(" lang=\"{code}\" dir=\"{dir}\"");
            assert_eq!(html.matches(&said).count(), if ask.bits() == 0 { 1 } else { 2 }, "{html}");
            // The site's usual language needs no mention.
            let link = if code == "en-GB" { String::new() } else { format!("?lang={code}") };
            let link = format!("href=\"/_privacy/{link}\"");
            assert!(html.contains(&link) && unpadded(&html).ends_with("</nav></consentry-ui>"), "{html}");
        }
    }
    let html = banner(&site, all(), "de-AT");
    assert!(html.contains(">Alle ablehnen</button>") && html.contains("Einstellungen, Analyse, Marketing."), "{html}");
    assert!(banner(&site, all(), "ja").contains("lang=\"en-GB\""), "a language that is not there");
}

#[test]
fn a_page_that_does_not_say_its_language_has_the_one_the_browser_asks_for() {
    let site = Site::new();
    let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static("pl, en;q=0.5"))]);
    let view = page_view(state(all()), &headers);
    let insert = site.pages.snippet(&view);
    let html = |page| String::from_utf8(insert.body_start.in_language(page).to_vec()).unwrap();
    assert!(html(None).contains(">Odrzuć wszystkie</button>"));
    assert!(html(Some("")).contains("lang=\"pl\"") && html(Some("ja")).contains("lang=\"pl\""));
    assert!(html(Some("en-US")).contains("lang=\"en-GB\""), "the page's own goes first");
}

#[test]
fn rule_c7_a_question_about_a_part_names_only_that_part() {
    let site = Site::new();
    let html = banner(&site, asked(&["marketing"]), "en");
    assert!(html.contains("We need to ask you again") && html.contains("since you chose: Marketing."), "{html}");
    assert!(html.contains(">Reject</button>") && html.contains(">Accept</button>") && !html.contains("Analytics"));
    assert_eq!(html.replace("reject", "accept").matches("value=\"accept\"").count(), 2, "the same two answers");
    let read = |html: &str| {
        form::read(form_field(html), &site.policy, &site.ring, "shop.example", NOW)
            .unwrap_or_else(|e| panic!("{e} {html}"))
    };
    assert_eq!(read(&html).about, asked(&["marketing"]));
    assert_eq!(read(&banner(&site, all(), "cy")).about, asked(&["preferences", "analytics", "marketing"]));
    // What is not asked about, and what is necessary, is never part of it.
    let whole = PurposeSet::of(0..8);
    assert_eq!(banner(&site, whole, "en"), banner(&site, all(), "en"));
    assert!(!banner(&site, PurposeSet::of([0, 5]), "en").contains("<section"));
}

#[test]
fn rule_p5_what_was_shown_is_found_by_the_hash_in_its_form() {
    let site = Site::new();
    let known = site.pages.shown_texts();
    assert_eq!(known.len(), 3 * BUILT_IN.len());
    let find = |texts: &[ShownText], field: &str| {
        let shown = form::read(field, &site.policy, &site.ring, "shop.example", NOW).unwrap();
        let hex = |text: &ShownText| text.hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let found = texts.iter().find(|text| hex(text).starts_with(&shown.text)).cloned();
        let found = found.unwrap_or_else(|| panic!("{shown:?}"));
        assert_eq!(found.language, shown.language);
        found
    };
    for code in BUILT_IN {
        let html = banner(&site, all(), code);
        let kept = find(known, form_field(&html));
        let emptied = html.replace(form_field(&html), "");
        assert_eq!((kept.kind, std::str::from_utf8(&kept.bytes).unwrap()), ("banner", &*unpadded(&emptied)));

        let page = site.get(&format!("/?lang={code}"), None);
        let kept = find(known, form_field(text(&page)));
        assert_eq!((kept.kind, kept.hash), ("preferences", site.pages.text_hash(code)));
    }
    let plain = site.get("/", None);
    let emptied = text(&plain).replace(form_field(text(&plain)), "");
    assert_eq!(find(known, form_field(text(&plain))).bytes, emptied.as_bytes());

    assert!(site.pages.take_new_texts().is_empty());
    let html = banner(&site, asked(&["analytics"]), "fr");
    let _ = banner(&site, asked(&["analytics"]), "de");
    let new = site.pages.take_new_texts();
    assert_eq!(new.len(), BUILT_IN.len(), "each once, in every language");
    assert_eq!(find(&new, form_field(&html)).kind, "banner");
    assert!(site.pages.take_new_texts().is_empty());
    assert_eq!(site.pages.banner_version(), "1");
}

#[test]
fn what_stands_in_the_body_is_one_element_of_a_name_of_its_own() {
    let left = Site::new();
    let none = Site::with(Policy::default(), Consent { link_position: LinkPosition::None, ..Consent::default() }, &[]);
    let sites = [(&left, PurposeSet::default()), (&left, all()), (&left, asked(&["marketing"])), (&none, all())];
    for ((site, ask), code) in sites.into_iter().flat_map(|site| BUILT_IN.map(|code| (site, code))) {
        let html = banner(site, ask, code);
        let inner = html.strip_prefix("<consentry-ui>").and_then(|rest| rest.rsplit_once("</consentry-ui"));
        let (inner, spaces) = inner.unwrap_or_else(|| panic!("{html}"));
        assert!(inner.starts_with('<') && inner.ends_with('>') && !inner.contains("consentry-ui"), "{html}");
        assert_eq!(spaces.trim_start_matches(' '), ">", "no text follows it: {html}");
    }
}

#[test]
fn the_link_stands_where_the_operator_wants_it() {
    for (link_position, class) in [
        (LinkPosition::Left, Some("consentry-corner-left")),
        (LinkPosition::Right, Some("consentry-corner-right")),
        (LinkPosition::None, None),
    ] {
        let site = Site::with(Policy::default(), Consent { link_position, ..Consent::default() }, &[]);
        for ask in [PurposeSet::default(), all()] {
            let html = banner(&site, ask, "en");
            match class {
                Some(class) => assert!(html.contains(class), "{html}"),
                None if ask == all() => {
                    assert!(html.contains("consentry-corner-none\"") && html.contains(" hidden=\"\">"))
                }
                None => assert_eq!(html, "", "the site has its own"),
            }
        }
    }
}

#[test]
fn every_page_is_whole_in_every_language() {
    let consent = Consent { languages: vec![arabic()], contact: Some("a@b.example".into()), ..texts() };
    let site = Site::with(Policy::default(), consent, &[declared()]);
    let choice = site.choice(&["analytics"]);
    for code in BUILT_IN.into_iter().chain(["ar"]) {
        for path in ["/", "/?saved=1", "/receipt", "/notice", "/data", "/nowhere"] {
            for choice in [None, Some(&choice)] {
                let page = format!("{path}{}lang={code}", if path.contains('?') { '&' } else { '?' });
                let response = site.get(&page, choice);
                let html = text(&response);
                let dir = if code == "ar" { "rtl" } else { "ltr" };
                assert!(html.contains(&format!("<html lang=\"{code}\" dir=\"{dir}\">")), "{page}");
                assert!(!html.contains('{') && !html.contains("></h2>") && !html.contains("<p></p>"), "{page}: {html}");
                assert_eq!(html.matches("<h1>").count(), 1, "{page}");
                let ids: Vec<&str> = html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
                let different: std::collections::BTreeSet<&&str> = ids.iter().collect();
                assert_eq!(different.len(), ids.len(), "{page}");
                // The language stays, wherever one goes from here.
                for form in html.match_indices("<form").map(|(at, _)| &html[at..]) {
                    let action = format!(" action=\"/_privacy/consent?lang={code}\"");
                    assert!(tag(form, "<form").contains(&action), "{page}");
                    assert!(form[..form.find("</form>").unwrap()].contains("name=\"form\" value=\"f1~"), "{page}");
                }
            }
        }
    }
    let vary = site.get("/", None).headers()[VARY].to_str().unwrap().to_owned();
    assert!(vary.contains("Accept-Language"), "{vary}");
    let answer = site.ask(Method::POST, "/consent?lang=cy", &[FORM], "choice=save&source=preferences", None);
    assert_eq!(answer.response.headers()[LOCATION], "/_privacy/?saved=1&lang=cy");
    let french = [("accept-language", "fr-CH, de;q=0.2")];
    let page = site.ask(Method::GET, "/", &french, "", None).response;
    assert!(text(&page).contains("<html lang=\"fr\"") && text(&page).contains("action=\"/_privacy/consent\""));
}

#[test]
fn the_operators_own_words_say_which_language_they_are_in() {
    let site = Site::new();
    let page = site.get("/?lang=de", None);
    let html = text(&page);
    assert!(html.contains("<p lang=\"en-GB\" dir=\"ltr\">Counts visitors.</p>"), "{html}");
    assert!(html.contains("<dd>13 Monate</dd>") && html.contains("<dd>182 Tage</dd>"), "{html}");
    assert!(html.contains("Rechtsgrundlage: <span>Ihre Einwilligung</span>"));
}

#[test]
fn rule_c4_all_and_nothing_are_equals_on_the_preferences_page_too() {
    let site = Site::new();
    for code in BUILT_IN {
        let page = site.get(&format!("/?lang={code}"), None);
        let html = text(&page);
        let pair = html.split("<div class=\"pair\">").nth(1).unwrap().split("</div>").next().unwrap();
        let tags: Vec<&str> = pair.match_indices("<button").map(|(at, _)| tag(&pair[at..], "<button")).collect();
        assert_eq!(tags.len(), 2);
        assert_eq!(tags[0].replace("reject", "accept"), tags[1]);
        assert!(!html.contains(" checked"));
    }
}

#[test]
fn rule_c11_who_is_under_16_is_offered_no_yes() {
    let site = Site::new();
    let page = |standing: &preferences::Standing| {
        let visitor =
            Visitor { standing: Some(standing), just_saved: false, signals: Signals::default(), form: "signed" };
        let language = site.pages.site.languages.default();
        String::from_utf8(preferences::page(&site.pages.about(), language, false, &visitor).to_vec()).unwrap()
    };
    let standing = Standing::of(&site.choice(&[]));
    let grown_up = page(&standing);
    assert!(grown_up.contains("name=\"under_16\" value=\"yes\"") && grown_up.contains(">I am under 16</button>"));
    let child = page(&Standing { under_16: true, ..standing });
    for never in ["value=\"yes\"", "value=\"accept\"", "type=\"radio\""] {
        assert!(!child.contains(never), "{never}");
    }
    assert!(child.contains("You have told us that you are under 16."));
    let back = &child[child.find("<form").unwrap()..child.find("</form>").unwrap()];
    assert!(
        back.contains("name=\"under_16\" value=\"no\"") && back.contains("name=\"choice\" value=\"save\""),
        "{back}"
    );
    assert!(back.contains("name=\"form\" value=\"signed\""));
}

#[test]
fn rule_c7_what_was_not_asked_about_is_open_on_the_preferences_page() {
    let site = Site::new();
    let mut choice = site.choice(&["analytics"]);
    choice.denied = asked(&["preferences"]);
    let page = site.get("/", Some(&choice));
    let html = text(&page);
    assert!(html.contains("<dd>Not chosen yet</dd>"));
    for answer in ["yes", "no"] {
        let radio = tag(html, &format!("<input type=\"radio\" name=\"purpose.marketing\" value=\"{answer}\""));
        assert!(!radio.contains("checked"));
    }
}

#[test]
fn rule_c8_the_page_says_what_a_signal_does() {
    let site = Site::new();
    let page = |signals: Signals, choice: Option<&Choice>| {
        let request = PrivacyRequest {
            method: &Method::GET,
            path: "/",
            query: None,
            headers: &HeaderMap::new(),
            body: b"",
            host: "shop.example",
            https: true,
            choice,
            signals,
            stamp: [0; 6],
            recording: Recording::Off,
            now_ms: NOW * 1000,
        };
        let Reply::Answer(response) = site.pages.respond(&request) else { panic!("it is a page") };
        text(&response).to_owned()
    };
    let (gpc, none) = (Signals::read([&b"1"[..]]), Signals::default());
    assert!(!page(none, None).contains("Global Privacy Control"));
    assert!(page(gpc, None).contains("(Global Privacy Control). As long as you have not chosen"));
    assert!(page(gpc, Some(&site.choice(&[]))).contains("(Global Privacy Control). You have made your own choice"));
    assert!(page(none.with_dnt([&b"1"[..]]), None).contains("(Do Not Track)"));
}

#[test]
fn the_page_leads_to_what_is_served_and_to_nothing_else() {
    let site = Site::with(Policy::default(), Consent::default(), &[]);
    let without = site.get("/", None);
    assert!(!text(&without).contains("mailto:"));
    for path in ["/_privacy/data", "/_privacy/notice"] {
        assert!(text(&without).contains(&format!("href=\"{path}\"")), "{path}");
    }
    assert!(!text(&without).contains("What we count without asking"));
    let consent = Consent {
        controller: Some("Example Ltd, Leeds".into()),
        contact: Some("privacy@example.org".into()),
        ..Consent::default()
    };
    let mut site = Site::with(Policy::default(), consent, &[]);
    let served = Serves { statistics: true };
    site.pages = site.pages.with(served);
    let with = site.get("/", None);
    for words in
        ["mailto:privacy@example.org", "Example Ltd, Leeds", "What we count without asking", "choose “Reject all”"]
    {
        assert!(text(&with).contains(words), "{words}");
    }
    let own = Site::new().get("/", None);
    assert!(text(&own).contains("href=\"/privacy-notice\"") && !text(&own).contains("/_privacy/notice"));
    let kept = site.pages.shown_texts().iter().find(|text| text.kind == "preferences").unwrap();
    assert!(kept.bytes.windows(11).any(|part| part == b"Example Ltd"), "what is kept is what is shown");
}

#[test]
fn rule_p4_the_receipt_is_a_page_and_a_signed_file() {
    let site =
        Site::with(Policy::default(), Consent { controller: Some("Example Ltd".into()), ..texts() }, &[declared()]);
    let granted = PurposeSet::of([2]);
    let mut choice = Choice::new(&site.policy, granted, ChoiceSource::Banner, NOW * 1000);
    choice.language = crate::consent::Language::new("cy");
    choice.row = [0xcd; 16];
    choice.text.copy_from_slice(&site.pages.text_hash("cy")[..8]);
    let ask = |path: &str, lines: &[(&str, &str)], choice| site.ask(Method::GET, path, lines, "", choice).response;
    let page = ask("/receipt", &[], Some(&choice));
    let html = text(&page);
    let receipt = format!("{:016x}", choice.receipt);
    for words in [
        &*receipt,
        "shop.example",
        "3 May 2025 at 14:05 UTC",
        "1 November 2025",
        "Analytics",
        "In the banner",
        "lang=\"cy\">Cymraeg",
        "/_privacy/receipt?format=json",
        "href=\"/_privacy/keys.json\"",
        "consentry ledger verify-receipt",
    ] {
        assert!(html.contains(words), "{words} in {html}");
    }

    let keys = value(&ask("/keys.json", &[], None));
    for (path, lines) in [("/receipt?format=json", &[][..]), ("/receipt", &[("accept", "application/json")])] {
        let response = ask(path, lines, Some(&choice));
        let name = format!("attachment; filename=\"consent-receipt-{receipt}.json\"");
        assert_eq!(response.headers()[http::header::CONTENT_DISPOSITION], name);
        let file = value(&response);
        let verified = crate::ledger::receipt::verify(&file, &keys).unwrap();
        assert_eq!(verified.record_id, receipt);
        assert_eq!((&file["language"], &file["collection_method"]), (&json!("cy"), &json!("banner")));
        assert_eq!(file["ledger_row_sha256"], "cd".repeat(16));
        assert_eq!(file["notice_text_sha256"].as_str().map(str::len), Some(64), "it is still what is asked");
        assert_eq!(file["pii_controllers"][0]["party_name"], "Example Ltd");
        let states: Vec<_> =
            file["purposes"].as_array().unwrap().iter().map(|p| &p["events"][0]["event_state"]).collect();
        assert_eq!(states, ["given", "refused", "given", "refused"]);
        assert_eq!(file["purposes"][2]["purpose_title"], "Dadansoddi", "in the words that were read");
        let mut changed = file.clone();
        changed["purposes"][1]["events"][0]["event_state"] = json!("given");
        assert!(crate::ledger::receipt::verify(&changed, &keys).is_err());
        assert_eq!(ask(path, lines, None).status(), StatusCode::NOT_FOUND);
    }
    let none = ask("/receipt", &[], None);
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    assert!(text(&none).contains("There is no receipt yet"));
}

#[test]
fn rule_p1_a_choice_that_cannot_be_recorded_says_so_in_the_visitors_language() {
    let site = Site::new();
    let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static("cy"))]);
    let response = site.pages.message(Message::NotRecorded, &headers, None);
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(&response).contains("felly nid oes dim wedi newid") && text(&response).contains("<html lang=\"cy\""));
    assert!(set_cookies(&response).is_empty() && response.headers()[CACHE_CONTROL] == "no-store");
    let english = site.pages.message(Message::NotRecorded, &HeaderMap::new(), None);
    let said = "Your choice could not be recorded, so nothing has changed. Please try again later.";
    assert!(text(&english).contains(said));
}

#[test]
fn the_banner_is_small() {
    let site = Site::with(Policy::default(), Consent::default(), &[]);
    for code in BUILT_IN {
        let length = unpadded(&banner(&site, all(), code)).len();
        assert!(length < 1900, "{code}: {length}");
    }
}
