//! Simulcast: the same pictures in several sizes on one transceiver, each a layer with a name (RFC 8853).

use super::{End, PeerConnection};
use crate::error::{Error, MediaError};
use crate::jsep::{
    HeaderExtension, LAYERS_MAX, SendLayer, SendStream, SignalingState, Transceiver, TransceiverId, is_own_rid,
};
use wigwag_rtp::payload::Frame;
use wigwag_rtp::{self as rtp};

impl PeerConnection {
    /// W3C `sendEncodings`: what is sent on this transceiver are layers of these names (W3C `rid`), the preferred one first; to be said before
    /// the transceiver is negotiated. Offers of ours have them, and answers those of them that the offer asks for. What the peer takes stands in
    /// [`send_layers`](field@crate::jsep::MediaParameters::send_layers) then; if that is empty, it takes one stream. Browsers take no
    /// layers, servers do.
    ///
    /// # Errors
    /// A name is not 1 to 16 letters and digits (RFC 8852 §3), or stands there twice or for the other direction, or there are more than 16; nothing is sent on
    /// the transceiver; [`HeaderExtension::RID`] is not configured for its kind, as by default for sound; it is offered or negotiated already,
    /// or has ended; or the connection is closed.
    pub fn set_send_layers<S: Into<String>>(
        &mut self,
        id: TransceiverId,
        rids: impl IntoIterator<Item = S>,
    ) -> Result<(), Error> {
        let rids = self.new_layers(id, rids)?;
        self.ensure_other_names(&rids, |transceiver| transceiver.receive_layers.clone(), id)?;
        let send = self.jsep.transceiver(id).and_then(|found| found.send.clone()).ok_or(Error::SendsNothing)?;
        let rtp = &mut self.transport.secured.rtp;
        let first = (send.ssrc, send.rtx_ssrc);
        let numbers = std::iter::once(first)
            .chain(std::iter::repeat_with(|| (rtp.unused_ssrc(), send.rtx_ssrc.map(|_| rtp.unused_ssrc()))));
        let layers = rids.into_iter().zip(numbers);
        let layers = layers.map(|(rid, (ssrc, rtx_ssrc))| SendLayer { rid, ssrc, rtx_ssrc }).collect();
        self.jsep.set_send(id, Some(SendStream { layers, ..send }))?;
        self.needs_negotiation();
        Ok(())
    }

    /// Offers of ours ask for layers of these names on this transceiver, as a server's do that offers; to be said before the transceiver is
    /// negotiated. What the peer sends stands in [`receive_layers`](field@crate::jsep::MediaParameters::receive_layers) then; if that is
    /// empty, it sends one stream. When the peer offers, those of these names are taken; on a transceiver without names as many as
    /// [`receive_layers_max`](field@crate::jsep::Config::receive_layers_max) says.
    ///
    /// # Errors
    /// As of [`set_send_layers`](Self::set_send_layers).
    pub fn set_receive_layers<S: Into<String>>(
        &mut self,
        id: TransceiverId,
        rids: impl IntoIterator<Item = S>,
    ) -> Result<(), Error> {
        let rids = self.new_layers(id, rids)?;
        let sent = |send: &SendStream| send.layers.iter().map(|layer| layer.rid.clone()).collect();
        self.ensure_other_names(&rids, |found| found.send.as_ref().map(sent).unwrap_or_default(), id)?;
        self.jsep.set_receive_layers(id, rids)?;
        self.needs_negotiation();
        Ok(())
    }

    fn new_layers<S: Into<String>>(
        &self,
        id: TransceiverId,
        rids: impl IntoIterator<Item = S>,
    ) -> Result<Vec<String>, Error> {
        self.ensure_transceiver(id)?;
        let Some(transceiver) = self.jsep.transceiver(id) else { return Ok(Vec::new()) };
        // What is offered may be taken: it is as it was said until the offer is taken back.
        let is_offered = self.jsep.signaling_state() == SignalingState::HaveLocalOffer && transceiver.mid.is_some();
        if is_offered || transceiver.negotiated.is_some() {
            return Err(Error::LayersAreNegotiated);
        }
        let names_layers = |extension: &HeaderExtension| {
            extension.uri == HeaderExtension::RID && extension.kind.is_none_or(|kind| kind == transceiver.kind)
        };
        if !self.jsep.config().header_extensions.iter().any(names_layers) {
            return Err(Error::LayersWithoutNames);
        }
        let mut names = Vec::new();
        for rid in rids {
            let rid = rid.into();
            if !is_own_rid(&rid) || names.contains(&rid) || names.len() == LAYERS_MAX {
                return Err(Error::InvalidLayer(rid));
            }
            names.push(rid);
        }
        Ok(names)
    }

