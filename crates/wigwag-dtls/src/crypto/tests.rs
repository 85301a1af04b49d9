//! Vectors of others. Those of NIST and of another stack are read from `$WIGWAG_TESTDATA`, if that is set.

use super::aead::Aead;
use super::backend::EcdhKey;
use super::hash;
use super::kx::Curve;
use super::prf::Prf;
#[cfg(not(feature = "aws-lc-rs"))]
use super::signature::{PrivateKey, SigningKey};
use super::signature::{SignatureScheme, Signed, VerifyingKey};
use super::x509;
use crate::{Certificate, CipherSuite, HashAlgorithm, Version};
use serde_json::Value;
use wigwag_sansio::{Rng, Seed};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test finds its files by a variable")]
fn read(path: &str) -> Option<Value> {
    let Ok(folder) = std::env::var("WIGWAG_TESTDATA") else {
        println!("skipped: WIGWAG_TESTDATA is not set");
        return None;
    };
    let text = std::fs::read_to_string(std::path::Path::new(&folder).join(path)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// RFC 7748 §5.2, the first vector.
#[test]
fn x25519_is_that_of_the_rfc() {
    let scalar: [u8; 32] = array("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    let secret = EcdhKey::new(Curve::X25519, &scalar).unwrap();
    let shared = secret.agree(&bytes("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"));
    let expected = bytes("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    assert_eq!(shared.as_deref(), Some(&expected));
}

/// RFC 7748 §6.1: the all-zero value; RFC 7748 §5 and others: points of small order.
#[test]
fn shares_that_give_no_secret_are_refused() {
    let mut one = [0; 32];
    one[0] = 1;
    let secret = EcdhKey::new(Curve::X25519, &[7; 32]).unwrap();
    let small = array::<32>("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
    for share in [[0; 32], one, small] {
        assert_eq!(secret.agree(&share), None);
    }
    for len in [0, 31, 33] {
        assert_eq!(secret.agree(&vec![9; len]), None);
    }
}

/// RFC 5903 §8.1: both sides of P-256.
#[test]
fn p256_agrees_and_refuses_what_is_not_a_point() {
    let secret = |hex| EcdhKey::new(Curve::Secp256r1, &bytes(hex)).unwrap();
    let i = secret("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433");
    let r = secret("c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53");
    let shared = bytes("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de");
    assert_eq!(i.agree(&r.public_key()).as_deref(), Some(&shared));
    assert_eq!(r.agree(&i.public_key()).as_deref(), Some(&shared));
    let public = i.public_key();
    assert_eq!((public.len(), public[0]), (65, 4));
    let mut off_curve = public.clone();
    off_curve[64] ^= 1;
    let compressed = [&[2 + (public[64] & 1)], &public[1..33]].concat();
    for wrong in [&off_curve[..], &compressed, &public[..64], &[0], &[]] {
        assert_eq!(r.agree(wrong), None);
    }
}

/// RFC 6979 A.2.5: P-256, SHA-256, message "sample". Those of AWS-LC are other ones each time.
#[cfg(not(feature = "aws-lc-rs"))]
#[test]
fn signatures_are_those_of_rfc_6979() {
    let secret = bytes("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
    let key = SigningKey::new(PrivateKey::P256(p256::SecretKey::from_slice(&secret).unwrap())).unwrap();
    let scheme = SignatureScheme::EcdsaSecp256r1Sha256;
    let signature = key.sign(scheme, b"sample"[..].into(), &mut Rng::new(Seed::for_test(1))).unwrap();
    let r = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
    let s = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    assert_eq!(signature, bytes(&format!("3046022100{r}022100{s}")));
    let public = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                  7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    assert_eq!(Some(key.verifying_key()), VerifyingKey::p256(&bytes(public)).as_ref());
}

macro_rules! pem {
    ($name:literal) => {
        ($name, include_str!(concat!("../../tests/dtls/certificates/", $name, ".pem")))
    };
}

const VERSIONS: [Version; 2] = [Version::Dtls12, Version::Dtls13];

/// Keys and signatures by OpenSSL.
fn signatures() -> Vec<(Certificate, SignatureScheme, Vec<u8>)> {
    let pems = [pem!("p256"), pem!("p384"), pem!("ed25519"), pem!("rsa2048")];
    let lines = include_str!("../../tests/dtls/certificates/signatures.txt").lines();
    let signature = |line: &str| {
        let [key, number, signature] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("three words") };
        let (_, pem) = pems.into_iter().find(|(name, _)| *name == key).unwrap();
        let scheme = SignatureScheme::from_wire(u16::from_str_radix(number, 16).unwrap()).unwrap();
        (Certificate::from_pem(pem, pem).unwrap(), scheme, bytes(signature))
    };
    lines.map(signature).collect()
}

#[test]
fn each_scheme_verifies_what_openssl_has_signed_and_nothing_else() {
    let signatures = signatures();
    assert_eq!(signatures.len(), SignatureScheme::ALL.len() + 2, "and both curves with the other's hash");
    for ((certificate, scheme, signature), version) in signatures.iter().flat_map(|of| VERSIONS.map(|v| (of, v))) {
        let public = x509::public_key(certificate.der()).unwrap();
        let is_for = version == Version::Dtls12 || public.schemes(version).contains(scheme);
        assert_eq!(public.verify(version, *scheme, b"sample"[..].into(), signature), is_for, "{scheme:?} {version:?}");
        assert!(!public.verify(version, *scheme, b"simple"[..].into(), signature), "{scheme:?}");
        let mut flipped = signature.clone();
        flipped[signature.len() / 2] ^= 1;
        assert!(!public.verify(version, *scheme, b"sample"[..].into(), &flipped), "{scheme:?}");
        let longer = [&signature[..], &[0]].concat();
        for wrong in [&signature[..signature.len() - 1], &[], &longer] {
            assert!(!public.verify(version, *scheme, b"sample"[..].into(), wrong), "{scheme:?}");
        }
        for other in SignatureScheme::ALL.iter().filter(|other| *other != scheme) {
            assert!(!public.verify(version, *other, b"sample"[..].into(), signature), "{scheme:?} as {other:?}");
        }
    }
}

/// A certificate whose key is none is refused where it is read, not where a signature is verified.
#[test]
fn keys_that_are_no_points_are_refused_with_their_certificate() {
    for (_, pem) in [pem!("p256"), pem!("p384")] {
        let certificate = Certificate::from_pem(pem, pem).unwrap();
        let der = certificate.der();
        // A BIT STRING without unused bits, and in it an uncompressed point.
        let begins = |at: usize, len: u8| der[at..].starts_with(&[3, len, 0, 4]);
        let (at, len) = [66, 98]
            .into_iter()
            .find_map(|len| (0..der.len()).find(|at| begins(*at, len)).map(|at| (at + 3, usize::from(len) - 1)))
            .unwrap();
        assert!(x509::public_key(der).is_ok());
        // Off the curve, beyond the field, in a form that is none.
        for (place, byte) in
            [(at + len - 1, der[at + len - 1] ^ 1), (at + 1, 0xFF), (at, 0), (at, 5), (at, 6), (at, 0x30)]
        {
            let mut wrong = der.to_vec();
            wrong[place] = byte;
            if place == at + 1 {
                wrong[place..place + len / 2].fill(0xFF);
            }
            assert!(x509::public_key(&wrong).is_err(), "{place}: {byte}");
        }
    }
}

/// RFC 5480 §2.2: "The public key MUST be rejected if any other value is included in the first octet." However a point is written, the
/// key is the same.
#[test]
fn points_are_compressed_or_not_and_nothing_else() {
    type Read = fn(&[u8]) -> Option<VerifyingKey>;
    let p256 = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    let p384 = "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13\
                8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720";
    for (read, coordinates) in [(VerifyingKey::p256 as Read, p256), (VerifyingKey::p384, p384)] {
        let coordinates = bytes(coordinates);
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        let key = read(&[&[4], x, y].concat());
        assert!(key.is_some());
        for first in 0..=u8::MAX {
            let is_key = first == 2 + (y[y.len() - 1] & 1);
            let compressed = read(&[&[first], x].concat());
            assert_eq!(compressed.is_some(), matches!(first, 2 | 3), "{first}");
            assert_eq!(compressed == key, is_key, "{first}");
            assert_eq!(read(&[&[first], x, y].concat()).is_some(), first == 4, "{first}");
            assert_eq!(read(&[first]), None);
        }
    }
}

#[test]
fn each_scheme_signs_what_it_verifies_and_no_other_key_does() {
    let mut rng = Rng::new(Seed::for_test(1));
    for (certificate, scheme, _) in signatures() {
        let (key, public) = (certificate.key(), x509::public_key(certificate.der()).unwrap());
        for each in SignatureScheme::ALL {
            let signature = key.sign(*each, b"sample"[..].into(), &mut rng);
            assert_eq!(signature.is_some(), public.can_sign(Version::Dtls12, *each), "{scheme:?}");
            let is_verified =
                |signature: Vec<u8>| VERSIONS.map(|v| public.verify(v, *each, b"sample"[..].into(), &signature));
            let can_sign = VERSIONS.map(|version| public.can_sign(version, *each));
            assert!(signature.is_none_or(|signature| is_verified(signature) == can_sign), "{scheme:?} as {each:?}");
        }
    }
}

#[test]
fn a_hash_that_is_there_already_is_signed_and_verified_as_its_message_is() {
    let mut rng = Rng::new(Seed::for_test(1));
    let message = b"sample";
    for (certificate, scheme, signature) in signatures() {
        let (key, public) = (certificate.key(), x509::public_key(certificate.der()).unwrap());
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
            let hash = hash::hash(algorithm, message);
            let signed = Signed { message, hash: Some((algorithm, &hash)) };
            assert!(public.verify(Version::Dtls12, scheme, signed, &signature), "{scheme:?} {algorithm:?}");
            let ours = key.sign(scheme, signed, &mut rng).unwrap();
            assert!(public.verify(Version::Dtls12, scheme, message[..].into(), &ours), "{scheme:?}");
            // What is believed of a hash is the hash.
            let other = hash::hash(algorithm, b"simple");
            let forged = Signed { message, hash: Some((algorithm, &other)) };
            let is_hashed = scheme.ecdsa_hash() == Some(algorithm);
            assert_eq!(public.verify(Version::Dtls12, scheme, forged, &signature), !is_hashed, "{scheme:?}");
        }
    }
}

/// RFC 5903 §8.2: both sides of P-384.
#[test]
fn p384_agrees_and_refuses_what_is_not_a_point() {
    let secret = |hex| EcdhKey::new(Curve::Secp384r1, &bytes(hex)).unwrap();
    let i = secret("099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194");
    let r = secret("41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2960e4bd55a7448fc");
    let shared =
        bytes("11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746");
    assert_eq!(i.agree(&r.public_key()).as_deref(), Some(&shared));
    assert_eq!(r.agree(&i.public_key()).as_deref(), Some(&shared));
    let public = i.public_key();
    assert_eq!((public.len(), public[0]), (97, 4));
    let mut off_curve = public.clone();
    off_curve[96] ^= 1;
    let compressed = [&[2 + (public[96] & 1)], &public[1..49]].concat();
    for wrong in [&off_curve[..], &compressed, &public[..96], &[0], &[]] {
        assert_eq!(r.agree(wrong), None);
    }
}

/// RFC 5246 without RFC 7627, as the vectors are; what is new in ours is only the label and the seed.
#[test]
fn keys_are_those_of_another_stack() {
    let Some(file) = read("kdf-vectors/tls12_prf.json") else { return };
    let vector = |name: &str| bytes(file["tls12_prf_sha256"][name].as_str().unwrap());
    let (client, server) = (vector("client_random"), vector("server_random"));
    let mut master = [0; 48];
    Prf::new(HashAlgorithm::Sha256, &vector("pre_master_secret")).fill(
        b"master secret",
        &[&client, &server],
        &mut master,
    );
    assert_eq!(master[..], vector("master_secret"));
    let mut block = [0; 40];
    Prf::new(HashAlgorithm::Sha256, &master).fill(b"key expansion", &[&server, &client], &mut block);
    assert_eq!(block[..], vector("key_block_40"));
}

#[test]
fn verify_data_is_that_of_another_stack() {
    let Some(file) = read("kdf-vectors/tls12_prf.json") else { return };
    let message = |name: &str| bytes(file["verify_data"][name].as_str().unwrap());
    let names = [
        "clientHello",
        "serverHello",
        "serverCertificate",
        "serverKeyExchange",
        "serverHelloDone",
        "clientKeyExchange",
    ];
    let transcript = hash::hash(HashAlgorithm::Sha256, &names.map(message).concat());
    let mut verify_data = [0; 12];
    Prf::new(HashAlgorithm::Sha256, &message("masterSecret")).fill(
        b"client finished",
        &[&transcript],
        &mut verify_data,
    );
    assert_eq!(verify_data[..], message("expectedVerifyData"));
}

#[test]
fn gcm_is_that_of_nist() {
    let Some(file) = read("nist-hmac-gcm/nist_gcm_iv96_tag128.json") else { return };
    let (mut right, mut wrong) = (0, 0);
    for vector in file["vectors"].as_array().unwrap().iter() {
        let suite = match vector["keylen"].as_u64() {
            Some(128) => CipherSuite::EcdheEcdsaAes128GcmSha256,
            Some(256) => CipherSuite::EcdheEcdsaAes256GcmSha384,
            _ => continue,
        };
        let get = |name: &str| bytes(vector[name].as_str().unwrap());
        let [iv, mut body, aad] = ["iv", "ct", "aad"].map(get);
        let aead = Aead::new(suite, &get("key"), &iv[..4]).unwrap();
        let (explicit, tag) = (iv[4..].try_into().unwrap(), get("tag").try_into().unwrap());
        let is_opened = aead.open(explicit, &aad, &mut body, &tag);
        if vector["fail"] == true {
            assert!(!is_opened);
            wrong += 1;
        } else {
            assert!(is_opened);
            assert_eq!(body, get("pt"));
            assert_eq!(aead.seal(explicit, &aad, &mut body), Some(tag));
            assert_eq!(body, get("ct"));
            right += 1;
        }
    }
    assert!(right > 600 && wrong > 100, "{right} {wrong}");
}

/// FIPS 180-2 appendix B.1.
#[test]
fn the_hash_is_sha_256() {
    assert_eq!(
        hash::hash(HashAlgorithm::Sha256, b"abc"),
        bytes("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    );
}
