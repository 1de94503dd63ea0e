//! A script that stands in the page itself, with its text: it is held until the text has ended, for that may say whose it is
//! (`[[tag]] inline`). Only where such a purpose is refused.

use super::reader::Reader;
use crate::page::scan::attributes::Attributes;

/// The most bytes of one script that are held; a longer one sleeps, whoever's it is.
const MOST: usize = 1 << 20;

/// What a text ends with, in whatever case.
const END: usize = "</script".len();

/// The script so far.
#[derive(Debug)]
pub(super) struct Script {
    /// Its start tag, as it came, and the length of its name.
    tag: Vec<u8>,
    name: usize,
    text: Vec<u8>,
    /// Whether it is asleep already, and its text goes out as it comes.
    asleep: bool,
}

impl Script {
    pub(super) fn new(tag: &[u8], name: usize) -> Script {
        Script { tag: tag.to_vec(), name, text: Vec::new(), asleep: false }
    }
}

impl Reader {
    /// Whether a start tag begins a script with a text that may run and may be somebody's. What has a `src` runs no text.
    pub(super) fn may_run_inline(&self, attributes: &[u8]) -> bool {
        if !self.gating.looks_inline() {
            return false;
        }
        let mut kind = None;
        for attribute in Attributes::of(attributes) {
            if attribute.name.eq_ignore_ascii_case(b"src") {
                return false;
            }
            if kind.is_none() && attribute.name.eq_ignore_ascii_case(b"type") {
                kind = Some(attribute.value);
            }
        }
        kind.is_none_or(may_run)
    }

    /// More of the text, with the beginning of what may be its end tag.
    pub(super) fn push_script(&mut self, mut script: Script, piece: &[u8], out: &mut Vec<u8>) {
        script.text.extend_from_slice(piece);
        if !script.asleep && script.text.len() > MOST + END {
            out.extend_from_slice(&self.asleep(&script, self.gating.refused_inline(None)));
            script.asleep = true;
        }
        if script.asleep {
            out.append(&mut script.text);
        }
        self.script = Some(script);
    }

    /// The text has ended with the `last` piece, the beginning of its end tag included; or it is not known where it ends.
    pub(super) fn end_script(&self, mut script: Script, last: Option<&[u8]>, out: &mut Vec<u8>) {
        script.text.extend_from_slice(last.unwrap_or_default());
        if !script.asleep {
            let text = last.and_then(|_| script.text.get(..script.text.len().saturating_sub(END)));
            let purposes = self.gating.refused_inline(text.filter(|text| text.len() <= MOST));
            match purposes.is_empty() {
                true => out.extend_from_slice(&script.tag),
                false => out.extend_from_slice(&self.asleep(&script, purposes)),
            }
        }
        out.extend_from_slice(&script.text);
    }

    fn asleep(&self, script: &Script, purposes: Vec<&str>) -> Vec<u8> {
        self.put_to_sleep(&script.tag, script.name, purposes)
    }
}

/// Whether browsers may run the text of a script of such a type (HTML, 4.12.1.1): the names of those they run all have `script`
/// in them, but for modules.
fn may_run(kind: &[u8]) -> bool {
    let kind = super::address::decoded(&String::from_utf8_lossy(kind)).to_ascii_lowercase();
    matches!(kind.trim(), "" | "module") || kind.contains("script")
}
