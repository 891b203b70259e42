//! The words of the gateway as types: what a request, a session and a rule are. Knows neither sockets nor files.

pub mod app_choice;
pub mod byte_set;
pub mod call_path;
pub mod clock;
pub mod cors;
pub mod encryption_key;
pub mod field_name;
pub mod front;
pub mod header_edits;
pub mod header_text;
pub mod host;
pub mod host_pattern;
pub mod identity;
pub mod inline_text;
pub mod login_code;
pub mod managed_names;
pub mod path;
pub mod peer;
pub mod phone_code;
pub mod prefix;
pub mod refusal;
pub mod route;
pub mod secret;
pub mod session;
pub mod template;
pub mod token;
