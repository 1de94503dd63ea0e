//! The API over a real socket, before the real engine and, on purpose, before none.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, ETAG, HOST, LOCATION, ORIGIN, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::*;
use crate::config::ClickHouse;
use crate::engine::testing;
use crate::store::{client, migrate};

const PASSWORD: &str = "abcde-fghjk-mnpqr-stuvw";

/// A dashboard on a port of its own, and a browser that keeps its session.
struct Served {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    cookie: Option<String>,
    metrics: Arc<Metrics>,
    /// Dropped at the end of a test: the dashboard then ends.
    ending: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    fn error(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

impl Served {
    async fn new(database: clickhouse::Client) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::default());
        let verifier = Verifier::of(PASSWORD);
        let parts =
            Parts { client: database, metrics: Arc::clone(&metrics), verifier, site_id: 1, spool_max_bytes: 1000 };
        let (ending, end) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, Arc::new(State::new(parts)), async move {
            let _ = end.await;
        }));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Served { address, client, cookie: None, metrics, ending: Some(ending), task }
    }

    async fn without_database() -> Served {
        // A port that was free a moment ago and that nobody listens on.
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        Served::new(clickhouse::Client::default().with_url(format!("http://{gone}"))).await
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.client.request(request.body(Full::new(body.to_owned().into())).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        Got { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    async fn get(&self, path: &str) -> Got {
        self.send(Method::GET, path, &[], "").await
    }

    async fn try_password(&self, password: &str) -> Got {
        let body = json!({ "password": password }).to_string();
        self.send(Method::POST, "/api/sign-in", &[("content-type", "application/json")], &body).await
    }

    async fn signed_in(mut self) -> Served {
        let got = self.try_password(PASSWORD).await;
        assert_eq!(got.status, StatusCode::OK);
        let cookie = got.headers[SET_COOKIE].to_str().unwrap();
        self.cookie = cookie.split(';').next().map(str::to_owned);
        self
    }

    async fn end(mut self) {
        drop(self.ending.take());
        self.task.await.unwrap();
    }
}

#[tokio::test]
async fn nobody_sees_a_figure_without_signing_in() {
    let served = Served::without_database().await;
    for path in ["totals", "series", "pages", "sources", "countries", "devices", "consent", "definitions", "nothing"] {
        assert_eq!(served.get(&format!("/api/{path}")).await.error(), (401, "signed_out".into()), "{path}");
    }
    let forged = [("cookie", "consentry_dashboard=AAAA; consentry_dashboard=")];
    assert_eq!(served.send(Method::GET, "/api/totals", &forged, "").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(served.get("/api/session").await.json(), json!({ "signed_in": false }));
    served.end().await;
}

#[tokio::test]
async fn signing_in_gives_a_guarded_cookie_and_signing_out_ends_it() {
    let served = Served::without_database().await;
    assert_eq!(served.try_password("wrong").await.error(), (401, "wrong_password".into()));
    assert_eq!(served.metrics.sign_in_failures.get(), 1);

    let got = served.try_password(PASSWORD).await;
    let cookie = got.headers[SET_COOKIE].to_str().unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/api", "Max-Age=43200"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "the way is not encrypted, a browser would drop it");

    let served = served.signed_in().await;
    let session = served.get("/api/session").await.json();
    assert_eq!((&session["signed_in"], &session["site"]), (&Value::Bool(true), &Value::from(1)));
    assert_eq!(served.get("/api/definitions").await.status, StatusCode::OK);
    let out = served.send(Method::POST, "/api/sign-out", &[], "").await;
    assert!(out.headers[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(served.get("/api/definitions").await.status, StatusCode::UNAUTHORIZED, "on the server too");
    served.end().await;
}

#[tokio::test]
async fn a_form_signs_in_without_scripts_and_an_encrypted_way_makes_the_cookie_secure() {
    let served = Served::without_database().await;
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("x-forwarded-proto", "https")];
    let got = served.send(Method::POST, "/api/sign-in", &headers, "password=ABCDE+fghjk+mnpqr+stuvw").await;
    assert_eq!((got.status, got.headers[LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/"));
    assert!(got.headers[SET_COOKIE].to_str().unwrap().ends_with("; Secure"));
    served.end().await;
}

#[tokio::test]
async fn passwords_cannot_be_tried_for_ever() {
    let served = Served::without_database().await;
    for _ in 0..10 {
        assert_eq!(served.try_password("wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    let refused = served.try_password(PASSWORD).await;
    assert_eq!(refused.error(), (429, "too_many_tries".into()));
    assert!(refused.headers.contains_key("retry-after"));
    assert!(!refused.headers.contains_key(SET_COOKIE));
    served.end().await;
}

#[tokio::test]
async fn another_origin_can_neither_sign_in_nor_out() {
    let served = Served::without_database().await.signed_in().await;
    let body = json!({ "password": PASSWORD }).to_string();
    for path in ["/api/sign-in", "/api/sign-out"] {
        for headers in [[(ORIGIN.as_str(), "http://localhost:8080")], [("sec-fetch-site", "cross-site")]] {
            let got = served.send(Method::POST, path, &headers, &body).await;
            assert_eq!(got.error(), (403, "wrong_origin".into()));
        }
    }
    assert_eq!(served.get("/api/definitions").await.status, StatusCode::OK, "still signed in");
    served.end().await;
}

#[tokio::test]
async fn another_name_for_this_machine_reaches_nothing() {
    let served = Served::without_database().await.signed_in().await;
    for path in ["/", "/healthz", "/api/session", "/api/definitions"] {
        let got = served.send(Method::GET, path, &[(HOST.as_str(), "rebound.example:8090")], "").await;
        assert_eq!(got.error(), (421, "wrong_host".into()), "{path}");
    }
    served.end().await;
}

#[tokio::test]
async fn the_database_being_away_is_said_in_json() {
    let served = Served::without_database().await.signed_in().await;
    for path in ["totals", "series", "pages", "sources?by=channel", "countries", "devices?by=os&limit=3", "consent"] {
        assert_eq!(served.get(&format!("/api/{path}")).await.error(), (503, "database_away".into()), "{path}");
    }
    assert_eq!(served.get("/healthz").await.status, StatusCode::OK, "the process lives all the same");
    let ready = served.get("/readyz").await;
    let said = ready.json();
    assert_eq!(ready.status, StatusCode::OK, "the site is served, and no load balancer is to take it out");
    assert_eq!((&said["ready"], &said["alarms"]), (&json!(true), &json!(["database-away"])));
    assert_eq!((&said["database"]["ok"], &said["spool"]["ok"]), (&json!(false), &json!(true)));
    served.end().await;
}

#[tokio::test]
async fn only_a_gateway_that_lets_nobody_in_is_not_ready() {
    let served = Served::without_database().await;
    served.metrics.reloads.refused_last.set(1);
    let ready = served.get("/readyz").await;
    assert_eq!(
        (ready.status, &ready.json()["alarms"]),
        (StatusCode::OK, &json!(["database-away", "configuration-refused"]))
    );
    served.metrics.draining.set(1);
    let ready = served.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((&ready.json()["ready"], &ready.json()["draining"]), (&json!(false), &json!(true)));
    served.end().await;
}

#[tokio::test]
async fn a_ledger_that_takes_no_choice_is_an_alarm() {
    let served = Served::without_database().await;
    served.metrics.ledger_failing.set(1);
    let ready = served.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["alarms"]), (StatusCode::OK, &json!(["database-away", "ledger-failing"])));
    served.end().await;
}

#[tokio::test]
async fn a_full_spool_is_an_alarm() {
    let served = Served::without_database().await;
    served.metrics.spool.waiting_bytes.set(1000);
    served.metrics.spool.waiting_rows.set(7);
    served.metrics.spool.oldest_seconds.set(60);
    let said = served.get("/readyz").await.json();
    let expected = json!({ "ok": false, "waiting_rows": 7, "waiting_bytes": 1000, "max_bytes": 1000,
                           "oldest_seconds": 60, "quarantined_batches": 0 });
    assert_eq!(said["spool"], expected);
    assert_eq!(said["alarms"], json!(["database-away", "spool-full"]));
    served.end().await;
}

#[tokio::test]
async fn a_spool_whose_disk_fails_is_an_alarm() {
    let served = Served::without_database().await;
    served.metrics.spool.disk_failing.set(1);
    assert_eq!(served.get("/readyz").await.json()["spool"]["ok"], false);
    served.metrics.spool.disk_failing.set(0);
    served.metrics.spool.overdue.set(1);
    served.metrics.spool.quarantined_batches.set(2);
    let said = served.get("/readyz").await.json();
    assert_eq!(
        (&said["spool"]["ok"], &said["alarms"]),
        (&json!(false), &json!(["database-away", "spool-overdue", "quarantine"]))
    );
    served.end().await;
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let served = Served::without_database().await.signed_in().await;
    for (query, said) in [
        ("totals?from=yesterday", "`from` is `yesterday`"),
        ("totals?from=2026-03-02&to=2026-03-01", "swap them"),
        ("totals?from=2026-02-30&to=2026-03-01", "`from` is `2026-02-30`"),
        ("totals?site=one", "`site`"),
        ("totals?form=2026-03-01", "no parameter `form`"),
        ("totals?site=1&site=2", "`site` is given twice"),
        ("pages?limit=0", "`limit` must be 1 to 1000"),
        ("pages?by=country", "`by` names nothing"),
        ("pages?limit=99999999", "`limit`"),
        ("consent?country=GB", "take out the filters"),
    ] {
        let got = served.get(&format!("/api/{query}")).await;
        assert_eq!(got.error(), (400, "bad_parameter".into()), "{query}");
        let message = got.json()["error"]["message"].to_string();
        assert!(message.contains(said), "{query}: {message}");
    }
    served.end().await;
}

#[tokio::test]
async fn wrong_paths_and_methods_are_told_apart() {
    let served = Served::without_database().await.signed_in().await;
    for path in ["/nothing", "/static/", "/static/../Cargo.toml", "/api/nothing", "/api"] {
        assert_eq!(served.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for (method, path, allowed) in [
        (Method::POST, "/", "GET, HEAD"),
        (Method::DELETE, "/api/totals", "GET, HEAD"),
        (Method::GET, "/api/sign-in", "POST"),
        (Method::PUT, "/metrics", "GET, HEAD"),
    ] {
        let got = served.send(method, path, &[], "").await;
        assert_eq!((got.status, &got.headers[ALLOW]), (StatusCode::METHOD_NOT_ALLOWED, &allowed.parse().unwrap()));
    }
    assert_eq!(served.send(Method::HEAD, "/", &[], "").await.status, StatusCode::OK);
    assert_eq!(served.send(Method::POST, "/api/sign-in", &[], &"x".repeat(5000)).await.error().1, "bad_body");
    assert_eq!(served.send(Method::POST, "/api/sign-in", &[], "{}").await.error().1, "no_password");
    served.end().await;
}

#[tokio::test]
async fn every_answer_forbids_foreign_and_inline_code() {
    let served = Served::without_database().await;
    for path in ["/", "/static/app.js", "/healthz", "/api/session", "/api/totals", "/nothing"] {
        let got = served.get(path).await;
        let policy = got.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(got.headers["x-content-type-options"], "nosniff");
    }
    served.end().await;
}

#[tokio::test]
async fn the_app_comes_whole_from_the_binary_and_is_fetched_once() {
    let served = Served::without_database().await;
    let page = served.get("/").await;
    assert_eq!(page.headers[CONTENT_TYPE], "text/html; charset=utf-8");
    let html = String::from_utf8(page.body.to_vec()).unwrap();
    for inline in ["<style", " style=", " onclick", "javascript:", "http://", "https://"] {
        assert!(!html.contains(inline), "`{inline}` stands in the page");
    }
    // Every file that is named by another one is there.
    let mut named: Vec<String> =
        html.split('"').filter(|part| part.starts_with("/static/")).map(str::to_owned).collect();
    assert!(named.len() >= 2);
    let mut at = 0;
    while let Some(path) = named.get(at).cloned() {
        let got = served.get(&path).await;
        assert_eq!(got.status, StatusCode::OK, "{path}");
        let text = String::from_utf8(got.body.to_vec()).unwrap();
        for import in text.split('"').filter_map(|part| part.strip_prefix("./")).filter(|part| part.ends_with(".js")) {
            let import = format!("/static/{import}");
            if !named.contains(&import) {
                named.push(import);
            }
        }
        at += 1;
    }
    let tag = page.headers[ETAG].to_str().unwrap();
    let again = served.send(Method::GET, "/", &[("if-none-match", tag)], "").await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    served.end().await;
}

#[tokio::test]
async fn whoever_does_not_read_or_ask_keeps_no_probe_out() {
    use tokio::io::AsyncWriteExt;
    let served = Served::without_database().await;
    let mut held = Vec::new();
    for at in 0..600 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        if at % 2 == 0 {
            let many = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
            let _given_up = stream.write_all(many.as_bytes()).await;
        }
        held.push(stream);
        if at % 50 == 0 {
            let asked = tokio::time::timeout(Duration::from_secs(5), served.get("/healthz"));
            assert_eq!(asked.await.expect("it answers").status, StatusCode::OK);
        }
    }
    drop(held);
    served.end().await;
}

#[tokio::test]
async fn prometheus_reads_the_counters() {
    let served = Served::without_database().await;
    served.metrics.events_captured.add(5);
    let got = served.get("/metrics").await;
    assert!(got.headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(String::from_utf8_lossy(&got.body).contains("\nconsentry_events_captured_total 5\n"));
    served.end().await;
}

#[tokio::test]
async fn figures_arrive_in_the_shapes_that_are_documented() {
    let database = client::connect(&ClickHouse::Embedded { listen: None }, testing::shared()).unwrap();
    let database = database.with_database("dashboard_api");
    migrate::apply(&database).await.unwrap();
    // Two pages an hour ago, one visit; nothing the day before.
    let insert = "insert into events (site_id, ts, name, visitor_id, session_id, seq, since_prev_ms, path, source, \
                  channel, country, device, retention_days, expires_at) select 1, now64(3) - 3600, 'pageview', 1, 1, \
                  number + 1, number * 30000, ['/', '/pricing'][number + 1], 'Google', 'organic search', 'GB', \
                  'desktop', 90, today() + 90 from numbers(2)";
    database.query(insert).execute().await.unwrap();
    let served = Served::new(database).await.signed_in().await;
    let today = served.get("/api/session").await.json()["today"].as_str().unwrap().to_owned();
    let yesterday = today.parse::<jiff::civil::Date>().unwrap().yesterday().unwrap();
    let ask = async |path: &str| served.get(&format!("/api/{path}from={yesterday}&to={today}")).await.json();

    let nothing = json!({ "visitors": 0, "visits": 0, "page_views": 0, "bounce_rate": null, "visit_seconds": null });
    let found = json!({ "visitors": 1, "visits": 1, "page_views": 2, "bounce_rate": 0.0, "visit_seconds": 30.0 });
    let period = json!({ "site": 1, "from": yesterday.to_string(), "to": today, "today": today });
    let totals = ask("totals?").await;
    assert_eq!((&totals["current"], &totals["previous"], &totals["period"]), (&found, &nothing, &period));
    assert_eq!(totals["compared_with"]["same_time"], true);

    let series = ask("series?").await;
    let points = series["points"].as_array().unwrap();
    assert_eq!((&series["bucket"], points.len()), (&json!("hour"), 48));
    assert_eq!(points.iter().filter(|point| point["current"] == found).count(), 1);

    let row = |label: &str| json!({ "label": label, "visitors": 1, "visits": 1, "page_views": 2 });
    let pages = ask("pages?by=entry_page&").await;
    let entry = json!([{ "label": "/", "visitors": 1, "visits": 1, "page_views": 1 }]);
    assert_eq!((&pages["by"], &pages["rows"], &pages["more"]), (&json!("entry_page"), &entry, &json!(false)));
    assert_eq!(ask("pages?limit=1&").await["more"], true);
    // Only the first page of a visit comes from somewhere.
    let source = json!({ "label": "Google", "detail": "organic search", "visitors": 1, "visits": 1, "page_views": 1 });
    assert_eq!(ask("sources?").await["rows"], json!([source]));
    let channel = json!({ "label": "organic search", "visitors": 1, "visits": 1, "page_views": 1 });
    assert_eq!(ask("sources?by=channel&").await["rows"], json!([channel]));
    assert_eq!(ask("countries?").await["rows"], json!([row("GB")]));
    assert_eq!(ask("devices?by=browser&").await["rows"], json!([row("")]));
    assert_eq!(ask("devices?country=IE&").await["rows"], json!([]));
    assert_eq!(ask("totals?site=2&").await["current"], nothing);
    assert_eq!(ask("totals?page=%2Fpricing&").await["current"], found);

    let ready = served.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (StatusCode::OK, &json!(true)));
    served.end().await;
}

#[tokio::test]
async fn how_the_banner_is_answered_arrives_with_totals_and_by_day_version_and_language() {
    let database = client::connect(&ClickHouse::Embedded { listen: None }, testing::shared()).unwrap();
    let database = database.with_database("dashboard_consent");
    migrate::apply(&database).await.unwrap();
    let nothing = json!({
        "shown": 0, "accepted": 0, "rejected": 0, "customised": 0, "ignored": 0, "acceptance_rate": null, "refusal_rate": null
    });
    let served = Served::new(database.clone()).await.signed_in().await;
    let found = served.get("/api/consent").await.json();
    assert_eq!(found["total"], nothing, "{found}");
    // Parts of a day add up; nothing of another site, of a day outside, or expired counts.
    let insert = "insert into consent_statistics (site_id, day, batch_id, banner_version, language, shown, accepted, \
                  rejected, customised, expires_at) values (1, '2026-03-30', 1, '1', 'en-GB', 10, 3, 1, 1, '2099-01-01'), \
                  (1, '2026-03-30', 2, '1', 'en-GB', 5, 0, 1, 0, '2099-01-01'), (1, '2026-03-31', 3, '2', 'cy', 2, 0, 2, \
                  2, '2099-01-01'), (2, '2026-03-31', 4, '2', 'cy', 9, 9, 9, 9, '2099-01-01'), (1, '2026-03-29', 5, '2', \
                  'cy', 9, 9, 9, 9, '2099-01-01'), (1, '2026-03-31', 6, '2', 'cy', 9, 9, 9, 9, today())";
    database.query("system stop ttl merges consent_statistics").execute().await.unwrap();
    database.query(insert).execute().await.unwrap();
    let found = served.get("/api/consent?from=2026-03-30&to=2026-03-31").await.json();
    let total = json!({
        "shown": 17, "accepted": 3, "rejected": 4, "customised": 3, "ignored": 7, "acceptance_rate": 0.3, "refusal_rate": 0.4
    });
    assert_eq!(found["total"], total);
    let rows = json!([
        { "day": "2026-03-31", "banner_version": "2", "language": "cy", "shown": 2, "accepted": 0, "rejected": 2,
          "customised": 2, "ignored": 0, "acceptance_rate": 0.0, "refusal_rate": 0.5 },
        { "day": "2026-03-30", "banner_version": "1", "language": "en-GB", "shown": 15, "accepted": 3, "rejected": 2,
          "customised": 1, "ignored": 9, "acceptance_rate": 0.5, "refusal_rate": 2.0 / 6.0 },
    ]);
    assert_eq!((&found["rows"], &found["more"]), (&rows, &json!(false)));
    let first = served.get("/api/consent?from=2026-03-30&to=2026-03-31&limit=1").await.json();
    assert_eq!((&first["rows"][0], &first["more"], &first["total"]), (&rows[0], &json!(true), &total));
    let definitions = served.get("/api/definitions").await.json();
    let mut names: Vec<&str> =
        definitions["consent"].as_array().unwrap().iter().map(|metric| metric["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let figures: Vec<&String> = total.as_object().unwrap().keys().collect();
    assert_eq!(names, figures, "each figure is explained");
    served.end().await;
}
