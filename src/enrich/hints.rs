//! User-agent client hints, with which browsers say what their frozen `User-Agent` does not
//! (<https://wicg.github.io/ua-client-hints/>).

use http::HeaderName;

/// The value of the response header `Accept-CH`, which asks a browser for hints with its next requests; to be sent only to
/// visitors who allowed analytics. It asks for the two without which Windows 11 is Windows 10 and a tablet may be anything;
/// brands, platform and `Mobile` come unasked, and a model is nobody's business.
pub const ACCEPT_CH: &str = "Sec-CH-UA-Platform-Version, Sec-CH-UA-Form-Factors";

/// The names of all headers that [`ClientHints::read`] looks at.
pub static HINTS: [HeaderName; 7] = [
    HeaderName::from_static("sec-ch-ua"),
    HeaderName::from_static("sec-ch-ua-full-version-list"),
    HeaderName::from_static("sec-ch-ua-mobile"),
    HeaderName::from_static("sec-ch-ua-platform"),
    HeaderName::from_static("sec-ch-ua-platform-version"),
    HeaderName::from_static("sec-ch-ua-model"),
    HeaderName::from_static("sec-ch-ua-form-factors"),
];

/// The hints of one request, as sent. Without `Debug`: together they are as telling as a `User-Agent`.
#[derive(Clone, Copy, Default)]
pub struct ClientHints<'h> {
    /// `Sec-CH-UA`
    pub(super) brands: &'h str,
    /// `Sec-CH-UA-Full-Version-List`
    pub(super) full_versions: &'h str,
    /// `Sec-CH-UA-Mobile`: `?1` or `?0`
    pub(super) mobile: &'h str,
    /// `Sec-CH-UA-Platform`
    pub(super) platform: &'h str,
    /// `Sec-CH-UA-Platform-Version`
    pub(super) platform_version: &'h str,
    /// `Sec-CH-UA-Model`, for the class alone
    pub(super) model: &'h str,
    /// `Sec-CH-UA-Form-Factors`
    pub(super) form_factors: &'h str,
}

/// Browsers' lists of brands stay far below this, in bytes.
const LONGEST: usize = 256;

impl<'h> ClientHints<'h> {
    /// Reads the hints through a look-up of headers. What is absent or too long stays empty.
    pub fn read(header: impl Fn(&HeaderName) -> Option<&'h str>) -> ClientHints<'h> {
        let [brands, full_versions, mobile, platform, platform_version, model, form_factors] =
            HINTS.each_ref().map(|name| header(name).filter(|value| value.len() <= LONGEST).unwrap_or_default());
        ClientHints { brands, full_versions, mobile, platform, platform_version, model, form_factors }
    }

    /// Every hint, in the order of [`HINTS`].
    pub(super) fn all(&self) -> [&'h str; 7] {
        [
            self.brands,
            self.full_versions,
            self.mobile,
            self.platform,
            self.platform_version,
            self.model,
            self.form_factors,
        ]
    }

    /// The brands and their major versions. A brand made up to keep servers honest (`Not:A-Brand`) is among them.
    pub(super) fn brands(&self) -> impl Iterator<Item = (&'h str, &'h str)> {
        pairs(self.brands)
    }

    /// The brands and their whole versions.
    pub(super) fn full_versions(&self) -> impl Iterator<Item = (&'h str, &'h str)> {
        pairs(self.full_versions)
    }
}

/// `"Not:A-Brand";v="24", "Chromium";v="134"`: every second piece between quotes is a brand or a version.
fn pairs(list: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut quoted = list.split('"').skip(1).step_by(2);
    std::iter::from_fn(move || Some((quoted.next()?, quoted.next()?)))
}

/// A value of a structured-fields string, without its quotes.
pub(super) fn unquoted(value: &str) -> &str {
    value.trim().trim_matches('"')
}
