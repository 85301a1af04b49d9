//! Transport-wide feedback: which packets arrived, and when (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).

use super::{HEADER_LEN, TRANSPORT_FEEDBACK, write_header};
use crate::DecodeError;
use crate::read::Reader;

pub(super) const FORMAT: u8 = 15;

/// A message that says more is refused: nobody sends as much in the time between two, and each takes time to go through.
pub(crate) const COUNT_MAX: u16 = 8192;
/// Of a run length.
const RUN_MAX: usize = 0x1fff;

/// Deltas count these.
pub(crate) const TICK_MICROS: i64 = 250;
/// The reference time counts these.
pub(crate) const REFERENCE_MICROS: i64 = 64_000;

/// Which packets arrived, and when.
#[derive(Clone, Copy, Debug)]
pub struct TransportFeedback<'a> {
    /// Who received them.
    pub sender_ssrc: u32,
    /// The number of the first packet spoken of.
    pub base: u16,
    /// How many packets are spoken of.
    pub count: u16,
    /// In 64 ms, 24 bits, by the receiver's clock.
    pub reference_time: u32,
    /// Counts the messages.
    pub feedback_count: u8,
    chunks: Reader<'a>,
    deltas: Reader<'a>,
}

/// What is said of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its transport-wide sequence number.
    pub sequence: u16,
    /// In 250 µs after the reference time; `None`: it did not arrive.
    pub ticks: Option<i64>,
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn parse(mut body: Reader<'a>) -> Result<Self, DecodeError> {
        let (sender_ssrc, _media_ssrc) = (body.u32()?, body.u32()?);
        let (base, count, reference_time, feedback_count) = (body.u16()?, body.u16()?, body.u24()?, body.u8()?);
        if count == 0 || count > COUNT_MAX {
            return Err(DecodeError::Malformed("transport-wide feedback"));
        }
        // Where the deltas begin is known only after the chunks.
        let chunks = body;
        let (mut covered, mut deltas_len) = (0, 0);
        while covered < usize::from(count) {
            let chunk = Chunk(body.u16()?);
            let len = chunk.len().min(usize::from(count).saturating_sub(covered));
            deltas_len += chunk.deltas_len(len);
            covered += len;
        }
        let deltas = Reader(body.take(deltas_len)?);
        Ok(Self { sender_ssrc, base, count, reference_time, feedback_count, chunks, deltas })
    }

    /// What is said of each packet, in order.
    pub fn arrivals(&self) -> impl Iterator<Item = Arrival> + use<'a> {
        let (mut chunks, mut deltas) = (self.chunks, self.deltas);
        let (base, mut ticks) = (self.base, 0i64);
        let (mut chunk, mut at) = (Chunk(0), 0);
        (0..self.count).map_while(move |n| {
            while at >= chunk.len() {
                (chunk, at) = (Chunk(chunks.u16().ok()?), 0);
            }
            let symbol = chunk.symbol(at);
            at += 1;
            let delta = match symbol {
                Symbol::Missing => None,
                Symbol::Small => Some(i64::from(deltas.u8().ok()?)),
                Symbol::Large => Some(i64::from(deltas.u16().ok()? as i16)),
            };
            ticks += delta.unwrap_or(0);
            Some(Arrival { sequence: base.wrapping_add(n), ticks: delta.map(|_| ticks) })
        })
    }
}

/// What a chunk says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    /// Also of the reserved value: nothing can be said of it.
    Missing,
    Small,
    Large,
}

impl Symbol {
    const fn from_bits(bits: u16) -> Self {
        match bits & 3 {
            1 => Self::Small,
            2 => Self::Large,
            _ => Self::Missing,
        }
    }

    const fn bits(self) -> u16 {
        match self {
            Self::Missing => 0,
            Self::Small => 1,
            Self::Large => 2,
        }
    }

    const fn delta_len(self) -> usize {
        self.bits() as usize
    }

    const fn of(delta: Option<i16>) -> Self {
        match delta {
            None => Self::Missing,
            Some(0..=255) => Self::Small,
            Some(_) => Self::Large,
        }
    }
}

