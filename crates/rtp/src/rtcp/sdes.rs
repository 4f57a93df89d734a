//! Source descriptions. RFC 3550 §6.5.
//!
//! Only the framing is checked; what the items say is the client's word and only CNAME has a use
//! here.

use estrade_types::Ssrc;

use crate::bytes::u32_at;

/// Item type of the canonical name. RFC 3550 §6.5.1.
pub(super) const CNAME: u8 = 1;

/// A source description packet.
#[derive(Clone, Copy, Debug)]
pub struct Sdes<'a> {
    count: u8,
    chunks: &'a [u8],
}

impl<'a> Sdes<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Option<Self> {
        let mut rest = body;
        for _ in 0..count {
            let (_, behind) = split_chunk(rest)?;
            rest = behind;
        }
        Some(Self {
            count,
            chunks: body,
        })
    }

    /// The described sources, at most 31.
    pub fn chunks(&self) -> impl Iterator<Item = SdesChunk<'a>> + use<'a> {
        let mut rest = self.chunks;
        (0..self.count).map_while(move |_| {
            let (chunk, behind) = split_chunk(rest)?;
            rest = behind;
            Some(chunk)
        })
    }
}

/// One source and what is said of it.
#[derive(Clone, Copy, Debug)]
pub struct SdesChunk<'a> {
    /// The source.
    pub ssrc: Ssrc,
    items: &'a [u8],
}

impl<'a> SdesChunk<'a> {
    /// The items, in order.
    pub const fn items(&self) -> SdesItems<'a> {
        SdesItems { rest: self.items }
    }

    /// The canonical name, if there is one. Any bytes: nothing checks that they are UTF-8.
    pub fn cname(&self) -> Option<&'a [u8]> {
        self.items()
            .find(|item| item.item_type == CNAME)
            .map(|item| item.value)
    }
}

/// One item of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdesItem<'a> {
    /// The item type, never zero.
    pub item_type: u8,
    /// Its text, 0 to 255 bytes.
    pub value: &'a [u8],
}

/// Iterates over the items of a chunk.
#[derive(Clone, Debug)]
pub struct SdesItems<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for SdesItems<'a> {
    type Item = SdesItem<'a>;

    fn next(&mut self) -> Option<SdesItem<'a>> {
        let (item, rest) = split_item(self.rest)?;
        self.rest = rest;
        Some(item)
    }
}

/// Splits one chunk off: SSRC, items, a null octet, zeros up to the next word.
fn split_chunk(body: &[u8]) -> Option<(SdesChunk<'_>, &[u8])> {
    let ssrc = Ssrc(u32_at(body, 0)?);
    let items = body.get(4..)?;
    let mut rest = items;
    // spec: RFC 3550 §6.5 chunk-ends-with-null
    while *rest.first()? != 0 {
        let (_, behind) = split_item(rest)?;
        rest = behind;
    }
    let items_len = items.len() - rest.len();
    let chunk_len = (items_len + 1).next_multiple_of(4);
    let chunk = SdesChunk {
        ssrc,
        items: items.get(..items_len)?,
    };
    Some((chunk, items.get(chunk_len..)?))
}

fn split_item(items: &[u8]) -> Option<(SdesItem<'_>, &[u8])> {
    let (&[item_type, len], rest) = items.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(usize::from(len))?;
    Some((SdesItem { item_type, value }, rest))
}
