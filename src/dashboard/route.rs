//! From a request to its answer.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::HOST;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use super::answer::{Answer, error, json, method_not_allowed};
use super::check::{is_local_host, is_same_origin};
use super::session::tokens;
use super::{State, api, assets, health, now_ms, now_s, sign_in};
use crate::query::period::utc_date;

/// Answers one request. `local` says that the listener is on loopback.
pub async fn handle(state: &Arc<State>, from: IpAddr, local: bool, request: Request<Incoming>) -> Answer {
    if local && !is_local_host(request.headers().get(HOST).map(|host| host.as_bytes())) {
        let message = "The dashboard listens on this machine only and answers to localhost and 127.0.0.1. \
                       A proxy in front of it must send one of these as Host.";
        return error(StatusCode::MISDIRECTED_REQUEST, "wrong_host", message);
    }
    let path = request.uri().path();
    let changes = matches!(path, "/api/sign-in" | "/api/sign-out");
    match *request.method() {
        Method::POST if changes => {}
        Method::GET | Method::HEAD if !changes => {}
        _ if !is_known(path) => return not_found(),
        _ => return method_not_allowed(if changes { "POST" } else { "GET, HEAD" }),
    }
    if changes && !is_same_origin(request.headers()) {
        return error(StatusCode::FORBIDDEN, "wrong_origin", "Only the dashboard's own page may do this.");
    }
    match path {
        "/healthz" => health::healthz(),
        "/readyz" => health::readyz(state).await,
        "/metrics" => health::metrics(state),
        "/api/sign-in" => sign_in::sign_in(state, from, request).await,
        "/api/sign-out" => sign_in::sign_out(state, request.headers()),
        "/api/session" => session(state, &request),
        path if path.starts_with("/api/") => match api::Endpoint::of(path) {
            _ if !is_signed_in(state, &request) => {
                error(StatusCode::UNAUTHORIZED, "signed_out", "Sign in first: POST /api/sign-in with the password.")
            }
            Some(endpoint) => api::answer(state, endpoint, request.uri().query().unwrap_or_default()).await,
            None => not_found(),
        },
        path => match assets::find(path) {
            Some(asset) => assets::answer_for(asset, request.headers()),
            None => not_found(),
        },
    }
}

/// `GET /api/session`: `{"signed_in": false}`, or with `site` and `today` as well.
fn session(state: &State, request: &Request<Incoming>) -> Answer {
    if !is_signed_in(state, request) {
        return json(StatusCode::OK, &json!({ "signed_in": false }));
    }
    let today = utc_date(now_ms()).to_string();
    json(StatusCode::OK, &json!({ "signed_in": true, "site": state.parts.site_id, "today": today }))
}

fn is_signed_in(state: &State, request: &Request<Incoming>) -> bool {
    state.sessions.any_open(tokens(request.headers()), now_s())
}

fn is_known(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics" | "/api/sign-in" | "/api/sign-out" | "/api/session")
        || api::Endpoint::of(path).is_some()
        || assets::find(path).is_some()
}

fn not_found() -> Answer {
    error(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address.")
}
