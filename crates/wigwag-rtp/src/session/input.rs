//! What the peer sends.

use super::Session;
use super::retransmission::Way;
use super::streams::Room;
use crate::demultiplex::{Labels, Reporting, Route};
use crate::event::{Received, RtpPacket};
use crate::extension::ElementData;
use crate::header::Packet;
use crate::payload::numbers::Head;
use crate::rtcp::transport_feedback::COUNT_MAX;
use crate::rtcp::{Compound, Message, Nack, ReportBlock};
use crate::stream::receive::Incoming;
use crate::stream::resend::Answer;
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wigwag_sansio::{Ecn, Timer};

/// A packet is not resent sooner, however short the path.
const RESEND_INTERVAL_MIN: Duration = Duration::from_millis(10);

pub(super) fn handle_rtp(session: &mut Session, bytes: &[u8], ecn: Ecn, now: Instant) {
    let Ok(packet) = Packet::parse(bytes) else {
        session.stats.dropped_malformed_rtp += 1;
        return;
    };
    let values = session.sections.extensions().read(packet.extensions());
    let elapsed = session.clock.elapsed(now);
    // The numbers are those of the transport: what is dropped below, or is of a section that reports nothing, has arrived all the same.
    // Untold, it would be a loss to the peer.
    let Reporting { transport_wide, by_stream } = session.sections.reporting();
    let arrival = Arrival {
        transport_sequence: values.transport_sequence.filter(|_| transport_wide),
        by_stream: by_stream.then_some((packet.ssrc, packet.sequence)),
        ecn,
        elapsed,
    };
    arrived(session, arrival, now);
    let known = session.streams.get(packet.ssrc);
    let is_new = known.is_none();
    let former = if is_new { session.streams.former(packet.ssrc).cloned() } else { None };
    let labels = Labels {
        ssrc: packet.ssrc,
        mid: values.mid,
        rid: values.rid,
        repaired_rid: values.repaired_rid,
        payload_type: packet.payload_type,
        known: known.map(|stream| stream.receiver),
        former: former.as_ref().map(|former| former.receiver),
        may_move: known.is_none_or(|stream| stream.sequences.is_ahead(packet.sequence)),
    };
    let may_move = labels.may_move;
    let (receiver, clock_rate_hz, nack, apt, has_rtx, rid) = match session.sections.route(labels) {
        Route::To { receiver, clock_rate_hz, nack, apt, has_rtx, rid } => {
            (receiver, clock_rate_hz, nack, apt, has_rtx, rid)
        }
        Route::UnknownStream => {
            session.stats.dropped_unknown_stream += 1;
            return;
        }
        Route::UnknownPayloadType => {
            session.stats.dropped_unknown_payload_type += 1;
            return;
        }
    };
    if let Some(apt) = apt {
        let received = session.take_again(&packet, bytes.len(), &Way { receiver, rid, apt, clock_rate_hz }, now);
        match received {
            Some(received) => {
                let mut received = Received { ecn, abs_send_time: values.abs_send_time, ..received };
                received.packet.audio_level = values.audio_level;
                received.packet.dependency_descriptor = values.dependency_descriptor.and_then(ElementData::new);
                received.packet.video_layers_allocation = values.video_layers_allocation.and_then(ElementData::new);
                session.stats.dropped_events += session.events.push_packet(received);
            }
            None => session.stats.dropped_retransmissions += 1,
        }
        return;
    }
    // Most packets tell nothing new.
    let is_known_so =
        |rid: &Arc<str>| known.is_some_and(|stream| stream.receiver == receiver && stream.rid.as_ref() == Some(rid));
    let new_rid = rid.filter(|rid| may_move && !is_known_so(rid));
    if is_new && session.streams.is_straggler(packet.ssrc, packet.sequence, now) {
        session.stats.dropped_after_end += 1;
        return;
    }
    if is_new && !make_room(session, now) {
        session.stats.dropped_too_many_sources += 1;
        return;
    }
    session.stats.visits += 1;
    if is_new {
        session.prepare_for_stream();
    }
    if session.streams.awaited.contains(&receiver) {
        session.streams.enter(receiver, packet.ssrc, packet.sequence, now);
        session.ask_if_awaited(receiver, packet.ssrc);
    }
    if let Some(former) = former {
        session.streams.enter(receiver, packet.ssrc, packet.sequence, now);
        session.streams.come_back(packet.ssrc, former);
    }
    if let Some(rid) = new_rid {
        session.streams.enter(receiver, packet.ssrc, packet.sequence, now);
        session.streams.name_layer(packet.ssrc, &rid);
    }
    let stream = session.streams.enter(receiver, packet.ssrc, packet.sequence, now);
    let rid = stream.rid.clone();
    let was_reported = !stream.is_report_due;
    let incoming = Incoming {
        sequence: packet.sequence,
        payload_type: packet.payload_type,
        timestamp: packet.timestamp,
        clock_rate_hz,
        payload_len: packet.payload.len(),
        header_len: bytes.len() - packet.payload.len(),
        nack,
        may_come_again: has_rtx,
    };
    let Some(taken) = stream.take(incoming, elapsed, now) else {
        session.stats.dropped_out_of_sequence += 1;
        return;
    };
    if was_reported {
        session.unreported.streams.push_back(packet.ssrc);
    }
    // A message that asked for all that was missing may have become needless.
    if !stream.missing.is_owed() {
        session.owed.nacks.remove(packet.ssrc);
    }
    if taken.is_gap
        && let Some(at) = stream.missing.deadline()
    {
        session.timers.arm_nack(at);
    }
    if stream.missing.is_empty() {
        session.streams.incomplete.remove(packet.ssrc);
    } else if taken.is_gap {
        session.streams.incomplete.insert(packet.ssrc);
    }
    session.arm_report(now);
    if taken.is_duplicate {
        session.stats.dropped_duplicates += 1;
        return;
    }
    session.stats.dropped_events += session.events.push_packet(Received {
        receiver,
        ssrc: packet.ssrc,
        rid,
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
            dependency_descriptor: values.dependency_descriptor.and_then(ElementData::new),
            video_layers_allocation: values.video_layers_allocation.and_then(ElementData::new),
            payload: Bytes::copy_from_slice(packet.payload),
            head: Head::NONE,
        },
    });
}

