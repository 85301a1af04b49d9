//! The blocks of a capture (draft-ietf-opsawg-pcapng), in the byte order of networks.

use crate::{Direction, Passage};

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;

const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;
/// The length of the section is not told: who writes does not know it yet.
const UNKNOWN_LEN: u64 = u64::MAX;
/// TLS Key Log: the format of SSLKEYLOGFILE.
const TLS_KEY_LOG: u32 = 0x544C_534B;
/// Packets begin with their IPv4 or IPv6 header.
const LINKTYPE_RAW: u16 = 101;
/// Packets begin with tags that name their dissector and their addresses.
const LINKTYPE_WIRESHARK_UPPER_PDU: u16 = 252;

const OPT_ENDOFOPT: u16 = 0;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// The interfaces of a capture, in the order of their descriptions.
#[derive(Clone, Copy)]
pub(crate) enum Interface {
    Wire,
    Plain,
}

/// Appends what a capture begins with.
pub fn begin(out: &mut Vec<u8>) {
    block(out, SECTION_HEADER, |out| {
        out.extend_from_slice(&BYTE_ORDER_MAGIC.to_be_bytes());
        out.extend_from_slice(&[0, 1, 0, 0]); // version 1.0
        out.extend_from_slice(&UNKNOWN_LEN.to_be_bytes());
        option(out, SHB_USERAPPL, b"wigwag");
        option(out, OPT_ENDOFOPT, b"");
    });
    interface(out, LINKTYPE_RAW, "wire", "datagrams as they were sent and received");
    interface(out, LINKTYPE_WIRESHARK_UPPER_PDU, "plain", "SCTP, RTP and RTCP without encryption");
}

fn interface(out: &mut Vec<u8>, link_type: u16, name: &str, description: &str) {
    block(out, INTERFACE_DESCRIPTION, |out| {
        out.extend_from_slice(&link_type.to_be_bytes());
        out.extend_from_slice(&[0; 6]); // reserved; packets of any length
        option(out, IF_NAME, name.as_bytes());
        option(out, IF_DESCRIPTION, description.as_bytes());
        option(out, IF_TSRESOL, &[9]); // nanoseconds
        option(out, OPT_ENDOFOPT, b"");
    });
}

/// Appends lines in the format of SSLKEYLOGFILE, with which the packets **after** it can be decrypted: a secret.
pub fn key_log(out: &mut Vec<u8>, lines: &str) {
    let end = if lines.is_empty() || lines.ends_with('\n') { "" } else { "\n" };
    block(out, DECRYPTION_SECRETS, |out| {
        out.extend_from_slice(&TLS_KEY_LOG.to_be_bytes());
        out.extend_from_slice(&len_of(lines.len() + end.len()).to_be_bytes());
        out.extend_from_slice(lines.as_bytes());
        out.extend_from_slice(end.as_bytes());
    });
}

/// A packet in parts.
pub(crate) fn packet(out: &mut Vec<u8>, interface: Interface, passage: &Passage, parts: &[&[u8]]) {
    // Until the year 2554.
    let nanoseconds = u64::try_from(passage.time.as_nanos()).unwrap_or(u64::MAX);
    let len = len_of(parts.iter().map(|part| part.len()).sum());
    block(out, ENHANCED_PACKET, |out| {
        out.extend_from_slice(&(interface as u32).to_be_bytes());
        out.extend_from_slice(&nanoseconds.to_be_bytes());
        out.extend_from_slice(&[len, len].map(u32::to_be_bytes).concat()); // captured and original
        parts.iter().for_each(|part| out.extend_from_slice(part));
        pad(out, len as usize);
        if let Some(direction) = passage.direction {
            let flag = match direction {
                Direction::Received => INBOUND,
                Direction::Sent => OUTBOUND,
            };
            option(out, EPB_FLAGS, &flag.to_be_bytes());
            option(out, OPT_ENDOFOPT, b"");
        }
    });
}

/// A block around what `body` appends: its type and its length, which is told at both ends.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    body(out);
    pad(out, out.len() - start);
    let len = len_of(out.len() - start + 4).to_be_bytes();
    if let Some(place) = out.get_mut(start + 4..start + 8) {
        place.copy_from_slice(&len);
    }
    out.extend_from_slice(&len);
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&[code, len].map(u16::to_be_bytes).concat());
    out.extend_from_slice(value);
    pad(out, value.len());
}

/// To a multiple of 32 bits.
fn pad(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&[0; 3][..len.next_multiple_of(4) - len]);
}

fn len_of(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
