//! P5: banners and notices by their hash.

use super::*;
use crate::ledger::hex::hex;

#[test]
fn rule_p5_a_text_comes_back_byte_for_byte_from_its_hash() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    let banner = b"<aside>\xF0\x9F\x8D\xAA\r\n\0</aside>";
    let hash = ledger.keep_text(banner).unwrap();
    assert_eq!(ledger.keep_text(banner).unwrap(), hash);
    let other = ledger.keep_text(b"").unwrap();
    for _ in 0..2 {
        assert_eq!(ledger.text(&hash).unwrap().as_deref(), Some(&banner[..]));
        assert_eq!(ledger.text(&other).unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(ledger.text(&[1; 32]).unwrap(), None);
        assert_eq!(ledger.text_by_prefix(&hex(&hash)[..16]), Some(hash));
        assert_eq!(ledger.text_by_prefix(&hex(&hash)[..15]), None);
        assert_eq!(ledger.text_by_prefix("../../../../etc/"), None);
    }
    assert_eq!(find_text(&home.path(), &hex(&hash)).unwrap().as_deref(), Some(&banner[..]));
    assert_eq!(find_text(&home.path(), &hex(&hash)[..12]).unwrap().as_deref(), Some(&banner[..]));
    assert_eq!(find_text(&home.path(), "e3").unwrap(), None, "too short to mean one");
    assert!(modes(&home.path().join("texts")).iter().all(|mode| mode & 0o077 == 0));
    drop(ledger);
    assert_eq!(home.opened().0.text_by_prefix(&hex(&hash)[..16]), Some(hash));
}

#[test]
fn rule_p5_a_text_that_was_changed_is_not_shown_and_is_kept_again_when_it_is_known() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    let hash = ledger.keep_text(b"We use cookies.").unwrap();
    fs::write(home.path().join("texts").join(hex(&hash)), "We use no cookies.").unwrap();
    let error = ledger.text(&hash).unwrap_err();
    assert!(matches!(error, LedgerError::Damaged { .. }) && error.to_string().contains(&hex(&hash)), "{error}");
    assert!(find_text(&home.path(), &hex(&hash)).is_err());
    assert_eq!(ledger.keep_text(b"We use cookies.").unwrap(), hash);
    assert_eq!(ledger.text(&hash).unwrap().as_deref(), Some(&b"We use cookies."[..]));
}