/// A run of one symbol, or 14 of one bit, or 7 of two bits.
#[derive(Clone, Copy, Debug)]
struct Chunk(u16);

impl Chunk {
    const fn len(self) -> usize {
        match self.0 >> 14 {
            0 | 1 => self.0 as usize & RUN_MAX,
            2 => 14,
            _ => 7,
        }
    }

    const fn symbol(self, n: usize) -> Symbol {
        match self.0 >> 14 {
            0 | 1 => Symbol::from_bits(self.0 >> 13),
            2 => Symbol::from_bits(self.0 >> 13usize.saturating_sub(n) & 1),
            _ => Symbol::from_bits(self.0 >> (2 * 6usize.saturating_sub(n))),
        }
    }

    /// How long the deltas of the first `len` symbols are; of a run, without going through it.
    fn deltas_len(self, len: usize) -> usize {
        match self.0 >> 14 {
            0 | 1 => len * self.symbol(0).delta_len(),
            _ => (0..len).map(|n| self.symbol(n).delta_len()).sum(),
        }
    }

    const fn run(symbol: Symbol, len: usize) -> Self {
        Self(symbol.bits() << 13 | len as u16)
    }
}

/// Writes a message: first all chunks, then all deltas.
pub(crate) struct Writer {
    pub(crate) sender_ssrc: u32,
    pub(crate) media_ssrc: u32,
    pub(crate) base: u16,
    pub(crate) reference_time: u32,
    pub(crate) feedback_count: u8,
}

impl Writer {
    /// How many packets surely fit into `room` bytes: a delta takes two at most, a chunk says two of seven packets.
    pub(crate) const fn capacity(room: usize) -> usize {
        let Some(room) = room.checked_sub(HEADER_LEN + 16 + 2 + 3) else { return 0 };
        let fits = room * 7 / 16;
        if fits < COUNT_MAX as usize { fits } else { COUNT_MAX as usize }
    }

    /// Appends the message for packets that arrived so many ticks after the one before, or are missing.
    pub(crate) fn write(&self, deltas: impl Iterator<Item = Option<i16>> + Clone, out: &mut Vec<u8>) {
        let start = out.len();
        write_header(TRANSPORT_FEEDBACK, FORMAT, HEADER_LEN, out);
        out.extend_from_slice(&self.sender_ssrc.to_be_bytes());
        out.extend_from_slice(&self.media_ssrc.to_be_bytes());
        out.extend_from_slice(&self.base.to_be_bytes());
        let count = deltas.clone().count();
        debug_assert!(count <= usize::from(COUNT_MAX), "a message that everybody takes");
        out.extend_from_slice(&(count as u16).to_be_bytes());
        out.extend_from_slice(&(self.reference_time << 8 | u32::from(self.feedback_count)).to_be_bytes());
        write_chunks(deltas.clone().map(Symbol::of), out);
        for delta in deltas.flatten() {
            match u8::try_from(delta) {
                Ok(small) => out.push(small),
                Err(_) => out.extend_from_slice(&delta.to_be_bytes()),
            }
        }
        let len = (out.len() - start).next_multiple_of(4);
        out.resize(start + len, 0);
        if let Some(length) = out.get_mut(start + 2..start + 4) {
            length.copy_from_slice(&((len / 4 - 1) as u16).to_be_bytes());
        }
    }
}

/// Appends a run where seven or more are the same, else seven symbols of two bits.
fn write_chunks(mut symbols: impl Iterator<Item = Symbol> + Clone, out: &mut Vec<u8>) {
    while let Some(first) = symbols.clone().next() {
        let run = symbols.clone().take(RUN_MAX).take_while(|symbol| *symbol == first).count();
        let chunk = if run >= 7 {
            symbols.nth(run - 1);
            Chunk::run(first, run)
        } else {
            Chunk((0..7).fold(0b11 << 14, |chunk, n| chunk | symbols.next().map_or(0, Symbol::bits) << (2 * (6 - n))))
        };
        out.extend_from_slice(&chunk.0.to_be_bytes());
    }
}
