//! Signing in and out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, error, json};
use super::session::{SESSION_COOKIE, SESSION_LIFE, SESSION_PATH, tokens};
use super::{State, now_s};

/// The most bytes a form with a password may have.
const MOST_BYTES: usize = 4096;
/// How long its body may take, and how long a check may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct SignIn {
    password: String,
}

/// `POST /api/sign-in`, a form or JSON `{"password": "…"}`: 200 and the session cookie, 401, or 429.
/// A form is answered with a redirect, so that it works in a page without scripts.
pub async fn sign_in(state: &Arc<State>, from: IpAddr, request: Request<Incoming>) -> Answer {
    if let Err(wait) = state.attempts.take(from, now_s()) {
        let message = format!("Too many tries. Wait {wait} seconds, then try again.");
        let mut answer = error(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", &message);
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
        return answer;
    }
    let (head, body) = request.into_parts();
    let read = tokio::time::timeout(PATIENCE, Limited::new(body, MOST_BYTES).collect()).await;
    let Ok(Ok(body)) = read else {
        return error(
            StatusCode::BAD_REQUEST,
            "bad_body",
            "The request's body did not arrive or is longer than 4096 bytes.",
        );
    };
    let is_form = is_form(&head.headers);
    let Some(password) = password(&body.to_bytes(), is_form) else {
        return error(
            StatusCode::BAD_REQUEST,
            "no_password",
            "Send the password as JSON {\"password\": \"…\"} or as a form.",
        );
    };
    match is_right(state, password).await {
        Some(true) => {}
        Some(false) => {
            state.parts.metrics.sign_in_failures.count();
            let message = "This is not the password. It was printed when the gateway first started.";
            return error(StatusCode::UNAUTHORIZED, "wrong_password", message);
        }
        None => {
            return error(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Many people are signing in. Try again in a moment.",
            );
        }
    }
    state.attempts.forget(from);
    let mut answer = json(StatusCode::OK, &json!({ "signed_in": true }));
    if is_form {
        *answer.status_mut() = StatusCode::SEE_OTHER;
        answer.headers_mut().insert(LOCATION, HeaderValue::from_static("/"));
    }
    set_cookie(&mut answer, &head.headers, &state.sessions.open(now_s()), SESSION_LIFE);
    answer
}

/// `POST /api/sign-out`: 200, and the session is over.
pub fn sign_out(state: &State, headers: &HeaderMap) -> Answer {
    state.sessions.close(tokens(headers));
    let mut answer = json(StatusCode::OK, &json!({ "signed_in": false }));
    set_cookie(&mut answer, headers, "", 0);
    answer
}

/// Checks on a thread of its own, one at a time; nothing where its turn does not come.
async fn is_right(state: &Arc<State>, password: String) -> Option<bool> {
    let _turn = tokio::time::timeout(PATIENCE, state.checking.acquire()).await.ok()?.ok()?;
    let state = Arc::clone(state);
    tokio::task::spawn_blocking(move || state.parts.verifier.verify(&password)).await.ok()
}

fn password(body: &[u8], is_form: bool) -> Option<String> {
    if is_form {
        let mut fields = form_urlencoded::parse(body);
        return fields.find(|(name, _)| name == "password").map(|(_, value)| value.into_owned());
    }
    serde_json::from_slice::<SignIn>(body).ok().map(|sign_in| sign_in.password)
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// `Secure` only where the way to the browser is said to be encrypted: a browser would not keep the cookie otherwise.
fn set_cookie(answer: &mut Answer, headers: &HeaderMap, token: &str, life: u64) {
    let encrypted = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let secure = if encrypted { "; Secure" } else { "" };
    let cookie =
        format!("{SESSION_COOKIE}={token}; Path={SESSION_PATH}; Max-Age={life}; HttpOnly; SameSite=Strict{secure}");
    answer.headers_mut().insert(SET_COOKIE, HeaderValue::try_from(cookie).expect("base64url is a header value"));
}
