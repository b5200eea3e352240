//! Whom to forget, without their name.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Between hub and name in what is hashed: neither can hold it.
const SEPARATOR: u8 = 0;

/// The secret under which names are hashed: 256 random bits, one for each folder of data. Destroyed, nobody can tell
/// any more whom the erasures are about, and nothing obeys them.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// The key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        // Any length of key is right for HMAC, so this has no error in fact.
        let mac = Hmac::<Sha256>::new_from_slice(&bytes);
        Self(mac.unwrap_or_else(|_| unreachable!("HMAC takes any key")))
    }

    /// The hash of `name` on `hub`; without a hub, of that name on every hub.
    pub fn subject(&self, hub: Option<&str>, name: &str) -> Subject {
        let mut mac = self.0.clone();
        mac.update(hub.unwrap_or_default().as_bytes());
        mac.update(&[SEPARATOR]);
        mac.update(name.as_bytes());
        Subject(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A person, known by a keyed hash alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject(pub [u8; 32]);

#[cfg(test)]
mod tests {
    use super::*;

    /// HMAC-SHA-256 of "\0ann" under 32 bytes of 7, by Python's `hmac`.
    #[test]
    fn the_hash_is_hmac() {
        let subject = Key::new([7; 32]).subject(None, "ann");
        let hex: String = subject.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "4e71c87f6078505a067614e18a43e23891d1c9727cdb5ec70f1d3c035b886046");
    }

    #[test]
    fn hub_name_and_key_all_count() {
        let key = Key::new([1; 32]);
        let subjects = [
            key.subject(None, "ann"),
            key.subject(Some("a"), "nn"),
            key.subject(Some("ann"), ""),
            key.subject(Some("a"), "ann"),
        ];
        for (at, one) in subjects.iter().enumerate() {
            assert!(subjects.iter().skip(at + 1).all(|other| one != other));
        }
        assert_ne!(key.subject(None, "ann"), Key::new([2; 32]).subject(None, "ann"));
        assert!(!format!("{key:?}").contains('1'));
    }
}
