//! Socket options (RFC 6458 §8 and the RFCs of the extensions).

use crate::calls::{Arguments, Outcome, SendInfo};
use crate::encode::integer;
use crate::errno::{self, Errno};
use crate::host::Host;
use crate::script::Value;
use std::time::Duration;
use wigwag_sctp::{Scheduler, State};

/// The fields of a structure, each of which must be known.
struct Fields<'a> {
    fields: &'a [(String, Value)],
    seen: Vec<&'a str>,
}

impl<'a> Fields<'a> {
    fn of(value: &'a Value) -> Result<Self, String> {
        match value {
            Value::Struct(fields) => Ok(Self { fields, seen: Vec::new() }),
            Value::List(list) if list.len() == 1 => Self::of(&list[0]),
            other => Err(format!("{other:?} is no structure")),
        }
    }

    fn get(&mut self, key: &str) -> Option<&'a Value> {
        let (key, value) = self.fields.iter().find(|(name, _)| name == key)?;
        self.seen.push(key);
        Some(value)
    }

    fn number(&mut self, key: &str) -> Result<Option<i64>, String> {
        self.get(key).map(integer).transpose().map(Option::flatten)
    }

    /// A number that is not the "leave it as it is" of the structure.
    fn set(&mut self, key: &str) -> Result<Option<i64>, String> {
        Ok(self.number(key)?.filter(|number| *number != 0))
    }

    fn ignore(&mut self, keys: &[&str]) {
        for key in keys {
            self.get(key);
        }
    }

    fn end(self) -> Result<(), String> {
        match self.fields.iter().find(|(key, _)| !self.seen.contains(&key.as_str())) {
            Some((key, _)) => Err(format!("the field {key} is not known")),
            None => Ok(()),
        }
    }
}

const fn ms(ms: i64) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}

/// The one number of an option: `[1]`, `1`, or the value of a `sctp_assoc_value`.
fn scalar(value: &Value) -> Result<i64, String> {
    match value {
        Value::List(list) if list.len() == 1 => scalar(&list[0]),
        Value::Struct(_) => {
            let mut fields = Fields::of(value)?;
            fields.ignore(&["assoc_id"]);
            let number = fields.number("assoc_value")?;
            fields.end()?;
            number.ok_or_else(|| "the option has a value".into())
        }
        value => integer(value)?.ok_or_else(|| "the option has a value".into()),
    }
}

/// What only a kernel has: a script may ask for what we do anyway.
const OF_KERNELS: &[&str] = &[
    "SO_REUSEADDR",
    "SO_REUSEPORT",
    "SO_RCVTIMEO",
    "SO_SNDTIMEO",
    "SCTP_NODELAY",
    "SCTP_AUTOCLOSE",
    "SCTP_I_WANT_MAPPED_V4_ADDR",
    "SCTP_RECVRCVINFO",
    "SCTP_RECVNXTINFO",
    "SCTP_USE_EXT_RCVINFO",
    "SCTP_CONTEXT",
    "SCTP_EXPLICIT_EOR",
    "SCTP_PARTIAL_DELIVERY_POINT",
    "SCTP_MAX_BURST",
    "SCTP_REUSE_PORT",
];

/// Extensions that we do not have; a script may say so.
const ABSENT: &[&str] = &[
    "SCTP_ECN_SUPPORTED",
    "SCTP_ASCONF_SUPPORTED",
    "SCTP_AUTH_SUPPORTED",
    "SCTP_NRSACK_SUPPORTED",
    "SCTP_PKTDROP_SUPPORTED",
];

