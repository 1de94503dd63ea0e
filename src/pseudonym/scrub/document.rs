//! What names a person at an office or a bank: National Insurance numbers, driving licences, account numbers, cards.

use super::decode::FORM_SPACE;

/// Where the National Insurance number ends that starts at `at`, where a word starts: two letters, six digits, one letter (HMRC NIM39110).
/// The made-up `QQ` of official examples counts, since people type what they see. Without its last letter it is a product
/// code and is kept.
pub fn national_insurance_end(text: &[u8], at: usize) -> Option<usize> {
    let upper = |i: usize| text.get(i).map_or(0, u8::to_ascii_uppercase);
    let (first, second) = (upper(at), upper(at + 1));
    if !first.is_ascii_alphabetic() || !second.is_ascii_alphabetic() || upper(at + 2).is_ascii_alphabetic() {
        return None;
    }
    let never = [*b"BG", *b"GB", *b"NK", *b"KN", *b"TN", *b"NT", *b"ZZ"];
    let is_prefix = !b"DFIQUV".contains(&first) && !b"DFIOQUV".contains(&second) && !never.contains(&[first, second]);
    if !is_prefix && [first, second] != *b"QQ" {
        return None;
    }
    let mut next = at + 2;
    let mut digits = 0;
    while digits < 6 {
        // Together, or in pairs, threes, fours: `12 34 56`.
        let gap = usize::from(text.get(next).is_some_and(|&b| is_gap(b)));
        let run = text.get(next + gap..)?.iter().take(7).take_while(|b| b.is_ascii_digit()).count();
        if !matches!(run, 2..=4 | 6) {
            return None;
        }
        digits += run;
        next += gap + run;
    }
    let gap = usize::from(text.get(next).is_some_and(|&b| is_gap(b)));
    let is_suffix = matches!(upper(next + gap), b'A'..=b'D') && !upper(next + gap + 1).is_ascii_alphanumeric();
    (digits == 6 && is_suffix).then_some(next + gap + 1)
}

/// Where the driving licence number of Great Britain ends that starts at `at`, where a word starts: five letters of the surname (or 9s), year,
/// month (plus 50 for women) and day of birth, two initials, three more; perhaps an issue number.
pub fn licence_end(text: &[u8], at: usize) -> Option<usize> {
    let licence = text.get(at..at + 16)?;
    let is_initial = |b: &u8| b.is_ascii_alphabetic() || *b == b'9';
    let two = |i: usize| (licence[i] - b'0') * 10 + (licence[i + 1] - b'0');
    let fits = licence[0].is_ascii_alphabetic()
        && licence[..5].iter().all(is_initial)
        && licence[5..11].iter().all(u8::is_ascii_digit)
        && matches!(two(6) % 50, 1..=12)
        && two(6) <= 62
        && (1..=31).contains(&two(8))
        && licence[11..13].iter().all(is_initial)
        && licence[13..].iter().all(u8::is_ascii_alphanumeric);
    let issue = text[at + 16..].iter().take(3).take_while(|b| b.is_ascii_digit()).count();
    let end = at + 16 + issue;
    (fits && issue != 1 && !text.get(end).is_some_and(u8::is_ascii_alphanumeric)).then_some(end)
}

/// Where the international account number ends that starts at `at`, where a word starts: country, two check digits and up to thirty letters
/// and digits, together or in fours, whose remainder is right (ISO 13616).
pub fn account_end(text: &[u8], at: usize) -> Option<usize> {
    let head = text.get(at..at + 4)?;
    if !(head[..2].iter().all(u8::is_ascii_alphabetic) && head[2..].iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let mut account = [0; 34];
    let (mut len, mut next) = (0, at);
    let mut end = None;
    while let Some(b) = text.get(next) {
        if b.is_ascii_alphanumeric() && len < account.len() {
            account[len] = b.to_ascii_uppercase();
            len += 1;
            next += 1;
            let goes_on = text.get(next).is_some_and(u8::is_ascii_alphanumeric);
            // A word may stand behind it that belongs to it by its spaces alone.
            if len >= 15 && !goes_on && remainder(&account[..len]) == 1 {
                end = Some(next);
            }
        } else if is_gap(*b) && len % 4 == 0 {
            next += 1;
        } else {
            break;
        }
    }
    end
}

/// Of the account number by 97, its first four characters moved to the end and letters read as 10 to 35.
fn remainder(account: &[u8]) -> u32 {
    let (head, rest) = account.split_at(4);
    rest.iter().chain(head).fold(0, |sum, &b| match b {
        b'0'..=b'9' => (sum * 10 + u32::from(b - b'0')) % 97,
        _ => (sum * 100 + u32::from(b - b'A') + 10) % 97,
    })
}

/// Where the card number ends that starts with the digit at `at`: as cards print it, or together, with the right last digit (ISO/IEC 7812-1).
pub fn card_end(text: &[u8], at: usize) -> Option<usize> {
    const PRINTED: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];
    if !matches!(text[at], b'2'..=b'6') {
        return None;
    }
    let together = text[at..].iter().take(20).take_while(|b| b.is_ascii_digit()).count();
    if together != 4 {
        return is_card(&text[at..at + together]).then_some(at + together);
    }
    let separator = *text.get(at + 4).filter(|&&b| is_gap(b))?;
    PRINTED.iter().find_map(|lens| {
        let (mut digits, mut len, mut next) = ([0; 19], 0, at);
        for (i, &group) in lens.iter().enumerate() {
            if i > 0 {
                if text.get(next) != Some(&separator) {
                    return None;
                }
                next += 1;
            }
            let run = text.get(next..next + group).filter(|run| run.iter().all(u8::is_ascii_digit))?;
            digits[len..len + group].copy_from_slice(run);
            len += group;
            next += group;
        }
        let ends = !text.get(next).is_some_and(u8::is_ascii_digit);
        (ends && is_card(&digits[..len])).then_some(next)
    })
}

