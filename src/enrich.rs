//! What can be learnt from address, agent and referrer: place, device, source and channel; and what the browser states of
//! itself, checked. Pure functions over values (the geo database is read into memory at the start). Opens raw values to look
//! things up and lets none of them out. `capture` calls it when it makes an event.

pub mod bots;
pub mod channel;
pub mod device;
pub mod hints;
pub mod mail;
mod marks;
pub mod place;
pub mod stated;

pub use bots::{BotNetworks, BotReason};
pub use channel::{Channel, Spammers};
pub use device::{Device, DeviceCache};
pub use hints::ClientHints;
pub use place::{Place, PlaceError, Places, Reload};
