//! The header `Idempotency-Key`: what a sender calls a request, so that sending it again adds nothing.
//!
//! Source: the IETF's draft "The Idempotency-Key HTTP Header Field". It makes the value a quoted string; most senders
//! leave the quotes out, so both are taken for the same.

use event::{RequestKey, Row};
use sha2::{Digest, Sha256};

use crate::request::Refusal;

/// Letters of a key: a UUID has 36, a path with a number fits as well.
const KEY_LETTERS_MAX: usize = 128;

/// The key that `header` gives to a request of `rows`.
///
/// # Errors
/// The header is empty, too long, or has other letters than visible ASCII.
pub fn request_key(header: &str, rows: &[Row]) -> Result<RequestKey, Refusal> {
    let header = header.trim();
    let name = header.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(header);
    if name.is_empty() || name.len() > KEY_LETTERS_MAX || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail =
            format!("Idempotency-Key must have 1 to {KEY_LETTERS_MAX} visible ASCII letters, a UUID for example");
        return Err(Refusal::bad_request("bad_idempotency_key", detail));
    }
    Ok(RequestKey { name: name.into(), digest: digest(rows) })
}

/// Of the texts, each with its length before it: however they were packed, the same events have the same digest.
fn digest(rows: &[Row]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for row in rows {
        hash.update((row.text.len() as u64).to_le_bytes());
        hash.update(&row.text);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_make_no_difference_and_what_is_no_key_is_told() {
        let name = |header: &str| request_key(header, &[]).map(|key| key.name.to_string()).map_err(|error| error.code);
        assert_eq!(name("8e03978e-40d5").as_deref(), Ok("8e03978e-40d5"));
        assert_eq!(name(" \"8e03978e-40d5\" ").as_deref(), Ok("8e03978e-40d5"));
        assert_eq!(name(&"k".repeat(KEY_LETTERS_MAX)).unwrap().len(), KEY_LETTERS_MAX);
        for wrong in ["", "\"\"", "a b", "é", "a\tb", &"k".repeat(KEY_LETTERS_MAX + 1)] {
            assert_eq!(name(wrong), Err("bad_idempotency_key"), "{wrong:?}");
        }
    }
}
