//! The profile and level of H.264 (RFC 6184 §8.1, §8.2.2).

use wigwag_sdp::{Fmtp, Format};

/// What `profile-level-id` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProfileLevel {
    profile: Profile,
    level: Level,
    /// `profile_idc` and `profile-iop`, as they were written.
    bytes: [u8; 2],
}

/// RFC 6184 §8.1, table 5: combinations of `profile_idc` and `profile-iop` that mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    Extended,
    /// One that the table has in one way only, or not at all.
    Other([u8; 2]),
}

/// Twice `level_idc`; level 1b is between 1 and 1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Level(u16);

impl Level {
    const ONE_B: Self = Self(21);
}

/// `constraint_set3_flag`.
const SET3: u8 = 0x10;

/// RFC 6184 §8.1: in these profiles, level 1b is written as 1.1 with `constraint_set3_flag`; in others as 9.
const fn marks_one_b(profile_idc: u8) -> bool {
    matches!(profile_idc, 0x42 | 0x4d | 0x58)
}

impl ProfileLevel {
    /// `None` if the value is not six hexadecimal digits.
    // RFC 6184 §8.1: "If no profile-level-id is present, the Baseline profile, without additional constraints at Level 1, MUST be inferred."
    fn of(fmtp: &Fmtp) -> Option<Self> {
        Self::parse(fmtp.get("profile-level-id").unwrap_or("42000A"))
    }

    fn parse(value: &str) -> Option<Self> {
        let is_hex = value.len() == 6 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        let [_, idc, iop, level] = u32::from_str_radix(value, 16).ok().filter(|_| is_hex)?.to_be_bytes();
        let profile = match (idc, iop) {
            (0x42, _) if iop & 0x4f == 0x40 => Profile::ConstrainedBaseline,
            (0x4d, _) if iop & 0x8f == 0x80 => Profile::ConstrainedBaseline,
            (0x58, _) if iop & 0xcf == 0xc0 => Profile::ConstrainedBaseline,
            (0x42, _) if iop & 0x4f == 0 => Profile::Baseline,
            (0x58, _) if iop & 0xcf == 0x80 => Profile::Baseline,
            (0x4d, _) if iop & 0xaf == 0 => Profile::Main,
            (0x58, _) if iop & 0xcf == 0 => Profile::Extended,
            _ => Profile::Other([idc, iop]),
        };
        let level = match level {
            11 if marks_one_b(idc) && iop & SET3 != 0 => Level::ONE_B,
            9 if !marks_one_b(idc) => Level::ONE_B,
            level => Level(2 * u16::from(level)),
        };
        Some(Self { profile, level, bytes: [idc, iop] })
    }

    /// The same profile, as it was written, at this level.
    fn at(self, level: Level) -> String {
        let [idc, iop] = self.bytes;
        let (iop, level) = match (marks_one_b(idc), level) {
            (true, Level::ONE_B) => (iop | SET3, 11),
            (false, Level::ONE_B) => (iop, 9),
            // Level 1.1 is not 1b.
            (true, Level(22)) => (iop & !SET3, 11),
            (_, Level(level)) => (iop, level / 2),
        };
        format!("{idc:02x}{iop:02x}{level:02x}")
    }
}

/// Whether both parameters are of one profile, at whatever level.
pub(super) fn same_profile(ours: &Fmtp, theirs: &Fmtp) -> bool {
    let (ours, theirs) = (ProfileLevel::of(ours), ProfileLevel::of(theirs));
    ours.zip(theirs).is_some_and(|(ours, theirs)| ours.profile == theirs.profile)
}

