//! What must hold for every input of what reads the words of clients and proxies. Each target is an ordinary test over its
//! corpus and inputs made of it; `cargo bolero test NAME` gives it to a fuzzer.

mod fastcgi;
mod head;
mod names;
mod path;
mod proxy_protocol;
mod tokens;

/// A target: a corpus below `__fuzz__`, and what must hold.
macro_rules! targets {
    ($($name:ident: $holds:path;)*) => {$(
        #[test]
        fn $name() {
            let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/targets/__fuzz__/", stringify!($name), "/corpus");
            wxgate_fuzz::search(std::path::Path::new(corpus), $holds);
            bolero::check!(name = stringify!($name)).with_iterations(1000).for_each($holds);
        }
    )*};
}

targets! {
    path: path::holds;
    names: names::holds;
    head: head::holds;
    tokens: tokens::holds;
    proxy_protocol: proxy_protocol::holds;
    fastcgi: fastcgi::holds;
}
