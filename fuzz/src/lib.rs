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

/// Whether lol_html reads the page as browsers do, as far as is known: it forgets that raw text follows a tag that ends with
/// `=>`, and takes an `<svg/>` that closes itself for one that goes on.
pub fn readable(page: &[u8]) -> bool {
    let text = String::from_utf8_lossy(page).to_ascii_lowercase();
    let forgets = text.split('=').skip(1).any(|after| after.trim_ascii_start().starts_with('>'));
    let goes_on = text.contains("/>") && (text.contains("<svg") || text.contains("<math"));
    !forgets && !goes_on
}

/// The tags that would load something from `t.example`, plainly written, as lol_html reads the page.
pub fn live_tags(page: &[u8]) -> Vec<String> {
    const LOADERS: &str = "script, iframe, frame, img, image, link, video, audio, source, object, embed, track, input, use, \
                           feimage, body, table, thead, tbody, tfoot, tr, td, th";
    const PAINTED: [&str; 8] = ["body", "table", "thead", "tbody", "tfoot", "tr", "td", "th"];
    let live = std::cell::RefCell::new(Vec::new());
    let look = lol_html::element!(LOADERS, |el| {
        let first = |name: &str| el.attributes().iter().find(|a| a.name() == name).map(|a| a.value()).unwrap_or_default();
        let inert = el.tag_name() == "script" && first("type") == "text/plain";
        for name in ["src", "href", "xlink:href", "data", "poster", "background", "code", "srcset", "imagesrcset"] {
            // These load a background and nothing else, and nothing else loads one (HTML, 15.3).
            if (name == "background") != PAINTED.contains(&el.tag_name().as_str()) {
                continue;
            }
            if name == "code" && el.tag_name() != "embed" {
                continue;
            }
            let value = first(name).to_ascii_lowercase();
            // White space within a host makes it none; in a set it ends the address.
            let word = value.split_ascii_whitespace().next().map(|word| word.trim_matches(','));
            let url = if name.ends_with("set") { word } else { Some(value.trim_ascii()) };
            if !inert && url.is_some_and(points_at_t) {
                live.borrow_mut().push(format!("{} {name}={value}", el.tag_name()));
            }
        }
        Ok(())
    });
    let settings = lol_html::Settings::new().with_strict(false).append_element_content_handler(look);
    let mut reader = lol_html::HtmlRewriter::new(settings, |_: &[u8]| ());
    reader.write(page).expect("is read");
    reader.end().expect("is read");
    live.into_inner()
}

fn points_at_t(url: &str) -> bool {
    let rest = url.strip_prefix("https:").or_else(|| url.strip_prefix("http:")).unwrap_or(url);
    let host = rest.strip_prefix("//").unwrap_or_default().split(['/', '?', '#']).next();
    host == Some("t.example")
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

    #[test]
    fn the_reader_finds_what_loads() {
        for page in ["<img src=//t.example>", "<script src='https://T.example/a'>", "<td background='//t.example?a'>"] {
            assert_eq!(live_tags(page.as_bytes()).len(), 1, "{page}");
        }
        for page in [
            "<!--<img src=//t.example>-->",
            "<script type=text/plain src=//t.example>",
            "<a href=//t.example>",
            "<body src=//t.example>",
            "<img background=//t.example>",
        ] {
            assert!(live_tags(page.as_bytes()).is_empty(), "{page}");
        }
    }
}
