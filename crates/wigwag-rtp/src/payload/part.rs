//! What a packet of pictures says of the frame that it is part of, in the terms that all formats have.

use super::vp8::{self, PictureId};
use super::{Format, av1, h264, vp9};
use crate::DecodeError;
use bytes::Bytes;

/// Whether a frame begins with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// It goes on.
    No,
    /// If the frame before ended with the packet before.
    Perhaps,
    /// Also after packets that are missing; but it may as well go on with this.
    Likely,
    /// It does.
    Surely,
}

/// What a packet says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) begins: Begins,
    /// The number of the frame, if frames are numbered.
    pub(super) number: Option<PictureId>,
    /// Whether it goes on with what the packet before left open.
    pub(super) continues: bool,
    /// Whether the next packet has to go on with what is in this one.
    pub(super) leaves_open: bool,
}

/// A piece of a frame.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) data: Bytes,
    /// Whether a unit of the format begins here.
    pub(super) begins: bool,
    /// What stands before it and was not carried as it is: the first byte of a NAL unit in fragments.
    pub(super) header: Option<u8>,
}

/// What a payload says.
pub(super) fn read(format: Format, payload: &[u8]) -> Result<Reading, DecodeError> {
    match format {
        Format::H264 | Format::H264SingleNal => h264::Payload::parse(payload).map(h264),
        Format::Vp9 => vp9::Descriptor::parse(payload).map(|(descriptor, _)| vp9(&descriptor)),
        Format::Av1 => av1::Payload::parse(payload).map(|payload| av1(&payload)),
        _ => vp8::Descriptor::parse(payload).map(|(descriptor, _)| vp8(&descriptor)),
    }
}

/// Whether a payload carries nothing: padding that probes the path, or what receivers of the format ignore.
pub(super) fn is_nothing(format: Format, payload: &[u8]) -> bool {
    match format {
        Format::H264 | Format::H264SingleNal => payload.is_empty() || h264::is_ignored(payload),
        _ => payload.is_empty(),
    }
}

fn vp8(descriptor: &vp8::Descriptor) -> Reading {
    let begins = if descriptor.is_frame_start() { Begins::Surely } else { Begins::No };
    Reading { begins, number: descriptor.picture_id, continues: false, leaves_open: false }
}

// RFC 9628 §4.2: the layers of a picture follow one another, the lowest first. Of a picture whose lower layers were left out on the way, a
// higher one is the first.
fn vp9(descriptor: &vp9::Descriptor<'_>) -> Reading {
    let begins = match (descriptor.is_start, descriptor.is_lowest()) {
        (false, _) => Begins::No,
        (true, false) => Begins::Perhaps,
        (true, true) => Begins::Surely,
    };
    let (continues, leaves_open) = (!descriptor.is_start, !descriptor.is_end);
    Reading { begins, number: descriptor.picture_id, continues, leaves_open }
}

fn av1(payload: &av1::Payload<'_>) -> Reading {
    let begins = match (payload.continues, payload.begins_sequence) {
        (true, _) => Begins::No,
        (false, true) => Begins::Surely,
        (false, false) => Begins::Perhaps,
    };
    Reading { begins, number: None, continues: payload.continues, leaves_open: payload.leaves_open }
}

fn h264(payload: h264::Payload<'_>) -> Reading {
    let (continues, leaves_open) = match payload {
        h264::Payload::Fragment(fragment) => (!fragment.is_start, !fragment.is_end),
        _ => (false, false),
    };
    let begins = match payload {
        _ if continues => Begins::No,
        _ if payload.begins_surely() => Begins::Likely,
        _ => Begins::Perhaps,
    };
    Reading { begins, number: None, continues, leaves_open }
}

/// The pieces of the frame in a payload that was [read](read), in order.
pub(super) fn pieces(format: Format, payload: &Bytes, mut take: impl FnMut(Piece)) {
    match format {
        Format::H264 | Format::H264SingleNal => h264_pieces(payload, take),
        Format::Vp9 => {
            if let Ok((_, part)) = vp9::Descriptor::parse(payload) {
                take(Piece { data: payload.slice_ref(part), begins: false, header: None });
            }
        }
        Format::Av1 => {
            if let Ok(read) = av1::Payload::parse(payload) {
                let mut begins = !read.continues;
                for element in read.elements {
                    take(Piece { data: payload.slice_ref(element), begins, header: None });
                    begins = true;
                }
            }
        }
        _ => {
            if let Ok((_, part)) = vp8::Descriptor::parse(payload) {
                take(Piece { data: payload.slice_ref(part), begins: false, header: None });
            }
        }
    }
}

fn h264_pieces(payload: &Bytes, mut take: impl FnMut(Piece)) {
    let mut unit = |unit| take(Piece { data: payload.slice_ref(unit), begins: true, header: None });
    match h264::Payload::parse(payload) {
        Ok(h264::Payload::Single(data)) => unit(data),
        Ok(h264::Payload::Aggregate(units)) => units.known().for_each(unit),
        Ok(h264::Payload::Fragment(fragment)) => take(Piece {
            data: payload.slice_ref(fragment.data),
            begins: fragment.is_start,
            header: Some(fragment.header).filter(|_| fragment.is_start),
        }),
        Err(_) => {}
    }
}
