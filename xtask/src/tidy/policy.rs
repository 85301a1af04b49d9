//! What tidy holds the repository to, in one place.

/// Which of our crates a crate may depend on (docs/architecture.md, "Bird's eye view").
pub(super) const ARROWS: &[(&str, &[&str])] = &[
    ("wigwag-sansio", &[]),
    ("wigwag-sdp", &[]),
    ("wigwag-pcapng", &[]),
    ("wigwag-stun", &["wigwag-sansio"]),
    ("wigwag-turn", &["wigwag-sansio", "wigwag-stun"]),
    ("wigwag-ice", &["wigwag-sansio", "wigwag-stun"]),
    ("wigwag-mdns", &["wigwag-sansio"]),
    ("wigwag-dtls", &["wigwag-sansio"]),
    ("wigwag-srtp", &["wigwag-sansio"]),
    ("wigwag-sctp", &["wigwag-sansio"]),
    ("wigwag-rtp", &["wigwag-sansio"]),
    ("wigwag-congestion", &["wigwag-sansio"]),
    ("wigwag", PROTOCOLS),
    ("wigwag-mio", &["wigwag", "wigwag-sansio"]),
    ("wigwag-cli", ALL),
    ("wigwag-sim", &["wigwag-sansio", "wigwag-pcapng"]),
    ("xtask", &[]),
];

/// What tests alone may depend on, beside the simulator.
pub(super) const DEV_ARROWS: &[(&str, &str)] = &[("wigwag-mio", "wigwag-stun")]; // a TURN server to connect to

const PROTOCOLS: &[&str] = &[
    "wigwag-sansio",
    "wigwag-sdp",
    "wigwag-stun",
    "wigwag-turn",
    "wigwag-ice",
    "wigwag-mdns",
    "wigwag-dtls",
    "wigwag-srtp",
    "wigwag-sctp",
    "wigwag-rtp",
    "wigwag-congestion",
    "wigwag-pcapng",
];

const ALL: &[&str] = &[
    "wigwag",
    "wigwag-mio",
    "wigwag-sansio",
    "wigwag-sdp",
    "wigwag-stun",
    "wigwag-turn",
    "wigwag-ice",
    "wigwag-mdns",
    "wigwag-dtls",
    "wigwag-srtp",
    "wigwag-sctp",
    "wigwag-rtp",
    "wigwag-congestion",
    "wigwag-pcapng",
];

/// The simulator: for tests only.
pub(super) const SIMULATOR: &str = "wigwag-sim";

/// Machines perform no I/O, read no clock, start no thread: the crates of levels 0 to 2.
pub(super) fn is_machine(package: &str) -> bool {
    package == "wigwag" || PROTOCOLS.contains(&package)
}

/// Other people's stacks, and what brings them: they belong to interop/ and bench/ alone.
pub(super) const STACKS: &[&str] = &[
    "boring",
    "datachannel",
    "dcsctp",
    "dimpl",
    "interceptor",
    "libdatachannel-sys",
    "native-tls",
    "openssl",
    "openssl-sys",
    "rtc",
    "rtc-dtls",
    "rtc-srtp",
    "sctp-proto",
    "str0m",
    "stun-types",
    "webrtc",
    "webrtc-dtls",
    "webrtc-ice",
    "webrtc-sctp",
    "webrtc-sdp",
    "webrtc-srtp",
    "wolfssl-sys",
];

/// Crates of cryptography, as sources name them.
pub(super) const CIPHERS: &[&str] = &[
    "aes",
    "aes_gcm",
    "aws_lc_rs",
    "chacha20",
    "chacha20poly1305",
    "ctr",
    "ecdsa",
    "ed25519_dalek",
    "elliptic_curve",
    "ghash",
    "hkdf",
    "hmac",
    "md5",
    "ml_kem",
    "p256",
    "p384",
    "ring",
    "rsa",
    "rustls",
    "sha1",
    "sha2",
    "siphasher",
    "x25519_dalek",
    "x509_cert",
    "x509_parser",
];

/// Where ciphers may be named: files, or folders that end with `/`. Tests may name them anywhere.
pub(super) const DOORS: &[(&str, &str)] = &[
    ("crates/wigwag-sansio/src/rng.rs", "the generator is ChaCha20"),
    ("crates/wigwag-sansio/src/seed.rs", "forks of a seed are ChaCha20's"),
    ("crates/wigwag-stun/src/crypto.rs", "MESSAGE-INTEGRITY"),
    ("crates/wigwag-srtp/src/crypto/", "protection of packets"),
    ("crates/wigwag-dtls/src/crypto/", "handshakes and records"),
    ("crates/wigwag-dtls/src/certificate.rs", "X.509, read and written"),
    ("crates/wigwag-sctp/src/crypto.rs", "the MAC of the state cookie"),
    ("crates/wigwag-mio/src/tls.rs", "streams to TURN servers in TLS"),
    ("crates/wigwag-cli/src/", "the program's servers speak TLS and WebSocket"),
];

