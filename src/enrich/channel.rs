//! Where a visit came from.

/// Source and channel of a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The source's name: `Google`, a campaign's `utm_source`, or the referring host; empty for none.
    pub source: String,
    /// One of a fixed set of words, such as `direct` or `organic search`.
    pub channel: &'static str,
}
