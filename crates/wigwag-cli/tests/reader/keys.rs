//! From the secrets of a key log (RFC 9850) to the keys of records (RFC 9147 §4.2.3, §5.9, RFC 8446 §7.1, §7.2).

use aes::cipher::{BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher, StreamCipherSeek};
use aes::{Aes128, Aes256};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20::ChaCha20;
use chacha20poly1305::ChaCha20Poly1305;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384};
use std::collections::BTreeMap;

/// Of all three ciphers, in bytes.
const TAG_LEN: usize = 16;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// The secrets of all connections, by label and ClientHello.random.
#[derive(Debug)]
pub(crate) struct KeyLog(BTreeMap<(String, Vec<u8>), Vec<u8>>);

impl KeyLog {
    pub(crate) fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let [label, random, secret] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            ((label.to_owned(), bytes(random)), bytes(secret))
        };
        Self(text.lines().map(line).collect())
    }

    /// The secret of one epoch: 2 is that of the handshake, 3 the first of application data, and each follows from the last.
    pub(crate) fn secret(&self, random: &[u8], suite: Suite, sender: Sender, epoch: u64) -> Option<Vec<u8>> {
        let label = match (sender, epoch) {
            (_, ..2) => return None,
            (Sender::Client, 2) => "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            (Sender::Server, 2) => "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            (Sender::Client, _) => "CLIENT_TRAFFIC_SECRET_0",
            (Sender::Server, _) => "SERVER_TRAFFIC_SECRET_0",
        };
        let first = self.0.get(&(label.to_owned(), random.to_vec()))?.clone();
        Some((3..epoch).fold(first, |secret, _| suite.expand(&secret, "traffic upd", secret.len())))
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// The cipher suites of TLS 1.3 that WebRTC uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Aes128GcmSha256,
    Aes256GcmSha384,
    ChaCha20Poly1305Sha256,
}

impl Suite {
    pub(crate) fn from_wire(number: u16) -> Option<Self> {
        match number {
            0x1301 => Some(Self::Aes128GcmSha256),
            0x1302 => Some(Self::Aes256GcmSha384),
            0x1303 => Some(Self::ChaCha20Poly1305Sha256),
            _ => None,
        }
    }

    const fn key_len(self) -> usize {
        match self {
            Self::Aes128GcmSha256 => 16,
            Self::Aes256GcmSha384 | Self::ChaCha20Poly1305Sha256 => 32,
        }
    }

    /// HKDF-Expand-Label, with the prefix of DTLS and without a context. No output is longer than the hash.
    fn expand(self, secret: &[u8], label: &str, len: usize) -> Vec<u8> {
        let label = format!("dtls13{label}");
        let (len_field, label_len) = ((len as u16).to_be_bytes(), label.len() as u8);
        let info = [&len_field, &[label_len][..], label.as_bytes(), &[0, 1]].concat();
        let mut output = match self {
            Self::Aes128GcmSha256 | Self::ChaCha20Poly1305Sha256 => mac::<Hmac<Sha256>>(secret, &info),
            Self::Aes256GcmSha384 => mac::<Hmac<Sha384>>(secret, &info),
        };
        output.truncate(len);
        output
    }

    pub(crate) fn keys(self, secret: &[u8]) -> Keys {
        let [key, sn] = ["key", "sn"].map(|label| self.expand(secret, label, self.key_len()));
        Keys { suite: self, key, iv: self.expand(secret, "iv", 12), sn }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("any length will do");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// What protects the records of one epoch in one direction.
pub(crate) struct Keys {
    suite: Suite,
    key: Vec<u8>,
    iv: Vec<u8>,
    sn: Vec<u8>,
}

impl Keys {
    /// What the sequence number in a header is hidden with: it follows from the first 16 bytes of the ciphertext.
    pub(crate) fn mask(&self, sample: [u8; 16]) -> Vec<u8> {
        fn block<C: BlockCipherEncrypt + KeyInit>(key: &[u8], sample: [u8; 16]) -> Vec<u8> {
            let mut block = aes::cipher::Block::<C>::try_from(&sample[..]).expect("a block");
            C::new_from_slice(key).expect("a key").encrypt_block(&mut block);
            block.to_vec()
        }
        match self.suite {
            Suite::Aes128GcmSha256 => block::<Aes128>(&self.sn, sample),
            Suite::Aes256GcmSha384 => block::<Aes256>(&self.sn, sample),
            Suite::ChaCha20Poly1305Sha256 => {
                let (counter, nonce) = sample.split_at(4);
                let mut stream = ChaCha20::new_from_slices(&self.sn, nonce).expect("a key and a nonce");
                let counter = u32::from_le_bytes(counter.try_into().expect("four bytes"));
                stream.seek(u64::from(counter) * 64);
                let mut mask = vec![0; 2];
                stream.apply_keystream(&mut mask);
                mask
            }
        }
    }

    /// What is in a record; `header` is as it was before its number was hidden.
    pub(crate) fn open(&self, number: u64, header: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
        fn with<A: AeadInOut + KeyInit>(key: &[u8], nonce: &[u8], header: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
            let (text, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG_LEN)?)?;
            let (mut text, nonce, tag) = (text.to_vec(), nonce.try_into().ok()?, tag.try_into().ok()?);
            let aead = A::new_from_slice(key).ok()?;
            aead.decrypt_inout_detached(nonce, header, text.as_mut_slice().into(), tag).ok()?;
            Some(text)
        }
        let mut nonce = self.iv.clone();
        nonce[4..].iter_mut().zip(number.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
        match self.suite {
            Suite::Aes128GcmSha256 => with::<Aes128Gcm>(&self.key, &nonce, header, ciphertext),
            Suite::Aes256GcmSha384 => with::<Aes256Gcm>(&self.key, &nonce, header, ciphertext),
            Suite::ChaCha20Poly1305Sha256 => with::<ChaCha20Poly1305>(&self.key, &nonce, header, ciphertext),
        }
    }
}
