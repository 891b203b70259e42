//! How the cost of a request grows with the routes of the config. Every route is hit as often as every other, so that
//! none is special.

use std::fmt::Write;

use super::kind::{Line, Panel};
use super::results::Found;
use super::run::Choice;
use crate::stage::{Asking, Counter, Place, Setup, Subject, WXGATE, Way, measure as measure_once};

const COUNTS: [u64; 4] = [1, 10, 100, 1000];
const CONNECTIONS: u32 = 64;
/// Requests a second.
const RATE: u32 = 2000;
/// Every third route is for one path alone.
const EXACT: u64 = 1;
/// Every third is for all that goes to a host of its own, and the others are for all below a path.
const OF_HOST: u64 = 2;
/// How many hosts these others share.
const HOSTS: u64 = 8;

pub(super) fn measure(place: &Place, choice: &Choice) -> anyhow::Result<Vec<Found>> {
    let mut found = count(place, choice)?;
    let setups = COUNTS.map(setup);
    let running = setups.iter().map(|setup| place.start(setup));
    let running = running.collect::<anyhow::Result<Vec<_>>>()?;
    let asking = Asking {
        path: "",
        body_bytes: 0,
        connections: CONNECTIONS,
        rate: Some(RATE),
        way: Way::Kept,
    };
    for _ in 0..choice.rounds.count {
        for (&size, running) in COUNTS.iter().zip(&running) {
            let once = measure_once(place, running, asking, choice.rounds.spans())?;
            let point = Found {
                panel: Panel::RoutesCpu,
                line: Line::Wxgate,
                size,
                figure: once.cpu_us,
                is_valid: once.is_valid,
            };
            found.push(point.said()?);
        }
    }
    Ok(found)
}

fn count(place: &Place, choice: &Choice) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for size in COUNTS {
        let running = place.start(&Setup {
            is_counted: true,
            ..setup(size)
        })?;
        let mut counter = Counter::begin(place, &running)?;
        for _ in 0..choice.rounds.count {
            let point = Found {
                panel: Panel::RoutesInstructions,
                line: Line::Wxgate,
                size,
                figure: counter.count(choice.counted)?,
                is_valid: true,
            };
            found.push(point.said()?);
        }
    }
    Ok(found)
}

/// wxgate with so many routes to the backend, and requests for each of them in turn.
fn setup(routes: u64) -> Setup {
    Setup {
        wxgate: config(routes),
        targets: (0..routes).map(target).collect(),
        ..Setup::of(Subject::Wxgate)
    }
}

/// The usual config with a login and these routes instead of its own.
fn config(routes: u64) -> String {
    let before = WXGATE.split("[[routes]]").next().unwrap_or_default();
    let mut config = format!("{before}[[routes]]\npath = \"/wx/login\"\naction = \"login\"\n");
    for number in 0..routes {
        let (host, path) = target(number);
        let path = match number % 3 {
            EXACT => path,
            OF_HOST => "/*".to_owned(),
            _ => format!("{}/*", area(number)),
        };
        // Writing to a String does not fail.
        let _ = write!(
            config,
            "\n[[routes]]\nhosts = [\"{host}\"]\npath = \"{path}\"\nupstream = \"php\"\n"
        );
    }
    config
}

/// A host and a path that one route has.
fn target(number: u64) -> (String, String) {
    let host = match number % 3 {
        OF_HOST => number + HOSTS,
        _ => number % HOSTS,
    };
    let host = format!("shop-{host:04}.example.com");
    (host, format!("{}/bytes/1024", area(number)))
}

fn area(number: u64) -> String {
    format!("/shops/{:02}/area-{number:04}", number % 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_routes_as_asked_for_beside_the_login() {
        for count in [1, 10, 1000] {
            let config = config(count);
            let routes = u64::try_from(config.matches("[[routes]]").count()).unwrap();
            assert_eq!(routes, count + 1);
        }
        let config = config(10);
        for route in [
            "shop-0000.example.com\"]\npath = \"/shops/00/area-0000/*\"",
            "shop-0001.example.com\"]\npath = \"/shops/01/area-0001/bytes/1024\"",
            "shop-0010.example.com\"]\npath = \"/*\"",
        ] {
            assert!(config.contains(route), "{config}");
        }
    }
}
