//! Reading and writing big-endian integers without indexing.
//!
//! Used by every parser and writer of this crate. Reading gives `None` past the end; writing goes
//! through [`Cursor`], which refuses to pass the end of its buffer.

/// The two bytes at `at`, big-endian.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let (chunk, _) = bytes.get(at..)?.split_first_chunk()?;
    Some(u16::from_be_bytes(*chunk))
}

/// The three bytes at `at`, big-endian.
pub(crate) fn u24_at(bytes: &[u8], at: usize) -> Option<u32> {
    let (&[a, b, c], _) = bytes.get(at..)?.split_first_chunk()?;
    Some(u32::from_be_bytes([0, a, b, c]))
}

/// The four bytes at `at`, big-endian.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let (chunk, _) = bytes.get(at..)?.split_first_chunk()?;
    Some(u32::from_be_bytes(*chunk))
}

/// The eight bytes at `at`, big-endian.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let (chunk, _) = bytes.get(at..)?.split_first_chunk()?;
    Some(u64::from_be_bytes(*chunk))
}

/// A write position in a buffer; each `put` writes wholly or not at all.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0 }
    }

    /// Appends `bytes`; `None` when they do not fit.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.at.checked_add(bytes.len())?;
        self.out.get_mut(self.at..end)?.copy_from_slice(bytes);
        self.at = end;
        Some(())
    }

    pub(crate) fn put_u8(&mut self, value: u8) -> Option<()> {
        self.put(&[value])
    }

    pub(crate) fn put_u16(&mut self, value: u16) -> Option<()> {
        self.put(&value.to_be_bytes())
    }

    pub(crate) fn put_u32(&mut self, value: u32) -> Option<()> {
        self.put(&value.to_be_bytes())
    }

    /// Appends the low 24 bits of `value`.
    pub(crate) fn put_u24(&mut self, value: u32) -> Option<()> {
        let [_, a, b, c] = value.to_be_bytes();
        self.put(&[a, b, c])
    }

    /// Appends zeros up to the next multiple of four.
    pub(crate) fn align(&mut self) -> Option<()> {
        let missing = self.at.next_multiple_of(4) - self.at;
        self.put([0; 3].get(..missing)?)
    }

    /// Overwrites the two bytes at `at`, which were written before.
    pub(crate) fn patch_u16(&mut self, at: usize, value: u16) -> Option<()> {
        self.out
            .get_mut(at..at.checked_add(2)?)?
            .copy_from_slice(&value.to_be_bytes());
        Some(())
    }

    /// How many bytes have been written.
    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    /// Forgets what was written from `at` on.
    pub(crate) fn rewind(&mut self, at: usize) {
        self.at = self.at.min(at);
    }

    /// What has been written.
    pub(crate) fn written(&self) -> &[u8] {
        self.out.get(..self.at).unwrap_or_default()
    }
}
