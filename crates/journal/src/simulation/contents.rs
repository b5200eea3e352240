//! The bytes of one file: as programs see them, as the platter has them, and the changes between.

use super::random::Random;

/// What a disk writes at once, or tears seldom.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Resize(usize),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    visible: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

impl Contents {
    pub(super) fn durable(bytes: &[u8]) -> Self {
        Self { visible: bytes.to_vec(), durable: bytes.to_vec(), unsynced: Vec::new() }
    }

    pub(super) fn visible(&self) -> &[u8] {
        &self.visible
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.change(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn resize(&mut self, len: usize) {
        self.change(Change::Resize(len));
    }

    fn change(&mut self, change: Change) {
        apply(&change, &mut self.visible);
        self.unsynced.push(change);
    }

    /// Everything becomes durable that is still known to be dirty.
    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            apply(&change, &mut self.durable);
        }
    }

    /// Dirty bytes are thrown at the disk, some stick, all are forgotten; programs go on seeing them.
    pub(super) fn fail_sync(&mut self, random: &mut Random) {
        for change in std::mem::take(&mut self.unsynced) {
            apply_by_chance(change, &mut self.durable, random);
        }
    }

    /// What is left is what was durable, and by chance some of the rest.
    pub(super) fn power_loss(&mut self, random: &mut Random) {
        self.fail_sync(random);
        self.visible.clone_from(&self.durable);
    }
}

fn apply(change: &Change, to: &mut Vec<u8>) {
    match change {
        Change::Resize(len) => to.resize(*len, 0),
        Change::Write { offset, bytes } => {
            let end = offset + bytes.len();
            if to.len() < end {
                to.resize(end, 0);
            }
            if let Some(place) = to.get_mut(*offset..end) {
                place.copy_from_slice(bytes);
            }
        }
    }
}

fn apply_by_chance(change: Change, to: &mut Vec<u8>, random: &mut Random) {
    let Change::Write { offset, bytes } = change else {
        if random.one_in(2) {
            apply(&change, to);
        }
        return;
    };
    // Whole writes often survive or vanish whole; between lies everything else.
    let fate = random.below(4);
    let mut start = 0;
    while start < bytes.len() {
        let end = (((offset + start) / SECTOR_BYTES + 1) * SECTOR_BYTES - offset).min(bytes.len());
        let mut sector = bytes.get(start..end).unwrap_or_default().to_vec();
        let kept = match fate {
            0 => false,
            1 => true,
            _ => random.one_in(2),
        };
        if kept && random.one_in(8) {
            sector.truncate(usize::try_from(random.below(sector.len() as u64 + 1)).unwrap_or_default());
        } else if kept && random.one_in(32) {
            // Blocks were given to the file, and hold what they held before.
            let stale = random.bytes(sector.len() as u64);
            sector = stale;
        }
        if kept {
            apply(&Change::Write { offset: offset + start, bytes: sector }, to);
        }
        start = end;
    }
}
