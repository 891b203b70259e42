//! What to tell someone who wrote a word that is not known. Knows no words itself.

/// How far a word may be from the one that was meant: one slip in three letters.
const LETTERS_PER_SLIP: usize = 3;

/// Says which of `known` was probably meant, and lists them: `did you mean …? There are …`.
pub(super) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.into_iter().collect();
    let list = listed(&known);
    match nearest(word, &known) {
        Some(meant) => format!("did you mean `{meant}`? There {list}"),
        None => format!("there {list}"),
    }
}

fn listed(known: &[&str]) -> String {
    match known {
        [] => "is none".to_owned(),
        [only] => format!("is only `{only}`"),
        [first @ .., last] => format!("are `{}` and `{last}`", first.join("`, `")),
    }
}

fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distances = known.iter().map(|known| {
        (
            strsim::damerau_levenshtein(&word, &known.to_lowercase()),
            *known,
        )
    });
    let (distance, meant) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= meant.len().div_ceil(LETTERS_PER_SLIP)).then_some(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["listen", "workers"];
        assert_eq!(
            hint("lsiten", known),
            "did you mean `listen`? There are `listen` and `workers`"
        );
        assert_eq!(hint("shop", known), "there are `listen` and `workers`");
        assert_eq!(
            hint("shp", ["shop"]),
            "did you mean `shop`? There is only `shop`"
        );
        assert_eq!(hint("shop", []), "there is none");
    }
}
