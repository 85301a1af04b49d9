#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::mdns_host`.

wigwag_fuzz::target!(mdns_host);
