//! The comparison: every subject between two measurements of the reference, in one run, on cores of their own. Knows
//! nothing of how requests are sent.
//!
//! The proxy has one core for itself; the generator, the backend and the service that peers ask about sessions share
//! another. What a request costs is the CPU time of the proxy's processes over the answers in the window.

mod case;
mod chart;
mod results;
mod run;
mod table;

pub use self::case::Case;
pub use self::results::Results;
pub use self::run::{Choice, run};
