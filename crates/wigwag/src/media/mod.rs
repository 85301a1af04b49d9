//! Transceivers: what was negotiated, given to the RTP session, and what the session tells, under their names.

use crate::error::MediaError;
use crate::event::Event;
use crate::jsep::{Direction, Jsep, Transceiver, TransceiverId};
use crate::mapping;
use std::collections::{BTreeMap, VecDeque};
use wigwag_rtp::{self as rtp, ReceiverId, SenderId};

/// The streams of one transceiver.
#[derive(Debug, Default)]
struct Streams {
    sender: Option<SenderId>,
    receiver: Option<ReceiverId>,
    is_sending: bool,
    is_receiving: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Media {
    streams: BTreeMap<TransceiverId, Streams>,
    by_sender: BTreeMap<SenderId, TransceiverId>,
    by_receiver: BTreeMap<ReceiverId, TransceiverId>,
    /// Those on which the peer began or ceased to send. Each at most once, so bounded by the transceivers.
    tracks: VecDeque<TransceiverId>,
}

impl Media {
    /// Brings the session's streams up to what was negotiated.
    pub(crate) fn apply(&mut self, jsep: &Jsep, session: &mut rtp::Session) {
        self.forget_those_that_ended(jsep, session);
        // RFC 5506 §5: feedback without a report around it is negotiated; the session is one for all sections.
        let mut negotiated = jsep.transceivers().filter_map(|transceiver| transceiver.negotiated.as_ref());
        session.set_reduced_size(negotiated.all(|parameters| parameters.rtcp_rsize));
        for transceiver in jsep.transceivers() {
            let streams = self.streams.entry(transceiver.id).or_default();
            if apply_receiver(streams, transceiver, session) && !self.tracks.contains(&transceiver.id) {
                self.tracks.push_back(transceiver.id);
            }
            apply_sender(streams, transceiver, session);
        }
        self.by_receiver = self.streams.iter().filter_map(|(id, streams)| Some((streams.receiver?, *id))).collect();
        self.by_sender = self.streams.iter().filter_map(|(id, streams)| Some((streams.sender?, *id))).collect();
    }

    /// Of a transceiver that was stopped, or that a rollback took away, nothing is sent or taken any more.
    fn forget_those_that_ended(&mut self, jsep: &Jsep, session: &mut rtp::Session) {
        self.streams.retain(|id, streams| {
            let exists = jsep.transceiver(*id).is_some();
            if !exists {
                streams.sender.into_iter().for_each(|sender| session.remove_sender(sender));
                streams.receiver.into_iter().for_each(|receiver| session.remove_receiver(receiver));
            }
            exists
        });
    }

    pub(crate) fn next_track(&mut self) -> Option<TransceiverId> {
        self.tracks.pop_front()
    }

    /// What the session tells, under the transceiver's name; `None` if it is nobody's.
    pub(crate) fn event(&self, event: rtp::Event) -> Option<Event> {
        match event {
            rtp::Event::Packet(packet) => {
                let transceiver = *self.by_receiver.get(&packet.receiver)?;
                Some(Event::RtpPacket { transceiver, packet })
            }
            rtp::Event::KeyFrameRequested { sender } => {
                self.by_sender.get(&sender).map(|id| Event::KeyFrameRequested(*id))
            }
            rtp::Event::Writable { sender } => self.by_sender.get(&sender).map(|id| Event::MediaWritable(*id)),
            rtp::Event::TransportFeedback(reported) => Some(Event::TransportFeedback(reported)),
            _ => None,
        }
    }

    pub(crate) fn write(
        &self,
        id: TransceiverId,
        packet: rtp::RtpPacket,
        session: &mut rtp::Session,
    ) -> Result<(), MediaError> {
        let streams = self.streams.get(&id).filter(|streams| streams.is_sending);
        let sender = streams.and_then(|streams| streams.sender).ok_or(MediaError::NotSending)?;
        session.send(sender, packet).map_err(|error| match error {
            rtp::SendError::Full(payload) => MediaError::Full(payload),
            rtp::SendError::TooLong(payload) => MediaError::TooLong(payload),
            rtp::SendError::PayloadType(payload) => MediaError::PayloadType(payload),
            _ => MediaError::NotSending,
        })
    }

    pub(crate) fn request_key_frame(&self, id: TransceiverId, session: &mut rtp::Session) {
        if let Some(receiver) = self.receiver(id) {
            session.request_key_frame(receiver);
        }
    }

    pub(crate) fn sender(&self, id: TransceiverId) -> Option<SenderId> {
        self.streams.get(&id)?.sender
    }

    pub(crate) fn receiver(&self, id: TransceiverId) -> Option<ReceiverId> {
        self.streams.get(&id)?.receiver
    }
}

fn apply_sender(streams: &mut Streams, transceiver: &Transceiver, session: &mut rtp::Session) {
    streams.is_sending = !transceiver.is_stopping && transceiver.current_direction.is_some_and(Direction::sends);
    if transceiver.is_stopping {
        return streams.sender.take().into_iter().for_each(|sender| session.remove_sender(sender));
    }
    let (Some(parameters), Some(send)) = (&transceiver.negotiated, &transceiver.send) else { return };
    if !streams.is_sending && streams.sender.is_none() {
        return;
    }
    let config = mapping::sender_config(transceiver, parameters, send.ssrc);
    match streams.sender {
        // Both fail only for numbers that a description cannot have, or beyond the session's limit of streams.
        Some(sender) => streams.is_sending &= session.update_sender(sender, config).is_ok(),
        None => streams.sender = session.add_sender(config).ok(),
    }
}

/// Returns whether the peer began or ceased to send; that we have stopped listening is no news.
fn apply_receiver(streams: &mut Streams, transceiver: &Transceiver, session: &mut rtp::Session) -> bool {
    let is_receiving = !transceiver.is_stopping && transceiver.current_direction.is_some_and(Direction::receives);
    let has_changed = std::mem::replace(&mut streams.is_receiving, is_receiving) != is_receiving;
    match (&transceiver.negotiated, streams.receiver) {
        (Some(parameters), None) if is_receiving => {
            streams.receiver = session.add_receiver(mapping::receiver_config(transceiver, parameters)).ok();
        }
        (Some(parameters), Some(receiver)) if is_receiving => {
            let _ = session.update_receiver(receiver, mapping::receiver_config(transceiver, parameters));
        }
        (_, Some(receiver)) if !is_receiving => {
            session.remove_receiver(receiver);
            streams.receiver = None;
        }
        _ => {}
    }
    has_changed && !transceiver.is_stopping
}
