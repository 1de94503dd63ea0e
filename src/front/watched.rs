//! A request that is watched from its head to the end of its answer, for the histograms and, where they are switched on, for
//! the access log and the security log. Nothing here is of a visitor but what those logs may have (D1).

use std::sync::Arc;
use std::time::Instant;

use http::{Method, StatusCode, Uri};

use super::gateway::{Gateway, Visit};
use super::keep;
use super::role::Role;
use crate::consent::{NoChoice, Policy};
use crate::observe::Lines;
use crate::observe::access::{self, Line, Refused};
use crate::observe::latency::{Latencies, Phase, Route};
use crate::pseudonym::{RawIp, scrub};
use crate::statistics::path;
use crate::upstream::RequestId;

/// The logs of single requests, where they are switched on.
#[derive(Clone, Default)]
pub struct RequestLogs {
    /// A line for each request.
    pub access: Option<Arc<Lines>>,
    /// A line for each that is refused.
    pub security: Option<Arc<Lines>>,
}

/// What is known of a request so far. It is counted and written down when this is dropped, with the answer's body.
pub(super) struct Watched {
    cells: Arc<Latencies>,
    began: Instant,
    /// When the site was asked, when its answer began, and when the answer's head was made.
    asked: Option<Instant>,
    answered: Option<Instant>,
    headed: Option<Instant>,
    route: Route,
    id: Option<RequestId>,
    bytes: u64,
    end: &'static str,
    line: Option<Box<(Line, Arc<Lines>)>>,
}

impl Watched {
    /// A request has come.
    pub(super) fn begin(gateway: &Gateway) -> Watched {
        gateway.latencies.begin();
        Watched {
            cells: gateway.latencies.clone(),
            began: Instant::now(),
            asked: None,
            answered: None,
            headed: None,
            route: Route::Refused,
            id: None,
            bytes: 0,
            end: "aborted",
            line: None,
        }
    }

    /// When it came.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// The id it has in the request to the site, in the logs and on error pages.
    pub(super) fn is_called(&mut self, id: RequestId) {
        self.id = Some(id);
    }

    /// That id.
    pub(super) fn id(&mut self) -> RequestId {
        *self.id.get_or_insert_with(RequestId::new)
    }

    /// The site is asked now.
    pub(super) fn asks(&mut self, role: Role) {
        self.route = match role {
            Role::Document => Route::Page,
            Role::Part => Route::Part,
            Role::Other => Route::Other,
        };
        self.asked = Some(Instant::now());
    }

    /// The site's answer has begun, or failed.
    pub(super) fn answers(&mut self) {
        self.answered = Some(Instant::now());
    }

    /// The answer is one of ours; `path` is below the visitors' folder.
    pub(super) fn is_own(&mut self, path: &str) {
        self.route = if path == "/events" { Route::Beacon } else { Route::Privacy };
    }

    /// The answer's head is made: `visit` is what is known of who asked.
    pub(super) fn head(&mut self, gateway: &Gateway, visit: &Visit<'_>, status: StatusCode) {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            self.route = Route::Tunnel;
        }
        let is_own = matches!(self.route, Route::Beacon | Route::Privacy);
        if is_own && let Some(reason) = refusal(status, &visit.choice) {
            self.secure(gateway, visit.parts.method.as_str(), &visit.client.ip, status, reason);
        }
        let consent = || consent(visit, &gateway.site.policy);
        let asked = (&visit.parts.method, &visit.parts.uri);
        self.note(gateway, asked, visit.host, status, keep::milliseconds(visit.now), consent);
        self.headed = Some(Instant::now());
    }

    /// The request is one that the site is not asked, or cannot be.
    pub(super) fn turned_away(
        &self,
        gateway: &Gateway,
        visit: &Visit<'_>,
        status: StatusCode,
        reason: impl std::fmt::Debug,
    ) {
        self.secure(gateway, visit.parts.method.as_str(), &visit.client.ip, status, &word(reason));
    }

    /// It was answered before anybody asked what it is about.
    pub(super) fn is_settled(&mut self, gateway: &Gateway, asked: (&Method, &Uri), host: &str, status: StatusCode) {
        self.route = Route::Other;
        self.note(gateway, asked, host, status, now_ms(), || "none");
        self.headed = Some(Instant::now());
    }

    /// It was refused before anything else was known of it.
    pub(super) fn refused(
        &mut self,
        gateway: &Gateway,
        asked: (&Method, &Uri),
        client: &RawIp,
        status: StatusCode,
        reason: &str,
    ) {
        self.secure(gateway, asked.0.as_str(), client, status, reason);
        self.note(gateway, asked, "", status, now_ms(), || "none");
        self.headed = Some(Instant::now());
    }

    /// Something is known of it that the access log is to have, should the visitor go away before there is an answer.
    pub(super) fn is_known(&mut self, gateway: &Gateway, visit: &Visit<'_>) {
        if gateway.site.logs.access.is_none() {
            return;
        }
        // As nginx writes it. An error's path is not told: nobody knows whether there is such a one.
        let status = StatusCode::from_u16(UNANSWERED).unwrap_or(StatusCode::REQUEST_TIMEOUT);
        let asked = (&visit.parts.method, &visit.parts.uri);
        let consent = || consent(visit, &gateway.site.policy);
        self.note(gateway, asked, visit.host, status, keep::milliseconds(visit.now), consent);
    }

    /// What the access log will have of it.
    fn note(
        &mut self,
        gateway: &Gateway,
        (method, target): (&Method, &Uri),
        host: &str,
        status: StatusCode,
        time_ms: i64,
        consent: impl FnOnce() -> &'static str,
    ) {
        let Some(log) = &gateway.site.logs.access else { return };
        let classes = &gateway.shared.path_classes;
        let declared = |path: &str| classes.classify(path).map(|found| found.class.to_owned());
        let path = path::class(target.path(), status, Some(&declared));
        if let Some((line, _)) = self.line.as_deref_mut() {
            (line.path, line.consent, line.status) = (path, consent(), status.as_u16());
            return;
        }
        let line = Line {
            time_ms,
            id: self.id().to_string(),
            method: access::method(method.as_str()),
            host: access::host(&scrub::host(host)),
            route: self.route,
            path,
            consent: consent(),
            status: status.as_u16(),
            bytes: 0,
            end: "",
            head_us: 0,
            upstream_us: None,
            body_us: 0,
        };
        self.line = Some(Box::new((line, log.clone())));
    }

    /// A line for the security log, if there is one.
    fn secure(&self, gateway: &Gateway, method: &str, client: &RawIp, status: StatusCode, reason: &str) {
        secure(gateway, Some((method, status)), client, reason);
    }

    /// More bytes of the body went out.
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The body has ended as it should.
    pub(super) fn complete(&mut self) {
        if self.end != BROKEN {
            self.end = "complete";
        }
    }

    /// The site's answer broke off.
    pub(super) fn broken(&mut self) {
        self.end = BROKEN;
    }
}

