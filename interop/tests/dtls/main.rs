//! DTLS with somebody else's implementation at the other end: handshake, data both ways, the keys of SRTP, close; in both
//! roles, and through loss.
//!
//! Programs (OpenSSL, GnuTLS, wolfSSL) are behind a relay of ours that loses datagrams; those in process (dimpl, BoringSSL)
//! are hosts of a simulated network. What needs a compiler of C is there with the feature `compiled` only:
//! `cargo xtask long --part peers`.

#[cfg(feature = "compiled")]
mod boring;
mod call;
mod case;
mod certificates;
mod dimpl;
mod gnutls;
mod openssl;
mod ours;
mod process;
#[path = "../../src/relay.rs"]
mod relay;
mod simulated;
#[cfg(feature = "compiled")]
mod wolfssl;
