//! The types of what a visitor sends that must not be written down as it is (D1). Deliberately without `Debug`, `Display`,
//! `Serialize`, `Clone` and `Copy`; `tests/compile_fail` holds them to it.

use std::net::IpAddr;

use zeroize::Zeroize;

/// A client's whole address. An IPv4-mapped IPv6 address is held as the IPv4 address it stands for.
pub struct RawIp(IpAddr);

impl RawIp {
    /// Takes charge of an address.
    pub fn new(ip: IpAddr) -> Self {
        RawIp(ip.to_canonical())
    }

    pub(crate) fn open(&self) -> IpAddr {
        self.0
    }
}

/// A `User-Agent` header as sent; at most [`RawUserAgent::MAX`] bytes of it.
pub struct RawUserAgent(String);

impl RawUserAgent {
    /// Browsers stay far below this; longer values are cut.
    pub const MAX: usize = 512;

    /// Takes charge of the header's value; bytes that are not ASCII are left out.
    pub fn new(value: &[u8]) -> Self {
        RawUserAgent(value.iter().take(Self::MAX).filter(|b| b.is_ascii()).map(|&b| b as char).collect())
    }

    pub(crate) fn open(&self) -> &str {
        &self.0
    }
}

impl Drop for RawUserAgent {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A URL as the visitor sent it: path and query of this site, or a whole referrer.
pub struct RawUrl(String);

impl RawUrl {
    /// Longer URLs are cut before anything looks at them, in bytes.
    pub const MAX: usize = 8192;

    /// Takes charge of a URL.
    pub fn new(value: &str) -> Self {
        let mut end = value.len().min(Self::MAX);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        RawUrl(value[..end].to_owned())
    }

    pub(crate) fn open(&self) -> &str {
        &self.0
    }
}

impl Drop for RawUrl {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
