//! Our own cookies in a request, found in one pass over its `Cookie` headers.

use super::catalogue::{VISIT, VISITOR};
use super::pairs::{pairs, trim};
use crate::consent::choice::{COOKIE, HOST_COOKIE};

/// What a request carries of ours, as it was sent.
#[derive(Default)]
pub struct Ours<'a> {
    /// Values of the choice that only this host can have set.
    pub(super) hosted: Values<'a>,
    /// Values of the choice under its plain name.
    pub(super) plain: Values<'a>,
    /// The first `consentry_visitor`.
    pub visitor: Option<&'a [u8]>,
    /// The first `consentry_visit`.
    pub visit: Option<&'a [u8]>,
}

/// The values of one name in their order; nearly always one or none.
#[derive(Default)]
pub(super) struct Values<'a> {
    first: Option<&'a [u8]>,
    more: Vec<&'a [u8]>,
}

impl<'a> Ours<'a> {
    /// `lines` are the values of all `Cookie` headers.
    pub fn of(lines: impl IntoIterator<Item = &'a [u8]>) -> Ours<'a> {
        let mut ours = Ours::default();
        for (_, pair) in lines.into_iter().flat_map(pairs) {
            // Of what most cookies are called no more than a byte is read.
            let Some(b'c' | b'_') = pair.iter().find(|byte| !matches!(byte, b' ' | b'\t')) else { continue };
            let Some((name, value)) = memchr::memchr(b'=', pair).and_then(|equals| pair.split_at_checked(equals))
            else {
                continue;
            };
            let value = || trim(value.get(1..).unwrap_or_default());
            match trim(name) {
                name if name == COOKIE.as_bytes() => ours.plain.push(value()),
                name if name == HOST_COOKIE.as_bytes() => ours.hosted.push(value()),
                name if name == VISITOR.as_bytes() => ours.visitor = ours.visitor.or_else(|| Some(value())),
                name if name == VISIT.as_bytes() => ours.visit = ours.visit.or_else(|| Some(value())),
                _ => {}
            }
        }
        ours
    }
}

impl<'a> Values<'a> {
    fn push(&mut self, value: &'a [u8]) {
        match self.first {
            None => self.first = Some(value),
            Some(_) => self.more.push(value),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        self.first.into_iter().chain(self.more.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read;
    use super::*;

    /// That one pass finds what a search for each name finds.
    fn check(lines: &[&[u8]]) {
        let ours = Ours::of(lines.iter().copied());
        let all = |name: &str| read(lines.iter().copied(), name.as_bytes()).collect::<Vec<_>>();
        assert_eq!(ours.plain.iter().collect::<Vec<_>>(), all(COOKIE));
        assert_eq!(ours.hosted.iter().collect::<Vec<_>>(), all(HOST_COOKIE));
        assert_eq!(ours.visitor, all(VISITOR).first().copied());
        assert_eq!(ours.visit, all(VISIT).first().copied());
    }

    #[test]
    fn every_value_of_the_choice_and_the_first_of_visitor_and_visit_are_found() {
        let lines: [&[u8]; 3] =
            [b"a=1; consentry=x; consentry_visit=v", b"", b" consentry =\ty ;__Host-consentry=z;consentry_visit=w;c"];
        let ours = Ours::of(lines);
        assert_eq!(ours.plain.iter().collect::<Vec<_>>(), [b"x", b"y"]);
        assert_eq!((ours.visit, ours.visitor), (Some(&b"v"[..]), None));
        check(&lines);
    }

    proptest! {
        #[test]
        fn one_pass_finds_what_a_search_for_each_name_finds(
            lines in proptest::collection::vec("((__Host-)?consentry(_visit(or)?)?| |=|;|\t|c|_|x){0,12}", 0..4),
        ) {
            check(&lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>());
        }
    }
}
