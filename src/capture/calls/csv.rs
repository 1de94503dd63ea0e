//! CSV as telephone systems and spreadsheets export it (RFC 4180): a header line that names the columns, commas or
//! semicolons between fields, quotes around those that hold either.

use zeroize::Zeroizing;

use super::{CallsError, MAX_CALLS, Record};

const COLUMNS: [&str; 5] = ["id", "at", "from", "duration_s", "consent"];

/// The calls of a body, in its order.
pub(super) fn records(body: &[u8]) -> Result<Vec<Record>, CallsError> {
    let text = std::str::from_utf8(body).map_err(|_| CallsError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start_matches(['\r', '\n']);
    let head = text.lines().next().unwrap_or_default();
    let separator = if head.contains(';') && !head.contains(',') { ';' } else { ',' };
    let mut rows = Rows { rest: text, separator };
    let head = rows.next().unwrap_or(Ok(Vec::new()))?;
    let mut places = [0; COLUMNS.len()];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        let named = |field: &Zeroizing<String>| field.trim().eq_ignore_ascii_case(name);
        *place = head.iter().position(named).ok_or(CallsError::Column(name))?;
    }
    let mut records = Vec::new();
    for row in rows {
        let mut row = row?;
        if records.len() == MAX_CALLS {
            return Err(CallsError::TooMany);
        }
        let mut field = |column: usize| row.get_mut(places[column]).map(std::mem::take).unwrap_or_default();
        let [id, at, from, duration_s, consent] = [0, 1, 2, 3, 4].map(&mut field);
        let plain = |field: Zeroizing<String>| field.as_str().to_owned();
        records.push(Record {
            id: plain(id),
            at: plain(at),
            from,
            duration_s: plain(duration_s),
            // Spreadsheets write truth in capitals.
            consent: plain(consent).trim().to_ascii_lowercase(),
        });
    }
    Ok(records)
}

/// Rows of fields; empty lines are none.
struct Rows<'t> {
    rest: &'t str,
    separator: char,
}

impl Iterator for Rows<'_> {
    type Item = Result<Vec<Zeroizing<String>>, CallsError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rest = self.rest.trim_start_matches(['\r', '\n']);
        if self.rest.is_empty() {
            return None;
        }
        let mut row = Vec::new();
        loop {
            let Some(field) = self.field() else {
                self.rest = "";
                return Some(Err(CallsError::OpenQuote));
            };
            row.push(field);
            match self.rest.strip_prefix(self.separator) {
                Some(rest) => self.rest = rest,
                None => return Some(Ok(row)),
            }
        }
    }
}

impl Rows<'_> {
    /// The next field, up to its separator or the line's end; nothing where its quotes do not end.
    fn field(&mut self) -> Option<Zeroizing<String>> {
        let mut field = Zeroizing::new(String::new());
        if let Some(mut quoted) = self.rest.strip_prefix('"') {
            loop {
                let (part, after) = quoted.split_once('"')?;
                field.push_str(part);
                match after.strip_prefix('"') {
                    Some(more) => {
                        field.push('"');
                        quoted = more;
                    }
                    None => {
                        self.rest = after;
                        break;
                    }
                }
            }
        }
        let ends = |c: char| c == self.separator || c == '\r' || c == '\n';
        let (plain, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        field.push_str(plain);
        self.rest = rest;
        Some(field)
    }
}
