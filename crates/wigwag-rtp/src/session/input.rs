//! What the peer sends.

use super::{STREAMS_MAX, Session, sooner};
use crate::demultiplex::Route;
use crate::event::{Event, Received, RtpPacket};
use crate::header::Packet;
use crate::rtcp::{Compound, Message, Nack, ReportBlock};
use crate::stream::receive::{Incoming, ReceiveStream};
use crate::stream::resend::Answer;
use bytes::Bytes;
use std::time::{Duration, Instant};
use wigwag_sansio::{Ecn, Timer};

/// A source that was silent for so long makes room for another.
const SILENCE: Duration = Duration::from_secs(10);
/// A packet is not resent sooner, however short the path.
const RESEND_INTERVAL_MIN: Duration = Duration::from_millis(10);

pub(super) fn handle_rtp(session: &mut Session, bytes: &[u8], ecn: Ecn, now: Instant) {
    let Ok(packet) = Packet::parse(bytes) else {
        session.stats.dropped_malformed_rtp += 1;
        return;
    };
    let values = session.sections.extensions().read(packet.extensions());
    let known = session.streams.get(&packet.ssrc);
    let may_move = known.is_none_or(|stream| stream.sequences.is_ahead(packet.sequence));
    let (receiver, clock_rate_hz, nack, transport_cc) =
        match session.sections.route(packet.ssrc, values.mid, packet.payload_type, may_move) {
            Route::To { receiver, clock_rate_hz, nack, transport_cc } => (receiver, clock_rate_hz, nack, transport_cc),
            Route::UnknownStream => {
                session.stats.dropped_unknown_stream += 1;
                return;
            }
            Route::UnknownPayloadType => {
                session.stats.dropped_unknown_payload_type += 1;
                return;
            }
        };
    let elapsed = session.clock.elapsed(now);
    if known.is_none() && !make_room(session, now) {
        session.stats.dropped_too_many_sources += 1;
        return;
    }
    let stream = session
        .streams
        .entry(packet.ssrc)
        .or_insert_with(|| ReceiveStream::new(receiver, packet.ssrc, packet.sequence, now));
    stream.receiver = receiver;
    let incoming = Incoming {
        sequence: packet.sequence,
        timestamp: packet.timestamp,
        clock_rate_hz,
        payload_len: packet.payload.len(),
        header_len: bytes.len() - packet.payload.len(),
        nack,
    };
    let Some(taken) = stream.take(incoming, elapsed, now) else {
        session.stats.dropped_out_of_sequence += 1;
        return;
    };
    // A message that asked for all that was missing may have become needless.
    if !stream.missing.is_owed() {
        session.owed.nacks.remove(&packet.ssrc);
    }
    if taken.is_gap
        && let Some(at) = stream.missing.deadline()
    {
        sooner(&mut session.timers.nack, at);
    }
    if transport_cc
        && let Some(sequence) = values.transport_sequence
        && session.arrivals.add(sequence, elapsed)
    {
        session.timers.transport_feedback = Timer::after(now, session.config.transport_feedback_interval);
    }
    session.arm_report(now);
    session.stats.dropped_events += session.events.push_packet(Received {
        receiver,
        ssrc: packet.ssrc,
        extended_sequence: taken.extended_sequence,
        arrival: now,
        ecn,
        abs_send_time: values.abs_send_time,
        packet: RtpPacket {
            payload_type: packet.payload_type,
            marker: packet.marker,
            sequence: Some(packet.sequence),
            timestamp: packet.timestamp,
            audio_level: values.audio_level,
            payload: Bytes::copy_from_slice(packet.payload),
        },
    });
}

/// Whether there is room for one more source.
fn make_room(session: &mut Session, now: Instant) -> bool {
    if session.streams.len() < STREAMS_MAX {
        return true;
    }
    let quietest = session.streams.values().min_by_key(|stream| stream.last_arrival);
    let Some((ssrc, last_arrival)) = quietest.map(|stream| (stream.ssrc, stream.last_arrival)) else { return true };
    let is_silent = now.saturating_duration_since(last_arrival) >= SILENCE;
    if is_silent {
        session.forget_stream(ssrc);
    }
    is_silent
}

