//! From a shared secret to keys (RFC 8446 §7, RFC 9147 §5.9).

use crate::crypto::aead::Aead;
use crate::crypto::derivation::{DTLS13, Secret, Source};
use crate::crypto::hash::{self, HmacKey};
use crate::crypto::mask::Mask;
use crate::error::Error;
use crate::handshake::exporter;
use crate::handshake::hello::Random;
use crate::record::unified::Keys;
use crate::{CipherSuite, HashAlgorithm, Role};
use std::fmt;
use zeroize::Zeroizing;

/// RFC 5869 §2.3: no more than that many hashes come of a secret.
const EXPORT_HASHES_MAX: usize = 255;
/// The longest key of a cipher, in bytes.
const KEY_LEN_MAX: usize = 32;

fn expand(source: &Source, label: &str, context: &[u8], out: &mut [u8]) {
    source.expand_label(DTLS13, label, context, out);
}

/// RFC 8446 §7.1: "Derive-Secret(Secret, Label, Messages) = HKDF-Expand-Label(Secret, Label, Transcript-Hash(Messages),
/// Hash.length)"
fn derive(source: &Source, label: &str, transcript_hash: &[u8]) -> Secret {
    let mut out = Zeroizing::new(vec![0; source.hash().digest_len()]);
    expand(source, label, transcript_hash, &mut out);
    out
}

/// The secret from which the keys of one direction and epoch are made. Wiped when dropped.
#[derive(Clone)]
pub(crate) struct TrafficSecret {
    suite: CipherSuite,
    secret: Secret,
}

impl TrafficSecret {
    /// RFC 8446 §7.3: "[sender]_write_key = HKDF-Expand-Label(Secret, "key", "", key_length)", and likewise "iv" for the IV;
    /// RFC 9147 §4.2.3: "[sender]_sn_key = HKDF-Expand-Label(Secret, "sn", "", key_length)".
    ///
    /// `None` if they do not fit the cipher, which cannot be.
    pub(crate) fn keys(&self) -> Option<Keys> {
        let source = self.source();
        let mut buffers = Zeroizing::new([[0; KEY_LEN_MAX]; 3]);
        let [key, iv, number_key] = buffers.each_mut();
        let (key, _) = key.split_at_mut_checked(self.suite.key_len())?;
        let (iv, _) = iv.split_at_mut_checked(self.suite.iv_len())?;
        let (number_key, _) = number_key.split_at_mut_checked(self.suite.key_len())?;
        for (label, out) in [("key", &mut *key), ("iv", &mut *iv), ("sn", &mut *number_key)] {
            expand(&source, label, &[], out);
        }
        Some(Keys { aead: Aead::new(self.suite, key, iv)?, mask: Mask::new(self.suite, number_key)? })
    }

    /// RFC 8446 §4.4.4: "finished_key = HKDF-Expand-Label(BaseKey, "finished", "", Hash.length) … verify_data =
    /// HMAC(finished_key, Transcript-Hash(Handshake Context, Certificate*, CertificateVerify*))"
    pub(crate) fn verify_data(&self, transcript_hash: &[u8]) -> Vec<u8> {
        let key = derive(&self.source(), "finished", &[]);
        let mut verify_data = vec![0; key.len()];
        HmacKey::new(self.suite.hash(), &key).code([transcript_hash], &mut verify_data);
        verify_data
    }

    fn source(&self) -> Source {
        Source::new(self.suite.hash(), &self.secret)
    }

    /// RFC 8446 §7.2: "application_traffic_secret_N+1 = HKDF-Expand-Label(application_traffic_secret_N, "traffic upd", "",
    /// Hash.length)"
    pub(crate) fn next(&self) -> Self {
        Self { suite: self.suite, secret: derive(&self.source(), "traffic upd", &[]) }
    }

    /// A line of a key log (RFC 9850).
    pub(crate) fn key_log_line(&self, label: &str, client_random: &Random) -> Zeroizing<String> {
        key_log_line(label, client_random, &self.secret)
    }
}