const BROKEN: &str = "broken";

/// The status in the access log of a request whose visitor went away, or whose connection we ended, before there was an answer.
const UNANSWERED: u16 = 499;

impl Drop for Watched {
    fn drop(&mut self) {
        let now = Instant::now();
        let headed = self.headed.unwrap_or(now);
        let upstream = self.asked.map(|asked| self.answered.unwrap_or(headed).saturating_duration_since(asked));
        let head = headed.saturating_duration_since(self.began).saturating_sub(upstream.unwrap_or_default());
        let body = now.saturating_duration_since(headed);
        self.cells.observe(self.route, Phase::Head, head);
        if let Some(upstream) = upstream {
            self.cells.observe(self.route, Phase::Upstream, upstream);
        }
        self.cells.observe(self.route, Phase::Body, body);
        self.cells.end();
        if let Some((mut line, log)) = self.line.take().map(|line| *line) {
            let us = |took: std::time::Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            (line.route, line.bytes, line.end) = (self.route, self.bytes, self.end);
            (line.head_us, line.upstream_us, line.body_us) = (us(head), upstream.map(us), us(body));
            log.write(line.json());
        }
    }
}

/// A connection was closed without a word, since its address has too many.
pub(super) fn turn_away(gateway: &Gateway, client: &RawIp) {
    secure(gateway, None, client, "too-many-connections");
}

/// A line for the security log, if there is one.
fn secure(gateway: &Gateway, asked: Option<(&str, StatusCode)>, client: &RawIp, reason: &str) {
    let Some(log) = &gateway.site.logs.security else { return };
    let net = gateway.shared.pseudonymiser.ip(client).net;
    let network = match net.to_ipv4_mapped() {
        Some(v4) => v4.to_string(),
        None => net.to_string(),
    };
    let line = Refused {
        time_ms: now_ms(),
        method: asked.map(|(method, _)| access::method(method)),
        status: asked.map(|(_, status)| status.as_u16()),
        reason,
        network: &network,
    };
    log.write(line.json());
}

/// Why one of our own answers refuses a request, where it is for a bound, for want of a secret, or beside a choice that was
/// tampered with. That a visitor has not consented is no such reason.
fn refusal<T>(status: StatusCode, choice: &Result<T, NoChoice>) -> Option<&'static str> {
    match (status, choice) {
        (StatusCode::UNAUTHORIZED, _) => Some("unauthorised"),
        (StatusCode::REQUEST_TIMEOUT, _) => Some("too-slow"),
        (StatusCode::PAYLOAD_TOO_LARGE, _) => Some("too-large"),
        (StatusCode::TOO_MANY_REQUESTS, _) => Some("too-many"),
        (status, Err(no @ NoChoice::Invalid)) if status.is_client_error() => Some(no.word()),
        _ => None,
    }
}

/// What the visitor allows, as a word that says nothing of them alone.
fn consent(visit: &Visit<'_>, policy: &Policy) -> &'static str {
    let permitted = visit.decision.permitted;
    match &visit.choice {
        Err(_) => "none",
        Ok(_) if permitted == policy.all() => "all",
        Ok(_) if permitted == policy.necessary() => "refused",
        Ok(_) => "some",
    }
}

/// A reason's name as a word: `OtherHost` is `other-host`.
pub(super) fn word(reason: impl std::fmt::Debug) -> String {
    let mut word = String::new();
    for letter in format!("{reason:?}").chars().take_while(|letter| letter.is_ascii_alphanumeric()) {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    keep::milliseconds(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::check::Refusal;

    #[test]
    fn only_bounds_secrets_and_tampering_are_reasons_to_note_where_somebody_came_from() {
        let (none, some) = (Err::<(), _>(NoChoice::Missing), Ok::<(), NoChoice>(()));
        for (status, choice, reason) in [
            (StatusCode::TOO_MANY_REQUESTS, &some, Some("too-many")),
            (StatusCode::UNAUTHORIZED, &none, Some("unauthorised")),
            (StatusCode::FORBIDDEN, &none, None),
            (StatusCode::FORBIDDEN, &Err(NoChoice::Invalid), Some("invalid-choice")),
            (StatusCode::OK, &Err(NoChoice::Invalid), None),
            (StatusCode::NOT_FOUND, &some, None),
        ] {
            assert_eq!(refusal(status, choice), reason, "{status}");
        }
        assert_eq!(word(Refusal::OtherHost), "other-host");
        assert_eq!(word(Refusal::HeadTooLarge), "head-too-large");
    }
}
