//! Which route a request hits, by example and by property.

use percent_encoding::percent_decode;
use proptest::prelude::*;

use super::*;

fn pattern(path: &str, hosts: &[&str], methods: &[&str]) -> RoutePattern {
    RoutePattern {
        path: PathPattern::parse(path).unwrap(),
        hosts: hosts
            .iter()
            .map(|host| HostPattern::parse(host).unwrap())
            .collect(),
        methods: methods
            .iter()
            .map(|method| method.parse().unwrap())
            .collect(),
    }
}

fn find(table: &RouteTable, path: &str, host: &str, method: &str) -> Result<usize, NoRoute> {
    table.find(
        &RequestPath::parse(path).unwrap(),
        host,
        &method.parse().unwrap(),
    )
}

#[test]
fn the_most_specific_rule_wins_whatever_its_place() {
    let rules = [
        pattern("/*", &[], &[]),
        pattern("/a/*", &[], &[]),
        pattern("/a/b", &[], &[]),
        pattern("/a/*", &["x.org"], &[]),
        pattern("/a/*", &["*.x.org"], &[]),
        pattern("/a/*", &["x.org"], &["PUT"]),
        pattern("/a/*", &[], &["PUT"]),
    ];
    let table = RouteTable::new(&rules).unwrap();
    let cases = [
        ("/", "h", "GET", 0),
        ("/ab", "h", "GET", 0),
        ("/a", "h", "GET", 1),
        ("/a/", "h", "GET", 1),
        ("/a/c/d", "h", "GET", 1),
        ("/a/b", "x.org", "PUT", 2),
        ("/a/c", "X.ORG", "GET", 3),
        ("/a/c", "deep.y.x.org", "PUT", 4),
        ("/a/c", "x.org", "PUT", 5),
        ("/a/c", "h", "PUT", 6),
    ];
    for (path, host, method, index) in cases {
        assert_eq!(
            find(&table, path, host, method),
            Ok(index),
            "{method} {host}{path}"
        );
    }
}

#[test]
fn where_only_the_method_is_in_the_way_the_others_are_told() {
    let table = RouteTable::new(&[pattern("/a", &[], &["GET", "POST"])]).unwrap();
    let allowed = vec![Method::GET, Method::POST];
    assert_eq!(
        find(&table, "/a", "h", "PUT"),
        Err(NoRoute::Method(allowed))
    );
    assert_eq!(find(&table, "/b", "h", "PUT"), Err(NoRoute::NotFound));
}

#[test]
fn equally_specific_rules_are_a_conflict() {
    let rules = [
        pattern("/a", &["x.org", "y.org"], &[]),
        pattern("/a", &["y.org"], &[]),
        pattern("/a", &["y.org"], &["GET"]),
        pattern("/a", &["z.org"], &[]),
        pattern("/%61", &["Z.org"], &[]),
    ];
    let conflicts = RouteTable::new(&rules).unwrap_err();
    assert_eq!(
        conflicts,
        [
            RouteConflict {
                first: 0,
                second: 1
            },
            RouteConflict {
                first: 3,
                second: 4
            }
        ]
    );
}

#[test]
fn a_rule_sees_through_percent_encoding() {
    let rules = [pattern("/*", &[], &[]), pattern("/a(b)/用/*", &[], &[])];
    let table = RouteTable::new(&rules).unwrap();
    assert_eq!(find(&table, "/%61%28b)/%e7%94%a8/x", "h", "GET"), Ok(1));
}

#[test]
fn a_closed_path_leads_nowhere_however_it_is_spelled() {
    let rules = [
        pattern("/*", &[], &[]),
        pattern("/in/wx", &["x.org"], &["POST"]),
        pattern("/in/wx/a", &[], &[]),
    ];
    let closed = vec![CallPath::parse("/in/wx").unwrap()];
    let table = RouteTable::new(&rules).unwrap().closed_at(closed);
    for path in [
        "/in/wx",
        "/in/wx/",
        "/in/wx/a",
        "/in/w%78",
        "/IN/wX",
        "/in/wx;v=1",
        "/in;v=1/wx",
        "/in/wx%3Bv",
        "/in/wx;/a",
    ] {
        let found = find(&table, path, "x.org", "POST");
        assert_eq!(found, Err(NoRoute::Closed), "{path}");
    }
    for path in ["/in", "/in/wxy", "/in/w", "/wx"] {
        assert_eq!(find(&table, path, "x.org", "POST"), Ok(0), "{path}");
    }
}

