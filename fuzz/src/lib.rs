//! What the targets hold every answer to, written without a line of what they test: if the scrubber's idea of an e-mail
//! address, a phone number or an NHS number is wrong, this one still finds it.

/// Panics where `text` is not what may be kept: at most `max_len` bytes, no control characters, nobody named.
pub fn assert_clean(text: &str, max_len: usize) {
    assert!(text.len() <= max_len, "{} bytes and not {max_len}: {text:?}", text.len());
    assert!(!text.chars().any(char::is_control), "control characters: {text:?}");
    if let Some(found) = email(text).or_else(|| nhs_number(text)).or_else(|| phone(text)) {
        panic!("{found:?} is left in {text:?}");
    }
}

/// `letters@letters.com` and the like, in ASCII: the plainest of all addresses.
fn email(text: &str) -> Option<String> {
    for (at, _) in text.match_indices('@') {
        let local = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        let domain = text[at + 1..].split(|c: char| !c.is_ascii_alphabetic() && c != '.').next()?;
        let mut labels = domain.split('.');
        let (name, top) = (labels.next()?, labels.next().unwrap_or_default());
        if local && name.len() > 1 && ["com", "org", "net", "uk", "de", "co", "nhs"].contains(&top) {
            return Some(text[at - 1..].to_owned());
        }
    }
    None
}

/// Ten digits between others than digits, together or as 3-3-4 with spaces or hyphens, whose check digit is right.
fn nhs_number(text: &str) -> Option<String> {
    numbers(text, &[&[10], &[3, 3, 4]]).find(|digits| {
        let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(10)).collect();
        let weighted: u32 = digits.iter().take(9).enumerate().map(|(i, d)| d * (10 - i as u32)).sum();
        (weighted + digits[9]) % 11 == 0
    })
}

/// The commonest spellings of a mobile, a London and an area number.
fn phone(text: &str) -> Option<String> {
    let spellings: [&[usize]; 4] = [&[11], &[5, 6], &[3, 4, 4], &[5, 3, 3]];
    numbers(text, &spellings).find(|number| ["07", "01", "02"].iter().any(|start| number.starts_with(start)))
}

/// Numbers of these groups of digits, one space or hyphen between two, that stand between others than digits. What comes before
/// and after must not be another group, or a longer number would be read from its middle.
fn numbers(text: &str, spellings: &[&[usize]]) -> impl Iterator<Item = String> {
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_digit() && c != ' ' && c != '-').collect();
    let mut found = Vec::new();
    for word in words {
        let word = word.trim_matches([' ', '-']);
        let groups: Vec<&str> = word.split([' ', '-']).collect();
        let lens: Vec<usize> = groups.iter().map(|g| g.len()).collect();
        if spellings.iter().any(|spelling| **spelling == lens[..]) {
            found.push(groups.join(" "));
        }
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oracle_finds_what_is_plain() {
        for text in ["to jane@example.com.", "943 476 5919", "x9434765919", "07700 900123", "(020-7946-0018)"] {
            assert!(std::panic::catch_unwind(|| assert_clean(text, 100)).is_err(), "{text}");
        }
        for text in ["vue@3.4.1", "943 476 5918", "1234567890", "2024-05-12 10:30", "[email]", "£12.99"] {
            assert_clean(text, 100);
        }
    }
}
