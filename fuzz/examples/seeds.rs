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
    srtp()?;
    dtls()?;
    sctp()?;
    migration()?;
    rtp()?;
    payload()?;
    ice()?;
    congestion()?;
    peer()
}

/// Each two bytes are a step of `wigwag_fuzz::congestion`: packets, padding, time, a report.
fn congestion() -> Result<()> {
    // Eight packets of 1200 bytes, padding, 20 ms, a report of what arrived.
    let frame = [3, 0xf7, 96, 200, 104, 20];
    let full = [&frame[..], &[156, 0]].concat().repeat(200);
    write("congestion", "full", full)?;
    let lossy = [&frame[..], &[156, 4]].concat().repeat(60);
    write("congestion", "lossy", lossy)?;
    // 40 packets of sound without a report, for a second each time.
    let silence = [0, 0x0f, 104, 250, 0, 0x0f, 104, 250].repeat(10);
    write("congestion", "silence", silence)?;
    let mut lies = [&frame[..], &[156, 0]].concat().repeat(4);
    for kind in 0..8 {
        lies.extend_from_slice(&frame);
        lies.extend_from_slice(&[208, kind | 0x48, 1, 2, 3, 4]);
    }
    lies.extend_from_slice(&[240, 50, 8, 0, 247, 0, 0, 0x20, 0, 0, 252, 0]);
    lies.extend_from_slice(&frame);
    write("congestion", "lies", lies)
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
    for (name, profile) in [("counter_mode", 0), ("gcm", 1), ("gcm_256", 2)] {
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

/// Steps of a duel (`duel.rs`).
const EXCHANGE: u8 = 13;
const DELIVER: u8 = 0;
const DROP: u8 = 3;
const TWICE: u8 = 4;
const DAMAGED: u8 = 5;
const FORGED: u8 = 6;
const PASS: u8 = 8;
const COMMAND: u8 = 9;
const DRAIN: u8 = 12;
const WAKE: u8 = 14;
/// Towards, or by, the second machine.
const Z: u8 = 0x80;

fn dtls() -> Result<()> {
    let text =
        "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";
    write("dtls_fingerprint", "sha-256", text)?;
    let certificate = wigwag_dtls::Certificate::generate(std::time::Duration::ZERO, wigwag_sansio::Seed::for_test(1));
    write("dtls_certificate", "ours", certificate.expect("a time that can be told").der())?;
    write("dtls_connection", "handshake", [EXCHANGE, COMMAND, 0, 9, COMMAND | Z, 0, 9, COMMAND, 240, 0, EXCHANGE])?;
    let lossy =
        [DRAIN, DROP | Z, WAKE, DRAIN, TWICE | Z, DELIVER | Z, DRAIN | Z, DROP, WAKE, DRAIN | Z, DELIVER, EXCHANGE];
    write("dtls_connection", "loss", lossy)?;
    let damaged = [DRAIN, DAMAGED | Z, 0, 3, 0, 20, 2, 1, 1, DELIVER | Z, DRAIN | Z, DAMAGED, 1, 1, 0, 40, EXCHANGE];
    write("dtls_connection", "damage", damaged)?;
    // A fatal alert, an empty handshake fragment, application data: all in the clear.
    let mut forged = vec![EXCHANGE];
    for content in [[21, 2, 40].as_slice(), &[22, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[23, 1, 2, 3]] {
        let (kind, content) = content.split_first().expect("a kind");
        let record = [&[*kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0], content].concat();
        forged.extend([FORGED, record.len() as u8]);
        forged.extend(&record);
        forged.extend([FORGED | Z, record.len() as u8]);
        forged.extend(&record);
    }
    forged.extend([EXCHANGE, COMMAND, 255, 0]);
    write("dtls_connection", "forged", &forged)?;
    write("dtls_connection", "forged_early", &forged[1..])?;
    dtls_13(&forged)
}

fn dtls_13(forged: &[u8]) -> Result<()> {
    let target = "dtls_13_connection";
    write(target, "handshake", [EXCHANGE, COMMAND, 0, 9, COMMAND | Z, 0, 9, COMMAND, 240, 0, EXCHANGE])?;
    let lossy =
        [DRAIN | BOTH, DROP | Z, WAKE, DRAIN, TWICE | Z, DELIVER | Z, DRAIN | Z, DROP, WAKE, DRAIN | Z, DELIVER];
    write(target, "loss", [&lossy[..], &[EXCHANGE; 4]].concat())?;
    let damaged = [DRAIN, DAMAGED | Z, 0, 3, 0, 20, 2, 1, 1, DELIVER | Z, DRAIN | Z, DAMAGED, 1, 1, 0, 40, EXCHANGE];
    write(target, "damage", [&damaged[..], &[EXCHANGE; 4]].concat())?;
    write(target, "retry", [DRAIN | RETRY, EXCHANGE, EXCHANGE])?;
    let update = [EXCHANGE, COMMAND, 248, 255, EXCHANGE, COMMAND | Z, 248, 0, EXCHANGE, COMMAND, 0, 9, EXCHANGE];
    write(target, "key_update", update)?;
    // Records of epochs 2 and 3 that nobody sealed, and an ACK in the clear.
    let mut forged = forged.to_vec();
    for record in
        [&[0x2e, 0, 0, 0, 17][..], &[0x2f, 0, 1, 0, 20], &[26, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 0, 0]]
    {
        let record = [record, &[7; 20]].concat();
        forged.extend([FORGED, record.len() as u8]);
        forged.extend(&record);
        forged.extend([FORGED | Z, record.len() as u8]);
        forged.extend(&record);
    }
    write(target, "forged", &forged)?;
    write(target, "forged_early", &forged[1..])
}

/// In the first byte of a script for DTLS 1.3: the client speaks 1.2 as well.
const BOTH: u8 = 0x10;
/// The server wants a share of another group.
const RETRY: u8 = 0x20;

/// A packet of chunks (kind, flags, value), whose header the adversary makes right.
fn chunks(chunks: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let mut packet = vec![0; 12];
    for (kind, flags, value) in chunks {
        let length = (value.len() as u16 + 4).to_be_bytes();
        packet.extend([*kind, *flags, length[0], length[1]]);
        packet.extend(*value);
        packet.resize(packet.len().next_multiple_of(4), 0);
    }
    packet
}

fn sctp() -> Result<()> {
    let connected = [COMMAND, 0, COMMAND | Z, 0, EXCHANGE];
    // Stream, length, options.
    let send = |stream, length: u16, kind| {
        let [high, low] = length.to_be_bytes();
        [COMMAND, 64, 0, stream, high, low, kind]
    };
    let script = |parts: &[&[u8]]| [connected.as_slice(), &parts.concat()].concat();
    let messages = [send(1, 100, 6), send(1, 9000, 7), send(2, 3000, 0), send(3, 500, 2)].concat();
    write("sctp_association", "messages", script(&[&messages, &[EXCHANGE]]))?;
    let loss = [DRAIN, DROP | Z, DELIVER | Z, TWICE | Z, DELIVER | Z, DRAIN | Z, DROP, WAKE, DRAIN, PASS, 60, EXCHANGE];
    write("sctp_association", "loss", script(&[&messages, &loss, &messages, &loss]))?;
    let reset = [COMMAND, 192, 0, 1, DRAIN, DELIVER | Z, EXCHANGE, COMMAND | Z, 192, 0, 1, EXCHANGE];
    write("sctp_association", "reset", script(&[&messages, &reset]))?;
    write("sctp_association", "shutdown", script(&[&messages, &[COMMAND, 244, DRAIN, DELIVER | Z, EXCHANGE]]))?;
    write("sctp_association", "abort", script(&[&messages, &[COMMAND | Z, 255, EXCHANGE]]))?;
    write(
        "sctp_association",
        "connect_lossy",
        [COMMAND, 0, DRAIN, DROP | Z, WAKE, DRAIN, TWICE | Z, DELIVER | Z, DRAIN | Z, EXCHANGE],
    )?;
    let init = [0, 0, 0, 9, 0, 1, 0, 0, 0, 10, 0, 10, 0, 0, 0, 1, 0xc0, 0, 0, 4, 0x80, 8, 0, 6, 0x82, 0xc0, 0, 0];
    let forged: [&[(u8, u8, &[u8])]; 9] = [
        &[(1, 0, &init)],
        &[
            (0, 3, &[0xff, 0xff, 0xff, 0xfd, 0, 1, 0, 0, 0, 0, 0, 51, b'h', b'i']),
            (0, 2, &[0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 51, 1]),
        ],
        &[(3, 0, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 2, 0, 3, 0, 0, 0, 5])],
        &[(4, 0, &[0, 1, 0, 8, 1, 2, 3, 4]), (5, 0, &[0, 1, 0, 8, 1, 2, 3, 4])],
        &[(192, 0, &[0, 0, 0, 7, 0, 1, 0, 1])],
        &[
            (130, 0, &[0, 13, 0, 18, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1]),
            (130, 0, &[0, 16, 0, 12, 0, 0, 0, 1, 0, 0, 0, 1]),
        ],
        &[(10, 0, &[7; 40]), (11, 0, &[]), (9, 0, &[0, 8, 0, 8, 1, 2, 3, 4])],
        &[(7, 0, &[0, 0, 0, 1]), (8, 0, &[]), (14, 0, &[])],
        &[(0x3f, 0, &[1]), (0x7f, 0, &[1]), (0xbf, 0, &[1]), (0xff, 0, &[1]), (6, 0, &[0, 12, 0, 6, b'n', b'o'])],
    ];
    for (index, packet) in forged.iter().enumerate() {
        let packet = chunks(packet);
        let forged =
            [&[FORGED, packet.len() as u8], packet.as_slice(), &[FORGED | Z, packet.len() as u8], &packet].concat();
        write("sctp_association", &format!("forged{index}"), script(&[&messages, &[DRAIN], &forged, &[EXCHANGE]]))?;
    }
    let init = [1, 0, 0, 30].into_iter().chain(init.into_iter().take(26)).collect::<Vec<_>>();
    for (name, rest) in [("data", [send(1, 100, 6), send(2, 3000, 0)].concat()), ("both", script(&[&messages]))] {
        write("sctp_init", name, [&[30], init.as_slice(), &rest, &[EXCHANGE]].concat())?;
    }
    // Begun on streams 1 and 2, of which one is finished and one given up; and one that lives for 10 ms.
    let [begin, append, finish, abandon] = [128, 144, 168, 184];
    let give = |stream, length: u16| {
        let [high, low] = length.to_be_bytes();
        [COMMAND, append, 0, stream, high, low]
    };
    let end = |how, stream| [COMMAND, how, 0, stream];
    let parts = [
        [COMMAND, begin, 0, 1, 6, COMMAND, begin, 0, 2, 6].as_slice(),
        &[give(1, 3000), give(2, 2000), give(1, 0), give(1, 5000), give(2, 9000)].concat(),
        &[DRAIN],
        &end(finish, 1),
        &[EXCHANGE],
        &end(abandon, 2),
        &[EXCHANGE],
        &[COMMAND, begin, 0, 3, 10],
        &give(3, 3000),
        &[EXCHANGE, PASS, 60],
        &end(finish, 3),
        &send(4, 20, 6),
        &[EXCHANGE],
    ]
    .concat();
    write("sctp_association", "parts", script(&[&parts]))?;
    write("sctp_interleaved", "parts", script(&[&parts]))?;
    // Controller and scheduler, length of packets, extensions and parts: of A and of Z.
    for (name, controls) in [("cubic", 0), ("model", 1), ("rfc9260", 2)] {
        let tuned = [controls, 0xc0, 0x0c, controls + 9, 0xc0, 0x2f];
        let much = [&messages, [EXCHANGE].as_slice()].concat().repeat(3);
        let body = script(&[&[EXCHANGE], &much, &parts, &messages, &loss, &much]);
        write("sctp_tuned", name, [tuned.as_slice(), &body].concat())?;
    }
    let target = "sctp_interleaved";
    write(target, "messages", script(&[&messages, &[EXCHANGE]]))?;
    write(target, "loss", script(&[&messages, &loss, &messages, &loss]))?;
    write(target, "reset", script(&[&messages, &reset]))?;
    let asked = [COMMAND, 212, 0, 2, 0, 0, EXCHANGE, COMMAND, 208, 0, 1, EXCHANGE];
    write(target, "asked", script(&[&messages, &[EXCHANGE], &asked]))?;
    let anew = [COMMAND, 211, EXCHANGE, COMMAND | Z, 211, EXCHANGE, COMMAND, 213, 0, 1, 4, 0];
    write(target, "anew", script(&[&messages, &[EXCHANGE], &anew, &messages, &[EXCHANGE]]))?;
    let forged: [&[(u8, u8, &[u8])]; 3] = [
        // Fragments in the wrong order, one that is there twice, and one behind the last.
        &[
            (64, 1, &[0xff, 0xff, 0xff, 0xfc, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, b'c']),
            (64, 0, &[0xff, 0xff, 0xff, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, b'b']),
            (64, 0, &[0xff, 0xff, 0xff, 0xfe, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, b'b']),
            (64, 0, &[0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, b'd']),
            (64, 2, &[0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 51, b'a']),
        ],
        &[(194, 0, &[0, 0, 0, 7, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0xff, 0xff, 0xff, 0xff])],
        &[
            (130, 0, &[0, 14, 0, 10, 0xff, 0xff, 0xff, 0xfc, 0, 1]),
            (130, 0, &[0, 15, 0, 8, 0xff, 0xff, 0xff, 0xfd]),
            (130, 0, &[0, 17, 0, 12, 0xff, 0xff, 0xff, 0xfe, 0, 1, 0, 0]),
            (130, 0, &[0, 18, 0, 12, 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0]),
        ],
    ];
    for (index, packet) in forged.iter().enumerate() {
        let packet = chunks(packet);
        let forged =
            [&[FORGED, packet.len() as u8], packet.as_slice(), &[FORGED | Z, packet.len() as u8], &packet].concat();
        write(target, &format!("forged{index}"), script(&[&messages, &[EXCHANGE], &forged, &[EXCHANGE]]))?;
    }
    Ok(())
}

/// Associations as they go on elsewhere, in the middle of everything.
fn migration() -> Result<()> {
    use bytes::Bytes;
    use std::time::Duration;
    use wigwag_sansio::Seed;
    use wigwag_sctp::{Association, Reliability, SendOptions};
    for (name, with_everything, rounds) in
        [("begun", false, 1), ("data", false, 5), ("pieces", true, 5), ("end", false, 60)]
    {
        let config = wigwag_fuzz::migration_config(with_everything.into());
        let mut peers = [1, 2].map(|seed| Association::new(config.clone(), Seed::for_test(seed)));
        peers[0].connect();
        for stream in 0..4 {
            let reliability = match stream {
                2 => Reliability::MaxRetransmits(1),
                3 => Reliability::MaxLifetime(Duration::from_millis(100)),
                _ => Reliability::Reliable,
            };
            let options = SendOptions { unordered: stream == 1, reliability };
            for peer in &mut peers {
                let data = Bytes::from(vec![stream as u8; if stream < 2 { 1200 } else { 20 }]);
                peer.send(stream, 51, data, options).expect("room for it");
            }
        }
        for peer in &mut peers {
            // Half given, and begun.
            for stream in [5, 6] {
                peer.begin_message(stream, 51, SendOptions::default()).expect("a stream");
            }
            for len in [700, 20] {
                peer.append_part(5, Bytes::from(vec![5; len])).expect("room for it");
            }
        }
        let (mut now, mut packets, mut out) = (wigwag_sim::origin(), 0, Vec::new());
        for _ in 0..rounds {
            now += Duration::from_millis(30);
            for from in [0, 1] {
                peers[from].handle_timeout(now);
                while peers[from].poll_packet(now, 1200, &mut out) {
                    packets += 1;
                    if packets < 7 || packets % 3 > 0 {
                        peers[1 - from].handle_input(&out, now);
                    }
                    out.clear();
                }
            }
        }
        if rounds > 1 {
            peers[0].reset_stream(0).expect("an association that stands");
        }
        if name == "end" {
            peers[0].shutdown();
        }
        let mut seed = vec![u8::from(with_everything)];
        for association in peers {
            let state = association.export(now).expect("it goes on");
            seed.extend(u16::try_from(state.as_bytes().len()).expect("a small one").to_be_bytes());
            seed.extend(state.as_bytes());
        }
        let script = [0, EXCHANGE, COMMAND, 64, 0, 1, 1, 0, 0, WAKE, EXCHANGE, COMMAND, 224, WAKE, PASS, 200, EXCHANGE];
        seed.extend(script);
        write("sctp_migration", name, seed)?;
    }
    Ok(())
}

/// Payloads: descriptors with all and with no parts, packets of sound, and streams of both.
fn payload() -> Result<()> {
    let key_frame = [0x10, 2, 0, 0x9d, 1, 0x2a, 0x80, 2, 0xe0, 1, 7, 7, 7];
    write("rtp_vp8", "plain", [&[0x10], key_frame.as_slice()].concat())?;
    write("rtp_vp8", "full", [&[0xb2, 0xf0, 0x91, 0x23, 0x45, 0xa7], key_frame.as_slice()].concat())?;
    write("rtp_vp8", "short", [&[0x90, 0x80, 0x7f], vec![0x11; 300].as_slice()].concat())?;
    let (sps, pps) = ([0x67, 0x42, 0xc0, 0x1f, 0x8c], [0x68, 0xce, 0x3c, 0x80]);
    let stap_a = [&[0x78, 0, 5], sps.as_slice(), &[0, 4], &pps, &[0, 3, 0x65, 0x88, 1]].concat();
    write("rtp_h264", "aggregate", &stap_a)?;
    write("rtp_h264", "fragment", [0x7c, 0x85, 0x88, 1, 2, 3])?;
    let unit = [&[0, 0, 1, 0x65, 0x88], [7; 50].as_slice()].concat();
    write(
        "rtp_h264",
        "frame",
        [&[0, 0, 0, 1], sps.as_slice(), &[0, 0, 1], &pps, &unit, &[0, 0, 0, 1, 0x41, 0x9a]].concat(),
    )?;
    let structure = [0x38, 1, 0x40, 0, 0xb4, 2, 0x80, 1, 0x68, 2, 4, 1, 0x58, 1, 2];
    write("rtp_vp9", "layers", [&[0xea, 0x91, 0x23, 0x53, 0x45], structure.as_slice(), &[0x82, 9]].concat())?;
    write("rtp_vp9", "flexible", [0xfd, 0x7f, 0, 3, 5, 8, 0x86, 1, 2])?;
    write("rtp_vp9", "frame", [&[0x82, 0x49, 0x83], [7; 60].as_slice()].concat())?;
    let sequence = [0x0a, 4, 0, 0, 0, 4];
    write("rtp_av1", "payload", [0x20, 4, 0x08, 0, 0, 4, 0x30, 0x10, 9])?;
    write("rtp_av1", "lengths", [0xc8 & 0x7f, 2, 0x30, 0x10, 3, 0x34, 0x28, 1])?;
    let unit = [&[0x12, 0], sequence.as_slice(), &[0x32, 60, 0x10], &[7; 59], &[0x36, 0x28, 2, 0x20, 1]].concat();
    write("rtp_av1", "unit", unit)?;
    write("rtp_telephone_event", "report", [9, 0x87, 6, 0x40])?;
    let press = |op: u8, keys: &[u8]| [&[op, keys.len() as u8], keys, &[0, 100, 0, 70]].concat();
    write(
        "rtp_telephone_event",
        "keys",
        [press(30, b"1,9#a"), press(0x3e, b"5x"), press(31, b"7"), press(28, b"")].concat(),
    )?;
    write("rtp_opus", "one", [0x78, 1, 2, 3])?;
    write("rtp_opus", "two", [0x79, 1, 2, 3, 4])?;
    write("rtp_opus", "many", [0x7b, 0x86, 1, 2, 3])?;
    let start = |id: u8, inter: u8| [0x90, 0x80, id, 0x10 | inter, 1, 2];
    let step = |op: u8, payload: &[u8]| [&[op, payload.len() as u8], payload].concat();
    let go_on = [0x80, 0x80, 1, 9, 9];
    let pictures = [
        vec![0, 0, 0, 0, 0],
        step(0x00, &start(1, 0)),
        step(0x19, &go_on),
        step(0x18, &start(2, 1)),
        step(0x39, &[]),
        step(0xf8, &start(3, 1)),
        step(0xf8, &start(4, 1)),
    ];
    write("rtp_frames", "pictures", pictures.concat())?;
    let late = [0x1c, 3, 6, 0x90, 0x80, 9, 0x11, 1, 2, 0x1c, 0xfe, 6, 0x90, 0x80, 8, 0x11, 1, 2];
    let leap = [0x1a, 0x7f, 0xff, 0xff, 0xff, 3, 0x10, 0x10, 1];
    write("rtp_frames", "late", [pictures.concat().as_slice(), &late, &leap, &late].concat())?;
    let sound =
        [vec![1, 0, 0, 0, 7], step(0x10, &[0x78, 1]), step(0x10, &[0x79, 1, 1]), step(0x14, &[0x7b, 2])].concat();
    let units = [
        vec![2, 0, 0, 0, 0],
        step(0x1c, &stap_a),
        step(0x14, &[0x7c, 0x81, 9]),
        step(0x15, &[0x7c, 0x01, 9]),
        step(0x1d, &[0x7c, 0x41, 9]),
        step(0x38, &[0x41, 0x9a, 1]),
    ];
    let layers = [
        vec![3, 0, 0, 0, 0],
        step(0x14, &[0xa8, 1, 0, 7, 0x82]),
        step(0x15, &[0xa4, 1, 0, 7, 1]),
        step(0x1d, &[0xac, 1, 3, 7, 2]),
        step(0x3c, &[0xec, 2, 0, 8, 0x86, 1]),
    ];
    write("rtp_frames", "layers", [layers.concat().as_slice(), &layers[1..].concat()].concat())?;
    let pieces = [
        vec![4, 0, 0, 0, 0],
        step(0x14, &[0x68, 4, 0x08, 0, 0, 4, 0x30]),
        step(0x1d, &[0x90, 0x10, 9]),
        step(0x3c, &[0x10, 0x30, 0x20, 1]),
    ];
    write("rtp_frames", "pieces", [pieces.concat().as_slice(), &pieces[1..].concat()].concat())?;
    write("rtp_frames", "units", [units.concat().as_slice(), &units[1..].concat()].concat())?;
    write("rtp_frames", "sound", [sound.as_slice(), &sound[5..], &sound[5..]].concat())
}

fn rtp() -> Result<()> {
    let packet =
        [0xb1, 0xe0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0xbe, 0xde, 0, 2, 0x10, b'0', 0x22, 1, 2, 3, 0, 0];
    write("rtp_packet", "one_byte", [packet.as_slice(), b"payload", &[0, 2]].concat())?;
    let packet = [0x90, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0x10, 0, 0, 2, 1, 1, b'0', 0, 20, 2, 9, 9];
    write("rtp_packet", "two_bytes", [packet.as_slice(), b"payload"].concat())?;
    // Messages of a first byte, a type and words.
    let message = |first: u8, kind: u8, words: &[u32]| {
        let header = [first, kind, 0, words.len() as u8];
        [header.as_slice(), &words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>()].concat()
    };
    let compounds = [
        (
            "reports",
            [
                message(0x81, 200, &[1, 2, 3, 4, 5, 6, 2, 0x0100_0001, 7, 8, 9, 10]),
                message(0x81, 202, &[1, 0x0104_6e61, 0x6d65_0000]),
            ],
        ),
        ("receiver", [message(0x81, 201, &[1, 2, 0x0200_0001, 7, 8, 9, 10]), message(0x81, 203, &[2])]),
        ("nack", [message(0x81, 205, &[1, 1, 0x0001_ffff]), message(0x81, 206, &[1, 1])]),
        (
            "fir_remb",
            [message(0x84, 206, &[1, 0, 1, 0x0700_0000]), message(0x8f, 206, &[1, 0, 0x5245_4d42, 0x0104_ffff, 1])],
        ),
        (
            "feedback",
            [
                message(0x8f, 205, &[1, 1, 0x0001_0005, 0x0000_0100, 0x2005_0408, 0x0c10_1400]),
                message(0x8f, 205, &[1, 1, 0x0001_000e, 0x0000_0201, 0xb555_d555, 0x0102_0304, 0x0506_0708]),
            ],
        ),
        (
            "by_stream",
            [
                message(
                    0x8b,
                    205,
                    &[1, 2, 0x0001_0003, 0x8400_0000, 0xffff_0000, 3, 0xffff_0002, 0x9ffe_a001, 0x0002_0000],
                ),
                message(0x8b, 205, &[1, 2, 0x0004_0000, 0x0002_8000]),
            ],
        ),
    ];
    for (name, compound) in &compounds {
        write("rtcp_compound", name, compound.concat())?;
    }
    let send = |step: u8| [COMMAND, 0, 1, step, 4, 0];
    let sends = [send(0), send(1), send(2), send(0xc9)].concat();
    write(
        "rtp_session",
        "stream",
        [sends.as_slice(), &[EXCHANGE, COMMAND | Z, 224, EXCHANGE], &sends, &[EXCHANGE, PASS, 100, EXCHANGE]].concat(),
    )?;
    let loss = [
        DRAIN,
        DELIVER | Z,
        DROP | Z,
        TWICE | Z,
        DELIVER | Z,
        DAMAGED | Z,
        0,
        3,
        0,
        3,
        2,
        0xff,
        0xff,
        DRAIN | Z,
        EXCHANGE,
        PASS,
        40,
        EXCHANGE,
    ];
    write(
        "rtp_session",
        "loss",
        [sends.as_slice(), &loss, &sends, &loss, &[COMMAND, 248, EXCHANGE, COMMAND | Z, 255, EXCHANGE]].concat(),
    )?;
    for (name, compound) in &compounds {
        let compound = compound.concat();
        let forged = [
            &[FORGED, compound.len() as u8 + 1, 1],
            compound.as_slice(),
            &[FORGED | Z, compound.len() as u8 + 1, 1],
            &compound,
        ]
        .concat();
        write("rtp_session", name, [sends.as_slice(), &[DRAIN], &forged, &[EXCHANGE, PASS, 100, EXCHANGE]].concat())?;
    }
    Ok(())
}

fn ice() -> Result<()> {
    let id = TransactionId([9; 12]);
    let mut check = Vec::new();
    let request = MessageWriter::request(&mut check, id).username("peer1:peer0").priority(1 << 30);
    request
        .use_candidate()
        .ice_controlling(1)
        .integrity(&IntegrityKey::short_term("the password of number 1"))
        .fingerprint();
    write("ice_peek", "check", &check)?;
    // Candidates and credentials of both, by the steps of a duel.
    let [local_a, local_z] = [[COMMAND, 0, 0], [COMMAND | Z, 0, 0]];
    let [peer_a, peer_z] = [[COMMAND, 80, 0], [COMMAND | Z, 80, 0]];
    let remote = |side: u8, address| [COMMAND | side, 160, address, 0x7e, 0, 0, 0];
    let begin = [local_a.as_slice(), &local_z, &peer_a, &peer_z, &remote(0, 2), &remote(Z, 1)].concat();
    let script = |parts: &[&[u8]]| [begin.as_slice(), &parts.concat()].concat();
    write("ice_agent", "connected", script(&[&[EXCHANGE, EXCHANGE, WAKE, EXCHANGE, PASS, 100, EXCHANGE]]))?;
    write(
        "ice_agent",
        "loss",
        script(&[&[DRAIN, DROP | Z, WAKE, DRAIN, TWICE | Z, DELIVER | Z, DRAIN | Z, DROP, WAKE, EXCHANGE]]),
    )?;
    write("ice_agent", "conflict", [&[COMMAND | Z, 240, 0], begin.as_slice(), &[EXCHANGE, EXCHANGE]].concat())?;
    write(
        "ice_agent",
        "silence",
        script(&[&[EXCHANGE, EXCHANGE, PASS, 200, WAKE, WAKE, DRAIN, PASS, 200, WAKE, DRAIN, EXCHANGE]]),
    )?;
    // Prepared, and told to the other side, candidates with it; the next generation is that of the argument.
    let [prepare, tell] = [|side: u8, n: u8| [COMMAND | side, 244, n], |side: u8, n: u8| [COMMAND | side, 80, n]];
    let known = [remote(0, 2), remote(Z, 1)].concat();
    let anew = |n| [&prepare(0, n)[..], &prepare(Z, n), &tell(Z, n), &tell(0, n), &known, &[EXCHANGE; 3]].concat();
    write("ice_agent", "restart", script(&[&[EXCHANGE, EXCHANGE], &anew(1), &anew(2)]))?;
    let early = [&prepare(0, 1)[..], &prepare(Z, 1), &tell(Z, 1), &remote(Z, 1), &[EXCHANGE], &tell(0, 1)].concat();
    write("ice_agent", "restart_early", script(&[&[EXCHANGE, EXCHANGE], &early, &remote(0, 2), &[EXCHANGE; 3]]))?;
    // Everything fails, both begin anew.
    let silence = [[PASS, 255].as_slice(), &[WAKE; 4]].concat();
    write("ice_agent", "restart_both", script(&[&[EXCHANGE, EXCHANGE], &silence, &anew(1), &[EXCHANGE; 4]]))?;
    let back = [&prepare(Z, 1)[..], &[DRAIN | Z, COMMAND | Z, 247, 0, EXCHANGE]].concat();
    write("ice_agent", "restart_taken_back", script(&[&[EXCHANGE, EXCHANGE], &back]))?;
    let damage = [
        DRAIN,
        DAMAGED | Z,
        0,
        3,
        0,
        30,
        2,
        1,
        1,
        DAMAGED | Z,
        0,
        3,
        0,
        0,
        1,
        5,
        DELIVER | Z,
        DRAIN | Z,
        DAMAGED,
        0,
        3,
        0,
        40,
        1,
        3,
        EXCHANGE,
    ];
    write("ice_agent", "damage", script(&[&damage]))?;
    // From a stranger's address: a peer-reflexive candidate.
    let forged = [&[FORGED | Z, check.len() as u8 + 2, 6, 2], check.as_slice()].concat();
    write("ice_agent", "reflexive", script(&[&forged, &[DRAIN | Z, EXCHANGE]]))?;
    write("ice_agent", "early", [&local_z[..], &forged, &[DRAIN | Z], &peer_z, &[EXCHANGE]].concat())?;
    let mut error = Vec::new();
    MessageWriter::error(&mut error, id, ErrorCode::ROLE_CONFLICT).fingerprint();
    let forged = [&[DRAIN, FORGED, error.len() as u8 + 2, 2, 1], error.as_slice()].concat();
    write("ice_agent", "error", script(&[&forged, &[EXCHANGE, COMMAND, 255, 0, EXCHANGE]]))
}

fn peer() -> Result<()> {
    // At the first byte's moment: with our own tracks and channel, after our own offer, as an answer.
    write("peer_description", "offer", [&[1], OFFER.as_bytes()].concat())?;
    let answer =
        OFFER.replace("actpass", "active").replace("webrtc-datachannel\r\nc=", "webrtc-datachannel\r\na=x\r\nc=");
    let telling = OFFER.replace("application 0", "application 9").replace(
        "webrtc-datachannel\r\n",
        "webrtc-datachannel\r\na=sctp-init:AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA\r\n",
    );
    write("sdp_session", "snap", &telling)?;
    write("peer_description", "snap", [&[9], telling.as_bytes()].concat())?;
    write("peer_description", "answer", [&[7], answer.as_bytes()].concat())?;
    let [channel, offer, read_a, read_z] = [[COMMAND, 0], [COMMAND, 48], [COMMAND, 80], [COMMAND | Z, 80]];
    let mail = |times| [read_a, read_z].concat().repeat(times);
    let begin =
        [channel.as_slice(), &offer, &read_z, &[DRAIN, DRAIN | Z], &mail(6), &[EXCHANGE], &mail(6), &[EXCHANGE; 3]]
            .concat();
    let send = [COMMAND, 144, 0, 1, 0, 0];
    let send_z = [COMMAND | Z, 144, 0, 0x30, 0, 1];
    let script = |parts: &[&[u8]]| [begin.as_slice(), &parts.concat()].concat();
    write(
        "peer_connection",
        "data",
        script(&[&send, &send_z, &[EXCHANGE], &[COMMAND, 144, 0, 0, 0, 255, EXCHANGE], &send, &[EXCHANGE]]),
    )?;
    let tracks = [COMMAND, 32, 0, COMMAND, 32, 1, COMMAND | Z, 32, 0];
    let media = [COMMAND, 200, 0, 0, 1, 2, COMMAND, 200, 1, 1, 1, 2, COMMAND | Z, 200, 0, 210, EXCHANGE];
    let renegotiate = [offer.as_slice(), &mail(4), &[EXCHANGE]].concat();
    write(
        "peer_connection",
        "media",
        [tracks.as_slice(), &begin, &media, &media, &[COMMAND, 200, 1, 221], &renegotiate, &media].concat(),
    )?;
    let restart = [&[COMMAND, 244][..], &offer, &send, &mail(4), &[EXCHANGE; 2], &mail(4), &[EXCHANGE; 2]].concat();
    let roam = [COMMAND, 247, 1, DRAIN, COMMAND, 246, 0, EXCHANGE, PASS, 100, EXCHANGE];
    write("peer_connection", "restart", script(&[&send, &restart, &send_z, &roam, &mail(4), &[EXCHANGE; 3]]))?;
    write("peer_connection", "close", script(&[&send, &[COMMAND, 255, EXCHANGE]]))?;
    write(
        "peer_connection",
        "glare",
        [
            channel.as_slice(),
            &[COMMAND | Z, 0, COMMAND | Z, 48],
            &offer,
            &mail(2),
            &[COMMAND, 240],
            &mail(6),
            &[EXCHANGE; 3],
        ]
        .concat(),
    )?;
    let damaged = [
        channel.as_slice(),
        &offer,
        &[COMMAND | Z, 128, 2, 6, 3, b'a', b'=', b'x', DRAIN, DRAIN | Z],
        &mail(6),
        &[EXCHANGE; 2],
    ]
    .concat();
    write("peer_connection", "damage", damaged)?;
    let loss = [
        DRAIN,
        DROP | Z,
        WAKE,
        DRAIN,
        TWICE | Z,
        DELIVER | Z,
        DRAIN | Z,
        DAMAGED,
        1,
        3,
        0,
        9,
        1,
        1,
        DROP,
        WAKE,
        EXCHANGE,
    ];
    write(
        "peer_connection",
        "loss",
        script(&[&send, &loss, &send_z, &loss, &[PASS, 200, EXCHANGE, PASS, 200, WAKE, EXCHANGE]]),
    )
}
