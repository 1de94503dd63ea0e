//! How slowly a visitor may send or take a body: `min_body_rate` and `body_grace` of `[gateway.limits]` and of routes.

use std::time::Duration;

use super::kind::{self, Kind, parsed};
use super::read::{Place, Reader};
use super::units::{parse_size, show_size};
use crate::patience::LeastRate;

/// The most that can be asked for, in bytes a second: many visitors have no more.
const MOST: u64 = 1 << 20;

/// What is in `[gateway.limits]`.
pub(super) fn least(reader: &mut Reader<'_>, place: &Place<'_>) -> LeastRate {
    LeastRate {
        bytes_per_second: reader.get(place, "min_body_rate", rate()),
        grace: reader.get(place, "body_grace", grace()),
    }
}

/// What is in a `[[gateway.route]]`: for what is sent to it. `usual` is that of `[gateway.limits]`.
pub(super) fn of_route(reader: &mut Reader<'_>, place: &Place<'_>, usual: LeastRate) -> LeastRate {
    LeastRate {
        bytes_per_second: reader.or(place, "min_body_rate", rate(), usual.bytes_per_second),
        grace: reader.or(place, "body_grace", grace(), usual.grace),
    }
}

fn grace() -> Kind<Duration> {
    kind::duration(Duration::ZERO, Duration::from_secs(3600))
}

/// Bytes a second.
fn rate() -> Kind<u32> {
    let parse = |text: &str| {
        let bytes = text.trim_end().strip_suffix("/s").and_then(parse_size).ok_or("is not a rate")?;
        match u32::try_from(bytes) {
            Ok(rate) if bytes <= MOST => Ok(rate),
            _ => Err("is too large".to_owned()),
        }
    };
    let allowed = "bytes in a second, such as \"240 B/s\" or \"1 KiB/s\", up to 1 MiB/s; \"0 B/s\" for any rate";
    parsed(allowed, parse, |rate| format!("{}/s", show_size(u64::from(*rate))))
}
