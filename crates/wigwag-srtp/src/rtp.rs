//! RTP packets (RFC 3711 §3.1–3.3, RFC 7714 §8, RFC 9335).

use crate::context::{Refused, SOURCES_MAX};
use crate::cryptex::{self, EXTENSION_HEADER_LEN, Layout};
use crate::crypto::{Cipher, Portions, Position, Trailer};
use crate::index::{self, Replay, ReplayList};
use crate::{Cryptex, Error};
use std::collections::BTreeMap;

/// How many sent packets of a source may be sealed again.
const SENT_LEN: u64 = 1024;

/// Seals packets.
pub(crate) struct Sealer {
    cipher: Cipher,
    sources: BTreeMap<u32, Sent>,
}

/// What was sealed of one source. It is never forgotten, or its indices could be used again.
struct Sent {
    highest: u64,
    /// For index `n` at `n % SENT_LEN`: the index, and the beginning of the tag it was sealed with.
    tags: Box<[Option<(u64, u64)>]>,
}

impl Sent {
    fn new() -> Self {
        Self { highest: 0, tags: vec![None; SENT_LEN as usize].into_boxed_slice() }
    }

    fn slot(&mut self, index: u64) -> Option<&mut Option<(u64, u64)>> {
        self.tags.get_mut((index % SENT_LEN) as usize)
    }
}

impl Sealer {
    pub(crate) const fn new(cipher: Cipher) -> Self {
        Self { cipher, sources: BTreeMap::new() }
    }

    /// Seals the packet that lies from `start` on. Whether its CSRCs and extensions were encrypted, too.
    pub(crate) fn seal(&mut self, cryptex: Cryptex, out: &mut Vec<u8>, start: usize) -> Result<bool, Refused> {
        let packet = out.get(start..).ok_or(Refused::Malformed)?;
        let mut header = Header::parse(packet).ok_or(Refused::Malformed)?;
        let is_cryptex = cryptex.seals(&header)?;
        if is_cryptex {
            cryptex::mark(out, start, &mut header).ok_or(Refused::Malformed)?;
        }
        if !self.sources.contains_key(&header.ssrc) && self.sources.len() >= SOURCES_MAX {
            return Err(Refused::TooManySources);
        }
        let sent = self.sources.entry(header.ssrc).or_insert_with(Sent::new);
        let index = index::estimate(sent.highest, header.sequence).ok_or(Refused::Exhausted)?;
        if sent.highest.saturating_sub(index) >= SENT_LEN {
            return Err(Refused::Reused);
        }
        let packet = out.get_mut(start..).ok_or(Refused::Malformed)?;
        let seal = |portions: Portions<'_>| self.cipher.seal(header.position(index), portions, rollover_counter(index));
        let tag = Layout::new(&header, is_cryptex).apply(packet, seal).flatten().ok_or(Refused::Malformed)?;
        // RFC 3711 §9.1: two packets under one keystream tell each other's contents. The tag is a function of the bytes:
        // the same tag is the same packet, sent again.
        let slot = sent.slot(index).ok_or(Refused::Malformed)?;
        match slot {
            Some((sealed, fingerprint)) if *sealed == index && *fingerprint != tag.fingerprint() => {
                return Err(Refused::Reused);
            }
            _ => *slot = Some((index, tag.fingerprint())),
        }
        sent.highest = sent.highest.max(index);
        out.extend_from_slice(tag.as_bytes());
        Ok(is_cryptex)
    }
}

/// A packet that was opened.
pub(crate) struct Opened {
    /// So many of its bytes are the packet.
    pub(crate) len: usize,
    /// Whether its CSRCs and extensions were encrypted, too.
    pub(crate) is_cryptex: bool,
}

/// Opens packets.
pub(crate) struct Opener {
    cipher: Cipher,
    tag_len: usize,
    sources: BTreeMap<u32, ReplayList>,
}

impl Opener {
    pub(crate) const fn new(cipher: Cipher, tag_len: usize) -> Self {
        Self { cipher, tag_len, sources: BTreeMap::new() }
    }

