//! The text of a `<noscript>`, which is markup to a browser without scripts: it is collected, read by itself and put back.

use super::disarm::Disarm;
use crate::page::Markup;

/// The most bytes of one `<noscript>` that are read for certain; longer ones are disarmed.
const MOST: usize = 1 << 20;

/// What its text ends with, in whatever case.
const END: usize = "</noscript".len();

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Noscript {
    text: Vec<u8>,
    /// Set once it is too long.
    disarm: Option<Disarm>,
}

impl Noscript {
    /// Takes in more of the text, with the beginning of what may be its end tag.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.text.extend_from_slice(piece);
        if self.text.len() > MOST + END {
            let certain = self.text.len() - END;
            self.disarm.get_or_insert_with(|| Disarm::new(Markup::Html)).feed(&self.text[..certain], out);
            self.text.drain(..certain);
        }
    }

    /// The text has ended, with the beginning of an end tag if it is `closed`; sends out what `read` makes of it, or all
    /// of it disarmed where that makes nothing. False then: without scripts what began in it may go on after it.
    pub(super) fn end(mut self, closed: bool, read: impl FnOnce(&[u8]) -> Option<Vec<u8>>, out: &mut Vec<u8>) -> bool {
        let end = self.text.split_off(self.text.len().saturating_sub(if closed { END } else { 0 }));
        let gated = if self.disarm.is_none() && self.text.len() <= MOST { read(&self.text) } else { None };
        match &gated {
            Some(gated) => out.extend_from_slice(gated),
            None => {
                let mut disarm = self.disarm.unwrap_or_else(|| Disarm::new(Markup::Html));
                disarm.feed(&self.text, out);
                disarm.finish(out);
            }
        }
        out.extend_from_slice(&end);
        gated.is_some()
    }
}
