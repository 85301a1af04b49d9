//! Messages in a stream (RFC 8656 §3.1, §12.5): STUN and ChannelData, each as long as its header says.
//!
//! ```
//! use wigwag_turn::{channel_data, framing::Cutter};
//!
//! let mut bytes = channel_data::header(0x4001, 5).to_vec();
//! bytes.extend_from_slice(b"hello\0\0\0"); // over a stream it is padded
//! let (mut cutter, mut found) = (Cutter::default(), Vec::new());
//! for piece in bytes.chunks_mut(3) {
//!     cutter.read(piece, |message| found.push(message.to_vec()))?;
//! }
//! assert_eq!(found, [b"\x40\x01\x00\x05hello"]);
//! # Ok::<(), wigwag_turn::framing::OutOfSync>(())
//! ```

use crate::channel_data;

/// The length of STUN's header, in bytes.
const STUN_HEADER_LEN: usize = 20;
/// RFC 8489 §5: what stands in every STUN message, after its type and length.
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// The type and the length, with which both kinds of messages begin.
const PREFIX_LEN: usize = 4;
/// What was needed for a long message is given back after it; most are shorter than a packet.
const KEPT_MAX: usize = 4096;

/// The bytes are no messages, and nobody knows where the next one begins: the stream is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream holds something else than STUN and ChannelData")]
pub struct OutOfSync;

/// Cuts a stream into messages, however its bytes come.
///
/// It holds the beginning of one message at most: 65,552 bytes, of which each has come.
#[derive(Debug, Default)]
pub struct Cutter {
    held: Vec<u8>,
    is_broken: bool,
}

/// How long a message is, and what it takes of the stream.
struct Extent {
    len: usize,
    padded_len: usize,
}

impl Cutter {
    /// The next bytes of the stream. Each message that is whole by now is given to `each`, without padding; it lies where the bytes
    /// lie if all of it came at once.
    ///
    /// # Errors
    /// [`OutOfSync`] as soon as a byte is none of a message's, and ever after. The messages before it were given.
    pub fn read(&mut self, bytes: &mut [u8], mut each: impl FnMut(&mut [u8])) -> Result<(), OutOfSync> {
        let result = if self.is_broken { Err(OutOfSync) } else { self.cut(bytes, &mut each) };
        if result.is_err() {
            *self = Self { held: Vec::new(), is_broken: true };
        }
        result
    }

    /// How many bytes it holds.
    pub const fn held_len(&self) -> usize {
        self.held.len()
    }

    fn cut(&mut self, bytes: &mut [u8], each: &mut impl FnMut(&mut [u8])) -> Result<(), OutOfSync> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let is_between = self.held.is_empty();
            let whole = if is_between { extent(rest)?.filter(|whole| whole.padded_len <= rest.len()) } else { None };
            let taken = match &whole {
                Some(whole) => whole.padded_len,
                None => self.wanted_len()?.min(rest.len()),
            };
            let Some((piece, behind)) = std::mem::take(&mut rest).split_at_mut_checked(taken) else { break };
            rest = behind;
            match whole {
                Some(whole) => each(piece.get_mut(..whole.len).unwrap_or_default()),
                None => self.gather(piece, each)?,
            }
        }
        Ok(())
    }

    /// How many bytes more are to be held, as far as that is known.
    fn wanted_len(&self) -> Result<usize, OutOfSync> {
        let goal = extent(&self.held)?.map_or(PREFIX_LEN, |extent| extent.padded_len);
        Ok(goal.saturating_sub(self.held.len()))
    }

    /// Holds some bytes more of a message, which may be whole then.
    fn gather(&mut self, piece: &[u8], each: &mut impl FnMut(&mut [u8])) -> Result<(), OutOfSync> {
        self.held.extend_from_slice(piece);
        if let Some(extent) = extent(&self.held)?.filter(|extent| extent.padded_len <= self.held.len()) {
            each(self.held.get_mut(..extent.len).unwrap_or_default());
            self.held.clear();
            if self.held.capacity() > KEPT_MAX {
                self.held = Vec::new();
            }
        }
        Ok(())
    }
}

