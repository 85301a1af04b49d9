//! ChannelData: four bytes in front of a datagram (RFC 8656 §12.4).
//!
//! ```
//! use wigwag_turn::channel_data;
//!
//! let mut message = channel_data::header(0x4001, 5).to_vec();
//! message.extend_from_slice(b"hello");
//! assert_eq!(channel_data::decode(&message), Some((0x4001, 4..9)));
//! ```

use std::ops::Range;

/// The length of what stands before the data, in bytes.
pub const HEADER_LEN: usize = 4;

/// The numbers that channels have. RFC 8656 §12: "The channel number is in the range 0x4000 through 0x4FFF (inclusive)".
pub const NUMBERS: std::ops::RangeInclusive<u16> = 0x4000..=0x4FFF;

/// Whether the first byte is that of ChannelData among other protocols (RFC 7983 §7).
pub const fn is_likely(payload: &[u8]) -> bool {
    matches!(payload, [64..=79, ..])
}

/// What stands before `len` bytes of data.
pub const fn header(number: u16, len: u16) -> [u8; HEADER_LEN] {
    let ([a, b], [c, d]) = (number.to_be_bytes(), len.to_be_bytes());
    [a, b, c, d]
}

/// Reads a whole datagram: the channel, and where the data lies. `None` if the number is no channel's or data is missing.
pub fn decode(payload: &[u8]) -> Option<(u16, Range<usize>)> {
    let ([a, b, c, d], rest) = payload.split_first_chunk()?;
    let (number, len) = (u16::from_be_bytes([*a, *b]), usize::from(u16::from_be_bytes([*c, *d])));
    // RFC 8656 §12.5: "Over UDP, the padding is not required but MAY be included." What is behind the data is passed over.
    let is_whole = NUMBERS.contains(&number) && len <= rest.len();
    is_whole.then(|| (number, HEADER_LEN..HEADER_LEN.saturating_add(len)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_no_channels_is_not_read() {
        for (number, is_channel) in [(0x3FFF, false), (0x4000, true), (0x4FFF, true), (0x5000, false), (0xFFFF, false)]
        {
            assert_eq!(decode(&header(number, 0)).is_some(), is_channel, "{number:#x}");
        }
    }

    #[test]
    fn data_is_as_long_as_its_header_says() {
        let message = |len: u16, bytes: usize| [header(0x4000, len).as_slice(), &vec![7; bytes]].concat();
        assert_eq!(decode(&message(5, 5)), Some((0x4000, 4..9)));
        assert_eq!(decode(&message(5, 8)), Some((0x4000, 4..9)), "with padding");
        for (len, bytes) in [(5, 4), (1, 0), (0xFFFC, 0xFFFB), (0xFFFF, 0xFFFC)] {
            assert_eq!(decode(&message(len, bytes)), None, "{len} of {bytes}");
        }
        assert_eq!(decode(&message(0xFFFF, 0xFFFF)), Some((0x4000, 4..0x1_0003)));
        assert_eq!([decode(&[]), decode(&[0x40, 0, 0])], [None, None]);
    }
}
