//! `a=ice-options` and `a=ice-pwd` (RFC 8839 §5.4, §5.6).

use super::Value;
use crate::error::Expected;
use std::fmt;

/// Names of extensions of ICE between spaces, as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceOptions(pub String);

impl IceOptions {
    /// Whether the name is among them. Commas are read as spaces: libdatachannel writes `ice2,trickle`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.split([' ', ',']).any(|option| option == name)
    }
}

impl Value for IceOptions {
    fn parse(value: &str) -> Result<Self, Expected> {
        Ok(Self(value.to_owned()))
    }
}

impl fmt::Display for IceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The password of ICE. It is printed where descriptions are, and not by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct IcePwd(pub String);

impl Value for IcePwd {
    fn parse(value: &str) -> Result<Self, Expected> {
        String::parse(value).map(Self)
    }
}

impl fmt::Display for IcePwd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IcePwd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IcePwd(…)")
    }
}
