//! What must never be kept, and what stands in its place.

use super::{path, text};
use crate::pseudonym::{RawUrl, scrub};

/// Each as free text.
const TEXTS: &[(&str, &str)] = &[
    // A plus for a space, where nobody decoded it.
    ("call 07700+900123 now", "call [phone] now"),
    ("943+476+5919", "[nhs-number]"),
    ("ring+07700+900123+or+020+7946+0018", "ring+[phone]+or+[phone]"),
    // E-mail addresses
    ("mail jane.doe@example.co.uk now", "mail [email] now"),
    ("j%40example.com", "[email]"),
    ("j%2540example.com", "[email]"),
    ("j%252540example.com", "[email]"),
    ("<JANE@EXAMPLE.COM>,bob@nhs.uk", "<[email]>,[email]"),
    ("jane+clinic@example.com", "[email]"),
    ("o'brien_j@example.ac.uk", "[email]"),
    ("jané@exämple.de", "[email]"),
    ("jane@xn--exmple-cua.de", "[email]"),
    ("jane@例え。jp", "[email]"),
    ("j＠example．com", "[email]"),
    ("\"jane doe\"@example.com", "[email]"),
    ("mailto:jane@example.com?subject=x", "mailto:[email]?subject=x"),
    ("jane @ example.com", "[email]"),
    ("jane(at)example.com", "[email]"),
    ("jane [at] example [dot] com", "[email]"),
    ("jane@example(dot)com", "[email]"),
    ("avatars/jane@example.com.png", "avatars/[email].png"),
    ("jane@163.com", "[email]"),
    ("j\u{200b}ane@exam\u{ad}ple.com", "[email]"),
    ("@jane@social.example", "@[email]"),
    // Addresses
    ("from 203.0.113.9, twice", "from [address], twice"),
    ("203%2E0.113.9", "[address]"),
    ("203.0.113.9:8080", "[address]:8080"),
    ("ip203.0.113.9.nip.io", "ip[address].nip.io"),
    ("[2001:db8::1]", "[[address]]"),
    ("x=2001:0DB8:1:2:3:4:5:6;", "x=[address];"),
    ("::ffff:203.0.113.9", "[address]"),
    ("fe80::1ff:fe23:4567:890a", "[address]"),
    ("jane@[203.0.113.9]", "jane@[[address]]"),
    ("mac 00:1a:2b:3c:4d:5e", "mac [address]"),
    ("00-1A-2B-3C-4D-5E", "[address]"),
    // Phone numbers
    ("07700 900123", "[phone]"),
    ("07700900123", "[phone]"),
    ("07700 900 123", "[phone]"),
    ("0770 090 0123", "[phone]"),
    ("07 700 900 123", "[phone]"),
    ("07-700-900-123", "[phone]"),
    ("07700.900.123", "[phone]"),
    ("0 7700 900123", "[phone]"),
    ("7700 900123", "[phone]"),
    ("7700900123", "[phone]"),
    ("call 020 7946 0018!", "call [phone]!"),
    ("02079460018", "[phone]"),
    ("0207 946 0018", "[phone]"),
    ("(020) 7946 0018", "[phone]"),
    ("0(20) 7946 0018", "[phone]"),
    ("(0)20 7946 0018", "[phone]"),
    ("087 123 4567", "[phone]"),
    ("01632-960-001", "[phone]"),
    ("01632/960001", "[phone]"),
    ("01632 960001", "[phone]"),
    ("(01632) 960 001", "[phone]"),
    ("0161 496 0000", "[phone]"),
    ("01204 12345", "[phone]"),
    ("016977 2345", "[phone]"),
    ("028 9018 0123", "[phone]"),
    ("029 2018 0123", "[phone]"),
    ("0800 123 4567", "[phone]"),
    ("0800 123456", "[phone]"),
    ("0300 123 1234", "[phone]"),
    ("+44 (0)20 7946 0018", "[phone]"),
    ("+44 (0) 1632 960 001", "[phone]"),
    ("+44(0)7700900123", "[phone]"),
    ("(+44) 7700 900123", "[phone]"),
    ("+447700900123", "[phone]"),
    ("+44-7700-900-123", "[phone]"),
    ("%2B44%207700%20900123", "[phone]"),
    ("0044 7700 900123", "[phone]"),
    ("00 44 (0)1632 960001", "[phone]"),
    ("447700900123", "[phone]"),
    ("44 7700 900 123", "[phone]"),
    ("+1 (415) 555-2671", "[phone]"),
    ("415-555-2672", "[phone]"),
    ("(415) 555-2672", "[phone]"),
    ("1-415-555-2672", "[phone]"),
    ("+33 6 12 34 56 78", "[phone]"),
    ("06 12 34 56 78", "[phone]"),
    ("+353 87 123 4567", "[phone]"),
    ("+91 98765 43210", "[phone]"),
    ("tel07700900123x", "tel[phone]x"),
    ("tel: 496 0000", "tel: [phone]"),
    ("phone number 0151 23456789", "phone number [phone]"),
    ("mobile=98765 43210", "mobile=[phone]"),
    ("wa.me/447700900123", "wa.me/[phone]"),
    ("０７７００ ９００１２３", "[phone]"),
    ("٠٧٧٠٠٩٠٠١٢٣", "[phone]"),
    ("𝟬𝟳𝟳𝟬𝟬𝟵𝟬𝟬𝟭𝟮𝟯", "[phone]"),
    ("07700\u{a0}900\u{2011}123", "[phone]"),
    ("07700 900123, 07700 900124", "[phone], [phone]"),
    // NHS numbers
    ("943 476 5919", "[nhs-number]"),
    ("943-476-5919", "[nhs-number]"),
    ("943.476.5919", "[nhs-number]"),
    ("943_476_5919", "[nhs-number]"),
    ("943 4765919", "[nhs-number]"),
    ("943476 5919", "[nhs-number]"),
    ("943 - 476 - 5919", "[nhs-number]"),
    ("943/476/5919", "[nhs-number]"),
    ("9434765919", "[nhs-number]"),
    ("NHS:943-476-5919.", "NHS:[nhs-number]."),
    ("nhs9434765919", "nhs[nhs-number]"),
    ("9434765919abc", "[nhs-number]abc"),
    ("12-943-476-5919-7", "12-[nhs-number]-7"),
    ("943%20476%205919", "[nhs-number]"),
    ("943\u{a0}476\u{2009}5919", "[nhs-number]"),
    ("943\u{2013}476\u{2013}5919", "[nhs-number]"),
    ("943\u{200b}4765919", "[nhs-number]"),
    ("9434765870", "[nhs-number]"),
    // Postcodes
    ("SW1A 1AA", "[postcode]"),
    ("in sw1a1aa, m1 1ae and EC1A-1BB", "in [postcode], [postcode] and [postcode]"),
    ("CR2 6XH B33 8TH DN55 1PT W1A 0AX", "[postcode] [postcode] [postcode] [postcode]"),
    ("ec1a%201bb", "[postcode]"),
    ("ls1_4ap", "[postcode]"),
    ("LS1+4AP", "[postcode]"),
    ("LS1.4AP", "[postcode]"),
    ("LS1\u{a0}4AP", "[postcode]"),
    ("gp-near-m1-1ae-today", "gp-near-[postcode]-today"),
    ("GIR 0AA", "[postcode]"),
    ("gir0aa", "[postcode]"),
    ("BT1 5GS, ZE1 0AA, IM1 1AA, JE2 3AB", "[postcode], [postcode], [postcode], [postcode]"),
    ("BF1 2AT", "[postcode]"),
    ("near b33 8th please", "near [postcode] please"),
    ("postcode/m1/1ae", "postcode/[postcode]"),
    ("Macbook M2 8GB", "Macbook [postcode]"),
    // Dates of birth
    ("born 12/05/1980", "born [date]"),
    ("12-05-1980", "[date]"),
    ("5.12.1980", "[date]"),
    ("1980-05-12", "[date]"),
    ("1980/05/12", "[date]"),
    ("1980-05-12T00:00:00Z", "[date]T00:00:00Z"),
    ("12/05/80", "[date]"),
    ("12 05 1980", "[date]"),
    ("1.5.1980", "[date]"),
    ("12 May 1980", "[date]"),
    ("12th of May, 1980", "[date]"),
    ("12-may-1980", "[date]"),
    ("12MAY1980", "[date]"),
    ("May 12, 1980", "[date]"),
    ("sept 1st 1975", "[date]"),
    ("dob 120580", "dob [date]"),
    ("DOB 12.5.80", "DOB [date]"),
    ("born 12 May 80", "born [date]"),
    ("DOB: 19800512", "DOB: [date]"),
    ("d.o.b. 12051980", "d.o.b. [date]"),
    ("date_of_birth=12-5-2014", "date_of_birth=[date]"),
    ("born on 2015-05-12", "born on [date]"),
    // Offices and banks
    ("NI: QQ123456C", "NI: [ni-number]"),
    ("ab 12 34 56 c", "[ni-number]"),
    ("AB-12-34-56-C", "[ni-number]"),
    ("AB%2012%2034%2056%20C", "[ni-number]"),
    ("licence MORGA657054SM9IJ", "licence [licence]"),
    ("morga657054sm9ij35", "[licence]"),
    ("passport 123456789", "passport [passport]"),
    ("Passport No: 123456789", "Passport No: [passport]"),
    ("GB29 NWBK 6016 1331 9268 19", "[account]"),
    ("GB29NWBK60161331926819", "[account]"),
    ("4111 1111 1111 1111", "[card]"),
    ("4111-1111-1111-1111", "[card]"),
    ("4111111111111111", "[card]"),
    ("5555.5555.5555.4444", "[card]"),
    ("3782 822463 10005", "[card]"),
    // Tokens
    ("550e8400-e29b-41d4-a716-446655440000", "[token]"),
    ("{550E8400-E29B-41D4-A716-446655440000}", "{[token]}"),
    ("id-550e8400-e29b-41d4-a716-446655440000-x", "id-[token]-x"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "[token]"),
    ("sid=d41d8cd98f00b204e9800998ecf8427e;", "sid=[token];"),
    ("a;jsessionid=1A2B3C4D5E6F7A8B9C0D1E2F3A4B5C6D", "a;jsessionid=[token]"),
    ("0xdeadbeefdeadbeef", "[token]"),
    ("deadbeefcafebabe", "[token]"),
    ("V1StGXR8_Z5jdHi6B-myT", "[token]"),
    ("nCq1ZkTj8wYxQ2sLm0aBvg==", "[token]"),
    ("nCq1ZkTj8w+YxQ2sLm0aBv=", "[token]"),
    ("k=nCq1ZkTj/8wYxQ2s/Lm0aBvg== ", "k=[token] "),
    ("cjld2cjxh0000qzrmn831i7rn", "[token]"),
    ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "[token]"),
    ("reset-password-nCq1ZkTj8wYxQ2sLm0aBvg", "reset-password-[token]"),
    ("u=amFuZS5kb2VAZXhhbXBsZS5jb20=", "u=[token]"),
    ("490154203237518", "[token]"),
    ("1234567890123456", "[token]"),
];

