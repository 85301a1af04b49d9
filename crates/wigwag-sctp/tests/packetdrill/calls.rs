//! System calls, as far as they are about SCTP (RFC 6458).

use crate::encode::integer;
use crate::errno::Errno;
use crate::host::{Host, Message, Socket, reliable};
use crate::options;
use crate::script::{Call, Value};
use bytes::Bytes;
use std::time::Duration;
use wigwag_sctp::{Reliability, SendError, SendOptions, State};

/// What a call gives, or the error that it ends with; `Err` is what a script does that nobody knows.
pub(crate) type Outcome = Result<Result<i64, Errno>, String>;

pub(crate) fn run(host: &mut Host, call: &Call) -> Result<(), String> {
    let outcome = invoke(host, call)?;
    host.settle();
    let is_expected = match (&call.result, &outcome) {
        (Value::Any, _) => true,
        (Value::Integer(-1), Err(errno)) => match &call.error {
            Some(name) => errno.is(name)?,
            None => true,
        },
        (Value::Integer(expected), Ok(actual)) => expected == actual,
        (Value::Integer(_), Err(_)) => false,
        (other, _) => return Err(format!("{other:?} is no result")),
    };
    if is_expected { Ok(()) } else { Err(format!("{} gave {outcome:?}", call.name)) }
}

fn invoke(host: &mut Host, call: &Call) -> Outcome {
    let arguments = Arguments { name: &call.name, values: &call.arguments };
    if call.name == "socket" {
        return socket(host, arguments);
    }
    let fd = arguments.integer(0)?;
    if !host.sockets.contains_key(&fd) {
        return Ok(Err(Errno("EBADF")));
    }
    match call.name.as_str() {
        "bind" | "sctp_bindx" => Ok(Ok(0)),
        "listen" => with_socket(host, fd, |socket| socket.is_listening = true),
        "fcntl" => fcntl(host, fd, arguments),
        "connect" | "sctp_connectx" => Ok(connect(host, fd, call.blocks)),
        "accept" => Ok(accept(host, fd)),
        "close" => Ok(close(host, fd)),
        "shutdown" => shutdown(host, fd, arguments),
        "read" | "recv" | "recvfrom" => Ok(read(host, fd, arguments.integer(2)?)),
        "recvmsg" => receive_message(host, fd, arguments),
        "sctp_recvmsg" => sctp_recvmsg(host, fd, arguments),
        "write" | "send" => plain_send(host, fd, arguments.integer(2)?),
        "sendto" => plain_send(host, fd, arguments.integer(2)?),
        "sendmsg" => send_message(host, fd, arguments),
        "sctp_sendmsg" => sctp_sendmsg(host, fd, arguments),
        "sctp_send" => sctp_send(host, fd, arguments),
        "sctp_sendv" => sctp_sendv(host, fd, arguments),
        "setsockopt" => options::set(host, fd, arguments),
        "getsockopt" => options::get(host, fd, arguments),
        other => Err(format!("the call {other} is not known")),
    }
}

/// The arguments of a call.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a> {
    name: &'a str,
    values: &'a [Value],
}

impl<'a> Arguments<'a> {
    pub(crate) fn get(&self, at: usize) -> Result<&'a Value, String> {
        self.values.get(at).ok_or_else(|| format!("{} has more arguments", self.name))
    }

    pub(crate) fn integer(&self, at: usize) -> Result<i64, String> {
        integer(self.get(at)?)?.ok_or_else(|| format!("argument {at} of {} is needed", self.name))
    }

    pub(crate) fn word(&self, at: usize) -> Result<&'a str, String> {
        match self.get(at)? {
            Value::Words(words) if words.len() == 1 => Ok(&words[0]),
            other => Err(format!("{}: {other:?} is no name", self.name)),
        }
    }
}

fn with_socket(host: &mut Host, fd: i64, change: impl FnOnce(&mut Socket)) -> Outcome {
    if let Some(socket) = host.sockets.get_mut(&fd) {
        change(socket);
    }
    Ok(Ok(0))
}

fn new_socket(host: &mut Host, socket: Socket) -> i64 {
    let fd = (3..).find(|fd| !host.sockets.contains_key(fd)).unwrap_or(3);
    host.sockets.insert(fd, socket);
    fd
}

fn socket(host: &mut Host, arguments: Arguments<'_>) -> Outcome {
    match (arguments.word(1)?, arguments.word(2)?) {
        ("SOCK_STREAM" | "SOCK_SEQPACKET", "IPPROTO_SCTP") => {
            Ok(Ok(new_socket(host, Socket { options: reliable(), ..Socket::default() })))
        }
        other => Err(format!("a socket of {other:?} is not ours")),
    }
}

