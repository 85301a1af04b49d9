//! How many allocations there are, of everybody and of each (RFC 8656 §7.2).

use super::refusal::Refusal;
use std::collections::BTreeMap;

/// The allocations of each user who has some.
#[derive(Debug, Default)]
pub(super) struct Quota {
    of_users: BTreeMap<String, usize>,
    all: usize,
}

impl Quota {
    /// One more of this user's, if there is room for it.
    // RFC 8656 §7.2: "The server is free to define this allocation quota any way it wishes, but it SHOULD define it based on the username
    // used to authenticate the request and not on the client's transport address."
    pub(super) fn take(&mut self, user: &str, of_user_max: usize, all_max: usize) -> Result<(), Refusal> {
        let of_user = self.of_users.get(user).copied().unwrap_or_default();
        if of_user >= of_user_max {
            return Err(Refusal::QUOTA_REACHED);
        }
        if self.all >= all_max {
            return Err(Refusal::NO_CAPACITY);
        }
        self.of_users.insert(user.to_owned(), of_user.saturating_add(1));
        self.all = self.all.saturating_add(1);
        Ok(())
    }

    /// One less.
    pub(super) fn give_back(&mut self, user: &str) {
        self.all = self.all.saturating_sub(1);
        if let Some(of_user) = self.of_users.get_mut(user) {
            *of_user = of_user.saturating_sub(1);
            if *of_user == 0 {
                self.of_users.remove(user);
            }
        }
    }
}

/// Whose an allocation is: of a name that an application has made for an hour the part that stays, or else each hour would be somebody
/// else's.
pub(super) fn account(username: &str) -> &str {
    let name =
        username.split_once(':').filter(|(until, _)| !until.is_empty() && until.bytes().all(|b| b.is_ascii_digit()));
    name.map(|(_, name)| name).filter(|name| !name.is_empty()).unwrap_or(username)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_so_many_and_all_together_so_many() {
        let mut quota = Quota::default();
        for (user, taken) in [
            ("ann", Ok(())),
            ("ann", Ok(())),
            ("ann", Err(Refusal::QUOTA_REACHED)),
            ("bob", Ok(())),
            ("bob", Err(Refusal::NO_CAPACITY)),
            ("cem", Err(Refusal::NO_CAPACITY)),
        ] {
            assert_eq!(quota.take(user, 2, 3), taken, "{user}");
        }
        quota.give_back("ann");
        assert_eq!(quota.take("cem", 2, 3), Ok(()));
        for user in ["ann", "bob", "cem"] {
            quota.give_back(user);
        }
        assert!(quota.all == 0 && quota.of_users.is_empty());
    }

    #[test]
    fn a_name_of_an_hour_is_somebodys_for_longer() {
        for (username, whose) in [
            ("1700000000:ann", "ann"),
            ("1700003600:ann", "ann"),
            ("ann", "ann"),
            ("ann:1", "ann:1"),
            ("1700000000", "1700000000"),
            ("1700000000:", "1700000000:"),
            (":ann", ":ann"),
        ] {
            assert_eq!(account(username), whose);
        }
    }
}