#[test]
fn path_parameters_that_lead_to_another_rule_are_ambiguous() {
    let rules = [pattern("/*", &[], &[]), pattern("/admin/*", &[], &[])];
    let table = RouteTable::new(&rules).unwrap();
    for path in ["/admin;a=b/x", "/admin;/x", "/admin%3Ba/x", "/admin;x"] {
        assert_eq!(
            find(&table, path, "h", "GET"),
            Err(NoRoute::Ambiguous),
            "{path}"
        );
    }
    assert_eq!(find(&table, "/admin/x;v=1", "h", "GET"), Ok(1));
    assert_eq!(find(&table, "/page;jsessionid=1", "h", "GET"), Ok(0));
}

#[test]
fn what_is_no_pattern_says_why() {
    let path = |text| PathPattern::parse(text).unwrap_err().to_string();
    assert!(path("/a*").contains("only at the end"));
    assert!(path("/*/a").contains("only at the end"));
    assert!(path("/a?b").contains("neither query"));
    assert!(path("/a%3Bb").contains("nor parameters"));
    assert!(path("a").contains("does not start with a slash"));
    assert!(path("/a/../b").contains("dot segment"));
    assert!(path("/a//*").contains("empty segment"));
    assert!(
        HostPattern::parse("a:80")
            .unwrap_err()
            .to_string()
            .contains("without a port")
    );
}

#[test]
fn a_host_that_no_request_can_name_is_no_pattern() {
    for host in [
        "", ".", "a.cn.", "a..cn", ".a.cn", "*.", "*.[::1]", "[]", "[a.cn]", "[::1",
    ] {
        let error = HostPattern::parse(host).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("`{host}` is no host")),
            "{error}"
        );
    }
    for host in ["a.cn", "*.a.cn", "a_b", "10.0.0.1", "[::1]"] {
        HostPattern::parse(host).unwrap();
    }
}

/// The paths that a backend could take a sent path for.
fn readings(sent: &str) -> [Vec<u8>; 4] {
    let without = |path: &[u8]| {
        let segments = path.split(|b| *b == b'/');
        let names: Vec<_> = segments
            .map(|segment| segment.split(|b| *b == b';').next().unwrap())
            .collect();
        names.join(&b'/')
    };
    let decoded = |path: &[u8]| percent_decode(path).collect::<Vec<_>>();
    let sent = sent.as_bytes();
    [
        decoded(sent),
        decoded(&decoded(sent)),
        without(&decoded(sent)),
        decoded(&without(sent)),
    ]
}

/// One to three of these segments, each behind a slash.
fn segments(of: &[&'static str]) -> impl Strategy<Value = String> {
    let segments = prop::collection::vec(prop::sample::select(of.to_vec()), 1..4);
    segments.prop_map(|segments| format!("/{}", segments.join("/")))
}

fn some_patterns() -> impl Strategy<Value = Vec<RoutePattern>> {
    let path = segments(&["a", "b", "%61b", "a%3Bb", "b%20c", "%25", "用", "*"]);
    let methods = prop::sample::select(vec![&[][..], &["GET"], &["PUT"]]);
    let rule = (path, methods).prop_map(|(path, methods)| {
        let is_pattern = PathPattern::parse(&path).is_ok();
        is_pattern.then(|| pattern(&path, &[], methods))
    });
    prop::collection::vec(rule, 1..6).prop_map(|rules| {
        let rules = rules.into_iter().flatten();
        rules.chain([pattern("/*", &[], &[])]).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_reading_of_what_is_sent_falls_under_another_rule(
        patterns in some_patterns(),
        raw in segments(&[
            "a", "b", "ab", "%61%62", "a;b", "a%3Bb", "a%3bb;c", "a;b%3Bc", ";", "", "b%20c", "%25", "%2561", "a%2fb",
            "a%5cb", "..", "%2e", "..;", "%e7%94%a8", "用", "%c0%af",
        ]),
    ) {
        if let (Ok(table), Ok(path)) = (RouteTable::new(&patterns), RequestPath::parse(&raw)) {
            let found = table.find(&path, "h", &Method::GET);
            if found.is_ok() {
                let again = RequestPath::parse(path.sent()).unwrap();
                prop_assert_eq!(&table.find(&again, "h", &Method::GET), &found);
                for reading in readings(path.sent()) {
                    let other = table.find_path(&reading, "h", &Method::GET);
                    prop_assert_eq!(&other, &found, "{} as {}", path.sent(), reading.escape_ascii());
                }
            }
        }
    }
}