    /// RFC 8851: a name is one of the whole section, whatever its direction. Chromium reads neither of two.
    fn ensure_other_names(
        &self,
        rids: &[String],
        others: impl Fn(&Transceiver) -> Vec<String>,
        id: TransceiverId,
    ) -> Result<(), Error> {
        let others = self.jsep.transceiver(id).map(others).unwrap_or_default();
        let twice = rids.iter().find(|rid| others.contains(rid));
        twice.map_or(Ok(()), |rid| Err(Error::InvalidLayer(rid.clone())))
    }

    /// Queues a packet of a layer; otherwise as [`write_packet`](Self::write_packet), which is for the first one.
    ///
    /// # Errors
    /// As of [`write_packet`](Self::write_packet), and [`MediaError::NoSuchLayer`] if the peer takes no layer of this name.
    pub fn write_layer_packet(
        &mut self,
        id: TransceiverId,
        rid: &str,
        packet: rtp::RtpPacket,
    ) -> Result<(), MediaError> {
        if self.end != End::No {
            return Err(MediaError::NotSending);
        }
        self.media.write(id, Some(rid), packet, &mut self.transport.secured.rtp)
    }

    /// Cuts a frame of a layer into packets and queues them; otherwise as [`write_frame`](Self::write_frame), which is for the first one.
    ///
    /// # Errors
    /// As of [`write_frame`](Self::write_frame), and [`MediaError::NoSuchLayer`] if the peer takes no layer of this name.
    pub fn write_layer_frame(&mut self, id: TransceiverId, rid: &str, frame: Frame) -> Result<(), MediaError> {
        if self.end != End::No {
            return Err(MediaError::NotSending);
        }
        self.media.write_frame(id, Some(rid), frame, &mut self.transport.secured.rtp)
    }

    /// Queues a packet that another connection told as one of this layer; otherwise as [`forward_packet`](Self::forward_packet), which is for the first one.
    /// Who gives each packet to the layer of its own name ([`Received::rid`](crate::Received::rid)) forwards all that a peer sends, as to another server; each
    /// layer has numbers of its own, and begins with a key frame of its own
    /// ([`request_layer_key_frame`](Self::request_layer_key_frame) of whose it is).
    ///
    /// # Errors
    /// As of [`forward_packet`](Self::forward_packet), and [`MediaError::NoSuchLayer`] if the peer takes no layer of this name.
    pub fn forward_layer_packet(
        &mut self,
        id: TransceiverId,
        rid: &str,
        packet: &rtp::Received,
        codec: usize,
    ) -> Result<(), MediaError> {
        self.forward(id, Some(rid), packet, codec)
    }

    /// Of what is [forwarded](Self::forward_layer_packet) as this layer of simulcast, leaves out this packet on purpose; otherwise as
    /// [`leave_out_packet`](Self::leave_out_packet).
    pub fn leave_out_layer_packet(&mut self, id: TransceiverId, rid: &str, packet: &rtp::Received, codec: usize) {
        self.leave_out(id, Some(rid), packet, codec);
    }

    /// For a while, packets of what is [forwarded](Self::forward_layer_packet) as this layer are left out; otherwise as
    /// [`cut_forwarding`](Self::cut_forwarding), which is about all layers.
    pub fn cut_layer_forwarding(&mut self, id: TransceiverId, rid: &str) {
        self.media.cut_forwarding(id, Some(rid), &mut self.transport.secured.rtp);
    }

    /// Asks the peer for a key frame of one layer, as often as you like. Nobody is asked before a packet of the layer has come.
    pub fn request_layer_key_frame(&mut self, id: TransceiverId, rid: &str) {
        self.media.request_layer_key_frame(id, rid, &mut self.transport.secured.rtp);
    }

    /// The layer that a source of the peer's is, once its packets have told.
    pub fn source_rid(&self, ssrc: u32) -> Option<&str> {
        self.transport.secured.rtp.rid(ssrc)
    }

    /// What was sent of each layer of a transceiver, by name.
    pub fn layer_stats(&self, id: TransceiverId) -> Vec<(String, rtp::SenderStats)> {
        self.streams_sent(id).filter_map(|(rid, _, stats)| Some((rid?.to_owned(), stats))).collect()
    }

    /// What was sent of each stream of a transceiver, with the names of layers, and whether it is sent now.
    pub(super) fn streams_sent(
        &self,
        id: TransceiverId,
    ) -> impl Iterator<Item = (Option<&str>, bool, rtp::SenderStats)> {
        let rtp = &self.transport.secured.rtp;
        let senders = self.media.senders(id);
        senders.filter_map(|(sender, rid, is_active)| Some((rid, is_active, rtp.sender_stats(sender)?)))
    }
}
