//! Keyed identifiers and the types of what must never be stored as it came.
//!
//! Raw personal data lives in [`RawIp`], [`RawUserAgent`], [`RawUrl`], [`RawLogin`], [`RawPhone`] and [`RawMail`]: no
//! `Debug`, no `Display`, no `Serialize`, so a log line or a row with one in it does not compile. They are opened in four
//! places, each named in the test at the bottom: here (to key or scrub), in [`enrich`](crate::enrich) (to look up), and
//! where the request is passed on to the site.
//! This room holds no clock, does no I/O and knows nothing of HTTP.

mod bucket;
mod raw;
pub mod scrub;
mod subject;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::keys::{KeyId, KeyPurpose, KeyRing, Keyed};
pub use raw::{RawIp, RawLogin, RawMail, RawPhone, RawUrl, RawUserAgent};
pub use subject::{Subject, SubjectId};

/// A visitor as the tables know one: a keyed MAC of the random token in that visitor's cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VisitorId(pub u128);

/// What is kept of a client address: the network it is in and a keyed tag (D1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpPseudonym {
    /// The network's first address; IPv4 as an IPv4-mapped IPv6 address; `::` where no prefix is kept.
    pub net: Ipv6Addr,
    /// 64 bits of a keyed MAC over the whole address; 0 where there is no address.
    pub tag: u64,
    /// The key of the tag. It is replaced every day unless configured otherwise, so that a tag follows nobody for longer.
    pub key: KeyId,
}

/// How many leading bits of an address are kept; 0 keeps nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpPrefixes {
    /// For IPv4: 24, 16 or 0.
    pub v4: u8,
    /// For IPv6: 48, 32 or 0.
    pub v6: u8,
}

impl Default for IpPrefixes {
    fn default() -> Self {
        IpPrefixes { v4: 24, v6: 48 }
    }
}

/// Makes pseudonyms under the site's keys.
#[derive(Clone)]
pub struct Pseudonymiser {
    ring: Arc<KeyRing>,
    prefixes: IpPrefixes,
    site: [u8; 4],
}

impl Pseudonymiser {
    /// For one site; the site's id is part of every message, so that two sites never share a pseudonym.
    pub fn new(ring: Arc<KeyRing>, prefixes: IpPrefixes, site_id: u32) -> Self {
        Pseudonymiser { ring, prefixes, site: site_id.to_le_bytes() }
    }

    /// The pseudonym of the visitor who holds `token`.
    pub fn visitor(&self, token: &[u8; 16]) -> Keyed<VisitorId> {
        self.subject(Subject::Visitor(token)).map(|id| VisitorId(id.0))
    }

    /// The pseudonym of the site's own user.
    pub fn login(&self, login: &RawLogin) -> Keyed<SubjectId> {
        self.subject(Subject::Login(login))
    }

    /// The pseudonym of who called.
    pub fn caller(&self, phone: &RawPhone) -> Keyed<SubjectId> {
        self.subject(Subject::Caller(phone))
    }

    /// The pseudonym of who was written to.
    pub fn recipient(&self, mail: &RawMail) -> Keyed<SubjectId> {
        self.subject(Subject::Recipient(mail))
    }

    /// The pseudonym of any of them, under the key in use.
    pub fn subject(&self, subject: Subject<'_>) -> Keyed<SubjectId> {
        self.ring.mac(subject.purpose(), &[&self.site, subject.bytes()]).map(subject_id)
    }

    /// The tag of a text that may be short enough to be guessed, such as a button's.
    pub fn label(&self, text: &[u8]) -> u64 {
        let mac = self.ring.mac(KeyPurpose::Label, &[&self.site, text]).value;
        u64::from_le_bytes(mac[..8].try_into().expect("a MAC has 32 bytes"))
    }

    /// Every pseudonym a subject can have in the tables: one for each key that is not destroyed, the one in use first.
    pub fn every(&self, subject: Subject<'_>) -> Vec<Keyed<SubjectId>> {
        self.under_each(subject.purpose(), &[&self.site, subject.bytes()]).map(|found| found.map(subject_id)).collect()
    }

