//! No header passes that a backend could take for one of the gateway's, and none that ends at this hop.

use http::HeaderName;
use wxgate::domain::managed_names::ManagedNames;

/// What the gateway says itself, in the words of a config.
const OWN: [&str; 4] = ["x-openid", "x-unionid", "x-appid", "x-user-role"];
/// What else must not pass, as CGI would name it.
const NEVER: [&str; 19] = [
    "HTTP_X_OPENID",
    "HTTP_X_UNIONID",
    "HTTP_X_APPID",
    "HTTP_X_USER_ID",
    "HTTP_X_USER_ROLE",
    "HTTP_X_WX_OPENID",
    "HTTP_FORWARDED",
    "HTTP_X_REAL_IP",
    "HTTP_X_REQUEST_ID",
    "HTTP_X_ORIGINAL_URL",
    "HTTP_X_REWRITE_URL",
    "HTTP_PROXY",
    "HTTP_CONNECTION",
    "HTTP_KEEP_ALIVE",
    "HTTP_TE",
    "HTTP_TRAILER",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_UPGRADE",
    "HTTP_X_WXGATE_EVENT",
];

/// The first line of an input is a value of `Connection`, each other the name of a header.
pub(super) fn holds(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let connection = lines.next().unwrap_or_default();
    let managed = ManagedNames::of_clients(OWN.map(HeaderName::from_static));
    let sieve = managed.sieve([connection]);
    let listed: Vec<_> = connection
        .split(|byte| *byte == b',')
        .map(|option| option.trim_ascii().to_ascii_lowercase())
        .collect();
    for line in lines {
        let Ok(name) = HeaderName::from_bytes(line) else {
            continue;
        };
        let name = name.as_str();
        let variable = as_cgi(name);
        let is_managed = NEVER.contains(&&*variable)
            || variable == "HTTP_X_FORWARDED"
            || variable.starts_with("HTTP_X_FORWARDED_");
        assert!(!(is_managed && sieve.passes(name.as_bytes())), "{name}");
        let stays = ["host", "close", "keep-alive"];
        let is_listed =
            listed.iter().any(|option| option == name.as_bytes()) && !stays.contains(&name);
        assert!(!(is_listed && sieve.passes(name.as_bytes())), "{name}");
        // Whether a name passes is the same for all that are one to a backend, but for what the connection names.
        if !is_listed {
            let twin = name.replace(['_', '.'], "-");
            let is_twin_listed = listed.iter().any(|option| option == twin.as_bytes());
            assert!(
                is_twin_listed || sieve.passes(name.as_bytes()) == sieve.passes(twin.as_bytes()),
                "{name}"
            );
        }
    }
}

/// The variable in which CGI tells a header.
fn as_cgi(name: &str) -> String {
    let letter = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' => letter.to_ascii_uppercase(),
        _ => '_',
    };
    format!("HTTP_{}", name.chars().map(letter).collect::<String>())
}
