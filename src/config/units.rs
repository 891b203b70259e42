//! Spans of time and amounts of bytes, as configs write them. Knows no keys.

use std::time::Duration;

/// The longest span that makes sense here, in milliseconds: ten years. Deadlines never overflow with it.
const LONGEST: u64 = 3650 * 24 * 3_600_000;

const SPANS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 24 * 3_600_000),
];
const AMOUNTS: [(&str, u64); 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Why a text is no quantity.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnitError {
    /// It is not a whole number with a unit of time.
    #[error(
        "`{0}` is no duration; write a whole number with `ms`, `s`, `m`, `h` or `d`, such as \"90s\""
    )]
    NoDuration(String),
    /// It is zero where that would mean never.
    #[error("`{0}` is no time at all; write one above zero, such as \"10s\"")]
    NoTime(String),
    /// It is longer than anything here can take.
    #[error("`{0}` is too long; write at most \"3650d\"")]
    TooLong(String),
    /// It is not a whole number with a unit of bytes.
    #[error(
        "`{0}` is no size; write a whole number with `B`, `KiB`, `MiB` or `GiB`, such as \"8MiB\""
    )]
    NoSize(String),
}

/// Reads a span of time above zero.
pub(super) fn duration(text: &str) -> Result<Duration, UnitError> {
    match duration_or_zero(text)? {
        Duration::ZERO => Err(UnitError::NoTime(text.to_owned())),
        span => Ok(span),
    }
}

/// Reads a span of time that may be zero.
pub(super) fn duration_or_zero(text: &str) -> Result<Duration, UnitError> {
    let (number, factor) =
        split(text, &SPANS).ok_or_else(|| UnitError::NoDuration(text.to_owned()))?;
    let millis = number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(factor));
    match millis {
        Some(millis) if millis <= LONGEST => Ok(Duration::from_millis(millis)),
        Some(_) | None => Err(UnitError::TooLong(text.to_owned())),
    }
}

/// Reads an amount of bytes.
pub(super) fn size(text: &str) -> Result<u64, UnitError> {
    let no_size = || UnitError::NoSize(text.to_owned());
    let (number, factor) = split(text, &AMOUNTS).ok_or_else(no_size)?;
    let bytes = number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(factor));
    bytes.ok_or_else(no_size)
}

/// The digits of `text` and what its unit stands for.
fn split<'a>(text: &'a str, units: &[(&str, u64)]) -> Option<(&'a str, u64)> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    (!number.is_empty()).then_some((number, *factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_units_of_time_are_read() {
        let cases = [
            ("500ms", 500),
            ("90s", 90_000),
            ("15m", 900_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
        ];
        for (text, millis) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(duration_or_zero("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn all_units_of_size_are_read() {
        let cases = [
            ("1B", 1),
            ("32KiB", 32_768),
            ("8MiB", 8_388_608),
            ("1GiB", 1 << 30),
            ("0B", 0),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_says_what_one_is() {
        for text in [
            "", "10", "s", "-1s", "+1s", "1.5h", "10 s", "1w", "1S", "1h30m", "１s",
        ] {
            let error = duration(text).unwrap_err();
            assert_eq!(error, UnitError::NoDuration(text.to_owned()), "{text}");
        }
        for text in [
            "",
            "0",
            "8MB",
            "8mib",
            "-1B",
            "1.5MiB",
            "99999999999999999999B",
            "99999999999GiB",
        ] {
            assert_eq!(
                size(text),
                Err(UnitError::NoSize(text.to_owned())),
                "{text}"
            );
        }
        assert_eq!(duration("0m"), Err(UnitError::NoTime("0m".to_owned())));
        for text in ["3651d", "99999999999999999999d", "999999999999999999d"] {
            assert_eq!(
                duration(text),
                Err(UnitError::TooLong(text.to_owned())),
                "{text}"
            );
        }
    }
}