pub(crate) fn set(host: &mut Host, fd: i64, arguments: Arguments<'_>) -> Outcome {
    let (option, value) = (arguments.word(2)?, arguments.get(3)?);
    match option {
        "SO_LINGER" => {
            let mut fields = Fields::of(value)?;
            let lingers = fields.number("onoff")? == Some(1) && fields.number("linger")? == Some(0);
            fields.ignore(&["linger"]);
            fields.end()?;
            host.sockets.entry(fd).or_default().lingers = lingers;
        }
        "SO_RCVBUF" => {
            host.config.receive_window = scalar(value)? as u32;
            host.config.receive_window_max = 0;
        }
        "SO_SNDBUF" => host.config.send_buffer = scalar(value)? as usize,
        "SCTP_RTOINFO" => rto_info(host, value)?,
        "SCTP_INITMSG" => init_message(host, value)?,
        "SCTP_ASSOCINFO" => association_info(host, value)?,
        "SCTP_DELAYED_SACK" => delayed_sack(host, value)?,
        "SCTP_PEER_ADDR_PARAMS" => peer_address(host, value)?,
        "SCTP_MAXSEG" => return set_mtu(host, scalar(value)?),
        "SCTP_EVENT" => _ = Fields::of(value)?,
        "SCTP_EVENTS" => _ = Fields::of(value)?,
        "SCTP_DEFAULT_SNDINFO" | "SCTP_DEFAULT_SEND_PARAM" | "SCTP_DEFAULT_PRINFO" => {
            let socket = host.sockets.entry(fd).or_default();
            let mut info = SendInfo::new(socket.options);
            let (stream, ppid) = info.read(value)?;
            socket.options = info.options;
            if option != "SCTP_DEFAULT_PRINFO" {
                (socket.stream, socket.ppid) = (stream, ppid);
            }
        }
        "SCTP_ACCEPT_ZERO_CHECKSUM" => config(host)?.zero_checksum = scalar(value)? == 1,
        "SCTP_INTERLEAVING_SUPPORTED" => config(host)?.interleaving = scalar(value)? != 0,
        "SCTP_RESET_STREAMS" => return reset_streams(host, value),
        absent if ABSENT.contains(&absent) => {
            if scalar(value)? != 0 {
                return Ok(Err(Errno("ENOPROTOOPT")));
            }
        }
        "SCTP_DISABLE_FRAGMENTS" | "SCTP_FRAGMENT_INTERLEAVE" if scalar(value)? == 0 => {}
        "SCTP_ENABLE_STREAM_RESET" => enable_reconfiguration(host, value)?,
        "SCTP_RESET_ASSOC" => {
            let is_asked = host.association().reset_association().is_ok();
            return Ok(if is_asked { Ok(0) } else { Err(Errno("EINVAL")) });
        }
        "SCTP_ADD_STREAMS" => return add_streams(host, value),
        "SCTP_STREAM_SCHEDULER" | "SCTP_PLUGGABLE_SS" => scheduler(host, value)?,
        "SCTP_STREAM_SCHEDULER_VALUE" | "SCTP_SS_VALUE" => {
            let mut fields = Fields::of(value)?;
            fields.ignore(&["assoc_id"]);
            let (stream, priority) = (fields.number("stream_id")?, fields.number("stream_value")?);
            fields.end()?;
            let (stream, priority) = (stream.unwrap_or_default() as u16, priority.unwrap_or_default() as u16);
            host.association().set_stream_priority(stream, priority);
        }
        "SCTP_PR_SUPPORTED" | "SCTP_RECONFIG_SUPPORTED" if scalar(value)? != 0 => {}
        kernel if OF_KERNELS.contains(&kernel) => {}
        other => return Err(format!("the option {other} is not known with this value")),
    }
    Ok(Ok(0))
}

/// What the association was made with cannot be changed later: a script that tries is told so.
fn config(host: &mut Host) -> Result<&mut wigwag_sctp::Config, String> {
    if host.association.is_some() && host.closed.is_none() {
        return Err("this option is taken before the association begins only".into());
    }
    Ok(&mut host.config)
}

fn rto_info(host: &mut Host, value: &Value) -> Result<(), String> {
    let mut fields = Fields::of(value)?;
    let config = config(host)?;
    if let Some(initial) = fields.set("srto_initial")? {
        config.rto_initial = ms(initial);
    }
    if let Some(max) = fields.set("srto_max")? {
        config.rto_max = ms(max);
        config.shutdown_guard = 5 * config.rto_max;
    }
    if let Some(min) = fields.set("srto_min")? {
        config.rto_min = ms(min);
    }
    fields.ignore(&["srto_assoc_id"]);
    fields.end()
}

