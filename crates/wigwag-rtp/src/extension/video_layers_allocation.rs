//! How much each layer of a sender takes (video-layers-allocation00,
//! `http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00`).

use crate::read::Reader;
use crate::{DecodeError, Error};

/// The streams of simulcast, the spatial layers of a stream and the temporal layers of a spatial one have two bits each.
const MAX: usize = 4;

/// What a spatial layer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerAllocation {
    /// The stream of simulcast, 0 to 3.
    pub stream: u8,
    /// The spatial layer, 0 to 3.
    pub spatial_id: u8,
    temporal_layers: u8,
    target_bitrates_kbps: [u32; MAX],
    /// How large it is and how fast, if that is told.
    pub format: Option<LayerFormat>,
}

/// How large the pictures of a layer are, and how many of them come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerFormat {
    /// In pixels, 1 to 65,536.
    pub width: u32,
    /// In pixels, 1 to 65,536.
    pub height: u32,
    /// Pictures in a second at most.
    pub frame_rate_max: u8,
}

impl LayerAllocation {
    /// A spatial layer without a format. `target_bitrates_kbps`: of each temporal layer, 1 to 4 of them.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn new(stream: u8, spatial_id: u8, target_bitrates_kbps: &[u32]) -> Result<Self, Error> {
        let count = target_bitrates_kbps.len();
        if usize::from(stream) >= MAX || usize::from(spatial_id) >= MAX || !(1..=MAX).contains(&count) {
            return Err(Error::LayersAllocation);
        }
        let mut all = [0; MAX];
        all.iter_mut().zip(target_bitrates_kbps).for_each(|(slot, bitrate)| *slot = *bitrate);
        Ok(Self { stream, spatial_id, temporal_layers: count as u8, target_bitrates_kbps: all, format: None })
    }

    /// What is needed to receive the layer up to each of its temporal layers, in kbit/s, with all lower layers that it is decoded with.
    pub fn target_bitrates_kbps(&self) -> &[u32] {
        self.target_bitrates_kbps.get(..usize::from(self.temporal_layers)).unwrap_or_default()
    }
}

/// What a sender means to send, in all streams of simulcast and all layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoLayersAllocation {
    stream: u8,
    streams: u8,
    /// By stream, then by spatial layer.
    layers: Vec<LayerAllocation>,
    has_formats: bool,
}

impl VideoLayersAllocation {
    /// Nothing is sent.
    #[must_use]
    pub const fn empty() -> Self {
        Self { stream: 0, streams: 1, layers: Vec::new(), has_formats: false }
    }

    /// What is told in the packets of the stream of simulcast `stream` of `streams`, of which there are 1 to 4. Layers that are not among `layers` are not sent.
    ///
    /// # Errors
    /// If a number is out of range, layers are not in the order of streams and spatial layers, none is there, or some have a format and some have none.
    pub fn new(stream: u8, streams: u8, layers: &[LayerAllocation]) -> Result<Self, Error> {
        let is_of = |layer: &LayerAllocation| layer.stream < streams && usize::from(layer.spatial_id) < MAX;
        let place = |layer: &LayerAllocation| (layer.stream, layer.spatial_id);
        let has_formats = layers.first().is_some_and(|layer| layer.format.is_some());
        let is_possible = (1..=MAX).contains(&usize::from(streams))
            && stream < streams
            && !layers.is_empty()
            && layers.iter().all(|layer| is_of(layer) && layer.format.is_some() == has_formats)
            && layers.iter().all(|layer| layer.format.is_none_or(LayerFormat::is_possible))
            && layers.iter().zip(layers.iter().skip(1)).all(|(before, layer)| place(before) < place(layer));
        if !is_possible {
            return Err(Error::LayersAllocation);
        }
        Ok(Self { stream, streams, layers: layers.to_vec(), has_formats })
    }

    /// The stream of simulcast in whose packets it is told, from 0 on.
    pub const fn stream(&self) -> u8 {
        self.stream
    }

    /// How many streams of simulcast there are, 1 to 4.
    pub const fn streams(&self) -> u8 {
        self.streams
    }

    /// The spatial layers that are sent, at most 16, by stream and spatial layer.
    pub fn layers(&self) -> &[LayerAllocation] {
        &self.layers
    }

