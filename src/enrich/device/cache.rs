//! Devices seen before. Reading a `User-Agent` takes tens of microseconds and few are different, so the proxy's threads keep
//! one of these each.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::quality::RandomState;

use super::Device;
use crate::enrich::ClientHints;
use crate::pseudonym::RawUserAgent;

/// Places in which a key may be.
const WAYS: usize = 4;

/// A bounded cache of parsed devices. Keeps a hash of what it has read under keys drawn at its start (64 bits: among some
/// thousand devices no two meet, and nobody who sees neither keys nor hashes can make them meet) and nothing of the text, so a
/// memory dump holds no `User-Agent`.
pub struct DeviceCache {
    /// Sets of [`WAYS`] entries, the one last asked for first.
    entries: Vec<Option<(u64, Arc<Device>)>>,
    keys: RandomState,
}

impl DeviceCache {
    /// With room for at least `capacity` devices, each of about 200 bytes. Takes some milliseconds in the process's first
    /// one: the patterns that read agents are compiled here and not in a visitor's request.
    pub fn new(capacity: usize) -> DeviceCache {
        let sets = capacity.div_ceil(WAYS).next_power_of_two();
        let mut cache = DeviceCache { entries: vec![None; sets * WAYS], keys: RandomState::default() };
        for agent in WARM_UP {
            cache.get(&RawUserAgent::new(agent.as_bytes()), &ClientHints::default());
        }
        cache
    }

    /// As [`Device::parse`].
    pub fn get(&mut self, agent: &RawUserAgent, hints: &ClientHints) -> &Arc<Device> {
        let key = self.key(agent, hints);
        let set = (key as usize & (self.entries.len() / WAYS - 1)) * WAYS;
        let ways = &mut self.entries[set..set + WAYS];
        match ways.iter().position(|entry| entry.as_ref().is_some_and(|(known, _)| *known == key)) {
            Some(0) => {}
            Some(way) => ways[..=way].rotate_right(1),
            None => {
                ways.rotate_right(1);
                ways[0] = None;
            }
        }
        &ways[0].get_or_insert_with(|| (key, Arc::new(Device::parse(agent, hints)))).1
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> impl Iterator<Item = &Device> {
        self.entries.iter().flatten().map(|(_, device)| &**device)
    }

    fn key(&self, agent: &RawUserAgent, hints: &ClientHints) -> u64 {
        let mut hasher = self.keys.build_hasher();
        hasher.write(agent.bytes());
        // Where each of the seven ends; none is longer than 256 bytes.
        let mut lengths = 0_u64;
        for hint in hints.all() {
            if !hint.is_empty() {
                hasher.write(hint.as_bytes());
            }
            lengths = lengths << 9 | hint.len() as u64;
        }
        hasher.write_u64(lengths);
        hasher.finish()
    }
}

/// One agent for each way through the parser.
const WARM_UP: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:135.0) Gecko/20100101 Firefox/135.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/134.0.0.0 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
    "a program of no known name",
];
