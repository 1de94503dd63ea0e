//! The types of what a visitor sends that must not be written down as it is (D1). Deliberately without `Debug`, `Display`,
//! `Serialize`, `Clone` and `Copy`; `tests/compile_fail` holds them to it.

use std::net::IpAddr;

use zeroize::{Zeroize, Zeroizing};

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

    /// Whether it is a path of some site, without a host.
    pub fn is_path(&self) -> bool {
        self.0.starts_with('/') && !self.0.starts_with("//")
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

/// The site's own id of a user who is logged in, as it is: two ids that differ in case may be two people.
pub struct RawLogin(Vec<u8>);

impl RawLogin {
    /// Longer ids are none, in bytes.
    pub const MAX: usize = 256;

    /// Takes charge of an id. Nothing where it is empty or too long: cut, two people could become one.
    pub fn new(value: &[u8]) -> Option<Self> {
        (1..=Self::MAX).contains(&value.len()).then(|| RawLogin(value.to_owned()))
    }

    pub(crate) fn open(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for RawLogin {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A telephone number as the digits of E.164: calling code, then the number, without a plus.
pub struct RawPhone(String);

impl RawPhone {
    /// Calling code and number together; below seven there are only short codes.
    const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

    /// Longer texts are no number, in bytes.
    const MAX: usize = 64;

    /// Takes charge of a number as people and telephone systems write it; `calling_code` is that of the country in which a
    /// number without one is meant, such as 44. `+44 (0)20 7946 0018`, `0044 20 7946 0018`, `(020) 7946-0018`,
    /// `442079460018` and `tel:+44-20-7946-0018;ext=3` are one number at 44. Nothing where the text is none: withheld, a
    /// short code, an extension alone.
    ///
    /// A number without a plus or zeros before it counts as one of that country, unless it begins with its calling code
    /// and has eleven digits or more; so one of another country needs its plus.
    pub fn new(value: &str, calling_code: u16) -> Option<Self> {
        if value.len() > Self::MAX {
            return None;
        }
        let text = value.trim();
        let text = text.strip_prefix("tel:").unwrap_or(text);
        // An extension belongs to the telephone system, not to the number.
        let text = text.split([';', ',', '#', 'x', 'X', 'e', 'E']).next().unwrap_or_default().trim();
        let (plus, text) = match text.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        // The trunk zero that is dialled only within the country.
        let dropped = if plus || text.starts_with("00") { text.replacen("(0)", "", 1) } else { text.to_owned() };
        let text = Zeroizing::new(dropped);
        let mut digits = Zeroizing::new(String::with_capacity(Self::MAX + 8));
        for c in text.chars() {
            match c {
                '0'..='9' => digits.push(c),
                ' ' | '\u{a0}' | '-' | '.' | '(' | ')' | '/' | '\u{2010}' | '\u{2011}' => {}
                _ => return None,
            }
        }
        let mut number = RawPhone(String::with_capacity(Self::MAX + 8));
        match (plus, digits.strip_prefix("00")) {
            (true, _) => number.0.push_str(&digits),
            (false, Some(rest)) => number.0.push_str(rest),
            (false, None) => number.national(&digits, calling_code),
        }
        (Self::DIGITS.contains(&number.0.len()) && !number.0.starts_with('0')).then_some(number)
    }

    /// Fills in a number that was written as within its country.
    fn national(&mut self, digits: &str, calling_code: u16) {
        let code = calling_code.to_string();
        // Italy, San Marino and the Vatican dial the zero from abroad too.
        let rest = match code.as_str() {
            "39" | "378" | "379" => digits,
            _ => digits.strip_prefix('0').unwrap_or(digits),
        };
        // A short code stays one, whatever stands before it.
        if rest.len() < 5 {
            return;
        }
        let is_whole = rest.len() == digits.len() && digits.len() >= 11 && digits.starts_with(&code);
        if !is_whole {
            self.0.push_str(&code);
        }
        self.0.push_str(rest);
    }

    pub(crate) fn open(&self) -> &str {
        &self.0
    }
}

impl Drop for RawPhone {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A mail address, trimmed and in lower case: hardly any system tells two mailboxes apart by case, and people do not.
pub struct RawMail(String);

impl RawMail {
    /// Longer ones cannot be written to (RFC 5321 §4.5.3.1.3), in bytes.
    pub const MAX: usize = 254;

    /// Takes charge of an address. Nothing where the text is none. `+tags` and dots stay: what they mean is the business of
    /// each provider.
    pub fn new(value: &str) -> Option<Self> {
        let text = value.trim();
        if text.len() > Self::MAX || text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;".contains(c))
        {
            return None;
        }
        let mail = RawMail(text.to_lowercase());
        let is_one = mail.0.rsplit_once('@').is_some_and(|(mailbox, host)| !mailbox.is_empty() && !host.is_empty());
        is_one.then_some(mail)
    }

    pub(crate) fn open(&self) -> &str {
        &self.0
    }
}

impl Drop for RawMail {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests;
