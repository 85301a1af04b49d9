//! Reading messages of others: nothing is taken on trust, and the work is in proportion to the bytes.

use super::{A, AAAA, ANY, INTERNET, TOP_BIT};
use crate::Name;
use crate::name::DOMAIN;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// QR, opcode, TC and the code of a response (RFC 1035 §4.1.1).
const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const TRUNCATED: u16 = 0x0200;
const CODE: u16 = 0x000f;
/// RFC 1035 §2.3.4: the length of a name.
const NAME_LEN_MAX: usize = 255;
/// As many labels a name has at most: each has a byte and its length, and the last has none. To follow more pointers is of no use.
const POINTERS_MAX: usize = 127;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    pub(crate) name: Name,
    pub(crate) kind: u16,
    /// Whether the answer is to be for the asker alone.
    pub(crate) wants_unicast: bool,
}

/// What is told of a name: an address. Those of one name follow each other in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) name: Name,
    pub(crate) address: IpAddr,
    pub(crate) ttl_s: u32,
}

/// What a message says of the names that somebody wants to know of, each thing once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: u16,
    pub(crate) is_response: bool,
    /// More of what is known to the asker follows.
    pub(crate) is_truncated: bool,
    /// How many questions there are, also of other names.
    pub(crate) asked: u16,
    pub(crate) questions: BTreeSet<Question>,
    /// Answers, and what was added to them.
    pub(crate) records: BTreeSet<Record>,
}

