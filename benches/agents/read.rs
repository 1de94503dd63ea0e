//! Reads agents as the gateway does and says what would be stored of them, so that a scorer outside can compare.
//!
//! Each line of the standard input is `{"agent": "...", "headers": {"sec-ch-ua": "..."}}`, the headers' names in small letters;
//! each line of the output has the columns browser, browser_version, os, os_version, device and bot_reason, with tabs between.

use std::io::{BufWriter, Write, stdin, stdout};

use consentry::enrich::{ClientHints, Device};
use consentry::pseudonym::RawUserAgent;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = BufWriter::new(stdout().lock());
    for line in stdin().lines() {
        let request: serde_json::Value = serde_json::from_str(&line?)?;
        let agent = request["agent"].as_str().unwrap_or_default();
        let hints = ClientHints::read(|name| request["headers"][name.as_str()].as_str());
        let device = Device::parse(&RawUserAgent::new(agent.as_bytes()), &hints);
        let reason = device.bot.map_or("", |reason| reason.word());
        let Device { browser, browser_version, os, os_version, class, .. } = device;
        writeln!(out, "{browser}\t{browser_version}\t{os}\t{os_version}\t{class}\t{reason}")?;
    }
    Ok(out.flush()?)
}
