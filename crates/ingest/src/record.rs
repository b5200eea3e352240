//! A batch as the payload of a journal record, and back.
//!
//! Version 1, and version 2 of a request with a key. Integers are LEB128 varints unless said otherwise, signed ones
//! zigzag; a text is its length and its UTF-8.
//!
//! ```text
//! u8       format version, 1 or 2
//! u8       door: 1 http, 2 cloud-log, 3 archive
//! i64      received, µs since 1970
//! text     hub
//! (2 only) text key, 32 bytes: SHA-256 of the texts
//! varint   number of revisions, then for each: text schema, text version, text hash
//! varint   number of rows, then for each:
//!   u8       0: admitted
//!   varint     index of its revision
//!   i64        event time − received, µs (wrapping)
//!   varint     bits of its repairs
//!   varint     length of its text
//!   u8       1…255: quarantined, number of the reason
//!   varint     bits of its repairs
//!   u8         1: names a schema, 2: names a version, 4: has a time
//!   text       detail; then schema, version (texts) and time − received (i64), each if it has it
//!   varint     length of its text
//! bytes    the texts of all rows, one after the other, to the end
//! ```
//!
//! Promoted values are not in it: they are read again from the text. The verdict is obeyed.

use std::sync::Arc;

use bytes::Bytes;
use event::{
    Admitted, Batch, Door, EventTime, Quarantined, Reason, Repair, Repairs, RequestKey, Revision, Row, Verdict,
};
use schema::Registry;

use crate::admit::promoted_again;

/// Of a request without a key. A version of its own for those with one leaves all others readable by what came before.
const FORMAT_VERSION: u8 = 1;
const FORMAT_VERSION_KEYED: u8 = 2;
/// The newest.
const FORMAT_VERSION_MAX: u8 = FORMAT_VERSION_KEYED;
const ADMITTED: u8 = 0;
const HAS_SCHEMA: u8 = 1;
const HAS_VERSION: u8 = 2;
const HAS_TIME: u8 = 4;

/// A row without its text takes at least this many bytes, which bounds how many can be claimed.
const ROW_BYTES_MIN: usize = 5;

/// Why a payload is not a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It was written by a later version of the program.
    #[error("the record has format version {found}; this program reads up to {FORMAT_VERSION_MAX}")]
    UnknownVersion {
        /// As written.
        found: u8,
    },
    /// It is damaged, which the journal's checksum should have shown.
    #[error("the record is damaged at byte {offset}: {what}")]
    Damaged {
        /// Where.
        offset: usize,
        /// What was expected there.
        what: &'static str,
    },
    /// A row was admitted under a schema text that is no longer registered.
    #[error(
        "the record needs schema {schema} version {version}, revision {hash}, which is not registered; add its text again"
    )]
    UnknownRevision {
        /// Schema id.
        schema: String,
        /// Version.
        version: String,
        /// Hash of the text.
        hash: String,
    },
    /// The text of an admitted row is not an event.
    #[error("row {row} of the record was admitted but cannot be read: {detail}")]
    Unreadable {
        /// Index of the row.
        row: usize,
        /// Why.
        detail: String,
    },
}

/// The payload of `batch`.
pub fn encode(batch: &Batch) -> Vec<u8> {
    let texts: usize = batch.rows.iter().map(|row| row.text.len()).sum();
    let mut out = Vec::with_capacity(texts + batch.rows.len() * 16 + 256);
    out.push(if batch.key.is_some() { FORMAT_VERSION_KEYED } else { FORMAT_VERSION });
    out.push(door_number(batch.door));
    write_signed(&mut out, batch.received.micros());
    write_text(&mut out, &batch.hub);
    if let Some(key) = &batch.key {
        write_text(&mut out, &key.name);
        out.extend_from_slice(&key.digest);
    }
    let revisions = distinct_revisions(&batch.rows);
    write_unsigned(&mut out, revisions.len() as u64);
    for revision in &revisions {
        write_text(&mut out, &revision.schema);
        write_text(&mut out, &revision.version);
        write_text(&mut out, &revision.hash);
    }
    write_unsigned(&mut out, batch.rows.len() as u64);
    for row in &batch.rows {
        write_verdict(&mut out, &row.verdict, &revisions, batch.received);
        write_unsigned(&mut out, row.text.len() as u64);
    }
    for row in &batch.rows {
        out.extend_from_slice(&row.text);
    }
    out
}