fn fcntl(host: &mut Host, fd: i64, arguments: Arguments<'_>) -> Outcome {
    const READ_AND_WRITE: i64 = 2;
    match arguments.word(1)? {
        "F_GETFL" => Ok(Ok(READ_AND_WRITE)),
        "F_SETFL" => {
            let Value::Words(flags) = arguments.get(2)? else { return Err("no flags".into()) };
            if let Some(unknown) = flags.iter().find(|flag| !matches!(flag.as_str(), "O_RDWR" | "O_NONBLOCK")) {
                return Err(format!("the flag {unknown} is not known"));
            }
            let is_nonblocking = flags.iter().any(|flag| flag == "O_NONBLOCK");
            with_socket(host, fd, |socket| socket.is_nonblocking = is_nonblocking)
        }
        other => Err(format!("fcntl {other} is not known")),
    }
}

fn connect(host: &mut Host, fd: i64, blocks: Option<Duration>) -> Result<i64, Errno> {
    if host.association.is_some() && host.closed.is_some() {
        host.association = None;
    }
    if host.state() != State::Closed {
        return Err(Errno("EALREADY"));
    }
    host.association().connect();
    let socket = host.sockets.entry(fd).or_default();
    socket.has_association = true;
    if socket.is_nonblocking && blocks.is_none() {
        return Err(Errno("EINPROGRESS"));
    }
    Ok(0)
}

fn accept(host: &mut Host, fd: i64) -> Result<i64, Errno> {
    if !host.sockets.get(&fd).is_some_and(|socket| socket.is_listening) {
        return Err(Errno("EINVAL"));
    }
    let is_taken = host.sockets.values().any(|socket| socket.has_association);
    if is_taken || !host.is_connected {
        return Err(Errno("EAGAIN"));
    }
    let listening = &host.sockets[&fd];
    let options = listening.options;
    Ok(new_socket(host, Socket { has_association: true, options, ..Socket::default() }))
}

fn close(host: &mut Host, fd: i64) -> Result<i64, Errno> {
    let Some(socket) = host.sockets.remove(&fd) else { return Err(Errno("EBADF")) };
    if socket.has_association && host.closed.is_none() {
        // What nobody has read, nobody will: the peer is told.
        let is_unread = !host.messages.is_empty();
        let association = host.association();
        if socket.lingers || is_unread {
            association.abort();
        } else {
            association.shutdown();
        }
        host.is_shut = true;
    }
    Ok(0)
}

fn shutdown(host: &mut Host, fd: i64, arguments: Arguments<'_>) -> Outcome {
    match arguments.word(1)? {
        "SHUT_RD" => return Ok(Ok(0)),
        "SHUT_WR" | "SHUT_RDWR" => {}
        other => return Err(format!("shutdown {other} is not known")),
    }
    if !host.sockets[&fd].has_association {
        return Ok(Err(Errno("ENOTCONN")));
    }
    host.is_shut = true;
    host.association().shutdown();
    Ok(Ok(0))
}

// ---- receiving

/// The next message, or what there is instead of one.
fn next_message(host: &mut Host) -> Result<Option<Message>, Errno> {
    if let Some(message) = host.messages.pop_front() {
        return Ok(Some(message));
    }
    let is_ending = matches!(host.state(), State::ShutdownReceived | State::ShutdownAckSent | State::Closed)
        && host.association.is_some();
    match host.error.take() {
        Some(error) => Err(error),
        None if is_ending => Ok(None),
        None => Err(Errno("EAGAIN")),
    }
}

fn take_message(host: &mut Host, max: i64) -> Result<Option<Message>, Errno> {
    let Some(mut message) = next_message(host)? else { return Ok(None) };
    let max = usize::try_from(max).unwrap_or_default();
    if message.data.len() > max {
        let data = message.data.split_off(max);
        host.messages.push_front(Message { data, ..message });
    }
    Ok(Some(message))
}

fn read(host: &mut Host, _fd: i64, max: i64) -> Result<i64, Errno> {
    Ok(take_message(host, max)?.map_or(0, |message| message.data.len() as i64))
}

fn receive_message(host: &mut Host, fd: i64, arguments: Arguments<'_>) -> Outcome {
    let max = iov_len(arguments.get(1)?)?;
    Ok(read(host, fd, max))
}

