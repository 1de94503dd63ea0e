//! The client against sites that speak raw bytes over real sockets.

mod answers;
mod bodies;
mod http2;
mod lasting;
mod probes;
mod reuse;
mod sending;
mod servers;
mod several;
mod site;
mod time;
mod tls;
mod unseen;
mod websocket;
