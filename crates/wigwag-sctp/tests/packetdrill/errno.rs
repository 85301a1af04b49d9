//! The errors that calls end with.

/// One of them, by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Errno(pub(crate) &'static str);

const KNOWN: &[&str] = &[
    "EPERM",
    "EINTR",
    "EIO",
    "EBADF",
    "EAGAIN",
    "ENOMEM",
    "EACCES",
    "EFAULT",
    "EINVAL",
    "EPIPE",
    "EWOULDBLOCK",
    "EINPROGRESS",
    "EALREADY",
    "ENOTSOCK",
    "EDESTADDRREQ",
    "EMSGSIZE",
    "EPROTOTYPE",
    "ENOPROTOOPT",
    "EPROTONOSUPPORT",
    "EOPNOTSUPP",
    "EAFNOSUPPORT",
    "EADDRINUSE",
    "EADDRNOTAVAIL",
    "ENETDOWN",
    "ENETUNREACH",
    "ENETRESET",
    "ECONNABORTED",
    "ECONNRESET",
    "ENOBUFS",
    "EISCONN",
    "ENOTCONN",
    "ESHUTDOWN",
    "ETIMEDOUT",
    "ECONNREFUSED",
    "EHOSTDOWN",
    "EHOSTUNREACH",
    "ENOENT",
    "EPROTO",
];

impl Errno {
    /// Whether a script means this one. Some have two names.
    pub(crate) fn is(self, name: &str) -> Result<bool, String> {
        if !KNOWN.contains(&name) {
            return Err(format!("the error {name} is not known"));
        }
        let plain = |name: &str| if name == "EWOULDBLOCK" { "EAGAIN".to_owned() } else { name.to_owned() };
        Ok(plain(self.0) == plain(name))
    }
}

/// Whether a number of SO_ERROR is what the script says: 0 or a name.
pub(crate) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}