fn door_number(door: Door) -> u8 {
    match door {
        Door::Http => 1,
        Door::CloudLog => 2,
        Door::Archive => 3,
        Door::Poll => 4,
        Door::HubLog => 5,
        Door::HubDb => 6,
    }
}

fn distinct_revisions(rows: &[Row]) -> Vec<&Arc<Revision>> {
    let mut revisions: Vec<&Arc<Revision>> = Vec::new();
    for row in rows {
        if let Verdict::Admitted(admitted) = &row.verdict
            && index_of(&revisions, &admitted.revision).is_none()
        {
            revisions.push(&admitted.revision);
        }
    }
    revisions
}

fn index_of(revisions: &[&Arc<Revision>], revision: &Arc<Revision>) -> Option<usize> {
    revisions.iter().rposition(|known| Arc::ptr_eq(known, revision) || known.hash == revision.hash)
}

fn write_verdict(out: &mut Vec<u8>, verdict: &Verdict, revisions: &[&Arc<Revision>], received: EventTime) {
    let since = |time: EventTime| time.micros().wrapping_sub(received.micros());
    match verdict {
        Verdict::Admitted(admitted) => {
            out.push(ADMITTED);
            // Every revision of the rows is in the list.
            write_unsigned(out, index_of(revisions, &admitted.revision).unwrap_or_default() as u64);
            write_signed(out, since(admitted.time));
            write_unsigned(out, u64::from(admitted.repairs.bits()));
        }
        Verdict::Quarantined(aside) => {
            out.push(aside.reason as u8);
            write_unsigned(out, u64::from(aside.repairs.bits()));
            let has = |is_there: bool, bit: u8| if is_there { bit } else { 0 };
            out.push(
                has(aside.schema.is_some(), HAS_SCHEMA)
                    | has(aside.version.is_some(), HAS_VERSION)
                    | has(aside.time.is_some(), HAS_TIME),
            );
            write_text(out, &aside.detail);
            for text in [&aside.schema, &aside.version].into_iter().flatten() {
                write_text(out, text);
            }
            if let Some(time) = aside.time {
                write_signed(out, since(time));
            }
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_unsigned(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn write_signed(out: &mut Vec<u8>, value: i64) {
    write_unsigned(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The batch of `payload`. `registry` must hold every schema text under which its rows were admitted.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode(payload: &[u8], registry: &Registry) -> Result<Batch, DecodeError> {
    let mut reader = Reader { payload, at: 0 };
    let is_keyed = match reader.byte()? {
        FORMAT_VERSION => false,
        FORMAT_VERSION_KEYED => true,
        found => return Err(DecodeError::UnknownVersion { found }),
    };
    let door = match reader.byte()? {
        1 => Door::Http,
        2 => Door::CloudLog,
        3 => Door::Archive,
        4 => Door::Poll,
        5 => Door::HubLog,
        6 => Door::HubDb,
        _ => return reader.damaged("the number of a door"),
    };
    let received = EventTime::from_micros(reader.signed()?);
    let hub = reader.text()?.into();
    let key = if is_keyed { Some(reader.key()?) } else { None };
    let revisions = reader.revisions(registry)?;
    let verdicts = reader.verdicts(&revisions, received)?;
    let texts = Bytes::copy_from_slice(&payload[reader.at..]);
    let rows = rows(verdicts, &texts, reader.at)?;
    Ok(Batch { received, hub, door, key, rows })
}

/// Whether the request of `payload` has a key; quick, for passing over the many that have none.
pub fn has_key(payload: &[u8]) -> bool {
    payload.first() == Some(&FORMAT_VERSION_KEYED)
}

/// Gives every row its text, and every admitted one its promoted values.
fn rows(verdicts: Vec<(Verdict, usize)>, texts: &Bytes, offset: usize) -> Result<Vec<Row>, DecodeError> {
    let lengths = verdicts.iter().try_fold(0_usize, |sum, (_, length)| sum.checked_add(*length));
    if lengths != Some(texts.len()) {
        return Err(DecodeError::Damaged { offset, what: "as many bytes of text as the rows have" });
    }
    let mut rows = Vec::with_capacity(verdicts.len());
    let mut from = 0;
    for (index, (mut verdict, length)) in verdicts.into_iter().enumerate() {
        let text = texts.slice(from..from + length);
        from += length;
        if let Verdict::Admitted(admitted) = &mut verdict {
            admitted.promoted = promoted_again(&text, &admitted.revision, admitted.repairs)
                .map_err(|fault| DecodeError::Unreadable { row: index, detail: fault.detail.into_owned() })?;
        }
        rows.push(Row { text, verdict });
    }
    Ok(rows)
}

struct Reader<'a> {
    payload: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn damaged<T>(&self, what: &'static str) -> Result<T, DecodeError> {
        Err(DecodeError::Damaged { offset: self.at, what })
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let taken = self.at.checked_add(length).and_then(|end| self.payload.get(self.at..end));
        let Some(taken) = taken else { return self.damaged(what) };
        self.at += length;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        match self.take(1, "a byte")? {
            [byte] => Ok(*byte),
            _ => self.damaged("a byte"),
        }
    }

    fn unsigned(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        self.damaged("a varint of at most 64 bits")
    }

    fn signed(&mut self) -> Result<i64, DecodeError> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        let length = self.unsigned()?;
        usize::try_from(length).or_else(|_| self.damaged("a length that fits into memory"))
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        let length = self.length()?;
        let bytes = self.take(length, "a text")?;
        std::str::from_utf8(bytes).or_else(|_| self.damaged("a text in UTF-8"))
    }

    fn key(&mut self) -> Result<RequestKey, DecodeError> {
        let name = self.text()?.into();
        let digest = self.take(32, "the digest of a key")?;
        let digest = digest.try_into().or_else(|_| self.damaged("the digest of a key"))?;
        Ok(RequestKey { name, digest })
    }

    fn repairs(&mut self) -> Result<Repairs, DecodeError> {
        let bits = self.unsigned()?;
        match u32::try_from(bits) {
            Ok(bits) if bits >> Repair::ALL.len() == 0 => Ok(Repairs::from_bits(bits)),
            _ => self.damaged("repairs that are known"),
        }
    }

    fn revisions(&mut self, registry: &Registry) -> Result<Vec<Arc<Revision>>, DecodeError> {
        let count = self.length()?;
        let mut revisions = Vec::new();
        for _ in 0..count {
            let (schema, version, hash) = (self.text()?, self.text()?, self.text()?);
            let entry = registry.revision(hash).ok_or_else(|| DecodeError::UnknownRevision {
                schema: schema.to_owned(),
                version: version.to_owned(),
                hash: hash.to_owned(),
            })?;
            revisions.push(Arc::clone(&entry.revision));
        }
        Ok(revisions)
    }

    fn verdicts(
        &mut self,
        revisions: &[Arc<Revision>],
        received: EventTime,
    ) -> Result<Vec<(Verdict, usize)>, DecodeError> {
        let count = self.length()?;
        let most = (self.payload.len() - self.at) / ROW_BYTES_MIN;
        if count > most {
            return self.damaged("as many rows as there are bytes for");
        }
        let mut verdicts = Vec::with_capacity(count);
        for _ in 0..count {
            let verdict = match self.byte()? {
                ADMITTED => self.admitted(revisions, received)?,
                reason => self.quarantined(reason, received)?,
            };
            verdicts.push((verdict, self.length()?));
        }
        Ok(verdicts)
    }

    fn admitted(&mut self, revisions: &[Arc<Revision>], received: EventTime) -> Result<Verdict, DecodeError> {
        let index = self.length()?;
        let Some(revision) = revisions.get(index) else { return self.damaged("the index of a revision") };
        let time = self.time(received)?;
        let repairs = self.repairs()?;
        Ok(Verdict::Admitted(Admitted { time, revision: Arc::clone(revision), repairs, promoted: Vec::new() }))
    }

    fn quarantined(&mut self, reason: u8, received: EventTime) -> Result<Verdict, DecodeError> {
        let Some(reason) = Reason::from_number(reason) else { return self.damaged("the number of a reason") };
        let repairs = self.repairs()?;
        let has = self.byte()?;
        let detail = self.text()?.into();
        let schema = if has & HAS_SCHEMA != 0 { Some(self.text()?.into()) } else { None };
        let version = if has & HAS_VERSION != 0 { Some(self.text()?.into()) } else { None };
        let time = if has & HAS_TIME != 0 { Some(self.time(received)?) } else { None };
        Ok(Verdict::Quarantined(Quarantined { reason, detail, schema, version, time, repairs }))
    }

    fn time(&mut self, received: EventTime) -> Result<EventTime, DecodeError> {
        Ok(EventTime::from_micros(received.micros().wrapping_add(self.signed()?)))
    }
}
