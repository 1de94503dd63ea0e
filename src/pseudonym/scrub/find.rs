//! One walk over a text that replaces what the detectors find.

use super::decode::FORM_SPACE;
use super::{address, mail, number, postcode, token};

/// Where a text is from: dates are usual in a path and are not in a form's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// The path of a URL.
    Path,
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
            Kind::Postcode => "[postcode]",
            Kind::Date => "[date]",
            Kind::Token => "[token]",
        }
    }
}

/// The text with every finding replaced; nothing where nothing is found.
pub fn replace(text: &str, setting: Setting) -> Option<String> {
    let bytes = text.as_bytes();
    if !may_hold_anything(bytes) {
        return None;
    }
    let mut out = String::new();
    let mut copied = 0;
    let mut walk =
        Walk { text: bytes, setting, at: 0, run_end: 0, run_limit: 0, token: None, mail: mail::find(bytes, 0) };
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

/// Quickly says no for most texts: without an `@`, two digits or a long run there is nothing to find.
fn may_hold_anything(text: &[u8]) -> bool {
    let (mut digits, mut ats, mut run, mut longest) = (0, 0, 0, 0);
    for &b in text {
        digits += usize::from(b.is_ascii_digit());
        ats += usize::from(b == b'@');
        run = if token::is_run(b) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    ats > 0 || digits > 1 || longest >= token::SHORTEST
}

struct Walk<'t> {
    text: &'t [u8],
    setting: Setting,
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
    /// The next finding from the left: kind, start and end.
    fn next(&mut self) -> Option<(Kind, usize, usize)> {
        while let Some(&byte) = self.text.get(self.at) {
            if let Some((_, end)) = self.mail.filter(|m| m.0 == self.at) {
                self.mail = mail::find(self.text, end);
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
                return Some(self.found(Kind::Token, end));
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
        let mut before = self.at.checked_sub(1).map_or(0, |i| text[i]);
        while self.at < stop {
            let byte = text[self.at];
            let found = match byte {
                b'0'..=b'9' if !before.is_ascii_digit() => number::at_digit(text, self.at, self.setting),
                b'a'..=b'z' | b'A'..=b'Z' if !before.is_ascii_alphanumeric() => {
                    postcode::end(text, self.at).map(|end| (Kind::Postcode, end))
                }
                b'+' | FORM_SPACE => number::at_plus(text, self.at),
                _ => None,
            };
            if found.is_some() {
                return found;
            }
            if !before.is_ascii_alphanumeric()
                && (byte.is_ascii_hexdigit() || byte == b':')
                && let Some(end) = address::v6_end(text, self.at)
            {
                return Some((Kind::Address, end));
            }
            before = byte;
            self.at += 1;
        }
        None
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
        let end = self.run_limit;
        let token = if end - self.at >= token::SHORTEST { token::find(text, self.at, end) } else { None };
        self.run_end = end;
        self.token = token;
    }

    fn before_mail(&self) -> &'t [u8] {
        &self.text[..self.mail.map_or(self.text.len(), |m| m.0)]
    }
}
