//! Sockets: where visitors connect, who is let in, and what is spoken with them. Every deadline before a request is here; what a
//! request is and whether it is clear is for [`check`](crate::front::check) to say.
//!
//! | module | |
//! |---|---|
//! | `places` | addresses, Unix sockets and systemd's, opened before anybody is served |
//! | `systemd` | sockets that were handed over |
//! | `work` | one worker: accept, bound, serve, drain |
//! | `accept` | the next connection, and what to do where the system has none left |
//! | `socket` | a connection, whatever it came through |
//! | `proxy_protocol` | who a load balancer says has connected |
//! | `addresses` | what one address may do |
//! | `greet` | from a socket to HTTP: PROXY header, TLS, which version |
//! | `keeping` | how long a connection is kept that waits |
//! | `closing` | how a connection of HTTP/1.1 ends, from either side |
//! | `http2` | HTTP/2, with the bounds that h2 leaves to others |
//! | `doorstep` | what is settled before a request comes in |
//! | `misdirected` | a request that another certificate would have answered for |

mod accept;
mod addresses;
mod closing;
mod doorstep;
mod glance;
mod greet;
mod http2;
mod keeping;
mod misdirected;
mod places;
mod proxy_protocol;
mod socket;
mod systemd;
mod work;

pub use keeping::Keeping;
pub use places::{Door, OtherPlaces, Place, PlaceError, Places, advice};
pub use work::{Connections, Room, Shared, work};
