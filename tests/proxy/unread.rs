//! Answers over HTTP/2 that nobody reads: they take little memory, and hold up nobody who reads.

use std::fs;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;

use crate::support::eventually;
use crate::support::gateway::{Gateway, without_database};
use crate::support::h2::{Raw, WINDOW, WINDOW_UPDATE};
use crate::support::site::Site;

/// Streams on each connection.
const STREAMS: usize = 100;

fn answer(length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n");
    [head.into_bytes(), vec![b'x'; length]].concat()
}

/// Resident memory in KiB.
fn memory(gateway: &Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The same once it no longer grows.
fn settled(gateway: &Gateway) -> u64 {
    let (mut most, mut same) = (0, 0);
    while same < 10 {
        thread::sleep(Duration::from_millis(50));
        let now = memory(gateway);
        (most, same) = if now > most + 100 { (now, 0) } else { (most, same + 1) };
    }
    most
}

#[test]
fn answers_that_nobody_reads_take_little_memory() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "h2c = true\nworkers = 1\n");
    // With all the room there is for answers, and with none: what comes with an answer's head waits all the same.
    for (path, window) in [("/unread/wide", (1 << 31) - 1), ("/unread/none", 0)] {
        site.answers(path, answer(160 << 10));
        let before = settled(&gateway);
        let connections: Vec<Raw> = (0..10)
            .map(|_| {
                let mut raw = Raw::open(gateway.address, &[(WINDOW, window)]);
                raw.send(WINDOW_UPDATE, 0, 0, &((1u32 << 31) - 1 - 65_535).to_be_bytes());
                for stream in 0..STREAMS as u32 {
                    raw.get(2 * stream + 1, path, &[("accept", b"image/*")]);
                }
                raw
            })
            .collect();
        eventually("all of it was asked for", || (site.requests(path).len() == 10 * STREAMS).then_some(()));
        let taken = settled(&gateway).saturating_sub(before) >> 10;
        // 160 KiB of each would be 156 MiB.
        assert!(taken < 90, "{path}: {taken} MiB");
        drop(connections);
    }
}

#[test]
fn a_stream_that_is_read_is_not_held_up_by_a_hundred_that_are_not() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "h2c = true\nworkers = 1\n");
    site.answers("/unread/beside", answer(160 << 10));
    let length = 3 << 20;
    site.answers("/unread/read", answer(length));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = TcpStream::connect(gateway.address).await.unwrap();
        // Each stream stops in the middle of a piece once its window is full.
        let handshake = h2::client::Builder::new()
            .initial_window_size(10_000)
            .initial_connection_window_size(1 << 30)
            .handshake::<_, Bytes>(stream);
        let (client, connection) = handshake.await.unwrap();
        let _connection = tokio::spawn(connection);
        let ask = async |path: &str| {
            let request = http::Request::get(format!("http://www.example.org{path}")).body(()).unwrap();
            let mut client = client.clone().ready().await.unwrap();
            client.send_request(request, true).unwrap().0.await.unwrap().into_body()
        };
        let mut unread = Vec::new();
        for _ in 0..STREAMS - 1 {
            unread.push(ask("/unread/beside").await);
        }
        for _ in 0..3 {
            let mut body = ask("/unread/read").await;
            let mut got = 0;
            while let Some(piece) = body.data().await {
                let piece = piece.unwrap().len();
                body.flow_control().release_capacity(piece).unwrap();
                got += piece;
            }
            assert_eq!(got, length);
        }
        // And those go on where they were.
        let mut got = 0;
        for mut body in unread {
            while let Some(piece) = body.data().await {
                let piece = piece.unwrap().len();
                body.flow_control().release_capacity(piece).unwrap();
                got += piece;
            }
        }
        assert_eq!(got, (STREAMS - 1) * (160 << 10));
    });
}
