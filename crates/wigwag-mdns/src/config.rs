//! How much a host asks, and holds.

use std::time::Duration;

/// RFC 6762 §5.2: the interval between the first two queries; each further one is twice as long.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);
/// Of more, the last would wait for more than a minute.
const ATTEMPTS_MAX: u32 = 6;

/// How much a host asks, and holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How often a question is asked on each link: at once, and after 1, 3, 7, 15 and 31 s. From 1 to 6; 4 by default. A name is given up
    /// when the last one has been waited for, as long as for all before and a second: after 15 s by default.
    pub attempts: u32,
    /// Whether the first question of each name asks to be answered to us alone. Only for a host whose port 5353 is shared with no other
    /// program: of those that share it, any one is given what comes to our address (RFC 6762 §15.1). Off by default.
    pub unicast_responses: bool,
    /// So many names are asked for at a time, those included whose end was not polled yet. 64 by default.
    pub queries_max: usize,
    /// So many names of ours there are at a time, those included of which others are still told that they end. 64 by default.
    pub names_max: usize,
    /// The longest message that is sent, in bytes above UDP; at least 512. 1232 by default, which every path of IPv6 takes.
    pub message_len_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { attempts: 4, unicast_responses: false, queries_max: 64, names_max: 64, message_len_max: 1232 }
    }
}

impl Config {
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts.clamp(1, ATTEMPTS_MAX)
    }

    /// How long the question that was asked so often is waited for.
    pub(crate) fn interval(sent: u32) -> Duration {
        INTERVAL.saturating_mul(1 << sent.saturating_sub(1).min(ATTEMPTS_MAX))
    }

    /// How long a name is asked for.
    pub(crate) fn patience(&self) -> Duration {
        (1..=self.attempts()).map(Self::interval).sum()
    }

    pub(crate) fn message_len_max(&self) -> usize {
        self.message_len_max.max(512)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_asked_for_as_long_as_its_questions_are_waited_for() {
        for (attempts, seconds) in [(0, 1), (1, 1), (2, 3), (4, 15), (6, 63), (99, 63)] {
            assert_eq!(Config { attempts, ..Config::default() }.patience(), Duration::from_secs(seconds));
        }
    }
}
