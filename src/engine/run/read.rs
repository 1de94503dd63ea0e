//! The statement of a request: from its URL, its body or a form.

use super::Job;
use super::body::BodyReader;
use crate::engine::exception::Exception;
use crate::engine::multipart;
use crate::engine::statement::{Refusal, Statement, recognise};

/// The longest statement, without an insert's data.
const MAX_STATEMENT_BYTES: usize = 16 << 20;

/// The statement from the URL and the body. An insert's data may follow it in the returned bytes, and more in the body.
pub(super) fn read_statement(query: &str, body: &mut BodyReader) -> Result<(Vec<u8>, Statement), Exception> {
    let mut sql = query.as_bytes().to_vec();
    if !query.trim().is_empty() {
        let statement = recognise(&sql).map_err(refused)?;
        if matches!(statement, Statement::Insert { .. }) {
            return Ok((sql, statement));
        }
        // A statement may also be begun in the URL and ended in the body.
        sql.push(b'\n');
    }
    let mut look_at = 64 << 10;
    loop {
        let more = body.next()?;
        let whole = more.is_none();
        sql.extend_from_slice(&more.unwrap_or_default());
        if whole || sql.len() >= look_at {
            match recognise(&sql) {
                // The line break behind the format's name may be the next byte to come.
                Ok(insert @ Statement::Insert { data, .. }) if whole || data + 2 < sql.len() => {
                    body.came_with_data = true;
                    return Ok((sql, insert));
                }
                recognised if whole => return Ok((sql, recognised.map_err(refused)?)),
                _ if sql.len() > MAX_STATEMENT_BYTES => {
                    let text = format!("The statement is longer than {MAX_STATEMENT_BYTES} bytes");
                    return Err(Exception::new(581, "QUERY_IS_TOO_LARGE", &text));
                }
                _ => look_at = sql.len() * 2,
            }
        }
    }
}

fn refused(refusal: Refusal) -> Exception {
    match refusal {
        Refusal::Several => Exception::new(62, "SYNTAX_ERROR", "Multi-statements are not allowed"),
        Refusal::File => {
            Exception::new(148, "INTO_OUTFILE_NOT_ALLOWED", "INTO OUTFILE and FROM INFILE are not allowed over HTTP")
        }
    }
}

/// The statement and its parameters from a form.
pub(super) fn read_form(job: &mut Job, body: &mut BodyReader, boundary: &str) -> Result<(), Exception> {
    let mut form = Vec::new();
    while let Some(more) = body.next()? {
        form.extend_from_slice(&more);
        if form.len() > MAX_STATEMENT_BYTES {
            return Err(Exception::new(581, "QUERY_IS_TOO_LARGE", "The form is too long"));
        }
    }
    let bad = |text: &str| Exception::new(36, "BAD_ARGUMENTS", text);
    for (name, value) in multipart::fields(&form, boundary).map_err(|error| bad(&error.to_string()))? {
        let value = String::from_utf8(value).map_err(|_| bad("A form field is not UTF-8"))?;
        match name.strip_prefix("param_") {
            Some(parameter) => job.parameters.push((parameter.to_owned(), value)),
            None if name == "query" => job.query = value,
            None => {
                let text =
                    format!("The embedded engine takes no external tables (form field '{}')", name.escape_default());
                return Err(Exception::new(48, "NOT_IMPLEMENTED", &text));
            }
        }
    }
    Ok(())
}
