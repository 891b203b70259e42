//! What the API says of sessions, for people. Knows nothing of where it comes from.

use std::fmt::Write;

use serde_json::Value;

use super::api::text;

/// The columns of a table, each with the member that it shows.
const COLUMNS: [(&str, &str); 5] = [
    ("ID", "id"),
    ("APP", "app"),
    ("OPENID", "openid"),
    ("LAST USED", "last_used"),
    ("EXPIRES", "expires"),
];

/// A page of sessions, with what leads to the next.
pub(super) fn page(page: &Value) -> String {
    let rows = page.get("sessions").and_then(Value::as_array);
    let rows = rows.map(Vec::as_slice);
    let rows = rows.unwrap_or_default();
    if rows.is_empty() {
        return "no sessions\n".to_owned();
    }
    let widths = COLUMNS.map(|(head, member)| {
        let texts = rows.iter().map(|row| text(row, member).len());
        texts.max().unwrap_or_default().max(head.len())
    });
    let mut table = line(COLUMNS.map(|(head, _)| head), widths);
    for row in rows {
        table += &line(COLUMNS.map(|(_, member)| text(row, member)), widths);
    }
    let next = text(page, "next");
    if !next.is_empty() {
        // Nothing that is written into a string fails.
        let _ = writeln!(table, "there are more: --cursor {next}");
    }
    table
}

/// One session, a line for each thing that is known of it.
pub(super) fn row(row: &Value) -> String {
    let members = row.as_object().into_iter().flatten();
    let mut lines = String::new();
    for (name, value) in members {
        let value = value.as_str().unwrap_or("-");
        let name = name.replace('_', " ");
        let _ = writeln!(lines, "{name:<10} {}", tamed(value));
    }
    lines
}

/// How many sessions were ended.
pub(super) fn revoked(answer: &Value) -> String {
    match answer.get("revoked").and_then(Value::as_u64) {
        Some(1) => "1 session was ended\n".to_owned(),
        count => format!("{} sessions were ended\n", count.unwrap_or_default()),
    }
}

fn line<const N: usize>(texts: [&str; N], widths: [usize; N]) -> String {
    let mut line = String::new();
    for (text, width) in texts.into_iter().zip(widths) {
        let _ = write!(line, "{:<width$}  ", tamed(text));
    }
    line.truncate(line.trim_end().len());
    line + "\n"
}

/// What a terminal would obey is not shown to it, whoever answers.
fn tamed(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_is_a_table_that_says_what_leads_to_more() {
        let session = json!({"id": "0f", "app": "shop", "openid": "oAlice", "unionid": null,
            "last_used": "2026-01-02T03:04:05Z", "expires": "2026-01-09T03:04:05Z"});
        let shown = page(&json!({"sessions": [session], "next": "abc"}));
        let expected = "\
ID  APP   OPENID  LAST USED             EXPIRES
0f  shop  oAlice  2026-01-02T03:04:05Z  2026-01-09T03:04:05Z
there are more: --cursor abc
";
        assert_eq!(shown, expected);
        assert_eq!(
            page(&json!({"sessions": [], "next": null})),
            "no sessions\n"
        );
        let shown = row(&session);
        assert!(
            shown.starts_with("id         0f\napp        shop\n"),
            "{shown}"
        );
        assert!(shown.contains("\nunionid    -\nlast used  2026"), "{shown}");
    }

    #[test]
    fn what_was_ended_is_counted() {
        assert_eq!(revoked(&json!({"revoked": 1})), "1 session was ended\n");
        assert_eq!(revoked(&json!({"revoked": 0})), "0 sessions were ended\n");
    }

    #[test]
    fn whatever_answers_moves_no_cursor_of_a_terminal() {
        let shown = row(&json!({"openid": "\u{1b}[2Jx\n"}));
        assert_eq!(shown, "openid     ?[2Jx?\n");
        assert_eq!(page(&json!([1])), "no sessions\n");
        assert_eq!(row(&json!(7)), "");
    }
}
