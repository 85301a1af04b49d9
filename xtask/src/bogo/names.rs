//! Which tests are required, which are excluded, and how they went.

use super::Results;
use crate::Error;
use std::collections::BTreeSet;

/// How many tests may be excluded.
const EXCLUDED_MAX: usize = 40;
/// Of these nothing may be excluded.
const NEVER_EXCLUDED: [&str; 4] = ["DTLS-Retransmit-", "DTLS-Replay-", "KeyUpdate-", "SRTP-"];

/// What WebRTC has no use for: many certificates to choose from, suites without forward secrecy or without an AEAD, names of
/// servers.
fn is_foreign(name: &str) -> bool {
    ["CertificateSelection", "Basic-Server-RSA"].iter().any(|start| name.starts_with(start))
        || ["CBC", "3DES", "TLS12-RSA_WITH", "ServerName", "-ECH"].iter().any(|part| name.contains(part))
}

/// The required names of a list with one a line.
pub(super) fn required(list: &str) -> Vec<String> {
    list.lines().map(str::trim).filter(|name| !name.is_empty() && !is_foreign(name)).map(str::to_owned).collect()
}

/// The names of `bogo.json`, which has a reason for each.
pub(super) fn excluded(json: &str) -> Result<BTreeSet<String>, Error> {
    let json: serde_json::Value = serde_json::from_str(json)?;
    let tests = json["DisabledTests"].as_object().ok_or("bogo.json has no DisabledTests")?;
    for (name, reason) in tests {
        if name.contains(['*', '?', '[']) || NEVER_EXCLUDED.iter().any(|start| name.starts_with(start)) {
            return Err(format!("bogo.json: {name} cannot be excluded").into());
        }
        if reason.as_str().is_none_or(|reason| reason.trim().is_empty()) {
            return Err(format!("bogo.json: {name} has no reason").into());
        }
    }
    if tests.len() > EXCLUDED_MAX {
        return Err(format!("bogo.json excludes {}: at most {EXCLUDED_MAX} may be", tests.len()).into());
    }
    Ok(tests.keys().cloned().collect())
}

/// The results of the runner (Chromium's JSON test results format).
pub(super) fn results(json: &str) -> Result<Results, Error> {
    let json: serde_json::Value = serde_json::from_str(json)?;
    let tests = json["tests"].as_object().ok_or("the runner's results have no tests")?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok(tests.iter().map(|(name, test)| (name.clone(), (text(&test["actual"]), text(&test["error"])))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_webrtc_has_no_use_for_is_not_required() {
        let list =
            "A-DTLS\nCertificateSelection-X\nX-CBC-DTLS\nTLS12-RSA_WITH_A-DTLS\nBasic-Server-RSA-DTLS\n\nX-ECH-DTLS\n";
        assert_eq!(required(list), ["A-DTLS"]);
        assert_eq!(required("Not-Basic-Server-RSA-DTLS"), ["Not-Basic-Server-RSA-DTLS"]);
    }

    #[test]
    fn an_exclusion_is_a_full_name_with_a_reason() {
        let of =
            |name: &str, reason: &str| excluded(&format!(r#"{{"DisabledTests":{{"{name}":"{reason}"}}}}"#)).is_ok();
        assert!(of("A-DTLS", "because"));
        assert!(
            !of("A-DTLS", " ") && !of("A-*", "because") && !of("SRTP-A", "because") && !of("KeyUpdate-A", "because")
        );
        assert!(excluded("{}").is_err());
    }

    #[test]
    fn only_so_many_are_excluded() {
        let of = |count: usize| {
            let tests: Vec<_> = (0..count).map(|n| format!(r#""A{n}":"because""#)).collect();
            excluded(&format!(r#"{{"DisabledTests":{{{}}}}}"#, tests.join(","))).is_ok()
        };
        assert!(of(EXCLUDED_MAX) && !of(EXCLUDED_MAX + 1));
    }

    #[test]
    fn results_are_read() {
        let json = r#"{"tests":{"A":{"actual":"PASS"},"B":{"actual":"FAIL","error":"why"}}}"#;
        let results = results(json).unwrap();
        assert_eq!(results["A"], ("PASS".into(), String::new()));
        assert_eq!(results["B"], ("FAIL".into(), "why".into()));
    }
}
