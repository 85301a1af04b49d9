//! RE-CONFIG (RFC 6525 §3.1). Its parameters are in `parameter`.

use super::kind;
use crate::wire::put_framed_list;

pub(crate) fn write_reconfig(out: &mut Vec<u8>, parameters: impl FnOnce(&mut Vec<u8>) -> usize) {
    put_framed_list([kind::RECONFIG, 0], out, parameters);
}