    /// Reads one.
    ///
    /// # Errors
    /// If it ends too soon or too late, or tells of a stream that there is not.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut allocation = Self::empty();
        allocation.read(bytes)?;
        Ok(allocation)
    }

    /// Reads one in the place of what was here, whose memory it takes.
    ///
    /// # Errors
    /// As of [`parse`](Self::parse); nothing is here then.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        self.layers.clear();
        (self.stream, self.streams, self.has_formats) = (0, 1, false);
        // "An empty layer allocation (i.e nothing sent on ssrc) is encoded as special case with a single 0 byte."
        if bytes == [0] {
            return Ok(());
        }
        let result = self.read_layers(&mut Reader(bytes));
        if result.is_err() {
            *self = Self { layers: std::mem::take(&mut self.layers), ..Self::empty() };
            self.layers.clear();
        }
        result
    }

    fn read_layers(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let first = reader.u8()?;
        (self.stream, self.streams) = (first >> 6, (first >> 4 & 3) + 1);
        let masks = read_masks(reader, first & 0x0f, self.streams)?;
        for (stream, mask) in (0..self.streams).zip(masks) {
            for spatial_id in (0..MAX as u8).filter(|spatial_id| mask >> spatial_id & 1 == 1) {
                let target_bitrates_kbps = [0; MAX];
                let layer =
                    LayerAllocation { stream, spatial_id, temporal_layers: 0, target_bitrates_kbps, format: None };
                self.layers.push(layer);
            }
        }
        if self.stream >= self.streams || self.layers.is_empty() {
            return Err(DecodeError::Malformed("layers allocation"));
        }
        for four in self.layers.chunks_mut(4) {
            let byte = reader.u8()?;
            four.iter_mut()
                .zip([6, 4, 2, 0])
                .for_each(|(layer, shift)| layer.temporal_layers = (byte >> shift & 3) + 1);
        }
        for layer in &mut self.layers {
            for bitrate in layer.target_bitrates_kbps.iter_mut().take(layer.temporal_layers.into()) {
                *bitrate = read_leb128(reader)?;
            }
        }
        self.has_formats = !reader.0.is_empty();
        for layer in self.layers.iter_mut().filter(|_| self.has_formats) {
            let (width, height) = (u32::from(reader.u16()?) + 1, u32::from(reader.u16()?) + 1);
            layer.format = Some(LayerFormat { width, height, frame_rate_max: reader.u8()? });
        }
        if reader.0.is_empty() { Ok(()) } else { Err(DecodeError::Malformed("layers allocation")) }
    }

    /// Writes it in the place of what is in `out`: more than 16 bytes as a rule where there are formats. More than 255 are no element.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        if self.layers.is_empty() {
            out.push(0);
            return;
        }
        let mut masks = [0u8; MAX];
        for layer in &self.layers {
            if let Some(mask) = masks.get_mut(usize::from(layer.stream)) {
                *mask |= 1 << layer.spatial_id;
            }
        }
        let [first, second, third, fourth] = masks;
        let is_same = masks.iter().take(self.streams.into()).all(|mask| *mask == first);
        out.push(self.stream << 6 | (self.streams - 1) << 4 | if is_same { first } else { 0 });
        if !is_same {
            out.push(first << 4 | second);
            // "When NS < 2, takes one byte, otherwise uses two bytes."
            out.extend((self.streams > 2).then_some(third << 4 | fourth));
        }
        for four in self.layers.chunks(4) {
            let bits = four.iter().zip([6, 4, 2, 0]).map(|(layer, shift)| (layer.temporal_layers - 1) << shift);
            out.push(bits.fold(0, |all, bits| all | bits));
        }
        let bitrates = self.layers.iter().flat_map(LayerAllocation::target_bitrates_kbps);
        bitrates.for_each(|bitrate| write_leb128(*bitrate, out));
        for format in self.layers.iter().filter_map(|layer| layer.format) {
            out.extend(((format.width - 1) as u16).to_be_bytes());
            out.extend(((format.height - 1) as u16).to_be_bytes());
            out.push(format.frame_rate_max);
        }
    }
}

impl LayerFormat {
    fn is_possible(self) -> bool {
        [self.width, self.height].iter().all(|side| (1..=65_536).contains(side))
    }
}

/// The spatial layers of each stream: one mask for all, or one for each where it is zero.
fn read_masks(reader: &mut Reader<'_>, common: u8, streams: u8) -> Result<[u8; MAX], DecodeError> {
    if common != 0 {
        return Ok([common; MAX]);
    }
    let first = reader.u8()?;
    let second = if streams > 2 { reader.u8()? } else { 0 };
    Ok([first >> 4, first & 0x0f, second >> 4, second & 0x0f])
}

/// AV1 §4.10.5: seven bits a byte, the lowest first, and no more than 32.
fn read_leb128(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let mut value = 0;
    for place in 0..8 {
        let byte = reader.u8()?;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return u32::try_from(value).map_err(|_| DecodeError::Malformed("layers allocation"));
        }
    }
    Err(DecodeError::Malformed("layers allocation"))
}

fn write_leb128(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
