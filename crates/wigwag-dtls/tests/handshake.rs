//! Two of ours, in virtual time.

mod common;

use common::{Pair, established};
use wigwag_dtls::{Group, SrtpProfile, Version};

#[test]
fn two_of_ours_agree_on_keys_with_swapped_roles() {
    let pair = established(1);
    let [a, z] = &pair.peers;
    assert_eq!(a.srtp_profile(), Some(SrtpProfile::AeadAes128Gcm));
    assert_eq!((a.group(), z.group()), (Some(Group::X25519), Some(Group::X25519)));
    assert_eq!((a.version(), z.version()), (Some(Version::Dtls12), Some(Version::Dtls12)));
    let (mut from_a, mut from_z) = ([0; 40], [0; 40]);
    a.export_keying_material("EXPORTER-test", Some(b"context"), &mut from_a).unwrap();
    z.export_keying_material("EXPORTER-test", Some(b"context"), &mut from_z).unwrap();
    assert_eq!(from_a, from_z);
    let [Some(a), Some(z)] = &pair.srtp else { panic!("both have keys") };
    assert_eq!((a.local_key(), a.local_salt()), (z.remote_key(), z.remote_salt()));
    assert_eq!((z.local_key(), z.local_salt()), (a.remote_key(), a.remote_salt()));
    assert_ne!(a.local_key(), z.local_key());
}
