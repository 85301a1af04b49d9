//! Packets in a stream (RFC 4571): two bytes say how long each is.
//!
//! ```text
//!   0                   1                   2
//!   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 …
//!  ├───────────────┴───────────────┼───────────…
//!  │            LENGTH             │  packet
//! ```

/// What stands before each packet, in bytes.
pub const HEADER_LEN: usize = 2;
/// The longest packet, in bytes.
pub const FRAME_LEN_MAX: usize = u16::MAX as usize;

/// Appends the packet that `append` appends, of at most `limit` bytes with its frame, or nothing: the same is returned.
///
/// A packet of more than 65,535 bytes has no frame, and is taken back.
pub fn frame(limit: usize, out: &mut Vec<u8>, append: impl FnOnce(usize, &mut Vec<u8>) -> bool) -> bool {
    let start = out.len();
    let Some(limit) = limit.checked_sub(HEADER_LEN) else { return false };
    out.extend_from_slice(&[0; HEADER_LEN]);
    let is_written = append(limit.min(FRAME_LEN_MAX), out);
    let len = out.len().saturating_sub(start).saturating_sub(HEADER_LEN);
    match (is_written, u16::try_from(len), out.get_mut(start..)) {
        (true, Ok(len), Some([high, low, ..])) => {
            [*high, *low] = len.to_be_bytes();
            true
        }
        _ => {
            out.truncate(start);
            false
        }
    }
}

/// Finds the packets in a stream, whose bytes come cut anywhere.
///
/// What is not whole yet is kept: at most as much as its length says, of what has come.
#[derive(Debug, Default)]
pub struct Deframer {
    /// A frame that has begun.
    partial: Vec<u8>,
}

impl Deframer {
    /// Hands each packet of these next bytes to `each`, where it lies if it is whole there; empty ones say nothing, and are left out.
    /// `false` if a packet is longer than `len_max`, in bytes, with which the stream makes no sense any more.
    pub fn read(&mut self, mut bytes: &mut [u8], len_max: usize, mut each: impl FnMut(&mut [u8])) -> bool {
        while !bytes.is_empty() {
            if self.partial.is_empty()
                && let Some(len) = length(bytes)
                && let Some(whole) = HEADER_LEN.checked_add(len).filter(|whole| *whole <= bytes.len())
            {
                if len > len_max {
                    return false;
                }
                let (frame, rest) = bytes.split_at_mut(whole);
                hand_on(frame, &mut each);
                bytes = rest;
                continue;
            }
            let taken = self.missing().min(bytes.len());
            let (more, rest) = bytes.split_at_mut(taken);
            self.partial.extend_from_slice(more);
            bytes = rest;
            if length(&self.partial).is_some_and(|len| len > len_max) {
                return false;
            }
            if self.missing() == 0 {
                let mut frame = std::mem::take(&mut self.partial);
                hand_on(&mut frame, &mut each);
                frame.clear();
                self.partial = frame; // its room is used again
            }
        }
        true
    }

    /// How much is kept of a packet that is not whole, in bytes.
    pub fn kept(&self) -> usize {
        self.partial.len()
    }

    /// How many bytes the frame that has begun still needs: of one that has not, its length.
    fn missing(&self) -> usize {
        let whole = length(&self.partial).map_or(HEADER_LEN, |len| HEADER_LEN.saturating_add(len));
        whole.saturating_sub(self.partial.len())
    }
}

fn length(bytes: &[u8]) -> Option<usize> {
    let (head, _) = bytes.split_first_chunk::<HEADER_LEN>()?;
    Some(usize::from(u16::from_be_bytes(*head)))
}

fn hand_on(frame: &mut [u8], each: &mut impl FnMut(&mut [u8])) {
    if let Some(packet) = frame.get_mut(HEADER_LEN..).filter(|packet| !packet.is_empty()) {
        each(packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(deframer: &mut Deframer, bytes: &[u8], packets: &mut Vec<Vec<u8>>) -> bool {
        deframer.read(&mut bytes.to_vec(), FRAME_LEN_MAX, |packet| packets.push(packet.to_vec()))
    }

    /// RFC 4571 §2, written by hand.
    const STREAM: [u8; 14] = [0, 3, 1, 2, 3, 0, 0, 0, 1, 9, 0, 2, 7, 8];

    #[test]
    fn packets_are_the_same_however_the_stream_is_cut() {
        for first in 0..STREAM.len() {
            for second in first..STREAM.len() {
                let (mut deframer, mut packets) = (Deframer::default(), vec![]);
                for part in [&STREAM[..first], &STREAM[first..second], &STREAM[second..]] {
                    assert!(read(&mut deframer, part, &mut packets));
                }
                assert_eq!(packets, [vec![1, 2, 3], vec![9], vec![7, 8]], "cut at {first} and {second}");
                assert_eq!(deframer.kept(), 0);
            }
        }
    }

    #[test]
    fn what_is_too_long_ends_it_as_soon_as_its_length_is_known() {
        for cut in [1, 2, 3, 7] {
            let (mut deframer, mut bytes) = (Deframer::default(), [0, 5, 1, 2, 3, 4, 5]);
            let (a, b) = bytes.split_at_mut(cut);
            let is_fine = deframer.read(a, 4, |_| panic!("it is too long")) && deframer.read(b, 4, |_| panic!("too"));
            assert!(!is_fine, "{cut}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_does_not_fit_leaves_no_trace() {
        let mut out = vec![5];
        let write = |packet: &'static [u8]| {
            move |limit: usize, out: &mut Vec<u8>| {
                out.extend_from_slice(packet);
                packet.len() <= limit
            }
        };
        assert!(frame(5, &mut out, write(&[1, 2, 3])));
        assert!(!frame(4, &mut out, write(&[1, 2, 3])) && !frame(1, &mut out, write(&[])));
        assert_eq!(out, [5, 0, 3, 1, 2, 3]);
        assert!(!frame(usize::MAX, &mut out, |_, out| {
            out.resize(100_000, 0);
            true
        }));
        assert_eq!(out, [5, 0, 3, 1, 2, 3]);
    }
}