fn init_message(host: &mut Host, value: &Value) -> Result<(), String> {
    let mut fields = Fields::of(value)?;
    let config = config(host)?;
    if let Some(streams) = fields.set("sinit_num_ostreams")? {
        config.outbound_streams_max = Some(streams as u16);
    }
    if let Some(streams) = fields.set("sinit_max_instreams")? {
        config.streams_max = streams as u16;
    }
    if let Some(attempts) = fields.set("sinit_max_attempts")? {
        config.init_retransmits_max = Some(attempts as u32);
    }
    if let Some(max) = fields.set("sinit_max_init_timeo")? {
        config.init_rto_max = Some(ms(max));
    }
    fields.end()
}

fn association_info(host: &mut Host, value: &Value) -> Result<(), String> {
    let mut fields = Fields::of(value)?;
    let config = config(host)?;
    if let Some(times) = fields.set("sasoc_asocmaxrxt")? {
        config.retransmits_max = Some(times as u32);
    }
    if fields.set("sasoc_cookie_life")?.is_some() {
        return Err("the life of a cookie cannot be set".into());
    }
    fields.ignore(&["sasoc_assoc_id", "sasoc_number_peer_destinations", "sasoc_peer_rwnd", "sasoc_local_rwnd"]);
    fields.end()
}

fn delayed_sack(host: &mut Host, value: &Value) -> Result<(), String> {
    let mut fields = Fields::of(value)?;
    let delay = fields.set("sack_delay")?;
    let frequency = fields.number("sack_freq")?;
    fields.ignore(&["sack_assoc_id"]);
    fields.end()?;
    let config = config(host)?;
    match frequency {
        Some(1) => config.sack_delay = Duration::ZERO,
        None | Some(0 | 2) => {}
        Some(other) => return Err(format!("a SACK for every {other} packets is not what we do")),
    }
    if let Some(delay) = delay.filter(|_| frequency != Some(1)) {
        config.sack_delay = ms(delay);
    }
    Ok(())
}

fn peer_address(host: &mut Host, value: &Value) -> Result<(), String> {
    let mut fields = Fields::of(value)?;
    let flags = match fields.get("spp_flags") {
        Some(Value::Words(words)) => words.clone(),
        _ => Vec::new(),
    };
    let mut interval = fields.set("spp_hbinterval")?.map(ms);
    for flag in &flags {
        match flag.as_str() {
            "SPP_HB_DISABLE" => interval = Some(Duration::MAX),
            "SPP_HB_ENABLE" | "SPP_HB_DEMAND" | "SPP_PMTUD_DISABLE" | "SPP_PMTUD_ENABLE" | "SPP_HB_TIME_IS_ZERO" => {}
            other => return Err(format!("the flag {other} is not known")),
        }
    }
    if let Some(interval) = interval {
        host.config.heartbeat_interval = interval;
        if let Some(association) = &mut host.association {
            association.set_heartbeat_interval(interval);
        }
    }
    if let Some(times) = fields.set("spp_pathmaxrxt")? {
        // One path: it fails when the association does.
        config(host)?.retransmits_max = Some(times as u32);
    }
    if let Some(mtu) = fields.set("spp_pathmtu")? {
        _ = set_mtu(host, mtu - 20)?;
    }
    fields.ignore(&["spp_assoc_id", "spp_address", "spp_ipv6_flowlabel", "spp_dscp"]);
    fields.end()
}

fn set_mtu(host: &mut Host, mtu: i64) -> Outcome {
    let mtu = usize::try_from(mtu).map_err(|_| "no MTU")?;
    host.config.mtu = mtu;
    if let Some(association) = &mut host.association {
        association.set_mtu(mtu);
    }
    Ok(Ok(0))
}

