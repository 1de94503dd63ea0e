//! The front door: sockets, TLS, deadlines, what a request must look like, who is calling, and the story of one request
//! ([`handle`]). One single-threaded runtime for each core runs [`listen::work`]; nothing on the way of a request is shared
//! between cores but counters, the spool's buffer and the table of visits. Called by the life of the process.

mod alarm;
mod calls;
pub mod check;
mod choice;
pub mod client_addr;
pub mod conditions;
pub mod current;
mod delivery;
pub mod ending;
pub mod gateway;
pub mod handle;
mod keep;
pub mod known_calls;
pub mod listen;
mod mail;
mod manager;
pub mod named;
mod objection;
mod own;
mod page_body;
mod redirection;
mod role;
pub mod tls;
pub mod turn;
mod unanswered;
mod until;
pub mod upgrade;
pub mod watched;
