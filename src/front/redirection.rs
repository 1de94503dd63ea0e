//! A way round the page: what it asks of the site's own address, and the site sends on to a third party's tag (K4).

use http::response::Parts;
use http::{Response, StatusCode};

use super::gateway::{Site, Visit};
use super::own;
use super::page_body::VisitorBody;
use super::role::Role;
use crate::capture;
use crate::page::{self, gate};

/// Where a redirection leads to a declared tag, keeps it from shared caches; and where that tag is refused, says what is answered
/// in its place. Not so where a visitor navigates: whoever follows a link wants to go there.
pub(super) fn withheld(site: &Site, visit: &Visit<'_>, role: Role, head: &mut Parts) -> Option<Response<VisitorBody>> {
    let gating = site.tags.gating(site.policy.necessary())?;
    if !gate::leads_to_refused(&head.headers, &gating) {
        return None;
    }
    // A cache that had it from one who allows the tag would send others there.
    page::depends_on_choice(&mut head.headers);
    let navigates = role == Role::Document && !capture::is_ahead(&visit.parts.headers);
    let gating = site.tags.gating(visit.decision.permitted).filter(|_| !navigates)?;
    if !gate::leads_to_refused(&head.headers, &gating) {
        return None;
    }
    site.metrics.redirections_withheld.count();
    Some(own::problem(StatusCode::FORBIDDEN, "This comes from a service that you have not allowed."))
}
