//! Bytes read as a list of things to do.

/// What is left of the bytes; zeros without end behind it.
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// A script that starts at the beginning of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub const fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    /// The next bytes, at most `length`.
    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, left) = self.0.split_at(length.min(self.0.len()));
        self.0 = left;
        taken
    }

    /// Bytes whose length comes first, in one byte.
    pub fn bytes(&mut self) -> &'a [u8] {
        let length = self.byte();
        self.take(length.into())
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    /// Does to `packet` what a hostile wire does: cuts, extends, overwrites; nothing at all in one of four cases.
    pub fn damage(&mut self, packet: &mut Vec<u8>) {
        let kind = self.byte();
        let at = usize::from(self.u16()).checked_rem(packet.len()).unwrap_or(0);
        match kind % 4 {
            0 => {}
            1 => packet.truncate(at),
            2 => packet.extend_from_slice(self.bytes()),
            _ => {
                let patch = self.bytes();
                for (byte, patch) in packet.iter_mut().skip(at).zip(patch) {
                    *byte ^= patch;
                }
            }
        }
    }
}
