//! Puts the files of `web/` into the program: as they are, compressed, and under a version that changes with any of
//! them.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Bare name of a module that a library imports, and the file of `web/` that stands for it. Browsers resolve no bare
/// names by themselves, and a map of names would have to stand inline in each page.
const BARE_NAMES: [(&str, &str); 1] = [("'vega-util'", "'./vega-util.js'")];

fn main() -> io::Result<()> {
    let web = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../../web").canonicalize()?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    let mut files = Vec::new();
    for folder in [web.clone(), web.join("vendor")] {
        println!("cargo::rerun-if-changed={}", folder.display());
        gather(&folder, &mut files)?;
    }
    files.sort();
    let mut version = Sha256::new();
    let mut table = String::from("&[\n");
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name =
            file.file_name().and_then(|name| name.to_str()).ok_or_else(|| io::Error::other("a name is not UTF-8"))?;
        let bytes = resolved(fs::read(file)?);
        version.update(name);
        version.update(Sha256::digest(&bytes));
        let (plain, packed) = (out.join(name), out.join(format!("{name}.gz")));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes)?;
        fs::write(&packed, encoder.finish()?)?;
        fs::write(&plain, bytes)?;
        let (plain, packed) = (plain.display().to_string(), packed.display().to_string());
        let content_type = content_type(file)?;
        writeln!(
            table,
            "    Asset {{ name: {name:?}, content_type: {content_type:?}, plain: include_bytes!({plain:?}), \
             packed: include_bytes!({packed:?}) }},"
        )
        .map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    fs::write(out.join("assets.rs"), table)?;
    let version = version.finalize();
    let short: String = version.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    println!("cargo::rustc-env=ASSETS_VERSION={short}");
    Ok(())
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}

/// The files of `folder` that browsers load; its notes for people are not among them.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|ending| ending != "md") {
            files.push(path);
        }
    }
    Ok(())
}

/// The file with its bare imports led to files of ours.
fn resolved(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&bytes) else { return bytes };
    let mut text = text.to_owned();
    for (bare, file) in BARE_NAMES {
        text = text.replace(&format!("from {bare}"), &format!("from {file}"));
    }
    text.into_bytes()
}

fn content_type(file: &Path) -> io::Result<&'static str> {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("css") => Ok("text/css; charset=utf-8"),
        Some("js") => Ok("text/javascript; charset=utf-8"),
        Some("svg") => Ok("image/svg+xml"),
        Some("txt") => Ok("text/plain; charset=utf-8"),
        _ => Err(io::Error::other(format!("no content type is known for {}", file.display()))),
    }
}
