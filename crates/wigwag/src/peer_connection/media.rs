//! Transceivers, tracks and packets.

use super::{End, PeerConnection};
use crate::config::is_token;
use crate::error::{Error, MediaError};
use crate::jsep::{Direction, MediaKind, SendStream, Transceiver, TransceiverId, TransceiverInit};
use crate::state::ConnectionState;
use std::time::Duration;
use wigwag_congestion as congestion;
use wigwag_rtp::payload::{Frame, FrameStats};
use wigwag_rtp::{self as rtp};

/// webrtc-extensions §7.1: longer targets are a `RangeError`.
const JITTER_BUFFER_TARGET_MAX: Duration = Duration::from_secs(4);

impl PeerConnection {
    /// W3C `addTransceiver`: a section of its own in the next offer.
    ///
    /// # Errors
    /// The connection is closed, or no codec of this kind is configured.
    pub fn add_transceiver(&mut self, kind: MediaKind, direction: Direction) -> Result<TransceiverId, Error> {
        self.ensure_open()?;
        self.ensure_codec(kind)?;
        let send = self.new_stream(kind);
        let init = TransceiverInit { direction, send: Some(send), may_be_offered: false };
        self.needs_negotiation();
        Ok(self.jsep.add_transceiver(kind, init))
    }

    /// W3C `addTrack`: sends on a transceiver of this kind on which nothing was ever sent or was to be sent, as one that the peer's offer
    /// made, or else on a new one.
    ///
    /// # Errors
    /// The connection is closed, or no codec of this kind is configured.
    pub fn add_track(&mut self, kind: MediaKind) -> Result<TransceiverId, Error> {
        self.ensure_open()?;
        self.ensure_codec(kind)?;
        // W3C §5.1: "The sender has never been used to send."
        let is_free = |found: &&Transceiver| {
            found.kind == kind
                && !found.is_stopping
                && !found.direction.sends()
                && self.media.sender(found.id).is_none()
        };
        let free = self.jsep.transceivers().find(is_free).map(|found| (found.id, found.direction));
        let Some((id, direction)) = free else {
            let init = TransceiverInit {
                direction: Direction::Sendrecv,
                send: Some(self.new_stream(kind)),
                may_be_offered: true,
            };
            self.needs_negotiation();
            return Ok(self.jsep.add_transceiver(kind, init));
        };
        let with_sending = if direction.receives() { Direction::Sendrecv } else { Direction::Sendonly };
        self.set_direction(id, with_sending)?;
        Ok(id)
    }

    /// An m-line names one format at least.
    fn ensure_codec(&self, kind: MediaKind) -> Result<(), Error> {
        let mut codecs = self.jsep.config().codecs.iter();
        codecs.any(|codec| codec.kind == kind).then_some(()).ok_or(Error::NoCodec(kind))
    }

    /// What we send on a new transceiver: a source of its own, in step with all others.
    pub(super) fn new_stream(&mut self, kind: MediaKind) -> SendStream {
        let rtp = &mut self.transport.secured.rtp;
        let ssrc = rtp.unused_ssrc();
        let rtx_ssrc = (kind == MediaKind::Video).then(|| rtp.unused_ssrc()).filter(|rtx| *rtx != ssrc);
        let stream_ids = vec![self.cname.clone()];
        let track_id = format!("{ssrc:08x}");
        SendStream { ssrc, rtx_ssrc, cname: self.cname.clone(), stream_ids, track_id, layers: Vec::new() }
    }

    pub(super) fn needs_negotiation(&mut self) {
        self.may_tell = true;
        self.may_need_negotiation = true;
    }

    /// The transceivers, ours and those that the peer's offers made.
    pub fn transceivers(&self) -> impl Iterator<Item = &Transceiver> {
        self.jsep.transceivers()
    }

    /// A transceiver, until it has ended: if the peer's offer ends it, until that is answered.
    pub fn transceiver(&self, id: TransceiverId) -> Option<&Transceiver> {
        self.jsep.transceiver(id)
    }

    /// W3C `direction`: takes effect with the next negotiation.
    ///
    /// # Errors
    /// The transceiver has ended, or the connection is closed.
    pub fn set_direction(&mut self, id: TransceiverId, direction: Direction) -> Result<(), Error> {
        self.ensure_open()?;
        self.jsep.set_direction(id, direction)?;
        let without_stream = self.jsep.transceiver(id).filter(|found| direction.sends() && found.send.is_none());
        if let Some(kind) = without_stream.map(|found| found.kind) {
            let send = self.new_stream(kind);
            self.jsep.set_send(id, Some(send))?;
        }
        self.needs_negotiation();
        Ok(())
    }

