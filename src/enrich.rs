//! What can be learnt from address, agent and referrer: place, device, source and channel. Pure functions over values
//! (the geo database is read into memory at the start). Opens raw values to look things up and lets none of them out.

pub mod channel;
pub mod device;
pub mod place;

pub use channel::Channel;
pub use device::Device;
pub use place::{Place, Places};
