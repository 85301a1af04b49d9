//! RTCP messages as they are on the wire (RFC 3550 §6, RFC 4585 §6), a file per message.

pub(crate) mod congestion_control_feedback;
mod full_intra_request;
mod goodbye;
mod nack;
mod picture_loss;
mod receiver_estimate;
mod report;
mod source_description;
pub(crate) mod transport_feedback;

pub use congestion_control_feedback::{
    ArrivalTimeOffset, CongestionControlFeedback, PacketMetric, Reception, StreamFeedback,
};
pub use full_intra_request::FullIntraRequest;
pub use goodbye::Goodbye;
pub use nack::{Nack, NackPair};
pub use picture_loss::PictureLoss;
pub use receiver_estimate::ReceiverEstimate;
pub use report::{ReceiverReport, ReportBlock, SenderInfo, SenderReport};
pub use source_description::SourceDescription;
pub use transport_feedback::{Arrival, TransportFeedback};

use crate::DecodeError;
use crate::read::{Reader, without_padding};

/// The header of a message: version, padding, count, type, length.
pub(crate) const HEADER_LEN: usize = 4;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;

/// A message of a compound.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Message<'a> {
    /// SR (RFC 3550 §6.4.1).
    SenderReport(SenderReport<'a>),
    /// RR (RFC 3550 §6.4.2).
    ReceiverReport(ReceiverReport<'a>),
    /// SDES (RFC 3550 §6.5).
    SourceDescription(SourceDescription<'a>),
    /// BYE (RFC 3550 §6.6).
    Goodbye(Goodbye<'a>),
    /// Generic NACK (RFC 4585 §6.2.1).
    Nack(Nack<'a>),
    /// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
    TransportFeedback(TransportFeedback<'a>),
    /// Congestion control feedback (RFC 8888 §3.1).
    CongestionControlFeedback(CongestionControlFeedback<'a>),
    /// PLI (RFC 4585 §6.3.1).
    PictureLoss(PictureLoss),
    /// FIR (RFC 5104 §4.3.1).
    FullIntraRequest(FullIntraRequest<'a>),
    /// REMB (draft-alvestrand-rmcat-remb-03 §2.2).
    ReceiverEstimate(ReceiverEstimate<'a>),
    /// A message that we do not use.
    Other {
        /// The packet type.
        packet_type: u8,
        /// The count, subtype or feedback message type.
        count: u8,
    },
}

/// The messages of a compound; it ends after the first that does not decode.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a>(Reader<'a>);

impl<'a> Compound<'a> {
    /// Reads a compound, or a single message (RFC 5506).
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(Reader(bytes))
    }

    fn message(&mut self) -> Result<Message<'a>, DecodeError> {
        let [first, packet_type] = self.0.array()?;
        if first >> 6 != 2 {
            return Err(DecodeError::Version);
        }
        let words = self.0.u16()?;
        let mut body = self.0.take(4 * usize::from(words))?;
        if first & 0x20 != 0 {
            body = without_padding(body)?;
        }
        Message::parse(packet_type, first & 0x1f, Reader(body))
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<Message<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.0.is_empty() {
            return None;
        }
        let message = self.message();
        if message.is_err() {
            self.0 = Reader(&[]);
        }
        Some(message)
    }
}

impl<'a> Message<'a> {
    fn parse(packet_type: u8, count: u8, body: Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match (packet_type, count) {
            (SENDER_REPORT, _) => Self::SenderReport(SenderReport::parse(count, body)?),
            (RECEIVER_REPORT, _) => Self::ReceiverReport(ReceiverReport::parse(count, body)?),
            (SOURCE_DESCRIPTION, _) => Self::SourceDescription(SourceDescription::parse(count, body)?),
            (GOODBYE, _) => Self::Goodbye(Goodbye::parse(count, body)?),
            (TRANSPORT_FEEDBACK, nack::FORMAT) => Self::Nack(Nack::parse(body)?),
            (TRANSPORT_FEEDBACK, transport_feedback::FORMAT) => {
                Self::TransportFeedback(TransportFeedback::parse(body)?)
            }
            (TRANSPORT_FEEDBACK, congestion_control_feedback::FORMAT) => {
                Self::CongestionControlFeedback(CongestionControlFeedback::parse(body)?)
            }
            (PAYLOAD_FEEDBACK, picture_loss::FORMAT) => Self::PictureLoss(PictureLoss::parse(body)?),
            (PAYLOAD_FEEDBACK, full_intra_request::FORMAT) => Self::FullIntraRequest(FullIntraRequest::parse(body)?),
            (PAYLOAD_FEEDBACK, receiver_estimate::FORMAT) => match ReceiverEstimate::parse(body)? {
                Some(estimate) => Self::ReceiverEstimate(estimate),
                None => Self::Other { packet_type, count },
            },
            _ => Self::Other { packet_type, count },
        })
    }
}

/// Appends a message's header; `len` is that of the whole message, a multiple of four.
fn write_header(packet_type: u8, count: u8, len: usize, out: &mut Vec<u8>) {
    debug_assert!(len.is_multiple_of(4) && len >= HEADER_LEN && count < 32, "a message is some words long");
    out.extend_from_slice(&[0x80 | count & 0x1f, packet_type]);
    out.extend_from_slice(&((len / 4).saturating_sub(1) as u16).to_be_bytes());
}