/// RFC 6525 §6.3.1: what the peer may ask for.
fn enable_reconfiguration(host: &mut Host, value: &Value) -> Result<(), String> {
    let words = match value {
        Value::Struct(fields) => fields.iter().find(|(key, _)| key == "assoc_value").map(|(_, value)| value),
        Value::List(list) if list.len() == 1 => Some(&list[0]),
        value => Some(value),
    };
    let config = config(host)?;
    let Some(Value::Words(words)) = words else {
        let is_all = words.map(scalar).transpose()?.unwrap_or_default() != 0;
        config.takes_stream_reset_requests = is_all;
        config.takes_association_resets = is_all;
        config.takes_stream_additions = is_all;
        return Ok(());
    };
    for word in words {
        match word.as_str() {
            "SCTP_ENABLE_RESET_STREAM_REQ" => config.takes_stream_reset_requests = true,
            "SCTP_ENABLE_RESET_ASSOC_REQ" => config.takes_association_resets = true,
            "SCTP_ENABLE_CHANGE_ASSOC_REQ" => config.takes_stream_additions = true,
            other => return Err(format!("the flag {other} is not known")),
        }
    }
    Ok(())
}

fn scheduler(host: &mut Host, value: &Value) -> Result<(), String> {
    let name = match value {
        Value::Struct(fields) => fields.iter().find(|(key, _)| key == "assoc_value").map(|(_, value)| value),
        Value::List(list) if list.len() == 1 => Some(&list[0]),
        value => Some(value),
    };
    let Some(Value::Words(words)) = name else { return Err("a scheduler has a name".into()) };
    config(host)?.scheduler = match words[0].as_str() {
        "SCTP_SS_FCFS" | "SCTP_SS_FIRST_COME" => Scheduler::FirstComeFirstServed,
        "SCTP_SS_DEFAULT" | "SCTP_SS_RR" | "SCTP_SS_ROUND_ROBIN" => Scheduler::RoundRobin,
        "SCTP_SS_PRIO" | "SCTP_SS_PRIORITY" => Scheduler::Priority,
        "SCTP_SS_WFQ" | "SCTP_SS_FB" | "SCTP_SS_FAIR_BANDWITH" | "SCTP_SS_FAIR_BANDWIDTH" => Scheduler::WeightedFair,
        other => return Err(format!("the scheduler {other} is not known")),
    };
    Ok(())
}

fn add_streams(host: &mut Host, value: &Value) -> Outcome {
    let mut fields = Fields::of(value)?;
    let inbound = fields.number("sas_instrms")?.unwrap_or_default() as u16;
    let outbound = fields.number("sas_outstrms")?.unwrap_or_default() as u16;
    fields.ignore(&["sas_assoc_id"]);
    fields.end()?;
    let is_asked = host.association().add_streams(outbound, inbound).is_ok();
    Ok(if is_asked { Ok(0) } else { Err(Errno("EINVAL")) })
}

fn reset_streams(host: &mut Host, value: &Value) -> Outcome {
    let mut fields = Fields::of(value)?;
    let Some(Value::Words(directions)) = fields.get("srs_flags") else { return Err("no flags".into()) };
    let directions = directions.clone();
    let streams = match fields.get("srs_stream_list") {
        Some(Value::List(list)) => list.iter().map(integer).collect::<Result<Vec<_>, _>>()?,
        _ => Vec::new(),
    };
    fields.ignore(&["srs_assoc_id", "srs_number_streams"]);
    fields.end()?;
    let streams: Vec<u16> = streams.into_iter().flatten().map(|stream| stream as u16).collect();
    let association = host.association();
    for direction in directions {
        let result = match direction.as_str() {
            "SCTP_STREAM_RESET_OUTGOING" => streams.iter().try_for_each(|stream| association.reset_stream(*stream)),
            "SCTP_STREAM_RESET_INCOMING" => association.request_reset(&streams),
            other => return Err(format!("the direction {other} is not known")),
        };
        if result.is_err() {
            return Ok(Err(Errno("EINVAL")));
        }
    }
    Ok(Ok(0))
}

