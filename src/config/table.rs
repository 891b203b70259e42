//! A table of a config while its keys are taken off one by one. Knows TOML's types, but no keys.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::source::{At, Place, Source};
use super::spelling;

/// What is left of a table.
pub(super) struct Table<'a> {
    source: &'a Source<'a>,
    path: String,
    place: Place,
    left: DeTable<'a>,
    known: Vec<&'static str>,
}

impl<'a> Table<'a> {
    /// Reads a whole file with `fields`, and complains of every key that these do not take.
    pub(super) fn file<T>(
        source: &'a Source<'a>,
        table: DeTable<'a>,
        fields: impl FnOnce(&mut Self) -> T,
    ) -> T {
        Self::read(source, String::new(), Place(0).at(table), fields)
    }

    /// Where the table begins: its header, its brace, or the key that implies it.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// How many keys were not taken yet.
    pub(super) fn len(&self) -> usize {
        self.left.len()
    }

    /// Notes a problem.
    pub(super) fn problem(&self, place: Place, text: &str) {
        self.source.problem(place, text);
    }

    /// What `read` takes for `key`, which must be there.
    pub(super) fn needed<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Option<T>,
    ) -> Option<T> {
        if !self.left.contains_key(key) {
            let text = format!("`{key}` is missing in {}", self.title());
            self.source.missing(self.place, text);
        }
        read(self, key)
    }

    /// A string.
    pub(super) fn text(&mut self, key: &'static str) -> Option<At<String>> {
        self.string(key, "a string")
    }

    /// A string that is to be a duration.
    pub(super) fn duration(&mut self, key: &'static str) -> Option<At<String>> {
        self.string(key, "a duration in quotes, such as \"90s\"")
    }

    /// A string that is to be a size.
    pub(super) fn size(&mut self, key: &'static str) -> Option<At<String>> {
        self.string(key, "a size in quotes, such as \"8MiB\"")
    }

    /// A whole number that is at least `least`.
    pub(super) fn number(&mut self, key: &'static str, least: u64) -> Option<At<u64>> {
        let At { value, place } = self.any(key)?;
        let DeValue::Integer(written) = value else {
            return self.wrong(key, "a whole number", &value, place);
        };
        let number = i64::from_str_radix(written.as_str(), written.radix());
        let Ok(number) = number else {
            let text = format!("`{key}` does not fit into 64 bits; write a smaller number");
            self.source.problem(place, text);
            return None;
        };
        let number = u64::try_from(number).ok().filter(|number| *number >= least);
        if number.is_none() {
            let text = format!("`{key}` must be at least {least}");
            self.source.problem(place, text);
        }
        number.map(|number| place.at(number))
    }

    /// True or false.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.switch(key).map(|flag| flag.value)
    }

    /// The same, and where it stands.
    pub(super) fn switch(&mut self, key: &'static str) -> Option<At<bool>> {
        let At { value, place } = self.any(key)?;
        match value {
            DeValue::Boolean(flag) => Some(place.at(flag)),
            other => self.wrong(key, "true or false", &other, place),
        }
    }

    /// A list of strings.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<At<Vec<At<String>>>> {
        let At { value, place } = self.any(key)?;
        match value {
            DeValue::Array(items) => Some(place.at(self.items(key, items))),
            other => self.wrong(key, "a list of strings", &other, place),
        }
    }

    /// A list of strings that is not empty.
    pub(super) fn some_texts(&mut self, key: &'static str) -> Option<At<Vec<At<String>>>> {
        self.refuse_empty(key);
        self.texts(key)
    }

    /// A string, or a list of them that is not empty.
    pub(super) fn one_or_more(&mut self, key: &'static str) -> Option<At<Vec<At<String>>>> {
        self.refuse_empty(key);
        let At { value, place } = self.any(key)?;
        match value {
            DeValue::String(text) => Some(place.at(vec![place.at(text.into_owned())])),
            DeValue::Array(items) => Some(place.at(self.items(key, items))),
            other => self.wrong(key, "a string or a list of strings", &other, place),
        }
    }

    /// A value, or a list of them that is not empty, each read with `read`.
    pub(super) fn one_or_more_of<T>(
        &mut self,
        key: &'static str,
        read: fn(&Self, &'static str, At<DeValue<'a>>) -> Option<T>,
    ) -> Option<At<Vec<T>>> {
        self.refuse_empty(key);
        let At { value, place } = self.any(key)?;
        let read = |written| read(self, key, written);
        let values = match value {
            DeValue::Array(items) => items.into_iter().map(placed).filter_map(read).collect(),
            one => read(place.at(one)).into_iter().collect(),
        };
        Some(place.at(values))
    }

    /// A value of any type.
    pub(super) fn any(&mut self, key: &'static str) -> Option<At<DeValue<'a>>> {
        self.known.push(key);
        self.left.remove(key).map(placed)
    }

    /// A table, read with `fields`.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        fields: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        let written = self.any(key)?;
        self.open(key, written, fields)
    }

    /// A table or a list of tables, each read with `fields`.
    pub(super) fn one_or_more_tables<T>(
        &mut self,
        key: &'static str,
        fields: fn(&mut Self) -> T,
    ) -> Vec<T> {
        self.refuse_empty(key);
        let Some(At { value, place }) = self.any(key) else {
            return Vec::new();
        };
        match value {
            DeValue::Array(items) => {
                let read = |item| self.open(key, placed(item), fields);
                items.into_iter().filter_map(read).collect()
            }
            one => self.open(key, place.at(one), fields).into_iter().collect(),
        }
    }

    /// A list of tables, each read with `fields`.
    pub(super) fn tables<T>(&mut self, key: &'static str, fields: fn(&mut Self) -> T) -> Vec<T> {
        let Some(At { value, place }) = self.any(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value else {
            let text = format!("`{key}` must be a list of tables; write [[{key}]] above each");
            self.source.problem(place, text);
            return Vec::new();
        };
        let key = format!("[{key}]");
        let read = |item| self.open(&key, placed(item), fields);
        items.into_iter().filter_map(read).collect()
    }

    /// A table of tables whose names are free, each read with `fields`, in the order of the file.
    pub(super) fn named<T>(
        &mut self,
        key: &'static str,
        fields: fn(&mut Self) -> T,
    ) -> Vec<(At<String>, T)> {
        let named = self.table(key, |names| {
            let entries = std::mem::take(&mut names.left).into_iter();
            let read = entries.filter_map(|(name, value)| {
                let name = Place(name.span().start).at(name.into_inner().into_owned());
                let read = names.open(&name.value, placed(value), fields)?;
                Some((name, read))
            });
            read.collect()
        });
        named.unwrap_or_default()
    }

    /// A table of strings whose names are free, in the order of the file.
    pub(super) fn named_texts(&mut self, key: &'static str) -> Vec<(At<String>, At<String>)> {
        let named = self.table(key, |names| {
            let entries = std::mem::take(&mut names.left).into_iter();
            let read = entries.filter_map(|(name, value)| {
                let name = Place(name.span().start).at(name.into_inner().into_owned());
                let At { value, place } = placed(value);
                match value {
                    DeValue::String(text) => Some((name, place.at(text.into_owned()))),
                    other => names.wrong(&name.value, "a string", &other, place),
                }
            });
            read.collect()
        });
        named.unwrap_or_default()
    }

    /// Reads a value that was taken off as the table that it must be.
    pub(super) fn open<T>(
        &self,
        key: &str,
        written: At<DeValue<'a>>,
        fields: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        let At { value, place } = written;
        match value {
            DeValue::Table(table) => {
                let path = self.path_of(key);
                Some(Self::read(self.source, path, place.at(table), fields))
            }
            other => self.wrong(key, "a table", &other, place),
        }
    }

    fn read<T>(
        source: &'a Source<'a>,
        path: String,
        table: At<DeTable<'a>>,
        fields: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mut table = Self {
            source,
            path,
            place: table.place,
            left: table.value,
            known: Vec::new(),
        };
        let read = fields(&mut table);
        table.refuse_the_rest();
        read
    }

    fn refuse_the_rest(self) {
        for key in self.left.keys() {
            let word = key.get_ref();
            let hint = spelling::hint(word, self.known.iter().copied());
            let text = format!("unknown key `{word}` in {}; {hint}", self.title());
            self.source.problem(Place(key.span().start), text);
        }
    }

    fn refuse_empty(&self, key: &str) {
        if let Some(written) = self.left.get(key)
            && let DeValue::Array(items) = written.get_ref()
            && items.is_empty()
        {
            let text = format!("`{key}` is empty; name at least one");
            self.source.problem(Place(written.span().start), text);
        }
    }

    fn string(&mut self, key: &'static str, right: &str) -> Option<At<String>> {
        let At { value, place } = self.any(key)?;
        match value {
            DeValue::String(text) => Some(place.at(text.into_owned())),
            other => self.wrong(key, right, &other, place),
        }
    }

    fn items(&self, key: &str, items: DeArray<'a>) -> Vec<At<String>> {
        let text = |item| {
            let At { value, place } = placed(item);
            match value {
                DeValue::String(text) => Some(place.at(text.into_owned())),
                other => self.wrong(key, "a list of strings", &other, place),
            }
        };
        items.into_iter().filter_map(text).collect()
    }

    fn wrong<T>(&self, key: &str, right: &str, value: &DeValue<'_>, place: Place) -> Option<T> {
        let key = key.trim_matches(BRACKETS);
        let wrong = type_name(value);
        let text = format!("`{key}` must be {right}, not {wrong}");
        self.source.problem(place, text);
        None
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.trim_matches(BRACKETS) {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    fn title(&self) -> String {
        match self.path.as_str() {
            "" => "the file".to_owned(),
            path => format!("[{path}]"),
        }
    }
}

/// What stands around the name of a list of tables.
const BRACKETS: [char; 2] = ['[', ']'];

fn placed(value: Spanned<DeValue<'_>>) -> At<DeValue<'_>> {
    Place(value.span().start).at(value.into_inner())
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
