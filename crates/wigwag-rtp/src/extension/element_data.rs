//! What an element of a header extension carries, kept with its packet.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// What fits beside its length into three words: most descriptors of dependencies do.
const INLINE_MAX: usize = 22;
/// RFC 8285 §4.3: the length of an element has a byte at most.
pub(crate) const ELEMENT_LEN_MAX: usize = 255;

/// The bytes of an element of a header extension, at most 255. Copies of it share their memory.
#[derive(Clone, PartialEq, Eq)]
pub struct ElementData(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Inline(u8, [u8; INLINE_MAX]),
    Shared(Arc<[u8]>),
}

impl ElementData {
    /// Those bytes; `None` if they are more than 255. Up to 22 need no memory of their own.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let len = u8::try_from(bytes.len()).ok()?;
        let mut inline = [0; INLINE_MAX];
        Some(Self(match inline.get_mut(..bytes.len()) {
            Some(start) => {
                start.copy_from_slice(bytes);
                Repr::Inline(len, inline)
            }
            None => Repr::Shared(bytes.into()),
        }))
    }
}

impl ElementData {
    /// The same with two other bytes; `None` if it ends before them.
    pub(crate) fn with(&self, at: usize, bytes: [u8; 2]) -> Option<Self> {
        let mut other = [0; ELEMENT_LEN_MAX];
        let other = other.get_mut(..self.len())?;
        other.copy_from_slice(self);
        *other.get_mut(at..)?.first_chunk_mut()? = bytes;
        Self::new(other)
    }
}

impl Deref for ElementData {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl fmt::Debug for ElementData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_255_bytes_are_kept_as_they_are() {
        let bytes: Vec<_> = (0..=255).collect();
        for len in 0..=255 {
            assert_eq!(ElementData::new(&bytes[..len]).as_deref(), Some(&bytes[..len]));
        }
        assert_eq!(ElementData::new(&bytes), None);
        assert_eq!(size_of::<Option<ElementData>>(), 24);
    }
}
