//! Transceivers: what was negotiated, given to the RTP session, and what the session tells, under their names: packets, or
//! frames where the application wants them, never both of one stream.

mod apply;
mod frames;
mod outlet;
#[cfg(test)]
mod tests;
mod tones;

pub use frames::FrameDrops;

use crate::error::{Error, MediaError};
use crate::event::Event;
use crate::jsep::{Jsep, TransceiverId};
use frames::{Frames, Recipe, Told};
use outlet::{Outlet, Outlets};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tones::{Heard, Tones};
use wigwag_rtp::payload::{Format, Frame, FrameEvent, FrameStats, Packetizer};
use wigwag_rtp::{self as rtp, ReceiverId, SenderId};
use wigwag_sansio::{Rng, Seed};

/// The streams of one transceiver.
#[derive(Debug, Default)]
struct Streams {
    outlets: Outlets,
    receiver: Option<ReceiverId>,
    is_sending: bool,
    is_receiving: bool,
    outgoing: Outgoing,
    incoming: Incoming,
}

/// How a stream that we send is written. The first write decides.
#[derive(Debug, Default)]
struct Outgoing {
    level: Level,
    codecs: Vec<Codec>,
}

/// How a stream that we receive is told.
#[derive(Debug, Default)]
struct Incoming {
    level: Level,
    codecs: Vec<Codec>,
    nack: bool,
    /// How many layers were agreed upon.
    layers: usize,
    /// While nothing comes: the sources that were layers, which the peer may name no more.
    sources: Vec<(u32, Arc<str>)>,
    delay_min: Option<Duration>,
    last_event: Option<Heard>,
}

/// A payload type that was negotiated, of which codec of ours, and how its frames are cut, if that is known here.
#[derive(Clone, Copy, Debug)]
struct Codec {
    index: usize,
    payload_type: u8,
    clock_rate_hz: u32,
    format: Option<Format>,
    /// Whether it is not sound, but events in it (RFC 4733).
    is_event: bool,
}

/// Media goes in and out at two levels, never both on one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Level {
    #[default]
    Undecided,
    Packets,
    Frames,
    /// Packets of other connections.
    Forwarded,
}

#[derive(Debug)]
pub(crate) struct Media {
    rng: Rng,
    streams: BTreeMap<TransceiverId, Streams>,
    by_sender: BTreeMap<SenderId, TransceiverId>,
    by_receiver: BTreeMap<ReceiverId, TransceiverId>,
    frames: Frames,
    tones: Tones,
    /// Those on which the peer began or ceased to send. Each at most once, so bounded by the transceivers that negotiations made.
    tracks: VecDeque<TransceiverId>,
}

