//! HKDF, and the labels around it of TLS 1.3 and DTLS 1.3 (RFC 5869, RFC 8446 §7.1, RFC 9147 §5.9).

use super::hash;
use crate::HashAlgorithm;
use crate::codec::{Length, put_u16, put_vec};
use zeroize::Zeroizing;

/// A secret as long as the hash.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// RFC 9147 §5.9: "For DTLS 1.3, that label SHALL be "dtls13"."
pub(crate) const DTLS13: &str = "dtls13";

/// RFC 5869 §2.2: "PRK = HMAC-Hash(salt, IKM)"
pub(crate) fn extract(algorithm: HashAlgorithm, salt: &[u8], input: &[u8]) -> Secret {
    Zeroizing::new(hash::hmac(algorithm, salt, &[input]))
}

/// RFC 8446 §7.1: "HKDF-Expand-Label(Secret, Label, Context, Length) = HKDF-Expand(Secret, HkdfLabel, Length)", where the
/// label comes after `prefix`. Fills `out`, which is at most 255 hashes long.
pub(crate) fn expand_label(
    algorithm: HashAlgorithm,
    prefix: &str,
    secret: &[u8],
    label: &str,
    context: &[u8],
    out: &mut [u8],
) {
    let mut info = Vec::new();
    put_u16(&mut info, u16::try_from(out.len()).unwrap_or(u16::MAX));
    put_vec(&mut info, Length::U8, |info| {
        info.extend_from_slice(prefix.as_bytes());
        info.extend_from_slice(label.as_bytes());
    });
    put_vec(&mut info, Length::U8, |info| info.extend_from_slice(context));
    expand(algorithm, secret, &info, out);
}

/// RFC 5869 §2.3: "T(N) = HMAC-Hash(PRK, T(N-1) | info | N)"
fn expand(algorithm: HashAlgorithm, secret: &[u8], info: &[u8], out: &mut [u8]) {
    let mut block = Zeroizing::new(Vec::new());
    for (chunk, n) in out.chunks_mut(algorithm.digest_len()).zip(1..=u8::MAX) {
        block = Zeroizing::new(hash::hmac(algorithm, secret, &[&block, info, &[n]]));
        chunk.iter_mut().zip(&*block).for_each(|(to, from)| *to = *from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    const SHA256: HashAlgorithm = HashAlgorithm::Sha256;

    /// RFC 5869, A.1 and A.2.
    #[test]
    fn is_hkdf() {
        let secret = extract(SHA256, &bytes("000102030405060708090a0b0c"), &[0x0b; 22]);
        assert_eq!(*secret, bytes("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"));
        let mut out = [0; 42];
        expand(SHA256, &secret, &bytes("f0f1f2f3f4f5f6f7f8f9"), &mut out);
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(out[..], bytes(expected));

        let secret = extract(SHA256, &(0x60..0xB0).collect::<Vec<u8>>(), &(0..0x50).collect::<Vec<u8>>());
        let mut out = [0; 82];
        expand(SHA256, &secret, &(0xB0..=0xFF).collect::<Vec<u8>>(), &mut out);
        let expected = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09\
                        da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87";
        assert_eq!(out[..], bytes(expected));
    }

    /// RFC 8448 §3: TLS 1.3, from no secret to the handshake secret.
    #[test]
    fn with_another_prefix_it_is_that_of_tls_13() {
        let expand = |secret: &[u8], label: &str, context: &[u8]| {
            let mut out = vec![0; 32];
            expand_label(SHA256, "tls13 ", secret, label, context, &mut out);
            out
        };
        let early = extract(SHA256, &[], &[0; 32]);
        assert_eq!(*early, bytes("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a"));
        let derived = expand(&early, "derived", &hash::hash(SHA256, b""));
        assert_eq!(derived, bytes("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba"));
        let shared = bytes("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
        let handshake = extract(SHA256, &derived, &shared);
        assert_eq!(*handshake, bytes("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac"));
    }
}
