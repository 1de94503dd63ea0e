//! The legal mode: what may be done without a choice, by the country a visitor is in (C10).

/// What applies to one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing optional without a choice. Wherever nothing else was configured or the country is not known.
    #[default]
    OptIn,
    /// As opt-in, and visits may be counted in the statistics lane unless the visitor objects (PECR Schedule A1).
    UkStatistics,
}

/// What was configured: a mode, and where it applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// The mode within `countries`; opt-in everywhere else.
    pub mode: Mode,
    /// ISO 3166-1 alpha-2, in capitals, as in `GB`.
    pub countries: Vec<String>,
}

impl Modes {
    /// Whether a country can make a difference at all; where not, nobody's need be looked up.
    pub fn differ(&self) -> bool {
        self.mode != Mode::OptIn && !self.countries.is_empty()
    }

    /// The mode in `country`; an empty one is unknown, and that is opt-in.
    pub fn at(&self, country: &str) -> Mode {
        let listed = !country.is_empty() && self.countries.iter().any(|listed| listed == country);
        if listed { self.mode } else { Mode::OptIn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_c10_the_mode_applies_in_listed_countries_and_nowhere_else() {
        let modes = Modes { mode: Mode::UkStatistics, countries: vec!["GB".into(), "IM".into()] };
        assert!(modes.differ());
        assert_eq!((modes.at("GB"), modes.at("IM")), (Mode::UkStatistics, Mode::UkStatistics));
        for elsewhere in ["", "FR", "gb", "G", "GBR"] {
            assert_eq!(modes.at(elsewhere), Mode::OptIn, "{elsewhere}");
        }
        let none = Modes { mode: Mode::UkStatistics, countries: vec![] };
        assert!(!none.differ() && none.at("GB") == Mode::OptIn && none.at("") == Mode::OptIn);
        let with_an_empty_one = Modes { mode: Mode::UkStatistics, countries: vec![String::new()] };
        assert_eq!(with_an_empty_one.at(""), Mode::OptIn, "unknown is never listed");
        assert!(!Modes::default().differ() && Modes::default().at("GB") == Mode::OptIn, "off by default");
    }
}