    /// The entry that stands for somebody who must not be captured or contacted again (R4). Under a key of its own, so that
    /// the list of these links to no table.
    pub fn suppression(&self, subject: Subject<'_>) -> Keyed<SubjectId> {
        let kind = subject.purpose().word().as_bytes();
        self.ring.mac(KeyPurpose::Suppression, &[&self.site, kind, subject.bytes()]).map(subject_id)
    }

    /// Every entry that may stand for that subject, the newest first.
    pub fn every_suppression(&self, subject: Subject<'_>) -> Vec<Keyed<SubjectId>> {
        let kind = subject.purpose().word().as_bytes();
        let parts: [&[u8]; 3] = [&self.site, kind, subject.bytes()];
        self.under_each(KeyPurpose::Suppression, &parts).map(|found| found.map(subject_id)).collect()
    }

    /// Every keyed form of a telephone system's own id of a call, the one under the key in use first.
    pub fn every_call(&self, id: &[u8]) -> Vec<u128> {
        let parts: [&[u8]; 3] = [&self.site, b"call-id", id];
        self.under_each(KeyPurpose::Call, &parts).map(|found| subject_id(found.value).0).collect()
    }

    /// What may be kept of an address.
    pub fn ip(&self, ip: &RawIp) -> IpPseudonym {
        let mac = self.ring.mac(KeyPurpose::Ip, &[&self.site, octets(ip, &mut [0; 16])]);
        self.ip_tagged(ip, mac)
    }

    /// Everything that may have been kept of an address: as [`every`](Self::every).
    pub fn every_ip(&self, ip: &RawIp) -> Vec<IpPseudonym> {
        let mut room = [0; 16];
        let parts: [&[u8]; 2] = [&self.site, octets(ip, &mut room)];
        self.under_each(KeyPurpose::Ip, &parts).map(|mac| self.ip_tagged(ip, mac)).collect()
    }

    fn ip_tagged(&self, ip: &RawIp, mac: Keyed<[u8; 32]>) -> IpPseudonym {
        let net = match ip.open() {
            IpAddr::V4(_) if self.prefixes.v4 == 0 => Ipv6Addr::UNSPECIFIED,
            IpAddr::V4(v4) => {
                let net = u32::from(v4) & prefix_mask(self.prefixes.v4.into(), 32) as u32;
                std::net::Ipv4Addr::from(net).to_ipv6_mapped()
            }
            IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & prefix_mask(self.prefixes.v6.into(), 128)),
        };
        let tag = u64::from_le_bytes(mac.value[..8].try_into().expect("a MAC has 32 bytes"));
        IpPseudonym { net, tag, key: mac.key }
    }

    fn under_each<'a>(
        &'a self,
        purpose: KeyPurpose,
        parts: &'a [&'a [u8]],
    ) -> impl Iterator<Item = Keyed<[u8; 32]>> + 'a {
        let keys = self.ring.live(purpose).into_iter();
        keys.filter_map(move |key| self.ring.mac_under(purpose, key, parts).map(|value| Keyed { value, key }))
    }
}

fn subject_id(mac: [u8; 32]) -> SubjectId {
    SubjectId(u128::from_le_bytes(mac[..16].try_into().expect("a MAC has 32 bytes")))
}

/// The address as it is keyed: 4 or 16 bytes.
fn octets<'a>(ip: &RawIp, room: &'a mut [u8; 16]) -> &'a [u8] {
    match ip.open() {
        IpAddr::V4(v4) => {
            room[..4].copy_from_slice(&v4.octets());
            &room[..4]
        }
        IpAddr::V6(v6) => {
            *room = v6.octets();
            room
        }
    }
}