/// `sctp_recvmsg(fd, buffer, len, from, fromlen, sinfo, flags)`
fn sctp_recvmsg(host: &mut Host, _fd: i64, arguments: Arguments<'_>) -> Outcome {
    let message = match take_message(host, arguments.integer(2)?) {
        Ok(Some(message)) => message,
        Ok(None) => return Ok(Ok(0)),
        Err(error) => return Ok(Err(error)),
    };
    let Value::Struct(fields) = arguments.get(5)? else { return Ok(Ok(message.data.len() as i64)) };
    for (key, value) in fields {
        let actual = match key.as_str() {
            "sinfo_stream" => i64::from(message.stream),
            "sinfo_ppid" => i64::from(message.ppid),
            "sinfo_flags" => {
                let expects_unordered =
                    matches!(value, Value::Words(words) if words.iter().any(|word| word == "SCTP_UNORDERED"));
                if !matches!(value, Value::Any) && expects_unordered != message.unordered {
                    return Err(format!("the message is unordered: {}", message.unordered));
                }
                continue;
            }
            "sinfo_ssn" | "sinfo_context" | "sinfo_timetolive" | "sinfo_tsn" | "sinfo_cumtsn" | "sinfo_assoc_id" => {
                continue;
            }
            other => return Err(format!("the field {other} is not known")),
        };
        if integer(value)?.is_some_and(|expected| expected != actual) {
            return Err(format!("{key} is {actual}"));
        }
    }
    Ok(Ok(message.data.len() as i64))
}

// ---- sending

fn send(host: &mut Host, stream: u16, ppid: u32, len: i64, options: SendOptions) -> Result<i64, Errno> {
    if let Some(error) = host.error.take() {
        return Err(error);
    }
    if host.is_shut {
        return Err(Errno("ESHUTDOWN"));
    }
    if host.association.is_none() {
        return Err(Errno("ENOTCONN"));
    }
    let data = Bytes::from(vec![b'w'; usize::try_from(len).unwrap_or_default()]);
    match host.association().send(stream, ppid, data, options) {
        Ok(()) => Ok(len),
        Err(SendError::Full(_) | SendError::StreamResetting(_)) => Err(Errno("EAGAIN")),
        Err(SendError::TooLarge { .. }) => Err(Errno("EMSGSIZE")),
        Err(SendError::Closed) => Err(Errno("ECONNRESET")),
        Err(_) => Err(Errno("EINVAL")),
    }
}

fn plain_send(host: &mut Host, fd: i64, len: i64) -> Outcome {
    let Socket { options, stream, ppid, .. } = host.sockets[&fd];
    Ok(send(host, stream, ppid, len, options))
}

fn send_message(host: &mut Host, fd: i64, arguments: Arguments<'_>) -> Outcome {
    let Value::Struct(fields) = arguments.get(1)? else { return Err("sendmsg takes a msghdr".into()) };
    if fields.iter().any(|(key, _)| key == "msg_control") {
        return Err("sendmsg with control messages is not known".into());
    }
    plain_send(host, fd, iov_len(arguments.get(1)?)?)
}

fn iov_len(msghdr: &Value) -> Result<i64, String> {
    let Value::Struct(fields) = msghdr else { return Err("a msghdr was expected".into()) };
    let iov = fields.iter().find(|(key, _)| key == "msg_iov").map(|(_, value)| value);
    let Some(Value::List(entries)) = iov else { return Err("a msghdr without msg_iov".into()) };
    let mut len = 0;
    for entry in entries {
        match entry {
            Value::List(pair) if pair.len() == 2 => len += integer(&pair[1])?.unwrap_or_default(),
            other => return Err(format!("{other:?} is no iovec")),
        }
    }
    Ok(len)
}

/// `sctp_sendmsg(fd, buffer, len, to, tolen, ppid, flags, stream, timetolive, context)`
fn sctp_sendmsg(host: &mut Host, _fd: i64, arguments: Arguments<'_>) -> Outcome {
    let (stream, ppid) = (arguments.integer(7)? as u16, arguments.integer(5)? as u32);
    let mut sinfo = SendInfo::new(host.sockets[&arguments.integer(0)?].options);
    sinfo.flags(arguments.get(6)?)?;
    sinfo.value(arguments.integer(8)?);
    if let Some(ending) = sinfo.ending {
        return Ok(sinfo_ending(host, ending));
    }
    Ok(send(host, stream, ppid, arguments.integer(2)?, sinfo.options))
}

/// `sctp_send(fd, buffer, len, sinfo, flags)`
fn sctp_send(host: &mut Host, fd: i64, arguments: Arguments<'_>) -> Outcome {
    let mut sinfo = SendInfo::new(host.sockets[&fd].options);
    let (stream, ppid) = sinfo.read(arguments.get(3)?)?;
    if let Some(ending) = sinfo.ending {
        return Ok(sinfo_ending(host, ending));
    }
    Ok(send(host, stream, ppid, arguments.integer(2)?, sinfo.options))
}