    /// W3C `setStreams` of an `RTCRtpSender`: the `MediaStream`s to which what we send on this transceiver belongs; it is told with the
    /// next negotiation, and a browser's `ontrack` has them in `event.streams`. Without it there is one for everything that this
    /// connection sends. A server that forwards names one for each of those whom it forwards.
    ///
    /// # Errors
    /// A name is not 1 to 64 characters of a token (RFC 8830 §2), nothing is sent on the transceiver, it has ended, or the connection is
    /// closed.
    pub fn set_streams<S: Into<String>>(
        &mut self,
        id: TransceiverId,
        stream_ids: impl IntoIterator<Item = S>,
    ) -> Result<(), Error> {
        self.ensure_transceiver(id)?;
        let stream_ids: Vec<String> = stream_ids.into_iter().map(Into::into).collect();
        if let Some(invalid) = stream_ids.iter().find(|name| !is_stream_id(name)) {
            return Err(Error::InvalidStreamId(invalid.clone()));
        }
        let send = self.jsep.transceiver(id).and_then(|found| found.send.clone()).ok_or(Error::SendsNothing)?;
        self.jsep.set_send(id, Some(SendStream { stream_ids, ..send }))?;
        self.needs_negotiation();
        Ok(())
    }

    /// W3C `stop`: nothing is sent or taken on a transceiver any more; it ends with the next negotiation.
    ///
    /// # Errors
    /// The transceiver has ended already, or the connection is closed.
    pub fn stop_transceiver(&mut self, id: TransceiverId) -> Result<(), Error> {
        self.ensure_open()?;
        self.jsep.stop(id)?;
        self.media.apply(&self.jsep, &mut self.transport.secured.rtp);
        self.needs_negotiation();
        Ok(())
    }

    /// Queues a packet of media. Its payload type is one of those negotiated
    /// ([`send_codecs`](field@crate::jsep::MediaParameters::send_codecs)).
    ///
    /// # Errors
    /// Nothing is sent on this transceiver now, frames were written on it before, the payload type was not negotiated, the sequence
    /// number is long gone, or the queue is full.
    pub fn write_packet(&mut self, id: TransceiverId, packet: rtp::RtpPacket) -> Result<(), MediaError> {
        if self.end != End::No {
            return Err(MediaError::NotSending);
        }
        self.media.write(id, None, packet, &mut self.transport.secured.rtp)
    }

    /// Queues a packet that another connection told ([`Event::RtpPacket`](crate::Event::RtpPacket)), as a server does that forwards (RFC 7667
    /// §3.7). `codec` is its codec's [`index`](field@crate::jsep::NegotiatedCodec::index) there
    /// ([`receive_codec`](crate::jsep::MediaParameters::receive_codec)), and has to be the same codec here: give both connections the same
    /// [`codecs`](field@crate::jsep::Config::codecs).
    ///
    /// It leaves under our source, with the payload type, the header extensions and the mid of this connection. Sequence numbers are our own:
    /// gaps stay gaps, and where another source takes the place of the one before, or packets were left out, they and the timestamps go on.
    /// Of pictures in a format known here, nothing leaves before a key frame: when it begins, when another source takes its place, and after the queue was full or the
    /// connection was not connected. On a transceiver that sends layers, it leaves as the first of them: see
    /// [`forward_layer_packet`](Self::forward_layer_packet).
    ///
    /// # Errors
    /// [`MediaError::NotSending`], if nothing is sent on this transceiver now; [`MediaError::NotConnected`];
    /// [`MediaError::KeyFrameNeeded`]: ask the connection that the packet came from for one
    /// ([`request_key_frame`](Self::request_key_frame), which does so no more often than every 300 ms); [`MediaError::Full`], after which a
    /// key frame is needed; [`MediaError::PayloadType`], if the codec was not negotiated here; [`MediaError::TooLong`];
    /// [`MediaError::Late`], of a packet that belongs before the beginning; and if packets or frames were written on the transceiver before.
    pub fn forward_packet(
        &mut self,
        id: TransceiverId,
        packet: &rtp::Received,
        codec: usize,
    ) -> Result<(), MediaError> {
        self.forward(id, None, packet, codec)
    }

    pub(super) fn forward(
        &mut self,
        id: TransceiverId,
        rid: Option<&str>,
        packet: &rtp::Received,
        codec: usize,
    ) -> Result<(), MediaError> {
        match self.connection_state() {
            ConnectionState::Connected => self.media.forward(id, rid, packet, codec, &mut self.transport.secured.rtp),
            _ if self.end != End::No => Err(MediaError::NotSending),
            _ => {
                self.cut_forwarding(id);
                Err(MediaError::NotConnected)
            }
        }
    }

