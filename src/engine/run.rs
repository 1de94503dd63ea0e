//! One request's statement, from its settings to the last byte of its result: the part that waits for ClickHouse and so
//! runs on a thread of its own. It reads the body from a channel and writes the answer to one. Never sees a socket. Called
//! by [`super::http`].

mod answer;
mod body;
mod prepare;
mod read;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::blocks::{BlockDecoder, Packing};
use super::exception::Exception;
use super::ffi::{Connection, Effect, Engine, Parameter, Summary};
use super::format::{Shape, header_length, shape};
use super::statement::Statement;
use super::tables_only;
use answer::{Answer, Sent, exception_at_the_end, send};
pub use answer::{Head, Piece};
pub use body::Body;
use body::BodyReader;
use prepare::prepare;
use read::{read_form, read_statement};

/// The size of the pieces a whole result is handed on in.
const PIECE_BYTES: usize = 1 << 20;

/// What a request asks for, without its body.
#[derive(Debug, Default)]
pub struct Job {
    /// The `query` of the URL.
    pub query: String,
    /// The current database.
    pub database: Option<String>,
    /// The format where the statement names none.
    pub default_format: Option<String>,
    /// Settings by name, in order.
    pub settings: Vec<(String, String)>,
    /// Values for `{name:Type}`.
    pub parameters: Vec<Parameter>,
    /// What the request may not change.
    pub access: Access,
    /// The body is in ClickHouse's blocks.
    pub unpack_body: bool,
    /// `multipart/form-data`'s boundary, where the body is a form.
    pub form: Option<String>,
    /// A mark by which the statement can be found and ended when nobody waits for it any more.
    pub mark: String,
    /// The letters around an exception in the middle of a result, as announced in `X-ClickHouse-Exception-Tag`.
    pub tag: String,
}

/// What a request may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    #[default]
    Full,
    /// Read, and change settings within the statement: as ClickHouse treats GET.
    Read,
    /// Read tables, nothing else: no files, no other servers, no settings within the statement.
    ReadTables,
}

/// Runs the job. Answers `head` once, then sends pieces, packed by `packing`.
pub fn run(
    engine: &Engine,
    job: Job,
    body: Body,
    packing: Packing,
    head: oneshot::Sender<Result<Head, Exception>>,
    pieces: &mpsc::Sender<Piece>,
) {
    let tag = job.tag.clone();
    let mut answer = Answer { head: Some(head), pieces, packing };
    match (statement(engine, job, BodyReader::new(body), &mut answer), answer.head.take()) {
        (Ok(Sent::Whole), _) => drop(answer.end().and_then(|()| send(pieces, Piece::Whole))),
        (Ok(Sent::Part), _) => {}
        (Err(exception), Some(head)) => drop(head.send(Err(exception))),
        (Err(exception), None) => {
            let told = answer.piece(exception_at_the_end(&exception, &tag));
            drop(told.and_then(|()| answer.end()));
        }
    }
}

