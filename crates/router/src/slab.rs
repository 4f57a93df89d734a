//! A table with stable indices: what the room keeps its sessions, sources and legs in.
//!
//! Entries are found by index, without hashing; an index that was freed carries a new generation when
//! it is given out again, so that a stale one finds nothing.

use crate::bits::{at, index32};

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

/// A table of `T`.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Puts a value in and returns its index. The lowest free one is not promised.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(index) = self.free.pop()
            && let Some(entry) = self.entries.get_mut(at(index))
        {
            entry.value = Some(value);
            return index;
        }
        let index = index32(self.entries.len());
        self.entries.push(Entry {
            generation: 0,
            value: Some(value),
        });
        index
    }

    /// Takes a value out; its index may be given out again with another generation.
    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let entry = self.entries.get_mut(at(index))?;
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(index);
        Some(value)
    }

    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.entries.get(at(index))?.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.entries.get_mut(at(index))?.value.as_mut()
    }

    /// The generation an index has now.
    pub(crate) fn generation(&self, index: u32) -> u32 {
        self.entries
            .get(at(index))
            .map_or(0, |entry| entry.generation)
    }

    /// One past the highest index ever given out.
    pub(crate) fn end(&self) -> u32 {
        index32(self.entries.len())
    }
}
