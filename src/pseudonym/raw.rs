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

/// A `User-Agent` header as sent, where the request has it; at most [`RawUserAgent::MAX`] bytes of it. A device seen before is
/// found without a copy being made.
pub struct RawUserAgent<'r>(&'r [u8]);

impl<'r> RawUserAgent<'r> {
    /// Browsers stay far below this; longer values are cut.
    pub const MAX: usize = 512;

    /// Takes charge of the header's value.
    pub fn new(value: &'r [u8]) -> Self {
        RawUserAgent(&value[..value.len().min(Self::MAX)])
    }

    pub(crate) fn bytes(&self) -> &'r [u8] {
        self.0
    }

    /// As text; bytes that are not ASCII are left out, and only then is it a copy, which is wiped.
    pub(crate) fn open(&self) -> OpenUserAgent<'r> {
        match std::str::from_utf8(self.0) {
            Ok(text) if text.is_ascii() => OpenUserAgent::Sent(text),
            _ => OpenUserAgent::Copied(self.0.iter().filter(|b| b.is_ascii()).map(|&b| b as char).collect()),
        }
    }
}

/// What [`RawUserAgent::open`] gives.
pub(crate) enum OpenUserAgent<'r> {
    Sent(&'r str),
    Copied(String),
}

impl std::ops::Deref for OpenUserAgent<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            OpenUserAgent::Sent(text) => text,
            OpenUserAgent::Copied(text) => text,
        }
    }
}

impl Drop for OpenUserAgent<'_> {
    fn drop(&mut self) {
        if let OpenUserAgent::Copied(text) = self {
            text.zeroize();
        }
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
