//! UK postcodes: `SW1A 1AA`, with or without a separator, in either case. A district alone (`SW1A`) is kept.

/// The areas that exist, so that few product codes look like a postcode.
const AREAS: &[u8] = b" AB AL B BA BB BD BH BL BN BR BS BT CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX \
FK FY G GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP NR NW OL OX \
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
        let gap = text[district + len..].iter().take(3).take_while(|&&b| is_gap(b)).count();
        let inward = district + len + gap;
        let fits = byte(inward).is_ascii_digit() && is_unit(byte(inward + 1)) && is_unit(byte(inward + 2));
        (fits && !byte(inward + 3).is_ascii_alphanumeric()).then_some(inward + 3)
    })
}

fn is_gap(b: u8) -> bool {
    matches!(b, b' ' | b'-' | b'_' | b'+' | b'.' | super::decode::FORM_SPACE)
}

/// The letters that end a postcode; C, I, K, M, O and V are not used there.
fn is_unit(b: u8) -> bool {
    b.is_ascii_alphabetic() && !b"CIKMOV".contains(&b)
}