impl Media {
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            rng: Rng::new(seed),
            streams: BTreeMap::new(),
            by_sender: BTreeMap::new(),
            by_receiver: BTreeMap::new(),
            frames: Frames::default(),
            tones: Tones::default(),
            tracks: VecDeque::new(),
        }
    }

    /// Brings the session's streams up to what was negotiated.
    pub(crate) fn apply(&mut self, jsep: &Jsep, session: &mut rtp::Session) {
        apply::apply(self, jsep, session);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.frames.handle_timeout(now);
    }

    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        [self.frames.poll_timeout(now), self.tones.poll_timeout(now)].into_iter().flatten().min()
    }

    /// What the session tells, under the transceiver's name.
    pub(crate) fn poll_event(&mut self, session: &mut rtp::Session) -> Option<Event> {
        if let Some(id) = self.tracks.pop_front() {
            return Some(Event::Track(id));
        }
        loop {
            if let Some(event) = self.frame_event(session) {
                return Some(event);
            }
            let event = session.poll_event()?;
            if let Some(event) = self.event(event, session) {
                return Some(event);
            }
        }
    }

    /// `None` if it is nobody's, or to be told as a frame when its time comes.
    fn event(&mut self, event: rtp::Event, session: &rtp::Session) -> Option<Event> {
        match event {
            rtp::Event::Packet(packet) => self.packet_event(packet, session),
            rtp::Event::Ended { receiver, ssrc } => {
                let transceiver = *self.by_receiver.get(&receiver)?;
                let is_told_later = self.frames.end(receiver, ssrc);
                (!is_told_later).then_some(Event::SourceEnded { transceiver, ssrc })
            }
            rtp::Event::KeyFrameRequested { sender } => {
                let (transceiver, rid) = self.outlet(sender)?;
                Some(Event::KeyFrameRequested { transceiver, rid })
            }
            rtp::Event::Writable { sender } => {
                let (transceiver, rid) = self.outlet(sender)?;
                Some(Event::MediaWritable { transceiver, rid })
            }
            rtp::Event::TransportFeedback(reported) => Some(Event::TransportFeedback(reported)),
            _ => None,
        }
    }

    /// On which transceiver a stream of ours is, and which layer.
    fn outlet(&self, sender: SenderId) -> Option<(TransceiverId, Option<Arc<str>>)> {
        let transceiver = *self.by_sender.get(&sender)?;
        Some((transceiver, self.streams.get(&transceiver)?.outlets.rid(sender)))
    }

    fn packet_event(&mut self, packet: rtp::Received, session: &rtp::Session) -> Option<Event> {
        let transceiver = *self.by_receiver.get(&packet.receiver)?;
        let incoming = &mut self.streams.get_mut(&transceiver)?.incoming;
        if incoming.level != Level::Frames {
            incoming.level = Level::Packets;
            return Some(Event::RtpPacket { transceiver, packet });
        }
        let codec = incoming.codecs.iter().find(|codec| codec.payload_type == packet.packet.payload_type).copied();
        match codec.and_then(|codec| codec.format) {
            None if codec.is_some_and(|codec| codec.is_event) => {
                let told = self.heard(transceiver, &packet);
                self.frames.pass(tones::silent(packet));
                return told;
            }
            Some(format) => {
                let recipe =
                    Recipe { format, nack: incoming.nack, delay_min: incoming.delay_min, layers: incoming.layers };
                self.frames.insert(packet, recipe, session.round_trip_time());
            }
            None => self.frames.no_format(),
        }
        None
    }

    fn frame_event(&mut self, session: &mut rtp::Session) -> Option<Event> {
        while let Some((receiver, ssrc, told)) = self.frames.poll_event() {
            let Some(transceiver) = self.by_receiver.get(&receiver).copied() else { continue };
            match told {
                Told::Frame(FrameEvent::Frame(frame)) => {
                    let capture_time = session.capture_time(ssrc, frame.rtp_time);
                    return Some(Event::Frame { transceiver, ssrc, capture_time, frame });
                }
                Told::Frame(FrameEvent::Lost { packets }) => {
                    return Some(Event::FramesLost { transceiver, ssrc, packets });
                }
                Told::Frame(FrameEvent::KeyFrameNeeded) => session.request_key_frame_of(ssrc),
                Told::Frame(_) => {}
                Told::Ended => return Some(Event::SourceEnded { transceiver, ssrc }),
            }
        }
        None
    }

    /// `rid`: the layer of simulcast; without it, the only stream or the first.
    pub(crate) fn write(
        &mut self,
        id: TransceiverId,
        rid: Option<&str>,
        packet: rtp::RtpPacket,
        session: &mut rtp::Session,
    ) -> Result<(), MediaError> {
        let (outlet, outgoing) = self.outgoing(id, rid)?;
        match outgoing.level {
            Level::Undecided | Level::Packets => {}
            Level::Frames => return Err(MediaError::SendsFrames(packet.payload)),
            Level::Forwarded => return Err(MediaError::Forwards(packet.payload)),
        }
        session.send(outlet.sender, packet).map_err(refused)?;
        outgoing.level = Level::Packets;
        Ok(())
    }

    /// `codec`: its place among ours.
    pub(crate) fn forward(
        &mut self,
        id: TransceiverId,
        rid: Option<&str>,
        packet: &rtp::Received,
        codec: usize,
        session: &mut rtp::Session,
    ) -> Result<(), MediaError> {
        let (outlet, outgoing) = self.outgoing(id, rid)?;
        let payload = &packet.packet.payload;
        match outgoing.level {
            Level::Undecided | Level::Forwarded => {}
            Level::Frames => return Err(MediaError::SendsFrames(payload.clone())),
            Level::Packets => return Err(MediaError::SendsPackets(payload.clone())),
        }
        let codec = outgoing.codecs.iter().find(|negotiated| negotiated.index == codec);
        let codec = codec.ok_or_else(|| MediaError::PayloadType(payload.clone()))?;
        session.forward(outlet.sender, packet, codec.payload_type, codec.format).map_err(refused)?;
        outgoing.level = Level::Forwarded;
        Ok(())
    }

    /// Of what is not forwarded here, nothing.
    pub(crate) fn leave_out(
        &mut self,
        id: TransceiverId,
        rid: Option<&str>,
        packet: &rtp::Received,
        codec: usize,
        session: &mut rtp::Session,
    ) {
        let Ok((outlet, outgoing)) = self.outgoing(id, rid) else { return };
        let codec = outgoing.codecs.iter().find(|negotiated| negotiated.index == codec);
        let codec = codec.filter(|_| matches!(outgoing.level, Level::Undecided | Level::Forwarded));
        if let Some(codec) = codec {
            session.leave_out(outlet.sender, packet, codec.payload_type, codec.format);
        }
    }

    /// Without `rid`, of all layers.
    pub(crate) fn cut_forwarding(&self, id: TransceiverId, rid: Option<&str>, session: &mut rtp::Session) {
        let is_meant = |(_, of, _): &(SenderId, Option<&str>, bool)| rid.is_none() || *of == rid;
        self.senders(id).filter(is_meant).for_each(|(sender, ..)| session.cut_forwarding(sender));
    }

    pub(crate) fn write_frame(
        &mut self,
        id: TransceiverId,
        rid: Option<&str>,
        frame: Frame,
        session: &mut rtp::Session,
    ) -> Result<(), MediaError> {
        let first_picture_id = self.rng.u16();
        let is_pressing = self.tones.is_pressing(id);
        let (outlet, outgoing) = self.outgoing(id, rid)?;
        match outgoing.level {
            Level::Undecided | Level::Frames => {}
            Level::Packets => return Err(MediaError::SendsPackets(frame.data)),
            Level::Forwarded => return Err(MediaError::Forwards(frame.data)),
        }
        if frame.data.is_empty() {
            return Err(MediaError::Empty);
        }
        let format = match outgoing.codecs.iter().find(|codec| codec.payload_type == frame.payload_type) {
            Some(Codec { format: Some(format), .. }) => *format,
            Some(Codec { format: None, .. }) => return Err(MediaError::NoPayloadFormat(frame.data)),
            None => return Err(MediaError::PayloadType(frame.data)),
        };
        if is_pressing && !format.has_key_frames() {
            return Ok(());
        }
        let known = outlet.packetizer.take().filter(|known| known.format() == format);
        let packetizer = outlet.packetizer.insert(known.unwrap_or_else(|| Packetizer::new(format, first_picture_id)));
        session.send_frame(outlet.sender, packetizer, frame).map_err(refused)?;
        outgoing.level = Level::Frames;
        Ok(())
    }

    fn outgoing(&mut self, id: TransceiverId, rid: Option<&str>) -> Result<(&mut Outlet, &mut Outgoing), MediaError> {
        let streams = self.streams.get_mut(&id).filter(|streams| streams.is_sending).ok_or(MediaError::NotSending)?;
        let missing = if rid.is_some() { MediaError::NoSuchLayer } else { MediaError::NotSending };
        let outlet = streams.outlets.get_mut(rid).ok_or(missing)?;
        Ok((outlet, &mut streams.outgoing))
    }

    /// From now on the transceiver's stream is told as frames.
    pub(crate) fn receive_frames(&mut self, id: TransceiverId) -> Result<(), Error> {
        let incoming = &mut self.streams.entry(id).or_default().incoming;
        if incoming.level == Level::Packets {
            return Err(Error::ReceivesPackets);
        }
        incoming.level = Level::Frames;
        Ok(())
    }

    pub(crate) fn set_delay_min(&mut self, id: TransceiverId, delay_min: Duration) {
        let streams = self.streams.entry(id).or_default();
        streams.incoming.delay_min = Some(delay_min);
        if let Some(receiver) = streams.receiver {
            self.frames.set_delay_min(receiver, delay_min);
        }
    }

    /// `Err` with a character that is no key.
    pub(crate) fn insert_dtmf(
        &mut self,
        id: TransceiverId,
        keys: &str,
        press: Duration,
        gap: Duration,
    ) -> Result<(), char> {
        self.tones.insert(id, keys, press, gap)
    }

    pub(crate) fn tone_buffer(&self, id: TransceiverId) -> String {
        self.tones.waiting(id)
    }

    pub(crate) fn request_key_frame(&self, id: TransceiverId, session: &mut rtp::Session) {
        if let Some(receiver) = self.receiver(id) {
            session.request_key_frame(receiver);
        }
    }

    pub(crate) fn request_layer_key_frame(&self, id: TransceiverId, rid: &str, session: &mut rtp::Session) {
        if let Some(receiver) = self.receiver(id) {
            session.request_key_frame_of_layer(receiver, rid);
        }
    }

    /// The only stream that we send, or the first layer.
    pub(crate) fn sender(&self, id: TransceiverId) -> Option<SenderId> {
        self.streams.get(&id)?.outlets.first()
    }

    /// All that we send on a transceiver, or sent: more than one if there are layers. With their names, and whether they are sent now.
    pub(crate) fn senders(&self, id: TransceiverId) -> impl Iterator<Item = (SenderId, Option<&str>, bool)> + '_ {
        self.streams.get(&id).into_iter().flat_map(move |streams| {
            let of_each = streams.outlets.iter();
            of_each.map(move |(sender, rid, is_agreed)| (sender, rid, is_agreed && streams.is_sending))
        })
    }

    pub(crate) fn receiver(&self, id: TransceiverId) -> Option<ReceiverId> {
        self.streams.get(&id)?.receiver
    }

    /// Of each source that is received as frames.
    pub(crate) fn frame_stats(&self, id: TransceiverId) -> impl Iterator<Item = (u32, FrameStats)> + '_ {
        self.receiver(id).into_iter().flat_map(|receiver| self.frames.stats(receiver))
    }

    pub(crate) fn drops(&self) -> FrameDrops {
        self.frames.drops()
    }

    /// How often a source of frames was looked at.
    pub(crate) const fn visits(&self) -> u64 {
        self.frames.visits
    }
}

fn refused(error: rtp::SendError) -> MediaError {
    match error {
        rtp::SendError::Full(payload) => MediaError::Full(payload),
        rtp::SendError::TooLong(payload) => MediaError::TooLong(payload),
        rtp::SendError::PayloadType(payload) => MediaError::PayloadType(payload),
        rtp::SendError::Late(payload) => MediaError::Late(payload),
        rtp::SendError::Malformed(payload) => MediaError::Malformed(payload),
        rtp::SendError::KeyFrameNeeded(_) => MediaError::KeyFrameNeeded,
        _ => MediaError::NotSending,
    }
}