pub(super) fn handle_rtcp(session: &mut Session, bytes: &[u8], now: Instant) {
    session.stats.rtcp_received += 1;
    if bytes.is_empty() {
        session.stats.dropped_malformed_rtcp += 1;
    }
    for message in Compound::new(bytes) {
        match message {
            Ok(message) => handle_message(session, message, now),
            Err(_) => session.stats.dropped_malformed_rtcp += 1,
        }
    }
}

fn handle_message(session: &mut Session, message: Message<'_>, now: Instant) {
    match message {
        Message::SenderReport(report) => {
            if let Some(stream) = session.streams.get_mut(&report.ssrc) {
                stream.take_sender_report(report.info, now);
            }
            report.blocks().for_each(|block| handle_report(session, block, now));
        }
        Message::ReceiverReport(report) => report.blocks().for_each(|block| handle_report(session, block, now)),
        Message::Goodbye(goodbye) => {
            for ssrc in goodbye.sources() {
                if let Some(stream) = session.streams.get(&ssrc) {
                    session.stats.dropped_events +=
                        session.events.push(Event::Ended { receiver: stream.receiver, ssrc });
                    session.forget_stream(ssrc);
                }
            }
        }
        Message::Nack(nack) => handle_nack(session, nack, now),
        Message::TransportFeedback(feedback) => {
            session.stats.transport_feedbacks_received += 1;
            let reported = session.history.take(&feedback, &mut session.stats);
            if !reported.is_empty() {
                session.stats.dropped_events += session.events.push(Event::TransportFeedback(reported));
            }
        }
        Message::PictureLoss(loss) => request_key_frame(session, loss.media_ssrc, None),
        Message::FullIntraRequest(request) => {
            for (ssrc, number) in request.requests() {
                request_key_frame(session, ssrc, Some(number));
            }
        }
        Message::ReceiverEstimate(estimate) => session.stats.remb_bps = Some(estimate.bitrate_bps),
        Message::SourceDescription(_) => {}
        Message::Other { .. } => session.stats.ignored_rtcp += 1,
    }
}

fn handle_report(session: &mut Session, block: ReportBlock, now: Instant) {
    let ntp_time = session.clock.ntp(now);
    if let Some(id) = session.by_ssrc.get(&block.ssrc)
        && let Some(sender) = session.senders.get_mut(id)
        && let Some(round_trip) = sender.take_report(block, ntp_time)
    {
        session.stats.round_trip_time = Some(round_trip);
    }
}

fn handle_nack(session: &mut Session, nack: Nack<'_>, now: Instant) {
    let interval = session.round_trip().clamp(RESEND_INTERVAL_MIN, super::ROUND_TRIP_DEFAULT);
    let Some(id) = session.by_ssrc.get(&nack.media_ssrc) else { return };
    let Some(sender) = session.senders.get_mut(id) else { return };
    sender.stats.nacks_received += 1;
    for sequence in nack.pairs().flat_map(crate::rtcp::NackPair::sequences) {
        match sender.cache.ask(sequence, now, interval) {
            Answer::Resend if session.queue.push_resend(*id, sequence) => {}
            Answer::Resend | Answer::Gone => sender.stats.nacks_unanswered += 1,
            Answer::TooSoon => {}
        }
    }
}

/// Of a full intra request, the number tells whether it is a new one (RFC 5104 §4.3.1.2).
fn request_key_frame(session: &mut Session, ssrc: u32, number: Option<u8>) {
    let Some(id) = session.by_ssrc.get(&ssrc) else { return };
    let Some(sender) = session.senders.get_mut(id) else { return };
    match number {
        None => sender.stats.plis_received += 1,
        Some(_) => {
            sender.stats.firs_received += 1;
            if sender.last_full_intra_request == number {
                return;
            }
            sender.last_full_intra_request = number;
        }
    }
    if !std::mem::replace(&mut sender.is_key_frame_event_owed, true) {
        session.stats.dropped_events += session.events.push(Event::KeyFrameRequested { sender: *id });
    }
}
