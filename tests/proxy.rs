//! A proxy that can be trusted with a site.

mod acme;
mod bodies;
mod bytes;
mod conditions;
mod gone;
mod grants;
mod grpc;
mod h2;
mod lanes;
mod limits;
mod listen;
mod pages;
mod pieces;
mod proxy_protocol;
mod requests;
mod site_bytes;
mod streams;
mod tls;
mod trouble;
mod unread;
mod upstreams;

use crate::support::gateway::Gateway;
use crate::support::http::{Answer, exchange};

fn get(gateway: &Gateway, path: &str, more: &str) -> Answer {
    exchange(
        gateway.address,
        format!("GET {path} HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0\r\n{more}\r\n"),
    )
}

/// Every byte there is, so that nothing passes by chance.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 31 + at / 251) as u8).collect()
}
