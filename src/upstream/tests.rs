//! The client against sites that speak raw bytes over real sockets.

mod answers;
mod bodies;
mod reuse;
mod sending;
mod site;
mod tls;
mod websocket;
