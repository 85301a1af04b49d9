//! Writing messages of ours. A name is written once, and pointed to after that.

use super::{HEADER_LEN, INTERNET, NSEC, TOP_BIT, kind_of};
use crate::Name;
use crate::name::DOMAIN;
use std::net::IpAddr;

/// QR and AA (RFC 1035 §4.1.1).
const AUTHORITATIVE_RESPONSE: u16 = 0x8400;
/// Of a pointer, the two high bits of its 16.
const POINTER: u16 = 0xc000;
/// How many numbers the header has before the counts: the id and the flags.
const COUNTS_AT: usize = 4;

/// A message that is being written. The sections come in their order.
pub(crate) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// Where names stand, and where `local` does.
    names: Vec<(Name, u16)>,
    domain: Option<u16>,
    counts: [u16; 4],
    /// Whether it goes to somebody who knows nothing of links.
    is_legacy: bool,
}

impl<'o> Writer<'o> {
    /// Replaces what is in `out`.
    fn new(out: &'o mut Vec<u8>, id: u16, flags: u16, is_legacy: bool) -> Self {
        out.clear();
        out.extend(id.to_be_bytes());
        out.extend(flags.to_be_bytes());
        out.resize(HEADER_LEN, 0);
        Self { out, names: Vec::new(), domain: None, counts: [0; 4], is_legacy }
    }

    pub(crate) fn query(out: &'o mut Vec<u8>) -> Self {
        // RFC 6762 §18.1: "In multicast query messages, the Query Identifier SHOULD be set to zero on transmission."
        Self::new(out, 0, 0, false)
    }

    pub(crate) fn response(out: &'o mut Vec<u8>) -> Self {
        Self::new(out, 0, AUTHORITATIVE_RESPONSE, false)
    }

    /// For somebody whose query is of no multicast DNS.
    pub(crate) fn legacy_response(out: &'o mut Vec<u8>, id: u16) -> Self {
        Self::new(out, id, AUTHORITATIVE_RESPONSE, true)
    }

    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn question(&mut self, name: Name, kind: u16, wants_unicast: bool) {
        self.name(name);
        self.u16(kind);
        self.u16(if wants_unicast { INTERNET | TOP_BIT } else { INTERNET });
        self.count(0);
    }

    /// The address of a name.
    pub(crate) fn address(&mut self, section: Section, name: Name, address: IpAddr, ttl_s: u32) {
        self.head(section, name, kind_of(address), ttl_s);
        match address {
            IpAddr::V4(ip) => self.data(&ip.octets()),
            IpAddr::V6(ip) => self.data(&ip.octets()),
        }
    }

    /// That a name has nothing but this address (RFC 6762 §6.1).
    pub(crate) fn nothing_else(&mut self, section: Section, name: Name, address: IpAddr, ttl_s: u32) {
        // RFC 6762 §6.1: "The 'Next Domain Name' field contains the record's own name." ...
        self.head(section, name, NSEC, ttl_s);
        let kind = kind_of(address);
        let bits: &[u8] = if kind == super::A { &[0, 1, 0x40] } else { &[0, 4, 0, 0, 0, 0x08] };
        let len_at = self.out.len();
        self.u16(0);
        if self.is_legacy {
            self.whole_name(name);
        } else {
            self.name(name);
        }
        self.out.extend_from_slice(bits);
        let len = self.out.len().saturating_sub(len_at).saturating_sub(2);
        self.put(len_at, u16::try_from(len).unwrap_or(u16::MAX));
    }

    fn head(&mut self, section: Section, name: Name, kind: u16, ttl_s: u32) {
        self.name(name);
        self.u16(kind);
        // RFC 6762 §6.7: "In addition, the cache-flush bit described in Section 10.2, "Announcements to Flush Outdated Cache
        // Entries", MUST NOT be set in legacy unicast responses."
        self.u16(if self.is_legacy { INTERNET } else { INTERNET | TOP_BIT });
        self.out.extend(ttl_s.to_be_bytes());
        self.count(section as usize);
    }