/// Our parameters as they answer theirs: the profile as they write it, and the level that we take.
// RFC 6184 §8.2.2: levels may differ where both sides say level-asymmetry-allowed=1; else the answer's is not above the offer's.
pub(super) fn answered(ours: &str, theirs: &str) -> String {
    let read = |parameters: &str| Fmtp { format: Format::PayloadType(0), parameters: parameters.to_owned() };
    let (our_fmtp, their_fmtp) = (read(ours), read(theirs));
    let is_id = |parameter: &str| name(parameter).eq_ignore_ascii_case("profile-level-id");
    let (Some(our), Some(their)) = (ProfileLevel::of(&our_fmtp), ProfileLevel::of(&their_fmtp)) else {
        return ours.to_owned();
    };
    let allow = |fmtp: &Fmtp| fmtp.get("level-asymmetry-allowed") == Some("1");
    let level = if allow(&our_fmtp) && allow(&their_fmtp) { our.level } else { our.level.min(their.level) };
    let id = format!("profile-level-id={}", their.at(level));
    let parameters = ours.split(';').map(|parameter| if is_id(parameter) { &id } else { parameter });
    parameters.collect::<Vec<_>>().join(";")
}

fn name(parameter: &str) -> &str {
    parameter.split_once('=').map_or(parameter, |(name, _)| name).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(value: &str) -> Option<Profile> {
        ProfileLevel::parse(value).map(|id| id.profile)
    }

    /// RFC 6184 §8.1, table 5, and what browsers write.
    #[test]
    fn profiles_are_those_of_the_table() {
        let same = [
            (
                Profile::ConstrainedBaseline,
                &["42e01f", "42E034", "42c01f", "42f00b", "424020", "4d801f", "4de01f", "58c01f", "58f028"][..],
            ),
            (Profile::Baseline, &["42001f", "42000A", "42801f", "42a01f", "42900b", "58801f", "58b01f"]),
            (Profile::Main, &["4d001f", "4d401f", "4d5028"]),
            (Profile::Extended, &["58001f", "58301f"]),
            (Profile::Other([0x64, 0]), &["64001f", "640028"]),
            (Profile::Other([0x64, 0x0c]), &["640c1f"]),
        ];
        for (expected, values) in same {
            for value in values {
                assert_eq!(profile(value), Some(expected), "{value}");
            }
        }
        for none in ["", "42e01", "42e01f0", "42e01g", "+2e01f", "42 01f"] {
            assert_eq!(profile(none), None, "{none}");
        }
    }

    #[test]
    fn an_answer_is_at_the_lower_level_unless_both_allow_another() {
        let cases = [
            ("profile-level-id=42e01f", "profile-level-id=42e034", "profile-level-id=42e01f"),
            ("profile-level-id=42e034", "profile-level-id=42e01f", "profile-level-id=42e01f"),
            // As they write the profile.
            ("profile-level-id=42c034", "profile-level-id=4D801F", "profile-level-id=4d801f"),
            (
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034",
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034",
            ),
            (
                "level-asymmetry-allowed=1;profile-level-id=42e034",
                "profile-level-id=42e01f",
                "level-asymmetry-allowed=1;profile-level-id=42e01f",
            ),
            // 1b is above 1 and below 1.1.
            ("profile-level-id=42e00b", "profile-level-id=42f00b", "profile-level-id=42f00b"),
            ("profile-level-id=42f00b", "profile-level-id=42e00b", "profile-level-id=42f00b"),
            ("profile-level-id=42e00a", "profile-level-id=42f00b", "profile-level-id=42f00a"),
            ("profile-level-id=42e00b", "profile-level-id=42f01f", "profile-level-id=42e00b"),
            ("profile-level-id=64000b", "profile-level-id=640009", "profile-level-id=640009"),
            // What is not said is Baseline at level 1.
            ("packetization-mode=1; profile-level-id=42801f", "", "packetization-mode=1;profile-level-id=42000a"),
            ("", "profile-level-id=42001f", ""),
        ];
        for (ours, theirs, expected) in cases {
            assert_eq!(answered(ours, theirs), expected, "{ours} to {theirs}");
        }
    }

    #[test]
    fn what_answers_itself_is_itself() {
        for same in ["", "profile-level-id=42e01f", "packetization-mode=1;profile-level-id=640c1f;x=y"] {
            assert_eq!(answered(same, same), same);
        }
    }
}
