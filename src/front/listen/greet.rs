//! From a socket to HTTP: who has connected, whether the address has a place left, TLS, and which version is spoken. Each step
//! has a deadline, and what goes wrong here closes the connection without a word to a stranger.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::BytesMut;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::accept::Accepted;
use super::addresses::Seat;
use super::closing::Closing;
use super::socket::{Line, Socket};
use super::work::Room;
use super::{doorstep, http2, proxy_protocol};
use crate::front::alarm::Alarm;
use crate::front::client_addr::Peer;
use crate::front::current::Current;
use crate::front::ending::Stop;
use crate::front::tls::opened::Opened;
use crate::front::tls::{NotGreeted, Tls};
use crate::front::until::until;
use crate::front::upgrade::Caller;
use crate::front::watched;
use crate::patience::Patient;
use crate::pseudonym::RawIp;

/// How whoever knows that HTTP/2 is spoken begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long a connection that was let in may take to its first request once the process was asked to end.
pub(super) const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// Serves a connection to its end.
pub(super) async fn serve(accepted: Accepted, current: Rc<Current>, mut stop: Stop) {
    let room = current.get();
    let Accepted { mut socket, peer, tls } = accepted;
    let Some(announced) = unless_ending(&mut stop, announced(&mut socket, peer, &room)).await else { return };
    let Some(peer) = announced else {
        room.shared.metrics.doors.proxy_headers_refused.count();
        return;
    };
    let Ok(_seat) = seat(&peer, &room) else {
        room.shared.metrics.doors.refused_by_address.count();
        watched::turn_away(&room.gateway, &RawIp::new(peer.ip));
        return;
    };
    let (patience, rate) = (room.gateway.limits().idle_timeout, room.gateway.limits().least_rate);
    let moved = Arc::new(AtomicBool::new(false));
    if tls {
        let Some(tls) = &room.shared.tls else { return };
        let patient = Patient::new(socket, patience, rate).telling(moved.clone());
        // Elsewhere: a connection that waits for its next request would keep the room of a handshake otherwise.
        let handshake = Box::pin(handshake(tls, patient, &room));
        let Some(greeted) = unless_ending(&mut stop, handshake).await else { return };
        let Some((line, is_http2, opened)) = greeted else { return };
        // A trusted proxy speaks for many visitors, and names to us whom it likes.
        let opened = opened.filter(|_| !room.gateway.site().trusted_proxies.includes(&peer));
        let caller = Caller::new(Peer { https: true, ..peer }, opened);
        return match is_http2 {
            true => http2::serve(line, moved, caller, current.clone(), stop).await,
            false => http1(line, caller, current.clone(), stop).await,
        };
    }
    let caller = Caller::new(peer, None);
    if room.shared.h2c {
        let head_timeout = room.gateway.limits().head_timeout;
        let looked = timeout(head_timeout, begins_http2(&mut socket));
        match unless_ending(&mut stop, looked).await {
            Some(Ok(Some(true))) => {
                let line = Line::Plain(Patient::new(socket, patience, rate).telling(moved.clone()));
                return http2::serve(line, moved, caller, current.clone(), stop).await;
            }
            Some(Ok(Some(false))) => {}
            Some(Ok(None) | Err(_)) | None => return,
        }
    }
    http1(Line::Plain(Patient::new(socket, patience, rate)), caller, current, stop).await;
}

/// Who has connected: the peer itself, or who a listed proxy says it is. Nothing where such a one says nothing right.
async fn announced(socket: &mut Socket, peer: Option<IpAddr>, room: &Room) -> Option<Peer> {
    let Some(ip) = peer else {
        // Somebody on this machine.
        return Some(Peer { ip: Ipv4Addr::LOCALHOST.into(), https: false, through_unix: true, spoken_for: false });
    };
    let direct = Peer { ip, https: false, through_unix: false, spoken_for: false };
    if !room.shared.proxies.iter().any(|net| net.contains(&ip)) {
        return Some(direct);
    }
    let deadline = room.gateway.limits().visitor.proxy_protocol_timeout;
    let (announced, rest) = timeout(deadline, proxy_protocol::read(socket)).await.ok()??;
    socket.put_back(rest);
    let Some(source) = announced.source else { return Some(direct) };
    let spoken_for = room.gateway.site().trusted_proxies.includes(&direct);
    Some(Peer { ip: source.to_canonical(), https: announced.https, spoken_for, ..direct })
}

