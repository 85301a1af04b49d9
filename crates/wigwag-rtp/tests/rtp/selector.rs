//! Which frames a listener gets, and whether they can decode them.

use crate::structures::{L1T2, L1T3, L3T3, L3T3_KEY, S3T3, structure};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use wigwag_rtp::{DependencyReader, DependencyStructure, DescriptorFields, Indication, LayerSelector, Selection};

/// A packet of somebody who sends.
#[derive(Clone, Debug)]
struct Sent {
    sequence: u64,
    timestamp: u32,
    marker: bool,
    descriptor: Vec<u8>,
    frame: usize,
}

#[derive(Clone, Debug)]
struct Frame {
    layer: (u8, u8),
    picture: usize,
    references: Vec<usize>,
    indications: Vec<Indication>,
}

/// Somebody who sends pictures with layers, each frame in two packets. Frame numbers and sequence numbers wrap early.
struct Source {
    structure: DependencyStructure,
    spatial: usize,
    temporal: usize,
    frames: Vec<Frame>,
    packets: Vec<Sent>,
    pictures_since_key: usize,
    active: Option<u32>,
}

const FIRST_NUMBER: u16 = 65_530;

impl Source {
    fn new(table: &str, spatial: usize, temporal: usize) -> Self {
        let structure = structure(3, table);
        Self { structure, spatial, temporal, frames: vec![], packets: vec![], pictures_since_key: 0, active: None }
    }

    fn pictures(&mut self, count: usize) -> &mut Self {
        (0..count).for_each(|_| self.picture(false));
        self
    }

    fn key(&mut self) -> &mut Self {
        self.picture(true);
        self
    }

    /// The temporal layer of a picture, and the place of its template among those of its spatial layer.
    fn place(&self) -> usize {
        match (self.temporal, self.pictures_since_key) {
            (_, 0) => 0,
            (2, n) => [1, 2][n % 2],
            (_, n) => [1, 3, 2, 4][n % 4],
        }
    }

    fn picture(&mut self, is_key: bool) {
        if is_key || self.frames.is_empty() {
            self.pictures_since_key = 0;
        }
        let (place, per_layer) = (self.place(), self.structure.templates() / self.spatial);
        let picture = self.frames.last().map_or(0, |frame| frame.picture + 1);
        for spatial in 0..self.spatial {
            self.frame(picture, spatial * per_layer + place, self.pictures_since_key == 0 && spatial == 0);
        }
        if let Some(last) = self.packets.last_mut() {
            last.marker = true;
        }
        self.pictures_since_key += 1;
    }

    fn frame(&mut self, picture: usize, template: usize, brings_structure: bool) {
        let at = self.frames.len();
        let mut fields = DescriptorFields::new(template, FIRST_NUMBER.wrapping_add(at as u16));
        for packet in 0..2 {
            (fields.start_of_frame, fields.end_of_frame) = (packet == 0, packet == 1);
            fields.brings_structure = brings_structure && packet == 0;
            fields.active_targets = self.active;
            let mut descriptor = Vec::new();
            fields.write(&self.structure, &mut descriptor).expect("a template");
            let (sequence, timestamp) = (self.packets.len() as u64 + 65_500, picture as u32 * 3000);
            self.packets.push(Sent { sequence, timestamp, marker: false, descriptor, frame: at });
        }
        // What the descriptor says is the table's: it is read for itself.
        let mut reader = DependencyReader::new();
        let mut first = DescriptorFields::new(template, 0);
        first.brings_structure = true;
        let mut bytes = Vec::new();
        first.write(&self.structure, &mut bytes).expect("a template");
        let read = reader.read(0, &bytes).expect("our own");
        let targets = 0..self.structure.targets().len();
        self.frames.push(Frame {
            layer: (read.spatial_id, read.temporal_id),
            picture,
            references: read.fdiffs().map(|fdiff| at - usize::from(fdiff)).collect(),
            indications: targets.map(|target| read.indication(target)).collect(),
        });
    }
}

