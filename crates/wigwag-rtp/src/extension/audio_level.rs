//! How loud an audio packet is (RFC 6464 §3).

/// The level of the sound in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioLevel {
    /// Whether the encoder believes that somebody speaks.
    pub is_voice: bool,
    /// Below overload: 0 is the loudest, 127 is silence, in −dBov.
    pub level: u8,
}

impl AudioLevel {
    /// RFC 6464 §3: "The magnitude of the audio level itself is packed into the seven least significant bits of the
    /// single byte of the header extension", under the V bit.
    pub(crate) const fn byte(self) -> u8 {
        (self.is_voice as u8) << 7 | if self.level > 127 { 127 } else { self.level }
    }

    pub(crate) const fn from_byte(byte: u8) -> Self {
        Self { is_voice: byte & 0x80 != 0, level: byte & 0x7f }
    }
}
