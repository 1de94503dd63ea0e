//! One walk over a text that replaces what the detectors find.

use super::decode::FORM_SPACE;
use super::{address, date, document, mail, number, postcode, token};

/// Where a text is from: dates are usual in a path and are not in a form's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// The path of a URL.
    Path,
    /// The name of a host, in which providers write addresses with hyphens.
    Host,
    /// Anything else.
    Text,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the kinds' names")]
pub enum Kind {
    Email,
    Address,
    Phone,
    NhsNumber,
    NiNumber,
    Licence,
    Passport,
    Account,
    Card,
    Postcode,
    Date,
    Token,
}

impl Kind {
    /// What stands in the text instead. No detector finds anything in it.
    fn marker(self) -> &'static str {
        match self {
            Kind::Email => "[email]",
            Kind::Address => "[address]",
            Kind::Phone => "[phone]",
            Kind::NhsNumber => "[nhs-number]",
            Kind::NiNumber => "[ni-number]",
            Kind::Licence => "[licence]",
            Kind::Passport => "[passport]",
            Kind::Account => "[account]",
            Kind::Card => "[card]",
            Kind::Postcode => "[postcode]",
            Kind::Date => "[date]",
            Kind::Token => "[token]",
        }
    }
}

/// The text with every finding replaced; nothing where nothing is found.
pub fn replace(text: &str, setting: Setting) -> Option<String> {
    replace_seen(text, text, setting)
}

/// As [`replace`], with what is found where `seen` stands in the place of `text`; both are of one length, and differ in ASCII alone.
pub fn replace_seen(text: &str, seen: &str, setting: Setting) -> Option<String> {
    let mut walk = Walk::new(seen.as_bytes(), setting)?;
    let mut out = String::new();
    let mut copied = 0;
    while let Some((kind, start, end)) = walk.next() {
        out.push_str(&text[copied..start]);
        out.push_str(kind.marker());
        copied = end;
    }
    if copied == 0 {
        return None;
    }
    out.push_str(&text[copied..]);
    Some(out)
}

/// What one look at every byte tells of a text.
struct Signs {
    has_at: bool,
    has_bracket: bool,
    has_colon: bool,
    /// Two, or those of `GIR 0AA`: nothing that is looked for has fewer.
    has_digits: bool,
    /// A run that may be a token. One of small letters is one only in hexadecimal.
    has_long_run: bool,
}

impl Signs {
    fn of(text: &[u8]) -> Signs {
        let (mut seen, mut digits) = (0, 0);
        let (mut run, mut longest, mut hex, mut longest_hex) = (0, 0, 0, 0);
        for &b in text {
            let class = CLASSES[usize::from(b)];
            seen |= class;
            digits += usize::from(class & DIGIT);
            run = if class & RUN > 0 { run + 1 } else { 0 };
            longest = longest.max(run);
            hex = if class & HEX > 0 { hex + 1 } else { 0 };
            longest_hex = longest_hex.max(hex);
        }
        let is_mixed = seen & (DIGIT | CAPITAL) > 0;
        Signs {
            has_at: seen & AT > 0,
            has_bracket: seen & BRACKET > 0,
            has_colon: seen & COLON > 0,
            has_digits: digits > 1 || digits == 1 && postcode::may_be_girobank(text),
            has_long_run: longest_hex >= token::SHORTEST || is_mixed && longest >= token::SHORTEST,
        }
    }
}

const DIGIT: u8 = 1;
const RUN: u8 = 2;
const AT: u8 = 4;
const BRACKET: u8 = 8;
const COLON: u8 = 16;
const CAPITAL: u8 = 32;
/// Hexadecimal digits and the hyphens of a UUID.
const HEX: u8 = 64;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut b: u8 = 0;
    while b < 128 {
        classes[b as usize] = if b.is_ascii_digit() { DIGIT } else { 0 }
            | if token::is_run(b) { RUN } else { 0 }
            | if b.is_ascii_uppercase() { CAPITAL } else { 0 }
            | if b.is_ascii_hexdigit() || b == b'-' { HEX } else { 0 }
            | match b {
                b'@' => AT,
                b'(' | b'[' | b'{' => BRACKET,
                b':' => COLON,
                _ => 0,
            };
        b += 1;
    }
    classes
};

struct Walk<'t> {
    text: &'t [u8],
    setting: Setting,
    has_colon: bool,
    has_digits: bool,
    /// An e-mail address may be written with `(at)`.
    is_spelled: bool,
    at: usize,
    /// How far the run of base64url characters has been looked at for tokens.
    run_end: usize,
    /// Where that run ends in truth.
    run_limit: usize,
    /// The next token in that run.
    token: Option<(usize, usize)>,
    /// The next e-mail address. Found ahead, since it begins before its `@`.
    mail: Option<(usize, usize)>,
}

