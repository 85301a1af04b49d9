//! What a script says, as it says it: nothing here knows what SCTP is.

use crate::lexer::{Placed, Token, tokens};
use std::net::IpAddr;
use std::time::Duration;

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum When {
    /// From the beginning, and up to when it may take.
    Absolute(Duration, Duration),
    /// From what happened before.
    Relative(Duration, Duration),
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// `<`: from the script to the machine.
    In,
    /// `>`: from the machine.
    Out,
}

/// Anything that has a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// `...`: whatever.
    Any,
    Integer(i64),
    /// One word, or several with `|` between them.
    Words(Vec<String>),
    Text(String),
    Address(IpAddr),
    List(Vec<Value>),
    /// `NAME[key=value, …]`: a chunk, a parameter or a cause.
    Node(Node),
    /// `{key=value, …}`.
    Struct(Vec<(String, Value)>),
    /// `{1,2}`, and `2:3`.
    Tuple(Vec<i64>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) fields: Vec<(Option<String>, Value)>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct PacketSpec {
    pub(crate) has_bad_checksum: bool,
    pub(crate) has_zero_checksum: bool,
    pub(crate) tag: Option<i64>,
    pub(crate) chunks: Vec<Node>,
    /// Instead of chunks.
    pub(crate) bytes: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: Vec<Value>,
    pub(crate) result: Value,
    pub(crate) error: Option<String>,
    /// It blocks, for so long.
    pub(crate) blocks: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Packet(Direction, PacketSpec),
    Call(Call),
    Command(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) line: usize,
    pub(crate) when: When,
    pub(crate) action: Action,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script {
    pub(crate) tolerance: Duration,
    pub(crate) events: Vec<Event>,
}

type Parsed<T> = Result<T, String>;

pub(crate) fn parse(text: &str) -> Parsed<Script> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0 };
    // packetdrill's own default.
    let mut tolerance = Duration::from_millis(4);
    while let Some(Token::Option(option)) = parser.peek() {
        match option.strip_prefix("--tolerance_usecs=").and_then(|number| number.parse().ok()) {
            Some(micros) => tolerance = Duration::from_micros(micros),
            None => return Err(parser.error(&format!("the option {option} is not known"))),
        }
        parser.at += 1;
    }
    let mut events = Vec::new();
    while parser.peek().is_some() {
        events.push(parser.event()?);
    }
    if events.is_empty() {
        return Err("the script is empty".into());
    }
    Ok(Script { tolerance, events })
}

