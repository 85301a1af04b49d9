//! The numbers of pictures in a stream that carries those of others: they go on when another source takes the place of the one before.
//!
//! Whoever gets a picture under a number that it has takes it for one that came twice, and decodes what follows with the wrong one: pictures of
//! one moment have the same number in all layers of simulcast, and those of another camera have any.

use crate::event::RtpPacket;
use crate::extension::ElementData;
use crate::payload::numbers::{Head, PictureNumbers};
use crate::payload::vp8::PictureId;

/// What is added to the numbers of a source, and how far ours have come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pictures {
    picture: Count,
    /// Of the lowest temporal layer.
    lowest: Count,
    /// Of descriptors of dependencies.
    frame: Count,
}

/// One of those numbers, of 7, 8, 15 or 16 bits.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Of the source, as soon as it has a number.
    offset: Option<u16>,
    last: Option<u16>,
}

/// The numbers of a packet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    payload: PictureNumbers,
    frame: Option<u16>,
}

/// Where `frame_number` stands in a descriptor of dependencies (AV1 RTP A.8.3).
const FRAME_AT: usize = 1;

impl Numbers {
    /// `payload`: those that the payload has.
    pub(crate) fn of(packet: &RtpPacket, payload: PictureNumbers) -> Self {
        let descriptor = packet.dependency_descriptor.as_deref();
        let frame = descriptor.and_then(|descriptor| descriptor.get(FRAME_AT..)?.first_chunk());
        Self { payload, frame: frame.map(|frame| u16::from_be_bytes(*frame)) }
    }

    const fn picture(self) -> Option<(u16, u16)> {
        match self.payload.picture {
            Some((_, id @ PictureId::Short(number))) => Some((number as u16, id.count() - 1)),
            Some((_, id @ PictureId::Long(number))) => Some((number, id.count() - 1)),
            None => None,
        }
    }

    fn lowest(self) -> Option<(u16, u16)> {
        self.payload.lowest.map(|(_, number)| (number.into(), 0xff))
    }

    fn frame(self) -> Option<(u16, u16)> {
        self.frame.map(|number| (number, 0xffff))
    }
}

impl Count {
    /// Whether numbers of the source leave as others.
    fn is_moved(self) -> bool {
        self.offset.is_some_and(|offset| offset != 0)
    }

    /// How a number of the source leaves, which has these bits.
    fn place(&mut self, (number, bits): (u16, u16)) -> u16 {
        let last = self.last;
        // The first of a source follows the last of ours.
        let offset =
            *self.offset.get_or_insert_with(|| last.map_or(0, |last| last.wrapping_add(1).wrapping_sub(number)));
        let number = number.wrapping_add(offset) & bits;
        // Whether it is within the half of the circle that is ahead of the last.
        let is_ahead = |last: u16| number.wrapping_sub(last).wrapping_sub(1) & bits < bits / 2;
        if self.last.is_none_or(is_ahead) {
            self.last = Some(number);
        }
        number
    }
}

impl Pictures {
    /// Another source begins.
    pub(crate) fn begin(&mut self) {
        for count in [&mut self.picture, &mut self.lowest, &mut self.frame] {
            count.offset = None;
        }
    }

    /// Gives a packet with these numbers ours.
    pub(crate) fn place(&mut self, numbers: Numbers, packet: &mut RtpPacket) {
        let picture = numbers.picture().map(|number| self.picture.place(number));
        let lowest = numbers.lowest().map(|number| self.lowest.place(number));
        let frame = numbers.frame().map(|number| self.frame.place(number));
        if self.picture.is_moved() || self.lowest.is_moved() {
            packet.head = Head::with(&packet.payload, renumbered(numbers.payload, picture, lowest));
        }
        if let Some(frame) = frame.filter(|_| self.frame.is_moved()) {
            let descriptor = packet.dependency_descriptor.as_ref();
            packet.dependency_descriptor =
                descriptor.and_then(|data: &ElementData| data.with(FRAME_AT, frame.to_be_bytes()));
        }
    }
}

fn renumbered(numbers: PictureNumbers, picture: Option<u16>, lowest: Option<u16>) -> PictureNumbers {
    let of_same_length = |((at, before), number): ((usize, PictureId), u16)| match before {
        PictureId::Short(_) => (at, PictureId::Short(number as u8)),
        PictureId::Long(_) => (at, PictureId::Long(number)),
    };
    PictureNumbers {
        picture: numbers.picture.zip(picture).map(of_same_length),
        lowest: numbers.lowest.zip(lowest).map(|((at, _), number)| (at, number as u8)),
    }
}
