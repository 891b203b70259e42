//! `[limits]`.

use std::time::Duration;

use super::{check, plan};
use crate::config::plan::CrowdPlan;

#[test]
fn nothing_is_limited_unless_the_config_says_so() {
    let limits = plan("").limits;
    assert_eq!(limits.requests_per_address, None);
    assert_eq!(limits.requests_per_user, None);
    assert_eq!(limits.logins_per_address, None);
    assert_eq!(limits.capacity, 100_000);
}

#[test]
fn a_rate_has_a_time_for_each_and_a_number_at_once() {
    let written = [
        ("20/s", 50_000_000, 20),
        ("600/m burst 30", 100_000_000, 30),
        ("1/h", 3_600_000_000_000, 1),
        ("1000000/s burst 1", 1000, 1),
    ];
    for (text, nanos, burst) in written {
        let limits = plan(&format!("[limits]\nrequests_per_user = \"{text}\"")).limits;
        let rate = limits.requests_per_user.unwrap();
        let meant = (Duration::from_nanos(nanos), burst);
        assert_eq!((rate.every, rate.burst.get()), meant, "{text}");
    }
}

#[test]
fn an_upstream_has_room_for_everyone_unless_the_config_says_so() {
    let crowd = |more: &str| {
        let upstream = "[upstreams.php]\nservers = [\"http://10.0.0.1\"]\n";
        plan(&format!("{upstream}{more}")).upstreams[0].crowd
    };
    let meant = |max_requests, queue| {
        Some(CrowdPlan {
            max_requests,
            queue,
        })
    };
    assert_eq!(crowd(""), None);
    assert_eq!(crowd("max_requests = 5"), meant(5, 5));
    assert_eq!(crowd("max_requests = 5\nqueue = 0"), meant(5, 0));
    let problem = "3:9: `queue` is for requests beyond `max_requests`; write that as well";
    let config = "[upstreams.php]\nservers = [\"http://10.0.0.1\"]\nqueue = 5";
    check(&[(config, problem)]);
}

#[test]
fn what_is_no_rate_says_what_one_is() {
    for text in [
        "",
        "20",
        "20/",
        "/s",
        "20/d",
        "0/s",
        "+1/s",
        "1.5/s",
        "20/s burst",
        "20/s burst 0",
        "20 /s",
        "1000001/s",
        "20/s burst 1000001",
        "20/s  burst 2",
    ] {
        let config = format!("[limits]\nlogins_per_address = \"{text}\"");
        let problem = format!(
            "2:22: `{text}` is no rate; write \"20/s\", \"600/m\" or \"1000/h\", or \"20/s burst 50\" for 50 at once; \
             both numbers from 1 to 1000000"
        );
        check(&[(&config, &problem)]);
    }
}
