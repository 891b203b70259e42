//! What the config changes of a request on its way, and what it does not touch.

mod host;
