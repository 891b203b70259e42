//! The host of a rule. Knows nothing of what the rule asks beside it.

use std::net::Ipv6Addr;

/// The host of a rule: one name, or all names below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This name alone, in lower case.
    Exact(String),
    /// All names below this one, in lower case, as `*.example.org` writes it.
    Below(String),
}

/// A text that is no host of a rule.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host; write \"api.example.com\" or \"*.example.com\", without a port")]
pub struct HostPatternError(String);

impl HostPattern {
    /// Reads `"name"` or `"*.name"`.
    ///
    /// # Errors
    ///
    /// It is neither.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        let lower = text.to_ascii_lowercase();
        let (name, is_below) = match lower.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (lower.as_str(), false),
        };
        if !(is_name(name) || (!is_below && is_ipv6(name))) {
            return Err(HostPatternError(text.to_owned()));
        }
        let name = name.to_owned();
        Ok(if is_below {
            Self::Below(name)
        } else {
            Self::Exact(name)
        })
    }
}

/// Whether a request can name this host: one that none can would leave its rule to a wider one.
fn is_name(host: &str) -> bool {
    let is_clean = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    let mut labels = host.split('.');
    labels.all(|label| !label.is_empty() && label.bytes().all(is_clean))
}

fn is_ipv6(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}
