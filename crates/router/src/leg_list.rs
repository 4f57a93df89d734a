//! The legs of one layer, as a list whose links stand in the legs themselves.
//!
//! A cut moves thousands of legs from one layer to another on the media path: with links inside the
//! legs that allocates nothing, and joining or leaving is constant time.

use crate::leg::Leg;
use crate::slab::Slab;

const NONE: u32 = u32::MAX;

/// Why a leg is in a list: it can be in one of each sort at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    /// It is sent the layer's packets.
    Attached,
    /// It waits for the layer's keyframe.
    Waiting,
}

/// A leg's place in a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    prev: u32,
    next: u32,
}

impl Links {
    pub(crate) const NONE: Self = Self {
        prev: NONE,
        next: NONE,
    };

    /// The leg after this one.
    pub(crate) fn next(self) -> Option<u32> {
        (self.next != NONE).then_some(self.next)
    }
}

/// A list of legs, in the order in which they joined.
#[derive(Debug)]
pub(crate) struct LegList {
    sort: Membership,
    head: u32,
    tail: u32,
}

impl LegList {
    pub(crate) const fn new(sort: Membership) -> Self {
        Self {
            sort,
            head: NONE,
            tail: NONE,
        }
    }

    /// The first leg.
    pub(crate) fn first(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.head == NONE
    }

    /// Appends a leg that is in no list of this sort.
    pub(crate) fn push(&mut self, legs: &mut Slab<Leg>, index: u32) {
        let Some(leg) = legs.get_mut(index) else {
            return;
        };
        *leg.links_mut(self.sort) = Links {
            prev: self.tail,
            next: NONE,
        };
        match legs.get_mut(self.tail) {
            Some(last) => last.links_mut(self.sort).next = index,
            None => self.head = index,
        }
        self.tail = index;
    }

    /// Takes out a leg that is in this list.
    pub(crate) fn remove(&mut self, legs: &mut Slab<Leg>, index: u32) {
        let Some(leg) = legs.get_mut(index) else {
            return;
        };
        let links = std::mem::replace(leg.links_mut(self.sort), Links::NONE);
        match legs.get_mut(links.prev) {
            Some(before) => before.links_mut(self.sort).next = links.next,
            None => self.head = links.next,
        }
        match legs.get_mut(links.next) {
            Some(after) => after.links_mut(self.sort).prev = links.prev,
            None => self.tail = links.prev,
        }
    }
}
