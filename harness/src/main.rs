//! The `assay` command.
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match assay::scenario::Suite::load(std::path::Path::new("scenarios"), &args) {
        Ok(suite) => println!("{} files, {} scenarios", suite.files.len(), suite.scenarios().count()),
        Err(error) => println!("{error}"),
    }
}
