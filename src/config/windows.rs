//! How long keys are used and kept (D2): `rotate_*` and `keep_*` of `[pseudonym]`.

use super::Period;
use super::kind;
use super::read::{Place, Reader};
use crate::keys::{KeyPurpose, Windows};

/// How long the keys of the pseudonyms are used, and kept after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyWindows {
    /// Client addresses; default a day, and a day more.
    pub ip: KeyWindow,
    /// Visitors; default for ever.
    pub visitor: KeyWindow,
    /// The site's own users; default for ever.
    pub login: KeyWindow,
    /// Callers; default for ever.
    pub call: KeyWindow,
    /// Recipients of mails; default for ever.
    pub mail: KeyWindow,
}

/// One purpose's windows. By whole UTC days: a key is replaced and destroyed at midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyWindow {
    /// After this time a new key takes its place; nothing where it is used for ever.
    pub rotate: Option<Period>,
    /// This long after that its secret is destroyed, and what was made under it can be linked no more; nothing where it is
    /// kept for ever.
    pub keep: Option<Period>,
}

impl KeyWindows {
    /// Those of a purpose; nothing for what is not a pseudonym (signatures) or must outlive all of them (suppression).
    fn of(&self, purpose: KeyPurpose) -> Option<&KeyWindow> {
        match purpose {
            KeyPurpose::Ip => Some(&self.ip),
            KeyPurpose::Visitor => Some(&self.visitor),
            KeyPurpose::Login => Some(&self.login),
            KeyPurpose::Call => Some(&self.call),
            KeyPurpose::Mail => Some(&self.mail),
            KeyPurpose::Choice
            | KeyPurpose::Visit
            | KeyPurpose::Suppression
            | KeyPurpose::Label
            | KeyPurpose::MailConsent
            | KeyPurpose::Receipt => None,
        }
    }
}

impl Windows for KeyWindows {
    fn replaced_on(&self, purpose: KeyPurpose, created: u16) -> Option<u16> {
        Some(self.of(purpose)?.rotate?.after(created))
    }

    fn destroyed_on(&self, purpose: KeyPurpose, retired: u16) -> Option<u16> {
        Some(self.of(purpose)?.keep?.after(retired))
    }
}

/// Reads them; what is kept of a purpose is kept as long as it was used unless it is said.
pub(super) fn read(reader: &mut Reader<'_>, place: &Place<'_>) -> KeyWindows {
    let mut window = |rotate, keep| {
        let rotate = reader.get(place, rotate, kind::period_or("never"));
        KeyWindow { rotate, keep: reader.or(place, keep, kind::period_or("forever"), rotate) }
    };
    KeyWindows {
        ip: window("rotate_ip", "keep_ip"),
        visitor: window("rotate_visitor", "keep_visitor"),
        login: window("rotate_login", "keep_login"),
        call: window("rotate_call", "keep_call"),
        mail: window("rotate_mail", "keep_mail"),
    }
}

/// What they amount to, in a sentence.
pub(super) fn sentence(windows: &KeyWindows) -> String {
    let mut parts = Vec::new();
    let mut never = Vec::new();
    for (name, window) in [
        ("addresses", windows.ip),
        ("visitors", windows.visitor),
        ("logins", windows.login),
        ("callers", windows.call),
        ("mail recipients", windows.mail),
    ] {
        match window {
            KeyWindow { rotate: None, .. } => never.push(name),
            KeyWindow { rotate: Some(rotate), keep: Some(keep) } => {
                parts.push(format!("the key of {name} is replaced after {rotate} and destroyed {keep} later"));
            }
            KeyWindow { rotate: Some(rotate), keep: None } => {
                parts.push(format!("the key of {name} is replaced after {rotate} and kept"));
            }
        }
    }
    if !never.is_empty() {
        parts.push(format!("{} are replaced by command only", never.join(", ")));
    }
    let text = parts.join("; ");
    // The first letter is ASCII.
    text[..1].to_uppercase() + &text[1..] + "."
}

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigError};
    use super::*;

    fn windows(pseudonym: &str) -> Result<KeyWindows, ConfigError> {
        let text = format!("[gateway]\nupstream = \"http://127.0.0.1:3000\"\n[pseudonym]\n{pseudonym}\n");
        Config::from_toml(&text, "consentry.toml", std::iter::empty()).map(|config| config.key_windows)
    }

    fn days(days: u16) -> Option<Period> {
        Some(Period { months: 0, days })
    }

    #[test]
    fn addresses_get_a_new_key_every_day_and_the_rest_keep_theirs() {
        let default = windows("").unwrap();
        assert_eq!(default.ip, KeyWindow { rotate: days(1), keep: days(1) });
        for window in [default.visitor, default.login, default.call, default.mail] {
            assert_eq!(window, KeyWindow { rotate: None, keep: None });
        }
        assert_eq!(default.replaced_on(KeyPurpose::Ip, 20_000), Some(20_001));
        assert_eq!(default.destroyed_on(KeyPurpose::Ip, 20_001), Some(20_002));
        for purpose in [KeyPurpose::Choice, KeyPurpose::Visit, KeyPurpose::Suppression, KeyPurpose::Visitor] {
            assert_eq!(default.replaced_on(purpose, 20_000), None);
            assert_eq!(default.destroyed_on(purpose, 20_000), None);
        }
    }

    #[test]
    fn a_key_is_kept_as_long_as_it_was_used_unless_it_is_said() {
        let said = windows(
            "rotate_ip = \"1 week\"\nrotate_visitor = \"13 months\"\nkeep_visitor = \"forever\"\nkeep_mail = \"2 years\"",
        )
        .unwrap();
        assert_eq!(said.ip, KeyWindow { rotate: days(7), keep: days(7) });
        assert_eq!(said.visitor, KeyWindow { rotate: Some(Period { months: 13, days: 0 }), keep: None });
        // A key that is rotated by command.
        assert_eq!(said.mail, KeyWindow { rotate: None, keep: Some(Period { months: 24, days: 0 }) });
        let sentence = sentence(&said);
        assert_eq!(
            sentence,
            "The key of addresses is replaced after 7 days and destroyed 7 days later; the key of visitors is replaced \
             after 13 months and kept; logins, callers, mail recipients are replaced by command only."
        );
    }

    #[test]
    fn what_is_no_window_is_named_with_what_would_be_one() {
        let wrong = windows("rotate_ip = \"daily\"\nkeep_ip = \"never\"\nrotate_visitor = 30").unwrap_err().to_string();
        assert!(wrong.contains("consentry.toml:4:13: pseudonym.rotate_ip: \"daily\""), "{wrong}");
        assert!(wrong.contains("pseudonym.keep_ip: \"never\"") && wrong.contains("\"forever\""), "{wrong}");
        assert!(wrong.contains("pseudonym.rotate_visitor: 30"), "{wrong}");
    }
}
