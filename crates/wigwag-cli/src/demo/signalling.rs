//! What the page and the server tell each other: the W3C's own shapes of descriptions and candidates, in JSON.

use serde_json::{Value, json};
use wigwag::IceCandidate;

/// A description or candidate line is far shorter; a message of this many bytes is refused.
pub(super) const MESSAGE_LEN_MAX: usize = 256 << 10;

/// From the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClientMessage {
    Offer(String),
    Answer(String),
    /// `None`: no more will come.
    Candidate(Option<IceCandidate>),
    /// The server shall make the offer.
    CallMe,
    /// The page wants to meet another one in this room, and what it says from now on is for that one.
    Join(String),
    /// What does the server count of its side of the call (W3C `getStats`)?
    Stats,
    /// The call is over, or the room is left; the page stays.
    Bye,
}

/// To the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ServerMessage {
    Offer(String),
    Answer(String),
    Candidate(Option<IceCandidate>),
    /// The page is in the room, and whether another one was there before.
    Joined {
        has_friend: bool,
    },
    FriendJoined,
    FriendLeft,
    /// The report, in JSON; `None` without a call.
    Stats(Option<String>),
    /// The call is over, and why.
    Bye(String),
    /// What the page asked for cannot be, and why.
    Error(String),
}

impl ClientMessage {
    /// # Errors
    /// What is wrong with the text, for whoever wrote the page.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        let kind = value.get("type").and_then(Value::as_str).ok_or("a message needs a \"type\"")?;
        let sdp =
            || value.get("sdp").and_then(Value::as_str).map(str::to_owned).ok_or("a description needs its \"sdp\"");
        match kind {
            "offer" => Ok(Self::Offer(sdp()?)),
            "answer" => Ok(Self::Answer(sdp()?)),
            "ice-candidate" => Ok(Self::Candidate(parse_candidate(value.get("candidate").unwrap_or(&Value::Null))?)),
            "call-me" => Ok(Self::CallMe),
            "join" => value
                .get("room")
                .and_then(Value::as_str)
                .map(|room| Self::Join(room.to_owned()))
                .ok_or("a join needs its \"room\"".to_owned()),
            "stats" => Ok(Self::Stats),
            "bye" => Ok(Self::Bye),
            other => Err(format!("the type {other:?} is not known here")),
        }
    }
}

fn parse_candidate(value: &Value) -> Result<Option<IceCandidate>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let candidate = value.get("candidate").and_then(Value::as_str).ok_or("a candidate needs its \"candidate\"")?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let index = value.get("sdpMLineIndex").and_then(Value::as_u64);
    Ok(Some(IceCandidate {
        candidate: candidate.to_owned(),
        sdp_mid: text("sdpMid"),
        sdp_m_line_index: index.map(u16::try_from).transpose().map_err(|_| "the \"sdpMLineIndex\" is too large")?,
        username_fragment: text("usernameFragment"),
    }))
}

impl ServerMessage {
    pub(super) fn to_json(&self) -> String {
        let value = match self {
            Self::Offer(sdp) => json!({ "type": "offer", "sdp": sdp }),
            Self::Answer(sdp) => json!({ "type": "answer", "sdp": sdp }),
            Self::Candidate(candidate) => json!({
                "type": "ice-candidate",
                "candidate": candidate.as_ref().map(|it| json!({
                    "candidate": it.candidate,
                    "sdpMid": it.sdp_mid,
                    "sdpMLineIndex": it.sdp_m_line_index,
                    "usernameFragment": it.username_fragment,
                })),
            }),
            Self::Joined { has_friend } => json!({ "type": "joined", "friend": has_friend }),
            Self::FriendJoined => json!({ "type": "friend-joined" }),
            Self::FriendLeft => json!({ "type": "friend-left" }),
            // It is JSON already.
            Self::Stats(report) => {
                return format!(r#"{{"report":{},"type":"stats"}}"#, report.as_deref().unwrap_or("null"));
            }
            Self::Bye(reason) => json!({ "type": "bye", "reason": reason }),
            Self::Error(message) => json!({ "type": "error", "message": message }),
        };
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_writes_is_understood() {
        let parse = ClientMessage::parse;
        assert_eq!(parse(r#"{"type":"offer","sdp":"v=0\r\n"}"#), Ok(ClientMessage::Offer("v=0\r\n".into())));
        let text = r#"{"type":"ice-candidate","candidate":{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host",
                       "sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"Zm9v"}}"#;
        let expected = IceCandidate {
            candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host".into(),
            sdp_mid: Some("0".into()),
            sdp_m_line_index: Some(0),
            username_fragment: Some("Zm9v".into()),
        };
        assert_eq!(parse(text), Ok(ClientMessage::Candidate(Some(expected))));
        for end in [r#"{"type":"ice-candidate","candidate":null}"#, r#"{"type":"ice-candidate"}"#] {
            assert_eq!(parse(end), Ok(ClientMessage::Candidate(None)));
        }
        assert_eq!(parse(r#"{"type":"call-me"}"#), Ok(ClientMessage::CallMe));
        assert_eq!(parse(r#"{"type":"stats"}"#), Ok(ClientMessage::Stats));
        assert_eq!(parse(r#"{"type":"join","room":"a-1"}"#), Ok(ClientMessage::Join("a-1".into())));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        for (text, reason) in [
            ("{", "not JSON"),
            ("[]", "needs a \"type\""),
            (r#"{"type":7}"#, "needs a \"type\""),
            (r#"{"type":"offer"}"#, "needs its \"sdp\""),
            (r#"{"type":"answer","sdp":1}"#, "needs its \"sdp\""),
            (r#"{"type":"ice-candidate","candidate":{}}"#, "needs its \"candidate\""),
            (r#"{"type":"ice-candidate","candidate":{"candidate":"","sdpMLineIndex":65536}}"#, "too large"),
            (r#"{"type":"join"}"#, "needs its \"room\""),
            (r#"{"type":"dance"}"#, "\"dance\" is not known"),
        ] {
            let error = ClientMessage::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        assert!(ClientMessage::parse(&"[".repeat(100_000)).unwrap_err().contains("not JSON"));
    }

    #[test]
    fn a_browser_understands_what_is_written() {
        let candidate =
            IceCandidate { candidate: "candidate:1".into(), sdp_mid: Some("0".into()), ..Default::default() };
        let value: Value = serde_json::from_str(&ServerMessage::Candidate(Some(candidate)).to_json()).unwrap();
        assert_eq!(
            value,
            json!({"type": "ice-candidate", "candidate":
                   {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": null, "usernameFragment": null}})
        );
        assert_eq!(ServerMessage::Stats(None).to_json(), r#"{"report":null,"type":"stats"}"#);
        assert_eq!(ServerMessage::Stats(Some("{}".into())).to_json(), r#"{"report":{},"type":"stats"}"#);
        assert_eq!(ServerMessage::Candidate(None).to_json(), r#"{"candidate":null,"type":"ice-candidate"}"#);
        assert_eq!(ServerMessage::Answer("v=0\r\n".into()).to_json(), r#"{"sdp":"v=0\r\n","type":"answer"}"#);
    }
}