/// A listener behind a server.
struct Listener {
    reader: DependencyReader,
    selector: LayerSelector,
    /// By frame: how many of its packets were forwarded.
    got: BTreeMap<usize, usize>,
    /// Of which a packet refers to a structure that had not come.
    unread: BTreeSet<usize>,
    markers: Vec<(usize, bool)>,
    active: Option<u32>,
}

impl Listener {
    fn new(layers_max: (u8, u8)) -> Self {
        let mut selector = LayerSelector::new();
        selector.set_layers_max(layers_max.0, layers_max.1);
        let (reader, got, unread, markers) = Default::default();
        Self { reader, selector, got, unread, markers, active: None }
    }

    fn take(&mut self, packet: &Sent) -> bool {
        let Ok(read) = self.reader.read(packet.sequence, &packet.descriptor) else {
            self.unread.insert(packet.frame);
            return false;
        };
        match self.selector.select(&read, packet.sequence, packet.timestamp, packet.marker) {
            Selection::Forward { marker, active_targets } => {
                *self.got.entry(packet.frame).or_default() += 1;
                self.markers.push((packet.frame, marker));
                self.active = active_targets;
                true
            }
            _ => false,
        }
    }

    fn take_all(&mut self, packets: &[Sent]) -> &mut Self {
        packets.iter().for_each(|packet| _ = self.take(packet));
        self
    }

    /// The frames of which all packets came and that can be decoded.
    fn decodable(&self, source: &Source) -> BTreeSet<usize> {
        let mut decodable = BTreeSet::new();
        for (at, frame) in source.frames.iter().enumerate() {
            let is_whole = self.got.get(&at) == Some(&2);
            if is_whole && frame.references.iter().all(|reference| decodable.contains(reference)) {
                decodable.insert(at);
            }
        }
        decodable
    }

    fn layers_got(&self, source: &Source, pictures: std::ops::Range<usize>) -> BTreeSet<(u8, u8)> {
        let frames = self.got.keys().map(|at| &source.frames[*at]);
        frames.filter(|frame| pictures.contains(&frame.picture)).map(|frame| frame.layer).collect()
    }

    /// All that was forwarded can be decoded, and each picture ends with its marker.
    fn check(&self, source: &Source) {
        assert_eq!(self.decodable(source), self.got.keys().copied().collect(), "decodable, and got");
        self.check_markers(source, 0);
    }

    fn check_markers(&self, source: &Source, from: usize) {
        let picture = |frame: usize| source.frames[frame].picture;
        for (at, (frame, marker)) in self.markers.iter().enumerate() {
            let is_last = self.markers.get(at + 1).is_none_or(|(next, _)| picture(*next) != picture(*frame));
            assert!(!*marker || is_last, "a marker within a picture: {frame}");
            assert!(*marker || !is_last || picture(*frame) < from, "no marker at the end: {frame}");
        }
    }
}

