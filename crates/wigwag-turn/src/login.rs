//! Long-term credentials (RFC 8489 §9.2): what a server wants to be told, and by which key it is believed.

use crate::attribute::{PASSWORD_ALGORITHM, PASSWORD_ALGORITHMS, USERHASH, value};
use crate::base64::sextet;
use crate::config::Credentials;
use wigwag_stun::{AttributeType, IntegrityKey, IntegrityKeySha256, Message, MessageWriter, userhash};

/// RFC 8489 §14.9, §14.10: REALM and NONCE have "fewer than 128 characters", which "can be as long as 763 bytes".
const TEXT_MAX: usize = 763;
/// A list of more algorithms than there are is not sent back.
const ALGORITHMS_MAX: usize = 64;
const MD5: u16 = 1;
const SHA_256: u16 = 2;

#[derive(Debug)]
enum Key {
    Sha1(IntegrityKey),
    Sha256(IntegrityKeySha256),
}

/// What a server asks of whoever wants something.
#[derive(Debug)]
struct Challenge {
    realm: String,
    nonce: Vec<u8>,
    /// PASSWORD-ALGORITHMS as it came, and the one that is used.
    algorithms: Option<(Vec<u8>, u16)>,
    is_name_hidden: bool,
    key: Key,
}

/// The credentials, and since the server has asked for them, how to show them.
#[derive(Debug)]
pub(crate) struct Login {
    credentials: Credentials,
    challenge: Option<Challenge>,
}

impl Login {
    pub(crate) const fn new(credentials: Credentials) -> Self {
        Self { credentials, challenge: None }
    }

    /// Whether requests show the credentials.
    pub(crate) const fn is_challenged(&self) -> bool {
        self.challenge.is_some()
    }

    /// Another server knows nothing of the first.
    pub(crate) fn forget(&mut self) {
        self.challenge = None;
    }

    /// The server asks for credentials (401), or has another nonce (438). `false` if it does so in a way that cannot be
    /// answered.
    pub(crate) fn challenge(&mut self, message: &Message<'_>) -> bool {
        let realm = message.attributes.realm.or(self.challenge.as_ref().map(|before| before.realm.as_str()));
        let (Some(realm), Some(nonce)) = (realm, message.attributes.nonce) else { return false };
        if realm.len() > TEXT_MAX || nonce.len() > TEXT_MAX {
            return false;
        }
        let features = features(nonce);
        // RFC 8489 §9.2.5: "If the "Password algorithms" bit is set but […] the attribute PASSWORD-ALGORITHMS is not present […] the client
        // MUST ignore the response": a bid down.
        let algorithms = match (features.has_algorithms, value(message, PASSWORD_ALGORITHMS)) {
            (false, _) => None,
            (true, list) => match list.and_then(|list| choose(list).map(|chosen| (list.to_vec(), chosen))) {
                Some(algorithms) => Some(algorithms),
                None => return false,
            },
        };
        let (name, password) = (self.credentials.username(), self.credentials.password());
        let key = match algorithms {
            None => Key::Sha1(IntegrityKey::long_term(name, realm, password)),
            Some((_, SHA_256)) => Key::Sha256(IntegrityKeySha256::long_term(name, realm, password)),
            Some(_) => Key::Sha256(IntegrityKeySha256::long_term_md5(name, realm, password)),
        };
        let (realm, nonce, is_name_hidden) = (realm.to_owned(), nonce.to_vec(), features.is_name_hidden);
        self.challenge = Some(Challenge { realm, nonce, algorithms, is_name_hidden, key });
        true
    }

    /// Ends a request: with the credentials, if the server wants them.
    pub(crate) fn sign(&self, mut writer: MessageWriter<'_>) {
        let Some(challenge) = &self.challenge else { return writer.fingerprint() };
        writer = if challenge.is_name_hidden {
            writer.attribute(USERHASH, &userhash(self.credentials.username(), &challenge.realm))
        } else {
            writer.username(self.credentials.username())
        };
        writer = writer
            .attribute(AttributeType::REALM, challenge.realm.as_bytes())
            .attribute(AttributeType::NONCE, &challenge.nonce);
        if let Some((list, chosen)) = &challenge.algorithms {
            let [a, b] = chosen.to_be_bytes();
            writer = writer.attribute(PASSWORD_ALGORITHMS, list).attribute(PASSWORD_ALGORITHM, &[a, b, 0, 0]);
        }
        match &challenge.key {
            Key::Sha1(key) => writer.integrity(key).fingerprint(),
            Key::Sha256(key) => writer.integrity_sha256(key).fingerprint(),
        }
    }

    /// Whether the server has shown that it knows the password.
    pub(crate) fn is_authentic(&self, message: &Message<'_>) -> bool {
        self.challenge.as_ref().is_none_or(|challenge| match &challenge.key {
            Key::Sha1(key) => message.is_authentic(key),
            Key::Sha256(key) => message.is_authentic_sha256(key),
        })
    }
}

struct Features {
    has_algorithms: bool,
    is_name_hidden: bool,
}

/// What the nonce says the server can do (RFC 8489 §9.2, §18.1).
///
/// §18.1 counts the 24 bits from the left, the sample in appendix B.1 from the right; nothing else has a bit yet, so both are read.
fn features(nonce: &[u8]) -> Features {
    let digits = nonce.strip_prefix(b"obMatJos2").and_then(|rest| rest.first_chunk::<4>());
    let bits = digits.and_then(|digits| digits.iter().try_fold(0u32, |bits, digit| Some(bits << 6 | sextet(*digit)?)));
    let bits = bits.unwrap_or_default();
    Features { has_algorithms: bits & 0x80_0001 != 0, is_name_hidden: bits & 0x40_0002 != 0 }
}