/// Words that code must not contain, and why. In machines, tests are exempt: clippy.toml sees to those.
pub(super) const BANNED_IN_MACHINES: &[(&str, &str)] = &[
    ("Instant::now", "time is an argument"),
    ("SystemTime::now", "wall time is given once, in Config"),
    (".elapsed()", "time is an argument"),
    ("thread::", "a machine starts no thread and never blocks"),
    ("UdpSocket", "only wigwag-mio opens sockets"),
    ("TcpStream", "only wigwag-mio opens sockets"),
    ("TcpListener", "only wigwag-mio opens sockets"),
    ("HashMap", "its order is not determined by the seed"),
    ("HashSet", "its order is not determined by the seed"),
    ("Rc", "machines are Send"),
    ("RefCell", "&mut self is the only synchronisation"),
];

/// Words that no code of ours contains, tests included.
pub(super) const BANNED: &[(&str, &str)] = &[
    ("#[allow(", "lints are expected, with a reason"),
    ("#![allow(", "lints are expected, with a reason"),
    ("todo!", "unfinished"),
    ("unimplemented!", "unfinished"),
    ("unsafe", "no code of ours is unsafe"),
];

/// A file longer than this is asked whether it holds two ideas …
pub(super) const LONG_FILE: usize = 600;

/// … and these have answered: path and reason.
pub(super) const LONG_FILES: &[(&str, &str)] = &[];

/// How many crates of others somebody who embeds one of ours builds at most.
pub(super) const CRATES: &[(&str, usize)] = &[
    ("wigwag-pcapng", 0),
    ("wigwag-sdp", 8),
    ("wigwag-congestion", 12),
    ("wigwag-rtp", 12),
    ("wigwag-sctp", 24),
    ("wigwag-mdns", 16),
    ("wigwag-stun", 26),
    ("wigwag-turn", 28),
    ("wigwag-ice", 28),
    ("wigwag-srtp", 36),
    ("wigwag-dtls", 100),
    ("wigwag", 110),
];

/// Types in config.rs, event.rs, error.rs and stats.rs that will not grow, and why. All others are `#[non_exhaustive]`.
pub(super) const CLOSED: &[(&str, &str)] = &[
    ("wigwag::DtlsRole", "client and server"),
    ("wigwag-dtls::Role", "client and server"),
    ("wigwag-ice::Role", "controlling and controlled"),
    ("wigwag-ice::State", "W3C's RTCIceTransportState"),
    ("wigwag-ice::GatheringState", "W3C's RTCIceGatheringState"),
    ("wigwag-rtp::Kind", "audio and video"),
    ("wigwag-rtp::PayloadType", "written out by whoever negotiates"),
    ("wigwag-sctp::SendOptions", "written out by whoever sends"),
    ("wigwag-sctp::Reliability", "the channel types of RFC 8832 §5.1"),
];

/// Types of other crates that our signatures may name, and why.
pub(super) const FOREIGN: &[(&str, &str)] = &[
    ("Bytes", "payloads are shared slices"),
    ("ClientConfig", "whoever has a configuration of rustls brings it to the driver's TLS"),
];

/// Where secrets are compared, and with what.
pub(super) const CONSTANT_TIME: &[(&str, &str)] = &[
    ("crates/wigwag-dtls/src/crypto/mod.rs", "ct_eq"),
    ("crates/wigwag-srtp/src/crypto/counter_mode.rs", "ct_eq"),
    ("crates/wigwag-sctp/src/crypto.rs", "verify_slice"),
    ("crates/wigwag-stun/src/crypto.rs", "ct_eq"),
];

/// Where bytes of others are read: no index, for one past the end would be a panic.
pub(super) const READS_BYTES: &[&str] = &[
    "crates/wigwag-dtls/src/lib.rs",
    "crates/wigwag-ice/src/lib.rs",
    "crates/wigwag-mdns/src/lib.rs",
    "crates/wigwag-rtp/src/lib.rs",
    "crates/wigwag-sctp/src/cause/mod.rs",
    "crates/wigwag-sctp/src/chunk/mod.rs",
    "crates/wigwag-sctp/src/packet.rs",
    "crates/wigwag-sctp/src/parameter/mod.rs",
    "crates/wigwag-sctp/src/wire.rs",
    "crates/wigwag-sdp/src/lib.rs",
    "crates/wigwag-srtp/src/lib.rs",
    "crates/wigwag-stun/src/lib.rs",
    "crates/wigwag-turn/src/lib.rs",
    "crates/wigwag/src/data_channel/dcep.rs",
];
