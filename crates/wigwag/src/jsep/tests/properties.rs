//! Two machines that do what chance tells them agree in the end.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Add(bool, MediaKind, Direction),
    Direct(bool, usize, Direction),
    Stop(bool, usize),
    Data(bool),
    Negotiate(bool),
    RolledBack(bool),
    Glare,
}

fn step() -> impl Strategy<Value = Step> {
    let who = any::<bool>();
    let kind = prop::sample::select(vec![MediaKind::Audio, MediaKind::Video]);
    let way =
        prop::sample::select(vec![Direction::Sendrecv, Direction::Sendonly, Direction::Recvonly, Direction::Inactive]);
    prop_oneof![
        (who, kind, way.clone()).prop_map(|(who, kind, way)| Step::Add(who, kind, way)),
        (who, 0..6usize, way).prop_map(|(who, which, way)| Step::Direct(who, which, way)),
        (who, 0..6usize).prop_map(|(who, which)| Step::Stop(who, which)),
        who.prop_map(Step::Data),
        who.prop_map(Step::Negotiate),
        who.prop_map(Step::RolledBack),
        Just(Step::Glare),
    ]
}

fn which(peer: &Peer, which: usize) -> Option<TransceiverId> {
    peer.jsep.transceivers().nth(which).map(|transceiver| transceiver.id)
}

fn take(step: Step, a: &mut Peer, z: &mut Peer) {
    match step {
        Step::Add(true, kind, way) => drop(a.add(kind, way, 1)),
        Step::Direct(true, number, way) => {
            which(a, number).into_iter().for_each(|id| a.jsep.set_direction(id, way).expect("it lives"));
        }
        Step::Stop(true, number) => which(a, number).into_iter().for_each(|id| a.jsep.stop(id).expect("it lives")),
        Step::Data(true) => a.jsep.want_data_channels(),
        Step::Negotiate(true) => drop(negotiate(a, z)),
        Step::RolledBack(true) => {
            let before = (z.jsep.now.sections.clone(), a.jsep.now.sections.clone());
            z.set_remote(a.describe());
            z.jsep.rollback().expect("an offer to take back");
            a.jsep.rollback().expect("an offer to take back");
            assert_eq!((&z.jsep.now.sections, &a.jsep.now.sections), (&before.0, &before.1));
        }
        Step::Glare => {
            z.describe();
            let offer = a.describe();
            z.jsep.set_remote_description(SdpType::Offer, offer).expect("the polite peer takes it");
            a.set_remote(z.describe());
        }
        Step::Add(false, kind, way) => take(Step::Add(true, kind, way), z, a),
        Step::Direct(false, number, way) => take(Step::Direct(true, number, way), z, a),
        Step::Stop(false, number) => take(Step::Stop(true, number), z, a),
        Step::Data(false) => take(Step::Data(true), z, a),
        Step::Negotiate(false) => take(Step::Negotiate(true), z, a),
        Step::RolledBack(false) => take(Step::RolledBack(true), z, a),
    }
}

fn agree(a: &Peer, z: &Peer) {
    let mids = |peer: &Peer| peer.jsep.now.sections.iter().map(|section| section.mid.clone()).collect::<Vec<_>>();
    assert_eq!(mids(a), mids(z));
    assert_eq!(a.jsep.data().is_some(), z.jsep.data().is_some());
    let has_transport = a.jsep.remote_transport().is_some();
    assert_eq!(has_transport, z.jsep.remote_transport().is_some());
    assert!(!has_transport || a.jsep.dtls_role() != z.jsep.dtls_role());
    assert_eq!(a.jsep.transceivers().count(), z.jsep.transceivers().count());
    for ours in a.jsep.transceivers() {
        let theirs = z.jsep.transceivers().find(|theirs| theirs.mid == ours.mid).expect("the same mids");
        assert_eq!(ours.current_direction, theirs.current_direction.map(Direction::reversed));
        let (ours, theirs) = (ours.negotiated.as_ref().expect("agreed"), theirs.negotiated.as_ref().expect("agreed"));
        let codecs = |codecs: &[super::super::NegotiatedCodec]| {
            codecs.iter().map(|codec| (codec.payload_type, codec.name.clone())).collect::<Vec<_>>()
        };
        assert_eq!(codecs(&ours.send_codecs), codecs(&theirs.receive_codecs));
        assert_eq!(codecs(&ours.receive_codecs), codecs(&theirs.send_codecs));
        assert_eq!(ours.extensions, theirs.extensions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_they_do_they_agree(steps in prop::collection::vec(step(), 1..16)) {
        let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
        let mut places = 0;
        for step in steps {
            take(step, &mut a, &mut z);
            prop_assert!(a.jsep.now.sections.len() >= places, "sections never become fewer");
            places = a.jsep.now.sections.len();
        }
        // What one side adds or stops may need the other's offer, and data wanted by both is one section.
        negotiate(&mut a, &mut z);
        negotiate(&mut z, &mut a);
        agree(&a, &z);
        prop_assert!(!a.jsep.is_negotiation_needed());
        prop_assert!(!z.jsep.is_negotiation_needed());
    }
}