/// What is to be reported of a packet.
#[derive(Clone, Copy)]
struct Arrival {
    transport_sequence: Option<u16>,
    /// Its source and number, where it is reported by those.
    by_stream: Option<(u32, u16)>,
    ecn: Ecn,
    /// Since the session began.
    elapsed: Duration,
}

/// The packet is to be reported in the ways that were agreed upon.
fn arrived(session: &mut Session, arrival: Arrival, now: Instant) {
    let Arrival { transport_sequence, by_stream, ecn, elapsed } = arrival;
    let interval = session.config.transport_feedback_interval;
    if transport_sequence.is_some_and(|sequence| session.arrivals.add(sequence, elapsed)) {
        session.timers.transport_feedback = Timer::after(now, interval);
    }
    if by_stream.is_some_and(|(ssrc, sequence)| session.stream_arrivals.add(ssrc, sequence, ecn, elapsed)) {
        session.timers.congestion_feedback = Timer::after(now, interval);
    }
}

/// Whether there is room for one more source, perhaps after a silent one had to go.
fn make_room(session: &mut Session, now: Instant) -> bool {
    match session.streams.room(now) {
        Room::Free => true,
        Room::Instead(ssrc) => {
            session.forget_stream(ssrc);
            true
        }
        Room::Full => false,
    }
}

/// The source is over, and what it sends later begins anew.
fn end_stream(session: &mut Session, ssrc: u32, now: Instant) {
    session.streams.end(ssrc, now);
    if let Some(stream) = session.streams.get(ssrc) {
        session.stats.dropped_events += session.events.push_end(stream.receiver, ssrc);
        session.forget_stream(ssrc);
    }
}

