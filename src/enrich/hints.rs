//! User-agent client hints, with which browsers say what their frozen `User-Agent` does not
//! (<https://wicg.github.io/ua-client-hints/>).

/// The hints of one request, as sent. Without `Debug`: together they are as telling as a `User-Agent`.
#[derive(Clone, Copy, Default)]
pub struct ClientHints<'h> {
    /// `Sec-CH-UA`
    pub(super) brands: &'h str,
    /// `Sec-CH-UA-Mobile`: `?1` or `?0`
    pub(super) mobile: &'h str,
    /// `Sec-CH-UA-Platform`
    pub(super) platform: &'h str,
    /// `Sec-CH-UA-Platform-Version`
    pub(super) platform_version: &'h str,
}

/// Browsers' lists of brands stay far below this, in bytes.
const LONGEST: usize = 256;

impl<'h> ClientHints<'h> {
    /// Reads the hints through a look-up of headers by their name in small letters. What is absent or too long stays empty.
    pub fn read(header: impl Fn(&str) -> Option<&'h str>) -> ClientHints<'h> {
        let read = |name: &str| header(name).filter(|value| value.len() <= LONGEST).unwrap_or_default();
        ClientHints {
            brands: read("sec-ch-ua"),
            mobile: read("sec-ch-ua-mobile"),
            platform: read("sec-ch-ua-platform"),
            platform_version: read("sec-ch-ua-platform-version"),
        }
    }

    /// The brands and their major versions. A brand made up to keep servers honest (`Not:A-Brand`) is among them.
    pub(super) fn brands(&self) -> impl Iterator<Item = (&'h str, &'h str)> {
        // "Not:A-Brand";v="24", "Chromium";v="134": every second piece between quotes is a brand or a version.
        let mut quoted = self.brands.split('"').skip(1).step_by(2);
        std::iter::from_fn(move || Some((quoted.next()?, quoted.next()?)))
    }
}

/// A value of a structured-fields string, without its quotes.
pub(super) fn unquoted(value: &str) -> &str {
    value.trim().trim_matches('"')
}

/// placeholder
pub const ACCEPT_CH: &str = "Sec-CH-UA-Platform-Version, Sec-CH-UA-Full-Version-List";
