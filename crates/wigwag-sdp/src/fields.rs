//! Reads the words of a value, one after the other.

use crate::error::Expected;

/// What is left of a value whose words stand between spaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    pub(crate) fn new(value: &'a str) -> Self {
        Self(value)
    }

    /// The next word, if there is one.
    pub(crate) fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start_matches(' ');
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    /// The next word, which must be there.
    pub(crate) fn word(&mut self, expected: &'static str) -> Result<&'a str, Expected> {
        self.next().ok_or(Expected(expected))
    }

    /// The next word, which must be a decimal number that fits.
    pub(crate) fn number<T: TryFrom<u64>>(&mut self, expected: &'static str) -> Result<T, Expected> {
        number(self.word(expected)?).ok_or(Expected(expected))
    }

    /// All that is left, without the space that separates it from the last word.
    pub(crate) fn rest(self) -> &'a str {
        self.0
    }

    /// Nothing but spaces may be left.
    pub(crate) fn end(mut self, expected: &'static str) -> Result<(), Expected> {
        if self.next().is_none() { Ok(()) } else { Err(Expected(expected)) }
    }
}

/// Digits only: the standard library would also read a sign.
pub(crate) fn number<T: TryFrom<u64>>(text: &str) -> Option<T> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    T::try_from(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_words_between_any_number_of_spaces() {
        let mut fields = Fields::new(" a  bc 7 the rest ");
        assert_eq!((fields.next(), fields.next()), (Some("a"), Some("bc")));
        assert_eq!(fields.number::<u8>(""), Ok(7));
        assert_eq!(fields.rest(), "the rest ");
        assert!(Fields::new("  ").end("").is_ok());
        assert!(Fields::new(" x").end("").is_err());
    }

    #[test]
    fn numbers_are_digits_that_fit() {
        assert_eq!(number::<u8>("255"), Some(255));
        assert_eq!(number::<u16>("007"), Some(7));
        for bad in ["", "256", "-1", "+1", "1 ", "0x1", "99999999999999999999999"] {
            assert_eq!(number::<u8>(bad), None, "{bad}");
        }
    }
}