/// A line of a key log (RFC 9850 §2): label, random of the client, secret.
fn key_log_line(label: &str, client_random: &Random, secret: &[u8]) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(label.len() + 2 * (client_random.len() + secret.len()) + 2));
    line.push_str(label);
    for part in [&client_random[..], secret] {
        line.push(' ');
        let nibbles = part.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
        line.extend(nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)));
    }
    line
}

/// The secrets of epoch 2, and that of what comes after them.
pub(crate) struct HandshakeSecrets {
    suite: CipherSuite,
    secret: Source,
    pub(crate) client: TrafficSecret,
    pub(crate) server: TrafficSecret,
}

impl HandshakeSecrets {
    /// After the ServerHello.
    ///
    /// RFC 8446 §7.1: HKDF-Extract of no pre-shared key, Derive-Secret(., "derived", ""), HKDF-Extract of the shared secret,
    /// and of that "c hs traffic" and "s hs traffic".
    pub(crate) fn new(suite: CipherSuite, shared: &[u8], transcript_hash: &[u8]) -> Self {
        let hash = suite.hash();
        let zeros = vec![0; hash.digest_len()];
        let early = Source::extract(hash, &[], &zeros);
        let secret = Source::extract(hash, &derive(&early, "derived", &hash::hash(hash, &[])), shared);
        let traffic = |label| TrafficSecret { suite, secret: derive(&secret, label, transcript_hash) };
        Self { suite, client: traffic("c hs traffic"), server: traffic("s hs traffic"), secret }
    }

    pub(crate) const fn of(&self, writer: Role) -> &TrafficSecret {
        match writer {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }

    /// After the server's Finished: "c ap traffic", "s ap traffic" and "exp master".
    pub(crate) fn application(&self, transcript_hash: &[u8]) -> ApplicationSecrets {
        let (suite, hash) = (self.suite, self.suite.hash());
        let zeros = vec![0; hash.digest_len()];
        let master = Source::extract(hash, &derive(&self.secret, "derived", &hash::hash(hash, &[])), &zeros);
        let traffic = |label| TrafficSecret { suite, secret: derive(&master, label, transcript_hash) };
        let exporter = Exporter { hash, secret: derive(&master, "exp master", transcript_hash) };
        ApplicationSecrets { client: traffic("c ap traffic"), server: traffic("s ap traffic"), exporter }
    }
}

/// The secrets of epoch 3.
pub(crate) struct ApplicationSecrets {
    pub(crate) client: TrafficSecret,
    pub(crate) server: TrafficSecret,
    pub(crate) exporter: Exporter,
}

impl ApplicationSecrets {
    pub(crate) const fn of(&self, writer: Role) -> &TrafficSecret {
        match writer {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }
}

/// Makes keying material for other protocols (RFC 8446 §7.5).
pub(crate) struct Exporter {
    hash: HashAlgorithm,
    secret: Secret,
}

impl Exporter {
    /// RFC 8446 §7.5: "TLS-Exporter(label, context_value, key_length) = HKDF-Expand-Label(Derive-Secret(Secret, label, ""),
    /// "exporter", Hash(context_value), key_length)"
    pub(crate) fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        exporter::check(label, context)?;
        // HkdfLabel: opaque label<7..255>, of which the prefix takes six.
        let fits = out.len() <= EXPORT_HASHES_MAX * self.hash.digest_len() && label.len() <= 255 - DTLS13.len();
        if !fits {
            return Err(Error::InvalidExporter);
        }
        let secret = derive(&Source::new(self.hash, &self.secret), label, &hash::hash(self.hash, &[]));
        let context = hash::hash(self.hash, context.unwrap_or_default());
        expand(&Source::new(self.hash, &secret), "exporter", &context, out);
        Ok(())
    }

    /// A line of a key log (RFC 9850).
    pub(crate) fn key_log_line(&self, client_random: &Random) -> Zeroizing<String> {
        key_log_line("EXPORTER_SECRET", client_random, &self.secret)
    }
}

macro_rules! secret {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}
secret!(TrafficSecret, HandshakeSecrets, ApplicationSecrets, Exporter);
