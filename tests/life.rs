//! The life of the process: a configuration is read again, and the process ends or gives way to a new one, without a visitor
//! noticing.

mod astray;
mod doors;
mod ending;
mod keeping;
mod logs;
mod reload;
mod upgrade;
