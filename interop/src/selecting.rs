//! Of the pictures that a page sends with layers, some layers go back to it, as a server forwards them to a listener.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use wigwag::{
    DependencyReader, LayerSelector, PeerConnection, Received, Selection, TransceiverId, VideoLayersAllocation,
};

/// What was told and chosen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Packets of each temporal layer, as their descriptors tell.
    pub(crate) arrived: BTreeMap<u8, u64>,
    pub(crate) forwarded: BTreeMap<u8, u64>,
    /// The layers that are forwarded now.
    pub(crate) layers: Option<(u8, u8)>,
    pub(crate) structures: u64,
    pub(crate) unread: u64,
    /// The last allocation, and what could not be read as one.
    pub(crate) allocation: Option<VideoLayersAllocation>,
    pub(crate) allocations_unread: u64,
    /// The first descriptors and the first allocation.
    pub(crate) samples: Vec<String>,
}

const SAMPLES_MAX: usize = 12;

#[derive(Debug, Default)]
pub(crate) struct Selecting {
    reader: DependencyReader,
    selector: LayerSelector,
    descriptor: Vec<u8>,
}

impl Selecting {
    /// The next packet goes back, or is left out.
    pub(crate) fn take(
        &mut self,
        connection: &mut PeerConnection,
        id: TransceiverId,
        received: Received,
        (temporal_max, told): (u8, &mut Told),
    ) -> Result<()> {
        note_allocation(&received, told);
        let parameters = connection.transceiver(id).and_then(|transceiver| transceiver.negotiated.as_ref());
        let codec = parameters.and_then(|parameters| parameters.receive_codec(received.packet.payload_type));
        let codec = codec.context("the codec was not negotiated")?.index;
        let bytes = received.packet.dependency_descriptor.clone().context("a descriptor")?;
        if told.samples.len() < SAMPLES_MAX {
            told.samples.push(format!("descriptor {bytes:?}"));
        }
        let Ok(read) = self.reader.read(received.extended_sequence, &bytes) else {
            told.unread += 1;
            return Ok(connection.forward_packet(id, &received, codec)?);
        };
        *told.arrived.entry(read.temporal_id).or_default() += 1;
        told.structures += u64::from(read.brings_structure);
        self.selector.set_layers_max(0, temporal_max);
        let packet = &received.packet;
        let selection = self.selector.select(&read, received.extended_sequence, packet.timestamp, packet.marker);
        told.layers = self.selector.layers();
        if self.selector.needs_key_frame() {
            connection.request_key_frame(id);
        }
        let Selection::Forward { marker, active_targets } = selection else {
            connection.leave_out_packet(id, &received, codec);
            return Ok(());
        };
        *told.forwarded.entry(read.temporal_id).or_default() += 1;
        let mut received = received.clone();
        received.packet.marker = marker;
        if let Some(active) = active_targets {
            read.write_with_active_targets(active, &mut self.descriptor);
            received.packet.dependency_descriptor = wigwag::ElementData::new(&self.descriptor);
        }
        Ok(connection.forward_packet(id, &received, codec)?)
    }
}

fn note_allocation(received: &Received, told: &mut Told) {
    let Some(bytes) = received.packet.video_layers_allocation.as_deref() else { return };
    let Ok(allocation) = VideoLayersAllocation::parse(bytes) else {
        told.allocations_unread += 1;
        return;
    };
    if told.allocation.replace(allocation).is_none() {
        told.samples.push(format!("allocation {:?}", received.packet.video_layers_allocation));
    }
}
