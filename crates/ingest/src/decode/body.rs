//! Inflation of a body, with caps on what comes in, on what goes out, and on the ratio of the two.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::Limits;
use crate::request::Refusal;

/// How much is inflated between two looks at the caps.
const CHUNK_BYTES: usize = 64 * 1024;

/// Largest window of a zstd frame, as a power of two: 8 MiB is what RFC 8878 asks every decoder to support.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// The body behind `content_encoding`; the same bytes if there is none.
///
/// # Errors
/// An encoding that is not known, bytes that are damaged or end early, or a cap exceeded.
pub fn inflated(body: &Bytes, content_encoding: Option<&str>, limits: &Limits) -> Result<Bytes, Refusal> {
    if body.len() > limits.body_bytes_max {
        let detail = format!("the body is {} bytes long; at most {} are taken", body.len(), limits.body_bytes_max);
        return Err(Refusal::too_large("body_too_large", detail));
    }
    let encoding = content_encoding.unwrap_or_default().trim().to_ascii_lowercase();
    match &*encoding {
        "" | "identity" => Ok(body.clone()),
        "gzip" | "x-gzip" => drained(MultiGzDecoder::new(&body[..]), body.len(), "gzip", limits),
        "zstd" => {
            let damaged = |error: std::io::Error| bad_encoding("zstd", &error);
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&body[..]).map_err(damaged)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(damaged)?;
            drained(decoder, body.len(), "zstd", limits)
        }
        // RFC 9110 means zlib by it; many send bare deflate.
        "deflate" if is_zlib(body) => drained(ZlibDecoder::new(&body[..]), body.len(), "deflate", limits),
        "deflate" => drained(DeflateDecoder::new(&body[..]), body.len(), "deflate", limits),
        _ => {
            let detail =
                format!("the encoding '{encoding}' is not understood; there are gzip, zstd and deflate, one at once");
            Err(Refusal::unsupported("unknown_encoding", detail))
        }
    }
}

fn is_zlib(body: &[u8]) -> bool {
    match body {
        [method, flags, ..] => method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0,
        _ => false,
    }
}

fn drained(mut decoder: impl Read, sent: usize, name: &str, limits: &Limits) -> Result<Bytes, Refusal> {
    let mut out = Vec::with_capacity(sent.saturating_mul(4).min(limits.inflated_bytes_max));
    loop {
        let filled = out.len();
        out.resize(filled + CHUNK_BYTES, 0);
        // Memory is never interrupted, so every error is damage.
        let read = decoder.read(&mut out[filled..]).map_err(|error| bad_encoding(name, &error))?;
        out.truncate(filled + read);
        if read == 0 {
            return Ok(out.into());
        }
        check_caps(out.len(), sent, limits)?;
    }
}

fn check_caps(length: usize, sent: usize, limits: &Limits) -> Result<(), Refusal> {
    if length > limits.inflated_bytes_max {
        let detail =
            format!("the body inflates to more than {} bytes; send fewer events at once", limits.inflated_bytes_max);
        return Err(Refusal::too_large("inflates_too_far", detail));
    }
    if length > limits.inflation_free_bytes && length / limits.inflation_ratio_max > sent {
        let detail = format!("the body inflates more than {} fold", limits.inflation_ratio_max);
        return Err(Refusal::too_large("inflates_too_far", detail));
    }
    Ok(())
}

fn bad_encoding(name: &str, error: &std::io::Error) -> Refusal {
    Refusal::bad_request("bad_encoding", format!("the body is not whole {name}: {error}"))
}
