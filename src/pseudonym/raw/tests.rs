use super::*;

fn phone(text: &str, code: u16) -> Option<String> {
    RawPhone::new(text, code).map(|phone| phone.open().to_owned())
}

#[test]
fn one_number_has_one_form_however_it_is_written() {
    for text in [
        "+442079460018",
        "+44 20 7946 0018",
        "+44 (0)20 7946 0018",
        "0044 20 7946 0018",
        "(020) 7946-0018",
        "020 7946 0018",
        "020.7946.0018",
        "2079460018",
        "442079460018",
        " 020\u{a0}7946\u{a0}0018 ",
        "tel:+44-20-7946-0018",
        "tel:+44-20-7946-0018;ext=3",
        "020 7946 0018 ext. 3",
        "020 7946 0018 x3",
        "020 7946 0018 Ext 3",
        "0044 (0)20 7946 0018",
    ] {
        assert_eq!(phone(text, 44).as_deref(), Some("442079460018"), "{text}");
    }
    for (text, code, number) in [
        ("06 698 12345", 39, "390669812345"),
        ("(202) 555-0123", 1, "12025550123"),
        ("1 202 555 0123", 1, "12025550123"),
        ("030 901820", 49, "4930901820"),
        ("+683 4000", 44, "6834000"),
        ("+33 1 42 68 53 00", 44, "33142685300"),
    ] {
        assert_eq!(phone(text, code).as_deref(), Some(number), "{text}");
    }
}

#[test]
fn what_is_no_number_is_nobody() {
    for text in [
        "",
        " ",
        "+",
        "112",
        "0",
        "00",
        "anonymous",
        "withheld",
        "ext. 3",
        "+0123456789",
        "+1234567890123456",
        "１２３４５６７８",
        "++44207946001",
        "02079460018 or 02079460019",
    ] {
        assert_eq!(phone(text, 44), None, "{text}");
    }
}

#[test]
fn a_mail_address_is_the_same_in_any_case() {
    let mail = |text: &str| RawMail::new(text).map(|mail| mail.open().to_owned());
    assert_eq!(mail(" Jane.Doe+news@Example.COM\n").as_deref(), Some("jane.doe+news@example.com"));
    assert_eq!(mail("\"a@b\"@example.com").as_deref(), Some("\"a@b\"@example.com"));
    for text in ["", "@", "jane", "@example.com", "jane@", "jane doe@example.com", "Jane <jane@example.com>", "a@b,c@d"]
    {
        assert_eq!(mail(text), None, "{text}");
    }
    assert_eq!(mail(&format!("{}@example.com", "a".repeat(250))), None);
}

#[test]
fn a_login_is_kept_as_it_is_or_not_at_all() {
    let login = |bytes: &[u8]| RawLogin::new(bytes).map(|login| login.open().to_owned());
    assert_eq!(login(b" Jane \xff").as_deref(), Some(&b" Jane \xff"[..]));
    assert_eq!(login(b""), None);
    assert_eq!(login(&[b'a'; RawLogin::MAX]).map(|login| login.len()), Some(RawLogin::MAX));
    assert_eq!(login(&[b'a'; RawLogin::MAX + 1]), None);
}

proptest::proptest! {
    #[test]
    fn whatever_is_sent_is_a_number_of_digits_or_nobody(text in "\\PC{0,80}", code in 1u16..1000) {
        if let Some(number) = phone(&text, code) {
            proptest::prop_assert!((7..=15).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()));
            proptest::prop_assert_eq!(phone(&format!("+{number}"), code), Some(number), "written out it is the same");
        }
        if let Some(mail) = RawMail::new(&text) {
            let again = RawMail::new(mail.open());
            proptest::prop_assert!(again.is_none_or(|again| again.open() == mail.open()));
        }
    }

    #[test]
    fn how_a_number_is_grouped_changes_nothing(number in "[1-9][0-9]{9}", at in 1usize..9) {
        let (head, tail) = number.split_at(at);
        let plain = phone(&format!("+44{number}"), 44);
        for text in [format!("+44 {head} {tail}"), format!("0{head}-{tail}"), format!("(0{head}) {tail}")] {
            proptest::prop_assert_eq!(phone(&text, 44), plain.clone(), "{}", text);
        }
    }
}
