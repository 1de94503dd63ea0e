//! One request's statement, from its settings to the last byte of its result: the part that waits for ClickHouse and so
//! runs on a thread of its own. It reads the body from a channel and writes the answer to one. Never sees a socket. Called
//! by [`super::http`].

mod body;

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::blocks::{BlockDecoder, Packing};
use super::exception::Exception;
use super::ffi::{Connection, Effect, Engine, Parameter, Summary};
use super::format::{Shape, header_length, shape};
use super::{multipart, tables_only};
pub use body::Body;
use body::BodyReader;

use super::statement::{Refusal, Statement, recognise};

/// The longest statement, without an insert's data.
const MAX_STATEMENT_BYTES: usize = 16 << 20;

/// The most a result may hold in memory where its format cannot be sent in pieces; a request may set its own.
const MAX_DOCUMENT_BYTES: u64 = 512 << 20;

/// How long a client may take to read a piece before its statement is ended: it holds a turn that others wait for.
const READ_PAUSE: Duration = Duration::from_secs(600);

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

/// The first thing known about the answer.
pub struct Head {
    /// The format of the bytes that follow.
    pub format: String,
    /// What it took; where the result is sent in pieces, as far as it is known.
    pub summary: Summary,
}

/// A piece of the answer. Where the pieces end without [`Piece::Whole`] the answer is broken off: the statement failed
/// (then the last bytes are its exception), the client read nothing for too long, or this thread panicked.
#[derive(Debug)]
pub enum Piece {
    /// Bytes.
    Data(Bytes),
    /// Everything has been sent.
    Whole,
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

/// How much of a result was handed on.
enum Sent {
    Whole,
    /// The client is gone, or as good as gone.
    Part,
}

fn send(pieces: &mpsc::Sender<Piece>, piece: Piece) -> Result<(), Gone> {
    let sent = Handle::current().block_on(tokio::time::timeout(READ_PAUSE, pieces.send(piece)));
    if matches!(sent, Ok(Ok(()))) { Ok(()) } else { Err(Gone) }
}

/// ClickHouse's frame around an exception in the middle of a result.
fn exception_at_the_end(exception: &Exception, tag: &str) -> Bytes {
    let message = format!("{}\n", exception.message.trim_end());
    let length = message.len();
    Bytes::from(format!("\r\n__exception__\r\n{tag}\r\n{message}{length} {tag}\r\n__exception__\r\n"))
}

/// The other end of the answer's channel is gone, or has taken nothing for too long.
struct Gone;

struct Answer<'a> {
    head: Option<oneshot::Sender<Result<Head, Exception>>>,
    pieces: &'a mpsc::Sender<Piece>,
    packing: Packing,
}

impl Answer<'_> {
    fn begin(&mut self, format: &str, summary: Summary) -> Result<(), Gone> {
        match self.head.take() {
            Some(head) => head.send(Ok(Head { format: format.to_owned(), summary })).map_err(|_| Gone),
            None => Ok(()),
        }
    }

    fn piece(&mut self, piece: Bytes) -> Result<(), Gone> {
        if piece.is_empty() {
            return Ok(());
        }
        let piece = self.packing.pack(piece);
        send(self.pieces, Piece::Data(piece))
    }

    /// The bytes that end the answer, where there was one.
    fn end(self) -> Result<(), Gone> {
        let rest = self.packing.finish();
        if rest.is_empty() { Ok(()) } else { send(self.pieces, Piece::Data(rest)) }
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

/// Brings the connection into the state the request asks for: settings, database, and last what it may not do.
fn prepare(connection: &mut Connection, job: &Job, document: bool) -> Result<(), Exception> {
    let mut set = format!("set log_comment = '{}'", job.mark);
    // The gateway's batches wait for their acknowledgement; collecting small inserts first would only delay it.
    set.push_str(", async_insert = 0");
    if document {
        let _ = write!(set, ", max_result_bytes = {MAX_DOCUMENT_BYTES}");
    }
    for (name, value) in &job.settings {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.') {
            return Err(Exception::new(
                115,
                "UNKNOWN_SETTING",
                &format!("Unknown setting '{}'", name.escape_default()),
            ));
        }
        let _ = write!(set, ", `{name}` = '{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
    }
    connection.query(set.as_bytes(), "Null", &[])?;
    if let Some(database) = &job.database {
        let quoted = database.replace('\\', "\\\\").replace('`', "\\`");
        connection.query(format!("use `{quoted}`").as_bytes(), "Null", &[])?;
    }
    let readonly = match job.access {
        Access::Full => return Ok(()),
        Access::Read => "set readonly = 2",
        Access::ReadTables => "set readonly = 1",
    };
    // A client may ask for less itself; then it cannot be set again, and need not be.
    match connection.query(readonly.as_bytes(), "Null", &[]) {
        Err(exception) if exception.code != 164 => Err(exception),
        Err(_) if !job.settings.iter().any(|(name, value)| name == "readonly" && value == "1") => Err(Exception::new(
            164,
            "READONLY",
            "This interface reads only, and the request asks for another `readonly`",
        )),
        _ => Ok(()),
    }
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

/// The statement from the URL and the body. An insert's data may follow it in the returned bytes, and more in the body.
fn read_statement(query: &str, body: &mut BodyReader) -> Result<(Vec<u8>, Statement), Exception> {
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
fn read_form(job: &mut Job, body: &mut BodyReader, boundary: &str) -> Result<(), Exception> {
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

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Head").field("format", &self.format).finish_non_exhaustive()
    }
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
