//! Legal other choices: settings under which the broker behaves differently and still conforms.

/// A legal variant of the broker. A conformance suite must pass on it as on the default.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// Its name: kebab-case.
    pub id: &'static str,
    /// What is different, in a sentence.
    pub what: &'static str,
    /// The ruling that allows it.
    pub ruling: &'static str,
    /// The settings that make it, for [`Config::set`](super::Config::set).
    pub settings: &'static [(&'static str, &'static str)],
}

/// Every variant.
pub fn variants() -> &'static [Variant] {
    &[]
}
