//! The bytes on disk: the header of a segment, the header of a record, the name of a segment file.
//!
//! All numbers are little-endian and of fixed width. The same in prose, with the reasons: `docs/formats/journal.md`.

mod name;

pub(crate) use name::SegmentName;

/// The version that this program writes, and the only one it reads.
pub const FORMAT_VERSION: u32 = 1;

/// Length of a segment's header.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 64;
/// Length of a record's header; the payload follows at once.
pub(crate) const RECORD_HEADER_BYTES: usize = 36;

// Not text, and broken by anything that translates line ends.
const MAGIC: [u8; 8] = *b"\x89HSJ\r\n\x1a\n";

/// Takes fixed-width fields from the front of a byte string.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

/// First bytes of every segment: whose it is and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The journal.
    pub(crate) id: u128,
    /// Counts the segments of a folder, over all its journals; never used twice.
    pub(crate) sequence: u64,
    /// Position of the first record that is or will be in it.
    pub(crate) first: u64,
    /// Random mark that every record of this segment begins with.
    pub(crate) salt: u64,
}

/// Why a segment header could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Not a header, or one whose checksum does not match.
    Damaged,
    /// Intact, but written by a program that knows another format.
    UnknownVersion(u32),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT_VERSION.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.id.to_le_bytes());
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend(self.first.to_le_bytes());
        bytes.extend(self.salt.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        let mut header = [0; SEGMENT_HEADER_BYTES];
        header.copy_from_slice(&bytes);
        header
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        Self::parse(bytes).unwrap_or(Err(HeaderFault::Damaged))
    }

    /// `None` when it is too short or does not check.
    fn parse(bytes: &[u8]) -> Option<Result<Self, HeaderFault>> {
        let bytes = bytes.first_chunk::<SEGMENT_HEADER_BYTES>()?;
        let (checked, crc) = bytes.split_last_chunk::<4>()?;
        if !checked.starts_with(&MAGIC) || crc32c::crc32c(checked) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut fields = Fields(checked);
        fields.take::<8>()?;
        let version = fields.u32()?;
        if version != FORMAT_VERSION {
            return Some(Err(HeaderFault::UnknownVersion(version)));
        }
        fields.take::<4>()?;
        let id = fields.take().map(u128::from_le_bytes)?;
        Some(Ok(Self { id, sequence: fields.u64()?, first: fields.u64()?, salt: fields.u64()? }))
    }
}

/// What stands before each payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    /// The mark of the segment.
    pub(crate) salt: u64,
    /// Position of the first thing that the payload holds.
    pub(crate) first: u64,
    /// How many positions it holds.
    pub(crate) count: u32,
    /// Bytes of payload.
    pub(crate) length: u32,
    /// Bytes between the start of the group (what one fsync covered) and this record.
    pub(crate) group: u32,
    /// CRC32C of all of the above and the payload.
    pub(crate) crc: u32,
}

impl RecordHeader {
    /// Appends header and payload; `self.crc` is ignored and computed.
    pub(crate) fn encode(&self, payload: &[u8], into: &mut Vec<u8>) {
        let mut bytes = Vec::with_capacity(RECORD_HEADER_BYTES);
        bytes.extend(self.salt.to_le_bytes());
        bytes.extend(self.first.to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.length.to_le_bytes());
        bytes.extend(self.group.to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes), payload);
        bytes.extend(crc.to_le_bytes());
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        into.extend_from_slice(&bytes);
        into.extend_from_slice(payload);
    }

    /// The header at the front of `bytes`, if one is there whole, its own checksum matches and it takes positions.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<RECORD_HEADER_BYTES>()?;
        let (checked, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(checked) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut fields = Fields(checked);
        let header = Self {
            salt: fields.u64()?,
            first: fields.u64()?,
            count: fields.u32()?,
            length: fields.u32()?,
            group: fields.u32()?,
            crc: fields.u32()?,
        };
        header.first.checked_add(u64::from(header.count))?;
        (header.count > 0).then_some(header)
    }

    /// Whether the payload is the one that was written with this header.
    pub(crate) fn covers(&self, header: &[u8], payload: &[u8]) -> bool {
        header
            .get(..RECORD_HEADER_BYTES - 8)
            .is_some_and(|fields| crc32c::crc32c_append(crc32c::crc32c(fields), payload) == self.crc)
    }

    /// Position after the last one it holds.
    pub(crate) fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }

    /// Bytes on disk, header included.
    pub(crate) fn total(&self) -> u64 {
        RECORD_HEADER_BYTES as u64 + u64::from(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The layout is a promise: these bytes were worked out by hand from docs/formats/journal.md.
    #[test]
    fn headers_lie_as_documented() {
        let header = SegmentHeader { id: 0x1122, sequence: 3, first: 7, salt: 0xa1a2_a3a4_a5a6_a7a8 };
        let bytes = header.encode();
        assert_eq!(&bytes[..12], b"\x89HSJ\r\n\x1a\n\x01\0\0\0");
        assert_eq!(bytes[16..18], [0x22, 0x11]);
        assert_eq!((bytes[32], bytes[40], bytes[48]), (3, 7, 0xa8));
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));

        let mut record = Vec::new();
        RecordHeader { salt: header.salt, first: 9, count: 2, length: 5, group: 6, crc: 0 }
            .encode(b"hello", &mut record);
        assert_eq!(record.len(), RECORD_HEADER_BYTES + 5);
        assert_eq!((record[0], record[8], record[16], record[20], record[24]), (0xa8, 9, 2, 5, 6));
        assert_eq!(&record[36..], b"hello");
        let decoded = RecordHeader::decode(&record).unwrap();
        assert!(decoded.covers(&record, b"hello") && !decoded.covers(&record, b"hellp"));
    }

    #[test]
    fn a_header_of_another_version_is_told_from_a_damaged_one() {
        let mut bytes = SegmentHeader { id: 1, sequence: 1, first: 0, salt: 1 }.encode();
        bytes[8] = 2;
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::Damaged));
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::UnknownVersion(2)));
        assert_eq!(SegmentHeader::decode(&bytes[..63]), Err(HeaderFault::Damaged));
    }
}
