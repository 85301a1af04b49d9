//! From text to tokens: comments, `#ifdef` and where each token stands.

use std::net::{Ipv4Addr, Ipv6Addr};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Integer(i64),
    Float(f64),
    Word(String),
    Text(String),
    Backquoted(String),
    Option(String),
    Ipv4(Ipv4Addr),
    Ipv6(Ipv6Addr),
    Ellipsis,
    Symbol(char),
}

/// A token and the number of its line.
pub(crate) type Placed = (Token, usize);

/// Which branches of `#ifdef` are read: we do as this stack does where the suite knows two answers.
const PLATFORM: &str = "FreeBSD";

pub(crate) fn tokens(script: &str) -> Result<Vec<Placed>, String> {
    let text = without_branches(script)?;
    let mut lexer = Lexer { rest: &text, line: 1, tokens: Vec::new() };
    while lexer.step()? {}
    Ok(lexer.tokens)
}

/// Blanks the branches that are not for us, and the lines that choose them.
fn without_branches(script: &str) -> Result<String, String> {
    let mut text = String::new();
    // For each level: whether it is read, and whether one of its branches was.
    let mut levels: Vec<(bool, bool)> = Vec::new();
    for (index, line) in script.lines().enumerate() {
        let mut words = line.split_whitespace();
        let directive = words.next().filter(|word| word.starts_with('#'));
        let name = words.next();
        match (directive, name) {
            (Some("#ifdef"), Some(name)) => levels.push((name == PLATFORM, name == PLATFORM)),
            (Some("#ifndef"), Some(name)) => levels.push((name != PLATFORM, name != PLATFORM)),
            (Some("#else"), _) if !levels.is_empty() => {
                levels.last_mut().map(|level| *level = (!level.1, true)).unwrap_or_default();
            }
            (Some("#endif"), _) if levels.pop().is_some() => {}
            (Some("#" | "#!"), _) => {}
            (Some(directive), _) => return Err(format!("line {}: {directive} is not known", index + 1)),
            (None, _) if levels.iter().all(|(is_read, _)| *is_read) => text.push_str(line),
            (None, _) => {}
        }
        text.push('\n');
    }
    if levels.is_empty() { Ok(text) } else { Err("an #ifdef has no #endif".into()) }
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Placed>,
}

impl<'a> Lexer<'a> {
    fn step(&mut self) -> Result<bool, String> {
        let Some(first) = self.rest.chars().next() else { return Ok(false) };
        if first.is_whitespace() {
            self.take(first.len_utf8());
        } else if self.rest.starts_with("//") {
            self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            let len = self.rest.find("*/").ok_or_else(|| self.error("a comment has no end"))?;
            self.take(len + 2);
        } else if first == '"' || first == '`' {
            self.quoted(first)?;
        } else if self.rest.starts_with("--") {
            let len = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
            let option = self.take(len).to_owned();
            self.push(Token::Option(option));
        } else if let Some(len) = self.address_len() {
            self.address(len)?;
        } else if self.rest.starts_with("...") {
            self.take(3);
            self.push(Token::Ellipsis);
        } else if first.is_ascii_digit() || first == '.' || first == '-' && self.has_digit_at(1) {
            self.number()?;
        } else if is_word(first) {
            let word = self.take_while(is_word).to_owned();
            self.push(Token::Word(word));
        } else {
            self.take(first.len_utf8());
            self.push(Token::Symbol(first));
        }
        Ok(true)
    }

    fn error(&self, what: &str) -> String {
        format!("line {}: {what}", self.line)
    }

    fn push(&mut self, token: Token) {
        self.tokens.push((token, self.line));
    }

    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(len);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        self.take(self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len()))
    }

    fn has_digit_at(&self, at: usize) -> bool {
        self.rest.as_bytes().get(at).is_some_and(u8::is_ascii_digit)
    }

    fn quoted(&mut self, quote: char) -> Result<(), String> {
        let len = self.rest[1..].find(quote).ok_or_else(|| self.error("a text has no end"))?;
        let text = self.take(len + 2)[1..=len].to_owned();
        self.push(if quote == '"' { Token::Text(text) } else { Token::Backquoted(text) });
        Ok(())
    }

    /// How long the word here is, if it is an IP address.
    fn address_len(&self) -> Option<usize> {
        let len = self.rest.find(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':')).unwrap_or(self.rest.len());
        let word = &self.rest[..len];
        (word.parse::<Ipv4Addr>().is_ok() || word.contains("::") || word.matches(':').count() == 7)
            .then_some(len)
            .filter(|_| word.parse::<Ipv4Addr>().is_ok() || word.parse::<Ipv6Addr>().is_ok())
    }

    fn address(&mut self, len: usize) -> Result<(), String> {
        let word = self.take(len);
        let ipv4 = word.parse().map(Token::Ipv4);
        let token = ipv4.or_else(|_| word.parse().map(Token::Ipv6)).map_err(|_| self.error("no address"))?;
        self.push(token);
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        let is_negative = self.rest.starts_with('-');
        if is_negative {
            self.take(1);
        }
        let sign = if is_negative { -1 } else { 1 };
        if self.rest.starts_with("0x") {
            self.take(2);
            let digits = self.take_while(is_word);
            let value = i64::from_str_radix(digits, 16).map_err(|_| self.error("no hexadecimal number"))?;
            self.push(Token::Integer(sign * value));
            return Ok(());
        }
        let digits = self.take_while(|c| c.is_ascii_digit());
        if self.rest.starts_with('.') && !self.rest.starts_with("...") {
            self.take(1);
            let fraction = self.take_while(|c| c.is_ascii_digit());
            let value: f64 = format!("{digits}.{fraction}").parse().map_err(|_| self.error("no number"))?;
            self.push(Token::Float(value * sign as f64));
            return Ok(());
        }
        if self.rest.starts_with(is_word) {
            return Err(self.error("no number"));
        }
        let value: i64 = digits.parse().map_err(|_| self.error("no number"))?;
        self.push(Token::Integer(sign * value));
        Ok(())
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
