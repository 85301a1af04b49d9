//! Where in the order of all packets a stream's packet of a number is.

use crate::transport_wide::unwrap;
use std::collections::{BTreeMap, VecDeque};

/// Where numbers begin, so that those before the first packet have one too.
const ORIGIN: u64 = 1 << 16;

/// What was sent of each source and is remembered: as much as whoever remembers says.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The numbers of a source's packets, continued beyond 16 bits, and their places among all; in the order of the former.
    sources: BTreeMap<u32, VecDeque<(u64, u64)>>,
}

impl Index {
    /// A packet left.
    pub(crate) fn insert(&mut self, ssrc: u32, sequence: u16, place: u64) {
        let packets = self.sources.entry(ssrc).or_default();
        let number = extended(packets, sequence);
        match packets.back() {
            Some((last, _)) if *last >= number => match packets.binary_search_by_key(&number, |(number, _)| *number) {
                // So far apart that all numbers lie between them: the former is as good as forgotten.
                Ok(at) => packets.iter_mut().skip(at).take(1).for_each(|(_, before)| *before = place),
                Err(at) => packets.insert(at, (number, place)),
            },
            _ => packets.push_back((number, place)),
        }
    }

    /// The place of a packet, if it is remembered.
    pub(crate) fn find(&self, ssrc: u32, sequence: u16) -> Option<u64> {
        let packets = self.sources.get(&ssrc)?;
        let number = extended(packets, sequence);
        let (first, _) = packets.front()?;
        let guess = usize::try_from(number.checked_sub(*first)?).ok()?;
        match packets.get(guess) {
            Some((found, place)) if *found == number => Some(*place),
            _ => {
                let at = packets.binary_search_by_key(&number, |(number, _)| *number).ok()?;
                packets.get(at).map(|(_, place)| *place)
            }
        }
    }

    /// A packet is remembered no longer, the one before all others.
    pub(crate) fn remove(&mut self, ssrc: u32, place: u64) {
        let Some(packets) = self.sources.get_mut(&ssrc) else { return };
        // It is the first, or close to it where numbers were given out of order.
        if let Some(at) = packets.iter().position(|(_, known)| *known == place) {
            packets.remove(at);
        }
        if packets.is_empty() {
            self.sources.remove(&ssrc);
        }
    }

    /// How many packets it knows.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.sources.values().map(VecDeque::len).sum()
    }
}

fn extended(packets: &VecDeque<(u64, u64)>, sequence: u16) -> u64 {
    unwrap(packets.back().map_or(ORIGIN + u64::from(sequence), |(last, _)| *last), sequence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Numbers near one another, as streams have them: in any order, of several sources, and around the end of their circle.
        #[test]
        fn it_is_a_map(
            steps in prop::collection::vec((0u32..3, 0u16..400), 1..300),
            kept in 1usize..200,
        ) {
            let (mut index, mut model, mut order) = (Index::default(), BTreeMap::new(), VecDeque::new());
            for (place, (ssrc, step)) in (0u64..).zip(steps) {
                let sequence = step.wrapping_sub(200);
                if model.contains_key(&(ssrc, sequence)) {
                    continue;
                }
                index.insert(ssrc, sequence, place);
                model.insert((ssrc, sequence), place);
                order.push_back((ssrc, sequence, place));
                if order.len() > kept && let Some((ssrc, sequence, place)) = order.pop_front() {
                    index.remove(ssrc, place);
                    model.remove(&(ssrc, sequence));
                }
                prop_assert_eq!(index.len(), model.len());
            }
            for ssrc in 0..4 {
                for sequence in (0..400u16).map(|step| step.wrapping_sub(200)) {
                    prop_assert_eq!(index.find(ssrc, sequence), model.get(&(ssrc, sequence)).copied());
                }
            }
            prop_assert!(index.sources.values().all(|packets| !packets.is_empty()));
        }
    }

    #[test]
    fn a_number_that_comes_around_means_the_last_packet() {
        let mut index = Index::default();
        for place in 0..100_000u64 {
            index.insert(7, place as u16, place);
            if place >= 5000 {
                index.remove(7, place - 5000);
            }
        }
        assert_eq!((index.find(7, 99_999u64 as u16), index.find(7, 90_000u64 as u16)), (Some(99_999), None));
        assert_eq!(index.len(), 5000);
    }
}
