//! One record of the database, in whichever shape: `{country_code, state1, city}` or
//! `{country: {iso_code}, subdivisions: [{names: {en}}], city: {names: {en}}}`.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Place, calling_code};

/// Names are cut to this, in characters.
const LONGEST: usize = 64;

#[derive(Deserialize)]
pub struct Record<'d> {
    #[serde(borrow, default)]
    country_code: Named<'d>,
    #[serde(borrow, default)]
    country: Named<'d>,
    #[serde(borrow, default)]
    state1: Named<'d>,
    #[serde(borrow, default)]
    region: Named<'d>,
    #[serde(borrow, default)]
    subdivisions: Named<'d>,
    #[serde(borrow, default)]
    city: Named<'d>,
}

impl Record<'_> {
    fn country(&self) -> Option<&str> {
        let codes = [self.country.code, self.country_code.name, self.country.name];
        codes.into_iter().find(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic()))
    }

    pub fn has_country(&self) -> bool {
        self.country().is_some()
    }

    pub fn place(&self) -> Place {
        let country = self.country().map_or_else(String::new, str::to_ascii_uppercase);
        let regions = [self.subdivisions.name, self.state1.name, self.region.name];
        Place {
            calling_code: calling_code(&country),
            country,
            region: regions.into_iter().find(|name| !name.is_empty()).map_or_else(String::new, cleaned),
            city: cleaned(self.city.name),
        }
    }
}

fn cleaned(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// A text, an object with a code and names, or the first of a list of those.
#[derive(Default)]
struct Named<'d> {
    code: &'d str,
    name: &'d str,
}

impl<'de: 'd, 'd> Deserialize<'de> for Named<'d> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NamedVisitor(std::marker::PhantomData))
    }
}

struct NamedVisitor<'d>(std::marker::PhantomData<&'d ()>);

impl<'de: 'd, 'd> Visitor<'de> for NamedVisitor<'d> {
    type Value = Named<'d>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a name, an object with names, or a list of them")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Named<'d>, E> {
        Ok(Named { code: "", name })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<'d>, A::Error> {
        let mut named = Named::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "iso_code" => named.code = map.next_value()?,
                "names" => named.name = map.next_value::<Names>()?.en,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(named)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Named<'d>, A::Error> {
        let first = list.next_element()?.unwrap_or_default();
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

#[derive(Deserialize)]
struct Names<'d> {
    #[serde(borrow, default)]
    en: &'d str,
}
