//! Who a person is to the tables, and what one can be known by.

use super::raw::{RawLogin, RawMail, RawPhone};
use crate::keys::KeyPurpose;

/// A person as known by a login, a telephone number or a mail address, or as one who must be left alone: a keyed MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubjectId(pub u128);

/// What a person can be known by. What it holds is raw, so it cannot be printed either.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// The random token in a visitor's cookie.
    Visitor(&'a [u8; 16]),
    /// The site's own user id.
    Login(&'a RawLogin),
    /// The number of a caller.
    Caller(&'a RawPhone),
    /// The address of a mail's recipient.
    Recipient(&'a RawMail),
}

impl Subject<'_> {
    pub(super) fn purpose(self) -> KeyPurpose {
        match self {
            Subject::Visitor(_) => KeyPurpose::Visitor,
            Subject::Login(_) => KeyPurpose::Login,
            Subject::Caller(_) => KeyPurpose::Call,
            Subject::Recipient(_) => KeyPurpose::Mail,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Subject::Visitor(token) => token.as_slice(),
            Subject::Login(login) => login.open(),
            Subject::Caller(phone) => phone.open().as_bytes(),
            Subject::Recipient(mail) => mail.open().as_bytes(),
        }
    }
}
