//! The files of `web/`, built into the program: plain and compressed, under addresses that change with them.
//!
//! An address holds the version of all files (`assets/<version>/<name>`), so that browsers may keep each for ever, and
//! that one module of ours finds another beside it.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::error::Problem;

#[derive(Debug)]
struct Asset {
    name: &'static str,
    content_type: &'static str,
    plain: &'static [u8],
    /// The same, as gzip.
    packed: &'static [u8],
}

/// Written by `build.rs`.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Changes when any asset does.
const VERSION: &str = env!("ASSETS_VERSION");

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const FOR_A_DAY: HeaderValue = HeaderValue::from_static("public, max-age=86400");
const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");

/// The address of the asset `name`, from a page `root` (`""`, `"../"`) below the pages' root.
pub(crate) fn address(root: &str, name: &str) -> String {
    debug_assert!(ASSETS.iter().any(|asset| asset.name == name), "no asset {name}");
    format!("{root}assets/{VERSION}/{name}")
}

/// `GET /assets/{version}/{name}`. A page of an earlier release may still ask under its version: it gets what there is
/// now, not to be kept.
pub(crate) async fn get(
    Path((version, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let kept = if version == VERSION { FOR_EVER } else { ASK_EACH_TIME };
    answer(&name, &headers, kept)
}

/// `GET /favicon.ico`: the icon under the one name that never changes.
pub(crate) async fn icon(headers: HeaderMap) -> Result<Response, Problem> {
    answer("icon.svg", &headers, FOR_A_DAY)
}

fn answer(name: &str, headers: &HeaderMap, kept: HeaderValue) -> Result<Response, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    let asset = asset.ok_or_else(|| Problem::not_found(format!("there is no asset '{name}'")))?;
    let is_packed = accepts_gzip(headers);
    let tag = if is_packed { format!("\"{VERSION}-gzip\"") } else { format!("\"{VERSION}\"") };
    let mut response = if names_tag(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if is_packed {
        ([(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))], asset.packed).into_response()
    } else {
        asset.plain.into_response()
    };
    let answered = response.headers_mut();
    answered.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    answered.insert(header::CACHE_CONTROL, kept);
    answered.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    // Hexadecimal digits are always a header.
    answered.extend(HeaderValue::from_str(&tag).map(|tag| (header::ETAG, tag)));
    Ok(response)
}

/// Whether the reader takes gzip: named, or meant by `*`, and not with a weight of 0.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut by_star = false;
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for coding in value.to_str().unwrap_or_default().split(',') {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let is_refused = parts.any(|part| {
                part.strip_prefix("q=").is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight == 0.0))
            });
            match name {
                name if name.eq_ignore_ascii_case("gzip") => return !is_refused,
                "*" => by_star = !is_refused,
                _ => {}
            }
        }
    }
    by_star
}

fn names_tag(headers: &HeaderMap, tag: &str) -> bool {
    let named = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    named.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn gzip_is_sent_to_whom_it_is_named_and_not_refused() {
        for (header, accepted) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0, *", false),
            ("*", true),
            ("*;q=0", false),
            ("br", false),
            ("", false),
            ("xgzip", false),
        ] {
            assert_eq!(accepts_gzip(&with(header::ACCEPT_ENCODING, header)), accepted, "{header}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_a_reader_has_already_is_not_sent_again() {
        for (header, named) in
            [("\"a\"", true), ("W/\"a\"", true), ("\"b\", \"a\"", true), ("*", true), ("\"b\"", false)]
        {
            assert_eq!(names_tag(&with(header::IF_NONE_MATCH, header), "\"a\""), named, "{header}");
        }
    }

    #[test]
    fn every_library_of_others_is_byte_for_byte_that_of_its_package() {
        use sha2::{Digest, Sha256};
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/vendor");
        let listed = std::fs::read_to_string(folder.join("README.md")).unwrap();
        let mut seen = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "js") {
                continue;
            }
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let digest: String =
                Sha256::digest(std::fs::read(&path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
            let line = listed.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap_or_default();
            assert!(line.contains(&digest), "{name} is {digest}, and its line says: {line}");
            seen += 1;
        }
        assert_eq!(seen, 3);
    }

    #[test]
    fn no_module_imports_what_a_browser_cannot_find() {
        for asset in ASSETS.iter().filter(|asset| asset.name.ends_with(".js")) {
            let text = std::str::from_utf8(asset.plain).unwrap();
            for line in text.lines().filter(|line| line.starts_with("import ") || line.starts_with("export ")) {
                let Some((_, from)) = line.split_once(" from ") else { continue };
                let name = from.trim_matches(|letter| "'\"; ".contains(letter));
                let found = name.strip_prefix("./").is_some_and(|name| ASSETS.iter().any(|asset| asset.name == name));
                assert!(found, "{} imports {name}", asset.name);
            }
        }
    }
}
