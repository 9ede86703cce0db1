//! Lists the files of `queries/` so that `rules::embedded` can carry them in the binary.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo:rerun-if-changed={}", dir.display());
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|e| e == "sql" || e == "yaml" || e == "lock")
        {
            files.push(path);
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    // Relative to this package, where build scripts run: a target folder may serve several checkouts.
    let root = PathBuf::from("../../queries");
    let mut files = Vec::new();
    walk(&root, &mut files)?;
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let name = file
            .strip_prefix(&root)
            .map_err(io::Error::other)?
            .to_string_lossy()
            .replace('\\', "/");
        let text = fs::read_to_string(file)?;
        writeln!(list, "    ({name:?}, {text:?}),").map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?).join("queries.rs");
    if fs::read_to_string(&out).ok().as_deref() != Some(&list) {
        fs::write(out, list)?;
    }
    Ok(())
}