/// Each as the path of a page.
const PATHS: &[(&str, &str)] = &[
    ("/u/jane%40example.com/orders", "/u/[email]/orders"),
    ("/u/jane%252540example.com", "/u/[email]"),
    // Encoded twice and ending in a mark: legal, and what would be kept of it reads as an address.
    ("/find/jane%3F%2540example.com/x", "/find/[email]/x"),
    ("/patient/1980-05-12/943-476-5919", "/patient/[date]/[nhs-number]"),
    ("/patient/9434765919", "/patient/[nhs-number]"),
    ("/born/12/05/1980/", "/born/[date]/"),
    ("/dob/2014-05-12", "/dob/[date]"),
    ("/dob/12-may-2015", "/dob/[date]"),
    ("/x/12%20may%201980", "/x/[date]"),
    ("/near/SW1A%201AA?x=1", "/near/[postcode]"),
    ("/near/sw1a-1aa", "/near/[postcode]"),
    ("/near/sw1a_1aa", "/near/[postcode]"),
    ("/near/sw1a+1aa", "/near/[postcode]"),
    ("/near/sw1a/1aa/", "/near/[postcode]/"),
    ("/call/07700900123", "/call/[phone]"),
    ("/call/+447700900123", "/call/[phone]"),
    ("/call/7700-900123", "/call/[phone]"),
    ("/ni/QQ123456C", "/ni/[ni-number]"),
    ("/ip/203.0.113.9", "/ip/[address]"),
    ("/reset/d41d8cd98f00b204e9800998ecf8427e#top", "/reset/[token]"),
    ("/assets/main.5f3c2d1a9b8e7f60.js", "/assets/main.[token].js"),
    ("/a%3Fb%23c%26d", "/a%3Fb%23c&d"),
    ("/a%0d%0aSet-Cookie:x%00", "/a  Set-Cookie:x"),
    ("", "/"),
    ("?q=1", "/"),
    ("https://u:p@example.com/x/y?z#f", "/x/y"),
    ("HTTPS://example.com", "/"),
];

