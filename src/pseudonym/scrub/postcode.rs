//! UK postcodes: `SW1A 1AA`, with or without a separator, in either case, and `GIR 0AA`. A district alone (`SW1A`) is kept.
//!
//! What has the form of one and begins with an area that exists is taken for one, even where it is the size of a memory
//! (`M2 8GB`); what does not (`A1 2BC`, `QA1 2AB`) or ends in letters that are not used (`AB1 2CD`) is a product code and is kept.

/// The areas that exist, so that few product codes look like a postcode.
pub const AREAS: &[u8] = b" AB AL B BA BB BD BF BH BL BN BR BS BT BX CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX \
FK FY G GL GU GX GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP NR NW OL OX \
PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB W WA WC WD WF WN WR WS WV YO \
ZE ";

/// The end of the postcode that starts at `at`, where a word starts.
pub fn end(text: &[u8], at: usize) -> Option<usize> {
    let byte = |i: usize| text.get(i).map_or(0, u8::to_ascii_uppercase);
    let area_len = if byte(at + 1).is_ascii_alphabetic() { 2 } else { 1 };
    if !byte(at + area_len).is_ascii_digit() {
        return None;
    }
    let area = match area_len {
        1 => [b' ', byte(at), b' ', b' '],
        _ => [b' ', byte(at), byte(at + 1), b' '],
    };
    memchr::memmem::find(AREAS, &area[..area_len + 2])?;
    // After the area: a digit, and none, another digit or a letter; the longest district first.
    let district = at + area_len;
    [2, 1].into_iter().filter(|&len| len == 1 || byte(district + 1).is_ascii_alphanumeric()).find_map(|len| {
        let after = district + len;
        let is_path = byte(after) == b'/';
        let gap = if is_path { 1 } else { text[after..].iter().take(3).take_while(|&&b| is_gap(b)).count() };
        let end = inward_end(text, after + gap)?;
        // `/postcode/sw1a/1aa` and `b33 8th`, but neither `/phase-e1/1st` nor `room B12 3rd floor`.
        let is_mixed = text[at].is_ascii_uppercase() && text[end - 1].is_ascii_lowercase();
        (!(is_ordinal(&text[end - 2..end]) && (is_path || is_mixed))).then_some(end)
    })
}

fn is_ordinal(ending: &[u8]) -> bool {
    [b"st", b"nd", b"rd", b"th"].iter().any(|ordinal| ending.eq_ignore_ascii_case(*ordinal))
}

/// The end of the one postcode without a district, `GIR 0AA`, that starts at `at`.
pub fn girobank_end(text: &[u8], at: usize) -> Option<usize> {
    text.get(at..at + 3)?.eq_ignore_ascii_case(b"gir").then_some(())?;
    let gap = text[at + 3..].iter().take(3).take_while(|&&b| is_gap(b)).count();
    inward_end(text, at + 3 + gap).filter(|end| text[end - 3..*end].eq_ignore_ascii_case(b"0aa"))
}

/// Whether a text with a single digit may hold it.
pub fn may_be_girobank(text: &[u8]) -> bool {
    memchr::memchr_iter(b'0', text)
        .any(|at| text.get(at + 1..at + 3).is_some_and(|unit| unit.eq_ignore_ascii_case(b"aa")))
}

/// The end of a digit and two letters at `at` that stand before no other.
fn inward_end(text: &[u8], at: usize) -> Option<usize> {
    let byte = |i: usize| text.get(i).map_or(0, u8::to_ascii_uppercase);
    let fits = byte(at).is_ascii_digit() && is_unit(byte(at + 1)) && is_unit(byte(at + 2));
    (fits && !byte(at + 3).is_ascii_alphanumeric()).then_some(at + 3)
}

fn is_gap(b: u8) -> bool {
    matches!(b, b' ' | b'-' | b'_' | b'+' | b'.' | super::decode::FORM_SPACE)
}

/// The letters that end a postcode; C, I, K, M, O and V are not used there.
fn is_unit(b: u8) -> bool {
    b.is_ascii_alphabetic() && !b"CIKMOV".contains(&b)
}