    fn data(&mut self, data: &[u8]) {
        self.u16(u16::try_from(data.len()).unwrap_or(u16::MAX));
        self.out.extend_from_slice(data);
    }

    fn name(&mut self, name: Name) {
        let here = u16::try_from(self.out.len()).unwrap_or(u16::MAX);
        if let Some((_, at)) = self.names.iter().find(|(known, _)| *known == name) {
            self.u16(POINTER | at);
        } else if let Some(at) = self.domain {
            self.names.push((name, here));
            self.label(name.label());
            self.u16(POINTER | at);
        } else {
            self.names.push((name, here));
            self.label(name.label());
            self.domain = u16::try_from(self.out.len()).ok();
            self.label(DOMAIN);
            self.out.push(0);
        }
    }

    fn whole_name(&mut self, name: Name) {
        self.label(name.label());
        self.label(DOMAIN);
        self.out.push(0);
    }

    fn label(&mut self, label: &[u8]) {
        self.out.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        self.out.extend_from_slice(label);
    }

    fn u16(&mut self, number: u16) {
        self.out.extend(number.to_be_bytes());
    }

    fn put(&mut self, at: usize, number: u16) {
        for (byte, new) in self.out.iter_mut().skip(at).zip(number.to_be_bytes()) {
            *byte = new;
        }
    }

    fn count(&mut self, section: usize) {
        let Some(count) = self.counts.get_mut(section) else { return };
        *count = count.saturating_add(1);
        let count = *count;
        self.put(COUNTS_AT.saturating_add(section.saturating_mul(2)), count);
    }
}

/// Where a record stands; the number is that of its count in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Answer = 1,
    Additional = 3,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out by hand from RFC 1035 §4.1 and RFC 6762 §6.1.
    #[test]
    fn an_answer_is_the_bytes_of_the_rfcs() {
        let name: Name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local".parse().unwrap();
        let mut out = vec![1; 99];
        let mut writer = Writer::response(&mut out);
        writer.address(Section::Answer, name, [10, 0, 0, 7].into(), 120);
        writer.nothing_else(Section::Additional, name, [10, 0, 0, 7].into(), 120);
        let mut expected = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 1, 36];
        expected.extend(b"1f4712db-ea17-4bcf-a596-105139dfd8bf\x05local\0");
        expected.extend([0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 10, 0, 0, 7]);
        expected.extend([0xc0, 12, 0, 47, 0x80, 1, 0, 0, 0, 120, 0, 5, 0xc0, 12, 0, 1, 0x40]);
        assert_eq!(out, expected);
    }

    #[test]
    fn an_answer_for_somebody_who_knows_nothing_of_links_is_a_usual_one() {
        let name: Name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local".parse().unwrap();
        let address: IpAddr = "2001:db8::7".parse().unwrap();
        let mut out = Vec::new();
        let mut writer = Writer::legacy_response(&mut out, 0x1234);
        writer.question(name, 1, false);
        writer.nothing_else(Section::Answer, name, address, 10);
        let mut expected = vec![0x12, 0x34, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0, 36];
        expected.extend(b"1f4712db-ea17-4bcf-a596-105139dfd8bf\x05local\0\0\x01\0\x01");
        expected.extend([0xc0, 12, 0, 47, 0, 1, 0, 0, 0, 10, 0, 50, 36]);
        expected.extend(b"1f4712db-ea17-4bcf-a596-105139dfd8bf\x05local\0\0\x04\0\0\0\x08");
        assert_eq!(out, expected);
    }

    #[test]
    fn the_domain_of_a_second_name_is_pointed_to() {
        let [one, two]: [Name; 2] =
            ["1f4712db-ea17-4bcf-a596-105139dfd8bf.local", "2579ef4b-50ae-4bfe-95af-70b3376ecb9c.local"]
                .map(|name| name.parse().unwrap());
        let mut out = Vec::new();
        let mut writer = Writer::query(&mut out);
        writer.question(one, 1, false);
        writer.question(two, 1, true);
        assert_eq!(out[..12], [0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0]);
        assert_eq!(out[out.len() - 6..], [0xc0, 49, 0, 1, 0x80, 1]);
    }
}
