//! The browser and what it runs on.

/// Browser, system and device class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// As in `Firefox`; empty where unknown.
    pub browser: String,
    /// The major version, as in `134`.
    pub browser_version: String,
    /// As in `Windows`.
    pub os: String,
    /// As in `10`.
    pub os_version: String,
    /// `desktop`, `mobile`, `tablet`, `tv`, `console`, or empty where unknown.
    pub class: &'static str,
    /// Whether a program rather than a person asks.
    pub is_bot: bool,
}
