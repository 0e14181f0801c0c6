//! `assay index`

use std::path::PathBuf;

use clap::Args;

use crate::evidence::write_whole;
use crate::index::gather::gather;
use crate::index::html::html;
use crate::index::markdown::markdown;
use crate::index::{HTML, MARKDOWN};

use super::{HARNESS, USAGE, complain, print};

/// Arguments of `index`.
#[derive(Debug, Args)]
pub struct IndexArguments {
    /// Where certificates are, as DIR/BROKER/VERSION
    #[arg(value_name = "DIR", default_value = "reports")]
    folder: PathBuf,
}

/// `assay index`
pub fn index(arguments: &IndexArguments) -> u8 {
    let certificates = match gather(&arguments.folder) {
        Ok(certificates) => certificates,
        Err(errors) => {
            for error in errors {
                complain(&format!("error: {}", error.trim_end()));
            }
            return USAGE;
        }
    };
    for (name, text) in [(MARKDOWN, markdown(&certificates)), (HTML, html(&certificates))] {
        let path = arguments.folder.join(name);
        if let Err(error) = write_whole(&path, text.as_bytes()) {
            complain(&format!("error: cannot write {}: {error}", path.display()));
            return HARNESS;
        }
        print(&format!("{}: {} certificates", path.display(), certificates.len()));
    }
    0
}
