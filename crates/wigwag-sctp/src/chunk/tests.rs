//! Packets as other stacks have sent them.

use super::*;
use crate::packet::{Packet, RawChunk};
use crate::parameter::{self, Extensions, OutgoingReset, Response, ResponseResult};
use crate::wire::Tlvs;

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Checks the checksum, gives the first chunk to `read`, and compares what it writes with the bytes.
fn agrees(packet: &str, read: impl FnOnce(RawChunk<'_>, &mut Vec<u8>)) {
    let bytes = hex(packet);
    let mut packet = Packet::decode(&bytes, false).unwrap();
    assert!(packet.has_valid_checksum);
    let mut out = Vec::new();
    read(packet.chunks.next().unwrap().unwrap(), &mut out);
    assert_eq!(out, bytes[12..]);
}

#[test]
fn data_with_padding() {
    agrees("138813880fc0f8a185217dad000300119a0f13fd00010001000000334d000000", |chunk, out| {
        let data = Data::decode(chunk).unwrap();
        let expected = Data { flags: BEGINNING | ENDING, tsn: 0x9a0f_13fd, stream: 1, ssn: 1, ppid: 51, payload: b"M" };
        assert_eq!(data, expected);
        data.write(out);
    });
}

#[test]
fn init_with_the_extensions_of_usrsctp() {
    let packet = "1388138800000000ae5f854d010000562452170300020000010008003092614bc000000480080009c00fc1808200000080020024\
                  89992738156ca469abf5a11ac89dc274af07e51ab3fa38045017da1e3390f17780040006000100008003000680c10000";
    let bytes = hex(&packet.replace(' ', ""));
    let mut packet = Packet::decode(&bytes, false).unwrap();
    assert!(packet.has_valid_checksum);
    let (init, parameters) = Init::decode(packet.chunks.next().unwrap().unwrap()).unwrap();
    let expected = Init {
        initiate_tag: 0x2452_1703,
        a_rwnd: 131_072,
        outbound_streams: 256,
        inbound_streams: 2048,
        initial_tsn: 0x3092_614b,
    };
    assert_eq!(init, expected);
    let kinds: Vec<_> = parameters.map(|parameter| parameter.unwrap().kind).collect();
    assert_eq!(kinds, [0xc000, 0x8008, 0x8002, 0x8004, 0x8003]);
    let mut extensions = Extensions::default();
    parameters.for_each(|parameter| {
        extensions.read(parameter.unwrap());
    });
    assert_eq!(extensions, Extensions::ours(&crate::Config::default()));
    let mut out = Vec::new();
    init.write(kind::INIT, &mut out, |_| 0);
    assert_eq!(out[4..20], bytes[16..32]);
}

#[test]
fn sack_with_gaps_and_a_duplicate() {
    agrees("13881388f71faf4b4fe61a210300001c847f5b9d0001f4a0000200010002000200040004847f5ba1", |chunk, out| {
        let sack = Sack::decode(chunk).unwrap();
        let gaps: Vec<_> = sack.gaps().collect();
        assert_eq!((sack.cumulative_tsn, sack.a_rwnd), (0x847f_5b9d, 128_160));
        assert_eq!(gaps, [(2, 2), (4, 4)]);
        write_sack(sack.cumulative_tsn, sack.a_rwnd, gaps.into_iter(), [0x847f_5ba1].into_iter(), out);
    });
}

#[test]
fn cookie_echo() {
    agrees("138813883df2428dca7547bd0a00000c3132333435363738", |chunk, out| {
        assert_eq!(chunk.value, b"12345678");
        write_cookie_echo(chunk.value, out);
    });
}

#[test]
fn forward_tsn() {
    agrees("138813880fc0f8a1bf44c9a3c000000c000004d2000c0022", |chunk, out| {
        let forward = ForwardTsn::decode(chunk).unwrap();
        let skips: Vec<_> = forward.skips().collect();
        assert_eq!((forward.cumulative_tsn, skips.as_slice()), (1234, [(12, 34)].as_slice()));
        write_forward_tsn(1234, skips.into_iter(), out);
    });
}

#[test]
fn shutdown_and_its_ack() {
    agrees("13881388ef9c1872ca511f8b07000008a0b834d8", |chunk, out| {
        assert_eq!(read_shutdown(chunk), Some(0xa0b8_34d8));
        write_shutdown(0xa0b8_34d8, out);
    });
    agrees("1388138800000000b9a6d45b08000004", |chunk, out| {
        assert_eq!(chunk.kind, kind::SHUTDOWN_ACK);
        write_shutdown_ack(out);
    });
}

#[test]
fn a_request_to_reset_a_stream_and_its_response() {
    agrees("13881388c8e86e6be9e7059182000016000d00128bd80a5be48bec738bd80a5e00010000", |chunk, out| {
        let value = Tlvs::new(chunk.value).find_value(parameter::kind::OUTGOING_RESET).unwrap();
        let request = OutgoingReset::decode(value).unwrap();
        let streams: Vec<_> = request.streams().collect();
        assert_eq!((request.sequence, request.last_tsn), (0x8bd8_0a5b, 0x8bd8_0a5e));
        assert_eq!(streams, [1]);
        write_reconfig(out, |out| OutgoingReset::write(0x8bd8_0a5b, 0xe48b_ec73, 0x8bd8_0a5e, &streams, out));
    });
    agrees("13881388b1bf7efd4437a952820000100010000c91531f5400000001", |chunk, out| {
        let response = Response::decode(Tlvs::new(chunk.value).find_value(parameter::kind::RESPONSE).unwrap()).unwrap();
        assert_eq!(response, Response::new(0x9153_1f54, ResponseResult::Performed));
        write_reconfig(out, |out| response.write(out));
    });
}

#[test]
fn an_error_and_an_abort_with_their_causes() {
    agrees("13881388e05957c2fce57e650900000c0001000830390000", |chunk, out| {
        let cause = crate::wire::Tlv { kind: 1, value: &crate::cause::invalid_stream(12_345) };
        let mut causes = Vec::new();
        cause.write(&mut causes);
        assert_eq!(Tlvs::new(chunk.value).next(), Some(Ok(cause)));
        write_error(&causes, out);
    });
    let packet = "13881388e05957c2143effc00600003b000d0037457870656374656420422d62697420666f722054534e3d3463653166313766\
                  2c205349443d303030312c2053534e3d3030303000";
    let bytes = hex(&packet.replace(' ', ""));
    let mut packet = Packet::decode(&bytes, false).unwrap();
    assert!(packet.has_valid_checksum);
    let cause = Abort::decode(packet.chunks.next().unwrap().unwrap()).causes.next().unwrap().unwrap();
    assert_eq!((cause.kind, cause.value), (13, b"Expected B-bit for TSN=4ce1f17f, SID=0001, SSN=0000".as_slice()));
}

#[test]
fn a_heartbeat_of_ours_is_known_by_its_nonce_and_others_are_not() {
    let mut out = Vec::new();
    write_heartbeat(HeartbeatInfo { nonce: 7 }, &mut out);
    assert_eq!(out, [4, 0, 0, 16, 0, 1, 0, 12, 0, 0, 0, 0, 0, 0, 0, 7]);
    let mut ack = Vec::new();
    write_heartbeat_ack(&out[4..], &mut ack);
    assert_eq!((ack[0], &ack[1..]), (5, &out[1..]));
    let raw = |value| RawChunk { kind: 5, flags: 0, value, bytes: &[] };
    assert_eq!(HeartbeatInfo::decode(raw(&ack[4..])), Some(HeartbeatInfo { nonce: 7 }));
    assert_eq!(HeartbeatInfo::decode(raw(&ack[4..12])), None);
    assert_eq!(HeartbeatInfo::decode(raw(&[])), None);
}

#[test]
fn a_sack_whose_counts_do_not_agree_with_its_length_does_not_decode() {
    let sack = [0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 2];
    let decode = |value| Sack::decode(RawChunk { kind: 3, flags: 0, value, bytes: &[] }).is_some();
    assert!(decode(&sack));
    assert!((0..sack.len()).all(|len| !decode(&sack[..len])));
    assert!(!decode(&[sack.as_slice(), &[0]].concat()));
}

#[test]
fn what_is_unknown_is_treated_by_its_highest_bits() {
    let chunk = |kind| (Unrecognized::chunk(kind).is_end, Unrecognized::chunk(kind).is_reported);
    assert_eq!([0x3f, 0x7f, 0xbf, 0xff].map(chunk), [(true, false), (true, true), (false, false), (false, true)]);
    let parameter = |kind| (Unrecognized::parameter(kind).is_end, Unrecognized::parameter(kind).is_reported);
    assert_eq!([0x3fff, 0x7fff, 0xbfff, 0xffff].map(parameter), [0x3f, 0x7f, 0xbf, 0xff].map(chunk));
}