impl<'t> Walk<'t> {
    /// Nothing where there is nothing to find, as in most texts: without an `@`, two digits or a long run there is not.
    fn new(text: &'t [u8], setting: Setting) -> Option<Walk<'t>> {
        let signs = Signs::of(text);
        let is_spelled = signs.has_bracket && mail::may_be_spelled(text);
        let mail = if signs.has_at || is_spelled { mail::find(text, 0, is_spelled) } else { None };
        let anything = mail.is_some() || signs.has_digits || signs.has_long_run;
        anything.then_some(Walk {
            text,
            setting,
            has_colon: signs.has_colon,
            has_digits: signs.has_digits,
            is_spelled,
            at: 0,
            run_end: 0,
            run_limit: 0,
            token: None,
            mail,
        })
    }

    /// The next finding from the left: kind, start and end.
    fn next(&mut self) -> Option<(Kind, usize, usize)> {
        while let Some(&byte) = self.text.get(self.at) {
            if let Some((_, end)) = self.mail.filter(|m| m.0 == self.at) {
                self.mail = mail::find(self.text, end, self.is_spelled);
                return Some(self.found(Kind::Email, end));
            }
            if self.at >= self.run_end {
                if token::is_run(byte) {
                    self.look_for_token();
                } else {
                    self.run_end = self.at + 1;
                }
            }
            if let Some((_, end)) = self.token.take_if(|t| t.0 == self.at) {
                let is_card = document::is_card(&self.text[self.at..end]);
                return Some(self.found(if is_card { Kind::Card } else { Kind::Token }, end));
            }
            let stop = self.token.map_or(self.run_end, |token| token.0);
            if let Some((kind, end)) = self.detect_before(stop) {
                return Some(self.found(kind, end));
            }
        }
        None
    }

    /// Walks to `stop`, or to where something other than a token or an e-mail address starts: its kind and end.
    fn detect_before(&mut self, stop: usize) -> Option<(Kind, usize)> {
        let text = if self.token.is_some() { &self.text[..stop] } else { self.before_mail() };
        if !self.has_digits && !self.has_colon {
            self.at = stop;
            return None;
        }
        let mut before = self.at.checked_sub(1).map_or(0, |i| text[i]);
        while self.at < stop {
            let byte = text[self.at];
            let starts = !before.is_ascii_alphanumeric();
            let found = match byte {
                b'0'..=b'9' if !before.is_ascii_digit() => number::at_digit(text, self.at, self.setting),
                b'a'..=b'z' | b'A'..=b'Z' if starts => self.at_word(text),
                b'+' | FORM_SPACE => number::at_plus(text, self.at, self.setting),
                _ => None,
            };
            if found.is_some() {
                return found;
            }
            if starts && byte.is_ascii_hexdigit() || self.has_colon && byte == b':' {
                let end = address::hardware_end(text, self.at);
                let v6_end = || if self.has_colon && starts { address::v6_end(text, self.at) } else { None };
                if let Some(end) = end.or_else(v6_end) {
                    return Some((Kind::Address, end));
                }
            }
            before = byte;
            self.at += 1;
        }
        None
    }

    /// What starts with the letter at which a word starts, and where it ends. Most words are none of it, so what is looked at first is where
    /// a digit would have to be.
    fn at_word(&self, text: &[u8]) -> Option<(Kind, usize)> {
        let at = self.at;
        let byte = |i: usize| text.get(at + i).copied().unwrap_or_default();
        let found = |kind, end: Option<usize>| end.map(|end| (kind, end));
        let of_letters = if !byte(1).is_ascii_alphabetic() {
            if byte(1).is_ascii_digit() { found(Kind::Postcode, postcode::end(text, at)) } else { None }
        } else if !byte(2).is_ascii_alphabetic() {
            if byte(2).is_ascii_digit() || byte(3).is_ascii_digit() {
                found(Kind::Postcode, postcode::end(text, at))
                    .or_else(|| found(Kind::NiNumber, document::national_insurance_end(text, at)))
                    .or_else(|| found(Kind::Account, document::account_end(text, at)))
            } else {
                None
            }
        } else {
            found(Kind::Date, date::at_letter(text, at, self.setting))
                .or_else(|| found(Kind::Postcode, postcode::girobank_end(text, at)))
        };
        of_letters.or_else(|| {
            let may_be_licence = byte(5).is_ascii_digit() && byte(10).is_ascii_digit();
            if may_be_licence { found(Kind::Licence, document::licence_end(text, at)) } else { None }
        })
    }

    fn found(&mut self, kind: Kind, end: usize) -> (Kind, usize, usize) {
        let mut start = self.at;
        // "(020) 7946 0018" begins with its parenthesis.
        if kind == Kind::Phone && start > 0 && self.text[start - 1] == b'(' && self.text[start..end].contains(&b')') {
            start -= 1;
        }
        self.at = end;
        self.run_end = end;
        self.token = None;
        (kind, start, end)
    }

    /// Reads the run that starts here, up to the next e-mail address.
    fn look_for_token(&mut self) {
        let text = self.before_mail();
        if self.at >= self.run_limit {
            self.run_limit = self.at + text[self.at..].iter().take_while(|&&b| token::is_run(b)).count();
        }
        let mut end = self.run_limit;
        if self.setting == Setting::Text && text.get(end) == Some(&b'/') {
            end = token::padded_end(text, end).unwrap_or(end);
        }
        let token = if end - self.at >= token::SHORTEST { token::find(text, self.at, end) } else { None };
        self.run_end = end;
        self.token = token;
    }

    fn before_mail(&self) -> &'t [u8] {
        &self.text[..self.mail.map_or(self.text.len(), |m| m.0)]
    }
}
