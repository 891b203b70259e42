//! How the simulator answers each of its APIs. Knows nothing of HTTP.

use std::collections::VecDeque;

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// code2Session.
    Login,
    /// `stable_token`.
    AccessToken,
    /// checksession.
    SessionKey,
    /// getuserphonenumber.
    PhoneNumber,
}

/// One way to answer a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// As WeChat does.
    #[default]
    Normal,
    /// With errcode -1; the code stays good.
    Busy,
    /// With errcode 45011; the code stays good.
    RateLimited,
    /// With any errcode; the code stays good.
    Errcode(i64),
    /// As WeChat does, but only after [`Simulator::release`](super::Simulator::release).
    Held,
    /// Never; the connection stays open.
    Hang,
    /// Not at all: the connection is reset.
    Reset,
    /// With a page of HTML under 200, as captive portals do.
    Html,
    /// With the first half of a true answer.
    HalfJson,
    /// With an empty body under 200.
    Nothing,
    /// With a true answer and 64 MiB of white space behind it.
    Huge,
    /// With this status and a body that is no JSON.
    Status(u16),
    /// With a redirect to this address.
    Redirect(String),
    /// With this body under 200.
    Body(String),
}

/// The answers that are arranged for the calls to come.
#[derive(Debug, Default)]
pub(super) struct Script {
    next: VecDeque<(usize, Behaviour)>,
    standing: Behaviour,
}

impl Script {
    /// Answers all calls from now on with `behaviour`.
    pub(super) fn stand(&mut self, behaviour: Behaviour) {
        self.next.clear();
        self.standing = behaviour;
    }

    /// Answers `count` calls with `behaviour`, after those that were arranged before.
    pub(super) fn insert(&mut self, count: usize, behaviour: Behaviour) {
        self.next.push_back((count, behaviour));
    }

    /// Takes the answer for one call.
    pub(super) fn next(&mut self) -> Behaviour {
        while let Some((left, behaviour)) = self.next.front_mut() {
            if let Some(fewer) = left.checked_sub(1) {
                *left = fewer;
                return behaviour.clone();
            }
            self.next.pop_front();
        }
        self.standing.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_arranged_for_some_calls_comes_first_and_then_what_stands() {
        let mut script = Script::default();
        script.stand(Behaviour::Hang);
        script.insert(2, Behaviour::Busy);
        script.insert(0, Behaviour::Huge);
        script.insert(1, Behaviour::Normal);
        let answers: Vec<_> = (0..5).map(|_| script.next()).collect();
        assert_eq!(
            answers,
            [
                Behaviour::Busy,
                Behaviour::Busy,
                Behaviour::Normal,
                Behaviour::Hang,
                Behaviour::Hang,
            ]
        );
    }
}
