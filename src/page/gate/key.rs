//! What tells the attributes the gate writes from those that a site's users have written.

use std::io::Write;

/// Drawn for one answer: stands on every element that the gate made inert in it, and on our own script there.
///
/// Sanitisers let `data-*` pass, so anybody who may write on a site can write `data-consentry-srcdoc` and the purpose to it; given
/// back, it would be a script in the site's name. What users have written was there before the answer was made, and so cannot
/// have what was drawn for it. Therefore the banner's script gives back what may run only where it finds this beside it. It need
/// not be kept from who reads the page: the next has another.
///
/// A piece that a script of the page fetches goes into a page that was made before, whose key nobody knows any more; its elements
/// have none, and what may run in them sleeps until a page comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; Key::LEN]);

impl Key {
    /// How many digits it has.
    pub const LEN: usize = 16;

    /// Of a number that nobody can foretell.
    pub fn of(number: u64) -> Key {
        let mut digits = [b'0'; Key::LEN];
        write!(&mut digits[..], "{number:016x}").expect("64 bits are 16 digits");
        Key(digits)
    }

    /// It as it stands in pages: hexadecimal digits.
    pub fn digits(&self) -> &[u8; Key::LEN] {
        &self.0
    }
}