/// A place among those of its address; trusted proxies need none, since many visitors come through one.
fn seat(peer: &Peer, room: &Room) -> Result<Option<Seat>, ()> {
    if room.gateway.site().trusted_proxies.includes(peer) || peer.through_unix {
        return Ok(None);
    }
    room.shared.addresses.take(peer.ip, room.shared.shares.per_address).map(Some).ok_or(())
}

/// Where the process ends, nobody waits for long for who has not asked for anything yet.
async fn unless_ending<T>(stop: &mut Stop, step: impl Future<Output = T>) -> Option<T> {
    let ended = async {
        stop.asked().await;
        // Who has only just come is about to.
        tokio::time::sleep(FIRST_REQUEST).await;
    };
    tokio::select! {
        done = step => Some(done),
        () = ended => None,
    }
}

async fn handshake(tls: &Tls, socket: Patient<Socket>, room: &Room) -> Option<(Line, bool, Option<Opened>)> {
    let doors = &room.shared.metrics.doors;
    match tls.greet(socket).await {
        Ok(stream) => {
            doors.handshakes.count();
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let opened = Opened::of(tls.certificates(), stream.get_ref().1.server_name());
            Some((Line::Tls(Box::new(stream)), is_http2, opened))
        }
        Err(NotGreeted::Challenge) => None,
        Err(NotGreeted::UnknownHost) => {
            doors.unknown_hosts.count();
            None
        }
        Err(NotGreeted::Failed | NotGreeted::TooSlow) => {
            doors.handshakes_failed.count();
            None
        }
    }
}

/// Whether a connection begins like HTTP/2; what was read is put back. Nothing where it ends before that is clear.
async fn begins_http2(socket: &mut Socket) -> Option<bool> {
    let mut bytes = BytesMut::with_capacity(1024);
    loop {
        let same = bytes.iter().zip(PREFACE).all(|(byte, expected)| byte == expected);
        if !same || bytes.len() >= PREFACE.len() {
            socket.put_back(bytes.freeze());
            return Some(same);
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

async fn http1(line: Line, caller: Rc<Caller>, current: Rc<Current>, mut stop: Stop) {
    let room = current.get();
    let limits = room.gateway.limits();
    let service = service_fn(|request| {
        caller.hear();
        doorstep::answer(&current.get(), &caller, caller.read(request))
    });
    // The time for a head begins with the connection, so one that sends nothing is closed, too. Between two requests the alarm
    // gives more.
    let connection = http1::Builder::new()
        .timer(Alarm::new(room.keeping(), caller.turn.clone()))
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.max_head_bytes.max(8192) + 8192)
        .serve_connection(TokioIo::new(Closing::new(line, caller.turn.clone())), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let flag = stop.clone();
    let ended = until(connection.as_mut(), &[flag.flag()], stop.asked()).await;
    if ended.is_none() {
        caller.leave();
        let last_words = async {
            // Who has only just come has a request on its way, and would find the door closed behind it.
            let _ = timeout(FIRST_REQUEST, caller.heard()).await;
            stop.last_words().await;
        };
        tokio::select! {
            _ = connection.as_mut() => return,
            () = last_words => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
        return;
    }
    // What ends here - a visitor who went away, a head that never came - is between hyper and the visitor.
    let Some(Ok(())) = ended else { return };
    // A tunnel has no end of its own to wait for.
    tokio::select! {
        () = caller.carry(&room.shared.metrics.tunnels_open) => {}
        () = stop.asked() => {}
    }
}
