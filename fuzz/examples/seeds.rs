//! Writes the seeds of the corpora: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.
//!
//! All are made here, by our own printers or by hand.

use std::fs;
use std::io::Result;
use std::path::Path;
use wigwag_stun::{ErrorCode, IntegrityKey, MessageWriter, TransactionId};

fn main() -> Result<()> {
    sdp()?;
    stun()?;
    srtp()
}

fn write(target: &str, name: &str, seed: impl AsRef<[u8]>) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), seed)
}

const OFFER: &str = "v=0\r
o=- 4611733054762223410 2 IN IP4 127.0.0.1\r
s=-\r
t=0 0\r
a=group:BUNDLE 0 1 2\r
a=extmap-allow-mixed\r
a=ice-options:trickle ice2\r
a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r
m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r
c=IN IP4 0.0.0.0\r
a=rtcp:9 IN IP4 0.0.0.0\r
a=ice-ufrag:abcd\r
a=ice-pwd:0123456789abcdef01234567\r
a=setup:actpass\r
a=mid:0\r
a=extmap:1/sendrecv urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on\r
a=sendrecv\r
a=msid:stream track\r
a=rtcp-mux\r
a=rtcp-rsize\r
a=rtpmap:111 opus/48000/2\r
a=rtcp-fb:111 transport-cc\r
a=fmtp:111 minptime=10;useinbandfec=1\r
a=ssrc:3735928559 cname:someone\r
a=candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host\r
a=end-of-candidates\r
m=video 9 UDP/TLS/RTP/SAVPF 96 97\r
c=IN IP6 ::\r
b=AS:2000\r
a=mid:1\r
a=sendonly\r
a=rtpmap:96 VP8/90000\r
a=rtcp-fb:* nack pli\r
a=rtcp-fb:96 ccm fir\r
a=rtpmap:97 rtx/90000\r
a=fmtp:97 apt=96\r
a=ssrc-group:FID 1 2\r
a=rid:hi send pt=96;max-width=1280\r
a=rid:lo send\r
a=simulcast:send hi;~lo\r
m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r
c=IN IP4 0.0.0.0\r
a=mid:2\r
a=sctp-port:5000\r
a=max-message-size:262144\r
a=bundle-only\r
a=setup:active\r
";

const ODD: &str = "v=0\no=jane 1 2 IN IP6 2001:db8::1\ns=A Seminar\ni=About\nu=http://example.com/\ne=j@example.com (Jane)\n\
p=+1 617 555-6011\nc=IN IP4 233.252.0.1/127/3\nb=CT:128\nt=3724394400 3724398000\nr=7d 1h 0 25h\nz=3730928400 -1h\nk=prompt\n\
a=unknown\na=unknown:with value\nm=audio 49170/2 RTP/AVP 0 8\ni=title\na=sctpmap:5000 webrtc-datachannel 1024\na=inactive\n";

fn sdp() -> Result<()> {
    write("sdp_session", "offer", OFFER)?;
    write("sdp_session", "odd", ODD)?;
    for (name, seed) in [
        ("host", "candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host generation 0 ufrag abcd network-id 1"),
        ("srflx", "candidate:2 1 UDP 1694498815 198.51.100.7 50000 typ srflx raddr 192.0.2.1 rport 40000"),
        ("tcp", "candidate:3 1 tcp 1518280447 2001:db8::2 9 typ host tcptype active"),
        ("name", "candidate:4 2 udp 1 d1a3c5f0-0000-4000-8000-000000000000.local 1 typ relay raddr :: rport 0"),
    ] {
        write("sdp_candidate", name, seed)?;
    }
    Ok(())
}

fn stun() -> Result<()> {
    let id = TransactionId([9; 12]);
    let key = IntegrityKey::short_term("password");
    let address = "[2001:db8::1]:3478".parse().expect("an address");
    let mut check = Vec::new();
    let request = MessageWriter::request(&mut check, id).username("them:us").priority(1 << 30);
    request.use_candidate().ice_controlling(u64::MAX).integrity(&key).fingerprint();
    write("stun_message", "check", check)?;
    let mut success = Vec::new();
    MessageWriter::success(&mut success, id, address).integrity(&key).fingerprint();
    write("stun_message", "success", success)?;
    let mut error = Vec::new();
    MessageWriter::error(&mut error, id, ErrorCode::ROLE_CONFLICT).fingerprint();
    write("stun_message", "error", error)?;
    // Class, method, and attributes: type in two bytes, length in one, value.
    let attributes: [(u16, &[u8]); 8] = [
        (0x0006, b"them:us"),
        (0x0024, &[0x6e, 0, 0, 1]),
        (0x0025, &[]),
        (0x802a, &[1; 8]),
        (0x0020, &[0, 1, 0x21, 0x12, 1, 2, 3, 4]),
        (0x0009, &[0, 0, 4, 87, b'r', b'o']),
        (0x8022, b"wigwag"),
        (0xc057, &[0, 1, 0, 2]),
    ];
    let attributes =
        attributes.map(|(kind, value)| [&kind.to_be_bytes(), [value.len() as u8].as_slice(), value].concat());
    write("stun_sealed", "check", [[0, 1].as_slice(), &attributes.concat()].concat())?;
    write("stun_sealed", "response", [[2, 1].as_slice(), &attributes[4], &attributes[6]].concat())?;
    write("stun_sealed", "error", [[3, 1].as_slice(), &attributes[5]].concat())
}

fn srtp() -> Result<()> {
    write("srtp_packet", "rtp", [[0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1].as_slice(), &[0x55; 30]].concat())?;
    write(
        "srtp_packet",
        "rtcp",
        [[0x80, 200, 0, 6, 0, 0, 0, 1].as_slice(), &[0x55; 20], &[0x80, 0, 0, 1], &[7; 10]].concat(),
    )?;
    for (name, profile) in [("counter_mode", 0), ("gcm", 1)] {
        // Kind, sequence number, source, payload with its length, damage (kind, place, patch).
        let mut seed = vec![profile];
        seed.extend([0, 0x00, 0x01, 1, 4, b'r', b't', b'p', b'!', 0, 0, 0]);
        seed.extend([0, 0xff, 0xff, 1, 2, 1, 2, 3, 0, 5, 2, 0x80, 0x01]);
        seed.extend([1, 1, 4, 1, 2, 3, 4, 1, 0, 9]);
        seed.extend([
            2, 22, 0x92, 0x60, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 9, 0xbe, 0xde, 0, 0, 0, 0, 0,
        ]);
        seed.extend([0, 0x00, 0x02, 1, 0, 2, 0, 0, 3, 9, 9, 9]);
        write("srtp_sealed", name, seed)?;
    }
    Ok(())
}
