//! What must hold for any bytes: one function per target. [`TARGETS`] lists them.
//!
//! A function panics if something does not hold, and returns whatever the bytes are otherwise. Where random bytes would fail a
//! checksum or a tag at once, the function makes it right, or the code behind would never be reached; the bytes are
//! then a script of what to do, read by [`script`]. Machines
//! play against each other in a [`duel`].
#![forbid(unsafe_code)]

mod congestion;
mod dtls;
pub mod duel;
mod ice;
mod layers;
mod mdns;
mod payload;
mod peer;
mod rtp;
pub mod script;
mod sctp;
mod sdp;
mod srtp;
mod stun;
mod turn;
mod turn_server;

pub(crate) use ice::address as ice_address;

pub use congestion::congestion;
pub use dtls::{dtls_13_connection, dtls_certificate, dtls_connection, dtls_fingerprint};
pub use ice::{ice_agent, ice_frames, ice_peek};
pub use layers::{rtp_dependency_descriptor, rtp_layers_allocation};
pub use mdns::mdns_host;
pub use payload::{rtp_av1, rtp_frames, rtp_h264, rtp_opus, rtp_telephone_event, rtp_vp8, rtp_vp9};
pub use peer::{peer_connection, peer_description};
pub use rtp::{rtcp_compound, rtp_packet, rtp_session};
pub use sctp::{migration_config, sctp_association, sctp_init, sctp_interleaved, sctp_migration, sctp_tuned};
pub use sdp::{sdp_candidate, sdp_session};
pub use srtp::{srtp_packet, srtp_sealed};
pub use stun::{stun_message, stun_sealed};
pub use turn::{turn_client, turn_stream};
pub use turn_server::turn_server;

/// A target: its name, which is that of its file in `fuzz_targets/` and of its folder in `corpus/`, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, in the order of their names.
pub const TARGETS: &[Target] = &[
    ("congestion", congestion),
    ("dtls_13_connection", dtls_13_connection),
    ("dtls_certificate", dtls_certificate),
    ("dtls_connection", dtls_connection),
    ("dtls_fingerprint", dtls_fingerprint),
    ("ice_agent", ice_agent),
    ("ice_frames", ice_frames),
    ("ice_peek", ice_peek),
    ("mdns_host", mdns_host),
    ("peer_connection", peer_connection),
    ("peer_description", peer_description),
    ("rtcp_compound", rtcp_compound),
    ("rtp_av1", rtp_av1),
    ("rtp_dependency_descriptor", rtp_dependency_descriptor),
    ("rtp_frames", rtp_frames),
    ("rtp_h264", rtp_h264),
    ("rtp_layers_allocation", rtp_layers_allocation),
    ("rtp_opus", rtp_opus),
    ("rtp_packet", rtp_packet),
    ("rtp_session", rtp_session),
    ("rtp_telephone_event", rtp_telephone_event),
    ("rtp_vp8", rtp_vp8),
    ("rtp_vp9", rtp_vp9),
    ("sctp_association", sctp_association),
    ("sctp_init", sctp_init),
    ("sctp_interleaved", sctp_interleaved),
    ("sctp_migration", sctp_migration),
    ("sctp_tuned", sctp_tuned),
    ("sdp_candidate", sdp_candidate),
    ("sdp_session", sdp_session),
    ("srtp_packet", srtp_packet),
    ("srtp_sealed", srtp_sealed),
    ("stun_message", stun_message),
    ("stun_sealed", stun_sealed),
    ("turn_client", turn_client),
    ("turn_server", turn_server),
    ("turn_stream", turn_stream),
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
