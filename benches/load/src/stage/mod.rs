//! Where measurements take place: the subjects and both ends as processes on cores of their own, and what one
//! measurement finds. Knows nothing of why it is made.

mod count;
mod hold;
mod log_in;
mod machine;
mod measure;
mod options;
mod output;
mod place;
mod process;
mod setup;
mod spread;
mod subject;

pub use self::options::{Options, Rounds};
pub use self::place::{Cores, Place};
pub use self::subject::Subject;

pub(crate) use self::count::Counter;
pub(crate) use self::hold::{Activity, memory_of_connections};
pub(crate) use self::machine::Machine;
pub(crate) use self::measure::{Asking, Measurement, Spans, Way, measure};
pub(crate) use self::place::Running;
pub(crate) use self::process::{Process, Said, line};
pub(crate) use self::setup::Setup;
pub(crate) use self::spread::Spread;
pub(crate) use self::subject::WXGATE;
