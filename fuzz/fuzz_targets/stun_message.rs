#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::stun_message`.

wigwag_fuzz::target!(stun_message);
