//! Signals a browser sends beside a choice (C8).

/// What the request's headers say on the visitor's behalf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// Global Privacy Control is on.
    pub gpc: bool,
}

impl Signals {
    /// Reads `Sec-GPC`: it counts when any of the headers is exactly `1`; everything else is no signal.
    pub fn read<'a>(sec_gpc: impl IntoIterator<Item = &'a [u8]>) -> Signals {
        Signals { gpc: sec_gpc.into_iter().any(|value| value == b"1") }
    }
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
}
