//! The lines themselves, and which names they are for.

use http::HeaderValue;

use crate::consent::PurposeSet;
use crate::cookies::Catalogue;
use crate::cookies::pairs::{name, pairs};
use crate::cookies::place::is_path;

/// The longest name that is expired. A line of ours must not be what bursts the head.
const LONGEST_NAME: usize = 256;
/// What a line takes beside its value: `set-cookie: ` and the line's end.
const AROUND: usize = 14;

/// The names in `lines` (all `Cookie` headers) that are not permitted, each once, in their order, `most` of them.
pub(crate) fn forbidden<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
    catalogue: &Catalogue,
    permitted: PurposeSet,
    most: usize,
) -> Vec<&'a [u8]> {
    let mut names: Vec<&[u8]> = Vec::new();
    for (_, pair) in lines.into_iter().flat_map(pairs) {
        // A cookie without a name is sent as its value alone; there is no line that would expire it.
        let Some(name) = name(pair).filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME) else { continue };
        if names.len() < most && !catalogue.permits(name, permitted) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Lines of one answer, each once and no more than there is room for.
pub(crate) struct Lines {
    lines: Vec<HeaderValue>,
    most: usize,
    room: usize,
}

impl Lines {
    /// With room for `most` lines that take `bytes` together.
    pub(crate) fn new(most: usize, bytes: usize) -> Lines {
        Lines { lines: Vec::new(), most, room: bytes }
    }

    /// Expires the cookie called `name` at a place, if there is room.
    pub(crate) fn add(&mut self, name: &[u8], path: &str, domain: Option<&str>, partitioned: bool) {
        if self.is_full() {
            return;
        }
        let Some(line) = line(name, path, domain, partitioned) else { return };
        match self.room.checked_sub(line.len() + AROUND) {
            _ if self.lines.contains(&line) => {}
            Some(room) => {
                self.room = room;
                self.lines.push(line);
            }
            // Full; what is tried from here on costs nothing.
            None => self.most = 0,
        }
    }

    /// Whether nothing more will be added.
    pub(crate) fn is_full(&self) -> bool {
        self.lines.len() >= self.most
    }

    /// All of them.
    pub(crate) fn done(self) -> Vec<HeaderValue> {
        self.lines
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
    line.extend_from_slice(b"=; Max-Age=0; Path=");
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
