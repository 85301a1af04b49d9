//! Two pages meet in a room, by a name that only they know; what they tell each other is carried, not read.

use super::calls::PageId;
use std::collections::BTreeMap;

/// Names are made by pages; a longer one is refused.
const NAME_LEN_MAX: usize = 64;

/// Who is where: at most two pages in a room, and no room without a page.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    by_name: BTreeMap<String, (PageId, Option<PageId>)>,
    by_page: BTreeMap<PageId, String>,
}

impl Rooms {
    /// `page` comes in. Gives whoever is there already.
    ///
    /// # Errors
    /// Why it may not, for its user.
    pub(super) fn join(&mut self, page: PageId, name: &str) -> Result<Option<PageId>, &'static str> {
        if name.is_empty() || name.len() > NAME_LEN_MAX || !name.bytes().all(is_name) {
            return Err("the name of a room has 1 to 64 of the characters A-Z a-z 0-9 - _");
        }
        if self.by_page.contains_key(&page) {
            return Err("this page is in a room already: say \"bye\" first");
        }
        let friend = match self.by_name.get_mut(name) {
            Some((_, Some(_))) => return Err("two are in this room already: invite with a new link"),
            Some((first, second)) => {
                *second = Some(page);
                Some(*first)
            }
            None => {
                self.by_name.insert(name.to_owned(), (page, None));
                None
            }
        };
        self.by_page.insert(page, name.to_owned());
        Ok(friend)
    }

    pub(super) fn contains(&self, page: PageId) -> bool {
        self.by_page.contains_key(&page)
    }

    /// Who is in the room with `page`.
    pub(super) fn friend(&self, page: PageId) -> Option<PageId> {
        let (first, second) = *self.by_name.get(self.by_page.get(&page)?)?;
        if first == page { second } else { Some(first) }
    }

    /// `page` goes. Gives who stays behind.
    pub(super) fn leave(&mut self, page: PageId) -> Option<PageId> {
        let friend = self.friend(page);
        let name = self.by_page.remove(&page)?;
        match friend {
            Some(friend) => drop(self.by_name.insert(name, (friend, None))),
            None => drop(self.by_name.remove(&name)),
        }
        friend
    }
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_meet_and_a_third_is_refused_until_one_has_left() {
        let [a, b, c] = [1, 2, 3].map(PageId);
        let mut rooms = Rooms::default();
        assert_eq!(rooms.join(a, "r"), Ok(None));
        assert_eq!((rooms.friend(a), rooms.contains(a), rooms.contains(b)), (None, true, false));
        assert_eq!(rooms.join(b, "r"), Ok(Some(a)));
        assert_eq!((rooms.friend(a), rooms.friend(b)), (Some(b), Some(a)));
        assert!(rooms.join(c, "r").is_err() && !rooms.contains(c));
        assert_eq!(rooms.leave(a), Some(b));
        assert_eq!(rooms.friend(b), None);
        assert_eq!(rooms.join(c, "r"), Ok(Some(b)));
        assert_eq!((rooms.leave(c), rooms.leave(b), rooms.leave(b)), (Some(b), None, None));
        assert!(rooms.by_name.is_empty() && rooms.by_page.is_empty());
    }

    #[test]
    fn a_page_is_in_one_room_and_rooms_do_not_mix() {
        let [a, b] = [1, 2].map(PageId);
        let mut rooms = Rooms::default();
        rooms.join(a, "r").unwrap();
        assert!(rooms.join(a, "s").is_err() && rooms.join(a, "r").is_err());
        assert_eq!(rooms.join(b, "s"), Ok(None));
        assert_eq!((rooms.friend(a), rooms.friend(b)), (None, None));
    }

    #[test]
    fn names_are_short_and_plain() {
        let mut rooms = Rooms::default();
        for name in ["", "a b", "ä", "../x", &"x".repeat(65)] {
            assert!(rooms.join(PageId(1), name).is_err(), "{name:?}");
        }
        assert_eq!(rooms.join(PageId(1), &"x".repeat(64)), Ok(None));
    }
}
