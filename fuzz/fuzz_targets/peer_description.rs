#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::peer_description`.

wigwag_fuzz::target!(peer_description);
