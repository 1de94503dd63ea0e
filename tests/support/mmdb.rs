//! Geo databases of a handful of networks (<https://maxmind.github.io/MaxMind-DB/>): a tree with records of 24 bits, the data,
//! and the description.

use std::net::IpAddr;

pub struct Writer {
    nodes: Vec<[Link; 2]>,
    data: Vec<u8>,
    ip_version: u16,
}

#[derive(Clone, Copy)]
enum Link {
    Nothing,
    Node(usize),
    Data(usize),
}

pub enum Value<'v> {
    Text(&'v str),
    Map(Vec<(&'v str, Value<'v>)>),
    List(Vec<Value<'v>>),
    Number(u16),
    Count(u32),
    Long(u64),
}
use Value::{Count, List, Long, Map, Number, Text};

fn encode(value: &Value, out: &mut Vec<u8>) {
    let control = |kind: u8, len: usize, out: &mut Vec<u8>| {
        assert!(len < 29, "longer sizes are not needed here");
        match kind {
            1..=7 => out.push(kind << 5 | len as u8),
            _ => out.extend([len as u8, kind - 7]),
        }
    };
    match value {
        Text(text) => {
            control(2, text.len(), out);
            out.extend(text.as_bytes());
        }
        Map(entries) => {
            control(7, entries.len(), out);
            for (key, value) in entries {
                encode(&Text(key), out);
                encode(value, out);
            }
        }
        List(items) => {
            control(11, items.len(), out);
            items.iter().for_each(|item| encode(item, out));
        }
        Number(number) => {
            control(5, 2, out);
            out.extend(number.to_be_bytes());
        }
        Count(number) => {
            control(6, 4, out);
            out.extend(number.to_be_bytes());
        }
        Long(number) => {
            control(9, 8, out);
            out.extend(number.to_be_bytes());
        }
    }
}

impl Writer {
    pub fn new(ip_version: u16) -> Writer {
        Writer { nodes: vec![[Link::Nothing; 2]], data: Vec::new(), ip_version }
    }

    /// Adds a network: the address's first `prefix` bits.
    pub fn add(&mut self, ip: &str, prefix: u32, value: &Value) {
        let (bits, prefix) = match ip.parse().unwrap() {
            IpAddr::V4(v4) if self.ip_version == 4 => (u128::from(u32::from(v4)) << 96, prefix),
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), prefix + 96),
            IpAddr::V6(v6) => (u128::from(v6), prefix),
        };
        let data = Link::Data(self.data.len());
        encode(value, &mut self.data);
        let mut node = 0;
        for i in 0..prefix {
            let side = (bits >> (127 - i) & 1) as usize;
            if i + 1 == prefix {
                self.nodes[node][side] = data;
            } else if let Link::Node(next) = self.nodes[node][side] {
                node = next;
            } else {
                self.nodes.push([Link::Nothing; 2]);
                let next = self.nodes.len() - 1;
                self.nodes[node][side] = Link::Node(next);
                node = next;
            }
        }
    }

    pub fn bytes(&self, database_type: &str) -> Vec<u8> {
        let count = self.nodes.len();
        let mut out = Vec::new();
        for link in self.nodes.iter().flatten() {
            let record = match link {
                Link::Nothing => count,
                Link::Node(node) => *node,
                Link::Data(at) => count + 16 + at,
            };
            out.extend(&(record as u32).to_be_bytes()[1..]);
        }
        out.extend([0; 16]);
        out.extend(&self.data);
        out.extend(b"\xab\xcd\xefMaxMind.com");
        let description = Map(vec![
            ("binary_format_major_version", Number(2)),
            ("binary_format_minor_version", Number(0)),
            ("build_epoch", Long(1)),
            ("database_type", Text(database_type)),
            ("description", Map(vec![])),
            ("ip_version", Number(self.ip_version)),
            ("languages", List(vec![])),
            ("node_count", Count(count as u32)),
            ("record_size", Number(24)),
        ]);
        encode(&description, &mut out);
        out
    }
}
