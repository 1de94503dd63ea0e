//! `consentry spool retry-quarantine`: asks the gateway to take batches out of quarantine.

use std::io::Write;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::settings::Spool;
use super::shown::{count, hex};
use crate::spool::look::{self, Holder, NotAsked, Place, ask_again};

/// How often it is looked whether a batch was taken up; the gateway looks every second.
const PAUSE: Duration = Duration::from_millis(200);

/// What is asked for.
pub(super) struct Asked<'a> {
    /// The batches, where they are named.
    pub batches: &'a [u64],
    /// Every batch in quarantine.
    pub all: bool,
    /// Those too whose rows may be in the table in part.
    pub miscounted: bool,
    /// How long to wait for the gateway.
    pub wait_s: u64,
}

/// Does it.
pub(super) fn run(place: &Spool, asked: &Asked<'_>, as_json: bool, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let listed = look::list(&place.dir)?;
    let aside = listed.iter().filter(|listed| listed.place.is_aside());
    let mut batches: Vec<u64> = match asked.all {
        true => aside.filter_map(|listed| listed.named).collect(),
        false => asked.batches.to_vec(),
    };
    batches.sort_unstable();
    batches.dedup();
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for batch in batches {
        match ask_again(&place.dir, batch, asked.miscounted) {
            // Asking twice is no mistake.
            Ok(()) | Err(NotAsked::Already(_)) => taken.push(batch),
            Err(why) => {
                eprintln!("consentry: {why}");
                refused.push((batch, why));
            }
        }
    }
    let left = wait(place, &taken, Duration::from_secs(asked.wait_s))?;
    let back = back_again(place, &taken)?;
    let is_open = look::holder(&place.dir) != Holder::Nobody;
    if as_json {
        let hex = |batches: &[u64]| batches.iter().copied().map(hex).collect::<Vec<_>>();
        let refused =
            refused.iter().map(|(batch, why)| json!({ "batch_id": super::shown::hex(*batch), "why": why.to_string() }));
        let said = json!({
            "asked": hex(&taken),
            "not_taken_up_yet": hex(&left),
            "refused_again": hex(&back),
            "left_in_quarantine": refused.collect::<Vec<_>>(),
        });
        writeln!(out, "{said:#}")?;
    } else {
        match (taken.len() as u64, left.len() as u64) {
            (0, _) if refused.is_empty() => writeln!(out, "nothing is in quarantine")?,
            (0, _) => {}
            (all, 0) => writeln!(
                out,
                "{} taken up again; the table is asked before anything is sent",
                count(all, "batch was", "batches were")
            )?,
            (all, left) => {
                let who = if is_open {
                    "the gateway takes them up within a second or two"
                } else {
                    "no gateway is seen to run here, so the next start takes them up"
                };
                writeln!(out, "{} marked, {left} not taken up yet: {who}", count(all, "batch is", "batches are"))?;
            }
        }
    }
    for batch in &back {
        eprintln!("consentry: batch {} is in quarantine again; `consentry spool inspect {0}` says why", hex(*batch));
    }
    let failed = !refused.is_empty() || !back.is_empty() || asked.wait_s > 0 && !left.is_empty();
    Ok(ExitCode::from(u8::from(failed)))
}

/// Waits until the gateway has taken them up; returns those that it has not.
fn wait(place: &Spool, taken: &[u64], patience: Duration) -> anyhow::Result<Vec<u64>> {
    let deadline = Instant::now() + patience;
    loop {
        let listed = look::list(&place.dir)?;
        let retried = listed.iter().filter(|listed| listed.place == Place::Retry);
        let left: Vec<u64> = retried.filter_map(|listed| listed.named).filter(|batch| taken.contains(batch)).collect();
        if left.is_empty() || Instant::now() >= deadline {
            return Ok(left);
        }
        thread::sleep(PAUSE);
    }
}

/// Those that were refused again meanwhile.
fn back_again(place: &Spool, taken: &[u64]) -> anyhow::Result<Vec<u64>> {
    let listed = look::list(&place.dir)?;
    let in_quarantine = listed.iter().filter(|listed| listed.place == Place::Quarantine);
    Ok(in_quarantine.filter_map(|listed| listed.named).filter(|batch| taken.contains(batch)).collect())
}