#[test]
fn rule_d3_personal_data_is_replaced_by_its_kind() {
    let wrong: Vec<_> = TEXTS.iter().filter(|(given, want)| text(given) != *want || text(want) != *want).collect();
    let given: Vec<_> = wrong.iter().map(|(given, _)| text(given)).collect();
    assert!(wrong.is_empty(), "{wrong:#?} gave {given:#?}");
    assert!(TEXTS.len() >= 150);
}

#[test]
fn rule_d3_personal_data_is_replaced_in_a_forms_value_too() {
    for (given, want) in TEXTS {
        // As a browser sends it: spaces are pluses, all else is encoded.
        let encoded: String = given.bytes().map(|b| if b == b' ' { "+".into() } else { format!("%{b:02X}") }).collect();
        let value = &scrub::utm(&RawUrl::new(&format!("/?utm_term={encoded}"))).utm[3];
        // A space that was a plus may be part of an address, as in "jane+clinic@example.com", or of a number, as in "+44".
        let is_shorter = want.contains("[email]") && value.contains("[email]");
        let is_same = value.replace(' ', "") == want.replace(' ', "");
        assert!(is_shorter || is_same || given.contains('%'), "{given:?} gave {value:?}");
    }
}

#[test]
fn rule_d3_paths_keep_their_form_and_lose_persons() {
    for (given, want) in PATHS {
        assert_eq!(path(given), *want, "{given:?}");
    }
}

#[test]
fn rule_d3_an_address_in_the_name_of_a_host_is_replaced() {
    for (given, want) in [
        ("cpc1-203-0-113-9.cable.example", "cpc1-[address].cable.example"),
        ("203-0-113-9.dynamic.example", "[address].dynamic.example"),
        ("ec2-203-0-113-9.compute.example", "ec2-[address].compute.example"),
        ("top-10-20-30.example", "top-10-20-30.example"),
        ("07700900123.example", "[phone].example"),
        ("7700900456.example", "[phone].example"),
        ("tel7700900456.shop.example", "tel[phone].shop.example"),
        ("4155552672.example", "[phone].example"),
        ("9434765919.test", "[nhs-number].test"),
        ("1234567891.example", "1234567891.example"),
        ("127.0.0.1", "[address]"),
        ("localhost", "localhost"),
    ] {
        assert_eq!(scrub::host(given), want);
    }
}
