//! HKDF, and the labels around it of TLS 1.3 and DTLS 1.3 (RFC 5869, RFC 8446 §7.1, RFC 9147 §5.9).

use super::hash::HmacKey;
use crate::HashAlgorithm;
use std::fmt;
use zeroize::Zeroizing;

/// A secret as long as the hash.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// RFC 9147 §5.9: "For DTLS 1.3, that label SHALL be "dtls13"."
pub(crate) const DTLS13: &str = "dtls13";

/// A secret of which others are derived. Wiped when dropped.
pub(crate) struct Source(HmacKey);

impl Source {
    pub(crate) fn new(algorithm: HashAlgorithm, secret: &[u8]) -> Self {
        Self(HmacKey::new(algorithm, secret))
    }

    /// RFC 5869 §2.2: "PRK = HMAC-Hash(salt, IKM)"
    pub(crate) fn extract(algorithm: HashAlgorithm, salt: &[u8], input: &[u8]) -> Self {
        let mut secret = Zeroizing::new(vec![0; algorithm.digest_len()]);
        HmacKey::new(algorithm, salt).code([input], &mut secret);
        Self::new(algorithm, &secret)
    }

    pub(crate) const fn hash(&self) -> HashAlgorithm {
        self.0.algorithm()
    }

    /// RFC 8446 §7.1: "HKDF-Expand-Label(Secret, Label, Context, Length) = HKDF-Expand(Secret, HkdfLabel, Length)", where the
    /// label comes after `prefix`. Fills `out`, which is at most 255 hashes long.
    pub(crate) fn expand_label(&self, prefix: &str, label: &str, context: &[u8], out: &mut [u8]) {
        let len = u16::try_from(out.len()).unwrap_or(u16::MAX).to_be_bytes();
        let [label_len, context_len] =
            [prefix.len() + label.len(), context.len()].map(|len| [u8::try_from(len).unwrap_or(u8::MAX)]);
        let info = [&len[..], &label_len, prefix.as_bytes(), label.as_bytes(), &context_len, context];
        self.expand(&info, out);
    }

    /// RFC 5869 §2.3: "T(N) = HMAC-Hash(PRK, T(N-1) | info | N)"
    fn expand(&self, info: &[&[u8]], out: &mut [u8]) {
        let mut before: &[u8] = &[];
        for (chunk, n) in out.chunks_mut(self.hash().digest_len()).zip(1..=u8::MAX) {
            let info = info.iter().copied();
            self.0.code(std::iter::once(before).chain(info).chain([&[n][..]]), chunk);
            before = chunk;
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash;
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    const SHA256: HashAlgorithm = HashAlgorithm::Sha256;

    /// RFC 5869, A.1 and A.2.
    #[test]
    fn is_hkdf() {
        let prk = "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5";
        let info = bytes("f0f1f2f3f4f5f6f7f8f9");
        let mut out = [0; 42];
        Source::new(SHA256, &bytes(prk)).expand(&[&info], &mut out);
        let by_prk = out;
        Source::extract(SHA256, &bytes("000102030405060708090a0b0c"), &[0x0b; 22]).expand(&[&info], &mut out);
        assert_eq!(out, by_prk);
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(out[..], bytes(expected));

        let secret = Source::extract(SHA256, &(0x60..0xB0).collect::<Vec<u8>>(), &(0..0x50).collect::<Vec<u8>>());
        let mut out = [0; 82];
        let info: Vec<u8> = (0xB0..=0xFF).collect();
        secret.expand(&[&info[..30], &info[30..]], &mut out);
        let expected = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09\
                        da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87";
        assert_eq!(out[..], bytes(expected));
    }

    /// RFC 8448 §3: TLS 1.3, from no secret to the handshake secret.
    #[test]
    fn with_another_prefix_it_is_that_of_tls_13() {
        let derived = |secret: &Source| {
            let mut out = vec![0; 32];
            secret.expand_label("tls13 ", "derived", &hash::hash(SHA256, b""), &mut out);
            out
        };
        let salt = bytes("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba");
        assert_eq!(derived(&Source::extract(SHA256, &[], &[0; 32])), salt);
        let early = bytes("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
        assert_eq!(derived(&Source::new(SHA256, &early)), salt);
        let shared = bytes("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
        let handshake = bytes("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac");
        assert_eq!(derived(&Source::extract(SHA256, &salt, &shared)), derived(&Source::new(SHA256, &handshake)));
    }
}
