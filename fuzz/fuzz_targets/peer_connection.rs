#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::peer_connection`.

wigwag_fuzz::target!(peer_connection);