    /// Opens a packet where it lies.
    pub(crate) fn open(&mut self, cryptex: Cryptex, packet: &mut [u8]) -> Result<Opened, Error> {
        let len = packet.len().checked_sub(self.tag_len).ok_or(Error::Malformed)?;
        let (packet, tag) = packet.split_at_mut_checked(len).ok_or(Error::Malformed)?;
        let header = Header::parse(packet).ok_or(Error::Malformed)?;
        let is_cryptex = cryptex.opens(&header)?;
        let layout = Layout::new(&header, is_cryptex);
        let mut open = |index| {
            let open = |portions: Portions<'_>| {
                self.cipher.open(header.position(index), portions, rollover_counter(index), tag)
            };
            layout.apply(packet, open)?.then_some(index)
        };
        if let Some(list) = self.sources.get_mut(&header.ssrc) {
            let index = index::estimate(list.highest(), header.sequence).ok_or(Error::TooOld)?;
            match list.check(index) {
                Replay::Fresh => {}
                Replay::Duplicate => return Err(Error::Replayed),
                Replay::TooOld => return Err(Error::TooOld),
            }
            open(index).ok_or(Error::Unauthentic)?;
            list.accept(index);
        } else {
            // Before it is opened: what is refused is left as it was, and costs nothing.
            if self.sources.len() >= SOURCES_MAX {
                return Err(Error::TooManySources);
            }
            let index = first_indices(header.sequence).find_map(&mut open).ok_or(Error::Unauthentic)?;
            self.sources.insert(header.ssrc, ReplayList::new(index));
        }
        if is_cryptex {
            cryptex::unmark(packet, &header);
        }
        Ok(Opened { len, is_cryptex })
    }
}

/// What the first packet of a source may be: the sender started with a rollover counter of 0, but if it started shortly
/// before the sequence number wraps around (RFC 3711 §3.3.1 does not forbid it) and those packets were lost, it is at 1.
fn first_indices(sequence: u16) -> impl Iterator<Item = u64> {
    let first = u64::from(sequence);
    std::iter::once(first).chain((sequence < 1 << 15).then_some(1 << 16 | first))
}

/// The ROC of an index of 48 bits.
const fn rollover_counter(index: u64) -> Trailer {
    Trailer::RolloverCounter((index >> 16) as u32)
}

/// The part of a header that each packet has.
pub(crate) const FIXED_LEN: usize = 12;

/// What SRTP must know of an RTP header.
pub(crate) struct Header {
    pub(crate) len: usize,
    pub(crate) csrcs_len: usize,
    /// "Defined by profile": what is before the length of the extension, if there is one.
    pub(crate) extension: Option<u16>,
    sequence: u16,
    ssrc: u32,
}

impl Header {
    /// The bit of the first byte that says that there is an extension.
    pub(crate) const EXTENSION: u8 = 0x10;

    /// `None` if this is not version 2, or the header does not end within the packet (RFC 3550 §5.1, §5.3.1).
    fn parse(packet: &[u8]) -> Option<Self> {
        let [first, _, s0, s1, _, _, _, _, ssrc @ ..] = packet.first_chunk::<FIXED_LEN>()?;
        if first >> 6 != 2 {
            return None;
        }
        let csrcs_len = 4 * usize::from(first & 0x0f);
        let mut len = FIXED_LEN + csrcs_len;
        let mut extension = None;
        if first & Self::EXTENSION != 0 {
            let [t0, t1, l0, l1] = packet.get(len..)?.first_chunk()?;
            extension = Some(u16::from_be_bytes([*t0, *t1]));
            len += EXTENSION_HEADER_LEN + 4 * usize::from(u16::from_be_bytes([*l0, *l1]));
        }
        (len <= packet.len()).then_some(Self {
            len,
            csrcs_len,
            extension,
            sequence: u16::from_be_bytes([*s0, *s1]),
            ssrc: u32::from_be_bytes(*ssrc),
        })
    }

    /// Where CSRCs end, and an extension begins.
    pub(crate) const fn csrcs_end(&self) -> usize {
        FIXED_LEN + self.csrcs_len
    }

    const fn position(&self, index: u64) -> Position {
        Position { ssrc: self.ssrc, index }
    }
}