    /// Of what is [forwarded](Self::forward_packet) on this transceiver, leaves out this packet on purpose, as one of a temporal or spatial layer that
    /// the peer is not to get ([`LayerSelector`](crate::LayerSelector) says which): the numbers of those behind it close up, so that nobody misses it. What is
    /// neither forwarded nor left out is a gap, as if it had been lost. See [`leave_out_layer_packet`](Self::leave_out_layer_packet), too.
    pub fn leave_out_packet(&mut self, id: TransceiverId, packet: &rtp::Received, codec: usize) {
        self.leave_out(id, None, packet, codec);
    }

    pub(super) fn leave_out(&mut self, id: TransceiverId, rid: Option<&str>, packet: &rtp::Received, codec: usize) {
        if self.connection_state() == ConnectionState::Connected {
            self.media.leave_out(id, rid, packet, codec, &mut self.transport.secured.rtp);
        }
    }

    /// For a while, packets of what is [forwarded](Self::forward_packet) on this transceiver are left out, as of somebody who is not looked
    /// at: what is forwarded next goes on without a gap in its numbers, and with a key frame. Of layers, see
    /// [`cut_layer_forwarding`](Self::cut_layer_forwarding): this is about all of them.
    pub fn cut_forwarding(&mut self, id: TransceiverId) {
        self.media.cut_forwarding(id, None, &mut self.transport.secured.rtp);
    }

    /// Cuts a frame into packets and queues them, all or none. Its payload type is one of those negotiated
    /// ([`send_codecs`](field@crate::jsep::MediaParameters::send_codecs)), of a codec that has a
    /// [`Format`](wigwag_rtp::payload::Format). Of H.264 a frame is an access unit with start codes (Annex B), of
    /// AV1 a temporal unit with the sizes of its OBUs.
    ///
    /// The first of `write_packet` and `write_frame` that is taken decides what this transceiver sends from then on.
    ///
    /// # Errors
    /// Nothing is sent on this transceiver now, packets were written on it before, the payload type was not negotiated, or
    /// is of a codec whose payload format is not known here; the frame is empty, too long or not of its codec; or the queue is full. After a
    /// picture for which there was no room ([`MediaError::Full`]), the next has to be a key frame: the peer sees no gap, and would take one
    /// picture for another. [`Event::KeyFrameRequested`](crate::Event::KeyFrameRequested) asks for it when there is room.
    pub fn write_frame(&mut self, id: TransceiverId, frame: Frame) -> Result<(), MediaError> {
        if self.end != End::No {
            return Err(MediaError::NotSending);
        }
        self.media.write_frame(id, None, frame, &mut self.transport.secured.rtp)
    }

    /// W3C `insertDTMF` of an `RTCDTMFSender`: presses keys of a telephone, one after another, each for `press`, with `gap` between them, in
    /// the place of those that were not pressed yet. A comma pauses for two seconds. `press` is brought to 40 to 6,000 ms (with a clock of 48,000 Hz
    /// 1,365 at most), `gap` to 30 to 6,000 ms; W3C's defaults are 100 and 70 ms. While a key is pressed, frames of sound that are written on
    /// the transceiver are left out, as browsers do. The codecs need [`Codec::telephone_event`](crate::jsep::Codec::telephone_event) with the
    /// clock rate of the sound.
    ///
    /// # Errors
    /// A character is no key, or there are more than 256; nothing is sent on the transceiver, what is sent is forwarded, the peer takes no
    /// such events, or the connection is closed.
    pub fn insert_dtmf(&mut self, id: TransceiverId, keys: &str, press: Duration, gap: Duration) -> Result<(), Error> {
        self.ensure_transceiver(id)?;
        if !self.media.can_press(id) {
            return Err(Error::CannotPress);
        }
        self.media.insert_dtmf(id, keys, press, gap).map_err(Error::NoKey)
    }

    /// W3C `canInsertDTMF`: whether the peer takes keys of a telephone on this transceiver, and we send on it.
    pub fn can_insert_dtmf(&self, id: TransceiverId) -> bool {
        self.end == End::No && self.media.can_press(id)
    }

    /// W3C `toneBuffer`: the keys that were not pressed yet.
    pub fn tone_buffer(&self, id: TransceiverId) -> String {
        self.media.tone_buffer(id)
    }

    /// From now on, what comes on this transceiver is told as whole frames, in order and when it is time to play them
    /// ([`Event::Frame`](crate::Event::Frame)), and what is missing as such; key frames are asked for when they are needed.
    /// Call it when the transceiver is made, or when [`Event::Track`](crate::Event::Track) comes.
    ///
    /// # Errors
    /// The connection is closed, there is no such transceiver, or packets of it were told already.
    pub fn receive_frames(&mut self, id: TransceiverId) -> Result<(), Error> {
        self.ensure_transceiver(id)?;
        self.media.receive_frames(id)
    }