/// `sctp_sendv(fd, iov, iovcnt, addrs, addrcnt, info, infolen, infotype, flags)`
fn sctp_sendv(host: &mut Host, fd: i64, arguments: Arguments<'_>) -> Outcome {
    let Value::List(entries) = arguments.get(1)? else { return Err("sctp_sendv takes iovecs".into()) };
    let mut len = 0;
    for entry in entries {
        match entry {
            Value::List(pair) if pair.len() == 2 => len += integer(&pair[1])?.unwrap_or_default(),
            other => return Err(format!("{other:?} is no iovec")),
        }
    }
    let mut sinfo = SendInfo::new(host.sockets[&fd].options);
    let (mut stream, mut ppid) = (host.sockets[&fd].stream, host.sockets[&fd].ppid);
    if let info @ Value::Struct(fields) = arguments.get(5)? {
        if fields.iter().any(|(key, _)| key.starts_with("sendv_")) {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("sendv_flags", _) | ("sendv_authinfo", Value::Any) => {}
                    ("sendv_sndinfo", value) => (stream, ppid) = sinfo.read(value)?,
                    ("sendv_prinfo", value) => _ = sinfo.read(value)?,
                    other => return Err(format!("{other:?} is not known")),
                }
            }
        } else {
            (stream, ppid) = sinfo.read(info)?;
        }
    }
    Ok(send(host, stream, ppid, len, sinfo.options))
}

/// `SCTP_EOF` and `SCTP_ABORT` end the association instead.
fn sinfo_ending(host: &mut Host, is_abort: bool) -> Result<i64, Errno> {
    host.is_shut = true;
    let association = host.association();
    if is_abort {
        association.abort();
    } else {
        association.shutdown();
    }
    Ok(0)
}

/// How to send: the structures of RFC 6458 §5.3 and RFC 7496 §4.
pub(crate) struct SendInfo {
    pub(crate) options: SendOptions,
    policy: Policy,
    ending: Option<bool>,
}

#[derive(Clone, Copy)]
enum Policy {
    None,
    Lifetime,
    Retransmits,
    Priority,
}

impl SendInfo {
    pub(crate) const fn new(options: SendOptions) -> Self {
        Self { options, policy: Policy::Lifetime, ending: None }
    }

    fn flags(&mut self, value: &Value) -> Result<(), String> {
        let Value::Words(words) = value else { return Ok(()) };
        for word in words {
            match word.as_str() {
                "SCTP_UNORDERED" => self.options.unordered = true,
                "SCTP_PR_SCTP_TTL" => self.policy = Policy::Lifetime,
                "SCTP_PR_SCTP_RTX" => self.policy = Policy::Retransmits,
                "SCTP_PR_SCTP_BUF" | "SCTP_PR_SCTP_PRIO" => self.policy = Policy::Priority,
                "SCTP_PR_SCTP_NONE" => self.policy = Policy::None,
                "SCTP_EOF" => self.ending = Some(false),
                "SCTP_ABORT" => self.ending = Some(true),
                "SCTP_EOR" | "SCTP_COMPLETE" | "SCTP_SENDALL" => {}
                other => return Err(format!("the flag {other} is not known")),
            }
        }
        Ok(())
    }

    fn value(&mut self, value: i64) {
        self.options.reliability = match self.policy {
            Policy::None => Reliability::Reliable,
            Policy::Lifetime if value == 0 => return,
            Policy::Lifetime => Reliability::MaxLifetime(Duration::from_millis(value as u64)),
            Policy::Retransmits => Reliability::MaxRetransmits(value as u16),
            Policy::Priority => Reliability::Priority(value as u32),
        };
    }

    /// Stream and payload protocol identifier; what else there is goes into `self`.
    pub(crate) fn read(&mut self, value: &Value) -> Result<(u16, u32), String> {
        let fields = match value {
            Value::Any => return Ok((0, 0)),
            Value::Struct(fields) => fields,
            other => return Err(format!("{other:?} says not how to send")),
        };
        let (mut stream, mut ppid, mut pr_value) = (0, 0, None);
        for (key, value) in fields {
            let number = || integer(value).map(Option::unwrap_or_default);
            match key.as_str() {
                "sinfo_stream" | "snd_sid" => stream = number()? as u16,
                "sinfo_ppid" | "snd_ppid" => ppid = number()? as u32,
                "sinfo_flags" | "snd_flags" | "pr_policy" => self.flags(value)?,
                "sinfo_timetolive" | "sinfo_pr_value" | "pr_value" => pr_value = Some(number()?),
                "sinfo_ssn" | "sinfo_context" | "sinfo_tsn" | "sinfo_cumtsn" | "sinfo_assoc_id" | "snd_context"
                | "snd_assoc_id" | "pr_assoc_id" => {}
                other => return Err(format!("the field {other} is not known")),
            }
        }
        if let Some(value) = pr_value {
            self.value(value);
        }
        Ok((stream, ppid))
    }
}
