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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::capture::Shared;
    use crate::capture::visit::{Arrival, Signed};
    use crate::config::Config;
    use crate::consent::{Choice, ChoiceSource, Mode, Policy, Signals, decide};
    use crate::enrich::Places;
    use crate::keys::{KeyPurpose, KeyRing, RingFile};

    const NOW: u64 = 1_790_000_000;

    fn permit() -> Permit<Analytics> {
        let policy = Policy::default();
        let choice = Choice::new(&policy, policy.all(), ChoiceSource::Banner, NOW * 1000);
        decide(&policy, Ok(choice), Signals::default(), Mode::OptIn).analytics.expect("everything is granted")
    }

    #[test]
    fn rule_r2_a_visitor_is_known_under_every_key_that_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let ring = Arc::new(KeyRing::open_or_create(&path, 1, 0).unwrap());
        let text = "[gateway]\nupstream = \"http://127.0.0.1:3000\"\n";
        let config = Config::from_toml(text, "test.toml", std::iter::empty()).unwrap();
        let capture = Capture::new(Arc::new(Shared::new(&config, ring.clone(), Places::none())));
        let (permit, now_ms) = (permit(), NOW as i64 * 1000);
        let cookie = VisitorToken::make(&permit).encode();
        let known = |visit: Option<&[u8]>| capture.known(&permit, Some(cookie.as_bytes()), visit, now_ms);

        let before = known(None).unwrap();
        assert_eq!((before.earlier.len(), before.visit), (0, None));
        let (_, visit) = capture.shared.visits.count(before.visitor.value, None, Arrival::default(), now_ms);
        let signed = Signed::new(ring.clone()).encode(before.visitor.value, &visit);
        let visit = known(Some(signed.as_bytes())).unwrap().visit;
        assert_eq!(visit, Some(KnownVisit { began: NOW, pages: 1 }));

        let rotated = RingFile::at(&path).change(|book| {
            book.rotate(KeyPurpose::Visitor, 1, 60);
            true
        });
        rotated.unwrap();
        ring.tend(60, &config.key_windows).unwrap();
        let after = known(Some(signed.as_bytes())).unwrap();
        assert_ne!(after.visitor, before.visitor);
        assert_eq!((after.earlier, after.visit), (vec![before.visitor], None), "the visit was the earlier name's");
    }

    #[test]
    fn who_carries_no_number_of_ours_is_nobody() {
        let config = Config::from_toml("[gateway]\nupstream = \"http://127.0.0.1:3000\"\n", "t", std::iter::empty());
        let shared = Shared::new(&config.unwrap(), Arc::new(KeyRing::ephemeral()), Places::none());
        let capture = Capture::new(Arc::new(shared));
        for cookie in [None, Some(&b""[..]), Some(b"x"), Some(b"AAAA"), Some(&[b'A'; 4096])] {
            assert_eq!(capture.known(&permit(), cookie, Some(b"x"), 0), None);
        }
    }
}
