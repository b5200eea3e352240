//! Whether the pages of a list are the whole list, although it may change while it is read.
//!
//! A hub answers 200 users at most and pages by offset. If somebody whose page was read stops meanwhile, all
//! who follow move up by one, and whoever stood first on the next page is never seen: they would read as gone.
//! So each page is asked for with the last item of the page before on top. The list is ordered by an id that never
//! changes, hence if that item is still there, as many stand before it as before, and nobody who was on the list all
//! the time was skipped. If it is not, the list is to be read again or to be taken as incomplete.

/// The list moved while it was read: what was read shows who is on it, and not who is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list changed between two of its pages")]
pub struct Shifted;

/// A list as it is read, page by page, ordered by the hub's own id of its items (`sort=id`).
#[derive(Clone, Debug)]
pub struct Listing<T> {
    items: Vec<T>,
    is_complete: bool,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { items: Vec::new(), is_complete: false }
    }
}

impl<T: PartialEq> Listing<T> {
    /// The offset of the page to ask for next.
    pub fn offset(&self) -> usize {
        self.items.len().saturating_sub(1)
    }

    /// Takes the page that was asked for at [`Self::offset`]; `is_last` when the hub names no next one.
    ///
    /// # Errors
    /// When the list has moved: the page does not begin with the last item that is known, or brings nothing new and
    /// is not the last one. Items are compared by what `T` says is equal, which should be the id alone.
    pub fn add(&mut self, page: Vec<T>, is_last: bool) -> Result<(), Shifted> {
        let mut page = page.into_iter();
        if let Some(last) = self.items.last()
            && page.next().as_ref() != Some(last)
        {
            return Err(Shifted);
        }
        let known = self.items.len();
        self.items.extend(page);
        if self.items.len() == known && !is_last {
            return Err(Shifted);
        }
        self.is_complete = is_last;
        Ok(())
    }

    /// Whether the last page was read and none was missed.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// What was read.
    pub fn into_items(self) -> Vec<T> {
        self.items
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One page of the hub's.
    fn page(list: &[u32], offset: usize, limit: usize) -> (Vec<u32>, bool) {
        let end = (offset + limit).min(list.len());
        (list.get(offset..end).unwrap_or_default().to_vec(), end == list.len())
    }

    proptest! {
        #[test]
        fn whoever_was_there_all_the_time_is_on_a_complete_list(
            begin in prop::collection::btree_set(0_u32..60, 0..40),
            changes in prop::collection::vec((0_u32..60, any::<bool>()), 0..30),
            limit in 2_usize..9,
            each in 0_usize..4,
        ) {
            let mut now = begin.clone();
            let mut throughout = begin;
            let mut changes = changes.into_iter();
            let mut listing = Listing::default();
            let outcome = loop {
                let list: Vec<u32> = now.iter().copied().collect();
                let (items, is_last) = page(&list, listing.offset(), limit);
                let added = listing.add(items, is_last);
                if added.is_err() || is_last {
                    break added;
                }
                for (item, comes) in changes.by_ref().take(each) {
                    if comes { now.insert(item); } else { now.remove(&item); throughout.remove(&item); }
                }
            };
            prop_assert_eq!(outcome.is_ok(), listing.is_complete());
            if listing.is_complete() {
                let items = listing.into_items();
                for item in throughout {
                    prop_assert!(items.contains(&item), "{} is missing from {:?}", item, items);
                }
            }
        }
    }

    #[test]
    fn a_shift_is_noticed_and_a_quiet_list_is_complete() {
        let list: Vec<u32> = (0..7).collect();
        let mut quiet = Listing::default();
        while !quiet.is_complete() {
            let (items, is_last) = page(&list, quiet.offset(), 3);
            quiet.add(items, is_last).unwrap();
        }
        assert_eq!(quiet.into_items(), list);
        let mut shifted = Listing::default();
        shifted.add(vec![0, 1, 2], false).unwrap();
        // 0 has gone, so 3 stands where 2 was.
        assert_eq!(shifted.add(vec![3, 4, 5], false), Err(Shifted));
        assert!(!shifted.is_complete());
    }
}