/// The `keep` highest of `width` bits.
fn prefix_mask(keep: u32, width: u32) -> u128 {
    if keep == 0 { 0 } else { (u128::MAX >> (128 - keep)) << (width - keep) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{RingFile, Windows};

    fn pseudonymiser(site: u32, ring: &Arc<KeyRing>) -> Pseudonymiser {
        Pseudonymiser::new(ring.clone(), IpPrefixes::default(), site)
    }

    #[test]
    fn rule_d1_an_address_is_cut_to_its_network() {
        let ring = Arc::new(KeyRing::ephemeral());
        let net = |s: &str| pseudonymiser(1, &ring).ip(&RawIp::new(s.parse().unwrap())).net.to_string();
        assert_eq!(net("203.0.113.77"), "::ffff:203.0.113.0");
        assert_eq!(net("2001:db8:1234:5678::9"), "2001:db8:1234::");
        assert_eq!(
            net("::ffff:203.0.113.77"),
            "::ffff:203.0.113.0",
            "a mapped address is the IPv4 address it stands for"
        );
        let none = Pseudonymiser::new(ring.clone(), IpPrefixes { v4: 0, v6: 0 }, 1);
        assert_eq!(none.ip(&RawIp::new("203.0.113.77".parse().unwrap())).net, Ipv6Addr::UNSPECIFIED);
    }

    #[test]
    fn rule_d2_two_sites_share_no_pseudonym() {
        let ring = Arc::new(KeyRing::ephemeral());
        let (one, two) = (pseudonymiser(1, &ring), pseudonymiser(2, &ring));
        assert_ne!(one.visitor(&[7; 16]), two.visitor(&[7; 16]));
        let ip = RawIp::new("203.0.113.77".parse().unwrap());
        assert_ne!(one.ip(&ip).tag, two.ip(&ip).tag);
        assert_eq!(one.ip(&ip), one.ip(&ip));
    }

    #[test]
    fn a_pseudonym_is_found_again_under_every_key_that_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.json");
        let ring = Arc::new(KeyRing::open_or_create(&path, 1, 0).unwrap());
        let keyed = pseudonymiser(1, &ring);
        let login = RawLogin::new(b"jane").unwrap();
        let phone = RawPhone::new("020 7946 0018", 44).unwrap();
        let mail = RawMail::new("Jane@example.com").unwrap();
        let ip = RawIp::new("203.0.113.77".parse().unwrap());
        let subjects =
            [Subject::Visitor(&[7; 16]), Subject::Login(&login), Subject::Caller(&phone), Subject::Recipient(&mail)];
        let before = subjects.map(|subject| (keyed.subject(subject), keyed.suppression(subject)));
        let tag = keyed.ip(&ip);
        assert_eq!(keyed.visitor(&[7; 16]).value.0, before[0].0.value.0);
        assert_eq!([keyed.login(&login), keyed.caller(&phone), keyed.recipient(&mail)], [1, 2, 3].map(|i| before[i].0));

        RingFile::at(&path)
            .change(|book| {
                KeyPurpose::ALL.into_iter().for_each(|purpose| book.rotate(purpose, 1, 60));
                true
            })
            .unwrap();
        ring.tend(60, &Never).unwrap();
        for (subject, (id, entry)) in subjects.into_iter().zip(before) {
            assert_eq!(keyed.every(subject), [keyed.subject(subject), id]);
            assert_eq!(keyed.every_suppression(subject), [keyed.suppression(subject), entry]);
        }
        assert_eq!(keyed.every_ip(&ip), [keyed.ip(&ip), tag]);
        let ids: std::collections::HashSet<SubjectId> =
            before.iter().flat_map(|(id, entry)| [id.value, entry.value]).collect();
        assert_eq!(ids.len(), 8, "the list of who is left alone links to no table");
    }

    struct Never;

    impl Windows for Never {
        fn replaced_on(&self, _: KeyPurpose, _: u16) -> Option<u16> {
            None
        }

        fn destroyed_on(&self, _: KeyPurpose, _: u16) -> Option<u16> {
            None
        }
    }

    /// Rust cannot say "these modules only", so this test does.
    #[test]
    fn rule_d1_raw_values_are_opened_only_where_they_are_keyed_looked_up_or_passed_on() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else if std::fs::read_to_string(&entry).unwrap().contains(".open()") {
                    found.push(entry.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        found.retain(|f| !(f.starts_with("pseudonym") || f.starts_with("enrich") || f == "upstream/forward.rs"));
        assert!(found.is_empty(), "raw personal data is opened in {found:?}");
    }
}
