//! Names of keys, each with a number: one long text, where each ends, and a table to find them by.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Bytes of all names, at most: ends are kept in 32 bits.
const TEXT_BYTES_MAX: usize = u32::MAX as usize;

/// Stands for no number.
const EMPTY: u32 = u32::MAX;

/// A place of the table: the upper half of a name's hash, so that few others have to be looked at, and its number.
#[derive(Clone, Copy, Debug)]
struct Place {
    mark: u32,
    id: u32,
}

/// Names and their numbers, from 0. A name keeps its number.
#[derive(Debug, Default)]
pub struct Names {
    text: String,
    ends: Vec<u32>,
    /// Numbers by hash, at most three quarters full; a taken place sends on to the next.
    table: Vec<Place>,
}

impl Names {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The name of a number.
    pub fn get(&self, id: u32) -> Option<&str> {
        let at = usize::try_from(id).ok()?;
        let start = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.text.get(usize::try_from(start).ok()?..usize::try_from(*self.ends.get(at)?).ok()?)
    }

    /// The number of a name.
    pub fn find(&self, name: &str) -> Option<u32> {
        if self.table.is_empty() {
            return None;
        }
        let (place, _) = self.place(name);
        self.table.get(place).map(|place| place.id).filter(|id| *id != EMPTY)
    }

    /// The number of a name, which is a new one if need be; `None` when there is no room for one more.
    pub fn insert(&mut self, name: &str) -> Option<u32> {
        if 4 * (self.ends.len() + 1) > 3 * self.table.len() {
            self.grow();
        }
        let (place, mark) = self.place(name);
        let known = self.table.get(place)?.id;
        if known != EMPTY {
            return Some(known);
        }
        let id = u32::try_from(self.ends.len()).ok().filter(|id| *id != EMPTY)?;
        let end = u32::try_from(self.text.len() + name.len()).ok().filter(|_| self.text.len() < TEXT_BYTES_MAX)?;
        self.text.push_str(name);
        self.ends.push(end);
        *self.table.get_mut(place)? = Place { mark, id };
        Some(id)
    }

    /// Bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        self.text.capacity() + 4 * self.ends.capacity() + size_of::<Place>() * self.table.capacity()
    }

    /// Where `name` stands in the table, or could, and its mark there.
    fn place(&self, name: &str) -> (usize, u32) {
        let (mask, hash) = (self.table.len() - 1, hash(name));
        let mark = u32::try_from(hash >> 32).unwrap_or(0);
        let mut at = usize::try_from(hash & mask as u64).unwrap_or(0);
        while let Some(place) = self.table.get(at).filter(|place| place.id != EMPTY) {
            if place.mark == mark && self.get(place.id) == Some(name) {
                break;
            }
            at = (at + 1) & mask;
        }
        (at, mark)
    }

    fn grow(&mut self) {
        let size = (2 * self.table.len()).max(16);
        self.table = vec![Place { mark: 0, id: EMPTY }; size];
        for id in 0..u32::try_from(self.ends.len()).unwrap_or(EMPTY) {
            let found = self.get(id).map(|name| self.place(name));
            if let Some((place, mark)) = found.and_then(|(at, mark)| Some((self.table.get_mut(at)?, mark))) {
                *place = Place { mark, id };
            }
        }
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// Names that several series share: they only grow, so each series sees its own.
#[derive(Clone, Debug, Default)]
pub struct SharedNames(Arc<RwLock<Names>>);

impl SharedNames {
    /// Whether both are the same names, so that numbers mean the same.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// To look at.
    pub fn read(&self) -> RwLockReadGuard<'_, Names> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To add to.
    pub fn write(&self) -> RwLockWriteGuard<'_, Names> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let mut names = Names::default();
        assert_eq!((names.find(""), names.get(0), names.is_empty()), (None, None, true));
        let texts: Vec<String> = (0..5_000).map(|n| if n == 7 { String::new() } else { format!("name-{n}") }).collect();
        for _ in 0..2 {
            for (number, text) in (0..).zip(&texts) {
                assert_eq!(names.insert(text), Some(number));
            }
        }
        for (number, text) in (0..).zip(&texts) {
            assert_eq!((names.find(text), names.get(number)), (Some(number), Some(text.as_str())));
        }
        assert_eq!((names.len(), names.find("nobody"), names.get(5_000)), (5_000, None, None));
        assert!(names.bytes() < 200_000, "{}", names.bytes());
    }
}
