//! Signals a browser sends beside a choice (C8).

/// What the request's headers say on the visitor's behalf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// Global Privacy Control is on.
    pub gpc: bool,
    /// Do Not Track is on, and the site honours it.
    pub dnt: bool,
}

impl Signals {
    /// Reads `Sec-GPC`: it counts when any of the headers is exactly `1`; everything else is no signal.
    pub fn read<'a>(sec_gpc: impl IntoIterator<Item = &'a [u8]>) -> Signals {
        Signals { gpc: is_on(sec_gpc), dnt: false }
    }

    /// Reads `DNT` as well, likewise; a site that does not honour it leaves this out.
    pub fn with_dnt<'a>(self, dnt: impl IntoIterator<Item = &'a [u8]>) -> Signals {
        Signals { dnt: is_on(dnt), ..self }
    }

    /// Whether the visitor objects to being counted, as far as signals say.
    pub fn object(self) -> bool {
        self.gpc || self.dnt
    }
}

fn is_on<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> bool {
    fields.into_iter().any(|value| value == b"1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_c8_only_exactly_one_counts() {
        let gpc = |values: &[&str]| Signals::read(values.iter().map(|v| v.as_bytes())).gpc;
        assert!(gpc(&["1"]) && gpc(&["0", "1"]));
        assert!(!gpc(&[]) && !gpc(&["0"]) && !gpc(&["true"]) && !gpc(&["1, 1"]) && !gpc(&["11"]) && !gpc(&[" 1"]));
    }
    #[test]
    fn rule_c8_do_not_track_counts_like_gpc_where_it_is_read() {
        let signals = |values: &[&str]| Signals::read([]).with_dnt(values.iter().map(|v| v.as_bytes()));
        assert!(signals(&["1"]).object() && signals(&["0", "1"]).object() && !signals(&["1"]).gpc);
        assert!(!signals(&[]).object() && !signals(&["0"]).object() && !signals(&["yes"]).object());
        assert!(Signals::read([&b"1"[..]]).object() && !Signals::read([]).object());
    }
}