/// How long the message is that begins here; `None` if that cannot be told yet.
fn extent(bytes: &[u8]) -> Result<Option<Extent>, OutOfSync> {
    // RFC 8489 §5: the first two bits of STUN are zero. Nothing else that RFC 7983 tells apart comes from a TURN server.
    let is_stun = match bytes.first() {
        None => return Ok(None),
        Some(0..=63) => true,
        Some(_) if channel_data::is_likely(bytes) => false,
        Some(_) => return Err(OutOfSync),
    };
    let Some([_, _, high, low]) = bytes.first_chunk::<PREFIX_LEN>() else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    if !is_stun {
        // RFC 8656 §12.5: "Over TCP and TLS-over-TCP, the ChannelData message MUST be padded to a multiple of four bytes in order to
        // ensure the alignment of subsequent messages." "The padding is not reflected in the length field".
        let len = len.saturating_add(channel_data::HEADER_LEN);
        return Ok(Some(Extent { len, padded_len: len.next_multiple_of(4) }));
    }
    // RFC 8489 §5: "Since all STUN attributes are padded to a multiple of 4 bytes, the last 2 bits of this field are always zero."
    let has_cookie = bytes.iter().skip(PREFIX_LEN).zip(MAGIC_COOKIE).all(|(found, wanted)| *found == wanted);
    if !has_cookie || len & 3 != 0 {
        return Err(OutOfSync);
    }
    let len = len.saturating_add(STUN_HEADER_LEN);
    Ok(Some(Extent { len, padded_len: len }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stun(len: u16) -> Vec<u8> {
        let [high, low] = len.to_be_bytes();
        let mut message = vec![0x01, 0x03, high, low];
        message.extend_from_slice(&MAGIC_COOKIE);
        message.resize(20 + usize::from(len), 9);
        message
    }

    fn data(number: u16, len: u16) -> Vec<u8> {
        let mut message = channel_data::header(number, len).to_vec();
        message.resize(4 + usize::from(len), 7);
        message
    }

    fn padded(mut message: Vec<u8>) -> Vec<u8> {
        message.resize(message.len().next_multiple_of(4), 0xEE);
        message
    }

    /// What is found if the bytes come in pieces of these lengths.
    fn read(bytes: &[u8], mut lens: impl Iterator<Item = usize>) -> (Vec<Vec<u8>>, Result<(), OutOfSync>) {
        let (mut cutter, mut found, mut bytes) = (Cutter::default(), Vec::new(), bytes.to_vec());
        let mut rest = bytes.as_mut_slice();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at_mut(lens.next().unwrap_or(1).clamp(1, rest.len()));
            if let Err(error) = cutter.read(piece, |message| found.push(message.to_vec())) {
                assert_eq!((cutter.held_len(), cutter.read(&mut [0, 1], |_| panic!("broken"))), (0, Err(error)));
                return (found, Err(error));
            }
            assert!(cutter.held_len() <= 65_552);
            rest = behind;
        }
        (found, Ok(()))
    }

    #[test]
    fn messages_are_found_wherever_the_stream_is_cut() {
        let messages = [stun(0), data(0x4000, 5), data(0x4FFF, 0), stun(8), data(0x4001, 3), data(0x4002, 4), stun(0)];
        let stream = messages.iter().cloned().flat_map(padded).collect::<Vec<_>>();
        for len in 1..=stream.len() {
            assert_eq!(read(&stream, std::iter::repeat(len)), (messages.to_vec(), Ok(())), "pieces of {len}");
        }
        for first in 0..stream.len() {
            assert_eq!(read(&stream, [first, stream.len()].into_iter()), (messages.to_vec(), Ok(())), "cut at {first}");
        }
    }

    #[test]
    fn the_longest_messages_are_found_and_what_held_them_is_given_back() {
        let messages = [stun(0xFFFC), data(0x4000, 0xFFFF), data(0x4000, 1)];
        let stream = messages.iter().cloned().flat_map(padded).collect::<Vec<_>>();
        assert_eq!(read(&stream, std::iter::repeat(1400)), (messages.to_vec(), Ok(())));
        let mut cutter = Cutter::default();
        stream.clone().chunks_mut(1400).for_each(|piece| cutter.read(piece, |_| {}).unwrap());
        assert!(cutter.held_len() == 0 && cutter.held.capacity() <= KEPT_MAX);
    }

    /// A length that is a lie makes it wait, and hold nothing that has not come.
    #[test]
    fn a_message_that_never_ends_costs_what_has_come_of_it() {
        for begin in [stun(0xFFFC), data(0x4000, 0xFFFF)] {
            let mut cutter = Cutter::default();
            for byte in &begin[..begin.len() - 1] {
                cutter.read(&mut [*byte], |_| panic!("it is not whole")).unwrap();
            }
            assert_eq!(cutter.held_len(), begin.len() - 1);
            assert!(cutter.held.capacity() <= 2 * 65_552);
        }
    }

    #[test]
    fn what_is_no_message_breaks_the_stream_as_soon_as_it_shows() {
        let mut wrong_cookie = stun(4);
        wrong_cookie[5] ^= 1;
        let hello = b"HTTP/1.1 400 Bad Request\r\n".to_vec();
        for (bytes, seen_at) in [
            (vec![0x50], 1),
            (vec![0x80, 0, 0, 0], 1),
            (vec![0xFF; 10], 1),
            (vec![0x16, 3, 1, 0, 200, 1], 5), // TLS, of which the third byte of the cookie is none
            (stun(0).into_iter().enumerate().map(|(n, byte)| if n == 3 { 2 } else { byte }).collect(), 4),
            (wrong_cookie, 6),
            (hello, 5), // "HTTP" is a channel's number and a length of 21,584; so it is known by what is behind that alone
        ] {
            let before = [padded(data(0x4000, 1)), stun(0)].concat();
            let stream = [before.clone(), bytes.clone()].concat();
            let (found, result) = read(&stream, std::iter::repeat(1));
            assert_eq!(found.len(), 2, "what is before it is given");
            let is_data = bytes.first().is_some_and(|first| (64..=79).contains(first));
            assert_eq!(result.is_err(), !is_data, "{bytes:?}");
            let until = before.len() + seen_at - 1;
            assert_eq!(read(&stream[..until], std::iter::repeat(1)).1, Ok(()), "{bytes:?}");
            assert_eq!(read(&stream[..=until], std::iter::repeat(1)).1.is_err(), !is_data, "{bytes:?}");
        }
    }

    proptest! {
        /// However it is cut, the same is found.
        #[test]
        fn any_bytes_are_cut_alike(
            bytes in proptest::collection::vec(prop_oneof![Just(0u8), Just(0x40), Just(1), Just(4), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(1usize..20, 0..60),
        ) {
            let whole = read(&bytes, std::iter::once(bytes.len()));
            prop_assert_eq!(&read(&bytes, cuts.into_iter()), &whole);
            prop_assert_eq!(&read(&bytes, std::iter::repeat(1)), &whole);
        }

        #[test]
        fn messages_go_round(lens in proptest::collection::vec((any::<bool>(), 0u16..300), 0..20), cut in 1usize..100) {
            let messages: Vec<_> =
                lens.iter().map(|(is_stun, len)| if *is_stun { stun(len & !3) } else { data(0x4000, *len) }).collect();
            let stream = messages.iter().cloned().flat_map(padded).collect::<Vec<_>>();
            prop_assert_eq!(read(&stream, std::iter::repeat(cut)), (messages, Ok(())));
        }
    }
}
