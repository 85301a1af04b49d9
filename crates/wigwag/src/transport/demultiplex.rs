//! What a packet is, by its first bytes (RFC 7983 §7, RFC 5761 §4).

/// The protocol a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Stun,
    Dtls,
    Rtp,
    Rtcp,
    Unknown,
}

pub(crate) fn kind(packet: &[u8]) -> Kind {
    // RFC 7983 §7: "[0..3] -+--> forward to STUN … [20..63] -+--> forward to DTLS … [128..191] -+--> forward to RTP/RTCP"
    match (packet.first(), packet.get(1)) {
        (Some(0..=3), _) => Kind::Stun,
        (Some(20..=63), _) => Kind::Dtls,
        // RFC 5761 §4: RTP payload types in the range 64–95 "MUST NOT be used", for these are RTCP's packet types.
        (Some(128..=191), Some(192..=223)) => Kind::Rtcp,
        (Some(128..=191), Some(_)) => Kind::Rtp,
        _ => Kind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_decides_and_the_second_tells_rtcp_from_rtp() {
        for first in 0..=255u8 {
            let expected = match first {
                0..=3 => Kind::Stun,
                20..=63 => Kind::Dtls,
                128..=191 => Kind::Rtp,
                _ => Kind::Unknown,
            };
            assert_eq!(kind(&[first, 96]), expected, "{first}");
        }
        for second in 0..=255u8 {
            let expected = if (192..=223).contains(&second) { Kind::Rtcp } else { Kind::Rtp };
            assert_eq!(kind(&[0x80, second]), expected, "{second}");
        }
        assert_eq!([kind(&[]), kind(&[128])], [Kind::Unknown; 2]);
    }
}
