//! What can be shown of a process's memory: once a ring is read, no secret is left lying in it, neither as the file has it
//! nor as bytes. (What an HMAC was expanded into wipes itself; see `keys_are_wiped_when_they_are_let_go`.)

use std::io::{Read, Seek, SeekFrom};

use zeroize::Zeroizing;

use super::*;

/// Nothing that is looked for may stand in this program or its memory as it is.
const MASK: u8 = 0xa5;

/// Base64 of 32 bytes, masked when the program was built.
const TEXT: [u8; 44] = masked(*b"c2VjcmV0IG9mIHRoZSByaW5nLCBub3QgdG8gYmUgbGU=");
/// The 32 bytes.
const BYTES: [u8; 32] = masked(*b"secret of the ring, not to be le");

const fn masked<const N: usize>(mut text: [u8; N]) -> [u8; N] {
    let mut at = 0;
    while at < N {
        text[at] ^= MASK;
        at += 1;
    }
    text
}

/// How often the masked bytes stand unmasked in this process's heap and stacks.
fn occurrences(masked: &[u8]) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = fs::File::open("/proc/self/mem").unwrap();
    let mut chunk = vec![0; 1 << 16];
    // What is copied here is not looked for here.
    let own = chunk.as_ptr() as u64..chunk.as_ptr() as u64 + chunk.len() as u64;
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let Some((from, to)) = line.split(' ').next().and_then(|range| range.split_once('-')) else { continue };
        let [mut at, to] = [from, to].map(|address| u64::from_str_radix(address, 16).unwrap());
        while at < to && memory.seek(SeekFrom::Start(at)).is_ok() {
            if own.contains(&at) {
                at = own.end;
                continue;
            }
            let to = if at < own.start { to.min(own.start) } else { to };
            // Another thread may have given it back meanwhile.
            let room = chunk.len().min((to - at) as usize);
            let Ok(read) = memory.read(&mut chunk[..room]) else { break };
            if read < masked.len() {
                at = at.max(to);
                continue;
            }
            for start in memchr::memchr_iter(masked[0] ^ MASK, &chunk[..read - masked.len() + 1]) {
                let here = &chunk[start..start + masked.len()];
                found += usize::from(here.iter().zip(masked).all(|(byte, masked)| byte ^ MASK == *masked));
            }
            at += (read - masked.len() + 1) as u64;
        }
    }
    chunk.fill(0);
    found
}

#[test]
fn a_ring_that_is_read_leaves_no_secret_lying_in_memory() {
    let place = Place::new();
    place.open(1, START);
    {
        // The ring with the secret in place of the first one, put together where it can be wiped.
        let text = place.text();
        let at = text.find("\"secret\": \"").unwrap() + "\"secret\": \"".len();
        let mut file = Zeroizing::new(text.into_bytes());
        for (byte, masked) in file[at..].iter_mut().zip(TEXT) {
            *byte = masked ^ MASK;
        }
        assert_eq!(occurrences(&TEXT), 1, "it is found where it is");
        fs::write(place.path(), &*file).unwrap();
    }
    assert_eq!(occurrences(&TEXT), 0);
    let ring = place.open(1, START);
    ring.tend(START + DAY, &DAILY).unwrap();
    assert_eq!([occurrences(&TEXT), occurrences(&BYTES)], [0, 0], "while it is in use");
    drop(ring);
    assert_eq!([occurrences(&TEXT), occurrences(&BYTES)], [0, 0]);
}