pub(crate) fn get(host: &mut Host, fd: i64, arguments: Arguments<'_>) -> Outcome {
    let (option, value) = (arguments.word(2)?, arguments.get(3)?);
    match option {
        "SO_ERROR" => so_error(host, fd, value)?,
        "SCTP_STATUS" => return status(host, value),
        "SCTP_RTOINFO" => {
            let config = &host.config;
            let known = [
                ("srto_initial", config.rto_initial.as_millis() as i64),
                ("srto_max", config.rto_max.as_millis() as i64),
                ("srto_min", config.rto_min.as_millis() as i64),
            ];
            compare(value, &known, &["srto_assoc_id"])?;
        }
        "SCTP_INITMSG" => {
            let config = &host.config;
            let outbound = config.outbound_streams_max.unwrap_or(config.streams_max);
            let known =
                [("sinit_num_ostreams", i64::from(outbound)), ("sinit_max_instreams", config.streams_max.into())];
            compare(value, &known, &["sinit_max_attempts", "sinit_max_init_timeo"])?;
        }
        "SO_RCVBUF" => same(option, value, host.config.receive_window.into())?,
        "SO_SNDBUF" => same(option, value, host.config.send_buffer as i64)?,
        absent if ABSENT.contains(&absent) => same(option, value, 0)?,
        other => return Err(format!("the option {other} is not known")),
    }
    Ok(Ok(0))
}

fn same(name: &str, value: &Value, actual: i64) -> Result<(), String> {
    if *value != Value::Any && scalar(value)? != actual {
        return Err(format!("{name} is {actual}"));
    }
    Ok(())
}

fn so_error(host: &mut Host, fd: i64, value: &Value) -> Result<(), String> {
    let error = host.sockets[&fd].has_association.then(|| host.error.take()).flatten();
    let is_expected = match value {
        Value::Any => true,
        Value::List(list) if list.len() == 1 => match (&list[0], error) {
            (Value::Any, _) | (Value::Integer(0), None) => true,
            (Value::Words(words), error) if words.len() == 1 => {
                if !errno::is_known(&words[0]) {
                    return Err(format!("the error {} is not known", words[0]));
                }
                error.map(|error| error.is(&words[0])).transpose()? == Some(true)
            }
            _ => false,
        },
        other => return Err(format!("{other:?} is no error")),
    };
    if is_expected { Ok(()) } else { Err(format!("SO_ERROR is {error:?}")) }
}

fn compare(value: &Value, known: &[(&str, i64)], others: &[&str]) -> Result<(), String> {
    let mut fields = Fields::of(value)?;
    for (key, actual) in known {
        if let Some(expected) = fields.number(key)?
            && expected != *actual
        {
            return Err(format!("{key} is {actual} instead of {expected}"));
        }
    }
    fields.ignore(others);
    fields.end()
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Closed => "SCTP_CLOSED",
        State::CookieWait => "SCTP_COOKIE_WAIT",
        State::CookieEchoed => "SCTP_COOKIE_ECHOED",
        State::Established => "SCTP_ESTABLISHED",
        State::ShutdownPending => "SCTP_SHUTDOWN_PENDING",
        State::ShutdownSent => "SCTP_SHUTDOWN_SENT",
        State::ShutdownReceived => "SCTP_SHUTDOWN_RECEIVED",
        State::ShutdownAckSent => "SCTP_SHUTDOWN_ACK_SENT",
    }
}

fn status(host: &mut Host, value: &Value) -> Outcome {
    let state = host.state();
    if state == State::Closed {
        return Ok(Err(Errno("EINVAL")));
    }
    let association = host.association();
    let stats = association.stats();
    let known = [
        ("sstat_rwnd", i64::from(stats.peer_receive_window)),
        ("sstat_instrms", i64::from(association.inbound_streams())),
        ("sstat_outstrms", i64::from(association.outbound_streams())),
    ];
    let mut fields = Fields::of(value)?;
    match fields.get("sstat_state") {
        None | Some(Value::Any) => {}
        Some(Value::Words(words)) if words == &[state_name(state)] => {}
        Some(other) => return Err(format!("the state is {} instead of {other:?}", state_name(state))),
    }
    let plain: Vec<_> = fields.fields.iter().filter(|(key, _)| key != "sstat_state").cloned().collect();
    let others = ["sstat_assoc_id", "sstat_unackdata", "sstat_penddata", "sstat_fragmentation_point", "sstat_primary"];
    compare(&Value::Struct(plain), &known, &others)?;
    Ok(Ok(0))
}
