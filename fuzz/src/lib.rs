//! What must hold for any bytes: one function per target. [`TARGETS`] lists them.
//!
//! A function panics if something does not hold, and returns whatever the bytes are otherwise. Where random bytes would fail a
//! checksum or a tag at once, the function makes it right, or the code behind would never be reached; the bytes are
//! then a script of what to do, read by [`script`].
#![forbid(unsafe_code)]

pub mod script;
mod sdp;
mod srtp;
mod stun;

pub use sdp::{sdp_candidate, sdp_session};
pub use srtp::{srtp_packet, srtp_sealed};
pub use stun::{stun_message, stun_sealed};

/// A target: its name, which is that of its file in `fuzz_targets/` and of its folder in `corpus/`, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, in the order of their names.
pub const TARGETS: &[Target] = &[
    ("sdp_candidate", sdp_candidate),
    ("sdp_session", sdp_session),
    ("srtp_packet", srtp_packet),
    ("srtp_sealed", srtp_sealed),
    ("stun_message", stun_message),
    ("stun_sealed", stun_sealed),
];

/// The `main` of a target: what libFuzzer calls under cargo-fuzz, and without it a program that replays the files it is
/// given.
#[macro_export]
macro_rules! target {
    ($function:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::$function(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            for path in std::env::args_os().skip(1) {
                $crate::$function(&std::fs::read(path)?);
            }
            Ok(())
        }
    };
}
