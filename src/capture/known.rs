//! Who a browser is in the tables, as its cookies say: for the visitor to read, who has no other name there. Nothing is made,
//! counted or kept here, and whoever has no cookie of ours stays without.

use super::Capture;
use super::visitor::VisitorToken;
use crate::consent::{Analytics, Permit};
use crate::keys::Keyed;
use crate::pseudonym::{Subject, VisitorId};

/// A visitor whose cookie is one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// `visitor_id` and `visitor_key` of the rows that are written now.
    pub visitor: Keyed<VisitorId>,
    /// Those that earlier rows may have, of keys that were replaced and are not destroyed.
    pub earlier: Vec<Keyed<VisitorId>>,
    /// The visit that goes on, if the cookie of one came too.
    pub visit: Option<KnownVisit>,
}

/// A visit as its cookie says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownVisit {
    /// When it began, in seconds since 1970.
    pub began: u64,
    /// Pages so far.
    pub pages: u16,
}

impl Capture {
    /// Who the values of the cookies `consentry_visitor` and `consentry_visit` stand for; nothing where the first is none of ours.
    pub fn known(
        &self,
        permit: &Permit<Analytics>,
        visitor_cookie: Option<&[u8]>,
        visit_cookie: Option<&[u8]>,
        now_ms: i64,
    ) -> Option<Known> {
        let token = VisitorToken::decode(permit, visitor_cookie?)?;
        let visitor = self.shared.pseudonymiser.visitor(token.bytes());
        let every = self.shared.pseudonymiser.every(Subject::Visitor(token.bytes())).into_iter();
        let earlier = every.map(|keyed| keyed.map(|id| VisitorId(id.0))).filter(|keyed| keyed.key != visitor.key);
        let visit = visit_cookie.and_then(|value| self.shared.signed.decode(visitor.value, value, now_ms));
        let visit = visit.map(|visit| KnownVisit { began: visit.began(), pages: visit.steps() });
        Some(Known { visitor, earlier: earlier.collect(), visit })
    }
}
