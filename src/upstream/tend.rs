//! What is done for the servers whether visitors come or not: asking them how they are, and where they are.
//!
//! Once for the process, not for each worker: a server that is watched by sixteen workers should not be asked sixteen times.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::health::jitter;
use super::http2;
use super::server::Server;
use super::settings::{HostPattern, Probing};
use super::sites::{Part, Sites};

/// Bytes in which a status line ends; a server that has said as much without one is none.
const MAX_STATUS_LINE: usize = 4096;

impl Sites {
    /// Asks the servers how they are, as far as that is configured, and looks up their names. Ends only where there is nothing
    /// to do; dropping it ends it.
    pub async fn tend(&self) {
        let mut tasks = JoinSet::new();
        for part in &self.parts {
            for server in &part.servers {
                match &part.probing {
                    Some(probing) => {
                        tasks.spawn(watch(server.clone(), probing.clone(), host_of(part, server, probing)));
                    }
                    None => server.health.is_not_probed(),
                }
                if server.has_name() {
                    tasks.spawn(look_up(server.clone(), self.names_kept));
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// What a probe says it came for.
fn host_of(part: &Part, server: &Server, probing: &Probing) -> String {
    match (probing.host.as_ref().or(part.told_host.as_ref()), &part.host) {
        (Some(host), _) => host.clone(),
        (None, HostPattern::Exact(host)) => host.clone(),
        (None, _) => server.authority(),
    }
}

async fn look_up(server: Arc<Server>, every: Duration) {
    loop {
        server.refresh().await;
        sleep(every).await;
    }
}

/// Asks again and again; so many answers of one kind in a row change what is thought of the server.
async fn watch(server: Arc<Server>, probing: Probing, host: String) {
    let (mut good, mut bad) = (0, 0);
    loop {
        let said = ask(&server, &probing, &host).await;
        (good, bad) = if said.is_ok() { (good + 1, 0) } else { (0, bad + 1) };
        let news = match said {
            Ok(()) if good >= probing.healthy => server.health.probed(true).then_some("well again"),
            Err(_) if bad >= probing.unhealthy => server.health.probed(false).then_some("ill"),
            _ => None,
        };
        if let Some(state) = news {
            let why = said.err().unwrap_or_default();
            tracing::warn!(server = server.name, why, "an upstream is {state}, as its health checks say");
        }
        // Not all at the same moment, whoever else watches them.
        sleep(jitter(probing.interval)).await;
    }
}

/// Asks once; the error says why the answer was no good one.
async fn ask(server: &Server, probing: &Probing, host: &str) -> Result<(), String> {
    let deadline = Instant::now() + probing.timeout;
    let (mut wire, _) = server.connect(false, deadline).await.map_err(|error| error.to_string())?;
    let status = if server.http2 && wire.chose_http2() {
        let asked = http2::probe(wire, host, &probing.path);
        timeout_at(deadline, asked).await.map_err(|_| "no answer in time".to_owned())??
    } else {
        let question = format!(
            "GET {} HTTP/1.1\r\nhost: {host}\r\nuser-agent: consentry-health\r\naccept: */*\r\nconnection: close\r\n\r\n",
            probing.path
        );
        let exchange = async {
            wire.write_all(question.as_bytes()).await.map_err(|error| error.kind().to_string())?;
            wire.flush().await.map_err(|error| error.kind().to_string())?;
            let mut line = Vec::new();
            while !line.contains(&b'\n') && line.len() < MAX_STATUS_LINE {
                let read = wire.read_buf(&mut line).await.map_err(|error| error.kind().to_string())?;
                if read == 0 {
                    return Err("closed without an answer".to_owned());
                }
            }
            status_of(&line).ok_or_else(|| "answered something that is not HTTP".to_owned())
        };
        timeout_at(deadline, exchange).await.map_err(|_| "no answer in time".to_owned())??
    };
    let is_good = match probing.status {
        Some(good) => status == good.as_u16(),
        None => (200..400).contains(&status),
    };
    if is_good { Ok(()) } else { Err(format!("answered with status {status}")) }
}

/// The status in a status line.
fn status_of(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.1 ").or_else(|| line.strip_prefix(b"HTTP/1.0 "))?;
    let digits = rest.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let ends = rest.get(3).is_some_and(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    ends.then(|| digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_line_has_a_status() {
        for (line, status) in [
            (&b"HTTP/1.1 204 No Content\r\n"[..], Some(204)),
            (b"HTTP/1.0 503\r\n", Some(503)),
            (b"HTTP/1.1 20", None),
            (b"HTTP/1.1 2000 x\r\n", None),
            (b"HTTP/2 200 OK\r\n", None),
            (b"SSH-2.0-OpenSSH\r\n", None),
            (b"", None),
        ] {
            assert_eq!(status_of(line), status, "{:?}", String::from_utf8_lossy(line));
        }
    }
}
