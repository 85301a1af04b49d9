//! Numbers that wrap around (RFC 1982), and the long numbers behind them.

/// An unsigned number of limited width that wraps around.
pub trait Serial: Copy + Eq {
    /// How far this is ahead of `other`, going forwards and around.
    fn ahead_of(self, other: Self) -> u64;
    /// Half of how many numbers there are.
    const HALF: u64;
}

macro_rules! serial {
    ($($number:ty),*) => {$(
        impl Serial for $number {
            fn ahead_of(self, other: Self) -> u64 {
                u64::from(self.wrapping_sub(other))
            }
            const HALF: u64 = 1 << (<$number>::BITS - 1);
        }
    )*};
}
serial!(u16, u32);

/// Whether `a` comes after `b` in serial number arithmetic (RFC 1982 §3.2). Of two numbers half the circle apart
/// neither comes after the other.
pub fn serial_after<S: Serial>(a: S, b: S) -> bool {
    (1..S::HALF).contains(&a.ahead_of(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_goes_around_the_circle() {
        assert!(serial_after(1u16, 0) && serial_after(0u16, 65_535) && serial_after(32_767u16, 0));
        assert!(!serial_after(0u16, 0) && !serial_after(0u16, 1) && !serial_after(65_535u16, 0));
        assert!(serial_after(3u32, u32::MAX) && !serial_after(u32::MAX, 3));
    }

    #[test]
    fn opposite_numbers_are_in_no_order() {
        assert!(!serial_after(32_768u16, 0) && !serial_after(0u16, 32_768));
        assert!(!serial_after(1u32 << 31, 0) && !serial_after(0u32, 1 << 31));
    }
}
