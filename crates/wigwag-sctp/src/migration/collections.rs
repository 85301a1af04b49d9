//! Bytes, lists and maps: each behind its length, which is no more than what is left to read.

use super::{Reader, State, Writer};
use crate::map::Map;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

fn write_len(len: usize, out: &mut Writer) {
    u32::try_from(len).unwrap_or(u32::MAX).write(out);
}

fn write_all<'a, T: State + 'a>(items: impl ExactSizeIterator<Item = &'a T>, out: &mut Writer) {
    write_len(items.len(), out);
    items.for_each(|item| item.write(out));
}

/// Each takes a byte at least, or there would be no end of them.
fn read_all<T: State, L: Default + Extend<T>>(from: &mut Reader<'_>) -> Option<L> {
    let mut list = L::default();
    for _ in 0..u32::read(from)? {
        list.extend([T::read(from)?]);
    }
    Some(list)
}

impl State for Bytes {
    fn write(&self, out: &mut Writer) {
        write_len(self.len(), out);
        out.bytes(self);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let len = usize::try_from(u32::read(from)?).ok()?;
        from.bytes(len).map(Self::copy_from_slice)
    }
}

impl<T: State> State for Vec<T> {
    fn write(&self, out: &mut Writer) {
        write_all(self.iter(), out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        read_all(from)
    }
}

impl<T: State> State for VecDeque<T> {
    fn write(&self, out: &mut Writer) {
        write_all(self.iter(), out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        read_all(from)
    }
}

impl<T: State> State for Box<T> {
    fn write(&self, out: &mut Writer) {
        self.as_ref().write(out);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        T::read(from).map(Self::new)
    }
}

impl<K: State + Ord, V: State> State for BTreeMap<K, V> {
    fn write(&self, out: &mut Writer) {
        write_len(self.len(), out);
        for (key, value) in self {
            key.write(out);
            value.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut map = Self::new();
        for _ in 0..u32::read(from)? {
            let (key, value) = State::read(from)?;
            if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return None;
            }
            map.insert(key, value);
        }
        Some(map)
    }
}

impl<K: State + Ord + Copy, V: State> State for Map<K, V> {
    fn write(&self, out: &mut Writer) {
        write_len(self.len(), out);
        self.iter().for_each(|entry| entry.write(out));
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut map = Self::new();
        for _ in 0..u32::read(from)? {
            let (key, value) = State::read(from)?;
            if map.last().is_some_and(|(last, _)| *last >= key) {
                return None;
            }
            map.insert(key, value);
        }
        Some(map)
    }
}