fn statement(engine: &Engine, mut job: Job, mut body: BodyReader, answer: &mut Answer<'_>) -> Result<Sent, Exception> {
    body.unpack = job.unpack_body.then(BlockDecoder::default);
    if let Some(boundary) = job.form.take() {
        read_form(&mut job, &mut body, &boundary)?;
    }
    let (sql, statement) = read_statement(&job.query, &mut body)?;
    let mut connection = engine.connect()?;
    if statement == Statement::Empty {
        return Err(Exception::new(62, "SYNTAX_ERROR", "Empty query: send a statement in `query` or in the body"));
    }
    if job.access == Access::ReadTables {
        // Where it cannot be parsed, its words must do, so that ClickHouse can say what is wrong with it.
        let reads = match connection.effect(&sql) {
            Effect::Reads => true,
            Effect::Changes => false,
            Effect::Unknown => matches!(statement, Statement::Select { .. }),
        };
        if let Some(reason) = tables_only::refusal(&sql, reads, &job.settings, &job.parameters) {
            return Err(Exception::new(
                497,
                "ACCESS_DENIED",
                &format!("Not enough privileges on this interface: {reason}"),
            ));
        }
    }
    let document = is_document(&statement, &job, &sql);
    prepare(&mut connection, &job, document)?;
    let default_format = job.default_format.as_deref().unwrap_or("TabSeparated");
    let parameters = &job.parameters;

    match &statement {
        Statement::Empty => Ok(Sent::Whole),
        Statement::Insert { head, format, data } => {
            let (sql, data) = (sql.get(..*head).unwrap_or_default(), sql.get(*data..).unwrap_or_default());
            let mut insert = connection.insert(sql, format, parameters)?;
            // A semicolon behind `FORMAT x` in the URL is not data.
            if data.trim_ascii() != b";" || body.came_with_data {
                insert.append(data)?;
            }
            // An error here drops the insert, which cancels it: half a body is never taken for a whole one.
            while let Some(data) = body.next()? {
                insert.append(&data)?;
            }
            let summary = insert.finish()?;
            Ok(answer.begin(default_format, summary).map_or(Sent::Part, |()| Sent::Whole))
        }
        Statement::Select { format, .. } if !document => {
            let format = format.as_deref().unwrap_or(default_format);
            stream(&mut connection, &sql, format, parameters, answer)
        }
        Statement::Select { format, .. } | Statement::Other { format } => {
            let format = format.as_deref().unwrap_or(default_format);
            let output = connection.query(&sql, format, parameters)?;
            let summary = output.summary();
            let bytes = Bytes::from_owner(output);
            let mut sent = answer.begin(format, summary);
            for begin in (0..bytes.len()).step_by(PIECE_BYTES) {
                let piece = bytes.slice(begin..bytes.len().min(begin + PIECE_BYTES));
                sent = sent.and_then(|()| answer.piece(piece));
            }
            Ok(sent.map_or(Sent::Part, |()| Sent::Whole))
        }
    }
}

/// Whether the result is one document and must be made whole before it is sent.
fn is_document(statement: &Statement, job: &Job, sql: &[u8]) -> bool {
    let Statement::Select { format, totals } = statement else { return matches!(statement, Statement::Other { .. }) };
    let format = format.as_deref().or(job.default_format.as_deref()).unwrap_or("TabSeparated");
    // Two settings put a frame around formats that have none.
    let framed = ["output_format_json_array_of_rows", "extremes"];
    *totals
        || shape(format) == Shape::Document
        || framed.iter().any(|name| {
            job.settings.iter().any(|(set, _)| set == name) || memchr::memmem::find(sql, name.as_bytes()).is_some()
        })
}

fn stream(
    connection: &mut Connection,
    sql: &[u8],
    format: &str,
    parameters: &[Parameter],
    answer: &mut Answer<'_>,
) -> Result<Sent, Exception> {
    let shape = shape(format);
    let mut stream = connection.stream(sql, format, parameters)?;
    let mut header: Option<Bytes> = None;
    while let Some(output) = stream.fetch()? {
        let begun = if header.is_none() { answer.begin(format, output.summary()) } else { Ok(()) };
        let mut piece = Bytes::from_owner(output);
        match &header {
            None => {
                let length = header_length(shape, &piece).ok_or_else(|| not_a_header(format))?;
                header = Some(Bytes::copy_from_slice(piece.get(..length).unwrap_or_default()));
            }
            Some(header) if piece.starts_with(header) => piece = piece.slice(header.len()..),
            Some(_) => return Err(not_a_header(format)),
        }
        if begun.is_err() || answer.piece(piece).is_err() {
            return Ok(Sent::Part);
        }
    }
    Ok(answer.begin(format, Summary::default()).map_or(Sent::Part, |()| Sent::Whole))
}

fn not_a_header(format: &str) -> Exception {
    Exception::new(49, "LOGICAL_ERROR", &format!("A piece of a {format} result does not begin with its header"))
}

/// Ends the statements that carry `mark`, wherever they are.
pub fn end_statement(engine: &Engine, mark: &str) {
    if let Ok(mut connection) = engine.connect() {
        let sql = format!("kill query where Settings['log_comment'] = '{mark}' async");
        if let Err(exception) = connection.query(sql.as_bytes(), "Null", &[]) {
            tracing::debug!(code = exception.code, "a statement nobody waits for could not be ended");
        }
    }
}

/// Ends every statement: the engine is closing.
pub fn end_all_statements(engine: &Engine) {
    if let Ok(mut connection) = engine.connect() {
        let _best_effort = connection.query(b"kill query where query not like 'kill query%' async", "Null", &[]);
    }
}
