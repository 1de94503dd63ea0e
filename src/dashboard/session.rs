//! Who is signed in: random tokens, held in memory only. A restart signs everyone out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use http::header::{COOKIE, HeaderMap};
use sha2::{Digest, Sha256};

/// The cookie's name. Cookies know no ports: on one host the gateway sees it as well, and removes it as undeclared
/// before the site could (K3).
pub const SESSION_COOKIE: &str = "consentry_dashboard";
/// The cookie's path: only the API needs it, and a withdrawal at the gateway, which expires `/`, does not sign out.
pub const SESSION_PATH: &str = "/api";
/// How long a session lasts, in seconds.
pub const SESSION_LIFE: u64 = 12 * 3600;
/// The most sessions; the one that ends first makes way.
const MOST_SESSIONS: usize = 256;

/// The open sessions: SHA-256 of the token, and when it ends in seconds since 1970. The hash is looked up, so the time
/// that takes says nothing about a token.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<[u8; 32], u64>>);

impl Sessions {
    /// Opens a session and returns its token, 256 random bits.
    pub fn open(&self, now: u64) -> String {
        let mut random = [0u8; 32];
        getrandom::fill(&mut random).expect("the system has a random number generator");
        let token = BASE64URL.encode(random);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, ends| *ends > now);
        while sessions.len() >= MOST_SESSIONS {
            let first = sessions.iter().min_by_key(|(_, ends)| **ends).map(|(key, _)| *key);
            first.map(|key| sessions.remove(&key));
        }
        sessions.insert(hash(&token), now + SESSION_LIFE);
        token
    }

    /// Whether one of these tokens has an open session.
    pub fn any_open<'a>(&self, tokens: impl IntoIterator<Item = &'a str>, now: u64) -> bool {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.into_iter().any(|token| sessions.get(&hash(token)).is_some_and(|ends| *ends > now))
    }

    /// Ends the sessions of these tokens.
    pub fn close<'a>(&self, tokens: impl IntoIterator<Item = &'a str>) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for token in tokens {
            sessions.remove(&hash(token));
        }
    }
}

/// The session tokens a request carries; a browser may send several of one name.
pub fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(';'));
    let pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
    pairs.filter(|(name, _)| *name == SESSION_COOKIE).map(|(_, token)| token).take(8)
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_after_its_time_or_on_request() {
        let sessions = Sessions::default();
        let (first, second) = (sessions.open(1000), sessions.open(1000));
        assert_ne!(first, second);
        assert_eq!(first.len(), 43, "256 bits");
        assert!(sessions.any_open(["", "forged", &first], 1000 + SESSION_LIFE - 1));
        assert!(!sessions.any_open([first.as_str()], 1000 + SESSION_LIFE));
        sessions.close([first.as_str()]);
        assert!(!sessions.any_open([first.as_str()], 1001));
        assert!(sessions.any_open([second.as_str()], 1001));
    }

    #[test]
    fn sessions_are_bounded() {
        let sessions = Sessions::default();
        let tokens: Vec<String> = (0..=MOST_SESSIONS as u64).map(|at| sessions.open(at)).collect();
        assert!(!sessions.any_open([tokens[0].as_str()], 300), "the oldest made way");
        assert!(tokens[1..].iter().all(|token| sessions.any_open([token.as_str()], 300)));
    }
}
