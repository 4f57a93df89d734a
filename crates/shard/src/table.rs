//! A table of values named by index and generation.
//!
//! The engine keeps its sessions and rooms in one each. An index is used again, a generation never
//! within 2^32 reuses of its index, so a key that outlived its value finds nothing.

/// Names one value of a [`Table`]. Shard-local: never leaves its shard, but inside a ufrag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Slot {
    /// Place in the table.
    pub(crate) index: u32,
    /// Which of the values that stood there.
    pub(crate) generation: u32,
}

/// At most `capacity` values. Boxed, so that growing the table moves pointers only.
#[derive(Debug)]
pub(crate) struct Table<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    len: usize,
    capacity: usize,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<Box<T>>,
}

impl<T> Table<T> {
    /// An empty table.
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            len: 0,
            capacity,
        }
    }

    /// How many values there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Whether no more values fit.
    pub(crate) const fn is_full(&self) -> bool {
        self.len >= self.capacity
    }

    /// Stores the value that `make` builds for its own slot. `Ok(None)` when the table is full.
    ///
    /// # Errors
    ///
    /// What `make` failed with; the table is unchanged.
    pub(crate) fn insert_with<E>(
        &mut self,
        make: impl FnOnce(Slot) -> Result<T, E>,
    ) -> Result<Option<Slot>, E> {
        if self.is_full() {
            return Ok(None);
        }
        let index = match self.free.last() {
            Some(&index) => index,
            None => match u32::try_from(self.entries.len()) {
                Ok(index) => {
                    self.entries.push(Entry {
                        generation: 0,
                        value: None,
                    });
                    self.free.push(index);
                    index
                }
                Err(_) => return Ok(None),
            },
        };
        let Some(entry) = self.entries.get_mut(position(index)) else {
            return Ok(None);
        };
        let slot = Slot {
            index,
            generation: entry.generation,
        };
        entry.value = Some(Box::new(make(slot)?));
        self.free.pop();
        self.len += 1;
        Ok(Some(slot))
    }

    /// Takes the value out; its index may be used again.
    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Box<T>> {
        let entry = self.entries.get_mut(position(slot.index))?;
        if entry.generation != slot.generation {
            return None;
        }
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot.index);
        self.len -= 1;
        Some(value)
    }

    /// The value, unless it is gone.
    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        let entry = self.entries.get(position(slot.index))?;
        if entry.generation == slot.generation {
            entry.value.as_deref()
        } else {
            None
        }
    }

    /// The value, unless it is gone.
    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        let entry = self.entries.get_mut(position(slot.index))?;
        if entry.generation == slot.generation {
            entry.value.as_deref_mut()
        } else {
            None
        }
    }

    /// The value at `index` now, whatever its generation: for the router, which is told of every
    /// removal in the turn it happens.
    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        self.entries.get_mut(position(index))?.value.as_deref_mut()
    }

    /// The values, in the order of their index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries
            .iter()
            .filter_map(|entry| entry.value.as_deref())
    }

    /// The values, in the order of their index.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let values = self.entries.iter_mut();
        values.filter_map(|entry| entry.value.as_deref_mut())
    }

    /// The slots in use, in the order of their index.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        (0_u32..).zip(&self.entries).filter_map(|(index, entry)| {
            entry.value.as_ref().map(|_| Slot {
                index,
                generation: entry.generation,
            })
        })
    }
}

/// A `u32` index as a position; every platform we serve has at least 32 bits.
fn position(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(table: &mut Table<u8>, value: u8) -> Option<Slot> {
        table.insert_with(|_| Ok::<_, ()>(value)).unwrap()
    }

    #[test]
    fn a_stale_slot_finds_nothing_once_its_index_is_used_again() {
        let mut table = Table::new(8);
        let first = insert(&mut table, 1).unwrap();
        assert_eq!(table.remove(first).as_deref(), Some(&1));
        let second = insert(&mut table, 2).unwrap();
        assert_eq!(first.index, second.index);
        assert_eq!(table.get(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get(second), Some(&2));
        assert_eq!(table.at_mut(second.index), Some(&mut 2));
        assert_eq!(table.slots().collect::<Vec<_>>(), [second]);
    }

    #[test]
    fn a_full_table_takes_no_more_and_a_failed_insert_changes_nothing() {
        let mut table = Table::new(1);
        assert_eq!(table.insert_with(|_| Err::<u8, _>("no")), Err("no"));
        assert_eq!((table.len(), table.slots().count()), (0, 0));
        assert!(insert(&mut table, 1).is_some());
        assert_eq!(insert(&mut table, 2), None);
        assert_eq!(table.len(), 1);
    }
}