    /// W3C `jitterBufferTarget` (webrtc-extensions): how long frames wait at least, so that those that come late find
    /// their place; 0 to 4 s. Without it, 20 ms for sound and 10 ms for pictures; more if the network asks for it. No more than 2,048 packets
    /// and 4 MiB of pictures wait, and 256 packets and 512 KiB of sound: of what comes faster, the oldest frames are told before their time.
    ///
    /// # Errors
    /// The connection is closed, there is no such transceiver, or the target is too long.
    pub fn set_jitter_buffer_target(&mut self, id: TransceiverId, target: Duration) -> Result<(), Error> {
        self.ensure_transceiver(id)?;
        if target > JITTER_BUFFER_TARGET_MAX {
            return Err(Error::JitterBufferTarget(target));
        }
        self.media.set_delay_min(id, target);
        self.may_tell = true;
        Ok(())
    }

    /// How much may be sent now on all transceivers together, in bit/s, as [`Event::TargetBitrate`](crate::Event::TargetBitrate) tells
    /// it; `None` without [`media_congestion_control`](field@crate::Config::media_congestion_control), before media can be sent, and
    /// with peers that report no arrivals.
    pub fn target_bitrate(&self) -> Option<u64> {
        self.transport.secured.paced().map(|pace| pace.controller.target_bitrate())
    }

    /// What congestion control knows of the path, likewise.
    pub fn congestion_stats(&self) -> Option<congestion::Stats> {
        self.transport.secured.paced().map(|pace| pace.controller.stats())
    }

    /// How much would be sent if the path took it, in bit/s: the path is not tried for much more. By default
    /// up to four times of what is sent.
    pub fn set_desired_bitrate(&mut self, bits_per_second: u64) {
        if let Some(pace) = &mut self.transport.secured.pace {
            pace.controller.set_desired_bitrate(bits_per_second);
            self.may_tell = true;
        }
    }

    /// Changes the limits of the [target](Self::target_bitrate), in bit/s; without congestion control there are none.
    ///
    /// # Errors
    /// They cannot be: 5,000 ≤ `min` ≤ `max` ≤ 10,000,000,000.
    pub fn set_bitrate_limits(&mut self, min: u64, max: u64) -> Result<(), congestion::Error> {
        match &mut self.transport.secured.pace {
            Some(pace) => {
                self.may_tell = true;
                pace.controller.set_bitrate_limits(min, max)
            }
            None => Ok(()),
        }
    }

    pub(super) fn ensure_transceiver(&self, id: TransceiverId) -> Result<(), Error> {
        self.ensure_open()?;
        self.jsep.transceiver(id).map(|_| ()).ok_or(Error::Negotiation(crate::jsep::Error::UnknownTransceiver))
    }

    /// Asks the peer for a key frame of what it sends on this transceiver. If nothing has come yet, it is asked when the first packet
    /// comes. Before [`Event::Track`](crate::Event::Track) has told that the peer sends, nobody is there to be asked.
    pub fn request_key_frame(&mut self, id: TransceiverId) {
        self.media.request_key_frame(id, &mut self.transport.secured.rtp);
    }

    /// What was sent on a transceiver; of layers, the first: see [`layer_stats`](Self::layer_stats).
    pub fn sender_stats(&self, id: TransceiverId) -> Option<rtp::SenderStats> {
        self.media.sender(id).and_then(|sender| self.transport.secured.rtp.sender_stats(sender))
    }

    /// What became of the frames of a transceiver that is received as frames, by source.
    pub fn frame_stats(&self, id: TransceiverId) -> Vec<(u32, FrameStats)> {
        self.media.frame_stats(id).collect()
    }

    /// The canonical name of a source, once the peer has told it: what has one name is to be played in step (RFC 3550
    /// §6.5.1).
    pub fn canonical_name(&self, ssrc: u32) -> Option<&[u8]> {
        self.transport.secured.rtp.canonical_name(ssrc)
    }

    /// What arrived on a transceiver, by source.
    pub fn receiver_stats(&self, id: TransceiverId) -> Vec<rtp::ReceiverStats> {
        let receiver = self.media.receiver(id);
        receiver.map_or_else(Vec::new, |receiver| self.transport.secured.rtp.receiver_stats(receiver).collect())
    }
}

/// RFC 8830 §2: 1 to 64 characters of a token. What is in no stream is written as "-".
fn is_stream_id(name: &str) -> bool {
    name.len() <= 64 && name != "-" && is_token(name)
}