/// The first algorithm of a list that we know (RFC 8489 §14.11).
fn choose(mut list: &[u8]) -> Option<u16> {
    if list.len() > ALGORITHMS_MAX {
        return None;
    }
    while let Some(([a, b, c, d], rest)) = list.split_first_chunk() {
        let (algorithm, len) = (u16::from_be_bytes([*a, *b]), usize::from(u16::from_be_bytes([*c, *d])));
        if matches!(algorithm, MD5 | SHA_256) && len == 0 {
            return Some(algorithm);
        }
        list = rest.get(len.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_stun::{Class, ErrorCode, TransactionId};

    const ID: TransactionId = TransactionId([1; 12]);

    fn challenged(nonce: &[u8], list: Option<&[u8]>) -> Option<Login> {
        let mut out = Vec::new();
        let mut writer = MessageWriter::new(&mut out, Class::ErrorResponse, crate::attribute::ALLOCATE, ID)
            .error_code(ErrorCode::UNAUTHENTICATED)
            .attribute(AttributeType::REALM, b"example.org")
            .attribute(AttributeType::NONCE, nonce);
        if let Some(list) = list {
            writer = writer.attribute(PASSWORD_ALGORITHMS, list);
        }
        writer.fingerprint();
        let mut login = Login::new(Credentials::new("alice", "secret"));
        login.challenge(&Message::decode(&out).unwrap()).then_some(login)
    }

    fn signed(login: &Login) -> Vec<u8> {
        let mut out = Vec::new();
        login.sign(MessageWriter::request(&mut out, ID));
        out
    }

    #[test]
    fn who_is_not_asked_says_nothing() {
        let bytes = signed(&Login::new(Credentials::new("alice", "secret")));
        let message = Message::decode(&bytes).unwrap();
        assert_eq!((message.iter().count(), message.has_integrity()), (0, false));
    }

    #[test]
    fn an_old_server_is_told_the_name_and_a_tag_by_md5() {
        let bytes = signed(&challenged(b"nonce", Some(&[0, 2, 0, 0])).unwrap());
        let message = Message::decode(&bytes).unwrap();
        assert_eq!(message.attributes.username, Some("alice"));
        assert_eq!((message.attributes.realm, message.attributes.nonce), (Some("example.org"), Some(&b"nonce"[..])));
        assert!(message.is_authentic(&IntegrityKey::long_term("alice", "example.org", "secret")));
        assert!(!message.has_integrity_sha256() && value(&message, PASSWORD_ALGORITHMS).is_none());
    }

    /// The bits are counted from either end.
    #[test]
    fn a_new_server_is_told_a_hash_and_a_tag_by_the_algorithm_of_its_choice() {
        for nonce in [b"obMatJos2wAAAxyz", b"obMatJos2AAADxyz"] {
            for (list, chosen) in [
                (vec![0, 2, 0, 0, 0, 1, 0, 0], 2),
                (vec![0, 1, 0, 0, 0, 2, 0, 0], 1),
                (vec![0, 9, 0, 3, 1, 2, 3, 0, 0, 2, 0, 0], 2),
            ] {
                let bytes = signed(&challenged(nonce, Some(&list)).unwrap());
                let message = Message::decode(&bytes).unwrap();
                assert_eq!(message.attributes.username, None);
                assert_eq!(value(&message, USERHASH), Some(&userhash("alice", "example.org")[..]));
                assert_eq!(value(&message, PASSWORD_ALGORITHMS), Some(&list[..]));
                assert_eq!(value(&message, PASSWORD_ALGORITHM), Some(&[0, chosen, 0, 0][..]));
                let by_sha256 =
                    message.is_authentic_sha256(&IntegrityKeySha256::long_term("alice", "example.org", "secret"));
                let by_md5 =
                    message.is_authentic_sha256(&IntegrityKeySha256::long_term_md5("alice", "example.org", "secret"));
                assert_eq!((by_sha256, by_md5, message.has_integrity()), (chosen == 2, chosen == 1, false));
            }
        }
    }

    /// RFC 8489 §9.2.5: somebody between has taken the better algorithm away.
    #[test]
    fn a_bid_down_is_not_answered() {
        let long = [0, 2, 0, 0].repeat(100);
        for list in [None, Some(&[][..]), Some(&[0, 9, 0, 0]), Some(&[0, 9, 0xFF, 0xFF]), Some(&[0]), Some(&long)] {
            assert!(challenged(b"obMatJos2gAAAxyz", list).is_none(), "{list:?}");
        }
    }

    #[test]
    fn a_challenge_that_is_too_long_is_not_answered() {
        assert!(challenged(&[b'n'; TEXT_MAX], None).is_some());
        assert!(challenged(&[b'n'; TEXT_MAX + 1], None).is_none());
    }

    #[test]
    fn a_nonce_without_a_cookie_says_nothing_of_features() {
        for nonce in [&b""[..], b"obMatJos2", b"obMatJos2///", b"obMatJos2__-_", b"xobMatJos2////"] {
            let Features { has_algorithms, is_name_hidden } = features(nonce);
            assert!(!has_algorithms && !is_name_hidden, "{nonce:?}");
        }
    }
}
