//! Records of DTLS 1.3 (RFC 9147 §4), opened by who stands beside the wire and has the key log.

use crate::capture::{Datagram, be16};
use crate::keys::{KeyLog, Keys, Sender, Suite};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;

const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// Of a record without protection.
const HEADER_LEN: usize = 13;

/// What was found in a capture.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Application data, in the order in which it was sent, by sender.
    pub(crate) data: Vec<(Sender, Vec<u8>)>,
    /// Protected records of the handshake, ACKs and alerts.
    pub(crate) others: usize,
    /// Protected records that no key opens.
    pub(crate) closed: usize,
    pub(crate) suite: Option<Suite>,
}

/// Reads one connection of DTLS 1.3 out of these datagrams; what else there is (STUN, SRTP) is passed over.
pub(crate) fn read(datagrams: &[Datagram<'_>], key_log: &KeyLog) -> Found {
    let mut reader =
        Reader { key_log, hello: None, keys: BTreeMap::new(), next: BTreeMap::new(), found: Found::default() };
    datagrams.iter().for_each(|datagram| reader.read(datagram));
    reader.found
}

struct Reader<'a> {
    key_log: &'a KeyLog,
    /// The client, and ClientHello.random.
    hello: Option<(SocketAddr, Vec<u8>)>,
    keys: BTreeMap<(Sender, u64), Keys>,
    /// The number of the next record, by sender and epoch.
    next: BTreeMap<(Sender, u64), u64>,
    found: Found,
}

impl Reader<'_> {
    fn read(&mut self, datagram: &Datagram<'_>) {
        let mut rest = datagram.payload;
        while let Some(first) = rest.first() {
            rest = match first {
                20..32 => self.read_plaintext(datagram.from, rest),
                32..64 => self.read_ciphertext(datagram.from, rest),
                _ => return,
            };
        }
    }

    /// RFC 9147 §4: DTLSPlaintext. The hellos tell whose secrets are needed, and for which ciphers.
    fn read_plaintext<'b>(&mut self, from: SocketAddr, record: &'b [u8]) -> &'b [u8] {
        let (record, rest) = record.split_at(HEADER_LEN + usize::from(be16(record, 11)));
        let message = &record[HEADER_LEN..];
        // The first fragment has what is wanted: type, length, number, offset, length of the fragment.
        if record[0] != HANDSHAKE || message[6..9] != [0; 3] {
            return rest;
        }
        let body = &message[12..];
        match message[0] {
            CLIENT_HELLO => self.hello = Some((from, body[2..34].to_vec())),
            SERVER_HELLO => self.found.suite = Suite::from_wire(be16(body, 35 + usize::from(body[34]))),
            _ => {}
        }
        rest
    }

    /// RFC 9147 §4: DTLSCiphertext, with the unified header 0b001CSLEE.
    fn read_ciphertext<'b>(&mut self, from: SocketAddr, record: &'b [u8]) -> &'b [u8] {
        let flags = record[0];
        assert_eq!(flags & 0x10, 0, "a connection id was not negotiated");
        let number_len = if flags & 0x08 == 0 { 1 } else { 2 };
        let has_len = flags & 0x04 != 0;
        let header_len = 1 + number_len + if has_len { 2 } else { 0 };
        let len = if has_len { usize::from(be16(record, 1 + number_len)) } else { record.len() - header_len };
        let (record, rest) = record.split_at(header_len + len);
        match self.open(from, record, header_len, number_len) {
            Some((sender, APPLICATION_DATA, content)) => self.found.data.push((sender, content)),
            Some(_) => self.found.others += 1,
            None => self.found.closed += 1,
        }
        rest
    }

    /// Who has sent it, its type, and what is in it.
    fn open(
        &mut self,
        from: SocketAddr,
        record: &[u8],
        header_len: usize,
        number_len: usize,
    ) -> Option<(Sender, u8, Vec<u8>)> {
        let (client, _) = self.hello.as_ref()?;
        let sender = if from == *client { Sender::Client } else { Sender::Server };
        let (header, ciphertext) = record.split_at(header_len);
        let sample = ciphertext.get(..16)?.try_into().ok()?;
        // Two bits of the epoch are told: it is the last one seen, one before, or one of the next.
        let last = self.next.keys().filter(|(of, _)| *of == sender).map(|(_, epoch)| *epoch).max().unwrap_or(2);
        for epoch in (last.saturating_sub(1)..last + 3).filter(|epoch| (epoch & 3) as u8 == header[0] & 3) {
            let Some(keys) = self.keys(sender, epoch) else { continue };
            let mut header = header.to_vec();
            let number = &mut header[1..=number_len];
            number.iter_mut().zip(keys.mask(sample)).for_each(|(byte, mask)| *byte ^= mask);
            let low = number.iter().fold(0, |low, byte| low << 8 | u64::from(*byte));
            let next = self.next.get(&(sender, epoch)).copied().unwrap_or(0);
            let number = nearest(next, low, 8 * number_len as u32);
            let Some(mut content) = self.keys(sender, epoch)?.open(number, &header, ciphertext) else { continue };
            self.next.insert((sender, epoch), next.max(number + 1));
            // RFC 8446 §5.2: behind the content its type, and zeros.
            content.truncate(content.iter().rposition(|byte| *byte != 0)? + 1);
            let content_type = content.pop()?;
            return Some((sender, content_type, content));
        }
        None
    }

    fn keys(&mut self, sender: Sender, epoch: u64) -> Option<&Keys> {
        let (suite, (_, random)) = (self.found.suite?, self.hello.as_ref()?);
        match self.keys.entry((sender, epoch)) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(vacant) => {
                let secret = self.key_log.secret(random, suite, sender, epoch)?;
                Some(vacant.insert(suite.keys(&secret)))
            }
        }
    }
}

/// The number with these low bits that is nearest to what is expected (RFC 9147 §4.2.2).
fn nearest(expected: u64, low: u64, bits: u32) -> u64 {
    let period = 1 << bits;
    let number = expected / period * period + low;
    let others = [number.checked_sub(period), number.checked_add(period)].into_iter().flatten();
    others.chain([number]).min_by_key(|number| number.abs_diff(expected)).unwrap_or(number)
}

#[test]
fn the_nearest_number_is_taken() {
    assert_eq!([nearest(0, 0, 8), nearest(5, 3, 8), nearest(255, 1, 8), nearest(257, 254, 8)], [0, 3, 257, 254]);
    assert_eq!(nearest(0x2_0001, 0xFFFE, 16), 0x1_FFFE);
}