fn all_structures() -> [(&'static str, usize, usize); 5] {
    [(L1T2, 1, 2), (L1T3, 1, 3), (L3T3, 3, 3), (L3T3_KEY, 3, 3), (S3T3, 3, 3)]
}

#[test]
fn a_listener_gets_the_frames_of_the_best_target_that_fits_and_no_others() {
    for (table, spatial, temporal) in all_structures() {
        let mut source = Source::new(table, spatial, temporal);
        source.key().pictures(17).key().pictures(9);
        for (at, target) in source.structure.targets().iter().enumerate() {
            let mut listener = Listener::new((target.spatial_id, target.temporal_id));
            listener.take_all(&source.packets);
            let is_of = |frame: &Frame| frame.indications[at] != Indication::NotPresent;
            let expected: BTreeSet<_> = (0..source.frames.len()).filter(|at| is_of(&source.frames[*at])).collect();
            assert_eq!(listener.got.keys().copied().collect::<BTreeSet<_>>(), expected, "{target:?} of {table}");
            assert_eq!(listener.selector.layers(), Some((target.spatial_id, target.temporal_id)));
            assert!(listener.selector.is_intact() && !listener.selector.needs_key_frame());
            listener.check(&source);
        }
        // Whoever wants all gets all that belongs together.
        let mut listener = Listener::new((u8::MAX, u8::MAX));
        listener.take_all(&source.packets).check(&source);
        assert_eq!(listener.selector.layers(), Some((spatial as u8 - 1, temporal as u8 - 1)));
        assert_eq!(listener.active, (table == S3T3).then_some(0b111).or((table == L3T3_KEY).then_some(0b111)));
    }
}

#[test]
fn nothing_is_forwarded_before_a_key_frame() {
    let mut source = Source::new(L1T3, 1, 3);
    source.key().pictures(8);
    let start = source.packets.len();
    source.pictures(3).key().pictures(3);
    let mut listener = Listener::new((0, 2));
    // The structure is known, as of another listener of the same source.
    listener.reader.read(0, &source.packets[0].descriptor).expect("a key frame");
    listener.take_all(&source.packets[start..]);
    assert_eq!(listener.got.keys().copied().collect::<Vec<_>>(), [12, 13, 14, 15]);
    listener.check(&source);
}

#[test]
fn temporal_layers_are_added_where_they_can_be_decoded_and_left_out_at_once() {
    for (table, spatial, _) in [(L1T3, 1, 3), (L3T3, 3, 3), (L3T3_KEY, 3, 3), (S3T3, 3, 3)] {
        for at in 5..14 {
            let mut source = Source::new(table, spatial, 3);
            source.key().pictures(40);
            let (up, down) = (at * 2 * spatial, (at + 20) * 2 * spatial);
            let mut listener = Listener::new((2, 0));
            listener.take_all(&source.packets[..up]);
            assert!(listener.layers_got(&source, 0..at).iter().all(|(_, temporal)| *temporal == 0));
            listener.selector.set_layers_max(2, 2);
            listener.take_all(&source.packets[up..down]);
            // Within four pictures, without a key frame.
            assert!(!listener.selector.needs_key_frame());
            assert!(listener.layers_got(&source, at..at + 5).contains(&(spatial as u8 - 1, 2)), "{at} of {table}");
            listener.selector.set_layers_max(2, 0);
            listener.take_all(&source.packets[down..]);
            assert!(listener.layers_got(&source, at + 20..99).iter().all(|(_, temporal)| *temporal == 0));
            listener.check(&source);
        }
    }
}

#[test]
fn spatial_layers_are_added_with_a_key_frame() {
    for (table, is_nested) in [(L3T3, true), (L3T3_KEY, false), (S3T3, false)] {
        let mut source = Source::new(table, 3, 3);
        source.key().pictures(10);
        let up = source.packets.len();
        source.pictures(10);
        let key = source.packets.len();
        source.key().pictures(9);
        let down = source.packets.len();
        source.pictures(10).key().pictures(8);
        let mut listener = Listener::new((0, 2));
        listener.take_all(&source.packets[..up]);
        listener.selector.set_layers_max(2, 2);
        listener.take_all(&source.packets[up..key]);
        assert!(listener.selector.needs_key_frame() && listener.selector.layers() == Some((0, 2)), "{table}");
        listener.take_all(&source.packets[key..down]);
        assert_eq!((listener.selector.needs_key_frame(), listener.selector.layers()), (false, Some((2, 2))));
        listener.selector.set_layers_max(1, 2);
        listener.take_all(&source.packets[down..]);
        assert_eq!(listener.selector.layers(), Some((1, 2)));
        // Where layers are decoded with lower ones, they are left out at once; else those that were not forwarded are not there.
        let top = listener.layers_got(&source, 32..41).iter().any(|(spatial, _)| *spatial == 2);
        assert_eq!(top, !is_nested, "{table}");
        assert_eq!(listener.decodable(&source), listener.got.keys().copied().collect());
        // While more of a picture may follow, none is said to be whole.
        listener.check_markers(&source, 21);
    }
}

/// A.10.1.2, where frame 105 or 106 refreshes S1: the second way needs a listener of S0 who gets a picture's second frame.
#[test]
fn spatial_layers_are_added_where_the_sender_refreshes_them() {
    // Frames that refer to the one before of their layer, and to the lower layer; and the two ways.
    let table = "0 0 |     | 0 0 | SS
                 0 0 | 2   | 2 1 | SR
                 0 0 | 2   | 2 0 | SS
                 1 0 | 1   | 1 1 | -S
                 1 0 | 1 2 | 1 1 | -R
                 1 0 | 1   | 1 0 | -S
                 0 1";
    let key = [(0, true), (3, false)];
    let usual = [(1, false), (4, false)];
    for (way, since) in [([(2, false), (3, false)], 6), ([(1, false), (5, false)], 7)] {
        let mut source = Source::new(table, 1, 1);
        for (picture, frames) in [key, usual, usual, way, usual, usual].into_iter().enumerate() {
            frames.iter().for_each(|(template, is_key)| source.frame(picture, *template, *is_key));
            source.packets.last_mut().expect("one").marker = true;
        }
        let mut listener = Listener::new((0, 0));
        listener.take_all(&source.packets[..8]);
        listener.selector.set_layers_max(1, 0);
        listener.take_all(&source.packets[8..]);
        let got: Vec<_> = listener.got.keys().copied().collect();
        let expected: Vec<_> = (0..since).filter(|frame| frame % 2 == 0).chain(since..12).collect();
        assert_eq!(got, expected, "{since}");
        assert_eq!(listener.decodable(&source), listener.got.keys().copied().collect());
        listener.check_markers(&source, 3);
    }
}

/// The frames of T1 refer to one another, too, but for a fresh one.
#[test]
fn a_frame_that_refers_to_one_that_was_left_out_is_left_out() {
    let table = "0 0 |     | 0 | SS
                 0 0 | 2   | 2 | RS
                 0 1 | 1   | 1 | R-
                 0 1 | 1 2 | 1 | R-
                 0 0";
    let (fresh, usual) = ([(1, false), (2, false)], [(1, false), (3, false)]);
    let pictures = [[(0, true), (2, false)], usual, usual, usual, usual, fresh, usual];
    let mut source = Source::new(table, 1, 1);
    for (template, is_key) in pictures.into_iter().flatten() {
        source.frame(source.frames.len(), template, is_key);
        source.packets.last_mut().expect("one").marker = true;
    }
    let mut listener = Listener::new((0, 0));
    listener.take_all(&source.packets[..8]);
    listener.selector.set_layers_max(0, 1);
    listener.take_all(&source.packets[8..]);
    assert_eq!(listener.got.keys().copied().collect::<Vec<_>>(), [0, 2, 4, 6, 8, 10, 11, 12, 13]);
    listener.check(&source);
}

#[test]
fn a_picture_that_has_begun_is_forwarded_with_all_its_layers() {
    let mut source = Source::new(L3T3, 3, 3);
    source.key().pictures(20);
    for within in 1..6 {
        let mut listener = Listener::new((2, 2));
        let at = 24 + within;
        listener.take_all(&source.packets[..at]);
        listener.selector.set_layers_max(0, 2);
        listener.take_all(&source.packets[at..]);
        assert_eq!(listener.got.keys().filter(|at| source.frames[**at].layer.0 == 2).count(), 5, "{within}");
        listener.check(&source);
    }
}

#[test]
fn a_picture_that_was_lost_and_comes_late_mends_the_chain() {
    let mut source = Source::new(L1T3, 1, 3);
    source.key().pictures(30);
    let lost = 8;
    let mut listener = Listener::new((0, 0));
    let packets = |frames: std::ops::Range<usize>| source.packets[2 * frames.start..2 * frames.end].to_vec();
    listener.take_all(&packets(0..lost));
    listener.selector.set_layers_max(0, 2);
    listener.take_all(&packets(lost + 1..lost + 4));
    assert!(!listener.selector.is_intact(), "what follows refers to what is missing");
    assert_eq!(listener.selector.layers(), Some((0, 0)), "so nothing is added");
    // What is of no use to them is told by its descriptor, whenever it comes.
    listener.take_all(&packets(lost..lost + 1));
    assert!(listener.selector.is_intact());
    listener.take_all(&packets(lost + 4..30));
    assert_eq!(listener.selector.layers(), Some((0, 2)));
    assert!(listener.layers_got(&source, 12..30).contains(&(0, 2)));
    listener.check(&source);
}

#[test]
fn what_is_lost_of_a_higher_layer_does_not_break_the_lower_ones() {
    let mut source = Source::new(L3T3, 3, 3);
    source.key().pictures(20);
    let mut listener = Listener::new((2, 2));
    // The frame of S2 of the second picture of T0.
    let is_lost = |packet: &&Sent| packet.frame != 14;
    let (before, after): (Vec<_>, Vec<_>) =
        source.packets.iter().filter(is_lost).cloned().partition(|packet| packet.frame < 30);
    listener.take_all(&before);
    assert!(!listener.selector.is_intact());
    listener.selector.set_layers_max(1, 2);
    listener.take_all(&after);
    assert_eq!(listener.selector.layers(), Some((1, 2)));
    assert!(listener.selector.is_intact(), "the lower chain has all its frames");
    listener.selector.set_layers_max(2, 2);
    let start = source.packets.len();
    source.pictures(12);
    listener.take_all(&source.packets[start..]);
    assert!(listener.selector.needs_key_frame(), "the higher one begins anew with a key frame only");
    let start = source.packets.len();
    source.key().pictures(5);
    listener.take_all(&source.packets[start..]);
    assert_eq!((listener.selector.layers(), listener.selector.needs_key_frame()), (Some((2, 2)), false));
}

#[test]
fn a_target_that_is_not_active_is_not_waited_for() {
    let mut source = Source::new(L3T3, 3, 3);
    source.key().pictures(4);
    source.active = Some(0b111_111_000);
    source.pictures(8);
    let mut listener = Listener::new((2, 2));
    listener.take_all(&source.packets);
    assert_eq!((listener.selector.layers(), listener.selector.needs_key_frame()), (Some((1, 2)), false));
    // One may be chosen by its place.
    let mut listener = Listener::new((0, 0));
    listener.selector.set_decode_target(4);
    listener.take_all(&source.packets);
    assert_eq!(listener.selector.layers(), Some((1, 1)));
    assert_eq!(listener.active, Some(0b110_110_000));
}

#[test]
fn what_could_not_be_forwarded_is_begun_anew() {
    let mut source = Source::new(L1T2, 1, 2);
    source.key().pictures(5);
    let mut listener = Listener::new((0, 1));
    listener.take_all(&source.packets);
    listener.selector.restart();
    let start = source.packets.len();
    source.pictures(5);
    listener.take_all(&source.packets[start..]);
    assert_eq!((listener.got.len(), listener.selector.needs_key_frame()), (6, true));
    let start = source.packets.len();
    source.key();
    listener.take_all(&source.packets[start..]);
    assert_eq!((listener.got.len(), listener.selector.needs_key_frame()), (7, false));
}

/// Of another structure, or of a sender who counts anew.
#[test]
fn another_structure_begins_anew() {
    let mut first = Source::new(L1T3, 1, 3);
    first.key().pictures(9);
    let mut listener = Listener::new((1, 2));
    let (late, in_time) = first.packets.split_last().expect("some");
    listener.take_all(in_time);
    let shift = first.packets.len() as u64 + 10;
    for (table, spatial, temporal) in [(L3T3, 3, 3), (L1T2, 1, 2), (L1T2, 1, 2)] {
        let mut second = Source::new(table, spatial, temporal);
        second.key().pictures(9);
        let shift = shift + 10_000 * listener.markers.len() as u64;
        second.packets.iter_mut().for_each(|packet| packet.sequence += shift);
        listener.got.clear();
        listener.take_all(&second.packets);
        assert!(listener.got.contains_key(&0) && listener.got.contains_key(&(second.frames.len() - spatial)));
        assert_eq!(listener.decodable(&second), listener.got.keys().copied().collect(), "{table}");
    }
    assert!(!listener.take(late), "it belongs to what is over");
}

proptest! {
    /// Whatever is lost, comes late or twice as late, and whatever is wanted when: no frame is forwarded that refers to one that was left out
    /// on purpose, and nothing but what was lost keeps a listener from decoding.
    #[test]
    fn what_is_forwarded_refers_to_nothing_that_was_left_out(
        which in 0..5usize,
        keys in prop::collection::btree_set(1..60usize, 0..3),
        late in prop::collection::btree_map(0..360usize, prop::option::of(1..30usize), 0..25),
        wishes in prop::collection::btree_map(0..360usize, (0..4u8, 0..4u8), 0..8),
    ) {
        let (table, spatial, temporal) = all_structures()[which];
        let mut source = Source::new(table, spatial, temporal);
        for picture in 0..60 { source.picture(keys.contains(&picture)); }
        let mut listener = Listener::new((3, 3));
        let mut waiting: BTreeMap<usize, Vec<Sent>> = BTreeMap::new();
        let mut lost = BTreeSet::new();
        for (at, packet) in source.packets.iter().enumerate() {
            if let Some((spatial_max, temporal_max)) = wishes.get(&at) {
                listener.selector.set_layers_max(*spatial_max, *temporal_max);
            }
            match late.get(&at) {
                Some(Some(by)) => waiting.entry(at + by).or_default().push(packet.clone()),
                Some(None) => _ = lost.insert(packet.frame),
                None => _ = listener.take(packet),
            }
            waiting.remove(&at).into_iter().flatten().for_each(|packet| _ = listener.take(&packet));
        }
        lost.extend(waiting.into_values().flatten().map(|packet| packet.frame));
        lost.extend(&listener.unread);
        for (at, count) in &listener.got {
            let frame = &source.frames[*at];
            let is_possible = |reference: &usize| listener.got.contains_key(reference) || lost.contains(reference) || *reference == 0 && late.contains_key(&0);
            prop_assert!(frame.references.iter().all(is_possible), "{} refers to {:?}", at, frame.references);
            prop_assert!(*count == 2 || lost.contains(at) || *at == 0 || late.keys().any(|late| late / 2 == *at), "{} is not whole", at);
        }
        if late.is_empty() {
            prop_assert_eq!(listener.decodable(&source), listener.got.keys().copied().collect());
        }
    }
}

/// A structure may come again with a frame that needs others, as for somebody who has just joined.
#[test]
fn a_listener_begins_with_a_key_frame_though_a_structure_comes_before() {
    let mut source = Source::new(L1T2, 1, 2);
    source.key().pictures(3).frame(4, 1, true);
    let joined = source.packets.len() - 2;
    source.pictures(3);
    let mut listener = Listener::new((0, 1));
    listener.take_all(&source.packets[joined..]);
    assert!(listener.selector.needs_key_frame());
    assert_eq!(listener.got, BTreeMap::new());
    let before = source.packets.len();
    source.key().pictures(4);
    listener.take_all(&source.packets[before..]);
    assert!(!listener.selector.needs_key_frame());
    assert_eq!(listener.got.len(), 5);
    listener.check(&source);
}