pub(super) fn handle_rtcp(session: &mut Session, bytes: &[u8], now: Instant) {
    session.stats.rtcp_received += 1;
    if bytes.is_empty() {
        session.stats.dropped_malformed_rtcp += 1;
    }
    // Some bytes can speak of thousands of packets: a datagram of many such messages is work and nothing else.
    let mut reported = 0;
    for message in Compound::new(bytes) {
        if let Ok(Message::TransportFeedback(feedback)) = &message {
            reported += usize::from(feedback.count);
        }
        match message {
            Ok(message) if reported <= usize::from(COUNT_MAX) => handle_message(session, message, now),
            Ok(_) | Err(_) => {
                session.stats.dropped_malformed_rtcp += 1;
                break;
            }
        }
    }
}

fn handle_message(session: &mut Session, message: Message<'_>, now: Instant) {
    match message {
        Message::SenderReport(report) => {
            if let Some(stream) = session.streams.get_mut(report.ssrc) {
                stream.take_sender_report(report.info, now);
            }
            report.blocks().for_each(|block| handle_report(session, block, now));
        }
        Message::ReceiverReport(report) => report.blocks().for_each(|block| handle_report(session, block, now)),
        Message::Goodbye(goodbye) => {
            for ssrc in goodbye.sources() {
                end_stream(session, ssrc, now);
            }
        }
        Message::Nack(nack) => handle_nack(session, nack, now),
        Message::TransportFeedback(feedback) => {
            session.stats.transport_feedbacks_received += 1;
            let reported = session.history.take(&feedback, &mut session.stats);
            if !reported.is_empty() {
                session.events.push_feedback(reported);
            }
        }
        Message::CongestionControlFeedback(feedback) => {
            session.stats.congestion_feedbacks_received += 1;
            let reported = session.history.take_by_stream(&feedback, now, &mut session.stats);
            if !reported.is_empty() {
                session.events.push_feedback(reported);
            }
        }
        Message::PictureLoss(loss) => request_key_frame(session, loss.media_ssrc, None, now),
        Message::FullIntraRequest(request) => {
            for (ssrc, number) in request.requests() {
                request_key_frame(session, ssrc, Some((request.sender_ssrc, number)), now);
            }
        }
        Message::ReceiverEstimate(estimate) => session.stats.remb_bps = Some(estimate.bitrate_bps),
        Message::SourceDescription(description) => {
            for (ssrc, name) in description.canonical_names() {
                if let Some(stream) = session.streams.get_mut(ssrc)
                    && stream.canonical_name != name
                {
                    stream.canonical_name.clear();
                    stream.canonical_name.extend_from_slice(name);
                }
            }
        }
        Message::Other { .. } => session.stats.ignored_rtcp += 1,
    }
}

fn handle_report(session: &mut Session, block: ReportBlock, now: Instant) {
    let ntp_time = session.clock.ntp(now);
    if let Some(id) = session.by_ssrc.get(&block.ssrc)
        && let Some(sender) = session.senders.get_mut(id)
        && let Some(round_trip) = sender.take_report(block, ntp_time, now)
    {
        session.stats.round_trip_time = Some(round_trip);
    }
}

fn handle_nack(session: &mut Session, nack: Nack<'_>, now: Instant) {
    // Whoever asks once every round trip is heard a little sooner or later than that.
    let interval = (session.round_trip() / 2).max(RESEND_INTERVAL_MIN);
    let is_paced = session.is_paced();
    let Some(id) = session.by_ssrc.get(&nack.media_ssrc) else { return };
    let Some(sender) = session.senders.get_mut(id) else { return };
    sender.stats.nacks_received += 1;
    for sequence in nack.pairs().flat_map(crate::rtcp::NackPair::sequences) {
        match sender.cache.ask(sequence, now, interval) {
            Answer::Resend if session.queue.push_resend(*id, sequence, is_paced, now) => sender.cache.owe(sequence),
            Answer::Resend | Answer::Gone => sender.stats.nacks_unanswered += 1,
            Answer::TooSoon => {}
        }
    }
}

/// Of a full intra request, its source and number tell whether it is a new one (RFC 5104 §4.3.1.1).
fn request_key_frame(session: &mut Session, ssrc: u32, number: Option<(u32, u8)>, now: Instant) {
    let Some(id) = session.by_ssrc.get(&ssrc).copied() else { return };
    let Some(sender) = session.senders.get_mut(&id) else { return };
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
    session.tell_of_key_frame(id, now);
}
