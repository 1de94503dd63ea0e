//! Ed25519 (RFC 8032) under the key ring's keys for receipts. A key pair is made from 32 bytes: the MAC of the text `ed25519`
//! under the key, so that the ring keeps, rotates and destroys these keys as it does all others. Public keys are written as
//! JSON Web Keys (RFC 8037), for `GET /_privacy/keys.json`.

use std::collections::BTreeMap;

use ::ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::keys::{KeyId, KeyPurpose, KeyRing};

/// What a seed is the MAC of.
const SEED: &[u8] = b"ed25519";

/// The key pair in use. Made for one piece of work and let go: it outlives no rotation.
pub struct Signer {
    key: KeyId,
    pair: Ed25519KeyPair,
}

impl Signer {
    /// The one in use now.
    pub fn current(ring: &KeyRing) -> Signer {
        let seed = ring.mac(KeyPurpose::Receipt, &[SEED]);
        Signer { key: seed.key, pair: pair(&Zeroizing::new(seed.value)) }
    }

    /// Its number in the ring.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// The signature of a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(message);
        signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }

    /// Its public key.
    pub fn public(&self) -> [u8; 32] {
        public(&self.pair)
    }
}

fn pair(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed is 32 bytes")
}

fn public(pair: &Ed25519KeyPair) -> [u8; 32] {
    pair.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes")
}

/// The public keys of a ring: of those in use and those retired, not of those destroyed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicKeys(BTreeMap<u32, [u8; 32]>);

/// Why a text is no set of keys.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKeys {
    /// There is no list of keys in it.
    #[error("it is no set of JSON Web Keys: there is no list `keys`")]
    NoList,
    /// There is none that could be used.
    #[error("there is no Ed25519 key in it (kty OKP, crv Ed25519, with kid and x)")]
    None,
}

impl PublicKeys {
    /// Those of a ring.
    pub fn of(ring: &KeyRing) -> PublicKeys {
        let mut keys = BTreeMap::new();
        for key in ring.live(KeyPurpose::Receipt) {
            // Destroyed meanwhile, where there is none.
            if let Some(seed) = ring.mac_under(KeyPurpose::Receipt, key, &[SEED]) {
                keys.insert(key.0, public(&pair(&Zeroizing::new(seed))));
            }
        }
        PublicKeys(keys)
    }

    /// Those of a file as `GET /_privacy/keys.json` gives it. Keys of other kinds are passed over.
    pub fn from_json(json: &Value) -> Result<PublicKeys, NoKeys> {
        let list = json.get("keys").and_then(Value::as_array).ok_or(NoKeys::NoList)?;
        let mut keys = BTreeMap::new();
        for jwk in list {
            let text = |name: &str| jwk.get(name).and_then(Value::as_str);
            if (text("kty"), text("crv")) != (Some("OKP"), Some("Ed25519")) {
                continue;
            }
            let key = text("kid").and_then(|kid| kid.parse::<u32>().ok());
            let x = text("x").and_then(|x| BASE64URL.decode(x).ok());
            let x = x.and_then(|x| <[u8; 32]>::try_from(x).ok());
            keys.extend(key.zip(x));
        }
        if keys.is_empty() { Err(NoKeys::None) } else { Ok(PublicKeys(keys)) }
    }

    /// As a set of JSON Web Keys.
    pub fn to_json(&self) -> Value {
        let jwk = |(key, x): (&u32, &[u8; 32])| {
            json!({
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": "EdDSA",
                "use": "sig",
                "kid": key.to_string(),
                "x": BASE64URL.encode(x),
            })
        };
        json!({ "keys": self.0.iter().map(jwk).collect::<Vec<_>>() })
    }

    /// These and those of another site of the same ring, where the numbers are its own.
    pub fn and(mut self, others: PublicKeys) -> PublicKeys {
        self.0.extend(others.0);
        self
    }

    /// The key of a number.
    pub fn get(&self, key: KeyId) -> Option<&[u8; 32]> {
        self.0.get(&key.0)
    }

    /// Whether the signature is right; nothing where there is no such key.
    pub fn verify(&self, key: KeyId, message: &[u8], signature: &[u8]) -> Option<bool> {
        let public = self.get(key)?;
        Some(UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok())
    }
}

/// The public keys of a ring as JSON, for `GET /_privacy/keys.json`.
pub fn public_keys(ring: &KeyRing) -> Value {
    PublicKeys::of(ring).to_json()
}

/// The thumbprint of a public key (RFC 7638, RFC 8037 appendix A.3), base64url.
pub fn thumbprint(public: &[u8; 32]) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, BASE64URL.encode(public));
    BASE64URL.encode(Sha256::digest(canonical))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::hex::unhex;

    #[test]
    fn a_signature_is_right_under_its_key_alone() {
        let (ring, other) = (KeyRing::ephemeral(), KeyRing::ephemeral());
        let (signer, keys) = (Signer::current(&ring), PublicKeys::of(&ring));
        let signature = signer.sign(b"message");
        assert_eq!(keys.get(signer.key()), Some(&signer.public()));
        assert_eq!(keys.verify(signer.key(), b"message", &signature), Some(true));
        assert_eq!(keys.verify(signer.key(), b"massage", &signature), Some(false));
        assert_eq!(PublicKeys::of(&other).verify(signer.key(), b"message", &signature), Some(false));
        assert_eq!(keys.verify(KeyId(99), b"message", &signature), None);
        assert_eq!(keys.verify(signer.key(), b"message", &signature[..63]), Some(false));
    }

    #[test]
    fn keys_read_back_from_json_and_hold_nothing_secret() {
        let ring = KeyRing::ephemeral();
        let json = public_keys(&ring);
        assert_eq!(PublicKeys::from_json(&json), Ok(PublicKeys::of(&ring)));
        let jwk = json["keys"][0].as_object().unwrap();
        assert_eq!(jwk.keys().collect::<Vec<_>>().len(), 6, "{json}");
        assert!(!jwk.contains_key("d"));
        assert_eq!(PublicKeys::from_json(&json!([])), Err(NoKeys::NoList));
        assert_eq!(PublicKeys::from_json(&json!({"keys": [{"kty": "RSA"}]})), Err(NoKeys::None));
    }

    /// RFC 8037 appendices A.2 and A.3.
    #[test]
    fn the_thumbprint_is_that_of_the_standard() {
        let public: [u8; 32] = unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
        assert_eq!(thumbprint(&public), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