struct Parser<'a> {
    tokens: &'a [Placed],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn peek_at(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + ahead).map(|(token, _)| token)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |(_, line)| *line)
    }

    fn error(&self, what: &str) -> String {
        format!("line {}: {what}", self.line())
    }

    fn next(&mut self) -> Parsed<&'a Token> {
        let token = self.peek().ok_or_else(|| self.error("the script ends here"))?;
        self.at += 1;
        Ok(token)
    }

    fn is_symbol(&self, symbol: char) -> bool {
        self.peek() == Some(&Token::Symbol(symbol))
    }

    fn take(&mut self, symbol: char) -> bool {
        let is_there = self.is_symbol(symbol);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, symbol: char) -> Parsed<()> {
        if self.take(symbol) {
            return Ok(());
        }
        Err(self.error(&format!("'{symbol}' was expected, not {:?}", self.peek())))
    }

    fn word(&mut self) -> Parsed<&'a str> {
        match self.next()? {
            Token::Word(word) => Ok(word),
            other => Err(self.error(&format!("a word was expected, not {other:?}"))),
        }
    }

    fn integer(&mut self) -> Parsed<i64> {
        match self.next()? {
            Token::Integer(integer) => Ok(*integer),
            other => Err(self.error(&format!("a number was expected, not {other:?}"))),
        }
    }

    fn seconds(&mut self) -> Parsed<Duration> {
        let seconds = match self.next()? {
            Token::Integer(integer) => *integer as f64,
            Token::Float(float) => *float,
            other => return Err(self.error(&format!("a time was expected, not {other:?}"))),
        };
        // To the nanosecond and no further: 0.1 is no float.
        Duration::try_from_secs_f64(seconds)
            .map(|time| Duration::from_micros((time.as_nanos() as u64 + 500) / 1000))
            .map_err(|_| self.error("a time cannot be negative"))
    }

    fn event(&mut self) -> Parsed<Event> {
        let line = self.line();
        let when = self.when()?;
        let action = match self.peek() {
            Some(Token::Symbol(symbol @ ('<' | '>'))) => {
                self.at += 1;
                let direction = if *symbol == '<' { Direction::In } else { Direction::Out };
                Action::Packet(direction, self.packet()?)
            }
            Some(Token::Backquoted(command)) => {
                self.at += 1;
                Action::Command(command.clone())
            }
            Some(Token::Word(_) | Token::Ellipsis) => Action::Call(self.call()?),
            other => return Err(self.error(&format!("nothing begins with {other:?}"))),
        };
        let is_expected_packet = matches!(action, Action::Packet(Direction::Out, _));
        if when == When::Any && !is_expected_packet {
            return Err(format!("line {line}: only an expected packet may come at any time"));
        }
        Ok(Event { line, when, action })
    }

    fn when(&mut self) -> Parsed<When> {
        if self.take('*') {
            return Ok(When::Any);
        }
        let is_relative = self.take('+');
        let first = self.seconds()?;
        let last = if self.take('~') {
            if is_relative {
                self.expect('+')?;
            }
            self.seconds()?
        } else {
            first
        };
        Ok(if is_relative { When::Relative(first, last) } else { When::Absolute(first, last) })
    }

    // ---- packets

    fn packet(&mut self) -> Parsed<PacketSpec> {
        if self.take('[') {
            let marking = self.word()?;
            if !matches!(marking, "noecn" | "ect0" | "ect1" | "ect01" | "ce") {
                return Err(self.error(&format!("the marking {marking} is not known")));
            }
            self.expect(']')?;
        }
        match self.peek() {
            Some(Token::Ipv4(_) | Token::Ipv6(_)) => return Err(self.error("addresses are below us")),
            Some(Token::Integer(_)) => {
                self.integer()?;
                self.expect('>')?;
                self.integer()?;
            }
            _ => {}
        }
        match self.word()? {
            "sctp" => {}
            other => return Err(self.error(&format!("the protocol {other} is not ours"))),
        }
        let mut packet = PacketSpec::default();
        if self.take('(') {
            self.header_options(&mut packet)?;
        }
        self.expect(':')?;
        if self.take('[') {
            packet.bytes = Some(self.bytes()?);
            return Ok(packet);
        }
        if matches!(self.peek(), Some(Token::Word(_))) && self.peek_at(1) == Some(&Token::Symbol('[')) {
            packet.chunks.push(self.node()?);
            while self.take(';') {
                packet.chunks.push(self.node()?);
            }
        }
        Ok(packet)
    }

    fn header_options(&mut self, packet: &mut PacketSpec) -> Parsed<()> {
        loop {
            match self.word()? {
                "bad_crc32c" => packet.has_bad_checksum = true,
                "zero_checksum" => packet.has_zero_checksum = true,
                "tag" => {
                    self.expect('=')?;
                    packet.tag = Some(self.integer()?);
                }
                other => return Err(self.error(&format!("{other} is no part of a header"))),
            }
            if !self.take(',') {
                return self.expect(')');
            }
        }
    }

    fn bytes(&mut self) -> Parsed<Vec<u8>> {
        let mut bytes = Vec::new();
        while !self.take(']') {
            bytes.push(u8::try_from(self.integer()?).map_err(|_| self.error("no byte"))?);
            if !self.is_symbol(']') {
                self.expect(',')?;
            }
        }
        Ok(bytes)
    }

    fn node(&mut self) -> Parsed<Node> {
        let name = self.word()?.to_owned();
        self.expect('[')?;
        let mut fields = Vec::new();
        while !self.take(']') {
            fields.push(self.field()?);
            if !self.is_symbol(']') {
                self.expect(',')?;
            }
        }
        Ok(Node { name, fields })
    }

    fn field(&mut self) -> Parsed<(Option<String>, Value)> {
        if let (Some(Token::Word(key)), Some(Token::Symbol('='))) = (self.peek(), self.peek_at(1)) {
            self.at += 2;
            return Ok((Some(key.clone()), self.value()?));
        }
        Ok((None, self.value()?))
    }

    // ---- calls

    fn call(&mut self) -> Parsed<Call> {
        let blocks = if self.peek() == Some(&Token::Ellipsis) {
            self.at += 1;
            Some(self.seconds()?)
        } else {
            None
        };
        let name = self.word()?.to_owned();
        self.expect('(')?;
        let mut arguments = Vec::new();
        while !self.take(')') {
            arguments.push(self.value()?);
            if !self.is_symbol(')') {
                self.expect(',')?;
            }
        }
        self.expect('=')?;
        let result = self.value()?;
        let error = match self.peek() {
            Some(Token::Word(_)) => Some(self.word()?.to_owned()),
            _ => None,
        };
        self.note();
        Ok(Call { name, arguments, result, error, blocks })
    }

    /// What stands in parentheses behind a call is for people.
    fn note(&mut self) {
        if self.take('(') {
            while self.peek().is_some() && !self.take(')') {
                self.at += 1;
            }
        }
    }

    // ---- values

    fn value(&mut self) -> Parsed<Value> {
        match self.next()? {
            Token::Ellipsis => Ok(Value::Any),
            Token::Integer(first) if self.is_symbol(':') => {
                self.at += 1;
                Ok(Value::Tuple(vec![*first, self.integer()?]))
            }
            Token::Integer(integer) => Ok(Value::Integer(*integer)),
            Token::Text(text) => {
                self.at += usize::from(self.peek() == Some(&Token::Ellipsis));
                Ok(Value::Text(text.clone()))
            }
            Token::Ipv4(address) => Ok(Value::Address((*address).into())),
            Token::Ipv6(address) => Ok(Value::Address((*address).into())),
            Token::Symbol('[') => self.list(),
            Token::Symbol('{') => self.structure(),
            Token::Word(word) => self.words(word),
            other => Err(self.error(&format!("{other:?} has no value"))),
        }
    }

    fn list(&mut self) -> Parsed<Value> {
        let mut values = Vec::new();
        while !self.take(']') {
            values.push(self.value()?);
            if !self.is_symbol(']') {
                self.expect(',')?;
            }
        }
        // `[...]` is as `...`.
        Ok(if values == [Value::Any] { Value::Any } else { Value::List(values) })
    }

    fn structure(&mut self) -> Parsed<Value> {
        let has_keys =
            matches!(self.peek(), Some(Token::Word(_))) && matches!(self.peek_at(1), Some(Token::Symbol('=' | '(')));
        if has_keys { self.keyed_structure() } else { self.plain_structure() }
    }

    fn keyed_structure(&mut self) -> Parsed<Value> {
        let mut fields = Vec::new();
        while !self.take('}') {
            let key = self.word()?.to_owned();
            // The length of an array, as in `msg_iov(1)=`.
            self.note();
            self.expect('=')?;
            fields.push((key, self.value()?));
            if !self.is_symbol('}') {
                self.expect(',')?;
            }
        }
        Ok(Value::Struct(fields))
    }

    fn plain_structure(&mut self) -> Parsed<Value> {
        let mut values = vec![self.value()?];
        while self.take(',') {
            values.push(self.value()?);
        }
        self.expect('}')?;
        let integers =
            values.iter().map(|value| if let Value::Integer(integer) = value { Some(*integer) } else { None });
        let integers: Option<Vec<_>> = integers.collect();
        Ok(integers.map_or(Value::List(values), Value::Tuple))
    }

    fn words(&mut self, word: &str) -> Parsed<Value> {
        if matches!(word, "htonl" | "htons" | "inet_addr") && self.take('(') {
            let value = self.value()?;
            self.expect(')')?;
            return Ok(value);
        }
        if self.is_symbol('[') {
            self.at -= 1;
            return Ok(Value::Node(self.node()?));
        }
        let mut words = vec![word.to_owned()];
        while self.take('|') {
            words.push(self.word()?.to_owned());
        }
        Ok(Value::Words(words))
    }
}
