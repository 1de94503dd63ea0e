//! The table's chains, one after the other, each checked by itself.

use super::{Checked, Expiry, day};
use crate::ledger::verify::{Checker, Finding, Kind};
use crate::ledger::{Beginning, ChainId, Notes, PublicKeys, Row};
use crate::life::now_ms;
use crate::store::consents::Stored;

/// Where rows of a chain that nobody here keeps may have begun to expire, in days before its first row does.
const ABOUT_TO_EXPIRE: u16 = 62;

/// The chains of the table, one after the other.
pub(super) struct Chains<'k> {
    keys: &'k PublicKeys,
    before: &'k Notes,
    expired: u64,
    checked: Checked,
    expiry: Expiry,
    open: Option<(ChainId, Checker<'k>)>,
}

impl<'k> Chains<'k> {
    /// Of a ledger with these notes, whose own rows up to `expired` the table may have let go of.
    pub(super) fn new(keys: &'k PublicKeys, before: &'k Notes, expired: u64, expiry: Expiry) -> Chains<'k> {
        Chains { keys, before, expired, checked: Checked::default(), expiry, open: None }
    }

    /// The next row, in order of chain and number.
    pub(super) fn stored(&mut self, stored: &Stored) {
        let (chain, seq) = stored.name();
        let row = match stored.row() {
            Ok(row) => row,
            Err(column) => {
                let what = format!("its `{column}` is not what may stand there");
                let (chain, seq) = (Some(chain), Some(seq));
                self.checked.findings.push(Finding { kind: Kind::Changed, chain, seq, receipt: None, what });
                return;
            }
        };
        if self.open.as_ref().is_none_or(|(open, _)| *open != chain) {
            self.close();
            let beginning = self.beginning(&row, stored.expires_at());
            self.open = Some((chain, Checker::new(chain, self.keys, beginning)));
        }
        let is_own = self.before.chain == Some(chain);
        self.checked.see(&row, is_own);
        if let Some((_, checker)) = &mut self.open
            && checker.row(&row)
        {
            self.expiry.see(&row, stored.expires_at());
            if is_own {
                self.checked.last = self.checked.last.max(seq);
            }
        }
    }

    /// Behind which row the chain may begin in the table, where what has expired goes row by row.
    fn beginning(&self, first: &Row, expires_at: u16) -> Beginning {
        let is_own = self.before.chain == Some(first.chain);
        let noted = self.before.beginning.unwrap_or(Beginning::FIRST);
        let until = if is_own {
            self.expired.max(noted.seq)
        } else if expires_at <= day(now_ms()).saturating_add(ABOUT_TO_EXPIRE) {
            // Who keeps that chain knows better.
            first.seq.saturating_sub(1)
        } else {
            0
        };
        match until {
            0 => Beginning::FIRST,
            seq if is_own && seq == noted.seq => noted,
            seq => Beginning { seq, hash: first.prev_hash },
        }
    }

    fn close(&mut self) {
        let Some((chain, checker)) = self.open.take() else { return };
        let shipped = if self.before.chain == Some(chain) { self.before.shipped } else { 0 };
        self.checked.findings.extend(checker.finish(shipped));
    }

    /// All that was found.
    pub(super) fn finish(mut self) -> Checked {
        self.close();
        if let Some(chain) = self.before.chain
            && !self.checked.chains.contains_key(&chain)
            && self.before.shipped > 0
        {
            let until = self.expired.max(self.before.beginning.map_or(0, |beginning| beginning.seq));
            let checker = Checker::new(chain, self.keys, Beginning { seq: until, hash: [0; 32] });
            self.checked.findings.extend(checker.finish(self.before.shipped));
        }
        self.checked.findings.extend(self.expiry.finish());
        self.checked
    }
}