impl Message {
    /// Reads a message as far as it is about names that are wanted; `None` if it is none, or none of those that are used on links.
    pub(crate) fn decode(bytes: &[u8], is_wanted: impl Fn(&Name) -> bool) -> Option<Self> {
        let mut reader = Reader { bytes, at: 0 };
        let (id, flags) = (reader.u16()?, reader.u16()?);
        // RFC 6762 §18.3: "Multicast DNS messages received with an OPCODE other than zero MUST be silently ignored."
        // RFC 6762 §18.11: "Multicast DNS messages received with non-zero Response Codes MUST be silently ignored."
        if flags & (OPCODE | CODE) != 0 {
            return None;
        }
        let [asked, answers, authorities, additionals] = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let mut message = Self {
            id,
            is_response: flags & RESPONSE != 0,
            is_truncated: flags & TRUNCATED != 0,
            asked,
            ..Self::default()
        };
        for _ in 0..asked {
            let question = reader.question()?;
            // RFC 6762 §6: "Any questions in the Question Section of a received Multicast DNS response MUST be silently ignored."
            message.questions.extend(question.filter(|it| !message.is_response && is_wanted(&it.name)));
        }
        for section in [answers, authorities, additionals].into_iter().enumerate() {
            let (number, count) = section;
            for _ in 0..count {
                let record = reader.record()?;
                // What a probe proposes in the authority section is not yet so (RFC 6762 §8.2).
                message.records.extend(record.filter(|it| number != 1 && is_wanted(&it.name)));
            }
        }
        Some(message)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// A name; within, whose it is if it is of our kind. Each pointer leads to before all that was read of this name, or it
    /// could lead around for ever (RFC 1035 §4.1.4: "a prior occurance of the same name").
    fn name(&mut self) -> Option<Option<Name>> {
        let (mut at, mut before, mut len, mut pointers) = (self.at, self.at, 1_usize, 0_usize);
        let (mut labels, mut count, mut end): ([&[u8]; 2], usize, Option<usize>) = ([&[]; 2], 0, None);
        loop {
            let (head, rest) = self.bytes.get(at..)?.split_first()?;
            match (head >> 6, *head) {
                (0, 0) => break,
                (0, label_len) => {
                    let label = rest.get(..label_len.into())?;
                    len = len.checked_add(label.len())?.checked_add(1).filter(|len| *len <= NAME_LEN_MAX)?;
                    if let Some(place) = labels.get_mut(count) {
                        *place = label;
                    }
                    count = count.checked_add(1)?;
                    at = at.checked_add(label.len())?.checked_add(1)?;
                }
                (3, high) => {
                    end = end.or(at.checked_add(2));
                    let target = usize::from(u16::from_be_bytes([high & 0x3f, *rest.first()?]));
                    before = Some(target).filter(|target| *target < before && pointers < POINTERS_MAX)?;
                    pointers = pointers.checked_add(1)?;
                    at = target;
                }
                _ => return None,
            }
        }
        self.at = end.or(at.checked_add(1))?;
        let [label, domain] = labels;
        let is_ours = count == 2 && domain.eq_ignore_ascii_case(DOMAIN);
        Some(if is_ours { Name::from_label(label) } else { None })
    }

    /// A question; within, if it is about a name of our kind.
    fn question(&mut self) -> Option<Option<Question>> {
        let (name, kind, class) = (self.name()?, self.u16()?, self.u16()?);
        let wants_unicast = class & TOP_BIT != 0;
        let is_internet = matches!(class & !TOP_BIT, INTERNET | ANY);
        Some(name.filter(|_| is_internet).map(|name| Question { name, kind, wants_unicast }))
    }

    /// A record; within, if it is an address of a name of our kind.
    fn record(&mut self) -> Option<Option<Record>> {
        let (name, kind, class, ttl_s) = (self.name()?, self.u16()?, self.u16()?, self.u32()?);
        let len = self.u16()?;
        let data = self.take(len.into())?;
        let address = match kind {
            A => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
            AAAA => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
            _ => None,
        };
        let is_internet = class & !TOP_BIT == INTERNET;
        Some(name.filter(|_| is_internet).zip(address).map(|(name, address)| Record { name, address, ttl_s }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "1f4712db-ea17-4bcf-a596-105139dfd8bf";

    fn all(bytes: &[u8]) -> Option<Message> {
        Message::decode(bytes, |_| true)
    }

    /// A header with these counts, and what follows.
    fn message(flags: u16, counts: [u16; 4], rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 7];
        [flags].into_iter().chain(counts).for_each(|field| bytes.extend(field.to_be_bytes()));
        bytes.extend_from_slice(rest);
        bytes
    }

    fn name() -> Vec<u8> {
        [b"\x24", UUID.as_bytes(), b"\x05LOCAL\0"].concat()
    }

    #[test]
    fn a_pointer_leads_back_and_never_around() {
        // To the name of the first question, from that of the second.
        let two = |pointer: [u8; 2]| {
            message(0, [2, 0, 0, 0], &[&name()[..], &[0, 1, 0, 1], &pointer, &[0, 28, 0, 1]].concat())
        };
        let read = all(&two([0xc0, 12])).unwrap();
        let names: Vec<_> = read.questions.iter().map(|question| (question.name.to_string(), question.kind)).collect();
        assert_eq!(names, [1, 28].map(|kind| (format!("{UUID}.local"), kind)));
        // To itself, ahead, to beyond the end; and two that lead to each other.
        let at = 12 + 43 + 4;
        for target in [at, at + 2, 0x3fff] {
            assert_eq!(all(&two([0xc0 | (target >> 8) as u8, target as u8])), None, "{target}");
        }
        assert_eq!(all(&message(0, [2, 0, 0, 0], &[0xc0, 14, 0xc0, 12, 0, 1, 0, 1])), None);
    }

    #[test]
    fn a_chain_of_pointers_costs_no_more_than_a_name_may_be_long() {
        // Labels, each before a pointer to the one before: 127 of one byte are 255 bytes of a name, 128 are too many, as are four of 63.
        for (len, labels, is_read) in [(1, 127, true), (1, 128, false), (63, 3, true), (63, 4, false)] {
            let label = [&[len][..], &vec![b'a'; usize::from(len)]].concat();
            // The chain is read by one record whose data it stands in.
            let (mut chain, mut before) = ([&label[..], &[0]].concat(), 12 + 11);
            for _ in 1..labels {
                let at = 12 + 11 + chain.len();
                chain.extend_from_slice(&label);
                chain.extend([0xc0 | (before >> 8) as u8, before as u8]);
                before = at;
            }
            let mut bytes = vec![0, 0, 16, 0, 1, 0, 0, 0, 0];
            bytes.extend((chain.len() as u16).to_be_bytes());
            bytes.extend(&chain);
            bytes.extend([0xc0 | (before >> 8) as u8, before as u8, 0, 1, 0, 1, 0, 0, 0, 9, 0, 0]);
            assert_eq!(all(&message(0x8400, [0, 2, 0, 0], &bytes)).is_some(), is_read, "{labels}");
        }
    }

    /// Pointers to pointers: each costs a step, and none makes the name longer.
    #[test]
    fn pointers_alone_cost_no_more_than_the_labels_of_a_name() {
        for (pointers, is_read) in [(1, true), (POINTERS_MAX, true), (POINTERS_MAX + 1, false), (4000, false)] {
            // They stand in the data of one record, behind an empty name; the name of a second begins with the last of them.
            let mut chain = vec![0];
            for number in 0..pointers - 1 {
                let before = 12 + 11 + if number == 0 { 0 } else { 1 + 2 * (number - 1) };
                chain.extend([0xc0 | (before >> 8) as u8, before as u8]);
            }
            let last = 12 + 11 + if pointers == 1 { 0 } else { chain.len() - 2 };
            let mut bytes = vec![0, 0, 16, 0, 1, 0, 0, 0, 0];
            bytes.extend((chain.len() as u16).to_be_bytes());
            bytes.extend(&chain);
            bytes.extend([0xc0 | (last >> 8) as u8, last as u8, 0, 1, 0, 1, 0, 0, 0, 9, 0, 0]);
            assert_eq!(all(&message(0x8400, [0, 2, 0, 0], &bytes)).is_some(), is_read, "{pointers}");
        }
    }

    /// Whoever reads it looks for each thing among the others.
    #[test]
    fn what_a_message_says_again_is_taken_once() {
        let mut questions = [&name()[..], &[0, 1, 0, 1]].concat();
        (0..700).for_each(|_| questions.extend([0xc0, 12, 0, 1, 0, 1]));
        let read = all(&message(0, [701, 0, 0, 0], &questions)).unwrap();
        assert_eq!((read.questions.len(), read.asked), (1, 701));
        let mut records = [&name()[..], &[0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 10, 0, 0, 0]].concat();
        (0..500).for_each(|_| records.extend([0xc0, 12, 0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 10, 0, 0, 0]));
        assert_eq!(all(&message(0x8400, [0, 501, 0, 0], &records)).unwrap().records.len(), 1);
    }

    #[test]
    fn what_ends_early_or_claims_more_than_there_is_is_no_message() {
        let record = [&name()[..], &[0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 10, 0, 0, 7]].concat();
        let whole = message(0x8400, [0, 1, 0, 0], &record);
        assert_eq!(all(&whole).unwrap().records.first().unwrap().address, IpAddr::from([10, 0, 0, 7]));
        for len in 0..whole.len() {
            assert_eq!(all(&whole[..len]), None, "{len}");
        }
        for counts in [[0, 2, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1], [0xffff; 4]] {
            assert_eq!(all(&message(0x8400, counts, &record)), None, "{counts:?}");
        }
    }

    #[test]
    fn only_addresses_of_our_names_are_taken() {
        let record = |name: &[u8], tail: &[u8]| message(0x8400, [0, 1, 0, 0], &[name, tail].concat());
        let address = [0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 10, 0, 0, 7];
        for (bytes, count) in [
            (record(&name(), &address), 1),
            (record(b"\x07printer\x05local\0", &address), 0),
            (record(&[b"\x24", UUID.as_bytes(), b"\x07example\0"].concat(), &address), 0),
            (record(&[b"\x24", UUID.as_bytes(), b"\x05local\x01x\0"].concat(), &address), 0),
            (record(b"\0", &address), 0),
            // Of another class, of another type, of another length.
            (record(&name(), &[0, 1, 0, 3, 0, 0, 0, 120, 0, 4, 10, 0, 0, 7]), 0),
            (record(&name(), &[0, 16, 0, 1, 0, 0, 0, 120, 0, 4, 10, 0, 0, 7]), 0),
            (record(&name(), &[0, 1, 0, 1, 0, 0, 0, 120, 0, 3, 10, 0, 0]), 0),
            (record(&name(), &[0, 28, 0, 1, 0, 0, 0, 120, 0, 4, 10, 0, 0, 7]), 0),
        ] {
            assert_eq!(all(&bytes).unwrap().records.len(), count, "{bytes:02x?}");
        }
        // In the authority section stands what a probe proposes.
        let probe = message(0, [0, 0, 1, 0], &[&name()[..], &address].concat());
        assert!(all(&probe).unwrap().records.is_empty());
    }

    #[test]
    fn other_kinds_of_messages_are_ignored() {
        let question = [&name()[..], &[0, 1, 0, 1]].concat();
        for (flags, is_read) in
            [(0, true), (0x0200, true), (0x0100, true), (0x2800, false), (0x0003, false), (0x7800, false)]
        {
            assert_eq!(all(&message(flags, [1, 0, 0, 0], &question)).is_some(), is_read, "{flags:04x}");
        }
        let response = all(&message(0x8400, [1, 0, 0, 0], &question)).unwrap();
        assert!(response.questions.is_empty(), "a response asks nothing");
    }
}
