//! The lines themselves, and which names they are for.

use http::HeaderValue;

use crate::consent::PurposeSet;
use crate::cookies::Catalogue;
use crate::cookies::pairs::{name, pairs, trim};
use crate::cookies::place::is_path;

/// The longest name that is expired, in bytes.
const LONGEST_NAME: usize = 1024;
/// Longer ones are expired last: a few of them take the room of all others.
const LONG_NAME: usize = 256;
/// What a line takes beside its value: `set-cookie: ` and the line's end.
const AROUND: usize = 14;

/// The names that came with a request and are not permitted, each once.
#[derive(Default)]
pub(crate) struct Came<'a> {
    /// Those that are declared as they stand.
    pub declared: Vec<&'a [u8]>,
    /// Those of which the beginning is declared.
    pub begun: Vec<&'a [u8]>,
    /// The name of no bytes, if a cookie without a name came (RFC 6265bis §5.6).
    pub nameless: Vec<&'a [u8]>,
    /// Those that are not declared.
    pub undeclared: Vec<&'a [u8]>,
    /// Declared or not: those that are so long that they come last.
    pub long: Vec<&'a [u8]>,
}

impl<'a> Came<'a> {
    /// Reads `lines` (all `Cookie` headers), `most` names of each kind in their order.
    pub(crate) fn read(
        lines: impl IntoIterator<Item = &'a [u8]>,
        catalogue: &Catalogue,
        permitted: PurposeSet,
        most: usize,
    ) -> Came<'a> {
        let mut came = Came::default();
        for (_, pair) in lines.into_iter().flat_map(pairs) {
            // A cookie without a name is sent as its value alone, behind a `=` where it holds one.
            let name = name(pair).unwrap_or_default();
            if name.is_empty() && matches!(trim(pair), b"" | b"=") || name.len() > LONGEST_NAME {
                continue;
            }
            let purpose = catalogue.purpose(name);
            if !name.is_empty() && purpose.is_some_and(|purpose| permitted.contains(purpose)) {
                continue;
            }
            let kind = match purpose {
                _ if name.is_empty() => &mut came.nameless,
                _ if name.len() > LONG_NAME => &mut came.long,
                None => &mut came.undeclared,
                Some(_) if catalogue.is_exact(name) => &mut came.declared,
                Some(_) => &mut came.begun,
            };
            if kind.len() < most && !kind.contains(&name) {
                kind.push(name);
            }
        }
        came
    }

    /// All of them, what is declared first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'a [u8]> {
        [&self.declared, &self.begun, &self.nameless, &self.undeclared, &self.long].into_iter().flatten().copied()
    }
}

/// Lines of one answer, each once and no more than there is room for.
pub(crate) struct Lines {
    lines: Vec<HeaderValue>,
    /// How many there may be, and how many bytes they may take.
    most: (usize, usize),
    /// What is left for others, in hundredths.
    held_back: usize,
    bytes: usize,
    is_closed: bool,
}

impl Lines {
    /// With room for `most` lines that take `bytes` together.
    pub(crate) fn new(most: usize, bytes: usize) -> Lines {
        Lines { lines: Vec::new(), most: (most, bytes), held_back: 0, bytes: 0, is_closed: false }
    }

    /// From now on leaves so many hundredths of all the room to what comes later.
    pub(crate) fn hold_back(&mut self, hundredths: usize) {
        self.held_back = hundredths;
        self.is_closed = false;
    }

    /// Expires the cookie called `name` at a place, if there is room.
    pub(crate) fn add(&mut self, name: &[u8], path: &str, domain: Option<&str>, partitioned: bool) {
        if self.is_full() {
            return;
        }
        let Some(line) = line(name, path, domain, partitioned) else { return };
        let bytes = self.bytes + line.len() + AROUND;
        if bytes > self.share_of(self.most.1) {
            // Full; what is tried from here on costs nothing. A long name may be one too long, and a shorter one fit.
            self.is_closed |= name.len() <= LONG_NAME;
        } else if !self.lines.contains(&line) {
            self.bytes = bytes;
            self.lines.push(line);
        }
    }

    /// Expires cookies at the top: for the host alone, then for each of its domains.
    pub(crate) fn add_at_top(&mut self, names: &[&[u8]], domains: &[Option<&str>]) {
        for domain in domains {
            names.iter().for_each(|name| self.add(name, "/", *domain, false));
        }
    }

    /// Whether nothing more will be added.
    pub(crate) fn is_full(&self) -> bool {
        self.is_closed || self.lines.len() >= self.share_of(self.most.0)
    }

    /// All of them.
    pub(crate) fn done(self) -> Vec<HeaderValue> {
        self.lines
    }

    fn share_of(&self, all: usize) -> usize {
        all - all * self.held_back / 100
    }
}

/// One line, as browsers demand it for the name (RFC 6265bis §4.1.3); nothing where no such cookie can be.
fn line(name: &[u8], path: &str, domain: Option<&str>, partitioned: bool) -> Option<HeaderValue> {
    let starts =
        |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()));
    let host_only = starts("__Host-");
    if host_only && (domain.is_some() || path != "/") || name.len() > LONGEST_NAME || !is_path(path) {
        return None;
    }
    let mut line = Vec::with_capacity(name.len() + path.len() + domain.map_or(0, str::len) + 64);
    line.extend_from_slice(name);
    // Without a name it needs a value: browsers take no line that has neither.
    line.extend_from_slice(if name.is_empty() { &b"=x"[..] } else { b"=" });
    line.extend_from_slice(b"; Max-Age=0; Path=");
    line.extend_from_slice(path.as_bytes());
    if let Some(domain) = domain {
        line.extend_from_slice(b"; Domain=");
        line.extend_from_slice(domain.as_bytes());
    }
    if host_only || partitioned || starts("__Secure-") {
        line.extend_from_slice(b"; Secure");
    }
    if partitioned {
        line.extend_from_slice(b"; Partitioned");
    }
    HeaderValue::from_bytes(&line).ok()
}