/// Whether the digits are a card's: a length and a beginning that are in use, and the right last digit.
pub fn is_card(digits: &[u8]) -> bool {
    let is_issued = match digits.len() {
        14 => matches!(digits, [b'3', b'0' | b'6' | b'8' | b'9', ..]),
        15 => matches!(digits, [b'3', b'4' | b'7', ..]),
        16..=19 => matches!(digits, [b'2'..=b'6', ..]),
        _ => false,
    };
    let luhn = || {
        digits.iter().rev().enumerate().map(|(i, b)| match (i % 2, b - b'0') {
            (1, digit @ 5..) => u32::from(digit) * 2 - 9,
            (1, digit) => u32::from(digit) * 2,
            (_, digit) => u32::from(digit),
        })
    };
    is_issued && digits.iter().all(u8::is_ascii_digit) && luhn().sum::<u32>() % 10 == 0
}

fn is_gap(b: u8) -> bool {
    matches!(b, b' ' | b'-' | b'.' | b'_' | FORM_SPACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_offices_and_banks_are_told_from_product_codes() {
        let find = |detector: fn(&[u8], usize) -> Option<usize>, text: &str| {
            detector(text.as_bytes(), 0).map(|end| text[..end].len())
        };
        for (text, want) in [
            ("QQ123456C", Some(9)),
            ("ab 12 34 56 c", Some(13)),
            ("AB-12-34-56-C", Some(13)),
            ("AB 123 456 D.", Some(12)),
            ("AB123456", None),
            ("AB123456E", None),
            ("AB123456CD", None),
            ("GB123456A", None),
            ("DA123456A", None),
            ("ABC123456A", None),
            ("AB12345678C", None),
            ("AB 1 2 3 4 5 6 C", None),
        ] {
            assert_eq!(find(national_insurance_end, text), want, "{text}");
        }
        for (text, want) in [
            ("MORGA657054SM9IJ", Some(16)),
            ("morga657054sm9ij35 x", Some(18)),
            ("FOX99851206A99AB", Some(16)),
            ("MORGA699054SM9IJ", None),
            ("MORGA657054SM9IJK", None),
            ("PRODUCT657054SM9", None),
        ] {
            assert_eq!(find(licence_end, text), want, "{text}");
        }
        for (text, want) in [
            ("GB29NWBK60161331926819", Some(22)),
            ("GB29 NWBK 6016 1331 9268 19", Some(27)),
            ("gb29 nwbk 6016 1331 9268 19 please", Some(27)),
            ("DE89 3704 0044 0532 0130 00", Some(27)),
            ("NO9386011117947", Some(15)),
            ("GB29 NWBK 6016 1331 9268 18", None),
            ("GB29", None),
        ] {
            assert_eq!(find(account_end, text), want, "{text}");
        }
        for (text, want) in [
            ("4111 1111 1111 1111", Some(19)),
            ("5555-5555-5555-4444", Some(19)),
            ("4111111111111111", Some(16)),
            ("378282246310005", Some(15)),
            ("3782 822463 10005", Some(17)),
            ("3056 930902 5904", Some(16)),
            ("4111 1111 1111 1112", None),
            ("4111-1111 1111-1111", None),
            ("1234 5678 9012 3456", None),
            ("4111 1111 1111 11111", None),
        ] {
            assert_eq!(find(card_end, text), want, "{text}");
        }
    }
}
